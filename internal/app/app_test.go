package app

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"hotline/internal/auth"
	"hotline/internal/config"
	"hotline/internal/pg/pgtest"
	"hotline/telephony/telephonytest"
)

// system is the real program inside the test process, with the race detector watching: everything but main.
type system struct {
	*App
	t   testing.TB
	log *logLines
}

// logLines keeps warnings and errors of the server.
type logLines struct {
	mu    sync.Mutex // guards lines
	lines []string
}

func (l *logLines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, string(p))
	return len(p), nil
}

func (l *logLines) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.lines, "")
}

// start runs a server on free ports. set changes settings before the start.
func start(t testing.TB, set ...func(*config.Config)) *system {
	t.Helper()
	cfg, err := config.Load("", func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	cfg.DataDir = t.TempDir()
	if err := os.Chmod(filepath.Dir(cfg.DataDir), 0o755); err != nil { // the private database may run as another user
		t.Fatal(err)
	}
	cfg.DatabaseURL = pgtest.URL(t)
	cfg.IVRDir, cfg.RecordingsDir, cfg.RecordingKey = filepath.Join(cfg.DataDir, "ivr"), filepath.Join(cfg.DataDir, "recordings"), filepath.Join(cfg.DataDir, "recordings.key")
	cfg.Demo, cfg.TestHooks, cfg.RTPPorts = true, true, "0"
	cfg.HTTPAddr, cfg.SIPAddr, cfg.WebRTCAddr = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
	for _, f := range set {
		f(&cfg)
	}
	log := &logLines{}
	s := &system{App: New(cfg, Options{NoUI: true, Log: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelWarn}))}), t: t, log: log}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := s.Start(ctx); err != nil {
		t.Fatalf("start: %v\n%s", err, log.text())
	}
	t.Cleanup(func() {
		stop, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := s.Stop(stop); err != nil {
			t.Errorf("stop: %v", err)
		}
		if t.Failed() {
			t.Logf("log:\n%s", log.text())
		}
	})
	return s
}

func (s *system) ctx(d time.Duration) context.Context {
	ctx, stop := context.WithTimeout(context.Background(), d)
	s.t.Cleanup(stop)
	return ctx
}

func (s *system) ok(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatalf("%v\n%s", err, s.log.text())
	}
}

// phone is a caller.
func (s *system) phone(number string) *telephonytest.Phone {
	s.t.Helper()
	p, err := telephonytest.NewPhone(telephonytest.PhoneConfig{User: number, Server: s.SIPAddr().String()})
	s.ok(err)
	s.t.Cleanup(p.Close)
	return p
}

// dial calls a number, saying a tone.
func (s *system) dial(ctx context.Context, from, to string, hz float64) *telephonytest.PhoneCall {
	s.t.Helper()
	c, err := s.phone(from).Call(ctx, to, telephonytest.CallOptions{Tone: hz})
	s.ok(err)
	s.ok(c.Connected(ctx))
	return c
}

// page is somebody's browser with the sound attached.
func (s *system) page(ctx context.Context, login string, hz float64) *telephonytest.Agent {
	s.t.Helper()
	token, err := makeToken(ctx, s.auth, login, "test", auth.Scopes, time.Hour)
	s.ok(err)
	a, err := telephonytest.NewAgent(ctx, telephonytest.AgentConfig{URL: "http://" + s.HTTPAddr() + "/api/v1/phone", Header: http.Header{"Authorization": {"Bearer " + token}}, Tone: hz, Lang: "en"})
	s.ok(err)
	s.t.Cleanup(a.Close)
	s.ok(a.Attach(ctx))
	return a
}

// agent is a page on shift.
func (s *system) agent(ctx context.Context, login string, hz float64) *telephonytest.Agent {
	s.t.Helper()
	a := s.page(ctx, login, hz)
	s.ok(a.SetState(ctx, "available", ""))
	return a
}

// eventually asks until the answer is yes; the real parts need moments that no event tells.
func (s *system) eventually(ctx context.Context, what string, ask func() bool) {
	s.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ask() {
		select {
		case <-ctx.Done():
			s.t.Fatalf("never: %s\n%s", what, s.log.text())
		case <-tick.C:
		}
	}
}

// one reads a single value.
func one[T any](s *system, ctx context.Context, sql string, args ...any) (v T) {
	s.t.Helper()
	if err := s.db.Pool.QueryRow(ctx, sql, args...).Scan(&v); err != nil {
		s.t.Fatalf("%s: %v", sql, err)
	}
	return v
}

func TestCallFromDialToTicket(t *testing.T) {
	s := start(t)
	ctx := s.ctx(60 * time.Second)
	a := s.agent(ctx, "agent1", 440)
	c := s.dial(ctx, "+79161234567", "200", 1000)
	call, _, err := a.WaitOffer(ctx)
	s.ok(err)
	s.ok(a.Answer(ctx, call))
	s.ok(c.Hears(ctx, []float64{440}, nil))
	s.ok(a.Hears(ctx, []float64{1000}, nil))
	s.ok(a.Hold(ctx, call, true))
	s.ok(c.Hears(ctx, nil, []float64{440}))
	s.ok(a.Hears(ctx, nil, []float64{1000}))
	s.ok(a.Hold(ctx, call, false))
	s.ok(a.Mute(ctx, call, true))
	s.ok(c.Hears(ctx, nil, []float64{440}))
	s.ok(a.Hears(ctx, []float64{1000}, nil))
	s.ok(a.Mute(ctx, call, false))
	s.ok(c.Hears(ctx, []float64{440}, nil))
	_, err = a.Request(ctx, "wrapup.save", map[string]any{"call": call, "note": "asked for the bill"})
	s.ok(err)
	c.Hangup()
	_, err = a.WaitEvent(ctx, "wrapup.start", nil)
	s.ok(err)
	s.eventually(ctx, "the call is in its ticket", func() bool {
		return one[int](s, ctx, `SELECT count(*) FROM call c JOIN call_link l ON l.call_id = c.id JOIN message m ON m.call_id = c.id AND m.kind = 'call'
			WHERE c.call_key = $1 AND c.state = 'ended' AND c.disposition = 'answered' AND l.state = 'confirmed' AND l.rule = 'A9' AND m.body_text LIKE '%asked for the bill%'`, call) == 1
	})
	s.eventually(ctx, "the recording is ready", func() bool {
		return one[int](s, ctx, `SELECT count(*) FROM recording r JOIN call c ON c.id = r.call_id WHERE c.call_key = $1 AND r.state = 'ready' AND r.duration_ms > 1000`, call) == 1
	})
	if n := len(s.calls.list()); n != 0 {
		t.Fatalf("%d calls left", n)
	}
}

// Rule 3 of the agent's states: a rejected offer goes to the next agent, the caller keeps the place.
func TestRejectedOfferGoesOn(t *testing.T) {
	s := start(t)
	ctx := s.ctx(60 * time.Second)
	a1, a2 := s.agent(ctx, "agent1", 440), s.agent(ctx, "agent2", 700)
	c := s.dial(ctx, "+79031112233", "200", 1000)
	call, _, err := a1.WaitOffer(ctx)
	s.ok(err)
	s.ok(a1.Reject(ctx, call))
	again, _, err := a2.WaitOffer(ctx)
	s.ok(err)
	if again != call {
		t.Fatalf("offered %s, then %s", call, again)
	}
	s.ok(a2.Answer(ctx, again))
	s.ok(c.Hears(ctx, []float64{700}, []float64{440}))
	s.ok(a2.Hangup(ctx, again))
	<-c.Done()
}

// The tone table: who hears whom while a supervisor listens, whispers, barges.
func TestSupervisorListensWhispersBarges(t *testing.T) {
	s := start(t)
	ctx := s.ctx(90 * time.Second)
	a := s.agent(ctx, "agent1", 440)
	lead := s.page(ctx, "lead1", 1500)
	c := s.dial(ctx, "+79031112233", "200", 1000)
	call, _, err := a.WaitOffer(ctx)
	s.ok(err)
	s.ok(a.Answer(ctx, call))
	s.ok(c.Hears(ctx, []float64{440}, nil))
	reply, err := lead.Request(ctx, "monitor.start", map[string]any{"call": call})
	s.ok(err)
	leg := strings.Trim(strings.TrimPrefix(string(reply), `{"leg":`), `"}`)
	table := []struct {
		mode                string
		cust, custNot       []float64
		agent, agentNot     []float64
		super, superNothing []float64
	}{
		{"listen", []float64{440}, []float64{1500}, []float64{1000}, []float64{1500}, []float64{1000, 440}, nil},
		{"whisper", []float64{440}, []float64{1500}, []float64{1000, 1500}, nil, []float64{1000, 440}, nil},
		{"barge", []float64{440, 1500}, nil, []float64{1000, 1500}, nil, []float64{1000, 440}, nil},
		{"listen", []float64{440}, []float64{1500}, []float64{1000}, []float64{1500}, []float64{1000, 440}, nil},
	}
	for _, row := range table {
		_, err := lead.Request(ctx, "monitor.mode", map[string]any{"leg": leg, "mode": row.mode})
		s.ok(err)
		for who, hears := range map[string]error{"customer": c.Hears(ctx, row.cust, row.custNot), "agent": a.Hears(ctx, row.agent, row.agentNot), "supervisor": lead.Hears(ctx, row.super, row.superNothing)} {
			if hears != nil {
				t.Fatalf("%s, %s: %v", row.mode, who, hears)
			}
		}
	}
	if _, err := a.Request(ctx, "monitor.start", map[string]any{"call": call}); err == nil {
		t.Fatal("an agent may listen to calls")
	}
	if n := one[int](s, ctx, `SELECT count(*) FROM audit WHERE action LIKE 'monitor.%'`); n < 5 {
		t.Fatalf("%d lines in the audit log", n)
	}
	c.Hangup()
}

// G7: a page reload does not end the call; the customer hears the comfort tone meanwhile, and the agent again after it.
func TestReloadKeepsTheCall(t *testing.T) {
	s := start(t)
	ctx := s.ctx(90 * time.Second)
	a := s.agent(ctx, "agent1", 440)
	c := s.dial(ctx, "+79031112233", "200", 1000)
	call, _, err := a.WaitOffer(ctx)
	s.ok(err)
	s.ok(a.Answer(ctx, call))
	s.ok(c.Hears(ctx, []float64{440}, nil))
	for range 2 {
		s.ok(a.Reload(ctx))
		s.ok(c.Hears(ctx, []float64{440}, nil))
		s.ok(a.Hears(ctx, []float64{1000}, nil))
	}
	a.Vanish()
	s.ok(c.Hears(ctx, []float64{320}, []float64{440}))
	s.ok(a.Return(ctx, true))
	s.ok(c.Hears(ctx, []float64{440}, nil))
	if n := c.Reinvites(); n != 0 {
		t.Fatalf("the customer's leg was renegotiated %d times", n)
	}
	c.Hangup()
	s.eventually(ctx, "one call, one talk", func() bool {
		return one[string](s, ctx, `SELECT coalesce(min(end_reason), '') FROM call WHERE call_key = $1`, call) == "talked"
	})
}

// The page stays away: the customer goes back to the head of the queue, and another agent gets the call.
func TestGraceOver(t *testing.T) {
	s := start(t, func(c *config.Config) { c.ReattachGrace = 3 * time.Second })
	ctx := s.ctx(90 * time.Second)
	a := s.agent(ctx, "agent1", 440)
	c := s.dial(ctx, "+79031112233", "200", 1000)
	call, _, err := a.WaitOffer(ctx)
	s.ok(err)
	s.ok(a.Answer(ctx, call))
	s.ok(c.Hears(ctx, []float64{440}, nil))
	a.Vanish()
	s.eventually(ctx, "the call waits again", func() bool {
		live := s.calls.list()
		return len(live) == 1 && live[0].snapshot().State == "waiting"
	})
	b := s.agent(ctx, "agent2", 700)
	again, _, err := b.WaitOffer(ctx)
	s.ok(err)
	if again != call {
		t.Fatalf("another call: %s", again)
	}
	s.ok(b.Answer(ctx, again))
	s.ok(c.Hears(ctx, []float64{700}, nil))
	c.Hangup()
}

// A desk phone as agent: registered with digest.
func TestDeskPhone(t *testing.T) {
	s := start(t)
	ctx := s.ctx(60 * time.Second)
	_, password, err := s.auth.NewSIPPassword(ctx, nil, "desk1")
	s.ok(err)
	p, err := telephonytest.NewPhone(telephonytest.PhoneConfig{User: "desk1", Password: password, Server: s.SIPAddr().String()})
	s.ok(err)
	t.Cleanup(p.Close)
	s.ok(p.Register(ctx, "127.0.0.1", 60))
	c := s.dial(ctx, "+79031112233", "200", 1000)
	var in *telephonytest.PhoneCall
	select {
	case in = <-p.Incoming():
	case <-ctx.Done():
		t.Fatalf("the desk phone does not ring\n%s", s.log.text())
	}
	in.Tone(440)
	s.ok(in.Answer())
	s.ok(c.Hears(ctx, []float64{440}, nil))
	s.ok(in.Hears(ctx, []float64{1000}, nil))
	in.Hangup()
	<-c.Done()
	s.eventually(ctx, "the ticket", func() bool { return one[int](s, ctx, `SELECT count(*) FROM call_link WHERE rule = 'A9'`) == 1 })
}

// G18: an abandoned caller is followed up once, however often they try.
func TestAbandonedIsFollowedUpOnce(t *testing.T) {
	s := start(t)
	ctx := s.ctx(60 * time.Second)
	for range 2 {
		c := s.dial(ctx, "+79035556677", "200", 1000)
		s.eventually(ctx, "it waits", func() bool { l := s.calls.list(); return len(l) == 1 && l[0].snapshot().State == "waiting" })
		time.AfterFunc(5200*time.Millisecond, c.Hangup) // longer than the queue's short abandon
		<-c.Done()
	}
	s.eventually(ctx, "one ticket, two missed calls, one callback", func() bool {
		return one[string](s, ctx, `SELECT concat(count(DISTINCT l.ticket_id), ' ', count(*), ' ', (SELECT count(*) FROM callback_request WHERE state = 'waiting')) FROM call_link l WHERE l.missed`) == "1 2 1"
	})
}

// What a menu's files on disk do while calls run: a broken edit is refused, the running version stays.
func TestBrokenMenuIsRefused(t *testing.T) {
	s := start(t)
	ctx := s.ctx(30 * time.Second)
	before := s.menus().Hash()
	path := filepath.Join(s.cfg.IVRDir, "flows", "hotline.yaml")
	good, err := os.ReadFile(path)
	s.ok(err)
	s.ok(os.WriteFile(path, []byte(strings.Replace(string(good), "exhausted: operator", "exhausted: nowhere", 1)), 0o644))
	s.eventually(ctx, "the problem is shown", func() bool { return firstProblem(s.problems.get()) != "unknown" })
	if p := firstProblem(s.problems.get()); !strings.Contains(p, "flows/hotline.yaml:") || !strings.Contains(p, "nowhere") {
		t.Fatalf("problem: %s", p)
	}
	if s.menus().Hash() != before {
		t.Fatal("the broken set runs")
	}
	s.ok(os.WriteFile(path, []byte(strings.Replace(string(good), "max_wait: 10m", "max_wait: 9m", 1)), 0o644))
	s.eventually(ctx, "the good edit runs", func() bool { return s.menus().Hash() != before })
}

func TestUnknownNumber(t *testing.T) {
	s := start(t)
	ctx := s.ctx(30 * time.Second)
	c, err := s.phone("+79031112233").Call(ctx, "999", telephonytest.CallOptions{})
	s.ok(err)
	var refused *telephonytest.StatusError
	if err := c.Connected(ctx); !errors.As(err, &refused) || refused.Code != 404 {
		t.Fatalf("unknown number: %v", err)
	}
	s.eventually(ctx, "the call row", func() bool {
		return one[int](s, ctx, `SELECT count(*) FROM call WHERE callee_raw = '999' AND end_reason = 'not_found' AND disposition = 'rejected'`) == 1
	})
}
