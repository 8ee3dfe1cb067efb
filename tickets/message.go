package tickets

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// AddMessage writes a note (internal) or a reply (public). With LastSeenMessageID a reply is a conflict when the ticket
// has a newer public message; the error carries it, and sending again with its id goes through.
//
// A reply leaves by mail when there is an enabled mail channel and the customer has a mail address; otherwise it is a
// public entry that the customer reads in the portal.
func (s *Service) AddMessage(ctx context.Context, tx pgx.Tx, a Actor, number string, n NewMessage) (TimelineItem, error) {
	body := strings.TrimSpace(n.Body)
	if body == "" || len(body) > maxBody {
		return TimelineItem{}, invalid("body", "a message has 1 to %d bytes", maxBody)
	}
	t, err := openTicket(ctx, tx, a, number, AccessReply)
	if err != nil {
		return TimelineItem{}, err
	}
	by := a.author(s.now())
	m := messageInsert{Kind: "note", Direction: "none", Visibility: "internal", Body: body}
	switch n.Kind {
	case "note":
	case "reply":
		if m, err = s.prepareReply(ctx, tx, a, t, n, body); err != nil {
			return TimelineItem{}, err
		}
	default:
		return TimelineItem{}, invalid("kind", "note or reply")
	}
	id, err := addMessage(ctx, tx, by, a, t, m)
	if err != nil {
		return TimelineItem{}, err
	}
	if m.Response {
		if err := s.replied(ctx, tx, by, a, t); err != nil {
			return TimelineItem{}, err
		}
	}
	items, err := loadMessages(ctx, tx, a, "m.id = $1", []any{id}, 1)
	if err != nil || len(items) == 0 {
		return TimelineItem{}, wrap("read the message", err)
	}
	return items[0], nil
}

// prepareReply checks for a collision and for the ticket's state, and finds the way the reply takes.
func (s *Service) prepareReply(ctx context.Context, tx pgx.Tx, a Actor, t *ticketRow, n NewMessage, body string) (messageInsert, error) {
	m := messageInsert{Kind: "form", Direction: "out", Visibility: "public", Body: body, Response: true}
	if _, ok := nextStatus(t.Category, evAgentReply, t.inWindow(s.now())); !ok {
		return m, conflict("kind", nil, "a ticket that is %s takes no reply: reopen it first", t.Category)
	}
	if n.LastSeenMessageID > 0 {
		items, err := loadMessages(ctx, tx, a, "m.ticket_id = $1 AND m.id > $2 AND m.visibility = 'public' AND m.deleted_at IS NULL", []any{t.ID, n.LastSeenMessageID}, 1)
		if err != nil {
			return m, err
		}
		if len(items) > 0 {
			return m, conflict("last_seen_message_id", items[0], "there is a newer message")
		}
	}
	err := tx.QueryRow(ctx, `SELECT coalesce((SELECT ch.id FROM channel ch WHERE ch.kind = 'email' AND ch.enabled
		AND EXISTS (SELECT FROM contact_point p WHERE p.contact_id = $1 AND p.kind = 'email' AND p.bounced_at IS NULL) ORDER BY ch.team_id = $2 DESC NULLS LAST, ch.id LIMIT 1), 0)`,
		t.ContactID, t.TeamID).Scan(&m.ChannelID)
	if err != nil {
		return m, fmt.Errorf("find a channel for the reply: %w", err)
	}
	if m.ChannelID != 0 {
		m.Kind = "email"
	}
	return m, nil
}

// replied writes what a public answer means: first response, status, assignee of a new ticket.
func (s *Service) replied(ctx context.Context, tx pgx.Tx, by author, a Actor, t *ticketRow) error {
	if _, err := tx.Exec(ctx, `UPDATE ticket SET first_response_at = coalesce(first_response_at, $2), last_agent_at = greatest(last_agent_at, $2), waiting_since = NULL WHERE id = $1`, t.ID, by.at); err != nil {
		return fmt.Errorf("note the answer: %w", err)
	}
	var assign []fieldChange
	if t.Category == catNew && t.AssigneeID == nil && a.AgentID != 0 {
		assign = append(assign, fieldChange{"assignee", "assignee_id", a.AgentID, nil, a.Login})
	}
	if _, err := moveStatus(ctx, tx, by, t, evAgentReply, assign...); err != nil {
		return err
	}
	var after string
	if err := tx.QueryRow(ctx, `SELECT coalesce(settings->>'after_reply_status', '') FROM team WHERE id = $1`, t.TeamID).Scan(&after); err != nil {
		return fmt.Errorf("read the team's settings: %w", err)
	}
	if after == catWaitingCustomer && t.Category == catOpen {
		_, err := moveStatus(ctx, tx, by, t, evWaitCustomer)
		return err
	}
	return nil
}

// addMessage appends an agent's message, touches the ticket and tells the world.
func addMessage(ctx context.Context, tx pgx.Tx, by author, a Actor, t *ticketRow, m messageInsert) (int64, error) {
	m.AgentID, m.At = a.AgentID, by.at
	id, err := insertMessage(ctx, tx, t, m)
	if err != nil {
		return 0, err
	}
	if m.Kind == "email" {
		if _, err := tx.Exec(ctx, `UPDATE message SET delivery = 'queued' WHERE id = $1`, id); err != nil {
			return 0, fmt.Errorf("queue the reply: %w", err)
		}
	}
	if _, err := tx.Exec(ctx, `UPDATE ticket SET updated_at = greatest(updated_at, $2) WHERE id = $1`, t.ID, by.at); err != nil {
		return 0, fmt.Errorf("touch ticket %s: %w", t.Number, err)
	}
	if err := addOutbox(ctx, tx, by, "message.created", id, map[string]any{"ticket": t.Number, "kind": m.Kind, "visibility": m.Visibility}); err != nil {
		return 0, err
	}
	return id, refreshSearch(ctx, tx, t.ID)
}

// Solve ends the work. It needs a resolution, and of a problem a root cause.
func (s *Service) Solve(ctx context.Context, tx pgx.Tx, a Actor, number string, how Solution) (Ticket, error) {
	if err := oneOf("resolution", how.Resolution, resolutions); err != nil {
		return Ticket{}, err
	}
	if how.RootCause != "" {
		if err := oneOf("root_cause", how.RootCause, rootCauses); err != nil {
			return Ticket{}, err
		}
	}
	t, err := openTicket(ctx, tx, a, number, AccessFull)
	if err != nil {
		return Ticket{}, err
	}
	if t.Kind == "problem" && how.RootCause == "" {
		return Ticket{}, invalid("root_cause", "solving a problem needs its root cause")
	}
	by := a.author(s.now())
	if body := strings.TrimSpace(how.Body); body != "" {
		if _, err := addMessage(ctx, tx, by, a, t, messageInsert{Kind: "note", Direction: "none", Visibility: "internal", Body: body}); err != nil {
			return Ticket{}, err
		}
	}
	more := []fieldChange{{"resolution", "resolution", how.Resolution, nil, how.Resolution}}
	if how.RootCause != "" {
		more = append(more, fieldChange{"root_cause", "root_cause", how.RootCause, nil, how.RootCause})
	}
	return s.move(ctx, tx, by, t, evSolve, more...)
}

// Reopen opens a waiting, solved or (inside the reopen window) closed ticket again.
func (s *Service) Reopen(ctx context.Context, tx pgx.Tx, a Actor, number string) (Ticket, error) {
	return s.moveBy(ctx, tx, a, number, evReopen)
}

// Wait sets waiting_customer, waiting_vendor or scheduled. until is when it comes back by itself (scheduled) or when
// somebody is reminded; zero: not set, and scheduled needs it.
func (s *Service) Wait(ctx context.Context, tx pgx.Tx, a Actor, number, category string, until time.Time) (Ticket, error) {
	ev, ok := map[string]statusEvent{catWaitingCustomer: evWaitCustomer, catWaitingVendor: evWaitVendor, catScheduled: evSchedule}[category]
	if !ok {
		return Ticket{}, invalid("status", "waiting_customer, waiting_vendor or scheduled")
	}
	if category == catScheduled && !until.After(s.now()) {
		return Ticket{}, invalid("until", "a scheduled ticket needs an instant in the future")
	}
	return s.moveBy(ctx, tx, a, number, ev, fieldChange{field: "status", column: "pending_until", value: nullTime(until)})
}

// Spam marks a ticket as spam, or takes the mark back.
func (s *Service) Spam(ctx context.Context, tx pgx.Tx, a Actor, number string, spam bool) (Ticket, error) {
	if spam {
		return s.moveBy(ctx, tx, a, number, evSpam)
	}
	return s.moveBy(ctx, tx, a, number, evNotSpam)
}

func (s *Service) moveBy(ctx context.Context, tx pgx.Tx, a Actor, number string, ev statusEvent, more ...fieldChange) (Ticket, error) {
	t, err := openTicket(ctx, tx, a, number, AccessFull)
	if err != nil {
		return Ticket{}, err
	}
	return s.move(ctx, tx, a.author(s.now()), t, ev, more...)
}

// move is moveStatus for people: a refused event is a conflict that names the state.
func (s *Service) move(ctx context.Context, tx pgx.Tx, by author, t *ticketRow, ev statusEvent, more ...fieldChange) (Ticket, error) {
	from := t.Category
	ok, err := moveStatus(ctx, tx, by, t, ev, more...)
	if err != nil {
		return Ticket{}, err
	}
	if !ok {
		if from == catClosed && ev == evReopen {
			return Ticket{}, conflict("status", from, "the reopen window is over: make a follow-up ticket")
		}
		return Ticket{}, conflict("status", from, "a ticket that is %s cannot do this", from)
	}
	return viewTicket(ctx, tx, t.ID)
}

func oneOf(field, value string, allowed []string) error {
	for _, v := range allowed {
		if v == value {
			return nil
		}
	}
	return invalid(field, "one of %s", strings.Join(allowed, ", "))
}
