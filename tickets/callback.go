package tickets

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// visibleCallbacks is the predicate on callbacks, on the alias b: those of tickets the actor sees, and of calls they see.
func (a Actor) visibleCallbacks(args *sqlArgs) string {
	return "(EXISTS (SELECT FROM ticket t WHERE t.id = b.ticket_id AND " + a.visibleTickets(args) + ")" +
		" OR EXISTS (SELECT FROM call c LEFT JOIN call_link l ON l.call_id = c.id WHERE c.id = b.call_id AND " + a.visibleCalls(args) + "))"
}

// placeCallback is a place in the list of callbacks: who waits longest stands first.
type placeCallback struct {
	At time.Time `json:"t"`
	ID int64     `json:"i"`
}

// ListCallbacks lists promises to call back, the oldest first.
func (s *Service) ListCallbacks(ctx context.Context, a Actor, f CallbackFilter) (Page[Callback], error) {
	var args sqlArgs
	where := a.visibleCallbacks(&args)
	switch f.State {
	case "all":
	case "open": // what is still to be done, also what somebody is doing now
		where += " AND b.state IN ('waiting','dialing')"
	case "", "waiting", "dialing", "done", "failed", "cancelled":
		where += " AND b.state = " + args.add(orText(f.State, "waiting"))
	default:
		return Page[Callback]{}, invalid("state", "waiting, dialing, open, done, failed, cancelled or all")
	}
	var at placeCallback
	if ok, err := s.readCursor("callbacks", f.After, &at); err != nil {
		return Page[Callback]{}, err
	} else if ok {
		where += " AND (b.asked_at, b.id) > (" + args.add(at.At) + ", " + args.add(at.ID) + ")"
	}
	limit := pageLimit(f.Limit, 50, 200)
	bs, err := loadCallbacks(ctx, s.pool, a, where, args, limit+1)
	if err != nil {
		return Page[Callback]{}, err
	}
	return page(s, "callbacks", bs, limit, func(b Callback) any { return placeCallback{b.AskedAt, b.ID} }), nil
}

func loadCallbacks(ctx context.Context, q querier, a Actor, where string, args sqlArgs, limit int) ([]Callback, error) {
	rows, err := q.Query(ctx, `SELECT b.id, b.number, b.state, b.asked_at, b.attempts, b.call_id, coalesce(t.number, ''), coalesce(t.title, ''), coalesce(t.contact_id, 0), coalesce(w.login::text, ''), coalesce(w.name, '')
		FROM callback_request b LEFT JOIN agent w ON w.id = b.taken_by LEFT JOIN ticket t ON t.id = b.ticket_id AND `+a.visibleTickets(&args)+` WHERE `+where+fmt.Sprintf(` ORDER BY b.asked_at, b.id LIMIT %d`, limit), args...)
	if err != nil {
		return nil, fmt.Errorf("load callbacks: %w", err)
	}
	contacts := []int64{}
	whose := []int64{}
	bs, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (b Callback, err error) {
		var t TicketRef
		var contact int64
		var taken AgentRef
		err = row.Scan(&b.ID, &b.Number, &b.State, &b.AskedAt, &b.Attempts, &b.CallID, &t.Number, &t.Title, &contact, &taken.Login, &taken.Name)
		if taken.Login != "" {
			b.TakenBy = &taken
		}
		if t.Number != "" {
			b.Ticket = &t
		}
		if contact != 0 {
			contacts = append(contacts, contact)
		}
		whose = append(whose, contact)
		return b, err
	})
	if err != nil {
		return nil, fmt.Errorf("load callbacks: %w", err)
	}
	refs, err := loadContactRefs(ctx, q, contacts)
	for i := range bs {
		bs[i].Contact = refs[whose[i]]
	}
	return bs, err
}

// PatchCallback ends a waiting callback: done or cancelled. Doing it again is no error, another end is a conflict.
func (s *Service) PatchCallback(ctx context.Context, tx pgx.Tx, a Actor, id int64, state string) (Callback, error) {
	if err := oneOf("state", state, []string{"done", "cancelled"}); err != nil {
		return Callback{}, err
	}
	args := sqlArgs{id}
	bs, err := loadCallbacks(ctx, tx, a, "b.id = $1 AND "+a.visibleCallbacks(&args), args, 1)
	if err != nil {
		return Callback{}, err
	}
	if len(bs) == 0 {
		return Callback{}, ErrNotFound
	}
	if err := a.needs(PermCallbackWrite); err != nil {
		return Callback{}, err
	}
	by := a.author(s.now())
	tag, err := tx.Exec(ctx, `UPDATE callback_request SET state = $2, finished_at = $3, finished_by = $4, taken_by = NULL, taken_call = NULL, taken_at = NULL WHERE id = $1 AND state IN ('waiting','dialing')`, id, state, by.at, by.id)
	if err != nil {
		return Callback{}, fmt.Errorf("end callback %d: %w", id, err)
	}
	if tag.RowsAffected() == 0 && bs[0].State != state {
		return Callback{}, conflict("state", bs[0].State, "this callback is over")
	}
	bs[0].State = state
	return bs[0], addOutbox(ctx, tx, by, "callback.ended", id, map[string]any{"state": state})
}
