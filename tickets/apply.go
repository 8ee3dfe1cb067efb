package tickets

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// ErrNoCall says that the journal has not written the call's row yet. The caller tells it again later.
var ErrNoCall = errors.New("the call has no row yet")

// CallAnswered decides rows A0a to A9: a person answered. The card was shown on ring by Lookup; nothing was written
// then. Told again, or after CallEnded, it changes nothing.
func (s *Service) CallAnswered(ctx context.Context, tx pgx.Tx, f CallFacts) (Link, error) {
	if f.AnsweredAt.IsZero() {
		return Link{}, invalid("answered_at", "a call without the instant of its answer was not answered")
	}
	d, err := s.openCall(ctx, tx, f)
	if err != nil {
		return Link{}, fmt.Errorf("call %s answered: %w", f.Key, err)
	}
	if err := d.answered(ctx); err != nil {
		return Link{}, fmt.Errorf("call %s answered: %w", f.Key, err)
	}
	return d.outcome(ctx)
}

// CallEnded decides rows A10 to A15 and finishes the call's entry in its ticket: length, note, time entry, callback.
// When the answer was never told, the facts say it was answered, and rows A1 to A9 are decided first, as of that
// instant. Told again it changes nothing.
func (s *Service) CallEnded(ctx context.Context, tx pgx.Tx, f CallFacts) (Link, error) {
	if f.EndedAt.IsZero() {
		return Link{}, invalid("ended_at", "a call without the instant of its end is not over")
	}
	d, err := s.openCall(ctx, tx, f)
	if err != nil {
		return Link{}, fmt.Errorf("call %s ended: %w", f.Key, err)
	}
	if err := d.ended(ctx); err != nil {
		return Link{}, fmt.Errorf("call %s ended: %w", f.Key, err)
	}
	return d.outcome(ctx)
}

// WrapUpEnded decides row A16: the wrap-up time ran out, or the agent closed the wrap-up without answering the card.
// call is the key or id. Told again it changes nothing.
func (s *Service) WrapUpEnded(ctx context.Context, tx pgx.Tx, call string, at time.Time) (Link, error) {
	id, err := callID(ctx, tx, call)
	if err != nil {
		return Link{}, fmt.Errorf("wrap-up of call %s: %w", call, err)
	}
	if err := lockCall(ctx, tx, id); err != nil {
		return Link{}, err
	}
	l, err := readLink(ctx, tx, id)
	if err != nil {
		return Link{}, err
	}
	if l == nil {
		return Link{}, fmt.Errorf("wrap-up of call %s: %w", call, ErrNoCall)
	}
	d := &dealing{s: s, tx: tx, call: callRow{ID: id}, link: l}
	if err := d.wrapUp(ctx, at); err != nil {
		return Link{}, fmt.Errorf("wrap-up of call %s: %w", call, err)
	}
	return d.outcome(ctx)
}

// callRow is what we read of the journal's row.
type callRow struct {
	ID, TeamID, ChannelID int64
}

// dealing is one telling of one call: what is known, under the locks of the call and the number.
type dealing struct {
	s    *Service
	tx   pgx.Tx
	f    CallFacts
	call callRow
	who  callerFacts
	link *linkRow // nil: not decided yet
	team int64
	// agentID is who talked; 0: nobody, or unknown here.
	agentID int64
}

// openCall takes the locks and reads what was decided before.
func (s *Service) openCall(ctx context.Context, tx pgx.Tx, f CallFacts) (*dealing, error) {
	if f.PBX == "" {
		f.PBX = "hotline"
	}
	if f.StartedAt.IsZero() {
		return nil, invalid("started_at", "a call has a beginning")
	}
	if f.Direction == "out" && f.Party.Trust == "" {
		f.Party.Trust = TrustAsserted // we dialled it ourselves
	}
	d := &dealing{s: s, tx: tx, f: f}
	err := tx.QueryRow(ctx, `SELECT id, coalesce(team_id, 0), coalesce(channel_id, 0) FROM call WHERE pbx = $1 AND call_key = $2`, f.PBX, f.Key).
		Scan(&d.call.ID, &d.call.TeamID, &d.call.ChannelID)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, ErrNoCall
	}
	if err != nil {
		return nil, fmt.Errorf("read call: %w", err)
	}
	if err := lockCall(ctx, tx, d.call.ID); err != nil {
		return nil, err
	}
	if d.link, err = readLink(ctx, tx, d.call.ID); err != nil {
		return nil, err
	}
	if d.link != nil && d.link.EndedDone {
		return d, nil // nothing that comes now changes anything
	}
	return d, d.readParty(ctx)
}

// readParty reads caller, agent and team, and takes the lock of the number: facts read after it hold until commit.
func (d *dealing) readParty(ctx context.Context) error {
	p := d.f.Party
	if d.f.Direction == "out" {
		p.IVRTicketNumber = ""
	}
	plan := DialPlan{Region: p.Region, AreaCode: p.AreaCode, BareCodes: p.BareCodes}
	if plan.Region == "" {
		plan.Region = d.s.plan.Region
	}
	if err := lockNumber(ctx, d.tx, partyNumber(p, plan).Key()); err != nil {
		return err
	}
	var err error
	if d.who, err = d.s.readCaller(ctx, d.tx, p, d.f.Direction == "internal", d.f.StartedAt); err != nil {
		return err
	}
	if d.f.Agent != "" {
		err := d.tx.QueryRow(ctx, `SELECT id FROM agent WHERE login = $1`, d.f.Agent).Scan(&d.agentID)
		if err != nil && !errors.Is(err, pgx.ErrNoRows) { // an unknown agent takes nothing from the call
			return fmt.Errorf("read agent: %w", err)
		}
	}
	d.team, err = d.readTeam(ctx)
	return err
}

// readTeam says whose call it is: the team named, the call's, that of the dialled number, the agent's, the first of
// line 1.
func (d *dealing) readTeam(ctx context.Context) (int64, error) {
	var id int64
	err := d.tx.QueryRow(ctx, `SELECT id FROM (
		SELECT id, 1 AS o FROM team WHERE name = $1
		UNION ALL SELECT id, 2 FROM team WHERE id = $2
		UNION ALL SELECT id, 3 FROM team WHERE id = $3
		UNION ALL (SELECT t.id, 4 FROM team_member m JOIN team t ON t.id = m.team_id WHERE m.agent_id = $4 AND m.access <> 'read' ORDER BY t.line, t.id LIMIT 1)
		UNION ALL (SELECT id, 5 FROM team ORDER BY line, id LIMIT 1)) x ORDER BY o LIMIT 1`, d.f.Team, d.call.TeamID, d.who.TeamID, d.agentID).Scan(&id)
	if err != nil {
		return 0, fmt.Errorf("find the call's team: %w", err)
	}
	return id, nil
}

// answered is phase one.
func (d *dealing) answered(ctx context.Context) error {
	if d.link != nil && (d.link.AnsweredDone || d.link.EndedDone) {
		return nil
	}
	early := d.link // chosen by the agent before we were told of the answer
	if err := d.decide(ctx, phaseAnswered, d.f.AnsweredAt); err != nil {
		return err
	}
	d.link.AnsweredDone = true
	if early != nil {
		return d.catchUp(ctx)
	}
	return saveLink(ctx, d.tx, d.link)
}

// catchUp adds the answer to a link that an agent chose before it was told: the choice stays, the ticket learns who
// answered and when.
func (d *dealing) catchUp(ctx context.Context) error {
	l := d.link
	l.Told = d.told(false)
	if l.AgentID == 0 {
		l.AgentID = d.agentID
	}
	if err := saveLink(ctx, d.tx, l); err != nil || l.State != linkConfirmed {
		return err
	}
	return answerTicket(ctx, d.tx, byRule(d.f.AnsweredAt, l.Rule, l.CallID), l)
}

// ended is phase two.
func (d *dealing) ended(ctx context.Context) error {
	if d.link != nil && d.link.EndedDone {
		return nil
	}
	if !d.f.AnsweredAt.IsZero() {
		if err := d.answered(ctx); err != nil {
			return err
		}
	}
	if err := d.decide(ctx, phaseEnded, d.f.EndedAt); err != nil {
		return err
	}
	l := d.link
	l.Told, l.EndedDone = d.told(true), true
	if l.AgentID == 0 {
		l.AgentID = d.agentID
	}
	if l.Note == "" {
		l.Note = clip(d.f.Note, maxBody)
	}
	if l.Result == "" {
		l.Result = d.f.Result
	}
	if err := saveLink(ctx, d.tx, l); err != nil {
		return err
	}
	by := byRule(d.f.EndedAt, l.Rule, l.CallID)
	if err := d.settleCallback(ctx, by); err != nil {
		return err
	}
	if l.State != linkConfirmed {
		return nil
	}
	if err := writeEntry(ctx, d.tx, by, l); err != nil {
		return err
	}
	return finishCallbacks(ctx, d.tx, by, l)
}

// wrapUp is phase three.
func (d *dealing) wrapUp(ctx context.Context, at time.Time) error {
	l := d.link
	if l.WrapUpDone {
		return nil
	}
	if err := lockNumber(ctx, d.tx, l.Key); err != nil {
		return err
	}
	f := attachFacts{Phase: phaseWrapUp, Trust: l.Trust, Link: &linkFact{l.Rule, l.State, l.TicketID}}
	if l.Picked {
		f.Trust = TrustVerified
	}
	if err := d.tx.QueryRow(ctx, `SELECT autocreate_policy FROM team WHERE id = $1`, l.TeamID).Scan(&f.Policy); err != nil {
		return fmt.Errorf("read the team's policy: %w", err)
	}
	d.team, d.agentID = l.TeamID, l.AgentID
	d.who.Number = Number{E164: l.Key, Withheld: l.Key == ""}
	if raw, ok := cutRaw(l.Key); ok {
		d.who.Number = Number{Raw: raw}
	}
	d.who.ChannelID = l.Told.ChannelID
	d.who.Match = match{Rule: l.MatchRule, Level: l.MatchLevel, ContactID: l.ContactID}
	d.f.Lang, d.f.Direction = l.Told.Lang, l.Told.Direction
	dec := decide(f)
	d.s.metrics.decisions.WithLabelValues(dec.Rule).Inc()
	if err := d.apply(ctx, dec, at); err != nil {
		return err
	}
	l.WrapUpDone = true
	if err := saveLink(ctx, d.tx, l); err != nil || l.State != linkConfirmed {
		return err
	}
	return finishCallbacks(ctx, d.tx, byRule(at, l.Rule, l.CallID), l)
}

// told is what we were told, as kept with the link.
func (d *dealing) told(over bool) told {
	t := told{Direction: d.f.Direction, StartedAt: utc(d.f.StartedAt), AnsweredAt: nullTime(d.f.AnsweredAt), Lang: d.f.Lang, ChannelID: d.channel()}
	if over {
		t.EndedAt, t.TalkMS, t.Disposition, t.VoicemailMS = nullTime(d.f.EndedAt), d.f.TalkMS, d.f.Disposition, d.f.VoicemailMS
	}
	return t
}

func (d *dealing) channel() int64 {
	if d.call.ChannelID != 0 {
		return d.call.ChannelID
	}
	return d.who.ChannelID
}

// outcome is what the caller of the engine gets.
func (d *dealing) outcome(ctx context.Context) (Link, error) {
	l := d.link
	out := Link{CallID: l.CallID, Rule: l.Rule, State: l.State, MatchLevel: l.MatchLevel, MatchRule: l.MatchRule, ContactID: l.ContactID, OrgID: l.OrgID,
		Created: l.MadeTicket, Missed: l.Missed, Reason: Reason(l.Rule)}
	if l.TicketID != 0 {
		var t TicketRef
		if err := d.tx.QueryRow(ctx, `SELECT number, title FROM ticket WHERE id = $1`, l.TicketID).Scan(&t.Number, &t.Title); err != nil {
			return out, fmt.Errorf("read the call's ticket: %w", err)
		}
		out.Ticket = &t
	}
	err := d.tx.QueryRow(ctx, `SELECT coalesce(min(id), 0) FROM callback_request WHERE state IN ('waiting','dialing') AND (call_id = $1 OR ticket_id = $2 AND $3)`,
		l.CallID, nullID(l.TicketID), l.Missed).Scan(&out.CallbackID)
	if err != nil {
		return out, fmt.Errorf("read the call's callback: %w", err)
	}
	return out, nil
}

// callID finds a call by id or key.
func callID(ctx context.Context, q querier, call string) (int64, error) {
	var id int64
	err := q.QueryRow(ctx, `SELECT id FROM call WHERE call_key = $1 OR id = $2 ORDER BY call_key = $1 DESC LIMIT 1`, call, parseID(call)).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, ErrNotFound
	}
	if err != nil {
		return 0, fmt.Errorf("find call: %w", err)
	}
	return id, nil
}
