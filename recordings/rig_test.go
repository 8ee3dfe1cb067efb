package recordings_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"hotline/internal/pg/pgtest"
	"hotline/recordings"
	"hotline/telephony"
	"hotline/telephony/media"
	"hotline/telephony/media/tone"
)

func TestMain(m *testing.M) {
	if os.Getenv(childDir) != "" {
		child()
		return
	}
	code := m.Run()
	if err := goleak.Find(goleak.IgnoreAnyFunction("hotline/internal/pg/pgtest.startServer"), goleak.IgnoreAnyFunction("os/exec.(*Cmd).watchCtx")); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// rig is a service on a fresh database and a fresh directory.
type rig struct {
	*recordings.Service
	t    testing.TB
	cfg  recordings.Config
	pool *pgxpool.Pool // the test's own
	log  *logBook
	reg  *prometheus.Registry
}

func newRig(t testing.TB, change ...func(*recordings.Config)) *rig {
	t.Helper()
	r := &rig{t: t, pool: pgtest.New(t), log: &logBook{}}
	base := t.TempDir()
	r.cfg = recordings.Impatient(recordings.Config{Dir: filepath.Join(base, "recordings"), KeyFile: filepath.Join(base, "key"), Pool: r.pool}, 0, 0)
	r.cfg.Log = slog.New(slog.NewTextHandler(r.log, nil))
	for _, c := range change {
		c(&r.cfg)
	}
	r.open()
	return r
}

// open starts the service, again after close.
func (r *rig) open() {
	r.t.Helper()
	r.reg = prometheus.NewRegistry()
	r.cfg.Registerer = r.reg
	s, err := recordings.New(r.cfg)
	if err != nil {
		r.t.Fatal(err)
	}
	r.Service = s
	r.t.Cleanup(func() { r.close(s) })
}

func (r *rig) close(s *recordings.Service) {
	r.t.Helper()
	ctx, stop := context.WithTimeout(context.Background(), 20*time.Second)
	defer stop()
	if err := s.Close(ctx); err != nil {
		r.t.Error(err)
	}
}

// metric is the sum of a metric's series.
func (r *rig) metric(name string) (sum float64) {
	all, err := r.reg.Gather()
	if err != nil {
		r.t.Fatal(err)
	}
	for _, f := range all {
		if f.GetName() == name {
			for _, m := range f.GetMetric() {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
			return sum
		}
	}
	r.t.Fatalf("no metric %s", name)
	return 0
}

// call writes the row of a call and gives its id.
func (r *rig) call(key string) (id int64) {
	r.t.Helper()
	if err := r.pool.QueryRow(context.Background(), `INSERT INTO call (call_key, direction, started_at) VALUES ($1, 'in', now()) RETURNING id`, key).Scan(&id); err != nil {
		r.t.Fatal(err)
	}
	return id
}

func (r *rig) exec(sql string, args ...any) {
	r.t.Helper()
	if _, err := r.pool.Exec(context.Background(), sql, args...); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) start(o recordings.Start) *recordings.Recorder {
	r.t.Helper()
	if o.Call == "" {
		o.Call = telephony.NewID(time.Now())
	}
	if o.Kind == "" {
		o.Kind = recordings.KindCall
	}
	rec, err := r.Start(context.Background(), o)
	if err != nil {
		r.t.Fatal(err)
	}
	return rec
}

func (r *rig) end(rec *recordings.Recorder) {
	r.t.Helper()
	if err := rec.Close(context.Background()); err != nil {
		r.t.Fatal(err)
	}
}

// row is what the tests look at; waitRow waits for it to be closed.
type row struct {
	id             int64
	state, store   string
	sum            []byte
	size           int64
	ms             int
	paused, failed string
	due            *time.Time
}

func (r *rig) row(key string) (w row, ok bool) {
	err := r.pool.QueryRow(context.Background(), `SELECT id, state, store_key, sha256, size, duration_ms, paused::text, coalesce(error, ''), delete_after FROM recording WHERE key = $1`, key).
		Scan(&w.id, &w.state, &w.store, &w.sum, &w.size, &w.ms, &w.paused, &w.failed, &w.due)
	return w, err == nil
}

func (r *rig) waitRow(key string, states ...string) (w row) {
	r.t.Helper()
	if len(states) == 0 {
		states = []string{"ready", "failed"}
	}
	r.until("row of "+key, func() bool {
		var ok bool
		w, ok = r.row(key)
		return ok && strings.Contains(strings.Join(states, " "), w.state)
	})
	return w
}

// kept waits for the final name of a file and checks its hash (I8).
func (r *rig) kept(w row) {
	r.t.Helper()
	name := filepath.Join(r.cfg.Dir, w.store+".hrec")
	var b []byte
	r.until("file of "+w.store, func() (ok bool) {
		var err error
		b, err = os.ReadFile(name)
		return err == nil
	})
	if sum := sha256.Sum256(b); !bytes.Equal(sum[:], w.sum) || int64(len(b)) != w.size {
		r.t.Errorf("%s: file of %d bytes with another hash than the row of %d", w.store, len(b), w.size)
	}
}

// until waits for something that no channel tells.
func (r *rig) until(what string, ok func() bool) {
	r.t.Helper()
	ctx, stop := context.WithTimeout(context.Background(), 20*time.Second)
	defer stop()
	tick := time.NewTicker(3 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			r.t.Fatalf("no %s in 20 s; log:\n%s", what, r.log)
		}
	}
}

// read opens a recording and gives it whole and its sound by channel.
func (r *rig) read(id int64) (info recordings.Info, all []byte, channels [][]byte) {
	r.t.Helper()
	f, info, err := r.Open(context.Background(), id)
	if err != nil {
		r.t.Fatal(err)
	}
	defer f.Close()
	if all, err = io.ReadAll(f); err != nil {
		r.t.Fatal(err)
	}
	if int64(len(all)) != info.Bytes {
		r.t.Errorf("%d bytes, Info says %d", len(all), info.Bytes)
	}
	return info, all, wavChannels(r.t, all)
}

// wavChannels takes a WAV apart as a player would.
func wavChannels(t testing.TB, b []byte) [][]byte {
	t.Helper()
	le := binary.LittleEndian
	if string(b[:4]) != "RIFF" || string(b[8:12]) != "WAVE" || int(le.Uint32(b[4:]))+8 != len(b) {
		t.Fatalf("no WAV of %d bytes: % x", len(b), b[:12])
	}
	var n int
	for at := 12; at+8 <= len(b); {
		size, body := int(le.Uint32(b[at+4:])), b[at+8:]
		switch string(b[at : at+4]) {
		case "fmt ":
			n = int(le.Uint16(body[2:]))
			if le.Uint32(body[4:]) != 8000 || le.Uint16(body[14:]) != 8 || int(le.Uint16(body[12:])) != n {
				t.Fatalf("format: % x", body[:size])
			}
		case "data":
			if size > len(body) {
				t.Fatalf("data of %d bytes in %d", size, len(body))
			}
			out := make([][]byte, n)
			for i := range size {
				out[i%n] = append(out[i%n], body[i])
			}
			return out
		}
		at += 8 + size + size%2
	}
	t.Fatal("no data")
	return nil
}

// amplitude of a tone in a channel of a law, from and to in ms.
func amplitude(law media.Law, sound []byte, hz float64, from, to int) float64 {
	pcm := make([]int16, len(sound))
	law.Decode(pcm, sound)
	return tone.Amplitude(pcm[min(from*8, len(pcm)):min(to*8, len(pcm))], hz, 8000)
}

// voice makes sound of one tone.
type voice struct {
	law media.Law
	gen *tone.Generator
}

func newVoice(law media.Law, hz float64) *voice {
	return &voice{law, tone.NewGenerator(8000, 0.5, hz)}
}

func (v *voice) frame() []byte {
	pcm, out := make([]int16, 160), make([]byte, 160)
	v.gen.Fill(pcm)
	v.law.Encode(out, pcm)
	return out
}

// talk speaks frames of 20 ms from a position on, one voice a channel, and lets the writer keep up.
func talk(t testing.TB, rec *recordings.Recorder, from int64, frames int, voices ...*voice) (end int64) {
	for range frames {
		for ch, v := range voices {
			if v != nil {
				rec.Frame(ch, uint8(v.law), from, v.frame())
			}
		}
		from += 160
		keepUp(t, rec)
	}
	return from
}

// keepUp waits for the writer: tests speak faster than people.
func keepUp(t testing.TB, rec *recordings.Recorder) {
	if recordings.Pending(rec) < recordings.MaxPending/2 {
		return
	}
	(&rig{t: t, log: &logBook{}}).until("writer", func() bool { return recordings.Pending(rec) < 2 })
}

// files lists what is on the disk, names relative to dir.
func diskFiles(t testing.TB, dir string) (list []string) {
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(dir, path)
			list = append(list, filepath.ToSlash(rel))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// logBook is a log to look into.
type logBook struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logBook) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *logBook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func (l *logBook) has(s string) bool { return strings.Contains(l.String(), s) }

// noDatabase is a pool whose database is away.
func noDatabase(t testing.TB) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.New(context.Background(), "postgres://nobody@127.0.0.1:1/none")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}
