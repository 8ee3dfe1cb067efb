package recordings

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// lostAfter is when a row whose recording was never closed is given up. No talk is that long.
const lostAfter = 24 * time.Hour

// Expire deletes recordings whose time is over, file first. Legal hold keeps them. One that cannot be deleted stays for
// the next time and does not keep the others. Files that never got a row are deleted by the date in their head, and rows
// whose file never came become failed.
func (s *Service) Expire(ctx context.Context) error {
	now := s.cfg.Now()
	return errors.Join(s.expireRows(ctx, now), s.expireFiles(ctx, now), s.failLost(ctx, now))
}

func (s *Service) expireRows(ctx context.Context, now time.Time) error {
	rows, err := s.cfg.Pool.Query(ctx, `SELECT id FROM recording WHERE delete_after <= $1 AND NOT legal_hold AND state IN ('ready','failed') ORDER BY delete_after`, now)
	if err != nil {
		return fmt.Errorf("find old recordings: %w", err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return fmt.Errorf("find old recordings: %w", err)
	}
	var failed []error
	for _, id := range ids {
		if ctx.Err() != nil {
			return errors.Join(append(failed, context.Cause(ctx))...)
		}
		if err := s.expireRow(ctx, id, now); err != nil && len(failed) < 10 {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

// expireRow deletes one. The row is locked, so that a hold laid upon it meanwhile comes before or after, never between.
func (s *Service) expireRow(ctx context.Context, id int64, now time.Time) error {
	err := pgx.BeginFunc(ctx, s.cfg.Pool, func(tx pgx.Tx) error {
		var store string
		err := tx.QueryRow(ctx, `UPDATE recording SET state = 'deleted', deleted_at = $2, peaks = NULL WHERE id = $1
			AND delete_after <= $2 AND NOT legal_hold AND state IN ('ready','failed') RETURNING coalesce(store_key, '')`, id, now).Scan(&store)
		if errors.Is(err, pgx.ErrNoRows) || store == "" {
			return ignore(err, pgx.ErrNoRows)
		}
		if err != nil {
			return err
		}
		return s.dir.remove(store)
	})
	if err != nil {
		return fmt.Errorf("delete old recording %d: %w", id, err)
	}
	return nil
}

// expireFiles deletes closed files without a row.
func (s *Service) expireFiles(ctx context.Context, now time.Time) error {
	list, err := s.dir.list(endDone, endCut)
	if err != nil || len(list) == 0 {
		return err
	}
	keys := make([]string, 0, len(list))
	for _, u := range list {
		keys = append(keys, u.key)
	}
	rows, err := s.cfg.Pool.Query(ctx, `SELECT key FROM recording WHERE key = ANY($1)`, keys)
	if err != nil {
		return fmt.Errorf("find rows of files: %w", err)
	}
	keys, err = pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return fmt.Errorf("find rows of files: %w", err)
	}
	for _, u := range list {
		if slices.Contains(keys, u.key) || s.waiting(u.key) { // the row expires in its turn, or is held
			continue
		}
		at, err := s.dir.due(u)
		if err != nil || at.IsZero() || at.After(now) {
			continue // gone meanwhile, or damaged: told by whoever reads it back
		}
		err = s.dir.in(func(root *os.Root) error { return root.Remove(u.name()) })
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("delete old recording: %w", err)
		}
		s.cfg.Log.Warn("recording without a row deleted: its time was over", "recording", u.key)
	}
	return nil
}

// waiting reports whether a row for this file is on its way.
func (s *Service) waiting(key string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.live[key] != nil || s.backlog.items[key] != nil
}

func (s *Service) failLost(ctx context.Context, now time.Time) error {
	s.mu.Lock()
	live := make([]string, 0, len(s.live))
	for key := range s.live {
		live = append(live, key)
	}
	s.mu.Unlock()
	_, err := s.cfg.Pool.Exec(ctx, `UPDATE recording SET state = 'failed', error = 'its file never came' WHERE state IN ('recording','paused')
		AND started_at < $1 AND NOT key = ANY($2)`, now.Add(-lostAfter), live)
	if err != nil {
		return fmt.Errorf("give up lost recordings: %w", err)
	}
	return nil
}
