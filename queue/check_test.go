package queue

import (
	"fmt"

	"hotline/telephony"
)

// checker judges a state from outside: by scanning everything, with none of the core's indexes.
type checker struct {
	s       *state
	at      map[string]AgentState       // as the log tells it
	entries map[int64]EntryState        // as the rows tell it
	offers  map[OfferID]OfferState      // as the rows tell it
	told    map[telephony.CallID][2]int // row and last position told
	choices int
	moves   map[[2]AgentState]int
}

func newChecker(s *state) *checker {
	k := &checker{s: s, at: map[string]AgentState{}, entries: map[int64]EntryState{}, offers: map[OfferID]OfferState{},
		told: map[telephony.CallID][2]int{}, moves: map[[2]AgentState]int{}}
	s.strict = true
	s.audit = k.audit
	return k
}

// audit compares a choice with what a naive scan would choose.
func (k *checker) audit(c *caller, a *agent, why decision) {
	k.choices++
	switch why.side {
	case "call":
		for _, b := range k.s.agents {
			if b != a && naiveFree(b) && naiveServes(b, c) && why.rule != "preferred" && naiveBetter(c, b, a) {
				panic(fmt.Sprintf("%s got call %s, %s was better", a.login, c.call, b.login))
			}
			if own := c.prefer; b == own && b != a && k.s.now < c.preferTo && naiveFree(b) && naiveServes(b, c) {
				panic(fmt.Sprintf("%s got call %s, %s is preferred and free", a.login, c.call, b.login))
			}
		}
	case "agent":
		for _, d := range k.s.waiting {
			if d == c || d.state != EntryWaiting || d.offer != nil || d.pos < 0 || !naiveServes(a, d) || !d.before(c) {
				continue
			}
			if why.rule != "preferred" || d.prio > c.prio {
				panic(fmt.Sprintf("%s got call %s (%s), call %s was first", a.login, c.call, why.rule, d.call))
			}
		}
	}
	if !naiveServes(a, c) && why.rule != "pulled" {
		panic(fmt.Sprintf("%s cannot serve call %s", a.login, c.call))
	}
}

func naiveFree(a *agent) bool { return a.state == Available && !a.rests && a.offer == nil }

func naiveServes(a *agent, c *caller) bool {
	for _, m := range a.cfg.Queues {
		if m.Queue == c.q.cfg.Key {
			for skill, level := range c.skills {
				if level > 0 && a.cfg.Skills[skill] < level {
					return false
				}
			}
			return true
		}
	}
	return false
}

// naiveBetter reports whether b should have been chosen before a by the queue's strategy.
func naiveBetter(c *caller, b, a *agent) bool {
	level := func(x *agent) int {
		for _, m := range x.cfg.Queues {
			if m.Queue == c.q.cfg.Key {
				return m.Level
			}
		}
		return 0
	}
	score := func(x *agent) (sum int) {
		for skill, l := range c.skills {
			if l > 0 {
				sum += x.cfg.Skills[skill]
			}
		}
		return sum
	}
	switch c.q.cfg.Strategy {
	case ByPriority:
		if level(a) != level(b) {
			return level(b) > level(a)
		}
	case BySkills:
		if score(a) != score(b) {
			return score(b) > score(a)
		}
	}
	return b.idle < a.idle
}

// read follows the effects of a step: what the world is told must be a story without gaps.
func (k *checker) read() {
	for i := range k.s.out {
		fx := &k.s.out[i]
		switch fx.kind {
		case fxAgentNew:
			k.at[fx.a.login] = Offline
		case fxAgentBack:
			k.at[fx.a.login] = fx.agentTo
		case fxAgentMoved:
			if k.at[fx.a.login] != fx.agentFrom {
				panic(fmt.Sprintf("log of %s: %s -> %s, but it was %s", fx.a.login, fx.agentFrom, fx.agentTo, k.at[fx.a.login]))
			}
			k.at[fx.a.login] = fx.agentTo
			k.moves[[2]AgentState{fx.agentFrom, fx.agentTo}]++
		case fxEntry:
			if old, ok := k.entries[fx.c.row]; ok && old != fx.entry && !may(entryMoves, old, fx.entry) {
				panic(fmt.Sprintf("entry %d: %s -> %s", fx.c.row, old, fx.entry))
			}
			k.entries[fx.c.row] = fx.entry
			if fx.entry == EntryEnded {
				delete(k.entries, fx.c.row)
				delete(k.told, fx.c.call)
			}
		case fxOffer:
			old, ok := k.offers[fx.o.id]
			if ok && !may(offerMoves, old, fx.offerState) || !ok && fx.offerState != OfferMade {
				panic(fmt.Sprintf("offer %d: %s -> %s", fx.o.id, old, fx.offerState))
			}
			k.offers[fx.o.id] = fx.offerState
			if !fx.offerState.live() {
				delete(k.offers, fx.o.id)
			}
		case fxPlace:
			if fx.event == Position {
				was, ok := k.told[fx.c.call]
				if ok && was[0] == int(fx.c.row) && fx.pos >= was[1] {
					panic(fmt.Sprintf("call %s was told %d after %d", fx.c.call, fx.pos, was[1]))
				}
				k.told[fx.c.call] = [2]int{int(fx.c.row), fx.pos}
			}
		case fxSwept:
			if fx.reason != "contact" {
				panic("the sweeper found " + fx.reason)
			}
		}
	}
}

// full judges the whole state. It scans everything: for small states.
func (k *checker) full() {
	s := k.s
	staffed, talking := map[*pool]int{}, map[*pool]int{}
	live := map[*agent]int{}
	for id, o := range s.offers {
		live[o.a]++
		ensure(o.id == id && o.state.live() && o.a.offer == o && o.a.state == Ringing, "offer %d of %s (%s)", id, o.a.login, o.a.state)
		ensure(o.c == nil || o.c.offer == o && s.waiting[o.call] == o.c, "offer %d outlives its caller", id)
	}
	for login, a := range s.agents {
		ensure(live[a] <= 1, "%s has %d live offers", login, live[a])
		ensure((a.state == Ringing) == (a.offer != nil), "%s is %s, offer %v", login, a.state, a.offer)
		ensure(naiveFree(a) == a.pooled, "%s is %s, rests %v, pooled %v", login, a.state, a.rests, a.pooled)
		ensure((a.state.onCall() || a.state == Ringing || a.state == ACW) == (a.call != ""), "%s is %s, call %q", login, a.state, a.call)
		ensure(a.state != Paused || a.reason != "", "%s pauses without a reason", login)
		ensure(a.state != Available && a.state != Ringing || a.connected(), "%s is %s without connection", login, a.state)
		ensure(k.at[login] == a.state, "%s is %s, the log says %s", login, a.state, k.at[login])
		for i := range a.mems {
			p := a.mems[i].pool
			if a.state != Offline {
				staffed[p]++
			}
			if a.state.onCall() {
				talking[p]++
			}
			ensure(!a.pooled || p.items[a.mems[i].pos].m == &a.mems[i], "%s lost its place in a pool", login)
		}
		if naiveFree(a) {
			for _, c := range s.waiting {
				ensure(c.state != EntryWaiting || !naiveServes(a, c), "%s is free and call %s waits", login, c.call)
			}
		}
	}
	for _, q := range s.queues {
		k.queue(q, staffed, talking)
	}
	for call, c := range s.waiting {
		ensure(c.call == call && c.state != EntryEnded, "call %s is %s", call, c.state)
		ensure((c.state == EntryOffered) == (c.offer != nil), "call %s is %s, offer %v", call, c.state, c.offer)
		ensure((c.state == EntryWaiting) == (c.pos >= 0), "call %s is %s, in line %d", call, c.state, c.pos)
		ensure(k.entries[c.row] == c.state, "row %d is %s, told %s", c.row, c.state, k.entries[c.row])
	}
}

func (k *checker) queue(q *queueState, staffed, talking map[*pool]int) {
	n, today := 0, 0
	for c := q.first; c != nil; c = c.next {
		n++
		if c.day == k.s.day {
			today++
		}
		ensure(c.q == q && k.s.waiting[c.call] == c, "call %s stands in the list of %s", c.call, q.cfg.Key)
	}
	ensure(n == q.len, "%s counts %d, has %d", q.cfg.Key, q.len, n)
	ensure(q.fig.Balanced() && q.fig.W == today, "figures of %s: %+v, %d wait", q.cfg.Key, q.fig, today)
	for _, p := range q.pools {
		ensure(p.staffed == staffed[p] && p.talking == talking[p], "%s: staffed %d (%d), talking %d (%d)", q.cfg.Key,
			p.staffed, staffed[p], p.talking, talking[p])
		ensure((p.openAt >= 0) == (len(p.items) > 0), "open list of %s", q.cfg.Key)
		ensure(p.openAt < 0 || q.open[p.openAt] == openPool{p.items[0], p.profile, p}, "best of %s is out of date", q.cfg.Key)
		for i := range p.items {
			ensure(p.items[i].m.pos == i && (i == 0 || !p.items[i].before(&p.items[(i-1)/2])), "heap of %s", q.cfg.Key)
		}
	}
	for _, l := range q.lines {
		ensure((l.busyAt >= 0) == (len(l.heap) > 0), "busy list of %s", q.cfg.Key)
		ensure(l.busyAt < 0 || q.busy[l.busyAt] == busyLine{l.heap[0].prio, l.heap[0].eff, l.heap[0], l}, "first of %s", q.cfg.Key)
		for i, c := range l.heap {
			ensure(c.pos == i && (i == 0 || !c.before(l.heap[(i-1)/2])), "line of %s", q.cfg.Key)
		}
	}
}

func ensure(ok bool, format string, args ...any) {
	if !ok {
		panic(fmt.Sprintf(format, args...))
	}
}
