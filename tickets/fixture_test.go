package tickets

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/goleak"

	"hotline/internal/pg/pgtest"
)

func TestMain(m *testing.M) {
	os.Exit(func() int {
		code := m.Run()
		if err := goleak.Find(goleak.IgnoreAnyFunction("hotline/internal/pg/pgtest.startServer"), goleak.IgnoreAnyFunction("os/exec.(*Cmd).watchCtx")); err != nil && code == 0 {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return code
	}())
}

// fix is a small company on a fresh database: two teams, four agents, three customers.
type fix struct {
	t    *testing.T
	pool *pgxpool.Pool
	s    *Service
	now  time.Time

	support, experts    int64 // teams
	anna, boris, lead   Actor // anna: support full; boris: experts full; lead: supervisor
	acme                int64 // organisation with a shared switchboard
	ivan, maria, petr   int64 // contacts: ivan and maria of acme, petr alone
	calls               int
	ivanPhone, acmeMain string
	petrPhone, newPhone string
}

// newFix makes the company. Tests with a database of their own run side by side.
func newFix(t *testing.T) *fix {
	t.Helper()
	t.Parallel()
	f := &fix{t: t, pool: pgtest.New(t), now: t0, ivanPhone: "+79161234567", acmeMain: "+74951112233", petrPhone: "+79031112233", newPhone: "+79990001122"}
	f.s = New(Config{Pool: f.pool, Now: func() time.Time { return f.now }, Secret: []byte("test")})
	f.support = f.id(`SELECT id FROM team WHERE name = 'Support'`)
	f.experts = f.id(`INSERT INTO team (name, line) VALUES ('Experts', 2) RETURNING id`)
	for _, a := range []struct {
		login, role string
		team        int64
		access      string
	}{{"anna", "agent", f.support, "full"}, {"boris", "agent", f.experts, "full"}, {"lead", "supervisor", f.support, "lead"}} {
		id := f.id(`INSERT INTO agent (login, name, locale) VALUES ($1, $2, 'en') RETURNING id`, a.login, a.login)
		f.exec(`INSERT INTO agent_role SELECT $1, id FROM role WHERE key = $2`, id, a.role)
		f.exec(`INSERT INTO team_member VALUES ($1, $2, $3)`, a.team, id, a.access)
	}
	f.anna, f.boris, f.lead = f.actor("anna"), f.actor("boris"), f.actor("lead")
	f.acme = f.id(`INSERT INTO org (name) VALUES ('Acme') RETURNING id`)
	f.ivan, f.maria, f.petr = f.contact("Ivan", f.ivanPhone, "personal"), f.contact("Maria", f.acmeMain, "shared"), f.contact("Petr", f.petrPhone, "personal")
	f.exec(`INSERT INTO contact_org VALUES ($1, $3, NULL, true), ($2, $3, NULL, true)`, f.ivan, f.maria, f.acme)
	f.exec(`INSERT INTO contact_point (org_id, kind, value_norm, value_raw, sharing, source) VALUES ($1, 'phone', $2, $2, 'shared', 'agent')`, f.acme, f.acmeMain)
	return f
}

func (f *fix) actor(login string) Actor {
	f.t.Helper()
	a, err := f.s.Actor(context.Background(), login)
	f.must(err)
	return a
}

func (f *fix) contact(name, phone, sharing string) int64 {
	f.t.Helper()
	id := f.id(`INSERT INTO contact (name) VALUES ($1) RETURNING id`, name)
	f.exec(`INSERT INTO contact_point (contact_id, kind, value_norm, value_raw, alt_keys, sharing, source) VALUES ($1, 'phone', $2, $2, $4, $3, 'agent')`, id, phone, sharing, append([]string{}, altSpellings(phone)...))
	return id
}

func (f *fix) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

func (f *fix) exec(sql string, args ...any) {
	f.t.Helper()
	_, err := f.pool.Exec(context.Background(), sql, args...)
	f.must(err)
}

func (f *fix) id(sql string, args ...any) int64 {
	f.t.Helper()
	return one[int64](f, sql, args...)
}

func one[T any](f *fix, sql string, args ...any) T {
	f.t.Helper()
	var v T
	f.must(f.pool.QueryRow(context.Background(), sql, args...).Scan(&v))
	return v
}

// tx runs one write.
func (f *fix) tx(do func(ctx context.Context, tx pgx.Tx) error) {
	f.t.Helper()
	f.must(f.try(do))
}

func (f *fix) try(do func(ctx context.Context, tx pgx.Tx) error) error {
	return f.s.Tx(context.Background(), func(tx pgx.Tx) error { return do(context.Background(), tx) })
}

// ticket makes a ticket of a contact, last active before f.now.
func (f *fix) ticket(contact, team int64, category string, ago time.Duration) Ticket {
	f.t.Helper()
	var number string
	f.tx(func(ctx context.Context, tx pgx.Tx) error {
		at := f.now.Add(-ago)
		org, err := primaryOrg(ctx, tx, contact)
		f.must(err)
		t, err := insertTicket(ctx, tx, SystemActor().author(at), ticketInsert{Title: "Printer on fire", Kind: "question", Category: catNew, TeamID: team, ContactID: contact,
			OrgID: org, Severity: 4, ClientPriority: 2, At: at, LastCustomerAt: at})
		if err != nil {
			return err
		}
		number = t.Number
		for _, ev := range map[string][]statusEvent{catOpen: {evAgentReply}, catWaitingCustomer: {evWaitCustomer}, catSolved: {evSolve}, catClosed: {evSolve, evTimer}, catSpam: {evSpam}}[category] {
			var more []fieldChange
			if ev == evSolve {
				more = append(more, fieldChange{"resolution", "resolution", "fixed", nil, "fixed"})
			}
			if _, err := moveStatus(ctx, tx, SystemActor().author(at), t, ev, more...); err != nil {
				return err
			}
		}
		return nil
	})
	got, err := f.s.GetTicket(context.Background(), SystemActor(), number)
	f.must(err)
	if got.Status.Category != category {
		f.t.Fatalf("ticket is %s, want %s", got.Status.Category, category)
	}
	return got
}

// call makes facts of an inbound call that starts at f.now, and the journal's row.
func (f *fix) call(number string, change ...func(*CallFacts)) CallFacts {
	f.t.Helper()
	f.calls++
	c := CallFacts{Key: fmt.Sprintf("K%04d", f.calls), Direction: "in", Party: CallParty{Raw: number, Trust: TrustAsserted, Called: "100", Trunk: "demo"},
		StartedAt: f.now, Lang: "en"}
	for _, ch := range change {
		ch(&c)
	}
	f.journal(c)
	return c
}

// journal writes the call's row as the call journal does: facts, no link.
func (f *fix) journal(c CallFacts) {
	f.t.Helper()
	f.exec(`INSERT INTO call (call_key, direction, caller_raw, claim_trust, started_at) VALUES ($1,$2,$3,$4,$5)`, c.Key, c.Direction, c.Party.Raw, orText(c.Party.Trust, TrustWithheld), c.StartedAt)
}

func claimedCall(c *CallFacts) { c.Party.Trust = TrustClaimed }

// answeredBy makes a call a talk of the given length, answered after ten seconds.
func answeredBy(login string, talk time.Duration) func(*CallFacts) {
	return func(c *CallFacts) {
		c.Agent, c.QueuedAt, c.AnsweredAt = login, c.StartedAt.Add(time.Second), c.StartedAt.Add(10*time.Second)
		c.EndedAt, c.Disposition, c.WaitMS, c.TalkMS = c.AnsweredAt.Add(talk), "answered", 9000, int(talk.Milliseconds())
	}
}

// abandoned makes a call one that hung up in the queue.
func abandoned(wait time.Duration) func(*CallFacts) {
	return func(c *CallFacts) {
		c.QueuedAt, c.EndedAt = c.StartedAt.Add(time.Second), c.StartedAt.Add(time.Second+wait)
		c.Disposition, c.WaitMS = "abandoned_queue", int(wait.Milliseconds())
	}
}

func (f *fix) answered(c CallFacts) Link {
	f.t.Helper()
	var l Link
	f.tx(func(ctx context.Context, tx pgx.Tx) (err error) { l, err = f.s.CallAnswered(ctx, tx, c); return err })
	return l
}

func (f *fix) ended(c CallFacts) Link {
	f.t.Helper()
	var l Link
	f.tx(func(ctx context.Context, tx pgx.Tx) (err error) { l, err = f.s.CallEnded(ctx, tx, c); return err })
	return l
}

func (f *fix) wrapUp(c CallFacts) Link {
	f.t.Helper()
	var l Link
	f.tx(func(ctx context.Context, tx pgx.Tx) (err error) {
		l, err = f.s.WrapUpEnded(ctx, tx, c.Key, c.EndedAt.Add(time.Minute))
		return err
	})
	return l
}

// both tells a call's answer, if any, and its end.
func (f *fix) both(c CallFacts) Link {
	f.t.Helper()
	if !c.AnsweredAt.IsZero() {
		f.answered(c)
	}
	return f.ended(c)
}

func (f *fix) get(number string) Ticket {
	f.t.Helper()
	t, err := f.s.GetTicket(context.Background(), SystemActor(), number)
	f.must(err)
	return t
}
