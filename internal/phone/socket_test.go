package phone

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

func TestCloseCodes(t *testing.T) {
	ctx := within(t)
	r := newRig(t, &desk{}, func(c *Config) { c.Origins = []string{"https://desk.example"} })
	origin := func(o string) func(*websocket.DialOptions) {
		return func(d *websocket.DialOptions) { d.HTTPHeader.Set("Origin", o) }
	}
	for name, tc := range map[string]struct {
		login  string
		change func(*websocket.DialOptions)
		frames []string
		want   websocket.StatusCode
	}{
		"nobody":          {"", nil, nil, CloseNotLoggedIn},
		"origin":          {"agent1", origin("https://evil.example"), nil, CloseForbidden},
		"origin null":     {"agent1", origin("null"), nil, CloseForbidden},
		"origin, nobody":  {"", origin("https://evil.example"), nil, CloseForbidden},
		"role":            {"guest", nil, nil, CloseForbidden},
		"no sub-protocol": {"agent1", func(d *websocket.DialOptions) { d.Subprotocols = nil }, nil, CloseMalformed},
		"no JSON":         {"agent1", nil, []string{"hello"}, CloseMalformed},
		"no tab":          {"agent1", nil, []string{`{"t":"hello"}`}, CloseMalformed},
		"no hello":        {"agent1", nil, []string{`{"t":"ping"}`}, CloseMalformed},
		"too big":         {"agent1", nil, []string{`{"t":"hello","d":{"x":"` + strings.Repeat("x", maxFrame) + `"}}`}, CloseMalformed},
		"later no JSON":   {"agent1", nil, []string{`{"t":"hello","d":{"tab_id":"a"}}`, `[`}, CloseMalformed},
		"flood":           {"agent1", nil, append([]string{`{"t":"hello","d":{"tab_id":"b"}}`}, repeat(`{"t":"help.ask"}`, 60)...), CloseTooMany},
		"candidates":      {"agent1", nil, append([]string{`{"t":"hello","d":{"tab_id":"c"}}`}, repeat(`{"t":"media.cand"}`, 250)...), CloseTooMany},
	} {
		t.Run(name, func(t *testing.T) {
			p := r.dial(t, ctx, tc.login, tc.change)
			for _, f := range tc.frames {
				if p.conn.Write(ctx, websocket.MessageText, []byte(f)) != nil {
					break // closed already
				}
			}
			p.closed(ctx, tc.want)
		})
	}
	for _, o := range []string{"https://desk.example", r.url, ""} {
		p := r.dial(t, ctx, "agent1", func(d *websocket.DialOptions) {
			if o != "" {
				origin(o)(d)
			}
		})
		p.send(ctx, "hello", "", tabID("good"))
		p.until(ctx, "welcome")
	}
}

func repeat(s string, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = s
	}
	return out
}

func TestBinaryFrameIsRefused(t *testing.T) {
	ctx := within(t)
	p, _, _ := newRig(t, &desk{}, nil).hello(t, ctx, "agent1", tabID("a"))
	if err := p.conn.Write(ctx, websocket.MessageBinary, []byte(`{"t":"ping"}`)); err != nil {
		t.Fatal(err)
	}
	p.closed(ctx, CloseMalformed)
}

func TestHelloMustComeInTime(t *testing.T) {
	ctx := within(t)
	r := newRig(t, &desk{}, nil)
	r.helloLimit = 20 * time.Millisecond
	r.dial(t, ctx, "agent1", nil).closed(ctx, CloseNoHello)
}

func TestWelcome(t *testing.T) {
	ctx := within(t)
	d := &desk{}
	r := newRig(t, d, nil)
	p, _, w := r.hello(t, ctx, "agent1", owner("a"))
	media := w["media"].(map[string]any)
	if w["session"] == "" || w["now"].(float64) < 1e12 || w["seq"].(float64) < 1e12 || media["epoch"] != 7.0 ||
		media["owner"] != true || media["owner_tab"] != "a" || w["grace"].(map[string]any)["reattach_s"] != 30.0 ||
		w["agent"].(map[string]any)["login"] != "agent1" {
		t.Errorf("welcome %v", w)
	}
	d.waitPresence(t, ctx, told{"agent1", true, 1, true})
	p.send(ctx, "ping", "", map[string]any{"t": 5})
	if m := p.until(ctx, "pong"); m.data()["t"] != 5.0 {
		t.Errorf("pong %s", m.D)
	}
	if m := p.ask(ctx, "ping", "p1", nil); !m.OK || m.data()["now"] == nil {
		t.Errorf("answer to ping %s", m.D)
	}
}

func TestSameTabReplacesItself(t *testing.T) {
	ctx := within(t)
	d := &desk{}
	r := newRig(t, d, nil)
	old, _, _ := r.hello(t, ctx, "agent1", owner("a"))
	_, _, w := r.hello(t, ctx, "agent1", tabID("a"))
	old.closed(ctx, CloseReplaced)
	if w["media"].(map[string]any)["owner"] != true {
		t.Error("the sound was lost by a reconnect of its own tab")
	}
	d.waitPresence(t, ctx, told{"agent1", true, 1, true})
}

func TestTooManyTabs(t *testing.T) {
	ctx := within(t)
	r := newRig(t, &desk{}, nil)
	for i := range maxTabs {
		r.hello(t, ctx, "agent1", tabID(fmt.Sprint(i)))
	}
	p := r.dial(t, ctx, "agent1", nil)
	p.send(ctx, "hello", "", tabID("one more"))
	p.closed(ctx, CloseTooMany)
	r.hello(t, ctx, "agent2", tabID("0")) // of somebody else
}

func TestSlowReaderIsCutAlone(t *testing.T) {
	ctx := within(t)
	r := newRig(t, &desk{}, func(c *Config) { c.Lost = time.Hour })
	slow, _, _ := r.hello(t, ctx, "agent1", tabID("slow"))
	good, _, _ := r.hello(t, ctx, "agent1", tabID("good"))
	tabs := func() int { return r.find("agent1").present(time.Now(), time.Hour).tabs }
	var prev int64
	n := 0
	for tabs() == 2 { // until the socket's buffers and the queue are full
		if n++; n > 2000 {
			t.Fatal("a reader that never reads is still there")
		}
		for range 8 { // paced by the good reader
			r.Send("agent1", "call.state", map[string]any{"pad": strings.Repeat("x", 32<<10)})
		}
		for range 8 {
			m := good.read(ctx)
			if prev != 0 && m.Seq != prev+1 {
				t.Fatalf("event %d after %d", m.Seq, prev)
			}
			prev = m.Seq
		}
	}
	slow.closed(ctx, -1) // no goodbye: it would not have read it
	if good.ask(ctx, "call.hold", "1", nil); tabs() != 1 {
		t.Errorf("%d tabs open, want the good one", tabs())
	}
}

func TestShutdown(t *testing.T) {
	ctx := within(t)
	running, release := make(chan struct{}), make(chan struct{})
	d := &desk{command: func(ctx context.Context, _ Who, _ string, _ json.RawMessage) (any, error) {
		close(running)
		<-release
		return map[string]any{"call": "1"}, nil
	}}
	r := newRig(t, d, nil)
	p, _, _ := r.hello(t, ctx, "agent1", tabID("a"))
	idle := r.dial(t, ctx, "agent2", nil) // never said hello
	p.send(ctx, "call.dial", "d", nil)
	<-running
	done := make(chan error)
	go func() { done <- r.Shutdown(ctx, 2*time.Second) }()
	if m := p.until(ctx, "server.drain"); m.data()["reconnect_in"] != 2000.0 {
		t.Errorf("drain %s", m.D)
	}
	p.closed(ctx, websocket.StatusServiceRestart)
	idle.closed(ctx, websocket.StatusServiceRestart)
	select {
	case err := <-done:
		t.Fatalf("shutdown did not wait for the running request: %v", err)
	default:
	}
	close(release)
	if err := <-done; err != nil {
		t.Error(err)
	}
	conn, resp, err := websocket.Dial(ctx, r.url, nil)
	if err == nil {
		_, _, err = conn.Read(ctx)
		if websocket.CloseStatus(err) != websocket.StatusServiceRestart {
			t.Errorf("a page came in after the end: %v", err)
		}
	} else if resp != nil && resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("status %d after the end", resp.StatusCode)
	}
}

func TestShutdownGivesUpOnAStuckDesk(t *testing.T) {
	ctx := within(t)
	running := make(chan struct{})
	d := &desk{command: func(ctx context.Context, _ Who, _ string, _ json.RawMessage) (any, error) {
		close(running)
		<-ctx.Done() // until the hub gives up
		return nil, ctx.Err()
	}}
	r := newRig(t, d, nil)
	p, _, _ := r.hello(t, ctx, "agent1", tabID("a"))
	p.send(ctx, "call.dial", "d", nil)
	<-running
	short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	if err := r.Shutdown(short, 0); err == nil {
		t.Error("no error although a request was running")
	}
	p.closed(ctx, websocket.StatusServiceRestart)
}

func TestLogout(t *testing.T) {
	ctx := within(t)
	d := &desk{}
	r := newRig(t, d, nil)
	p, _, first := r.hello(t, ctx, "agent1", tabID("a"))
	d.waitPresence(t, ctx, told{"agent1", true, 1, false})
	r.Logout("agent1")
	p.closed(ctx, CloseNotLoggedIn)
	d.waitPresence(t, ctx, told{"agent1", false, 0, false})
	_, _, again := r.hello(t, ctx, "agent1", tabID("a"))
	if first["session"] == again["session"] {
		t.Error("the session outlived the sign-out")
	}
}
