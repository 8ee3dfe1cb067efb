package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

const (
	firstAttempts = 5                      // of a start, before its error goes to the caller
	backoffMin    = 100 * time.Millisecond // between two starts
	backoffMax    = 5 * time.Second
)

// errStopped says that Stop came while we were starting.
var errStopped = errors.New("stopped")

// supervise runs the server until Stop, starting it again when it dies. ready gets the outcome of the first start, and
// after a bad one the supervisor ends.
//
// It stays on one thread for its whole life: the kernel ties the server's life (Pdeathsig) to the *thread* that started
// it, and the Go runtime ends idle threads as it likes. The thread is never unlocked, so it ends with the goroutine.
func (c *Cluster) supervise(startCtx context.Context, ready chan<- error) {
	runtime.LockOSThread()
	defer close(c.done)
	defer c.lock.Close()
	if c.socket != filepath.Join(c.dir, "run") {
		defer os.Remove(c.socket) // what the long path made us put elsewhere
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	release := context.AfterFunc(startCtx, func() { cancel(context.Cause(startCtx)) }) // bounds the first start only
	backoff, failed := backoffMin, 0
	for first := true; ; {
		up, err := c.runOnce(ctx, func() {
			if first {
				release()
				ready <- nil
			} else {
				c.log.Info("private database is back", "pid", c.PID())
				if c.cfg.OnRestart != nil {
					c.cfg.OnRestart()
				}
			}
			first, failed, backoff = false, 0, backoffMin
		})
		if err == nil { // Stop
			if first {
				ready <- errStopped
			}
			return
		}
		failed++
		if first && (failed == firstAttempts || ctx.Err() != nil) {
			ready <- err
			return
		}
		if !first {
			c.log.Error("private database died, starting it again", "error", err, "was_up", up, "pause", backoff)
		}
		select {
		case <-c.stop:
			if first {
				ready <- errStopped
			}
			return
		case <-time.After(backoff):
		}
		backoff = min(2*backoff, backoffMax)
	}
}

// runOnce starts the server and stays until it has ended. It calls onReady once it takes connections. The error is nil
// after Stop, else it says how the server ended.
func (c *Cluster) runOnce(ctx context.Context, onReady func()) (up bool, err error) {
	out, err := os.OpenFile(c.startupLog(), os.O_WRONLY|os.O_CREATE|os.O_TRUNC|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return false, fmt.Errorf("open the database's log: %w", err)
	}
	defer out.Close()
	cmd := exec.Command(c.bin.Postgres(), c.arguments()...)
	cmd.Dir, cmd.Env = c.dir, environment()
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = c.acc.attr()
	cmd.SysProcAttr.Pdeathsig = syscall.SIGINT
	if err := cmd.Start(); err != nil {
		return false, fmt.Errorf("start %s: %w", c.bin.Postgres(), err)
	}
	c.setPID(cmd.Process.Pid)
	defer c.setPID(0)
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }() // joined below on every way out

	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	waiting := tick.C
	for {
		select {
		case err := <-exited:
			return up, fmt.Errorf("database server ended: %w: %s", orClean(err), c.tail())
		case <-c.stop:
			c.shutdown(cmd.Process, exited)
			return up, nil
		case <-ctx.Done():
			c.shutdown(cmd.Process, exited)
			return up, fmt.Errorf("start the private database: %w: %s", context.Cause(ctx), c.tail())
		case <-waiting:
			if p, err := readPIDFile(c.dir); err == nil && p.PID == cmd.Process.Pid && p.Ready {
				up, waiting = true, nil
				onReady()
			}
		}
	}
}

// shutdown asks politely first: SIGINT (roll back, checkpoint, end), then SIGQUIT (end now, recover at the next
// start), then SIGKILL.
func (c *Cluster) shutdown(p *os.Process, exited <-chan error) {
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGQUIT, syscall.SIGKILL} {
		if err := p.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
			c.log.Error("signal the private database", "signal", sig.String(), "error", err)
		}
		select {
		case <-exited: //nolint:errcheck // how it ended no longer matters
			return
		case <-time.After(c.cfg.StopGrace):
			c.log.Warn("private database does not end", "signal", sig.String(), "after", c.cfg.StopGrace)
		}
	}
	<-exited //nolint:errcheck // how it ended no longer matters
}

// Stop ends the server and returns when it is gone, or when ctx ends. It may be called several times.
func (c *Cluster) Stop(ctx context.Context) error {
	c.stopOnce.Do(func() { close(c.stop) })
	select {
	case <-c.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for the private database to stop: %w", context.Cause(ctx))
	}
}

func (c *Cluster) startupLog() string { return filepath.Join(c.dir, "log", "startup.log") }

// tail is the end of what the server said before its own log took over, and where to read more.
func (c *Cluster) tail() string {
	b, err := os.ReadFile(c.startupLog())
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%s (more in %s)", lastLines(string(b), 4), filepath.Dir(c.startupLog()))
}

func orClean(err error) error {
	if err == nil {
		return errors.New("exit status 0 without our asking")
	}
	return err
}
