// Package chromium holds the whole-system tests with real Chromium pages as agents: fake microphones, real sound.
package chromium

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hotline/internal/e2e/program"
	"hotline/telephony/telephonytest"
)

// page is one Chromium process with one page; its microphone says a tone for ever.
type page struct {
	t    *testing.T
	name string
	in   io.WriteCloser
	out  *bufio.Scanner
	p    *program.Program
}

// needs fails in CI, and skips with a loud line elsewhere, when a browser or its driver is missing.
func needs(t *testing.T) (playwright string) {
	t.Helper()
	root, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	playwright = filepath.Join(root, "web", "node_modules", "playwright-core", "index.mjs")
	for _, f := range []string{"/usr/bin/chromium", playwright, filepath.Join(root, "web", "dist", "index.html")} {
		if _, err := os.Stat(f); err != nil {
			if os.Getenv("CI") != "" {
				t.Fatalf("browser tests cannot run: %v", err)
			}
			t.Skipf("BROWSER TESTS DO NOT RUN: %v (make setup-test ui)", err)
		}
	}
	return playwright
}

// microphone writes a WAV of whole periods, so that it loops without a gap.
func microphone(t *testing.T, hz float64) string {
	t.Helper()
	pcm := make([]int16, 8000*5)
	for i := range pcm {
		pcm[i] = int16(16383 * math.Sin(2*math.Pi*hz*float64(i)/8000))
	}
	path := filepath.Join(t.TempDir(), fmt.Sprintf("%.0f.wav", hz))
	if err := os.WriteFile(path, telephonytest.WAV(pcm), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func open(ctx context.Context, t *testing.T, p *program.Program, login string, hz float64) *page {
	t.Helper()
	driver := needs(t)
	shot := filepath.Join(os.TempDir(), "hotline-"+login+".png")
	cmd := exec.CommandContext(ctx, "node", "page.mjs")
	cmd.Env = append(os.Environ(), "PLAYWRIGHT="+driver, "MICROPHONE="+microphone(t, hz), "SHOT="+shot)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	p.OK(err)
	out, err := cmd.StdoutPipe()
	p.OK(err)
	p.OK(cmd.Start())
	pg := &page{t: t, name: login, in: in, out: bufio.NewScanner(out), p: p}
	pg.out.Buffer(nil, 1<<20)
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	pg.do("login", map[string]any{"url": "http://" + p.Run.HTTP + "/", "login": login, "password": p.Password(ctx, login)})
	return pg
}

// do makes the page do something and gives what came of it.
func (g *page) do(op string, args map[string]any) json.RawMessage {
	g.t.Helper()
	m := map[string]any{"op": op}
	for k, v := range args {
		m[k] = v
	}
	b, err := json.Marshal(m)
	g.p.OK(err)
	_, err = g.in.Write(append(b, '\n'))
	g.p.OK(err)
	if !g.out.Scan() {
		g.t.Fatalf("%s: the browser ended", g.name)
	}
	var r struct {
		Error string
		Value json.RawMessage
	}
	g.p.OK(json.Unmarshal(g.out.Bytes(), &r))
	if r.Error != "" {
		g.t.Fatalf("%s, %s %v: %s\n%s", g.name, op, args, r.Error, g.p.Log())
	}
	return r.Value
}

func (g *page) press(name string) { g.t.Helper(); g.do("press", map[string]any{"name": name}) }
func (g *page) see(text string)   { g.t.Helper(); g.do("see", map[string]any{"text": text}) }

// hears waits until the page's own ear has the tones of want and none of not.
func (g *page) hears(ctx context.Context, want, not []float64) {
	g.t.Helper()
	last := ""
	for {
		var amp map[string]float64
		g.p.OK(json.Unmarshal(g.do("tone", map[string]any{"freqs": append(append([]float64{}, want...), not...)}), &amp))
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
		last = fmt.Sprint(amp)
		select {
		case <-ctx.Done():
			g.t.Fatalf("%s hears %s, want %v and not %v", g.name, last, want, not)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// Two real pages as agents, a supervisor's page, a caller: who hears whom, in talk, mute, hold, after a reload, and by
// listen, whisper and barge; then the ticket holds the call with its player.
func TestAgentsInRealBrowsers(t *testing.T) {
	needs(t)
	ctx, stop := context.WithTimeout(context.Background(), 4*time.Minute)
	defer stop()
	p := program.New(t)
	p.Start(ctx)
	a1 := open(ctx, t, p, "agent1", 440)
	a1.do("startShift", nil)
	c := p.Dial(ctx, "+79031112233", "200")
	a1.see(`\+7 903 111-22-33`)
	a1.press("^answer")
	p.OK(c.Hears(ctx, []float64{440}, nil))
	a1.hears(ctx, []float64{1000}, nil)

	a1.press("^mute")
	p.OK(c.Hears(ctx, nil, []float64{440}))
	a1.press("^mute")
	p.OK(c.Hears(ctx, []float64{440}, nil))
	a1.press("^hold")
	p.OK(c.Hears(ctx, nil, []float64{440}))
	a1.hears(ctx, nil, []float64{1000})
	a1.press("^hold")
	p.OK(c.Hears(ctx, []float64{440}, nil))

	c.ResetGap()
	a1.do("reload", nil)
	p.OK(c.Hears(ctx, []float64{440}, nil))
	a1.hears(ctx, []float64{1000}, nil)
	if n := c.Reinvites(); n != 0 {
		t.Errorf("the caller's leg was renegotiated %d times by the reload", n)
	}

	a2 := open(ctx, t, p, "agent2", 700)
	a2.do("startShift", nil)
	d := p.Dial(ctx, "+79034445566", "200")
	a2.press("^answer")
	p.OK(d.Hears(ctx, []float64{700}, []float64{440}))
	p.OK(c.Hears(ctx, []float64{440}, []float64{700}))
	d.Hangup()

	c.Hangup()
	a1.see("wrap-up")
	p.Eventually(ctx, "both calls are recorded and linked", func() bool {
		return p.SQL(ctx, `SELECT count(*)::text FROM call c JOIN call_link l ON l.call_id = c.id JOIN recording r ON r.call_id = c.id WHERE r.state = 'ready' AND l.ticket_id IS NOT NULL`) == "2"
	})
	number := p.SQL(ctx, `SELECT t.number FROM ticket t JOIN call_link l ON l.ticket_id = t.id JOIN call c ON c.id = l.call_id WHERE c.caller_e164 = '+79031112233'`)
	a1.do("goto", map[string]any{"url": "http://" + p.Run.HTTP + "/desk/all/" + number})
	a1.see("Answered")
	a1.see("Customer")
	for _, width := range []int{1280, 390} {
		a1.do("size", map[string]any{"width": width})
		var px int
		p.OK(json.Unmarshal(a1.do("overflow", nil), &px))
		if px > 0 {
			t.Errorf("%d px wide: the page overflows by %d px", width, px)
		}
	}
	for _, g := range []*page{a1, a2} {
		if e := string(g.do("errors", nil)); e != "[]" && e != "null" {
			t.Errorf("%s: errors in the page: %s", g.name, strings.TrimSpace(e))
		}
	}
}
