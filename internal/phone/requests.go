package phone

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"time"
)

// requestLimit ends a request that Desk or Media do not finish.
const requestLimit = 10 * time.Second

// commands are the requests the Desk serves, with the roles that may make them. The Desk may refuse more.
var commands = func() map[string][]string {
	m := map[string][]string{}
	for _, t := range strings.Fields(`agent.set media.stats media.device call.dial call.answer call.reject call.hangup
		call.ring_state call.mute call.hold call.dtmf call.transfer call.consult call.record call.link wrapup.save
		wrapup.extend help.ask echo.start echo.stop`) {
		m[t] = mediaRoles
	}
	for _, t := range strings.Fields(`monitor.start monitor.mode monitor.stop monitor.takeover sup.agent sup.call`) {
		m[t] = bossRoles
	}
	return m
}()

// take is the reader's part of a frame: limits, heartbeats, repeated requests; the rest goes to the worker. It returns
// false when it closed the socket.
func (h *Hub) take(s *session, sock *socket, f frame) bool {
	if f.T == "media.cand" {
		if sock.cands.Add(1) > candsPerTry {
			sock.close(CloseTooMany, "too many candidates")
			return false
		}
	} else if !sock.limit.Allow() {
		sock.close(CloseTooMany, "too many messages")
		return false
	}
	if f.T == "ping" {
		h.pong(sock, f)
		return true
	}
	if f.ID != "" {
		stored, fresh := s.begin(sock.tab, f.ID, h.now())
		if !fresh {
			h.m.requests.WithLabelValues("repeated").Inc()
			if stored != nil {
				sock.put(stored)
			}
			return true
		}
	}
	select {
	case sock.jobs <- f:
	default:
		h.m.requests.WithLabelValues("busy").Inc()
		if f.ID != "" {
			s.finish(sock.tab, f.ID, replyFrame(f.ID, nil, refuse(codeBusy)), false)
		}
	}
	return true
}

// pong answers a heartbeat, so that the page can judge the server by the same measure.
func (h *Hub) pong(sock *socket, f frame) {
	var p struct {
		T json.RawMessage `json:"t"`
	}
	_ = f.data(&p)
	d := map[string]any{"now": h.now().UnixMilli()}
	if len(p.T) > 0 && len(p.T) < 32 {
		d["t"] = p.T
	}
	if f.ID != "" {
		sock.put(replyFrame(f.ID, d, nil))
		return
	}
	b, _ := json.Marshal(d)
	sock.put(eventFrame("pong", 0, false, b))
}

// runJobs is the worker goroutine: the welcome, then the tab's requests in order, until the reader ended.
func (h *Hub) runJobs(s *session, sock *socket) {
	h.welcome(s, sock)
	for f := range sock.jobs {
		h.job(s, sock, f)
	}
}

func (h *Hub) job(s *session, sock *socket, f frame) {
	begin := time.Now()
	ctx, cancel := context.WithTimeout(h.work, requestLimit)
	defer cancel()
	who := sock.who
	who.Owner = s.owns(who.TabID)
	d, err := h.dispatch(ctx, s, sock, who, f)
	h.m.seconds.Observe(time.Since(begin).Seconds())
	var refused *Error
	if err != nil {
		var internal bool
		if refused, internal = refusalOf(err); internal {
			h.log.Error("request of a page", "type", f.T, "agent", s.login, "err", err)
			h.m.requests.WithLabelValues("error").Inc()
		} else {
			h.log.Debug("request refused", "type", f.T, "agent", s.login, "code", refused.Code)
			h.m.requests.WithLabelValues("refused").Inc()
		}
	} else {
		h.m.requests.WithLabelValues("ok").Inc()
	}
	if f.ID != "" {
		s.finish(sock.tab, f.ID, replyFrame(f.ID, d, refused), true)
	}
}

// dispatch serves one request.
func (h *Hub) dispatch(ctx context.Context, s *session, sock *socket, who Who, f frame) (d any, err error) {
	defer h.recovered(f.T, &err)
	switch f.T {
	case "tab.claim":
		return h.claim(s, who, f)
	case "sub":
		return h.subscribe(s, sock, who, f)
	case "media.attach", "media.offer", "media.cand", "media.detach":
		return h.media(ctx, s, sock, who, f)
	}
	roles, known := commands[f.T]
	switch {
	case !known:
		return nil, refuse(codeUnsupported)
	case !who.Has(roles...):
		return nil, refuse(codeForbidden)
	}
	return h.cfg.Desk.Command(ctx, who, f.T, f.D)
}

func (h *Hub) claim(s *session, who Who, f frame) (any, error) {
	var c struct {
		Steal bool `json:"steal"`
	}
	if err := f.data(&c); err != nil {
		return nil, err
	}
	if !who.Has(mediaRoles...) {
		return nil, refuse(codeForbidden)
	}
	if err := s.claim(who.TabID, c.Steal); err != nil {
		return nil, err
	}
	h.presences.changed(s.login)
	return map[string]any{"owner": true, "owner_tab": who.TabID}, nil
}

// media passes media.* frames on: only from the tab that owns the sound.
func (h *Hub) media(ctx context.Context, s *session, sock *socket, who Who, f frame) (any, error) {
	var m struct {
		SDP    string          `json:"sdp"`
		Epoch  int             `json:"epoch"`
		Codecs []string        `json:"codecs"`
		Cand   json.RawMessage `json:"cand"`
	}
	if err := f.data(&m); err != nil {
		return nil, err
	}
	switch {
	case !who.Has(mediaRoles...):
		return nil, refuse(codeForbidden)
	case !who.Owner:
		return nil, refuse(codeNotOwner)
	case f.T == "media.attach" && h.cfg.OnShift != nil && !h.cfg.OnShift(who.Login):
		return nil, refuse(codeNoShift)
	}
	switch f.T {
	case "media.attach":
		sdp, epoch, err := h.cfg.Media.Attach(ctx, who.Login, m.SDP, m.Codecs)
		if err != nil {
			return nil, err
		}
		s.attached(epoch)
		sock.cands.Store(0)
		return map[string]any{"epoch": epoch, "sdp": sdp}, nil
	case "media.offer":
		sdp, err := h.cfg.Media.Offer(ctx, who.Login, m.Epoch, m.SDP)
		if err != nil {
			return nil, err
		}
		return map[string]any{"sdp": sdp, "epoch": m.Epoch}, nil
	case "media.cand":
		cand, err := candidate(m.Cand)
		if err != nil {
			return nil, err
		}
		return nil, h.cfg.Media.Candidate(who.Login, m.Epoch, cand)
	default:
		h.cfg.Media.Detach(who.Login, m.Epoch)
		return nil, nil
	}
}

// candidate reads the field cand: null or absent ends the candidates, else a string or RTCIceCandidate.toJSON().
func candidate(raw json.RawMessage) (string, error) {
	var s string
	var o struct {
		Candidate string `json:"candidate"`
	}
	switch {
	case len(raw) == 0 || string(raw) == "null":
		return "", nil
	case json.Unmarshal(raw, &s) == nil:
		return s, nil
	case json.Unmarshal(raw, &o) == nil:
		return o.Candidate, nil
	}
	return "", refuse(codeBadRequest)
}

// attached notes the newest epoch, for media.superseded.
func (s *session) attached(epoch int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.epoch = max(s.epoch, epoch)
}

var errPanic = errors.New("panic")

// recovered turns a panic of Desk or Media into an error: one request must not end the sockets of everybody.
func (h *Hub) recovered(doing string, err *error) {
	if r := recover(); r != nil {
		h.m.panics.Inc()
		h.log.Error("panic in a request", "type", doing, "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
		*err = errPanic
	}
}
