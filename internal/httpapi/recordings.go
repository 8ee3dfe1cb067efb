package httpapi

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
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
	handle(a, op{method: "GET", path: "/recordings/{id}/access", summary: "Who heard a recording", resource: auth.Recordings, verb: auth.Read},
		func(ctx context.Context, who *auth.Identity, in *ByID) (*body[list[Access]], error) {
			if _, err := a.recordingFor(ctx, who, in.ID); err != nil {
				return nil, err
			}
			l, err := a.cfg.Recordings.AccessLog(ctx, in.ID)
			return &body[list[Access]]{Body: whole(l)}, err
		})
	handle(a, op{method: "GET", path: "/recordings/{id}/audio", summary: "Sound of a recording: WAV, with ranges; every hearing is logged", resource: auth.Recordings, verb: auth.Read}, a.audio)
}

// audio streams the sound. The hearing is logged before the first byte; a part that a player fetches later in the file
// belongs to the same hearing.
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
	if r := infoOf(ctx).req.Header.Get("Range"); r == "" || len(r) > 8 && r[:8] == "bytes=0-" {
		if err := a.cfg.Recordings.LogAccess(ctx, in.ID, who.AgentID, action, who.IP); err != nil {
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
