package tickets

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// The rows that need the database to be seen: own numbers, policies by longest prefix, other spellings, people behind a
// number, keyed tickets.
func TestLookup(t *testing.T) {
	f := newFix(t)
	ctx := context.Background()
	look := func(number string, change ...func(*CallParty)) Caller {
		t.Helper()
		p := CallParty{Raw: number, Trust: TrustAsserted, Called: "100", Region: "RU", AreaCode: "495"}
		for _, ch := range change {
			ch(&p)
		}
		c, err := f.s.Lookup(ctx, p)
		f.must(err)
		return c
	}
	channel := f.id(`INSERT INTO channel (kind, name, team_id) VALUES ('phone', 'Hotline', $1) RETURNING id`, f.support)
	f.exec(`INSERT INTO own_address (kind, value_norm, channel_id) VALUES ('extension', '100', $1), ('phone', '+74950000000', $1)`, channel)
	f.exec(`INSERT INTO own_address (kind, value_norm, agent_id) VALUES ('extension', '2001', $1), ('extension', 'desk1', $1)`, f.anna.AgentID)
	f.exec(`INSERT INTO number_policy (prefix, action, until) VALUES ('+7903', 'block', NULL), ('+79031', 'vip', NULL), ('+79032', 'no_ticket', $1)`, f.now.Add(-time.Hour))
	brazil := f.contact("Ana", "+5581987654321", "personal")
	f.contact("Bia", "+541112345678", "personal")
	seen := f.contact("Seen", "+79150000001", "personal")
	source := f.ticket(f.petr, f.support, catOpen, time.Hour)
	f.exec(`INSERT INTO contact_point (contact_id, kind, value_norm, value_raw, level, source, source_ticket_id, last_seen_at) VALUES ($1,'phone','+79150000002','x','maybe','extracted',$2,$3)`, seen, source.ID, f.now.Add(-24*time.Hour))
	mine := f.ticket(f.ivan, f.experts, catOpen, 100*24*time.Hour)
	fresh := f.ticket(f.ivan, f.support, catOpen, time.Hour)
	colleague := f.ticket(f.maria, f.support, catOpen, time.Hour)

	if c := look("2001"); c.Rule != "L0" || c.Name != "anna" || c.Contact != nil {
		t.Errorf("colleague: %+v", c)
	}
	if c := look("desk1"); c.Rule != "L0" {
		t.Errorf("desk phone: %+v", c)
	}
	if c := look("8 495 000-00-00"); c.Rule != "L0" || c.NumberRule != "N4" {
		t.Errorf("our own number: %+v", c)
	}
	if c := look("+79161234567", func(p *CallParty) { p.Withheld = true }); c.Rule != "L1" || c.E164 != "" || c.Contact != nil {
		t.Errorf("withheld: %+v", c)
	}
	if c := look("+79039999999"); c.Rule != "L2" || !c.Blocked {
		t.Errorf("blocked: %+v", c)
	}
	if c := look(f.petrPhone); c.Rule != "L4" || !c.VIP || c.Blocked {
		t.Errorf("longest prefix: %+v", c)
	}
	if c := look("+79032999999"); c.Rule != "L2" { // its own policy is over
		t.Errorf("expired policy: %+v", c)
	}
	if c := look("+55 81 8765-4321"); c.Rule != "L4" || c.Contact.ID != brazil {
		t.Errorf("old Brazilian spelling: %+v", c)
	}
	if c := look("+54 9 11 1234-5678"); c.Rule != "L5" || c.Contact.Name != "Bia" {
		t.Errorf("other Argentinian spelling: %+v", c)
	}
	if c := look(f.acmeMain); c.Rule != "L6" || c.Org.ID != f.acme || len(c.Contacts) != 2 || c.Contact != nil {
		t.Errorf("shared: %+v", c)
	}
	if c := look("+79150000002"); c.Rule != "L8" || len(c.Contacts) != 1 || c.Contacts[0].Source != source.Number || c.Contact != nil {
		t.Errorf("maybe: %+v", c)
	}
	if c := look(f.newPhone, func(p *CallParty) { p.Name = "Bob" }); c.Rule != "L10" || c.Name != "Bob" {
		t.Errorf("name: %+v", c)
	}
	if c := look("123-45-00"); c.Rule != "L11" || c.NumberRule != "N6" || c.E164 != "+74951234500" {
		t.Errorf("local number: %+v", c)
	}
	// Candidates: newest first, the stale one is there but not fresh; the keyed one goes first and makes it L3.
	c := look(f.ivanPhone)
	if c.Rule != "L4" || len(c.Candidates) != 2 || c.Candidates[0].Number != fresh.Number || !c.Candidates[0].Fresh || c.Candidates[1].Fresh || c.Org.ID != f.acme {
		t.Errorf("candidates: %+v", c.Candidates)
	}
	if c = look(f.ivanPhone, func(p *CallParty) { p.IVRTicketNumber = mine.Number }); c.Rule != "L3" || c.Contact.ID != f.ivan || c.Candidates[0].Number != mine.Number {
		t.Errorf("keyed: %+v", c)
	}
	if c = look(f.ivanPhone, func(p *CallParty) { p.IVRTicketNumber = colleague.Number }); c.Rule != "L4" {
		t.Errorf("a colleague's ticket of an organisation that does not share: %+v", c)
	}
	f.exec(`UPDATE org SET shared_tickets = true`)
	if c = look(f.ivanPhone, func(p *CallParty) { p.IVRTicketNumber = colleague.Number }); c.Rule != "L3" {
		t.Errorf("a colleague's ticket of an organisation that shares: %+v", c)
	}
	if c = look(f.acmeMain, func(p *CallParty) { p.IVRTicketNumber = mine.Number }); c.Rule != "L3" || c.Candidates[0].Number != mine.Number {
		t.Errorf("keyed at the switchboard: %+v", c)
	}
	// The card of one agent holds only what they see.
	own, err := f.s.LookupFor(ctx, f.anna, CallParty{Raw: f.ivanPhone, Trust: TrustAsserted})
	if err != nil || len(own.Candidates) != 1 || own.Candidates[0].Number != fresh.Number || own.Candidates[0].Key != 1 {
		t.Errorf("anna's card: %+v %v", own.Candidates, err)
	}
}

// Waiting calls are looked up again when a number finds its owner.
func TestLookAgain(t *testing.T) {
	f := newFix(t)
	f.exec(`UPDATE team SET autocreate_policy = 'ask'`)
	l := f.both(f.call(f.newPhone, answeredBy("anna", time.Minute)))
	if l.Rule != "A9" || l.State != linkOpen || l.ContactID != 0 {
		t.Fatalf("%+v", l)
	}
	f.tx(func(ctx context.Context, tx pgx.Tx) error {
		_, err := f.s.AddPoint(ctx, tx, f.anna, f.petr, NewPoint{Kind: "phone", Value: f.newPhone})
		return err
	})
	if id := f.id(`SELECT contact_id FROM call_link WHERE call_id = $1`, l.CallID); id != f.petr {
		t.Errorf("the waiting call belongs to %d", id)
	}
}

// The look-up takes index look-ups only, and a few milliseconds, in a big table.
func TestLookupUsesIndexes(t *testing.T) {
	f := newFix(t)
	ctx := context.Background()
	f.exec(`WITH k AS (INSERT INTO contact (name) SELECT 'C' || i FROM generate_series(1, 20000) i RETURNING id)
		INSERT INTO contact_point (contact_id, kind, value_norm, value_raw, source) SELECT id, 'phone', '+7926' || lpad(id::text, 7, '0'), 'x', 'import' FROM k`)
	f.exec(`INSERT INTO ticket (number, title, status_id, team_id, contact_id) SELECT (1000000 + row_number() OVER ())::text, 't', 2, $1, id FROM contact`, f.support)
	f.exec(`ANALYZE contact, contact_point, ticket, ticket_participant, number_policy, own_address`)
	explain := func(sql string, args ...any) string {
		rows, err := f.pool.Query(ctx, "EXPLAIN "+sql, args...)
		f.must(err)
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		f.must(err)
		return strings.Join(lines, "\n")
	}
	plan := explain(claimsSQL, f.ivanPhone, []string{"+5511912345678"}, f.now)
	for _, want := range []string{"Index Scan using contact_point_lookup", "contact_point_alt"} {
		if !strings.Contains(plan, want) {
			t.Errorf("the look-up does without %s:\n%s", want, plan)
		}
	}
	if strings.Contains(plan, "Seq Scan on contact_point") || strings.Contains(plan, "Seq Scan on contact ") {
		t.Errorf("the look-up reads whole tables:\n%s", plan)
	}
	if plan = explain(candidatesSQL+"TRUE ORDER BY active DESC LIMIT 12", f.ivan, f.now); strings.Contains(plan, "Seq Scan on ticket ") {
		t.Errorf("candidates read the whole table:\n%s", plan)
	}
	var took []time.Duration
	for range 20 {
		start := time.Now()
		if _, err := f.s.Lookup(ctx, CallParty{Raw: f.ivanPhone, Trust: TrustAsserted, Called: "100"}); err != nil {
			t.Fatal(err)
		}
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	t.Logf("look-up: median %v, slowest %v", took[10], took[19])
	if took[0] > 50*time.Millisecond { // the median is for a machine that does nothing else
		t.Errorf("the fastest look-up took %v", took[0])
	}
}
