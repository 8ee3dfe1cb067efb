package app

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"hotline/internal/config"
	"hotline/internal/httpapi"
	"hotline/internal/trunks"
	"hotline/queue"
	"hotline/telephony/telephonytest"
	"hotline/tickets"
)

// provider is a telephone network behind the demo trunk: our calls out arrive at this phone.
func (s *system) provider(ctx context.Context) *telephonytest.Phone {
	s.t.Helper()
	p := s.phone("provider")
	s.trunkHost(ctx, p.Addr().Addr().String(), int(p.Addr().Port()))
	return p
}

func (s *system) trunkHost(ctx context.Context, host string, port int) {
	s.t.Helper()
	t, err := s.trunks.Get(ctx, "demo")
	s.ok(err)
	t.Host, t.Port, t.CallerID, t.Region = host, port, "+74950000000", "RU"
	s.ok(s.db.Tx(ctx, func(tx pgx.Tx) error { _, err := s.trunks.Update(ctx, tx, t); return err }))
	s.ok(s.loadSettings(ctx))
}

// incoming waits for a call of ours at the provider.
func (s *system) incoming(ctx context.Context, p *telephonytest.Phone) *telephonytest.PhoneCall {
	s.t.Helper()
	select {
	case c := <-p.Incoming():
		return c
	case <-ctx.Done():
		s.t.Fatalf("no call came out\n%s", s.log.text())
		return nil
	}
}

// demoTicket is an open ticket of a demo contact with a personal number, in the agents' team.
func (s *system) demoTicket(ctx context.Context) (ticket, number string) {
	s.t.Helper()
	s.ok(s.db.Pool.QueryRow(ctx, `SELECT t.number, p.value_norm FROM ticket t JOIN team m ON m.id = t.team_id AND m.name = 'Support'
		JOIN contact_point p ON p.contact_id = t.contact_id AND p.kind = 'phone' AND p.sharing = 'personal' WHERE t.status_id <= 5 ORDER BY t.id LIMIT 1`).Scan(&ticket, &number))
	return ticket, number
}

// press is the agent's click; it gives the call.
func (s *system) press(ctx context.Context, a *telephonytest.Agent, d map[string]any) string {
	s.t.Helper()
	reply, err := a.Request(ctx, "call.dial", d)
	s.ok(err)
	var out httpapi.Dialled
	s.ok(json.Unmarshal(reply, &out))
	return out.Call
}

// refused is a click that must not be carried out; it gives the code.
func (s *system) refused(ctx context.Context, a *telephonytest.Agent, d map[string]any) string {
	s.t.Helper()
	_, err := a.Request(ctx, "call.dial", d)
	var r *telephonytest.AgentError
	if !errors.As(err, &r) {
		s.t.Fatalf("call.dial %v: %v", d, err)
	}
	return r.Code
}

// ended waits for the end of a try and gives why.
func (s *system) endOf(ctx context.Context, a *telephonytest.Agent, call string) (why, text string) {
	s.t.Helper()
	var d struct {
		Call, Why string
		Text      map[string]string
	}
	_, err := a.WaitEvent(ctx, "call.end", func(data json.RawMessage) bool { return json.Unmarshal(data, &d) == nil && d.Call == call })
	s.ok(err)
	return d.Why, d.Text["en"]
}

// agentIs waits for an agent's state.
func (s *system) agentIs(ctx context.Context, login string, want queue.AgentState) {
	s.t.Helper()
	s.eventually(ctx, login+" is "+string(want), func() bool {
		snap, err := s.engine.Snapshot(ctx)
		s.ok(err)
		for _, x := range snap.Agents {
			if x.Login == login {
				return x.State == want
			}
		}
		return false
	})
}

// entry is how a call out stands in tickets: rule, state, direction, disposition and ticket.
func (s *system) entry(ctx context.Context, call string) string {
	return one[string](s, ctx, `SELECT coalesce((SELECT concat_ws(' ', l.rule, l.state, m.direction, c.disposition, t.number) FROM call c JOIN call_link l ON l.call_id = c.id LEFT JOIN ticket t ON t.id = l.ticket_id
		LEFT JOIN message m ON m.call_id = c.id AND m.kind = 'call' AND m.deleted_at IS NULL WHERE c.call_key = $1 AND c.state = 'ended'), '')`, call)
}

// A call from a ticket: the agent hears it ring, both talk, it is recorded, stands in the ticket, and ends in wrap-up.
func TestCallOutFromTicket(t *testing.T) {
	s := start(t)
	ctx := s.ctx(60 * time.Second)
	p := s.provider(ctx)
	a := s.agent(ctx, "agent1", 440)
	ticket, number := s.demoTicket(ctx)
	call := s.press(ctx, a, map[string]any{"ticket": ticket})
	out := s.incoming(ctx, p)
	if user, _ := out.Caller(); user != "+74950000000" {
		t.Errorf("the customer sees %q", user)
	}
	s.agentIs(ctx, "agent1", queue.Dialing)
	if live := s.liveTalks(ctx); len(live) != 1 || live[0].Agent != "agent1" || string(live[0].Call) != call {
		t.Errorf("the engine is told of %v: it would take the agent's state back", live)
	}
	s.ok(a.Hears(ctx, []float64{425}, nil))
	if code := s.refused(ctx, a, map[string]any{"ticket": ticket}); code != "agent_busy" {
		t.Errorf("a second call at once: %s", code)
	}
	out.Tone(1000)
	s.ok(out.Answer())
	s.ok(out.Hears(ctx, []float64{440}, nil))
	s.ok(a.Hears(ctx, []float64{1000}, []float64{425}))
	s.agentIs(ctx, "agent1", queue.Talking)
	_, err := a.WaitCall(ctx, call, "talking")
	s.ok(err)
	s.ok(a.Hold(ctx, call, true))
	s.ok(out.Hears(ctx, nil, []float64{440}))
	s.ok(a.Hold(ctx, call, false))
	s.ok(a.Mute(ctx, call, true))
	s.ok(out.Hears(ctx, nil, []float64{440}))
	s.ok(a.Mute(ctx, call, false))
	s.ok(out.Hears(ctx, []float64{440}, nil))
	for _, op := range []string{"pause", "resume"} {
		_, err = a.Request(ctx, "call.record", map[string]any{"call": call, "op": op})
		s.ok(err)
	}
	lead := s.page(ctx, "lead1", 1500)
	_, err = lead.Request(ctx, "monitor.start", map[string]any{"agent": "agent1"})
	s.ok(err)
	s.ok(lead.Hears(ctx, []float64{1000, 440}, nil))
	_, err = a.Request(ctx, "wrapup.save", map[string]any{"call": call, "note": "promised a visit"})
	s.ok(err)
	out.Hangup()
	_, err = a.WaitEvent(ctx, "wrapup.start", nil)
	s.ok(err)
	s.agentIs(ctx, "agent1", queue.ACW)
	s.eventually(ctx, "the call is in the ticket it was made from", func() bool { return s.entry(ctx, call) == "A1 confirmed out answered "+ticket })
	if got := one[string](s, ctx, `SELECT concat_ws(' ', c.direction, c.callee_e164, c.caller_raw, c.trunk, c.end_reason, c.hangup_by, m.body_text) FROM call c JOIN message m ON m.call_id = c.id WHERE c.call_key = $1`,
		call); got != "out "+number+" +74950000000 demo talked customer promised a visit" {
		t.Errorf("row: %s", got)
	}
	s.eventually(ctx, "the recording is ready", func() bool {
		return one[int](s, ctx, `SELECT count(*) FROM recording r JOIN call c ON c.id = r.call_id WHERE c.call_key = $1 AND r.state = 'ready'`, call) == 1
	})
	if n := len(s.calls.list()); n != 0 {
		t.Fatalf("%d calls left", n)
	}
}

// Nobody is reached: the agent is told why in words, gets the old state back, and the try stands in the ticket.
func TestCallOutReachesNobody(t *testing.T) {
	s := start(t)
	ctx := s.ctx(90 * time.Second)
	p := s.provider(ctx)
	a := s.agent(ctx, "agent1", 440)
	ticket, _ := s.demoTicket(ctx)
	s.ok(a.SetState(ctx, "paused", "tickets"))
	for _, tt := range []struct {
		do                     func(out *telephonytest.PhoneCall, call string)
		why, disposition, word string
	}{
		{func(out *telephonytest.PhoneCall, _ string) { out.Reject(486) }, "busy", "busy", "Busy"},
		{func(out *telephonytest.PhoneCall, _ string) { out.Reject(480) }, "no_answer", "no_answer", "does not answer"},
		{func(out *telephonytest.PhoneCall, _ string) { out.Reject(603) }, "refused", "rejected", "refused"},
		{func(out *telephonytest.PhoneCall, _ string) { out.Reject(503) }, "unreachable", "failed", "provider"},
		{func(out *telephonytest.PhoneCall, call string) {
			s.ok(a.Hangup(ctx, call))
			<-out.Done()
			if code, why := out.Why(); code != 487 || !strings.HasPrefix(why, "CANCEL") {
				t.Errorf("given up: %d %s", code, why)
			}
		}, "cancelled", "no_answer", "cancelled"},
	} {
		call := s.press(ctx, a, map[string]any{"ticket": ticket})
		tt.do(s.incoming(ctx, p), call)
		if why, text := s.endOf(ctx, a, call); why != tt.why || !strings.Contains(text, tt.word) {
			t.Errorf("%s: told %s, %q", tt.why, why, text)
		}
		s.agentIs(ctx, "agent1", queue.Paused)
		s.eventually(ctx, tt.why+" is in the ticket", func() bool { return s.entry(ctx, call) == "A15 confirmed out "+tt.disposition+" "+ticket })
	}
	s.trunkHost(ctx, "", 5060)
	call := s.press(ctx, a, map[string]any{"ticket": ticket})
	if why, text := s.endOf(ctx, a, call); why != "no_trunk" || !strings.Contains(text, "host") {
		t.Errorf("without a trunk: %s, %q", why, text)
	}
	s.eventually(ctx, "the try is in the ticket", func() bool { return s.entry(ctx, call) == "A15 confirmed out failed "+ticket })
	s.agentIs(ctx, "agent1", queue.Paused)
}

// The page sends no sound: the customer is not called, nothing is written into the ticket.
func TestCallOutWithoutSound(t *testing.T) {
	s := start(t, func(c *config.Config) { c.ConnectLimit = 500 * time.Millisecond })
	ctx := s.ctx(60 * time.Second)
	p := s.provider(ctx)
	a := s.agent(ctx, "agent1", 440)
	ticket, _ := s.demoTicket(ctx)
	a.Sound().Close()
	call := s.press(ctx, a, map[string]any{"ticket": ticket})
	if why, _ := s.endOf(ctx, a, call); why != "no_sound" {
		t.Fatalf("told %s", why)
	}
	s.eventually(ctx, "the call is over, in no ticket", func() bool { return s.entry(ctx, call) == "A15 none failed" })
	select {
	case <-p.Incoming():
		t.Fatal("the customer was called")
	default:
	}
}

// A callback is taken by one agent, waits again when the number is busy, and the talk stands in its ticket.
func TestCallbackIsCalled(t *testing.T) {
	s := start(t)
	ctx := s.ctx(90 * time.Second)
	p := s.provider(ctx)
	c := s.dial(ctx, "+79035556677", "200", 1000)
	s.eventually(ctx, "it waits", func() bool { l := s.calls.list(); return len(l) == 1 && l[0].snapshot().State == "waiting" })
	time.AfterFunc(5200*time.Millisecond, c.Hangup) // longer than the queue's short abandon
	<-c.Done()
	row := func() string {
		return one[string](s, ctx, `SELECT coalesce((SELECT concat_ws(' ', state, attempts, taken_by IS NOT NULL) FROM callback_request WHERE number = '+79035556677'), '')`)
	}
	s.eventually(ctx, "the callback", func() bool { return row() == "waiting 0 f" })
	id := one[int64](s, ctx, `SELECT id FROM callback_request`)
	ticket := one[string](s, ctx, `SELECT t.number FROM callback_request b JOIN ticket t ON t.id = b.ticket_id`)
	a1, a2 := s.agent(ctx, "agent1", 440), s.agent(ctx, "agent2", 700)
	call := s.press(ctx, a1, map[string]any{"callback": id})
	if row() != "dialing 0 t" {
		t.Fatalf("taken: %s", row())
	}
	if code := s.refused(ctx, a2, map[string]any{"callback": id}); code != "conflict" {
		t.Fatalf("taken by two: %s", code)
	}
	s.incoming(ctx, p).Reject(486)
	if why, _ := s.endOf(ctx, a1, call); why != "busy" {
		t.Fatalf("told %s", why)
	}
	s.eventually(ctx, "it waits again", func() bool { return row() == "waiting 1 f" })
	call = s.press(ctx, a2, map[string]any{"callback": id})
	out := s.incoming(ctx, p)
	out.Tone(1000)
	s.ok(out.Answer())
	s.ok(out.Hears(ctx, []float64{700}, nil))
	s.ok(a2.Hears(ctx, []float64{1000}, nil))
	s.ok(a2.Hangup(ctx, call))
	<-out.Done()
	s.eventually(ctx, "the talk is in its ticket", func() bool { return s.entry(ctx, call) == "A1 confirmed out answered "+ticket })
	s.eventually(ctx, "a few words keep no promise", func() bool { return row() == "waiting 2 f" })
}

// R13: numbers that an agent may not call, and numbers that nobody may; nothing goes out.
func TestCallOutPolicy(t *testing.T) {
	s := start(t, func(c *config.Config) { c.DialCountries, c.DialPerHour = []string{"RU", "GB"}, 2 })
	ctx := s.ctx(60 * time.Second)
	p := s.provider(ctx)
	a := s.agent(ctx, "agent1", 440)
	ticket, _ := s.demoTicket(ctx)
	s.ok(s.db.Tx(ctx, func(tx pgx.Tx) error {
		_, err := s.trunks.CreateNumber(ctx, tx, trunks.Number{Number: "+74950000000", Queue: "support"})
		return err
	}))
	s.ok(s.loadSettings(ctx))
	if code := s.refused(ctx, a, map[string]any{"to": "+79161234567"}); code != "forbidden" {
		t.Errorf("an agent typed a number: %s", code)
	}
	if code := s.refused(ctx, a, map[string]any{"ticket": ticket, "to": "+79161234567"}); code != "forbidden" {
		t.Errorf("a number that is not the customer's: %s", code)
	}
	if code := s.refused(ctx, a, map[string]any{"ticket": "999999"}); code != "not_found" {
		t.Errorf("no such ticket: %s", code)
	}
	for number, code := range map[string]string{
		"+79161234567": "", "+442079460000": "", "8 916 123-45-67": "", // good ones
		"+78091234567": "number_refused", "+449098790123": "number_refused", // premium rate
		"+882161234567": "number_refused", "+870773111632": "number_refused", "+97912345678": "invalid", // worldwide networks
		"+5352123456": "number_refused", // another country
		"112":         "invalid", "": "invalid", "+": "invalid", "sip:+79161234567@evil.example": "invalid", "tel:+79161234567": "", "+7916123456;x": "invalid", "0079161234567": "invalid",
		"+74950000000": "own_number",
	} {
		if got := s.policyOf(ctx, "lead1", number); got != code {
			t.Errorf("%q: %q, want %q", number, got, code)
		}
	}
	for i, want := range []string{"no_sound", "no_sound", "too_many_calls"} { // lead1's page has no sound: nobody is called
		_, err := s.Dial(ctx, "lead1", tickets.DialRequest{Number: "+79161234567"}, "")
		problem, _ := errors.AsType[*httpapi.Problem](err)
		if (err == nil) != (want == "no_sound") || err != nil && problem.Code != want {
			t.Errorf("call %d: %v, want %s", i, err, want)
		}
		s.out.wg.Wait()
	}
	select {
	case c := <-p.Incoming():
		user, _ := c.Caller()
		t.Fatalf("a call went out, from %s", user)
	default:
	}
}

// policyOf is what becomes of a number typed by somebody who may: the code of the refusal, empty: it may be called.
func (s *system) policyOf(ctx context.Context, login, number string) string {
	s.t.Helper()
	actor, err := s.tickets.Actor(ctx, login)
	s.ok(err)
	target, err := s.tickets.DialTarget(ctx, actor, tickets.DialRequest{Number: number})
	if e, ok := errors.AsType[*tickets.Error](err); ok {
		return string(e.Code)
	}
	s.ok(err)
	_, err = s.outbound(target.Number)
	if r, ok := errors.AsType[*dialRefusal](refuseDial(err)); err != nil && ok {
		return r.code
	}
	s.ok(err)
	return ""
}

// An agent with a desk phone: it rings first, then the customer is called.
func TestCallOutFromDeskPhone(t *testing.T) {
	s := start(t)
	ctx := s.ctx(60 * time.Second)
	provider := s.provider(ctx)
	_, password, err := s.auth.NewSIPPassword(ctx, nil, "desk1")
	s.ok(err)
	desk, err := telephonytest.NewPhone(telephonytest.PhoneConfig{User: "desk1", Password: password, Server: s.SIPAddr().String()})
	s.ok(err)
	t.Cleanup(desk.Close)
	s.ok(desk.Register(ctx, "127.0.0.1", 60))
	s.agentIs(ctx, "desk1", queue.Available)
	ticket, number := s.demoTicket(ctx)
	done, err := s.Dial(ctx, "desk1", tickets.DialRequest{Ticket: ticket}, "")
	s.ok(err)
	if done.Number != number || done.Ticket != ticket || done.Name == "" {
		t.Errorf("answer: %+v", done)
	}
	mine := s.incoming(ctx, desk)
	if user, _ := mine.Caller(); user != number {
		t.Errorf("the desk phone shows %q, not the customer", user)
	}
	mine.Tone(440)
	s.ok(mine.Answer())
	out := s.incoming(ctx, provider)
	s.ok(mine.Hears(ctx, []float64{425}, nil))
	out.Tone(1000)
	s.ok(out.Answer())
	s.ok(out.Hears(ctx, []float64{440}, nil))
	s.ok(mine.Hears(ctx, []float64{1000}, nil))
	mine.Hangup()
	<-out.Done()
	s.eventually(ctx, "the ticket", func() bool { return s.entry(ctx, done.Call) == "A1 confirmed out answered "+ticket })
	// On hook while it rings: the customer's telephone stops ringing.
	s.ok(s.engine.WrapUpDone(ctx, "desk1"))
	done, err = s.Dial(ctx, "desk1", tickets.DialRequest{Ticket: ticket}, "")
	s.ok(err)
	mine = s.incoming(ctx, desk)
	s.ok(mine.Answer())
	out = s.incoming(ctx, provider)
	mine.Hangup()
	<-out.Done()
	s.eventually(ctx, "the try", func() bool { return s.entry(ctx, done.Call) == "A15 confirmed out no_answer "+ticket })
	s.agentIs(ctx, "desk1", queue.Available)
}

// The page is lost in the middle: the customer, whom we called, goes to the queue and gets another agent.
func TestCallOutOfALostPage(t *testing.T) {
	s := start(t, func(c *config.Config) { c.ReattachGrace = 2 * time.Second })
	ctx := s.ctx(90 * time.Second)
	p := s.provider(ctx)
	a := s.agent(ctx, "agent1", 440)
	ticket, _ := s.demoTicket(ctx)
	call := s.press(ctx, a, map[string]any{"ticket": ticket, "queue": "support"})
	out := s.incoming(ctx, p)
	out.Tone(1000)
	s.ok(out.Answer())
	s.ok(out.Hears(ctx, []float64{440}, nil))
	b := s.agent(ctx, "agent2", 700)
	a.Vanish()
	s.ok(out.Hears(ctx, []float64{320}, []float64{440})) // the comfort tone
	again, _, err := b.WaitOffer(ctx)
	s.ok(err)
	if again != call {
		t.Fatalf("another call: %s", again)
	}
	s.ok(b.Answer(ctx, again))
	s.ok(out.Hears(ctx, []float64{700}, nil))
	out.Hangup()
	s.eventually(ctx, "one entry", func() bool { return s.entry(ctx, call) == "A1 confirmed out answered "+ticket })
}

// The server stops while a number rings: the customer's telephone stops too, and the journal has the end.
func TestStopWhileDialling(t *testing.T) {
	s := start(t)
	ctx := s.ctx(60 * time.Second)
	p := s.provider(ctx)
	a := s.agent(ctx, "agent1", 440)
	ticket, _ := s.demoTicket(ctx)
	s.press(ctx, a, map[string]any{"ticket": ticket})
	out := s.incoming(ctx, p)
	now, cancel := context.WithCancel(ctx)
	cancel()
	s.ok(s.Stop(now))
	<-out.Done()
	if n := len(s.calls.list()); n != 0 {
		t.Fatalf("%d calls left", n)
	}
}
