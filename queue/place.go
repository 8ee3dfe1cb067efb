package queue

import (
	"context"
	"sync"

	"hotline/telephony"
)

// Place is one call's place in a queue, from Enter until Leave or its last event. One goroutine, the call's, uses it.
//
// Events wait in slots, not in a channel, so a slow reader costs no memory and loses nothing that still matters: the
// newest position, the newest offer (an offer that ended unread is dropped with its end) and the final event.
type Place struct {
	eng  *Engine
	id   int64 // of the row
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
	_ = p.eng.do(context.Background(), event{kind: evLeave, call: p.call, row: p.id, reason: string(why)})
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
