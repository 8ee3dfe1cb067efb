package recordings

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

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

// startLimit is how long Start waits for the disk: the talk must not wait longer for its recording.
const startLimit = 2 * time.Second

// Config is what a Service needs.
type Config struct {
	Dir           string // of the sealed files; made if absent
	KeyFile       string // keys that open them, the first one seals; made if absent. Only the owner and a group may read it
	Pool          *pgxpool.Pool
	RetentionDays int                   // for queues without a setting; 0: for ever
	Now           func() time.Time      // nil: time.Now
	Log           *slog.Logger          // nil: discarded
	Registerer    prometheus.Registerer // nil: no metrics

	patience patience // zero: the usual
}

// Start asks for a recording.
type Start struct {
	Call          string      // call key; the row of the call may not exist yet
	Kind          string      // KindCall or KindVoicemail
	RetentionDays int         // 0: the service's
	MuLaw         bool        // store µ-law instead of A-law: the law of the talk, so that nothing is converted
	OnFailure     func(error) // told once, from a goroutine of its own, when the disk fails; nil: nobody
}

// Service makes and serves recordings. The writer goroutine owns the files in the making, the indexer the rows.
type Service struct {
	cfg  Config
	dir  files
	keys keys
	m    metrics

	blocks blocks
	quiet  map[int][]byte // silence of each law
	sealed []byte         // the writer's

	readyMu sync.Mutex    // guards ready
	ready   []*Recorder   // have work for the writer
	work    chan struct{} // size 1: look at ready

	mu       sync.Mutex           // guards what follows; never held over disk or database
	stopping bool                 // nothing begins any more
	live     map[string]*Recorder // by key; until the indexer has them
	writing  int                  // files that the writer has not let go of
	backlog  backlog

	wake  chan struct{}  // size 1: look at the backlog
	files sync.WaitGroup // writer, files being made or closed, callbacks
	idle  chan struct{}  // closed when files is empty after Close
	over  chan struct{}  // closed when the indexer has returned, the last of all
}

// New opens the keys and the directory and starts the goroutines. Close ends them.
func New(cfg Config) (*Service, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	cfg.patience = cfg.patience.orUsual()
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the directory of recordings: %w", err)
	}
	k, err := loadKeys(cfg.KeyFile, cfg.Dir)
	if err != nil {
		return nil, err
	}
	s := &Service{
		cfg: cfg, dir: files(cfg.Dir), keys: k, m: newMetrics(cfg.Registerer),
		quiet: map[int][]byte{ptA: appendSilence(nil, ptA, 2*frameSamples), ptMu: appendSilence(nil, ptMu, 2*frameSamples)},
		work:  make(chan struct{}, 1), wake: make(chan struct{}, 1), idle: make(chan struct{}), over: make(chan struct{}),
		live: map[string]*Recorder{}, backlog: newBacklog(),
	}
	s.files.Go(s.writer)
	go func() { s.files.Wait(); close(s.idle) }() // ends before the indexer, for which Close waits
	go s.indexer()
	return s, nil
}

// begin starts a goroutine that Close waits for; false: we are stopping.
func (s *Service) begin(f func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping { // else the writer still runs, so that files is not empty
		return false
	}
	s.files.Go(f)
	return true
}

// Start begins a recording: the file exists, sealed, when it returns. A disk that does not answer within 2 s is an error.
func (s *Service) Start(ctx context.Context, o Start) (*Recorder, error) {
	now := s.cfg.Now()
	h := header{Key: telephony.NewID(now), Call: o.Call, Kind: o.Kind, Channels: 2, Law: ptA, Frame: frameSamples, Started: now.UTC(), Days: o.RetentionDays}
	if o.Kind == KindVoicemail {
		h.Channels = 1
	}
	if o.MuLaw {
		h.Law = ptMu
	}
	if h.Days == 0 {
		h.Days = s.cfg.RetentionDays
	}
	if o.Kind != KindCall && o.Kind != KindVoicemail {
		return nil, fmt.Errorf("make recording: unknown kind %q", o.Kind)
	}
	r := &Recorder{s: s, h: h, on: o.OnFailure, done: make(chan struct{}), sum: sha256.New()}
	ctx, stop := context.WithTimeoutCause(ctx, startLimit, errDisk)
	defer stop()
	made := make(chan error)
	began := s.begin(func() {
		err := r.create()
		select {
		case made <- err:
		case <-ctx.Done(): // nobody waits any more
			r.undo()
		}
	})
	if !began {
		return nil, errStopped
	}
	select {
	case err := <-made:
		if err != nil {
			return nil, err
		}
	case <-ctx.Done():
		return nil, fmt.Errorf("make recording: %w", context.Cause(ctx))
	}
	if !s.adopt(r) {
		r.undo()
		return nil, errStopped
	}
	s.index(r.note("recording"))
	return r, nil
}

func (s *Service) adopt(r *Recorder) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		return false
	}
	s.live[r.h.Key] = r
	s.writing++
	s.m.live.Inc()
	return true
}

// create makes the file with its head.
func (r *Recorder) create() error {
	head, seal, err := newHead(r.h, r.s.keys.to)
	if err != nil {
		return err
	}
	if r.f, err = r.s.dir.create(r.h); err != nil {
		return err
	}
	if _, err = r.f.Write(head); err != nil {
		r.undo()
		return fmt.Errorf("make recording: %w", err)
	}
	r.seal, r.bytes = seal, int64(len(head))
	r.sum.Write(head)
	return nil
}

// undo takes a file back that nobody will write to.
func (r *Recorder) undo() {
	if r.f != nil {
		if err := errors.Join(r.f.Close(), r.s.dir.discard(r.h.Key)); err != nil {
			r.s.cfg.Log.Warn("recording that did not begin leaves a file", "recording", r.h.Key, "cause", err)
		}
		r.f = nil
	}
}

// complete takes a file that is written from the writer to its end.
func (s *Service) complete(r *Recorder) {
	s.mu.Lock()
	s.writing--
	s.mu.Unlock()
	s.files.Go(r.finish) // called by the writer, for which files waits
}

// finished reports whether the writer may go.
func (s *Service) finished() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stopping && s.writing == 0
}

// Close ends the service: recordings that are still being made end here, whole and marked, and rows are written if the
// database answers within 2 s; the next start writes the others.
func (s *Service) Close(ctx context.Context) error {
	s.mu.Lock()
	s.stopping = true
	var open []*Recorder
	for _, r := range s.live {
		open = append(open, r)
	}
	s.mu.Unlock()
	for _, r := range open {
		r.end(errStopped)
	}
	s.nudge()
	select {
	case <-s.over:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("stop recordings: %w", context.Cause(ctx))
	}
}
