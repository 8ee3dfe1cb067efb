package tickets

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// ticketColumns are what a view of a ticket shows; the aliases are used by lists for filters and sorting.
const ticketColumns = `SELECT t.id, t.number, t.title, t.kind, s.key, s.name, s.category, t.severity, t.client_priority, m.id, m.name, m.line,
	coalesce(g.login::text, ''), coalesce(g.name, ''), coalesce(t.contact_id, 0), coalesce(o.id, 0), coalesce(o.name, ''), coalesce(ch.kind, ''),
	t.created_at, t.updated_at, t.last_customer_at, t.next_due_at, t.solved_at, t.breached, coalesce(t.resolution, ''), coalesce(t.root_cause, ''), t.flags,
	t.missed_key IS NOT NULL, t.rank, t.version,
	(SELECT count(*) FROM call_link l WHERE l.ticket_id = t.id AND l.missed AND l.state = 'confirmed'),
	coalesce((SELECT left(e.body_text, 160) FROM message e WHERE e.ticket_id = t.id AND e.deleted_at IS NULL AND e.body_text <> '' ORDER BY e.created_at DESC, e.id DESC LIMIT 1), '')
	FROM ticket t JOIN ticket_status s ON s.id = t.status_id JOIN team m ON m.id = t.team_id
	LEFT JOIN agent g ON g.id = t.assignee_id LEFT JOIN org o ON o.id = t.org_id LEFT JOIN channel ch ON ch.id = t.channel_id WHERE `

// loadTickets reads views of tickets. where must hold the visibility predicate of whoever asks.
func loadTickets(ctx context.Context, q querier, where string, args []any, order string, limit int) ([]Ticket, error) {
	if order != "" {
		order = " ORDER BY " + order
	}
	rows, err := q.Query(ctx, ticketColumns+where+order+fmt.Sprintf(" LIMIT %d", limit), args...)
	if err != nil {
		return nil, fmt.Errorf("load tickets: %w", err)
	}
	var contacts []int64
	ts, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (t Ticket, err error) {
		var name []byte
		var assignee AgentRef
		var org OrgRef
		err = row.Scan(&t.ID, &t.Number, &t.Title, &t.Kind, &t.Status.Key, &name, &t.Status.Category, &t.Severity, &t.ClientPriority, &t.Team.ID, &t.Team.Name, &t.Team.Line,
			&assignee.Login, &assignee.Name, &t.contactID, &org.ID, &org.Name, &t.Channel,
			&t.CreatedAt, &t.UpdatedAt, &t.LastCustomerAt, &t.NextDueAt, &t.SolvedAt, &t.Breached, &t.Resolution, &t.RootCause, &t.Flags,
			&t.missed, &t.rank, &t.Version, &t.MissedCalls, &t.Preview)
		if err != nil {
			return t, err
		}
		if assignee.Login != "" {
			t.Assignee = &assignee
		}
		if org.ID != 0 {
			t.Org = &org
		}
		if t.contactID != 0 {
			contacts = append(contacts, t.contactID)
		}
		return t, json.Unmarshal(name, &t.Status.Name)
	})
	if err != nil {
		return nil, fmt.Errorf("load tickets: %w", err)
	}
	refs, err := loadContactRefs(ctx, q, contacts)
	if err != nil {
		return nil, err
	}
	for i := range ts {
		ts[i].Contact = refs[ts[i].contactID]
	}
	return ts, nil
}

// findTicket reads the view of one ticket the actor sees, ErrNotFound otherwise. The number may be typed or spoken. A
// merged ticket is shown as itself; its status says so.
func findTicket(ctx context.Context, q querier, a Actor, number string) (Ticket, error) {
	n, ok := ParseTicketNumber(number)
	if !ok {
		return Ticket{}, ErrNotFound
	}
	args := sqlArgs{n}
	ts, err := loadTickets(ctx, q, "t.number = $1 AND "+a.visibleTickets(&args), args, "", 1)
	if err != nil {
		return Ticket{}, err
	}
	if len(ts) == 0 {
		return Ticket{}, ErrNotFound
	}
	return ts[0], nil
}

// GetTicket reads one ticket; the number may be typed or spoken ("#482170", "48 21-70").
func (s *Service) GetTicket(ctx context.Context, a Actor, number string) (Ticket, error) {
	return findTicket(ctx, s.pool, a, number)
}
