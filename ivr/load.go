package ivr

import (
	"log/slog"
	"time"
)

// Options says what a set is checked against and where its sound comes from. The zero value checks all but queues and
// has no sound beyond the set's own recordings.
type Options struct {
	Queues   map[string]bool   // known queues; nil: not checked
	Sounds   map[string]string // language -> folder of recorded fragments (layout of Asterisk's core sounds)
	Extra    string            // further folder searched for audio/<lang>/<id>.wav and music/<id>.wav; empty: none
	TTS      *TTSCommand       // nil: no speech synthesis
	CacheDir string            // rendered speech; empty: a folder hotline-speech in the system's temporary folder
	Now      func() time.Time  // nil: time.Now
	Log      *slog.Logger      // nil: slog.Default
}

// Route says what happens to a called number. Exactly one of Flow and Queue is set.
type Route struct {
	Number        string `json:"number"`
	Flow          string `json:"flow,omitempty"`
	Queue         string `json:"queue,omitempty"` // straight there, without a menu
	FallbackQueue string `json:"fallback_queue,omitempty"`
	MaxCalls      int    `json:"max_calls,omitempty"` // 0: no limit
	Lang          string `json:"lang,omitempty"`      // the route's default language; empty: the flow's
}

// FlowInfo describes one flow of a set for lists.
type FlowInfo struct {
	ID        string            `json:"id"`
	Kind      string            `json:"kind"` // inbound or subflow
	Title     map[string]string `json:"title"`
	Languages []string          `json:"languages"`
	Nodes     int               `json:"nodes"`
}
