package tickets

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Lookup finds who may be calling and which tickets it may be about: rows N1 to N9 and L0 to L11, then candidates. It
// only reads, and takes a few index look-ups. What it says is a suggestion: Caller.Trust tells how far the number may
// be relied on. It is for the program itself, which routes by it; for an agent's card use LookupFor.
func (s *Service) Lookup(ctx context.Context, p CallParty) (Caller, error) {
	return s.LookupFor(ctx, SystemActor(), p)
}

// LookupFor is Lookup for the card of one agent: what they may not see is left out.
func (s *Service) LookupFor(ctx context.Context, a Actor, p CallParty) (Caller, error) {
	start := time.Now() // a duration: from the monotonic clock
	c, err := s.lookup(ctx, a, p)
	s.metrics.looked(c.Level, err, time.Since(start))
	return c, err
}

func (s *Service) lookup(ctx context.Context, a Actor, p CallParty) (Caller, error) {
	now := s.now()
	who, err := s.readCaller(ctx, s.pool, p, false, now)
	if err != nil {
		return Caller{}, fmt.Errorf("look up a caller: %w", err)
	}
	m := who.Match
	c := Caller{Level: m.Level, Rule: m.Rule, NumberRule: who.Number.Rule(), Reason: ReasonText(m.Rule, a.Locale), E164: who.Number.E164, Ext: who.Number.Ext,
		Raw: who.Number.Raw, Name: clip(p.Name, 200), Trust: orText(who.Trust, TrustWithheld), Blocked: who.Policy == "block", NoTicket: who.Policy == "no_ticket" || who.Own,
		VIP: who.Policy == "vip", Contacts: []ListedContact{}, Candidates: []Candidate{}}
	if who.Own && who.OwnName != "" {
		c.Name = who.OwnName
	}
	if c.Blocked || who.Own {
		return c, nil
	}
	if err := s.fillPeople(ctx, a, &c, who, now); err != nil {
		return Caller{}, fmt.Errorf("look up a caller: %w", err)
	}
	if err := s.fillCandidates(ctx, a, &c, who, now); err != nil {
		return Caller{}, fmt.Errorf("look up a caller: %w", err)
	}
	return c, nil
}

// CallerFor is the look-up for a number an actor asks about; did is our number that was dialled, if any.
func (s *Service) CallerFor(ctx context.Context, a Actor, number, did string) (Caller, error) {
	p := CallParty{Raw: number, Called: did, Trust: TrustClaimed, Region: s.plan.Region, AreaCode: s.plan.AreaCode}
	return s.LookupFor(ctx, a, p)
}

// fillPeople fills contact, organisation and the list of people.
func (s *Service) fillPeople(ctx context.Context, a Actor, c *Caller, who callerFacts, now time.Time) error {
	m := who.Match
	ids, err := s.visibleIDs(ctx, a, "contact k", "k.id", a.visibleContacts, append([]int64{m.ContactID}, m.ContactIDs...))
	if err != nil {
		return err
	}
	if m.ContactID != 0 {
		if ids[m.ContactID] {
			cs, err := loadContacts(ctx, s.pool, []int64{m.ContactID})
			if err != nil {
				return err
			}
			if len(cs) > 0 {
				c.Contact, c.Locale = &cs[0], cs[0].Locale
			}
		}
		if org, err := primaryOrg(ctx, s.pool, m.ContactID); err != nil {
			return err
		} else if org != 0 {
			m.OrgIDs = []int64{org}
		}
	}
	if len(m.OrgIDs) > 0 {
		seen, err := s.visibleIDs(ctx, a, "org o", "o.id", a.visibleOrgs, m.OrgIDs)
		if err != nil {
			return err
		}
		if seen[m.OrgIDs[0]] {
			orgs, err := loadOrgs(ctx, s.pool, m.OrgIDs[:1], now)
			if err != nil {
				return err
			}
			if len(orgs) > 0 {
				c.Org, c.Plan, c.Engineer = &orgs[0], orgs[0].Plan, orgs[0].Engineer
				c.VIP = c.VIP || orgs[0].Plan == "premium"
			}
		}
	}
	if m.Level == levelShared || m.Level == levelAmbiguous || m.Level == levelMaybe {
		return s.listPeople(ctx, a, c, who)
	}
	return nil
}

// visibleIDs tells which of the ids the actor sees.
func (s *Service) visibleIDs(ctx context.Context, a Actor, from, id string, predicate func(*sqlArgs) string, ids []int64) (map[int64]bool, error) {
	out := map[int64]bool{}
	args := sqlArgs{ids}
	rows, err := s.pool.Query(ctx, "SELECT "+id+" FROM "+from+" WHERE "+id+" = ANY($1) AND "+predicate(&args), args...)
	if err != nil {
		return nil, err
	}
	var one int64
	_, err = pgx.ForEachRow(rows, []any{&one}, func() error { out[one] = true; return nil })
	return out, err
}

// listPeople lists whom the number may be: people with a point of it and, for a switchboard, those of its organisation.
func (s *Service) listPeople(ctx context.Context, a Actor, c *Caller, who callerFacts) error {
	args := sqlArgs{who.Match.ContactIDs, who.Match.OrgIDs, who.Number.Key(), who.Number.E164}
	rows, err := s.pool.Query(ctx, `SELECT k.id, k.name, coalesce(o.id, 0), coalesce(o.name, ''), coalesce(p.ext, ''), coalesce(t.number, ''), p.last_seen_at,
		(SELECT max(l.decided_at) FROM call_link l WHERE l.caller_key = $3 AND l.contact_id = k.id)
		FROM contact k LEFT JOIN LATERAL (SELECT o.id, o.name FROM contact_org co JOIN org o ON o.id = co.org_id WHERE co.contact_id = k.id ORDER BY co.is_primary DESC LIMIT 1) o ON true
		LEFT JOIN LATERAL (SELECT p.ext, p.last_seen_at, p.source_ticket_id FROM contact_point p WHERE p.contact_id = k.id AND p.kind = 'phone' AND p.value_norm = $4 ORDER BY p.id LIMIT 1) p ON true
		LEFT JOIN ticket t ON t.id = p.source_ticket_id
		WHERE k.merged_into_id IS NULL AND k.kind <> 'machine' AND (k.id = ANY($1) OR k.id IN (SELECT contact_id FROM contact_org WHERE org_id = ANY($2)))
		AND `+a.visibleContacts(&args)+` LIMIT 100`, args...)
	if err != nil {
		return fmt.Errorf("list people of the number: %w", err)
	}
	people, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (p sharedPerson, err error) {
		var org OrgRef
		var last *time.Time
		if err := row.Scan(&p.ID, &p.Name, &org.ID, &org.Name, &p.Ext, &p.Source, &p.SeenAt, &last); err != nil {
			return p, err
		}
		if org.ID != 0 {
			p.Org = &org
		}
		p.lastCall, p.extMatch = deref(last), who.Number.Ext != "" && p.Ext == who.Number.Ext
		return p, nil
	})
	if err != nil {
		return fmt.Errorf("list people of the number: %w", err)
	}
	orderShared(people)
	for _, p := range people[:min(len(people), 20)] {
		c.Contacts = append(c.Contacts, p.ListedContact)
	}
	return nil
}

// fillCandidates lists the tickets: those of the matched contact, the keyed one first; for a number that names nobody,
// its missed-call ticket.
func (s *Service) fillCandidates(ctx context.Context, a Actor, c *Caller, who callerFacts, now time.Time) error {
	first := int64(0)
	if who.IVR != nil {
		first = who.IVR.ID
	}
	var err error
	if c.Candidates, err = readCandidates(ctx, s.pool, a, who.Match.ContactID, first, now); err != nil {
		return err
	}
	missed, err := readMissed(ctx, s.pool, who.Number.Key(), now)
	if err != nil {
		return err
	}
	for _, extra := range []*ticketFact{who.IVR, missed} {
		if extra == nil {
			continue
		}
		if c.Candidates, err = s.addCandidate(ctx, a, c.Candidates, extra.ID, first); err != nil {
			return err
		}
	}
	return nil
}

// addCandidate puts one more ticket into the list, unless it stands there or the actor may not see it.
func (s *Service) addCandidate(ctx context.Context, a Actor, cs []Candidate, id, first int64) ([]Candidate, error) {
	for _, c := range cs {
		if c.id == id {
			return cs, nil
		}
	}
	args := sqlArgs{id}
	ts, err := loadTickets(ctx, s.pool, "t.id = $1 AND "+a.visibleTickets(&args), args, "", 1)
	if err != nil || len(ts) == 0 {
		return cs, err
	}
	t := ts[0]
	return orderCandidates(append(cs, Candidate{id: t.ID, Number: t.Number, Title: t.Title, Status: t.Status, Fresh: true, Missed: t.missed, Team: t.Team,
		UpdatedAt: t.UpdatedAt, NextDueAt: t.NextDueAt, active: t.UpdatedAt}), first), nil
}

// CandidatesFor lists the tickets a contact's call may be about, once an agent has said who calls (L6).
func (s *Service) CandidatesFor(ctx context.Context, a Actor, contact int64) ([]Candidate, error) {
	if _, err := s.GetContact(ctx, a, contact); err != nil {
		return nil, err
	}
	return readCandidates(ctx, s.pool, a, contact, 0, s.now())
}
