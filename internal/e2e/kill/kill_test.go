// Package kill holds the whole-system tests that kill the program: the real binary, its private PostgreSQL, real calls.
package kill

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"hotline/telephony/telephonytest"
)

// program is the server as a child process.
type program struct {
	t    *testing.T
	bin  string
	data string
	cmd  *exec.Cmd
	done chan error
	run  struct {
		PID      int
		HTTP     string
		SIP      string
		Database string
	}
}

// build compiles the program once.
func build(t *testing.T) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "hotline")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", bin, "hotline/cmd/hotline").CombinedOutput()
	if err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return bin
}

func newProgram(t *testing.T) *program {
	p := &program{t: t, bin: build(t), data: t.TempDir()}
	for dir := p.data; strings.HasPrefix(dir, os.TempDir()) && dir != os.TempDir(); dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil { // the private database runs as another user
			t.Fatal(err)
		}
	}
	t.Cleanup(p.stop)
	return p
}

// start runs the program and waits until it says that it is up.
func (p *program) start(ctx context.Context) {
	p.t.Helper()
	_ = os.Remove(filepath.Join(p.data, "hotline.run"))
	p.cmd = exec.Command(p.bin, "serve")
	p.cmd.Env = append(os.Environ(), "HOTLINE_DEMO=1", "HOTLINE_DATA_DIR="+p.data, "HOTLINE_HTTP_ADDR=127.0.0.1:0", "HOTLINE_SIP_ADDR=127.0.0.1:0",
		"HOTLINE_WEBRTC_ADDR=127.0.0.1:0", "HOTLINE_RTP_PORTS=0", "HOTLINE_DRAIN_TIMEOUT=20s")
	log, err := os.OpenFile(filepath.Join(p.data, "server.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	p.ok(err)
	defer log.Close()
	p.cmd.Stderr = log
	out, err := p.cmd.StdoutPipe()
	p.ok(err)
	p.ok(p.cmd.Start())
	p.done = make(chan error, 1)
	up := make(chan struct{})
	go func() { // ends with the child
		s := bufio.NewScanner(out)
		for s.Scan() {
			if strings.Contains(s.Text(), "is up") {
				close(up)
			}
		}
		p.done <- p.cmd.Wait()
	}()
	select {
	case <-up:
	case err := <-p.done:
		p.done <- err
		p.t.Fatalf("server ended: %v\n%s", err, p.log())
	case <-ctx.Done():
		p.t.Fatalf("server is not up\n%s", p.log())
	}
	p.eventually(ctx, "the run file", func() bool {
		b, err := os.ReadFile(filepath.Join(p.data, "hotline.run"))
		return err == nil && json.Unmarshal(b, &p.run) == nil && p.run.PID != 0
	})
}

func (p *program) log() string {
	b, _ := os.ReadFile(filepath.Join(p.data, "server.log"))
	return string(b[max(0, len(b)-4000):])
}

// kill ends the program without a word.
func (p *program) kill() {
	p.ok(p.cmd.Process.Kill())
	<-p.done
	p.done <- nil
}

func (p *program) stop() {
	if p.cmd == nil || p.cmd.Process == nil {
		return
	}
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(30 * time.Second):
		_ = p.cmd.Process.Kill()
		p.t.Error("server does not stop")
	}
}

func (p *program) ok(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatalf("%v\n%s", err, p.log())
	}
}

func (p *program) eventually(ctx context.Context, what string, ask func() bool) {
	p.t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !ask() {
		select {
		case <-ctx.Done():
			p.t.Fatalf("never: %s\n%s", what, p.log())
		case <-tick.C:
		}
	}
}

// sql reads one text value from the running program's database.
func (p *program) sql(ctx context.Context, q string) (v string) {
	p.t.Helper()
	c, err := pgx.Connect(ctx, p.run.Database)
	if err != nil {
		return "no database: " + err.Error()
	}
	defer c.Close(ctx)
	if err := c.QueryRow(ctx, q).Scan(&v); err != nil {
		return err.Error()
	}
	return v
}

func (p *program) dial(ctx context.Context, from, to string) *telephonytest.PhoneCall {
	p.t.Helper()
	ph, err := telephonytest.NewPhone(telephonytest.PhoneConfig{User: from, Server: p.run.SIP})
	p.ok(err)
	p.t.Cleanup(ph.Vanish)
	c, err := ph.Call(ctx, to, telephonytest.CallOptions{Tone: 1000})
	p.ok(err)
	p.ok(c.Connected(ctx))
	return c
}

func (p *program) agent(ctx context.Context, login string) *telephonytest.Agent {
	p.t.Helper()
	cmd := exec.CommandContext(ctx, p.bin, "token", "create", "--login", login)
	cmd.Env = append(os.Environ(), "HOTLINE_DATA_DIR="+p.data)
	out, err := cmd.Output()
	p.ok(err)
	a, err := telephonytest.NewAgent(ctx, telephonytest.AgentConfig{URL: "http://" + p.run.HTTP + "/api/v1/phone",
		Header: http.Header{"Authorization": {"Bearer " + strings.TrimSpace(string(out))}}, Tone: 440})
	p.ok(err)
	p.t.Cleanup(a.Vanish)
	p.ok(a.StartShift(ctx))
	return a
}

// postmasters counts the PostgreSQL servers on our data directory.
func (p *program) postmasters() (n int) {
	dirs, err := filepath.Glob("/proc/[0-9]*/cmdline")
	p.ok(err)
	for _, f := range dirs {
		b, _ := os.ReadFile(f)
		if s := strings.ReplaceAll(string(b), "\x00", " "); strings.Contains(s, "postgres") && strings.Contains(s, " -D "+filepath.Join(p.data, "postgres")) {
			n++
		}
	}
	return n
}

// R34: kill -9 with calls in menu, queue and talk. At the next start every one of them is closed with its true last state,
// its caller is on the callback list or in the ticket, once; the recording plays up to two seconds before the kill; there
// is one database; the next call is served.
func TestR34KillWithCallsInMenuQueueAndTalk(t *testing.T) {
	ctx, stop := context.WithTimeout(context.Background(), 150*time.Second)
	defer stop()
	p := newProgram(t)
	p.start(ctx)
	a := p.agent(ctx, "agent1")
	talk := p.dial(ctx, "+79031110001", "200")
	call, _, err := a.WaitOffer(ctx)
	p.ok(err)
	p.ok(a.Answer(ctx, call))
	p.ok(talk.Hears(ctx, []float64{440}, nil))
	p.dial(ctx, "+79031110002", "200")
	p.dial(ctx, "+79031110003", "100")
	p.eventually(ctx, "talk, queue and menu are in rows", func() bool {
		return p.sql(ctx, `SELECT string_agg(state, ' ' ORDER BY state) FROM call WHERE state <> 'ended'`) == "menu talking waiting"
	})
	p.eventually(ctx, "four seconds of talk", func() bool { return len(talk.Heard()) > 4*8000 })
	began := time.Now()
	p.kill()
	p.start(ctx)
	t.Logf("killed and accepting again in %v", time.Since(began).Round(10*time.Millisecond))
	p.eventually(ctx, "all calls are closed and followed up", func() bool {
		return p.sql(ctx, `SELECT concat(count(*) FILTER (WHERE c.state = 'ended' AND c.end_reason = 'crash'), ' ', count(l.ticket_id), ' ', count(DISTINCT l.ticket_id)) FROM call c LEFT JOIN call_link l ON l.call_id = c.id`) == "3 3 3"
	})
	got := p.sql(ctx, `SELECT string_agg(concat(right(caller_e164, 1), ':', substring(hangup_cause FROM '[a-z]+$'), ':', disposition), ' ' ORDER BY caller_e164) FROM call`)
	if want := "1:talking:answered 2:waiting:no_answer 3:menu:no_answer"; got != want {
		t.Errorf("calls %q, want %q", got, want)
	}
	if n := p.sql(ctx, `SELECT string_agg(right(number, 1), '' ORDER BY number) FROM callback_request WHERE state = 'waiting'`); n != "23" {
		t.Errorf("callbacks of %q, want those of 2 and 3", n)
	}
	p.eventually(ctx, "the recording is there", func() bool { return p.sql(ctx, `SELECT count(*)::text FROM recording WHERE state = 'ready'`) == "1" })
	if ms := p.sql(ctx, `SELECT (duration_ms >= 2000)::text FROM recording WHERE state = 'ready'`); ms != "true" {
		t.Errorf("the recording of at least four seconds has %s ms", p.sql(ctx, `SELECT duration_ms::text FROM recording`))
	}
	if n := p.postmasters(); n != 1 {
		t.Errorf("%d postmasters", n)
	}
	a2 := p.agent(ctx, "agent2")
	again := p.dial(ctx, "+79031110004", "200")
	call, _, err = a2.WaitOffer(ctx)
	p.ok(err)
	p.ok(a2.Answer(ctx, call))
	p.ok(again.Hears(ctx, []float64{440}, nil))
	again.Hangup()
}

// SIGTERM drains: the talk goes on, a new call gets 503, and after the last hang-up the program ends by itself.
func TestSIGTERMDrains(t *testing.T) {
	ctx, stop := context.WithTimeout(context.Background(), 90*time.Second)
	defer stop()
	p := newProgram(t)
	p.start(ctx)
	a := p.agent(ctx, "agent1")
	c := p.dial(ctx, "+79031110001", "200")
	call, _, err := a.WaitOffer(ctx)
	p.ok(err)
	p.ok(a.Answer(ctx, call))
	p.ok(c.Hears(ctx, []float64{440}, nil))
	p.ok(p.cmd.Process.Signal(syscall.SIGTERM))
	p.eventually(ctx, "not ready any more", func() bool {
		r, err := http.Get("http://" + p.run.HTTP + "/readyz")
		if err != nil {
			return false
		}
		defer r.Body.Close()
		return r.StatusCode == http.StatusServiceUnavailable
	})
	ph, err := telephonytest.NewPhone(telephonytest.PhoneConfig{User: "+79031110002", Server: p.run.SIP})
	p.ok(err)
	defer ph.Close()
	late, err := ph.Call(ctx, "200", telephonytest.CallOptions{})
	p.ok(err)
	_ = late.Connected(ctx)
	if code, _ := late.Why(); code != 503 {
		t.Errorf("a new call while draining got %d", code)
	}
	p.ok(c.Hears(ctx, []float64{440}, nil))
	c.Hangup()
	select {
	case err := <-p.done:
		p.done <- err
		if err != nil {
			t.Errorf("ended with %v", err)
		}
	case <-ctx.Done():
		t.Fatalf("does not end\n%s", p.log())
	}
	if n := p.postmasters(); n != 0 {
		t.Errorf("%d postmasters left", n)
	}
	fmt.Fprintln(os.Stderr, "drained")
}
