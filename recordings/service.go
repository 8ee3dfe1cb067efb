package recordings

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"filippo.io/age"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"hotline/telephony"
)

// Kinds of recordings, values of recording.kind.
const (
	KindCall      = "call"      // two channels: customer left, agent right
	KindVoicemail = "voicemail" // one channel
)

// ErrNotFound says that there is no such recording, or that its audio is gone.
var ErrNotFound = errors.New("no such recording")

// Config is what a Service needs.
type Config struct {
	Dir           string // of the sealed files; made if absent
	KeyFile       string // key that opens them; made if absent
	Pool          *pgxpool.Pool
	RetentionDays int                   // for queues without a setting; 0: for ever
	Now           func() time.Time      // nil: time.Now
	Log           *slog.Logger          // nil: discarded
	Registerer    prometheus.Registerer // nil: no metrics
}

// Start asks for a recording.
type Start struct {
	Call          string      // call key; the row of the call may not exist yet
	Kind          string      // KindCall or KindVoicemail
	RetentionDays int         // 0: the service's
	MuLaw         bool        // store µ-law instead of A-law: the law of the talk, so that nothing is converted
	OnFailure     func(error) // told once, from a goroutine of its own, when the disk fails; nil: nobody
}

// Service makes and serves recordings. Two goroutines: the writer owns the files in the making, the indexer the rows.
type Service struct {
	cfg     Config
	key     *age.X25519Identity
	m       metrics
	writes  chan write    // size 1024, about 16 s of 60 talks; full: the recording that finds it so ends
	stopped chan struct{} // closed when Close begins
	once    sync.Once
	done    sync.WaitGroup

	mu   sync.Mutex // guards todo
	todo []entry    // rows to write; kept while the database is away
	wake chan struct{}
}

type metrics struct {
	live    prometheus.Gauge
	failed  prometheus.Counter
	written prometheus.Counter
	latency prometheus.Histogram
	pending prometheus.Gauge
}

func newMetrics(reg prometheus.Registerer) metrics {
	m := metrics{
		live:    prometheus.NewGauge(prometheus.GaugeOpts{Name: "hotline_recordings_live", Help: "Recordings being made."}),
		failed:  prometheus.NewCounter(prometheus.CounterOpts{Name: "hotline_recordings_failed_total", Help: "Recordings that ended before their talk."}),
		written: prometheus.NewCounter(prometheus.CounterOpts{Name: "hotline_recordings_bytes_total", Help: "Sealed bytes written."}),
		latency: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "hotline_recordings_write_seconds", Help: "Time to seal and write one second of sound.", Buckets: prometheus.ExponentialBuckets(0.00005, 3, 10)}),
		pending: prometheus.NewGauge(prometheus.GaugeOpts{Name: "hotline_recordings_unindexed", Help: "Closed recordings whose row is not written yet."}),
	}
	if reg != nil {
		reg.MustRegister(m.live, m.failed, m.written, m.latency, m.pending)
	}
	return m
}

// New opens the key and the directory and starts the writer. Close ends it.
func New(cfg Config) (*Service, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the directory of recordings: %w", err)
	}
	key, err := loadKey(cfg.KeyFile)
	if err != nil {
		return nil, err
	}
	s := &Service{cfg: cfg, key: key, m: newMetrics(cfg.Registerer), writes: make(chan write, 1024), stopped: make(chan struct{}), wake: make(chan struct{}, 1)}
	s.done.Go(s.writer)
	s.done.Go(s.indexer)
	return s, nil
}

// Start begins a recording: the file exists, sealed, when it returns.
func (s *Service) Start(_ context.Context, o Start) (*Recorder, error) {
	select {
	case <-s.stopped:
		return nil, errors.New("recordings are stopped")
	default:
	}
	now := s.cfg.Now()
	h := header{Key: telephony.NewID(now), Call: o.Call, Kind: o.Kind, Channels: 2, Law: ptA, Started: now.UTC(), Days: o.RetentionDays}
	if o.Kind == KindVoicemail {
		h.Channels = 1
	}
	if o.MuLaw {
		h.Law = ptMu
	}
	if h.Days == 0 {
		h.Days = s.cfg.RetentionDays
	}
	dir := filepath.Join(s.cfg.Dir, now.UTC().Format("2006/01/02"))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the directory of recordings: %w", err)
	}
	r := &Recorder{s: s, h: h, path: filepath.Join(dir, h.Key), on: o.OnFailure}
	f, err := os.OpenFile(r.path+".part", os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("make recording: %w", err)
	}
	if r.seal, err = newFile(f, h, s.key.Recipient()); err != nil {
		return nil, errors.Join(err, f.Close(), os.Remove(f.Name()))
	}
	if r.bytes, err = f.Seek(0, 1); err != nil {
		return nil, errors.Join(fmt.Errorf("make recording: %w", err), f.Close(), os.Remove(f.Name()))
	}
	r.f = f
	s.m.live.Inc()
	s.index(entry{h: h, path: r.path})
	return r, nil
}

// writer writes seconds and ends files, one after the other: one writer per disk.
func (s *Service) writer() {
	for {
		select {
		case w := <-s.writes:
			w.do()
		case <-s.stopped:
			for {
				select {
				case w := <-s.writes:
					w.do()
					continue
				default:
				}
				return
			}
		}
	}
}

// Close ends the service. Recorders still open lose at most their last second; the next start finds their files.
func (s *Service) Close(ctx context.Context) error {
	s.once.Do(func() { close(s.stopped) })
	done := make(chan struct{})
	go func() { s.done.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("stop recordings: %w", context.Cause(ctx))
	}
}

// Recover takes over what a crash left: files being written are closed at their last whole second and marked, and
// files without a row get one. Call it before the first Start.
func (s *Service) Recover(context.Context) error {
	return filepath.WalkDir(s.cfg.Dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		base, part := strings.CutSuffix(path, ".part")
		base, closed := strings.CutSuffix(base, ".done")
		if !part && !closed {
			return nil
		}
		e, err := s.salvage(path, base, part)
		if err != nil {
			s.cfg.Log.Error("recording cannot be recovered; it stays as it is", "file", filepath.Base(path), "cause", err)
			return nil
		}
		s.index(e)
		return nil
	})
}

func (s *Service) salvage(path, base string, cut bool) (entry, error) {
	f, err := openFile(path, s.key)
	if err != nil {
		return entry{}, err
	}
	defer f.f.Close()
	e := entry{h: f.h, path: base, closed: true}
	for i := range f.frames {
		plain, err := f.frame(i)
		if err != nil {
			return entry{}, err
		}
		e.peaks = appendPeaks(e.peaks, plain, f.h.Law, f.h.Channels)
	}
	if !cut {
		return e, nil
	}
	e.failure = "cut by a crash of the server"
	end := f.start
	if f.frames > 0 {
		end += (f.frames-1)*f.step() + int64(4+f.last+tagLen)
	}
	if err := os.Truncate(path, end); err != nil {
		return entry{}, fmt.Errorf("cut the torn end: %w", err)
	}
	if err := os.Rename(path, base+".done"); err != nil {
		return entry{}, fmt.Errorf("close the file: %w", err)
	}
	s.cfg.Log.Warn("recording cut by a crash recovered", "recording", f.h.Key, "call", f.h.Call, "ms", f.durationMS())
	return e, nil
}
