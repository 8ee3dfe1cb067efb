package calllog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"hotline/telephony"
)

// Copied is one record that has just become rows, handed to the application inside the same transaction.
type Copied struct {
	CallRow int64 // call.id
	Record  Record
	Summary *Summary // the call as folded up to this record; not to be kept
}

// Copier brings the journal into rows, in order, exactly once per database. It runs in one goroutine, Run's.
type Copier struct {
	Journal *Journal
	Pool    *pgxpool.Pool
	// Each is called for every record inside the transaction that writes its rows; what it does is done exactly once.
	// It must only use tx. Nil: nobody listens.
	Each func(ctx context.Context, tx pgx.Tx, c Copied) error
	Log  *slog.Logger // nil: discard

	cur    cursor
	copied uint64 // last record known to be in rows
	calls  map[telephony.CallID]*Summary
}

const (
	copyBatch = 256
	// copyPoll is the safety net behind the wake-up.
	copyPoll = 500 * time.Millisecond
	// copyRetry is the longest pause after a failure: the database was away.
	copyRetry = 2 * time.Second
)

// Run copies until ctx ends. A database that is away costs waiting, never a record; a record the database refuses for
// good is logged, counted and left out, so that it cannot hold up all others.
func (c *Copier) Run(ctx context.Context) error {
	c.defaults()
	pause := 50 * time.Millisecond
	for {
		n, err := 0, error(nil)
		if c.calls == nil { // at first, and after a failure that could not be mended at once
			err = c.load(ctx)
		}
		if err == nil {
			n, err = c.step(ctx)
		}
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			c.Log.Warn("call facts wait for the database", "cause", err, "retry_in", pause)
			if !sleep(ctx, pause, nil) {
				return nil
			}
			pause = min(2*pause, copyRetry)
		case n == 0:
			pause = 50 * time.Millisecond
			if !sleep(ctx, copyPoll, c.Journal.wake) {
				return nil
			}
		default:
			pause = 50 * time.Millisecond
		}
	}
}

func (c *Copier) defaults() {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
}

// Drain copies what the journal holds now and returns when it is in rows; for orderly stops, after Run has returned.
func (c *Copier) Drain(ctx context.Context) error {
	c.defaults()
	if c.calls == nil {
		if err := c.load(ctx); err != nil {
			return err
		}
	}
	for {
		n, err := c.step(ctx)
		if err != nil || n == 0 {
			return err
		}
	}
}

// sleep waits for d or a wake-up; false when ctx ended.
func sleep(ctx context.Context, d time.Duration, wake <-chan struct{}) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
	case <-wake:
	}
	return true
}

// load finds where this database stands and folds what was copied before, so that open calls have their summaries. After
// an error there are none, and nothing may be copied.
func (c *Copier) load(ctx context.Context) (err error) {
	defer func() {
		if err != nil {
			c.calls = nil
		}
	}()
	var seq int64
	err = c.Pool.QueryRow(ctx, `SELECT seq FROM journal_cursor WHERE journal = $1`, c.Journal.id).Scan(&seq)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return fmt.Errorf("read journal cursor: %w", err)
	}
	c.calls = map[telephony.CallID]*Summary{}
	c.cur, c.copied = cursor{}, uint64(seq)
	for c.cur.seq < c.copied {
		before := c.cur
		rs, err := c.read(1) // one by one: segments may begin anywhere, and what is not copied yet must stay unread
		if err != nil {
			return err
		}
		if len(rs) == 0 {
			break
		}
		if rs[0].Seq > c.copied {
			c.cur = before
			break
		}
		c.fold(rs[0])
		if rs[0].Type == TypeEnd {
			delete(c.calls, rs[0].Call)
		}
	}
	return nil
}

// read gives the next records and steps over damage, which was counted and reported when the journal was opened.
func (c *Copier) read(limit int) ([]Record, error) {
	rs, err := c.Journal.read(&c.cur, limit)
	if err == nil || len(rs) > 0 {
		return rs, nil
	}
	if errors.Is(err, errTorn) && c.Journal.skipDamage(&c.cur) {
		c.Log.Error("call facts lost in a damaged part of the journal", "cause", err)
		return c.Journal.read(&c.cur, limit)
	}
	return nil, fmt.Errorf("read journal: %w", err)
}

func (c *Copier) fold(r Record) *Summary {
	s := c.calls[r.Call]
	if s == nil {
		s = &Summary{Call: r.Call}
		c.calls[r.Call] = s
	}
	s.Fold(r)
	return s
}

// step copies one batch and reports its size.
func (c *Copier) step(ctx context.Context) (int, error) {
	before := c.cur
	rs, err := c.read(copyBatch)
	if err != nil {
		return 0, err
	}
	if len(rs) == 0 {
		c.trim() // calls have ended since
		return 0, nil
	}
	err = c.copy(ctx, rs)
	if refused(err) { // one of them is poison: find it
		for _, r := range rs {
			if err = c.copy(ctx, []Record{r}); refused(err) {
				c.Journal.m.refused.Inc()
				c.Log.Error("database refuses a call fact; it stays in the journal only", "call", r.Call, "type", r.Type, "cause", err)
				err = c.skip(ctx, r)
			}
			if err != nil {
				break
			}
		}
	}
	if err != nil {
		c.cur = before
		c.calls = nil // summaries may be ahead of the rows: fold again from the file
		if lerr := c.load(ctx); lerr != nil {
			return 0, errors.Join(err, lerr)
		}
		return 0, err
	}
	c.Journal.m.copied.Add(float64(len(rs)))
	c.Journal.m.lag.Set(float64(c.Journal.lastSeq() - c.copied))
	c.trim()
	return len(rs), nil
}

// refused reports whether the server itself found fault with what we sent: trying again cannot help.
func refused(err error) bool {
	pe, ok := errors.AsType[*pgconn.PgError](err)
	return ok && len(pe.Code) == 5 && (pe.Code[:2] == "22" || pe.Code[:2] == "23")
}

func (c *Copier) skip(ctx context.Context, r Record) error {
	_, err := c.Pool.Exec(ctx, cursorSQL, c.Journal.id, int64(r.Seq))
	if err == nil {
		c.copied = r.Seq
	}
	return err
}

// trim lets the journal drop what nobody needs: copied, and older than the begin of every call still open in rows.
func (c *Copier) trim() {
	keep := c.copied
	for _, s := range c.calls {
		if s.First != 0 {
			keep = min(keep, s.First-1)
		}
	}
	if err := c.Journal.trim(keep); err != nil {
		c.Log.Warn("copied journal segment stays", "cause", err)
	}
}

const cursorSQL = `INSERT INTO journal_cursor (journal, seq) VALUES ($1, $2)
	ON CONFLICT (journal) DO UPDATE SET seq = excluded.seq, copied_at = now() WHERE journal_cursor.seq < excluded.seq`

// copy writes the rows of rs in one transaction and moves the cursor.
func (c *Copier) copy(ctx context.Context, rs []Record) error {
	if rs[0].Seq <= c.copied { // told again after a retry
		rs = rs[min(uint64(len(rs)), c.copied-rs[0].Seq+1):]
		if len(rs) == 0 {
			return nil
		}
	}
	var ended []telephony.CallID
	err := pgx.BeginFunc(ctx, c.Pool, func(tx pgx.Tx) error {
		for _, r := range rs {
			s := c.fold(r)
			if s.First == 0 {
				c.Log.Error("call fact without a begin", "call", r.Call, "type", r.Type)
				continue
			}
			if r.Type == TypeMenuState { // a restart needs it, nobody else
				continue
			}
			row, err := writeCall(ctx, tx, s)
			if err != nil {
				return err
			}
			if err := writeFact(ctx, tx, row, r); err != nil {
				return err
			}
			if c.Each != nil {
				if err := c.Each(ctx, tx, Copied{CallRow: row, Record: r, Summary: s}); err != nil {
					return fmt.Errorf("follow up %s of call %s: %w", r.Type, r.Call, err)
				}
			}
			if r.Type == TypeEnd {
				ended = append(ended, r.Call)
			}
		}
		if _, err := tx.Exec(ctx, cursorSQL, c.Journal.id, int64(rs[len(rs)-1].Seq)); err != nil {
			return fmt.Errorf("move journal cursor: %w", err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	c.copied = rs[len(rs)-1].Seq
	for _, id := range ended {
		delete(c.calls, id)
	}
	return nil
}
