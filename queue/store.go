package queue

import (
	"context"
	"encoding/json"
	"time"

	"hotline/telephony"
)

// Store keeps rows for the engine. PGStore is the real one. Save is called from one goroutine, the writer's; Load once,
// before the first Save.
type Store interface {
	// Load returns what a restarted engine needs. since bounds the finished rows that count for today's figures.
	Load(ctx context.Context, since time.Time) (Saved, error)
	// Save writes a batch in one transaction. Writing the same batch twice equals writing it once.
	Save(ctx context.Context, b Batch) error
}

// Saved is what Load found.
type Saved struct {
	NextRow   int64 // first free number for rows, offers and log lines
	NextOffer int64
	NextLog   int64
	Entries   []EntryRow // not ended
	Offers    []OfferRow // live when we went away
	Agents    []AgentRow
	Today     map[string]Figures // finished rows that entered since; by queue
}

// Batch is what changed since the last one: the newest state of each row, and log lines in order.
type Batch struct {
	Entries []EntryRow
	Offers  []OfferRow
	Agents  []AgentRow
	Log     []AgentLogRow
}

// EntryRow is a row of queue_entry: one stay of one call in one queue.
type EntryRow struct {
	ID       int64
	Call     telephony.CallID
	Queue    string
	Priority int
	Skills   map[string]int
	Lang     string
	Tag      string
	Prefer   string
	Later    bool
	Entered  time.Time
	Credit   time.Duration
	MaxUntil time.Time // zero: no limit
	State    EntryState
	Outcome  Outcome
	Reason   string
	Ended    time.Time
	Wait     time.Duration
	Agent    string // who answered
	Offers   int
}

// OfferRow is a row of queue_offer, with the reason of the decision.
type OfferRow struct {
	ID      int64
	Row     int64 // 0: direct offer
	Call    telephony.CallID
	Queue   string
	Agent   string
	State   OfferState
	Result  FailReason
	Made    time.Time
	Expires time.Time
	RangAt  time.Time
	TakenAt time.Time
	Ended   time.Time
	Why     json.RawMessage
}

// AgentRow is a row of agent_state: where an agent is now.
type AgentRow struct {
	Login      string
	State      AgentState
	Reason     string
	By         string
	Since      time.Time
	Next       AgentState
	NextReason string
	Until      time.Time
	Back       AgentState // state that returns after lost
	BackReason string
	Connection Connection
	Missed     int
	Call       telephony.CallID
	Queue      string
	Seen       time.Time // last change of anything here
}

// AgentLogRow is a row of agent_state_log, which is only ever appended to.
type AgentLogRow struct {
	ID     int64
	Login  string
	From   AgentState
	To     AgentState
	Reason string
	By     string
	At     time.Time
	Call   telephony.CallID
	Queue  string
	Offer  int64
}
