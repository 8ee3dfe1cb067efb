package tickets

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// LinkCall is the agent's answer to the card: into this ticket, into a new one, or no ticket for a reason. ContactID
// says who called; the number is learned for them. call is the id or key.
func (s *Service) LinkCall(ctx context.Context, tx pgx.Tx, a Actor, call string, c LinkChoice) (Call, error) {
	if n := count(c.Ticket != "", c.New != nil, c.None != nil); n > 1 || n == 0 && c.ContactID == 0 {
		return Call{}, invalid("ticket", "choose one of ticket, new and none")
	}
	r, err := s.openCallLink(ctx, tx, a, call)
	if err != nil {
		return Call{}, err
	}
	if r.l == nil {
		if c.Ticket == "" && c.New == nil && c.None == nil {
			return Call{}, conflict("call", nil, "nobody has talked to this caller yet")
		}
		if err := r.early(ctx); err != nil {
			return Call{}, err
		}
	}
	if err := lockNumber(ctx, tx, r.l.Key); err != nil {
		return Call{}, err
	}
	if err := r.may(ctx, r.l.TicketID); err != nil {
		return Call{}, err
	}
	if c.ContactID != 0 {
		if err := r.pick(ctx, c.ContactID); err != nil {
			return Call{}, err
		}
	}
	switch {
	case c.None != nil:
		if c.None.Reason = strings.TrimSpace(c.None.Reason); c.None.Reason == "" {
			return Call{}, invalid("none.reason", "say why there is no ticket")
		}
		now := r.chosen(linkNone, 0)
		now.Reason, now.Missed = clip(c.None.Reason, 500), false
		err = r.set(ctx, "unlink", now, 0)
	case c.New != nil:
		err = r.linkNew(ctx, *c.New)
	case c.Ticket != "":
		err = r.linkTo(ctx, c.Ticket)
	default: // only who called
		err = r.identified(ctx)
	}
	if err != nil {
		return Call{}, err
	}
	return r.view(ctx)
}

func (r *relink) linkTo(ctx context.Context, ticket string) error {
	to, err := r.target(ctx, ticket)
	if err != nil {
		return err
	}
	if r.l.State == linkConfirmed && r.l.TicketID == to {
		return nil
	}
	if err := r.may(ctx, to); err != nil {
		return err
	}
	return r.set(ctx, "link", r.chosen(linkConfirmed, to), 0)
}

func (r *relink) linkNew(ctx context.Context, n LinkNew) error {
	t, err := r.newTicket(ctx, n.Title, n.Kind, r.l.ContactID, r.l.OrgID)
	if err != nil {
		return err
	}
	now := r.chosen(linkConfirmed, t.ID)
	now.MadeTicket = true
	return r.set(ctx, "link", now, 0)
}

// ConfirmLink accepts the proposed ticket: the agent has made sure who is calling.
func (s *Service) ConfirmLink(ctx context.Context, tx pgx.Tx, a Actor, call string) (Call, error) {
	r, err := s.openLink(ctx, tx, a, call)
	if err != nil {
		return Call{}, err
	}
	switch r.l.State {
	case linkConfirmed:
		return r.view(ctx)
	case linkProposed:
	default:
		return Call{}, conflict("call", r.l.State, "no ticket is proposed for this call")
	}
	var number string
	if err := tx.QueryRow(ctx, `SELECT number FROM ticket WHERE id = $1`, r.l.TicketID).Scan(&number); err != nil {
		return Call{}, fmt.Errorf("read the proposed ticket: %w", err)
	}
	to, err := r.target(ctx, number)
	if err != nil {
		return Call{}, err
	}
	if err := r.may(ctx, to); err != nil {
		return Call{}, err
	}
	if err := r.set(ctx, "confirm", r.chosen(linkConfirmed, to), 0); err != nil {
		return Call{}, err
	}
	return r.view(ctx)
}

// MoveCall moves a call from its ticket to another one; entry, recordings and time go with it.
func (s *Service) MoveCall(ctx context.Context, tx pgx.Tx, a Actor, call, ticket string) (Call, error) {
	r, err := s.openConfirmed(ctx, tx, a, call)
	if err != nil {
		return Call{}, err
	}
	to, err := r.target(ctx, ticket)
	if err != nil {
		return Call{}, err
	}
	if to == r.l.TicketID {
		return r.view(ctx)
	}
	if err := r.may(ctx, inOrder(r.l.TicketID, to)...); err != nil {
		return Call{}, err
	}
	if err := r.set(ctx, "move", r.chosen(linkConfirmed, to), 0); err != nil {
		return Call{}, err
	}
	return r.view(ctx)
}

// SplitCall moves a call out of its ticket into a new one with the same customer.
func (s *Service) SplitCall(ctx context.Context, tx pgx.Tx, a Actor, call, title string) (Call, error) {
	r, err := s.openConfirmed(ctx, tx, a, call)
	if err != nil {
		return Call{}, err
	}
	from := r.l.TicketID
	if err := r.may(ctx, from); err != nil {
		return Call{}, err
	}
	old, err := lockTicket(ctx, tx, from)
	if err != nil {
		return Call{}, err
	}
	contact, org := r.l.ContactID, r.l.OrgID
	if contact == 0 {
		contact, org = deref(old.ContactID), deref(old.OrgID)
	}
	t, err := r.newTicket(ctx, title, "", contact, org)
	if err != nil {
		return Call{}, err
	}
	if err := linkTickets(ctx, tx, r.by, t, from, "split_from"); err != nil {
		return Call{}, err
	}
	now := r.chosen(linkConfirmed, t.ID)
	now.MadeTicket = true
	if err := r.set(ctx, "split", now, 0); err != nil {
		return Call{}, err
	}
	return r.view(ctx)
}

// UnlinkCall takes a call off its ticket; it goes back to the team's list of unlinked calls.
func (s *Service) UnlinkCall(ctx context.Context, tx pgx.Tx, a Actor, call string) (Call, error) {
	r, err := s.openLink(ctx, tx, a, call)
	if err != nil {
		return Call{}, err
	}
	if r.l.TicketID == 0 {
		return r.view(ctx)
	}
	if err := r.may(ctx, r.l.TicketID); err != nil {
		return Call{}, err
	}
	now := r.chosen(linkOpen, 0)
	now.Missed = false
	if err := r.set(ctx, "unlink", now, 0); err != nil {
		return Call{}, err
	}
	return r.view(ctx)
}

func (s *Service) openConfirmed(ctx context.Context, tx pgx.Tx, a Actor, call string) (*relink, error) {
	r, err := s.openLink(ctx, tx, a, call)
	if err != nil {
		return nil, err
	}
	if r.l.State != linkConfirmed {
		return nil, conflict("call", r.l.State, "this call is in no ticket")
	}
	return r, nil
}

// UndoLink takes the last change by a person back that was not taken back before. What was learned about a number
// stays.
func (s *Service) UndoLink(ctx context.Context, tx pgx.Tx, a Actor, call string) (Call, error) {
	r, err := s.openLink(ctx, tx, a, call)
	if err != nil {
		return Call{}, err
	}
	var event int64
	var data []byte
	err = tx.QueryRow(ctx, `SELECT e.id, e.old FROM call_link_event e WHERE e.call_id = $1 AND e.actor_kind = 'agent' AND e.op <> 'undo' AND e.old IS NOT NULL
		AND NOT EXISTS (SELECT FROM call_link_event u WHERE u.undoes = e.id) ORDER BY e.id DESC LIMIT 1`, r.l.CallID).Scan(&event, &data)
	if errors.Is(err, pgx.ErrNoRows) {
		return Call{}, conflict("call", nil, "there is nothing to undo")
	}
	if err != nil {
		return Call{}, fmt.Errorf("find what to undo: %w", err)
	}
	var back choice
	if err := json.Unmarshal(data, &back); err != nil {
		return Call{}, fmt.Errorf("read what to undo: %w", err)
	}
	left := r.l.choice
	if err := r.may(ctx, inOrder(left.TicketID, back.TicketID)...); err != nil {
		return Call{}, err
	}
	r.by.cause = map[string]any{"rule": "undo", "call": r.l.CallID}
	if err := r.set(ctx, "undo", back, event); err != nil {
		return Call{}, err
	}
	if left.MadeTicket && left.TicketID != back.TicketID {
		if err := r.closeEmpty(ctx, left.TicketID, back.TicketID); err != nil {
			return Call{}, err
		}
	}
	return r.view(ctx)
}

// closeEmpty merges a ticket that was made for the call and now holds nothing into the one the call went back to, so
// that its number still leads somewhere. Without such a ticket, or with anything in it, it stays.
func (r *relink) closeEmpty(ctx context.Context, made, into int64) error {
	if into == 0 {
		return nil
	}
	var used bool
	if err := r.tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM message WHERE ticket_id = $1 AND deleted_at IS NULL)`, made).Scan(&used); err != nil {
		return fmt.Errorf("look into the ticket: %w", err)
	}
	if used {
		return nil
	}
	t, err := lockTicket(ctx, r.tx, made)
	if err != nil {
		return err
	}
	_, err = moveStatus(ctx, r.tx, r.by, t, evMerge, fieldChange{field: "status", column: "merged_into_id", value: into}, fieldChange{field: "status", column: "merged_at", value: r.by.at})
	return err
}

// SetWrapUp stores result and note of a call; the note is the text of the call's entry. Empty fields are left alone. A
// call that is not decided yet is ErrNotFound: its note comes with the facts.
func (s *Service) SetWrapUp(ctx context.Context, tx pgx.Tx, a Actor, call, result, note string) (Call, error) {
	r, err := s.openCallLink(ctx, tx, a, call)
	if err != nil {
		return Call{}, err
	}
	if r.l == nil {
		return Call{}, ErrNotFound
	}
	if err := r.may(ctx, r.l.TicketID); err != nil {
		return Call{}, err
	}
	if note != "" {
		r.l.Note = clip(note, maxBody)
	}
	if result != "" {
		r.l.Result = clip(result, 100)
	}
	if err := saveLink(ctx, tx, r.l); err != nil {
		return Call{}, err
	}
	if r.l.State == linkConfirmed {
		if err := writeEntry(ctx, tx, r.by, r.l); err != nil {
			return Call{}, err
		}
	}
	return r.view(ctx)
}

func count(conditions ...bool) int {
	n := 0
	for _, c := range conditions {
		if c {
			n++
		}
	}
	return n
}
