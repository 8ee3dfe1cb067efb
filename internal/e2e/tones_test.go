package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"hotline/internal/e2e/program"
	"hotline/telephony/media/tone"
	"hotline/telephony/telephonytest"
)

// ear is what somebody must and must not hear, in Hz.
type ear struct{ want, not []float64 }

func hz(f ...float64) []float64 { return f }

// situation is one row of the table who hears whom, with the recording's two channels as further ears.
type situation struct {
	name            string
	do              func() error
	customer, agent ear
	lead            ear // nobody listens where it is empty
	left, right     ear
	from, to        time.Time // when it held
}

// Who hears whom in talk, mute, hold, and with a supervisor who listens, whispers and joins in: measured in every ear and
// in the recording.
func TestToneTable(t *testing.T) {
	p, ctx := shared(t)
	queue(ctx, t, p, "tones", "321", nil, "agent1")
	a := p.Shift(ctx, "agent1", agent1Hz)
	lead := p.Page(ctx, "lead1", leadHz)
	c, call := talk(ctx, t, p, a, number(), "321", agent1Hz)
	var leg string
	mode := func(m string) func() error {
		return func() error {
			_, err := lead.Request(ctx, "monitor.mode", map[string]any{"leg": leg, "mode": m})
			return err
		}
	}
	everyone := hz(customerHz, agent1Hz, leadHz, holdHz, comfortHz)
	plain := ear{hz(customerHz), hz(agent1Hz, leadHz)}    // what the left channel holds whatever goes on
	spoken := ear{hz(agent1Hz), hz(customerHz, leadHz)}   // and the right one while the agent speaks to the customer
	both := ear{hz(customerHz, agent1Hz), hz(leadHz)}     // the supervisor's ear
	alone := ear{hz(agent1Hz), hz(customerHz, leadHz)}    // the customer's, with the agent
	opposite := ear{hz(customerHz), hz(agent1Hz, leadHz)} // the agent's, with the customer
	table := []*situation{
		{name: "talk", customer: alone, agent: opposite, left: plain, right: spoken},
		{name: "mute", do: func() error { return a.Mute(ctx, call, true) },
			customer: ear{nil, everyone}, agent: opposite, left: plain, right: ear{nil, everyone}},
		{name: "not muted", do: func() error { return a.Mute(ctx, call, false) }, customer: alone, agent: opposite, left: plain, right: spoken},
		{name: "hold", do: func() error { return a.Hold(ctx, call, true) },
			customer: ear{hz(holdHz), hz(agent1Hz)}, agent: ear{nil, everyone}, left: plain, right: ear{nil, everyone}},
		{name: "taken back", do: func() error { return a.Hold(ctx, call, false) }, customer: alone, agent: opposite, left: plain, right: spoken},
		{name: "listen", do: func() (err error) { leg, err = monitor(ctx, lead, call); return err },
			customer: alone, agent: opposite, lead: both, left: plain, right: spoken},
		{name: "whisper", do: mode("whisper"), customer: alone, agent: ear{hz(customerHz, leadHz), hz(agent1Hz)}, lead: both, left: plain, right: spoken},
		{name: "barge", do: mode("barge"), customer: ear{hz(agent1Hz, leadHz), hz(customerHz)}, agent: ear{hz(customerHz, leadHz), hz(agent1Hz)},
			lead: both, left: plain, right: spoken},
		{name: "listen again", do: mode("listen"), customer: alone, agent: opposite, lead: both, left: plain, right: spoken},
		{name: "alone again", do: func() error {
			_, err := lead.Request(ctx, "monitor.stop", map[string]any{"leg": leg})
			return err
		}, customer: alone, agent: opposite, left: plain, right: spoken},
	}
	for _, s := range table {
		if s.do != nil {
			ok(t, s.do())
		}
		heard(ctx, t, s.name, "customer", c, s.customer)
		heard(ctx, t, s.name, "agent", a, s.agent)
		if len(s.lead.want)+len(s.lead.not) > 0 {
			heard(ctx, t, s.name, "supervisor", lead, s.lead)
		}
		s.from = time.Now()
		n := c.Packets()
		eventually(ctx, t, "half a second of "+s.name, func() bool { return c.Packets()-n >= 25 })
		s.to = time.Now()
	}
	if n := c.Reinvites(); n != 0 {
		t.Errorf("%d re-INVITEs to the customer", n)
	}
	quiet := lead.Sound().Packets()
	n := c.Packets()
	eventually(ctx, t, "some more talk", func() bool { return c.Packets()-n >= 10 })
	if more := lead.Sound().Packets() - quiet; more > 2 {
		t.Errorf("the supervisor has left and still gets %d packets", more)
	}
	c.Hangup()
	row := told(ctx, t, p, call)
	if len(row.Recordings) != 1 {
		t.Fatalf("recordings: %+v", row.Recordings)
	}
	if row.HoldMS < 400 || row.HoldMS > 20_000 {
		t.Errorf("held for %d ms", row.HoldMS)
	}
	recorded(ctx, t, p, row, table)
	p.Until(ctx, "the supervisor's steps are facts of the call", "listen whisper barge listen ended",
		`SELECT string_agg(data->>'mode', ' ' ORDER BY seq) FROM call_event e JOIN call c ON c.id = e.call_id WHERE c.call_key = $1 AND e.type = 'monitor'`, call)
}

// monitor begins to listen and gives the leg's id.
func monitor(ctx context.Context, lead *telephonytest.Agent, call string) (string, error) {
	raw, err := lead.Request(ctx, "monitor.start", map[string]any{"call": call})
	if err != nil {
		return "", err
	}
	var r struct{ Leg string }
	err = json.Unmarshal(raw, &r)
	return r.Leg, err
}

func heard(ctx context.Context, t *testing.T, situation, who string, h interface {
	Hears(context.Context, []float64, []float64) error
}, e ear) {
	t.Helper()
	ctx, stop := context.WithTimeoutCause(ctx, 10*time.Second, fmt.Errorf("%s, the %s's ear", situation, who))
	defer stop()
	ok(t, h.Hears(ctx, e.want, e.not))
}

// recorded holds the recording against the table, channel by channel, in the middle of each situation.
func recorded(ctx context.Context, t *testing.T, p *program.Program, row callRow, table []*situation) {
	t.Helper()
	start, err := time.Parse(time.RFC3339Nano, p.SQL(ctx, `SELECT to_json(started_at)#>>'{}' FROM recording WHERE id = $1`, row.Recordings[0].ID))
	ok(t, err)
	channels := sound(ctx, t, p, row.Recordings[0].ID)
	if len(channels) != 2 {
		t.Fatalf("%d channels", len(channels))
	}
	for _, s := range table {
		middle := int(s.from.Add(s.to.Sub(s.from)/2).Sub(start).Seconds() * 8000)
		for i, e := range []ear{s.left, s.right} {
			pcm := channels[i]
			if middle+1200 > len(pcm) {
				t.Fatalf("%s: the recording ends after %d samples", s.name, len(pcm))
			}
			pcm = pcm[middle-1200 : middle+1200]
			for _, f := range e.want {
				if v := tone.Amplitude(pcm, f, 8000); v < telephonytest.Present {
					t.Errorf("%s: %.0f Hz at %.3f in channel %d of the recording", s.name, f, v, i)
				}
			}
			for _, f := range e.not {
				if v := tone.Amplitude(pcm, f, 8000); v > telephonytest.Absent {
					t.Errorf("%s: %.0f Hz at %.3f in channel %d of the recording, want none", s.name, f, v, i)
				}
			}
		}
	}
}

// Two talks at once: neither side of one is heard in the other (I7).
func TestI7NoSoundCrossesBetweenTalks(t *testing.T) {
	p, ctx := shared(t)
	queue(ctx, t, p, "cross", "322", nil, "agent1", "agent2")
	one, two := p.Shift(ctx, "agent1", agent1Hz), p.Shift(ctx, "agent2", agent2Hz)
	c := p.Dial(ctx, number(), "322")
	first, _, err := one.WaitOffer(ctx)
	ok(t, err)
	d := p.Call(ctx, number(), "322", 1200)
	ok(t, d.Connected(ctx))
	p.Taken(d.ID())
	second, _, err := two.WaitOffer(ctx)
	ok(t, err)
	ok(t, one.Answer(ctx, first))
	ok(t, two.Answer(ctx, second))
	for _, e := range []struct {
		who interface {
			Hears(context.Context, []float64, []float64) error
		}
		hears float64
	}{{c, agent1Hz}, {one, customerHz}, {d, agent2Hz}, {two, 1200}} {
		var not []float64
		for _, f := range hz(agent1Hz, agent2Hz, customerHz, 1200, holdHz) {
			if f != e.hears {
				not = append(not, f)
			}
		}
		ok(t, e.who.Hears(ctx, hz(e.hears), not))
	}
	ok(t, one.Hangup(ctx, first))
	<-c.Done()
	ok(t, d.Hears(ctx, hz(agent2Hz), nil)) // the other one goes on
	d.Hangup()
	for key, want := range map[string][2]float64{first: {customerHz, agent1Hz}, second: {1200, agent2Hz}} {
		row := told(ctx, t, p, key)
		for i, pcm := range sound(ctx, t, p, row.Recordings[0].ID) {
			for _, f := range hz(agent1Hz, agent2Hz, customerHz, 1200) {
				if v := loudest(pcm, f); (v > telephonytest.Present) != (f == want[i]) || f != want[i] && v > telephonytest.Absent {
					t.Errorf("channel %d of %v: %.0f Hz at %.3f", i, want, f, v)
				}
			}
		}
	}
}
