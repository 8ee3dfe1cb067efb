package tickets

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// told is what the engine was told about a call, kept with the decision: entries in tickets are written from it, so
// they do not depend on when the journal copies its own rows.
type told struct {
	Direction   string     `json:"direction"`
	StartedAt   time.Time  `json:"started_at"`
	AnsweredAt  *time.Time `json:"answered_at,omitempty"`
	EndedAt     *time.Time `json:"ended_at,omitempty"`
	TalkMS      int        `json:"talk_ms,omitempty"`
	Disposition string     `json:"disposition,omitempty"`
	VoicemailMS int        `json:"voicemail_ms,omitempty"`
	Lang        string     `json:"lang,omitempty"`
	ChannelID   int64      `json:"channel,omitempty"`
}

// responseLeastMS is how long a talk must be to count as an answer to the customer.
const responseLeastMS = 15000

// response reports whether the call answered the customer.
func (d told) response() bool { return d.AnsweredAt != nil && d.TalkMS >= responseLeastMS }

// choice is the part of a link that agents change and undo brings back.
type choice struct {
	Rule       string    `json:"rule"`
	State      string    `json:"state"`
	TicketID   int64     `json:"ticket,omitempty"`
	ContactID  int64     `json:"contact,omitempty"`
	OrgID      int64     `json:"org,omitempty"`
	Picked     bool      `json:"picked,omitempty"` // an agent said who it was
	Missed     bool      `json:"missed,omitempty"`
	MadeTicket bool      `json:"made_ticket,omitempty"`
	Reason     string    `json:"reason,omitempty"`
	DecidedBy  int64     `json:"decided_by,omitempty"` // 0: the rule
	DecidedAt  time.Time `json:"decided_at"`
	Trust      string    `json:"trust"`
}

// linkRow is a row of call_link under the lock of its call.
type linkRow struct {
	CallID int64
	choice
	TeamID       int64
	MatchLevel   string
	MatchRule    string
	Key          string // number the decision went by; empty: withheld, own
	AgentID      int64  // who took the call; 0: nobody
	AnsweredDone bool
	EndedDone    bool
	WrapUpDone   bool
	Result, Note string
	Told         told
}

// readLink reads the link of a call; nil when nothing was decided yet.
func readLink(ctx context.Context, tx querier, call int64) (*linkRow, error) {
	l := linkRow{CallID: call}
	var data []byte
	err := tx.QueryRow(ctx, `SELECT rule, state, coalesce(ticket_id,0), coalesce(contact_id,0), coalesce(org_id,0), contact_picked, missed, made_ticket,
		coalesce(reason,''), coalesce(decided_by,0), decided_at, trust, team_id, match_level, match_rule, coalesce(caller_key,''), coalesce(agent_id,0),
		answered_done, ended_done, wrapup_done, coalesce(wrapup_result,''), coalesce(wrapup_note,''), told FROM call_link WHERE call_id = $1`, call).
		Scan(&l.Rule, &l.State, &l.TicketID, &l.ContactID, &l.OrgID, &l.Picked, &l.Missed, &l.MadeTicket,
			&l.Reason, &l.DecidedBy, &l.DecidedAt, &l.Trust, &l.TeamID, &l.MatchLevel, &l.MatchRule, &l.Key, &l.AgentID,
			&l.AnsweredDone, &l.EndedDone, &l.WrapUpDone, &l.Result, &l.Note, &data)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil // the caller asks "is there one", absence is an answer
	}
	if err != nil {
		return nil, fmt.Errorf("read link of call %d: %w", call, err)
	}
	if err := json.Unmarshal(data, &l.Told); err != nil {
		return nil, fmt.Errorf("read link of call %d: %w", call, err)
	}
	l.DecidedAt = utc(l.DecidedAt)
	return &l, nil
}

// saveLink writes the whole row.
func saveLink(ctx context.Context, tx querier, l *linkRow) error {
	_, err := tx.Exec(ctx, `INSERT INTO call_link (call_id, rule, state, ticket_id, contact_id, org_id, contact_picked, missed, made_ticket, reason, decided_by,
		decided_at, trust, team_id, match_level, match_rule, caller_key, agent_id, answered_done, ended_done, wrapup_done, wrapup_result, wrapup_note, told)
		VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15,$16,$17,$18,$19,$20,$21,$22,$23,$24)
		ON CONFLICT (call_id) DO UPDATE SET rule=$2, state=$3, ticket_id=$4, contact_id=$5, org_id=$6, contact_picked=$7, missed=$8, made_ticket=$9, reason=$10,
		decided_by=$11, decided_at=$12, trust=$13, team_id=$14, match_level=$15, match_rule=$16, caller_key=$17, agent_id=$18, answered_done=$19, ended_done=$20,
		wrapup_done=$21, wrapup_result=$22, wrapup_note=$23, told=$24, version = call_link.version + 1`,
		l.CallID, l.Rule, l.State, nullID(l.TicketID), nullID(l.ContactID), nullID(l.OrgID), l.Picked, l.Missed, l.MadeTicket, nullText(l.Reason), nullID(l.DecidedBy),
		utc(l.DecidedAt), l.Trust, l.TeamID, l.MatchLevel, l.MatchRule, nullText(l.Key), nullID(l.AgentID), l.AnsweredDone, l.EndedDone, l.WrapUpDone,
		nullText(l.Result), nullText(l.Note), l.Told)
	if err != nil {
		return fmt.Errorf("save link of call %d: %w", l.CallID, err)
	}
	return nil
}

// addLinkEvent appends to the history of a link; undoes is the event taken back, 0 for none.
func addLinkEvent(ctx context.Context, tx querier, by author, call int64, op string, old *choice, now choice, undoes int64) error {
	kind := by.kind
	if kind != "agent" {
		kind = "system"
	}
	var before any
	if old != nil {
		before = old
	}
	_, err := tx.Exec(ctx, `INSERT INTO call_link_event (call_id, at, op, actor_kind, actor_id, old, new, undoes) VALUES ($1,$2,$3,$4,$5,$6,$7,$8)`,
		call, by.at, op, kind, by.id, jsonArg(before), jsonArg(now), nullID(undoes))
	if err != nil {
		return fmt.Errorf("write link event %s: %w", op, err)
	}
	return addOutbox(ctx, tx, by, "call.linked", call, map[string]any{"op": op, "rule": now.Rule, "state": now.State, "ticket_id": now.TicketID})
}

// lockCall serialises all decisions about one call, lockNumber those about one number. They are taken in this order,
// tickets after them, so nobody waits in a circle.
func lockCall(ctx context.Context, tx querier, call int64) error {
	return advisoryLock(ctx, tx, "call:"+itoa(call))
}

func lockNumber(ctx context.Context, tx querier, key string) error {
	if key == "" {
		return nil
	}
	return advisoryLock(ctx, tx, "number:"+key)
}

func advisoryLock(ctx context.Context, tx querier, name string) error {
	if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtextextended('hotline.tickets.' || $1, 0))`, name); err != nil {
		return fmt.Errorf("wait for %s: %w", name, err)
	}
	return nil
}
