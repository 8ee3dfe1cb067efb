package phone

import (
	"context"
	"encoding/json"
	"net/http"
)

// Subprotocol is the WebSocket sub-protocol a page must offer.
const Subprotocol = "phone.v1"

// Media is what the hub asks of the browsers' media server. internal/app wires it to telephony/webrtc. An error with a
// method Code() string reaches the page under that code (for example stale_epoch).
type Media interface {
	// Attach replaces the agent's connection and returns the answer and the new epoch.
	Attach(ctx context.Context, agent, offerSDP string, codecs []string) (answerSDP string, epoch int, err error)
	// Offer renegotiates the connection of that epoch: ICE restart, change of device.
	Offer(ctx context.Context, agent string, epoch int, sdp string) (answerSDP string, err error)
	// Candidate adds one remote candidate; the empty string ends them.
	Candidate(agent string, epoch int, candidate string) error
	// Detach ends the connection of that epoch; a stale epoch is ignored.
	Detach(agent string, epoch int)
}

// Desk is what the hub asks of the running system. Every method may be called from several goroutines and must return
// within seconds: one page's requests are served one after the other. Implementations may call Hub.Send from within.
type Desk interface {
	// Snapshot returns the state of the person's phone, anything that encodes as a JSON object: agent, calls, queues,
	// media {epoch, needed}, policy, ice, grace. The hub adds session, now, seq and media.owner, media.owner_tab.
	Snapshot(ctx context.Context, who Who) (any, error)
	// Command carries out one request (agent.set, call.*, wrapup.*, monitor.*, sup.*, echo.*, help.ask, media.device,
	// media.stats) and returns the reply's data, nil for an empty one. A *Error is shown to the person as it is, any
	// other error is logged and becomes "internal".
	Command(ctx context.Context, who Who, t string, d json.RawMessage) (reply any, err error)
	// Presence tells whether the agent can be reached: online is false once no page has sent anything for Config.Lost,
	// tabs counts open sockets, owner says whether one of them owns the sound. Calls for one agent come in order, from
	// one goroutine for all agents; only the latest state is told, and only when it differs from the last one told.
	Presence(agent string, online bool, tabs int, owner bool)
}

// Who is the person behind one socket.
type Who struct {
	Login string
	Roles []string
	TabID string // chosen by the page, unique per tab; empty until hello
	Owner bool   // the tab owns the agent's sound
	Lang  string // ru or en, from hello, else from Authenticate
}

// Has reports whether the person has one of the roles.
func (w Who) Has(roles ...string) bool {
	for _, r := range w.Roles {
		for _, want := range roles {
			if r == want {
				return true
			}
		}
	}
	return false
}

// Authenticator finds the person behind a request, by its session cookie. It fills Login, Roles and Lang.
type Authenticator func(*http.Request) (Who, error)

// Error is a refusal that the person may read.
type Error struct {
	Code  string            `json:"code"`            // stable, for programs: wrong_state, forbidden, ...
	State string            `json:"state,omitempty"` // the state that forbids it, if that is the reason
	Text  map[string]string `json:"text"`            // by language: ru, en
}

// Error implements error.
func (e *Error) Error() string {
	s := e.Code
	if e.State != "" {
		s += " (" + e.State + ")"
	}
	if t := e.Text["en"]; t != "" {
		s += ": " + t
	}
	return s
}
