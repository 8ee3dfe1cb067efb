package tickets

import "time"

// Levels of trust in a caller's number, from none to proof.
const (
	TrustWithheld = "withheld" // no number
	TrustClaimed  = "claimed"  // a header anyone can write: only proposes
	TrustAsserted = "asserted" // by a trunk we trust for it
	TrustVerified = "verified" // PIN, one-time code, the agent's confirmation
)

// CallParty is what the signalling said about the caller of a call (for outbound calls: about the called side).
type CallParty struct {
	Raw       string // number as signalled; empty when withheld
	Name      string // the caller's own words: text, never an identity
	Trust     string // see the constants; empty reads as withheld
	Region    string // the trunk's default region (ISO 3166); empty: the engine's
	AreaCode  string // the trunk's area code for local numbers
	BareCodes bool   // the trunk sends country codes without a plus (N5)
	Withheld  bool   // the caller asked not to be shown, or signalling privacy without a trusted assertion
	Called    string // our number that was dialled
	Trunk     string
	Diversion []string // numbers that forwarded the call, newest first; text, not trusted

	// From the menu.
	IVRTicketNumber string // ticket number keyed or spoken by the caller
	Verified        bool   // PIN or one-time code given
}

// CallFacts is a call as the engine is told about it: once when an agent answered (CallAnswered), once when it is over
// (CallEnded). Times that did not happen are zero. Telling it again changes nothing.
type CallFacts struct {
	Key       string // one key for the whole call, over transfers and restarts
	PBX       string // empty: hotline
	Direction string // in, out, internal
	Party     CallParty

	Team         string // name of the team; empty: by the dialled number's channel, else the agent's, else the first of line 1
	Queue        string
	Agent        string // login of the agent who talked, or dialled
	FromTicket   string // number of the ticket it was dialled from: click to call, callback task (A1)
	FromCallback int64  // the callback that the call took (TakeCallback); 0: none
	Dialled      bool   // outbound: the customer's number was called. False: the call broke off before that
	NoTicket     bool   // survey and the like: never a ticket (A0a)
	Lang         string

	StartedAt  time.Time
	QueuedAt   time.Time // reached a queue
	AnsweredAt time.Time // an agent (outbound: the customer) answered; not the menu
	EndedAt    time.Time

	Disposition string // answered, abandoned_ivr, abandoned_queue, no_answer, busy, rejected, voicemail, callback, failed
	WaitMS      int
	TalkMS      int
	HoldMS      int
	// ShortAbandonMS: hanging up in the queue earlier makes no ticket (A10). 0: 5000.
	ShortAbandonMS int
	VoicemailMS    int    // length of the message left (A14)
	CallbackNumber string // number to call back, when the caller keyed another one
	Note           string // the agent's note: becomes the text of the call's entry
	Result         string // wrap-up result key
}

// Link is the outcome of the decision about a call.
type Link struct {
	CallID     int64      `json:"call_id"`
	Rule       string     `json:"rule"`
	State      string     `json:"state"` // open, proposed, confirmed, none
	Ticket     *TicketRef `json:"ticket"`
	MatchLevel string     `json:"match_level"`
	MatchRule  string     `json:"match_rule"`
	ContactID  int64      `json:"contact_id"` // 0: none
	OrgID      int64      `json:"org_id"`     // 0: none
	Created    bool       `json:"created"`    // the call made its ticket
	Missed     bool       `json:"missed"`
	CallbackID int64      `json:"callback_id"` // waiting callback of the number; 0: none
	Reason     Text       `json:"reason"`
}
