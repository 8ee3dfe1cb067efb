package e2e

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"hotline/internal/e2e/program"
	"hotline/telephony/telephonytest"
)

// callBack presses the button of a callback by API, as agent1, and waits until the provider's telephone rings.
func callBack(ctx context.Context, t *testing.T, p *program.Program, id string, provider *telephonytest.Phone) (out *telephonytest.PhoneCall, key string) {
	t.Helper()
	var d struct{ Call string }
	if code := p.API(ctx, "agent1", http.MethodPost, "/calls", map[string]any{"callback": json.Number(id)}, &d); code != http.StatusAccepted {
		t.Fatalf("POST /calls: %d", code)
	}
	return rings(ctx, t, provider), d.Call
}

// A promise to call back survives the server: killed while the customer's telephone rings, it waits again with one try
// counted, and is kept by the talk that follows, which is recorded in both ears and stands in the missed call's ticket.
func TestCallbackOverAKill(t *testing.T) {
	p, ctx := alone(t)
	p.Start(ctx)
	provider := p.Phone(telephonytest.PhoneConfig{User: "provider"})
	p.Provider(ctx, provider, "+74950000000")
	from := number()
	lost := p.Dial(ctx, from, "200")
	begin := time.Now()
	eventually(ctx, t, "the caller has waited longer than a short abandon", func() bool { return time.Since(begin) > 6*time.Second })
	lost.Hangup()
	waiting(ctx, t, p, from)
	id := p.SQL(ctx, `SELECT id::text FROM callback_request WHERE number = $1`, from)
	ticket := p.SQL(ctx, `SELECT t.number FROM callback_request b JOIN ticket t ON t.id = b.ticket_id WHERE b.number = $1`, from)
	row := `SELECT concat_ws(' ', state, attempts, taken_call IS NOT NULL, finished_call_id IS NOT NULL) FROM callback_request WHERE number = $1`

	p.Shift(ctx, "agent1", agent1Hz)
	_, key := callBack(ctx, t, p, id, provider)
	p.Until(ctx, "the callback is taken", "dialing 0 t f", row, from)
	p.Kill()
	p.Start(ctx)
	p.Until(ctx, "the callback waits again", "waiting 1 f f", row, from)
	if c := told(ctx, t, p, key); c.EndReason != "crash" || c.Link.Rule != "A15" || c.Link.Ticket == nil || c.Link.Ticket.Number != ticket {
		t.Errorf("the call that was cut: %+v", c)
	}

	again := p.Phone(telephonytest.PhoneConfig{User: "provider"}) // the first one still rings for a dead call
	p.Provider(ctx, again, "+74950000000")
	a := p.Shift(ctx, "agent1", agent1Hz)
	out, key := callBack(ctx, t, p, id, again)
	ok(t, a.Hears(ctx, hz(425), nil)) // ringback
	if user, _ := out.Caller(); user != "+74950000000" {
		t.Errorf("the customer sees %q", user)
	}
	out.Tone(customerHz)
	ok(t, out.Answer())
	ok(t, out.Hears(ctx, hz(agent1Hz), nil))
	ok(t, a.Hears(ctx, hz(customerHz), hz(425)))
	begin = time.Now()
	eventually(ctx, t, "a talk that counts", func() bool { return time.Since(begin) > 16*time.Second })
	ok(t, a.Hangup(ctx, key))
	<-out.Done()
	c := told(ctx, t, p, key)
	if c.Disposition != "answered" || c.HangupBy != "agent" || c.Link.Rule != "A1" || c.Link.Ticket == nil || c.Link.Ticket.Number != ticket || c.TalkMS < 15000 {
		t.Errorf("the talk: %+v", c)
	}
	stereo(ctx, t, p, c)
	p.Until(ctx, "the promise is kept", "done 2 f t", row, from)
	eventually(ctx, t, "wrap-up", func() bool { return live(ctx, p).agent("agent1").State == "acw" })
	p.Clean()
}

// A talk that an agent dialled goes on over a restart too, when Asterisk carries it.
func TestDialledTalkOverARestart(t *testing.T) {
	p, ctx := byAsterisk(t)
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
	out.Tone(customerHz)
	ok(t, out.Answer())
	ok(t, out.Hears(ctx, hz(agent1Hz), nil))
	eventually(ctx, t, "a talk", func() bool { return live(ctx, p).agent("agent1").State == "talking" })
	p.Kill()
	p.Start(ctx)
	a := p.Page(ctx, "agent1", agent1Hz)
	ok(t, out.Hears(ctx, hz(agent1Hz), nil))
	ok(t, a.Hears(ctx, hz(customerHz), nil))
	ok(t, a.Hangup(ctx, d.Call))
	<-out.Done()
	if c := told(ctx, t, p, d.Call); c.Disposition != "answered" || c.EndReason != "talked" || len(c.Recordings) != 2 {
		t.Errorf("%+v", c)
	}
	p.Clean()
}
