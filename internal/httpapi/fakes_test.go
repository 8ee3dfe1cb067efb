package httpapi_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"sync"

	"hotline/internal/httpapi"
	"hotline/tickets"
)

// live is the running system.
type live struct {
	mu      sync.Mutex
	changed []string
	flows   func(ctx context.Context) error // nil: answers at once
	shot    func() (any, error)             // nil: empty lists
	tickets *tickets.Service
	refuse  error  // of Dial
	queue   string // of the last Dial
}

// Dial decides as the application does whom one may call; nobody's telephone rings.
func (l *live) Dial(ctx context.Context, login string, r tickets.DialRequest, queue string) (httpapi.Dialled, error) {
	a, err := l.tickets.Actor(ctx, login)
	if err != nil {
		return httpapi.Dialled{}, err
	}
	t, err := l.tickets.DialTarget(ctx, a, r)
	if err != nil {
		return httpapi.Dialled{}, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.queue = queue
	d := httpapi.Dialled{Call: "K1", Number: t.Number, Name: t.Name}
	if t.Ticket != nil {
		d.Ticket = t.Ticket.Number
	}
	return d, l.refuse
}

func (l *live) Snapshot(context.Context) (any, error) {
	if l.shot != nil {
		return l.shot()
	}
	return map[string]any{"queues": []any{}, "agents": []any{}, "calls": []any{}}, nil
}

func (l *live) TrunkState(string) httpapi.TrunkState { return httpapi.TrunkState{Calls: 2} }

func (l *live) Flows(ctx context.Context) ([]httpapi.FlowInfo, error) {
	if l.flows != nil {
		if err := l.flows(ctx); err != nil {
			return nil, err
		}
	}
	return []httpapi.FlowInfo{{ID: "hotline", Title: httpapi.Text{RU: "Линия", EN: "Hotline"}, Version: "1", Languages: []string{"ru", "en"}, Problems: []httpapi.FlowProblem{}}}, nil
}

func (l *live) ConfigChanged(kind string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.changed = append(l.changed, kind)
}

// sounds are the recordings.
type sounds struct {
	mu    sync.Mutex
	of    map[int64]httpapi.Recording
	heard []httpapi.Access
	order []string // what happened, in order
	deny  error    // of LogAccess
	open  int      // readers not closed
}

var wav = append([]byte("RIFF----WAVEfmt "), bytes.Repeat([]byte{1, 2, 3, 4}, 100)...)

func (s *sounds) ForCall(_ context.Context, call int64) (out []httpapi.Recording, _ error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.of {
		if r.CallID == call {
			out = append(out, r)
		}
	}
	return out, nil
}

func (s *sounds) Get(_ context.Context, id int64) (httpapi.Recording, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.of[id]
	if !ok {
		return r, httpapi.ErrNoRecording
	}
	return r, nil
}

// sound is an open recording.
type sound struct {
	*bytes.Reader
	s *sounds
}

func (f sound) Read(b []byte) (int, error) {
	f.s.did("read")
	return f.Reader.Read(b)
}

func (f sound) Close() error {
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	f.s.open--
	return nil
}

func (s *sounds) did(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.order = append(s.order, what)
}

func (s *sounds) Open(ctx context.Context, id int64) (io.ReadSeekCloser, httpapi.Recording, error) {
	r, err := s.Get(ctx, id)
	if err != nil {
		return nil, r, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open++
	return sound{bytes.NewReader(wav), s}, r, nil
}

func (s *sounds) Peaks(ctx context.Context, id int64) (httpapi.Peaks, error) {
	_, err := s.Get(ctx, id)
	return httpapi.Peaks{Channels: 1, PerSecond: 50, Data: [][]float32{{0, 0.5}}}, err
}

func (s *sounds) AccessLog(ctx context.Context, id int64) ([]httpapi.Access, error) {
	_, err := s.Get(ctx, id)
	return nil, err
}

func (s *sounds) LogAccess(_ context.Context, _, agent int64, action, ip string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.deny != nil {
		return s.deny
	}
	s.order = append(s.order, "log "+action)
	s.heard = append(s.heard, httpapi.Access{Login: fmt.Sprint(agent), Action: action, IP: ip})
	return nil
}
