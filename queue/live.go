package queue

import (
	"context"
	"time"

	"hotline/telephony"
)

// Snapshot is the whole live picture at one moment. Seq is the number of the last change it contains.
type Snapshot struct {
	Seq     uint64
	At      time.Time
	Queues  []QueueStat
	Agents  []AgentStat
	Waiting []WaitingCall
}

// QueueStat are the figures of one queue, formulas of metrics.md. Pointers are nil for "no data" (0/0).
type QueueStat struct {
	Key       string
	Name      string
	Waiting   int           // not yet bridged, being offered included
	Longest   time.Duration // longest wait of those waiting; 0 with nobody waiting
	OverSL    int           // waiting longer than the threshold already
	Available int           // free now
	Talking   int           // in a contact of any queue: talking, held, consulting, conference, lost_call
	Staffed   int           // every member but the offline ones
	Today     Figures
	SL        *float64 // percent, SL2: A_T / (A + B)
	Abandon   *float64 // percent, AB1: B / E
	ASA       *time.Duration
}

// AgentStat is one agent as shown to supervisors.
type AgentStat struct {
	Login      string
	Kind       AgentKind
	State      AgentState
	Reason     string // of a pause, an error, a lost connection
	By         string // who set it; empty: the system
	Since      time.Time
	Next       AgentState // next-state slot; empty: none
	NextReason string
	Until      time.Time // end of wrap-up or of the rest after a miss; zero: none
	Call       telephony.CallID
	Queue      string // of the call
	Online     bool
	Missed     int // in a row
	Queues     []string
}

// WaitingCall is one caller with a place.
type WaitingCall struct {
	Call     telephony.CallID
	Queue    string
	Priority int
	Lang     string
	Tag      string
	Since    time.Time
	Credit   time.Duration
	State    EntryState
	Agent    string // being offered to
	Position int    // 1 is next
}

// Change is one step of the live picture. Exactly one of Agent and Entry is set.
type Change struct {
	Seq   uint64
	At    time.Time
	Agent *AgentChange
	Entry *EntryChange
}

// AgentChange tells that an agent moved.
type AgentChange struct {
	AgentStat
	From AgentState
}

// EntryChange tells that a caller came, is offered, waits again, or is gone (Outcome set).
type EntryChange struct {
	WaitingCall
	Outcome Outcome
	Reason  string
	Wait    time.Duration // with an outcome
}

// Subscription delivers changes in order.
type Subscription struct {
	// Snapshot is the picture the changes start from.
	Snapshot Snapshot
	// C delivers each change once. It is closed by Close, when the engine stops, and when the reader is so slow that the
	// buffer is full: Lagged is true then and the reader subscribes again.
	C <-chan Change

	eng    *Engine
	c      chan Change
	lagged bool // written before C is closed
}

// Lagged reports, after C was closed, whether the reader was too slow.
func (s *Subscription) Lagged() bool { return s.lagged }

// Close ends the subscription. Idempotent.
func (s *Subscription) Close() { _ = s.eng.read(context.Background(), func() { s.eng.unsubscribe(s) }) }

// Subscribe returns the present picture and a channel of buffer changes (0: 1024) that follow it without a gap.
func (e *Engine) Subscribe(ctx context.Context, buffer int) (*Subscription, error) {
	if buffer <= 0 {
		buffer = 1024
	}
	s := &Subscription{eng: e, c: make(chan Change, buffer)}
	s.C = s.c
	err := e.read(ctx, func() {
		s.Snapshot = e.snapshot()
		e.subs[s] = struct{}{}
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Snapshot returns the whole live picture.
func (e *Engine) Snapshot(ctx context.Context) (Snapshot, error) {
	var s Snapshot
	err := e.read(ctx, func() { s = e.snapshot() })
	return s, err
}
