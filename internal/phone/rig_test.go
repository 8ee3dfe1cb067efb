package phone

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must come; only failing tests need it.
const patience = 15 * time.Second

// desk is a Desk of functions; nil ones do the least.
type desk struct {
	snapshot func(ctx context.Context, who Who) (any, error)
	command  func(ctx context.Context, who Who, t string, d json.RawMessage) (any, error)

	mu        sync.Mutex
	presences []string // login online tabs owner
	more      chan struct{}
}

func (d *desk) Snapshot(ctx context.Context, who Who) (any, error) {
	if d.snapshot == nil {
		return map[string]any{"agent": map[string]any{"login": who.Login}, "calls": []any{}, "media": map[string]any{"epoch": 7}}, nil
	}
	return d.snapshot(ctx, who)
}

func (d *desk) Command(ctx context.Context, who Who, t string, data json.RawMessage) (any, error) {
	if d.command == nil {
		return nil, nil
	}
	return d.command(ctx, who, t, data)
}

type told struct {
	Login  string
	Online bool
	Tabs   int
	Owner  bool
}

func (d *desk) Presence(login string, online bool, tabs int, owner bool) {
	b, _ := json.Marshal(told{login, online, tabs, owner})
	d.mu.Lock()
	defer d.mu.Unlock()
	d.presences = append(d.presences, string(b))
	if d.more != nil {
		close(d.more)
		d.more = nil
	}
}

// waitPresence waits until the presence was told, now or earlier.
func (d *desk) waitPresence(t *testing.T, ctx context.Context, want told) {
	t.Helper()
	b, _ := json.Marshal(want)
	for {
		d.mu.Lock()
		for _, p := range d.presences {
			if p == string(b) {
				d.mu.Unlock()
				return
			}
		}
		if d.more == nil {
			d.more = make(chan struct{})
		}
		more, got := d.more, strings.Join(d.presences, " ")
		d.mu.Unlock()
		select {
		case <-more:
		case <-ctx.Done():
			t.Fatalf("presence %s never told; told: %s", b, got)
		}
	}
}

// sound is a Media of functions.
type sound struct {
	attach func(agent, sdp string, codecs []string) (string, int, error)
	offer  func(agent string, epoch int, sdp string) (string, error)
	cand   func(agent string, epoch int, c string) error
	detach func(agent string, epoch int)
}

func (m *sound) Attach(_ context.Context, agent, sdp string, codecs []string) (string, int, error) {
	return m.attach(agent, sdp, codecs)
}
func (m *sound) Offer(_ context.Context, agent string, epoch int, sdp string) (string, error) {
	return m.offer(agent, epoch, sdp)
}
func (m *sound) Candidate(agent string, epoch int, c string) error { return m.cand(agent, epoch, c) }
func (m *sound) Detach(agent string, epoch int)                    { m.detach(agent, epoch) }

// rig is a hub behind a real HTTP server. The header Login names who asks: "agent1", "lead1", "guest"; none: nobody.
type rig struct {
	*Hub
	desk  *desk
	sound *sound
	url   string
}

func newRig(t *testing.T, d *desk, change func(*Config)) *rig {
	t.Helper()
	r := &rig{desk: d, sound: &sound{}}
	roles := map[string]string{"agent1": "agent", "agent2": "agent", "lead1": "supervisor", "guest": "viewer"}
	cfg := Config{Media: r.sound, Desk: d, Authenticate: func(req *http.Request) (Who, error) {
		l := req.Header.Get("Login")
		if l == "" {
			return Who{}, errors.New("no session")
		}
		return Who{Login: l, Roles: []string{roles[l]}, Lang: "en"}, nil
	}}
	if change != nil {
		change(&cfg)
	}
	r.Hub = NewHub(cfg)
	srv := httptest.NewServer(r.Hub)
	r.url = srv.URL
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := r.Shutdown(ctx, 0); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		srv.Close()
	})
	return r
}

// page is a client.
type page struct {
	t    *testing.T
	conn *websocket.Conn
}

func (r *rig) dial(t *testing.T, ctx context.Context, login string, change func(*websocket.DialOptions)) *page {
	t.Helper()
	opt := &websocket.DialOptions{Subprotocols: []string{Subprotocol}, HTTPHeader: http.Header{"Login": {login}}}
	if change != nil {
		change(opt)
	}
	conn, _, err := websocket.Dial(ctx, r.url, opt)
	if err != nil {
		t.Fatal(err)
	}
	conn.SetReadLimit(1 << 20)
	t.Cleanup(func() { _ = conn.CloseNow() })
	return &page{t, conn}
}

// hello opens a page and reads until the welcome; it returns the frames before it and the welcome's data.
func (r *rig) hello(t *testing.T, ctx context.Context, login string, h map[string]any) (p *page, before []msg, welcome map[string]any) {
	t.Helper()
	p = r.dial(t, ctx, login, nil)
	p.send(ctx, "hello", "", h)
	for {
		m := p.read(ctx)
		if m.T == "welcome" {
			return p, before, m.data()
		}
		before = append(before, m)
	}
}

func tabID(id string) map[string]any { return map[string]any{"tab_id": id} }
func owner(id string) map[string]any { return map[string]any{"tab_id": id, "owner": true} }

type msg struct {
	T      string          `json:"t"`
	Seq    int64           `json:"seq"`
	Replay bool            `json:"replay"`
	D      json.RawMessage `json:"d"`
	Re     string          `json:"re"`
	OK     bool            `json:"ok"`
	Err    *Error          `json:"err"`
}

func (m msg) data() map[string]any {
	var v map[string]any
	_ = json.Unmarshal(m.D, &v)
	return v
}

func (p *page) send(ctx context.Context, t, id string, d any) {
	p.t.Helper()
	f := map[string]any{"t": t}
	if id != "" {
		f["id"] = id
	}
	if d != nil {
		f["d"] = d
	}
	b, _ := json.Marshal(f)
	p.raw(ctx, string(b))
}

func (p *page) raw(ctx context.Context, s string) {
	p.t.Helper()
	if err := p.conn.Write(ctx, websocket.MessageText, []byte(s)); err != nil {
		p.t.Fatalf("write %.60s: %v", s, err)
	}
}

func (p *page) read(ctx context.Context) msg {
	p.t.Helper()
	_, b, err := p.conn.Read(ctx)
	if err != nil {
		p.t.Fatalf("read: %v", err)
	}
	var m msg
	if err := json.Unmarshal(b, &m); err != nil {
		p.t.Fatalf("frame %s: %v", b, err)
	}
	return m
}

// until reads until a frame of type t comes.
func (p *page) until(ctx context.Context, t string) msg {
	p.t.Helper()
	for {
		if m := p.read(ctx); m.T == t {
			return m
		}
	}
}

// ask makes a request and returns its answer.
func (p *page) ask(ctx context.Context, t, id string, d any) msg {
	p.t.Helper()
	p.send(ctx, t, id, d)
	for {
		if m := p.read(ctx); m.Re == id {
			return m
		}
	}
}

// closed reads until the socket ends and wants that code.
func (p *page) closed(ctx context.Context, want websocket.StatusCode) {
	p.t.Helper()
	for {
		if _, _, err := p.conn.Read(ctx); err != nil {
			if got := websocket.CloseStatus(err); got != want {
				p.t.Errorf("closed with %d (%v), want %d", got, err, want)
			}
			return
		}
	}
}

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}
