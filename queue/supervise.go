package queue

import "fmt"

// reclass changes the class; the order inside it follows by itself.
func (s *state) reclass(c *caller, prio int, by string) {
	if c.prio == prio {
		return
	}
	inLine := c.pos >= 0
	if inLine {
		c.line.remove(c)
	}
	c.prio = prio
	if inLine {
		c.line.push(c)
	}
	s.soil(c.q)
	s.tell(effect{kind: fxEntry, c: c, entry: c.state, by: by})
}

func (s *state) move(c *caller, ev *event) result {
	to := c.q
	if ev.queue != "" {
		if to = s.queues[ev.queue]; to == nil {
			return result{err: ErrUnknownQueue}
		}
	}
	if to == c.q {
		if ev.flag {
			s.reclass(c, frontPriority, ev.by)
		}
		return result{row: c.row}
	}
	if to.cfg.Closed {
		return result{err: ErrClosed}
	}
	o, parked := c.offer, c.state == EntryParked
	if o != nil && o.state == OfferTaken {
		return result{err: ErrAgentBusy}
	}
	if o != nil {
		s.endOffer(o, OfferWithdrawn, Cancelled)
	}
	s.strike(c, OutFlowed, "moved")
	e := Entry{Call: c.call, Priority: c.prio, Skills: c.skills, Lang: c.lang, Tag: c.tag, Credit: c.wait + c.credit,
		Later: true}
	d := s.newCaller(to, &e, noInstant)
	d.prio = c.prio
	if ev.flag {
		d.prio = frontPriority
	}
	if c.prefer != nil {
		d.prefer, d.preferTo = c.prefer, c.preferTo
	}
	s.admit(d)
	s.tell(effect{kind: fxMoved, c: c, c2: d, reason: ev.reason, by: ev.by})
	if parked {
		s.setEntry(d, EntryParked)
		s.armCaller(d, tAdopt, s.adoptGrace)
	} else {
		s.seek(d)
	}
	s.dead = append(s.dead, c)
	if o != nil {
		s.released(o.a, true)
	}
	return result{row: d.row}
}

// pull offers the caller to one named agent, by a person's decision.
func (s *state) pull(c *caller, ev *event) result {
	a := s.agents[ev.agent]
	if a == nil {
		return result{err: ErrUnknownAgent}
	}
	if a.state != Available || !a.connected() || c.state == EntryParked {
		return result{err: ErrAgentBusy}
	}
	if o := c.offer; o != nil {
		if o.state == OfferTaken {
			return result{err: ErrAgentBusy}
		}
		s.endOffer(o, OfferWithdrawn, Cancelled)
		s.setEntry(c, EntryWaiting)
		defer s.released(o.a, true)
	}
	if c.pos >= 0 {
		c.line.remove(c)
	}
	why := s.why(c, a, "pulled", "by")
	why.by, why.reasons = ev.by, ev.reason
	s.makeOffer(c, a, why)
	return result{row: c.row}
}

func (s *state) force(a *agent, ev *event) error {
	switch ev.op {
	case ForcePause:
		return s.want(a, Paused, ev.reason, ev.by, Now)
	case ForceResume:
		return s.want(a, Available, ev.reason, ev.by, Now)
	case ForceOffline:
		return s.want(a, Offline, ev.reason, ev.by, Now)
	case ForceACWEnd:
		if a.state != ACW {
			return wrongState(a, ErrWrongState)
		}
		s.wrapUpOver(a, ev.by)
		return nil
	}
	return fmt.Errorf("operation %q: %w", ev.op, ErrWrongState)
}
