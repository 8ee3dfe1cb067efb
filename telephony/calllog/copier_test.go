package calllog_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"hotline/internal/pg/pgtest"
	"hotline/telephony"
	"hotline/telephony/calllog"
)

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func call(t *testing.T, j *calllog.Journal, id string, facts ...any) *calllog.Call {
	t.Helper()
	c, err := j.Begin(t.Context(), telephony.CallID(id), calllog.Begin{Direction: calllog.In, Driver: "native", Party: telephony.Party{
		Caller: telephony.Identity{Value: "+74951112233", DisplayName: "Анна\x00 \xff", Source: "from", Trust: telephony.TrustAsserted}, Called: "100", Trunk: "t"}})
	ok(t, err)
	for i := 0; i < len(facts); i += 2 {
		ok(t, c.Note(t.Context(), facts[i].(calllog.Type), facts[i+1]))
	}
	return c
}

func TestRowsFollowTheJournal(t *testing.T) {
	pool := pgtest.New(t)
	dir := t.TempDir()
	j, _, err := calllog.Open(calllog.Config{Dir: dir, SegmentBytes: 4096})
	ok(t, err)
	var seen []string
	each := func(ctx context.Context, tx pgx.Tx, c calllog.Copied) error {
		seen = append(seen, fmt.Sprintf("%s/%s", c.Record.Call, c.Record.Type))
		return nil
	}
	cp := &calllog.Copier{Journal: j, Pool: pool, Each: each}
	c := call(t, j, "A", calllog.TypeLegBegin, calllog.LegBegin{Leg: "L1", Role: "customer", Endpoint: "t"},
		calllog.TypeIdentified, calllog.Identified{E164: "+74951112233", Level: "none", Rule: "L11"},
		calllog.TypeMenu, calllog.MenuStep{Flow: "hotline", Node: "main"},
		calllog.TypeQueued, calllog.Queued{Queue: "support", Lang: "ru"},
		calllog.TypeConnected, calllog.Connected{Agent: "agent1"})
	ok(t, cp.Drain(t.Context()))
	var state, e164, name string
	ok(t, pool.QueryRow(t.Context(), `SELECT state, caller_e164, caller_name FROM call WHERE call_key = 'A'`).Scan(&state, &e164, &name))
	if state != "talking" || e164 != "+74951112233" || name != "Анна \uFFFD" {
		t.Fatalf("row: %q %q %q", state, e164, name)
	}
	ok(t, c.Finish(t.Context(), telephony.End{Result: "success", Reason: "talked", By: "customer"}))
	ok(t, cp.Drain(t.Context()))
	ok(t, cp.Drain(t.Context())) // again: nothing happens twice
	var n, legs, events int
	ok(t, pool.QueryRow(t.Context(), `SELECT count(*), (SELECT count(*) FROM call_leg WHERE ended_at IS NOT NULL), (SELECT count(*) FROM call_event)
		FROM call WHERE state = 'ended' AND disposition = 'answered' AND end_reason = 'talked' AND wait_ms >= 0`).Scan(&n, &legs, &events))
	if n != 1 || legs != 1 || events != 7 || len(seen) != 7 {
		t.Fatalf("calls %d, legs %d, events %d, told %d", n, legs, events, len(seen))
	}
	// A second copier on the same database begins where the first one stopped, over a restart of the journal.
	d := call(t, j, "B")
	ok(t, j.Close())
	j2, cut, err := calllog.Open(calllog.Config{Dir: dir, SegmentBytes: 4096})
	ok(t, err)
	defer j2.Close()
	if len(cut) != 1 || cut[0].Call != d.ID() {
		t.Fatalf("cut: %v", cut)
	}
	ok(t, j2.Resume(cut[0]).Finish(t.Context(), telephony.End{Result: telephony.ResultUnknown, Reason: telephony.ReasonCrash}))
	ok(t, (&calllog.Copier{Journal: j2, Pool: pool, Each: each}).Drain(t.Context()))
	if len(seen) != 9 {
		t.Fatalf("told %v", seen)
	}
}

// A failure in the follow-up undoes the rows of that batch as well; the next try does all of it, once.
// A call out: the number is the called one, we are the caller, and the row says that it rings there.
func TestRowOfACallOut(t *testing.T) {
	pool := pgtest.New(t)
	j, _, err := calllog.Open(calllog.Config{Dir: t.TempDir()})
	ok(t, err)
	cp := &calllog.Copier{Journal: j, Pool: pool}
	c, err := j.Begin(t.Context(), "O", calllog.Begin{Direction: calllog.Out, Driver: "native", Ticket: "482170", Callback: 7, Agent: "agent1",
		Party: telephony.Party{Called: "+79161234567", Trunk: "t"}})
	ok(t, err)
	ok(t, c.Note(t.Context(), calllog.TypeIdentified, calllog.Identified{E164: "+79161234567", Level: "known", Rule: "L4"}))
	ok(t, c.Note(t.Context(), calllog.TypeDialled, nil))
	ok(t, cp.Drain(t.Context()))
	row := func() (s string) {
		ok(t, pool.QueryRow(t.Context(), `SELECT concat_ws(' ', direction, state, callee_e164, callee_raw, coalesce(caller_e164, '-'), withheld, disposition) FROM call WHERE call_key = 'O'`).Scan(&s))
		return s
	}
	if s := row(); s != "out ringing +79161234567 +79161234567 - f" {
		t.Fatal(s)
	}
	ok(t, c.Finish(t.Context(), telephony.End{Result: telephony.ResultCaller, Reason: telephony.ReasonBusy}))
	ok(t, cp.Drain(t.Context()))
	if s := row(); s != "out ended +79161234567 +79161234567 - f busy" {
		t.Fatal(s)
	}
	if s := c.Summary(); s.Dialled.IsZero() || s.Begin.Callback != 7 || s.Begin.Ticket != "482170" {
		t.Fatalf("%+v", s)
	}
	ok(t, j.Close())
}

func TestFollowUpAndRowsAreOne(t *testing.T) {
	pool := pgtest.New(t)
	j, _, err := calllog.Open(calllog.Config{Dir: t.TempDir()})
	ok(t, err)
	defer j.Close()
	fail := true
	cp := &calllog.Copier{Journal: j, Pool: pool, Each: func(ctx context.Context, tx pgx.Tx, c calllog.Copied) error {
		if fail && c.Record.Type == calllog.TypeEnd {
			return errors.New("no")
		}
		_, err := tx.Exec(ctx, `INSERT INTO outbox (topic, entity_id, data) VALUES ('test', 1, '{}')`)
		return err
	}}
	ok(t, call(t, j, "A").Finish(t.Context(), telephony.End{}))
	if err := cp.Drain(t.Context()); err == nil {
		t.Fatal("failure not told")
	}
	count := func(table string) (n int) {
		ok(t, pool.QueryRow(t.Context(), `SELECT count(*) FROM `+table).Scan(&n))
		return n
	}
	if count("call") != 0 || count("outbox") != 0 {
		t.Fatal("half of it was written")
	}
	fail = false
	ok(t, cp.Drain(t.Context()))
	if count("call") != 1 || count("outbox") != 2 {
		t.Fatalf("calls %d, follow-ups %d", count("call"), count("outbox"))
	}
}

// A copier that starts over in the middle of a trimmed journal copies every record that is left, and none twice.
func TestStartingOverAfterTrimming(t *testing.T) {
	pool := pgtest.New(t)
	j, _, err := calllog.Open(calllog.Config{Dir: t.TempDir(), SegmentBytes: 4096})
	ok(t, err)
	defer j.Close()
	seen := map[string]int{}
	each := func(_ context.Context, _ pgx.Tx, c calllog.Copied) error {
		seen[fmt.Sprintf("%s-%d", c.Record.Call, c.Record.N)]++
		return nil
	}
	const calls = 60
	for i := range calls {
		ok(t, call(t, j, fmt.Sprint("c", i)).Finish(t.Context(), telephony.End{Result: "success", Reason: "completed"}))
		if i == calls/2 {
			ok(t, (&calllog.Copier{Journal: j, Pool: pool, Each: each}).Drain(t.Context()))
		}
	}
	ok(t, (&calllog.Copier{Journal: j, Pool: pool, Each: each}).Drain(t.Context()))
	for k, n := range seen {
		if n != 1 {
			t.Errorf("%s told %d times", k, n)
		}
	}
	if len(seen) != 2*calls {
		t.Fatalf("%d of %d records told", len(seen), 2*calls)
	}
}

// A record that the database refuses for good is left out and holds up nobody.
func TestPoisonIsLeftOut(t *testing.T) {
	pool := pgtest.New(t)
	j, _, err := calllog.Open(calllog.Config{Dir: t.TempDir()})
	ok(t, err)
	defer j.Close()
	cp := &calllog.Copier{Journal: j, Pool: pool}
	call(t, j, "A", calllog.TypeLegBegin, calllog.LegBegin{Leg: "L", Role: "no such role"}, calllog.TypeQueued, calllog.Queued{Queue: "q"})
	ok(t, call(t, j, "B").Finish(t.Context(), telephony.End{}))
	ok(t, cp.Drain(t.Context()))
	var states string
	ok(t, pool.QueryRow(t.Context(), `SELECT string_agg(state, ' ' ORDER BY call_key) FROM call`).Scan(&states))
	if states != "waiting ended" {
		t.Fatalf("states: %s", states)
	}
}

// The database dies in the middle of a batch and is still away when the copier looks where it stands: it waits, and goes
// on when the database is back.
func TestDatabaseStaysAway(t *testing.T) {
	var away atomic.Bool
	asked := make(chan struct{}, 1000)
	cfg := pgtest.New(t).Config()
	cfg.MaxConns = 1
	cfg.BeforeConnect = func(context.Context, *pgx.ConnConfig) error {
		if away.Load() {
			asked <- struct{}{}
			return errors.New("no database")
		}
		return nil
	}
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	ok(t, err)
	defer pool.Close()
	j, _, err := calllog.Open(calllog.Config{Dir: t.TempDir()})
	ok(t, err)
	defer j.Close()
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
	defer stop()
	told := make(chan calllog.Type, 100)
	var died atomic.Bool
	cp := &calllog.Copier{Journal: j, Pool: pool, Each: func(ctx context.Context, tx pgx.Tx, c calllog.Copied) error {
		if !died.Swap(true) {
			away.Store(true)
			_, err := tx.Exec(ctx, `SELECT pg_terminate_backend(pg_backend_pid())`)
			return err
		}
		told <- c.Record.Type
		return nil
	}}
	ok(t, call(t, j, "A").Finish(t.Context(), telephony.End{Result: "success", Reason: "completed"}))
	done := make(chan error, 1)
	go func() { done <- cp.Run(ctx) }()
	for range 3 {
		select {
		case <-asked:
		case <-ctx.Done():
			t.Fatal("the copier does not ask again")
		}
	}
	away.Store(false)
	for _, want := range []calllog.Type{calllog.TypeBegin, calllog.TypeEnd} {
		select {
		case got := <-told:
			if got != want {
				t.Fatalf("told %s, want %s", got, want)
			}
		case <-ctx.Done():
			t.Fatal("not copied")
		}
	}
	stop()
	ok(t, <-done)
}

func TestRunCopiesWhatComes(t *testing.T) {
	pool := pgtest.New(t)
	dir := t.TempDir()
	j, _, err := calllog.Open(calllog.Config{Dir: dir, SegmentBytes: 4096})
	ok(t, err)
	defer j.Close()
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
	defer stop()
	told := make(chan struct{}, 1000)
	cp := &calllog.Copier{Journal: j, Pool: pool, Each: func(context.Context, pgx.Tx, calllog.Copied) error { told <- struct{}{}; return nil }}
	done := make(chan error, 1)
	go func() { done <- cp.Run(ctx) }()
	const n = 50
	for i := range n {
		ok(t, call(t, j, fmt.Sprint("c", i)).Finish(t.Context(), telephony.End{Result: "success", Reason: "completed"}))
	}
	for range 2 * n {
		select {
		case <-told:
		case <-ctx.Done():
			t.Fatal("not copied")
		}
	}
	stop()
	ok(t, <-done)
	ok(t, cp.Drain(t.Context()))
	files, err := filepath.Glob(filepath.Join(dir, "*.log"))
	ok(t, err)
	if len(files) > 2 {
		t.Fatalf("%d segments kept, all copied", len(files))
	}
}

// What a restart needs to go on with a call that its driver kept up: the menu's run, the paused recording, the wait so
// far. The run stays in the journal and becomes no row.
func TestCallsThatOutliveTheServer(t *testing.T) {
	pool := pgtest.New(t)
	dir := t.TempDir()
	j, _, err := calllog.Open(calllog.Config{Dir: dir})
	ok(t, err)
	run := func(node string) calllog.MenuState { return calllog.MenuState{Run: []byte(`{"node":"` + node + `"}`)} }
	call(t, j, "menu", calllog.TypeMenu, calllog.MenuStep{Flow: "f", Node: "a"}, calllog.TypeMenuState, run("a"), calllog.TypeMenuState, run("b"))
	call(t, j, "talk", calllog.TypeQueued, calllog.Queued{Queue: "q", Lang: "ru"}, calllog.TypeConnected, calllog.Connected{Agent: "ann", Queue: "q"},
		calllog.TypeRecording, calllog.RecordingNote{ID: "r", What: "started"}, calllog.TypeRecording, calllog.RecordingNote{ID: "r", What: "paused"})
	call(t, j, "wait", calllog.TypeQueued, calllog.Queued{Queue: "q"})
	ok(t, j.Close())
	j, cut, err := calllog.Open(calllog.Config{Dir: dir, Now: func() time.Time { return time.Now().Add(time.Minute) }})
	ok(t, err)
	defer j.Close()
	found := map[telephony.CallID]*calllog.Summary{}
	for _, s := range cut {
		found[s.Call] = s
	}
	if s := found["menu"]; s == nil || string(s.Run) != `{"node":"b"}` || s.State != calllog.StateMenu {
		t.Errorf("menu: %+v", s)
	}
	if s := found["talk"]; s == nil || !s.Paused || s.Agent != "ann" || s.Queue != "q" || s.Lang != "ru" || s.State != calllog.StateTalking {
		t.Errorf("talk: %+v", s)
	}
	c := j.Resume(found["wait"])
	ok(t, c.Note(t.Context(), calllog.TypeAdopted, nil))
	ok(t, c.Note(t.Context(), calllog.TypeQueued, calllog.Queued{Queue: "q"}))
	ok(t, c.Note(t.Context(), calllog.TypeConnected, calllog.Connected{Agent: "ann"}))
	ok(t, c.Finish(t.Context(), telephony.End{Result: "success", Reason: "talked"}))
	if w := c.Summary().Wait; w < time.Minute {
		t.Errorf("waited %v over the restart", w)
	}
	ok(t, (&calllog.Copier{Journal: j, Pool: pool}).Drain(t.Context()))
	var types string
	ok(t, pool.QueryRow(t.Context(), `SELECT string_agg(DISTINCT type, ' ' ORDER BY type) FROM call_event`).Scan(&types))
	if types != "adopted begin connected end menu queued recording" {
		t.Errorf("rows of %s", types)
	}
}
