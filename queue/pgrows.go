package queue

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"hotline/telephony"
)

// PGStore keeps rows and configuration in PostgreSQL (migration 0020). Safe for any goroutine.
type PGStore struct{ pool *pgxpool.Pool }

// NewPGStore uses the pool; whoever made it closes it.
func NewPGStore(pool *pgxpool.Pool) *PGStore { return &PGStore{pool: pool} }

// Load implements Store: one consistent view of what a restarted engine needs.
func (s *PGStore) Load(ctx context.Context, since time.Time) (Saved, error) {
	var sv Saved
	err := pgx.BeginTxFunc(ctx, s.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		err := tx.QueryRow(ctx, `SELECT
			(SELECT coalesce(max(id), 0) + 1 FROM queue_entry),
			(SELECT coalesce(max(id), 0) + 1 FROM queue_offer),
			(SELECT coalesce(max(id), 0) + 1 FROM agent_state_log)`).Scan(&sv.NextRow, &sv.NextOffer, &sv.NextLog)
		if err != nil {
			return fmt.Errorf("next numbers: %w", err)
		}
		if sv.Entries, err = loadEntries(ctx, tx); err != nil {
			return fmt.Errorf("entries: %w", err)
		}
		if sv.Offers, err = loadOffers(ctx, tx); err != nil {
			return fmt.Errorf("offers: %w", err)
		}
		if sv.Agents, err = loadAgents(ctx, tx); err != nil {
			return fmt.Errorf("agents: %w", err)
		}
		if sv.Today, err = loadToday(ctx, tx, since); err != nil {
			return fmt.Errorf("figures of today: %w", err)
		}
		return nil
	})
	return sv, err
}

func loadEntries(ctx context.Context, tx pgx.Tx) ([]EntryRow, error) {
	rows, err := tx.Query(ctx, `SELECT id, call, queue, priority, skills, lang, tag, prefer, later, entered_at, credit_us,
		max_until, state, offers FROM queue_entry WHERE state <> 'ended' ORDER BY id`)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (r EntryRow, err error) {
		var credit int64
		var until *time.Time
		err = row.Scan(&r.ID, &r.Call, &r.Queue, &r.Priority, &r.Skills, &r.Lang, &r.Tag, &r.Prefer, &r.Later, &r.Entered,
			&credit, &until, &r.State, &r.Offers)
		r.Credit, r.MaxUntil = time.Duration(credit)*time.Microsecond, deref(until)
		return r, err
	})
}

func loadOffers(ctx context.Context, tx pgx.Tx) ([]OfferRow, error) {
	rows, err := tx.Query(ctx, `SELECT id, coalesce(entry_id, 0), call, queue, agent, state, made_at, expires_at, ringing_at,
		accepted_at, why FROM queue_offer WHERE state IN ('made','ringing','accepted') ORDER BY id`)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (r OfferRow, err error) {
		var rang, taken *time.Time
		err = row.Scan(&r.ID, &r.Row, &r.Call, &r.Queue, &r.Agent, &r.State, &r.Made, &r.Expires, &rang, &taken, &r.Why)
		r.RangAt, r.TakenAt = deref(rang), deref(taken)
		return r, err
	})
}

func loadAgents(ctx context.Context, tx pgx.Tx) ([]AgentRow, error) {
	rows, err := tx.Query(ctx, `SELECT login, state, reason, set_by, since, next, next_reason, until, back, back_reason,
		connection, missed, call, queue, seen_at FROM agent_state ORDER BY login`)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (r AgentRow, err error) {
		var until *time.Time
		err = row.Scan(&r.Login, &r.State, &r.Reason, &r.By, &r.Since, &r.Next, &r.NextReason, &until, &r.Back, &r.BackReason,
			&r.Connection, &r.Missed, &r.Call, &r.Queue, &r.Seen)
		r.Until = deref(until)
		return r, err
	})
}

// loadToday recounts the finished rows that entered since. The present thresholds hold: changing one re-evaluates.
func loadToday(ctx context.Context, tx pgx.Tx, since time.Time) (map[string]Figures, error) {
	rows, err := tx.Query(ctx, `SELECT e.queue, e.outcome, e.reason, count(*), coalesce(sum(e.wait_us), 0),
		count(*) FILTER (WHERE e.wait_us <= q.sl_threshold_s * 1000000::bigint),
		count(*) FILTER (WHERE e.wait_us <= q.short_abandon_s * 1000000::bigint AND NOT e.later)
		FROM queue_entry e JOIN queue q ON q.key = e.queue
		WHERE e.entered_at >= $1 AND e.state = 'ended' GROUP BY 1, 2, 3`, since)
	if err != nil {
		return nil, err
	}
	out := map[string]Figures{}
	var key, reason string
	var outcome Outcome
	var n, within, short int
	var wait int64
	_, err = pgx.ForEachRow(rows, []any{&key, &outcome, &reason, &n, &wait, &within, &short}, func() error {
		f := out[key]
		f.addMany(outcome, reason, n, within, short, time.Duration(wait)*time.Microsecond)
		out[key] = f
		return nil
	})
	return out, err
}

// Save implements Store. Every statement is an upsert by key, or ignores what is there, so writing twice is harmless.
func (s *PGStore) Save(ctx context.Context, b Batch) error {
	return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		for _, step := range []func(context.Context, pgx.Tx) error{b.saveEntries, b.saveOffers, b.saveAgents, b.saveLog} {
			if err := step(ctx, tx); err != nil {
				return err
			}
		}
		return nil
	})
}

func (b *Batch) saveEntries(ctx context.Context, tx pgx.Tx) error {
	if len(b.Entries) == 0 {
		return nil
	}
	c := newColumns(len(b.Entries), 19)
	for i, r := range b.Entries {
		skills, err := json.Marshal(r.Skills)
		if err != nil || r.Skills == nil {
			skills = []byte("{}")
		}
		var wait *int64
		if r.State == EntryEnded {
			us := r.Wait.Microseconds()
			wait = &us
		}
		c.set(i, r.ID, string(r.Call), r.Queue, r.Priority, string(skills), r.Lang, r.Tag, r.Prefer, r.Later, r.Entered,
			r.Credit.Microseconds(), ref(r.MaxUntil), string(r.State), null(string(r.Outcome)), r.Reason, ref(r.Ended), wait,
			r.Agent, r.Offers)
	}
	return c.exec(ctx, tx, "queue entries", `INSERT INTO queue_entry (id, call, queue, priority, skills, lang, tag, prefer, later,
		entered_at, credit_us, max_until, state, outcome, reason, ended_at, wait_us, agent, offers)
		SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::int[], $5::jsonb[], $6::text[], $7::text[], $8::text[],
		$9::bool[], $10::timestamptz[], $11::bigint[], $12::timestamptz[], $13::text[], $14::text[], $15::text[],
		$16::timestamptz[], $17::bigint[], $18::text[], $19::int[])
		ON CONFLICT (id) DO UPDATE SET priority = excluded.priority, max_until = excluded.max_until, state = excluded.state,
		outcome = excluded.outcome, reason = excluded.reason, ended_at = excluded.ended_at, wait_us = excluded.wait_us,
		agent = excluded.agent, offers = excluded.offers`)
}

func (b *Batch) saveOffers(ctx context.Context, tx pgx.Tx) error {
	if len(b.Offers) == 0 {
		return nil
	}
	c := newColumns(len(b.Offers), 13)
	for i, r := range b.Offers {
		var row *int64
		if r.Row != 0 {
			row = &r.Row
		}
		c.set(i, r.ID, row, string(r.Call), r.Queue, r.Agent, string(r.State), string(r.Result), r.Made, r.Expires,
			ref(r.RangAt), ref(r.TakenAt), ref(r.Ended), string(r.Why))
	}
	return c.exec(ctx, tx, "queue offers", `INSERT INTO queue_offer (id, entry_id, call, queue, agent, state, result, made_at,
		expires_at, ringing_at, accepted_at, ended_at, why)
		SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
		$8::timestamptz[], $9::timestamptz[], $10::timestamptz[], $11::timestamptz[], $12::timestamptz[], $13::jsonb[])
		ON CONFLICT (id) DO UPDATE SET state = excluded.state, result = excluded.result, expires_at = excluded.expires_at,
		ringing_at = excluded.ringing_at, accepted_at = excluded.accepted_at, ended_at = excluded.ended_at`)
}

func (b *Batch) saveAgents(ctx context.Context, tx pgx.Tx) error {
	if len(b.Agents) == 0 {
		return nil
	}
	c := newColumns(len(b.Agents), 15)
	for i, r := range b.Agents {
		c.set(i, r.Login, string(r.State), r.Reason, r.By, r.Since, string(r.Next), r.NextReason, ref(r.Until), string(r.Back),
			r.BackReason, string(r.Connection), r.Missed, string(r.Call), r.Queue, r.Seen)
	}
	return c.exec(ctx, tx, "agent states", `INSERT INTO agent_state (login, state, reason, set_by, since, next, next_reason, until,
		back, back_reason, connection, missed, call, queue, seen_at)
		SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::text[], $7::text[],
		$8::timestamptz[], $9::text[], $10::text[], $11::text[], $12::int[], $13::text[], $14::text[], $15::timestamptz[])
		ON CONFLICT (login) DO UPDATE SET state = excluded.state, reason = excluded.reason, set_by = excluded.set_by,
		since = excluded.since, next = excluded.next, next_reason = excluded.next_reason, until = excluded.until,
		back = excluded.back, back_reason = excluded.back_reason, connection = excluded.connection, missed = excluded.missed,
		call = excluded.call, queue = excluded.queue, seen_at = excluded.seen_at`)
}

func (b *Batch) saveLog(ctx context.Context, tx pgx.Tx) error {
	if len(b.Log) == 0 {
		return nil
	}
	c := newColumns(len(b.Log), 10)
	for i, r := range b.Log {
		var offer *int64
		if r.Offer != 0 {
			offer = &r.Offer
		}
		c.set(i, r.ID, r.Login, string(r.From), string(r.To), r.Reason, r.By, r.At, string(r.Call), r.Queue, offer)
	}
	return c.exec(ctx, tx, "agent state log", `INSERT INTO agent_state_log (id, login, from_state, to_state, reason, set_by, at,
		call, queue, offer_id)
		SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[],
		$8::text[], $9::text[], $10::bigint[])
		ON CONFLICT (id) DO NOTHING`)
}

// columns gathers rows by column, for unnest: one statement per table whatever the number of rows.
type columns [][]any

func newColumns(rows, cols int) columns {
	c := make(columns, cols)
	for i := range c {
		c[i] = make([]any, rows)
	}
	return c
}

func (c columns) set(row int, values ...any) {
	for i, v := range values {
		c[i][row] = v
	}
}

func (c columns) exec(ctx context.Context, tx pgx.Tx, what, sql string) error {
	args := make([]any, len(c))
	for i := range c {
		args[i] = c[i]
	}
	if _, err := tx.Exec(ctx, sql, args...); err != nil {
		return fmt.Errorf("write %s: %w", what, err)
	}
	return nil
}

// ref is NULL for the zero time.
func ref(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func deref(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}

// null is NULL for the empty string.
func null(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// History is what is stored about one call in the queues, for its page: rows with their offers, oldest first.
func (s *PGStore) History(ctx context.Context, call telephony.CallID) ([]EntryRow, []OfferRow, error) {
	rows, err := s.pool.Query(ctx, `SELECT id, queue, priority, skills, lang, tag, prefer, later, entered_at, credit_us, max_until,
		state, coalesce(outcome, ''), reason, ended_at, coalesce(wait_us, 0), agent, offers
		FROM queue_entry WHERE call = $1 ORDER BY id`, string(call))
	if err != nil {
		return nil, nil, fmt.Errorf("read queue entries: %w", err)
	}
	entries, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (r EntryRow, err error) {
		var credit, wait int64
		var until, ended *time.Time
		err = row.Scan(&r.ID, &r.Queue, &r.Priority, &r.Skills, &r.Lang, &r.Tag, &r.Prefer, &r.Later, &r.Entered, &credit, &until,
			&r.State, &r.Outcome, &r.Reason, &ended, &wait, &r.Agent, &r.Offers)
		r.Call, r.Credit, r.Wait = call, time.Duration(credit)*time.Microsecond, time.Duration(wait)*time.Microsecond
		r.MaxUntil, r.Ended = deref(until), deref(ended)
		return r, err
	})
	if err != nil {
		return nil, nil, fmt.Errorf("read queue entries: %w", err)
	}
	rows, err = s.pool.Query(ctx, `SELECT id, coalesce(entry_id, 0), queue, agent, state, result, made_at, expires_at, ringing_at,
		accepted_at, ended_at, why FROM queue_offer WHERE call = $1 ORDER BY id`, string(call))
	if err != nil {
		return nil, nil, fmt.Errorf("read queue offers: %w", err)
	}
	offers, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (r OfferRow, err error) {
		var rang, taken, ended *time.Time
		err = row.Scan(&r.ID, &r.Row, &r.Queue, &r.Agent, &r.State, &r.Result, &r.Made, &r.Expires, &rang, &taken, &ended, &r.Why)
		r.Call, r.RangAt, r.TakenAt, r.Ended = call, deref(rang), deref(taken), deref(ended)
		return r, err
	})
	if err != nil {
		return nil, nil, fmt.Errorf("read queue offers: %w", err)
	}
	return entries, offers, nil
}
