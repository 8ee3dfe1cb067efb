package browser

import (
	"context"
	"testing"

	"hotline/telephony/telephonytest"
)

// longestIdle: the call goes to who has been idle longest; turned down there, it goes to the other one.
func longestIdle(ctx context.Context, t *testing.T, s *suite) {
	one, two := tab{t, s.one, 0}, tab{t, s.two, 0}
	one.offShift()
	two.onShift()
	one.onShift() // agent2 has been idle for longer
	c := s.dial(ctx, t, "+79035550201", "200")
	two.see("^answer")
	if n := one.state(`s.offers.length`); n != "0" {
		t.Errorf("agent1 has %s offers while agent2's telephone rings", n)
	}
	two.press("^answer")
	ok(t, c.Hears(ctx, []float64{agent2Hz}, []float64{agent1Hz}))
	two.hears(ctx, []float64{customerHz}, nil)

	d := s.dial(ctx, t, "+79035550202", "200") // agent2 talks: to agent1
	one.press("^answer")
	ok(t, d.Hears(ctx, []float64{agent1Hz}, []float64{agent2Hz}))
	ok(t, c.Hears(ctx, []float64{agent2Hz}, []float64{agent1Hz}))
	c.Hangup()
	two.wrapUp()
	d.Hangup()
	one.wrapUp()

	e := s.dial(ctx, t, "+79035550203", "200") // agent2 idle for longer again, turns it down
	two.press("^reject")
	one.press("^answer")
	ok(t, e.Hears(ctx, []float64{agent1Hz}, []float64{agent2Hz}))
	if n := two.state(`s.offers.length + s.calls.length`); n != "0" {
		t.Errorf("agent2 turned the call down and still has %s", n)
	}
	e.Hangup()
	one.wrapUp()
	two.offShift()
}

// supervisor: the board shows who waits and who talks; listen, whisper and join by buttons, heard on every side.
func supervisor(ctx context.Context, t *testing.T, s *suite) {
	a, lead := tab{t, s.one, 0}, tab{t, s.leader, 0}
	a.onShift()
	lead.open("/live")
	c := s.dial(ctx, t, "+79035550301", "200")
	a.press("^answer")
	ok(t, c.Hears(ctx, []float64{agent1Hz}, nil))
	w := s.dial(ctx, t, "+79035550302", "200") // nobody is free: waits
	for _, text := range []string{"Поддержка / Support", "Ольга Первова", `\+7 903 555-03-01`, `\+7 903 555-03-02`, "^Talking", "^Waiting"} {
		lead.see(text)
	}
	noBarriers(t, lead, "the live board")
	w.Hangup()
	lead.do("gone", args{"text": `\+7 903 555-03-02`})

	lead.press(`^listen to \+7 903 555-03-01`)
	lead.see("nobody hears you")
	hearing(ctx, t, c, a, lead, false, false)
	lead.do("click", args{"text": "^whisper$"})
	lead.see("the agent hears you, the customer does not")
	hearing(ctx, t, c, a, lead, true, false)
	lead.do("click", args{"text": "^join$"})
	lead.see("agent and customer hear you")
	hearing(ctx, t, c, a, lead, true, true)
	lead.do("click", args{"text": "^listen$"})
	hearing(ctx, t, c, a, lead, false, false)
	lead.press("^leave$")
	lead.do("gone", args{"text": "nobody hears you"})
	ok(t, c.Hears(ctx, []float64{agent1Hz}, []float64{supervisorHz}))
	c.Hangup()
	a.wrapUp()
}

// hearing checks the tone table of a monitored talk: whether the supervisor is in the agent's and in the customer's ear.
func hearing(ctx context.Context, t *testing.T, c *telephonytest.PhoneCall, a, lead tab, agent, customer bool) {
	t.Helper()
	split := func(always float64, too bool) (want, not []float64) {
		if too {
			return []float64{always, supervisorHz}, nil
		}
		return []float64{always}, []float64{supervisorHz}
	}
	want, not := split(agent1Hz, customer)
	ok(t, c.Hears(ctx, want, not))
	want, not = split(customerHz, agent)
	a.hears(ctx, want, not)
	lead.hears(ctx, []float64{customerHz, agent1Hz}, []float64{supervisorHz})
}
