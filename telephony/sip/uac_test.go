package sip

import (
	"context"
	"errors"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"hotline/telephony"
	"hotline/telephony/media"
)

// dialed is what Dial gave.
type dialed struct {
	leg *Leg
	err error
}

func (r *rig) dial(ctx context.Context, d Dial) chan dialed {
	ch := make(chan dialed, 1)
	go func() {
		l, err := r.s.Dial(ctx, d)
		ch <- dialed{l, err}
	}()
	return ch
}

func got(t *testing.T, ch chan dialed) dialed {
	t.Helper()
	select {
	case d := <-ch:
		return d
	case <-time.After(patience):
		t.Fatal("Dial did not return")
		return dialed{}
	}
}

// out is a trunk to the raw peer.
func (u *ua) trunk() Trunk {
	ap := netip.MustParseAddrPort(u.local())
	return Trunk{Name: "out", Host: ap.Addr().String(), Port: int(ap.Port()), User: "acc", Password: "pw", Realm: "prov",
		Enabled: true, CallerID: "+74950000000"}
}

func TestDialAnswered(t *testing.T) {
	for _, law := range []media.Law{media.PCMA, media.PCMU} {
		r := newRig(t, nil, nil, loopTrunk())
		u := r.ua()
		rang := make(chan struct{}, 9)
		ch := r.dial(context.Background(), Dial{To: "sip:bob@" + u.local(), Law: law, OnRinging: func() { rang <- struct{}{} },
			Caller: telephony.Identity{Value: "+7495", Trust: telephony.TrustClaimed}, CallerName: `A "B" \`})
		inv := u.wantRequest("INVITE")
		first := strconv.Itoa(int(law))
		if !strings.Contains(inv.body, "RTP/AVP "+first+" ") || !strings.Contains(inv.h("From"), `"A \"B\" \\" <sip:+7495@`) {
			t.Errorf("INVITE from %q with %q", inv.h("From"), inv.body)
		}
		for range 15 { // sipgo's own loop gives up after ten
			u.reply(inv, 180, "callee", "", "")
		}
		u.reply(inv, 200, "callee", "", strings.Replace(offer("127.0.0.1", 4000), "8 0 101", first+" 101", 1))
		ack := u.wantRequest("ACK")
		d := got(t, ch)
		if d.err != nil {
			t.Fatal(d.err)
		}
		if len(rang) != 1 || !d.leg.Answered() || d.leg.Law() != law || ack.tag("To") != "callee" {
			t.Errorf("rang %d, law %v, ack %+v", len(rang), d.leg.Law(), ack)
		}
		u.reply(inv, 200, "callee", "", offer("127.0.0.1", 4000)) // our ACK was lost
		if again := u.wantRequest("ACK"); again.h("CSeq") != ack.h("CSeq") {
			t.Errorf("second ACK %q", again.h("CSeq"))
		}
		u.reply(inv, 200, "fork", "", offer("127.0.0.1", 4000)) // another branch answered as well
		u.wantRequest("ACK")
		if bye := u.wantRequest("BYE"); bye.tag("To") != "fork" {
			t.Errorf("BYE to %q", bye.tag("To"))
		} else {
			u.reply(bye, 200, "", "", "")
		}
		d.leg.Hangup(telephony.CauseNormal)
		bye := u.wantRequest("BYE")
		u.reply(bye, 200, "", "", "")
		if e := ended(t, d.leg); e.Result != telephony.ResultSuccess {
			t.Errorf("end %+v", e)
		}
	}
}

// TestDialRefused is the table from status to error.
func TestDialRefused(t *testing.T) {
	r := newRig(t, func(c *Config) { c.T1 = 20 * time.Millisecond }, nil)
	for code, want := range map[int]error{486: telephony.ErrBusy, 600: telephony.ErrBusy, 480: telephony.ErrNoAnswer,
		408: telephony.ErrNoAnswer, 603: telephony.ErrRefused, 403: telephony.ErrRefused, 404: telephony.ErrRefused,
		401: telephony.ErrRefused, 302: telephony.ErrRefused, 488: telephony.ErrNoCodec, 503: telephony.ErrUnreachable,
		500: telephony.ErrUnreachable} {
		u := r.ua()
		ch := r.dial(context.Background(), Dial{To: "sip:bob@" + u.local()})
		inv := u.wantRequest("INVITE")
		u.reply(inv, code, "x", "", "")
		ack := u.wantRequest("ACK")
		if viaBranch(ack) != viaBranch(inv) || ack.tag("To") != "x" {
			t.Errorf("%d: ACK %+v", code, ack)
		}
		u.reply(inv, code, "x", "", "") // the ACK was lost: it comes at once again, not after T2
		u.wantRequest("ACK")
		if d := got(t, ch); !errors.Is(d.err, want) {
			t.Errorf("%d: %v, want %v", code, d.err, want)
		}
	}
	if d := got(t, r.dial(context.Background(), Dial{To: "user:desk1"})); !errors.Is(d.err, telephony.ErrUnreachable) {
		t.Errorf("unregistered: %v", d.err)
	}
	for _, to := range []string{"", "sip:", "trunk:none:1", "tel:+7", "sip:a@h?x=y", "sip:a b@h"} {
		if d := got(t, r.dial(context.Background(), Dial{To: to})); !errors.Is(d.err, telephony.ErrUnreachable) {
			t.Errorf("%q: %v", to, d.err)
		}
	}
}

func TestDialUnreachable(t *testing.T) {
	r := newRig(t, func(c *Config) { c.T1 = 5 * time.Millisecond }, nil)
	u := r.ua() // hears, says nothing
	if d := got(t, r.dial(context.Background(), Dial{To: "sip:bob@" + u.local()})); !errors.Is(d.err, telephony.ErrUnreachable) {
		t.Errorf("silent: %v", d.err)
	}
	n := 0
	for m := u.recv(time.Second); m != nil; m = u.recv(50 * time.Millisecond) {
		n++
	}
	if n < 4 {
		t.Errorf("INVITE came %d times", n)
	}
	if d := got(t, r.dial(context.Background(), Dial{To: "sip:bob@127.0.0.1:1;transport=tcp"})); !errors.Is(d.err, telephony.ErrUnreachable) {
		t.Errorf("closed: %v", d.err)
	}
}

// TestDialCancel gives up in every moment: before any response, while it rings, and crossing the answer.
func TestDialCancel(t *testing.T) {
	r := newRig(t, nil, nil)
	t.Run("ringing", func(t *testing.T) {
		u := r.ua()
		ctx, cancel := context.WithCancelCause(context.Background())
		rang := make(chan struct{}, 1)
		ch := r.dial(ctx, Dial{To: "sip:bob@" + u.local(), OnRinging: func() { rang <- struct{}{} }})
		inv := u.wantRequest("INVITE")
		u.reply(inv, 180, "x", "", "")
		<-rang
		cancel(ErrElsewhere)
		c := u.wantRequest("CANCEL")
		if viaBranch(c) != viaBranch(inv) || !strings.Contains(c.h("Reason"), "cause=200") || c.tag("To") != "" ||
			strings.Fields(c.h("CSeq"))[0] != strings.Fields(inv.h("CSeq"))[0] {
			t.Errorf("CANCEL %+v", c)
		}
		u.reply(c, 200, "", "", "")
		u.reply(inv, 487, "x", "", "")
		u.wantRequest("ACK")
		if d := got(t, ch); !errors.Is(d.err, ErrElsewhere) {
			t.Errorf("%v", d.err)
		}
	})
	t.Run("before any response", func(t *testing.T) {
		u := r.ua()
		ctx, cancel := context.WithCancel(context.Background())
		ch := r.dial(ctx, Dial{To: "sip:bob@" + u.local()})
		inv := u.wantRequest("INVITE")
		cancel()
		if d := got(t, ch); !errors.Is(d.err, context.Canceled) {
			t.Errorf("%v", d.err)
		}
		for { // only after a provisional response CANCEL may go (RFC 3261 9.1)
			m := u.recv(50 * time.Millisecond)
			if m == nil {
				break
			}
			if m.method() == "CANCEL" {
				t.Fatal("CANCEL before any response")
			}
		}
		u.reply(inv, 180, "x", "", "")
		u.reply(u.wantRequest("CANCEL"), 200, "", "", "")
		u.reply(inv, 487, "x", "", "")
		u.wantRequest("ACK")
	})
	t.Run("crossing", func(t *testing.T) {
		u := r.ua()
		ctx, cancel := context.WithCancel(context.Background())
		rang := make(chan struct{}, 1)
		ch := r.dial(ctx, Dial{To: "sip:bob@" + u.local(), OnRinging: func() { rang <- struct{}{} }})
		inv := u.wantRequest("INVITE")
		u.reply(inv, 180, "x", "", "")
		<-rang
		cancel()
		u.wantRequest("CANCEL")
		u.reply(inv, 200, "x", "", offer("127.0.0.1", 4000))
		u.wantRequest("ACK")
		u.reply(u.wantRequest("BYE"), 200, "", "", "")
		if d := got(t, ch); !errors.Is(d.err, context.Canceled) {
			t.Errorf("%v", d.err)
		}
	})
	t.Run("not answered in time", func(t *testing.T) {
		u := r.ua()
		ch := r.dial(context.Background(), Dial{To: "sip:bob@" + u.local(), Ring: 100 * time.Millisecond})
		u.reply(u.wantRequest("INVITE"), 180, "x", "", "")
		u.wantRequest("CANCEL")
		if d := got(t, ch); !errors.Is(d.err, telephony.ErrNoAnswer) {
			t.Errorf("%v", d.err)
		}
	})
}

// TestDialNoCodec: the answer has none of our codecs, or an address we send nothing to.
func TestDialNoCodec(t *testing.T) {
	r := newRig(t, nil, nil)
	for _, body := range []string{strings.Replace(offer("127.0.0.1", 4000), "8 0 101", "18", 1), offer("224.1.1.1", 4000), "x", ""} {
		u := r.ua()
		ch := r.dial(context.Background(), Dial{To: "sip:bob@" + u.local()})
		u.reply(u.wantRequest("INVITE"), 200, "x", "", body)
		u.wantRequest("ACK")
		u.reply(u.wantRequest("BYE"), 200, "", "", "")
		if d := got(t, ch); !errors.Is(d.err, telephony.ErrNoCodec) {
			t.Errorf("%q: %v", body, d.err)
		}
	}
}

// TestTrunkDigest answers the provider's challenge twice at most, in its realm only (R11).
func TestTrunkDigest(t *testing.T) {
	r := newRig(t, nil, nil)
	u := r.ua()
	if err := r.s.SetTrunks([]Trunk{u.trunk()}); err != nil {
		t.Fatal(err)
	}
	ask := func(n string, realm string) string {
		return `Proxy-Authenticate: Digest realm="` + realm + `",nonce="` + n + `",qop="auth",algorithm=MD5` + "\r\n"
	}
	ch := r.dial(context.Background(), Dial{To: "trunk:out:+74951112233"})
	inv := u.wantRequest("INVITE")
	if !strings.HasPrefix(inv.start, "INVITE sip:+74951112233@127.0.0.1:") || !strings.Contains(inv.h("From"), "<sip:+74950000000@127.0.0.1>") {
		t.Errorf("%q from %q", inv.start, inv.h("From"))
	}
	u.reply(inv, 407, "x", ask("n1", "prov"), "")
	u.wantRequest("ACK")
	second := u.wantRequest("INVITE")
	c, ok := readDigest(second.h("Proxy-Authorization"))
	uri := strings.Fields(second.start)[1]
	if !ok || c["uri"] != uri || c["response"] != digestResponse(md5hex("acc:prov:pw"), "INVITE", c) || viaBranch(second) == viaBranch(inv) {
		t.Fatalf("credentials %v for %q", c, uri)
	}
	u.reply(second, 200, "x", "", offer("127.0.0.1", 4000))
	u.wantRequest("ACK")
	d := got(t, ch)
	if d.err != nil {
		t.Fatal(d.err)
	}
	// A hostile challenge of our BYE, in another realm, gets nothing.
	d.leg.Hangup(telephony.CauseNormal)
	bye := u.wantRequest("BYE")
	u.reply(bye, 407, "", ask("n2", "evil"), "")
	u.noMore(t)

	// Endless challenges end.
	ch = r.dial(context.Background(), Dial{To: "trunk:out:1"})
	tries, last := 0, ""
	for {
		m := u.recv(patience)
		if m == nil {
			t.Fatal("nothing came")
		}
		if m.method() != "INVITE" {
			if m.method() == "ACK" && tries == 3 {
				break
			}
			continue
		}
		if b := viaBranch(m); b != last { // repeats do not count
			tries, last = tries+1, b
		}
		u.reply(m, 407, "x", ask("n"+strconv.Itoa(tries), "prov"), "")
	}
	if d := got(t, ch); !errors.Is(d.err, telephony.ErrRefused) || tries != 3 {
		t.Errorf("%v after %d INVITEs", d.err, tries)
	}
	// A realm that is not the trunk's gets nothing at all.
	ch = r.dial(context.Background(), Dial{To: "trunk:out:1"})
	u.reply(u.wantRequest("INVITE"), 407, "x", ask("n", "other"), "")
	u.wantRequest("ACK")
	if d := got(t, ch); !errors.Is(d.err, telephony.ErrRefused) {
		t.Errorf("%v", d.err)
	}
	u.noMore(t)
}

// TestForeignChallenge: a callee elsewhere that challenges our BYE in the trunk's very realm gets no answer (R11).
func TestForeignChallenge(t *testing.T) {
	r := newRig(t, nil, nil)
	u, evil := r.ua(), r.uaFrom("127.0.0.2")
	if err := r.s.SetTrunks([]Trunk{u.trunk()}); err != nil {
		t.Fatal(err)
	}
	ch := r.dial(context.Background(), Dial{To: "trunk:out:1"})
	inv := u.wantRequest("INVITE")
	u.reply(inv, 200, "x", "Record-Route: <sip:"+evil.local()+";lr>\r\n", offer("127.0.0.1", 4000))
	evil.wantRequest("ACK")
	d := got(t, ch)
	if d.err != nil {
		t.Fatal(d.err)
	}
	d.leg.Hangup(telephony.CauseNormal)
	bye := evil.wantRequest("BYE")
	evil.reply(bye, 407, "", `Proxy-Authenticate: Digest realm="prov",nonce="n1"`+"\r\n", "")
	for m := evil.recv(100 * time.Millisecond); m != nil; m = evil.recv(100 * time.Millisecond) {
		if m.h("Proxy-Authorization") != "" {
			t.Fatal("the trunk's password was used for a stranger")
		}
	}
}

// TestDialIntervalTooSmall raises the session interval as the callee asks (RFC 4028 7.3).
func TestDialIntervalTooSmall(t *testing.T) {
	r := newRig(t, nil, nil)
	u := r.ua()
	ch := r.dial(context.Background(), Dial{To: "sip:bob@" + u.local()})
	u.reply(u.wantRequest("INVITE"), 422, "x", "Min-SE: 4000\r\n", "")
	u.wantRequest("ACK")
	inv := u.wantRequest("INVITE")
	if inv.h("Session-Expires") != "4000" {
		t.Errorf("Session-Expires %q", inv.h("Session-Expires"))
	}
	u.reply(inv, 486, "x", "", "")
	got(t, ch)
}

func TestDialOverTCP(t *testing.T) {
	r := newRig(t, nil, nil, loopTrunk())
	u := r.tcpUA()
	u.send(u.request("OPTIONS", "sip:x@h", "<sip:x@h>", "abcdef", 1, "z9hG4bKfirst", "", "")) // the connection is known now
	u.want(200)
	ch := r.dial(context.Background(), Dial{To: "sip:bob@" + u.local() + ";transport=tcp"})
	inv := u.wantRequest("INVITE")
	u.reply(inv, 200, "x", "", offer("127.0.0.1", 4000))
	u.wantRequest("ACK")
	d := got(t, ch)
	if d.err != nil {
		t.Fatal(d.err)
	}
	d.leg.Hangup(telephony.CauseNormal)
	u.reply(u.wantRequest("BYE"), 200, "", "", "")
	ended(t, d.leg)
}
