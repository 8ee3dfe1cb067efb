package queue

import (
	"fmt"
	"time"
)

func (s *state) stepAgent(a *agent, ev *event) result {
	switch ev.kind {
	case evOfferDirect, evDialing, evContact, evAdoptTalk:
		if ev.call == "" {
			return result{err: ErrUnknownCall}
		}
	}
	switch ev.kind {
	case evOfferDirect:
		return s.directOffer(a, ev)
	case evDialing:
		return result{err: s.dialing(a, ev)}
	case evDialFailed:
		s.dialFailed(a, ev)
	case evContact:
		return result{err: s.contact(a, ev)}
	case evContactEnded:
		s.contactEnded(a, ev)
	case evAdoptTalk:
		return result{err: s.adoptTalk(a, ev)}
	case evWant:
		return result{err: s.want(a, ev.want, ev.reason, ev.by, ev.when)}
	case evForce:
		return result{err: s.force(a, ev)}
	case evConnection:
		s.connection(a, ev.conn)
	case evFault:
		s.fault(a, ev)
	case evFixed:
		if a.state == Fault {
			return result{err: s.apply(a, Available, "", "")}
		}
		s.ignored(ev.kind, string(a.state), a, "")
	case evBusyOther:
		return result{err: s.busyOther(a, ev)}
	case evWrapUpDone:
		return result{err: s.wrapUpDone(a, ev)}
	case evWrapUpExtend:
		return s.wrapUpExtend(a, ev)
	}
	return result{}
}

func wrongState(a *agent, err error) error {
	return fmt.Errorf("agent %s is %s: %w", a.login, a.state, err)
}

// setAgent moves an agent and writes the log line. Moves outside the table are our own mistakes.
func (s *state) setAgent(a *agent, to AgentState, reason, by string) {
	if !may(agentMoves, a.state, to) {
		s.illegal("agent "+a.login, string(a.state), string(to))
		return
	}
	s.unpool(a)
	from := a.state
	s.staff(a, from, to)
	a.state, a.reason, a.by, a.since = to, reason, by, s.now
	fx := effect{kind: fxAgentMoved, a: a, agentFrom: from, agentTo: to, reason: reason, by: by, call: a.call, queue: a.queue}
	if a.offer != nil {
		fx.offer = a.offer.id
	}
	s.tell(fx)
	if to == Offline {
		s.unserve(a)
	}
	if a.gone {
		switch {
		case to == Offline:
			s.dismiss(a)
		case !to.onCall() && to != Ringing && to != ACW:
			s.setAgent(a, Offline, "removed", "")
		}
	}
}

// illegal refuses a move outside the tables: our own mistake. Tests panic; a running centre raises an alarm and goes on.
func (s *state) illegal(who, from, to string) {
	if s.strict {
		panic(fmt.Sprintf("queue: %s: %s -> %s", who, from, to))
	}
	s.tell(effect{kind: fxIllegal, reason: who + ": " + from + " -> " + to})
}

// staff keeps the counts of signed-on and talking members per queue and skill profile.
func (s *state) staff(a *agent, from, to AgentState) {
	on, talk := 0, 0
	if from != Offline {
		on--
	}
	if to != Offline {
		on++
	}
	if from.onCall() {
		talk--
	}
	if to.onCall() {
		talk++
	}
	if on == 0 && talk == 0 {
		return
	}
	for i := range a.mems {
		a.mems[i].pool.staffed += on
		a.mems[i].pool.talking += talk
	}
}

// unserve gives the waiting callers whom nobody signed on could take any more their outcome, where the queue wants that.
func (s *state) unserve(a *agent) {
	for i := range a.mems {
		s.unserveQueue(a.mems[i].pool.q)
	}
}

func (s *state) unserveQueue(q *queueState) {
	if q.cfg.OnNoAgents == PolicyWait {
		return
	}
	for i := 0; i < len(q.busy); {
		l := q.busy[i].l
		if q.serveable(l.need) {
			i++
			continue
		}
		for len(l.heap) > 0 { // the last removal takes l out of q.busy
			s.endCaller(l.heap[0], OutFlowed, "no_agents", NoAgents, q.cfg.OnNoAgents)
		}
	}
}

func (s *state) armWork(a *agent, after time.Duration) {
	s.stopWork(a)
	a.workArmed = true
	s.arm(timer{kind: tWork, a: a, epoch: a.workEpoch}, after)
}

func (s *state) stopWork(a *agent) {
	a.workEpoch++
	if a.workArmed {
		s.timers.stale++
		a.workArmed = false
	}
}

func (s *state) armGrace(a *agent) {
	if a.graceArmed {
		return
	}
	a.graceArmed = true
	s.arm(timer{kind: tGrace, a: a, epoch: a.graceEpoch}, s.returnGrace)
}

func (s *state) stopGrace(a *agent) {
	a.graceEpoch++
	if a.graceArmed {
		s.timers.stale++
		a.graceArmed = false
	}
}

// workOver is the end of a rest or of wrap-up.
func (s *state) workOver(a *agent) {
	a.workArmed = false
	switch {
	case a.state == ACW:
		s.wrapUpOver(a, "")
	case a.state == Available && a.rests:
		a.rests = false
		s.tell(effect{kind: fxAgentRow, a: a})
		s.seekCall(a)
	}
}

// released sends an agent on after a ring, a talk or wrap-up: the next-state slot, lost, or available. keepIdle: the
// agent did nothing wrong and stays where it was in the order.
func (s *state) released(a *agent, keepIdle bool) {
	a.call, a.queue = "", nil
	a.rests = false
	s.stopWork(a)
	if !keepIdle {
		a.idle = s.now
	}
	if a.gone {
		a.next, a.nextReason, a.nextBy = Offline, "removed", ""
	}
	next, reason, by := a.next, a.nextReason, a.nextBy
	a.next, a.nextReason, a.nextBy = "", "", ""
	switch {
	case next != "":
		s.setAgent(a, next, reason, by)
	case !a.connected():
		s.lose(a, Available, "", "")
	default:
		s.becomeFree(a, "", "")
	}
}

// becomeFree makes the agent available and finds it a call.
func (s *state) becomeFree(a *agent, reason, by string) {
	s.setAgent(a, Available, reason, by)
	s.seekCall(a)
}

// lose moves an agent without connection to lost and remembers what returns with it.
func (s *state) lose(a *agent, back AgentState, reason, by string) {
	a.rests = false
	s.stopWork(a)
	if a.next != "" {
		back, reason, by = a.next, a.nextReason, a.nextBy
		a.next, a.nextReason, a.nextBy = "", "", ""
	}
	if back == Offline {
		s.setAgent(a, Offline, reason, by)
		return
	}
	a.back, a.backReason, a.backBy = back, reason, by
	s.setAgent(a, LostState, "connection", "")
	s.armGrace(a)
}

// connection is the other fact about an agent. In a talk it only warns: sound may flow on without the socket.
func (s *state) connection(a *agent, c Connection) {
	if a.conn == c {
		return
	}
	a.conn = c
	s.judge(a)
}

// judge draws the consequences of a connection that came or went, or of another kind of phone.
func (s *state) judge(a *agent) {
	if a.connected() {
		s.stopGrace(a)
		if a.state == LostState {
			s.comeBack(a)
		} else {
			s.tell(effect{kind: fxAgentRow, a: a})
		}
		return
	}
	switch a.state {
	case Available:
		s.lose(a, Available, "", "")
	case Ringing:
		s.failOffer(a.offer, AgentLost)
	default:
		if a.state != Offline {
			s.armGrace(a)
		}
		s.tell(effect{kind: fxAgentRow, a: a})
	}
}

// comeBack restores the state from before the loss.
func (s *state) comeBack(a *agent) {
	back, reason, by := a.back, a.backReason, a.backBy
	a.back, a.backReason, a.backBy = "", "", ""
	if back == Paused {
		s.setAgent(a, Paused, reason, by)
		return
	}
	s.becomeFree(a, "", "")
}

// graceOver signs off an agent who did not come back. A talk goes on; its end arms the timer again.
func (s *state) graceOver(a *agent) {
	a.graceArmed = false
	switch {
	case a.connected() || a.state == Offline || a.state.onCall() || a.state == Ringing:
	case a.state == ACW:
		a.next, a.nextReason, a.nextBy = Offline, "connection", ""
		s.wrapUpOver(a, "")
	default:
		a.back, a.backReason, a.backBy = "", "", ""
		s.setAgent(a, Offline, "connection", "")
	}
}

// want is the agent's wish, or a supervisor's.
func (s *state) want(a *agent, want AgentState, reason, by string, when When) error {
	switch want {
	case "", Available, Paused, Offline:
	default:
		return fmt.Errorf("state %q cannot be asked for: %w", want, ErrWrongState)
	}
	if want == Paused && reason == "" {
		reason = "other" // a pause always has a reason
	}
	switch {
	case want == "":
		s.setNext(a, "", "", "")
	case a.state == Ringing || a.state.onCall():
		s.setNext(a, want, reason, by)
	case a.state == ACW:
		s.setNext(a, want, reason, by)
		if when != AfterCall && (a.acwMode == WrapupTimed || a.acwMode == WrapupOptional) {
			s.wrapUpOver(a, by)
		}
	default:
		return s.apply(a, want, reason, by)
	}
	return nil
}

// setNext fills the slot; available empties it.
func (s *state) setNext(a *agent, want AgentState, reason, by string) {
	if want == Available {
		want, reason, by = "", "", ""
	}
	a.next, a.nextReason, a.nextBy = want, reason, by
	s.tell(effect{kind: fxAgentRow, a: a})
}

// apply moves an agent who is in no call to the state asked for.
func (s *state) apply(a *agent, want AgentState, reason, by string) error {
	switch want {
	case Available:
		if !a.connected() {
			return wrongState(a, ErrNotConnected)
		}
		if a.state == Available {
			return nil
		}
		a.missed, a.idle = 0, s.now
		s.becomeFree(a, "", by)
	case Paused:
		switch {
		case a.state == LostState:
			a.back, a.backReason, a.backBy = Paused, reason, by
			s.tell(effect{kind: fxAgentRow, a: a})
		case a.state == Paused && a.reason == reason:
		default:
			s.endRest(a)
			s.setAgent(a, Paused, reason, by)
		}
	case Offline:
		if a.state != Offline {
			s.endRest(a)
			a.back, a.backReason, a.backBy = "", "", ""
			s.setAgent(a, Offline, reason, by)
		}
	}
	return nil
}

func (s *state) endRest(a *agent) {
	a.rests = false
	s.stopWork(a)
}

// fault is sound that does not work. In a talk that is the talk's business (lost_call).
func (s *state) fault(a *agent, ev *event) {
	switch a.state {
	case Available, LostState:
		s.endRest(a)
		a.back, a.backReason, a.backBy = "", "", ""
		s.setAgent(a, Fault, ev.reason, "")
		if !a.connected() {
			s.armGrace(a)
		}
	case Ringing:
		o := a.offer
		s.failOffer(o, NoMedia)
		a.reason = ev.reason
		s.tell(effect{kind: fxAgentRow, a: a})
	default:
		s.ignored(ev.kind, string(a.state), a, a.call)
	}
}

func (s *state) busyOther(a *agent, ev *event) error {
	switch {
	case ev.flag && a.state == Available:
		s.endRest(a)
		s.setAgent(a, BusyOther, "", "")
	case !ev.flag && a.state == BusyOther:
		if !a.connected() {
			s.setAgent(a, Offline, "connection", "")
			return nil
		}
		a.idle = s.now
		s.becomeFree(a, "", "")
	case ev.flag == (a.state == BusyOther):
	default:
		return wrongState(a, ErrWrongState)
	}
	return nil
}
