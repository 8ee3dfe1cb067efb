package httpapi_test

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"hotline/internal/auth"
	"hotline/internal/httpapi"
	"hotline/tickets"
)

// Objects that tests ask for. owner is the person whose team or tenant they belong to.

// absentTicket is a well-formed number that no ticket has.
var absentTicket = func() string {
	for d := range 10 {
		if n, ok := tickets.ParseTicketNumber(fmt.Sprintf("9999999%d", d)); ok {
			return n
		}
	}
	panic("no check digit fits")
}()

// ticket makes a ticket in the owner's team, of a customer of the owner's tenant.
func (w *world) ticket(owner string) tickets.Ticket {
	w.t.Helper()
	return w.ticketOf(owner, w.contact(owner).ID)
}

func (w *world) ticketOf(owner string, contact int64) (t tickets.Ticket) {
	w.t.Helper()
	w.tx(func(ctx context.Context, tx pgx.Tx) (err error) {
		t, err = w.tickets.CreateTicket(ctx, tx, tickets.SystemActor(), tickets.NewTicket{Title: "Printer on fire", ContactID: contact, Team: teamOf[owner], Body: "It smokes."})
		return err
	})
	return t
}

// contact makes a contact with a phone, in the partner's organisation when the owner is the partner's agent.
func (w *world) contact(owner string) (c tickets.Contact) {
	w.t.Helper()
	n := tickets.NewContact{Name: fmt.Sprintf("Customer %d", w.next()), Points: []tickets.NewPoint{{Kind: "phone", Value: w.phone()}}}
	if owner == pat {
		n.OrgID = w.partner
	}
	w.tx(func(ctx context.Context, tx pgx.Tx) (err error) {
		c, err = w.tickets.CreateContact(ctx, tx, tickets.SystemActor(), n)
		return err
	})
	return c
}

// org makes an organisation. The partner's agent sees it through a ticket.
func (w *world) org(owner string) (o tickets.Org) {
	w.t.Helper()
	w.tx(func(ctx context.Context, tx pgx.Tx) (err error) {
		o, err = w.tickets.CreateOrg(ctx, tx, tickets.SystemActor(), tickets.NewOrg{Name: fmt.Sprintf("Org %d", w.next())})
		if err == nil && owner == pat {
			_, err = w.tickets.CreateTicket(ctx, tx, tickets.SystemActor(), tickets.NewTicket{Title: "x", OrgID: o.ID, Team: teamOf[pat]})
		}
		return err
	})
	return o
}

// call makes the facts of a call to the owner's team that has ended, told to the engine. number empty: a new one.
func (w *world) call(owner, number, trust string) tickets.Call {
	w.t.Helper()
	if number == "" {
		number = w.phone()
	}
	start := w.clock.now().Add(-10 * time.Minute)
	f := tickets.CallFacts{Key: fmt.Sprintf("K%06d", w.next()), Direction: "in", Party: tickets.CallParty{Raw: number, Trust: trust, Called: "100"}, Team: teamOf[owner], Lang: "en",
		Agent: owner, StartedAt: start, QueuedAt: start.Add(time.Second), AnsweredAt: start.Add(5 * time.Second), EndedAt: start.Add(time.Minute), Disposition: "answered", TalkMS: 55000}
	w.exec(`INSERT INTO call (call_key, direction, caller_raw, claim_trust, started_at, answered_at, ended_at, state, end_result, disposition, team_id)
		VALUES ($1, 'in', $2, $3, $4, $5, $6, 'ended', 'success', 'answered', (SELECT id FROM team WHERE name = $7))`, f.Key, number, trust, start, f.AnsweredAt, f.EndedAt, f.Team)
	w.exec(`INSERT INTO call_event (call_id, seq, source_id, at, type) SELECT id, 1, 'a', started_at, 'call.started' FROM call WHERE call_key = $1`, f.Key)
	w.tx(func(ctx context.Context, tx pgx.Tx) error {
		if _, err := w.tickets.CallAnswered(ctx, tx, f); err != nil {
			return err
		}
		_, err := w.tickets.CallEnded(ctx, tx, f)
		return err
	})
	return w.readCall(f.Key)
}

func (w *world) readCall(key string) tickets.Call {
	w.t.Helper()
	c, err := w.tickets.GetCall(context.Background(), tickets.SystemActor(), key)
	w.must(err)
	return c
}

// linkedCall is a call in a ticket of the owner's team.
func (w *world) linkedCall(owner string) tickets.Call {
	w.t.Helper()
	c := w.call(owner, "", tickets.TrustAsserted)
	if c.Link.State != "confirmed" || c.Link.Ticket == nil {
		w.t.Fatalf("the call is not in a ticket: %+v", c.Link)
	}
	return c
}

// proposedCall is a call with a proposed ticket of the owner's team.
func (w *world) proposedCall(owner string) tickets.Call {
	w.t.Helper()
	k := w.contact(owner)
	w.ticketOf(owner, k.ID)
	c := w.call(owner, k.Points[0].Value, tickets.TrustClaimed)
	if c.Link.State != "proposed" {
		w.t.Fatalf("no ticket is proposed: %+v", c.Link)
	}
	return c
}

// changedCall is a call whose link a person changed.
func (w *world) changedCall(owner string) tickets.Call {
	w.t.Helper()
	c := w.linkedCall(owner)
	a, err := w.tickets.Actor(context.Background(), owner)
	w.must(err)
	w.tx(func(ctx context.Context, tx pgx.Tx) error {
		_, err := w.tickets.UnlinkCall(ctx, tx, a, c.Key)
		return err
	})
	return w.readCall(c.Key)
}

// recording is a recording of a call of the owner's team.
func (w *world) recording(owner string) httpapi.Recording {
	w.t.Helper()
	at := w.clock.now()
	r := httpapi.Recording{ID: int64(w.next()) + 1000, CallID: w.call(owner, "", tickets.TrustAsserted).ID, Kind: "call", State: "ready", Channels: 1, DurationMS: 1000, StartedAt: &at, Bytes: int64(len(wav))}
	w.sounds.mu.Lock()
	defer w.sounds.mu.Unlock()
	w.sounds.of[r.ID] = r
	return r
}

// callback is a promise to call back, about a ticket of the owner's team.
func (w *world) callback(owner string) int64 {
	w.t.Helper()
	return w.id(`INSERT INTO callback_request (number, ticket_id) VALUES ($1, (SELECT id FROM ticket WHERE number = $2)) RETURNING id`, w.phone(), w.ticket(owner).Number)
}

// account is a user that nothing else uses.
func (w *world) account() string {
	w.t.Helper()
	login := fmt.Sprintf("user%d", w.next())
	_, err := w.auth.CreateUser(context.Background(), nil, auth.User{Login: login, Roles: []string{auth.RoleAgent}})
	w.must(err)
	return login
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
