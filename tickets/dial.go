package tickets

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// PermDialAny lets somebody call a number that belongs to no ticket, contact, call or callback of theirs.
const PermDialAny = "call.dial_any"

// DialRequest says whom an agent wants to call. At most one of Ticket, Contact, Call and Callback is set; Number says
// which of its numbers, empty: the first. A Number alone is typed by hand.
type DialRequest struct {
	Number   string
	Ticket   string // number of a ticket: its contact is called
	Contact  int64
	Call     string // id or key of a call: the other party is called back
	Callback int64  // a promise to call back
}

// DialTarget is who may be called, as DialTarget found out. What a number costs and which trunk carries it is not its
// business.
type DialTarget struct {
	Number   string // E.164
	Ext      string // extension behind it; told to the agent, who keys it
	Name     string // of the contact; empty: nobody known
	Lang     string
	Ticket   *TicketRef
	Team     string // name of the ticket's team; empty: no ticket
	Queue    string // of the call that asked to be called back; empty: none
	Callback int64
}

// DialTarget decides whether the actor may call a number, and in which matter: a number of the ticket's contact or
// organisation, of a call in it, of a contact, of a call they see, of a waiting callback; any other needs PermDialAny.
// Nothing is written. ErrNotFound for what the actor does not see, a conflict for a callback that is taken or over.
func (s *Service) DialTarget(ctx context.Context, a Actor, r DialRequest) (DialTarget, error) {
	if count(r.Ticket != "", r.Contact != 0, r.Call != "", r.Callback != 0) > 1 {
		return DialTarget{}, invalid("ticket", "choose one of ticket, contact, call and callback")
	}
	d := dialling{s: s, a: a}
	var err error
	switch {
	case r.Callback != 0:
		err = d.callback(ctx, r.Callback)
	case r.Ticket != "":
		err = d.ticket(ctx, r.Ticket)
	case r.Contact != 0:
		err = d.contact(ctx, r.Contact)
	case r.Call != "":
		err = d.call(ctx, r.Call)
	case r.Number == "":
		err = invalid("number", "say whom to call")
	}
	if err != nil {
		return DialTarget{}, err
	}
	return d.choose(r.Number)
}

// dialling collects the numbers that may be called.
type dialling struct {
	s      *Service
	a      Actor
	target DialTarget
	points []Point // numbers known, the preferred one first
}

func (d *dialling) callback(ctx context.Context, id int64) error {
	if err := d.a.needs(PermCallbackWrite); err != nil {
		return err
	}
	args := sqlArgs{id}
	bs, err := loadCallbacks(ctx, d.s.pool, d.a, "b.id = $1 AND "+d.a.visibleCallbacks(&args), args, 1)
	if err != nil {
		return err
	}
	if len(bs) == 0 {
		return ErrNotFound
	}
	b := bs[0]
	if err := b.free(); err != nil {
		return err
	}
	if b.Ticket != nil {
		if err := d.about(ctx, b.Ticket.Number, false); err != nil {
			return err
		}
	}
	if b.CallID != nil {
		err := d.s.pool.QueryRow(ctx, `SELECT coalesce(queue, ''), coalesce(lang, '') FROM call WHERE id = $1`, *b.CallID).Scan(&d.target.Queue, &d.target.Lang)
		if err != nil {
			return fmt.Errorf("read the call of callback %d: %w", id, err)
		}
	}
	d.target.Callback, d.points = id, []Point{{Kind: "phone", Value: b.Number}}
	if b.Contact != nil {
		d.target.Name = b.Contact.Name
	}
	return nil
}

// free says why a callback cannot be taken now; nil: it can.
func (b Callback) free() error {
	switch b.State {
	case "waiting":
		return nil
	case "dialing":
		who := "somebody"
		if b.TakenBy != nil {
			who = b.TakenBy.Name
		}
		return conflict("callback", b.TakenBy, "%s is calling this number already", who)
	}
	return conflict("callback", b.State, "this callback is over")
}

func (d *dialling) ticket(ctx context.Context, number string) error {
	return d.about(ctx, number, true)
}

// about puts a ticket behind the call: its entry will stand there. collect adds the numbers the ticket has.
func (d *dialling) about(ctx context.Context, number string, collect bool) error {
	t, err := findTicket(ctx, d.s.pool, d.a, number)
	if err != nil {
		return err
	}
	row, err := readTicketRow(ctx, d.s.pool, t.ID, "")
	if err != nil {
		return err
	}
	if err := d.a.mayWrite(ctx, d.s.pool, row, AccessReply); err != nil {
		return err
	}
	d.target.Ticket, d.target.Team = &TicketRef{Number: t.Number, Title: t.Title}, t.Team.Name
	if !collect {
		return nil
	}
	if t.Contact != nil {
		d.target.Name, d.points = t.Contact.Name, append(d.points, t.Contact.Points...)
	}
	rows, err := d.s.pool.Query(ctx, `SELECT value_norm FROM contact_point WHERE org_id = $1 AND kind = 'phone'
		UNION SELECT l.caller_key FROM call_link l WHERE l.ticket_id = $2 AND l.state = 'confirmed' AND l.caller_key LIKE '+%'`, row.OrgID, row.ID)
	if err != nil {
		return fmt.Errorf("read the numbers of ticket %s: %w", t.Number, err)
	}
	more, err := pgx.CollectRows(rows, pgx.RowTo[string])
	for _, n := range more {
		d.points = append(d.points, Point{Kind: "phone", Value: n})
	}
	return wrap("read the ticket's numbers", err)
}

func (d *dialling) contact(ctx context.Context, id int64) error {
	c, err := d.s.GetContact(ctx, d.a, id)
	if err != nil {
		return err
	}
	d.target.Name, d.target.Lang, d.points = c.Name, c.Locale, c.Points
	return nil
}

func (d *dialling) call(ctx context.Context, key string) error {
	c, err := d.s.GetCall(ctx, d.a, key)
	if err != nil {
		return err
	}
	number := c.Caller.Number
	if c.Direction == "out" {
		number = c.Called
	} else if c.Caller.Withheld {
		return invalid("call", "this caller's number is withheld")
	}
	if c.Link.Ticket != nil && c.Link.State == linkConfirmed {
		if err := d.about(ctx, c.Link.Ticket.Number, false); err != nil && !isForbidden(err) {
			return err
		}
	}
	if c.Contact != nil {
		d.target.Name = c.Contact.Name
	}
	d.target.Queue, d.target.Lang, d.points = c.Queue, c.Lang, []Point{{Kind: "phone", Value: number}}
	return nil
}

func isForbidden(err error) bool { e, ok := err.(*Error); return ok && e.Code == CodeForbidden }

// choose picks the number asked for among those collected.
func (d *dialling) choose(asked string) (DialTarget, error) {
	d.points = slices.DeleteFunc(d.points, func(p Point) bool { return p.Kind != "phone" })
	if asked == "" {
		if len(d.points) == 0 {
			return DialTarget{}, invalid("number", "no telephone number is known here")
		}
		return d.take(d.points[0])
	}
	asked = strings.TrimPrefix(strings.TrimSpace(asked), "tel:") // as links have it
	n := ParseNumber(asked, d.s.plan)
	if n.E164 == "" || strings.ContainsAny(asked, ":@;") { // an address is not a number, even if one stands in it
		return DialTarget{}, invalid("number", "this is not a telephone number that can be called")
	}
	for _, p := range d.points {
		if p.Value == n.E164 || slices.Contains(n.Alt, p.Value) {
			return d.take(p)
		}
	}
	if !d.a.Can(PermDialAny) || d.target.Callback != 0 {
		return DialTarget{}, forbidden("this number is not one of the customer's: add it to the contact first")
	}
	d.target.Number, d.target.Ext = n.E164, n.Ext
	return d.target, nil
}

func (d *dialling) take(p Point) (DialTarget, error) {
	n := ParseNumber(p.Value, d.s.plan)
	if n.E164 == "" {
		return DialTarget{}, invalid("number", "this is not a telephone number that can be called")
	}
	d.target.Number, d.target.Ext = n.E164, orText(p.Ext, n.Ext)
	return d.target, nil
}

// TakeCallback gives a waiting callback to the actor for the call with that key: nobody else can take it until the call
// is over, and its end settles the row (CallEnded with FromCallback). A conflict when somebody was faster.
func (s *Service) TakeCallback(ctx context.Context, tx pgx.Tx, a Actor, id int64, call string) error {
	by := a.author(s.now())
	tag, err := tx.Exec(ctx, `UPDATE callback_request SET state = 'dialing', taken_by = $2, taken_call = $3, taken_at = $4 WHERE id = $1 AND state = 'waiting'`, id, by.id, call, by.at)
	if err != nil {
		return fmt.Errorf("take callback %d: %w", id, err)
	}
	if tag.RowsAffected() == 1 {
		return addOutbox(ctx, tx, by, "callback.taken", id, map[string]any{"state": "dialing"})
	}
	args := sqlArgs{id}
	bs, err := loadCallbacks(ctx, tx, a, "b.id = $1", args, 1)
	if err != nil {
		return err
	}
	if len(bs) == 0 {
		return ErrNotFound
	}
	if err := bs[0].free(); err != nil {
		return err
	}
	return conflict("callback", nil, "somebody else has just taken this callback")
}

// settleCallback puts the outcome of the call on the callback that it took: done after a talk that counts, else it
// waits again with one more attempt. A call that never reached the customer's number was no attempt.
func (d *dealing) settleCallback(ctx context.Context, by author) error {
	if d.f.FromCallback == 0 {
		return nil
	}
	l := d.link
	attempt, state := 0, "waiting"
	if d.f.Dialled {
		attempt = 1
	}
	var at, who, call any
	if l.Told.response() {
		state, at, who, call = "done", by.at, nullID(l.AgentID), l.CallID
	}
	_, err := d.tx.Exec(ctx, `UPDATE callback_request SET state = $3, attempts = attempts + $4, finished_at = greatest($5::timestamptz, CASE WHEN $5::timestamptz IS NOT NULL THEN asked_at END),
		finished_by = $6, finished_call_id = $7, taken_by = NULL, taken_call = NULL, taken_at = NULL WHERE id = $1 AND state = 'dialing' AND taken_call = $2`,
		d.f.FromCallback, d.f.Key, state, attempt, at, who, call)
	if err != nil {
		return fmt.Errorf("settle callback %d: %w", d.f.FromCallback, err)
	}
	return nil
}
