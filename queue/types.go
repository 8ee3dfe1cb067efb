package queue

import (
	"errors"
	"time"

	"hotline/telephony"
)

// Errors that callers branch on.
var (
	// ErrFull says that the queue holds max_len callers already. The row exists, with outcome flowed and reason full.
	ErrFull = errors.New("queue is full")
	// ErrNoAgents says that nobody signed on could take this call. The row exists, reason no_agents.
	ErrNoAgents = errors.New("no agents signed on")
	// ErrClosed says that the queue was closed by a supervisor or deleted. The row exists, reason closed.
	ErrClosed = errors.New("queue is closed")
	// ErrUnknownQueue says that no queue has this key. No row.
	ErrUnknownQueue = errors.New("unknown queue")
	// ErrUnknownAgent says that no agent has this login.
	ErrUnknownAgent = errors.New("unknown agent")
	// ErrUnknownCall says that the engine knows no such call, or not in a state that allows the request.
	ErrUnknownCall = errors.New("unknown call")
	// ErrAlreadyWaiting says that this call has a place already, with an owner.
	ErrAlreadyWaiting = errors.New("call is already waiting")
	// ErrOfferGone says that the offer is over: taken back, expired, or never made. Never an accident, often a race.
	ErrOfferGone = errors.New("offer is gone")
	// ErrWrongState says that the agent's state does not allow the request. The error's text names the state.
	ErrWrongState = errors.New("agent state does not allow this")
	// ErrNotConnected says that a browser agent without heartbeat asked to be available.
	ErrNotConnected = errors.New("agent is not connected")
	// ErrAgentBusy says that the agent asked for cannot take a call now.
	ErrAgentBusy = errors.New("agent cannot take a call now")
	// ErrStopped says that the engine does not run, or no more.
	ErrStopped = errors.New("queue engine is stopped")
	// ErrPlaceOver says that the place has ended and its last event was read.
	ErrPlaceOver = errors.New("place is over")
)

// Strategy says which of several free agents gets a caller. The order of callers is the same for all of them:
// priority class, effective wait, queue weight, arrival (design.md section 7).
type Strategy string

// Strategies.
const (
	LongestIdle Strategy = "longest_idle" // who has been free longest
	ByPriority  Strategy = "priority"     // highest level of membership in this queue, then longest idle
	BySkills    Strategy = "skills"       // highest sum of the levels the call asks for, then longest idle
)

// Policy says what becomes of a caller whom the queue cannot serve. The engine only reports it; the call's flow acts.
type Policy string

// Policies.
const (
	PolicyVoicemail Policy = "voicemail"
	PolicyHangup    Policy = "hangup"
	PolicyCallback  Policy = "callback"
	PolicyWait      Policy = "wait" // only for OnNoAgents: the caller waits all the same
)

// WrapupMode says how after-contact work ends (metrics.md section 6).
type WrapupMode string

// Wrap-up modes. A limit of zero seconds means no wrap-up in all modes but WrapupUntilDone.
const (
	WrapupTimed     WrapupMode = "timed"      // ends when done, at the limit, or when the agent asks for a state; the default
	WrapupOptional  WrapupMode = "optional"   // as timed, but a request for a state made during the talk skips it
	WrapupUntilDone WrapupMode = "until_done" // ends when done; no limit
	WrapupFixed     WrapupMode = "fixed"      // ends at the limit and not before
)

// Queue is the configuration of one queue, as the HTTP API shows it. Seconds are whole; zero means the default named.
type Queue struct {
	Key            string     `json:"key"`  // unique, never changes
	Name           string     `json:"name"` // empty: the key
	Strategy       Strategy   `json:"strategy"`
	RingTimeoutS   int        `json:"ring_timeout_s"`   // 0: 20
	WrapupS        int        `json:"wrapup_s"`         // 0: none
	WrapupMode     WrapupMode `json:"wrapup_mode"`      // empty: timed
	MaxWaitS       int        `json:"max_wait_s"`       // 0: no limit
	MaxLen         int        `json:"max_len"`          // 0: no limit
	OnTimeout      Policy     `json:"on_timeout"`       // empty: hangup
	OnFull         Policy     `json:"on_full"`          // empty: hangup
	OnNoAgents     Policy     `json:"on_no_agents"`     // empty: wait
	MOH            string     `json:"moh"`              // music on hold; empty: the product's own
	AnnounceFirstS int        `json:"announce_first_s"` // 0: no announcements
	AnnounceEveryS int        `json:"announce_every_s"` // 0: only the first
	Record         string     `json:"record"`           // always or never; empty: always
	RetentionDays  int        `json:"retention_days"`   // 0: the installation's default
	MaxMissed      int        `json:"max_missed"`       // 0: 1 for browser agents without heartbeat, 2 otherwise
	MissedRestS    int        `json:"missed_rest_s"`    // 0: 5
	SLThresholdS   int        `json:"sl_threshold_s"`   // 0: 20
	SLTarget       int        `json:"sl_target"`        // percent; 0: 80
	ShortAbandonS  int        `json:"short_abandon_s"`  // 0: 5
	Team           string     `json:"team"`
	Weight         int        `json:"weight"` // decides between callers of equal class and effective wait; higher first
	Closed         bool       `json:"closed"` // by a supervisor: nobody enters, those inside stay
	Version        int64      `json:"version"`
}

// AgentKind says what rings: a browser or a desk phone.
type AgentKind string

// Kinds of agents. The zero value is treated as Browser.
const (
	Browser AgentKind = "browser"
	Desk    AgentKind = "desk"
)

// Membership puts an agent into a queue. Level counts only for the strategy "priority": higher is asked first.
type Membership struct {
	Queue string `json:"queue"`
	Level int    `json:"level"`
}

// Agent is what the engine is told about an agent; states are its own.
type Agent struct {
	Login  string         `json:"login"`
	Kind   AgentKind      `json:"kind"`
	Skills map[string]int `json:"skills"` // level per skill, 1 and up; absent: not able
	Queues []Membership   `json:"queues"`
}

// Entry asks for a place in a queue.
type Entry struct {
	Call     telephony.CallID
	Queue    string
	Priority int            // class: higher goes first; limited to +-MaxPriority
	Skills   map[string]int // least level per skill; nil: any member may answer
	Lang     string
	Since    time.Time     // when the wait began; zero: now
	Credit   time.Duration // wait already served elsewhere; orders the caller, never counts in figures
	Prefer   string        // login of an agent who goes first for PreferFor; empty: nobody
	Front    bool          // head of the queue: the class above all that can be asked for
	Tag      string        // why it is here ("reconnect"); shown, stored, not judged
	MaxWait  time.Duration // zero: the queue's
	// Later says that the caller has waited in a queue before (transfer, requeue), so hanging up is never a short abandon.
	Later bool
}

// MaxPriority bounds Entry.Priority; the class above it belongs to callers put at the head of the queue.
const MaxPriority = 1000

// PreferFor is how long Entry.Prefer holds.
const PreferFor = 60 * time.Second

// OfferID names an offer for ever. Zero is no offer.
type OfferID int64

// Offer is an agent reserved for one call. The reservation holds until ExpiresAt at most.
type Offer struct {
	ID        OfferID
	Call      telephony.CallID
	Queue     string // empty for a direct offer
	Agent     string
	Kind      AgentKind
	RingFor   time.Duration // ring no longer than this
	ExpiresAt time.Time
	Waited    time.Duration // wait of the caller in this queue so far
	// Gone is closed when the offer is live no more, for whatever reason but its connection. Ring until then.
	Gone <-chan struct{}
}

// EventKind says what a Place reports.
type EventKind string

// Kinds of events of a place. Timeout, NoAgents and Closed are the last event of a place.
const (
	Offered   EventKind = "offered"   // ring Event.Offer.Agent now; stop the announcement, keep the music
	Withdrawn EventKind = "withdrawn" // that offer is over (Event.Reason); the place is kept
	Position  EventKind = "position"  // never grows for one caller
	Timeout   EventKind = "timeout"   // max_wait is over; act by Event.Do
	NoAgents  EventKind = "no_agents" // the last agent who could take this call signed off; act by Event.Do
	Closed    EventKind = "closed"    // the queue was deleted
	Moved     EventKind = "moved"     // a supervisor moved the call; Event.Queue is the new queue, the place goes on
	Removed   EventKind = "removed"   // a supervisor hung the call up
)

// Event is what a Place reports to its call.
type Event struct {
	Kind     EventKind
	Offer    Offer // Offered and Withdrawn
	Position int   // Position: 1 is next
	Waiting  int   // Position: callers in this queue
	Queue    string
	Do       Policy // Timeout, NoAgents
	Reason   string
}

// FailReason says why an offer did not become a talk.
type FailReason string

// Reasons of OfferFailed.
const (
	NoAnswer    FailReason = "no_answer"   // rang to the end: a miss
	Rejected    FailReason = "rejected"    // the agent declined: a miss
	Unreachable FailReason = "unreachable" // the phone could not be rung: a miss
	NoMedia     FailReason = "no_media"    // answered without sound: the agent goes to error
	CallerLeft  FailReason = "caller_left" // not the agent's doing; Place.Leave says how (abandoned if it does not within 5 s)
	AgentLost   FailReason = "agent_lost"  // set by the engine: heartbeat lost
	Expired     FailReason = "expired"     // set by the engine: nobody said how it ended
	Cancelled   FailReason = "cancelled"   // set by the engine: call moved, agent or queue removed
)

// Outcome is how a row of queue_entry ended: the buckets of metrics.md section 1.
type Outcome string

// Outcomes. The zero value means waiting (W).
const (
	OutAnswered  Outcome = "answered"  // A
	OutAbandoned Outcome = "abandoned" // B
	OutCallback  Outcome = "callback"  // C
	OutVoicemail Outcome = "voicemail" // V
	OutDeflected Outcome = "deflected" // D
	OutFlowed    Outcome = "flowed"    // F, with a reason
)

// LeaveReason is why the call gives up its place.
type LeaveReason string

// Reasons of Place.Leave. Everything unknown is stored as flowed with that reason.
const (
	LeftAbandoned   LeaveReason = "abandoned"   // hung up: B
	LeftCallback    LeaveReason = "callback"    // chose a callback: C
	LeftVoicemail   LeaveReason = "voicemail"   // V
	LeftDeflected   LeaveReason = "deflected"   // D
	LeftTransferred LeaveReason = "transferred" // F
	LeftFault       LeaveReason = "fault"       // F: our own trouble
)

// Connection is what the server knows of an agent's page or phone.
type Connection string

// Connections. The zero value is treated as None.
const (
	Online Connection = "online" // heartbeat younger than 10 s, or registered
	Lost   Connection = "lost"   // was there, is gone
	None   Connection = "none"   // never there, or closed on purpose
)

// When says when a requested state applies.
type When string

// Times of a request.
const (
	Now       When = "now"        // at once where possible, else as AfterCall
	AfterCall When = "after_call" // into the next-state slot during a call
)

// ForceOp is what a supervisor does to an agent.
type ForceOp string

// Operations of Force.
const (
	ForcePause   ForceOp = "pause"
	ForceResume  ForceOp = "resume"
	ForceOffline ForceOp = "offline"
	ForceACWEnd  ForceOp = "acw_end"
)
