package phone

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// Roles that matter here.
var (
	phoneRoles = []string{"agent", "supervisor", "admin"} // may connect
	mediaRoles = []string{"agent", "supervisor"}          // may own the sound and have calls
	bossRoles  = []string{"supervisor", "admin"}          // may monitor, command others, see callers' numbers live
)

// hello is the first frame of a page.
type hello struct {
	TabID   string `json:"tab_id"`
	LastSeq int64  `json:"last_seq"` // newest event the page has; 0: none
	Client  struct {
		Ver  string `json:"ver"`
		UA   string `json:"ua"`
		Lang string `json:"lang"`
	} `json:"client"`
	Owner     bool `json:"owner"`     // wants to own the sound
	Activated bool `json:"activated"` // had a click; for the Desk's ring election
}

// ServeHTTP turns the request into a socket and serves it until it closes. Refusals come as close codes, since a page
// cannot see the status of a failed upgrade. After Shutdown it answers 503.
func (h *Hub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	who, authErr := h.cfg.Authenticate(r)
	// The origin is checked below, where a page gets a close code instead of a silent failure.
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{Subprotocol}, InsecureSkipVerify: true})
	if err != nil {
		return // Accept has answered
	}
	conn.SetReadLimit(2 * maxFrame)
	who.TabID, who.Owner = "", false
	sock := newSocket(conn, who, h.now)
	if !h.enter(sock) {
		sock.stopWriting()
		_ = conn.Close(websocket.StatusServiceRestart, "restart")
		return
	}
	defer h.leave(sock)
	ctx := context.Background() // a hijacked request's context says nothing; the socket ends by closing it
	var wg sync.WaitGroup
	wg.Go(sock.write)
	switch {
	case !h.originAllowed(r):
		sock.close(CloseForbidden, "origin")
	case authErr != nil || who.Login == "":
		sock.close(CloseNotLoggedIn, "not signed in")
	case conn.Subprotocol() != Subprotocol:
		sock.close(CloseMalformed, "sub-protocol "+Subprotocol)
	case !who.Has(phoneRoles...):
		sock.close(CloseForbidden, "role")
	default:
		h.serve(ctx, sock, &wg)
	}
	sock.drain(ctx)
	wg.Wait()
}

// enter takes a place for a socket; false once closing.
func (h *Hub) enter(sock *socket) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closing {
		return false
	}
	h.open.Add(1)
	h.sockets[sock] = struct{}{}
	h.m.sockets.Inc()
	return true
}

func (h *Hub) leave(sock *socket) {
	h.mu.Lock()
	delete(h.sockets, sock)
	h.mu.Unlock()
	h.m.sockets.Dec()
	h.m.closed(sock.code)
	h.open.Done()
}

// serve reads the socket until it ends. The worker joins wg.
func (h *Hub) serve(ctx context.Context, sock *socket, wg *sync.WaitGroup) {
	timer := time.AfterFunc(h.helloLimit, func() { sock.close(CloseNoHello, "no hello") })
	defer timer.Stop()
	var s *session
	sock.read(ctx, func(f frame) bool {
		if s == nil {
			timer.Stop()
			s = h.greet(sock, f)
			if s == nil {
				return false
			}
			wg.Go(func() { h.runJobs(s, sock) })
			return true
		}
		s.saw(h.now())
		return h.take(s, sock, f)
	})
	if s == nil {
		return
	}
	close(sock.jobs)
	s.leave(sock, h.now())
	h.presences.changed(s.login)
	h.log.Debug("page left", "agent", s.login, "tab", sock.who.TabID, "code", int(sock.code), "why", sock.reason)
}

// greet takes the hello. It returns nil when the socket was closed instead.
func (h *Hub) greet(sock *socket, f frame) *session {
	var hi hello
	if f.T != "hello" || f.data(&hi) != nil || hi.TabID == "" || len(hi.TabID) > maxTabID {
		sock.close(CloseMalformed, "hello with a tab_id must come first")
		return nil
	}
	sock.who.TabID = hi.TabID
	if l := strings.ToLower(hi.Client.Lang); strings.HasPrefix(l, "ru") || strings.HasPrefix(l, "en") {
		sock.who.Lang = l[:2]
	}
	s, old, ok := h.join(sock, hi)
	if !ok {
		sock.close(CloseTooMany, fmt.Sprintf("more than %d tabs", maxTabs))
		return nil
	}
	if old != nil {
		old.close(CloseReplaced, "replaced by the same tab")
	}
	h.presences.changed(s.login)
	if f.ID != "" {
		sock.put(replyFrame(f.ID, nil, nil))
	}
	h.log.Debug("page came", "agent", s.login, "tab", hi.TabID, "client", fmt.Sprintf("%.40s", hi.Client.Ver))
	return s
}

// welcome asks the Desk for the state and sends it. The worker calls it before the first request.
func (h *Hub) welcome(s *session, sock *socket) {
	ctx, cancel := context.WithTimeout(h.work, requestLimit)
	defer cancel()
	who := sock.who
	who.Owner = s.owns(who.TabID)
	state, err := h.snapshot(ctx, who)
	if err != nil {
		h.log.Error("snapshot of a phone", "agent", s.login, "err", err)
		sock.close(websocket.StatusInternalError, "snapshot")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	h.m.resumed(sock.replay != nil)
	media := map[string]any{}
	_ = json.Unmarshal(state["media"], &media) // absent, or not an object: the hub's part alone
	if media == nil {
		media = map[string]any{}
	}
	media["owner"], media["owner_tab"] = s.owner == sock.who.TabID, s.owner
	add := map[string]any{"session": s.id, "now": h.now().UnixMilli(), "seq": sock.snapSeq, "media": media,
		"heartbeat_s": h.cfg.Heartbeat.Seconds()}
	if state["grace"] == nil {
		add["grace"] = map[string]any{"reattach_s": h.cfg.Grace.Seconds()}
	}
	for k, v := range add {
		state[k], _ = json.Marshal(v) // numbers, strings and what came out of JSON
	}
	d, err := json.Marshal(state)
	if err != nil {
		h.log.Error("snapshot of a phone", "agent", s.login, "err", err)
		sock.close(websocket.StatusInternalError, "snapshot")
		return
	}
	sock.welcome(eventFrame("welcome", 0, false, d))
}

// snapshot is Desk.Snapshot as a JSON object.
func (h *Hub) snapshot(ctx context.Context, who Who) (state map[string]json.RawMessage, err error) {
	defer h.recovered("snapshot", &err)
	v, err := h.cfg.Desk.Snapshot(ctx, who)
	if err != nil {
		return nil, err
	}
	b, err := json.Marshal(v)
	if err == nil {
		err = json.Unmarshal(b, &state)
	}
	if state == nil {
		state = map[string]json.RawMessage{}
	}
	return state, err
}

// originAllowed checks the Origin header: this host, or one of the configured. Without the header no browser is asking.
func (h *Hub) originAllowed(r *http.Request) bool {
	o := r.Header.Get("Origin")
	if o == "" {
		return true
	}
	u, err := url.Parse(o)
	if err != nil || u.Host == "" {
		return false
	}
	return strings.EqualFold(u.Host, r.Host) || slices.ContainsFunc(h.cfg.Origins, func(a string) bool {
		return strings.EqualFold(strings.TrimSuffix(a, "/"), u.Scheme+"://"+u.Host)
	})
}
