// Package recordings is in charge of recorded talks and messages: a tap on the sound becomes a sealed file and a row,
// and later a WAV that may be heard by those allowed to.
package recordings

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
)

// Kinds of recordings, values of recording.kind.
const (
	KindCall      = "call"
	KindVoicemail = "voicemail"
)

// ErrNotFound says that there is no such recording, or that its audio is gone.
var ErrNotFound = errors.New("no such recording")

// Config is what a Service needs.
type Config struct {
	Dir           string // of the sealed files; made if absent
	KeyFile       string // key that seals them; made if absent
	Pool          *pgxpool.Pool
	RetentionDays int                   // for queues without a setting; 0: for ever
	Now           func() time.Time      // nil: time.Now
	Log           *slog.Logger          // nil: discarded
	Registerer    prometheus.Registerer // nil: no metrics
}

// Start asks for a recording.
type Start struct {
	Call          string      // call key; the row of the call may not exist yet
	Kind          string      // KindCall (two channels) or KindVoicemail (one)
	RetentionDays int         // 0: the service's
	OnFailure     func(error) // told once, from a goroutine of the service, when the disk fails; must not block
}

// Service makes and serves recordings.
type Service struct{ cfg Config }

func New(cfg Config) (*Service, error) { return &Service{cfg: cfg}, nil }
func (s *Service) Start(ctx context.Context, o Start) (*Recorder, error) {
	return nil, errors.New("skeleton")
}
func (s *Service) Recover(ctx context.Context) error                       { return nil }
func (s *Service) Expire(ctx context.Context) error                        { return nil }
func (s *Service) Close(ctx context.Context) error                         { return nil }
func (s *Service) ForCall(ctx context.Context, call int64) ([]Info, error) { return nil, nil }
func (s *Service) Get(ctx context.Context, id int64) (Info, error)         { return Info{}, ErrNotFound }
func (s *Service) Open(ctx context.Context, id int64) (io.ReadSeekCloser, Info, error) {
	return nil, Info{}, ErrNotFound
}
func (s *Service) Peaks(ctx context.Context, id int64) (Peaks, error)        { return Peaks{}, ErrNotFound }
func (s *Service) AccessLog(ctx context.Context, id int64) ([]Access, error) { return nil, nil }
func (s *Service) LogAccess(ctx context.Context, id, agentID int64, action, ip string) error {
	return nil
}

// Recorder is one recording in the making. It is a tap: Frame may be called from the media goroutines.
type Recorder struct{}

func (r *Recorder) ID() string                                                 { return "" }
func (r *Recorder) Frame(ch int, payloadType uint8, pos int64, payload []byte) {}
func (r *Recorder) Pause(reason string)                                        {}
func (r *Recorder) Resume()                                                    {}
func (r *Recorder) Close(ctx context.Context) error                            { return nil }

// Info is a recording as lists show it.
type Info struct {
	ID, CallID int64
	Kind       string
	State      string
	DurationMS int
	Channels   int
	StartedAt  *time.Time
	Bytes      int64 // of the WAV
	ModTime    time.Time
}

// Peaks is a waveform.
type Peaks struct {
	Channels, PerSecond int
	Data                [][]float32
}

// Access is one hearing.
type Access struct {
	At                      time.Time
	Login, Name, Action, IP string
}
