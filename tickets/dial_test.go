package tickets

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Who may call which number: those of the matter at hand; any other needs the permission; what is not seen is not there.
func TestDialTarget(t *testing.T) {
	f := newFix(t)
	ivans := f.ticket(f.ivan, f.support, catOpen, time.Hour)
	secret := f.ticket(f.petr, f.experts, catOpen, time.Hour)
	nobody := f.ticket(0, f.support, catOpen, time.Hour)
	f.now = f.now.Add(time.Minute)
	missed := f.ended(f.call(f.newPhone, abandoned(30*time.Second), func(c *CallFacts) { c.Team = "Support" }))
	talk := f.call(f.petrPhone, answeredBy("anna", time.Minute))
	f.both(talk)
	hidden := f.call("", answeredBy("anna", time.Minute), func(c *CallFacts) { c.Party.Withheld = true })
	f.both(hidden)
	f.exec(`UPDATE call SET withheld = true WHERE call_key = $1`, hidden.Key)
	mail := f.id(`INSERT INTO contact (name) VALUES ('Mail only') RETURNING id`)
	f.exec(`INSERT INTO contact_point (contact_id, kind, value_norm, value_raw, source) VALUES ($1, 'email', 'm@example.com', 'm@example.com', 'agent')`, mail)
	tests := []struct {
		name   string
		who    Actor
		req    DialRequest
		number string
		code   Code
	}{
		{"ticket", f.anna, DialRequest{Ticket: ivans.Number}, f.ivanPhone, ""},
		{"ticket, number of its contact as people write it", f.anna, DialRequest{Ticket: ivans.Number, Number: "8 (916) 123-45-67"}, f.ivanPhone, ""},
		{"ticket, number of its organisation", f.anna, DialRequest{Ticket: ivans.Number, Number: f.acmeMain}, f.acmeMain, ""},
		{"ticket, foreign number", f.anna, DialRequest{Ticket: ivans.Number, Number: f.petrPhone}, "", CodeForbidden},
		{"ticket, foreign number, supervisor", f.lead, DialRequest{Ticket: ivans.Number, Number: f.petrPhone}, f.petrPhone, ""},
		{"missed-call ticket", f.anna, DialRequest{Ticket: missed.Ticket.Number}, f.newPhone, ""},
		{"ticket not seen", f.anna, DialRequest{Ticket: secret.Number}, "", CodeNotFound},
		{"no such ticket", f.anna, DialRequest{Ticket: "1"}, "", CodeNotFound},
		{"ticket without a number", f.anna, DialRequest{Ticket: nobody.Number}, "", CodeInvalid},
		{"contact", f.anna, DialRequest{Contact: f.petr}, f.petrPhone, ""},
		{"contact without a phone", f.anna, DialRequest{Contact: mail}, "", CodeInvalid},
		{"contact, foreign number", f.anna, DialRequest{Contact: f.petr, Number: f.ivanPhone}, "", CodeForbidden},
		{"no such contact", f.anna, DialRequest{Contact: 999999}, "", CodeNotFound},
		{"call", f.anna, DialRequest{Call: talk.Key}, f.petrPhone, ""},
		{"call not seen", f.boris, DialRequest{Call: talk.Key}, "", CodeNotFound},
		{"call with a withheld number", f.anna, DialRequest{Call: hidden.Key}, "", CodeInvalid},
		{"callback", f.anna, DialRequest{Callback: missed.CallbackID}, f.newPhone, ""},
		{"callback, another number, even for a supervisor", f.lead, DialRequest{Callback: missed.CallbackID, Number: f.petrPhone}, "", CodeForbidden},
		{"callback not seen", f.boris, DialRequest{Callback: missed.CallbackID}, "", CodeNotFound},
		{"typed", f.anna, DialRequest{Number: f.petrPhone}, "", CodeForbidden},
		{"typed by a supervisor", f.lead, DialRequest{Number: "8 903 111 22 33"}, f.petrPhone, ""},
		{"short number", f.lead, DialRequest{Number: "112"}, "", CodeInvalid},
		{"letters", f.lead, DialRequest{Number: "+7916123456x"}, "", CodeInvalid},
		{"SIP address", f.lead, DialRequest{Number: "sip:1@example.com"}, "", CodeInvalid},
		{"nothing", f.lead, DialRequest{}, "", CodeInvalid},
		{"two matters", f.lead, DialRequest{Ticket: ivans.Number, Contact: f.ivan}, "", CodeInvalid},
	}
	for _, tt := range tests {
		got, err := f.s.DialTarget(t.Context(), tt.who, tt.req)
		e, _ := errors.AsType[*Error](err)
		switch {
		case tt.code == "" && (err != nil || got.Number != tt.number):
			t.Errorf("%s: %q, %v", tt.name, got.Number, err)
		case tt.code != "" && (e == nil || e.Code != tt.code):
			t.Errorf("%s: %q, %v, want %s", tt.name, got.Number, err, tt.code)
		}
	}
	got, err := f.s.DialTarget(t.Context(), f.anna, DialRequest{Ticket: ivans.Number})
	if err != nil || got.Ticket == nil || got.Ticket.Number != ivans.Number || got.Team != "Support" || got.Name != "Ivan" {
		t.Errorf("target: %+v %v", got, err)
	}
	if got, err = f.s.DialTarget(t.Context(), f.anna, DialRequest{Callback: missed.CallbackID}); err != nil || got.Ticket == nil || got.Ticket.Number != missed.Ticket.Number || got.Callback == 0 {
		t.Errorf("target of a callback: %+v %v", got, err)
	}
}

// A callback is taken by one, waits again with one attempt more when nobody was reached, and is done after a talk.
func TestCallbackIsTakenByOne(t *testing.T) {
	f := newFix(t)
	missed := f.ended(f.call(f.petrPhone, abandoned(30*time.Second)))
	take := func(a Actor, call string) error {
		return f.try(func(ctx context.Context, tx pgx.Tx) error {
			return f.s.TakeCallback(ctx, tx, a, missed.CallbackID, call)
		})
	}
	row := func(want string) {
		t.Helper()
		got := one[string](f, `SELECT concat_ws(' ', state, attempts, coalesce(taken_call, '-'), coalesce(finished_call_id::text, '-'), coalesce(finished_by::text, '-')) FROM callback_request`)
		if got != want {
			t.Fatalf("callback: %s, want %s", got, want)
		}
	}
	out := func(change ...func(*CallFacts)) CallFacts {
		f.now = f.now.Add(time.Minute)
		return f.call(f.petrPhone, append([]func(*CallFacts){func(c *CallFacts) {
			c.Direction, c.Agent, c.FromTicket, c.FromCallback, c.Dialled, c.Party.Trust = "out", "anna", missed.Ticket.Number, missed.CallbackID, true, ""
			c.EndedAt, c.Disposition = c.StartedAt.Add(30*time.Second), "no_answer"
		}}, change...)...)
	}
	c := out()
	f.must(take(f.anna, c.Key))
	row("dialing 0 " + c.Key + " - -")
	err := take(f.lead, "other")
	if e, _ := errors.AsType[*Error](err); e == nil || e.Code != CodeConflict {
		t.Fatalf("taken twice: %v", err)
	}
	_, err = f.s.DialTarget(t.Context(), f.lead, DialRequest{Callback: missed.CallbackID})
	if e, _ := errors.AsType[*Error](err); e == nil || e.Code != CodeConflict || e.Message != "anna is calling this number already" {
		t.Fatalf("dialled by somebody else: %v", err)
	}
	page, err := f.s.ListCallbacks(t.Context(), f.lead, CallbackFilter{State: "open"})
	if err != nil || len(page.Data) != 1 || page.Data[0].TakenBy == nil || page.Data[0].TakenBy.Login != "anna" {
		t.Fatalf("list: %+v %v", page.Data, err)
	}
	if l := f.ended(c); l.Rule != "A15" || l.Ticket == nil || l.Ticket.Number != missed.Ticket.Number {
		t.Fatalf("not answered: %+v", l)
	}
	row("waiting 1 - - -")
	f.ended(c) // told again
	row("waiting 1 - - -")
	// Broken off before the customer's number was called: no attempt, nothing in the ticket.
	c = out(func(c *CallFacts) { c.Dialled, c.FromTicket, c.Disposition = false, "", "failed" })
	f.must(take(f.anna, c.Key))
	if l := f.ended(c); l.Ticket != nil {
		t.Fatalf("broken off: %+v", l)
	}
	row("waiting 1 - - -")
	// A few words are no talk: the customer still waits. Another agent's call does not settle it.
	c = out(answeredBy("anna", 5*time.Second))
	f.must(take(f.anna, c.Key))
	f.ended(out())
	row("dialing 1 " + c.Key + " - -")
	f.both(c)
	row("waiting 2 - - -")
	c = out(answeredBy("anna", 20*time.Second))
	f.must(take(f.anna, c.Key))
	l := f.both(c)
	row(fmt.Sprintf("done 3 - %d %d", l.CallID, f.anna.AgentID))
	if err := take(f.anna, "again"); err == nil {
		t.Fatal("a callback that is over was taken")
	}
}
