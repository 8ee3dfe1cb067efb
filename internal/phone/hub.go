package phone

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/coder/websocket"
	"github.com/prometheus/client_golang/prometheus"

	"hotline/telephony"
)

// Config says how a Hub works. Zero durations mean the defaults of agent-desk section 1.
type Config struct {
	Heartbeat time.Duration // interval of the page's pings; told to the page; 0: 5 s
	Lost      time.Duration // a page silent for so long is lost; 0: 10 s
	Grace     time.Duration // how long a lost page's call waits; told to the page; 0: 30 s

	Media        Media         // required
	Desk         Desk          // required
	Authenticate Authenticator // required
	// OnShift says whether the agent may attach media now; nil: owning the sound is enough. It must be quick.
	OnShift func(login string) bool
	// Origins are further origins whose pages may connect ("https://desk.example"); the request's own host always may.
	Origins []string

	Now        func() time.Time // nil: time.Now
	Log        *slog.Logger     // nil: discarded
	Registerer prometheus.Registerer
}

// Hub serves the sockets of all agents' and supervisors' pages.
type Hub struct {
	cfg Config
	log *slog.Logger
	now func() time.Time
	m   *metrics

	helloLimit time.Duration

	work     context.Context // of requests; canceled when Shutdown gives up waiting
	stopWork context.CancelFunc
	stop     chan struct{} // closed by Shutdown: the background goroutines end

	presences  presences
	figures    figures
	background sync.WaitGroup

	mu       sync.Mutex // guards what follows; taken before session.mu
	sessions map[string]*session
	sockets  map[*socket]struct{}
	closing  bool
	open     sync.WaitGroup // sockets being served; Add only under mu while !closing
}

// NewHub makes a hub and starts its three background goroutines; Shutdown ends them. It panics when a required part is
// missing or the metrics are registered already: programming mistakes.
func NewHub(cfg Config) *Hub {
	if cfg.Media == nil || cfg.Desk == nil || cfg.Authenticate == nil {
		panic("phone: NewHub needs Media, Desk and Authenticate")
	}
	setDefault(&cfg.Heartbeat, 5*time.Second)
	setDefault(&cfg.Lost, 10*time.Second)
	setDefault(&cfg.Grace, 30*time.Second)
	h := &Hub{cfg: cfg, log: cfg.Log, now: cfg.Now, m: newMetrics(cfg.Registerer), helloLimit: helloLimit, stop: make(chan struct{}),
		sessions: map[string]*session{}, sockets: map[*socket]struct{}{},
		presences: presences{dirty: map[string]struct{}{}, wake: make(chan struct{}, 1)},
		figures:   figures{topics: map[string]*figure{}, wake: make(chan struct{}, 1)}}
	if h.log == nil {
		h.log = slog.New(slog.DiscardHandler)
	}
	if h.now == nil {
		h.now = time.Now
	}
	h.work, h.stopWork = context.WithCancel(context.Background())
	h.background.Add(3)
	go h.runBeat()
	go h.runPresence()
	go h.runFigures()
	return h
}

func setDefault(d *time.Duration, def time.Duration) {
	if *d <= 0 {
		*d = def
	}
}

// Send sends an event to every tab of a login, numbered and kept for replay (60 s, 500 events). It never blocks. An
// event for a login without a session is dropped: the snapshot at its next hello tells the state.
func (h *Hub) Send(login, t string, d any) {
	s := h.find(login)
	if s == nil {
		return
	}
	data, err := json.Marshal(d)
	if err != nil {
		h.log.Error("encode event", "type", t, "agent", login, "err", err)
		return
	}
	h.m.events.Inc()
	s.send(h.now(), t, data)
}

// Logout closes every socket of a login with 4401 and forgets its session: signed out, or access taken away.
func (h *Hub) Logout(login string) {
	h.mu.Lock()
	s := h.sessions[login]
	delete(h.sessions, login)
	h.mu.Unlock()
	if s == nil {
		return
	}
	s.mu.Lock()
	for _, tb := range s.tabs {
		if tb.sock != nil {
			tb.sock.close(CloseNotLoggedIn, "signed out")
		}
	}
	s.mu.Unlock()
	h.presences.changed(login)
}

// Shutdown tells every page to come back after reconnectIn (server.drain), closes the sockets with 1012 and waits for
// all goroutines. When ctx ends first, running requests are canceled and its error is returned; what is left then ends
// by itself within the limits of a write and of the closing handshake, 5 s each.
func (h *Hub) Shutdown(ctx context.Context, reconnectIn time.Duration) error {
	d, _ := json.Marshal(map[string]any{"reconnect_in": reconnectIn.Milliseconds(), "why": "restart"})
	bye := eventFrame("server.drain", 0, false, d)
	h.mu.Lock()
	first := !h.closing
	h.closing = true
	for s := range h.sockets {
		s.put(bye)
		s.close(websocket.StatusServiceRestart, "restart")
	}
	h.mu.Unlock()
	if first {
		close(h.stop)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		h.open.Wait()
		h.background.Wait()
	}()
	defer h.stopWork()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("close the agents' sockets: %w", context.Cause(ctx))
	}
}

func (h *Hub) find(login string) *session {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.sessions[login]
}

// join puts a socket that said hello into its session, which is made if need be.
func (h *Hub) join(sock *socket, hi hello) (s *session, old *socket, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := h.now()
	if s = h.sessions[sock.who.Login]; s == nil {
		s = &session{login: sock.who.Login, id: telephony.NewID(now), seq: now.UnixMilli(), tabs: map[string]*tab{}}
		h.sessions[s.login] = s
	}
	old, ok = s.join(sock, hi, now)
	return s, old, ok
}

// runBeat is the beat goroutine: it judges heartbeats and forgets what is old.
func (h *Hub) runBeat() {
	defer h.background.Done()
	tick := time.NewTicker(min(time.Second, max(h.cfg.Lost/20, 5*time.Millisecond)))
	defer tick.Stop()
	for {
		select {
		case <-h.stop:
			return
		case <-tick.C:
			h.beat(h.now())
		}
	}
}

func (h *Hub) beat(now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for login, s := range h.sessions {
		if s.beat(now, h.cfg.Lost) {
			delete(h.sessions, login)
		}
		h.presences.changed(login)
	}
}
