package e2e

import (
	"net/http"
	"syscall"
	"testing"
	"time"

	"hotline/internal/e2e/program"
	"hotline/telephony/telephonytest"
)

// A kill meets calls in states that are hard to come back to, and a second one follows while they are taken over: a talk on
// hold whose recording is paused, an offer that rings, a message that is being left, a caller who leaves meanwhile.
func TestTwoKillsInEveryState(t *testing.T) {
	p, ctx := byAsterisk(t)
	p.Start(ctx)
	queue(ctx, t, p, "held", "376", map[string]any{"max_wait_s": 600}, "agent1")
	queue(ctx, t, p, "rung", "377", map[string]any{"max_wait_s": 600, "ring_timeout_s": 60}, "agent2")
	queue(ctx, t, p, "message", "378", map[string]any{"max_wait_s": 1, "on_timeout": "voicemail"})
	message, leaves, rung := number(), number(), number()
	m := p.Dial(ctx, message, "378") // its prompt is long: first
	one, two := p.Shift(ctx, "agent1", agent1Hz), p.Shift(ctx, "agent2", agent2Hz)
	c, held := talk(ctx, t, p, one, number(), "376", agent1Hz)
	_, err := one.Request(ctx, "call.record", map[string]any{"call": held, "op": "pause"})
	ok(t, err)
	ok(t, one.Hold(ctx, held, true))
	r := p.Dial(ctx, rung, "377")
	ringing, _, err := two.WaitOffer(ctx)
	ok(t, err)
	l := p.Dial(ctx, leaves, "376")
	p.Until(ctx, "the message is recorded", "1", `SELECT count(*)::text FROM call c JOIN call_event e ON e.call_id = c.id WHERE c.caller_e164 = $1 AND e.type = 'voicemail'`, message)
	p.Until(ctx, "three seconds of message", "true", `SELECT (count(*) > 0)::text FROM call c JOIN call_event e ON e.call_id = c.id WHERE c.caller_e164 = $1 AND e.type = 'voicemail' AND (e.data->>'length')::bigint >= 3000000000`, message)
	left := keyOf(ctx, t, p, leaves)

	p.Kill()
	l.Hangup()
	p.Start(ctx)
	p.Kill()
	p.Start(ctx)

	back := p.Shift(ctx, "agent2", agent2Hz)
	again, _, err := back.WaitOffer(ctx)
	ok(t, err)
	if again != ringing {
		t.Errorf("offered %s, it was %s that rang", again, ringing)
	}
	ok(t, back.Answer(ctx, again))
	ok(t, r.Hears(ctx, hz(agent2Hz), nil))
	owner := p.Page(ctx, "agent1", agent1Hz)
	ok(t, c.Hears(ctx, hz(agent1Hz), nil)) // nobody is on hold any more
	ok(t, owner.Hears(ctx, hz(customerHz), nil))
	eventually(ctx, t, "the message is being taken", func() bool { return live(ctx, p).call(message).State == "voicemail" })
	m.Hangup() // in the midst of the prompt, which is new to nobody
	ok(t, back.Hangup(ctx, ringing))
	ok(t, owner.Hangup(ctx, held))
	<-c.Done()

	row := told(ctx, t, p, held)
	if row.EndReason != "talked" || len(row.Recordings) < 2 {
		t.Errorf("the held talk: %+v", row)
	}
	for _, rec := range row.Recordings[1:] {
		if s := spans(sound(ctx, t, p, rec.ID)[0], customerHz); len(s) > 0 {
			t.Errorf("the recording was paused, and holds the customer in %v", s)
		}
	}
	if row := told(ctx, t, p, ringing); row.EndReason != "talked" || row.WaitMS < 3000 {
		t.Errorf("the one that rang: %+v", row)
	}
	if row := told(ctx, t, p, keyOf(ctx, t, p, message)); row.EndReason != "voicemail" || row.Disposition != "voicemail" || row.Link.Ticket == nil || len(row.Recordings) == 0 {
		t.Errorf("the message: %+v", row)
	}
	if row := told(ctx, t, p, left); row.EndReason != "crash" || row.Disposition != "no_answer" {
		t.Errorf("the one who left: %+v", row)
	}
	waiting(ctx, t, p, leaves)
	within(ctx, t, 10*time.Second, "nothing of ours is left in Asterisk", func() bool { return len(channels(ctx, p)) == 0 && bridges(ctx, p) == 0 })
	p.Clean()
}

// A number that is still being called is left to nobody by a stop: its telephone falls silent, and the call's end is told.
func TestStopGivesUpWhatRings(t *testing.T) {
	p, ctx := byAsterisk(t, program.Env("HOTLINE_DRAIN_TIMEOUT=500ms"))
	p.Start(ctx)
	provider := p.Phone(telephonytest.PhoneConfig{User: "provider"})
	p.Provider(ctx, provider, "+74950000000")
	from := number()
	p.Dial(ctx, from, "200").Hangup()
	missed := told(ctx, t, p, keyOf(ctx, t, p, from))
	p.Shift(ctx, "agent1", agent1Hz)
	var d struct{ Call string }
	if code := p.API(ctx, "agent1", http.MethodPost, "/calls", map[string]any{"call": missed.Key}, &d); code != http.StatusAccepted {
		t.Fatalf("POST /calls: %d", code)
	}
	out := rings(ctx, t, provider)
	ok(t, p.Cmd.Process.Signal(syscall.SIGTERM))
	<-out.Done()
	err := <-p.Done
	p.Done <- err
	ok(t, err)
	if code, why := out.Why(); code != 487 {
		t.Errorf("the customer's telephone rang on: %d %s", code, why)
	}
	p.Start(ctx)
	if row := told(ctx, t, p, d.Call); row.EndReason == "crash" || row.Disposition == "answered" {
		t.Errorf("the call: %+v", row)
	}
	p.Clean()
}
