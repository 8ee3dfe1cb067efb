package tickets

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nyaruka/phonenumbers"
)

// decide asks the table and writes the outcome.
func (d *dealing) decide(ctx context.Context, ph phase, at time.Time) error {
	f, err := d.gather(ctx, ph, at)
	if err != nil {
		return err
	}
	dec := decide(f)
	d.s.metrics.decisions.WithLabelValues(dec.Rule).Inc()
	return d.apply(ctx, dec, at)
}

// gather reads the facts the table looks at, as of the instant at.
func (d *dealing) gather(ctx context.Context, ph phase, at time.Time) (attachFacts, error) {
	f := attachFacts{Phase: ph, Outbound: d.f.Direction == "out", Withheld: d.who.Number.Withheld, Trust: d.who.Trust,
		NoTicket: d.f.NoTicket || d.who.Own || d.who.Policy == "no_ticket",
		Answered: !d.f.AnsweredAt.IsZero(), ReachedQueue: !d.f.QueuedAt.IsZero(), Disposition: d.f.Disposition, WaitMS: d.f.WaitMS,
		ShortAbandonMS: d.f.ShortAbandonMS, VoicemailMS: d.f.VoicemailMS, IVR: d.who.IVR, IVRAccess: d.who.IVRAccess}
	if d.link != nil {
		f.Link = &linkFact{d.link.Rule, d.link.State, d.link.TicketID}
		return f, nil
	}
	if err := d.tx.QueryRow(ctx, `SELECT autocreate_policy FROM team WHERE id = $1`, d.team).Scan(&f.Policy); err != nil {
		return f, fmt.Errorf("read the team's policy: %w", err)
	}
	var err error
	if from, ok := ParseTicketNumber(d.f.FromTicket); ok {
		if f.From, err = readTicketFact(ctx, d.tx, from, at); err != nil {
			return f, err
		}
	}
	key := d.who.Number.Key()
	if f.Missed, err = readMissed(ctx, d.tx, key, at); err != nil {
		return f, err
	}
	if f.Return, err = readReturn(ctx, d.tx, key, at); err != nil {
		return f, err
	}
	cands, err := readCandidates(ctx, d.tx, SystemActor(), d.who.Match.ContactID, 0, at)
	for _, c := range cands {
		f.Candidates = append(f.Candidates, c.fact(d.team, d.channel()))
	}
	return f, err
}

// apply writes a decision: the link, and what follows from it in tickets.
func (d *dealing) apply(ctx context.Context, dec decision, at time.Time) error {
	if dec.Act == actKeep {
		return nil
	}
	by := byRule(at, strings.Join(append([]string{dec.Rule}, dec.Also...), " "), d.call.ID)
	old := d.prepareLink(dec, at)
	l := d.link
	if err := d.findOrg(ctx); err != nil {
		return err
	}
	switch dec.Act {
	case actCreate, actCreateMissed:
		t, err := d.createTicket(ctx, by, dec, at)
		if err != nil {
			return err
		}
		l.TicketID, l.MadeTicket = t.ID, true
	case actPropose, actAttach, actMissed:
		l.TicketID = dec.TicketID
	}
	l.Missed = dec.Act == actMissed || dec.Act == actCreateMissed
	if err := saveLink(ctx, d.tx, l); err != nil {
		return err
	}
	if err := addLinkEvent(ctx, d.tx, by, l.CallID, "decide", old, l.choice, 0); err != nil {
		return err
	}
	if l.State != linkConfirmed {
		return nil
	}
	if err := enterTicket(ctx, d.tx, by, l, dec.Flags); err != nil {
		return err
	}
	if !l.Missed {
		return nil
	}
	return d.askCallback(ctx, by, dec)
}

// prepareLink makes or reuses the link row for a decision and gives what stood there before.
func (d *dealing) prepareLink(dec decision, at time.Time) *choice {
	var old *choice
	if d.link == nil {
		d.link = &linkRow{CallID: d.call.ID, TeamID: d.team, AgentID: d.agentID, MatchLevel: d.who.Match.Level, MatchRule: d.who.Match.Rule,
			Key: d.who.Number.Key(), Told: d.told(!d.f.EndedAt.IsZero() && d.f.AnsweredAt.IsZero())}
		if d.who.Own {
			d.link.Key = ""
		}
		d.link.Trust, d.link.ContactID = d.who.Trust, d.who.Match.ContactID
		if d.link.Trust == "" {
			d.link.Trust = TrustWithheld
		}
	} else {
		was := d.link.choice
		old = &was
	}
	l := d.link
	l.Rule, l.State, l.TicketID, l.DecidedAt, l.DecidedBy = dec.Rule, dec.State, 0, utc(at), 0
	if dec.Verified {
		l.Trust = TrustVerified
	}
	return old
}

// findOrg names the organisation of the link: the contact's, or the one behind a shared number.
func (d *dealing) findOrg(ctx context.Context) error {
	l := d.link
	if l.OrgID != 0 {
		return nil
	}
	if l.ContactID == 0 {
		if orgs := d.who.Match.OrgIDs; len(orgs) == 1 {
			l.OrgID = orgs[0]
		}
		return nil
	}
	var err error
	l.OrgID, err = primaryOrg(ctx, d.tx, l.ContactID)
	return err
}

// createTicket makes the ticket of a decision.
func (d *dealing) createTicket(ctx context.Context, by author, dec decision, at time.Time) (*ticketRow, error) {
	l := d.link
	if l.ContactID == 0 && slices.Contains([]string{"L9", "L10", "L11"}, d.who.Match.Rule) && d.who.Number.E164 != "" {
		id, err := provisionalContact(ctx, d.tx, d.who.Number, at)
		if err != nil {
			return nil, err
		}
		l.ContactID = id
	}
	missed := dec.Act == actCreateMissed
	if l.Told.AnsweredAt != nil {
		at = *l.Told.AnsweredAt // also when it is made only after the wrap-up
	}
	if l.Trust == TrustClaimed && l.ContactID != 0 && slices.Contains([]string{"L3", "L4", "L5"}, l.MatchRule) && !l.Picked {
		dec.Flags = append(dec.Flags, flagUnverified)
	}
	in := ticketInsert{Kind: "question", Category: catNew, TeamID: l.TeamID, ContactID: l.ContactID, OrgID: l.OrgID, ChannelID: d.channel(), Severity: 4,
		Locale: d.f.Lang, Rule: dec.Rule, Flags: dec.Flags, FollowUpOf: dec.FollowUp, At: at}
	if d.f.Direction != "out" {
		in.LastCustomerAt = at
	}
	if missed {
		in.MissedKey, in.Rule = l.Key, "A13" // A12 on a claimed number makes one too, "as in A13"
	} else {
		in.Category, in.AssigneeID, in.FirstResponse, in.LastAgentAt = catOpen, l.AgentID, at, at
	}
	var err error
	if in.ClientPriority, err = d.clientPriority(ctx, l.OrgID); err != nil {
		return nil, err
	}
	if dec.FollowUp != 0 {
		if err := d.copyFollowUp(ctx, dec.FollowUp, &in); err != nil {
			return nil, err
		}
		by = by.because("G7")
	}
	zone, err := teamZone(ctx, d.tx, l.TeamID)
	if err != nil {
		return nil, err
	}
	in.Title = callTitle(d.f.Direction, missed, l.Key, d.f.Lang, at.In(zone))
	t, err := insertTicket(ctx, d.tx, by, in)
	if err != nil {
		return nil, err
	}
	if dec.Relates != 0 {
		if err := linkTickets(ctx, d.tx, by, t, dec.Relates, "relates"); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// copyFollowUp takes over what a follow-up ticket inherits (G7).
func (d *dealing) copyFollowUp(ctx context.Context, of int64, in *ticketInsert) error {
	var contact, org int64
	err := d.tx.QueryRow(ctx, `SELECT team_id, coalesce(contact_id, 0), coalesce(org_id, 0) FROM ticket WHERE id = $1`, of).Scan(&in.TeamID, &contact, &org)
	if err != nil {
		return fmt.Errorf("read the ticket to follow: %w", err)
	}
	if contact != 0 {
		in.ContactID, in.OrgID = contact, org
	}
	return nil
}

// clientPriority is the organisation's; a number with the policy vip is high.
func (d *dealing) clientPriority(ctx context.Context, org int64) (int, error) {
	if d.who.Policy == "vip" {
		return 1, nil
	}
	return orgPriority(ctx, d.tx, org)
}

func orgPriority(ctx context.Context, q querier, org int64) (int, error) {
	p := 2
	err := q.QueryRow(ctx, `SELECT coalesce((SELECT client_priority FROM org WHERE id = $1), 2)`, org).Scan(&p)
	if err != nil {
		return 0, fmt.Errorf("read the organisation's priority: %w", err)
	}
	return p, nil
}

// callTitle names a ticket that a call made. lang is the caller's; anything but en reads as Russian, the default
// language of agents.
func callTitle(direction string, missed bool, key, lang string, at time.Time) string {
	number := showNumber(key)
	words := Text{"Звонок от", "Call from"}
	switch {
	case missed:
		words = Text{"Пропущенный звонок", "Missed call"}
	case direction == "out":
		words = Text{"Звонок на", "Call to"}
	}
	if lang != "en" {
		lang = "ru"
	}
	if number == "" {
		number = Text{"скрытого номера", "a withheld number"}.In(lang)
		if missed {
			number = Text{"со скрытого номера", "from a withheld number"}.In(lang)
		}
	}
	return words.In(lang) + " " + number + " " + at.Format("15:04")
}

// showNumber writes a key as people read numbers; empty for none.
func showNumber(key string) string {
	if raw, ok := strings.CutPrefix(key, "raw:"); ok {
		return raw
	}
	n, err := phonenumbers.Parse(key, "")
	if err != nil {
		return key
	}
	return phonenumbers.Format(n, phonenumbers.INTERNATIONAL)
}

// teamZone is the time zone of a team's calendar, UTC without one.
func teamZone(ctx context.Context, q querier, team int64) (*time.Location, error) {
	var tz string
	if err := q.QueryRow(ctx, `SELECT coalesce((SELECT c.tz FROM team t JOIN calendar c ON c.id = t.calendar_id WHERE t.id = $1), 'UTC')`, team).Scan(&tz); err != nil {
		return nil, fmt.Errorf("read the team's zone: %w", err)
	}
	zone, err := time.LoadLocation(tz)
	if err != nil {
		return time.UTC, nil // the zone is checked where calendars are written; a title must not fail for it
	}
	return zone, nil
}
