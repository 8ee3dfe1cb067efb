package sip

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hotline/telephony"
)

// clock is a time of day the test moves.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.t }

func (c *clock) add(d time.Duration) { c.mu.Lock(); defer c.mu.Unlock(); c.t = c.t.Add(d) }

// phone is a desk phone that knows, or guesses, a password.
type phone struct {
	*ua
	user, password string
	nonce          string
	nc             int
	seq            int
	id             string
}

func (r *rig) phone(user, password string) *phone {
	return &phone{ua: r.ua(), user: user, password: password, id: token(6)}
}

// text builds a request with credentials for the nonce at hand; none without a nonce.
func (p *phone) text(method, uri, extra, body string) string {
	p.seq++
	auth := ""
	if p.nonce != "" {
		p.nc++
		c := credentials{"nonce": p.nonce, "nc": fmt.Sprintf("%08x", p.nc), "cnonce": "abcdef", "qop": "auth", "uri": uri}
		auth = fmt.Sprintf(`Authorization: Digest username="%s",realm="hotline",nonce="%s",uri="%s",response="%s",algorithm=MD5,cnonce="abcdef",qop=auth,nc=%s`+"\r\n",
			p.user, p.nonce, uri, digestResponse(md5hex(p.user+":hotline:"+p.password), method, c), c["nc"])
	}
	to := "<sip:" + p.user + "@hotline>"
	if method == "INVITE" {
		to = "<" + uri + ">"
		extra += "Content-Type: application/sdp\r\n"
	}
	return fmt.Sprintf("%s %s SIP/2.0\r\nVia: SIP/2.0/UDP %s;rport;branch=z9hG4bK%s\r\nMax-Forwards: 70\r\nFrom: \"Desk\" <sip:%s@hotline>;tag=t%s\r\n"+
		"To: %s\r\nCall-ID: %s\r\nCSeq: %d %s\r\nContact: <sip:%s@%s>\r\n%s%sContent-Length: %d\r\n\r\n%s",
		method, uri, p.local(), token(6), p.user, p.id, to, p.id, p.seq, method, p.user, p.local(), auth, extra, len(body), body)
}

// ask sends a request and returns its final answer; a challenge's nonce is kept.
func (p *phone) ask(method, uri, extra, body string) *msg {
	p.t.Helper()
	p.send(p.text(method, uri, extra, body))
	m := final(p.ua)
	if m == nil {
		p.t.Fatalf("no answer to %s", method)
	}
	if c, ok := readDigest(m.h("WWW-Authenticate")); ok {
		p.nonce, p.nc = c["nonce"], 0
	}
	return m
}

// register goes through the challenge.
func (p *phone) register(extra string) *msg {
	p.t.Helper()
	m := p.ask("REGISTER", "sip:hotline", extra, "")
	if m.code() == 401 {
		m = p.ask("REGISTER", "sip:hotline", extra, "")
	}
	return m
}

func TestRegister(t *testing.T) {
	clk := newClock()
	var heard []string
	var mu sync.Mutex
	r := newRig(t, func(c *Config) {
		c.Now = clk.now
		c.OnRegistration = func(user string, up bool) {
			mu.Lock()
			defer mu.Unlock()
			heard = append(heard, fmt.Sprint(user, up))
		}
	}, nil)
	p := r.phone("desk1", "secret")
	ok := p.register("Expires: 120\r\nUser-Agent: Desk/1\r\n")
	if ok.code() != 200 || ok.h("Contact") != "<sip:desk1@"+p.local()+">;expires=120" {
		t.Fatalf("%q, Contact %q", ok.start, ok.h("Contact"))
	}
	reg, found := r.s.Registration("desk1")
	if !found || reg.Remote.String() != p.local() || reg.Transport != "udp" || reg.UserAgent != "Desk/1" {
		t.Errorf("registration %+v, %v", reg, found)
	}
	if r.metric("hotline_sip_registrations") != 1 {
		t.Error("not counted")
	}
	// A refresh with the same nonce and a higher count needs no new challenge.
	if m := p.ask("REGISTER", "sip:hotline", "Expires: 600\r\n", ""); m.code() != 200 {
		t.Errorf("refresh: %q", m.start)
	}
	if m := p.register("Expires: 10\r\n"); m.code() != 423 || m.h("Min-Expires") != "60" {
		t.Errorf("short: %q", m.start)
	}
	// The phone can be called, at the address it came from.
	ch := r.dial(context.Background(), Dial{To: "user:desk1"})
	p.reply(p.wantRequest("INVITE"), 486, "x", "", "")
	got(t, ch)
	clk.add(11 * time.Minute)
	r.s.registrar.sweep()
	if _, found := r.s.Registration("desk1"); found {
		t.Error("still there after its time")
	}
	if m := p.register("Expires: 0\r\n"); m.code() != 200 || m.h("Contact") != "" {
		t.Errorf("unregister: %q", m.start)
	}
	mu.Lock()
	defer mu.Unlock()
	if !slices.Equal(heard, []string{"desk1true", "desk1false"}) {
		t.Errorf("heard %v", heard)
	}
}

// TestDeskCalls lets a registered phone call with its password only.
func TestDeskCalls(t *testing.T) {
	r := newRig(t, nil, nil)
	p := r.phone("desk1", "secret")
	body := offer("127.0.0.1", 4000)
	if m := p.ask("INVITE", "sip:100@hotline", "", body); m.code() != 401 {
		t.Fatalf("without credentials: %q", m.start)
	}
	p.send(p.text("INVITE", "sip:100@hotline", "", body))
	l := r.leg()
	if c := l.Party().Caller; c.Value != "desk1" || c.Source != "registration" || c.Trust != telephony.TrustAsserted || l.Party().Trunk != "desk" {
		t.Errorf("party %+v", l.Party())
	}
	l.Hangup(telephony.CauseBusy)
	p.want(486)
	// Another's name in From is refused although the password is right.
	p2 := r.phone("desk1", "secret")
	p2.register("")
	text := strings.Replace(p2.text("INVITE", "sip:100@hotline", "", body), "<sip:desk1@hotline>;tag", "<sip:desk2@hotline>;tag", 1)
	p2.send(text)
	p2.want(401)
	r.noLeg()
}

// TestGuessing locks one user at one address, tells nothing, and leaves others alone (R10).
func TestGuessing(t *testing.T) {
	clk := newClock()
	r := newRig(t, func(c *Config) { c.Now = clk.now }, nil, loopTrunk())
	bad := r.phone("desk1", "guess")
	shape := func(m *msg) string {
		var names []string
		for n := range m.head {
			names = append(names, n)
		}
		slices.Sort(names)
		return fmt.Sprint(m.start, names)
	}
	var shapes []string
	for range lockAfter + 2 {
		shapes = append(shapes, shape(bad.register("")))
	}
	unknown := r.phone("nobody", "guess")
	for range lockAfter + 2 {
		shapes = append(shapes, shape(unknown.register("")))
	}
	for _, s := range shapes {
		if s != shapes[0] || !strings.HasPrefix(s, "SIP/2.0 401") {
			t.Fatalf("answers differ: %q and %q", s, shapes[0])
		}
	}
	bad.password = "secret"
	if m := bad.register(""); m.code() != 401 {
		t.Errorf("locked, and yet %q", m.start)
	}
	if m := r.phone("desk2", "other").register(""); m.code() != 200 {
		t.Errorf("another user at the same address: %q", m.start)
	}
	if n := r.metric("hotline_sip_refused_total", "locked"); n < 3 {
		t.Errorf("%v refused as locked", n)
	}
	clk.add(lockFor + time.Second)
	bad.nonce = ""
	if m := bad.register(""); m.code() != 200 {
		t.Errorf("after the lock: %q", m.start)
	}
}

// TestReplay sends what was once right again: at once, later, out of order, after a restart (R11).
func TestReplay(t *testing.T) {
	clk := newClock()
	set := func(c *Config) { c.Now = clk.now }
	r := newRig(t, set, nil)
	p := r.phone("desk1", "secret")
	p.ask("REGISTER", "sip:hotline", "", "")
	text := p.text("REGISTER", "sip:hotline", "", "")
	p.send(text)
	p.want(200)
	rebranch := func(s string) string {
		i := strings.Index(s, "branch=z9hG4bK")
		j := i + strings.Index(s[i:], "\r\n")
		return s[:i] + "branch=z9hG4bK" + token(6) + s[j:]
	}
	for range 20 {
		p.send(rebranch(text))
		if m := final(p.ua); m.code() != 401 || !strings.Contains(m.h("WWW-Authenticate"), "stale=true") {
			t.Fatalf("replay: %q %q", m.start, m.h("WWW-Authenticate"))
		}
	}
	p.send(text) // a plain repeat by the network is no replay: the same answer again
	p.want(200)
	p.nc = 4
	if m := p.ask("REGISTER", "sip:hotline", "", ""); m.code() != 200 {
		t.Errorf("a later count: %q", m.start)
	}
	p.nc = 2
	if m := p.ask("REGISTER", "sip:hotline", "", ""); m.code() != 401 {
		t.Errorf("an earlier count: %q", m.start)
	}
	m := p.ask("REGISTER", "sip:hotline", "", "")
	if m.code() != 200 {
		t.Fatal(m.start)
	}
	clk.add(nonceLife + time.Second)
	if m := p.ask("REGISTER", "sip:hotline", "", ""); m.code() != 401 || !strings.Contains(m.h("WWW-Authenticate"), "stale=true") {
		t.Errorf("an old nonce: %q", m.start)
	}
	again := newRig(t, set, nil) // the same program, started anew
	p.server = again.addr
	for range 20 {
		p.send(rebranch(text))
		if m := final(p.ua); m.code() != 401 {
			t.Fatalf("replay after a restart: %q", m.start)
		}
	}
}
