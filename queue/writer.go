package queue

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

const (
	writeEvery = 20 * time.Millisecond // rows of so long share a transaction
	maxBatch   = 2000                  // rows in one transaction
	writeLimit = 30 * time.Second      // a transaction that takes longer is tried again
	// While the database is away, rows collapse to the newest state of each key. Ended entries and offers are kept up to
	// maxKept each, log lines up to maxLog; what is more is counted as dropped, never waited for.
	maxKept = 200_000
	maxLog  = 200_000
)

// writer turns decisions into rows: put never blocks on the database, one goroutine writes.
type writer struct {
	store Store
	log   *slog.Logger
	met   *metrics
	wake  chan struct{} // size 1; full: a wake-up is under way

	mu      sync.Mutex // guards all below; held for map work only
	entries map[int64]EntryRow
	offers  map[int64]OfferRow
	agents  map[string]AgentRow
	lines   []AgentLogRow
	writing bool
	idle    *sync.Cond
}

func newWriter(st Store, log *slog.Logger, met *metrics) *writer {
	w := &writer{store: st, log: log, met: met, wake: make(chan struct{}, 1), entries: map[int64]EntryRow{},
		offers: map[int64]OfferRow{}, agents: map[string]AgentRow{}}
	w.idle = sync.NewCond(&w.mu)
	return w
}

func (w *writer) putEntry(r EntryRow) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, have := w.entries[r.ID]; !have && r.State == EntryEnded && len(w.entries) >= maxKept {
		w.met.droppedC.WithLabelValues("entry").Inc()
		return
	}
	w.entries[r.ID] = r
	w.poke()
}

func (w *writer) putOffer(r OfferRow) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, have := w.offers[r.ID]; !have && len(w.offers) >= maxKept {
		w.met.droppedC.WithLabelValues("offer").Inc()
		return
	}
	w.offers[r.ID] = r
	w.poke()
}

func (w *writer) putAgent(r AgentRow) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.agents[r.Login] = r
	w.poke()
}

func (w *writer) putLog(r AgentLogRow) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.lines) >= maxLog {
		w.met.droppedC.WithLabelValues("log").Inc()
		return
	}
	w.lines = append(w.lines, r)
	w.poke()
}

func (w *writer) poke() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (w *writer) pending() int { return len(w.entries) + len(w.offers) + len(w.agents) + len(w.lines) }

// run writes until ctx ends; finish writes the rest.
func (w *writer) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.wake:
		}
		select { // gather what belongs together
		case <-ctx.Done():
			return
		case <-time.After(writeEvery):
		}
		w.drain(ctx)
	}
}

// drain writes until nothing is pending or ctx ends. A batch that fails goes back and newer rows win over it.
func (w *writer) drain(ctx context.Context) {
	wait := 50 * time.Millisecond
	for ctx.Err() == nil {
		b, ok := w.take()
		if !ok {
			return
		}
		err := w.write(ctx, b)
		w.done(b, err != nil)
		if err == nil {
			wait = 50 * time.Millisecond
			continue
		}
		w.met.retriesC.Inc()
		w.log.Warn("queue rows cannot be written, trying again", "err", err, "in", wait)
		select {
		case <-ctx.Done():
		case <-time.After(wait + rand.N(wait/2)):
		}
		wait = min(2*wait, 5*time.Second)
	}
}

// write saves a batch. Rows that the database refuses for what they say are found by halving, logged and given up: one
// bad row must not hold back all others.
func (w *writer) write(ctx context.Context, b Batch) error {
	one, cancel := context.WithTimeout(ctx, writeLimit) // a connection that died in silence must not hold us for ever
	err := w.store.Save(one, b)
	cancel()
	if err == nil || !refused(err) {
		return err
	}
	if b.size() == 1 {
		w.met.droppedC.WithLabelValues(b.kind()).Inc()
		w.log.Error("queue row refused by the database", "kind", b.kind(), "err", err)
		return nil
	}
	first, second := b.halve()
	if err := w.write(ctx, first); err != nil {
		return err
	}
	return w.write(ctx, second)
}

// refused reports whether the data is at fault: SQLSTATE classes 22 and 23.
func refused(err error) bool {
	pe, ok := errors.AsType[*pgconn.PgError](err)
	return ok && len(pe.Code) == 5 && (pe.Code[:2] == "22" || pe.Code[:2] == "23")
}

func (b *Batch) size() int { return len(b.Entries) + len(b.Offers) + len(b.Agents) + len(b.Log) }

func (b *Batch) kind() string {
	switch {
	case len(b.Entries) > 0:
		return "entry"
	case len(b.Offers) > 0:
		return "offer"
	case len(b.Agents) > 0:
		return "agent"
	}
	return "log"
}

func (b *Batch) halve() (Batch, Batch) {
	half := b.size() / 2
	var one, two Batch
	one.Entries, two.Entries, half = split(b.Entries, half)
	one.Offers, two.Offers, half = split(b.Offers, half)
	one.Agents, two.Agents, half = split(b.Agents, half)
	one.Log, two.Log, _ = split(b.Log, half)
	return one, two
}

func split[T any](rows []T, n int) (a, b []T, rest int) {
	k := min(n, len(rows))
	return rows[:k], rows[k:], n - k
}

// take removes at most maxBatch rows. What ended comes before what lives, so that a call never has two live entries, nor
// an agent two live offers.
func (w *writer) take() (Batch, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.met.pendingG.Set(float64(w.pending()))
	var b Batch
	room := maxBatch
	for pass := range 2 {
		for id, r := range w.entries {
			if room == 0 {
				break
			}
			if (r.State != EntryEnded) == (pass == 1) {
				b.Entries = append(b.Entries, r)
				delete(w.entries, id)
				room--
			}
		}
	}
	for pass := range 2 {
		for id, r := range w.offers {
			if room == 0 {
				break
			}
			if r.State.live() == (pass == 1) {
				b.Offers = append(b.Offers, r)
				delete(w.offers, id)
				room--
			}
		}
	}
	for login, r := range w.agents {
		if room == 0 {
			break
		}
		b.Agents = append(b.Agents, r)
		delete(w.agents, login)
		room--
	}
	n := min(room, len(w.lines))
	b.Log = slices.Clone(w.lines[:n])
	w.lines = append(w.lines[:0], w.lines[n:]...)
	w.writing = b.size() > 0
	if !w.writing {
		w.idle.Broadcast()
	}
	return b, w.writing
}

// done ends the writing of a batch; one that failed goes back.
func (w *writer) done(b Batch, failed bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.writing = false
	if failed {
		for _, r := range b.Entries {
			if _, newer := w.entries[r.ID]; !newer {
				w.entries[r.ID] = r
			}
		}
		for _, r := range b.Offers {
			if _, newer := w.offers[r.ID]; !newer {
				w.offers[r.ID] = r
			}
		}
		for _, r := range b.Agents {
			if _, newer := w.agents[r.Login]; !newer {
				w.agents[r.Login] = r
			}
		}
		w.lines = append(b.Log, w.lines...)
	}
	if w.pending() == 0 {
		w.idle.Broadcast()
	}
}

// flush waits until nothing is pending.
func (w *writer) flush(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.idle.Broadcast()
	})
	defer stop()
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.writing || w.pending() > 0 {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		w.idle.Wait()
	}
	return nil
}

// finish writes what is left when run has returned.
func (w *writer) finish(ctx context.Context) {
	w.drain(ctx)
	w.mu.Lock()
	n := w.pending()
	w.mu.Unlock()
	if n > 0 {
		w.log.Error("queue rows were not written before the stop", "rows", n)
	}
}
