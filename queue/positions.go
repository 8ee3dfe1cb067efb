package queue

import (
	"slices"
	"time"
)

// positionsEvery is how often callers are told their position, at most.
const positionsEvery = time.Second

func (s *state) tell(fx effect) { s.out = append(s.out, fx) }

// soil notes that positions in the queue may have changed.
func (s *state) soil(q *queueState) {
	if !q.isDirty {
		q.isDirty = true
		s.dirty = append(s.dirty, q)
	}
	if !s.posArmed {
		s.posArmed = true
		after := time.Duration(0)
		if s.posLast != noInstant {
			after = max(0, s.posLast+positionsEvery-s.now)
		}
		s.arm(timer{kind: tPositions}, after)
	}
}

// tellPositions tells each caller whose position shrank. A position never grows for one caller: who was overtaken
// keeps the number last told until the true one is smaller.
func (s *state) tellPositions() {
	s.posArmed, s.posLast = false, s.now
	for _, q := range s.dirty {
		q.isDirty = false
		for i, c := range s.inOrder(q) {
			if at := i + 1; c.state != EntryParked && (c.told == 0 || at < c.told) {
				c.told = at
				s.tell(effect{kind: fxPlace, c: c, event: Position, pos: at, count: q.len})
			}
		}
	}
	s.dirty = s.dirty[:0]
}

// inOrder lists everybody with a place in the queue, best first, in scratch space.
func (s *state) inOrder(q *queueState) []*caller {
	s.sorted = s.sorted[:0]
	for c := q.first; c != nil; c = c.next {
		s.sorted = append(s.sorted, c)
	}
	slices.SortFunc(s.sorted, func(a, b *caller) int {
		if a.before(b) {
			return -1
		}
		return 1 // no two are equal: arrivals differ
	})
	return s.sorted
}
