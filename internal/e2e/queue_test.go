package e2e

import (
	"testing"
)

// The call goes to who has been idle longest. Turned down or not answered it goes to the next one; the caller keeps the
// place, ahead of those who came later. Who misses too many in a row is away, with the reason, and comes back by a word.
func TestOffersGoOnAndThePlaceStays(t *testing.T) {
	p, ctx := shared(t)
	queue(ctx, t, p, "offers", "301", map[string]any{"ring_timeout_s": 3, "max_missed": 2, "missed_rest_s": 5}, "agent1", "agent2")
	two := p.Shift(ctx, "agent2", agent2Hz)
	one := p.Shift(ctx, "agent1", agent1Hz)
	first, second := number(), number()

	c := p.Dial(ctx, first, "301")
	call, _, err := two.WaitOffer(ctx)
	ok(t, err)
	if s := live(ctx, p).agent("agent1").State; s != "available" {
		t.Errorf("agent2 rings as the longer idle one, agent1 is %s", s)
	}
	ok(t, two.Reject(ctx, call))
	_, _, err = one.WaitOffer(ctx)
	ok(t, err)
	d := p.Dial(ctx, second, "301") // comes while agent1 lets it ring and agent2 rests
	ok(t, c.Hears(ctx, []float64{holdHz}, nil))
	eventually(ctx, t, "agent1 has missed it", func() bool { return live(ctx, p).call(first).State == "waiting" })
	if b := live(ctx, p); b.call(first).Position != 1 || b.call(second).Position != 2 {
		t.Errorf("first is %+v, second %+v", b.call(first), b.call(second))
	}
	again, _, err := two.WaitOffer(ctx) // its rest is over
	ok(t, err)
	if again != call {
		t.Fatalf("agent2 rings for %s, the first caller's call is %s", again, call)
	}
	ok(t, two.Answer(ctx, call))
	ok(t, c.Hears(ctx, []float64{agent2Hz}, []float64{agent1Hz, holdHz}))
	ok(t, d.Hears(ctx, []float64{holdHz}, []float64{agent2Hz}))
	next, _, err := one.WaitOffer(ctx) // its rest is over too, and it misses the second call as well
	ok(t, err)
	eventually(ctx, t, "agent1 is away, with the reason", func() bool {
		a := live(ctx, p).agent("agent1")
		return a.State == "paused" && a.Reason == "missed"
	})
	c.Hangup()
	again, _, err = two.WaitOffer(ctx) // after the wrap-up
	ok(t, err)
	if again != next {
		t.Fatalf("agent2 rings for %s, the second caller's call is %s", again, next)
	}
	ok(t, two.Answer(ctx, next))
	ok(t, d.Hears(ctx, []float64{agent2Hz}, []float64{holdHz}))
	ok(t, two.Hangup(ctx, next))
	<-d.Done()

	told(ctx, t, p, call)
	p.Until(ctx, "the offers of the first call, in order", "agent2 refused, agent1 missed, agent2 connected",
		`SELECT string_agg(agent || ' ' || state, ', ' ORDER BY id) FROM queue_offer WHERE call = $1`, call)
	p.Until(ctx, "one stay with three offers", "1 3 answered agent2", `SELECT concat(count(*), ' ', max(offers), ' ', max(outcome), ' ', max(agent)) FROM queue_entry WHERE call = $1`, call)
	p.Until(ctx, "the offers of the second call, in order", "agent1 missed, agent2 connected",
		`SELECT string_agg(agent || ' ' || state, ', ' ORDER BY id) FROM queue_offer WHERE call = $1`, next)
	ok(t, one.SetState(ctx, "available", ""))
	eventually(ctx, t, "agent1 is back", func() bool { return live(ctx, p).agent("agent1").State == "available" })
}

// A caller who leaves in the instant of the offer leaves no reservation behind, whoever notices first.
func TestCallerLeavesWhileItRings(t *testing.T) {
	p, ctx := shared(t)
	queue(ctx, t, p, "leaving", "302", nil, "agent1")
	a := p.Shift(ctx, "agent1", agent1Hz)
	for range 3 {
		c := p.Dial(ctx, number(), "302")
		call, _, err := a.WaitOffer(ctx)
		ok(t, err)
		c.Hangup()
		_ = a.Answer(ctx, call) // too late or just in time: a refusal or a talk with nobody, not a fault
		_, err = a.WaitEvent(ctx, "call.gone", nil)
		ok(t, err)
		eventually(ctx, t, "the agent is free again", func() bool { return live(ctx, p).agent("agent1").State == "available" })
	}
}

// A queue that is full refuses by its own policy, and says so.
func TestFullQueue(t *testing.T) {
	p, ctx := shared(t)
	queue(ctx, t, p, "narrow", "303", map[string]any{"max_len": 1, "on_full": "callback", "on_no_agents": "wait"})
	first, second := number(), number()
	c := p.Dial(ctx, first, "303")
	ok(t, c.Hears(ctx, []float64{holdHz}, nil))
	d := p.Dial(ctx, second, "303")
	<-d.Done()
	row := told(ctx, t, p, keyOf(ctx, t, p, second))
	if row.Disposition != "callback" || row.Link.Rule != "A13" || !row.Link.Missed || row.Link.Ticket == nil {
		t.Errorf("the call that found the queue full: %+v", row)
	}
	waiting(ctx, t, p, second)
	before := c.Packets()
	eventually(ctx, t, "the first caller's music goes on", func() bool { return c.Packets() > before+10 })
	c.Hangup()
}
