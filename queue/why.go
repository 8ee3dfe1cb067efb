package queue

import (
	"context"

	"hotline/telephony"
)

// Waiting says why a call still waits, for a supervisor who asks. Why an agent got a call is stored with the offer.
type Waiting struct {
	Call     telephony.CallID
	Queue    string
	Position int // 1 is next
	Waiting  int // in this queue
	State    EntryState
	Agent    string             // being offered to
	Able     map[AgentState]int // members with the skills asked for, by state; resting after a miss counts as "resting"
	Members  int                // members of the queue at all
	// Reason in one word: offered, parked, nobody_able (no member has the skills), nobody_signed_on, behind (others go
	// first), all_busy.
	Reason string
}

// restingState is how Able counts available agents who rest after a miss.
const restingState AgentState = "resting"

// WhyWaiting explains a waiting call. ErrUnknownCall when it does not wait. It looks at every agent: for people, not loops.
func (e *Engine) WhyWaiting(ctx context.Context, call telephony.CallID) (Waiting, error) {
	var w Waiting
	found := ErrUnknownCall
	err := e.read(ctx, func() {
		if c := e.st.waiting[call]; c != nil {
			w, found = e.st.whyWaiting(c), nil
		}
	})
	if err != nil {
		return Waiting{}, err
	}
	return w, found
}

func (s *state) whyWaiting(c *caller) Waiting {
	w := Waiting{Call: c.call, Queue: c.q.cfg.Key, Waiting: c.q.len, State: c.state, Able: map[AgentState]int{}}
	for i, d := range s.inOrder(c.q) {
		if d == c {
			w.Position = i + 1
		}
	}
	able, on := 0, 0
	for _, a := range s.agents {
		for i := range a.mems {
			if a.mems[i].pool.q == c.q {
				w.Members++
			}
		}
		if !a.serves(c) {
			continue
		}
		able++
		if a.state != Offline {
			on++
		}
		if a.rests {
			w.Able[restingState]++
		} else {
			w.Able[a.state]++
		}
	}
	switch {
	case c.offer != nil:
		w.Reason, w.Agent = "offered", c.offer.a.login
	case c.state == EntryParked:
		w.Reason = "parked"
	case able == 0:
		w.Reason = "nobody_able"
	case on == 0:
		w.Reason = "nobody_signed_on"
	case w.Position > 1:
		w.Reason = "behind"
	default:
		w.Reason = "all_busy"
	}
	return w
}

// QueueStat returns the figures of one queue, cheaply. ErrUnknownQueue.
func (e *Engine) QueueStat(ctx context.Context, key string) (QueueStat, error) {
	var st QueueStat
	found := ErrUnknownQueue
	err := e.read(ctx, func() {
		if q := e.st.queues[key]; q != nil {
			st, found = e.queueStat(q, e.instant()), nil
		}
	})
	if err != nil {
		return QueueStat{}, err
	}
	return st, found
}
