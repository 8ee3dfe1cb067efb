package media

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// frameTime is the length of a frame of everything we make ourselves.
const frameTime = 20 * time.Millisecond

// buckets is how many phases the tasks are spread over: one a millisecond.
const buckets = int64(frameTime / time.Millisecond)

// tooLate is how far the clock may fall behind before it leaves frames out instead of catching up in a burst.
const tooLate = 200 * time.Millisecond

// PacerConfig makes a Pacer.
type PacerConfig struct {
	Registerer prometheus.Registerer // also for the endpoints' counters; nil: none
	Log        *slog.Logger          // nil: slog.Default
	// Timers makes the clock wait by the time package, as testing/synctest needs. Otherwise it sleeps in the system
	// where that is known to wake sooner.
	Timers bool
}

// Pacer is the one clock of all prompts, keys and mixers: a wheel of 20 buckets of a millisecond, with absolute
// deadlines, so that nothing drifts. One goroutine runs it; it sleeps while there is nothing to do.
type Pacer struct {
	log     *slog.Logger
	precise bool
	metrics endpointMetrics
	late    prometheus.Histogram
	skipped prometheus.Counter

	epoch time.Time
	wake  chan struct{} // size 1: something to look at; full means that is known already
	quit  chan struct{} // closed by Close
	done  chan struct{} // closed when the running Run has returned

	mu     sync.Mutex // guards the rest
	state  pacerState
	count  [buckets]int // tasks per bucket, fresh ones included
	asleep int64        // the slot that Run waits for; it may not be woken before
	fresh  []entry

	wheel [buckets][]entry // owned by Run
}

type pacerState uint8

const (
	pacerNew pacerState = iota
	pacerRunning
	pacerClosed
)

// task is something that the clock calls once a frame.
type task interface {
	// frame is called with n = 0, 1, 2...; a number is left out when the clock could not keep up. at is the deadline.
	// It returns false to be called no more. It must not block.
	frame(n int64, at time.Time) bool
	// abandon is called instead when the clock stops.
	abandon(error)
}

type entry struct {
	task  task
	first int64 // the slot of frame 0
}

// NewPacer makes a clock. Start or Run sets it going; tasks added before wait for that.
func NewPacer(cfg PacerConfig) *Pacer {
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	p := &Pacer{
		log:     cfg.Log,
		precise: preciseSleep && !cfg.Timers,
		wake:    make(chan struct{}, 1),
		quit:    make(chan struct{}),
		done:    make(chan struct{}),
		late: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "hotline_media_pacer_late_seconds",
			Help:    "How long after its deadline a slot of the media clock was served.",
			Buckets: []float64{.0005, .001, .003, .005, .01, .02, .05, .2},
		}),
		skipped: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hotline_media_pacer_skipped_total",
			Help: "Times the media clock fell so far behind that it left frames out.",
		}),
	}
	if cfg.Registerer != nil {
		cfg.Registerer.MustRegister(&p.metrics, p.late, p.skipped)
	}
	return p
}

// Start runs the clock in a goroutine that Close joins. It does nothing when the clock runs already or is closed.
func (p *Pacer) Start() {
	if p.begin() {
		go p.run(context.Background())
	}
}

// Run runs the clock until ctx ends or Close is called, and returns nil. It is an error to run a clock twice.
func (p *Pacer) Run(ctx context.Context) error {
	if !p.begin() {
		return errors.New("run media clock: it runs already or is closed")
	}
	p.run(ctx)
	return nil
}

// Close stops the clock and waits for it. What it was pacing ends with ErrNoPacer. Closing again is a no-op.
func (p *Pacer) Close() {
	p.mu.Lock()
	was := p.state
	p.state = pacerClosed
	p.mu.Unlock()
	switch was {
	case pacerNew:
		p.abandonAll()
		close(p.done)
	case pacerRunning:
		close(p.quit)
		fallthrough
	case pacerClosed:
		<-p.done
	}
}

func (p *Pacer) begin() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.state != pacerNew {
		return false
	}
	p.state, p.epoch = pacerRunning, time.Now()
	return true
}

// add gives the clock a task. Its first frame comes within 20 ms, within 40 when the clock has next to nothing to do.
func (p *Pacer) add(t task) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.state == pacerClosed {
		return ErrNoPacer
	}
	// The emptiest bucket; among equals the first one to come, so that prompts begin soon.
	now := int64(0)
	if p.state == pacerRunning {
		now = max(p.slotNow()+1, p.asleep)
	}
	best := now
	for i := now; i < now+buckets; i++ {
		if p.count[i%buckets] < p.count[best%buckets] {
			best = i
		}
	}
	p.count[best%buckets]++
	p.fresh = append(p.fresh, entry{task: t, first: best})
	p.poke()
	return nil
}

func (p *Pacer) poke() {
	select {
	case p.wake <- struct{}{}:
	default: // it is awake
	}
}

// run is the clock's goroutine.
func (p *Pacer) run(ctx context.Context) {
	defer close(p.done)
	defer p.abandonAll()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	slot := int64(0) // the next one to serve
	for {
		next, busy := p.prepare(slot)
		wait := time.Hour
		if busy {
			wait = time.Until(p.deadline(next))
		}
		if wait > 0 {
			if busy && p.precise {
				sleepPrecisely(wait) // perhaps less: we come back here
				if ended(ctx, p.quit) {
					return
				}
				continue
			}
			timer.Reset(wait)
			select {
			case <-timer.C:
			case <-p.wake:
			case <-ctx.Done():
				return
			case <-p.quit:
				return
			}
			if !busy { // what was not served while there was nothing to serve is not late
				slot = max(slot, p.slotNow())
			}
			continue
		}
		if -wait > tooLate {
			p.log.Warn("media clock left frames out", "late", -wait)
			p.skipped.Inc()
			slot = p.slotNow()
			continue
		}
		p.late.Observe((-wait).Seconds())
		p.serve(next)
		slot = next + 1
		if ended(ctx, p.quit) {
			return
		}
	}
}

// ended looks, without waiting, whether the clock must stop.
func ended(ctx context.Context, quit <-chan struct{}) bool {
	select {
	case <-ctx.Done():
		return true
	case <-quit:
		return true
	default:
		return false
	}
}

func (p *Pacer) deadline(slot int64) time.Time {
	return p.epoch.Add(time.Duration(slot) * time.Millisecond)
}

func (p *Pacer) slotNow() int64 { return int64(time.Since(p.epoch) / time.Millisecond) }

// prepare moves new tasks into the wheel and finds the next slot to serve; busy is false when there is none.
func (p *Pacer) prepare(from int64) (next int64, busy bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.takeFresh()
	if next, busy = p.nextSlot(from); busy && p.precise {
		p.asleep = next
	}
	return next, busy
}

// takeFresh moves new tasks into the wheel. Caller holds mu.
func (p *Pacer) takeFresh() {
	for i, en := range p.fresh {
		b := en.first % buckets
		p.wheel[b] = append(p.wheel[b], en)
		p.fresh[i] = entry{}
	}
	p.fresh = p.fresh[:0]
}

// nextSlot finds the first slot from the given one on whose bucket has tasks.
func (p *Pacer) nextSlot(from int64) (int64, bool) {
	for s := from; s < from+buckets; s++ {
		if len(p.wheel[s%buckets]) > 0 {
			return s, true
		}
	}
	return 0, false
}

// serve calls the tasks of one slot and drops those that are over.
func (p *Pacer) serve(slot int64) {
	b := slot % buckets
	at := p.deadline(slot)
	all := p.wheel[b]
	kept := all[:0]
	for _, en := range all {
		if slot < en.first || en.task.frame((slot-en.first)/buckets, at) {
			kept = append(kept, en)
		}
	}
	gone := len(all) - len(kept)
	if gone == 0 {
		return
	}
	clear(all[len(kept):])
	p.wheel[b] = kept
	p.mu.Lock()
	p.count[b] -= gone
	p.mu.Unlock()
}

// abandonAll tells every task that the clock has stopped.
func (p *Pacer) abandonAll() {
	p.mu.Lock()
	p.state = pacerClosed
	p.takeFresh()
	p.mu.Unlock()
	for b := range p.wheel {
		for _, en := range p.wheel[b] {
			en.task.abandon(ErrNoPacer)
		}
		p.wheel[b] = nil
	}
}
