package asterisk

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hotline/telephony"
	"hotline/telephony/asterisk/aritest"
	"hotline/telephony/media"
)

const app = "hotline-test"

// fake starts a fake Asterisk and a driver for it.
func fake(t testing.TB, change func(*Config), set func(*rig)) (*aritest.Server, *rig) {
	t.Helper()
	s := aritest.New()
	t.Cleanup(s.Close) // after the driver's
	cfg := Config{URL: s.URL(), App: app, User: aritest.User, Secret: aritest.Secret}
	if change != nil {
		change(&cfg)
	}
	return s, newRig(t, cfg, set)
}

// until waits for something that a fake Asterisk shows.
func until(ctx context.Context, t testing.TB, what string, f func() bool) {
	t.Helper()
	for !f() {
		if !pause(ctx, 2*time.Millisecond) {
			t.Fatalf("waiting for %s", what)
		}
	}
}

func members(s *aritest.Server) []string {
	var all []string
	for _, b := range s.Bridges() {
		all = append(all, b.Channels...)
	}
	slices.Sort(all)
	return all
}

func TestFakeCall(t *testing.T) {
	s, r := fake(t, func(c *Config) { c.MusicClass = "jazz" }, nil)
	ctx := within(t, patience)
	r.ready(ctx)
	id := s.Call(app, "pbx", "74951234567", "100")
	l := r.call(ctx)
	c, _ := s.Channel(id)
	if c.Vars["HOTLINE_LEG"] != string(l.ID()) {
		t.Errorf("variable %q", c.Vars["HOTLINE_LEG"])
	}
	if p := l.Party(); p.Caller.Value != "74951234567" || p.Caller.Trust != telephony.TrustClaimed || p.Called != "100" || p.Trunk != "pbx" || p.SIPCallID != "call-"+id {
		t.Errorf("party %+v", p)
	}
	if l.Endpoint() == nil || l.Answered() {
		t.Error("endpoint or answer")
	}
	ok(t, l.Answer(ctx))
	ok(t, l.Answer(ctx))
	ok(t, l.Progress(ctx))
	if m := members(s); len(m) != 2 || m[0] != id || !strings.HasPrefix(m[1], app+":"+string(l.ID())+":m:") {
		t.Errorf("in the bridge: %v", m)
	}
	if b := s.Bridges(); len(b) != 1 || b[0].Type != "mixing,dtmf_events" {
		t.Errorf("bridges %+v", b)
	}
	for _, e := range []string{"1", "1", "2"} { // events twice: each key once
		at := "2026-11-24T12:00:0" + e + ".000+0000"
		s.EmitFor(id, "ChannelDtmfReceived", map[string]any{"digit": e, "duration_ms": 100, "timestamp": at})
	}
	for _, want := range "12" {
		if d := take(ctx, t, "a key", l.Digits()); d.Key != byte(want) {
			t.Errorf("key %q", d.Key)
		}
	}

	// The caller is out of the bridge while Asterisk plays, and back when Play has returned.
	play, stop := context.WithCancelCause(ctx)
	played := make(chan error, 1)
	go func() { played <- l.Play(play, music) }()
	until(ctx, t, "music", func() bool { c, _ := s.Channel(id); return c.Music == "jazz" && len(members(s)) == 1 })
	why := errors.New("an agent is free")
	stop(why)
	if err := take(ctx, t, "the end of music", played); !errors.Is(err, why) {
		t.Errorf("play: %v", err)
	}
	if c, _ := s.Channel(id); c.Music != "" || !slices.Contains(members(s), id) {
		t.Errorf("after the music: %+v %v", c, members(s))
	}
	go func() { played <- l.Play(ctx, telephony.Prompt{Loop: true, Music: "klassik", Clips: music.Clips}) }()
	until(ctx, t, "the other music", func() bool { c, _ := s.Channel(id); return c.Music == "klassik" })
	one := telephony.Prompt{Music: "klassik", Clips: []telephony.Clip{{Silence: 20 * time.Millisecond}}} // does not loop: ours
	ok(t, l.Play(ctx, one))
	if err := take(ctx, t, "the end of music", played); !errors.Is(err, media.ErrReplaced) {
		t.Errorf("play: %v", err)
	}
	if c, _ := s.Channel(id); c.Music != "" || !slices.Contains(members(s), id) {
		t.Errorf("after the prompt: %+v %v", c, members(s))
	}
	if err := l.SendDigits(ctx, "1x"); err == nil {
		t.Error("sent what is no key")
	}
	ok(t, l.SendDigits(ctx, "7"))
	if c, _ := s.Channel(id); c.Vars["dtmf"] != "7" {
		t.Errorf("dtmf %q", c.Vars["dtmf"])
	}

	s.Leave(id, 16)
	if e := over(ctx, t, l); e != (telephony.End{Result: telephony.ResultSuccess, Reason: telephony.ReasonHangup, By: telephony.SideCustomer, Code: 16}) {
		t.Errorf("end %+v", e)
	}
	until(ctx, t, "an empty Asterisk", func() bool { return len(s.Channels()) == 0 && len(s.Bridges()) == 0 })
	for _, f := range []func() error{func() error { return l.Answer(ctx) }, func() error { return l.Play(ctx, music) }, func() error { return l.SendDigits(ctx, "1") }} {
		if err := f(); err != nil && !errors.Is(err, telephony.ErrLegEnded) {
			t.Errorf("after the end: %v", err)
		}
	}
	if n := r.metric("hotline_ari_requests_total"); n < 10 {
		t.Errorf("%v requests counted", n)
	}
	if n := r.metric("hotline_ari_legs"); n != 0 {
		t.Errorf("%v legs counted", n)
	}
}

// TestUnreachable: nothing keeps the driver from starting, and each problem names the setting that mends it.
func TestUnreachable(t *testing.T) {
	tests := map[string]struct {
		change func(*Config)
		set    func(*aritest.Server)
		mend   func(*aritest.Server)
		want   []string
	}{
		"secret": {change: func(c *Config) { c.Secret = "wrong" }, mend: func(s *aritest.Server) { s.SetSecret("wrong") }, want: []string{"telephony.asterisk.user", "telephony.asterisk.secret"}},
		"user":   {change: func(c *Config) { c.User = "nobody" }, want: []string{"telephony.asterisk.user", "telephony.asterisk.secret"}},
		"path":   {change: func(c *Config) { c.URL = strings.TrimSuffix(c.URL, "/ari") + "/other" }, want: []string{"telephony.asterisk.url", "no ARI"}},
		"port":   {change: func(c *Config) { c.URL = fmt.Sprintf("http://127.0.0.1:%d/ari", freePort(t)) }, want: []string{"telephony.asterisk.url", "nothing answers", "refused"}},
		"tls":    {change: func(c *Config) { c.URL = strings.Replace(c.URL, "http:", "https:", 1) }, want: []string{"telephony.asterisk.url", "TLS"}},
		"old":    {set: func(s *aritest.Server) { s.SetVersion("20.9.0") }, mend: func(s *aritest.Server) { s.SetVersion("22.10.1") }, want: []string{"20.9.0", "too old", "22.10.1"}},
		"module": {set: func(s *aritest.Server) { s.RemoveModule("chan_rtp.so") }, want: []string{"chan_rtp.so", "modules.conf"}},
		"reader": {set: func(s *aritest.Server) {
			s.Hook(func(r *http.Request) (int, string) {
				if r.Method != "GET" {
					return 403, `{"message":"Write access denied"}`
				}
				return 0, ""
			})
		}, mend: func(s *aritest.Server) { s.Hook(nil) }, want: []string{"telephony.asterisk.user", "read_only"}},
		"page": {set: func(s *aritest.Server) {
			s.Hook(func(*http.Request) (int, string) { return 500, `{"message":"went wrong inside"}` })
		}, mend: func(s *aritest.Server) { s.Hook(nil) }, want: []string{"telephony.asterisk.url", "500", "went wrong inside"}},
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			s := aritest.New()
			t.Cleanup(s.Close)
			if c.set != nil {
				c.set(s)
			}
			cfg := Config{URL: s.URL(), App: app, User: aritest.User, Secret: aritest.Secret}
			if c.change != nil {
				c.change(&cfg)
			}
			r := newRig(t, cfg, nil)
			ctx := within(t, patience)
			st := r.state(ctx, "the problem", func(s State) bool { return !s.Ready && s.Problem != "not connected yet" })
			for _, want := range c.want {
				if !strings.Contains(st.Problem, want) {
					t.Errorf("%q does not say %q", st.Problem, want)
				}
			}
			if strings.Contains(r.logged.String(), cfg.Secret) {
				t.Error("the secret is in the log")
			}
			if _, err := r.d.Dial(ctx, Dial{To: "asterisk:PJSIP/1"}); !errors.Is(err, telephony.ErrUnreachable) {
				t.Errorf("dial: %v", err)
			}
			if c.mend != nil {
				c.mend(s)
				if st := r.ready(ctx); st.Problem != "" {
					t.Errorf("mended: %+v", st)
				}
			}
		})
	}
}

// TestNotes: what works, but not well, is said.
func TestNotes(t *testing.T) {
	s := aritest.New()
	t.Cleanup(s.Close)
	s.SetVersion("22.9.0")
	s.RemoveModule("res_musiconhold.so")
	r := newRig(t, Config{URL: s.URL(), App: app, User: aritest.User, Secret: aritest.Secret}, nil)
	st := r.ready(within(t, patience))
	if !strings.Contains(st.Problem, "22.9.0") || !strings.Contains(st.Problem, "res_musiconhold.so") || st.Version != "22.9.0" {
		t.Errorf("%+v", st)
	}
}

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

// TestFound: what an earlier process left is offered, served, or destroyed.
func TestFound(t *testing.T) {
	s := aritest.New()
	t.Cleanup(s.Close)
	known, unknown := telephony.NewID(time.Now()), telephony.NewID(time.Now())
	vars := func(leg string) map[string]string {
		return map[string]string{"HOTLINE_LEG": leg, "CALLERID(num-pres)": "allowed"}
	}
	s.AddChannel(aritest.Channel{ID: "1.1", Name: "PJSIP/pbx-01", State: "Up", Number: "111", Exten: "100", App: app, Music: "default", Vars: vars(known)})
	s.AddChannel(aritest.Channel{ID: "1.2", Name: "PJSIP/pbx-02", State: "Up", Number: "222", Exten: "100", App: app, Vars: vars(unknown)})
	s.AddChannel(aritest.Channel{ID: "1.3", Name: "PJSIP/pbx-03", State: "Ring", Number: "333", Exten: "100", App: app})
	s.AddChannel(aritest.Channel{ID: app + ":" + known + ":m:OLD", Name: "UnicastRTP/1", State: "Up", App: app})
	s.AddChannel(aritest.Channel{ID: app + ":" + unknown + ":c", Name: "PJSIP/pbx-04", State: "Ringing", App: app})
	s.AddChannel(aritest.Channel{ID: "2.1", Name: "PJSIP/pbx-05", State: "Up", App: "hotline-test2", Vars: vars(known)})
	s.AddChannel(aritest.Channel{ID: "hotline-test2:x:m:1", Name: "UnicastRTP/2", State: "Up", App: "hotline-test2"})
	s.AddBridge(app + ":" + known + ":b:OLD")
	s.AddBridge("hotline-test2:x:b:1")
	r := newRig(t, Config{URL: s.URL(), App: app, User: aritest.User, Secret: aritest.Secret}, func(r *rig) {
		r.adopt = func(_ context.Context, l *Leg) bool {
			if l.ID() != telephony.LegID(known) {
				return false
			}
			r.found <- l
			return true
		}
	})
	ctx := within(t, patience)
	l := take(ctx, t, "the adoption", r.found)
	if l.channel != "1.1" || !l.Answered() || !l.Inbound() || l.Party().Caller.Value != "111" {
		t.Errorf("adopted %+v", l.Party())
	}
	if c, _ := s.Channel("1.1"); c.Music != "" || !slices.Contains(members(s), "1.1") {
		t.Errorf("not connected: %+v, %v", c, members(s))
	}
	if n := r.call(ctx); n.channel != "1.3" || n.Answered() {
		t.Errorf("served %+v", n.Party())
	}
	until(ctx, t, "the leftovers to go", func() bool {
		return len(s.Channels()) == 5 && len(s.Bridges()) == 2
	})
	want := []string{"1.1", "1.3", "2.1", l.audio.channel, "hotline-test2:x:m:1"}
	slices.Sort(want)
	if got := s.Channels(); !slices.Equal(got, want) {
		t.Errorf("channels %v, want %v", got, want)
	}
	if c, _ := s.Channel("1.1"); c.Cause != "" {
		t.Errorf("%+v", c)
	}
}

// TestAdmission: calls beyond a limit are refused before anything is made.
func TestAdmission(t *testing.T) {
	s, r := fake(t, func(c *Config) { c.MaxCalls = 2 }, nil)
	ok(t, r.d.SetTrunks([]Trunk{{Name: "off"}, {Name: "small", MaxCalls: 1, Enabled: true}, {Name: "pbx", Enabled: true}}))
	ctx := within(t, patience)
	r.ready(ctx)
	var causes []string
	s.Hook(func(r *http.Request) (int, string) {
		if r.Method == "DELETE" && strings.HasPrefix(r.URL.Path, "/ari/channels/17") {
			causes = append(causes, r.URL.Query().Get("reason_code")) // one at a time, and read when it is over
		}
		return 0, ""
	})
	refused := func(trunk string) {
		t.Helper()
		id := s.Call(app, trunk, "1", "100")
		until(ctx, t, "the refusal", func() bool { _, there := s.Channel(id); return !there })
	}
	refused("off")
	s.Call(app, "small", "1", "100")
	r.call(ctx)
	refused("small")
	s.Call(app, "pbx", "1", "100")
	l := r.call(ctx)
	refused("pbx")
	r.d.SetDraining(true)
	l.Hangup(telephony.CauseBusy)
	over(ctx, t, l)
	until(ctx, t, "the hang-up", func() bool { return len(s.Channels()) == 1 })
	refused("pbx")
	s.Hook(nil)
	if want := []string{"21", "42", "42", "17", "42"}; !slices.Equal(causes, want) {
		t.Errorf("causes %v, want %v", causes, want)
	}
	if r.d.Calls() != 1 {
		t.Errorf("%d calls", r.d.Calls())
	}
}

// TestPanic: a panic of the application ends its call only.
func TestPanic(t *testing.T) {
	legs := make(chan *Leg, 1)
	s, r := fake(t, nil, func(r *rig) {
		r.serve = func(_ context.Context, l *Leg) { legs <- l; panic("a bug") }
	})
	ctx := within(t, patience)
	r.ready(ctx)
	s.Call(app, "pbx", "1", "100")
	if e := over(ctx, t, take(ctx, t, "a call", legs)); e.Result != telephony.ResultServer {
		t.Errorf("end %+v", e)
	}
	until(ctx, t, "an empty Asterisk", func() bool { return len(s.Channels()) == 0 })
}

// TestStop: calls that are live when patience ends are cut, and nothing is left in Asterisk; Leave leaves them.
func TestStop(t *testing.T) {
	for _, leave := range []bool{false, true} {
		causes := make(chan error, 1)
		s, r := fake(t, nil, func(r *rig) {
			r.serve = func(ctx context.Context, l *Leg) {
				r.calls <- l
				<-ctx.Done()
				causes <- context.Cause(ctx)
			}
		})
		ctx := within(t, patience)
		r.ready(ctx)
		s.Call(app, "pbx", "1", "100")
		l := r.call(ctx)
		ok(t, l.Answer(ctx))
		if leave {
			ok(t, r.d.Leave(ctx))
		} else {
			now, cancel := context.WithCancel(ctx)
			cancel()
			if err := r.d.Stop(now); err == nil {
				t.Error("a call was cut and nothing said")
			}
		}
		if err := take(ctx, t, "the end of the call's context", causes); !errors.Is(err, errStopping) && !errors.Is(err, telephony.ErrLegEnded) {
			t.Errorf("cause %v", err)
		}
		if e := l.End(); e.Reason != telephony.ReasonDraining || e.Result != telephony.ResultServer {
			t.Errorf("end %+v", e)
		}
		if n := len(s.Channels()); (n != 0) != leave {
			t.Errorf("leave %v: %d channels are there", leave, n)
		}
		if st := r.d.State(); st.Ready {
			t.Errorf("%+v", st)
		}
		ok(t, r.d.Stop(ctx))
		if _, err := r.d.Dial(ctx, Dial{To: "asterisk:PJSIP/1"}); !errors.Is(err, telephony.ErrUnreachable) {
			t.Errorf("dial after the stop: %v", err)
		}
	}
}

// TestDialFake: a call out is not left ringing whatever happens to us.
func TestDialFake(t *testing.T) {
	s, r := fake(t, nil, nil)
	ctx := within(t, patience)
	r.ready(ctx)
	channel := func() string {
		var id string
		until(ctx, t, "the call out", func() bool {
			for _, c := range s.Channels() {
				if strings.HasSuffix(c, ":c") {
					id = c
				}
			}
			return id != ""
		})
		return id
	}
	type result struct {
		l   *Leg
		err error
	}
	got := make(chan result, 1)
	dial := func(ctx context.Context) {
		go func() { l, err := r.d.Dial(ctx, Dial{To: "asterisk:PJSIP/1", Law: media.PCMU}); got <- result{l, err} }()
	}
	dial(ctx)
	id := channel()
	c, _ := s.Channel(id)
	if c.Vars["HOTLINE_LEG"] == "" || c.Vars["formats"] != "ulaw,alaw" {
		t.Errorf("%+v", c)
	}
	s.Ring(id)
	s.Pick(id)
	res := take(ctx, t, "the answer", got)
	ok(t, res.err)
	if m := members(s); len(m) != 2 || !res.l.Answered() || res.l.Law() != media.PCMU {
		t.Errorf("%v", m)
	}
	res.l.Hangup(telephony.CauseNormal)
	until(ctx, t, "an empty Asterisk", func() bool { return len(s.Channels()) == 0 && len(s.Bridges()) == 0 })

	// Given up while the request still hangs: the call that is made after all is ended.
	hung := make(chan struct{})
	s.Hook(func(r *http.Request) (int, string) {
		if r.Method == "POST" && r.URL.Path == "/ari/channels" {
			<-hung
		}
		return 0, ""
	})
	cancelled, cancel := context.WithCancelCause(ctx)
	dial(cancelled)
	until(ctx, t, "the request", func() bool { return slices.Contains(s.Requests()[len(s.Requests())-1:], "POST /channels") })
	cancel(ErrElsewhere)
	if res := take(ctx, t, "the cancel", got); !errors.Is(res.err, ErrElsewhere) {
		t.Errorf("dial: %v", res.err)
	}
	deletes := func() (n int) {
		for _, q := range s.Requests() {
			if strings.HasPrefix(q, "DELETE /channels/") && strings.HasSuffix(q, ":c") {
				n++
			}
		}
		return n
	}
	until(ctx, t, "the first hang-up", func() bool { return deletes() == 2 }) // one of the call before
	close(hung)
	until(ctx, t, "the second hang-up", func() bool { return deletes() == 3 && len(s.Channels()) == 0 && r.d.Calls() == 0 })
	s.Hook(nil)

	// Asterisk restarts while it rings.
	dial(ctx)
	s.Ring(channel())
	s.Restart()
	if res := take(ctx, t, "the failure", got); !errors.Is(res.err, telephony.ErrUnreachable) {
		t.Errorf("dial: %v", res.err)
	}
}
