package tickets

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

func ptr[T any](v T) *T { return &v }

// write runs a change of a ticket.
func (f *fix) write(do func(ctx context.Context, tx pgx.Tx) (Ticket, error)) (t Ticket, err error) {
	err = f.try(func(ctx context.Context, tx pgx.Tx) error { t, err = do(ctx, tx); return err })
	return t, err
}

func (f *fix) create(a Actor, n NewTicket) (Ticket, error) {
	return f.write(func(ctx context.Context, tx pgx.Tx) (Ticket, error) { return f.s.CreateTicket(ctx, tx, a, n) })
}

func (f *fix) patch(a Actor, number string, version int, p TicketPatch) (Ticket, error) {
	return f.write(func(ctx context.Context, tx pgx.Tx) (Ticket, error) {
		return f.s.PatchTicket(ctx, tx, a, number, version, p)
	})
}

func (f *fix) say(a Actor, number, kind, body string, seen int64) (it TimelineItem, err error) {
	err = f.try(func(ctx context.Context, tx pgx.Tx) error {
		it, err = f.s.AddMessage(ctx, tx, a, number, NewMessage{Kind: kind, Body: body, LastSeenMessageID: seen})
		return err
	})
	return it, err
}

func TestCreateTicket(t *testing.T) {
	f := newFix(t)
	tk, err := f.create(f.anna, NewTicket{Title: " No sound ", Phone: "8 916 123-45-67", Body: "Tried another headset"})
	f.must(err)
	if tk.Title != "No sound" || tk.Contact.ID != f.ivan || tk.Org.ID != f.acme || tk.Team.ID != f.support || tk.Status.Category != catNew || tk.Preview != "Tried another headset" {
		t.Errorf("%+v", tk)
	}
	if n, ok := ParseTicketNumber(tk.Number); !ok || n != tk.Number {
		t.Errorf("number %q", tk.Number)
	}
	for _, spelling := range []string{"#" + tk.Number, tk.Number[:2] + " " + tk.Number[2:4] + "-" + tk.Number[4:]} {
		if got, err := f.s.GetTicket(context.Background(), f.anna, spelling); err != nil || got.Number != tk.Number {
			t.Errorf("%q: %v %v", spelling, got.Number, err)
		}
	}
	if tk, err = f.create(f.anna, NewTicket{Title: "x", Phone: f.newPhone, Assignee: "boris", Team: "Experts"}); err != nil || tk.Status.Category != catOpen || tk.Contact == nil || tk.Contact.Name != "" {
		t.Errorf("new number: %+v %v", tk, err)
	}
	if tk, err = f.create(f.anna, NewTicket{Title: "x", Phone: f.acmeMain}); err != nil || tk.Contact != nil || tk.Org == nil {
		t.Errorf("switchboard: %+v %v", tk, err)
	}
	for field, n := range map[string]NewTicket{
		"title": {Title: " "}, "kind": {Title: "x", Kind: "no"}, "severity": {Title: "x", Severity: 6}, "team": {Title: "x", Team: "nope"},
		"phone": {Title: "x", Phone: "abc"}, "contact_id": {Title: "x", ContactID: 999999}, "org_id": {Title: "x", OrgID: 999999}, "assignee": {Title: "x", Assignee: "nobody"},
	} {
		_, err := f.create(f.anna, n)
		if e, ok := errors.AsType[*Error](err); !ok || e.Code != CodeInvalid || e.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
}

func TestPatchMergesAndCollides(t *testing.T) {
	f := newFix(t)
	base, err := f.create(f.anna, NewTicket{Title: "First", ContactID: f.petr})
	f.must(err)
	// Different fields on the same base merge.
	_, err = f.patch(f.anna, base.Number, base.Version, TicketPatch{Title: ptr("Second")})
	f.must(err)
	got, err := f.patch(f.lead, base.Number, base.Version, TicketPatch{Severity: ptr(1)})
	f.must(err)
	if got.Title != "Second" || got.Severity != 1 || got.Version != base.Version+2 {
		t.Errorf("merged: %+v", got)
	}
	// The same field on the old base collides, with both values; the same value does not.
	_, err = f.patch(f.lead, base.Number, base.Version, TicketPatch{Title: ptr("Third"), Kind: ptr("task")})
	e, ok := errors.AsType[*Error](err)
	if !ok || e.Code != CodeConflict || e.Field != "title" {
		t.Fatalf("collision: %v", err)
	}
	if d := e.Detail.([]Collision); len(d) != 1 || d[0].Yours != "Third" || d[0].Theirs != "Second" {
		t.Errorf("detail %+v", d)
	}
	if f.get(base.Number).Kind != "question" {
		t.Error("half of a colliding patch was written")
	}
	if _, err = f.patch(f.lead, base.Number, base.Version, TicketPatch{Title: ptr("Second")}); err != nil {
		t.Errorf("same value: %v", err)
	}
	if _, err = f.patch(f.lead, base.Number, 99, TicketPatch{Title: ptr("x")}); codeOf(err) != CodePrecondition {
		t.Errorf("unknown version: %v", err)
	}
	// Contact brings the organisation; the former requester stays in copy.
	got, err = f.patch(f.anna, base.Number, 0, TicketPatch{ContactID: ptr(f.ivan)})
	f.must(err)
	if got.Contact.ID != f.ivan || got.Org.ID != f.acme {
		t.Errorf("contact: %+v", got)
	}
	if role := one[string](f, `SELECT role FROM ticket_participant WHERE ticket_id = $1 AND contact_id = $2`, got.ID, f.petr); role != "cc" {
		t.Errorf("former requester is %s", role)
	}
	// Escalation: line visit, assignee of the old team stays as a follower and still sees it.
	got, err = f.patch(f.anna, base.Number, 0, TicketPatch{Assignee: ptr("anna")})
	f.must(err)
	got, err = f.patch(f.anna, base.Number, 0, TicketPatch{Team: ptr("Experts")})
	f.must(err)
	if got.Team.Line != 2 || got.Assignee != nil {
		t.Errorf("escalated: %+v", got)
	}
	if exit := one[string](f, `SELECT exit FROM line_visit WHERE ticket_id = $1 AND line = 1`, got.ID); exit != "escalated" {
		t.Errorf("exit %s", exit)
	}
	if _, err = f.s.GetTicket(context.Background(), f.anna, base.Number); err != nil {
		t.Errorf("the follower lost the ticket: %v", err)
	}
	if _, err = f.patch(f.anna, base.Number, 0, TicketPatch{Title: ptr("x")}); !errors.Is(err, ErrForbidden) {
		t.Errorf("a follower edits: %v", err)
	}
}

func TestMessagesAndStatus(t *testing.T) {
	f := newFix(t)
	tk, err := f.create(f.anna, NewTicket{Title: "x", ContactID: f.petr, Kind: "problem"})
	f.must(err)
	note, err := f.say(f.anna, tk.Number, "note", "internal", 0)
	f.must(err)
	if note.Visibility != "internal" || note.Author.Login != "anna" || f.get(tk.Number).Status.Category != catNew {
		t.Errorf("note: %+v", note)
	}
	r1, err := f.say(f.anna, tk.Number, "reply", "Try this", note.MessageID)
	f.must(err)
	if got := f.get(tk.Number); got.Status.Category != catOpen || got.Assignee.Login != "anna" {
		t.Errorf("after the reply: %+v", got)
	}
	// Lead has not seen anna's reply: conflict that carries it; knowingly it goes through.
	_, err = f.say(f.lead, tk.Number, "reply", "Or that", note.MessageID)
	e, ok := errors.AsType[*Error](err)
	if !ok || e.Code != CodeConflict || e.Detail.(TimelineItem).MessageID != r1.MessageID {
		t.Fatalf("collision: %v", err)
	}
	_, err = f.say(f.lead, tk.Number, "reply", "Or that", r1.MessageID)
	f.must(err)

	solve := func(s Solution) (Ticket, error) {
		return f.write(func(ctx context.Context, tx pgx.Tx) (Ticket, error) { return f.s.Solve(ctx, tx, f.anna, tk.Number, s) })
	}
	reopen := func() (Ticket, error) {
		return f.write(func(ctx context.Context, tx pgx.Tx) (Ticket, error) { return f.s.Reopen(ctx, tx, f.anna, tk.Number) })
	}
	if _, err = solve(Solution{}); codeOf(err) != CodeInvalid {
		t.Errorf("no resolution: %v", err)
	}
	if _, err = solve(Solution{Resolution: "fixed"}); codeOf(err) != CodeInvalid {
		t.Errorf("a problem without a cause: %v", err)
	}
	got, err := solve(Solution{Resolution: "fixed", RootCause: "defect", Body: "cable"})
	f.must(err)
	if got.Status.Category != catSolved || got.SolvedAt == nil || got.Resolution != "fixed" || got.Preview != "cable" {
		t.Errorf("solved: %+v", got)
	}
	if _, err = solve(Solution{Resolution: "fixed", RootCause: "defect"}); codeOf(err) != CodeConflict {
		t.Errorf("solved twice: %v", err)
	}
	if got, err = reopen(); err != nil || got.Status.Category != catOpen || got.SolvedAt != nil || got.Resolution != "" {
		t.Errorf("reopened: %+v %v", got, err)
	}
	got, err = f.write(func(ctx context.Context, tx pgx.Tx) (Ticket, error) {
		return f.s.Wait(ctx, tx, f.anna, tk.Number, catScheduled, f.now.Add(time.Hour))
	})
	f.must(err)
	if got.Status.Category != catScheduled {
		t.Errorf("scheduled: %+v", got)
	}
	if got, err = f.write(func(ctx context.Context, tx pgx.Tx) (Ticket, error) {
		return f.s.Spam(ctx, tx, f.anna, tk.Number, true)
	}); err != nil || got.Status.Category != catSpam {
		t.Errorf("spam: %+v %v", got, err)
	}
	if _, err = f.say(f.anna, tk.Number, "reply", "x", 0); codeOf(err) != CodeConflict {
		t.Errorf("reply into spam: %v", err)
	}
	if got, err = f.write(func(ctx context.Context, tx pgx.Tx) (Ticket, error) {
		return f.s.Spam(ctx, tx, f.anna, tk.Number, false)
	}); err != nil || got.Status.Category != catOpen {
		t.Errorf("not spam: %+v %v", got, err)
	}
	if n := f.id(`SELECT count(*) FROM line_visit WHERE ticket_id = $1`, got.ID); n != 3 {
		t.Errorf("%d line visits, want 3: made, reopened, not spam", n)
	}
	// A ticket closed long ago cannot be reopened.
	old := f.ticket(f.petr, f.support, catClosed, 90*24*time.Hour)
	_, err = f.write(func(ctx context.Context, tx pgx.Tx) (Ticket, error) { return f.s.Reopen(ctx, tx, f.anna, old.Number) })
	if codeOf(err) != CodeConflict {
		t.Errorf("closed long ago: %v", err)
	}
}

func TestTimelineAndWhy(t *testing.T) {
	f := newFix(t)
	c := f.call(f.newPhone, answeredBy("anna", time.Minute), func(c *CallFacts) { c.Note = "spoken" })
	l := f.both(c)
	f.exec(`INSERT INTO call_leg (call_id, leg_key, role, agent_id, started_at, answered_at) VALUES ($1, 'L1', 'customer', NULL, $3, $3), ($1, 'L2', 'agent', $2, $3, $3)`, l.CallID, f.anna.AgentID, c.AnsweredAt)
	f.exec(`INSERT INTO recording (call_id, state, store_key, duration_ms, channels) VALUES ($1, 'ready', 'x', 60000, 2)`, l.CallID)
	f.exec(`UPDATE call SET menu_path = '[{"node":"main","exit":"1"}]' WHERE id = $1`, l.CallID)
	f.now = f.now.Add(time.Hour)
	_, err := f.say(f.anna, l.Ticket.Number, "note", "later", 0)
	f.must(err)
	var items []TimelineItem
	after := ""
	for range 20 {
		p, err := f.s.Timeline(context.Background(), f.anna, l.Ticket.Number, after, 2)
		f.must(err)
		items = append(items, p.Data...)
		if after = p.Page.Next; after == "" {
			break
		}
	}
	var kinds []string
	for i, it := range items {
		kinds = append(kinds, it.Type)
		if i > 0 && it.At.Before(items[i-1].At) {
			t.Error("out of order")
		}
	}
	if items[0].Type != "call" || items[len(items)-1].Body != "later" || slices.Index(kinds, "event") < 0 {
		t.Fatalf("timeline %v", kinds)
	}
	call := items[0].Call
	if call == nil || len(call.Legs) != 2 || len(call.Agents) != 1 || len(call.Recordings) != 1 || call.MenuPath[0].Node != "main" || call.Link.ReasonText != ReasonText("A9", "en") || items[0].Body != "spoken" {
		t.Errorf("call entry %+v", call)
	}
	why, err := f.s.Why(context.Background(), f.anna, l.Ticket.Number)
	f.must(err)
	if len(why) == 0 || why[0].Rule != "A9" || why[0].ReasonText == "" {
		t.Errorf("why: %+v", why)
	}
	ru := f.anna
	ru.Locale = "ru"
	if got, err := f.s.GetCall(context.Background(), ru, c.Key); err != nil || got.Link.ReasonText != ReasonText("A9", "ru") {
		t.Errorf("Russian reason: %q %v", got.Link.ReasonText, err)
	}
	b, err := json.Marshal(items)
	f.must(err)
	for _, want := range []string{`"menu_path":[{"node":"main","exit":"1"}]`, `"wait_ms":`, `"link":{"rule":"A9","state":"confirmed"`} {
		if !strings.Contains(string(b), want) {
			t.Errorf("JSON lacks %s", want)
		}
	}
	if _, err = f.s.Timeline(context.Background(), f.anna, l.Ticket.Number, "forged", 2); codeOf(err) != CodeInvalid {
		t.Errorf("forged cursor: %v", err)
	}
}
