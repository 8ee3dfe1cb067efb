package app

import (
	"context"
	"errors"
	"io"

	"hotline/internal/httpapi"
	"hotline/recordings"
)

// recordingsAPI shows the recordings service to the HTTP side in its own words.
type recordingsAPI struct{ s *recordings.Service }

var _ httpapi.Recordings = recordingsAPI{}

func info(i recordings.Info) httpapi.Recording {
	return httpapi.Recording{ID: i.ID, CallID: i.CallID, Kind: i.Kind, State: i.State, DurationMS: i.DurationMS, Channels: i.Channels, StartedAt: i.StartedAt, Bytes: i.Bytes, ModTime: i.ModTime}
}

func absent(err error) error {
	if errors.Is(err, recordings.ErrNotFound) {
		return httpapi.ErrNoRecording
	}
	return err
}

// ForCall implements httpapi.Recordings.
func (r recordingsAPI) ForCall(ctx context.Context, call int64) ([]httpapi.Recording, error) {
	list, err := r.s.ForCall(ctx, call)
	out := make([]httpapi.Recording, 0, len(list))
	for _, i := range list {
		out = append(out, info(i))
	}
	return out, absent(err)
}

// Get implements httpapi.Recordings.
func (r recordingsAPI) Get(ctx context.Context, id int64) (httpapi.Recording, error) {
	i, err := r.s.Get(ctx, id)
	return info(i), absent(err)
}

// Open implements httpapi.Recordings.
func (r recordingsAPI) Open(ctx context.Context, id int64) (io.ReadSeekCloser, httpapi.Recording, error) {
	f, i, err := r.s.Open(ctx, id)
	return f, info(i), absent(err)
}

// Peaks implements httpapi.Recordings.
func (r recordingsAPI) Peaks(ctx context.Context, id int64) (httpapi.Peaks, error) {
	p, err := r.s.Peaks(ctx, id)
	return httpapi.Peaks{Channels: p.Channels, PerSecond: p.PerSecond, Data: p.Data}, absent(err)
}

// AccessLog implements httpapi.Recordings.
func (r recordingsAPI) AccessLog(ctx context.Context, id int64) ([]httpapi.Access, error) {
	list, err := r.s.AccessLog(ctx, id)
	out := make([]httpapi.Access, 0, len(list))
	for _, x := range list {
		out = append(out, httpapi.Access{At: x.At, Login: x.Login, Name: x.Name, Action: x.Action, IP: x.IP})
	}
	return out, absent(err)
}

// LogAccess implements httpapi.Recordings.
func (r recordingsAPI) LogAccess(ctx context.Context, id, agentID int64, action, ip string) error {
	return absent(r.s.LogAccess(ctx, id, agentID, action, ip))
}
