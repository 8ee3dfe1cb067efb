package sip

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"hotline/telephony"
	"hotline/telephony/media"
)

// TestCall is the plain call: INVITE, 100, 183, 200, ACK, BYE either way, over both transports.
func TestCall(t *testing.T) {
	for _, proto := range []string{"udp", "tcp"} {
		for _, who := range []string{"peer", "we"} {
			t.Run(proto+"/"+who, func(t *testing.T) {
				r := newRig(t, nil, nil, loopTrunk())
				u := r.ua()
				if proto == "tcp" {
					u = r.tcpUA()
				}
				c := u.call("100", "", offer("127.0.0.1", 4000))
				u.want(100)
				l := r.leg()
				if err := l.Progress(context.Background()); err != nil {
					t.Fatal(err)
				}
				early := u.want(183)
				if !strings.Contains(early.body, "m=audio") {
					t.Fatal("183 without description")
				}
				go func() { _ = l.Answer(context.Background()) }()
				ok := u.want(200)
				if ok.body != early.body {
					t.Errorf("200 says %q, 183 said %q", ok.body, early.body)
				}
				if l.Answered() {
					t.Error("answered before the ACK")
				}
				c.learn(ok).ack("")
				if err := l.Answer(context.Background()); err != nil {
					t.Fatal(err)
				}
				if !l.Answered() || l.Law() != media.PCMA {
					t.Errorf("answered %v, law %v", l.Answered(), l.Law())
				}
				p := l.Party()
				if p.Called != "100" || p.Trunk != "loop" || p.Protocol != proto || p.Caller.Value != "+74951234567" ||
					p.Region != "RU" || p.AreaCode != "495" || p.SIPCallID != c.id || p.Remote != u.local() {
					t.Errorf("party %+v", p)
				}
				if who == "peer" {
					c.bye()
					u.want(200)
					if e := ended(t, l); e.Result != telephony.ResultSuccess || e.Reason != telephony.ReasonHangup || e.By != telephony.SideCustomer {
						t.Errorf("end %+v", e)
					}
					return
				}
				l.Hangup(telephony.CauseNormal)
				bye := u.wantRequest("BYE")
				if !strings.Contains(bye.h("Reason"), "cause=16") || bye.tag("To") != "peer-"+c.id[:4] {
					t.Errorf("BYE %+v", bye)
				}
				u.reply(bye, 200, "", "", "")
				if e := ended(t, l); e.By != telephony.SideSystem || e.Reason != telephony.ReasonHangup {
					t.Errorf("end %+v", e)
				}
				if err := l.Answer(context.Background()); !errors.Is(err, telephony.ErrLegEnded) {
					t.Errorf("answer after the end: %v", err)
				}
			})
		}
	}
}

// TestRefuse maps each cause to its status, and checks that a repeated INVITE makes no second call.
func TestRefuse(t *testing.T) {
	r := newRig(t, nil, nil, loopTrunk())
	for cause, code := range map[telephony.Cause]int{
		telephony.CauseNormal: 480, telephony.CauseBusy: 486, telephony.CauseNotFound: 404, telephony.CauseForbidden: 403,
		telephony.CauseDeclined: 603, telephony.CauseUnavailable: 480, telephony.CauseNotAcceptable: 488,
		telephony.CauseOverload: 503, telephony.CauseTimeout: 408, telephony.CauseServerError: 500,
	} {
		u := r.ua()
		body := offer("127.0.0.1", 4000)
		c := u.call("100", "", body)
		l := r.leg()
		u.send(c.inviteText("", body)) // repeated while it rings
		l.Hangup(cause)
		m := u.want(code)
		if (m.h("Retry-After") != "") != (code == 503) {
			t.Errorf("%s: Retry-After %q", cause, m.h("Retry-After"))
		}
		u.send(c.inviteText("", body)) // its refusal was lost
		u.want(code)
		c.ackFail(m)
		c.branch = "z9hG4bK" + token(6) // and once more another way
		u.send(c.inviteText("", body))
		for {
			m := u.want(code)
			if strings.Contains(m.h("Via"), c.branch) {
				break
			}
		}
		ended(t, l)
		u.ping()
		r.noLeg()
	}
	if n := r.metric("hotline_sip_refused_total", "replayed") + r.metric("hotline_sip_refused_total", "merged"); n != 10 {
		t.Errorf("%v replayed or merged, want 10", n)
	}
}

// TestMerged is the same call over two ways at once (RFC 3261 8.2.2.2).
func TestMerged(t *testing.T) {
	r := newRig(t, nil, nil, loopTrunk())
	u := r.ua()
	body := offer("127.0.0.1", 4000)
	c := u.call("100", "", body)
	r.leg()
	c.branch = "z9hG4bK" + token(6)
	u.send(c.inviteText("", body))
	u.want(482)
	u.ping()
	r.noLeg()
}

func TestCancel(t *testing.T) {
	r := newRig(t, nil, nil, loopTrunk())
	for name, x := range map[string]struct {
		extra  string
		reason telephony.Reason
	}{
		"plain":     {"", telephony.ReasonCancelled},
		"elsewhere": {"Reason: SIP;cause=200;text=\"Call completed elsewhere\"\r\n", telephony.ReasonAnsweredElse},
	} {
		u := r.ua()
		c := u.call("100", "", offer("127.0.0.1", 4000))
		l := r.leg()
		if err := l.Ringing(context.Background()); err != nil {
			t.Fatal(err)
		}
		u.want(180)
		c.cancel(x.extra)
		u.want(200) // of CANCEL
		c.ackFail(u.want(487))
		if e := ended(t, l); e.Result != telephony.ResultCaller || e.Reason != x.reason || e.By != telephony.SideCustomer {
			t.Errorf("%s: %+v", name, e)
		}
		if err := l.Answer(context.Background()); !errors.Is(err, telephony.ErrLegEnded) {
			t.Errorf("answer after CANCEL: %v", err)
		}
	}
	u := r.ua()
	c := &uacall{u: u, id: token(8), uri: "sip:1@hotline", seq: 1, branch: "z9hG4bKnever"}
	c.cancel("")
	u.want(481)
}

// TestCancelAfterAnswer: a CANCEL that comes after the 200 has no effect.
func TestCancelAfterAnswer(t *testing.T) {
	r := newRig(t, nil, nil, loopTrunk())
	u := r.ua()
	c := u.call("100", "", offer("127.0.0.1", 4000))
	l := r.leg()
	errs := make(chan error, 1)
	go func() { errs <- l.Answer(context.Background()) }()
	ok := u.want(200)
	c.cancel("")
	for {
		m := u.want(200)
		if strings.HasSuffix(m.h("CSeq"), "CANCEL") {
			break
		}
	}
	c.learn(ok).ack("")
	if err := <-errs; err != nil {
		t.Fatalf("answer: %v", err)
	}
	c.bye()
	u.want(200)
	ended(t, l)
}

// TestNoACK repeats the 200 and gives up with BYE.
func TestNoACK(t *testing.T) {
	r := newRig(t, func(c *Config) { c.T1 = 10 * time.Millisecond }, nil, loopTrunk())
	u := r.ua()
	u.call("100", "", offer("127.0.0.1", 4000))
	l := r.leg()
	if err := l.Answer(context.Background()); !errors.Is(err, telephony.ErrLegEnded) {
		t.Fatalf("answer: %v", err)
	}
	if e := l.End(); e.Reason != telephony.ReasonNoACK || e.Result != telephony.ResultUpstream {
		t.Errorf("end %+v", e)
	}
	times := 0
	for {
		m := u.recv(patience)
		if m == nil {
			t.Fatal("no BYE")
		}
		if m.method() == "BYE" {
			break
		}
		if m.code() == 200 {
			times++
		}
	}
	if times < 4 {
		t.Errorf("200 came %d times", times)
	}
}

// TestByeWhileRinging: a caller may also say BYE before the answer.
func TestByeWhileRinging(t *testing.T) {
	r := newRig(t, nil, nil, loopTrunk())
	u := r.ua()
	c := u.call("100", "", offer("127.0.0.1", 4000))
	l := r.leg()
	_ = l.Ringing(context.Background())
	c.learn(u.want(180)).bye()
	got := map[int]bool{}
	for !got[200] || !got[487] {
		m := u.recv(patience)
		if m == nil {
			t.Fatalf("got %v", got)
		}
		got[m.code()] = true
	}
	if e := ended(t, l); e.Reason != telephony.ReasonCancelled {
		t.Errorf("end %+v", e)
	}
}

// TestHandlerReturns hangs up when the application returns, and answers 500 when it panics.
func TestHandlerReturns(t *testing.T) {
	r := newRig(t, nil, func(ctx context.Context, l *Leg) {}, loopTrunk())
	u := r.ua()
	u.call("100", "", offer("127.0.0.1", 4000))
	u.want(480)

	p := newRig(t, nil, func(ctx context.Context, l *Leg) { panic("bug") }, loopTrunk())
	u = p.ua()
	u.call("100", "", offer("127.0.0.1", 4000))
	u.want(500)
	u.ping()
	if n := p.metric("hotline_sip_panics_total"); n != 1 {
		t.Errorf("%v panics counted", n)
	}
	p.reg.Unregister(p.s.met.panics) // expected: keep the clean-up from complaining
}

// TestOverload turns calls away before a leg is made, at the limit and while draining.
func TestOverload(t *testing.T) {
	tr := loopTrunk()
	r := newRig(t, func(c *Config) { c.MaxCalls = 1 }, nil, tr)
	u := r.ua()
	c, l, _ := r.answered(u, "", offer("127.0.0.1", 4000))
	u2 := r.ua()
	u2.call("100", "", offer("127.0.0.1", 4000))
	if ra := u2.want(503).h("Retry-After"); ra == "" {
		t.Error("no Retry-After")
	}
	c.bye()
	u.want(200)
	ended(t, l)
	r.s.SetDraining(true)
	u2.call("100", "", offer("127.0.0.1", 4000))
	u2.want(503)
	if u2.ping().code() != 503 {
		t.Error("OPTIONS while draining says all is well")
	}
	r.s.SetDraining(false)
	u2.call("100", "", offer("127.0.0.1", 4000))
	r.leg()
}

func TestRefusedBeforeALeg(t *testing.T) {
	off := loopTrunk()
	off.Name, off.Enabled, off.CIDRs = "off", false, []netip.Prefix{netip.MustParsePrefix("127.0.0.9/32")}
	r := newRig(t, func(c *Config) { c.Accepts = func(n, trunk string) bool { return n == "100" && trunk == "loop" } }, nil, loopTrunk(), off)
	u := r.ua()
	u.call("999", "", offer("127.0.0.1", 4000))
	u.want(404)
	u.call("100", "", "v=0\r\nm=audio 4000 RTP/AVP 18\r\nc=IN IP4 127.0.0.1\r\n")
	u.want(488)
	u.call("100", "", offer("0.0.0.0", 4000))
	u.want(488)
	u.call("100", "", offer("239.1.1.1", 4000))
	u.want(488)
	u.call("100", "Require: 100rel\r\n", offer("127.0.0.1", 4000))
	if m := u.want(420); m.h("Unsupported") != "100rel" {
		t.Errorf("Unsupported: %q", m.h("Unsupported"))
	}
	u.call("100", "Supported: timer\r\nSession-Expires: 30\r\n", offer("127.0.0.1", 4000))
	if m := u.want(422); m.h("Min-SE") != "90" {
		t.Errorf("Min-SE: %q", m.h("Min-SE"))
	}
	for _, method := range []string{"MESSAGE", "SUBSCRIBE", "NOTIFY", "PUBLISH", "REFER"} {
		u.send(u.request(method, "sip:100@hotline", "<sip:100@hotline>", token(8), 1, "z9hG4bK"+token(4), "", ""))
		if m := u.want(405); !strings.Contains(m.h("Allow"), "INVITE") {
			t.Errorf("%s: Allow %q", method, m.h("Allow"))
		}
	}
	d := r.uaFrom("127.0.0.9")
	d.call("100", "", offer("127.0.0.1", 4000))
	d.want(403)
	u.ping()
	r.noLeg()
}

// TestOrder sends a burst of messages of one dialog and wants them handled in order.
func TestOrder(t *testing.T) {
	r := newRig(t, nil, nil, loopTrunk())
	u := r.ua()
	c, l, _ := r.answered(u, "", offer("127.0.0.1", 4000))
	keys := "123456789*0#ABCD"
	for i := range len(keys) {
		c.seq++
		text := c.inDialog("INFO", c.seq, "", "Signal="+keys[i:i+1]+"\r\nDuration=160\r\n")
		u.send(strings.Replace(text, "application/sdp", "application/dtmf-relay", 1))
	}
	c.bye()
	for range len(keys) + 1 {
		u.want(200)
	}
	ended(t, l)
	var got []byte
	for len(l.Digits()) > 0 {
		got = append(got, (<-l.Digits()).Key)
	}
	if string(got) != keys {
		t.Errorf("keys %q, want %q", got, keys)
	}
}

func TestCSeq(t *testing.T) {
	r := newRig(t, nil, nil, loopTrunk())
	u := r.ua()
	c, l, _ := r.answered(u, "", offer("127.0.0.1", 4000))
	c.seq = 10
	u.send(c.inDialog("OPTIONS", 10, "", ""))
	u.want(200)
	u.send(c.inDialog("BYE", 9, "", ""))
	u.want(500)
	wrong := *c
	wrong.toTag = "nonsense"
	u.send(wrong.inDialog("BYE", 12, "", ""))
	u.want(481)
	if l.over() {
		t.Fatal("ended by a BYE of another dialog")
	}
	c.bye()
	u.want(200)
	ended(t, l)
}
