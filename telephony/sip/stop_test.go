package sip

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"hotline/telephony"
	"hotline/telephony/media"
)

// TestStop waits for calls as long as it may, then says goodbye to all of them.
func TestStop(t *testing.T) {
	r := newRig(t, nil, nil, loopTrunk())
	up, ringing, out := r.ua(), r.ua(), r.ua()
	_, l1, _ := r.answered(up, "", offer("127.0.0.1", 4000))
	ringing.call("100", "", offer("127.0.0.1", 4000))
	l2 := r.leg()
	ch := r.dial(context.Background(), Dial{To: "sip:bob@" + out.local()})
	out.reply(out.wantRequest("INVITE"), 180, "x", "", "")
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if err := r.s.Stop(ctx); err == nil || !strings.Contains(err.Error(), "3 calls live") {
		t.Errorf("stop: %v", err)
	}
	up.wantRequest("BYE")
	ringing.want(503)
	out.wantRequest("CANCEL")
	for _, l := range []*Leg{l1, l2} {
		if e := ended(t, l); e.Reason != telephony.ReasonDraining {
			t.Errorf("end %+v", e)
		}
	}
	if d := got(t, ch); !errors.Is(d.err, telephony.ErrUnreachable) {
		t.Errorf("dial: %v", d.err)
	}
	if err := r.s.Stop(context.Background()); err != nil {
		t.Errorf("again: %v", err)
	}
	if _, err := r.s.Dial(context.Background(), Dial{To: "sip:bob@" + out.local()}); !errors.Is(err, telephony.ErrUnreachable) {
		t.Errorf("dial after stop: %v", err)
	}
}

// TestStopWaits lets a call end by itself.
func TestStopWaits(t *testing.T) {
	r := newRig(t, nil, nil, loopTrunk())
	u := r.ua()
	c, l, _ := r.answered(u, "", offer("127.0.0.1", 4000))
	stopped := make(chan error, 1)
	go func() { stopped <- r.s.Stop(context.Background()) }()
	waitFor(t, func() bool { return r.s.draining.Load() })
	other := r.ua()
	other.call("100", "", offer("127.0.0.1", 4000))
	other.want(503)
	c.bye()
	u.want(200)
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	ended(t, l)
}

// TestConfig reports everything wrong at once.
func TestConfig(t *testing.T) {
	_, err := New(Config{Addr: "nonsense", SessionExpires: time.Second}, nil, nil)
	for _, want := range []string{"address", "session interval", "RTP sockets"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no word of %s in %v", want, err)
		}
	}
}

// noPorts is an RTP range that is used up.
type noPorts struct{}

func (noPorts) Open() (*media.Socket, error) { return nil, errors.New("all taken") }

func TestNoPorts(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Sockets = noPorts{} }, nil, loopTrunk())
	u := r.ua()
	u.call("100", "", offer("127.0.0.1", 4000))
	if m := u.want(503); m.h("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	u.ping()
	r.noLeg()
	if d := got(t, r.dial(context.Background(), Dial{To: "sip:bob@" + u.local()})); !errors.Is(d.err, telephony.ErrUnreachable) {
		t.Errorf("%v", d.err)
	}
}

// TestZombies lets the peer vanish in every state that has a far end to wait for: nothing is left after 64*T1 and a
// little (R20).
func TestZombies(t *testing.T) {
	fast := func(c *Config) { c.T1, c.MediaTimeout = 5*time.Millisecond, 100*time.Millisecond }
	r := newRig(t, fast, nil, loopTrunk())
	gone := func(what string, l *Leg) {
		t.Helper()
		select {
		case <-l.Done():
		case <-time.After(patience):
			t.Fatalf("%s: still there", what)
		}
		t.Log(what)
		waitFor(t, func() bool {
			r.s.dialogs.mu.Lock()
			defer r.s.dialogs.mu.Unlock()
			r.s.tx.mu.Lock()
			defer r.s.tx.mu.Unlock()
			return len(r.s.dialogs.legs) == 0 && len(r.s.tx.server) == 0 && len(r.s.tx.client) == 0
		})
	}
	body := offer("127.0.0.1", 4000)
	u := r.ua()
	u.call("100", "", body)
	l := r.leg()
	l.Hangup(telephony.CauseBusy)
	gone("refused, no ACK", l)

	c := u.call("100", "", body)
	l = r.leg()
	c.cancel("")
	gone("cancelled, no ACK", l)

	u.call("100", "", body)
	l = r.leg()
	_ = l.Answer(context.Background())
	gone("answered, no ACK", l)

	_, l, _ = r.answered(r.ua(), "", body)
	gone("talking, no media", l)

	_, l, _ = r.answered(r.ua(), "", offer("127.0.0.1", 4000, "a=inactive"))
	l.Hangup(telephony.CauseNormal)
	gone("BYE unanswered", l)

	u = r.ua()
	c, l, _ = r.answered(u, "", offer("127.0.0.1", 4000, "a=inactive"))
	c.seq++
	u.send(c.inDialog("INVITE", c.seq, "", offer("127.0.0.1", 4000, "a=inactive")))
	gone("re-INVITE, no ACK", l)

	for what, code := range map[string]int{"INVITE unanswered": 0, "ringing": 180, "answered, then silent": 200} {
		u := r.ua()
		ch := r.dial(context.Background(), Dial{To: "sip:bob@" + u.local(), Ring: 100 * time.Millisecond})
		inv := u.wantRequest("INVITE")
		if code > 0 {
			u.reply(inv, code, "x", "", map[bool]string{true: body}[code == 200])
		}
		d := got(t, ch)
		if d.leg == nil {
			d.leg = &Leg{done: make(chan struct{})}
			close(d.leg.done)
		}
		gone(what, d.leg)
	}
	if r.s.Calls() != 0 {
		t.Errorf("%d calls", r.s.Calls())
	}
}

// TestKeys sends and hears RFC 4733 through two legs of ours.
func TestKeys(t *testing.T) {
	r := newRig(t, nil, nil, loopTrunk())
	ch := r.dial(context.Background(), Dial{To: "sip:200@" + r.addr.String(), Law: media.PCMU})
	in := r.leg()
	if in.Law() != media.PCMU {
		t.Errorf("law %v", in.Law())
	}
	if err := in.Answer(context.Background()); err != nil {
		t.Fatal(err)
	}
	d := got(t, ch)
	if d.err != nil {
		t.Fatal(d.err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := d.leg.SendDigits(ctx, "1*#D"); err != nil {
		t.Fatal(err)
	}
	keys := ""
	for len(keys) < 4 {
		select {
		case k := <-in.Digits():
			keys += string(k.Key)
			if k.Source != "rfc4733" {
				t.Errorf("source %q", k.Source)
			}
		case <-ctx.Done():
			t.Fatalf("heard %q", keys)
		}
	}
	if keys != "1*#D" {
		t.Errorf("heard %q", keys)
	}
	d.leg.Hangup(telephony.CauseNormal)
	ended(t, in)
	ended(t, d.leg)
}

// TestDigitsOverflow drops the oldest key and counts it.
func TestDigitsOverflow(t *testing.T) {
	r := newRig(t, nil, nil, loopTrunk())
	_, l, _ := r.answered(r.ua(), "", offer("127.0.0.1", 4000))
	for i := range 40 {
		l.pushDigit(telephony.Digit{Key: byte('0' + i%10)})
	}
	if k := (<-l.Digits()).Key; k != '8' || r.metric("hotline_sip_digits_dropped_total") != 8 {
		t.Errorf("first %c, dropped %v", k, r.metric("hotline_sip_digits_dropped_total"))
	}
}
