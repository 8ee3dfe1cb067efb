package telephonytest

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"hotline/telephony/media"
)

// byeLimit bounds how long a goodbye is repeated.
const byeLimit = 2 * time.Second

// CallOptions shapes an outgoing call.
type CallOptions struct {
	From    string            // number in From; empty: the phone's user
	Name    string            // display name
	Headers map[string]string // further headers, e.g. P-Asserted-Identity
	Tone    float64           // sent once connected; 0: silence
}

// PhoneCall is one call of a Phone. Its methods may be used from any goroutine.
type PhoneCall struct {
	*Audio
	p          *Phone
	id         string
	out        bool
	local      string // From or To with our tag
	theirs     string // the far side's, with its tag once known
	target     string // request URI inside the dialog
	routes     []string
	to         netip.AddrPort
	invite     *message // the INVITE, ours or theirs
	branch     string
	mu         sync.Mutex // guards what follows
	cseq       int
	state      string // calling, ringing, connected, ended
	code       int
	reason     string
	lastAck    *message
	lastOK     *message // our 200 to their INVITE, repeated when it comes again
	reinv      int
	sdpVersion atomic.Uint32 // grows with every description (RFC 3264 8)

	ringing   chan struct{} // closed on the first 18x
	connected chan struct{}
	done      chan struct{}
	once      sync.Once
	ringOnce  sync.Once
	connOnce  sync.Once
	// OnReinvite, if set before the call connects, is told of re-INVITEs of the far side.
	OnReinvite func()
}

// Call dials a number at the phone's server and returns at once; wait by Connected.
func (p *Phone) Call(ctx context.Context, number string, o CallOptions) (*PhoneCall, error) {
	a, err := newAudio(p.cfg.IP, p.cfg.Law)
	if err != nil {
		return nil, err
	}
	a.Tone(o.Tone)
	from := o.From
	if from == "" {
		from = p.cfg.User
	}
	c := &PhoneCall{Audio: a, p: p, id: token() + "@" + p.cfg.IP.String(), out: true, to: p.srv, state: "calling", cseq: 1,
		local:  strings.TrimSpace(fmt.Sprintf("%s <sip:%s@%s>;tag=%s", quoted(o.Name), from, p.Addr().Addr(), token())),
		theirs: fmt.Sprintf("<sip:%s@%s>", number, p.srv), target: fmt.Sprintf("sip:%s@%s", number, p.srv),
		ringing: make(chan struct{}), connected: make(chan struct{}), done: make(chan struct{})}
	c.branch = "z9hG4bK" + token()
	m := c.newRequest("INVITE", c.branch)
	for k, v := range o.Headers {
		m.add(k, v)
	}
	m.add("Content-Type", "application/sdp")
	m.body = c.sdp("sendrecv")
	c.invite = m
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		a.close()
		return nil, ErrClosed
	}
	p.calls[c.id] = c
	p.wg.Go(func() { c.runInvite(ctx) })
	p.mu.Unlock()
	return c, nil
}

func quoted(s string) string {
	if s == "" {
		return ""
	}
	return strconv.Quote(s)
}

// newRequest makes a request inside the dialog; c.mu need not be held for the first one.
func (c *PhoneCall) newRequest(method, branch string) *message {
	m := &message{start: fmt.Sprintf("%s %s SIP/2.0", method, c.target)}
	m.add("Via", c.p.via(branch))
	m.add("Max-Forwards", "70")
	for _, r := range c.routes {
		m.add("Route", r)
	}
	m.add("From", c.local)
	m.add("To", c.theirs)
	m.add("Call-ID", c.id)
	m.add("CSeq", fmt.Sprintf("%d %s", c.cseq, method))
	m.add("Contact", "<"+c.p.URI()+">")
	return m
}

func (c *PhoneCall) runInvite(ctx context.Context) {
	auth := false
	for {
		var final *message
		err := c.p.transact(ctx, c.invite, c.branch, c.to, func(r *message, code int) bool {
			switch {
			case code >= 200:
				final = r
				return true
			case code >= 180:
				c.setState("ringing")
				c.takeSDP(r)
				c.ringOnce.Do(func() { close(c.ringing) })
			}
			return false
		})
		if err != nil {
			if ctx.Err() != nil {
				c.cancel()
			}
			c.end(0, err.Error())
			return
		}
		code, _ := final.status()
		if code < 300 {
			c.established(final)
			return
		}
		c.ackFailure(final)
		if code == 401 || code == 407 {
			if h := final.get("Www-Authenticate") + final.get("Proxy-Authenticate"); !auth && c.p.cfg.Password != "" && h != "" {
				auth = true
				c.cseq++
				c.branch = "z9hG4bK" + token()
				m := c.newRequest("INVITE", c.branch)
				name := "Authorization"
				if code == 407 {
					name = "Proxy-Authorization"
				}
				m.add(name, digest(h, "INVITE", c.target, c.p.cfg.User, c.p.cfg.Password))
				m.add("Content-Type", "application/sdp")
				m.body = c.invite.body
				c.invite = m
				continue
			}
		}
		c.mu.Lock()
		e := statusError(final)
		c.code, c.reason = e.Code, e.Reason
		if e.RetryAfter != "" {
			c.reason += "; retry after " + e.RetryAfter
		}
		c.mu.Unlock()
		c.end(e.Code, c.reason)
		return
	}
}

func (c *PhoneCall) established(ok *message) {
	c.mu.Lock()
	c.theirs = ok.get("To")
	if u := uri(ok.get("Contact")); u != "" {
		c.target = u
	}
	rr := ok.all("Record-Route")
	c.routes = nil
	for i := len(rr) - 1; i >= 0; i-- {
		c.routes = append(c.routes, rr[i])
	}
	ack := c.newRequest("ACK", "z9hG4bK"+token())
	c.lastAck = ack
	c.mu.Unlock()
	_ = c.p.send(ack, c.to)
	c.takeSDP(ok)
	c.setState("connected")
	c.connOnce.Do(func() { close(c.connected) })
}

// ackFailure confirms a refusal with the INVITE's own branch (RFC 3261 17.1.1.3).
func (c *PhoneCall) ackFailure(r *message) {
	m := &message{start: strings.Replace(c.invite.start, "INVITE", "ACK", 1)}
	m.add("Via", c.invite.get("Via"))
	m.add("Max-Forwards", "70")
	m.add("From", c.local)
	m.add("To", r.get("To"))
	m.add("Call-ID", c.id)
	n, _ := c.invite.cseq()
	m.add("CSeq", fmt.Sprintf("%d ACK", n))
	_ = c.p.send(m, c.to)
}

func (c *PhoneCall) cancel() {
	m := &message{start: strings.Replace(c.invite.start, "INVITE", "CANCEL", 1)}
	m.add("Via", c.invite.get("Via"))
	m.add("Max-Forwards", "70")
	m.add("From", c.local)
	m.add("To", c.invite.get("To"))
	m.add("Call-ID", c.id)
	n, _ := c.invite.cseq()
	m.add("CSeq", fmt.Sprintf("%d CANCEL", n))
	_ = c.p.send(m, c.to)
}

// lateResponse answers what comes after the transaction: a repeated 200 wants its ACK again, a 487 its own.
func (c *PhoneCall) lateResponse(m *message) {
	code, _ := m.status()
	_, method := m.cseq()
	c.mu.Lock()
	ack := c.lastAck
	c.mu.Unlock()
	if method != "INVITE" || code < 200 {
		return
	}
	if code < 300 {
		if ack != nil {
			_ = c.p.send(ack, c.to)
		}
		return
	}
	c.ackFailure(m)
}

// Connected waits for the answer. A refusal is a *StatusError.
func (c *PhoneCall) Connected(ctx context.Context) error {
	select {
	case <-c.connected:
		return nil
	case <-c.done:
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.code != 0 {
			return &StatusError{Code: c.code, Reason: c.reason}
		}
		return fmt.Errorf("call ended: %s", c.reason)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Ringing is closed on the first 180 or 183.
func (c *PhoneCall) Ringing() <-chan struct{} { return c.ringing }

// Done is closed when the call is over.
func (c *PhoneCall) Done() <-chan struct{} { return c.done }

// ID is the SIP Call-ID.
func (c *PhoneCall) ID() string { return c.id }

// Why tells status and reason of the end.
func (c *PhoneCall) Why() (int, string) { c.mu.Lock(); defer c.mu.Unlock(); return c.code, c.reason }

// Caller is the user part of the other side's address, Name its display name.
func (c *PhoneCall) Caller() (user, name string) {
	v := c.theirs
	name, _, _ = strings.Cut(v, "<")
	u := strings.TrimPrefix(uri(v), "sip:")
	user, _, _ = strings.Cut(u, "@")
	return user, strings.Trim(name, ` "`)
}

// Hangup says goodbye: BYE when connected, CANCEL before, 486 to a call not yet answered. It returns at once.
func (c *PhoneCall) Hangup() {
	c.mu.Lock()
	state := c.state
	out := c.out
	c.mu.Unlock()
	switch {
	case state == "ended":
	case state == "connected":
		c.mu.Lock()
		c.cseq++
		branch := "z9hG4bK" + token()
		m := c.newRequest("BYE", branch)
		c.mu.Unlock()
		c.p.mu.Lock()
		if !c.p.closed {
			c.p.byes.Go(func() {
				ctx, stop := context.WithTimeout(context.Background(), byeLimit)
				defer stop()
				_ = c.p.transact(ctx, m, branch, c.to, func(_ *message, code int) bool { return code >= 200 })
			})
		}
		c.p.mu.Unlock()
		c.end(0, "hung up here")
	case out:
		c.cancel()
	default:
		c.Reject(486)
	}
}

// Reinvite renegotiates: direction sendrecv, sendonly (hold), inactive. It waits for the answer and gives the
// direction the far side answered with.
func (c *PhoneCall) Reinvite(ctx context.Context, direction string) (string, error) {
	c.mu.Lock()
	c.cseq++
	branch := "z9hG4bK" + token()
	m := c.newRequest("INVITE", branch)
	m.add("Content-Type", "application/sdp")
	m.body = c.sdp(direction)
	if direction == "" {
		m.body = ""
	}
	c.mu.Unlock()
	var final *message
	if err := c.p.transact(ctx, m, branch, c.to, func(r *message, code int) bool { final = r; return code >= 200 }); err != nil {
		return "", err
	}
	if code, _ := final.status(); code >= 300 {
		return "", statusError(final)
	}
	c.mu.Lock()
	ack := c.newRequest("ACK", "z9hG4bK"+token())
	if direction == "" { // the offer came in the 200: the answer goes into the ACK
		ack.add("Content-Type", "application/sdp")
		ack.body = c.sdp("sendrecv")
	}
	c.lastAck = ack
	c.mu.Unlock()
	_ = c.p.send(ack, c.to)
	c.takeSDP(final)
	for _, d := range []string{"sendonly", "recvonly", "inactive"} {
		if strings.Contains(final.body, "a="+d) {
			return d, nil
		}
	}
	return "sendrecv", nil
}

// Reinvites tells how many re-INVITEs the far side has sent.
func (c *PhoneCall) Reinvites() int { c.mu.Lock(); defer c.mu.Unlock(); return c.reinv }

func (c *PhoneCall) setState(s string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state != "ended" {
		c.state = s
	}
}

func (c *PhoneCall) end(code int, reason string) {
	c.once.Do(func() {
		c.mu.Lock()
		c.state = "ended"
		if c.code == 0 {
			c.code = code
		}
		if c.reason == "" {
			c.reason = reason
		}
		c.mu.Unlock()
		c.p.mu.Lock()
		// The entry stays for late repetitions until the phone closes, unless it is huge.
		if len(c.p.calls) > 4096 {
			delete(c.p.calls, c.id)
		}
		c.p.mu.Unlock()
		c.Audio.close()
		close(c.done)
	})
}

// newIncoming makes a call of a first INVITE.
func (p *Phone) newIncoming(m *message, from netip.AddrPort) {
	a, err := newAudio(p.cfg.IP, p.cfg.Law)
	if err != nil {
		_ = p.send(m.response(500, "No Socket", token()), from)
		return
	}
	c := &PhoneCall{Audio: a, p: p, id: m.get("Call-Id"), to: from, invite: m, state: "ringing", theirs: m.get("From"),
		local: m.get("To") + ";tag=" + token(), target: uri(m.get("Contact")), routes: m.all("Record-Route"),
		ringing: make(chan struct{}), connected: make(chan struct{}), done: make(chan struct{})}
	p.mu.Lock()
	p.calls[c.id] = c
	p.mu.Unlock()
	_ = p.send(m.response(180, "Ringing", tag(c.local)), from)
	select {
	case p.incoming <- c:
	default:
		c.Reject(486)
	}
}

// Answer takes an incoming call.
func (c *PhoneCall) Answer() error {
	c.mu.Lock()
	if c.state == "ended" {
		c.mu.Unlock()
		return errors.New("call ended before the answer")
	}
	ok := c.invite.response(200, "OK", tag(c.local))
	ok.add("Contact", "<"+c.p.URI()+">")
	ok.add("Content-Type", "application/sdp")
	c.mu.Unlock()
	c.takeSDP(c.invite)
	ok.body = c.sdp("sendrecv")
	c.mu.Lock()
	c.lastOK = ok
	c.state = "connected"
	c.mu.Unlock()
	c.connOnce.Do(func() { close(c.connected) })
	return c.p.send(ok, c.to)
}

// Reject refuses an incoming call.
func (c *PhoneCall) Reject(code int) {
	_ = c.p.send(c.invite.response(code, "Refused", tag(c.local)), c.to)
	c.end(code, "rejected here")
}

// request handles what the far side asks inside the call.
func (c *PhoneCall) request(m *message, from netip.AddrPort) {
	switch m.method() {
	case "ACK":
	case "BYE":
		_ = c.p.send(m.response(200, "OK", tag(c.local)), from)
		c.mu.Lock()
		c.reason = strings.TrimSpace("BYE " + m.get("Reason"))
		c.mu.Unlock()
		c.end(0, "BYE")
	case "CANCEL":
		_ = c.p.send(m.response(200, "OK", tag(c.local)), from)
		c.mu.Lock()
		state := c.state
		c.mu.Unlock()
		if state == "ringing" {
			_ = c.p.send(c.invite.response(487, "Request Terminated", tag(c.local)), from)
			c.end(487, strings.TrimSpace("CANCEL "+m.get("Reason")))
		}
	case "INVITE":
		c.reinvited(m, from)
	case "UPDATE", "OPTIONS", "INFO":
		r := m.response(200, "OK", tag(c.local))
		if m.method() == "UPDATE" {
			r.add("Contact", "<"+c.p.URI()+">")
			if se := m.get("Session-Expires"); se != "" {
				r.add("Session-Expires", se)
			}
			if m.body != "" {
				c.takeSDP(m)
				r.add("Content-Type", "application/sdp")
				r.body = c.sdp("sendrecv")
			}
		}
		_ = c.p.send(r, from)
	default:
		_ = c.p.send(m.response(501, "Not Implemented", tag(c.local)), from)
	}
}

func (c *PhoneCall) reinvited(m *message, from netip.AddrPort) {
	n, _ := m.cseq()
	first, _ := c.invite.cseq()
	c.mu.Lock()
	ok, state := c.lastOK, c.state
	c.mu.Unlock()
	if !c.out && n == first { // a repetition of the first one
		switch {
		case ok != nil:
			_ = c.p.send(ok, from)
		case state == "ringing":
			_ = c.p.send(m.response(180, "Ringing", tag(c.local)), from)
		}
		return
	}
	c.mu.Lock()
	c.reinv++
	c.mu.Unlock()
	if c.OnReinvite != nil {
		c.OnReinvite()
	}
	if m.body != "" {
		c.takeSDP(m)
	}
	r := m.response(200, "OK", tag(c.local))
	r.add("Contact", "<"+c.p.URI()+">")
	if se := m.get("Session-Expires"); se != "" {
		r.add("Session-Expires", se)
	}
	r.add("Content-Type", "application/sdp")
	dir := "sendrecv"
	if strings.Contains(m.body, "a=sendonly") {
		dir = "recvonly"
	}
	r.body = c.sdp(dir)
	_ = c.p.send(r, from)
}

// sdp writes our offer or answer.
func (c *PhoneCall) sdp(direction string) string {
	law := media.Law(c.law.Load())
	list := fmt.Sprintf("%d %d", law, 8-law)
	maps := fmt.Sprintf("a=rtpmap:%d %s/8000\r\na=rtpmap:%d %s/8000\r\n", law, lawName(law), 8-law, lawName(8-law))
	if c.p.cfg.OnlyLaw {
		list = strconv.Itoa(int(law))
		maps = fmt.Sprintf("a=rtpmap:%d %s/8000\r\n", law, lawName(law))
	}
	ip := c.p.cfg.IP
	ev := c.evPT.Load()
	return fmt.Sprintf("v=0\r\no=phone %d %d IN IP4 %s\r\ns=-\r\nc=IN IP4 %s\r\nt=0 0\r\nm=audio %d RTP/AVP %s %d\r\n%sa=rtpmap:%d telephone-event/8000\r\na=fmtp:%d 0-15\r\na=ptime:20\r\na=%s\r\n",
		c.port(), c.sdpVersion.Add(1), ip, ip, c.port(), list, ev, maps, ev, ev, direction)
}

func lawName(l media.Law) string {
	if l == media.PCMU {
		return "PCMU"
	}
	return "PCMA"
}

// takeSDP reads the far side's address and first codec of ours.
func (c *PhoneCall) takeSDP(m *message) {
	if m.body == "" {
		return
	}
	var ip netip.Addr
	var port uint64
	for _, l := range strings.Split(strings.ReplaceAll(m.body, "\r\n", "\n"), "\n") {
		switch {
		case strings.HasPrefix(l, "c=IN IP4 "):
			ip, _ = netip.ParseAddr(strings.TrimSpace(l[9:]))
		case strings.HasPrefix(l, "m=audio "):
			f := strings.Fields(l[8:])
			if len(f) < 3 {
				continue
			}
			port, _ = strconv.ParseUint(f[0], 10, 16)
			for _, pt := range f[2:] {
				if pt == "0" || pt == "8" {
					n, _ := strconv.Atoi(pt)
					c.law.Store(uint32(n))
					break
				}
			}
		case strings.HasPrefix(l, "a=rtpmap:") && strings.Contains(l, "telephone-event/8000"):
			n, _ := strconv.Atoi(strings.Fields(l[9:])[0])
			c.evPT.Store(uint32(n))
		}
	}
	if ip.IsValid() && port != 0 {
		c.setRemote(netip.AddrPortFrom(ip, uint16(port)))
	}
}
