package queue

import "time"

// dialing starts an outbound try; where it began is where it returns to when it fails (rule 2).
func (s *state) dialing(a *agent, ev *event) error {
	if a.state != Available && a.state != Paused {
		return wrongState(a, ErrWrongState)
	}
	s.endRest(a)
	if a.state == Paused {
		a.next, a.nextReason, a.nextBy = Paused, a.reason, a.by
	}
	a.call, a.queue = ev.call, s.queues[ev.queue]
	s.setAgent(a, Dialing, "", "")
	return nil
}

func (s *state) dialFailed(a *agent, ev *event) {
	if a.state != Dialing || a.call != ev.call {
		s.ignored(ev.kind, string(a.state), a, ev.call)
		return
	}
	if ev.dur > 0 {
		s.wrapUp(a, ev.dur, WrapupTimed)
		return
	}
	s.released(a, true)
}

// contact is a step of the agent's talk.
func (s *state) contact(a *agent, ev *event) error {
	to := ev.want
	if a.state == to && a.call == ev.call {
		return nil
	}
	if !to.onCall() || to == Dialing || !may(agentMoves, a.state, to) {
		return wrongState(a, ErrWrongState)
	}
	switch {
	case a.state == Ringing:
		return wrongState(a, ErrWrongState) // only OfferConnected ends a ring well
	case a.state.onCall():
		if a.call != ev.call {
			return wrongState(a, ErrUnknownCall)
		}
	default: // takes a call over
		s.endRest(a)
		if a.state == Paused {
			a.next, a.nextReason, a.nextBy = Paused, a.reason, a.by
		}
		a.call, a.queue = ev.call, nil
		if t := s.talks[ev.call]; t != nil {
			s.join(a, t)
		}
	}
	s.setAgent(a, to, "", "")
	return nil
}

// adoptTalk takes over a talk that a restart of ours did not end. The agent's page may not be back yet: then the talk has
// an agent who is lost, as after a reload.
func (s *state) adoptTalk(a *agent, ev *event) error {
	c := s.waiting[ev.call]
	if a.call == ev.call && a.state.onCall() { // told again, now that more is known of the call
		if t := s.talks[ev.call]; t != nil {
			t.skills, t.lang, t.credit = ev.entry.Skills, ev.entry.Lang, ev.entry.Credit
		}
		return nil
	}
	if s.talks[ev.call] != nil || c != nil && (c.state != EntryParked || c.leaving) {
		return ErrAlreadyWaiting
	}
	if a.state.onCall() || a.state == Ringing || !may(agentMoves, a.state, Talking) {
		return wrongState(a, ErrWrongState)
	}
	q := s.queues[ev.entry.Queue]
	switch {
	case c != nil: // the end of its row was not written any more
		c.agent = a
		s.strike(c, OutAnswered, "")
		s.talks[ev.call] = c
	case q != nil:
		row := s.nextRow // its row has ended as answered
		c = s.newCaller(q, ev.entry, noInstant)
		s.nextRow = row
		c.agent = a
		s.talks[ev.call] = c
	}
	return s.contact(a, &event{kind: evContact, want: Talking, call: ev.call})
}

// join adds an agent to a talk that began in a queue: its wrap-up is that queue's.
func (s *state) join(a *agent, t *caller) {
	t.parties++
	if !t.q.gone {
		a.queue = t.q
	}
}

// contactEnded leads to wrap-up, or straight on. Late and repeated ones are normal.
func (s *state) contactEnded(a *agent, ev *event) {
	if !a.state.onCall() || a.call != ev.call {
		s.ignored(ev.kind, string(a.state), a, ev.call)
		return
	}
	if t := s.talks[ev.call]; t != nil {
		if t.parties--; t.parties <= 0 {
			s.forgetTalk(t)
		}
	}
	q := a.queue
	if q == nil || a.gone || !q.hasWrapup() || q.cfg.WrapupMode == WrapupOptional && a.next != "" {
		s.released(a, false)
		return
	}
	limit := q.wrapup
	if q.cfg.WrapupMode == WrapupUntilDone {
		limit = 0
	}
	s.wrapUp(a, limit, q.cfg.WrapupMode)
}

func (q *queueState) hasWrapup() bool { return q.wrapup > 0 || q.cfg.WrapupMode == WrapupUntilDone }

// wrapUp begins after-contact work; limit 0: until done.
func (s *state) wrapUp(a *agent, limit time.Duration, mode WrapupMode) {
	a.acwMode, a.acwUntil = mode, noInstant
	if limit > 0 {
		a.acwUntil = s.now + limit
	}
	s.setAgent(a, ACW, "", "")
	if limit > 0 {
		s.armWork(a, limit)
	}
	if !a.connected() {
		s.armGrace(a)
	}
}

func (s *state) wrapUpOver(a *agent, by string) {
	if a.next != "" && a.nextBy == "" {
		a.nextBy = by
	}
	s.released(a, false)
}

func (s *state) wrapUpDone(a *agent, ev *event) error {
	switch {
	case a.state != ACW:
		s.ignored(ev.kind, string(a.state), a, "")
		return wrongState(a, ErrWrongState)
	case a.acwMode == WrapupFixed:
		return wrongState(a, ErrWrongState)
	}
	s.wrapUpOver(a, "")
	return nil
}

func (s *state) wrapUpExtend(a *agent, ev *event) result {
	if a.state != ACW || a.acwUntil == noInstant || ev.dur <= 0 {
		return result{err: wrongState(a, ErrWrongState)}
	}
	a.acwUntil += ev.dur
	s.armWork(a, a.acwUntil-s.now)
	s.tell(effect{kind: fxAgentRow, a: a})
	return result{untilAt: a.acwUntil}
}

// deriveAfter is how long a state must have stood before the list of live calls may contradict it: the list may be older
// than the state.
const deriveAfter = 2 * time.Second

// derive compares the states that depend on a call with the calls there are (rule 5).
func (s *state) derive(ev *event) {
	for _, a := range s.agents {
		if a.since > ev.asOf-deriveAfter {
			continue
		}
		call := ev.live[a.login]
		switch {
		case a.state.onCall() && call != a.call:
			s.tell(effect{kind: fxSwept, a: a, call: a.call, reason: "contact"})
			s.contactEnded(a, &event{kind: evContactEnded, call: a.call})
		case call != "" && (a.state == Available && !a.rests || a.state == LostState):
			a.call, a.queue = call, nil
			if t := s.talks[call]; t != nil {
				s.join(a, t)
			}
			s.unpool(a)
			s.setAgent(a, Talking, "derived", "")
		}
	}
}
