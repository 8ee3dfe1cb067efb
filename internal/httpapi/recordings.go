package httpapi

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"hotline/internal/auth"
)

// recordingFor finds a recording that who may hear: whoever sees the call may, if the role has the right. Absent and
// foreign ones are the same.
func (a *API) recordingFor(ctx context.Context, who *auth.Identity, id int64) (Recording, error) {
	if a.cfg.Recordings == nil || !who.MayHear() {
		return Recording{}, ErrNoRecording
	}
	r, err := a.cfg.Recordings.Get(ctx, id)
	if err != nil {
		return r, err
	}
	if _, err := a.cfg.Tickets.GetCall(ctx, actor(who), strconv.FormatInt(r.CallID, 10)); err != nil {
		if p := problemOf(err); p.Status == http.StatusNotFound {
			return r, ErrNoRecording
		}
		return r, err
	}
	return r, nil
}

type audioInput struct {
	ByID
	Download bool `query:"download" doc:"Save instead of play; logged as such"`
}

func (a *API) recordingRoutes() {
	handle(a, op{method: "GET", path: "/calls/{id}/recordings", summary: "Recordings of a call", resource: auth.Recordings, verb: auth.Read},
		func(ctx context.Context, who *auth.Identity, in *ByCall) (*body[list[Recording]], error) {
			c, err := a.cfg.Tickets.GetCall(ctx, actor(who), in.ID)
			if err != nil || a.cfg.Recordings == nil || !who.MayHear() {
				return &body[list[Recording]]{Body: whole[Recording](nil)}, err
			}
			rs, err := a.cfg.Recordings.ForCall(ctx, c.ID)
			return &body[list[Recording]]{Body: whole(rs)}, err
		})
	handle(a, op{method: "GET", path: "/recordings/{id}/peaks", summary: "Waveform of a recording", resource: auth.Recordings, verb: auth.Read},
		func(ctx context.Context, who *auth.Identity, in *ByID) (*body[Peaks], error) {
			if _, err := a.recordingFor(ctx, who, in.ID); err != nil {
				return nil, err
			}
			p, err := a.cfg.Recordings.Peaks(ctx, in.ID)
			return &body[Peaks]{Body: p}, err
		})
	handle(a, op{method: "GET", path: "/recordings/{id}/access", summary: "Who heard a recording", resource: auth.Hearings, verb: auth.Read},
		func(ctx context.Context, who *auth.Identity, in *ByID) (*body[list[Access]], error) {
			if _, err := a.recordingFor(ctx, who, in.ID); err != nil {
				return nil, err
			}
			l, err := a.cfg.Recordings.AccessLog(ctx, in.ID)
			return &body[list[Access]]{Body: whole(l)}, err
		})
	handle(a, op{method: "GET", path: "/recordings/{id}/audio", summary: "Sound of a recording: WAV, with ranges; every hearing is logged", resource: auth.Recordings, verb: auth.Read, responses: soundResponses()}, a.audio)
}

// soundResponses are the answers with sound, which no type describes.
func soundResponses() map[string]*huma.Response {
	sound := func(text string) *huma.Response {
		return &huma.Response{Description: text, Content: map[string]*huma.MediaType{"audio/wav": {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}}}
	}
	return map[string]*huma.Response{"200": sound("The whole file"), "206": sound("The part that Range names"),
		"416": {Description: "There is no such part", Content: map[string]*huma.MediaType{"text/plain": {Schema: &huma.Schema{Type: huma.TypeString}}}}}
}

// audio streams the sound. The hearing is logged before the first byte goes out, whatever part of the file is asked for;
// the further parts that a player fetches belong to the same hearing.
func (a *API) audio(ctx context.Context, who *auth.Identity, in *audioInput) (*huma.StreamResponse, error) {
	if _, err := a.recordingFor(ctx, who, in.ID); err != nil {
		return nil, err
	}
	f, rec, err := a.cfg.Recordings.Open(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	action := "play"
	if in.Download {
		action = "download"
	}
	if infoOf(ctx).req.Method != http.MethodHead && a.heard.fresh(who.AgentID, in.ID, action, a.now()) {
		if err := a.cfg.Recordings.LogAccess(ctx, in.ID, who.AgentID, action, who.IP); err != nil {
			a.heard.forget(who.AgentID, in.ID, action)
			_ = f.Close()
			return nil, err
		}
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		defer f.Close()
		r, w := humago.Unwrap(hc)
		serveWAV(w, r, f, rec, in.Download)
	}}, nil
}

func serveWAV(w http.ResponseWriter, r *http.Request, f io.ReadSeeker, rec Recording, save bool) {
	h := w.Header()
	h.Set("Content-Type", "audio/wav")
	h.Set("Cache-Control", "private, no-store")
	if save {
		h.Set("Content-Disposition", fmt.Sprintf(`attachment; filename="recording-%d.wav"`, rec.ID))
	}
	http.ServeContent(w, r, "", time.Time{}, f)
}

const (
	sameHearing = 10 * time.Minute // between two requests of one player
	maxHearings = 10000            // when it is full of fresh ones, everything is logged
)

// hearings remembers what was logged a moment ago, so that one playback in fifty ranges is one line.
type hearings struct {
	mu   sync.Mutex // guards seen
	seen map[hearing]time.Time
}

type hearing struct {
	agent, recording int64
	action           string
}

// fresh reports whether this is a new hearing, which has to be logged.
func (h *hearings) fresh(agent, recording int64, action string, now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	k := hearing{agent, recording, action}
	if last, ok := h.seen[k]; ok && now.Sub(last) < sameHearing {
		h.seen[k] = now
		return false
	}
	if len(h.seen) >= maxHearings {
		maps.DeleteFunc(h.seen, func(_ hearing, at time.Time) bool { return now.Sub(at) >= sameHearing })
	}
	if h.seen == nil {
		h.seen = map[hearing]time.Time{}
	}
	if len(h.seen) < maxHearings {
		h.seen[k] = now
	}
	return true
}

// forget takes a hearing back that could not be logged.
func (h *hearings) forget(agent, recording int64, action string) {
	h.mu.Lock()
	delete(h.seen, hearing{agent, recording, action})
	h.mu.Unlock()
}
