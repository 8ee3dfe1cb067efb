// Package program is in charge of the real program as a child process of whole-system tests: binary, private PostgreSQL,
// demo company, callers and agents.
package program

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"hotline/internal/e2e/asterisk"
	"hotline/telephony/telephonytest"
)

// Program is the server as a child process, as one test sees it: what fails, fails that test. See For.
type Program struct {
	*process
	t testing.TB
}

// process is what all views of one server share.
type process struct {
	bin  string
	data string
	env  []string
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

	// PBX is the Asterisk that carries the callers, Wire what Hotline reaches it by; nil: the native driver does, or the
	// wire cannot be cut.
	PBX  *asterisk.Asterisk
	Wire *asterisk.Wire

	music  string // folder; empty: the installed one
	pbx    asterisk.Options
	wire   bool
	driver string // as Driver gives it

	mu      sync.Mutex // guards what follows
	logins  map[string]string
	tokens  map[string]string
	invites []string // Call-IDs of calls that got an answer other than a refusal
	read    int64    // so much of the log was judged
}

// Option changes what New prepares.
type Option func(*Program)

// Env gives the server settings, as HOTLINE_NAME=value.
func Env(settings ...string) Option {
	return func(p *Program) { p.env = append(p.env, settings...) }
}

// Driver is the telephony driver that the tests run with: native, or asterisk when HOTLINE_TEST_DRIVER says so.
func Driver() string {
	if os.Getenv("HOTLINE_TEST_DRIVER") == "asterisk" {
		return "asterisk"
	}
	return "native"
}

// Native has the server carry callers by itself, whatever the driver under test: for tests of that driver's own edge.
func Native() Option { return func(p *Program) { p.driver = "native" } }

// Behind has Asterisk carry the callers, whatever the driver under test: for comparing the two in one run.
func Behind() Option { return func(p *Program) { p.driver = "asterisk" } }

// Dialplan adds contexts to Asterisk's dial plan.
func Dialplan(text string) Option { return func(p *Program) { p.pbx.Dialplan += text } }

// Silence is how long a line may be silent until Asterisk ends it.
func Silence(seconds int) Option {
	return func(p *Program) {
		p.pbx.PJSIP += fmt.Sprintf("[provider](+type=endpoint)\nrtp_timeout = %d\n", seconds)
	}
}

// Trunk is the name of the trunk by which callers come.
func Trunk() string { return map[string]string{"native": "demo", "asterisk": "provider"}[Driver()] }

// Cuttable puts a wire between the server and Asterisk.
func Cuttable() Option { return func(p *Program) { p.wire = true } }

// behind starts the Asterisk of a server that needs one.
func (p *Program) behind(ctx context.Context) {
	p.t.Helper()
	if p.driver != "asterisk" || p.PBX != nil {
		return
	}
	p.pbx.Music = p.music
	pbx, err := asterisk.Run(ctx, p.pbx)
	p.OK(err)
	p.PBX = pbx.For(p.t)
	url := pbx.URL
	if p.wire {
		p.Wire = asterisk.NewWire(p.t, pbx.HTTP)
		url = strings.Replace(url, pbx.HTTP, p.Wire.Addr, 1)
	}
	p.env = append(p.env, "HOTLINE_TELEPHONY_DRIVER=asterisk", "HOTLINE_ASTERISK_URL="+url, "HOTLINE_ASTERISK_USER="+pbx.User,
		"HOTLINE_ASTERISK_SECRET="+pbx.Secret, "HOTLINE_ASTERISK_APP="+pbx.App)
}

// Edge is where callers dial: the server's SIP address, or Asterisk's.
func (p *Program) Edge() string {
	if p.PBX != nil {
		return p.PBX.SIP
	}
	return p.Run.SIP
}

// Music has waiting callers and customers on hold hear a tone.
func Music(hz float64) Option {
	return func(p *Program) {
		dir := filepath.Join(p.data, "music")
		p.OK(os.MkdirAll(dir, 0o755))
		p.OK(os.WriteFile(filepath.Join(dir, "tone.wav"), telephonytest.WAV(telephonytest.Sine(hz, 5)), 0o644))
		p.env = append(p.env, "HOTLINE_MUSIC="+dir)
		p.music = dir
	}
}

// build compiles the program, unless HOTLINE_E2E_BIN names one that is there.
func build(t testing.TB) string {
	t.Helper()
	if bin := os.Getenv("HOTLINE_E2E_BIN"); bin != "" {
		return bin
	}
	dir := t.TempDir()
	if kept := keep.dir; kept != "" {
		keep.Lock() // of two tests the second finds the first one's
		defer keep.Unlock()
		dir = kept
		if _, err := os.Stat(filepath.Join(dir, "hotline")); err == nil {
			return filepath.Join(dir, "hotline")
		}
	}
	bin := filepath.Join(dir, "hotline")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", bin, "hotline/cmd/hotline").CombinedOutput()
	if err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return bin
}

// New builds the program and a data directory for it; Start runs it. It is stopped when the test ends.
func New(t testing.TB, options ...Option) *Program {
	t.Helper()
	p := &Program{process: &process{bin: build(t), data: t.TempDir(), driver: Driver()}, t: t}
	p.open()
	for _, o := range options {
		o(p)
	}
	t.Cleanup(p.Stop)
	return p
}

// open lets other users pass to the data directory: the private database runs as one.
func (p *Program) open() {
	for dir := p.data; strings.HasPrefix(dir, os.TempDir()) && dir != os.TempDir(); dir = filepath.Dir(dir) {
		p.OK(os.Chmod(dir, 0o755))
	}
}

// For is the same server in the hands of another test.
func (p *Program) For(t testing.TB) *Program {
	if p.PBX != nil {
		p.PBX = p.PBX.For(t)
	}
	return &Program{process: p.process, t: t}
}

// Data is the server's data directory.
func (p *Program) Data() string { return p.data }

// Recordings is where the server keeps its recordings.
func (p *Program) Recordings() string {
	dir := filepath.Join(p.data, "recordings")
	for _, e := range p.env {
		if v, ok := strings.CutPrefix(e, "HOTLINE_RECORDINGS_DIR="); ok {
			dir = v
		}
	}
	return dir
}

// Start runs the program and waits until it says that it is up.
func (p *Program) Start(ctx context.Context) {
	p.t.Helper()
	p.behind(ctx)
	_ = os.Remove(filepath.Join(p.data, "hotline.run"))
	p.Cmd = exec.Command(p.bin, "serve")
	p.Cmd.Env = append(append(os.Environ(), "HOTLINE_DEMO=1", "HOTLINE_TEST_HOOKS=1", "HOTLINE_DATA_DIR="+p.data, "HOTLINE_HTTP_ADDR=127.0.0.1:0",
		"HOTLINE_SIP_ADDR=127.0.0.1:0", "HOTLINE_WEBRTC_ADDR=127.0.0.1:0", "HOTLINE_RTP_PORTS=0", "HOTLINE_DRAIN_TIMEOUT=20s"), p.env...)
	p.Cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // its database ends with it, by the same means
	log, err := os.OpenFile(filepath.Join(p.data, "server.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	p.OK(err)
	defer log.Close()
	p.Cmd.Stderr = log
	out, err := p.Cmd.StdoutPipe()
	p.OK(err)
	p.Done = make(chan error, 1)
	started, up := make(chan error, 1), make(chan struct{})
	go p.attend(p.Cmd, out, p.Done, started, up)
	p.OK(<-started)
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
	if p.PBX != nil {
		p.Eventually(ctx, "Asterisk is ready for calls", func() bool { return p.Get(ctx, "/readyz") == http.StatusOK })
	}
}

// attend starts the child, reads what it says and waits for its end. It stays on one thread: the kernel ties the child's
// life (Pdeathsig) to the thread that started it.
func (p *process) attend(cmd *exec.Cmd, out io.Reader, done, started chan<- error, up chan<- struct{}) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := cmd.Start()
	started <- err
	if err != nil {
		return
	}
	s := bufio.NewScanner(out)
	for s.Scan() {
		f := strings.Fields(s.Text())
		switch {
		case strings.Contains(s.Text(), "is up"):
			close(up)
		case len(f) > 2 && strings.Count(f[1], "-") == 3:
			p.keepLogin(f[0], f[1], s.Text())
		}
	}
	done <- cmd.Wait()
}

// keepLogin remembers a password that the first start has shown.
func (p *process) keepLogin(login, password, line string) {
	if strings.Contains(line, "SIP registration") {
		login = "sip:" + login
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.logins == nil {
		p.logins = map[string]string{}
	}
	p.logins[login] = password
}

// Log is the end of the server's log.
func (p *process) Log() string {
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
	p.t.Helper()
	if err := p.stop(); err != nil {
		p.t.Error(err)
	}
	if p.t.Failed() {
		p.t.Logf("end of the server's log:\n%s", p.Log())
	}
}

func (p *process) stop() error {
	defer func() {
		if p.PBX != nil {
			p.PBX.Stop()
		}
	}()
	if p.Cmd == nil || p.Cmd.Process == nil {
		return nil
	}
	_ = p.Cmd.Process.Signal(syscall.SIGTERM)
	select {
	case err := <-p.Done:
		p.Done <- err
		return nil
	case <-time.After(30 * time.Second):
		_ = p.Cmd.Process.Kill()
		return errors.New("server does not stop")
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
