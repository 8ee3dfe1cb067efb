package recordings

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/jackc/pgx/v5"
)

// Info is a recording as lists show it.
type Info struct {
	ID, CallID int64
	Kind       string // call, voicemail
	State      string // recording, paused, ready, failed, deleted
	DurationMS int
	Channels   int
	StartedAt  *time.Time
	Bytes      int64     // of the WAV; exact from Open
	Error      string    // why it is shorter than the talk, or has no sound; empty: it is whole
	ModTime    time.Time // of the audio; only from Open

	store string
	law   int
	size  int64 // of the sealed file
}

const infoColumns = `id, call_id, kind, state, coalesce(duration_ms, 0), coalesce(channels, 1), started_at, coalesce(error, ''), coalesce(store_key, ''), coalesce(codec, 'pcma'), coalesce(size, 0)`

func scanInfo(row pgx.CollectableRow) (i Info, err error) {
	var codec string
	err = row.Scan(&i.ID, &i.CallID, &i.Kind, &i.State, &i.DurationMS, &i.Channels, &i.StartedAt, &i.Error, &i.store, &codec, &i.size)
	i.law = ptA
	if codec == "pcmu" {
		i.law = ptMu
	}
	i.Bytes = wavSize(i.law, i.Channels, int64(i.DurationMS)*rate/1000*int64(i.Channels))
	return i, err
}

// ForCall lists the recordings of a call, oldest first.
func (s *Service) ForCall(ctx context.Context, call int64) ([]Info, error) {
	rows, err := s.cfg.Pool.Query(ctx, `SELECT `+infoColumns+` FROM recording WHERE call_id = $1 ORDER BY started_at, id`, call)
	if err != nil {
		return nil, fmt.Errorf("list recordings: %w", err)
	}
	list, err := pgx.CollectRows(rows, scanInfo)
	if err != nil {
		return nil, fmt.Errorf("list recordings: %w", err)
	}
	return list, nil
}

// Get reads one. ErrNotFound when there is none.
func (s *Service) Get(ctx context.Context, id int64) (Info, error) {
	rows, err := s.cfg.Pool.Query(ctx, `SELECT `+infoColumns+` FROM recording WHERE id = $1`, id)
	if err != nil {
		return Info{}, fmt.Errorf("read recording: %w", err)
	}
	i, err := pgx.CollectExactlyOneRow(rows, scanInfo)
	if errors.Is(err, pgx.ErrNoRows) {
		return Info{}, ErrNotFound
	}
	if err != nil {
		return Info{}, fmt.Errorf("read recording: %w", err)
	}
	return i, nil
}

// Open opens the sound as a WAV (G.711, caller left, agent right). A recording in the making can be heard up to now. What
// is damaged in the file is silence, and told in the log. The reader belongs to one goroutine, which closes it.
func (s *Service) Open(ctx context.Context, id int64) (io.ReadSeekCloser, Info, error) {
	i, err := s.Get(ctx, id)
	if err != nil {
		return nil, i, err
	}
	if i.store == "" || i.State == "deleted" {
		return nil, i, ErrNotFound
	}
	raw, err := s.dir.find(i.store)
	if err != nil {
		return nil, i, err
	}
	f, err := readFile(raw, s.keys.open)
	if err != nil {
		return nil, i, errors.Join(fmt.Errorf("open recording %d: %w", id, err), raw.Close())
	}
	info, err := raw.Stat()
	if err != nil {
		return nil, i, errors.Join(fmt.Errorf("open recording %d: %w", id, err), raw.Close())
	}
	if i.State == "ready" && f.sealedLen() != i.size {
		s.damaged(id, fmt.Errorf("%d bytes instead of %d", f.sealedLen(), i.size))
	}
	w := newWAV(f, func(err error) { s.damaged(id, err) })
	i.Bytes, i.DurationMS, i.ModTime = w.size(), ms(f.samples()), info.ModTime()
	return w, i, nil
}

func (s *Service) damaged(id int64, err error) {
	s.m.unreadable.Inc()
	s.cfg.Log.Error("recording is damaged", "recording_id", id, "cause", err)
}

const (
	peaksPerSecond = 50        // in the row, per channel
	maxPeaks       = 50 * 1200 // of an answer, per channel; longer ones get coarser
)

// Peaks is a waveform: per channel the greatest amplitude, 0..1, of each slice of time.
type Peaks struct {
	Channels, PerSecond int
	Data                [][]float32
}

// Peaks reads the waveform of a closed recording; empty while it is being made. Above 20 minutes there are fewer slices a
// second, but at least one.
func (s *Service) Peaks(ctx context.Context, id int64) (Peaks, error) {
	var raw []byte
	p := Peaks{PerSecond: peaksPerSecond}
	err := s.cfg.Pool.QueryRow(ctx, `SELECT coalesce(channels, 1), peaks FROM recording WHERE id = $1 AND state <> 'deleted'`, id).Scan(&p.Channels, &raw)
	if errors.Is(err, pgx.ErrNoRows) {
		return p, ErrNotFound
	}
	if err != nil {
		return p, fmt.Errorf("read waveform: %w", err)
	}
	slices := len(raw) / p.Channels
	join := 1
	for _, j := range []int{2, 5, 10, 25, 50} {
		if slices/join > maxPeaks {
			join = j
		}
	}
	p.PerSecond /= join
	p.Data = make([][]float32, p.Channels)
	for ch := range p.Channels {
		p.Data[ch] = make([]float32, 0, slices/join+1)
		for from := 0; from < slices; from += join {
			var top byte
			for i := from; i < min(from+join, slices); i++ {
				top = max(top, raw[i*p.Channels+ch])
			}
			p.Data[ch] = append(p.Data[ch], float32(top)/255)
		}
	}
	return p, nil
}

// Access is one hearing.
type Access struct {
	At                      time.Time
	Login, Name, Action, IP string
}

// AccessLog lists who heard a recording, newest first, at most 200.
func (s *Service) AccessLog(ctx context.Context, id int64) ([]Access, error) {
	rows, err := s.cfg.Pool.Query(ctx, `SELECT l.at, coalesce(a.login::text, ''), coalesce(a.name, ''), l.action, coalesce(host(l.ip), '')
		FROM recording_access l LEFT JOIN agent a ON a.id = l.agent_id WHERE l.recording_id = $1 ORDER BY l.at DESC LIMIT 200`, id)
	if err != nil {
		return nil, fmt.Errorf("list hearings: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Access])
	if err != nil {
		return nil, fmt.Errorf("list hearings: %w", err)
	}
	return list, nil
}

// LogAccess writes down that somebody hears a recording, before the first byte goes out. ip may be empty.
func (s *Service) LogAccess(ctx context.Context, id, agentID int64, action, ip string) error {
	_, err := s.cfg.Pool.Exec(ctx, `INSERT INTO recording_access (recording_id, agent_id, at, action, ip) VALUES ($1, nullif($2::bigint, 0), $3, $4, nullif($5, '')::inet)`,
		id, agentID, s.cfg.Now(), action, ip)
	if err != nil {
		return fmt.Errorf("log a hearing: %w", err)
	}
	return nil
}
