package asterisk

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hotline/telephony"
	"hotline/telephony/asterisk/aritest"
)

// TestSocketCloses: calls go on, and what happened in the gap is found out.
func TestSocketCloses(t *testing.T) {
	s, r := fake(t, nil, nil)
	ctx := within(t, patience)
	r.ready(ctx)
	stays, leaves := s.Call(app, "pbx", "1", "100"), s.Call(app, "pbx", "2", "100")
	one, two := r.call(ctx), r.call(ctx)
	if one.Party().Caller.Value != "1" {
		one, two = two, one
	}
	ok(t, one.Answer(ctx))
	ok(t, two.Answer(ctx))
	go func() { _ = one.Play(ctx, music) }()
	until(ctx, t, "music", func() bool { c, _ := s.Channel(stays); return c.Music != "" })
	other := aritest.Channel{ID: "other.1", Name: "PJSIP/x-1", State: "Up", App: "other"}
	s.AddChannel(other)
	s.Mute("StasisEnd", "ChannelHangupRequest", "StasisStart")
	s.Leave(leaves, 16)
	missed := s.Call(app, "pbx", "3", "100") // nobody tells us
	s.Mute()
	s.CloseSockets()
	if e := over(ctx, t, two); e.Result != telephony.ResultUpstream || e.Reason != telephony.ReasonUnreachable || e.Detail != "lost with Asterisk" {
		t.Errorf("end %+v", e)
	}
	three := r.call(ctx)
	if three.Party().Caller.Value != "3" || three.channel != missed {
		t.Errorf("%+v", three.Party())
	}
	r.ready(ctx)
	if c, _ := s.Channel(stays); c.Music == "" || one.End() != (telephony.End{}) {
		t.Errorf("the music ended: %+v", c)
	}
	until(ctx, t, "the bridge of the call that ended to go", func() bool { return len(s.Bridges()) == 1 })
	s.Press(stays, "5")
	take(ctx, t, "a key", one.Digits())
	if _, there := s.Channel("other.1"); !there {
		t.Error("a channel of another application was touched")
	}
}

// TestFrozen: the alarm comes within half of Dead and the end within Dead; whoever hangs up meanwhile is not held up, and
// Asterisk is told afterwards.
func TestFrozen(t *testing.T) {
	const dead = 2 * time.Second
	s, r := fake(t, func(c *Config) { c.Dead = dead }, nil)
	ctx := within(t, patience)
	r.ready(ctx)
	stays, leaves := s.Call(app, "pbx", "1", "100"), s.Call(app, "pbx", "2", "100")
	one, two := r.call(ctx), r.call(ctx)
	if one.Party().Caller.Value != "1" {
		one, two = two, one
	}
	ok(t, one.Answer(ctx))
	ok(t, two.Answer(ctx))
	played := make(chan error, 1)
	play, stop := context.WithCancel(ctx)
	go func() { played <- one.Play(play, music) }()
	until(ctx, t, "music", func() bool { c, _ := s.Channel(stays); return c.Music != "" })

	began := time.Now()
	s.Freeze(true)
	stop()
	take(ctx, t, "the end of music", played)
	if took := time.Since(began); took > backLimit+500*time.Millisecond {
		t.Errorf("music took %v to end", took)
	}
	st := r.state(ctx, "the alarm", func(s State) bool { return !s.Ready })
	if took := time.Since(began); took > dead/2+400*time.Millisecond || !strings.Contains(st.Problem, "does not answer") {
		t.Errorf("alarm after %v: %+v", took, st)
	}
	at := time.Now()
	two.Hangup(telephony.CauseNormal)
	over(ctx, t, two)
	if err := one.SendDigits(ctx, "1"); !errors.Is(err, ErrAway) {
		t.Errorf("request: %v", err)
	}
	if took := time.Since(at); took > 500*time.Millisecond {
		t.Errorf("hanging up and asking took %v", took)
	}
	r.state(ctx, "the end of the connection", func(s State) bool { return strings.Contains(s.Problem, "no answer for") })
	if took := time.Since(began); took > dead+400*time.Millisecond {
		t.Errorf("dead after %v", took)
	}
	s.Freeze(false)
	r.ready(ctx)
	until(ctx, t, "the hang-up", func() bool { _, there := s.Channel(leaves); return !there })
	until(ctx, t, "the caller in the bridge", func() bool {
		c, there := s.Channel(stays)
		return there && c.Music == "" && slices.Contains(members(s), stays) && len(s.Bridges()) == 1
	})
	if one.End() != (telephony.End{}) {
		t.Errorf("the call ended: %+v", one.End())
	}
}

// TestFrozenShortly: an alarm that passes is made up for without a new connection.
func TestFrozenShortly(t *testing.T) {
	s, r := fake(t, func(c *Config) { c.Dead = 4 * time.Second }, nil)
	ctx := within(t, patience)
	r.ready(ctx)
	id := s.Call(app, "pbx", "1", "100")
	l := r.call(ctx)
	ok(t, l.Answer(ctx))
	s.Freeze(true)
	r.state(ctx, "the alarm", func(s State) bool { return !s.Ready })
	l.Hangup(telephony.CauseNormal)
	over(ctx, t, l)
	s.Freeze(false)
	r.ready(ctx)
	until(ctx, t, "the hang-up", func() bool {
		_, there := s.Channel(id)
		return !there && len(s.Bridges()) == 0 && len(s.Channels()) == 0
	})
	if n := r.metric("hotline_ari_reconnects_total"); n != 0 {
		t.Errorf("%v reconnects", n)
	}
}

// TestHalfOpen: an event socket that is dead while requests are answered is noticed, and opened again.
func TestHalfOpen(t *testing.T) {
	const dead = time.Second
	s, r := fake(t, func(c *Config) { c.Dead = dead }, nil)
	ctx := within(t, patience)
	r.ready(ctx)
	id := s.Call(app, "pbx", "1", "100")
	l := r.call(ctx)
	ok(t, l.Answer(ctx))
	began := time.Now()
	s.FreezeSockets(true)
	r.state(ctx, "the end of the connection", func(s State) bool { return strings.Contains(s.Problem, "no answer for") })
	if took := time.Since(began); took > dead+400*time.Millisecond {
		t.Errorf("dead after %v", took)
	}
	s.FreezeSockets(false)
	r.ready(ctx)
	s.Press(id, "1")
	take(ctx, t, "a key", l.Digits())
}

// TestAsteriskRestarts: legs whose channels went with Asterisk end, once.
func TestAsteriskRestarts(t *testing.T) {
	s, r := fake(t, nil, nil)
	ctx := within(t, patience)
	r.ready(ctx)
	s.Call(app, "pbx", "1", "100")
	l := r.call(ctx)
	ok(t, l.Answer(ctx))
	s.Restart()
	if e := over(ctx, t, l); e.Result != telephony.ResultUpstream || e.Reason != telephony.ReasonUnreachable || e.By != telephony.SideSystem {
		t.Errorf("end %+v", e)
	}
	r.ready(ctx)
	s.Call(app, "pbx", "2", "100")
	ok(t, r.call(ctx).Answer(ctx))
}

// TestGiveUp: an Asterisk that stays away ends the calls.
func TestGiveUp(t *testing.T) {
	s, r := fake(t, func(c *Config) { c.GiveUp = 700 * time.Millisecond }, nil)
	ctx := within(t, patience)
	r.ready(ctx)
	s.Call(app, "pbx", "1", "100")
	l := r.call(ctx)
	ok(t, l.Answer(ctx))
	s.Hook(func(*http.Request) (int, string) { return 503, "" })
	began := time.Now()
	s.CloseSockets()
	e := over(ctx, t, l)
	if took := time.Since(began); took < 600*time.Millisecond || took > 3*time.Second || e.Reason != telephony.ReasonUnreachable || e.Detail != "Asterisk stayed away" {
		t.Errorf("after %v: %+v", took, e)
	}
	s.Hook(nil)
	r.ready(ctx)
	until(ctx, t, "an empty Asterisk", func() bool { return len(s.Channels()) == 0 && len(s.Bridges()) == 0 })
}

// TestReplaced: another node with our name is named as the problem, and not fought; what we have can still be ended.
func TestReplaced(t *testing.T) {
	s, r := fake(t, nil, func(r *rig) { r.tune = func(d *Driver) { d.yieldFor = time.Second } })
	ctx := within(t, patience)
	r.ready(ctx)
	id := s.Call(app, "pbx", "1", "100")
	l := r.call(ctx)
	ok(t, l.Answer(ctx))
	gone := s.Call(app, "pbx", "2", "100")
	l2 := r.call(ctx)
	s.Replace(app)
	st := r.state(ctx, "the problem", func(s State) bool { return !s.Ready })
	began := time.Now()
	if !strings.Contains(st.Problem, "telephony.asterisk.app") || !strings.Contains(st.Problem, app) {
		t.Errorf("%+v", st)
	}
	l2.Hangup(telephony.CauseNormal)
	until(ctx, t, "the hang-up", func() bool { _, there := s.Channel(gone); return !there })
	if l.End() != (telephony.End{}) {
		t.Errorf("the leg ended: %+v", l.End())
	}
	r.ready(ctx)
	if took := time.Since(began); took < 900*time.Millisecond {
		t.Errorf("took the application back after %v", took)
	}
	s.Press(id, "1")
	take(ctx, t, "a key", l.Digits())
}

// TestRequestsFail: refusals with their words, hung requests and slow ones.
func TestRequestsFail(t *testing.T) {
	s, r := fake(t, nil, nil)
	ctx := within(t, patience)
	r.ready(ctx)
	id := s.Call(app, "pbx", "1", "100")
	l := r.call(ctx)
	s.Hook(func(r *http.Request) (int, string) {
		if strings.HasSuffix(r.URL.Path, "/externalMedia") {
			return 500, `{"error":"Allocation failed"}`
		}
		return 0, ""
	})
	if err := l.Answer(ctx); err == nil || !strings.Contains(err.Error(), "500 Allocation failed") || l.Answered() {
		t.Errorf("answer: %v", err)
	}
	until(ctx, t, "the bridge to go", func() bool { return len(s.Bridges()) == 0 })

	hung := make(chan struct{})
	s.Hook(func(r *http.Request) (int, string) {
		if strings.HasSuffix(r.URL.Path, "/answer") {
			<-hung
		}
		return 0, ""
	})
	short, stop := context.WithTimeoutCause(ctx, 50*time.Millisecond, errors.New("enough"))
	if err := l.Answer(short); err == nil || err.Error() != "enough" {
		t.Errorf("answer: %v", err)
	}
	stop()
	at := time.Now()
	answered := make(chan error, 1)
	go func() { answered <- l.Answer(ctx) }()
	s.Leave(id, 127) // the caller goes while we answer
	if err := take(ctx, t, "the answer to fail", answered); !errors.Is(err, telephony.ErrLegEnded) || time.Since(at) > time.Second {
		t.Errorf("answer: %v after %v", err, time.Since(at))
	}
	if e := over(ctx, t, l); e.Reason != telephony.ReasonCancelled && e.Reason != telephony.ReasonHangup {
		t.Errorf("end %+v", e)
	}
	close(hung)
	s.Hook(func(*http.Request) (int, string) { time.Sleep(30 * time.Millisecond); return 0, "" })
	s.Call(app, "pbx", "1", "100")
	ok(t, r.call(ctx).Answer(ctx))
}

// TestLostEvents: a leg whose end nobody tells ends as soon as somebody asks something of its channel; audio is connected
// without the event that allows it.
func TestLostEvents(t *testing.T) {
	s, r := fake(t, nil, nil)
	ctx := within(t, patience)
	r.ready(ctx)
	id := s.Call(app, "pbx", "1", "100")
	l := r.call(ctx)
	s.Mute("StasisStart", "StasisEnd", "ChannelHangupRequest")
	ok(t, l.Answer(ctx))
	s.Leave(id, 16)
	if err := l.SendDigits(ctx, "1"); !errors.Is(err, telephony.ErrLegEnded) {
		t.Errorf("keys: %v", err)
	}
	if e := over(ctx, t, l); e.Reason != telephony.ReasonUnreachable {
		t.Errorf("end %+v", e)
	}
}

// TestMusicCutShort: music that is given up while Asterisk still takes the caller there (an agent answers at once) waits for
// that, or the request would be carried out after those that bring the caller back.
func TestMusicCutShort(t *testing.T) {
	for _, step := range []string{"/removeChannel", "/moh"} {
		t.Run(step[1:], func(t *testing.T) {
			s, r := fake(t, nil, nil)
			ctx := within(t, patience)
			r.ready(ctx)
			id := s.Call(app, "pbx", "1", "100")
			l := r.call(ctx)
			ok(t, l.Answer(ctx))
			arrived, carryOn := make(chan struct{}, 1), make(chan struct{})
			release := sync.OnceFunc(func() { close(carryOn) })
			defer release()
			s.Hook(func(r *http.Request) (int, string) {
				if r.Method == "POST" && strings.HasSuffix(r.URL.Path, step) {
					arrived <- struct{}{}
					<-carryOn
				}
				return 0, ""
			})
			play, stop := context.WithCancel(ctx)
			played := make(chan error, 1)
			go func() { played <- l.Play(play, music) }()
			take(ctx, t, "the request", arrived)
			stop()
			notYet, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
			defer cancel()
			select {
			case <-played:
				t.Fatal("Play returned, with the caller on the way to the music")
			case <-notYet.Done():
			}
			release()
			if err := take(ctx, t, "the end of music", played); !errors.Is(err, context.Canceled) {
				t.Errorf("play: %v", err)
			}
			if c, _ := s.Channel(id); c.Music != "" || !slices.Contains(members(s), id) {
				t.Errorf("when Play has returned: music %q, in the bridge %v", c.Music, members(s))
			}
		})
	}
}

// TestMediaIsMended: a media channel or bridge that goes is made again, and the caller is where it was.
func TestMediaIsMended(t *testing.T) {
	s, r := fake(t, nil, nil)
	ctx := within(t, patience)
	r.ready(ctx)
	id := s.Call(app, "pbx", "1", "100")
	l := r.call(ctx)
	ok(t, l.Answer(ctx))
	before := members(s)
	s.Leave(before[1], 16)
	until(ctx, t, "another media channel", func() bool {
		m := members(s)
		return len(m) == 2 && m[0] == id && m[1] != before[1] && len(s.Bridges()) == 1
	})
	if l.End() != (telephony.End{}) {
		t.Errorf("the leg ended: %+v", l.End())
	}
}

// TestOverflow: a leg whose owner cannot keep up reads how its channel is.
func TestOverflow(t *testing.T) {
	s, r := fake(t, nil, nil)
	ctx := within(t, patience)
	r.ready(ctx)
	held, release := make(chan struct{}), make(chan struct{})
	got := make(chan error, 1)
	go func() {
		_, err := r.d.Dial(ctx, Dial{To: "asterisk:PJSIP/1", OnRinging: func() { close(held); <-release }}) // breaks the rule not to block
		got <- err
	}()
	var id string
	until(ctx, t, "the call out", func() bool {
		if c := s.Channels(); len(c) == 1 {
			id = c[0]
		}
		return id != ""
	})
	s.Ring(id)
	take(ctx, t, "ringing", held)
	for range legBox + 10 {
		s.EmitFor(id, "ChannelStateChange", nil)
	}
	until(ctx, t, "the overflow", func() bool { return r.metric("hotline_ari_overflows_total") > 0 })
	s.Pick(id) // its events find no room
	until(ctx, t, "the answer's events", func() bool { return r.metric("hotline_ari_overflows_total") >= 12 })
	close(release)
	ok(t, take(ctx, t, "the answer", got))
}

// TestEventFlood: more events at once than can be kept close the socket, and nothing is missed for good.
func TestEventFlood(t *testing.T) {
	s, r := fake(t, nil, nil)
	ctx := within(t, patience)
	r.ready(ctx)
	s.Call(app, "pbx", "1", "100")
	l := r.call(ctx)
	hold, held := make(chan struct{}), make(chan struct{})
	free := sync.OnceFunc(func() { close(hold) })
	t.Cleanup(free)
	go r.d.ask(func(*table) { close(held); <-hold }) // the keeper never waits: only a test can make it
	take(ctx, t, "the keeper", held)
	for range inboxSize / 512 {
		for range 600 {
			s.EmitFor(l.channel, "ChannelStateChange", nil)
		}
		until(ctx, t, "the events to be read", func() bool { return s.Queued(app) == 0 })
	}
	s.EmitFor(l.channel, "ChannelStateChange", nil)
	r.state(ctx, "the overflow", func(s State) bool { return strings.Contains(s.Problem, "events came faster") })
	free()
	r.ready(ctx)
	ok(t, l.Answer(ctx))
}
