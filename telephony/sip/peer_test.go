package sip

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"hotline/telephony"
)

// ua is a raw peer: it sends text and reads text.
type ua struct {
	t      testing.TB
	server netip.AddrPort
	udp    *net.UDPConn
	tcp    net.Conn
	rd     *bufio.Reader
	seq    int
}

func (r *rig) ua() *ua { return r.uaFrom("127.0.0.1") }

func (r *rig) uaFrom(host string) *ua {
	r.t.Helper()
	c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.ParseIP(host)})
	if err != nil {
		r.t.Fatal(err)
	}
	u := &ua{t: r.t, server: r.addr, udp: c}
	r.t.Cleanup(func() { _ = c.Close() })
	return u
}

func (r *rig) tcpUA() *ua {
	r.t.Helper()
	c, err := net.Dial("tcp", r.tcp.String())
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = c.Close() })
	return &ua{t: r.t, server: r.tcp, tcp: c, rd: bufio.NewReader(c)}
}

func (u *ua) local() string {
	if u.tcp != nil {
		return u.tcp.LocalAddr().String()
	}
	return u.udp.LocalAddr().String()
}

func (u *ua) proto() string {
	if u.tcp != nil {
		return "TCP"
	}
	return "UDP"
}

func (u *ua) send(text string) { u.t.Helper(); u.raw([]byte(text)) }

func (u *ua) raw(b []byte) {
	u.t.Helper()
	var err error
	if u.tcp != nil {
		_, err = u.tcp.Write(b)
	} else {
		_, err = u.udp.WriteToUDPAddrPort(b, u.server)
	}
	if err != nil {
		u.t.Fatal(err)
	}
}

// msg is a message as the raw peer reads it, by rules of its own.
type msg struct {
	start string
	head  map[string][]string // lower-case names
	body  string
	size  int
}

func (m *msg) h(name string) string {
	if v := m.head[strings.ToLower(name)]; len(v) > 0 {
		return v[0]
	}
	return ""
}

func (m *msg) code() int {
	f := strings.Fields(m.start)
	if len(f) > 1 && f[0] == "SIP/2.0" {
		n, _ := strconv.Atoi(f[1])
		return n
	}
	return 0
}

func (m *msg) method() string { f, _, _ := strings.Cut(m.start, " "); return f }

func (m *msg) tag(name string) string {
	_, t, _ := strings.Cut(m.h(name), ";tag=")
	t, _, _ = strings.Cut(t, ";")
	return t
}

func (m *msg) contactURI() string {
	_, s, _ := strings.Cut(m.h("Contact"), "<")
	s, _, _ = strings.Cut(s, ">")
	return s
}

var shortNames = map[string]string{"v": "via", "f": "from", "t": "to", "i": "call-id", "l": "content-length", "m": "contact"}

func readText(b []byte) *msg {
	m := &msg{head: map[string][]string{}, size: len(b)}
	head, body, _ := strings.Cut(string(b), "\r\n\r\n")
	m.body = body
	lines := strings.Split(head, "\r\n")
	m.start = lines[0]
	for _, l := range lines[1:] {
		n, v, _ := strings.Cut(l, ":")
		n = strings.ToLower(strings.TrimSpace(n))
		if long, ok := shortNames[n]; ok {
			n = long
		}
		m.head[n] = append(m.head[n], strings.TrimSpace(v))
	}
	return m
}

// recv reads the next message; nil when none came within wait.
func (u *ua) recv(wait time.Duration) *msg {
	u.t.Helper()
	if u.tcp != nil {
		return u.recvTCP(wait)
	}
	buf := make([]byte, 65536)
	_ = u.udp.SetReadDeadline(time.Now().Add(wait))
	n, err := u.udp.Read(buf)
	if err != nil {
		return nil
	}
	return readText(buf[:n])
}

func (u *ua) recvTCP(wait time.Duration) *msg {
	_ = u.tcp.SetReadDeadline(time.Now().Add(wait))
	var b bytes.Buffer
	for {
		line, err := u.rd.ReadString('\n')
		if err != nil {
			return nil
		}
		if b.Len() == 0 && line == "\r\n" {
			continue
		}
		b.WriteString(line)
		if line == "\r\n" {
			break
		}
	}
	m := readText(b.Bytes())
	n, _ := strconv.Atoi(m.h("Content-Length"))
	body := make([]byte, n)
	if _, err := io.ReadFull(u.rd, body); err != nil {
		return nil
	}
	m.body = string(body)
	return m
}

// want reads until a response with the code (skipping others) or fails.
func (u *ua) want(code int) *msg {
	u.t.Helper()
	end := time.Now().Add(patience)
	var seen []string
	for time.Now().Before(end) {
		m := u.recv(time.Until(end))
		if m == nil {
			break
		}
		if m.code() == code {
			return m
		}
		seen = append(seen, m.start)
		if m.code() >= 200 && code >= 200 && !strings.HasSuffix(m.h("CSeq"), "CANCEL") {
			break
		}
	}
	u.t.Fatalf("no %d; came %q", code, seen)
	return nil
}

// wantRequest reads until a request with the method.
func (u *ua) wantRequest(method string) *msg {
	u.t.Helper()
	end := time.Now().Add(patience)
	var seen []string
	for time.Now().Before(end) {
		m := u.recv(time.Until(end))
		if m == nil {
			break
		}
		if m.method() == method {
			return m
		}
		seen = append(seen, m.start)
	}
	u.t.Fatalf("no %s; came %q", method, seen)
	return nil
}

// quiet checks that nothing comes, by asking for something that must come after it.
func (u *ua) ping() *msg {
	u.t.Helper()
	u.seq++
	id := fmt.Sprintf("ping%d-%s", u.seq, token(4))
	u.send(u.request("OPTIONS", "sip:ping@hotline", "<sip:ping@hotline>", id, u.seq, "z9hG4bK"+id, "", ""))
	end := time.Now().Add(patience)
	for time.Now().Before(end) {
		m := u.recv(time.Until(end))
		if m == nil {
			break
		}
		if m.h("Call-ID") == id {
			return m
		}
	}
	u.t.Fatal("no answer to OPTIONS")
	return nil
}

func (u *ua) request(method, uri, to, callID string, seq int, branch, extra, body string) string {
	if body != "" {
		extra += "Content-Type: application/sdp\r\n"
	}
	return fmt.Sprintf("%s %s SIP/2.0\r\nVia: SIP/2.0/%s %s;rport;branch=%s\r\nMax-Forwards: 70\r\nFrom: <sip:+74951234567@peer>;tag=peer-%s\r\n"+
		"To: %s\r\nCall-ID: %s\r\nCSeq: %d %s\r\nContact: <sip:peer@%s;transport=%s>\r\n%sContent-Length: %d\r\n\r\n%s",
		method, uri, u.proto(), u.local(), branch, callID[:4], to, callID, seq, method, u.local(), strings.ToLower(u.proto()),
		extra, len(body), body)
}

// offer is a description of the peer's side.
func offer(addr string, port int, extra ...string) string {
	s := "v=0\r\no=- 1 1 IN IP4 " + addr + "\r\ns=-\r\nc=IN IP4 " + addr + "\r\nt=0 0\r\nm=audio " + strconv.Itoa(port) +
		" RTP/AVP 8 0 101\r\na=rtpmap:101 telephone-event/8000\r\n"
	for _, e := range extra {
		s += e + "\r\n"
	}
	return s
}

// uacall is a call the raw peer makes.
type uacall struct {
	u              *ua
	id, uri, toTag string
	seq            int
	branch         string
	target         string
	extra          string
}

func (u *ua) call(number, extra, body string) *uacall {
	u.t.Helper()
	c := &uacall{u: u, id: token(8), uri: "sip:" + number + "@hotline", seq: 1, extra: extra}
	c.branch = "z9hG4bK" + token(6)
	u.send(c.inviteText(extra, body))
	return c
}

func (c *uacall) inviteText(extra, body string) string {
	return c.u.request("INVITE", c.uri, "<"+c.uri+">", c.id, c.seq, c.branch, extra, body)
}

// learn keeps what a 2xx says about the dialog.
func (c *uacall) learn(m *msg) *uacall {
	c.toTag, c.target = m.tag("To"), m.contactURI()
	return c
}

func (c *uacall) inDialog(method string, seq int, extra, body string) string {
	return c.u.request(method, c.target, "<"+c.uri+">;tag="+c.toTag, c.id, seq, "z9hG4bK"+token(6), extra, body)
}

func (c *uacall) ack(body string) { c.u.send(c.inDialog("ACK", c.seq, "", body)) }

// ackFail confirms a refusal.
func (c *uacall) ackFail(m *msg) {
	c.u.send(c.u.request("ACK", c.uri, "<"+c.uri+">;tag="+m.tag("To"), c.id, c.seq, c.branch, "", ""))
}

func (c *uacall) cancel(extra string) {
	c.u.send(c.u.request("CANCEL", c.uri, "<"+c.uri+">", c.id, c.seq, c.branch, extra, ""))
}

func (c *uacall) bye() {
	c.seq++
	c.u.send(c.inDialog("BYE", c.seq, "", ""))
}

// reply answers a request of the server's.
func (u *ua) reply(m *msg, code int, toTag, extra, body string) {
	u.t.Helper()
	to := m.h("To")
	if toTag != "" && !strings.Contains(to, ";tag=") {
		to += ";tag=" + toTag
	}
	var b strings.Builder
	fmt.Fprintf(&b, "SIP/2.0 %d Whatever\r\n", code)
	for _, v := range m.head["via"] {
		b.WriteString("Via: " + v + "\r\n")
	}
	if body != "" {
		extra += "Content-Type: application/sdp\r\n"
	}
	fmt.Fprintf(&b, "From: %s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %s\r\nContact: <sip:callee@%s>\r\n%sContent-Length: %d\r\n\r\n%s",
		m.h("From"), to, m.h("Call-ID"), m.h("CSeq"), u.local(), extra, len(body), body)
	u.send(b.String())
}

// answered brings up an inbound call and returns both ends of it.
func (r *rig) answered(u *ua, extra, body string) (*uacall, *Leg, *msg) {
	r.t.Helper()
	c := u.call("100", extra, body)
	l := r.leg()
	errs := make(chan error, 1)
	go func() { errs <- l.Answer(context.Background()) }()
	ok := u.want(200)
	c.learn(ok).ack("")
	if err := <-errs; err != nil {
		r.t.Fatal(err)
	}
	return c, l, ok
}

// ended waits for a leg's end.
func ended(t testing.TB, l *Leg) telephony.End {
	t.Helper()
	select {
	case <-l.Done():
		return l.End()
	case <-time.After(patience):
		t.Fatal("the leg did not end")
		return telephony.End{}
	}
}
