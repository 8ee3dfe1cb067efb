package e2e

import (
	"context"
	"slices"
	"testing"
	"time"

	"hotline/internal/e2e/program"
	"hotline/telephony/telephonytest"
)

// strict is a second shared server, with little patience: 3 s for lost pages and silent callers, three calls at most.
func strict(t *testing.T) (*program.Program, context.Context) {
	t.Helper()
	p := program.Shared(t, "strict", program.Music(holdHz), program.Silence(3),
		program.Env("HOTLINE_REATTACH_GRACE=3s", "HOTLINE_HEARTBEAT=500ms", "HOTLINE_HEARTBEAT_LOST=2s", "HOTLINE_MEDIA_TIMEOUT=3s", "HOTLINE_SIP_MAX_CALLS=3"))
	t.Cleanup(func() { p.Clean() })
	return p, limit(t, 90*time.Second)
}

// A page reloaded in a talk, three times, and a socket cut: the same call goes on, the sound is back within a second and a
// half, the customer's phone is not renegotiated.
func TestReloadInATalk(t *testing.T) {
	p, ctx := shared(t)
	queue(ctx, t, p, "reload", "331", nil, "agent1")
	a := p.Shift(ctx, "agent1", agent1Hz)
	c, call := talk(ctx, t, p, a, number(), "331", agent1Hz)
	var gaps []time.Duration
	for range 3 {
		epoch := a.Epoch()
		c.ResetGap()
		ok(t, a.Reload(ctx))
		if a.Epoch() <= epoch {
			t.Errorf("epoch %d after %d", a.Epoch(), epoch)
		}
		ok(t, c.Hears(ctx, hz(agent1Hz), hz(comfortHz)))
		ok(t, a.Hears(ctx, hz(customerHz), nil))
		gaps = append(gaps, c.Gap())
	}
	t.Logf("gaps of reloads %v", gaps)
	if slices.Max(gaps) > 1500*time.Millisecond {
		t.Errorf("the customer heard nothing for %v", gaps)
	}
	c.ResetGap()
	ok(t, a.ReconnectSocket(ctx)) // the sound does not hang on it
	ok(t, c.Hears(ctx, hz(agent1Hz), nil))
	if g := c.Gap(); g > 400*time.Millisecond {
		t.Errorf("the socket was cut, the customer heard nothing for %v", g)
	}
	if n := c.Reinvites(); n != 0 {
		t.Errorf("%d re-INVITEs to the customer", n)
	}
	if b := live(ctx, p); b.agent("agent1").Call != call || b.agent("agent1").State != "talking" {
		t.Errorf("after the reloads: %+v", b.agent("agent1"))
	}
	ok(t, a.Hold(ctx, call, true)) // the new page commands the old call
	ok(t, c.Hears(ctx, hz(holdHz), nil))
	ok(t, a.Hold(ctx, call, false))
	ok(t, a.Hangup(ctx, call))
	<-c.Done()
	row := told(ctx, t, p, call)
	if len(row.Recordings) != 1 || len(row.Legs) != 2 {
		t.Errorf("one talk: %+v", row)
	}
}

// A page that is gone: the customer hears the comfort tone from a second and a half on, and the agent again when the page
// is back in time.
func TestPageVanishesAndReturns(t *testing.T) {
	p, ctx := shared(t)
	queue(ctx, t, p, "vanish", "332", nil, "agent1")
	a := p.Shift(ctx, "agent1", agent1Hz)
	c, call := talk(ctx, t, p, a, number(), "332", agent1Hz)
	began := time.Now()
	a.Vanish()
	ok(t, c.Hears(ctx, hz(comfortHz), hz(agent1Hz)))
	if took := time.Since(began); took < 1500*time.Millisecond || took > 4*time.Second { // with 400 ms of listening
		t.Errorf("comfort tone after %v", took)
	}
	if s := live(ctx, p).agent("agent1").State; s != "lost_call" {
		t.Errorf("the agent is %s", s)
	}
	ok(t, a.Return(ctx, true))
	ok(t, c.Hears(ctx, hz(agent1Hz), hz(comfortHz)))
	ok(t, a.Hears(ctx, hz(customerHz), nil))
	eventually(ctx, t, "the agent talks again", func() bool { return live(ctx, p).agent("agent1").State == "talking" })
	if n := c.Reinvites(); n != 0 {
		t.Errorf("%d re-INVITEs to the customer", n)
	}
	c.Hangup()
	told(ctx, t, p, call)
}

// A page that stays away longer than the grace: its customer is at the head of the queue again, before those who have
// waited all the time, and the next agent takes the same call.
func TestPageStaysAway(t *testing.T) {
	p, ctx := strict(t)
	queue(ctx, t, p, "away", "333", nil, "agent1", "agent2")
	one := p.Shift(ctx, "agent1", agent1Hz)
	from, other := number(), number()
	c, call := talk(ctx, t, p, one, from, "333", agent1Hz)
	d := p.Dial(ctx, other, "333")
	eventually(ctx, t, "another one waits", func() bool { return live(ctx, p).call(other).Position == 1 })
	one.Vanish()
	ok(t, c.Hears(ctx, hz(comfortHz), nil))
	ok(t, c.Hears(ctx, hz(holdHz), hz(comfortHz, agent1Hz))) // the queue's music
	eventually(ctx, t, "the lost customer is first", func() bool {
		b := live(ctx, p)
		return b.call(from).Position == 1 && b.call(other).Position == 2
	})
	eventually(ctx, t, "the agent is lost", func() bool { return live(ctx, p).agent("agent1").State == "lost" })
	two := p.Shift(ctx, "agent2", agent2Hz)
	again, _, err := two.WaitOffer(ctx)
	ok(t, err)
	if again != call {
		t.Fatalf("agent2 rings for %s, the lost customer's call is %s", again, call)
	}
	ok(t, two.Answer(ctx, call))
	ok(t, c.Hears(ctx, hz(agent2Hz), hz(holdHz)))
	ok(t, two.Hears(ctx, hz(customerHz), nil))
	c.Hangup()
	next, _, err := two.WaitOffer(ctx)
	ok(t, err)
	ok(t, two.Answer(ctx, next))
	ok(t, d.Hears(ctx, hz(agent2Hz), nil))
	d.Hangup()
	p.Until(ctx, "two stays of the lost customer", ":answered:agent1 reconnect:answered:agent2",
		`SELECT string_agg(concat(tag, ':', outcome, ':', agent), ' ' ORDER BY id) FROM queue_entry WHERE call = $1`, call)
	row := told(ctx, t, p, call)
	if len(row.Recordings) != 2 || len(row.Legs) != 3 || row.Link.Ticket == nil {
		t.Fatalf("the lost customer's call: %+v", row)
	}
	if calls := timeline(ctx, p, row.Link.Ticket.Number); !slices.Equal(calls, []string{call}) {
		t.Errorf("calls in the ticket: %q", calls)
	}
	ok(t, one.Return(ctx, true)) // and the page finds its place
	eventually(ctx, t, "agent1 is available again", func() bool { return live(ctx, p).agent("agent1").State == "available" })
}

// A telephone that vanishes without a word, in the queue and in a talk: its silence ends the call (R20).
func TestR20TelephoneVanishes(t *testing.T) {
	p, ctx := strict(t)
	queue(ctx, t, p, "silent", "334", nil, "agent1")
	a := p.Shift(ctx, "agent1", agent1Hz)
	from, other := number(), number()
	ph := p.Phone(telephonytest.PhoneConfig{User: from})
	c, err := ph.Call(ctx, "334", telephonytest.CallOptions{Tone: customerHz})
	ok(t, err)
	ok(t, c.Connected(ctx))
	call, _, err := a.WaitOffer(ctx)
	ok(t, err)
	ok(t, a.Answer(ctx, call))
	ok(t, a.Hears(ctx, hz(customerHz), nil))
	waits := p.Phone(telephonytest.PhoneConfig{User: other})
	d, err := waits.Call(ctx, "334", telephonytest.CallOptions{Tone: customerHz})
	ok(t, err)
	ok(t, d.Hears(ctx, hz(holdHz), nil))
	began := time.Now()
	ph.Vanish()
	waits.Vanish()
	_, err = a.WaitEvent(ctx, "call.end", nil)
	ok(t, err)
	row, lost := told(ctx, t, p, call), told(ctx, t, p, keyOf(ctx, t, p, other))
	if took := time.Since(began); took > 35*time.Second {
		t.Errorf("gone after %v", took)
	}
	if row.Disposition != "answered" || row.EndReason != "media_timeout" {
		t.Errorf("the talk: %+v", row)
	}
	if lost.EndReason != "media_timeout" || lost.Disposition != "abandoned_queue" {
		t.Errorf("the one who waited: %+v", lost)
	}
}
