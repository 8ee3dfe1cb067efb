package queue

import (
	"cmp"
	"slices"
	"time"

	"hotline/telephony"
)

// frontPriority is the class of callers put at the head of a queue: above all that can be asked for.
const frontPriority = MaxPriority + 1

func (s *state) stepCaller(ev *event) result {
	switch ev.kind {
	case evEnter:
		return s.enter(ev)
	case evAdopt:
		return s.adopt(ev.call)
	case evRequeue:
		return s.requeue(ev)
	case evKeepPlaces:
		s.keepPlaces(ev.keep)
		return result{}
	case evDropPlace:
		if c := s.waiting[ev.call]; c != nil && c.state == EntryParked && !c.leaving {
			s.endCaller(c, OutFlowed, string(LeftFault), "", "")
		}
		return result{}
	}
	c := s.waiting[ev.call]
	if c == nil || ev.kind == evLeave && c.row != ev.row || ev.kind != evLeave && c.leaving {
		s.ignored(ev.kind, string(EntryEnded), nil, ev.call)
		if ev.kind == evLeave {
			return result{}
		}
		return result{err: ErrUnknownCall}
	}
	switch ev.kind {
	case evLeave:
		outcome, reason := leaving(LeaveReason(ev.reason))
		s.endCaller(c, outcome, reason, "", "")
	case evPriority:
		s.reclass(c, max(-MaxPriority, min(MaxPriority, ev.n)), ev.by)
	case evMove:
		return s.move(c, ev)
	case evPull:
		return s.pull(c, ev)
	case evRemove:
		s.endCaller(c, OutFlowed, "removed", Removed, "")
	}
	return result{}
}

// leaving maps a reason to its bucket.
func leaving(why LeaveReason) (Outcome, string) {
	switch why {
	case LeftAbandoned:
		return OutAbandoned, string(why)
	case LeftCallback:
		return OutCallback, string(why)
	case LeftVoicemail:
		return OutVoicemail, string(why)
	case LeftDeflected:
		return OutDeflected, string(why)
	}
	return OutFlowed, cmp.Or(string(why), "left")
}

// departFor is how long a caller who left during an offer may take to say why (Place.Leave). Until then nobody is rung
// for it; after it the row is abandoned.
const departFor = 5 * time.Second

// depart takes a caller who left during an offer out of the running. How it left is for Leave to say: it may have hung
// up, or we are stopping and it is our fault.
func (s *state) depart(c *caller) {
	s.setEntry(c, EntryParked)
	c.leaving = true
	s.armCaller(c, tLeft, departFor)
}

// enter gives a place, or a row that says why not.
func (s *state) enter(ev *event) result {
	e := ev.entry
	if e.Call == "" {
		return result{err: ErrUnknownCall}
	}
	if c := s.waiting[e.Call]; c != nil {
		switch {
		case c.leaving:
			s.endCaller(c, OutFlowed, "left", "", "")
		case c.state == EntryParked:
			return s.adopt(e.Call)
		default:
			return result{err: ErrAlreadyWaiting}
		}
	}
	q := s.queues[e.Queue]
	if q == nil {
		return result{err: ErrUnknownQueue}
	}
	s.dropOrphan(e.Call)
	c := s.newCaller(q, e, ev.since)
	c.prio = max(-MaxPriority, min(MaxPriority, e.Priority))
	if e.Front {
		c.prio = frontPriority
	}
	var err error
	switch {
	case q.cfg.Closed:
		err = ErrClosed
	case q.cfg.MaxLen > 0 && q.len >= q.cfg.MaxLen:
		err = ErrFull
	case q.cfg.OnNoAgents != PolicyWait && !q.serveable(c.line.need):
		err = ErrNoAgents
	}
	s.admit(c)
	if err != nil {
		reason := map[error]string{ErrClosed: "closed", ErrFull: "full", ErrNoAgents: "no_agents"}[err]
		s.endCaller(c, OutFlowed, reason, "", "")
		return result{err: err}
	}
	s.seek(c)
	return result{row: c.row}
}

// newCaller fills a record; it stands nowhere yet.
func (s *state) newCaller(q *queueState, e *Entry, since instant) *caller {
	var c *caller
	if n := len(s.freeCall); n > 0 {
		c, s.freeCall = s.freeCall[n-1], s.freeCall[:n-1]
	} else {
		c = &caller{pos: -1}
	}
	if since == noInstant {
		since = s.now
	}
	c.row, c.call, c.q = s.nextRow, e.Call, q
	s.nextRow++
	s.arrivals++
	c.seq = s.arrivals
	// Rows keep microseconds; the order after a restart must be the order before it.
	c.since, c.credit = min(since, s.now).Truncate(time.Microsecond), max(0, e.Credit).Truncate(time.Microsecond)
	c.eff = c.since - c.credit
	c.day, c.later, c.lang, c.tag, c.skills = s.day, e.Later, e.Lang, e.Tag, e.Skills
	c.line = q.line(s.needOf(e.Skills))
	c.maxUntil = noInstant
	if wait := e.MaxWait; wait > 0 {
		c.maxUntil = c.since + wait
	} else if q.maxWait > 0 {
		c.maxUntil = c.since + q.maxWait
	}
	if a := s.agents[e.Prefer]; a != nil {
		c.prefer, c.preferTo = a, s.now+PreferFor
	}
	return c
}

// admit puts the caller on the books: it counts from here on.
func (s *state) admit(c *caller) {
	s.link(c)
	c.q.fig.N++
	c.q.fig.W++
	c.state = EntryWaiting
	if c.maxUntil != noInstant {
		s.armCaller(c, tWait, max(0, c.maxUntil-s.now))
	}
	s.tell(effect{kind: fxEntry, c: c, entry: EntryWaiting})
}

func (s *state) link(c *caller) {
	q := c.q
	c.prev, c.next = q.last, nil
	if q.last != nil {
		q.last.next = c
	} else {
		q.first = c
	}
	q.last = c
	q.len++
	s.waiting[c.call] = c
	if c.prefer != nil {
		c.prefer.mine = append(c.prefer.mine, c)
	}
	s.soil(q)
}

func (s *state) unlink(c *caller) {
	q := c.q
	if c.prev != nil {
		c.prev.next = c.next
	} else {
		q.first = c.next
	}
	if c.next != nil {
		c.next.prev = c.prev
	} else {
		q.last = c.prev
	}
	c.prev, c.next = nil, nil
	q.len--
	delete(s.waiting, c.call)
	if c.prefer != nil {
		c.prefer.forget(c)
	}
	s.soil(q)
}

func (a *agent) forget(c *caller) {
	for i, d := range a.mine {
		if d == c {
			last := len(a.mine) - 1
			a.mine[i], a.mine[last] = a.mine[last], nil
			a.mine = a.mine[:last]
			return
		}
	}
}

func (s *state) armCaller(c *caller, kind timerKind, after time.Duration) {
	s.stopCaller(c)
	c.timed = true
	s.arm(timer{kind: kind, c: c, epoch: c.epoch}, after)
}

func (s *state) stopCaller(c *caller) {
	c.epoch++
	if c.timed {
		s.timers.stale++
		c.timed = false
	}
}

// seek looks for an agent for a caller who stands in no line; else the caller joins its line.
func (s *state) seek(c *caller) {
	c.state = EntryWaiting
	if a, why := s.bestAgent(c); a != nil {
		s.makeOffer(c, a, why)
		return
	}
	c.line.push(c)
}

// giveBack returns a caller whose offer came to nothing: same place, or the outcome that fell due meanwhile.
func (s *state) giveBack(c *caller) {
	s.setEntry(c, EntryWaiting)
	switch {
	case c.overdue:
		s.endCaller(c, OutFlowed, "timeout", Timeout, c.q.cfg.OnTimeout)
	case c.q.cfg.OnNoAgents != PolicyWait && !c.q.serveable(c.line.need):
		s.endCaller(c, OutFlowed, "no_agents", NoAgents, c.q.cfg.OnNoAgents)
	default:
		s.seek(c)
	}
}

func (s *state) setEntry(c *caller, to EntryState) {
	if !may(entryMoves, c.state, to) {
		s.illegal("entry", string(c.state), string(to))
		return
	}
	c.state = to
	s.tell(effect{kind: fxEntry, c: c, entry: to})
}

// endCaller gives the row its one outcome and takes a live offer back. last, if any, is the final event of the place.
func (s *state) endCaller(c *caller, outcome Outcome, reason string, last EventKind, do Policy) {
	o := c.offer
	if o != nil {
		s.endOffer(o, OfferWithdrawn, CallerLeft)
	}
	if last != "" { // before the row ends: the place ends with it
		s.tell(effect{kind: fxPlace, c: c, event: last, do: do, reason: reason})
	}
	s.strike(c, outcome, reason)
	s.dead = append(s.dead, c)
	if o != nil {
		s.released(o.a, true)
	}
}

// strike takes the caller off the books with its outcome.
func (s *state) strike(c *caller, outcome Outcome, reason string) {
	if c.pos >= 0 {
		c.line.remove(c)
	}
	s.stopCaller(c)
	s.unlink(c)
	c.outcome, c.reason, c.ended = outcome, reason, s.now
	c.wait = max(0, s.now-c.since)
	if c.day == s.day {
		c.q.fig.end(c, c.q.threshold, c.q.short)
	}
	s.setEntry(c, EntryEnded)
}

// waitOver is max_wait. A phone that rings may ring on: if that fails, the caller times out then.
func (s *state) waitOver(c *caller) {
	c.timed = false
	switch c.state {
	case EntryOffered:
		c.overdue = true
	default:
		s.endCaller(c, OutFlowed, "timeout", Timeout, c.q.cfg.OnTimeout)
	}
}

func (s *state) adopt(call telephony.CallID) result {
	c := s.waiting[call]
	if c == nil || c.leaving {
		return result{err: ErrUnknownCall}
	}
	if c.state != EntryParked {
		return result{err: ErrAlreadyWaiting}
	}
	s.stopCaller(c)
	if c.maxUntil != noInstant {
		s.armCaller(c, tWait, max(0, c.maxUntil-s.now))
	}
	c.told = 0
	s.soil(c.q)
	s.giveBack(c)
	return result{row: c.row}
}

// keepPlaces ends the places of before the restart whose calls are over, in the order of their rows.
func (s *state) keepPlaces(keep map[string]bool) {
	var over []*caller
	for call, c := range s.waiting {
		if c.state == EntryParked && !c.leaving && !keep[string(call)] {
			over = append(over, c)
		}
	}
	slices.SortFunc(over, func(x, y *caller) int { return cmp.Compare(x.row, y.row) })
	for _, c := range over {
		s.endCaller(c, OutFlowed, string(LeftFault), "", "")
	}
}

// requeue makes a new row at the head for a caller who was talking; the agent in lost_call moves on.
func (s *state) requeue(ev *event) result {
	t := s.talks[ev.call]
	if t == nil || t.q.gone {
		return result{err: ErrUnknownCall}
	}
	if s.waiting[ev.call] != nil {
		return result{err: ErrAlreadyWaiting}
	}
	e := Entry{Call: t.call, Skills: t.skills, Lang: t.lang, Tag: ev.reason, Prefer: ev.agent,
		Credit: t.wait + t.credit, Later: true}
	c := s.newCaller(t.q, &e, noInstant)
	c.prio = frontPriority
	s.forgetTalk(t)
	if a := s.agents[ev.agent]; a != nil && a.call == ev.call && a.state == LostCall {
		a.call, a.queue = "", nil
		if a.connected() {
			s.setAgent(a, Fault, "media_lost", "")
		} else {
			s.lose(a, Available, "", "")
		}
	}
	s.admit(c)
	s.seek(c)
	return result{row: c.row}
}

func (s *state) forgetTalk(t *caller) {
	delete(s.talks, t.call)
	s.dead = append(s.dead, t)
}
