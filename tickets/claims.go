package tickets

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// callerFacts is everything read about a caller before a decision.
type callerFacts struct {
	Number    Number
	Trust     string // withheld for a withheld number; verified when the caller proved it
	Own       bool
	OwnName   string // colleague behind our own number
	Policy    string
	Match     match
	IVR       *ticketFact // ticket the caller keyed, if it is one and lives
	IVRAccess bool
	ChannelID int64 // of the dialled number; 0: none known
	TeamID    int64 // of that channel; 0: none
}

// readCaller normalises the number, reads what is claimed about it and decides rows L0 to L11. internal says that the
// call is one between our own people.
func (s *Service) readCaller(ctx context.Context, q querier, p CallParty, internal bool, now time.Time) (callerFacts, error) {
	plan := DialPlan{Region: p.Region, AreaCode: p.AreaCode, BareCodes: p.BareCodes}
	if plan.Region == "" {
		plan.Region = s.plan.Region
	}
	c := callerFacts{Number: partyNumber(p, plan), Trust: p.Trust}
	if c.Number.Withheld {
		c.Trust = TrustWithheld
	}
	if p.Verified {
		c.Trust = TrustVerified
	}
	if err := c.readOwn(ctx, q, p, plan, internal); err != nil {
		return c, err
	}
	f := lookFacts{Own: c.Own, Withheld: c.Number.Withheld, Name: p.Name, Now: now}
	if key := c.Number.Key(); key != "" && !c.Own {
		var err error
		if c.Policy, err = readPolicy(ctx, q, c.Number, now); err != nil {
			return c, err
		}
		if f.Claims, err = readClaims(ctx, q, c.Number, now); err != nil {
			return c, err
		}
	}
	f.Policy = c.Policy
	if err := c.readKeyed(ctx, q, p.IVRTicketNumber, f.Claims, now); err != nil {
		return c, err
	}
	f.IVRTicket = c.IVR != nil && c.IVRAccess
	c.Match = matchCaller(f)
	return c, nil
}

// readOwn judges L0 and finds the channel of the dialled number, in one query on our own addresses.
func (c *callerFacts) readOwn(ctx context.Context, q querier, p CallParty, plan DialPlan, internal bool) error {
	c.Own = internal || c.Number.Internal
	called := ParseNumber(p.Called, plan)
	keys := []string{p.Called, called.E164, called.Ext, c.Number.E164, c.Number.Ext, c.Number.Raw}
	rows, err := q.Query(ctx, `SELECT o.kind, o.value_norm, coalesce(o.channel_id, 0), coalesce(ch.team_id, 0), coalesce(a.name, '')
		FROM own_address o LEFT JOIN channel ch ON ch.id = o.channel_id AND ch.enabled LEFT JOIN agent a ON a.id = o.agent_id
		WHERE o.kind IN ('phone','extension') AND o.value_norm = ANY($1)`, keys)
	if err != nil {
		return fmt.Errorf("read own addresses: %w", err)
	}
	var kind, value, name string
	var channel, team int64
	_, err = pgx.ForEachRow(rows, []any{&kind, &value, &channel, &team, &name}, func() error {
		if value == p.Called || value == called.E164 && value != "" || value == called.Ext && called.Internal {
			c.ChannelID, c.TeamID = channel, team
		}
		isOurs := value == c.Number.E164 || kind == "extension" && (value == c.Number.Raw || c.Number.Internal && value == c.Number.Ext)
		if isOurs && value != "" && !c.Number.Withheld {
			c.Own = true
			if name != "" {
				c.OwnName = name
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read own addresses: %w", err)
	}
	return nil
}

// readPolicy finds the number policy of the longest prefix. All prefixes of a number are few, so the primary key does.
func readPolicy(ctx context.Context, q querier, n Number, now time.Time) (string, error) {
	value := n.E164
	if value == "" {
		value = n.Raw
	}
	prefixes := make([]string, 0, len(value))
	for i := range value {
		prefixes = append(prefixes, value[:i])
	}
	prefixes = append(prefixes, value)
	var action string
	err := q.QueryRow(ctx, `SELECT action FROM number_policy WHERE prefix = ANY($1) AND prefix <> '' AND (until IS NULL OR until > $2)
		ORDER BY length(prefix) DESC LIMIT 1`, prefixes, utc(now)).Scan(&action)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return "", fmt.Errorf("read number policy: %w", err)
	}
	return action, nil
}

// claimsSQL reads the points of a number by index only: equality on the value, and the other spellings both ways. The
// limits of one row keep the planner from hashing the whole table of contacts.
const claimsSQL = `SELECT coalesce(p.contact_id, 0), coalesce(p.org_id, 0), p.sharing, p.level, coalesce(p.ext, ''), p.value_norm = $1,
	coalesce(t.number, ''), coalesce(p.last_seen_at, p.verified_at, t.created_at, $3), coalesce(c.kind, '')
	FROM (SELECT * FROM contact_point WHERE kind = 'phone' AND value_norm = $1
		UNION ALL SELECT * FROM contact_point WHERE kind = 'phone' AND value_norm = ANY($2) AND value_norm <> $1
		UNION ALL SELECT * FROM contact_point WHERE kind = 'phone' AND alt_keys @> ARRAY[$1] AND value_norm <> $1 AND value_norm <> ALL($2)) p
	LEFT JOIN LATERAL (SELECT id, kind, merged_into_id FROM contact WHERE id = p.contact_id LIMIT 1) c ON true
	LEFT JOIN LATERAL (SELECT number, created_at FROM ticket WHERE id = p.source_ticket_id LIMIT 1) t ON true
	WHERE (p.expires_at IS NULL OR p.expires_at > $3) AND (c.id IS NULL OR c.merged_into_id IS NULL)
	ORDER BY p.id LIMIT 200`

// readClaims reads who claims a number.
func readClaims(ctx context.Context, q querier, n Number, now time.Time) ([]claimRow, error) {
	if n.E164 == "" {
		return nil, nil // N7: points are E.164; a raw number collects its own missed calls only
	}
	rows, err := q.Query(ctx, claimsSQL, n.E164, append([]string{}, n.Alt...), utc(now))
	if err != nil {
		return nil, fmt.Errorf("read points of a number: %w", err)
	}
	claims, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (c claimRow, err error) {
		err = row.Scan(&c.ContactID, &c.OrgID, &c.Sharing, &c.Level, &c.Ext, &c.Exact, &c.SourceTicket, &c.SeenAt, &c.ContactKind)
		return c, err
	})
	if err != nil {
		return nil, fmt.Errorf("read points of a number: %w", err)
	}
	return claims, nil
}

// readKeyed finds the living ticket of a keyed number and whether the number's people may have it (L3, A2, A3).
func (c *callerFacts) readKeyed(ctx context.Context, q querier, keyed string, claims []claimRow, now time.Time) error {
	number, ok := ParseTicketNumber(keyed)
	if !ok {
		return nil
	}
	t, err := readTicketFact(ctx, q, number, now)
	if err != nil || t == nil {
		return err
	}
	c.IVR = t
	var contacts, orgs []int64
	for _, r := range claims {
		if r.Level == "known" {
			contacts, orgs = append(contacts, r.ContactID), append(orgs, r.OrgID)
		}
	}
	if len(contacts) == 0 {
		return nil
	}
	return wrap("judge access to the keyed ticket", q.QueryRow(ctx, `SELECT EXISTS (SELECT FROM ticket t WHERE t.id = $1 AND (t.contact_id = ANY($2) OR t.org_id = ANY($3)
		OR EXISTS (SELECT FROM ticket_participant p WHERE p.ticket_id = t.id AND p.contact_id = ANY($2) AND p.removed_at IS NULL)
		OR EXISTS (SELECT FROM contact_org co JOIN org o ON o.id = co.org_id AND o.shared_tickets WHERE co.contact_id = ANY($2) AND co.org_id = t.org_id)))`,
		t.ID, contacts, slices.DeleteFunc(orgs, func(id int64) bool { return id == 0 })).Scan(&c.IVRAccess))
}

// readTicketFact reads a ticket by number, walking a merge chain to its end. Spam and absent give nil.
func readTicketFact(ctx context.Context, q querier, number string, now time.Time) (*ticketFact, error) {
	var t ticketFact
	err := q.QueryRow(ctx, `WITH RECURSIVE chain AS (
			SELECT id, merged_into_id, 1 AS n FROM ticket WHERE number = $1
			UNION ALL SELECT t.id, t.merged_into_id, n + 1 FROM chain JOIN ticket t ON t.id = chain.merged_into_id WHERE n < 20)
		SELECT t.id, s.category, coalesce(t.solved_at + m.reopen_window > $2, false), t.status_id <= 5
		FROM chain JOIN ticket t ON t.id = chain.id JOIN ticket_status s ON s.id = t.status_id JOIN team m ON m.id = t.team_id
		WHERE chain.merged_into_id IS NULL AND s.category NOT IN ('merged','spam')`, number, utc(now)).Scan(&t.ID, &t.Category, &t.InWindow, &t.Open)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil // not an error for the caller: a keyed number may be anybody's guess
	}
	if err != nil {
		return nil, fmt.Errorf("read ticket %s: %w", number, err)
	}
	return &t, nil
}
