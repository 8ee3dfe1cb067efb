package calllog

import (
	"encoding/json"
	"time"

	"hotline/telephony"
)

// Type says what a Record tells. The set is closed: call_event.type carries it.
type Type string

// Types of records, in the order a call may meet them.
const (
	TypeBegin      Type = "begin"      // Begin: a call arrived, or is about to be dialled
	TypeIdentified Type = "identified" // Identified: who it may be
	TypeDialled    Type = "dialled"    // a call out: the customer's number is being called
	TypeAnswered   Type = "answered"   // the customer's leg is connected: our 200 OK, or theirs
	TypeMenu       Type = "menu"       // MenuStep: a node was entered or left
	TypeMenuState  Type = "menu_state" // MenuState: the menu's run as it stands. Stays in the journal: it becomes no row
	TypeAdopted    Type = "adopted"    // the server came back to a call that its driver had kept up
	TypeQueued     Type = "queued"     // Queued: entered a queue
	TypeOffered    Type = "offered"    // Offered: an agent is reserved and rings
	TypeOfferEnded Type = "offer_ended"
	TypeConnected  Type = "connected" // Connected: customer and agent hear each other: the wait ends
	TypeHold       Type = "hold"
	TypeResumed    Type = "resumed"
	TypeAgentLost  Type = "agent_lost"
	TypeAgentBack  Type = "agent_back"
	TypeLeftQueue  Type = "left_queue" // LeftQueue: outcome of the wait other than connected
	TypeTalkEnded  Type = "talk_ended"
	TypeLegBegin   Type = "leg_begin"
	TypeLegEnd     Type = "leg_end"
	TypeRecording  Type = "recording" // a recording started, paused, resumed, closed or failed
	TypeMonitor    Type = "monitor"   // a supervisor began or ended listening, whispering, barging
	TypeVoicemail  Type = "voicemail"
	TypeTransfer   Type = "transfer"
	TypeNote       Type = "note" // the agent's words during the call
	TypeEnd        Type = "end"  // End: the terminal record
)

// Record is one fact about one call. It is never changed.
type Record struct {
	Seq  uint64           `json:"s"` // grows by one over the journal's life
	Call telephony.CallID `json:"c"`
	N    int              `json:"n"` // position inside the call, from 1
	At   time.Time        `json:"t"`
	Type Type             `json:"k"`
	Data json.RawMessage  `json:"d,omitempty"` // one of the structs below, by Type
}

// Direction of a call as seen from us.
type Direction string

// Directions.
const (
	In  Direction = "in"
	Out Direction = "out"
)

// Begin is the data of TypeBegin.
type Begin struct {
	Direction Direction       `json:"direction"`
	Driver    string          `json:"driver"` // native, asterisk
	Party     telephony.Party `json:"party"`
	Leg       telephony.LegID `json:"leg"`
	Ticket    string          `json:"ticket,omitempty"`   // dialled from this ticket (A1)
	Callback  int64           `json:"callback,omitempty"` // the callback that it keeps
	Agent     string          `json:"agent,omitempty"`    // a call out: who dials
}

// Identified is the data of TypeIdentified: the result of the caller look-up. It is a claim.
type Identified struct {
	E164  string `json:"e164,omitempty"`
	Ext   string `json:"ext,omitempty"`
	Level string `json:"level"` // match level of tickets.md 3.2
	Rule  string `json:"rule"`  // L0..L11
	Name  string `json:"name,omitempty"`
	Lang  string `json:"lang,omitempty"`
	// Ticket is the number the caller keyed in the menu; a claim like the rest.
	Ticket string `json:"ticket,omitempty"`
}

// MenuStep is the data of TypeMenu. Digits typed into inputs are never in it, only the key of a menu choice.
type MenuStep struct {
	Flow    string `json:"flow"`
	Version string `json:"version,omitempty"`
	Node    string `json:"node"`
	Exit    string `json:"exit,omitempty"`
	Key     string `json:"key,omitempty"`
	// Label is the node's title per language, for people who read the path later, when the menu may have changed.
	Label map[string]string `json:"label,omitempty"`
}

// MenuState is the data of TypeMenuState: the run of the menu as plain data, for calls that outlive the server. Only who
// wrote it can read it.
type MenuState struct {
	Run json.RawMessage `json:"run"`
}

// Queued is the data of TypeQueued.
type Queued struct {
	Queue    string         `json:"queue"`
	Priority int            `json:"priority"`
	Skills   map[string]int `json:"skills,omitempty"`
	Lang     string         `json:"lang,omitempty"`
	Credit   time.Duration  `json:"credit,omitempty"`
	Tag      string         `json:"tag,omitempty"` // reconnect, overflow
}

// Offered is the data of TypeOffered and, with Why, of TypeOfferEnded.
type Offered struct {
	Offer string `json:"offer"`
	Agent string `json:"agent"`
	Queue string `json:"queue,omitempty"`
	Why   string `json:"why,omitempty"` // connected, no_answer, rejected, unreachable, no_media, caller_left
}

// Connected is the data of TypeConnected.
type Connected struct {
	Agent string          `json:"agent"`
	Queue string          `json:"queue,omitempty"`
	Leg   telephony.LegID `json:"leg,omitempty"`
}

// LeftQueue is the data of TypeLeftQueue.
type LeftQueue struct {
	Queue   string `json:"queue"`
	Outcome string `json:"outcome"` // abandoned, timeout, full, no_agents, requeued
}

// LegBegin is the data of TypeLegBegin.
type LegBegin struct {
	Leg      telephony.LegID `json:"leg"`
	Role     string          `json:"role"` // customer, agent, consult, queue, ivr, voicemail, survey
	Agent    string          `json:"agent,omitempty"`
	Endpoint string          `json:"endpoint,omitempty"`
}

// LegEnd is the data of TypeLegEnd.
type LegEnd struct {
	Leg      telephony.LegID `json:"leg"`
	Answered *time.Time      `json:"answered,omitempty"`
	End      telephony.End   `json:"end"`
}

// RecordingNote is the data of TypeRecording.
type RecordingNote struct {
	ID   string `json:"id"`
	What string `json:"what"` // started, paused, resumed, closed, failed
	Why  string `json:"why,omitempty"`
}

// MonitorNote is the data of TypeMonitor.
type MonitorNote struct {
	Who  string `json:"who"`
	Mode string `json:"mode"` // listen, whisper, barge, ended
}

// TransferNote is the data of TypeTransfer. The number is the menu's, never a caller's input.
type TransferNote struct {
	To  string `json:"to"`
	Why string `json:"why"` // ringing, answered, busy, no_answer, failed
}

// VoicemailNote is the data of TypeVoicemail: first without a length when the message begins, then with it; while the
// caller speaks, with More.
type VoicemailNote struct {
	Queue  string        `json:"queue"`
	Length time.Duration `json:"length,omitempty"`
	More   bool          `json:"more,omitempty"`
}

// NoteText is the data of TypeNote.
type NoteText struct {
	Agent string `json:"agent"`
	Text  string `json:"text"`
}

// Finish is the data of TypeEnd: the whole call summed up, so that a reader of one record knows it all.
type Finish struct {
	End         telephony.End `json:"end"`
	Disposition string        `json:"disposition"` // values of call.disposition (tickets.md 2.3)
	State       State         `json:"state"`       // state before the end
	WaitMS      int64         `json:"wait_ms"`
	TalkMS      int64         `json:"talk_ms"`
	HoldMS      int64         `json:"hold_ms"`
	Agent       string        `json:"agent,omitempty"` // last agent who talked
	Queue       string        `json:"queue,omitempty"`
}

// State is the call's state (style.md section 4). Only this package changes it, by folding records.
type State string

// States of a call.
const (
	StateNew     State = "new"     // arrived, nothing heard yet
	StateMenu    State = "menu"    // the flow runs
	StateWaiting State = "waiting" // in a queue
	StateRinging State = "ringing" // an agent is offered the call; a call out: the customer's number is being called
	StateTalking State = "talking" // an agent, a number outside or the voicemail is connected
	StateEnded   State = "ended"   // terminal
)

// next is the table of allowed moves: from state by record to state. A type that is absent does not move the state.
var next = map[State]map[Type]State{
	StateNew: {
		TypeMenu: StateMenu, TypeQueued: StateWaiting, TypeConnected: StateTalking, TypeVoicemail: StateTalking,
		TypeTransfer: StateMenu, TypeDialled: StateRinging, TypeEnd: StateEnded,
	},
	StateMenu:    {TypeQueued: StateWaiting, TypeConnected: StateTalking, TypeVoicemail: StateTalking, TypeEnd: StateEnded},
	StateWaiting: {TypeOffered: StateRinging, TypeLeftQueue: StateMenu, TypeConnected: StateTalking, TypeEnd: StateEnded},
	StateRinging: {TypeOfferEnded: StateWaiting, TypeQueued: StateWaiting, TypeConnected: StateTalking, TypeLeftQueue: StateMenu, TypeEnd: StateEnded},
	StateTalking: {TypeTalkEnded: StateMenu, TypeQueued: StateWaiting, TypeMenu: StateMenu, TypeEnd: StateEnded},
	StateEnded:   {},
}

// Next gives the state after a record of type t, and whether it moves at all.
func (s State) Next(t Type) (State, bool) {
	n, ok := next[s][t]
	return n, ok
}
