package ivr

import (
	"log/slog"
	"time"

	"hotline/telephony"
)

// Caller is what is known about who calls when the run starts: facts and claims, never credentials.
type Caller struct {
	CallID     string          `json:"call_id,omitempty"` // for the log
	From       string          `json:"from"`              // E.164 or as signalled; empty when withheld
	Called     string          `json:"called"`            // the number dialled
	Trunk      string          `json:"trunk,omitempty"`
	Trust      telephony.Trust `json:"trust"`
	Anonymous  bool            `json:"anonymous,omitempty"`
	Mobile     bool            `json:"mobile,omitempty"`
	Lang       string          `json:"lang,omitempty"` // remembered for this number; empty: unknown
	CountToday int             `json:"count_today,omitempty"`
	LastTicket string          `json:"last_ticket,omitempty"` // only for a verified caller
	CustomerID string          `json:"customer_id,omitempty"`
	Name       string          `json:"name,omitempty"`
	VIP        bool            `json:"vip,omitempty"`
	Blocked    bool            `json:"blocked,omitempty"`
	Segment    string          `json:"segment,omitempty"`
}

// QueueInfo is what a flow may ask about a queue. Times are seconds.
type QueueInfo struct {
	Waiting  int `expr:"waiting" json:"waiting"`
	EWT      int `expr:"ewt" json:"ewt"` // expected wait; 0: none or unknown
	Ready    int `expr:"ready" json:"ready"`
	LoggedIn int `expr:"logged_in" json:"logged_in"`
	Longest  int `expr:"longest" json:"longest"`
}

// Sys is what a flow may ask about the server.
type Sys struct {
	Load     float64 `expr:"load" json:"load"` // busy lines / lines, 0..1
	Calls    int     `expr:"calls" json:"calls"`
	Degraded bool    `expr:"degraded" json:"degraded"`
}

// Env is the world of a run. Every field may be nil. The functions are called from the run's goroutine.
type Env struct {
	Now    func() time.Time            // nil: time.Now
	Queue  func(name string) QueueInfo // nil: staffed and empty
	Sys    func() Sys                  // nil: idle
	Record func(op string)             // start, stop, pause, resume: the action `record`, and pause/resume around secrets
	Log    *slog.Logger                // nil: slog.Default
	Trace  func(Step)                  // figures per node
}

// StepKind says what happened at a node.
type StepKind string

// Kinds of Step.
const (
	StepEntered StepKind = "entered"
	StepKey     StepKind = "key"     // a menu's key that is wired; Key says which
	StepTimeout StepKind = "timeout" // silence
	StepInvalid StepKind = "invalid" // a key or number that does not fit
	StepLeft    StepKind = "left"    // Exit says by what, Spent how long
	StepHungUp  StepKind = "hungup"
	StepError   StepKind = "error"
)

// Step is one fact for the figures per node. Keys are given for menus only: what is typed into an input never is.
type Step struct {
	At    time.Time
	Flow  string
	Node  string
	Kind  StepKind
	Key   string
	Exit  string
	Spent time.Duration // since the node was entered; only for left and hungup
}

// PathStep is one node of the way a caller took.
type PathStep struct {
	Flow string    `json:"flow"`
	Node string    `json:"node"`
	Exit string    `json:"exit,omitempty"` // empty: still there
	Key  string    `json:"key,omitempty"`  // menus only
	At   time.Time `json:"at"`
}
