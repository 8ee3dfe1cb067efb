package tickets

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// op runs one change of a link as an actor.
func (f *fix) op(do func(ctx context.Context, tx pgx.Tx) (Call, error)) (c Call, err error) {
	err = f.try(func(ctx context.Context, tx pgx.Tx) error { c, err = do(ctx, tx); return err })
	return c, err
}

func (f *fix) link(a Actor, call string, ch LinkChoice) (Call, error) {
	return f.op(func(ctx context.Context, tx pgx.Tx) (Call, error) { return f.s.LinkCall(ctx, tx, a, call, ch) })
}

func (f *fix) move(a Actor, call, ticket string) (Call, error) {
	return f.op(func(ctx context.Context, tx pgx.Tx) (Call, error) { return f.s.MoveCall(ctx, tx, a, call, ticket) })
}

func (f *fix) undo(a Actor, call string) (Call, error) {
	return f.op(func(ctx context.Context, tx pgx.Tx) (Call, error) { return f.s.UndoLink(ctx, tx, a, call) })
}

// entries counts a ticket's living call entries and its time.
func (f *fix) entries(number string) (n, seconds int64) {
	f.t.Helper()
	id := f.get(number).ID
	return f.id(`SELECT count(*) FROM message WHERE ticket_id = $1 AND kind = 'call' AND deleted_at IS NULL`, id),
		f.id(`SELECT coalesce(sum(seconds), 0) FROM time_entry WHERE ticket_id = $1`, id)
}

func (f *fix) hasEvent(number, typ string) bool {
	f.t.Helper()
	return f.id(`SELECT count(*) FROM ticket_event WHERE ticket_id = $1 AND type = $2`, f.get(number).ID, typ) > 0
}

func TestMoveSplitUnlinkUndo(t *testing.T) {
	f := newFix(t)
	other := f.ticket(f.petr, f.support, catWaitingCustomer, time.Hour)
	c := f.call(f.newPhone, answeredBy("anna", time.Minute), func(c *CallFacts) { c.Note = "hello" })
	own := f.both(c).Ticket.Number

	got, err := f.move(f.anna, c.Key, other.Number)
	f.must(err)
	if got.Link.Ticket == nil || got.Link.Ticket.Number != other.Number || got.Link.Rule != ruleAgent || got.Link.By != "anna" || !got.Link.CanUndo {
		t.Errorf("moved: %+v", got.Link)
	}
	if n, s := f.entries(other.Number); n != 1 || s != 60 {
		t.Errorf("target has %d entries, %d s", n, s)
	}
	if n, s := f.entries(own); n != 0 || s != 0 {
		t.Errorf("source has %d entries, %d s", n, s)
	}
	if !f.hasEvent(own, "call_moved_out") || !f.hasEvent(other.Number, "call_attached") {
		t.Error("no events on both tickets")
	}
	if f.get(other.Number).Status.Category != catOpen {
		t.Error("the customer's call did not open the waiting ticket")
	}
	if rule := one[string](f, `SELECT old->>'rule' FROM call_link_event WHERE op = 'move'`); rule != "A9" {
		t.Errorf("the old reason is lost: %q", rule)
	}

	got, err = f.undo(f.anna, c.Key)
	f.must(err)
	if got.Link.Ticket.Number != own || got.Link.Rule != "A9" || got.Link.CanUndo {
		t.Errorf("undone: %+v", got.Link)
	}
	if n, s := f.entries(own); n != 1 || s != 60 {
		t.Errorf("after undo: %d entries, %d s", n, s)
	}
	if _, err = f.undo(f.anna, c.Key); !errors.Is(err, ErrConflict) {
		t.Errorf("nothing to undo: %v", err)
	}

	got, err = f.op(func(ctx context.Context, tx pgx.Tx) (Call, error) {
		return f.s.SplitCall(ctx, tx, f.anna, c.Key, "Second topic")
	})
	f.must(err)
	split := got.Link.Ticket.Number
	if split == own || f.id(`SELECT count(*) FROM ticket_link WHERE kind = 'split_from'`) != 1 {
		t.Errorf("split: %+v", got.Link)
	}
	if _, err = f.undo(f.anna, c.Key); err != nil {
		t.Fatal(err)
	}
	if st := f.get(split).Status.Category; st != catMerged {
		t.Errorf("the emptied ticket is %s", st)
	}
	if tf, err := readTicketFact(context.Background(), f.pool, split, f.now); err != nil || tf.ID != f.get(own).ID {
		t.Errorf("its number leads to %+v, %v", tf, err)
	}

	got, err = f.op(func(ctx context.Context, tx pgx.Tx) (Call, error) { return f.s.UnlinkCall(ctx, tx, f.anna, c.Key) })
	f.must(err)
	if got.Link.State != linkOpen || got.Link.Ticket != nil {
		t.Errorf("unlinked: %+v", got.Link)
	}
	if n, s := f.entries(own); n != 0 || s != 0 {
		t.Errorf("unlinked ticket has %d entries, %d s", n, s)
	}
	page, err := f.s.ListCalls(context.Background(), f.anna, CallFilter{State: "unlinked"})
	f.must(err)
	if len(page.Data) != 0 { // the journal has not closed its row: still a live call
		t.Errorf("%d unlinked calls", len(page.Data))
	}
	f.exec(`UPDATE call SET state = 'ended', ended_at = $2, end_result = 'success' WHERE call_key = $1`, c.Key, c.EndedAt)
	if page, err = f.s.ListCalls(context.Background(), f.anna, CallFilter{State: "unlinked"}); err != nil || len(page.Data) != 1 {
		t.Errorf("unlinked calls: %+v %v", page, err)
	}
	// Told again after all that: a person's choice stays.
	if l := f.ended(c); l.State != linkOpen {
		t.Errorf("the rule overruled a person: %+v", l)
	}
	got, err = f.link(f.anna, c.Key, LinkChoice{New: &LinkNew{Title: "Fresh start"}})
	f.must(err)
	if n, s := f.entries(got.Link.Ticket.Number); n != 1 || s != 60 {
		t.Errorf("linked again: %d entries, %d s", n, s)
	}
	if got, err = f.link(f.anna, c.Key, LinkChoice{None: &LinkNone{Reason: "wrong number"}}); err != nil || got.Link.State != linkNone {
		t.Errorf("none: %+v %v", got.Link, err)
	}
}

func TestConfirmAndPick(t *testing.T) {
	f := newFix(t)
	open := f.ticket(f.ivan, f.support, catOpen, time.Hour)
	c := f.call(f.ivanPhone, answeredBy("anna", time.Minute), claimedCall)
	f.both(c)
	got, err := f.op(func(ctx context.Context, tx pgx.Tx) (Call, error) { return f.s.ConfirmLink(ctx, tx, f.anna, c.Key) })
	f.must(err)
	if got.Link.State != linkConfirmed || got.Link.Ticket.Number != open.Number {
		t.Errorf("confirmed: %+v", got.Link)
	}
	if n, s := f.entries(open.Number); n != 1 || s != 60 {
		t.Errorf("%d entries, %d s", n, s)
	}
	if trust := one[string](f, `SELECT trust FROM call_link WHERE call_id = $1`, got.ID); trust != TrustVerified {
		t.Errorf("trust after the agent's confirmation: %s", trust)
	}

	// L11, "this is Petr": the bare contact goes into him, the number is his.
	c = f.call(f.newPhone, answeredBy("anna", time.Minute))
	l := f.both(c)
	got, err = f.link(f.anna, c.Key, LinkChoice{ContactID: f.petr})
	f.must(err)
	if got.Contact == nil || got.Contact.ID != f.petr {
		t.Errorf("picked: %+v", got.Contact)
	}
	if tk := f.get(l.Ticket.Number); tk.Contact == nil || tk.Contact.ID != f.petr || len(tk.Contact.Points) != 2 {
		t.Errorf("ticket's contact: %+v", tk.Contact)
	}
	who, err := f.s.Lookup(context.Background(), CallParty{Raw: f.newPhone, Trust: TrustAsserted})
	f.must(err)
	if who.Rule != "L4" || who.Contact.ID != f.petr {
		t.Errorf("look-up after learning: %+v", who)
	}

	// L6: two people of a switchboard; a ticket of nobody gets its customer, the number stays shared.
	c = f.call(f.acmeMain, answeredBy("anna", time.Minute))
	if l = f.both(c); l.MatchRule != "L6" || l.ContactID != 0 || l.OrgID != f.acme {
		t.Fatalf("L6: %+v", l)
	}
	_, err = f.link(f.anna, c.Key, LinkChoice{ContactID: f.maria})
	f.must(err)
	if tk := f.get(l.Ticket.Number); tk.Contact == nil || tk.Contact.ID != f.maria || tk.Org == nil || tk.Org.ID != f.acme {
		t.Errorf("ticket of the switchboard: %+v", tk)
	}
	if who, err = f.s.Lookup(context.Background(), CallParty{Raw: f.acmeMain, Trust: TrustAsserted}); err != nil || who.Rule != "L6" || who.Contacts[0].ID != f.maria {
		t.Errorf("switchboard after a call: %+v %v", who, err)
	}
	cs, err := f.s.CandidatesFor(context.Background(), f.anna, f.maria)
	if err != nil || len(cs) != 1 || cs[0].Key != 1 {
		t.Errorf("candidates of the picked person: %+v %v", cs, err)
	}
}

// A number becomes shared by itself after two people of one organisation were picked for it on three calls.
func TestNumberBecomesShared(t *testing.T) {
	f := newFix(t)
	for i, who := range []int64{f.ivan, f.maria, f.maria} {
		c := f.call(f.ivanPhone, answeredBy("anna", time.Minute))
		f.both(c)
		if _, err := f.link(f.anna, c.Key, LinkChoice{ContactID: who}); err != nil {
			t.Fatal(err)
		}
		got, err := f.s.Lookup(context.Background(), CallParty{Raw: f.ivanPhone, Trust: TrustAsserted})
		f.must(err)
		if want := []string{"L4", "L4", "L6"}[i]; got.Rule != want {
			t.Errorf("after call %d: %s, want %s", i+1, got.Rule, want)
		}
	}
}

// The agent answers the card before the engine was told of the answer: the choice stays, the answer is added.
func TestLinkBeforeAnswerIsTold(t *testing.T) {
	f := newFix(t)
	tk := f.ticket(f.petr, f.support, catNew, time.Hour)
	c := f.call(f.petrPhone, answeredBy("anna", time.Minute))
	f.exec(`INSERT INTO call_leg (call_id, leg_key, role, agent_id, started_at) SELECT id, 'L2', 'agent', $2, started_at FROM call WHERE call_key = $1`, c.Key, f.anna.AgentID)
	if _, err := f.link(f.boris, c.Key, LinkChoice{Ticket: tk.Number}); !errors.Is(err, ErrNotFound) {
		t.Errorf("a stranger: %v", err)
	}
	got, err := f.link(f.anna, c.Key, LinkChoice{Ticket: tk.Number})
	f.must(err)
	if got.Link.State != linkConfirmed || got.Link.Rule != ruleAgent || got.Contact.ID != f.petr {
		t.Errorf("early: %+v", got.Link)
	}
	if st := f.get(tk.Number).Status.Category; st != catNew {
		t.Errorf("nobody answered yet, but the ticket is %s", st)
	}
	if l := f.answered(c); l.Rule != ruleAgent || l.Ticket.Number != tk.Number {
		t.Errorf("answer told: %+v", l)
	}
	if st := f.get(tk.Number); st.Status.Category != catOpen || st.Assignee == nil {
		t.Errorf("after the answer: %+v", st)
	}
	f.ended(c)
	if n, s := f.entries(tk.Number); n != 1 || s != 60 {
		t.Errorf("%d entries, %d s", n, s)
	}
}

func TestLinkRights(t *testing.T) {
	f := newFix(t)
	hidden := f.ticket(f.petr, f.experts, catOpen, time.Hour)
	c := f.call(f.newPhone, answeredBy("anna", time.Minute))
	f.both(c)
	if _, err := f.move(f.anna, c.Key, hidden.Number); codeOf(err) != CodeInvalid {
		t.Errorf("moved into a ticket the agent does not see: %v", err)
	}
	if _, err := f.move(f.boris, c.Key, hidden.Number); !errors.Is(err, ErrNotFound) {
		t.Errorf("a call of another team: %v", err)
	}
	f.exec(`INSERT INTO team_member VALUES ($1, $2, 'read')`, f.support, f.boris.AgentID)
	reader := f.actor("boris")
	if _, err := f.move(reader, c.Key, hidden.Number); !errors.Is(err, ErrForbidden) {
		t.Errorf("read access: %v", err)
	}
	if _, err := f.move(f.lead, c.Key, hidden.Number); err != nil {
		t.Errorf("supervisor: %v", err)
	}
	if _, err := f.link(f.anna, c.Key, LinkChoice{}); codeOf(err) != CodeInvalid {
		t.Errorf("an empty choice: %v", err)
	}
	old := f.ticket(f.petr, f.support, catClosed, 60*24*time.Hour)
	if _, err := f.move(f.lead, c.Key, old.Number); codeOf(err) != CodeConflict {
		t.Errorf("into a ticket closed long ago: %v", err)
	}
}

// codeOf is the class of an error, empty for none or an internal one.
func codeOf(err error) Code {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return ""
}
