package recordings_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"hotline/recordings"
	"hotline/telephony/media"
)

// clock is a time to be set.
type clock struct{ at atomic.Pointer[time.Time] }

func (c *clock) set(t time.Time) { c.at.Store(&t) }
func (c *clock) now() time.Time  { return *c.at.Load() }

// TestRetentionIsExact is R52: 400 days, four settings, some held; nothing goes early, nothing late.
func TestRetentionIsExact(t *testing.T) {
	t.Parallel()
	var c clock
	begin := time.Date(2026, 3, 1, 15, 30, 0, 0, time.FixedZone("", 3*3600))
	c.set(begin)
	r := newRig(t, func(cfg *recordings.Config) { cfg.Now, cfg.RetentionDays = c.now, 30 })
	r.call("days")
	type kept struct {
		key string
		due time.Time // zero: held for ever
	}
	var all []*kept
	for day := range 100 { // one each fourth day
		start := begin.AddDate(0, 0, 4*day)
		c.set(start)
		days := []int{0, 1, 90, 365}[day%4]
		rec := r.start(recordings.Start{Call: "days", Kind: recordings.KindVoicemail, RetentionDays: days})
		rec.Frame(0, 8, 0, newVoice(media.PCMA, 700).frame())
		r.end(rec)
		if days == 0 {
			days = 30
		}
		all = append(all, &kept{key: rec.ID(), due: start.Add(time.Duration(days) * 24 * time.Hour)})
	}
	for i, k := range all {
		r.kept(r.waitRow(k.key))
		if i%10 == 3 {
			r.exec(`UPDATE recording SET legal_hold = true WHERE key = $1`, k.key)
			k.due = time.Time{}
		}
	}
	check := func(at time.Time) {
		t.Helper()
		c.set(at)
		if err := r.Expire(context.Background()); err != nil {
			t.Fatal(err)
		}
		deleted := map[string]bool{}
		rows, err := r.pool.Query(context.Background(), `SELECT key, state = 'deleted' AND deleted_at IS NOT NULL AND peaks IS NULL FROM recording`)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		for rows.Next() {
			var key string
			var gone bool
			if err := rows.Scan(&key, &gone); err != nil {
				t.Fatal(err)
			}
			deleted[key] = gone
		}
		files := strings.Join(diskFiles(t, r.cfg.Dir), " ")
		for _, k := range all {
			gone := !k.due.IsZero() && !k.due.After(at)
			if deleted[k.key] != gone || strings.Contains(files, k.key) == gone {
				t.Fatalf("%v: due %v, row deleted %v, file there %v", at, k.due, deleted[k.key], strings.Contains(files, k.key))
			}
		}
	}
	for day := 0; day < 800; day += 8 {
		check(begin.AddDate(0, 0, day).Add(13 * time.Hour))
	}
	held := all[3]
	w, _ := r.row(held.key)
	if _, _, err := r.Open(context.Background(), w.id); err != nil {
		t.Errorf("held: %v", err)
	}
	r.exec(`UPDATE recording SET legal_hold = false WHERE key = $1`, held.key)
	at := begin.AddDate(3, 0, 0)
	held.due = at.Add(-time.Hour)
	check(at)
	if _, _, err := r.Open(context.Background(), w.id); !errors.Is(err, recordings.ErrNotFound) {
		t.Errorf("deleted: %v", err)
	}
	if i, err := r.Get(context.Background(), w.id); err != nil || i.State != "deleted" {
		t.Errorf("deleted: %+v, %v", i, err)
	}
	if _, err := r.Peaks(context.Background(), w.id); !errors.Is(err, recordings.ErrNotFound) {
		t.Errorf("deleted: %v", err)
	}
}

func TestRetentionToTheSecond(t *testing.T) {
	t.Parallel()
	var c clock
	begin := time.Date(2026, 3, 1, 15, 30, 0, 0, time.UTC)
	c.set(begin)
	r := newRig(t, func(cfg *recordings.Config) { cfg.Now = c.now })
	r.call("sec")
	short, ever := r.start(recordings.Start{Call: "sec", RetentionDays: 1}), r.start(recordings.Start{Call: "sec"})
	v := newVoice(media.PCMA, 700)
	for _, rec := range []*recordings.Recorder{short, ever} {
		talk(t, rec, 0, 50, v, v)
		r.end(rec)
		r.kept(r.waitRow(rec.ID()))
	}
	for _, s := range []struct {
		at    time.Time
		state string
	}{{begin.Add(24*time.Hour - time.Second), "ready"}, {begin.Add(24 * time.Hour), "deleted"}} {
		c.set(s.at)
		if err := r.Expire(context.Background()); err != nil {
			t.Fatal(err)
		}
		if w, _ := r.row(short.ID()); w.state != s.state {
			t.Errorf("at %v: %s", s.at, w.state)
		}
	}
	c.set(begin.AddDate(100, 0, 0))
	if err := r.Expire(context.Background()); err != nil {
		t.Fatal(err)
	}
	if w, _ := r.row(ever.ID()); w.state != "ready" || w.due != nil {
		t.Errorf("for ever: %+v", w)
	}
}

// TestExpireWithoutRow deletes a file whose call never came, by the date in its head; one that waits, is being made or is
// held stays.
func TestExpireWithoutRow(t *testing.T) {
	t.Parallel()
	var c clock
	begin := time.Date(2026, 3, 1, 15, 30, 0, 0, time.UTC)
	c.set(begin)
	r := newRig(t, func(cfg *recordings.Config) {
		*cfg = recordings.Impatient(*cfg, time.Nanosecond, 0)
		cfg.Now = c.now
	})
	v := newVoice(media.PCMA, 700)
	orphan := r.start(recordings.Start{Call: "none", RetentionDays: 2})
	talk(t, orphan, 0, 50, v, v)
	r.end(orphan)
	r.until("giving up", func() bool { return r.metric("hotline_recordings_orphaned_total") == 1 })
	r.call("held")
	held := r.start(recordings.Start{Call: "held", RetentionDays: 2})
	talk(t, held, 0, 50, v, v)
	r.end(held)
	w := r.waitRow(held.ID())
	r.kept(w)
	r.exec(`UPDATE recording SET legal_hold = true`)
	if err := os.Rename(filepath.Join(r.cfg.Dir, w.store+".hrec"), filepath.Join(r.cfg.Dir, "open", held.ID()+".done")); err != nil { // a rename that failed
		t.Fatal(err)
	}
	live := r.start(recordings.Start{Call: "live", RetentionDays: 2})
	for _, s := range []struct {
		at    time.Time
		files int
	}{{begin.Add(47 * time.Hour), 3}, {begin.Add(48 * time.Hour), 2}} {
		c.set(s.at)
		if err := r.Expire(context.Background()); err != nil {
			t.Fatal(err)
		}
		if files := diskFiles(t, filepath.Join(r.cfg.Dir, "open")); len(files) != s.files {
			t.Errorf("at %v: %v", s.at, files)
		}
	}
	if files := fmt.Sprint(diskFiles(t, filepath.Join(r.cfg.Dir, "open"))); strings.Contains(files, orphan.ID()) {
		t.Errorf("left: %v", files)
	}
	r.end(live)
}

// TestExpireGoesOn past a file that cannot be deleted, and gives up rows whose file never came.
func TestExpireGoesOn(t *testing.T) {
	t.Parallel()
	var c clock
	begin := time.Now()
	c.set(begin)
	r := newRig(t, func(cfg *recordings.Config) { cfg.Now, cfg.RetentionDays = c.now, 1 })
	id := r.call("on")
	v := newVoice(media.PCMA, 700)
	var stores []row
	for range 3 {
		rec := r.start(recordings.Start{Call: "on"})
		talk(t, rec, 0, 50, v, v)
		r.end(rec)
		w := r.waitRow(rec.ID())
		r.kept(w)
		stores = append(stores, w)
	}
	stuck := filepath.Join(r.cfg.Dir, stores[0].store+".hrec")
	if err := errors.Join(os.Remove(stuck), os.MkdirAll(filepath.Join(stuck, "x"), 0o700)); err != nil { // a directory with something in it
		t.Fatal(err)
	}
	live := r.start(recordings.Start{Call: "on", RetentionDays: 7})
	r.waitRow(live.ID(), "recording")
	r.exec(`INSERT INTO recording (call_id, state, key, started_at) VALUES ($1, 'paused', 'LOST', $2)`, id, begin)
	c.set(begin.AddDate(0, 0, 2))
	if err := r.Expire(context.Background()); err == nil {
		t.Error("nobody is told of the file that stays")
	}
	states := ""
	if err := r.pool.QueryRow(context.Background(), `SELECT string_agg(state, ' ' ORDER BY id) FROM recording`).Scan(&states); err != nil || states != "ready deleted deleted recording failed" {
		t.Errorf("%s, %v", states, err)
	}
	if err := os.RemoveAll(stuck); err != nil {
		t.Fatal(err)
	}
	if err := r.Expire(context.Background()); err != nil {
		t.Error(err)
	}
	r.end(live)
	if w := r.waitRow(live.ID()); w.state != "failed" { // no sound, but closed as usual
		t.Errorf("%+v", w)
	}
}

// TestHoldInTheInstantOfExpiry lays a hold upon a recording while Expire is about to delete it.
func TestHoldInTheInstantOfExpiry(t *testing.T) {
	t.Parallel()
	var c clock
	begin := time.Now()
	c.set(begin)
	r := newRig(t, func(cfg *recordings.Config) { cfg.Now, cfg.RetentionDays = c.now, 1 })
	r.call("hold")
	rec := r.start(recordings.Start{Call: "hold"})
	v := newVoice(media.PCMA, 700)
	talk(t, rec, 0, 50, v, v)
	r.end(rec)
	w := r.waitRow(rec.ID())
	r.kept(w)
	c.set(begin.AddDate(0, 0, 2))
	tx, err := r.pool.Begin(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(context.Background(), `UPDATE recording SET legal_hold = true`); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- r.Expire(context.Background()) }()
	r.until("Expire waiting for the lock", func() (waits bool) {
		err := r.pool.QueryRow(context.Background(), `SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')`).Scan(&waits)
		return err == nil && waits
	})
	if err := tx.Commit(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if _, _, got := r.read(w.id); len(got[0]) != 8000 {
		t.Errorf("%d samples", len(got[0]))
	}
	if w, _ := r.row(rec.ID()); w.state != "ready" {
		t.Errorf("%+v", w)
	}
}
