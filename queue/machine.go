package queue

// AgentState is the work state of an agent, the one shown. Who moves an agent there is said by the constant.
type AgentState string

// States of an agent (agent-desk.md section 7).
const (
	Offline    AgentState = "offline"    // the agent, a supervisor, or 60 s without connection
	Available  AgentState = "available"  // the agent, or the end of something; the only state that gets offers
	Ringing    AgentState = "ringing"    // the engine: an offer is live
	Dialing    AgentState = "dialing"    // the agent's own outbound try
	Talking    AgentState = "talking"    // an offer was connected, or the dialled side answered
	Held       AgentState = "held"       // the talk's flow
	Consulting AgentState = "consulting" // the talk's flow
	Conference AgentState = "conference" // the talk's flow
	ACW        AgentState = "acw"        // the end of a contact
	Paused     AgentState = "paused"     // the agent, a supervisor, or missed offers; always with a reason
	BusyOther  AgentState = "busy_other" // work on another channel
	LostState  AgentState = "lost"       // heartbeat lost while able to take calls; the last state returns within 60 s
	LostCall   AgentState = "lost_call"  // page or media gone in a talk
	Fault      AgentState = "error"      // microphone or media failed; the reason is exact
)

// AgentStates lists all states of an agent, in the order they are shown.
var AgentStates = []AgentState{Offline, Available, Ringing, Dialing, Talking, Held, Consulting, Conference, ACW, Paused,
	BusyOther, LostState, LostCall, Fault}

// agentMoves are the allowed moves of an agent. doc.go has the same table and migration 0020 the same CHECK; a test
// compares the three. A state may follow itself only where it is listed (another pause reason).
var agentMoves = map[AgentState][]AgentState{
	Offline:    {Available, Paused},
	Available:  {Offline, Ringing, Dialing, Talking, Paused, BusyOther, LostState, Fault},
	Ringing:    {Offline, Available, Talking, Paused, LostState, Fault},
	Dialing:    {Offline, Available, Talking, ACW, Paused, LostState},
	Talking:    {Offline, Available, Held, Consulting, Conference, ACW, Paused, LostState, LostCall},
	Held:       {Offline, Available, Talking, Consulting, Conference, ACW, Paused, LostState, LostCall},
	Consulting: {Offline, Available, Talking, Held, Conference, ACW, Paused, LostState, LostCall},
	Conference: {Offline, Available, Talking, Held, ACW, Paused, LostState, LostCall},
	ACW:        {Offline, Available, Paused, LostState},
	Paused:     {Offline, Available, Dialing, Talking, Paused},
	BusyOther:  {Offline, Available, Talking, Paused},
	LostState:  {Offline, Available, Talking, Paused, Fault},
	LostCall:   {Offline, Available, Talking, ACW, Paused, LostState, Fault},
	Fault:      {Offline, Available, Paused},
}

// onCall reports whether the state depends on a live call: it is derived from the calls, not remembered.
func (s AgentState) onCall() bool {
	switch s {
	case Dialing, Talking, Held, Consulting, Conference, LostCall:
		return true
	}
	return false
}

// OfferState is the state of one offer.
type OfferState string

// States of an offer. Made, OfferRings and OfferTaken are live; the others are final.
const (
	OfferMade      OfferState = "made"      // the engine: agent reserved
	OfferRings     OfferState = "ringing"   // the agent's phone rings
	OfferTaken     OfferState = "accepted"  // answered, sound not yet up
	OfferJoined    OfferState = "connected" // bridged: the wait ends here
	OfferMissed    OfferState = "missed"    // no answer, unreachable or expired: the agent's miss
	OfferRefused   OfferState = "refused"   // rejected: the agent's miss
	OfferFailed    OfferState = "failed"    // answered without sound
	OfferWithdrawn OfferState = "withdrawn" // caller left, agent lost, cancelled
)

// OfferStates lists all states of an offer.
var OfferStates = []OfferState{OfferMade, OfferRings, OfferTaken, OfferJoined, OfferMissed, OfferRefused, OfferFailed,
	OfferWithdrawn}

var offerMoves = map[OfferState][]OfferState{
	OfferMade:      {OfferRings, OfferTaken, OfferJoined, OfferMissed, OfferRefused, OfferFailed, OfferWithdrawn},
	OfferRings:     {OfferTaken, OfferJoined, OfferMissed, OfferRefused, OfferFailed, OfferWithdrawn},
	OfferTaken:     {OfferJoined, OfferMissed, OfferRefused, OfferFailed, OfferWithdrawn},
	OfferJoined:    {},
	OfferMissed:    {},
	OfferRefused:   {},
	OfferFailed:    {},
	OfferWithdrawn: {},
}

// live reports whether the offer holds an agent.
func (s OfferState) live() bool { return s == OfferMade || s == OfferRings || s == OfferTaken }

// EntryState is the state of one row of queue_entry.
type EntryState string

// States of an entry. Only ended is final, and exactly then there is an outcome.
const (
	EntryParked  EntryState = "parked"  // keeps its place, gets no offer: rebuilt after a restart and not yet adopted, or leaving
	EntryWaiting EntryState = "waiting" // may be offered
	EntryOffered EntryState = "offered" // an offer is live
	EntryEnded   EntryState = "ended"   // has an outcome
)

// EntryStates lists all states of an entry.
var EntryStates = []EntryState{EntryParked, EntryWaiting, EntryOffered, EntryEnded}

var entryMoves = map[EntryState][]EntryState{
	EntryParked:  {EntryWaiting, EntryEnded},
	EntryWaiting: {EntryParked, EntryOffered, EntryEnded},
	EntryOffered: {EntryParked, EntryWaiting, EntryEnded},
	EntryEnded:   {},
}

// may reports whether moves allows from -> to.
func may[S comparable](moves map[S][]S, from, to S) bool {
	for _, s := range moves[from] {
		if s == to {
			return true
		}
	}
	return false
}
