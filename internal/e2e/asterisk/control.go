package asterisk

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"hotline/telephony/telephonytest"
)

// HoldHz is the tone of the music.
const HoldHz = 350

func holdTone(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "tone.wav"), telephonytest.WAV(telephonytest.Sine(HoldHz, 5)), 0o644)
}

// PID is the child's process id.
func (a *Asterisk) PID() int { return a.cmd.Process.Pid }

// Kill ends Asterisk without a word, as a crash does.
func (a *Asterisk) Kill() {
	a.t.Helper()
	a.ok(a.cmd.Process.Kill())
	<-a.done
}

// Restart runs Asterisk again on the same ports, killing it first if it is up; when it returns, ARI answers.
func (a *Asterisk) Restart(ctx context.Context) {
	a.t.Helper()
	_ = a.cmd.Process.Kill()
	<-a.done
	a.ok(a.start(ctx))
}

// Freeze stops Asterisk as an overloaded machine does: sockets stay open, nothing answers. Thaw lets it go on.
func (a *Asterisk) Freeze() {
	a.t.Helper()
	a.ok(a.cmd.Process.Signal(syscall.SIGSTOP))
	for !a.stopped() { // the kernel stops the threads one by one, within a few milliseconds
		runtime.Gosched()
	}
}

// stopped tells whether every thread of the child stands still, or there is none.
func (a *Asterisk) stopped() bool {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", a.PID()))
	a.ok(err)
	for _, f := range threads {
		b, err := os.ReadFile(f)
		_, after, _ := strings.Cut(string(b), ") ")
		if err == nil && !strings.HasPrefix(after, "T") {
			return false
		}
	}
	return true
}

// Thaw ends Freeze.
func (a *Asterisk) Thaw() {
	a.t.Helper()
	a.ok(a.cmd.Process.Signal(syscall.SIGCONT))
}

// Stop ends Asterisk and removes its folder. Stopping what has ended is no error.
func (a *Asterisk) Stop() {
	if a.cmd != nil && a.cmd.Process != nil {
		_ = a.cmd.Process.Signal(syscall.SIGTERM)
		_ = a.cmd.Process.Signal(syscall.SIGCONT)
		late := time.NewTimer(5 * time.Second)
		defer late.Stop()
		select {
		case <-a.done:
		case <-late.C:
			_ = a.cmd.Process.Kill()
			<-a.done
		}
	}
	_ = os.RemoveAll(a.Dir)
}

// CLI gives what a command of Asterisk's console prints.
func (a *Asterisk) CLI(ctx context.Context, command string) string {
	a.t.Helper()
	out, err := a.cli(ctx, command)
	a.ok(err)
	return out
}

func (a *Asterisk) cli(ctx context.Context, command string) (string, error) {
	cmd := exec.CommandContext(ctx, filepath.Join(a.root, ".cache/asterisk/asterisk"), "-C", filepath.Join(a.Dir, "etc/asterisk.conf"), "-rx", command)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("asterisk -rx %q: %w: %s", command, err, out)
	}
	return strings.TrimSpace(string(out)), nil
}

// SetProvider changes where calls through the endpoint `provider` go: host:port of a test's phone, UDP.
func (a *Asterisk) SetProvider(ctx context.Context, addr string) {
	a.t.Helper()
	a.opts.Provider = addr
	a.ok(a.configure())
	a.CLI(ctx, "module reload res_pjsip.so") // the loader has put the new contact in place when this returns
	got := a.CLI(ctx, "pjsip show aor provider")
	if !strings.Contains(got, "sip:"+addr) {
		a.t.Fatalf("the provider's contact is not %s:\n%s", addr, got)
	}
}

// Wake has Asterisk read its files again after a test changed them under Dir/etc; module as in `module reload`.
func (a *Asterisk) Wake(ctx context.Context, module string) {
	a.t.Helper()
	a.CLI(ctx, "module reload "+module)
}

// Log is the end of Asterisk's log.
func (a *Asterisk) Log() string {
	out, _ := os.ReadFile(filepath.Join(a.Dir, "log/output"))
	m := a.messages()
	return string(out[max(0, len(out)-500):]) + m[max(0, len(m)-6000):]
}

// messages is the whole log file.
func (a *Asterisk) messages() string {
	b, _ := os.ReadFile(filepath.Join(a.Dir, "log/messages.log"))
	return string(b)
}
