package tickets

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

func TestSeedDemo(t *testing.T) {
	f := newFix(t)
	count := func() (n []int64) {
		for _, table := range []string{"team", "calendar", "service_plan", "channel", "own_address", "org", "contact", "contact_point", "contract", "ticket", "message", "ticket_event"} {
			n = append(n, f.id("SELECT count(*) FROM "+table))
		}
		return n
	}
	seed := func() {
		f.tx(func(ctx context.Context, tx pgx.Tx) error {
			return SeedDemo(ctx, tx, func() time.Time { return f.now })
		})
	}
	f.exec(`DELETE FROM team_member`)
	seed()
	first := count()
	seed()
	for i, n := range count() {
		if n != first[i] {
			t.Fatalf("the second run changed something: %v, %v", first, count())
		}
	}
	for _, c := range demoContacts {
		if c.phone == "" {
			continue
		}
		if n := ParseNumber(c.phone, DialPlan{}); n.E164 != c.phone {
			t.Errorf("%s is no number we read: %+v", c.phone, n)
		}
	}
	// Agents come later: the second run gives them what was left over, the third nothing more.
	agent := f.id(`INSERT INTO agent (login, name) VALUES ('agent1', 'Agent') RETURNING id`)
	f.exec(`INSERT INTO team_member VALUES ($1, $2, 'full')`, f.support, agent)
	seed()
	if n := f.id(`SELECT count(*) FROM ticket WHERE assignee_id = $1`, agent); n == 0 || f.id(`SELECT count(*) FROM contract WHERE engineer_id = $1`, agent) != 1 {
		t.Errorf("%d tickets assigned, engineers %d", n, f.id(`SELECT count(*) FROM contract WHERE engineer_id IS NOT NULL`))
	}
	c, err := f.s.Lookup(context.Background(), CallParty{Raw: "84950000100", Trust: TrustAsserted, Called: "100"})
	f.must(err)
	if c.Rule != "L6" || c.Org == nil || c.Org.Plan != "premium" || len(c.Contacts) != 2 || !c.VIP {
		t.Errorf("switchboard: %+v", c)
	}
	if c, err = f.s.Lookup(context.Background(), CallParty{Raw: "+74950000000", Trust: TrustAsserted}); err != nil || c.Rule != "L0" {
		t.Errorf("our own number: %+v %v", c, err)
	}
	page, err := f.s.ListTickets(context.Background(), f.lead, TicketFilter{Status: "all"})
	f.must(err)
	if len(page.Data) != len(demoTickets) {
		t.Errorf("%d tickets", len(page.Data))
	}
}
