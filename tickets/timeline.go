package tickets

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// timelinePlace is a place in a timeline: messages before events of the same instant.
type timelinePlace struct {
	At   time.Time `json:"t"`
	Rank int       `json:"r"` // 0 message or call, 1 event
	ID   int64     `json:"i"`
}

// Timeline lists messages, calls and events of a ticket in one order, oldest first.
func (s *Service) Timeline(ctx context.Context, a Actor, number, after string, limit int) (Page[TimelineItem], error) {
	t, err := findTicket(ctx, s.pool, a, number)
	if err != nil {
		return Page[TimelineItem]{}, err
	}
	limit = pageLimit(limit, 200, 500)
	args := sqlArgs{t.ID}
	keyset := ""
	var from timelinePlace
	if ok, err := s.readCursor("timeline "+t.Number, after, &from); err != nil {
		return Page[TimelineItem]{}, err
	} else if ok {
		keyset = " WHERE (x.at, x.rank, x.id) > (" + args.add(from.At) + ", " + args.add(from.Rank) + ", " + args.add(from.ID) + ")"
	}
	rows, err := s.pool.Query(ctx, `SELECT x.at, x.rank, x.id FROM (
		SELECT created_at AS at, 0 AS rank, id FROM message WHERE ticket_id = $1 AND deleted_at IS NULL
		UNION ALL SELECT at, 1, id FROM ticket_event WHERE ticket_id = $1) x`+keyset+` ORDER BY x.at, x.rank, x.id LIMIT `+itoa(int64(limit+1)), args...)
	if err != nil {
		return Page[TimelineItem]{}, fmt.Errorf("read timeline of %s: %w", t.Number, err)
	}
	places, err := pgx.CollectRows(rows, pgx.RowToStructByPos[timelinePlace])
	if err != nil {
		return Page[TimelineItem]{}, fmt.Errorf("read timeline of %s: %w", t.Number, err)
	}
	p := page(s, "timeline "+t.Number, places, limit, func(p timelinePlace) any { return p })
	items, err := s.timelineItems(ctx, a, p.Data)
	return Page[TimelineItem]{Data: items, Page: p.Page}, err
}

// timelineItems loads the entries at the given places, in their order.
func (s *Service) timelineItems(ctx context.Context, a Actor, places []timelinePlace) ([]TimelineItem, error) {
	var messages, events []int64
	var times []time.Time
	for _, p := range places {
		if p.Rank == 0 {
			messages = append(messages, p.ID)
		} else {
			events, times = append(events, p.ID), append(times, p.At)
		}
	}
	byID := map[string]TimelineItem{}
	ms, err := loadMessages(ctx, s.pool, a, "m.id = ANY($1)", []any{messages}, len(messages))
	if err != nil {
		return nil, err
	}
	es, err := loadEvents(ctx, s.pool, a, "e.id = ANY($1) AND e.at = ANY($2)", []any{events, times})
	if err != nil {
		return nil, err
	}
	for _, it := range append(ms, es...) {
		byID[it.ID] = it
	}
	items := []TimelineItem{}
	for _, p := range places {
		key := "m" + itoa(p.ID)
		if p.Rank == 1 {
			key = "e" + itoa(p.ID)
		}
		if it, ok := byID[key]; ok { // moved away between the two reads otherwise
			items = append(items, it)
		}
	}
	return items, nil
}

// loadMessages reads messages as entries; calls come with the whole call. where is on m.
func loadMessages(ctx context.Context, q querier, a Actor, where string, args []any, limit int) ([]TimelineItem, error) {
	rows, err := q.Query(ctx, `SELECT m.id, m.kind, m.direction, m.visibility, m.body_text, coalesce(m.delivery, ''), m.created_at, coalesce(m.call_id, 0),
		coalesce(g.login::text, ''), coalesce(g.name, ''), coalesce(k.id, 0), coalesce(k.name, '')
		FROM message m LEFT JOIN agent g ON g.id = m.agent_id LEFT JOIN contact k ON k.id = m.contact_id WHERE `+where+fmt.Sprintf(" ORDER BY m.created_at, m.id LIMIT %d", limit), args...)
	if err != nil {
		return nil, fmt.Errorf("load messages: %w", err)
	}
	calls := map[int64]int{}
	var items []TimelineItem
	_, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (struct{}, error) {
		it := TimelineItem{Type: "message"}
		var author AgentRef
		contact := ContactRef{Points: []Point{}}
		var call int64
		err := row.Scan(&it.MessageID, &it.Kind, &it.Direction, &it.Visibility, &it.Body, &it.Delivery, &it.At, &call, &author.Login, &author.Name, &contact.ID, &contact.Name)
		it.ID = "m" + itoa(it.MessageID)
		if author.Login != "" {
			it.Author = &author
		}
		if contact.ID != 0 {
			it.Contact = &contact
		}
		if it.Kind == "call" {
			it.Type = "call"
			calls[call] = len(items)
		}
		items = append(items, it)
		return struct{}{}, err
	})
	if err != nil {
		return nil, fmt.Errorf("load messages: %w", err)
	}
	if len(calls) == 0 {
		return items, nil
	}
	ids := []int64{}
	for id := range calls {
		ids = append(ids, id)
	}
	// Whoever sees the ticket sees the calls that are in it.
	cs, err := loadCalls(ctx, q, a, "c.id = ANY($1)", sqlArgs{ids}, "", len(ids))
	for i := range cs {
		items[calls[cs[i].ID]].Call = &cs[i]
	}
	return items, err
}

// loadEvents reads changes as entries. where is on e.
func loadEvents(ctx context.Context, q querier, a Actor, where string, args []any) ([]TimelineItem, error) {
	rows, err := q.Query(ctx, `SELECT e.id, e.at, e.actor_kind, e.type, coalesce(e.field, ''), e.old, e.new, e.cause, coalesce(g.login::text, ''), coalesce(g.name, '')
		FROM ticket_event e LEFT JOIN agent g ON g.id = e.actor_id AND e.actor_kind = 'agent' WHERE `+where+` ORDER BY e.at, e.id`, args...)
	if err != nil {
		return nil, fmt.Errorf("load events: %w", err)
	}
	items, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (TimelineItem, error) {
		it := TimelineItem{Type: "event"}
		var id int64
		var ev EventView
		var author AgentRef
		var old, new, cause []byte
		if err := row.Scan(&id, &it.At, &ev.ActorKind, &ev.Type, &ev.Field, &old, &new, &cause, &author.Login, &author.Name); err != nil {
			return it, err
		}
		it.ID = "e" + itoa(id)
		if author.Login != "" {
			it.Author = &author
		}
		for _, part := range []struct {
			data []byte
			into any
		}{{old, &ev.Old}, {new, &ev.New}, {cause, &ev.Cause}} {
			if len(part.data) > 0 {
				if err := json.Unmarshal(part.data, part.into); err != nil {
					return it, err
				}
			}
		}
		ev.Rule, _ = ev.Cause["rule"].(string)
		if call, ok := ev.Cause["call"].(float64); ok {
			ev.Call = int64(call)
		}
		ev.ReasonText = ReasonText(ev.Rule, a.Locale)
		it.Event = &ev
		return it, nil
	})
	return items, wrap("load events", err)
}

// Why lists the automatic steps on a ticket with their rules in words, oldest first.
func (s *Service) Why(ctx context.Context, a Actor, number string) ([]WhyItem, error) {
	t, err := findTicket(ctx, s.pool, a, number)
	if err != nil {
		return nil, err
	}
	events, err := loadEvents(ctx, s.pool, a, "e.ticket_id = $1 AND e.cause ? 'rule'", []any{t.ID})
	if err != nil {
		return nil, err
	}
	out := []WhyItem{}
	for _, e := range events {
		w := WhyItem{At: e.At, Rule: e.Event.Rule, ReasonText: e.Event.ReasonText, What: e.Event.Type, Call: e.Event.Call}
		if e.Event.Field != "" {
			w.What += " " + e.Event.Field
		}
		if !slices.Contains(out, w) {
			out = append(out, w)
		}
	}
	return out, nil
}
