// Package browser is in charge of the whole-system tests in which people work: real Chromium pages of the real program,
// SIP callers, tones heard on every side.
package browser

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"hotline/internal/e2e/program"
	"hotline/telephony/telephonytest"
)

// What everybody says, in Hz.
const (
	customerHz   = 1000.0
	agent1Hz     = 440.0
	agent2Hz     = 700.0
	supervisorHz = 1500.0
	comfortHz    = 320.0 // the server, to a customer whose agent's page is away
)

// needs names the files the browsers need. Without them the tests fail in CI, and skip loudly elsewhere.
func needs(t *testing.T) (playwright, axe string) {
	t.Helper()
	web, err := filepath.Abs("../../../web")
	if err != nil {
		t.Fatal(err)
	}
	playwright = filepath.Join(web, "node_modules", "playwright-core", "index.mjs")
	axe = filepath.Join(web, "node_modules", "axe-core", "axe.min.js")
	for _, f := range []string{"/usr/bin/chromium", playwright, axe, filepath.Join(web, "dist", "index.html")} {
		if _, err := os.Stat(f); err != nil {
			if os.Getenv("CI") != "" {
				t.Fatalf("browser tests cannot run: %v", err)
			}
			t.Skipf("BROWSER TESTS DO NOT RUN: %v (make setup-test ui)", err)
		}
	}
	return playwright, axe
}

// browser is one Chromium process; its microphone says the same for ever. One goroutine uses it at a time.
type browser struct {
	login string
	url   string
	in    io.WriteCloser
	out   *bufio.Scanner
}

// launch starts a browser and signs its person in. It ends with the test that started it.
func launch(ctx context.Context, t *testing.T, p *program.Program, login string, voice []int16) (*browser, error) {
	playwright, axe := needs(t)
	wav := filepath.Join(t.TempDir(), "voice.wav")
	if err := os.WriteFile(wav, telephonytest.WAV(voice), 0o644); err != nil {
		return nil, fmt.Errorf("write the microphone's sound: %w", err)
	}
	cmd := exec.CommandContext(ctx, "node", "driver.mjs")
	cmd.Env = append(os.Environ(), "PLAYWRIGHT="+playwright, "AXE="+axe, "MICROPHONE="+wav)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the browser of %s: %w", login, err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	b := &browser{login: login, url: "http://" + p.Run.HTTP, in: in, out: bufio.NewScanner(out)}
	b.out.Buffer(nil, 1<<20)
	_, err = b.ask(args{"op": "login", "url": b.url + "/", "login": login, "password": p.Password(ctx, login)})
	return b, err
}

// steady is a tone in whole periods, so that it loops without a gap.
func steady(hz float64) []int16 {
	pcm := make([]int16, 5*8000)
	for i := range pcm {
		pcm[i] = int16(16383 * math.Sin(2*math.Pi*hz*float64(i)/8000))
	}
	return pcm
}

type args map[string]any

// ask has the browser do something and gives what came of it.
func (b *browser) ask(a args) (json.RawMessage, error) {
	line, err := json.Marshal(a)
	if err != nil {
		return nil, err
	}
	if _, err := b.in.Write(append(line, '\n')); err != nil {
		return nil, fmt.Errorf("%s: the browser has ended: %w", b.login, err)
	}
	if !b.out.Scan() {
		return nil, fmt.Errorf("%s: the browser has ended", b.login)
	}
	var r struct {
		Error string
		Value json.RawMessage
	}
	if err := json.Unmarshal(b.out.Bytes(), &r); err != nil {
		return nil, fmt.Errorf("%s: read the browser's answer: %w", b.login, err)
	}
	if r.Error != "" {
		return nil, fmt.Errorf("%s, %s: %s", b.login, line, r.Error)
	}
	return r.Value, nil
}

// tab is one tab of a browser as a test sees it: what fails, fails the test.
type tab struct {
	t *testing.T
	b *browser
	n int
}

func (g tab) do(op string, a args) json.RawMessage {
	g.t.Helper()
	m := args{"op": op, "tab": g.n}
	for k, v := range a {
		m[k] = v
	}
	v, err := g.b.ask(m)
	if err != nil {
		g.t.Fatal(err)
	}
	return v
}

func (g tab) press(name string) { g.t.Helper(); g.do("press", args{"name": name}) }
func (g tab) see(text string)   { g.t.Helper(); g.do("see", args{"text": text}) }
func (g tab) open(path string)  { g.t.Helper(); g.do("goto", args{"url": g.b.url + path}) }
func (g tab) until(js string)   { g.t.Helper(); g.do("until", args{"js": js}) }

// str asks for one text.
func (g tab) str(op string, a args) (s string) {
	g.t.Helper()
	if err := json.Unmarshal(g.do(op, a), &s); err != nil {
		g.t.Fatalf("%s: %s gives no text: %v", g.b.login, op, err)
	}
	return s
}

// js gives the value of an expression in the page as JSON.
func (g tab) js(expr string) string { g.t.Helper(); return string(g.do("js", args{"js": expr})) }

// state is an expression over the page's telephone.
func (g tab) state(expr string) string {
	g.t.Helper()
	return g.js(`(() => { const s = window.__hotline.core.getState(); return ` + expr + `; })()`)
}

// hears waits until the agent's ear has every tone of want and none of not.
func (g tab) hears(ctx context.Context, want, not []float64) {
	g.t.Helper()
	for {
		var amp map[string]float64
		if err := json.Unmarshal(g.do("tone", args{"freqs": append(append([]float64{}, want...), not...)}), &amp); err != nil {
			g.t.Fatal(err)
		}
		good := true
		for _, hz := range want {
			good = good && amp[fmt.Sprint(hz)] > telephonytest.Present
		}
		for _, hz := range not {
			good = good && amp[fmt.Sprint(hz)] < 2*telephonytest.Absent
		}
		if good {
			return
		}
		select {
		case <-ctx.Done():
			g.t.Fatalf("%s hears %v, want %v and not %v", g.b.login, amp, want, not)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// onShift brings the agent to "available", wherever the last test left the page.
func (g tab) onShift() {
	g.t.Helper()
	g.open("/shift")
	g.until(`window.__hotline?.core.getState().ready`)
	switch g.state(`s.agent?.state ?? ''`) {
	case `"available"`:
	case `"offline"`, `""`:
		g.do("press", args{"name": `^(start shift|начать смену)$`})
	default:
		g.js(`window.__hotline.core.setAgent('available')`)
	}
	g.until(`window.__hotline.core.getState().agent?.state === 'available' && window.__hotline.core.getState().media.status === 'connected'`)
	g.open("/desk/mine")
	g.until(`window.__hotline?.core.getState().agent?.state === 'available'`)
}

// offShift ends the shift.
func (g tab) offShift() {
	g.t.Helper()
	g.js(`window.__hotline.core.endShift()`)
	g.until(`(window.__hotline.core.getState().agent?.state ?? 'offline') === 'offline'`)
}

// wrapUp finishes the work after a call by its button.
func (g tab) wrapUp() {
	g.t.Helper()
	g.press("^done$")
	g.until(`window.__hotline.core.getState().agent?.state === 'available'`)
}

// suite is one running company: the program and the browsers of its people.
type suite struct {
	p                *program.Program
	one, two, leader *browser
}

// newSuite starts the company; voice is what agent1's microphone says.
func newSuite(ctx context.Context, t *testing.T, voice []int16) *suite {
	t.Helper()
	needs(t)
	s := &suite{p: program.New(t)}
	s.p.Start(ctx)
	var wg sync.WaitGroup
	var errs [3]error
	wg.Go(func() { s.one, errs[0] = launch(ctx, t, s.p, "agent1", voice) })
	wg.Go(func() { s.two, errs[1] = launch(ctx, t, s.p, "agent2", steady(agent2Hz)) })
	wg.Go(func() { s.leader, errs[2] = launch(ctx, t, s.p, "lead1", steady(supervisorHz)) })
	wg.Wait()
	if err := errors.Join(errs[:]...); err != nil {
		t.Fatalf("%v\n%s", err, s.p.Log())
	}
	return s
}

// dial calls a number, saying 1000 Hz, and waits for the answer. The phone hangs up when the test ends.
func (s *suite) dial(ctx context.Context, t *testing.T, from, to string) *telephonytest.PhoneCall {
	t.Helper()
	ph, err := telephonytest.NewPhone(telephonytest.PhoneConfig{User: from, Server: s.p.Edge()})
	ok(t, err)
	t.Cleanup(ph.Close)
	c, err := ph.Call(ctx, to, telephonytest.CallOptions{Tone: customerHz})
	ok(t, err)
	ok(t, c.Connected(ctx))
	return c
}

// wait waits for a value of the database.
func (s *suite) wait(ctx context.Context, t *testing.T, what, sql, want string) {
	t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		got := s.p.SQL(ctx, sql)
		if got == want {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("never: %s (got %s, want %s)\n%s", what, got, want, s.p.Log())
		case <-tick.C:
		}
	}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// troubles are the lines of the program's log that are more than news.
func troubles(log string) string {
	var lines []string
	for line := range strings.Lines(log) {
		if strings.HasPrefix(line, "{") && !strings.Contains(line, `"level":"INFO"`) {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "")
}

// TestPeople walks through a working day: one program, three browsers, several callers. The parts follow one another
// because they share the people, and each one brings them to where it needs them.
func TestPeople(t *testing.T) {
	needs(t)
	ctx, stop := context.WithTimeout(context.Background(), 8*time.Minute)
	defer stop()
	s := newSuite(ctx, t, steady(agent1Hz))
	for _, part := range []struct {
		name string
		run  func(context.Context, *testing.T, *suite)
	}{
		{"menu to ticket", menuToTicket},
		{"longest idle, then the other", longestIdle},
		{"reload", reload},
		{"two tabs", twoTabs},
		{"page closed", pageClosed},
		{"supervisor", supervisor},
		{"pages", pages},
	} {
		t.Run(part.name, func(t *testing.T) {
			ctx, stop := context.WithTimeoutCause(ctx, 3*time.Minute, errors.New("the part takes too long"))
			defer stop()
			began := time.Now()
			defer func() {
				t.Logf("took %v", time.Since(began).Round(100*time.Millisecond))
				if t.Failed() {
					t.Log(troubles(s.p.Log()))
				}
			}()
			part.run(ctx, t, s)
		})
	}
	for _, b := range []*browser{s.one, s.two, s.leader} {
		if v, err := b.ask(args{"op": "faults"}); err != nil || strings.TrimSpace(string(v)) != "[]" {
			t.Errorf("%s: faults in the pages: %s %v", b.login, v, err)
		}
	}
}
