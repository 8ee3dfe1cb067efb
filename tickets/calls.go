package tickets

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// callColumns are what a view of a call shows; c is the journal's row, l our link. The ticket of the link is joined
// under the actor's own predicate, which replaces %s: a foreign one stays unnamed.
const callColumns = `SELECT c.id, c.call_key, c.direction, c.state, CASE WHEN c.direction = 'out' THEN c.caller_raw ELSE coalesce(c.caller_e164, l.caller_key, c.caller_raw) END, c.caller_raw, coalesce(c.caller_name, ''), c.claim_trust, c.withheld,
	coalesce(c.callee_e164, c.callee_raw), c.trunk, coalesce(c.queue, ''), coalesce((SELECT q.name FROM queue q WHERE q.key = c.queue), ''), coalesce(c.lang, ''), coalesce(m.id, 0), coalesce(m.name, ''), coalesce(m.line, 0),
	coalesce(l.contact_id, 0), coalesce(o.id, 0), coalesce(o.name, ''), c.started_at, c.answered_at, c.ended_at, coalesce(c.disposition, ''), coalesce(c.end_result, ''),
	coalesce(c.end_reason, ''), coalesce(c.hangup_by, ''), coalesce(c.wait_ms, 0), coalesce(c.talk_ms, 0), coalesce(c.hold_ms, 0), c.menu_path,
	coalesce(l.rule, ''), coalesce(l.state, 'open'), coalesce(t.number, ''), coalesce(t.title, ''), coalesce(l.match_level, 'none'), coalesce(l.match_rule, ''),
	coalesce(w.login::text, ''), l.decided_at, coalesce(l.missed, false), coalesce(l.wrapup_result, ''), coalesce(l.wrapup_note, ''),
	EXISTS (SELECT FROM call_link_event x WHERE x.call_id = c.id AND x.actor_kind = 'agent' AND x.op <> 'undo' AND NOT EXISTS (SELECT FROM call_link_event u WHERE u.undoes = x.id))
	FROM call c LEFT JOIN call_link l ON l.call_id = c.id LEFT JOIN team m ON m.id = coalesce(l.team_id, c.team_id) LEFT JOIN org o ON o.id = l.org_id
	LEFT JOIN agent w ON w.id = l.decided_by LEFT JOIN ticket t ON t.id = l.ticket_id AND %s WHERE `

// loadCalls reads views of calls with legs and recordings. where must say who may see them.
func loadCalls(ctx context.Context, q querier, a Actor, where string, args sqlArgs, order string, limit int) ([]Call, error) {
	if order != "" {
		order = " ORDER BY " + order
	}
	columns := fmt.Sprintf(callColumns, a.visibleTickets(&args))
	rows, err := q.Query(ctx, columns+where+order+fmt.Sprintf(" LIMIT %d", limit), args...)
	if err != nil {
		return nil, fmt.Errorf("load calls: %w", err)
	}
	contacts := []int64{}
	cs, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Call, error) {
		c, contact, err := scanCall(row, a)
		if contact != 0 {
			contacts = append(contacts, contact)
		}
		c.contactID = contact
		return c, err
	})
	if err != nil {
		return nil, fmt.Errorf("load calls: %w", err)
	}
	refs, err := loadContactRefs(ctx, q, contacts)
	if err != nil {
		return nil, err
	}
	ids := make([]int64, len(cs))
	at := map[int64]*Call{}
	for i := range cs {
		ids[i], at[cs[i].ID] = cs[i].ID, &cs[i]
		cs[i].Contact = refs[cs[i].contactID]
	}
	if err := loadLegs(ctx, q, ids, at); err != nil {
		return nil, err
	}
	if a.PartnerOrgID != 0 && !a.Can("recording.read_all") {
		return cs, nil // external agents hear no recordings unless their role says so
	}
	return cs, loadRecordings(ctx, q, ids, at)
}

func scanCall(row pgx.CollectableRow, a Actor) (Call, int64, error) {
	c := Call{Agents: []AgentRef{}, Legs: []LegView{}, Recordings: []RecordingRef{}}
	var team TeamRef
	var org OrgRef
	var ticket TicketRef
	var contact int64
	var path []byte
	err := row.Scan(&c.ID, &c.Key, &c.Direction, &c.State, &c.Caller.Number, &c.Caller.Raw, &c.Caller.Name, &c.Caller.Trust, &c.Caller.Withheld,
		&c.Called, &c.Trunk, &c.Queue, &c.QueueName, &c.Lang, &team.ID, &team.Name, &team.Line, &contact, &org.ID, &org.Name, &c.StartedAt, &c.AnsweredAt, &c.EndedAt, &c.Disposition, &c.EndResult,
		&c.EndReason, &c.HangupBy, &c.WaitMS, &c.TalkMS, &c.HoldMS, &path,
		&c.Link.Rule, &c.Link.State, &ticket.Number, &ticket.Title, &c.Link.MatchLevel, &c.Link.MatchRule, &c.Link.By, &c.Link.At, &c.Link.Missed, &c.Link.Result, &c.Link.Note, &c.Link.CanUndo)
	if err != nil {
		return c, 0, err
	}
	c.Caller.Number, _ = cutRaw(c.Caller.Number)
	if team.ID != 0 {
		c.Team = &team
	}
	if org.ID != 0 {
		c.Org = &org
	}
	if ticket.Number != "" {
		c.Link.Ticket = &ticket
	}
	c.Link.ReasonText = ReasonText(c.Link.Rule, a.Locale)
	if err := json.Unmarshal(path, &c.MenuPath); err != nil {
		return c, 0, fmt.Errorf("menu path of call %d: %w", c.ID, err)
	}
	return c, contact, nil
}

func loadLegs(ctx context.Context, q querier, ids []int64, at map[int64]*Call) error {
	rows, err := q.Query(ctx, `SELECT g.call_id, g.leg_key, g.role, coalesce(a.login::text, ''), coalesce(a.name, ''), coalesce(g.endpoint, ''), g.started_at, g.answered_at, g.ended_at, coalesce(g.cause, '')
		FROM call_leg g LEFT JOIN agent a ON a.id = g.agent_id WHERE g.call_id = ANY($1) ORDER BY g.call_id, g.started_at, g.id`, ids)
	if err != nil {
		return fmt.Errorf("load legs: %w", err)
	}
	_, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (struct{}, error) {
		var call int64
		var l LegView
		var agent AgentRef
		if err := row.Scan(&call, &l.Key, &l.Role, &agent.Login, &agent.Name, &l.Endpoint, &l.StartedAt, &l.AnsweredAt, &l.EndedAt, &l.Cause); err != nil {
			return struct{}{}, err
		}
		c := at[call]
		if agent.Login != "" {
			l.Agent = &agent
			if l.AnsweredAt != nil {
				c.Agents = append(c.Agents, agent)
			}
		}
		c.Legs = append(c.Legs, l)
		return struct{}{}, nil
	})
	return wrap("load legs", err)
}

func loadRecordings(ctx context.Context, q querier, ids []int64, at map[int64]*Call) error {
	rows, err := q.Query(ctx, `SELECT call_id, id, kind, state, coalesce(duration_ms, 0), coalesce(channels, 0), started_at FROM recording
		WHERE call_id = ANY($1) ORDER BY call_id, id`, ids)
	if err != nil {
		return fmt.Errorf("load recordings: %w", err)
	}
	_, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (struct{}, error) {
		var call int64
		var r RecordingRef
		err := row.Scan(&call, &r.ID, &r.Kind, &r.State, &r.DurationMS, &r.Channels, &r.StartedAt)
		if err == nil {
			at[call].Recordings = append(at[call].Recordings, r)
		}
		return struct{}{}, err
	})
	return wrap("load recordings", err)
}

// findCall reads the view of one call the actor sees, by id or key.
func findCall(ctx context.Context, q querier, a Actor, call string) (Call, error) {
	args := sqlArgs{call, parseID(call)}
	cs, err := loadCalls(ctx, q, a, "(c.call_key = $1 OR c.id = $2) AND "+a.visibleCalls(&args), args, "c.call_key = $1 DESC", 1)
	if err != nil {
		return Call{}, err
	}
	if len(cs) == 0 {
		return Call{}, ErrNotFound
	}
	return cs[0], nil
}

// GetCall reads a call by id or key, with legs and recordings.
func (s *Service) GetCall(ctx context.Context, a Actor, call string) (Call, error) {
	return findCall(ctx, s.pool, a, call)
}

// CallEvents lists the raw facts of a call in order.
func (s *Service) CallEvents(ctx context.Context, a Actor, call string) ([]CallEvent, error) {
	c, err := findCall(ctx, s.pool, a, call)
	if err != nil {
		return nil, err
	}
	rows, err := s.pool.Query(ctx, `SELECT seq, at, type, data FROM call_event WHERE call_id = $1 ORDER BY seq LIMIT 5000`, c.ID)
	if err != nil {
		return nil, fmt.Errorf("read events of call %d: %w", c.ID, err)
	}
	evs, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (e CallEvent, err error) {
		return e, row.Scan(&e.Seq, &e.At, &e.Type, &e.Data)
	})
	return evs, wrap("read events of a call", err)
}

// placeCall is a place in the list of calls.
type placeCall struct {
	At time.Time `json:"t"`
	ID int64     `json:"i"`
}

// ListCalls lists calls the actor sees, newest first.
func (s *Service) ListCalls(ctx context.Context, a Actor, f CallFilter) (Page[Call], error) {
	var args sqlArgs
	where := a.visibleCalls(&args)
	switch f.State {
	case "":
	case "unlinked": // the team's list: a ticket is wanted and nobody has chosen
		where += " AND l.state IN ('open','proposed') AND c.ended_at IS NOT NULL"
	case "abandoned": // short ones too: the only list where they stand
		where += " AND c.direction = 'in' AND c.disposition IN ('abandoned_ivr','abandoned_queue','no_answer')"
	case "live":
		where += " AND c.ended_at IS NULL"
	default:
		return Page[Call]{}, invalid("state", "unlinked, abandoned or live")
	}
	if f.Disposition != "" {
		where += " AND c.disposition = " + args.add(f.Disposition)
	}
	if f.Number != "" {
		n := ParseNumber(f.Number, s.plan)
		keys := args.add([]string{n.E164, n.Key(), clip(f.Number, maxRaw)})
		where += " AND (c.caller_e164 = ANY(" + keys + ") OR l.caller_key = ANY(" + keys + ") OR c.caller_raw = ANY(" + keys + ") OR c.callee_e164 = ANY(" + keys + "))"
	}
	if f.Contact != 0 {
		where += " AND l.contact_id = " + args.add(f.Contact)
	}
	var at placeCall
	if ok, err := s.readCursor("calls", f.After, &at); err != nil {
		return Page[Call]{}, err
	} else if ok {
		where += " AND (c.started_at, c.id) < (" + args.add(at.At) + ", " + args.add(at.ID) + ")"
	}
	limit := pageLimit(f.Limit, 50, 200)
	cs, err := loadCalls(ctx, s.pool, a, where, args, "c.started_at DESC, c.id DESC", limit+1)
	if err != nil {
		return Page[Call]{}, err
	}
	return page(s, "calls", cs, limit, func(c Call) any { return placeCall{c.StartedAt, c.ID} }), nil
}

// ContactCalls lists the calls of a contact that the actor sees.
func (s *Service) ContactCalls(ctx context.Context, a Actor, id int64, limit int, after string) (Page[Call], error) {
	if _, err := s.GetContact(ctx, a, id); err != nil {
		return Page[Call]{}, err
	}
	return s.ListCalls(ctx, a, CallFilter{Contact: id, Limit: limit, After: after})
}
