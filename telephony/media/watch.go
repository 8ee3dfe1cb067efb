package media

import (
	"sync"
	"time"
)

// watch calls fire once when an endpoint that should hear something has heard nothing for limit; it is armed again by
// the next packet. One timer, which looks instead of being pushed by every packet.
type watch struct {
	e     *Endpoint
	limit time.Duration
	fire  func()

	mu     sync.Mutex // guards the rest
	timer  *time.Timer
	since  time.Duration // when listening began, on the endpoint's clock; silence counts from here at the earliest
	recv   bool
	fired  time.Duration // e.last when we fired; only a newer packet re-arms
	silent bool          // we have fired and nothing came since
	closed bool
}

func newWatch(e *Endpoint, limit time.Duration, fire func()) *watch {
	w := &watch{e: e, limit: limit, fire: fire}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.recv = e.Format().Recv
	w.timer = time.AfterFunc(limit, w.look)
	return w
}

// wake is told that the format changed.
func (w *watch) wake() {
	recv := w.e.Format().Recv
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed || recv == w.recv {
		return
	}
	w.recv = recv
	w.since = w.e.since(w.e.cfg.Now())
	w.silent = false
	w.timer.Reset(w.limit)
}

// look is the timer's function.
func (w *watch) look() {
	if w.check() {
		w.fire()
	}
}

// check decides, arms the timer for the next look, and reports whether to fire.
func (w *watch) check() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed || !w.recv {
		return false // Configure arms it again
	}
	last := time.Duration(w.e.last.Load())
	quiet := w.e.since(w.e.cfg.Now()) - max(last, w.since)
	if w.silent && last == w.fired {
		w.timer.Reset(w.limit) // still nothing: keep looking for the return
		return false
	}
	w.silent = false
	if quiet < w.limit {
		w.timer.Reset(w.limit - quiet)
		return false
	}
	w.silent, w.fired = true, last
	w.timer.Reset(w.limit)
	return true
}

// stop ends the watch; a fire under way may still run.
func (w *watch) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	w.timer.Stop()
}
