package tickets

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// addEvent appends to the history of a ticket.
func addEvent(ctx context.Context, tx querier, by author, ticket int64, typ, field string, old, new any) error {
	var cause any
	if len(by.cause) > 0 {
		cause = by.cause
	}
	_, err := tx.Exec(ctx, `INSERT INTO ticket_event (ticket_id, at, actor_kind, actor_id, type, field, old, new, cause) VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9)`,
		ticket, by.at, by.kind, by.id, typ, nullText(field), jsonArg(old), jsonArg(new), jsonArg(cause))
	if err != nil {
		return fmt.Errorf("write event %s: %w", typ, err)
	}
	return nil
}

// addOutbox tells the world after commit.
func addOutbox(ctx context.Context, tx querier, by author, topic string, entity int64, data map[string]any) error {
	if _, err := tx.Exec(ctx, `INSERT INTO outbox (at, topic, entity_id, data) VALUES ($1,$2,$3,$4)`, by.at, topic, entity, data); err != nil {
		return fmt.Errorf("write outbox %s: %w", topic, err)
	}
	return nil
}

// addParticipant adds a contact or an agent (the other id is 0). Somebody who takes part already keeps the role.
func addParticipant(ctx context.Context, tx querier, ticket, contact, agent int64, role, addedBy string) error {
	_, err := tx.Exec(ctx, `INSERT INTO ticket_participant (ticket_id, contact_id, agent_id, role, added_by) VALUES ($1,$2,$3,$4,$5)
		ON CONFLICT (ticket_id, contact_id, agent_id) DO UPDATE SET removed_at = NULL WHERE ticket_participant.removed_at IS NOT NULL`,
		ticket, nullID(contact), nullID(agent), role, addedBy)
	if err != nil {
		return fmt.Errorf("add %s: %w", role, err)
	}
	return nil
}

// linkTickets writes a link from one ticket to another, with events on both.
func linkTickets(ctx context.Context, tx querier, by author, from *ticketRow, to int64, kind string) error {
	tag, err := tx.Exec(ctx, `INSERT INTO ticket_link (from_id, to_id, kind, created_at) VALUES ($1,$2,$3,$4) ON CONFLICT DO NOTHING`, from.ID, to, kind, by.at)
	if err != nil {
		return fmt.Errorf("link tickets: %w", err)
	}
	if tag.RowsAffected() == 0 {
		return nil
	}
	var other string
	if err := tx.QueryRow(ctx, `SELECT number FROM ticket WHERE id = $1`, to).Scan(&other); err != nil {
		return fmt.Errorf("number of ticket %d: %w", to, err)
	}
	if err := addEvent(ctx, tx, by, from.ID, "linked", kind, nil, other); err != nil {
		return err
	}
	return addEvent(ctx, tx, by, to, "linked_from", kind, nil, from.Number)
}

// messageInsert is a new entry of a ticket.
type messageInsert struct {
	Kind, Direction, Visibility string
	AgentID, ContactID, CallID  int64 // 0: none
	ChannelID                   int64
	Body                        string
	Response                    bool
	At                          time.Time
}

// insertMessage appends to a locked ticket. seq counts every message born in it, moved ones too.
func insertMessage(ctx context.Context, tx querier, t *ticketRow, m messageInsert) (int64, error) {
	var id int64
	err := tx.QueryRow(ctx, `INSERT INTO message (ticket_id, seq, kind, direction, visibility, agent_id, contact_id, channel_id, call_id, body_text, counts_as_response, created_at)
		SELECT $1, coalesce(max(seq), 0) + 1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11 FROM message WHERE coalesce(origin_ticket_id, ticket_id) = $1 RETURNING id`,
		t.ID, m.Kind, m.Direction, m.Visibility, nullID(m.AgentID), nullID(m.ContactID), nullID(m.ChannelID), nullID(m.CallID), clip(m.Body, maxBody), m.Response, utc(m.At)).Scan(&id)
	if err != nil {
		return 0, fmt.Errorf("insert message into %s: %w", t.Number, err)
	}
	return id, nil
}

// maxBody bounds one message; more belongs into an attachment.
const maxBody = 256 << 10

// addFlags puts flags on a locked ticket that are not there yet.
func addFlags(ctx context.Context, tx querier, by author, t *ticketRow, flags ...string) error {
	all := slices.Clone(t.Flags)
	for _, f := range flags {
		if !slices.Contains(all, f) {
			all = append(all, f)
		}
	}
	if len(all) == len(t.Flags) {
		return nil
	}
	old := t.Flags
	t.Flags = all
	return changeTicket(ctx, tx, by, t, fieldChange{"flags", "flags", all, old, all})
}

// searchBody is how many characters of the newest messages a ticket is found by; a tsvector may have 1 MB.
const searchBody = 60000

// refreshSearch rewrites the search row of a ticket from its title, number and messages. Names and telephone numbers
// are looked up where they live (search.go), so that they are never stale here.
func refreshSearch(ctx context.Context, tx querier, ticket int64) error {
	_, err := tx.Exec(ctx, `INSERT INTO ticket_search (ticket_id, title, tsv)
		SELECT t.id, t.title, setweight(to_tsvector('russian', t.title), 'A') || setweight(to_tsvector('simple', t.number || ' ' || t.title), 'A')
			|| setweight(to_tsvector('russian', b.body), 'C') || setweight(to_tsvector('simple', b.body), 'D')
		FROM ticket t CROSS JOIN LATERAL (SELECT coalesce(left(string_agg(m.body_text, ' ' ORDER BY m.created_at DESC), $2), '') AS body
			FROM message m WHERE m.ticket_id = t.id AND m.deleted_at IS NULL) b WHERE t.id = $1
		ON CONFLICT (ticket_id) DO UPDATE SET title = excluded.title, tsv = excluded.tsv`, ticket, searchBody)
	if err != nil {
		return fmt.Errorf("refresh search of ticket %d: %w", ticket, err)
	}
	return nil
}

func nullID(id int64) *int64 {
	if id == 0 {
		return nil
	}
	return &id
}

func nullText(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func nullTime(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = utc(t)
	return &t
}

func deref[T any](p *T) T {
	var zero T
	if p == nil {
		return zero
	}
	return *p
}
