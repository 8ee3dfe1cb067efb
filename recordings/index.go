package recordings

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

const (
	rowLimit  = 5 * time.Second // for one row: a database that hangs is one that is away
	lastLimit = 2 * time.Second // for what is left when the service stops

	readAtOnce = 20 // files of before, between looks at what is new
)

// errNoCall says that the call has no row yet.
var errNoCall = errors.New("the call has no row")

// desk is what the indexer knows of the database.
type desk struct {
	away bool
	wait time.Duration
	next time.Time // of the next try when it is away
}

// indexer writes rows until Close; what is left then is found again as files by the next start.
func (s *Service) indexer() {
	defer close(s.over)
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	var d desk
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		now := time.Now()
		wait := s.wait(now)
		if d.away && wait >= 0 {
			wait = max(wait, d.next.Sub(now))
		}
		timer.Stop()
		if wait >= 0 {
			timer.Reset(wait)
		}
		select {
		case <-s.idle:
			last, stop := context.WithTimeout(ctx, lastLimit)
			defer stop()
			s.round(last, &d, time.Time{})
			return
		case <-s.wake:
		case <-timer.C:
		}
		if now := time.Now(); !d.away || !now.Before(d.next) {
			s.round(ctx, &d, now)
		}
	}
}

// round tries everything that is due at now; all when now is zero.
func (s *Service) round(ctx context.Context, d *desk, now time.Time) {
	for _, it := range s.due(now) {
		if !s.try(ctx, d, it) {
			return
		}
	}
	if s.room() {
		s.readBack(ctx, d)
	}
}

// try writes one row; false: the database is away.
func (s *Service) try(ctx context.Context, d *desk, it *item) bool {
	err := s.writeRow(ctx, it.entry)
	if d.judge(s, err) {
		return false
	}
	if err != nil {
		s.later(it, err, time.Now())
		return true
	}
	if it.closed() {
		if err := s.dir.kept(it.h); err != nil {
			s.cfg.Log.Warn("indexed recording keeps its name; the next start renames it", "recording", it.h.Key, "cause", err)
		}
	}
	s.settle(it)
	return true
}

// judge reports whether an error means that the database is away, and says once when that changes.
func (d *desk) judge(s *Service, err error) bool {
	var refused *pgconn.PgError
	if err == nil || errors.Is(err, errNoCall) || errors.As(err, &refused) && (strings.HasPrefix(refused.Code, "22") || strings.HasPrefix(refused.Code, "23")) {
		if d.away {
			s.cfg.Log.Info("rows of recordings are written again")
		}
		*d = desk{}
		return false
	}
	if !d.away {
		s.cfg.Log.Warn("rows of recordings wait for the database", "cause", err)
	}
	d.away = true
	d.wait = min(max(2*d.wait, s.cfg.patience.retry), s.cfg.patience.most, 5*time.Second)
	d.next = time.Now().Add(d.wait)
	return true
}

// readBack brings closed files into rows that memory does not know: from before a crash, or more than it may hold. It
// takes a few at a time, so that rows of talks that are on do not wait for thousands of old ones.
func (s *Service) readBack(ctx context.Context, d *desk) {
	list, err := s.dir.list(endDone, endCut)
	if err != nil {
		s.cfg.Log.Error("unfinished recordings cannot be listed", "cause", err)
		return
	}
	read := 0
	for _, u := range list {
		if s.known(u.key) {
			continue
		}
		if read++; read > readAtOnce || ctx.Err() != nil {
			s.again()
			return
		}
		e, err := s.load(u)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case errors.Is(err, errNoSound):
			s.cfg.Log.Warn("file without sound deleted", "recording", u.key)
			continue
		case err != nil:
			s.give(u.key)
			s.m.unreadable.Inc()
			s.cfg.Log.Error("recording cannot be read; its file stays as it is", "recording", u.key, "cause", err)
			continue
		}
		it := &item{entry: e}
		if !s.keep(it) {
			s.again()
			return
		}
		if !s.try(ctx, d, it) {
			s.settle(it) // its file stays; memory is for those that are being made now
			s.again()
			return
		}
	}
}

// keep takes an item into the backlog; false: it is full.
func (s *Service) keep(it *item) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.backlog.items) >= s.cfg.patience.rows {
		return false
	}
	s.backlog.items[it.h.Key] = it
	return true
}

// writeRow writes or completes the row. errNoCall: the call has none yet.
func (s *Service) writeRow(ctx context.Context, e entry) error {
	ctx, stop := context.WithTimeout(ctx, rowLimit)
	defer stop()
	codec := "pcma"
	if e.h.Law == ptMu {
		codec = "pcmu"
	}
	var until any
	if at := e.h.due(); !at.IsZero() {
		until = at
	}
	// A closed state is final but for one: a row given up as failed is mended by its file.
	tag, err := s.cfg.Pool.Exec(ctx, `
INSERT INTO recording AS r (call_id, kind, state, store_key, sha256, codec, channels, size, duration_ms, started_at, paused, delete_after, key, error, peaks)
SELECT id, @kind, @state, @store, @sum, @codec, @channels, @size, @duration, @started, @paused, @until, @key, nullif(@error, ''), @peaks FROM call WHERE pbx = 'hotline' AND call_key = @call
ON CONFLICT (key) DO UPDATE SET state = excluded.state, sha256 = excluded.sha256, size = excluded.size, duration_ms = excluded.duration_ms,
  paused = CASE WHEN NOT @recovered THEN excluded.paused
    WHEN r.state = 'paused' AND jsonb_array_length(r.paused) > 0 THEN jsonb_set(r.paused, '{-1,1}', to_jsonb(greatest(excluded.duration_ms, (r.paused->-1->>0)::int)))
    ELSE r.paused END,
  error = excluded.error, peaks = excluded.peaks
WHERE r.state IN ('recording','paused') OR (r.state = 'failed' AND excluded.state = 'ready')`,
		pgx.NamedArgs{"call": e.h.Call, "kind": e.h.Kind, "state": e.state, "store": storeKey(e.h), "sum": e.sum, "codec": codec, "channels": e.h.Channels,
			"size": e.size, "duration": ms(e.length), "started": e.h.Started, "paused": e.pauses, "until": until, "key": e.h.Key, "error": e.failure,
			"peaks": e.peaks, "recovered": e.recovered})
	if err != nil {
		return fmt.Errorf("write row of recording %s: %w", e.h.Key, err)
	}
	if tag.RowsAffected() > 0 {
		return nil
	}
	var there bool
	if err := s.cfg.Pool.QueryRow(ctx, `SELECT EXISTS (SELECT FROM recording WHERE key = $1)`, e.h.Key).Scan(&there); err != nil {
		return fmt.Errorf("find row of recording %s: %w", e.h.Key, err)
	}
	if !there {
		return fmt.Errorf("row of recording %s: %w", e.h.Key, errNoCall)
	}
	return nil
}
