package recordings

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5"
)

// entry is what the indexer has to bring into a row.
type entry struct {
	h       header
	path    string // without ending
	peaks   []byte
	pauses  [][2]int
	failure string
	closed  bool
}

// indexRetry is the pause between tries: the call's row comes within a second, a database may be away for minutes.
const indexRetry = 300 * time.Millisecond

func (s *Service) index(e entry) {
	s.mu.Lock()
	s.todo = append(s.todo, e)
	s.m.pending.Set(float64(len(s.todo)))
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// indexer writes rows until Close; what is left then is found again as files by the next start.
func (s *Service) indexer() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() { // ends with the indexer: both end by stopped
		select {
		case <-s.stopped:
			cancel()
		case <-ctx.Done():
		}
	}()
	tick := time.NewTicker(indexRetry)
	defer tick.Stop()
	for {
		select {
		case <-s.stopped:
			last, stop := context.WithTimeout(context.Background(), 2*time.Second)
			s.indexAll(last)
			stop()
			return
		case <-s.wake:
		case <-tick.C:
		}
		s.indexAll(ctx)
	}
}

func (s *Service) indexAll(ctx context.Context) {
	s.mu.Lock()
	todo := s.todo
	s.todo = nil
	s.mu.Unlock()
	var later []entry
	for i, e := range todo {
		ok, err := s.writeRow(ctx, e)
		if err != nil {
			if ctx.Err() == nil {
				s.cfg.Log.Warn("rows of recordings wait for the database", "recordings", len(todo)-i, "cause", err)
			}
			later = append(later, todo[i:]...)
			break
		}
		if !ok {
			later = append(later, e)
		}
	}
	s.mu.Lock()
	s.todo = append(later, s.todo...)
	s.m.pending.Set(float64(len(s.todo)))
	s.mu.Unlock()
}

// writeRow writes or completes the row; false: the call has no row yet.
func (s *Service) writeRow(ctx context.Context, e entry) (ok bool, err error) {
	state, size, duration := "recording", int64(0), 0
	var sum, peaks []byte
	if e.closed {
		state, peaks = "ready", e.peaks
		if size, duration, sum, err = s.measure(e.path); err != nil {
			return false, err
		}
		if duration == 0 {
			state = "failed"
		}
	}
	var until any
	if e.h.Days > 0 {
		until = e.h.Started.AddDate(0, 0, e.h.Days)
	}
	pauses := e.pauses
	if pauses == nil {
		pauses = [][2]int{}
	}
	codec := "pcma"
	if e.h.Law == ptMu {
		codec = "pcmu"
	}
	rel, err := filepath.Rel(s.cfg.Dir, e.path)
	if err != nil {
		return false, fmt.Errorf("name of a recording: %w", err)
	}
	tag, err := s.cfg.Pool.Exec(ctx, `
INSERT INTO recording (call_id, kind, state, store_key, sha256, codec, channels, size, duration_ms, started_at, paused, delete_after, key, error, peaks)
SELECT id, @kind, @state, @store, @sum, @codec, @channels, @size, @duration, @started, @paused, @until, @key, @error, @peaks FROM call WHERE call_key = @call
ON CONFLICT (key) DO UPDATE SET state = excluded.state, sha256 = excluded.sha256, size = excluded.size, duration_ms = excluded.duration_ms,
  paused = excluded.paused, error = excluded.error, peaks = excluded.peaks WHERE recording.state IN ('recording','paused')`,
		pgx.NamedArgs{"call": e.h.Call, "kind": e.h.Kind, "state": state, "store": rel, "sum": sum, "codec": codec, "channels": e.h.Channels, "size": size,
			"duration": duration, "started": e.h.Started, "paused": pauses, "until": until, "key": e.h.Key, "error": null(e.failure), "peaks": peaks})
	if err != nil {
		return false, fmt.Errorf("write row of recording %s: %w", e.h.Key, err)
	}
	if tag.RowsAffected() == 0 && !e.closed {
		return s.hasRow(ctx, e.h.Key)
	}
	if tag.RowsAffected() == 0 {
		if there, err := s.hasRow(ctx, e.h.Key); err != nil || !there {
			return false, err
		}
	}
	if e.closed {
		if err := os.Rename(e.path+".done", e.path+".hrec"); err != nil && !errors.Is(err, os.ErrNotExist) {
			s.cfg.Log.Warn("indexed recording keeps its old name", "recording", e.h.Key, "cause", err)
		}
	}
	return true, nil
}

func (s *Service) hasRow(ctx context.Context, key string) (there bool, err error) {
	if err = s.cfg.Pool.QueryRow(ctx, `SELECT EXISTS (SELECT FROM recording WHERE key = $1)`, key).Scan(&there); err != nil {
		err = fmt.Errorf("find recording %s: %w", key, err)
	}
	return there, err
}

// measure reads a closed file's size, duration and hash.
func (s *Service) measure(path string) (size int64, duration int, sum []byte, err error) {
	name, err := existing(path)
	if err != nil {
		return 0, 0, nil, nil // gone: the row says failed
	}
	f, err := openFile(name, s.key)
	if err != nil {
		return 0, 0, nil, err
	}
	defer f.f.Close()
	if _, err := f.f.Seek(0, io.SeekStart); err != nil {
		return 0, 0, nil, fmt.Errorf("measure recording: %w", err)
	}
	h := sha256.New()
	if size, err = io.Copy(h, f.f); err != nil {
		return 0, 0, nil, fmt.Errorf("measure recording: %w", err)
	}
	return size, f.durationMS(), h.Sum(nil), nil
}

// existing finds the file behind a store key, whatever its state.
func existing(path string) (string, error) {
	for _, end := range []string{".hrec", ".done", ".part"} {
		if _, err := os.Stat(path + end); err == nil {
			return path + end, nil
		}
	}
	return "", ErrNotFound
}

func null(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// Info is a recording as lists show it.
type Info struct {
	ID, CallID int64
	Kind       string // call, voicemail
	State      string // recording, ready, failed, deleted
	DurationMS int
	Channels   int
	StartedAt  *time.Time
	Bytes      int64 // of the WAV
	Error      string
	ModTime    time.Time

	store string
	law   int
}

const infoColumns = `id, call_id, kind, state, coalesce(duration_ms, 0), coalesce(channels, 1), started_at, coalesce(error, ''), coalesce(store_key, ''), coalesce(codec, 'pcma')`

func scanInfo(row pgx.CollectableRow) (i Info, err error) {
	var codec string
	err = row.Scan(&i.ID, &i.CallID, &i.Kind, &i.State, &i.DurationMS, &i.Channels, &i.StartedAt, &i.Error, &i.store, &codec)
	if codec == "pcmu" {
		i.law = ptMu
	} else {
		i.law = ptA
	}
	data := int64(i.DurationMS) * rate / 1000 * int64(i.Channels)
	i.Bytes = data + int64(len(wavHead(i.law, i.Channels, data)))
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

// Open opens the sound as a WAV (G.711, caller left, agent right). A recording in the making can be heard up to now.
func (s *Service) Open(ctx context.Context, id int64) (io.ReadSeekCloser, Info, error) {
	i, err := s.Get(ctx, id)
	if err != nil {
		return nil, i, err
	}
	if i.store == "" || i.State == "deleted" {
		return nil, i, ErrNotFound
	}
	path, err := existing(filepath.Join(s.cfg.Dir, filepath.FromSlash(i.store)))
	if err != nil {
		return nil, i, err
	}
	f, err := openFile(path, s.key)
	if err != nil {
		return nil, i, err
	}
	if info, err := f.f.Stat(); err == nil {
		i.ModTime = info.ModTime()
	}
	w := newWAV(f)
	i.Bytes, i.DurationMS = w.size(), f.durationMS()
	return w, i, nil
}

// Peaks is a waveform: per channel the greatest amplitude, 0..1, of each slice of time.
type Peaks struct {
	Channels, PerSecond int
	Data                [][]float32
}

// Peaks reads the waveform of a closed recording; empty while it is being made.
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
	p.Data = make([][]float32, p.Channels)
	for ch := range p.Channels {
		p.Data[ch] = make([]float32, 0, len(raw)/p.Channels)
		for i := ch; i < len(raw); i += p.Channels {
			p.Data[ch] = append(p.Data[ch], float32(raw[i])/255)
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
	_, err := s.cfg.Pool.Exec(ctx, `INSERT INTO recording_access (recording_id, agent_id, at, action, ip) VALUES ($1, nullif($2, 0), $3, $4, nullif($5, '')::inet)`,
		id, agentID, s.cfg.Now(), action, ip)
	if err != nil {
		return fmt.Errorf("log a hearing: %w", err)
	}
	return nil
}

// Expire deletes recordings whose time is over, file first, in batches. Legal hold keeps them.
func (s *Service) Expire(ctx context.Context) error {
	for {
		rows, err := s.cfg.Pool.Query(ctx, `SELECT `+infoColumns+` FROM recording WHERE delete_after < $1 AND NOT legal_hold AND state IN ('ready','failed') ORDER BY id LIMIT 100`, s.cfg.Now())
		if err != nil {
			return fmt.Errorf("find old recordings: %w", err)
		}
		list, err := pgx.CollectRows(rows, scanInfo)
		if err != nil {
			return fmt.Errorf("find old recordings: %w", err)
		}
		for _, i := range list {
			if path, err := existing(filepath.Join(s.cfg.Dir, filepath.FromSlash(i.store))); err == nil {
				if err := os.Remove(path); err != nil {
					return fmt.Errorf("delete old recording: %w", err)
				}
			}
			if _, err := s.cfg.Pool.Exec(ctx, `UPDATE recording SET state = 'deleted', deleted_at = $2, peaks = NULL WHERE id = $1`, i.ID, s.cfg.Now()); err != nil {
				return fmt.Errorf("mark old recording deleted: %w", err)
			}
		}
		if len(list) < 100 {
			return nil
		}
	}
}
