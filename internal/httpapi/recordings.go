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
	if infoOf(ctx).req.Method != http.MethodHead {
		err := a.heard.log(ctx, hearing{who.AgentID, in.ID, action, who.IP}, a.now(), func() error {
			return a.cfg.Recordings.LogAccess(ctx, in.ID, who.AgentID, action, who.IP)
		})
		if err != nil {
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
	mu   sync.Mutex // guards seen and its values
	seen map[hearing]*heardAt
}

// hearing is who hears what, how, and where.
type hearing struct {
	agent, recording int64
	action, ip       string
}

type heardAt struct {
	last    time.Time
	writing chan struct{} // closed when the line is written, or could not be; nil: written
}

// log writes the line of a new hearing. When it returns nil, the line is safe, whoever wrote it: a request that meets
// the writing of another waits for it, and writes itself when that failed.
func (h *hearings) log(ctx context.Context, k hearing, now time.Time, write func() error) error {
	for {
		mine, other := h.claim(k, now)
		if other != nil {
			select {
			case <-other:
				continue
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		if mine == nil {
			return nil
		}
		written := false
		defer func() { h.settle(k, mine, written) }() // a panic too wakes those who wait
		err := write()
		written = err == nil
		return err
	}
}

// claim finds out what there is to do about a hearing: nothing (nil, nil), write the line (mine), wait for other.
func (h *hearings) claim(k hearing, now time.Time) (mine *heardAt, other chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if e, ok := h.seen[k]; ok && e.writing != nil {
		return nil, e.writing
	} else if ok && now.Sub(e.last) < sameHearing {
		e.last = now
		return nil, nil
	}
	if len(h.seen) >= maxHearings {
		maps.DeleteFunc(h.seen, func(_ hearing, e *heardAt) bool { return e.writing == nil && now.Sub(e.last) >= sameHearing })
	}
	if h.seen == nil {
		h.seen = map[hearing]*heardAt{}
	}
	mine = &heardAt{last: now, writing: make(chan struct{})}
	if len(h.seen) < maxHearings {
		h.seen[k] = mine
	}
	return mine, nil
}

// settle ends the writing of a line. What could not be written is forgotten.
func (h *hearings) settle(k hearing, mine *heardAt, written bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	close(mine.writing)
	mine.writing = nil
	if !written && h.seen[k] == mine {
		delete(h.seen, k)
	}
}
