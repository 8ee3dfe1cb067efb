package ivr

import (
	"time"

	"hotline/telephony"
)

// Kinds of Outcome.
const (
	KindQueue     = "queue"     // put the caller into Outcome.Queue; resume with one of Exits
	KindVoicemail = "voicemail" // take a message as Outcome.Voicemail says; resume with "done" or "empty"
	KindTransfer  = "transfer"  // connect to Outcome.Transfer; resume with "busy", "no_answer", "failed" or "after_call"
	KindEnd       = "end"       // the run is over: hang up unless the caller did
)

// Endings of a run, in Outcome.End. The first eight are the values of the step `end`.
const (
	EndCompleted   = "completed"
	EndSelfService = "self_service"
	EndDeflected   = "deflected"
	EndCallback    = "callback"
	EndVoicemail   = "voicemail"
	EndOverload    = "overload"
	EndRejected    = "rejected"
	EndError       = "error"
	EndAbandoned   = "abandoned" // the caller hung up in the menu, at Outcome.Node
	EndStopped     = "stopped"   // our context ended: draining
)

// Exits that a hand-over may come back by.
const (
	ExitTimeout   = "timeout"
	ExitFull      = "full"
	ExitNoAgents  = "no_agents"
	ExitAfterCall = "after_call" // the other side left first
	ExitDone      = "done"
	ExitEmpty     = "empty"
	ExitBusy      = "busy"
	ExitNoAnswer  = "no_answer"
	ExitFailed    = "failed"
)

// Outcome is what a run hands to its driver: work of another package, or the end. Exactly one of Queue, Voicemail and
// Transfer is set when Kind names it.
type Outcome struct {
	Kind      string        `json:"kind"`
	Flow      string        `json:"flow"`
	Node      string        `json:"node"`            // where the run stands
	Exits     []string      `json:"exits,omitempty"` // names that Resume accepts; a talk that the caller ends needs none
	Queue     *QueueReq     `json:"queue,omitempty"`
	Voicemail *VoicemailReq `json:"voicemail,omitempty"`
	Transfer  *TransferReq  `json:"transfer,omitempty"`
	End       string        `json:"end,omitempty"`    // set when Kind is end
	Detail    string        `json:"detail,omitempty"` // why, for errors; for the log, never a label
}

// Final reports whether the run is over.
func (o Outcome) Final() bool { return o.Kind == KindEnd }

// Exit reports whether name is an exit that Resume accepts.
func (o Outcome) Exit(name string) bool {
	for _, e := range o.Exits {
		if e == name {
			return true
		}
	}
	return false
}

// QueueReq asks for a place in a queue.
type QueueReq struct {
	Name     string           `json:"name"`
	Priority int              `json:"priority"`         // the step's, else what the action `priority` set
	Skills   map[string]int   `json:"skills,omitempty"` // skill -> lowest level; from the values of the listed variables
	MaxWait  time.Duration    `json:"max_wait"`         // 0: the queue's own setting
	Since    time.Time        `json:"since,omitzero"`   // first entry into this queue in this call: re-entering keeps it
	Lang     string           `json:"lang"`
	MOH      telephony.Prompt `json:"-"` // looped
	Whisper  telephony.Prompt `json:"-"` // for the agent before the talk; no clips: none
	Announce Announce         `json:"announce"`
	Offers   []Offer          `json:"offers,omitempty"`
	Fallback bool             `json:"fallback,omitempty"` // the flow could not run: this is the route's fallback queue
}

// Announce says what a waiting caller is told and when. The zero value tells nothing.
type Announce struct {
	First       time.Duration `json:"first"`        // after entering; 0: never
	Every       time.Duration `json:"every"`        // 0: once
	PositionMax int           `json:"position_max"` // 0: the position is not told; deeper positions are not told either
	WaitRound   time.Duration `json:"wait_round"`   // 0: the wait is not told
	WaitMax     time.Duration `json:"wait_max"`     // above it "more than ..." is said
}

// Offer is a way out of the queue by a key.
type Offer struct {
	Key    string           `json:"key"`
	After  time.Duration    `json:"after"` // heard first after so long, then before every announcement while open
	Max    int              `json:"max"`   // heard at most so often in one call; 0: no limit
	Exit   string           `json:"exit"`  // for Resume
	Prompt telephony.Prompt `json:"-"`
}

// VoicemailReq asks for a message.
type VoicemailReq struct {
	Prompt     telephony.Prompt `json:"-"` // without the tone
	Max        time.Duration    `json:"max"`
	Min        time.Duration    `json:"min"`        // shorter is the exit "empty"
	Silence    time.Duration    `json:"silence"`    // ends the message
	Terminator string           `json:"terminator"` // key that ends it; empty: none
	Queue      string           `json:"queue"`      // whose message box
	Lang       string           `json:"lang"`
}

// TransferReq asks for a connection to a number outside.
type TransferReq struct {
	Number   string        `json:"number"`
	Ring     time.Duration `json:"ring"`
	CallerID string        `json:"caller_id,omitempty"` // empty: the trunk's
	Lang     string        `json:"lang"`
}
