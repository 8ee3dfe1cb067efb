package queue

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"hotline/telephony"
)

// mailboxSize is how many commands may wait for the owner goroutine. When it is full the sender blocks until there is
// room, its context ends, or the engine stops.
const mailboxSize = 1024

// Config is what an Engine is built from. The zero value works: real time, no rows, no metrics.
type Config struct {
	Now        func() time.Time      // the wall clock, for rows and screens; nil: time.Now. Deadlines are monotonic
	Log        *slog.Logger          // nil: slog.Default()
	Registerer prometheus.Registerer // nil: no metrics are exported
	Store      Store                 // nil: nothing is kept
	Location   *time.Location        // zone whose midnight starts "today"; nil: time.Local

	ConnectLimit time.Duration // an answered offer must have sound within this; 0: 5 s
	ReturnGrace  time.Duration // an agent without connection is signed off after this; 0: 60 s
	AdoptGrace   time.Duration // a rebuilt entry nobody adopts ends as a fault after this; 0: 60 s

	// Live lists the agents' live calls, so that states which depend on a call are derived every 10 s. It is called from
	// a goroutine of its own and may block until its context ends. nil: never asked.
	Live func(ctx context.Context) []LiveCall
}

// LiveCall says that an agent's leg is in a call right now.
type LiveCall struct {
	Call  telephony.CallID
	Agent string
}

// Engine decides who waits, who is free and who gets whom. One goroutine, Run's, owns all state; every method posts to
// its mailbox and may be called from any goroutine, before Run as well (it then waits for the start).
type Engine struct {
	cfg   Config
	log   *slog.Logger
	box   chan message
	ready chan struct{} // closed when Load is done
	done  chan struct{} // closed when Run has returned

	strict bool // tests: a move outside the tables panics

	// Owned by Run's goroutine.
	st      *state
	base    time.Time // monotonic: instant 0
	anchor  time.Time // wall time of instant 0; see at
	wall    time.Time // when the running step began
	dayEnd  time.Time // next midnight
	dayFrom time.Time
	places  map[int64]*Place
	gone    map[OfferID]chan struct{}
	subs    map[*Subscription]struct{}
	seq     uint64
	nextLog int64
	out     *writer
	met     *metrics
}

// message is one letter to the owner: an event for the core, or a function that reads its state.
type message struct {
	ev    event
	fn    func()
	reply chan result
}

// New builds an engine. It does nothing before Run.
func New(cfg Config) *Engine {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.Location == nil {
		cfg.Location = time.Local
	}
	def := func(d *time.Duration, to time.Duration) {
		if *d <= 0 {
			*d = to
		}
	}
	def(&cfg.ConnectLimit, 5*time.Second)
	def(&cfg.ReturnGrace, 60*time.Second)
	def(&cfg.AdoptGrace, 60*time.Second)
	e := &Engine{
		cfg: cfg, log: cfg.Log.With("package", "queue"),
		box:   make(chan message, mailboxSize),
		ready: make(chan struct{}), done: make(chan struct{}),
		places: map[int64]*Place{}, gone: map[OfferID]chan struct{}{}, subs: map[*Subscription]struct{}{},
		nextLog: 1,
		met:     newMetrics(cfg.Registerer),
	}
	if cfg.Store != nil {
		e.out = newWriter(cfg.Store, e.log, e.met)
	}
	return e
}

// Ready is closed when the rows have been loaded and the engine decides.
func (e *Engine) Ready() <-chan struct{} { return e.ready }

// post sends one event to the owner and waits for its answer.
func (e *Engine) post(ctx context.Context, ev event) (result, error) {
	m := message{ev: ev, reply: make(chan result, 1)}
	select {
	case e.box <- m:
	case <-ctx.Done():
		return result{}, context.Cause(ctx)
	case <-e.done:
		return result{}, ErrStopped
	}
	select {
	case r := <-m.reply:
		return r, r.err
	case <-e.done:
		return result{}, ErrStopped
	}
}

// do is post for callers that need only the error.
func (e *Engine) do(ctx context.Context, ev event) error {
	_, err := e.post(ctx, ev)
	return err
}
