package tickets

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// ruleAgent is the rule of a link that a person chose.
const ruleAgent = "agent"

// relink is one change of a link by a person, under the lock of the call.
type relink struct {
	s    *Service
	a    Actor
	tx   pgx.Tx
	by   author
	call int64
	l    *linkRow // nil: not decided yet (openCallLink only)
}

// openLink finds a call the actor sees and locks its link. A call that is not decided yet is a conflict.
func (s *Service) openLink(ctx context.Context, tx pgx.Tx, a Actor, call string) (*relink, error) {
	r, err := s.openCallLink(ctx, tx, a, call)
	if err != nil {
		return nil, err
	}
	if r.l == nil {
		return nil, conflict("call", nil, "nobody has talked to this caller yet")
	}
	return r, lockNumber(ctx, tx, r.l.Key)
}

// openCallLink is openLink with a nil link for a call that is not decided yet, and without the lock of the number.
func (s *Service) openCallLink(ctx context.Context, tx pgx.Tx, a Actor, call string) (*relink, error) {
	args := sqlArgs{call, parseID(call)}
	var id int64
	err := tx.QueryRow(ctx, `SELECT c.id FROM call c LEFT JOIN call_link l ON l.call_id = c.id WHERE (c.call_key = $1 OR c.id = $2) AND `+a.visibleCalls(&args)+
		` ORDER BY c.call_key = $1 DESC LIMIT 1`, args...).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("find call: %w", err)
	}
	if err := lockCall(ctx, tx, id); err != nil {
		return nil, err
	}
	l, err := readLink(ctx, tx, id)
	if err != nil {
		return nil, err
	}
	r := &relink{s: s, a: a, tx: tx, call: id, l: l, by: a.author(s.now())}
	r.by.cause = map[string]any{"rule": ruleAgent, "call": id}
	return r, nil
}

// early makes the link of a call whose answer we were not told of yet, from the journal's row: an agent may choose in
// the first second of a talk. The answer adds itself when it comes (catchUp).
func (r *relink) early(ctx context.Context) error {
	p := CallParty{Region: r.s.plan.Region, AreaCode: r.s.plan.AreaCode}
	l := &linkRow{CallID: r.call}
	err := r.tx.QueryRow(ctx, `SELECT direction, CASE WHEN direction = 'out' THEN coalesce(callee_e164, callee_raw) ELSE coalesce(caller_e164, caller_raw) END,
		CASE WHEN direction = 'out' THEN 'asserted' ELSE claim_trust END, withheld, callee_raw, started_at, coalesce(lang, ''),
		coalesce(team_id, (SELECT m.team_id FROM team_member m JOIN team t ON t.id = m.team_id WHERE m.agent_id = $2 ORDER BY t.line, t.id LIMIT 1), (SELECT id FROM team ORDER BY line, id LIMIT 1))
		FROM call WHERE id = $1`, r.call, r.a.AgentID).Scan(&l.Told.Direction, &p.Raw, &p.Trust, &p.Withheld, &p.Called, &l.Told.StartedAt, &l.Told.Lang, &l.TeamID)
	if err != nil {
		return fmt.Errorf("read call %d: %w", r.call, err)
	}
	who, err := r.s.readCaller(ctx, r.tx, p, l.Told.Direction == "internal", r.by.at)
	if err != nil {
		return err
	}
	l.Told.StartedAt, l.Told.ChannelID = utc(l.Told.StartedAt), who.ChannelID
	l.MatchLevel, l.MatchRule, l.Key = who.Match.Level, who.Match.Rule, who.Number.Key()
	if who.Own {
		l.Key = ""
	}
	l.choice = choice{Rule: ruleAgent, State: linkOpen, ContactID: who.Match.ContactID, DecidedAt: r.by.at, Trust: orText(who.Trust, TrustWithheld)}
	if l.ContactID != 0 {
		if l.OrgID, err = primaryOrg(ctx, r.tx, l.ContactID); err != nil {
			return err
		}
	}
	// Who has a leg in the call took it; anybody else needs access in its team.
	err = r.tx.QueryRow(ctx, `SELECT coalesce((SELECT agent_id FROM call_leg WHERE call_id = $1 AND agent_id = $2 LIMIT 1), 0)`, r.call, r.a.AgentID).Scan(&l.AgentID)
	if err != nil {
		return fmt.Errorf("read legs of call %d: %w", r.call, err)
	}
	r.l = l
	return nil
}

// may checks that the actor took the call, or has full access to the tickets concerned (0: none).
func (r *relink) may(ctx context.Context, tickets ...int64) error {
	if r.a.system || r.l.AgentID != 0 && r.l.AgentID == r.a.AgentID {
		return nil
	}
	for _, id := range tickets {
		if id == 0 {
			continue
		}
		t, err := readTicketRow(ctx, r.tx, id, "") // locked later, all at once and in order
		if err != nil {
			return err
		}
		if err := r.a.mayWrite(ctx, r.tx, t, AccessFull); err != nil {
			return err
		}
	}
	if r.a.Can(PermWriteAll) || r.a.access(r.l.TeamID).atLeast(AccessFull) {
		return nil
	}
	return forbidden("only who took the call, or full access in its team, may change its ticket")
}

// target finds the ticket a call is to go to: living, visible, and open or to be reopened.
func (r *relink) target(ctx context.Context, number string) (int64, error) {
	n, ok := ParseTicketNumber(number)
	if !ok {
		return 0, invalid("ticket", "this is not a ticket number")
	}
	f, err := readTicketFact(ctx, r.tx, n, r.by.at)
	if err != nil {
		return 0, err
	}
	if f == nil {
		return 0, invalid("ticket", "there is no such ticket")
	}
	args := sqlArgs{f.ID}
	var seen bool
	if err := r.tx.QueryRow(ctx, "SELECT EXISTS (SELECT FROM ticket t WHERE t.id = $1 AND "+r.a.visibleTickets(&args)+")", args...).Scan(&seen); err != nil {
		return 0, fmt.Errorf("look at the ticket: %w", err)
	}
	switch {
	case !seen:
		return 0, invalid("ticket", "there is no such ticket")
	case !f.Open && !f.InWindow:
		return 0, conflict("ticket", f.Category, "the reopen window of this ticket is over: make a new one")
	}
	return f.ID, nil
}

// chosen is the present choice, now made by the actor.
func (r *relink) chosen(state string, ticket int64) choice {
	c := r.l.choice
	c.Rule, c.State, c.TicketID, c.DecidedBy, c.DecidedAt, c.MadeTicket, c.Reason = ruleAgent, state, ticket, r.a.AgentID, r.by.at, false, ""
	if state == linkConfirmed && c.ContactID != 0 {
		c.Trust = TrustVerified // the agent's confirmation
	}
	if r.l.Told.AnsweredAt == nil && r.l.Told.Direction == "in" && r.l.Told.EndedAt != nil {
		c.Missed = true
	}
	return c
}

// set writes a new choice: the entry leaves the old ticket and enters the new one, with events on both. undoes is the
// link event taken back, 0 for none.
func (r *relink) set(ctx context.Context, op string, now choice, undoes int64) error {
	old := r.l.choice
	oldIn, nowIn := old.State == linkConfirmed, now.State == linkConfirmed
	moved := old.TicketID != now.TicketID
	for _, id := range inOrder(old.TicketID, now.TicketID) { // always in this order: nobody waits in a circle
		if _, err := lockTicket(ctx, r.tx, id); err != nil {
			return err
		}
	}
	if oldIn && nowIn && moved {
		if err := r.moveEntry(ctx, old.TicketID, now.TicketID); err != nil {
			return err
		}
	} else if oldIn && !nowIn {
		if err := r.removeEntry(ctx, old.TicketID); err != nil {
			return err
		}
	}
	r.l.choice = now
	if err := saveLink(ctx, r.tx, r.l); err != nil {
		return err
	}
	if err := addLinkEvent(ctx, r.tx, r.by, r.l.CallID, op, &old, now, undoes); err != nil {
		return err
	}
	switch {
	case nowIn && (!oldIn || moved):
		if err := enterTicket(ctx, r.tx, r.by, r.l, nil); err != nil {
			return err
		}
		return finishCallbacks(ctx, r.tx, r.by, r.l)
	case nowIn:
		return writeEntry(ctx, r.tx, r.by, r.l)
	}
	return nil
}

// moveEntry takes message and time along; the target's own entry of this call, if any, wins.
func (r *relink) moveEntry(ctx context.Context, from, to int64) error {
	if _, err := r.tx.Exec(ctx, `UPDATE message m SET deleted_at = $4 WHERE m.ticket_id = $1 AND m.call_id = $3 AND m.kind = 'call' AND m.deleted_at IS NULL
		AND EXISTS (SELECT FROM message o WHERE o.ticket_id = $2 AND o.call_id = $3 AND o.kind = 'call' AND o.deleted_at IS NULL)`, from, to, r.l.CallID, r.by.at); err != nil {
		return fmt.Errorf("give up the call's twin: %w", err)
	}
	if _, err := r.tx.Exec(ctx, `UPDATE message SET ticket_id = $2, origin_ticket_id = nullif(coalesce(origin_ticket_id, $1), $2)
		WHERE ticket_id = $1 AND call_id = $3 AND kind = 'call' AND deleted_at IS NULL`, from, to, r.l.CallID); err != nil {
		return fmt.Errorf("move the call's entry: %w", err)
	}
	if _, err := r.tx.Exec(ctx, `UPDATE time_entry SET ticket_id = $2 WHERE ticket_id = $1 AND call_id = $3`, from, to, r.l.CallID); err != nil {
		return fmt.Errorf("move the call's time: %w", err)
	}
	var number string
	if err := r.tx.QueryRow(ctx, `SELECT number FROM ticket WHERE id = $1`, to).Scan(&number); err != nil {
		return fmt.Errorf("read the target: %w", err)
	}
	return r.left(ctx, from, "call_moved_out", number)
}

// removeEntry takes the call off its ticket. The time entry comes back from what the link was told when it is linked
// again.
func (r *relink) removeEntry(ctx context.Context, from int64) error {
	if _, err := r.tx.Exec(ctx, `UPDATE message SET deleted_at = $3 WHERE ticket_id = $1 AND call_id = $2 AND kind = 'call' AND deleted_at IS NULL`, from, r.l.CallID, r.by.at); err != nil {
		return fmt.Errorf("take the call's entry off: %w", err)
	}
	if _, err := r.tx.Exec(ctx, `DELETE FROM time_entry WHERE ticket_id = $1 AND call_id = $2 AND source = 'call'`, from, r.l.CallID); err != nil {
		return fmt.Errorf("take the call's time off: %w", err)
	}
	return r.left(ctx, from, "call_unlinked", "")
}

// left writes the event on the ticket that lost the call and refreshes what is found of it.
func (r *relink) left(ctx context.Context, from int64, event, to string) error {
	var into any
	if to != "" {
		into = to
	}
	if err := addEvent(ctx, r.tx, r.by, from, event, "", r.l.CallID, into); err != nil {
		return err
	}
	if _, err := r.tx.Exec(ctx, `UPDATE ticket SET updated_at = greatest(updated_at, $2) WHERE id = $1`, from, r.by.at); err != nil {
		return fmt.Errorf("touch the ticket left: %w", err)
	}
	return refreshSearch(ctx, r.tx, from)
}

// newTicket makes a ticket for the call.
func (r *relink) newTicket(ctx context.Context, title, kind string, contact, org int64) (*ticketRow, error) {
	title, kind = strings.TrimSpace(title), orText(kind, "question")
	l := r.l
	if title == "" {
		zone, err := teamZone(ctx, r.tx, l.TeamID)
		if err != nil {
			return nil, err
		}
		title = callTitle(l.Told.Direction, l.Told.AnsweredAt == nil, l.Key, l.Told.Lang, l.Told.StartedAt.In(zone))
	}
	if err := checkTicketFields(&title, &kind, nil); err != nil {
		return nil, err
	}
	in := ticketInsert{Title: title, Kind: kind, Category: catNew, TeamID: l.TeamID, ContactID: contact, OrgID: org, ChannelID: l.Told.ChannelID, Severity: 4,
		Locale: l.Told.Lang, At: r.by.at}
	if l.Told.Direction != "out" {
		in.LastCustomerAt = l.Told.StartedAt
	}
	if l.Told.AnsweredAt != nil {
		in.Category, in.AssigneeID, in.FirstResponse, in.LastAgentAt = catOpen, l.AgentID, *l.Told.AnsweredAt, *l.Told.AnsweredAt
	}
	var err error
	if in.ClientPriority, err = orgPriority(ctx, r.tx, org); err != nil {
		return nil, err
	}
	return insertTicket(ctx, r.tx, r.by, in)
}

func (r *relink) view(ctx context.Context) (Call, error) {
	return findCall(ctx, r.tx, r.a, itoa(r.l.CallID))
}

// inOrder gives the ids that are not 0, ascending, each once.
func inOrder(a, b int64) []int64 {
	switch {
	case a == b || b == 0:
		b = 0
	case a == 0:
		a, b = b, 0
	case a > b:
		a, b = b, a
	}
	out := []int64{}
	for _, id := range []int64{a, b} {
		if id != 0 {
			out = append(out, id)
		}
	}
	return out
}
