package aritest

import (
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"
)

// handle serves one request.
func (s *Server) handle(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.requests = append(s.requests, r.Method+" "+strings.TrimPrefix(r.URL.EscapedPath(), "/ari"))
	hook := s.hook
	s.mu.Unlock()
	if hook != nil {
		if status, body := hook(r); status != 0 {
			w.WriteHeader(status)
			fmt.Fprint(w, body)
			return
		}
	}
	user, secret, _ := r.BasicAuth()
	s.mu.Lock()
	refused := user != User || secret != s.secret
	s.mu.Unlock()
	switch {
	case !strings.HasPrefix(r.URL.Path, "/ari/"):
		http.Error(w, "<html>Not Found</html>", http.StatusNotFound)
	case refused:
		answer(w, http.StatusUnauthorized, map[string]string{"message": "Authentication required"})
	case r.URL.Path == "/ari/events":
		s.events(w, r)
	default:
		status, body := s.serve(r)
		answer(w, status, body)
	}
}

func answer(w http.ResponseWriter, status int, body any) {
	if body == nil {
		w.WriteHeader(status)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

func problem(text string) map[string]string { return map[string]string{"message": text} }

var modules = []string{"app_stasis.so", "res_stasis.so", "res_stasis_answer.so", "res_ari_applications.so", "res_ari_bridges.so", "res_ari_channels.so", "res_ari_events.so",
	"chan_rtp.so", "res_rtp_asterisk.so", "bridge_simple.so", "res_musiconhold.so", "func_callerid.so", "func_channel.so"}

func (s *Server) serve(r *http.Request) (int, any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, q := path(r), r.URL.Query()
	switch p[0] {
	case "asterisk":
		switch p[1] {
		case "ping":
			return 200, map[string]string{"ping": "pong", "timestamp": time.Now().Format(timeFormat), "asterisk_id": "fake"}
		case "info":
			return 200, map[string]any{"system": map[string]string{"version": s.version}}
		case "modules":
			list := []any{}
			for _, m := range modules {
				if !s.missing[m] {
					list = append(list, map[string]any{"name": m, "status": "Running"})
				}
			}
			return 200, list
		}
	case "applications":
		if s.sockets[p[1]] == nil {
			return 404, problem("Application not found")
		}
		ids, bridges := []string{}, []string{}
		for _, c := range s.channels {
			if c.App == p[1] {
				ids = append(ids, c.ID)
			}
		}
		for id := range s.bridges {
			bridges = append(bridges, id)
		}
		return 200, map[string]any{"name": p[1], "channel_ids": ids, "bridge_ids": bridges}
	case "channels":
		return s.channel(r, p[1:], q.Get)
	case "bridges":
		return s.bridge(r, p[1:], q.Get)
	}
	return 404, problem("Resource not found")
}

func (s *Server) channel(r *http.Request, p []string, q func(string) string) (int, any) {
	switch {
	case len(p) == 0 && r.Method == "GET":
		list := []any{}
		for _, id := range slices.Sorted(maps.Keys(s.channels)) {
			list = append(list, s.channels[id].json())
		}
		return 200, list
	case len(p) == 0:
		var body struct{ Variables map[string]string }
		_ = json.NewDecoder(r.Body).Decode(&body)
		if strings.Contains(q("endpoint"), "nosuch") {
			return 500, map[string]string{"error": "Allocation failed"}
		}
		c := &Channel{ID: q("channelId"), Name: q("endpoint") + "-1", State: "Down", App: q("app"), Endpoint: q("endpoint"), Vars: map[string]string{"callerId": q("callerId"), "formats": q("formats")}}
		maps.Copy(c.Vars, body.Variables)
		s.channels[c.ID] = c
		return 200, c.json()
	case p[0] == "externalMedia":
		u, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			return 500, problem(err.Error())
		}
		c := &Channel{ID: q("channelId"), Name: "UnicastRTP/" + q("external_host"), State: "Up", App: q("app"), Vars: map[string]string{"format": q("format")}, media: u}
		s.channels[c.ID] = c
		s.emit(c.App, map[string]any{"type": "StasisStart", "args": []string{}, "channel": c.json()})
		return 200, c.json()
	}
	c := s.channels[p[0]]
	if c == nil && len(p) > 1 && p[1] == "variable" {
		return 404, problem("Provided channel was not found")
	}
	if c == nil {
		return 404, problem("Channel not found")
	}
	if len(p) == 1 {
		if r.Method == "DELETE" {
			c.Cause = q("reason_code")
			s.emit(c.App, map[string]any{"type": "ChannelHangupRequest", "cause": 32, "soft": true, "channel": c.json()})
			s.remove(c, 16)
			return 204, nil
		}
		return 200, c.json()
	}
	switch p[1] {
	case "variable":
		if r.Method == "POST" {
			c.Vars[q("variable")] = q("value")
			return 204, nil
		}
		v, there := c.Vars[q("variable")]
		if !there && strings.Contains(q("variable"), "(") {
			return 500, problem("Unable to read provided function")
		}
		if !there {
			return 404, problem("Provided variable was not found")
		}
		return 200, map[string]string{"value": v}
	case "answer":
		c.State = "Up"
		s.emit(c.App, map[string]any{"type": "ChannelStateChange", "channel": c.json()})
	case "moh":
		c.Music = ""
		if r.Method == "POST" {
			c.Music = q("mohClass")
		}
	case "dtmf":
		c.Vars["dtmf"] = q("dtmf")
	case "progress":
	default:
		return 404, problem("Resource not found")
	}
	return 204, nil
}

func (s *Server) bridge(r *http.Request, p []string, q func(string) string) (int, any) {
	if len(p) == 0 {
		list := []any{}
		for _, id := range slices.Sorted(maps.Keys(s.bridges)) {
			list = append(list, s.bridges[id].json())
		}
		return 200, list
	}
	if len(p) == 1 && r.Method == "POST" {
		b := &Bridge{ID: p[0], Type: q("type")}
		s.bridges[b.ID] = b
		return 200, b.json()
	}
	b := s.bridges[p[0]]
	if b == nil {
		return 404, problem("Bridge not found")
	}
	id := q("channel")
	switch {
	case len(p) == 1:
		delete(s.bridges, b.ID)
	case p[1] == "addChannel":
		if s.channels[id] == nil {
			return 400, problem("Channel not found")
		}
		for _, o := range s.bridges {
			o.Channels = slices.DeleteFunc(o.Channels, func(c string) bool { return c == id })
		}
		b.Channels = append(b.Channels, id)
	case p[1] == "removeChannel":
		if s.channels[id] == nil {
			return 400, problem("Channel not found")
		}
		if !slices.Contains(b.Channels, id) {
			return 422, problem("Channel not in this bridge")
		}
		b.Channels = slices.DeleteFunc(b.Channels, func(c string) bool { return c == id })
	}
	return 204, nil
}

func (b *Bridge) json() map[string]any {
	ids := b.Channels
	if ids == nil {
		ids = []string{}
	}
	return map[string]any{"id": b.ID, "technology": "simple_bridge", "bridge_type": "mixing", "bridge_class": "stasis", "creator": "Stasis", "name": "", "channels": ids}
}
