package queue

import "time"

const (
	sweepEvery   = 5 * time.Second
	reserveExtra = 5 * time.Second // a reservation lives for the ring time and this
)

// makeOffer reserves the agent for the caller, who stands in no line any more.
func (s *state) makeOffer(c *caller, a *agent, why decision) *offer {
	if s.audit != nil {
		s.audit(c, a, why)
	}
	o := s.newOffer(a, why, c.q.ring)
	o.c, o.call, o.q = c, c.call, c.q
	o.waited = max(0, s.now-c.since)
	c.offer = o
	c.offers++
	s.reserve(o)
	s.setEntry(c, EntryOffered)
	s.soil(c.q)
	s.tell(effect{kind: fxOffer, o: o, offerState: OfferMade})
	s.tell(effect{kind: fxPlace, c: c, o: o, event: Offered})
	return o
}

// directOffer reserves the agent for a call without a place.
func (s *state) directOffer(a *agent, ev *event) result {
	if a.state != Available || !a.connected() {
		return result{err: wrongState(a, ErrAgentBusy)}
	}
	ring := ev.dur
	if ring <= 0 {
		ring = defaultRing
	}
	o := s.newOffer(a, decision{rule: "direct", side: "by", by: ev.by, idle: s.now - a.idle}, ring)
	o.call = ev.call
	s.reserve(o)
	s.tell(effect{kind: fxOffer, o: o, offerState: OfferMade})
	return result{offerRef: o}
}

func (s *state) newOffer(a *agent, why decision, ring time.Duration) *offer {
	var o *offer
	if n := len(s.freeOffer); n > 0 {
		o, s.freeOffer = s.freeOffer[n-1], s.freeOffer[:n-1]
	} else {
		o = &offer{}
	}
	o.id, o.a, o.state, o.why, o.made, o.ringFor = s.nextOffer, a, OfferMade, why, s.now, ring
	o.expires = s.now + ring + reserveExtra
	s.nextOffer++
	return o
}

// reserve binds the agent to the offer.
func (s *state) reserve(o *offer) {
	a := o.a
	s.offers[o.id] = o
	s.unpool(a)
	s.stopWork(a)
	a.rests, a.offer, a.call, a.queue = false, o, o.call, o.q
	s.armOffer(o, o.ringFor)
	s.setAgent(a, Ringing, "", "")
}

const defaultRing = 20 * time.Second

func (s *state) armOffer(o *offer, after time.Duration) {
	s.stopOffer(o)
	o.timed = true
	s.arm(timer{kind: tOffer, o: o, epoch: o.epoch}, max(0, min(after, o.expires-s.now)))
}

func (s *state) stopOffer(o *offer) {
	o.epoch++
	if o.timed {
		s.timers.stale++
		o.timed = false
	}
}

func (s *state) stepOffer(ev *event) result {
	o := s.offers[ev.offer]
	if o == nil {
		s.ignored(ev.kind, "over", nil, "")
		if ev.kind == evOfferFailed {
			return result{}
		}
		return result{err: ErrOfferGone}
	}
	switch ev.kind {
	case evOfferRinging:
		if o.state != OfferMade {
			s.ignored(ev.kind, string(o.state), o.a, o.call)
			return result{}
		}
		o.rang = s.now
		s.setOffer(o, OfferRings, "")
		s.armOffer(o, o.ringFor)
	case evOfferAccepted:
		if o.state == OfferTaken {
			return result{}
		}
		o.taken = s.now
		o.expires = s.now + s.connectLimit
		s.setOffer(o, OfferTaken, "")
		s.armOffer(o, s.connectLimit)
	case evOfferConnected:
		s.connect(o)
	case evOfferFailed:
		s.failOffer(o, FailReason(ev.reason))
	}
	return result{}
}

func (s *state) setOffer(o *offer, to OfferState, result FailReason) {
	if !may(offerMoves, o.state, to) {
		s.illegal("offer", string(o.state), string(to))
		return
	}
	o.state, o.result = to, result
	if !to.live() {
		o.ended = s.now
	}
	s.tell(effect{kind: fxOffer, o: o, offerState: to})
}

// endOffer ends a live offer on the books of offer, agent and caller. What becomes of the two is the next step.
func (s *state) endOffer(o *offer, to OfferState, result FailReason) {
	s.stopOffer(o)
	delete(s.offers, o.id)
	o.a.offer = nil
	s.setOffer(o, to, result)
	if c := o.c; c != nil {
		c.offer = nil
		s.soil(c.q)
		if to != OfferJoined {
			s.tell(effect{kind: fxPlace, c: c, o: o, event: Withdrawn, reason: string(result)})
		}
	}
	s.deadOff = append(s.deadOff, o)
}

// connect ends the wait: the customer can hear the agent.
func (s *state) connect(o *offer) {
	a, c := o.a, o.c
	s.endOffer(o, OfferJoined, "")
	a.missed = 0
	t := s.talks[o.call]
	switch {
	case c != nil:
		c.agent, c.parties = a, 1
		s.strike(c, OutAnswered, "")
		if t != nil {
			c.parties += t.parties
			s.forgetTalk(t)
		}
		s.talks[c.call] = c
	case t != nil:
		s.join(a, t)
	}
	s.setAgent(a, Talking, "", "")
}

// failOffer ends an offer that did not become a talk: the caller keeps the place, the agent pays by the reason.
func (s *state) failOffer(o *offer, why FailReason) {
	a, c, q := o.a, o.c, o.q
	switch why {
	case Rejected:
		s.endOffer(o, OfferRefused, why)
	case NoMedia:
		s.endOffer(o, OfferFailed, why)
	case CallerLeft, AgentLost, Cancelled:
		s.endOffer(o, OfferWithdrawn, why)
	default:
		s.endOffer(o, OfferMissed, why)
	}
	if c != nil {
		if why == CallerLeft {
			s.depart(c)
		} else {
			s.giveBack(c)
		}
	}
	switch why {
	case NoMedia:
		a.call, a.queue = "", nil
		s.setAgent(a, Fault, string(NoMedia), "")
	case CallerLeft, Cancelled:
		s.released(a, true)
	case AgentLost:
		a.call, a.queue = "", nil
		s.lose(a, Available, "", "")
	default:
		s.missed(a, q)
	}
}

// offerOver is the deadline of an offer's stage.
func (s *state) offerOver(o *offer) {
	o.timed = false
	switch o.state {
	case OfferTaken:
		s.failOffer(o, NoMedia)
	case OfferRings:
		s.failOffer(o, NoAnswer)
	default: // nobody even said that it rings
		s.failOffer(o, Unreachable)
	}
}

// missed is rule 3: rest after a miss, pause after too many in a row; never a loop, never signed out.
func (s *state) missed(a *agent, q *queueState) {
	a.missed++
	limit, rest := s.missLimit(a, q), defaultRest
	if q != nil {
		rest = q.rest
	}
	a.call, a.queue = "", nil
	a.idle = s.now // to the end of the line: another agent comes first
	switch {
	case a.next != "" || !a.connected():
		s.released(a, false)
	case a.missed >= limit:
		s.setAgent(a, Paused, "missed", "")
	default:
		a.rests, a.restTo = true, s.now+rest
		s.setAgent(a, Available, "missed_rest", "")
		s.armWork(a, rest)
	}
}

// missLimit is max_missed: the queue's, else one for a browser without heartbeat and two for all others.
func (s *state) missLimit(a *agent, q *queueState) int {
	switch {
	case q != nil && q.cfg.MaxMissed > 0:
		return q.cfg.MaxMissed
	case a.cfg.Kind != Desk && a.conn != Online:
		return 1
	}
	return 2
}

const defaultRest = 5 * time.Second

// sweep looks for reservations past their end and for agents that ring for nothing. Timers should leave none; what is
// found is freed and an alarm.
func (s *state) sweep() {
	s.arm(timer{kind: tSweep}, sweepEvery)
	for _, o := range s.offers {
		if s.now > o.expires {
			s.tell(effect{kind: fxSwept, a: o.a, call: o.call, reason: "reservation"})
			s.failOffer(o, Expired)
		}
	}
	for _, a := range s.agents {
		if a.state == Ringing && a.offer == nil {
			s.tell(effect{kind: fxSwept, a: a, call: a.call, reason: "ringing"})
			s.released(a, true)
		}
	}
}
