package tickets

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// pick is "this is X": the link names the contact and the number is learned for them (3.2). Nothing is learned from a
// withheld or own number, nor from one that somebody else owns.
func (r *relink) pick(ctx context.Context, contact int64) error {
	if err := seesContact(ctx, r.tx, r.a, "contact_id", contact); err != nil {
		return err
	}
	r.l.ContactID, r.l.Picked, r.l.Trust = contact, true, TrustVerified
	var err error
	if r.l.OrgID, err = primaryOrg(ctx, r.tx, contact); err != nil {
		return err
	}
	if _, raw := cutRaw(r.l.Key); raw || r.l.Key == "" {
		return nil
	}
	if err := saveLink(ctx, r.tx, r.l); err != nil { // the row counts among the picks below
		return err
	}
	if err := r.learn(ctx, contact); err != nil {
		return fmt.Errorf("learn the number: %w", err)
	}
	return lookAgain(ctx, r.tx, r.s, r.l.Key, r.by)
}

// identified is the answer "this is X" without a choice of the ticket: a ticket without a customer gets one.
func (r *relink) identified(ctx context.Context) error {
	if err := saveLink(ctx, r.tx, r.l); err != nil || r.l.State != linkConfirmed {
		return err
	}
	t, err := lockTicket(ctx, r.tx, r.l.TicketID)
	if err != nil {
		return err
	}
	if err := giveContact(ctx, r.tx, r.by, t, r.l); err != nil {
		return err
	}
	return writeEntryIn(ctx, r.tx, t, r.l)
}

// giveContact names the customer of a ticket that has none, once an agent has said who called.
func giveContact(ctx context.Context, tx querier, by author, t *ticketRow, l *linkRow) error {
	if t.ContactID != nil || !l.Picked || l.ContactID == 0 {
		return nil
	}
	changes := []fieldChange{{"contact", "contact_id", l.ContactID, nil, l.ContactID}}
	if t.OrgID == nil && l.OrgID != 0 {
		changes = append(changes, fieldChange{"org", "org_id", l.OrgID, nil, l.OrgID})
	}
	if err := changeTicket(ctx, tx, by, t, changes...); err != nil {
		return err
	}
	t.ContactID = &l.ContactID
	return addParticipant(ctx, tx, t.ID, l.ContactID, 0, "requester", by.kind)
}

func (r *relink) learn(ctx context.Context, contact int64) error {
	var point, owner int64
	var provisional bool
	err := r.tx.QueryRow(ctx, `SELECT p.id, p.contact_id, k.kind = 'unknown' AND k.name = '' FROM contact_point p JOIN contact k ON k.id = p.contact_id
		WHERE p.kind = 'phone' AND p.value_norm = $1 AND p.sharing = 'personal' AND p.level = 'known'`, r.l.Key).Scan(&point, &owner, &provisional)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return r.learnNew(ctx, contact)
	case err != nil:
		return err
	case owner == contact:
		_, err = r.tx.Exec(ctx, `UPDATE contact_point SET last_seen_at = $2 WHERE id = $1`, point, r.by.at)
		return err
	case provisional:
		return absorb(ctx, r.tx, r.by, owner, contact)
	}
	return r.share(ctx, owner, contact)
}

// learnNew writes a known point for a number nobody owns (L8, L11). A shared number stays as it is (L6).
func (r *relink) learnNew(ctx context.Context, contact int64) error {
	var shared bool
	if err := r.tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM contact_point WHERE kind = 'phone' AND value_norm = $1 AND level = 'known' AND sharing = 'shared')`, r.l.Key).Scan(&shared); err != nil || shared {
		return err
	}
	if _, err := r.tx.Exec(ctx, `DELETE FROM contact_point WHERE kind = 'phone' AND value_norm = $1 AND contact_id = $2 AND level = 'maybe'`, r.l.Key, contact); err != nil {
		return err
	}
	_, err := r.tx.Exec(ctx, `INSERT INTO contact_point (contact_id, kind, value_norm, value_raw, alt_keys, source, verified_at, last_seen_at) VALUES ($1,'phone',$2,$2,$3,'agent',$4,$4)
		ON CONFLICT DO NOTHING`, contact, r.l.Key, append([]string{}, altSpellings(r.l.Key)...), r.by.at)
	return err
}

// absorb puts a provisional contact, a bare number so far, into the person the agent named. The tombstone remains.
func absorb(ctx context.Context, tx querier, by author, from, to int64) error {
	for _, sql := range []string{
		`UPDATE contact_point p SET contact_id = $2, source = 'agent' WHERE contact_id = $1 AND NOT EXISTS (SELECT FROM contact_point o
			WHERE o.contact_id = $2 AND o.kind = p.kind AND o.value_norm = p.value_norm AND o.ext IS NOT DISTINCT FROM p.ext)`,
		`DELETE FROM contact_point WHERE contact_id = $1`,
		`UPDATE ticket SET contact_id = $2, org_id = coalesce(org_id, (SELECT org_id FROM contact_org WHERE contact_id = $2 ORDER BY is_primary DESC LIMIT 1)),
			flags = array_remove(flags, 'unverified'), version = version + 1 WHERE contact_id = $1`,
		`DELETE FROM ticket_participant p WHERE contact_id = $1 AND EXISTS (SELECT FROM ticket_participant o WHERE o.ticket_id = p.ticket_id AND o.contact_id = $2)`,
		`UPDATE ticket_participant SET contact_id = $2 WHERE contact_id = $1`,
		`UPDATE message SET contact_id = $2 WHERE contact_id = $1`,
		`UPDATE call_link SET contact_id = $2 WHERE contact_id = $1`,
		`UPDATE contact SET merged_into_id = $2, version = version + 1 WHERE id = $1`,
	} {
		args := []any{from, to}
		if sql == `DELETE FROM contact_point WHERE contact_id = $1` {
			args = args[:1]
		}
		if _, err := tx.Exec(ctx, sql, args...); err != nil {
			return err
		}
	}
	return addOutbox(ctx, tx, by, "contact.merged", to, map[string]any{"from": from})
}

// share makes a number shared by itself when two contacts of one organisation were picked for it on three calls.
func (r *relink) share(ctx context.Context, owner, contact int64) error {
	var shared bool
	err := r.tx.QueryRow(ctx, `SELECT count(*) >= 3 AND count(DISTINCT l.contact_id) >= 2 FROM call_link l
		JOIN contact_org co ON co.contact_id = l.contact_id AND co.org_id = (SELECT a.org_id FROM contact_org a JOIN contact_org b ON b.org_id = a.org_id AND b.contact_id = $3
			WHERE a.contact_id = $2 ORDER BY a.org_id LIMIT 1)
		WHERE l.caller_key = $1 AND l.contact_picked`, r.l.Key, owner, contact).Scan(&shared)
	if err != nil || !shared {
		return err
	}
	if _, err := r.tx.Exec(ctx, `UPDATE contact_point SET sharing = 'shared' WHERE kind = 'phone' AND value_norm = $1 AND level = 'known'`, r.l.Key); err != nil {
		return err
	}
	_, err = r.tx.Exec(ctx, `INSERT INTO contact_point (contact_id, kind, value_norm, value_raw, alt_keys, sharing, source, last_seen_at) VALUES ($1,'phone',$2,$2,$3,'shared','agent',$4)
		ON CONFLICT DO NOTHING`, contact, r.l.Key, append([]string{}, altSpellings(r.l.Key)...), r.by.at)
	return err
}

// lookAgain runs the look-up again for calls of the last 30 days with this number that wait for a ticket: after a point
// was added, removed or merged.
func lookAgain(ctx context.Context, tx querier, s *Service, key string, by author) error {
	if key == "" {
		return nil
	}
	who, err := s.readCaller(ctx, tx, CallParty{Raw: key, Trust: TrustClaimed}, false, by.at)
	if err != nil {
		return err
	}
	org := int64(0)
	if who.Match.ContactID != 0 {
		if org, err = primaryOrg(ctx, tx, who.Match.ContactID); err != nil {
			return err
		}
	} else if len(who.Match.OrgIDs) == 1 {
		org = who.Match.OrgIDs[0]
	}
	_, err = tx.Exec(ctx, `UPDATE call_link l SET match_rule = $2, match_level = $3, contact_id = $4, org_id = $5, version = l.version + 1
		FROM call c WHERE c.id = l.call_id AND l.caller_key = $1 AND l.state = 'open' AND NOT l.contact_picked AND c.started_at > $6`,
		key, who.Match.Rule, who.Match.Level, nullID(who.Match.ContactID), nullID(org), by.at.AddDate(0, 0, -30))
	if err != nil {
		return fmt.Errorf("look up waiting calls again: %w", err)
	}
	return nil
}
