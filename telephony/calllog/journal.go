package calllog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"hotline/telephony"
)

// writeLimit bounds how long a call waits for its journal.
const writeLimit = 5 * time.Second

// ErrClosed says that the journal was closed; nothing was written.
var ErrClosed = errors.New("journal closed")

// Config is what a Journal needs. The zero value of every field but Dir is a good default.
type Config struct {
	Dir          string                // directory of the segments; made if absent
	SegmentBytes int64                 // size of one preallocated file; 0 = 8 MiB
	Now          func() time.Time      // nil = time.Now
	Log          *slog.Logger          // nil = discard
	Registerer   prometheus.Registerer // nil = no metrics
}

// Journal is the append-only file of call facts. Any goroutine may append; one writer goroutine owns the file.
type Journal struct {
	cfg  Config
	id   string        // names this journal for ever; kept in the file "id"
	in   chan request  // size 1024; full: the appender waits (facts are never dropped)
	wake chan struct{} // size 1: a Copier sleeps on it; full means it is awake already
	done chan struct{} // closed when the writer has ended
	m    metrics
	// ended are the customers' legs of calls whose end the replay found; not changed after Open.
	ended map[telephony.LegID]bool

	mu       sync.Mutex // guards what follows; leaf data, held briefly
	segments []*segment
	written  uint64                     // last sequence number readable in the file
	live     map[telephony.CallID]*Call // calls without end
	closed   bool
	failed   error // last write error; nil when the last write went well

	spare    *os.File // preallocated next segment, owned by the writer
	closing  chan struct{}
	closeOne sync.Once
}

type request struct {
	rec     Record
	durable bool
	reply   chan written // size 1; nil when nobody waits
}

// written is the writer's answer.
type written struct {
	seq uint64
	err error
}

// Open replays the journal and starts its writer. The summaries are the calls that a crash cut off: the caller ends
// each by Resume(summary).Finish. A damaged record in the middle of the journal is reported in the log, counted, and
// costs what follows it in that segment only.
func Open(cfg Config) (*Journal, []*Summary, error) {
	if cfg.SegmentBytes == 0 {
		cfg.SegmentBytes = 8 << 20
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, nil, fmt.Errorf("make journal directory: %w", err)
	}
	j := &Journal{
		cfg: cfg, in: make(chan request, 1024), wake: make(chan struct{}, 1), done: make(chan struct{}),
		closing: make(chan struct{}), live: map[telephony.CallID]*Call{}, ended: map[telephony.LegID]bool{}, m: newMetrics(cfg.Registerer),
	}
	var err error
	if j.id, err = journalID(cfg.Dir, cfg.Now()); err != nil {
		return nil, nil, err
	}
	cut, err := j.replay()
	if err != nil {
		return nil, nil, err
	}
	if len(j.segments) == 0 {
		f, err := createSpare(cfg.Dir, cfg.SegmentBytes)
		if err != nil {
			return nil, nil, err
		}
		s, err := adopt(cfg.Dir, f, j.written+1, cfg.SegmentBytes)
		if err != nil {
			return nil, nil, err
		}
		j.segments = append(j.segments, s)
	}
	go j.write()
	return j, cut, nil
}

// journalID reads the journal's name or makes one.
func journalID(dir string, now time.Time) (string, error) {
	path := filepath.Join(dir, "id")
	b, err := os.ReadFile(path)
	if err == nil && len(b) > 0 {
		return string(b), nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read journal id: %w", err)
	}
	id := telephony.NewID(now)
	if err := os.WriteFile(path, []byte(id), 0o600); err != nil {
		return "", fmt.Errorf("write journal id: %w", err)
	}
	return id, syncDir(dir)
}

// replay reads every segment, finds the last sequence number and the calls without end.
func (j *Journal) replay() ([]*Summary, error) {
	segments, err := openSegments(j.cfg.Dir)
	if err != nil {
		return nil, err
	}
	open := map[telephony.CallID]*Summary{}
	for i, s := range segments {
		if s.first > j.written+1 && j.written > 0 {
			j.cfg.Log.Error("journal has a hole", "from", j.written+1, "to", s.first-1)
			j.m.damaged.Inc()
		}
		if s.first > 0 {
			j.written = max(j.written, s.first-1)
		}
		err := s.scan(func(r Record) {
			j.written = max(j.written, r.Seq)
			c := open[r.Call]
			if c == nil {
				c = &Summary{Call: r.Call}
				open[r.Call] = c
			}
			c.Fold(r)
			if r.Type == TypeEnd {
				j.ended[c.Begin.Leg] = true
				delete(open, r.Call)
			}
		})
		if err == nil {
			continue
		}
		j.m.damaged.Inc()
		if i == len(segments)-1 {
			j.cfg.Log.Warn("journal ends in a torn record, cut off", "cause", err)
			if err := s.clearTail(); err != nil {
				return nil, err
			}
		} else {
			j.cfg.Log.Error("journal is damaged in the middle; what follows in this segment is lost", "cause", err)
		}
	}
	j.segments = segments
	var cut []*Summary
	for _, s := range open {
		if s.First != 0 { // without a begin there is nothing to end
			cut = append(cut, s)
			j.live[s.Call] = newCall(j, *s)
		}
	}
	return cut, nil
}

// Begin journals the arrival of a call and returns when it is safe on disk: call it before answering.
func (j *Journal) Begin(ctx context.Context, id telephony.CallID, b Begin) (*Call, error) {
	c := newCall(j, Summary{Call: id})
	j.mu.Lock()
	if j.closed {
		j.mu.Unlock()
		return nil, ErrClosed
	}
	j.live[id] = c
	j.mu.Unlock()
	if err := c.append(ctx, TypeBegin, b, true); err != nil {
		j.forget(id)
		return nil, fmt.Errorf("journal begin of call %s: %w", id, err)
	}
	return c, nil
}

// Resume gives the handle of a call that Open found without an end.
func (j *Journal) Resume(s *Summary) *Call {
	j.mu.Lock()
	defer j.mu.Unlock()
	if c := j.live[s.Call]; c != nil {
		return c
	}
	c := newCall(j, *s)
	j.live[s.Call] = c
	return c
}

// ID names the journal, and with it the node that writes it, for ever.
func (j *Journal) ID() string { return j.id }

// Ended reports whether Open found the end of the call whose customer's leg this is: it is over, whatever the leg's
// driver still has of it. It knows what Open read; calls of long ago are trimmed away.
func (j *Journal) Ended(leg telephony.LegID) bool { return j.ended[leg] }

// Live tells how many calls have begun and not ended.
func (j *Journal) Live() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(j.live)
}

// Err is the reason of the last failed write; nil when the journal works. For readiness and alarms.
func (j *Journal) Err() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.failed
}

func (j *Journal) forget(id telephony.CallID) {
	j.mu.Lock()
	defer j.mu.Unlock()
	delete(j.live, id)
}

// Close writes what was handed in, stops the writer and closes the files. Idempotent.
func (j *Journal) Close() error {
	j.closeOne.Do(func() {
		j.mu.Lock()
		j.closed = true
		j.mu.Unlock()
		close(j.closing)
	})
	<-j.done
	j.mu.Lock()
	defer j.mu.Unlock()
	var err error
	for _, s := range j.segments {
		err = errors.Join(err, s.f.Close())
	}
	j.segments = nil
	if j.spare != nil {
		err = errors.Join(err, j.spare.Close())
		j.spare = nil
	}
	return err
}

// send hands a record to the writer. It blocks while the writer is behind, until ctx ends.
func (j *Journal) send(ctx context.Context, q request) (uint64, error) {
	select {
	case <-j.closing:
		return 0, ErrClosed
	default:
	}
	select {
	case j.in <- q:
	case <-j.closing:
		return 0, ErrClosed
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
	if q.reply == nil {
		return 0, nil
	}
	select {
	case w := <-q.reply:
		return w.seq, w.err
	case <-j.done:
		select {
		case w := <-q.reply:
			return w.seq, w.err
		default:
			return 0, ErrClosed
		}
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
}

// Call is the journal's handle of one live call. Methods may be called from any goroutine; records keep the order in
// which the calls were made.
type Call struct {
	j *Journal

	id    telephony.CallID
	first atomic.Uint64 // sequence number of the begin record; 0: not written yet

	mu  sync.Mutex // guards sum and the order of sends
	sum Summary
}

func newCall(j *Journal, s Summary) *Call {
	c := &Call{j: j, id: s.Call, sum: s}
	c.first.Store(s.First)
	return c
}

// ID names the call.
func (c *Call) ID() telephony.CallID { return c.id }

// Summary is the call as folded so far.
func (c *Call) Summary() Summary {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.sum
	s.Path = append([]PathStep(nil), c.sum.Path...)
	return s
}

// Note adds a fact. It does not wait for the disk; it waits, at most 5 s, only when the writer is far behind. After the
// end of the call it does nothing.
func (c *Call) Note(ctx context.Context, t Type, data any) error {
	return c.append(ctx, t, data, false)
}

// Finish ends the call, once: the second call does nothing. It outlives the caller's context by up to 5 s, because
// calls end when contexts do.
func (c *Call) Finish(ctx context.Context, end telephony.End) error {
	c.mu.Lock()
	now := c.j.cfg.Now()
	s := c.sum
	s.stopWait(now)
	s.stopTalk(now)
	s.stopHold(now)
	end = end.OrServerError()
	f := Finish{
		End: end, Disposition: s.Disposition(end), State: c.sum.State, WaitMS: s.Wait.Milliseconds(),
		TalkMS: s.Talk.Milliseconds(), HoldMS: s.Hold.Milliseconds(), Agent: s.Agent, Queue: s.Queue,
	}
	c.mu.Unlock()
	err := c.append(ctx, TypeEnd, f, true)
	if err != nil {
		return fmt.Errorf("journal end of call %s: %w", c.id, err)
	}
	c.j.forget(c.id)
	return nil
}

func (c *Call) append(ctx context.Context, t Type, data any, durable bool) error {
	raw, err := json.Marshal(data)
	if err != nil {
		return fmt.Errorf("encode %s of call %s: %w", t, c.id, err)
	}
	q := request{durable: durable}
	if durable {
		q.reply = make(chan written, 1)
	}
	// Once handed to the writer a record will be in the file: giving up the wait would count it twice.
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), writeLimit)
	defer stop()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sum.State == StateEnded {
		return nil
	}
	q.rec = Record{Call: c.id, N: c.sum.N + 1, At: c.j.cfg.Now(), Type: t, Data: raw}
	seq, err := c.j.send(ctx, q)
	if err != nil {
		return err
	}
	q.rec.Seq = seq
	c.sum.Fold(q.rec)
	if t == TypeBegin {
		c.first.Store(seq)
	}
	return nil
}

func (j *Journal) lastSeq() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.written
}
