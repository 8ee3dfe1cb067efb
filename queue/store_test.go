package queue

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"hotline/internal/pg/pgtest"
	"hotline/telephony"
)

var allQueue = Queue{Key: "support", Name: "Support", Strategy: BySkills, RingTimeoutS: 15, WrapupS: 7, WrapupMode: WrapupFixed,
	MaxWaitS: 600, MaxLen: 100, OnTimeout: PolicyVoicemail, OnFull: PolicyCallback, OnNoAgents: PolicyVoicemail, MOH: "calm",
	AnnounceFirstS: 10, AnnounceEveryS: 30, Record: "never", RetentionDays: 90, MaxMissed: 3, MissedRestS: 6, SLThresholdS: 30,
	SLTarget: 90, ShortAbandonS: 4, Team: "line1", Weight: 2, Closed: true}

func TestQueueConfiguration(t *testing.T) {
	s, ctx := NewPGStore(pgtest.New(t)), t.Context()
	made, err := s.CreateQueue(ctx, allQueue)
	if err != nil {
		t.Fatal(err)
	}
	want := allQueue
	want.Version = 1
	if got, err := s.Queue(ctx, "support"); err != nil || got != want || made != want {
		t.Fatalf("read back %+v (%v), want %+v", got, err, want)
	}
	if _, err := s.CreateQueue(ctx, allQueue); !errors.Is(err, ErrExists) {
		t.Fatalf("created twice: %v", err)
	}
	var bad *InvalidError
	if _, err := s.CreateQueue(ctx, Queue{Key: "No!", Strategy: "coin", SLTarget: 101}); !errors.As(err, &bad) || len(bad.Fields) != 3 {
		t.Fatalf("bad queue: %v", err)
	}
	if q, err := s.CreateQueue(ctx, Queue{Key: "sales"}); err != nil || q.SLThresholdS != 20 || q.OnNoAgents != PolicyWait {
		t.Fatalf("defaults: %+v %v", q, err)
	}
	made.Weight = 5
	up, err := s.UpdateQueue(ctx, made)
	if err != nil || up.Version != 2 {
		t.Fatalf("update: %+v %v", up, err)
	}
	if _, err := s.UpdateQueue(ctx, made); !errors.Is(err, ErrVersion) {
		t.Fatalf("stale update: %v", err)
	}
	if _, err := s.UpdateQueue(ctx, Queue{Key: "nobody"}); !errors.Is(err, ErrNotFound) {
		t.Fatalf("update of nothing: %v", err)
	}
	if qs, err := s.Queues(ctx); err != nil || len(qs) != 2 || qs[0].Key != "sales" || qs[1] != up {
		t.Fatalf("list: %+v %v", qs, err)
	}
	if err := s.DeleteQueue(ctx, "support", 1); !errors.Is(err, ErrVersion) {
		t.Fatalf("stale delete: %v", err)
	}
	live := EntryRow{ID: 1, Call: "c1", Queue: "support", Entered: time.Now(), State: EntryWaiting}
	if err := s.Save(ctx, Batch{Entries: []EntryRow{live}}); err != nil {
		t.Fatal(err)
	}
	if err := s.DeleteQueue(ctx, "support", 2); !errors.Is(err, ErrInUse) {
		t.Fatalf("delete with a caller inside: %v", err)
	}
	if err := s.DeleteQueue(ctx, "sales", 0); err != nil {
		t.Fatal(err)
	}
	if err := s.DeleteQueue(ctx, "sales", 0); !errors.Is(err, ErrNotFound) {
		t.Fatalf("deleted twice: %v", err)
	}
}

func TestMembersAndSkills(t *testing.T) {
	s, ctx := NewPGStore(pgtest.New(t)), t.Context()
	for _, key := range []string{"a", "b"} {
		if _, err := s.CreateQueue(ctx, Queue{Key: key}); err != nil {
			t.Fatal(err)
		}
	}
	set := func(m ...Membership) error { return s.SetMemberships(ctx, "ann", m) }
	if err := errors.Join(set(Membership{"a", 1}, Membership{"b", 2}), s.SetMemberships(ctx, "bob", []Membership{{"b", 1}})); err != nil {
		t.Fatal(err)
	}
	if err := set(Membership{"nowhere", 1}); !errors.Is(err, ErrNotFound) {
		t.Fatalf("unknown queue: %v", err)
	}
	if m, err := s.Memberships(ctx, ""); err != nil || len(m["ann"]) != 2 || len(m["bob"]) != 1 {
		t.Fatalf("after a refused change: %v %v", m, err)
	}
	if err := set(Membership{"b", 5}); err != nil {
		t.Fatal(err)
	}
	if m, err := s.Memberships(ctx, "ann"); err != nil || !reflect.DeepEqual(m, map[string][]Membership{"ann": {{"b", 5}}}) {
		t.Fatalf("%v %v", m, err)
	}
	if err := errors.Join(s.SetSkills(ctx, "ann", map[string]int{"ru": 3, "en": 1}),
		s.SetSkills(ctx, "ann", map[string]int{"ru": 2, "de": 1, "fr": 0})); err != nil {
		t.Fatal(err)
	}
	if k, err := s.Skills(ctx, "ann"); err != nil || !reflect.DeepEqual(k["ann"], map[string]int{"ru": 2, "de": 1}) {
		t.Fatalf("%v %v", k, err)
	}
}

// flaky fails while broken is set, as a database that is away.
type flaky struct {
	Store
	broken atomic.Bool
	fails  atomic.Int32
}

func (f *flaky) Save(ctx context.Context, b Batch) error {
	if f.broken.Load() {
		f.fails.Add(1)
		return errors.New("connection refused")
	}
	return f.Store.Save(ctx, b)
}

// stand makes a centre over a database: queue support, agents ann, bob, eve.
func stand(t *testing.T, pool *pgxpool.Pool, wrap func(Store) Store) *centre {
	t.Helper()
	var st Store = NewPGStore(pool)
	if wrap != nil {
		st = wrap(st)
	}
	c := start(t, Config{Log: quiet(), Store: st})
	c.must(c.SetQueues(c.ctx, []Queue{{Key: "support", WrapupS: 600}, {Key: "vip", Weight: 3}}))
	c.must(c.SetAgents(c.ctx, []Agent{member1("ann"), member1("bob"), member1("eve"), member1("zoe")}))
	return c
}

func (c *centre) online(logins ...string) {
	c.t.Helper()
	for _, l := range logins {
		c.must(c.Connection(c.ctx, l, Online))
		c.must(c.SetAgentState(c.ctx, l, Available, "", l, Now))
	}
}

func (c *centre) flush() {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.ctx, 20*time.Second)
	defer cancel()
	c.must(c.Flush(ctx))
}

func count(t *testing.T, pool *pgxpool.Pool, want int, sql string, args ...any) {
	t.Helper()
	var n int
	if err := pool.QueryRow(t.Context(), sql, args...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	if n != want {
		t.Errorf("%s: %d, want %d", sql, n, want)
	}
}

// TestRestartKeepsPlaces: what a killed engine had decided is what the next one knows.
func TestRestartKeepsPlaces(t *testing.T) {
	pool := pgtest.New(t)
	if _, err := NewPGStore(pool).CreateQueue(t.Context(), Queue{Key: "support"}); err != nil {
		t.Fatal(err)
	}
	c := stand(t, pool, nil)
	c.online("ann", "bob", "eve", "zoe")
	c.must(c.SetAgentState(c.ctx, "bob", Paused, "lunch", "bob", Now))
	c.talk(c.enter("c0")) // somebody talks
	ringing := c.enter("c1")
	rung := c.offer(ringing)
	third := c.enter("c2")
	c.must(c.OfferConnected(c.ctx, c.offer(third).ID))
	c.must(c.ContactEnded(c.ctx, "c2", c.talker("c2")))
	for i := range 6 {
		_, err := c.Enter(c.ctx, Entry{Call: telephony.CallID(fmt.Sprint("w", i)), Queue: "support", Priority: i % 2 * 3,
			Credit: time.Duration(i) * time.Minute, Skills: map[string]int{"ru": 1}, Lang: "ru", Tag: "t", MaxWait: time.Hour})
		c.must(err)
	}
	gone, err := c.Enter(c.ctx, Entry{Call: "gone", Queue: "support"})
	c.must(err)
	gone.Leave(LeftAbandoned)
	c.flush()
	before, err := c.Snapshot(c.ctx)
	c.must(err)
	c.stop()
	count(t, pool, 0, `SELECT count(*) FROM queue_entry WHERE state = 'parked'`)
	count(t, pool, 1, `SELECT count(*) FROM queue_offer WHERE id = $1 AND state = 'made' AND why->>'rule' = 'longest_idle'`, rung.ID)

	d := stand(t, pool, nil)
	after, err := d.Snapshot(d.ctx)
	d.must(err)
	if len(after.Waiting) != len(before.Waiting) {
		t.Fatalf("%d wait, %d before", len(after.Waiting), len(before.Waiting))
	}
	for i, w := range after.Waiting {
		b := before.Waiting[i]
		b.State, w.State, b.Agent = "", "", ""
		b.Since, w.Since = b.Since.Truncate(time.Microsecond), w.Since.Truncate(time.Microsecond)
		if !b.Since.Equal(w.Since) {
			t.Errorf("place %d: since %v, before %v", i, w.Since, b.Since)
		}
		b.Since, w.Since = time.Time{}, time.Time{}
		if w != b {
			t.Errorf("place %d: %+v, before %+v", i, w, b)
		}
	}
	f, g := before.Queues[0].Today, after.Queues[0].Today
	if f.N != g.N || f.A != g.A || f.AT != g.AT || f.B != g.B || f.BS != g.BS || f.W != g.W || !g.Balanced() {
		t.Errorf("figures %+v, before %+v", g, f)
	}
	d.state("bob", Paused, "lunch")
	for _, a := range before.Agents {
		switch a.State {
		case Talking, Ringing, Available:
			d.state(a.Login, LostState, "connection")
			d.must(d.Connection(d.ctx, a.Login, Online))
			d.state(a.Login, Available, "")
		case ACW:
			d.state(a.Login, ACW, "")
		}
	}
	// Nobody is offered before adoption; then the one order holds, and a repeated Enter is an adoption too.
	if q := d.queue(); q.Waiting != 7 || q.Available != 2 {
		t.Fatalf("%+v", q)
	}
	if _, err := d.Adopt(d.ctx, "c0"); !errors.Is(err, ErrUnknownCall) {
		t.Fatalf("adopting an answered call: %v", err)
	}
	p, err := d.Enter(d.ctx, Entry{Call: "c1", Queue: "support", Priority: 99})
	d.must(err)
	d.offer(p)
	if _, err := d.Adopt(d.ctx, "c1"); !errors.Is(err, ErrAlreadyWaiting) {
		t.Fatalf("adopted twice: %v", err)
	}
	d.flush()
	count(t, pool, 1, `SELECT count(*) FROM queue_offer WHERE id = $1 AND state = 'withdrawn'`, rung.ID)
	d.stop()
	entries, offers, err := NewPGStore(pool).History(t.Context(), "c1")
	if err != nil || len(entries) != 1 || len(offers) != 2 || entries[0].Priority != 0 || entries[0].Offers != 2 {
		t.Fatalf("history %+v %+v %v", entries, offers, err)
	}
}

func (c *centre) talker(call string) string {
	c.t.Helper()
	s, err := c.Snapshot(c.ctx)
	c.must(err)
	i := slices.IndexFunc(s.Agents, func(a AgentStat) bool { return a.Call == telephony.CallID(call) })
	if i < 0 {
		c.t.Fatalf("nobody talks in %s", call)
	}
	return s.Agents[i].Login
}

// TestDatabaseAway: decisions go on, rows arrive when the database is back, newest state per key, every log line once.
func TestDatabaseAway(t *testing.T) {
	pool := pgtest.New(t)
	var store *flaky
	c := stand(t, pool, func(s Store) Store {
		store = &flaky{Store: s}
		return store
	})
	c.online("ann")
	c.flush()
	store.broken.Store(true)
	const calls = 200
	for i := range calls {
		p := c.enter(fmt.Sprint("c", i))
		o := c.talk(p)
		c.must(c.ContactEnded(c.ctx, o.Call, "ann"))
		c.must(c.WrapUpDone(c.ctx, "ann"))
	}
	for store.fails.Load() < 2 { // it does try
		c.must(c.Connection(c.ctx, "ann", Online))
	}
	count(t, pool, 0, `SELECT count(*) FROM queue_entry`)
	store.broken.Store(false)
	c.flush()
	count(t, pool, calls, `SELECT count(*) FROM queue_entry WHERE state = 'ended' AND outcome = 'answered' AND agent = 'ann'`)
	count(t, pool, calls, `SELECT count(*) FROM queue_offer WHERE state = 'connected'`)
	count(t, pool, 1+4*calls, `SELECT count(*) FROM agent_state_log WHERE login = 'ann'`)
	count(t, pool, 1, `SELECT count(*) FROM agent_state WHERE login = 'ann' AND state = 'available'`)
	// The log is a chain: each line begins where the one before it ended.
	count(t, pool, 0, `SELECT count(*) FROM (SELECT from_state, lag(to_state) OVER (ORDER BY id) AS last FROM agent_state_log
		WHERE login = 'ann') x WHERE last IS NOT NULL AND last <> from_state`)
}

// TestBadRowIsGivenUp: one row the database refuses must not hold back the others.
func TestBadRowIsGivenUp(t *testing.T) {
	pool := pgtest.New(t)
	st := NewPGStore(pool)
	w := newWriter(st, quiet(), newMetrics(nil))
	now := time.Now()
	for i := range int64(20) {
		r := EntryRow{ID: i + 1, Call: telephony.CallID(fmt.Sprint("c", i)), Queue: "q", Entered: now, State: EntryWaiting}
		if i == 7 {
			r.State = "dreaming"
		}
		w.putEntry(r)
		w.putLog(AgentLogRow{ID: i + 1, Login: "ann", From: Available, To: Ringing, At: now})
	}
	w.putLog(AgentLogRow{ID: 21, Login: "ann", From: Offline, To: Talking, At: now})
	w.drain(t.Context())
	count(t, pool, 19, `SELECT count(*) FROM queue_entry`)
	count(t, pool, 20, `SELECT count(*) FROM agent_state_log`)
	if _, err := pool.Exec(t.Context(), `UPDATE agent_state_log SET reason = 'x'`); err == nil {
		t.Error("the log could be changed")
	}
	two := []OfferRow{{ID: 1, Call: "a", Agent: "ann", State: OfferMade, Made: now, Expires: now, Why: []byte(`{}`)},
		{ID: 2, Call: "b", Agent: "ann", State: OfferMade, Made: now, Expires: now, Why: []byte(`{}`)}}
	if err := st.Save(t.Context(), Batch{Offers: two}); !refused(err) {
		t.Errorf("two live offers of one agent: %v", err)
	}
}

// TestBufferIsBounded: with the database away for good, what grows without end is counted, not kept.
func TestBufferIsBounded(t *testing.T) {
	w := newWriter(&flaky{}, quiet(), newMetrics(nil))
	for i := range int64(maxLog + 10) {
		w.putLog(AgentLogRow{ID: i})
		w.putEntry(EntryRow{ID: i, State: EntryEnded})
		w.putOffer(OfferRow{ID: i, State: OfferMissed})
	}
	w.putEntry(EntryRow{ID: maxKept + 100, State: EntryWaiting}) // who waits now is never dropped
	if len(w.lines) != maxLog || len(w.entries) != maxKept+1 || len(w.offers) != maxKept {
		t.Fatalf("kept %d lines, %d entries, %d offers", len(w.lines), len(w.entries), len(w.offers))
	}
}

// TestNewerRowsWin: what was decided while a write failed is not overwritten by the batch that comes back.
func TestNewerRowsWin(t *testing.T) {
	w := newWriter(&flaky{}, quiet(), newMetrics(nil))
	w.putEntry(EntryRow{ID: 1, State: EntryWaiting})
	w.putOffer(OfferRow{ID: 1, State: OfferMade})
	w.putAgent(AgentRow{Login: "ann", State: Available})
	w.putLog(AgentLogRow{ID: 1})
	b, _ := w.take()
	w.putEntry(EntryRow{ID: 1, State: EntryEnded})
	w.putOffer(OfferRow{ID: 1, State: OfferMissed})
	w.putAgent(AgentRow{Login: "ann", State: Paused})
	w.putLog(AgentLogRow{ID: 2})
	w.done(b, true)
	if w.entries[1].State != EntryEnded || w.offers[1].State != OfferMissed || w.agents["ann"].State != Paused ||
		len(w.lines) != 2 || w.lines[0].ID != 1 {
		t.Fatalf("%+v %+v %+v %+v", w.entries, w.offers, w.agents, w.lines)
	}
}

// TestRestartKeepsTalks: a talk whose call outlived the engine goes on with its agent, who counts as lost until the page is
// back; when the page stays away the caller goes to the head, and whoever cannot take part is said so.
func TestRestartKeepsTalks(t *testing.T) {
	pool := pgtest.New(t)
	c := stand(t, pool, nil)
	c.online("ann", "bob", "eve")
	c.talk(c.enter("c1"))
	c.talk(c.enter("c2"))
	one, two := c.talker("c1"), c.talker("c2")
	c.flush()
	c.stop()

	d := stand(t, pool, nil)
	of := func(call string) Entry {
		return Entry{Call: telephony.CallID(call), Queue: "support", Lang: "ru", Credit: time.Minute, Later: true}
	}
	d.must(d.AdoptTalk(d.ctx, one, of("c1")))
	if err := d.AdoptTalk(d.ctx, two, of("c1")); !errors.Is(err, ErrAlreadyWaiting) {
		t.Fatalf("adopted twice: %v", err)
	}
	d.must(d.Contact(d.ctx, "c1", one, LostCall))
	d.must(d.AdoptTalk(d.ctx, one, of("c1"))) // again, with nothing new
	d.must(d.Connection(d.ctx, one, Online))
	d.state(one, LostCall, "")
	d.must(d.Contact(d.ctx, "c1", one, Talking)) // its sound is back
	d.must(d.ContactEnded(d.ctx, "c1", one))
	d.state(one, ACW, "") // the queue's wrap-up

	d.must(d.AdoptTalk(d.ctx, two, of("c2")))
	d.must(d.Contact(d.ctx, "c2", two, LostCall))
	p, err := d.Requeue(d.ctx, "c2", two, "reconnect")
	d.must(err)
	d.state(two, LostState, "connection")
	s, err := d.Snapshot(d.ctx)
	d.must(err)
	if len(s.Waiting) != 1 || s.Waiting[0].Call != "c2" || s.Waiting[0].Credit < time.Minute || s.Waiting[0].Lang != "ru" || s.Waiting[0].Priority != frontPriority {
		t.Fatalf("%+v", s.Waiting)
	}
	d.must(d.Connection(d.ctx, two, Online))
	if o := d.offer(p); o.Agent != two {
		t.Fatalf("offered to %s, not to %s who had talked", o.Agent, two)
	}
	if err := d.AdoptTalk(d.ctx, two, of("c3")); !errors.Is(err, ErrWrongState) {
		t.Fatalf("an agent who is being rung: %v", err)
	}
	if err := d.AdoptTalk(d.ctx, "zoe", of("c3")); !errors.Is(err, ErrWrongState) {
		t.Fatalf("an agent who is signed off: %v", err)
	}
	if err := d.AdoptTalk(d.ctx, "nobody", of("c3")); !errors.Is(err, ErrUnknownAgent) {
		t.Fatalf("nobody: %v", err)
	}
	d.stop()
}

// TestRestartBetweenAnswerAndRow: killed when the agent had answered and the caller's row still said that it waits. The talk
// is taken over, and the place ends as answered.
func TestRestartBetweenAnswerAndRow(t *testing.T) {
	pool := pgtest.New(t)
	c := stand(t, pool, nil)
	c.online("ann")
	c.offer(c.enter("c1"))
	c.flush()
	c.stop()

	d := stand(t, pool, nil)
	d.must(d.AdoptTalk(d.ctx, "ann", Entry{Call: "c1", Queue: "support", Later: true}))
	d.state("ann", Talking, "")
	if _, err := d.Adopt(d.ctx, "c1"); !errors.Is(err, ErrUnknownCall) {
		t.Fatalf("the place is still there: %v", err)
	}
	d.must(d.Contact(d.ctx, "c1", "ann", LostCall))
	if _, err := d.Requeue(d.ctx, "c1", "ann", "reconnect"); err != nil {
		t.Fatal(err)
	}
	d.flush()
	var rows string
	d.must(pool.QueryRow(d.ctx, `SELECT string_agg(concat_ws(' ', state, outcome), ', ' ORDER BY id) FROM queue_entry WHERE call = 'c1'`).Scan(&rows))
	if rows != "ended answered, waiting" {
		t.Fatalf("rows %q", rows)
	}
	d.stop()
}
