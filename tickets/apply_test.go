package tickets

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// A talk of a new number in a team that creates by itself: ticket, provisional contact, one entry, time, participant.
func TestAnsweredNewNumber(t *testing.T) {
	f := newFix(t)
	c := f.call(f.newPhone, answeredBy("anna", 90*time.Second), func(c *CallFacts) { c.Note = "wants a new cartridge" })
	l := f.answered(c)
	if l.Rule != "A9" || l.State != linkConfirmed || !l.Created || l.MatchRule != "L11" || l.ContactID == 0 || l.Ticket == nil {
		t.Fatalf("at answer: %+v", l)
	}
	if l.Ticket.Title != "Call from +7 999 000-11-22 10:00" {
		t.Errorf("title %q", l.Ticket.Title)
	}
	f.ended(c)
	tk := f.get(l.Ticket.Number)
	if tk.Status.Category != catOpen || tk.Assignee == nil || tk.Assignee.Login != "anna" || tk.Preview != "wants a new cartridge" || tk.MissedCalls != 0 {
		t.Errorf("ticket: %+v", tk)
	}
	if n := f.id(`SELECT count(*) FROM message WHERE ticket_id = $1 AND kind = 'call' AND counts_as_response`, tk.ID); n != 1 {
		t.Errorf("%d entries", n)
	}
	if sec := f.id(`SELECT seconds FROM time_entry WHERE ticket_id = $1 AND source = 'call'`, tk.ID); sec != 90 {
		t.Errorf("time entry of %d s", sec)
	}
	if n := f.id(`SELECT count(*) FROM ticket_participant WHERE ticket_id = $1 AND agent_id = $2`, tk.ID, f.anna.AgentID); n != 1 {
		t.Error("the agent takes no part")
	}
	if rule := one[string](f, `SELECT cause->>'rule' FROM ticket_event WHERE ticket_id = $1 AND type = 'created'`, tk.ID); rule != "A9" {
		t.Errorf("cause %q", rule)
	}
	if at := one[time.Time](f, `SELECT first_response_at FROM ticket WHERE id = $1`, tk.ID); !at.Equal(c.AnsweredAt) {
		t.Errorf("first response %v", at)
	}
	// The same number again: now known, one fresh ticket of the same team.
	f.now = f.now.Add(time.Hour)
	if l2 := f.both(f.call(f.newPhone, answeredBy("anna", time.Minute))); l2.Rule != "A7" || l2.Ticket.Number != tk.Number || l2.MatchRule != "L4" {
		t.Errorf("second call: %+v", l2)
	}
}

func TestMissedCalls(t *testing.T) {
	f := newFix(t)
	short := f.ended(f.call(f.petrPhone, abandoned(3*time.Second)))
	if short.Rule != "A10" || short.Ticket != nil || short.State != linkNone {
		t.Errorf("short abandon: %+v", short)
	}
	first := f.ended(f.call(f.petrPhone, abandoned(30*time.Second)))
	if first.Rule != "A13" || !first.Created || first.ContactID != f.petr || first.CallbackID == 0 {
		t.Fatalf("first: %+v", first)
	}
	f.now = f.now.Add(10 * time.Minute)
	second := f.ended(f.call(f.petrPhone, abandoned(40*time.Second)))
	if second.Rule != "A11" || second.Ticket.Number != first.Ticket.Number || second.CallbackID != first.CallbackID {
		t.Errorf("second: %+v", second)
	}
	tk := f.get(first.Ticket.Number)
	if tk.MissedCalls != 2 || !slices.Contains(tk.Flags, flagMissed) || tk.Status.Category != catNew {
		t.Errorf("ticket: %+v", tk)
	}
	// Answered: A4, assigned, open; the talk keeps the promise to call back.
	f.now = f.now.Add(10 * time.Minute)
	back := f.both(f.call(f.petrPhone, answeredBy("anna", 20*time.Second)))
	if back.Rule != "A4" || back.Ticket.Number != tk.Number || back.CallbackID != 0 {
		t.Errorf("answered: %+v", back)
	}
	if tk = f.get(tk.Number); tk.Status.Category != catOpen || tk.Assignee == nil || tk.MissedCalls != 2 {
		t.Errorf("after the answer: %+v", tk)
	}
	if state := one[string](f, `SELECT state FROM callback_request`); state != "done" {
		t.Errorf("callback %s", state)
	}
}

func TestMissedWithVoicemailAndCallback(t *testing.T) {
	f := newFix(t)
	vm := f.ended(f.call(f.newPhone, abandoned(30*time.Second), func(c *CallFacts) { c.Disposition, c.VoicemailMS = "voicemail", 12000 }))
	if tk := f.get(vm.Ticket.Number); !slices.Equal(tk.Flags, []string{flagMissed, flagVoicemail}) {
		t.Errorf("flags %v", tk.Flags)
	}
	if rule := one[string](f, `SELECT cause->>'rule' FROM ticket_event WHERE type = 'created'`); rule != "A13 A14" {
		t.Errorf("cause %q", rule)
	}
	other := f.ended(f.call("", func(c *CallFacts) {
		c.Party.Withheld = true
		c.EndedAt, c.Disposition, c.CallbackNumber = c.StartedAt.Add(time.Minute), "callback", "8 (916) 000-11-22"
	}))
	if other.Rule != "A13" || other.ContactID != 0 || other.MatchLevel != levelWithheld {
		t.Errorf("withheld: %+v", other)
	}
	if n := one[string](f, `SELECT number FROM callback_request WHERE id = $1`, other.CallbackID); n != "+79160001122" {
		t.Errorf("callback to %s", n)
	}
	if n := f.id(`SELECT count(*) FROM contact WHERE kind = 'unknown'`); n != 1 {
		t.Errorf("%d provisional contacts, want that of the voicemail only", n)
	}
}

func TestAttachRows(t *testing.T) {
	f := newFix(t)
	waiting := f.ticket(f.ivan, f.support, catWaitingCustomer, time.Hour)
	l := f.both(f.call(f.ivanPhone, answeredBy("anna", time.Minute)))
	if l.Rule != "A6" || l.Ticket.Number != waiting.Number {
		t.Fatalf("A6: %+v", l)
	}
	if got := f.get(waiting.Number); got.Status.Category != catOpen {
		t.Errorf("A6 left the ticket %s", got.Status.Category)
	}
	// A2: keyed number of one's own solved ticket reopens it.
	solved := f.ticket(f.petr, f.experts, catSolved, 24*time.Hour)
	l = f.both(f.call(f.petrPhone, answeredBy("anna", time.Minute), func(c *CallFacts) { c.Party.IVRTicketNumber = solved.Number }))
	if l.Rule != "A2" || l.Ticket.Number != solved.Number || l.MatchRule != "L3" {
		t.Errorf("A2: %+v", l)
	}
	if got := f.get(solved.Number); got.Status.Category != catOpen || got.SolvedAt != nil {
		t.Errorf("A2 did not reopen: %+v", got)
	}
	// A2 beyond the window: a follow-up ticket.
	old := f.ticket(f.petr, f.experts, catClosed, 30*24*time.Hour)
	l = f.both(f.call(f.petrPhone, answeredBy("anna", time.Minute), func(c *CallFacts) { c.Party.IVRTicketNumber = old.Number }))
	if l.Rule != "A2" || !l.Created || f.id(`SELECT count(*) FROM ticket_link WHERE kind = 'follow_up_of' AND to_id = $1`, old.ID) != 1 {
		t.Errorf("A2 beyond the window: %+v", l)
	}
	// A3: somebody else's number is only proposed.
	l = f.both(f.call(f.newPhone, answeredBy("anna", time.Minute), func(c *CallFacts) { c.Party.IVRTicketNumber = waiting.Number }))
	if l.Rule != "A3" || l.State != linkProposed || l.Ticket.Number != waiting.Number {
		t.Errorf("A3: %+v", l)
	}
	if n := f.id(`SELECT count(*) FROM message WHERE call_id = $1`, l.CallID); n != 0 {
		t.Error("A3 wrote into the ticket")
	}
	// A1 and A15, then A5: the customer calls back.
	out := func(c *CallFacts) {
		c.Direction, c.Agent, c.FromTicket, c.Party.Trust = "out", "boris", solved.Number, ""
	}
	l = f.ended(f.call(f.petrPhone, out, func(c *CallFacts) { c.EndedAt, c.Disposition = c.StartedAt.Add(30*time.Second), "no_answer" }))
	if l.Rule != "A15" || l.Ticket.Number != solved.Number || l.Missed {
		t.Errorf("A15: %+v", l)
	}
	f.now = f.now.Add(time.Minute)
	if l = f.both(f.call(f.petrPhone, answeredBy("anna", time.Minute))); l.Rule != "A5" || l.Ticket.Number != solved.Number {
		t.Errorf("A5: %+v", l)
	}
	if l = f.both(f.call(f.petrPhone, out, answeredBy("boris", time.Minute))); l.Rule != "A1" || l.State != linkConfirmed {
		t.Errorf("A1: %+v", l)
	}
	// A8: several candidates are listed, A16 makes a ticket to check.
	f.ticket(f.ivan, f.experts, catOpen, time.Hour)
	c := f.call(f.ivanPhone, answeredBy("anna", time.Minute))
	if l = f.both(c); l.Rule != "A8" || l.State != linkOpen || l.Ticket != nil {
		t.Errorf("A8: %+v", l)
	}
	if l = f.wrapUp(c); l.Rule != "A16" || !l.Created || !slices.Contains(f.get(l.Ticket.Number).Flags, flagCheckLink) {
		t.Errorf("A16: %+v", l)
	}
	// A0a: policy and internal calls.
	f.exec(`INSERT INTO number_policy (prefix, action) VALUES ('+7800', 'no_ticket')`)
	if l = f.both(f.call("88001234567", answeredBy("anna", time.Minute))); l.Rule != "A0a" || l.State != linkNone {
		t.Errorf("A0a policy: %+v", l)
	}
	if l = f.both(f.call("2001", answeredBy("anna", time.Minute))); l.Rule != "A0a" || l.MatchLevel != levelOwn {
		t.Errorf("A0a internal: %+v", l)
	}
	// A8a: a withheld number makes a ticket and no contact.
	if l = f.both(f.call("", answeredBy("anna", time.Minute), func(c *CallFacts) { c.Party.Trust = "" })); l.Rule != "A8a" || l.ContactID != 0 || !l.Created {
		t.Errorf("A8a: %+v", l)
	}
}

func TestAskAndClaimed(t *testing.T) {
	f := newFix(t)
	open := f.ticket(f.ivan, f.support, catOpen, time.Hour)
	// A claimed number proposes; silence makes a ticket of its own, related to the proposed one.
	c := f.call(f.ivanPhone, answeredBy("anna", time.Minute), claimedCall)
	l := f.both(c)
	if l.Rule != "A7" || l.State != linkProposed {
		t.Fatalf("claimed: %+v", l)
	}
	before := f.get(open.Number)
	if before.UpdatedAt != open.UpdatedAt || before.Version != open.Version {
		t.Error("a proposal touched the ticket")
	}
	if l = f.wrapUp(c); !l.Created || l.Ticket.Number == open.Number || !slices.Equal(f.get(l.Ticket.Number).Flags, []string{flagCheckLink, flagUnverified}) {
		t.Errorf("A16 claimed: %+v %v", l, f.get(l.Ticket.Number).Flags)
	}
	if n := f.id(`SELECT count(*) FROM ticket_link WHERE kind = 'relates' AND to_id = $1`, open.ID); n != 1 {
		t.Error("no relation to the proposed ticket")
	}
	// Claimed and missed: a missed-call ticket of its own beside the customer's open one, then it adds up there.
	f.exec(`UPDATE ticket SET status_id = 9 WHERE id <> $1`, open.ID)
	m1 := f.ended(f.call(f.ivanPhone, abandoned(time.Minute), claimedCall))
	m2 := f.ended(f.call(f.ivanPhone, abandoned(time.Minute), claimedCall))
	if m1.Rule != "A12" || m1.Ticket.Number == open.Number || m2.Rule != "A11" || m2.Ticket.Number != m1.Ticket.Number {
		t.Errorf("claimed missed: %+v, %+v", m1, m2)
	}
	// Somebody worked in it: the next claimed call starts another.
	f.tx(func(ctx context.Context, tx pgx.Tx) error {
		row, err := lockTicket(ctx, tx, f.get(m1.Ticket.Number).ID)
		f.must(err)
		_, err = insertMessage(ctx, tx, row, messageInsert{Kind: "note", Direction: "none", Visibility: "internal", AgentID: f.anna.AgentID, Body: "called back", At: f.now})
		return err
	})
	if m3 := f.ended(f.call(f.ivanPhone, abandoned(time.Minute), claimedCall)); m3.Rule != "A12" || m3.Ticket.Number == m1.Ticket.Number {
		t.Errorf("claimed missed after a note: %+v", m3)
	}
	// A team that wants to be asked: trusted proposals are confirmed by silence.
	f.exec(`UPDATE team SET autocreate_policy = 'ask'`)
	f.ticket(f.petr, f.support, catOpen, time.Hour)
	c = f.call(f.petrPhone, answeredBy("anna", time.Minute))
	if l = f.both(c); l.Rule != "A7" || l.State != linkProposed {
		t.Errorf("ask: %+v", l)
	}
	if l = f.wrapUp(c); l.Rule != "A16" || l.State != linkConfirmed || l.Created {
		t.Errorf("A16 ask: %+v", l)
	}
	if n := f.id(`SELECT count(*) FROM time_entry WHERE call_id = $1`, l.CallID); n != 1 {
		t.Error("no time entry after A16")
	}
}

func TestCallWithoutRow(t *testing.T) {
	f := newFix(t)
	c := CallFacts{Key: "nobody wrote me", Direction: "in", StartedAt: f.now, EndedAt: f.now, Disposition: "failed"}
	err := f.try(func(ctx context.Context, tx pgx.Tx) error { _, err := f.s.CallEnded(ctx, tx, c); return err })
	if !errors.Is(err, ErrNoCall) {
		t.Errorf("got %v", err)
	}
}
