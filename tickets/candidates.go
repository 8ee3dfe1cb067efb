package tickets

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// candidatesSQL reads tickets a call of a contact may be about: requester or participant, open-like, or solved inside
// the team's reopen window. The newest 50 of each kind are looked at; a card offers six. $4 is the visibility predicate.
const candidatesSQL = `SELECT t.id, t.number, t.title, s.key, s.name, s.category, m.id, m.name, m.line, coalesce(t.channel_id, 0), t.updated_at, t.next_due_at,
	t.missed_key IS NOT NULL, greatest(t.created_at, t.last_customer_at, t.last_agent_at) AS active, coalesce((m.settings->>'fresh_days')::int, 14)
	FROM (SELECT id FROM (SELECT id FROM ticket WHERE contact_id = $1 AND status_id <= 7 ORDER BY updated_at DESC LIMIT 50) a
		UNION SELECT ticket_id FROM (SELECT ticket_id FROM ticket_participant WHERE contact_id = $1 AND removed_at IS NULL ORDER BY ticket_id DESC LIMIT 50) b) ids
	JOIN ticket t ON t.id = ids.id JOIN ticket_status s ON s.id = t.status_id JOIN team m ON m.id = t.team_id
	WHERE (t.status_id <= 5 OR t.status_id <= 7 AND t.solved_at + m.reopen_window > $2) AND `

// readCandidates lists the tickets a contact's call may be about, at most six, the one in first before all others.
func readCandidates(ctx context.Context, q querier, a Actor, contact, first int64, now time.Time) ([]Candidate, error) {
	cs := []Candidate{}
	if contact == 0 {
		return cs, nil
	}
	args := sqlArgs{contact, utc(now)}
	rows, err := q.Query(ctx, candidatesSQL+a.visibleTickets(&args)+" ORDER BY active DESC, t.id DESC LIMIT 12", args...)
	if err != nil {
		return nil, fmt.Errorf("read candidates: %w", err)
	}
	cs, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (c Candidate, err error) {
		var name []byte
		var freshDays int
		if err := row.Scan(&c.id, &c.Number, &c.Title, &c.Status.Key, &name, &c.Status.Category, &c.Team.ID, &c.Team.Name, &c.Team.Line, &c.channelID,
			&c.UpdatedAt, &c.NextDueAt, &c.Missed, &c.active, &freshDays); err != nil {
			return c, err
		}
		c.Fresh = c.active.After(now.AddDate(0, 0, -freshDays))
		return c, json.Unmarshal(name, &c.Status.Name)
	})
	if err != nil {
		return nil, fmt.Errorf("read candidates: %w", err)
	}
	return orderCandidates(cs, first), nil
}

// fact is a candidate as the table sees it. Place says that team or dialled number agree with the call's.
func (c Candidate) fact(team, channel int64) ticketFact {
	open := !isDone(c.Status.Category)
	return ticketFact{ID: c.id, Category: c.Status.Category, Open: open, InWindow: !open, Fresh: c.Fresh,
		Place: c.Team.ID == team || channel != 0 && c.channelID == channel}
}

// missedTouched is how long a missed-call ticket that is no longer open still collects (A11).
const missedTouched = time.Hour

// readMissed finds the missed-call ticket of a number: open, or touched within the hour. Of several, one that holds
// nothing but missed calls goes first: a claimed number may add to it.
func readMissed(ctx context.Context, q querier, key string, now time.Time) (*ticketFact, error) {
	if key == "" {
		return nil, nil
	}
	rows, err := q.Query(ctx, `SELECT t.id, s.category, coalesce(t.solved_at + m.reopen_window > $2, false), t.status_id <= 5,
		NOT EXISTS (SELECT FROM message g LEFT JOIN call_link l ON l.call_id = g.call_id
			WHERE g.ticket_id = t.id AND g.deleted_at IS NULL AND (l.call_id IS NULL OR NOT l.missed OR l.caller_key IS DISTINCT FROM $1)) AS pure
		FROM ticket t JOIN ticket_status s ON s.id = t.status_id JOIN team m ON m.id = t.team_id
		WHERE t.missed_key = $1 AND t.status_id <= 7 AND (t.status_id <= 5 OR t.updated_at > $3)
		ORDER BY pure DESC, t.status_id <= 5 DESC, t.updated_at DESC, t.id DESC LIMIT 1`, key, utc(now), utc(now.Add(-missedTouched)))
	if err != nil {
		return nil, fmt.Errorf("read missed-call ticket: %w", err)
	}
	ts, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (t ticketFact, err error) {
		t.Fresh = true
		return t, row.Scan(&t.ID, &t.Category, &t.InWindow, &t.Open, &t.Pure)
	})
	if err != nil {
		return nil, fmt.Errorf("read missed-call ticket: %w", err)
	}
	if len(ts) == 0 {
		return nil, nil
	}
	return &ts[0], nil
}

// readReturn finds the ticket we last called this number from, within 24 h, unless that was a talk (A5).
func readReturn(ctx context.Context, q querier, key string, now time.Time) (*ticketFact, error) {
	if key == "" {
		return nil, nil
	}
	rows, err := q.Query(ctx, `SELECT t.id, s.category, coalesce(t.solved_at + m.reopen_window > $2, false), t.status_id <= 5, coalesce((l.told->>'talk_ms')::int, 0)
		FROM call_link l JOIN call c ON c.id = l.call_id AND c.direction = 'out' AND c.started_at BETWEEN $3 AND $2
		JOIN ticket t ON t.id = l.ticket_id AND t.status_id <= 7 JOIN ticket_status s ON s.id = t.status_id JOIN team m ON m.id = t.team_id
		WHERE l.caller_key = $1 AND l.state = 'confirmed' AND l.rule IN ('A1','A15') ORDER BY c.started_at DESC, c.id DESC LIMIT 1`, key, utc(now), utc(now.Add(-24*time.Hour)))
	if err != nil {
		return nil, fmt.Errorf("read our last call: %w", err)
	}
	talk := 0
	ts, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (t ticketFact, err error) {
		return t, row.Scan(&t.ID, &t.Category, &t.InWindow, &t.Open, &talk)
	})
	if err != nil {
		return nil, fmt.Errorf("read our last call: %w", err)
	}
	if len(ts) == 0 || talk > 30000 {
		return nil, nil
	}
	return &ts[0], nil
}
