package tickets

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"
)

// dump writes all rows that calls make, without the ids that a repeated telling may use up.
func dump(t interface{ Fatal(...any) }, tx pgx.Tx) string {
	var b strings.Builder
	for _, q := range []string{
		`SELECT to_jsonb(x) FROM ticket x ORDER BY id`,
		`SELECT to_jsonb(x) - 'id' FROM message x ORDER BY ticket_id, seq`,
		`SELECT to_jsonb(x) - 'id' FROM time_entry x ORDER BY call_id, agent_id`,
		`SELECT to_jsonb(x) FROM ticket_participant x ORDER BY ticket_id, contact_id, agent_id`,
		`SELECT to_jsonb(x) - 'id' FROM line_visit x ORDER BY ticket_id, entered_at, id`,
		`SELECT to_jsonb(x) - 'id' FROM ticket_event x ORDER BY ticket_id, id`,
		`SELECT to_jsonb(x) FROM ticket_link x ORDER BY from_id, to_id`,
		`SELECT to_jsonb(x) - 'version' FROM call_link x ORDER BY call_id`,
		`SELECT to_jsonb(x) - 'id' FROM call_link_event x ORDER BY call_id, id`,
		`SELECT to_jsonb(x) - 'id' FROM callback_request x ORDER BY asked_at, number`,
		`SELECT to_jsonb(x) - 'seq' FROM outbox x ORDER BY seq`,
		`SELECT to_jsonb(x) FROM contact x ORDER BY id`,
		`SELECT to_jsonb(x) - 'id' FROM contact_point x ORDER BY id`,
	} {
		rows, err := tx.Query(context.Background(), q)
		if err != nil {
			t.Fatal(q, err)
		}
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatal(q, err)
		}
		fmt.Fprintf(&b, "%s\n%s\n", q, strings.Join(lines, "\n"))
	}
	return b.String()
}

// telling is one thing the engine is told.
type telling struct {
	call int
	what string // answered, ended, wrapup
}

// tellAll plays tellings in a transaction that is rolled back and gives the rows they made.
func (f *fix) tellAll(t *rapid.T, calls []CallFacts, told []telling) string {
	ctx := context.Background()
	tx, err := f.pool.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(ctx)
	// Ids of tickets and contacts stand in other rows: both tellings count from the same place.
	for _, sql := range []string{`ALTER SEQUENCE ticket_number_seq RESTART WITH 70000`, `ALTER TABLE ticket ALTER COLUMN id RESTART WITH 70000`, `ALTER TABLE contact ALTER COLUMN id RESTART WITH 70000`} {
		if _, err := tx.Exec(ctx, sql); err != nil {
			t.Fatal(err)
		}
	}
	for _, x := range told {
		c := calls[x.call]
		switch x.what {
		case "answered":
			c.EndedAt, c.Disposition, c.TalkMS, c.Note = time.Time{}, "", 0, "" // not known yet
			_, err = f.s.CallAnswered(ctx, tx, c)
		case "ended":
			_, err = f.s.CallEnded(ctx, tx, c)
		case "wrapup":
			_, err = f.s.WrapUpEnded(ctx, tx, c.Key, c.EndedAt.Add(30*time.Second))
		}
		if err != nil {
			t.Fatalf("%+v: %v", x, err)
		}
	}
	return dump(t, tx)
}

// Telling a call's facts twice, late or out of order gives the rows of telling them once in order.
func TestReplayProperty(t *testing.T) {
	f := newFix(t)
	f.ticket(f.ivan, f.support, catOpen, time.Hour)
	f.ticket(f.petr, f.support, catWaitingCustomer, time.Hour)
	keyed := f.ticket(f.petr, f.experts, catOpen, time.Hour)
	var rows []CallFacts
	for range 3 {
		rows = append(rows, f.call("", func(c *CallFacts) { c.Party.Trust = "" }))
	}
	checks := flag.Lookup("rapid.checks").Value
	was := checks.String()
	f.must(checks.Set("25"))
	defer checks.Set(was)
	rapid.Check(t, func(t *rapid.T) {
		var calls []CallFacts
		var once, again []telling
		for i := range rapid.IntRange(1, len(rows)).Draw(t, "calls") {
			calls = append(calls, drawCall(t, f, rows[i], keyed.Number, time.Duration(i)*10*time.Minute))
			ordered := []string{"ended"}
			if !calls[i].AnsweredAt.IsZero() {
				ordered = []string{"answered", "ended"}
			}
			for _, w := range ordered {
				once = append(once, telling{i, w})
			}
			// Any order with repetitions, but each call's decision in the order the calls came.
			for _, w := range rapid.Permutation(append(ordered, ordered...)).Draw(t, "order") {
				again = append(again, telling{i, w})
			}
			if rapid.Bool().Draw(t, "wrap-up runs out") {
				once, again = append(once, telling{i, "wrapup"}), append(again, telling{i, "wrapup"}, telling{i, "wrapup"})
			}
		}
		again = append(again, once...) // and all of it once more
		if diff := cmp.Diff(strings.Split(f.tellAll(t, calls, once), "\n"), strings.Split(f.tellAll(t, calls, again), "\n")); diff != "" {
			t.Fatalf("told %v\nrows differ (-once +again):\n%s", again, diff)
		}
	})
}

// drawCall makes a call of any kind on a prepared row.
func drawCall(t *rapid.T, f *fix, row CallFacts, keyed string, after time.Duration) CallFacts {
	c := CallFacts{Key: row.Key, Direction: "in", StartedAt: row.StartedAt.Add(after), Lang: rapid.SampledFrom([]string{"ru", "en"}).Draw(t, "lang")}
	c.Party = CallParty{Raw: rapid.SampledFrom([]string{f.ivanPhone, f.petrPhone, f.newPhone, f.acmeMain, ""}).Draw(t, "number"), Called: "100",
		Trust: rapid.SampledFrom([]string{TrustClaimed, TrustAsserted, TrustVerified}).Draw(t, "trust")}
	c.Party.Withheld = c.Party.Raw == ""
	c.Party.IVRTicketNumber = rapid.SampledFrom([]string{"", "", keyed}).Draw(t, "keyed")
	c.Note = rapid.SampledFrom([]string{"", "a note"}).Draw(t, "note")
	switch rapid.SampledFrom([]string{"talk", "talk", "queue", "menu", "voicemail", "callback"}).Draw(t, "kind") {
	case "talk":
		answeredBy(rapid.SampledFrom([]string{"anna", "boris"}).Draw(t, "agent"), time.Duration(rapid.IntRange(1, 120).Draw(t, "talk"))*time.Second)(&c)
		c.Note = "talked"
	case "queue":
		abandoned(time.Duration(rapid.IntRange(1, 60).Draw(t, "wait")) * time.Second)(&c)
	case "menu":
		c.EndedAt, c.Disposition = c.StartedAt.Add(5*time.Second), "abandoned_ivr"
	case "voicemail":
		abandoned(20 * time.Second)(&c)
		c.Disposition, c.VoicemailMS = "voicemail", rapid.IntRange(1, 9000).Draw(t, "voicemail")
	case "callback":
		abandoned(20 * time.Second)(&c)
		c.Disposition = "callback"
	}
	return c
}

// Many missed calls of one new number at the same time make one ticket, one contact and one callback.
func TestConcurrentMissedCalls(t *testing.T) {
	f := newFix(t)
	var calls []CallFacts
	for range 6 {
		calls = append(calls, f.call(f.newPhone, abandoned(time.Minute)))
	}
	var wg sync.WaitGroup
	errs := make([]error, 2*len(calls)) // each is told twice, by two who do not know of each other
	for i := range errs {
		wg.Go(func() {
			errs[i] = f.try(func(ctx context.Context, tx pgx.Tx) error {
				_, err := f.s.CallEnded(ctx, tx, calls[i%len(calls)])
				return err
			})
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	for what, sql := range map[string]string{
		"missed-call tickets": `SELECT count(*) FROM ticket WHERE missed_key IS NOT NULL`,
		"contacts":            `SELECT count(*) FROM contact_point WHERE value_norm = '` + f.newPhone + `'`,
		"callbacks":           `SELECT count(*) FROM callback_request`,
	} {
		if n := f.id(sql); n != 1 {
			t.Errorf("%d %s", n, what)
		}
	}
	if n := f.id(`SELECT count(*) FROM message WHERE kind = 'call'`); n != int64(len(calls)) {
		t.Errorf("%d entries for %d calls", n, len(calls))
	}
	if n := f.get(one[string](f, `SELECT number FROM ticket`)).MissedCalls; n != len(calls) {
		t.Errorf("counter says %d", n)
	}
}

// People move two calls to each other's tickets while the engine is told more: nothing waits in a circle, and each call
// ends with exactly one entry.
func TestConcurrentMoves(t *testing.T) {
	f := newFix(t)
	a, b := f.ticket(f.petr, f.support, catOpen, time.Hour), f.ticket(f.ivan, f.support, catOpen, time.Hour)
	c1 := f.call(f.petrPhone, answeredBy("anna", time.Minute))
	c2 := f.call(f.ivanPhone, answeredBy("anna", time.Minute))
	f.answered(c1)
	f.answered(c2)
	var wg sync.WaitGroup
	errs := make([]error, 12)
	for i := range errs {
		call, to := c1, []Ticket{b, a}[i/2%2]
		if i%2 == 1 {
			call, to = c2, []Ticket{a, b}[i/2%2]
		}
		wg.Go(func() {
			if i >= 8 {
				errs[i] = f.try(func(ctx context.Context, tx pgx.Tx) error { _, err := f.s.CallEnded(ctx, tx, call); return err })
				return
			}
			_, errs[i] = f.move(f.lead, call.Key, to.Number)
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	if n := f.id(`SELECT count(*) FROM (SELECT call_id FROM message WHERE kind = 'call' AND deleted_at IS NULL GROUP BY call_id HAVING count(*) = 1) x`); n != 2 {
		t.Errorf("%d of 2 calls have exactly one entry", n)
	}
	if n := f.id(`SELECT count(*) FROM time_entry e JOIN call_link l ON l.call_id = e.call_id AND l.ticket_id = e.ticket_id`); n != 2 {
		t.Errorf("%d of 2 time entries stand in the call's ticket", n)
	}
}
