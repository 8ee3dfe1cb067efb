package tickets

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// enterTicket brings a call with a confirmed link into its ticket: history, status, instants, participants and the
// call's one entry.
func enterTicket(ctx context.Context, tx querier, by author, l *linkRow, flags []string) error {
	t, err := lockTicket(ctx, tx, l.TicketID)
	if err != nil {
		return err
	}
	if err := addEvent(ctx, tx, by, t.ID, "call_attached", "", nil, l.CallID); err != nil {
		return err
	}
	if err := addFlags(ctx, tx, by, t, flags...); err != nil {
		return err
	}
	if err := callMeans(ctx, tx, by, t, l); err != nil {
		return err
	}
	if err := giveContact(ctx, tx, by, t, l); err != nil {
		return err
	}
	if l.ContactID != 0 && deref(t.ContactID) != l.ContactID {
		if err := addParticipant(ctx, tx, t.ID, l.ContactID, 0, "cc", "call"); err != nil {
			return err
		}
	}
	return writeEntryIn(ctx, tx, t, l)
}

// answerTicket brings an answer into a ticket that has the call already.
func answerTicket(ctx context.Context, tx querier, by author, l *linkRow) error {
	t, err := lockTicket(ctx, tx, l.TicketID)
	if err != nil {
		return err
	}
	if err := callMeans(ctx, tx, by, t, l); err != nil {
		return err
	}
	return writeEntryIn(ctx, tx, t, l)
}

// callMeans writes what a call means for a ticket: status, instants, and the agent who answered takes part.
func callMeans(ctx context.Context, tx querier, by author, t *ticketRow, l *linkRow) error {
	if err := callMovesStatus(ctx, tx, by, t, l); err != nil {
		return err
	}
	if err := touchByCall(ctx, tx, by, t, l); err != nil {
		return err
	}
	if l.AgentID == 0 || l.Told.AnsweredAt == nil {
		return nil
	}
	return addParticipant(ctx, tx, t.ID, 0, l.AgentID, "collaborator", "call")
}

// callMovesStatus sends what the call means through the status machine: the customer called; an agent answered.
func callMovesStatus(ctx context.Context, tx querier, by author, t *ticketRow, l *linkRow) error {
	if l.Told.Direction != "out" {
		if _, err := moveStatus(ctx, tx, by, t, evCustomer); err != nil {
			return err
		}
	}
	if l.Told.AnsweredAt == nil {
		return nil
	}
	var assign []fieldChange
	if t.Category == catNew && t.AssigneeID == nil && l.AgentID != 0 {
		var login string
		if err := tx.QueryRow(ctx, `SELECT login FROM agent WHERE id = $1`, l.AgentID).Scan(&login); err != nil {
			return fmt.Errorf("read agent: %w", err)
		}
		assign = append(assign, fieldChange{"assignee", "assignee_id", l.AgentID, nil, login})
	}
	_, err := moveStatus(ctx, tx, by, t, evAgentReply, assign...)
	return err
}

// touchByCall moves the ticket's instants forward; they never go back, whatever order calls are told in.
func touchByCall(ctx context.Context, tx querier, by author, t *ticketRow, l *linkRow) error {
	in := l.Told.Direction != "out"
	answered := l.Told.AnsweredAt != nil
	_, err := tx.Exec(ctx, `UPDATE ticket SET updated_at = greatest(updated_at, $2),
		last_customer_at = CASE WHEN $3 THEN greatest(last_customer_at, $2) ELSE last_customer_at END,
		last_agent_at = CASE WHEN $4 THEN greatest(last_agent_at, $2) ELSE last_agent_at END,
		waiting_since = CASE WHEN $3 AND NOT $4 AND status_id <= 5 THEN coalesce(waiting_since, $2) ELSE waiting_since END WHERE id = $1`, t.ID, by.at, in, answered)
	if err != nil {
		return fmt.Errorf("touch ticket %s: %w", t.Number, err)
	}
	return nil
}

// writeEntry writes or completes the call's entry in the ticket of a confirmed link.
func writeEntry(ctx context.Context, tx querier, by author, l *linkRow) error {
	t, err := lockTicket(ctx, tx, l.TicketID)
	if err != nil {
		return err
	}
	return writeEntryIn(ctx, tx, t, l)
}

// writeEntryIn is writeEntry in a locked ticket. One call is one entry per ticket (index message_call), over transfers
// and repeated tellings.
func writeEntryIn(ctx context.Context, tx querier, t *ticketRow, l *linkRow) error {
	tag, err := tx.Exec(ctx, `UPDATE message SET body_text = $3, counts_as_response = $4, agent_id = coalesce($5, agent_id), contact_id = coalesce($6, contact_id)
		WHERE ticket_id = $1 AND call_id = $2 AND kind = 'call' AND deleted_at IS NULL`, t.ID, l.CallID, l.Note, l.Told.response(), nullID(l.AgentID), nullID(l.ContactID))
	if err != nil {
		return fmt.Errorf("complete the call's entry: %w", err)
	}
	if tag.RowsAffected() == 0 {
		direction := "in"
		if l.Told.Direction == "out" {
			direction = "out"
		}
		if _, err := insertMessage(ctx, tx, t, messageInsert{Kind: "call", Direction: direction, Visibility: "public", AgentID: l.AgentID, ContactID: l.ContactID,
			CallID: l.CallID, ChannelID: l.Told.ChannelID, Body: l.Note, Response: l.Told.response(), At: l.Told.StartedAt}); err != nil {
			return err
		}
	}
	if l.Told.response() {
		if _, err := tx.Exec(ctx, `UPDATE ticket SET first_response_at = coalesce(first_response_at, greatest($2, created_at)), waiting_since = NULL WHERE id = $1`,
			t.ID, l.Told.AnsweredAt); err != nil {
			return fmt.Errorf("note the answer: %w", err)
		}
	}
	if err := writeTime(ctx, tx, t, l); err != nil {
		return err
	}
	return refreshSearch(ctx, tx, t.ID)
}

// writeTime keeps one time entry per call and agent; it moves with the call.
func writeTime(ctx context.Context, tx querier, t *ticketRow, l *linkRow) error {
	seconds := (l.Told.TalkMS + 999) / 1000
	if l.AgentID == 0 || seconds <= 0 || l.Told.EndedAt == nil {
		return nil
	}
	_, err := tx.Exec(ctx, `INSERT INTO time_entry (ticket_id, agent_id, call_id, seconds, source, at) VALUES ($1,$2,$3,$4,'call',$5)
		ON CONFLICT (call_id, agent_id) WHERE source = 'call' DO UPDATE SET ticket_id = excluded.ticket_id, seconds = excluded.seconds`,
		t.ID, l.AgentID, l.CallID, seconds, *l.Told.EndedAt)
	if err != nil {
		return fmt.Errorf("write the call's time: %w", err)
	}
	return nil
}

// askCallback promises to call back: for every missed-call ticket with a number, and whenever the caller asked for it.
// One number waits once; asking again keeps the earlier place.
func (d *dealing) askCallback(ctx context.Context, by author, dec decision) error {
	l := d.link
	asked := d.f.Disposition == "callback"
	if !asked && dec.Act == actMissed && dec.Rule == "A12" {
		return nil // the customer's own ticket is open: its clock calls us
	}
	number, _ := cutRaw(l.Key)
	if asked && d.f.CallbackNumber != "" {
		n := ParseNumber(d.f.CallbackNumber, DialPlan{Region: d.s.plan.Region, AreaCode: d.f.Party.AreaCode})
		if n.E164 != "" {
			number = n.E164
		}
	}
	if number == "" {
		return nil
	}
	_, err := d.tx.Exec(ctx, `INSERT INTO callback_request (call_id, ticket_id, number, asked_at) VALUES ($1,$2,$3,$4)
		ON CONFLICT (number) WHERE state IN ('waiting','dialing') DO NOTHING`, l.CallID, l.TicketID, number, by.at)
	if err != nil {
		return fmt.Errorf("ask for a callback: %w", err)
	}
	return nil
}

// finishCallbacks keeps the promise: a talk of 15 s or more with the number, in either direction.
func finishCallbacks(ctx context.Context, tx querier, by author, l *linkRow) error {
	if !l.Told.response() || l.Key == "" || !(l.Picked || l.Trust == TrustAsserted || l.Trust == TrustVerified) {
		return nil
	}
	number, _ := cutRaw(l.Key)
	_, err := tx.Exec(ctx, `UPDATE callback_request SET state = 'done', finished_at = greatest($2, asked_at), finished_by = $3, finished_call_id = $4,
		taken_by = NULL, taken_call = NULL, taken_at = NULL
		WHERE number = $1 AND state IN ('waiting','dialing') AND asked_at <= $2`, number, by.at, nullID(l.AgentID), l.CallID)
	if err != nil {
		return fmt.Errorf("finish callbacks: %w", err)
	}
	return nil
}

// provisionalContact is the contact of a new number: a bare number until an agent names it.
func provisionalContact(ctx context.Context, tx querier, n Number, at time.Time) (int64, error) {
	var id int64
	err := tx.QueryRow(ctx, `SELECT contact_id FROM contact_point WHERE kind = 'phone' AND value_norm = $1 AND sharing = 'personal' AND level = 'known' AND contact_id IS NOT NULL`, n.E164).Scan(&id)
	if err == nil {
		return id, nil
	}
	if !errors.Is(err, pgx.ErrNoRows) {
		return 0, fmt.Errorf("find the number's contact: %w", err)
	}
	if err := tx.QueryRow(ctx, `INSERT INTO contact (kind, created_at) VALUES ('unknown', $1) RETURNING id`, utc(at)).Scan(&id); err != nil {
		return 0, fmt.Errorf("make a provisional contact: %w", err)
	}
	alt := n.Alt
	if alt == nil {
		alt = altSpellings(n.E164)
	}
	_, err = tx.Exec(ctx, `INSERT INTO contact_point (contact_id, kind, value_norm, value_raw, alt_keys, source, last_seen_at, is_primary) VALUES ($1,'phone',$2,$3,$4,'inbound',$5,true)`,
		id, n.E164, orText(n.Raw, n.E164), append([]string{}, alt...), utc(at))
	if err != nil {
		return 0, fmt.Errorf("give the provisional contact its number: %w", err)
	}
	return id, nil
}

// primaryOrg is a contact's organisation, 0 for none.
func primaryOrg(ctx context.Context, q querier, contact int64) (int64, error) {
	var id int64
	err := q.QueryRow(ctx, `SELECT coalesce((SELECT org_id FROM contact_org WHERE contact_id = $1 ORDER BY is_primary DESC, org_id LIMIT 1), 0)`, contact).Scan(&id)
	if err != nil {
		return 0, fmt.Errorf("read the contact's organisation: %w", err)
	}
	return id, nil
}
