package asterisk

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"hotline/telephony"
)

// Driver runs calls in one Asterisk. Goroutines: the link, which keeps the connection; while it is up one that reads the
// socket and one that probes; the keeper, which owns the table of legs and hands events to them; per leg its owner, for
// a call that came in the application's, and short ones for requests. Stop joins them all.
type Driver struct {
	cfg   Config
	serve func(ctx context.Context, leg *Leg)
	adopt func(ctx context.Context, leg *Leg) bool
	log   *slog.Logger
	met   *metrics
	rest  *rest

	trunkMu sync.Mutex // serialises SetTrunks
	trunks  atomic.Pointer[trunkTable]

	inbox    chan event        // from the socket to the keeper; size inboxSize; full: the socket is closed and all is read anew
	asks     chan func(*table) // what else the keeper does; size 64; full: the asker waits
	draining atomic.Bool
	clock    atomic.Int64 // how far Asterisk's clock is ahead of ours, ns

	stateMu sync.Mutex // guards state; only the link writes it
	state   State

	legs     crowd          // legs that have not ended, with the goroutines that run them
	chores   crowd          // requests that outlive a leg
	wg       sync.WaitGroup // link, keeper
	run      context.Context
	abort    context.CancelCauseFunc // ends the legs
	link     context.Context
	unlink   context.CancelCauseFunc // ends the link and the chores
	stopped  chan struct{}           // ends the keeper
	started  atomic.Bool
	leave    atomic.Bool   // legs end here but not in Asterisk
	yieldFor time.Duration // see replacedPause; tests shorten it
	stopOnce sync.Once
}

// inboxSize is how many events may wait for the keeper, which never waits for anything: at 2000 events a second more
// than two seconds.
const inboxSize = 4096

// errStopping is the cause of a leg's context when Stop ends it.
var errStopping = errors.New("stopping")

// New checks the configuration. serve gets every new inbound call in a goroutine of its own; its context ends when the
// leg does (telephony.ErrLegEnded), or when Stop runs out of patience. When serve returns, the leg is hung up. adopt is
// asked, likewise in a goroutine each, for every leg that an earlier process left in Asterisk: true means that the
// application has taken it and will hang it up, false that nobody knows it; then it is hung up here.
func New(cfg Config, serve func(ctx context.Context, leg *Leg), adopt func(ctx context.Context, leg *Leg) bool) (*Driver, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("asterisk: %w", err)
	}
	if serve == nil || adopt == nil {
		return nil, errors.New("asterisk: serve and adopt are needed")
	}
	met := newMetrics(cfg.Registerer)
	d := &Driver{cfg: cfg, serve: serve, adopt: adopt, log: cfg.Log, met: met, rest: newREST(&cfg, met), inbox: make(chan event, inboxSize),
		asks: make(chan func(*table), 64), stopped: make(chan struct{}), yieldFor: replacedPause}
	d.state = State{Problem: "not connected yet", Since: cfg.Now()}
	d.trunks.Store(&trunkTable{byName: map[string]*trunk{}})
	d.run, d.abort = context.WithCancelCause(context.Background())
	d.link, d.unlink = context.WithCancelCause(context.Background())
	return d, nil
}

// Start begins to keep the connection and returns at once. It never fails because Asterisk is away or refuses: State
// tells, and it tries again.
func (d *Driver) Start(ctx context.Context) error {
	if err := context.Cause(ctx); err != nil {
		return fmt.Errorf("start the Asterisk driver: %w", err)
	}
	if d.started.Swap(true) {
		return errors.New("asterisk: started twice")
	}
	d.wg.Add(2)
	go func() { defer d.wg.Done(); d.keep() }()
	go func() { defer d.wg.Done(); d.keepLink(d.link) }()
	return nil
}

// Stop refuses new calls, waits for the live ones until ctx ends, then ends them too, and joins everything. It returns
// an error if calls had to be cut. Calling it again returns nil.
func (d *Driver) Stop(ctx context.Context) error {
	var err error
	d.stopOnce.Do(func() { err = d.stop(ctx) })
	return err
}

// Leave ends everything here but leaves the calls up in Asterisk, where the next process finds them and is asked to
// adopt them. Legs end with ReasonDraining. It is meant to be called while the calls run: one that hears music then goes on
// hearing it.
func (d *Driver) Leave(ctx context.Context) error {
	d.leave.Store(true)
	now, cancel := context.WithCancelCause(ctx)
	cancel(errStopping)
	_ = d.Stop(now)
	return context.Cause(ctx)
}

func (d *Driver) stop(ctx context.Context) error {
	d.SetDraining(true)
	if !d.started.Load() {
		d.abort(errStopping)
		d.unlink(errStopping)
		close(d.stopped)
		return nil
	}
	var err error
	if !d.legs.wait(ctx) {
		err = fmt.Errorf("stop the Asterisk driver with %d calls live: %w", d.Calls(), context.Cause(ctx))
	}
	d.legs.shut()
	d.abort(errStopping)
	_ = d.legs.wait(context.WithoutCancel(ctx))
	d.chores.shut()
	_ = d.chores.wait(context.WithoutCancel(ctx)) // each is bounded by requestLimit
	d.unlink(errStopping)
	close(d.stopped)
	d.wg.Wait()
	d.rest.close()
	return err
}

// SetDraining refuses new channels with congestion (503) while on. Live calls and calls out go on.
func (d *Driver) SetDraining(on bool) { d.draining.Store(on) }

// State tells how we stand with Asterisk.
func (d *Driver) State() State {
	d.stateMu.Lock()
	defer d.stateMu.Unlock()
	s := d.state
	s.Clock = time.Duration(d.clock.Load())
	return s
}

// setState changes the state and tells who wants to know. Only the link calls it.
func (d *Driver) setState(ready bool, version, problem string) {
	d.stateMu.Lock()
	s := d.state
	if s.Ready != ready {
		s.Since = d.cfg.Now()
	}
	s.Ready, s.Problem = ready, problem
	if version != "" {
		s.Version = version
	}
	same := s == d.state
	d.state = s
	d.stateMu.Unlock()
	if same {
		return
	}
	up := 0.0
	if ready {
		up = 1
	}
	d.met.up.Set(up)
	s.Clock = time.Duration(d.clock.Load())
	level := slog.LevelInfo
	if problem != "" {
		level = slog.LevelWarn
	}
	d.log.Log(context.Background(), level, "asterisk", "ready", s.Ready, "version", s.Version, "problem", s.Problem)
	if d.cfg.OnState != nil {
		d.guard(func() { d.cfg.OnState(s) })
	}
}

// chore runs f, a request or two that must outlive whoever asks for them. False: it does not, the driver stops.
func (d *Driver) chore(f func(ctx context.Context)) bool {
	return d.chores.run(func() { d.guard(func() { f(d.link) }) })
}

// guard keeps a panic from ending the process; ok is false after one.
func (d *Driver) guard(f func()) (ok bool) {
	defer func() {
		if v := recover(); v != nil {
			d.met.panics.Inc()
			d.log.Error("panic in the Asterisk driver", "panic", fmt.Sprint(v), "stack", string(debug.Stack()))
		}
	}()
	f()
	return true
}

// hangupInAsterisk ends a channel. It is no error if it is gone already.
func (d *Driver) hangupInAsterisk(ctx context.Context, channel string, q850 int) error {
	err := d.rest.ask(ctx, "DELETE", channelPath(channel, ""), params{"reason_code", fmt.Sprint(q850)}, nil, nil)
	if gone(err) {
		return nil
	}
	return err
}

// newID names a leg.
func (d *Driver) newID() telephony.LegID { return telephony.LegID(telephony.NewID(d.cfg.Now())) }
