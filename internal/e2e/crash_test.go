package e2e

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"hotline/telephony/telephonytest"
)

// R34: kill -9 with a call in every state, twice on one data directory. At the next start each of them is closed once,
// with its true last state; whoever was not talked with is on the list of callbacks, once; talk and message play to two
// seconds before the kill; there is one database; the next call is taken.
func TestR34KillInEveryState(t *testing.T) {
	nativeOnly(t)
	p, ctx := alone(t)
	p.Start(ctx)
	queue(ctx, t, p, "empty", "361", nil)
	queue(ctx, t, p, "mail", "362", map[string]any{"max_wait_s": 1, "on_timeout": "voicemail"})
	for round := range 2 {
		t.Log("round", round)
		one, two := p.Shift(ctx, "agent1", agent1Hz), p.Shift(ctx, "agent2", agent2Hz)
		from := map[string]string{}
		for _, state := range []string{"message", "talking", "ringing", "waiting", "menu", "over"} {
			from[state] = number()
		}
		p.Dial(ctx, from["message"], "362") // its prompt is long: first
		talks := p.Dial(ctx, from["talking"], "200")
		answering, other := one, two // whoever has been idle longer
		call := ""
		eventually(ctx, t, "the call is offered", func() bool {
			b := live(ctx, p).call(from["talking"])
			if b.State == "ringing" && b.Agent == "agent2" {
				answering, other = two, one
			}
			call = b.Call
			return b.State == "ringing"
		})
		tone := map[*telephonytest.Agent]float64{one: agent1Hz, two: agent2Hz}[answering]
		ok(t, answering.Answer(ctx, call))
		ok(t, talks.Hears(ctx, hz(tone), nil))
		p.Dial(ctx, from["ringing"], "200")
		_, _, err := other.WaitOffer(ctx)
		ok(t, err)
		p.Dial(ctx, from["waiting"], "361")
		p.Dial(ctx, from["menu"], "100")
		p.Until(ctx, "the message is recorded", "1", `SELECT count(*)::text FROM call c JOIN call_event e ON e.call_id = c.id WHERE c.caller_e164 = $1 AND e.type = 'voicemail'`, from["message"])
		begin := time.Now()
		eventually(ctx, t, "four seconds of talk and message", func() bool { return time.Since(begin) > 4*time.Second })
		over := p.Dial(ctx, from["over"], "361")
		eventually(ctx, t, "every call is in its state", func() bool {
			b := live(ctx, p)
			return b.call(from["talking"]).State == "talking" && b.call(from["ringing"]).State == "ringing" && b.call(from["waiting"]).State == "waiting" &&
				b.call(from["menu"]).State == "menu" && b.call(from["message"]).State == "voicemail" && b.call(from["over"]).State == "waiting"
		})
		ok(t, talks.Hears(ctx, hz(tone), nil))
		over.Hangup() // in the instant of the kill: ended by the caller or cut, but once
		killed := time.Now()
		p.Kill()
		p.Start(ctx)
		t.Logf("accepting again %v after the kill", time.Since(killed).Round(time.Millisecond))

		for state, want := range map[string]string{"talking": "answered", "ringing": "no_answer", "waiting": "no_answer", "menu": "no_answer"} {
			row := told(ctx, t, p, keyOf(ctx, t, p, from[state]))
			if row.EndReason != "crash" || row.Disposition != want || row.Link.Ticket == nil {
				t.Errorf("%s: %+v", state, row)
			}
			cause := p.SQL(ctx, `SELECT hangup_cause FROM call WHERE call_key = $1`, row.Key)
			if cause != "server stopped in state "+state {
				t.Errorf("%s: closed as %q", state, cause)
			}
			if calls := timeline(ctx, p, row.Link.Ticket.Number); fmt.Sprint(calls) != fmt.Sprint([]string{row.Key}) {
				t.Errorf("%s: calls in the ticket: %q", state, calls)
			}
			if state == "talking" {
				sealedUntil(t, p.SQL(ctx, `SELECT to_json(started_at)#>>'{}' FROM recording WHERE id = $1`, row.Recordings[0].ID), killed, spans(sound(ctx, t, p, row.Recordings[0].ID)[0], customerHz))
			} else {
				waiting(ctx, t, p, from[state])
			}
		}
		row := told(ctx, t, p, keyOf(ctx, t, p, from["message"]))
		if row.EndReason != "crash" || row.Link.Ticket == nil || len(row.Recordings) != 1 {
			t.Errorf("message: %+v", row)
		} else {
			sealedUntil(t, p.SQL(ctx, `SELECT to_json(started_at)#>>'{}' FROM recording WHERE id = $1`, row.Recordings[0].ID), killed, spans(sound(ctx, t, p, row.Recordings[0].ID)[0], customerHz))
			waiting(ctx, t, p, from["message"])
		}
		if row := told(ctx, t, p, keyOf(ctx, t, p, from["over"])); row.Link.Rule != "A10" && row.EndReason != "crash" {
			t.Errorf("over: %+v", row)
		}
		if n := p.Postmasters(); n != 1 {
			t.Errorf("%d postmasters", n)
		}
		p.Clean()
	}
	c := p.Dial(ctx, number(), "361")
	ok(t, c.Hears(ctx, hz(holdHz), nil))
	c.Hangup()
	p.Clean()
	if open, _ := filepath.Glob(filepath.Join(p.Recordings(), "open", "*")); len(open) > 0 {
		t.Errorf("recordings left open: %q", open)
	}
}

// sealedUntil checks that a recording holds its tone until at most two seconds before the kill.
func sealedUntil(t *testing.T, started string, killed time.Time, heard []span) {
	t.Helper()
	at, err := time.Parse(time.RFC3339Nano, started)
	ok(t, err)
	if len(heard) != 1 {
		t.Errorf("the recording holds the tone in %v", heard)
		return
	}
	if lost := killed.Sub(at).Seconds() - heard[0].to; lost > 2 {
		t.Errorf("the last %.1f s before the kill are missing", lost)
	}
}
