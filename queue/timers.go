package queue

import "time"

// timerKind says what is due.
type timerKind uint8

const (
	tWork      timerKind = iota // agent: the rest after a miss, or wrap-up, is over
	tGrace                      // agent: without connection for too long
	tWait                       // caller: max_wait
	tLeft                       // caller: left during an offer and never said how
	tAdopt                      // caller: nobody adopted the place
	tOffer                      // offer: deadline of its stage
	tPositions                  // positions are to be told
	tOrphans                    // rows whose queue never came back
	tSweep                      // look for what must not be there
)

// timer belongs to one stage of one record: when the record's epoch has moved on, it is stale and ignored. Records are
// reused but their epochs only grow, so a stale timer never meets a stranger.
type timer struct {
	at    instant
	seq   uint64
	epoch uint32
	kind  timerKind
	a     *agent
	c     *caller
	o     *offer
}

// timers is a binary heap by time, then by order of arming.
type timers struct {
	heap  []timer
	seq   uint64
	stale int // about how many entries are stale; many make a sweep worthwhile
}

func (t *timer) before(u *timer) bool { return t.at < u.at || t.at == u.at && t.seq < u.seq }

func (s *state) arm(t timer, after time.Duration) {
	ts := &s.timers
	t.at, t.seq = s.now+after, ts.seq
	ts.seq++
	if ts.stale > 512 && ts.stale > len(ts.heap)/2 {
		s.dropStale()
	}
	ts.heap = append(ts.heap, t)
	ts.up(len(ts.heap) - 1)
}

// next says when something is due, if anything is.
func (ts *timers) next() (instant, bool) {
	if len(ts.heap) == 0 {
		return 0, false
	}
	return ts.heap[0].at, true
}

func (ts *timers) pop() timer {
	t := ts.heap[0]
	last := len(ts.heap) - 1
	ts.heap[0] = ts.heap[last]
	ts.heap[last] = timer{}
	ts.heap = ts.heap[:last]
	if last > 0 {
		ts.down(0)
	}
	return t
}

func (ts *timers) up(i int) {
	for i > 0 {
		p := (i - 1) / 2
		if !ts.heap[i].before(&ts.heap[p]) {
			return
		}
		ts.heap[i], ts.heap[p] = ts.heap[p], ts.heap[i]
		i = p
	}
}

func (ts *timers) down(i int) {
	for {
		c := 2*i + 1
		if c >= len(ts.heap) {
			return
		}
		if c+1 < len(ts.heap) && ts.heap[c+1].before(&ts.heap[c]) {
			c++
		}
		if !ts.heap[c].before(&ts.heap[i]) {
			return
		}
		ts.heap[i], ts.heap[c] = ts.heap[c], ts.heap[i]
		i = c
	}
}

// dropStale rebuilds the heap without stale entries, so that it stays about as large as what is live.
func (s *state) dropStale() {
	ts := &s.timers
	keep := ts.heap[:0]
	for _, t := range ts.heap {
		if !s.staleTimer(&t) {
			keep = append(keep, t)
		}
	}
	clear(ts.heap[len(keep):])
	ts.heap, ts.stale = keep, 0
	for i := len(keep)/2 - 1; i >= 0; i-- {
		ts.down(i)
	}
}

func (s *state) staleTimer(t *timer) bool {
	switch t.kind {
	case tWork:
		return t.epoch != t.a.workEpoch
	case tGrace:
		return t.epoch != t.a.graceEpoch
	case tWait, tLeft, tAdopt:
		return t.epoch != t.c.epoch
	case tOffer:
		return t.epoch != t.o.epoch
	}
	return false
}

// fire does everything that is due. After a pause of the process much is due at once; it all happens now, not in the
// past, and the sweeper looks last.
func (s *state) fire() {
	sweep := false
	for len(s.timers.heap) > 0 && s.timers.heap[0].at <= s.now {
		t := s.timers.pop()
		if s.staleTimer(&t) {
			s.timers.stale = max(0, s.timers.stale-1)
			continue
		}
		switch t.kind {
		case tWork:
			s.workOver(t.a)
		case tGrace:
			s.graceOver(t.a)
		case tWait:
			s.waitOver(t.c)
		case tLeft:
			s.endCaller(t.c, OutAbandoned, string(LeftAbandoned), "", "")
		case tAdopt:
			s.endCaller(t.c, OutFlowed, "fault", Removed, "")
		case tOffer:
			s.offerOver(t.o)
		case tPositions:
			s.tellPositions()
		case tOrphans:
			s.orphans()
		case tSweep:
			sweep = true
		}
	}
	if sweep {
		s.sweep()
	}
}
