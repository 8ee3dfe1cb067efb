// Package aritest is in charge of an Asterisk that does what a test tells it: a server that speaks as much of ARI as the
// driver uses, and every fault that a real one will not show on demand. It carries no audio; its external media channels
// have a socket that takes packets and says nothing.
package aritest

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"

	"github.com/coder/websocket"
)

// User and Secret are what the server takes unless told otherwise.
const (
	User   = "hotline"
	Secret = "test-secret"
)

// Server is a fake Asterisk. All methods may be called from any goroutine.
type Server struct {
	http *httptest.Server
	gate *gate // holds up everything
	half *gate // holds up event sockets

	mu       sync.Mutex // guards what follows
	secret   string
	version  string
	missing  map[string]bool
	sockets  map[string]*socket // by application
	channels map[string]*Channel
	bridges  map[string]*Bridge
	requests []string
	hook     func(r *http.Request) (status int, body string)
	mute     map[string]bool // event types that are not sent
	calls    int
	wg       sync.WaitGroup
}

// Channel is a channel as a test sees it.
type Channel struct {
	ID, Name, State string
	Number, Exten   string
	App             string // whose it is; empty: not in Stasis
	Vars            map[string]string
	Music           string // class that plays; empty: none
	Cause           string // with which it was hung up by request
	Endpoint        string // that was dialled
	media           net.PacketConn
}

// Bridge is a bridge as a test sees it.
type Bridge struct {
	ID, Type string
	Channels []string
}

type socket struct {
	c    *websocket.Conn
	send chan []byte // size 1024; full: the socket is closed, as Asterisk does
	done chan struct{}
}

// New starts a server. Close it.
func New() *Server {
	s := &Server{gate: newGate(), half: newGate(), secret: Secret, version: "22.10.1", missing: map[string]bool{}, sockets: map[string]*socket{}, channels: map[string]*Channel{},
		bridges: map[string]*Bridge{}, mute: map[string]bool{}}
	s.http = httptest.NewUnstartedServer(http.HandlerFunc(s.handle))
	s.http.Listener = &gatedListener{s.http.Listener, s.gate}
	s.http.Config.ConnContext = func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, connKey{}, c) }
	s.http.Start()
	return s
}

type connKey struct{}

// URL is the base of ARI.
func (s *Server) URL() string { return s.http.URL + "/ari" }

// Close ends everything.
func (s *Server) Close() {
	s.gate.set(false)
	s.half.set(false)
	s.CloseSockets()
	s.http.CloseClientConnections()
	s.http.Close()
	s.wg.Wait()
	s.Restart()
}

// Freeze stops everything, as SIGSTOP does: connections stay, nothing is answered.
func (s *Server) Freeze(on bool) { s.gate.set(on) }

// FreezeSockets makes the event sockets half-open, as a lost route does: they stay, but nothing is answered on them.
func (s *Server) FreezeSockets(on bool) { s.half.set(on) }

// SetSecret changes what the server takes.
func (s *Server) SetSecret(secret string) { s.mu.Lock(); defer s.mu.Unlock(); s.secret = secret }

// SetVersion changes what it says it is.
func (s *Server) SetVersion(v string) { s.mu.Lock(); defer s.mu.Unlock(); s.version = v }

// RemoveModule makes a module one that does not run.
func (s *Server) RemoveModule(name string) { s.mu.Lock(); defer s.mu.Unlock(); s.missing[name] = true }

// Hook sees every request first; a status other than 0 is the answer. It may block. nil: none.
func (s *Server) Hook(f func(r *http.Request) (status int, body string)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hook = f
}

// Mute keeps events of these types from being sent.
func (s *Server) Mute(types ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mute = map[string]bool{}
	for _, t := range types {
		s.mute[t] = true
	}
}

// CloseSockets closes all event sockets. What is in Asterisk stays.
func (s *Server) CloseSockets() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for app, k := range s.sockets {
		_ = k.c.CloseNow()
		delete(s.sockets, app)
	}
}

// Restart forgets all channels and bridges and closes the sockets.
func (s *Server) Restart() {
	s.CloseSockets()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.channels {
		c.end()
	}
	s.channels, s.bridges = map[string]*Channel{}, map[string]*Bridge{}
}

func (c *Channel) end() {
	if c.media != nil {
		_ = c.media.Close()
	}
}

// Replace takes an application over, as another node does that has the same name.
func (s *Server) Replace(app string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.emit(app, map[string]any{"type": "ApplicationReplaced"})
	if k := s.sockets[app]; k != nil {
		delete(s.sockets, app)
		close(k.send)
	}
}

// Connected reports whether an application has its socket.
func (s *Server) Connected(app string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sockets[app] != nil
}

// Queued tells how many events wait to be sent to an application.
func (s *Server) Queued(app string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if k := s.sockets[app]; k != nil {
		return len(k.send)
	}
	return 0
}

// Call has a caller come in. It gives the channel's id.
func (s *Server) Call(app, trunk, number, exten string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	c := &Channel{ID: fmt.Sprintf("1700000000.%d", s.calls), Name: fmt.Sprintf("PJSIP/%s-%08x", trunk, s.calls), State: "Ring", Number: number, Exten: exten, App: app,
		Vars: map[string]string{"CALLERID(num-pres)": "allowed_not_screened", "CHANNEL(audionativeformat)": "(alaw|ulaw)"}}
	s.channels[c.ID] = c
	s.emit(app, map[string]any{"type": "StasisStart", "args": []string{}, "channel": c.json()})
	return c.ID
}

// Leave ends a channel from the far side, with a cause of Q.850.
func (s *Server) Leave(id string, cause int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.channels[id]; c != nil {
		s.emit(c.App, map[string]any{"type": "ChannelHangupRequest", "cause": cause, "channel": c.json()})
		s.remove(c, cause)
	}
}

// remove forgets a channel and tells. The lock is held.
func (s *Server) remove(c *Channel, cause int) {
	delete(s.channels, c.ID)
	c.end()
	for _, b := range s.bridges {
		b.Channels = slices.DeleteFunc(b.Channels, func(id string) bool { return id == c.ID })
	}
	if c.State != "Ringing" && c.State != "Down" {
		s.emit(c.App, map[string]any{"type": "StasisEnd", "channel": c.json()})
	}
	if strings.HasPrefix(c.ID, c.App+":") { // only of those we made
		s.emit(c.App, map[string]any{"type": "ChannelDestroyed", "cause": cause, "cause_txt": "", "channel": c.json()})
	}
}

// Press presses a key on the far side's phone.
func (s *Server) Press(id, key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.channels[id]; c != nil {
		s.emit(c.App, map[string]any{"type": "ChannelDtmfReceived", "digit": key, "duration_ms": 0, "channel": c.json()})
	}
}

// Ring has a dialled channel ring.
func (s *Server) Ring(id string) { s.change(id, "Ringing") }

// Pick has a dialled channel answer.
func (s *Server) Pick(id string) {
	s.change(id, "Up")
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.channels[id]; c != nil {
		s.emit(c.App, map[string]any{"type": "StasisStart", "args": []string{}, "channel": c.json()})
	}
}

func (s *Server) change(id, state string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.channels[id]; c != nil {
		c.State = state
		s.emit(c.App, map[string]any{"type": "ChannelStateChange", "channel": c.json()})
	}
}

// Channel gives a copy; ok is false if it is not there.
func (s *Server) Channel(id string) (c Channel, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.channels[id]; p != nil {
		c, ok = *p, true
		c.Vars = maps.Clone(p.Vars)
	}
	return c, ok
}

// Channels gives the ids of all channels, sorted.
func (s *Server) Channels() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.channels))
}

// Bridges gives copies of all bridges.
func (s *Server) Bridges() []Bridge {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Bridge
	for _, id := range slices.Sorted(maps.Keys(s.bridges)) {
		b := *s.bridges[id]
		b.Channels = slices.Clone(b.Channels)
		out = append(out, b)
	}
	return out
}

// SetVariable sets what a channel variable or function gives.
func (s *Server) SetVariable(id, name, value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.channels[id]; c != nil {
		c.Vars[name] = value
	}
}

// AddBridge puts a bridge there, as a leftover.
func (s *Server) AddBridge(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bridges[id] = &Bridge{ID: id}
}

// AddChannel puts a channel there without telling, as a leftover.
func (s *Server) AddChannel(c Channel) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.Vars == nil {
		c.Vars = map[string]string{}
	}
	s.channels[c.ID] = &c
}

// Requests gives what was asked for so far: method and path.
func (s *Server) Requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// Emit sends any event to an application.
func (s *Server) Emit(app string, event map[string]any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.emit(app, event)
}

// EmitFor sends an event about a channel.
func (s *Server) EmitFor(id, kind string, more map[string]any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.channels[id]; c != nil {
		e := map[string]any{"type": kind, "channel": c.json()}
		maps.Copy(e, more)
		s.emit(c.App, e)
	}
}
