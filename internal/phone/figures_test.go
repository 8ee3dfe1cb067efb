package phone

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestFigures(t *testing.T) {
	ctx := within(t)
	r := newRig(t, &desk{}, nil)
	r.SendTopic("stat.queues", []int{0})
	p, _, _ := r.hello(t, ctx, "agent1", tabID("a"))
	m := p.ask(ctx, "sub", "1", map[string]any{"topics": []string{"queues", "calls", "board:7", "secrets"}})
	if got := string(m.D); got != `{"refused":["calls","secrets"],"topics":["queues","board:7"]}` {
		t.Errorf("subscribed: %s", got)
	}
	l, _, _ := r.hello(t, ctx, "lead1", tabID("l"))
	if m := l.ask(ctx, "sub", "1", map[string]any{"topics": []string{"calls"}}); string(m.D) != `{"refused":[],"topics":["calls"]}` {
		t.Errorf("supervisor subscribed: %s", m.D)
	}
	begin := time.Now()
	for i := range 100 {
		r.SendTopic("stat.queues", []int{i + 1})
		r.SendTopic("stat.calls", []int{i + 1})
	}
	n := 0
	for {
		m := p.until(ctx, "stat.queues")
		if n++; string(m.D) == "[100]" {
			break
		}
	}
	if took := time.Since(begin); n > 2+int(took/figureEvery) {
		t.Errorf("%d frames in %v", n, took)
	}
	for string(l.until(ctx, "stat.calls").D) != "[100]" {
	}
	// Who comes later gets the latest at once; who unsubscribes gets nothing.
	q, _, _ := r.hello(t, ctx, "agent2", tabID("a"))
	q.send(ctx, "sub", "1", map[string]any{"topics": []string{"queues"}})
	if m := q.until(ctx, "stat.queues"); string(m.D) != "[100]" {
		t.Errorf("latest %s", m.D)
	}
}

func TestFiguresAreCoalesced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := figures{topics: map[string]*figure{"a": {frame: []byte("1"), pending: true}, "b": {}}}
		due, next := f.due(time.Now())
		if string(due["a"]) != "1" || len(due) != 1 || next != time.Hour {
			t.Errorf("first: %v, next %v", due, next)
		}
		time.Sleep(300 * time.Millisecond) // virtual
		f.topics["a"].frame, f.topics["a"].pending = []byte("2"), true
		if due, next := f.due(time.Now()); len(due) != 0 || next != 700*time.Millisecond {
			t.Errorf("too early: %v, next %v", due, next)
		}
		time.Sleep(700 * time.Millisecond)
		if due, _ := f.due(time.Now()); string(due["a"]) != "2" {
			t.Errorf("after a second: %v", due)
		}
	})
}

func TestFiguresNeverPushOutEvents(t *testing.T) {
	s := &socket{out: make(chan []byte, 10), closing: make(chan struct{})}
	for range 20 {
		s.figures([]byte("f"))
	}
	if len(s.out) != 5 {
		t.Errorf("%d figures queued, want half of the queue", len(s.out))
	}
}
