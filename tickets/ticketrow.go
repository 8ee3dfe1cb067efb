package tickets

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// ticketRow is a ticket locked for a change, as the writing functions see it.
type ticketRow struct {
	ID             int64
	Number         string
	Title          string
	Kind           string
	Category       string
	TeamID         int64
	TeamLine       int
	AssigneeID     *int64
	ContactID      *int64
	OrgID          *int64
	Severity       int
	ClientPriority int
	Flags          []string
	MissedKey      *string
	CreatedRule    *string
	SolvedAt       *time.Time
	ReopenWindow   time.Duration
	FieldVersion   map[string]int
	Version        int
}

// inWindow reports whether a solved or closed ticket may still be reopened by its customer.
func (t *ticketRow) inWindow(at time.Time) bool {
	return t.SolvedAt != nil && at.Before(t.SolvedAt.Add(t.ReopenWindow))
}

// author is who changes something, when, and by which rule: the columns every event has.
type author struct {
	at    time.Time
	kind  string // agent, system, rule
	id    *int64
	cause map[string]any // rule, call ...
}

func (a Actor) author(at time.Time) author {
	kind, id := a.eventActor()
	return author{at: utc(at), kind: kind, id: id}
}

// byRule is the author of an automatic step.
func byRule(at time.Time, rule string, callID int64) author {
	return author{at: utc(at), kind: "rule", cause: map[string]any{"rule": rule, "call": callID}}
}

// because is the same author with one more row in the cause: "A2 G6".
func (a author) because(rule string) author {
	cause := map[string]any{}
	for k, v := range a.cause {
		cause[k] = v
	}
	if old, _ := cause["rule"].(string); old != "" {
		rule = old + " " + rule
	}
	cause["rule"] = rule
	a.cause = cause
	return a
}

// lockTicket reads a ticket for a change. Every write to a ticket and its copies happens under this lock.
func lockTicket(ctx context.Context, tx querier, id int64) (*ticketRow, error) {
	return readTicketRow(ctx, tx, id, " FOR NO KEY UPDATE OF t")
}

// readTicketRow reads a ticket as writers see it, with or without the lock.
func readTicketRow(ctx context.Context, tx querier, id int64, lock string) (*ticketRow, error) {
	var t ticketRow
	var fields []byte
	var window float64
	err := tx.QueryRow(ctx, `SELECT t.id, t.number, t.title, t.kind, s.category, t.team_id, m.line, t.assignee_id, t.contact_id, t.org_id,
		t.severity, t.client_priority, t.flags, t.missed_key, t.created_rule, t.solved_at, extract(epoch FROM m.reopen_window)::float8, t.field_version, t.version
		FROM ticket t JOIN ticket_status s ON s.id = t.status_id JOIN team m ON m.id = t.team_id WHERE t.id = $1`+lock, id).
		Scan(&t.ID, &t.Number, &t.Title, &t.Kind, &t.Category, &t.TeamID, &t.TeamLine, &t.AssigneeID, &t.ContactID, &t.OrgID,
			&t.Severity, &t.ClientPriority, &t.Flags, &t.MissedKey, &t.CreatedRule, &t.SolvedAt, &window, &fields, &t.Version)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("lock ticket %d: %w", id, err)
	}
	t.ReopenWindow = time.Duration(window * float64(time.Second))
	if err := json.Unmarshal(fields, &t.FieldVersion); err != nil {
		return nil, fmt.Errorf("field versions of ticket %s: %w", t.Number, err)
	}
	return &t, nil
}

// ticketInsert is a new ticket. Times are the customer's instants.
type ticketInsert struct {
	Title, Kind    string
	Category       string
	TeamID         int64
	AssigneeID     int64 // 0: nobody
	ContactID      int64 // 0: none
	OrgID          int64 // 0: none
	ChannelID      int64 // 0: made by hand
	Severity       int
	ClientPriority int
	Locale         string
	Rule           string // that made it; empty: a person
	MissedKey      string
	Flags          []string
	FollowUpOf     int64
	At             time.Time
	LastCustomerAt time.Time // zero: not heard from
	LastAgentAt    time.Time
	FirstResponse  time.Time // zero: not answered yet
}

// insertTicket writes a ticket with its number, line visit, requester, event, search row and outbox row.
func insertTicket(ctx context.Context, tx querier, by author, in ticketInsert) (*ticketRow, error) {
	var seq int64
	if err := tx.QueryRow(ctx, `SELECT nextval('ticket_number_seq')`).Scan(&seq); err != nil {
		return nil, fmt.Errorf("next ticket number: %w", err)
	}
	number := withCheckDigit(itoa(seq))
	if in.Flags == nil {
		in.Flags = []string{}
	}
	var id int64
	err := tx.QueryRow(ctx, `INSERT INTO ticket (number, title, kind, status_id, team_id, assignee_id, contact_id, org_id, channel_id, severity,
		client_priority, locale, created_rule, missed_key, flags, follow_up_of_id, created_at, updated_at, last_customer_at, last_agent_at, first_response_at, waiting_since)
		VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15,$16,$17,$17,$18,$19,$20,$21) RETURNING id`,
		number, clip(in.Title, 500), in.Kind, statusID[in.Category], in.TeamID, nullID(in.AssigneeID), nullID(in.ContactID), nullID(in.OrgID), nullID(in.ChannelID),
		in.Severity, in.ClientPriority, nullText(in.Locale), nullText(in.Rule), nullText(in.MissedKey), in.Flags, nullID(in.FollowUpOf), utc(in.At),
		nullTime(in.LastCustomerAt), nullTime(in.LastAgentAt), nullTime(in.FirstResponse), waitingSince(in)).Scan(&id)
	if err != nil {
		return nil, fmt.Errorf("insert ticket: %w", err)
	}
	t, err := lockTicket(ctx, tx, id)
	if err != nil {
		return nil, err
	}
	if _, err := tx.Exec(ctx, `INSERT INTO line_visit (ticket_id, line, team_id, entered_at) VALUES ($1,$2,$3,$4)`, id, t.TeamLine, t.TeamID, utc(in.At)); err != nil {
		return nil, fmt.Errorf("enter line: %w", err)
	}
	if in.ContactID != 0 {
		if err := addParticipant(ctx, tx, id, in.ContactID, 0, "requester", by.kind); err != nil {
			return nil, err
		}
	}
	if in.FollowUpOf != 0 {
		if err := linkTickets(ctx, tx, by, t, in.FollowUpOf, "follow_up_of"); err != nil {
			return nil, err
		}
	}
	if err := addEvent(ctx, tx, by, id, "created", "", nil, map[string]any{"title": t.Title, "status": t.Category}); err != nil {
		return nil, err
	}
	if err := addOutbox(ctx, tx, by, "ticket.created", id, map[string]any{"number": number}); err != nil {
		return nil, err
	}
	return t, refreshSearch(ctx, tx, id)
}

// waitingSince is the oldest unanswered customer message of a new ticket.
func waitingSince(in ticketInsert) *time.Time {
	if in.LastCustomerAt.IsZero() || !in.FirstResponse.IsZero() {
		return nil
	}
	return nullTime(in.LastCustomerAt)
}

// fieldChange is one field of a ticket with both values, as events show them.
type fieldChange struct {
	field    string // name in the API
	column   string
	value    any // of the column
	old, new any // as events show them
}

// changeTicket writes fields of a locked ticket, raises its version, and leaves one event per field.
func changeTicket(ctx context.Context, tx querier, by author, t *ticketRow, changes ...fieldChange) error {
	if len(changes) == 0 {
		return nil
	}
	t.Version++
	set := []string{"version = $2", "updated_at = greatest(updated_at, $3)", "field_version = field_version || $4"}
	versions := map[string]int{}
	args := []any{t.ID, t.Version, by.at, nil}
	for _, c := range changes {
		args = append(args, c.value)
		set = append(set, fmt.Sprintf("%s = $%d", c.column, len(args)))
		versions[c.field] = t.Version
	}
	args[3] = versions
	if _, err := tx.Exec(ctx, "UPDATE ticket SET "+strings.Join(set, ", ")+" WHERE id = $1", args...); err != nil {
		return fmt.Errorf("change ticket %s: %w", t.Number, err)
	}
	fields := []string{}
	for _, c := range changes {
		if c.old == nil && c.new == nil {
			continue // a copy that goes with another field
		}
		fields = append(fields, c.field)
		if err := addEvent(ctx, tx, by, t.ID, "changed", c.field, c.old, c.new); err != nil {
			return err
		}
	}
	return addOutbox(ctx, tx, by, "ticket.updated", t.ID, map[string]any{"number": t.Number, "fields": fields, "version": t.Version})
}

// moveStatus sends an event through the status machine and writes what follows from it: solved and closed instants,
// line visits, the reopen count. A refused event answers false and changes nothing.
func moveStatus(ctx context.Context, tx querier, by author, t *ticketRow, ev statusEvent, more ...fieldChange) (bool, error) {
	to, ok := nextStatus(t.Category, ev, t.inWindow(by.at))
	if !ok {
		return false, nil
	}
	if to == t.Category {
		return true, changeTicket(ctx, tx, by, t, more...)
	}
	from := t.Category
	changes := append([]fieldChange{{"status", "status_id", statusID[to], from, to}}, more...)
	copyOf := func(column string, v any) {
		changes = append(changes, fieldChange{field: "status", column: column, value: v})
	}
	switch {
	case to == catSolved:
		copyOf("solved_at", by.at)
		copyOf("pending_until", nil)
		copyOf("waiting_since", nil)
		t.SolvedAt = &by.at
	case to == catClosed:
		copyOf("closed_at", by.at)
	case isDone(from):
		copyOf("solved_at", nil)
		copyOf("closed_at", nil)
		copyOf("resolution", nil)
		t.SolvedAt = nil
		if ev == evCustomer {
			by = by.because("G6")
		}
	case to == catOpen:
		copyOf("pending_until", nil)
	}
	if isDone(from) && to == catOpen {
		if _, err := tx.Exec(ctx, `UPDATE ticket SET reopen_count = reopen_count + 1 WHERE id = $1`, t.ID); err != nil {
			return false, fmt.Errorf("count the reopening: %w", err)
		}
	}
	t.Category = to
	if err := changeTicket(ctx, tx, by, t, changes...); err != nil {
		return false, err
	}
	if err := moveLine(ctx, tx, by, t, from, to); err != nil {
		return false, err
	}
	topic := "ticket.status"
	if to == catSolved {
		topic = "ticket.solved"
	} else if isDone(from) && to == catOpen {
		topic = "ticket.reopened"
	}
	return true, addOutbox(ctx, tx, by, topic, t.ID, map[string]any{"number": t.Number, "from": from, "to": to})
}

// moveLine closes the line visit when the work ends and opens one when it begins again.
func moveLine(ctx context.Context, tx querier, by author, t *ticketRow, from, to string) error {
	exit := map[string]string{catSolved: "solved", catMerged: "merged", catSpam: "spam"}[to]
	var err error
	switch {
	case exit != "":
		_, err = tx.Exec(ctx, `UPDATE line_visit SET left_at = greatest(entered_at, $2), exit = $3 WHERE ticket_id = $1 AND left_at IS NULL`, t.ID, by.at, exit)
	case to == catOpen && (isDone(from) || from == catSpam):
		_, err = tx.Exec(ctx, `INSERT INTO line_visit (ticket_id, line, team_id, entered_at) VALUES ($1,$2,$3,$4)`, t.ID, t.TeamLine, t.TeamID, by.at)
	}
	if err != nil {
		return fmt.Errorf("line of ticket %s: %w", t.Number, err)
	}
	return nil
}
