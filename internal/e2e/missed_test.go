package e2e

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"hotline/internal/e2e/program"
	"hotline/telephony/telephonytest"
)

// hasNone checks that a call is kept and nothing follows from it: row A10.
func hasNone(ctx context.Context, t *testing.T, p *program.Program, from, disposition string) {
	t.Helper()
	row := told(ctx, t, p, keyOf(ctx, t, p, from))
	if row.Disposition != disposition || row.Link.Rule != "A10" || row.Link.State != "none" || row.Link.Ticket != nil {
		t.Errorf("%s: %+v", disposition, row)
	}
	if n := p.SQL(ctx, `SELECT count(*)::text FROM callback_request WHERE number = $1`, from); n != "0" {
		t.Errorf("%s: %s callbacks", disposition, n)
	}
}

// waits dials a number, hears music for so many seconds and hangs up.
func waits(ctx context.Context, t *testing.T, p *program.Program, from, to string, seconds int) {
	t.Helper()
	c := p.Dial(ctx, from, to)
	ok(t, c.Hears(ctx, hz(holdHz), nil))
	eventually(ctx, t, fmt.Sprintf("%d s of music", seconds), func() bool { return c.Packets() >= 50*seconds })
	c.Hangup()
}

// Callers who hang up: in the menu and at once in the queue only the call is kept (A10). Later it is a missed call: a
// ticket with one callback (A13); another one of the same number is added to it (A11); when the number gets through, that
// talk is in the same ticket (A4).
func TestAbandonedCalls(t *testing.T) {
	p, ctx := shared(t)
	inMenu := number()
	c := p.Dial(ctx, inMenu, "100")
	speaks(ctx, t, c)
	c.Hangup()
	hasNone(ctx, t, p, inMenu, "abandoned_ivr")

	queue(ctx, t, p, "patient", "341", map[string]any{"short_abandon_s": 20, "sl_threshold_s": 20}, "agent1")
	soon := number()
	waits(ctx, t, p, soon, "341", 0)
	hasNone(ctx, t, p, soon, "abandoned_queue")

	p.Set(ctx, "/queues/patient", map[string]any{"short_abandon_s": 1, "name": "patient by now"})
	eventually(ctx, t, "the queue's new setting", func() bool {
		return slices.ContainsFunc(live(ctx, p).Queues, func(q boardQueue) bool { return q.Name == "patient by now" })
	})
	from := number()
	waits(ctx, t, p, from, "341", 2)
	first := told(ctx, t, p, keyOf(ctx, t, p, from))
	if first.Disposition != "abandoned_queue" || first.Link.Rule != "A13" || first.Link.State != "confirmed" || !first.Link.Missed || first.Link.Ticket == nil {
		t.Fatalf("the first missed call: %+v", first)
	}
	if first.WaitMS < 1500 || first.HangupBy != "customer" {
		t.Errorf("the first missed call: waited %d ms, hung up by %s", first.WaitMS, first.HangupBy)
	}
	waiting(ctx, t, p, from)
	waits(ctx, t, p, from, "341", 2)
	second := told(ctx, t, p, keyOf(ctx, t, p, from))
	if second.Key == first.Key || second.Link.Rule != "A11" || second.Link.Ticket == nil || second.Link.Ticket.Number != first.Link.Ticket.Number {
		t.Fatalf("the second missed call: %+v, the first is in %+v", second, first.Link.Ticket)
	}
	waiting(ctx, t, p, from)

	a := p.Shift(ctx, "agent1", agent1Hz)
	talks, call := talk(ctx, t, p, a, from, "341", agent1Hz)
	talks.Hangup()
	third := told(ctx, t, p, call)
	if third.Link.Rule != "A4" || third.Link.Ticket == nil || third.Link.Ticket.Number != first.Link.Ticket.Number {
		t.Errorf("the call that got through: %+v", third)
	}
	calls := timeline(ctx, p, first.Link.Ticket.Number)
	slices.Sort(calls)
	if want := []string{first.Key, second.Key, third.Key}; !slices.Equal(calls, want) {
		t.Errorf("calls in the ticket: %q, want %q", calls, want)
	}
}

// A caller without a number: the missed call is a ticket, and nobody can be called back.
func TestAbandonedByAWithheldNumber(t *testing.T) {
	p, ctx := shared(t)
	queue(ctx, t, p, "withheld", "342", map[string]any{"short_abandon_s": 1})
	c, err := p.Phone(telephonytest.PhoneConfig{User: "anonymous"}).Call(ctx, "342", telephonytest.CallOptions{Tone: customerHz, Name: "Anonymous"})
	ok(t, err)
	ok(t, c.Connected(ctx))
	p.Taken(c.ID())
	eventually(ctx, t, "two seconds of music", func() bool { return c.Packets() >= 100 })
	c.Hangup()
	p.Until(ctx, "a ticket without a callback", "A13 confirmed true 0", `SELECT concat(l.rule, ' ', l.state, ' ', c.withheld::text, ' ', (SELECT count(*) FROM callback_request b WHERE b.ticket_id = l.ticket_id))
		FROM call c JOIN call_link l ON l.call_id = c.id WHERE c.queue = 'withheld'`)
}

// Nobody comes in time: callers leave a message, one ended by the key, one by hanging up. It is a missed call with sound
// (A14).
func TestVoicemailWhenTheQueueTimesOut(t *testing.T) {
	p, ctx := shared(t)
	queue(ctx, t, p, "mail", "343", map[string]any{"max_wait_s": 1, "on_timeout": "voicemail"})
	byKey, byHangup := number(), number()
	c, d := p.Dial(ctx, byKey, "343"), p.Dial(ctx, byHangup, "343")
	for _, from := range []string{byKey, byHangup} {
		p.Until(ctx, "the message is recorded", "1", `SELECT count(*)::text FROM call c JOIN call_event e ON e.call_id = c.id WHERE c.caller_e164 = $1 AND e.type = 'voicemail'`, from)
	}
	begin := time.Now()
	eventually(ctx, t, "four seconds of message", func() bool { return time.Since(begin) > 4*time.Second })
	c.Press("#")
	d.Hangup()
	<-c.Done()
	for _, from := range []string{byKey, byHangup} {
		row := told(ctx, t, p, keyOf(ctx, t, p, from))
		if row.Disposition != "voicemail" || row.Link.Rule != "A13" || !row.Link.Missed || row.Link.Ticket == nil || len(row.Recordings) != 1 || row.Recordings[0].Channels != 1 {
			t.Fatalf("the message: %+v", row)
		}
		if want := map[string]string{byKey: "system", byHangup: "customer"}[from]; row.HangupBy != want {
			t.Errorf("hung up by %s, want %s", row.HangupBy, want)
		}
		waiting(ctx, t, p, from)
		ch := sound(ctx, t, p, row.Recordings[0].ID)
		if s := spans(ch[0], customerHz); len(s) != 1 || s[0].to-s[0].from < 3.5 {
			t.Errorf("the message in the recording: %v", s)
		}
		if calls := timeline(ctx, p, row.Link.Ticket.Number); !slices.Equal(calls, []string{row.Key}) {
			t.Errorf("calls in the ticket: %q", calls)
		}
	}
}
