package queue

import (
	"time"

	"hotline/telephony"
)

// instant is a time inside the core: the monotonic distance from the engine's start, negative before it. A jump of the
// wall clock therefore moves no deadline (reliability R38).
type instant = time.Duration

type eventKind uint8

const (
	evTick eventKind = iota // time has passed; every event does this too
	evSetQueue
	evKeepQueues
	evSetAgents
	evKeepAgents
	evEnter
	evAdopt
	evKeepPlaces
	evDropPlace
	evLeave
	evRequeue
	evPriority
	evMove
	evPull
	evRemove
	evOfferRinging
	evOfferAccepted
	evOfferConnected
	evOfferFailed
	evOfferDirect
	evDialing
	evDialFailed
	evContact
	evContactEnded
	evAdoptTalk
	evWant
	evForce
	evConnection
	evFault
	evFixed
	evBusyOther
	evWrapUpDone
	evWrapUpExtend
	evLive
	evDay
)

var eventNames = [...]string{"tick", "set_queue", "keep_queues", "set_agents", "keep_agents", "enter", "adopt", "keep_places", "drop_place", "leave",
	"requeue", "priority", "move", "pull", "remove", "offer_ringing", "offer_accepted", "offer_connected", "offer_failed",
	"offer_direct", "dialing", "dial_failed", "contact", "contact_ended",
	"adopt_talk", "want", "force", "connection", "fault", "fixed",
	"busy_other", "wrapup_done", "wrapup_extend", "live", "day"}

func (k eventKind) String() string { return eventNames[k] }

// event is one input of the core. Which fields count depends on the kind; see commands.go.
type event struct {
	kind   eventKind
	flag   bool
	want   AgentState
	when   When
	conn   Connection
	op     ForceOp
	call   telephony.CallID
	row    int64
	agent  string
	queue  string
	by     string
	reason string
	offer  OfferID
	n      int
	dur    time.Duration
	since  instant // evEnter: begin of the wait; noInstant: now

	entry     *Entry
	queueCfg  *Queue
	agentCfgs []Agent
	keep      map[string]bool
	live      map[string]telephony.CallID // evLive: agent -> call
	asOf      instant                     // evLive: when the list was made
}

// noInstant stands for "not given".
const noInstant = instant(-1 << 63)

// result answers one event.
type result struct {
	err   error
	row   int64 // entry made or adopted
	place *Place
	offer Offer
	until time.Time

	offerRef *offer
	untilAt  instant
}
