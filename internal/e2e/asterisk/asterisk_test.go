package asterisk

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"hotline/telephony/telephonytest"
)

func limit(t testing.TB, d time.Duration) context.Context {
	t.Helper()
	ctx, stop := context.WithTimeoutCause(context.Background(), d, errors.New("the test takes too long"))
	t.Cleanup(stop)
	return ctx
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// phone is a caller at the trunk.
func phone(t testing.TB, a *Asterisk, cfg telephonytest.PhoneConfig) *telephonytest.Phone {
	t.Helper()
	cfg.Server = a.SIP
	p, err := telephonytest.NewPhone(cfg)
	ok(t, err)
	t.Cleanup(p.Close)
	return p
}

func dial(ctx context.Context, t testing.TB, p *telephonytest.Phone, number string) *telephonytest.PhoneCall {
	t.Helper()
	c, err := p.Call(ctx, number, telephonytest.CallOptions{Tone: 1000})
	ok(t, err)
	t.Cleanup(func() { // before the phone is closed, so that an unanswered call gets its answer
		c.Hangup()
		<-c.Done()
	})
	return c
}

// A call over UDP and one over TCP reach the application with number and caller; nothing is wrong in the log.
func TestCallReachesTheApplication(t *testing.T) {
	t.Parallel()
	ctx := limit(t, time.Minute)
	a := Start(t, Options{})
	s := join(ctx, t, a)
	for _, tcp := range []bool{false, true} {
		p := phone(t, a, telephonytest.PhoneConfig{User: "+79031112233", TCP: tcp})
		code, err := p.Options(ctx)
		if ok(t, err); code != 200 {
			t.Fatalf("OPTIONS: %d", code)
		}
		c := dial(ctx, t, p, "100")
		e := s.wants(ctx, "StasisStart")
		if e.Channel.Caller.Number != "+79031112233" || e.Channel.Dialplan.Exten != "100" || e.Channel.State != "Ring" {
			t.Errorf("%+v", e)
		}
		s.must(ctx, http.MethodPost, "/channels/"+e.Channel.ID+"/answer", nil)
		ok(t, c.Connected(ctx))
		s.must(ctx, http.MethodPost, "/channels/"+e.Channel.ID+"/moh", nil)
		ok(t, c.Hears(ctx, []float64{HoldHz}, nil))
		s.must(ctx, http.MethodDelete, "/channels/"+e.Channel.ID, nil)
		<-c.Done()
	}
	for line := range strings.Lines(a.messages()) {
		if strings.Contains(line, "ERROR") || strings.Contains(line, "WARNING") {
			t.Error(line)
		}
	}
}

// While there is no application a caller hears music without a break; it comes, and takes the call. Another one gives up after
// the tries and hears the notice: the congestion tone.
func TestCallerWaitsForAnAbsentApplication(t *testing.T) {
	t.Parallel()
	ctx := limit(t, time.Minute)
	a := Start(t, Options{Retries: 2})
	c := dial(ctx, t, phone(t, a, telephonytest.PhoneConfig{}), "+74951234567")
	ok(t, c.Connected(ctx))
	ok(t, c.Hears(ctx, []float64{HoldHz}, nil))
	s := join(ctx, t, a)
	c.ResetGap()
	e := s.wants(ctx, "StasisStart")
	if gap := c.Gap(); gap > 300*time.Millisecond {
		t.Errorf("the music stopped for %v", gap)
	}
	if e.Channel.Dialplan.Exten != "+74951234567" || e.Channel.State != "Up" {
		t.Errorf("%+v", e)
	}
	s.must(ctx, http.MethodPost, "/channels/"+e.Channel.ID+"/moh", nil)
	ok(t, c.Hears(ctx, []float64{HoldHz}, nil))
	s.leave() // the application is lost with a call in hand: it stays, and its music goes on
	ok(t, c.Hears(ctx, []float64{HoldHz}, nil))
	s = join(ctx, t, a)
	s.must(ctx, http.MethodDelete, "/channels/"+e.Channel.ID, nil)
	<-c.Done()
	s.leave()

	c = dial(ctx, t, phone(t, a, telephonytest.PhoneConfig{}), "100")
	ok(t, c.Connected(ctx))
	ok(t, c.Hears(ctx, []float64{HoldHz}, nil))
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for c.Amplitude(425) < 0.08 || c.Amplitude(HoldHz) > telephonytest.Absent { // half of the time, at a quarter of full scale
		select {
		case <-tick.C:
		case <-c.Done():
			t.Fatalf("no notice before the end: %.3f", c.Amplitude(425))
		}
	}
	<-c.Done()
}

// Killed, Asterisk comes back on its ports; frozen, it answers nothing and then goes on with its calls.
func TestKillRestartFreeze(t *testing.T) {
	t.Parallel()
	ctx := limit(t, time.Minute)
	a := Start(t, Options{})
	b := Start(t, Options{App: "other"}) // two at once
	s := join(ctx, t, a)
	c := dial(ctx, t, phone(t, a, telephonytest.PhoneConfig{}), "100")
	e := s.wants(ctx, "StasisStart")
	s.must(ctx, http.MethodPost, "/channels/"+e.Channel.ID+"/answer", nil)
	ok(t, c.Connected(ctx))
	a.Freeze()
	short, stop := context.WithTimeout(ctx, 300*time.Millisecond)
	defer stop()
	if err := s.do(short, http.MethodGet, "/asterisk/ping", nil, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("frozen, it says %v", err)
	}
	a.Thaw()
	ok(t, s.do(ctx, http.MethodGet, "/channels/"+e.Channel.ID, nil, nil))
	a.Kill()
	if _, err := s.next(ctx, "never"); err == nil || ctx.Err() != nil {
		t.Errorf("the event socket of a dead Asterisk: %v", err)
	}
	a.Restart(ctx)
	s = join(ctx, t, a)
	dial(ctx, t, phone(t, a, telephonytest.PhoneConfig{TCP: true}), "100")
	s.wants(ctx, "StasisStart")
	if got := b.CLI(ctx, "core show channels count"); !strings.HasPrefix(got, "0 active channels") {
		t.Errorf("the other one has calls: %s", got)
	}
}

// A phone is the provider: a call through the trunk reaches it with the caller id it was given.
func TestCallThroughTheProvider(t *testing.T) {
	t.Parallel()
	ctx := limit(t, time.Minute)
	a := Start(t, Options{})
	s := join(ctx, t, a)
	p, err := telephonytest.NewPhone(telephonytest.PhoneConfig{User: "provider"})
	ok(t, err)
	t.Cleanup(p.Close)
	a.SetProvider(ctx, p.Addr().String())
	s.must(ctx, http.MethodPost, "/channels", q("endpoint", "PJSIP/+79035556677@provider", "app", a.App, "callerId", "+74950000000"))
	c := <-p.Incoming()
	if user, _ := c.Caller(); user != "+74950000000" {
		t.Errorf("called by %q", user)
	}
	ok(t, c.Answer())
	s.wants(ctx, "StasisStart")
}

// The wire: cut, nothing passes and nothing is lost; half-open, nothing comes any more; broken, connections end.
func TestWire(t *testing.T) {
	t.Parallel()
	ctx := limit(t, time.Minute)
	a := Start(t, Options{})
	w := NewWire(t, a.HTTP)
	s := joinAt(ctx, t, a, w.Addr)
	silent := func(what string) {
		t.Helper()
		short, stop := context.WithTimeout(ctx, 300*time.Millisecond)
		defer stop()
		if e, err := s.next(short, "StasisStart"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %+v %v", what, e, err)
		}
	}
	p := phone(t, a, telephonytest.PhoneConfig{})
	w.Cut()
	dial(ctx, t, p, "100")
	silent("a cut wire carries an event")
	w.Heal()
	s.wants(ctx, "StasisStart")
	w.Lose()
	dial(ctx, t, p, "100")
	silent("a half-open connection carries an event")
	ok(t, s.conn.Write(ctx, 1, []byte("{}"))) // and takes what is written
	s.leave()
	s = joinAt(ctx, t, a, w.Addr)
	dial(ctx, t, p, "100")
	s.wants(ctx, "StasisStart")
	w.Break()
	if _, err := s.next(ctx, "never"); err == nil || ctx.Err() != nil {
		t.Errorf("a broken connection: %v", err)
	}
	w.Refuse()
	if err := s.do(ctx, http.MethodGet, "/asterisk/ping", nil, nil); err == nil {
		t.Error("the wire refuses nothing")
	}
	w.Heal()
	ok(t, s.do(ctx, http.MethodGet, "/asterisk/ping", nil, nil))
}
