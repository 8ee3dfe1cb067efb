package queue

import (
	"context"
	"sync"
	"sync/atomic"

	"hotline/telephony"
)

// Place is one call's place in a queue, from Enter until Leave or its last event. One goroutine, the call's, uses it.
//
// Events wait in slots, not in a channel, so a slow reader costs no memory and loses nothing that still matters: the
// newest position, the newest offer (an offer that ended unread is dropped with its end) and the final event.
type Place struct {
	eng  *Engine
	id   atomic.Int64 // of the row; changes when the call is moved
	call telephony.CallID

	notify chan struct{} // size 1; a full one means that a wake-up is under way

	mu    sync.Mutex // guards the slots below
	queue []Event    // at most one Withdrawn, Moved, Offered and final each, in order
	pos   *Event
	over  bool
}

// Call is the call that waits.
func (p *Place) Call() telephony.CallID { return p.call }

// Next returns the next event, or the cause of ctx. After the final event it returns ErrPlaceOver.
func (p *Place) Next(ctx context.Context) (Event, error) {
	for {
		if ev, ok, over := p.take(); ok {
			return ev, nil
		} else if over {
			return Event{}, ErrPlaceOver
		}
		select {
		case <-p.notify:
		case <-ctx.Done():
			return Event{}, context.Cause(ctx)
		case <-p.eng.done:
			return Event{}, ErrStopped
		}
	}
}

// Leave gives the place up and takes a live offer back. Idempotent; it never blocks on anything but the engine, and
// works after the call's context has ended.
func (p *Place) Leave(why LeaveReason) {
	_ = p.eng.do(context.Background(), event{kind: evLeave, call: p.call, row: p.id.Load(), reason: string(why)})
}

// put files an event where it belongs. Called by the engine alone.
func (p *Place) put(ev Event) {
	p.mu.Lock()
	switch {
	case ev.Kind == Position:
		p.pos = &ev
	case ev.Kind == Withdrawn && p.dropOffer(ev.Offer.ID):
		// never read: there is nothing to take back
	default:
		p.queue = append(p.queue, ev)
	}
	p.mu.Unlock()
	p.wake()
}

// dropOffer removes an offer nobody has read yet.
func (p *Place) dropOffer(id OfferID) bool {
	for i := range p.queue {
		if p.queue[i].Kind == Offered && p.queue[i].Offer.ID == id {
			p.queue = append(p.queue[:i], p.queue[i+1:]...)
			return true
		}
	}
	return false
}

// finish says that no event follows those filed.
func (p *Place) finish() {
	p.mu.Lock()
	p.over = true
	p.mu.Unlock()
	p.wake()
}

func (p *Place) wake() {
	select {
	case p.notify <- struct{}{}:
	default:
	}
}

func (p *Place) take() (ev Event, ok, over bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.queue) > 0 {
		ev = p.queue[0]
		p.queue = p.queue[1:]
		return ev, true, false
	}
	if p.pos != nil && !p.over {
		ev, p.pos = *p.pos, nil
		return ev, true, false
	}
	return Event{}, false, p.over
}
