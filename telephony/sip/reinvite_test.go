package sip

import (
	"context"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"hotline/telephony"
	"hotline/telephony/media"
)

// reinvite sends a re-INVITE and returns its 200, confirmed.
func (c *uacall) reinvite(t *testing.T, body, ackBody string) *msg {
	t.Helper()
	c.seq++
	c.u.send(c.inDialog("INVITE", c.seq, "", body))
	ok := c.u.want(200)
	if !strings.HasSuffix(ok.h("CSeq"), "INVITE") {
		t.Fatalf("200 for %q", ok.h("CSeq"))
	}
	c.ack(ackBody)
	return ok
}

// TestHold holds in every spelling and resumes.
func TestHold(t *testing.T) {
	r := newRig(t, nil, nil, loopTrunk())
	u := r.ua()
	c, l, _ := r.answered(u, "", offer("127.0.0.1", 4000))
	var holds atomic.Int32
	l.OnHold(func(bool) { holds.Add(1) })
	for _, x := range []struct {
		body, want string
		held       bool
	}{
		{offer("127.0.0.1", 4000, "a=sendonly"), "a=recvonly", true},
		{offer("127.0.0.1", 4000, "a=inactive"), "a=inactive", true},
		{offer("127.0.0.1", 4000, "a=sendrecv"), "a=sendrecv", false},
		{offer("127.0.0.1", 4000, "a=sendonly "), "a=recvonly", true}, // a trailing space loses it elsewhere
		{offer("127.0.0.1", 4000, "a=recvonly"), "a=sendonly", false},
		{offer("0.0.0.0", 4000), "a=recvonly", true}, // RFC 2543
		{offer("127.0.0.1", 4000), "a=sendrecv", false},
	} {
		ok := c.reinvite(t, x.body, "")
		if !strings.Contains(ok.body, x.want+"\r\n") || l.Held() != x.held {
			t.Errorf("%q answered %q, held %v", x.body, ok.body, l.Held())
		}
	}
	if holds.Load() != 6 {
		t.Errorf("told %d times of hold", holds.Load())
	}
	c.bye()
	u.want(200)
	ended(t, l)
}

// TestCodecAndAddressChange moves the audio and changes the law within a call.
func TestCodecAndAddressChange(t *testing.T) {
	r := newRig(t, nil, nil, loopTrunk())
	u := r.ua()
	pc, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer pc.Close()
	c, l, first := r.answered(u, "", offer("127.0.0.1", 4000))
	port := pc.LocalAddr().(*net.UDPAddr).Port
	body := strings.Replace(offer("127.0.0.1", port), "AVP 8 0 101", "AVP 0 101", 1)
	ok := c.reinvite(t, body, "")
	if l.Law() != media.PCMU || !strings.Contains(ok.body, "AVP 0 101") {
		t.Errorf("law %v, answer %q", l.Law(), ok.body)
	}
	if v1, v2 := originVersion(first.body), originVersion(ok.body); v1 == v2 {
		t.Errorf("the description changed, its version did not: %s", v2)
	}
	ctx, cancel := context.WithCancel(context.Background())
	played := make(chan error, 1)
	go func() {
		played <- l.Play(ctx, telephony.Prompt{Clips: []telephony.Clip{{Tone: &telephony.Tone{Hz: []float64{440}}}}})
	}()
	buf := make([]byte, 2048)
	_ = pc.SetReadDeadline(time.Now().Add(patience))
	n, err := pc.Read(buf)
	if err != nil || n != 172 || buf[1]&0x7F != 0 {
		t.Fatalf("first packet at the new address: %d bytes, type %d, %v", n, buf[1]&0x7F, err)
	}
	cancel()
	<-played
	c.bye()
	u.want(200)
	ended(t, l)
}

func originVersion(sdp string) string {
	for line := range strings.SplitSeq(sdp, "\r\n") {
		if strings.HasPrefix(line, "o=") {
			return strings.Fields(line)[2]
		}
	}
	return ""
}

// TestOfferless: an INVITE without description gets our offer; the ACK brings the answer. Likewise within the call.
func TestOfferless(t *testing.T) {
	r := newRig(t, nil, nil, loopTrunk())
	u := r.ua()
	c := u.call("100", "", "")
	l := r.leg()
	errs := make(chan error, 1)
	go func() { errs <- l.Answer(context.Background()) }()
	ok := u.want(200)
	if !strings.Contains(ok.body, "RTP/AVP 8 0 101") {
		t.Fatalf("our offer: %q", ok.body)
	}
	c.learn(ok).ack(strings.Replace(offer("127.0.0.1", 4000), "AVP 8 0 101", "AVP 0", 1))
	if err := <-errs; err != nil || l.Law() != media.PCMU {
		t.Fatalf("answer: %v, law %v", err, l.Law())
	}
	again := c.reinvite(t, "", offer("127.0.0.1", 4002))
	if !strings.Contains(again.body, "m=audio") {
		t.Errorf("offer within the call: %q", again.body)
	}
	c.bye()
	u.want(200)
	ended(t, l)

	c = u.call("100", "", "") // and one whose ACK brings nothing
	l = r.leg()
	go func() { _ = l.Answer(context.Background()) }()
	c.learn(u.want(200)).ack("")
	u.reply(u.wantRequest("BYE"), 200, "", "", "")
	if e := ended(t, l); e.Reason != telephony.ReasonNoCodec {
		t.Errorf("end %+v", e)
	}
}

// TestBadReinvite refuses a change and keeps the session.
func TestBadReinvite(t *testing.T) {
	r := newRig(t, nil, nil, loopTrunk())
	u := r.ua()
	c, l, _ := r.answered(u, "", offer("127.0.0.1", 4000))
	for _, body := range []string{"nonsense", offer("224.0.0.1", 4000), strings.Replace(offer("127.0.0.1", 4000), "8 0 101", "18", 1)} {
		c.seq++
		u.send(c.inDialog("INVITE", c.seq, "", body))
		m := u.want(488)
		ack := u.request("ACK", c.target, "<"+c.uri+">;tag="+c.toTag, c.id, c.seq, viaBranch(m), "", "")
		u.send(ack)
	}
	if l.over() || l.Held() {
		t.Fatal("a refused change ended or held the call")
	}
	c.bye()
	u.want(200)
	ended(t, l)
}

func viaBranch(m *msg) string {
	_, b, _ := strings.Cut(m.h("Via"), "branch=")
	b, _, _ = strings.Cut(b, ";")
	return b
}

// TestReinviteUnconfirmed ends a call whose re-INVITE is never confirmed.
func TestReinviteUnconfirmed(t *testing.T) {
	r := newRig(t, func(c *Config) { c.T1 = 10 * time.Millisecond }, nil, loopTrunk())
	u := r.ua()
	c, l, _ := r.answered(u, "", offer("127.0.0.1", 4000))
	c.seq++
	u.send(c.inDialog("INVITE", c.seq, "", offer("127.0.0.1", 4000)))
	u.wantRequest("BYE")
	if e := ended(t, l); e.Reason != telephony.ReasonNoACK {
		t.Errorf("end %+v", e)
	}
}

// TestUpdate changes the session and the target by UPDATE.
func TestUpdate(t *testing.T) {
	r := newRig(t, nil, nil, loopTrunk())
	u, other := r.ua(), r.ua()
	c, l, _ := r.answered(u, "", offer("127.0.0.1", 4000))
	c.seq++
	text := c.inDialog("UPDATE", c.seq, "", offer("127.0.0.1", 4000, "a=sendonly"))
	u.send(strings.Replace(text, "<sip:peer@"+u.local(), "<sip:peer@"+other.local(), 1))
	if ok := u.want(200); !strings.Contains(ok.body, "a=recvonly") || !l.Held() {
		t.Errorf("UPDATE answered %q", ok.body)
	}
	l.Hangup(telephony.CauseNormal)
	other.reply(other.wantRequest("BYE"), 200, "", "", "") // the target moved (RFC 3261 12.2.2)
	ended(t, l)
}

// TestRecordRoute sends our requests along the route, the target in the request URI.
func TestRecordRoute(t *testing.T) {
	r := newRig(t, nil, nil, loopTrunk())
	u, proxy := r.ua(), r.ua()
	route := "<sip:" + proxy.local() + ";lr>"
	c, l, ok := r.answered(u, "Record-Route: "+route+", <sip:second.example.com;lr>\r\n", offer("127.0.0.1", 4000))
	if strings.Join(ok.head["record-route"], ", ") != route+", <sip:second.example.com;lr>" {
		t.Errorf("Record-Route in 200: %q", ok.head["record-route"])
	}
	_ = c
	l.Hangup(telephony.CauseNormal)
	bye := proxy.wantRequest("BYE")
	if strings.Join(bye.head["route"], ", ") != route+", <sip:second.example.com;lr>" || !strings.Contains(bye.start, "sip:peer@"+u.local()) {
		t.Errorf("BYE %q with routes %q", bye.start, bye.head["route"])
	}
	proxy.reply(bye, 200, "", "", "")
	ended(t, l)
}

// TestStrictRoute puts a route without lr into the request URI (RFC 3261 12.2.1.1).
func TestStrictRoute(t *testing.T) {
	r := newRig(t, nil, nil, loopTrunk())
	u, proxy := r.ua(), r.ua()
	_, l, _ := r.answered(u, "Record-Route: <sip:old@"+proxy.local()+">\r\n", offer("127.0.0.1", 4000))
	l.Hangup(telephony.CauseNormal)
	bye := proxy.wantRequest("BYE")
	if !strings.Contains(bye.start, "sip:old@"+proxy.local()) || !strings.Contains(bye.h("Route"), "sip:peer@"+u.local()) {
		t.Errorf("BYE %q, Route %q", bye.start, bye.h("Route"))
	}
	proxy.reply(bye, 200, "", "", "")
	ended(t, l)
}

// TestMediaTimeout ends a call whose peer falls silent, but not while it is on hold.
func TestMediaTimeout(t *testing.T) {
	r := newRig(t, func(c *Config) { c.MediaTimeout = 200 * time.Millisecond }, nil, loopTrunk())
	u := r.ua()
	_, l, _ := r.answered(u, "", offer("127.0.0.1", 4000, "a=recvonly"))
	bye := u.recv(500 * time.Millisecond) // it sends nothing by agreement
	if bye != nil {
		t.Fatalf("%q while nothing was to come", bye.start)
	}
	l.Hangup(telephony.CauseNormal)
	ended(t, l)

	u = r.ua()
	_, l, _ = r.answered(u, "", offer("127.0.0.1", 4000))
	bye = u.wantRequest("BYE")
	if e := ended(t, l); e.Reason != telephony.ReasonMediaTimeout || e.Result != telephony.ResultUpstream {
		t.Errorf("end %+v", e)
	}
	u.reply(bye, 200, "", "", "")

	u = r.ua()
	c, l, _ := r.answered(u, "", offer("127.0.0.1", 4000, "a=sendonly"))
	if m := u.recv(500 * time.Millisecond); m != nil {
		t.Fatalf("%q on hold", m.start)
	}
	c.reinvite(t, offer("127.0.0.1", 4000), "") // resumed: silence counts again
	u.wantRequest("BYE")
	if e := ended(t, l); e.Reason != telephony.ReasonMediaTimeout {
		t.Errorf("end %+v", e)
	}
}

// TestSessionTimer lets either side refresh, and ends a session nobody refreshes.
func TestSessionTimer(t *testing.T) {
	short := func(c *Config) { c.MinSE, c.SessionExpires = time.Second, 2*time.Second }
	t.Run("we refresh by UPDATE", func(t *testing.T) {
		r := newRig(t, short, nil, loopTrunk())
		u := r.ua()
		_, l, ok := r.answered(u, "Supported: timer\r\nAllow: INVITE, ACK, BYE, UPDATE\r\nSession-Expires: 2;refresher=uas\r\n", offer("127.0.0.1", 4000))
		if ok.h("Session-Expires") != "2;refresher=uas" || ok.h("Require") != "timer" {
			t.Errorf("200: %q %q", ok.h("Session-Expires"), ok.h("Require"))
		}
		for range 2 {
			up := u.wantRequest("UPDATE")
			if up.h("Session-Expires") != "2;refresher=uac" || up.body != "" {
				t.Errorf("UPDATE: %+v", up)
			}
			u.reply(up, 200, "", "Session-Expires: 2;refresher=uac\r\n", "")
		}
		u.reply(u.wantRequest("UPDATE"), 481, "", "", "")
		u.wantRequest("BYE")
		if e := ended(t, l); e.Reason != telephony.ReasonSessionExpiry || e.Code != 481 {
			t.Errorf("end %+v", e)
		}
	})
	t.Run("we refresh by re-INVITE", func(t *testing.T) {
		r := newRig(t, short, nil, loopTrunk())
		u := r.ua()
		_, l, ok := r.answered(u, "", offer("127.0.0.1", 4000)) // knows no timers
		if ok.h("Session-Expires") != "" || ok.h("Require") != "" {
			t.Errorf("200 speaks of timers: %+v", ok.head)
		}
		inv := u.wantRequest("INVITE")
		if inv.body != ok.body {
			t.Errorf("refresh offers %q, was %q", inv.body, ok.body)
		}
		u.reply(inv, 200, "", "", offer("127.0.0.1", 4000))
		if ack := u.wantRequest("ACK"); !strings.HasSuffix(ack.h("CSeq"), "ACK") {
			t.Error(ack)
		}
		l.Hangup(telephony.CauseNormal)
		ended(t, l)
	})
	t.Run("peer refreshes, then not", func(t *testing.T) {
		r := newRig(t, short, nil, loopTrunk())
		u := r.ua()
		c, l, ok := r.answered(u, "Supported: timer\r\nSession-Expires: 2;refresher=uac\r\n", offer("127.0.0.1", 4000))
		if ok.h("Session-Expires") != "2;refresher=uac" {
			t.Errorf("200: %q", ok.h("Session-Expires"))
		}
		c.seq++
		u.send(c.inDialog("UPDATE", c.seq, "Supported: timer\r\nSession-Expires: 2;refresher=uac\r\n", ""))
		if m := u.want(200); m.h("Session-Expires") != "2;refresher=uac" {
			t.Errorf("200: %q", m.h("Session-Expires"))
		}
		began := time.Now()
		u.wantRequest("BYE")
		if e := ended(t, l); e.Reason != telephony.ReasonSessionExpiry {
			t.Errorf("end %+v", e)
		}
		if d := time.Since(began); d < time.Second {
			t.Errorf("ended after %v", d)
		}
	})
}

// TestGlare: a re-INVITE that crosses ours gets 491 (RFC 3261 14.2).
func TestGlare(t *testing.T) {
	r := newRig(t, func(c *Config) { c.T1, c.MinSE, c.SessionExpires = 50*time.Millisecond, time.Second, 2*time.Second }, nil, loopTrunk())
	u := r.ua()
	c, l, _ := r.answered(u, "", offer("127.0.0.1", 4000))
	ours := u.wantRequest("INVITE")
	c.seq++
	u.send(c.inDialog("INVITE", c.seq, "", offer("127.0.0.1", 4000)))
	u.want(491)
	u.reply(ours, 491, "", "", "")
	again := u.wantRequest("INVITE")
	for again.h("CSeq") == ours.h("CSeq") {
		again = u.wantRequest("INVITE")
	}
	l.Hangup(telephony.CauseNormal)
	ended(t, l)
}
