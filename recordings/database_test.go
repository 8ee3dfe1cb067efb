package recordings_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"hotline/internal/pg/pgtest"
	"hotline/recordings"
	"hotline/telephony/media"
)

// switchboard is a pool whose database can be taken away.
type switchboard struct {
	mu    sync.Mutex
	away  bool
	conns []net.Conn
}

func (s *switchboard) pool(t *testing.T, dsn string) *pgxpool.Pool {
	t.Helper()
	cfg, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	dial := cfg.ConnConfig.DialFunc
	cfg.ConnConfig.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.away {
			return nil, errors.New("the database is away")
		}
		c, err := dial(ctx, network, addr)
		s.conns = append(s.conns, c)
		return c, err
	}
	pool, err := pgxpool.NewWithConfig(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

func (s *switchboard) set(away bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.away = away
	for _, c := range s.conns {
		if away && c != nil {
			c.Close()
		}
	}
}

// TestDatabaseAway takes the database away during a talk; more recordings end than memory may hold rows for.
func TestDatabaseAway(t *testing.T) {
	t.Parallel()
	var sw switchboard
	dsn := pgtest.URL(t)
	r := newRig(t, func(c *recordings.Config) {
		*c = recordings.Impatient(*c, 0, 3)
		c.Pool = sw.pool(t, dsn)
	})
	r.pool = pgtest.Pool(t, dsn)
	r.call("away")
	v := newVoice(media.PCMA, 1000)
	first := r.start(recordings.Start{Call: "away"})
	talk(t, first, 0, 50, v, v)
	r.waitRow(first.ID(), "recording")
	sw.set(true)
	var all []*recordings.Recorder
	for range 10 {
		rec := r.start(recordings.Start{Call: "away"})
		talk(t, rec, 0, 75, v, v)
		r.end(rec)
		all = append(all, rec)
	}
	all = append(all, first)
	first.Pause("x")
	first.Resume()
	talk(t, first, 8000, 100, v, v)
	r.end(first)
	r.until("log line", func() bool { return r.log.has("wait for the database") })
	if n, more := waiting(r); n > 3 || !more {
		t.Errorf("%d rows in memory, more on the disk: %v", n, more)
	}
	if _, _, err := r.Open(context.Background(), 1); err == nil {
		t.Error("opened without a database")
	}
	sw.set(false)
	for _, rec := range all {
		w := r.waitRow(rec.ID())
		r.kept(w)
		if w.state != "ready" || w.failed != "" || w.ms != 1500 && w.ms != 3000 {
			t.Errorf("%+v", w)
		}
	}
	r.until("quiet", func() bool { n, more := waiting(r); return n == 0 && !more })
	if n := strings.Count(r.log.String(), "wait for the database"); n != 1 {
		t.Errorf("said %d times that the database is away", n)
	}
	if !r.log.has("written again") || len(diskFiles(t, filepath.Join(r.cfg.Dir, "open"))) != 0 {
		t.Errorf("log %v; files %v", r.log, diskFiles(t, r.cfg.Dir))
	}
}

// TestStoppedWithoutDatabase closes while rows wait: the next start writes them.
func TestStoppedWithoutDatabase(t *testing.T) {
	t.Parallel()
	var sw switchboard
	dsn := pgtest.URL(t)
	r := newRig(t, func(c *recordings.Config) { c.Pool = sw.pool(t, dsn) })
	r.pool = pgtest.Pool(t, dsn)
	r.call("stop")
	sw.set(true)
	rec := r.start(recordings.Start{Call: "stop"})
	v := newVoice(media.PCMA, 1000)
	talk(t, rec, 0, 50, v, v)
	r.end(rec)
	r.close(r.Service)
	sw.set(false)
	r.open()
	if err := r.Recover(context.Background()); err != nil {
		t.Fatal(err)
	}
	if w := r.waitRow(rec.ID()); w.failed != "" || w.ms != 1000 {
		t.Errorf("%+v", w)
	}
}

// TestManyOldFiles has more files of before than are read at once, and more than memory may hold.
func TestManyOldFiles(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *recordings.Config) { *c = recordings.Impatient(*c, 0, 8) })
	var all []*recordings.Recorder
	for i := range 50 {
		rec := r.start(recordings.Start{Call: fmt.Sprint("old", i%2), Kind: recordings.KindVoicemail})
		rec.Frame(0, 8, 0, newVoice(media.PCMA, 700).frame())
		r.end(rec)
		all = append(all, rec)
	}
	r.close(r.Service)
	r.call("old0")
	r.open()
	if err := r.Recover(context.Background()); err != nil {
		t.Fatal(err)
	}
	fresh := r.start(recordings.Start{Call: "old0"})
	r.waitRow(fresh.ID(), "recording")
	r.end(fresh)
	r.call("old1")
	for _, rec := range append(all, fresh) {
		r.waitRow(rec.ID())
	}
	r.until("quiet", func() bool { n, more := waiting(r); return n == 0 && !more })
	if left := diskFiles(t, filepath.Join(r.cfg.Dir, "open")); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}
