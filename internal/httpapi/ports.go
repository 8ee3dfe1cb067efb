package httpapi

import (
	"context"
	"io"
	"time"

	"hotline/tickets"
)

// Live is the running system as far as the API shows it. The application implements it.
type Live interface {
	// Snapshot is what the socket topics carry: stat.queues, stat.agents, stat.calls under their short names.
	Snapshot(ctx context.Context) (any, error)
	// TrunkState tells how a trunk is doing; the zero state for one that is not running.
	TrunkState(name string) TrunkState
	// Flows lists the menus that are loaded, with their problems.
	Flows(ctx context.Context) ([]FlowInfo, error)
	// Dial begins a call of that agent to a customer, by the rules of the queue given (empty: found from the matter), and
	// returns once the agent is reserved and the call is on its way: what comes of it is told by the telephone's socket.
	// Errors are *Problem or those of tickets.
	Dial(ctx context.Context, login string, r tickets.DialRequest, queue string) (Dialled, error)
	// ConfigChanged says that settings of a kind were changed and committed; it must not block. See the Changed constants.
	ConfigChanged(kind string)
}

// Kinds of settings that ConfigChanged names.
const (
	ChangedAgents  = "agents"
	ChangedQueues  = "queues"
	ChangedTrunks  = "trunks"
	ChangedNumbers = "numbers"
)

// Dialled is a call that an agent has begun.
type Dialled struct {
	Call   string `json:"call" doc:"Key of the call"`
	Number string `json:"number" doc:"E.164"`
	Ext    string `json:"ext" doc:"Extension to be keyed after the answer; empty: none"`
	Name   string `json:"name" doc:"Of the contact; empty: nobody known"`
	Ticket string `json:"ticket" doc:"Number of the ticket that the call goes into; empty: none yet"`
}

// TrunkState is how a trunk is doing now.
type TrunkState struct {
	Registered bool       `json:"registered"`
	Since      *time.Time `json:"since" doc:"Of the registration, or of the failure"`
	Error      string     `json:"error" doc:"Why it is not registered; empty: no trouble"`
	Calls      int        `json:"calls"`
}

// Text is a text in both languages of the product.
type Text struct {
	RU string `json:"ru"`
	EN string `json:"en"`
}

// FlowInfo is a menu.
type FlowInfo struct {
	ID          string        `json:"id"`
	Title       Text          `json:"title"`
	Version     string        `json:"version"`
	Languages   []string      `json:"languages"`
	Problems    []FlowProblem `json:"problems"`
	LiveCallers int           `json:"live_callers"`
}

// FlowProblem is something wrong in a menu file, and how to mend it.
type FlowProblem struct {
	File     string `json:"file"`
	Line     int    `json:"line"`
	Col      int    `json:"col"`
	Code     string `json:"code"`
	Severity string `json:"severity"`
	Node     string `json:"node"`
	Msg      string `json:"msg"`
	Fix      string `json:"fix"`
}

// Recordings is what the API needs of the recordings. Errors: ErrNoRecording for an absent one.
type Recordings interface {
	// ForCall lists the recordings of a call, oldest first.
	ForCall(ctx context.Context, callID int64) ([]Recording, error)
	// Get reads one; the call it belongs to decides who may hear it.
	Get(ctx context.Context, id int64) (Recording, error)
	// Open opens the audio as a WAV file. The reader belongs to one request and is closed by it.
	Open(ctx context.Context, id int64) (io.ReadSeekCloser, Recording, error)
	// Peaks is the waveform.
	Peaks(ctx context.Context, id int64) (Peaks, error)
	// AccessLog lists who heard it, newest first.
	AccessLog(ctx context.Context, id int64) ([]Access, error)
	// LogAccess records that somebody hears it. It is called, and must succeed, before the first byte goes out.
	LogAccess(ctx context.Context, id, agentID int64, action, ip string) error
}

// ErrNoRecording says that there is no such recording, or that its audio is gone.
var ErrNoRecording = notFound("there is no such recording")

// Recording is a recorded talk or message.
type Recording struct {
	ID         int64      `json:"id"`
	CallID     int64      `json:"call_id"`
	Kind       string     `json:"kind" doc:"talk, voicemail"`
	State      string     `json:"state" doc:"recording, paused, ready, failed, deleted"`
	DurationMS int        `json:"duration_ms"`
	Channels   int        `json:"channels" doc:"1, or 2: caller left, agents right"`
	StartedAt  *time.Time `json:"started_at"`
	Bytes      int64      `json:"bytes" doc:"Of the WAV file"`
	ModTime    time.Time  `json:"-"` // of the audio; zero: unknown
}

// Peaks is a waveform: per channel the greatest amplitude (0 to 1) of each slice of time.
type Peaks struct {
	Channels  int         `json:"channels"`
	PerSecond int         `json:"per_second"`
	Data      [][]float32 `json:"data"`
}

// Access is one hearing of a recording.
type Access struct {
	At     time.Time `json:"at"`
	Login  string    `json:"login"`
	Name   string    `json:"name"`
	Action string    `json:"action" doc:"play, download"`
	IP     string    `json:"ip"`
}
