package phone

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"
)

func TestReplay(t *testing.T) {
	ctx := within(t)
	r := newRig(t, &desk{}, nil)
	p, _, w := r.hello(t, ctx, "agent1", tabID("a"))
	r.Send("agent1", "call.offer", map[string]any{"call": "1"})
	first := p.until(ctx, "call.offer")
	if first.Seq != int64(w["seq"].(float64))+1 {
		t.Errorf("first event has number %d, welcome said %v", first.Seq, w["seq"])
	}
	p.conn.CloseNow()
	r.Send("agent1", "call.gone", map[string]any{"call": "1", "why": "timeout"})
	r.Send("agent1", "alert", map[string]any{"id": "x"})
	h := tabID("a")
	h["last_seq"] = first.Seq
	p, before, w := r.hello(t, ctx, "agent1", h)
	if len(before) != 2 || before[0].T != "call.gone" || before[1].T != "alert" || !before[0].Replay ||
		before[1].Seq != first.Seq+2 || int64(w["seq"].(float64)) != first.Seq+2 {
		t.Errorf("replayed %+v, welcome %v", before, w["seq"])
	}
	r.Send("agent1", "call.offer", nil)
	if m := p.until(ctx, "call.offer"); m.Seq != first.Seq+3 || m.Replay {
		t.Errorf("next event %+v", m)
	}
	for _, last := range []int64{1, first.Seq + 1000, -5} { // long gone, of the future, nonsense
		h["last_seq"] = last
		if _, before, _ := r.hello(t, ctx, "agent1", h); len(before) != 0 {
			t.Errorf("last_seq %d: replayed %+v", last, before)
		}
	}
}

func TestReplayLimits(t *testing.T) {
	t0 := time.Now()
	s := &session{seq: 1000, tabs: map[string]*tab{}}
	for range 600 {
		s.send(t0, "x", []byte("{}"))
	}
	if e, ok := s.missed(1100); !ok || len(e) != 500 || e[0].seq != 1101 {
		t.Errorf("after 1100: %d events, %v", len(e), ok)
	}
	if _, ok := s.missed(1099); ok {
		t.Error("an event older than 500 others was found")
	}
	if e, ok := s.missed(1600); !ok || len(e) != 0 {
		t.Errorf("nothing missed: %d events, %v", len(e), ok)
	}
	s.send(t0.Add(30*time.Second), "x", []byte("{}"))
	s.beat(t0.Add(61*time.Second), time.Hour)
	if e, ok := s.missed(1600); !ok || len(e) != 1 {
		t.Errorf("the last minute: %d events, %v", len(e), ok)
	}
	if _, ok := s.missed(1599); ok {
		t.Error("an event older than a minute was found")
	}
}

// TestNothingFallsBetweenSnapshotAndEvents sends an event while the snapshot is being made.
func TestNothingFallsBetweenSnapshotAndEvents(t *testing.T) {
	ctx := within(t)
	begun, release := make(chan struct{}), make(chan struct{})
	d := &desk{snapshot: func(context.Context, Who) (any, error) {
		close(begun)
		<-release
		return map[string]any{"calls": []any{}}, nil
	}}
	r := newRig(t, d, nil)
	p := r.dial(t, ctx, "agent1", nil)
	p.send(ctx, "hello", "", tabID("a"))
	<-begun
	r.Send("agent1", "call.offer", nil)
	close(release)
	if w := p.read(ctx); w.T != "welcome" {
		t.Fatalf("first frame %s", w.T)
	} else if m := p.read(ctx); m.T != "call.offer" || m.Seq != int64(w.data()["seq"].(float64))+1 {
		t.Errorf("then %+v", m)
	}
}

func TestRepeatedRequestIsServedOnce(t *testing.T) {
	ctx := within(t)
	served := make(chan string, 10)
	running, release := make(chan struct{}), make(chan struct{})
	d := &desk{command: func(_ context.Context, who Who, typ string, _ json.RawMessage) (any, error) {
		served <- typ
		if typ == "call.dial" {
			close(running)
			<-release
		}
		return map[string]any{"call": typ}, nil
	}}
	r := newRig(t, d, nil)
	p, _, _ := r.hello(t, ctx, "agent1", tabID("a"))
	one, two := p.ask(ctx, "call.hold", "c1", nil), p.ask(ctx, "call.hold", "c1", nil)
	if !one.OK || string(one.D) != string(two.D) {
		t.Errorf("answers %s and %s", one.D, two.D)
	}
	// The socket dies while the request is running; the page comes back and repeats it.
	p.send(ctx, "call.dial", "c2", nil)
	<-running
	p.conn.CloseNow()
	p = r.dial(t, ctx, "agent1", nil)
	p.send(ctx, "hello", "", tabID("a"))
	p.until(ctx, "welcome")
	p.send(ctx, "call.dial", "c2", nil)
	if m := p.ask(ctx, "call.mute", "c3", nil); !m.OK {
		t.Errorf("%+v", m)
	}
	close(release)
	for {
		if m := p.read(ctx); m.Re == "c2" {
			if !m.OK || m.data()["call"] != "call.dial" {
				t.Errorf("answer %+v", m)
			}
			break
		}
	}
	// Another tab's c1 is another request.
	q, _, _ := r.hello(t, ctx, "agent1", tabID("b"))
	q.ask(ctx, "call.hold", "c1", nil)
	close(served)
	got := ""
	for typ := range served {
		got += typ + " "
	}
	if got != "call.hold call.dial call.mute call.hold " {
		t.Errorf("served: %s", got)
	}
}

func TestRefusals(t *testing.T) {
	ctx := within(t)
	d := &desk{command: func(_ context.Context, _ Who, typ string, _ json.RawMessage) (any, error) {
		switch typ {
		case "call.hold":
			return nil, fmt.Errorf("hold: %w", &Error{Code: "wrong_state", State: "ringing", Text: map[string]string{"ru": "р", "en": "e"}})
		case "call.mute":
			return nil, errors.New("the secret inside")
		case "call.dtmf":
			panic("boom")
		case "call.link":
			return make(chan int), nil // cannot be encoded
		}
		return nil, nil
	}}
	r := newRig(t, d, nil)
	p, _, _ := r.hello(t, ctx, "agent1", tabID("a"))
	for i, tc := range []struct{ typ, want string }{
		{"call.hold", "wrong_state"}, {"call.mute", "internal"}, {"call.dtmf", "internal"}, {"call.link", "internal"},
		{"call.fly", "unsupported"}, {"hello", "unsupported"}, {"sup.agent", "forbidden"}, {"monitor.start", "forbidden"},
		{"media.attach", "not_owner"},
	} {
		m := p.ask(ctx, tc.typ, fmt.Sprint(i), map[string]any{})
		if m.OK || m.Err == nil || m.Err.Code != tc.want || m.Err.Text["ru"] == "" || m.Err.Text["en"] == "" {
			t.Errorf("%s: %+v %+v", tc.typ, m, m.Err)
		}
	}
	if m := p.ask(ctx, "sub", "x", map[string]any{"topics": "queues"}); m.Err == nil || m.Err.Code != "bad_request" {
		t.Errorf("wrong type of a field: %+v", m)
	}
	if m := p.ask(ctx, "call.reject", "y", nil); !m.OK || string(m.D) != "{}" {
		t.Errorf("an empty answer: %+v %s", m, m.D)
	}
	l, _, _ := r.hello(t, ctx, "lead1", tabID("l"))
	if m := l.ask(ctx, "sup.agent", "1", nil); !m.OK {
		t.Errorf("supervisor: %+v", m.Err)
	}
}

func TestEveryCodeHasTexts(t *testing.T) {
	for code, tx := range texts {
		if tx[0] == "" || tx[1] == "" {
			t.Errorf("%s: %q", code, tx)
		}
	}
}

func TestWhoHasTheSound(t *testing.T) {
	ctx := within(t)
	d := &desk{}
	r := newRig(t, d, nil)
	a, _, _ := r.hello(t, ctx, "agent1", owner("a"))
	b, _, w := r.hello(t, ctx, "agent1", owner("b"))
	if m := w["media"].(map[string]any); m["owner"] != false || m["owner_tab"] != "a" {
		t.Errorf("second tab: %v", m)
	}
	if m := b.ask(ctx, "tab.claim", "1", nil); m.OK || m.Err.Code != "owned" {
		t.Errorf("claim without steal: %+v", m)
	}
	if m := b.ask(ctx, "tab.claim", "2", map[string]any{"steal": true}); !m.OK {
		t.Errorf("claim with steal: %+v", m)
	}
	if m := a.until(ctx, "media.superseded"); m.data()["by"] != "b" {
		t.Errorf("superseded %s", m.D)
	}
	if m := a.until(ctx, "media.owner"); m.data()["owner"] != false || m.data()["owner_tab"] != "b" {
		t.Errorf("told the old owner %s", m.D)
	}
	if m := a.ask(ctx, "media.detach", "3", nil); m.Err == nil || m.Err.Code != "not_owner" {
		t.Errorf("the old owner still commands the sound: %+v", m)
	}
	b.conn.CloseNow()
	if m := a.until(ctx, "media.owner"); m.data()["owner_tab"] != "" {
		t.Errorf("after the owner left: %s", m.D)
	}
	d.waitPresence(t, ctx, told{"agent1", true, 1, false})
	if m := a.ask(ctx, "tab.claim", "4", nil); !m.OK {
		t.Errorf("claim of a free sound: %+v", m)
	}
}

func TestMediaFrames(t *testing.T) {
	ctx := within(t)
	r := newRig(t, &desk{}, func(c *Config) { c.OnShift = func(login string) bool { return login != "agent2" } })
	got := make(chan string, 20)
	r.sound.attach = func(agent, sdp string, codecs []string) (string, int, error) {
		if sdp == "bad" {
			return "", 0, fmt.Errorf("attach: %w", codedError("bad_sdp"))
		}
		got <- fmt.Sprint("attach ", agent, sdp, codecs)
		return "answer", 3, nil
	}
	r.sound.offer = func(agent string, epoch int, sdp string) (string, error) {
		if epoch != 3 {
			return "", fmt.Errorf("offer: %w", codedError("stale_epoch"))
		}
		return "again", nil
	}
	r.sound.cand = func(agent string, epoch int, c string) error { got <- fmt.Sprint("cand ", epoch, c); return nil }
	r.sound.detach = func(agent string, epoch int) { got <- fmt.Sprint("detach ", epoch) }
	p, _, _ := r.hello(t, ctx, "agent1", owner("a"))
	m := p.ask(ctx, "media.attach", "1", map[string]any{"sdp": "offer", "codecs": []string{"PCMA"}, "epoch_seen": 2})
	if !m.OK || m.data()["epoch"] != 3.0 || m.data()["sdp"] != "answer" {
		t.Errorf("attach: %+v %s", m, m.D)
	}
	for i, tc := range []struct {
		typ  string
		d    map[string]any
		want string
	}{
		{"media.attach", map[string]any{"sdp": "bad"}, "bad_sdp"},
		{"media.offer", map[string]any{"sdp": "o", "epoch": 2}, "stale_epoch"},
		{"media.cand", map[string]any{"cand": 5}, "bad_request"},
	} {
		if m := p.ask(ctx, tc.typ, fmt.Sprint("e", i), tc.d); m.Err == nil || m.Err.Code != tc.want || m.Err.Text["ru"] == "" {
			t.Errorf("%s %v: %+v", tc.typ, tc.d, m)
		}
	}
	if m := p.ask(ctx, "media.offer", "2", map[string]any{"sdp": "o", "epoch": 3}); m.data()["sdp"] != "again" {
		t.Errorf("offer: %s", m.D)
	}
	p.send(ctx, "media.cand", "", map[string]any{"epoch": 3, "cand": "candidate:1"})
	p.send(ctx, "media.cand", "", map[string]any{"epoch": 3, "cand": map[string]any{"candidate": "candidate:2", "sdpMid": "0"}})
	p.send(ctx, "media.cand", "", map[string]any{"epoch": 3, "cand": nil})
	p.send(ctx, "media.detach", "", map[string]any{"epoch": 3})
	for _, want := range []string{"attach agent1offer[PCMA]", "cand 3candidate:1", "cand 3candidate:2", "cand 3", "detach 3"} {
		select {
		case g := <-got:
			if g != want {
				t.Errorf("media got %q, want %q", g, want)
			}
		case <-ctx.Done():
			t.Fatalf("media never got %q", want)
		}
	}
	q, _, _ := r.hello(t, ctx, "agent2", owner("a"))
	if m := q.ask(ctx, "media.attach", "1", nil); m.Err == nil || m.Err.Code != "no_shift" {
		t.Errorf("without a shift: %+v", m)
	}
}

type codedError string

func (e codedError) Error() string { return string(e) }
func (e codedError) Code() string  { return string(e) }

func TestHeartbeat(t *testing.T) {
	ctx := within(t)
	d := &desk{}
	r := newRig(t, d, func(c *Config) { c.Lost = 200 * time.Millisecond })
	p, _, _ := r.hello(t, ctx, "agent1", owner("a"))
	// A page that pings stays, for longer than the limit.
	for begin := time.Now(); time.Since(begin) < 500*time.Millisecond; {
		p.send(ctx, "ping", "", nil)
		p.until(ctx, "pong")
		pause(ctx, 25*time.Millisecond)
	}
	d.mu.Lock()
	if n := len(d.presences); n != 1 {
		t.Errorf("presence told %d times: %v", n, d.presences)
	}
	d.mu.Unlock()
	// A frozen page is lost, its sound free, its socket closed.
	p.closed(ctx, CloseNoHello)
	d.waitPresence(t, ctx, told{"agent1", false, 0, false})
}

// pause is the page's own timer.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

func TestAClosedSocketIsNotYetALostAgent(t *testing.T) {
	ctx := within(t)
	d := &desk{}
	r := newRig(t, d, func(c *Config) { c.Lost = 300 * time.Millisecond })
	p, _, _ := r.hello(t, ctx, "agent1", owner("a"))
	p.conn.CloseNow()
	d.waitPresence(t, ctx, told{"agent1", true, 0, false})
	d.waitPresence(t, ctx, told{"agent1", false, 0, false})
}

func TestForgottenSession(t *testing.T) {
	now := time.Now()
	s := &session{tabs: map[string]*tab{}, seen: now}
	s.tabs["a"] = &tab{id: "a", gone: now, requests: map[string]*request{"1": {at: now, reply: []byte("x")}}}
	if s.beat(now.Add(59*time.Second), 10*time.Second) || len(s.tabs["a"].requests) != 1 {
		t.Error("forgotten too early")
	}
	if !s.beat(now.Add(61*time.Second), 10*time.Second) {
		t.Error("not forgotten")
	}
}
