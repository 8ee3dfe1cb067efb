package telephonytest

import (
	"bufio"
	"context"
	"crypto/md5"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"hotline/telephony/media"
)

// PhoneConfig makes a Phone. The zero value is a UDP phone on 127.0.0.1 with any free port.
type PhoneConfig struct {
	User     string     // user part of our address; empty: phone
	Password string     // answers digest challenges; empty: refused ones stay refused
	IP       netip.Addr // zero: 127.0.0.1
	Port     int        // 0: any free one
	Server   string     // host:port that requests go to
	TCP      bool       // speak TCP to Server instead of UDP
	Law      media.Law  // codec offered first; the other one follows
	OnlyLaw  bool       // offer Law alone
}

// Phone is a SIP phone: it calls, is called, registers, speaks tones and hears. Its SIP is its own and minimal.
type Phone struct {
	cfg  PhoneConfig
	conn *net.UDPConn // UDP
	tcp  net.Conn     // TCP; nil for UDP
	srv  netip.AddrPort

	mu       sync.Mutex // guards what follows
	calls    map[string]*PhoneCall
	waiting  map[string]chan *message // responses by Via branch
	incoming chan *PhoneCall          // size 16; a further call gets 486
	closed   bool
	wg       sync.WaitGroup
	byes     sync.WaitGroup // goodbyes under way: Close lets them through
}

// ErrClosed says that the phone was closed.
var ErrClosed = errors.New("phone closed")

// StatusError is a final answer other than 2xx.
type StatusError struct {
	Code   int
	Reason string
	// RetryAfter is the header's value, empty when absent.
	RetryAfter string
}

// Error implements error.
func (e *StatusError) Error() string { return fmt.Sprintf("SIP %d %s", e.Code, e.Reason) }

// NewPhone opens the phone's socket. Close it.
func NewPhone(cfg PhoneConfig) (*Phone, error) {
	if cfg.User == "" {
		cfg.User = "phone"
	}
	if !cfg.IP.IsValid() {
		cfg.IP = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	p := &Phone{cfg: cfg, calls: map[string]*PhoneCall{}, waiting: map[string]chan *message{}, incoming: make(chan *PhoneCall, 16)}
	if cfg.Server != "" {
		a, err := net.ResolveUDPAddr("udp", cfg.Server)
		if err != nil {
			return nil, fmt.Errorf("server address %q: %w", cfg.Server, err)
		}
		p.srv = a.AddrPort()
		p.srv = netip.AddrPortFrom(p.srv.Addr().Unmap(), p.srv.Port())
	}
	var err error
	if cfg.TCP {
		if p.tcp, err = net.DialTimeout("tcp", p.srv.String(), 5*time.Second); err != nil {
			return nil, fmt.Errorf("connect to %s: %w", p.srv, err)
		}
		p.wg.Go(p.readTCP)
		return p, nil
	}
	if p.conn, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(cfg.IP, uint16(cfg.Port)))); err != nil {
		return nil, fmt.Errorf("open SIP socket: %w", err)
	}
	_ = p.conn.SetReadBuffer(1 << 20)
	p.wg.Go(p.readUDP)
	return p, nil
}

// Addr is where the phone can be reached.
func (p *Phone) Addr() netip.AddrPort {
	if p.tcp != nil {
		return p.tcp.LocalAddr().(*net.TCPAddr).AddrPort()
	}
	return p.conn.LocalAddr().(*net.UDPAddr).AddrPort()
}

// URI is the phone's address as `sip:user@host:port`.
func (p *Phone) URI() string {
	u := fmt.Sprintf("sip:%s@%s", p.cfg.User, p.Addr())
	if p.tcp != nil {
		u += ";transport=tcp"
	}
	return u
}

// Incoming delivers calls to the phone. Answer or reject them.
func (p *Phone) Incoming() <-chan *PhoneCall { return p.incoming }

// Close hangs up everything and closes the sockets.
func (p *Phone) Close() {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return
	}
	calls := make([]*PhoneCall, 0, len(p.calls))
	for _, c := range p.calls {
		calls = append(calls, c)
	}
	p.mu.Unlock()
	for _, c := range calls {
		c.Hangup()
	}
	p.byes.Wait() // each is over in byeLimit
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	if p.tcp != nil {
		p.tcp.Close()
	} else {
		p.conn.Close()
	}
	p.wg.Wait()
	for _, c := range calls {
		c.end(0, "phone closed")
	}
}

// Vanish closes the phone's sockets without a word, as a power cut does.
func (p *Phone) Vanish() {
	p.mu.Lock()
	p.closed = true
	calls := p.calls
	p.calls = map[string]*PhoneCall{}
	p.mu.Unlock()
	if p.tcp != nil {
		p.tcp.Close()
	} else {
		p.conn.Close()
	}
	p.wg.Wait()
	for _, c := range calls {
		c.end(0, "vanished")
	}
}

func (p *Phone) readUDP() {
	buf := make([]byte, 65536)
	for {
		n, from, err := p.conn.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		if m, err := parseMessage(string(buf[:n])); err == nil {
			p.handle(m, from)
		}
	}
}

func (p *Phone) readTCP() {
	r := bufio.NewReader(p.tcp)
	for {
		m, err := readMessage(r)
		if err != nil {
			return
		}
		p.handle(m, p.srv)
	}
}

func (p *Phone) send(m *message, to netip.AddrPort) error {
	data := []byte(m.String())
	var err error
	if p.tcp != nil {
		_, err = p.tcp.Write(data)
	} else {
		_, err = p.conn.WriteToUDPAddrPort(data, to)
	}
	if err != nil {
		return fmt.Errorf("send %s: %w", m.start, err)
	}
	return nil
}

// SendRaw sends bytes as they are; for tests of bad input. Answers to it are not read.
func (p *Phone) SendRaw(data []byte) error {
	var err error
	if p.tcp != nil {
		_, err = p.tcp.Write(data)
	} else {
		_, err = p.conn.WriteToUDPAddrPort(data, p.srv)
	}
	return err
}

func (p *Phone) via(branch string) string {
	t := "UDP"
	if p.tcp != nil {
		t = "TCP"
	}
	return fmt.Sprintf("SIP/2.0/%s %s;rport;branch=%s", t, p.Addr(), branch)
}

func token() string {
	var b [8]byte
	_, _ = rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// handle sorts a message: an answer to its waiter, a request to its call.
func (p *Phone) handle(m *message, from netip.AddrPort) {
	if _, ok := m.status(); ok {
		_, rest, _ := strings.Cut(m.get("Via"), "branch=")
		branch, _, _ := strings.Cut(rest, ";")
		_, method := m.cseq() // the answer to a CANCEL has the branch of its INVITE (RFC 3261 17.1.3)
		p.mu.Lock()
		ch := p.waiting[branch+method]
		c := p.calls[m.get("Call-Id")]
		p.mu.Unlock()
		if ch != nil {
			select {
			case ch <- m:
			default: // a repetition beyond what anybody waits for
			}
		} else if c != nil {
			c.lateResponse(m)
		}
		return
	}
	p.mu.Lock()
	c := p.calls[m.get("Call-Id")]
	p.mu.Unlock()
	switch {
	case c != nil:
		c.request(m, from)
	case m.method() == "INVITE":
		p.newIncoming(m, from)
	case m.method() == "OPTIONS":
		_ = p.send(m.response(200, "OK", token()), from)
	case m.method() != "ACK":
		_ = p.send(m.response(481, "Call Does Not Exist", token()), from)
	}
}

// transact sends a request until an answer comes (RFC 3261 17.1, T1 500 ms over UDP) and gives every answer to each;
// it ends when each reports true.
func (p *Phone) transact(ctx context.Context, m *message, branch string, to netip.AddrPort, each func(*message, int) bool) error {
	ch := make(chan *message, 32)
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return ErrClosed
	}
	key := branch + m.method()
	p.waiting[key] = ch
	p.mu.Unlock()
	defer func() { p.mu.Lock(); delete(p.waiting, key); p.mu.Unlock() }()
	if err := p.send(m, to); err != nil {
		return err
	}
	pause := 500 * time.Millisecond
	again := time.NewTimer(pause)
	defer again.Stop()
	if p.tcp != nil {
		again.Stop()
	}
	limit := time.NewTimer(32 * time.Second)
	defer limit.Stop()
	for {
		select {
		case r := <-ch:
			again.Stop()
			limit.Stop()
			code, _ := r.status()
			if each(r, code) {
				return nil
			}
		case <-again.C:
			if err := p.send(m, to); err != nil {
				return err
			}
			pause = min(2*pause, 4*time.Second)
			again.Reset(pause)
		case <-limit.C:
			return fmt.Errorf("no answer to %s", m.method())
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Register registers the phone for so many seconds; 0 takes the registration back.
func (p *Phone) Register(ctx context.Context, domain string, seconds int) error {
	call, from, auth := token(), token(), ""
	for cseq := 1; cseq <= 3; cseq++ {
		branch := "z9hG4bK" + token()
		m := &message{start: "REGISTER sip:" + domain + " SIP/2.0"}
		m.add("Via", p.via(branch))
		m.add("Max-Forwards", "70")
		m.add("From", fmt.Sprintf("<sip:%s@%s>;tag=%s", p.cfg.User, domain, from))
		m.add("To", fmt.Sprintf("<sip:%s@%s>", p.cfg.User, domain))
		m.add("Call-ID", call)
		m.add("CSeq", fmt.Sprintf("%d REGISTER", cseq))
		m.add("Contact", "<"+p.URI()+">")
		m.add("Expires", strconv.Itoa(seconds))
		if auth != "" {
			m.add("Authorization", auth)
		}
		var last *message
		if err := p.transact(ctx, m, branch, p.srv, func(r *message, code int) bool { last = r; return code >= 200 }); err != nil {
			return fmt.Errorf("register %s: %w", p.cfg.User, err)
		}
		code, _ := last.status()
		switch {
		case code < 300:
			return nil
		case code == 401 && auth == "" && p.cfg.Password != "":
			auth = digest(last.get("Www-Authenticate"), "REGISTER", "sip:"+domain, p.cfg.User, p.cfg.Password)
		default:
			return fmt.Errorf("register %s: %w", p.cfg.User, statusError(last))
		}
	}
	return fmt.Errorf("register %s: challenged again and again", p.cfg.User)
}

// digest answers a challenge (RFC 2617, qop=auth or none).
func digest(challenge, method, uri, user, password string) string {
	c := params(strings.TrimPrefix(challenge, "Digest "))
	h := func(s string) string { x := md5.Sum([]byte(s)); return hex.EncodeToString(x[:]) }
	ha1, ha2 := h(user+":"+c["realm"]+":"+password), h(method+":"+uri)
	out := fmt.Sprintf(`Digest username="%s", realm="%s", nonce="%s", uri="%s", algorithm=MD5`, user, c["realm"], c["nonce"], uri)
	if c["opaque"] != "" {
		out += fmt.Sprintf(`, opaque="%s"`, c["opaque"])
	}
	if strings.Contains(c["qop"], "auth") {
		cn := token()
		return out + fmt.Sprintf(`, qop=auth, nc=00000001, cnonce="%s", response="%s"`, cn, h(ha1+":"+c["nonce"]+":00000001:"+cn+":auth:"+ha2))
	}
	return out + fmt.Sprintf(`, response="%s"`, h(ha1+":"+c["nonce"]+":"+ha2))
}

func statusError(m *message) *StatusError {
	code, _ := m.status()
	reason := ""
	if len(m.start) > 12 {
		reason = m.start[12:]
	}
	return &StatusError{Code: code, Reason: reason, RetryAfter: m.get("Retry-After")}
}

// Options pings the server and gives the status of its answer.
func (p *Phone) Options(ctx context.Context) (int, error) {
	branch := "z9hG4bK" + token()
	m := &message{start: "OPTIONS sip:" + p.srv.String() + " SIP/2.0"}
	m.add("Via", p.via(branch))
	m.add("Max-Forwards", "70")
	m.add("From", fmt.Sprintf("<%s>;tag=%s", p.URI(), token()))
	m.add("To", "<sip:"+p.srv.String()+">")
	m.add("Call-ID", token())
	m.add("CSeq", "1 OPTIONS")
	code := 0
	err := p.transact(ctx, m, branch, p.srv, func(r *message, c int) bool { code = c; return c >= 200 })
	return code, err
}
