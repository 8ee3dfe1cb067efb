package telephonytest

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
)

// AgentConfig makes an Agent.
type AgentConfig struct {
	// URL of the socket: ws://host/api/v1/phone (http is taken as well).
	URL string
	// Cookies of a signed-in session, and further headers (Origin).
	Cookies []*http.Cookie
	Header  http.Header
	Tab     string  // tab_id; empty: by chance
	Lang    string  // ru or en; empty: ru
	Tone    float64 // what the agent says, Hz; 0: silence
	Sound   BrowserSoundConfig
	Ping    time.Duration // 0: 5 s
}

// Agent is a page without a screen: it speaks phone.v1, has a microphone and an ear, can be reloaded, frozen and killed.
// Its methods may be called from several goroutines, but one script per agent is what it is for.
type Agent struct {
	cfg    AgentConfig
	lastID atomic.Int64
	frozen atomic.Bool

	mu      sync.Mutex // guards what follows
	line    *line      // nil: no socket
	sound   *BrowserSound
	epoch   int
	seq     int64
	events  []AgentEvent // came and were not yet waited for
	welcome json.RawMessage
	changed chan struct{} // closed and replaced when events or the line change
}

// AgentEvent is one event of the server.
type AgentEvent struct {
	T      string          `json:"t"`
	Seq    int64           `json:"seq"`
	Replay bool            `json:"replay"`
	Data   json.RawMessage `json:"d"`
}

// AgentError is a refusal by the server.
type AgentError struct {
	Code  string            `json:"code"`
	State string            `json:"state"`
	Text  map[string]string `json:"text"`
}

// Error implements error.
func (e *AgentError) Error() string { return e.Code + " " + e.State + ": " + e.Text["en"] }

// line is one socket with its two goroutines.
type line struct {
	conn    *websocket.Conn
	wg      sync.WaitGroup
	stop    chan struct{}
	replies map[string]chan agentReply // guarded by Agent.mu
	ended   bool                       // guarded by Agent.mu
	code    int                        // close code, once ended
}

type agentReply struct {
	D   json.RawMessage `json:"d"`
	OK  bool            `json:"ok"`
	Err *AgentError     `json:"err"`
}

// NewAgent opens the page: socket, hello, welcome. It asks to own the sound.
func NewAgent(ctx context.Context, cfg AgentConfig) (*Agent, error) {
	if cfg.Tab == "" {
		cfg.Tab = rand.Text()
	}
	if cfg.Lang == "" {
		cfg.Lang = "ru"
	}
	if cfg.Ping <= 0 {
		cfg.Ping = 5 * time.Second
	}
	a := &Agent{cfg: cfg, changed: make(chan struct{})}
	if err := a.connect(ctx); err != nil {
		return nil, err
	}
	return a, nil
}

// connect opens a socket and waits for the welcome.
func (a *Agent) connect(ctx context.Context) error {
	h := http.Header{}
	maps.Copy(h, a.cfg.Header)
	for _, c := range a.cfg.Cookies {
		h.Add("Cookie", (&http.Cookie{Name: c.Name, Value: c.Value}).String())
	}
	conn, _, err := websocket.Dial(ctx, a.cfg.URL, &websocket.DialOptions{Subprotocols: []string{"phone.v1"}, HTTPHeader: h})
	if err != nil {
		return fmt.Errorf("open the phone's socket: %w", err)
	}
	conn.SetReadLimit(4 << 20)
	l := &line{conn: conn, stop: make(chan struct{}), replies: map[string]chan agentReply{}}
	a.mu.Lock()
	a.line, a.welcome = l, nil
	last := a.seq
	a.mu.Unlock()
	l.wg.Add(2)
	go a.read(l)
	go a.ping(l)
	err = a.write(ctx, l, map[string]any{"t": "hello", "d": map[string]any{"tab_id": a.cfg.Tab, "last_seq": last,
		"owner": true, "activated": true, "client": map[string]any{"ver": "headless", "lang": a.cfg.Lang}}})
	for err == nil {
		a.mu.Lock()
		welcome, changed, ended, code := a.welcome, a.changed, l.ended, l.code
		a.mu.Unlock()
		if welcome != nil {
			return nil
		}
		if ended {
			err = fmt.Errorf("the server closed the socket with %d", code)
			break
		}
		select {
		case <-changed:
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
	}
	a.hangUpLine()
	return fmt.Errorf("say hello: %w", err)
}

func (a *Agent) write(ctx context.Context, l *line, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return l.conn.Write(ctx, websocket.MessageText, b)
}

// read takes frames until the socket ends.
func (a *Agent) read(l *line) {
	defer l.wg.Done()
	for {
		_, b, err := l.conn.Read(context.Background())
		var f struct {
			AgentEvent
			Re  string      `json:"re"`
			OK  bool        `json:"ok"`
			Err *AgentError `json:"err"`
		}
		if err == nil {
			err = json.Unmarshal(b, &f)
		}
		a.mu.Lock()
		switch {
		case err != nil:
			l.ended, l.code = true, int(websocket.CloseStatus(err))
			for id, c := range l.replies {
				delete(l.replies, id)
				close(c)
			}
		case f.Re != "":
			if c := l.replies[f.Re]; c != nil {
				delete(l.replies, f.Re)
				c <- agentReply{D: f.Data, OK: f.OK, Err: f.Err}
			}
		case f.T == "welcome" || f.T == "snapshot":
			a.welcome = f.Data
			var w struct{ Seq int64 }
			_ = json.Unmarshal(f.Data, &w)
			a.seq = max(a.seq, w.Seq)
		case f.T != "pong":
			a.seq = max(a.seq, f.Seq)
			a.events = append(a.events, f.AgentEvent)
		}
		close(a.changed)
		a.changed = make(chan struct{})
		a.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// ping is the heartbeat worker.
func (a *Agent) ping(l *line) {
	defer l.wg.Done()
	tick := time.NewTicker(a.cfg.Ping)
	defer tick.Stop()
	for {
		select {
		case <-l.stop:
			return
		case now := <-tick.C:
			if a.frozen.Load() {
				continue
			}
			ctx, cancel := context.WithTimeout(context.Background(), a.cfg.Ping)
			_ = a.write(ctx, l, map[string]any{"t": "ping", "d": map[string]any{"t": now.UnixMilli()}})
			cancel()
		}
	}
}

// hangUpLine cuts the socket without goodbye and joins its goroutines.
func (a *Agent) hangUpLine() {
	a.mu.Lock()
	l := a.line
	a.line = nil
	a.mu.Unlock()
	if l == nil {
		return
	}
	close(l.stop)
	_ = l.conn.CloseNow()
	l.wg.Wait()
}

// Request makes a request and returns the reply's data. A refusal is an *AgentError.
func (a *Agent) Request(ctx context.Context, t string, d any) (json.RawMessage, error) {
	id := fmt.Sprintf("%s-%d", a.cfg.Tab, a.lastID.Add(1))
	c := make(chan agentReply, 1)
	a.mu.Lock()
	l := a.line
	if l == nil || l.ended {
		a.mu.Unlock()
		return nil, fmt.Errorf("%s: the socket is closed", t)
	}
	l.replies[id] = c
	a.mu.Unlock()
	if err := a.write(ctx, l, map[string]any{"t": t, "id": id, "d": d}); err != nil {
		return nil, fmt.Errorf("%s: %w", t, err)
	}
	select {
	case r, ok := <-c:
		switch {
		case !ok:
			return nil, fmt.Errorf("%s: the socket closed before the reply", t)
		case r.Err != nil:
			return nil, fmt.Errorf("%s: %w", t, r.Err)
		}
		return r.D, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("%s: %w", t, context.Cause(ctx))
	}
}

// WaitEvent waits for an event of type t for which match holds (nil: any), now or already come, and takes it out of the
// list; others stay for other waits. The error lists what came instead.
func (a *Agent) WaitEvent(ctx context.Context, t string, match func(data json.RawMessage) bool) (AgentEvent, error) {
	for {
		a.mu.Lock()
		for i, e := range a.events {
			if e.T == t && (match == nil || match(e.Data)) {
				a.events = slices.Delete(a.events, i, i+1)
				a.mu.Unlock()
				return e, nil
			}
		}
		changed, ended := a.changed, a.line == nil || a.line.ended
		a.mu.Unlock()
		var err error
		if ended {
			err = errors.New("the socket is closed")
		} else {
			select {
			case <-changed:
				continue
			case <-ctx.Done():
				err = context.Cause(ctx)
			}
		}
		return AgentEvent{}, fmt.Errorf("wait for %s: %w; came: %s", t, err, a.came())
	}
}

func (a *Agent) came() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := ""
	for _, e := range a.events[max(0, len(a.events)-20):] {
		s += fmt.Sprintf(" %s%.120s", e.T, e.Data)
	}
	return s
}

// Forget drops the events that came and were not waited for.
func (a *Agent) Forget() { a.mu.Lock(); a.events = nil; a.mu.Unlock() }

// Welcome is the state the server sent last as a whole.
func (a *Agent) Welcome() json.RawMessage { a.mu.Lock(); defer a.mu.Unlock(); return a.welcome }

// Closed waits until the server has closed the socket and returns the close code; -1: no goodbye.
func (a *Agent) Closed(ctx context.Context) (int, error) {
	for {
		a.mu.Lock()
		l, changed := a.line, a.changed
		var ended bool
		code := -1
		if l != nil {
			ended, code = l.ended, l.code
		}
		a.mu.Unlock()
		if l == nil || ended {
			return code, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return 0, fmt.Errorf("wait for the socket's end: %w", context.Cause(ctx))
		}
	}
}
