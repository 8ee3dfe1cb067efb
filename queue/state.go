package queue

import (
	"time"

	"hotline/telephony"
)

// state is everything the engine knows. It is changed by step alone, which does no I/O, reads no clock and starts
// nothing: what the world must be told is in out. Records are reused, so a decision allocates nothing once warm.
type state struct {
	now instant
	day int // "today": how often midnight has passed

	queues  map[string]*queueState
	agents  map[string]*agent
	waiting map[telephony.CallID]*caller // with a place
	talks   map[telephony.CallID]*caller // answered; kept until the contact ends, for Requeue
	offers  map[OfferID]*offer

	skills   map[string]int32 // name -> number
	profiles map[string]*profile
	needs    map[string]*need
	unlinked map[string][]*agent // queue not there yet -> its members

	timers   timers
	arrivals uint64
	births   uint64

	nextRow   int64
	nextOffer OfferID

	connectLimit, returnGrace, adoptGrace instant

	dirty     []*queueState // positions to be told
	posArmed  bool
	posLast   instant
	sorted    []*caller     // scratch
	left      []*queueState // scratch
	keyBytes  []byte        // scratch
	reqs      []req         // scratch
	out       []effect
	dead      []*caller // to be reused when the effects have been read
	deadOff   []*offer
	freeCall  []*caller
	freeOffer []*offer
	audit     func(*caller, *agent, decision) // tests: judges each choice before it is made
	strict    bool                            // tests: panic on a move outside the tables
	saved     map[string]savedAgent
	today     map[string]Figures      // finished rows of queues that are not set yet
	parked    map[string][]savedEntry // rows of queues that are not set yet
	free      int                     // agents that could be offered a call this instant
}

func newState(connectLimit, returnGrace, adoptGrace time.Duration) *state {
	s := &state{
		queues: map[string]*queueState{}, agents: map[string]*agent{},
		waiting: map[telephony.CallID]*caller{}, talks: map[telephony.CallID]*caller{}, offers: map[OfferID]*offer{},
		skills: map[string]int32{}, profiles: map[string]*profile{}, needs: map[string]*need{},
		unlinked: map[string][]*agent{},
		nextRow:  1, nextOffer: 1, posLast: noInstant,
		connectLimit: connectLimit, returnGrace: returnGrace, adoptGrace: adoptGrace,
	}
	s.arm(timer{kind: tSweep}, sweepEvery)
	return s
}

// step applies what is due by now, then the event. s.out holds the effects until the next step.
func (s *state) step(ev *event, now instant) result {
	s.recycle()
	s.now = max(s.now, now) // an injected clock may jump back; ours does not
	s.fire()
	switch ev.kind {
	case evTick:
		return result{}
	case evSetQueue, evKeepQueues, evSetAgents, evKeepAgents, evDay:
		return s.stepSetup(ev)
	case evEnter, evAdopt, evKeepPlaces, evDropPlace, evLeave, evRequeue, evPriority, evMove, evPull, evRemove:
		return s.stepCaller(ev)
	case evOfferRinging, evOfferAccepted, evOfferConnected, evOfferFailed:
		return s.stepOffer(ev)
	case evLive:
		s.derive(ev)
		return result{}
	}
	a := s.agents[ev.agent]
	if a == nil {
		return result{err: ErrUnknownAgent}
	}
	return s.stepAgent(a, ev)
}

// recycle takes back what the last step ended.
func (s *state) recycle() {
	for _, c := range s.dead {
		epoch := c.epoch
		*c = caller{epoch: epoch, pos: -1}
		s.freeCall = append(s.freeCall, c)
	}
	for _, o := range s.deadOff {
		epoch := o.epoch
		*o = offer{epoch: epoch}
		s.freeOffer = append(s.freeOffer, o)
	}
	s.dead, s.deadOff = s.dead[:0], s.deadOff[:0]
	clear(s.out)
	s.out = s.out[:0]
}

// effectKind says what the world must be told.
type effectKind uint8

const (
	fxAgentMoved effectKind = iota // a went from -> to: a row, a log line, a change
	fxAgentRow                     // something else about a changed: a row, a change
	fxEntry                        // c has a new state: a row, a change
	fxOffer                        // o has a new state: a row
	fxPlace                        // tell c's call
	fxMoved                        // c goes on as c2
	fxIgnored                      // an event came too late or out of turn: a log line
	fxAgentNew                     // a exists now, offline
	fxAgentGone                    // a was forgotten
	fxAgentBack                    // a has its state from before a restart
	fxOrphan                       // a row of a queue that is gone
	fxQueueNew                     // queue exists now
	fxQueueGone                    // queue was removed
	fxIllegal                      // a move outside the tables was refused: an alarm
	fxSwept                        // the sweeper found something it should not: an alarm
)

// effect is one thing to tell. States are copied, since the records move on within one step.
type effect struct {
	kind       effectKind
	a          *agent
	c, c2      *caller
	o          *offer
	agentFrom  AgentState
	agentTo    AgentState
	reason, by string
	call       telephony.CallID
	queue      *queueState
	offer      OfferID
	entry      EntryState
	offerState OfferState
	event      EventKind
	do         Policy
	pos, count int
	what       eventKind
	saved      *savedEntry
}

// ignored notes an event that does not fit the state it met. Late events are normal; this is a line in the log.
func (s *state) ignored(what eventKind, stateName string, a *agent, call telephony.CallID) {
	s.out = append(s.out, effect{kind: fxIgnored, what: what, reason: stateName, a: a, call: call})
}
