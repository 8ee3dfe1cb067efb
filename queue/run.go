package queue

import (
	"context"
	"fmt"
	"sync"
	"time"

	"hotline/telephony"
)

const (
	liveEvery  = 10 * time.Second // states that depend on a call are derived this often
	flushLimit = 10 * time.Second // the last rows at the stop get so long
)

// Run loads the rows and decides until ctx ends; then it writes what is left and returns nil. Every waiting Place then
// gets ErrStopped: the rows keep their places for the next start. Run it once. An error means that loading failed.
func (e *Engine) Run(ctx context.Context) error {
	defer close(e.done)
	if err := e.load(ctx); err != nil {
		return fmt.Errorf("load the queues' rows: %w", err)
	}
	work, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	if e.out != nil {
		wg.Go(func() { e.out.run(work) })
	}
	if e.cfg.Live != nil {
		wg.Go(func() { e.poll(work) })
	}
	close(e.ready)
	e.loop(ctx)
	stop()
	for s := range e.subs {
		close(s.c)
		delete(e.subs, s)
	}
	wg.Wait()
	if e.out != nil {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushLimit)
		defer cancel()
		e.out.finish(last)
	}
	return nil
}

// load builds the core, from rows where there is a store.
func (e *Engine) load(ctx context.Context) error {
	e.base, e.wall = time.Now(), e.cfg.Now()
	e.anchor = e.wall.Round(0)
	e.st = newState(e.cfg.ConnectLimit, e.cfg.ReturnGrace, e.cfg.AdoptGrace)
	e.st.strict = e.strict
	e.turnDay(e.wall)
	e.st.step(&event{kind: evDay}, 0)
	if e.cfg.Store == nil {
		return nil
	}
	saved, err := e.cfg.Store.Load(ctx, e.dayFrom)
	if err != nil {
		return err
	}
	e.nextLog = max(1, saved.NextLog)
	at := func(t time.Time) instant { return t.Sub(e.anchor) }
	e.st.restore(&saved, at, e.dayFrom)
	e.st.figures(saved.Today)
	for _, o := range saved.Offers {
		o.State, o.Result, o.Ended = OfferWithdrawn, Cancelled, e.anchor
		e.out.putOffer(o)
	}
	return nil
}

// loop is the owner: one letter or one due timer at a time.
func (e *Engine) loop(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
			e.step(&event{kind: evTick})
		case m := <-e.box:
			if m.fn != nil {
				m.fn()
				m.reply <- result{}
			} else {
				m.reply <- e.step(&m.ev)
			}
		}
		if at, ok := e.st.timers.next(); ok {
			timer.Reset(at - time.Since(e.base))
		}
	}
}

// step lets the core decide and tells the world.
func (e *Engine) step(ev *event) result {
	e.wall = e.cfg.Now()
	began := time.Now()
	now := began.Sub(e.base)
	e.reanchor(now)
	if e.wall.Before(e.dayFrom) || !e.wall.Before(e.dayEnd) {
		e.turnDay(e.wall)
		e.st.step(&event{kind: evDay}, now)
		e.tellAll()
	}
	if ev.entry != nil {
		ev.since = noInstant
		if !ev.entry.Since.IsZero() {
			ev.since = ev.entry.Since.Sub(e.anchor)
		}
	}
	if ev.kind == evLive {
		ev.asOf = now - ev.dur
	}
	r := e.st.step(ev, now)
	e.met.decision(time.Since(began))
	switch ev.kind {
	case evEnter, evAdopt, evRequeue:
		if r.err == nil {
			r.place = &Place{eng: e, call: ev.call, notify: make(chan struct{}, 1)}
			r.place.id.Store(r.row)
			e.places[r.row] = r.place
		}
	}
	e.tellAll()
	if r.offerRef != nil {
		r.offer = e.offerOf(r.offerRef)
	}
	if r.untilAt != 0 {
		r.until = e.at(r.untilAt)
	}
	return r
}

// at turns the core's time into wall time. The anchor moves only when the wall clock was set, not while it is slewed,
// so that the same instant is the same time in every row.
func (e *Engine) at(i instant) time.Time { return e.anchor.Add(i) }

// clockSet is how far the wall clock may stray from the anchor before it counts as set by hand.
const clockSet = time.Second

func (e *Engine) reanchor(now instant) {
	if off := e.wall.Round(0).Sub(e.anchor.Add(now)); off > clockSet || off < -clockSet {
		e.anchor = e.anchor.Add(off)
		e.log.Warn("wall clock was set", "by", off)
	}
}

func (e *Engine) turnDay(t time.Time) {
	y, m, d := t.In(e.cfg.Location).Date()
	e.dayFrom = time.Date(y, m, d, 0, 0, 0, 0, e.cfg.Location)
	e.dayEnd = time.Date(y, m, d+1, 0, 0, 0, 0, e.cfg.Location)
}

// poll asks for the live calls, outside the owner's goroutine since that may take time.
func (e *Engine) poll(ctx context.Context) {
	tick := time.NewTicker(liveEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		began := time.Now()
		calls := e.cfg.Live(ctx)
		live := make(map[string]telephony.CallID, len(calls))
		for _, c := range calls {
			live[c.Agent] = c.Call
		}
		if ctx.Err() == nil {
			_ = e.do(ctx, event{kind: evLive, live: live, dur: time.Since(began)})
		}
	}
}

// read runs fn in the owner goroutine.
func (e *Engine) read(ctx context.Context, fn func()) error {
	m := message{fn: fn, reply: make(chan result, 1)}
	select {
	case e.box <- m:
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-e.done:
		return ErrStopped
	}
	select {
	case <-m.reply:
		return nil
	case <-e.done:
		return ErrStopped
	}
}

// Flush waits until everything decided so far is in the rows.
func (e *Engine) Flush(ctx context.Context) error {
	if err := e.read(ctx, func() {}); err != nil || e.out == nil {
		return err
	}
	return e.out.flush(ctx)
}
