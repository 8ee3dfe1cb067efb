package aritest

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/coder/websocket"
)

// timeFormat is ARI's.
const timeFormat = "2006-01-02T15:04:05.000-0700"

func (s *Server) emit(app string, event map[string]any) {
	k := s.sockets[app]
	if k == nil || s.mute[event["type"].(string)] {
		return
	}
	if event["timestamp"] == nil {
		event["timestamp"] = time.Now().Format(timeFormat)
	}
	event["application"], event["asterisk_id"] = app, "fake"
	b, _ := json.Marshal(event)
	select {
	case k.send <- b:
	default:
		_ = k.c.CloseNow()
		delete(s.sockets, app)
	}
}

func (c *Channel) json() map[string]any {
	app := "Dial"
	if c.App != "" && c.State != "Ringing" && c.State != "Down" {
		app = "Stasis"
	}
	m := map[string]any{"id": c.ID, "name": c.Name, "state": c.State, "protocol_id": "call-" + c.ID, "caller": map[string]any{"name": "", "number": c.Number},
		"connected": map[string]any{"name": "", "number": ""}, "accountcode": "", "creationtime": time.Now().Format(timeFormat), "language": "en",
		"dialplan": map[string]any{"context": "in", "exten": c.Exten, "priority": 1, "app_name": app, "app_data": c.App}}
	if c.media != nil {
		a := c.media.LocalAddr().(*net.UDPAddr)
		m["channelvars"] = map[string]string{"UNICASTRTP_LOCAL_ADDRESS": a.IP.String(), "UNICASTRTP_LOCAL_PORT": fmt.Sprint(a.Port)}
	}
	return m
}

// events serves the event socket.
func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	app := r.URL.Query().Get("app")
	if c, ok := r.Context().Value(connKey{}).(*gatedConn); ok {
		c.socket.Store(s.half)
	}
	c, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{"ari"}})
	if err != nil {
		return
	}
	k := &socket{c: c, send: make(chan []byte, 1024), done: make(chan struct{})}
	s.mu.Lock()
	s.wg.Add(1)
	old := s.sockets[app]
	if old != nil {
		s.emit(app, map[string]any{"type": "ApplicationReplaced"})
		close(old.send)
	}
	s.sockets[app] = k
	s.mu.Unlock()
	defer s.wg.Done()
	gone := make(chan struct{})
	go func() { // joined below
		defer close(gone)
		for {
			if _, _, err := c.Read(r.Context()); err != nil {
				return
			}
		}
	}()
	defer func() {
		_ = c.CloseNow()
		<-gone
		s.mu.Lock()
		if s.sockets[app] == k {
			delete(s.sockets, app)
		}
		s.mu.Unlock()
	}()
	for {
		select {
		case b, more := <-k.send:
			if !more {
				return
			}
			if c.Write(r.Context(), websocket.MessageText, b) != nil {
				return
			}
		case <-gone:
			return
		}
	}
}

// path splits "/ari/channels/a%3Ab/moh" into its parts.
func path(r *http.Request) []string {
	var out []string
	for part := range strings.SplitSeq(strings.TrimPrefix(r.URL.EscapedPath(), "/ari/"), "/") {
		p, _ := url.PathUnescape(part)
		out = append(out, p)
	}
	return out
}
