// Package program is in charge of the real program as a child process of whole-system tests: binary, private PostgreSQL,
// demo company, callers and agents.
package program

import (
	"bufio"
	"context"
	"encoding/json"
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

// Program is the server as a child process. One test uses it.
type Program struct {
	t    *testing.T
	bin  string
	data string
	// Cmd is the child; Done gets its end.
	Cmd  *exec.Cmd
	Done chan error
	// Run is what the run file says.
	Run struct {
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

// New builds the program and a data directory for it; Start runs it. It is stopped when the test ends.
func New(t *testing.T) *Program {
	p := &Program{t: t, bin: build(t), data: t.TempDir()}
	for dir := p.data; strings.HasPrefix(dir, os.TempDir()) && dir != os.TempDir(); dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil { // the private database runs as another user
			t.Fatal(err)
		}
	}
	t.Cleanup(p.Stop)
	return p
}

// Start runs the program and waits until it says that it is up.
func (p *Program) Start(ctx context.Context) {
	p.t.Helper()
	_ = os.Remove(filepath.Join(p.data, "hotline.run"))
	p.Cmd = exec.Command(p.bin, "serve")
	p.Cmd.Env = append(os.Environ(), "HOTLINE_DEMO=1", "HOTLINE_DATA_DIR="+p.data, "HOTLINE_HTTP_ADDR=127.0.0.1:0", "HOTLINE_SIP_ADDR=127.0.0.1:0",
		"HOTLINE_WEBRTC_ADDR=127.0.0.1:0", "HOTLINE_RTP_PORTS=0", "HOTLINE_DRAIN_TIMEOUT=20s")
	log, err := os.OpenFile(filepath.Join(p.data, "server.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	p.OK(err)
	defer log.Close()
	p.Cmd.Stderr = log
	out, err := p.Cmd.StdoutPipe()
	p.OK(err)
	p.OK(p.Cmd.Start())
	p.Done = make(chan error, 1)
	up := make(chan struct{})
	go func() { // ends with the child
		s := bufio.NewScanner(out)
		for s.Scan() {
			if strings.Contains(s.Text(), "is up") {
				close(up)
			}
		}
		p.Done <- p.Cmd.Wait()
	}()
	select {
	case <-up:
	case err := <-p.Done:
		p.Done <- err
		p.t.Fatalf("server ended: %v\n%s", err, p.Log())
	case <-ctx.Done():
		p.t.Fatalf("server is not up\n%s", p.Log())
	}
	p.Eventually(ctx, "the run file", func() bool {
		b, err := os.ReadFile(filepath.Join(p.data, "hotline.run"))
		return err == nil && json.Unmarshal(b, &p.Run) == nil && p.Run.PID != 0
	})
}

// Log is the end of the server's log.
func (p *Program) Log() string {
	b, _ := os.ReadFile(filepath.Join(p.data, "server.log"))
	return string(b[max(0, len(b)-4000):])
}

// Kill ends the program without a word.
func (p *Program) Kill() {
	p.OK(p.Cmd.Process.Kill())
	<-p.Done
	p.Done <- nil
}

// Stop ends the program by SIGTERM.
func (p *Program) Stop() {
	if p.Cmd == nil || p.Cmd.Process == nil {
		return
	}
	_ = p.Cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.Done:
	case <-time.After(30 * time.Second):
		_ = p.Cmd.Process.Kill()
		p.t.Error("server does not stop")
	}
}

// OK fails the test on an error, with the log.
func (p *Program) OK(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatalf("%v\n%s", err, p.Log())
	}
}

// Eventually asks until the answer is yes.
func (p *Program) Eventually(ctx context.Context, what string, ask func() bool) {
	p.t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !ask() {
		select {
		case <-ctx.Done():
			p.t.Fatalf("never: %s\n%s", what, p.Log())
		case <-tick.C:
		}
	}
}

// SQL reads one text value from the running program's database.
func (p *Program) SQL(ctx context.Context, q string) (v string) {
	p.t.Helper()
	c, err := pgx.Connect(ctx, p.Run.Database)
	if err != nil {
		return "no database: " + err.Error()
	}
	defer c.Close(ctx)
	if err := c.QueryRow(ctx, q).Scan(&v); err != nil {
		return err.Error()
	}
	return v
}

// Dial calls a number, saying 1000 Hz, and waits for the answer.
func (p *Program) Dial(ctx context.Context, from, to string) *telephonytest.PhoneCall {
	p.t.Helper()
	ph, err := telephonytest.NewPhone(telephonytest.PhoneConfig{User: from, Server: p.Run.SIP})
	p.OK(err)
	p.t.Cleanup(ph.Vanish)
	c, err := ph.Call(ctx, to, telephonytest.CallOptions{Tone: 1000})
	p.OK(err)
	p.OK(c.Connected(ctx))
	return c
}

// Agent is a headless page of a login, on shift, saying 440 Hz.
func (p *Program) Agent(ctx context.Context, login string) *telephonytest.Agent {
	p.t.Helper()
	cmd := exec.CommandContext(ctx, p.bin, "token", "create", "--login", login)
	cmd.Env = append(os.Environ(), "HOTLINE_DATA_DIR="+p.data)
	out, err := cmd.Output()
	p.OK(err)
	a, err := telephonytest.NewAgent(ctx, telephonytest.AgentConfig{URL: "http://" + p.Run.HTTP + "/api/v1/phone",
		Header: http.Header{"Authorization": {"Bearer " + strings.TrimSpace(string(out))}}, Tone: 440})
	p.OK(err)
	p.t.Cleanup(a.Vanish)
	p.OK(a.StartShift(ctx))
	return a
}

// Postmasters counts the PostgreSQL servers on our data directory.
func (p *Program) Postmasters() (n int) {
	dirs, err := filepath.Glob("/proc/[0-9]*/cmdline")
	p.OK(err)
	for _, f := range dirs {
		b, _ := os.ReadFile(f)
		if s := strings.ReplaceAll(string(b), "\x00", " "); strings.Contains(s, "postgres") && strings.Contains(s, " -D "+filepath.Join(p.data, "postgres")) {
			n++
		}
	}
	return n
}

// Password makes a new password for a login and gives it.
func (p *Program) Password(ctx context.Context, login string) string {
	p.t.Helper()
	cmd := exec.CommandContext(ctx, p.bin, "user", "password", login)
	cmd.Env = append(os.Environ(), "HOTLINE_DATA_DIR="+p.data)
	out, err := cmd.Output()
	p.OK(err)
	return strings.TrimSpace(string(out))
}
