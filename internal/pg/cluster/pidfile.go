package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// pidFile is what PostgreSQL writes about its running postmaster.
type pidFile struct {
	PID   int
	Dir   string
	Ready bool // the server takes connections
}

// readPIDFile reads postmaster.pid. A missing or half-written file is os.ErrNotExist.
func readPIDFile(dir string) (pidFile, error) {
	b, err := os.ReadFile(filepath.Join(dir, "postmaster.pid"))
	if err != nil {
		return pidFile{}, err
	}
	lines := strings.Split(string(b), "\n")
	if len(lines) < 2 {
		return pidFile{}, fmt.Errorf("postmaster.pid is incomplete: %w", os.ErrNotExist)
	}
	pid, err := strconv.Atoi(strings.TrimPrefix(strings.TrimSpace(lines[0]), "-")) // negative: a single-user backend
	if err != nil {
		return pidFile{}, fmt.Errorf("postmaster.pid: %w", err)
	}
	p := pidFile{PID: pid, Dir: lines[1]}
	if len(lines) >= 8 {
		p.Ready = strings.TrimSpace(lines[7]) == "ready"
	}
	return p, nil
}

// holder says what stands behind a number in a pid file.
type holder int

const (
	holderGone    holder = iota // no such process
	holderOurs                  // a postgres whose working directory is this cluster
	holderForeign               // the number was given to some other process since
	holderUnknown               // we may not look
)

// inspect decides whether a process is the postmaster of dir. The working directory tells: PostgreSQL changes into its
// data directory and stays there, and no other cluster can share it.
func inspect(pid int, dir string) holder {
	if pid <= 1 {
		return holderForeign
	}
	if err := syscall.Kill(pid, 0); errors.Is(err, syscall.ESRCH) {
		return holderGone
	}
	if zombie(pid) {
		return holderGone
	}
	proc := "/proc/" + strconv.Itoa(pid)
	cwd, err := os.Readlink(proc + "/cwd")
	if errors.Is(err, os.ErrNotExist) {
		return holderGone
	}
	if err != nil {
		return holderUnknown
	}
	comm, err := os.ReadFile(proc + "/comm")
	if err != nil {
		return holderUnknown
	}
	if cwd == dir && strings.HasPrefix(string(comm), "postgres") {
		return holderOurs
	}
	return holderForeign
}

// zombie reports whether a process is dead and only waits for its parent.
func zombie(pid int) bool {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return false
	}
	i := bytes.LastIndexByte(b, ')')
	return i >= 0 && i+2 < len(b) && b[i+2] == 'Z'
}

// clearPredecessor makes room after a crash of ours. A postmaster that outlived it is stopped, and waited for: two
// servers on one directory would destroy it. The pid file of a process that lives is never removed; one whose number
// now belongs to a stranger is, since PostgreSQL would refuse to start because of it. The caller holds the lock of dir.
func clearPredecessor(ctx context.Context, dir string, grace time.Duration) (stopped int, err error) {
	p, err := readPIDFile(dir)
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	switch inspect(p.PID, dir) {
	case holderGone, holderUnknown: // PostgreSQL itself judges, and says so when it cannot start
		return 0, nil
	case holderForeign:
		if err := os.Remove(filepath.Join(dir, "postmaster.pid")); err != nil && !errors.Is(err, os.ErrNotExist) {
			return 0, fmt.Errorf("remove the stale pid file: %w", err)
		}
		return 0, nil
	}
	gone := func() bool { return inspect(p.PID, dir) != holderOurs }
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGQUIT, syscall.SIGKILL} {
		if err := syscall.Kill(p.PID, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
			return 0, fmt.Errorf("stop the earlier server %d: %w", p.PID, err)
		}
		if ok, err := waitFor(ctx, grace, gone); err != nil {
			return 0, fmt.Errorf("wait for the earlier server %d: %w", p.PID, err)
		} else if ok {
			return p.PID, nil
		}
	}
	return 0, fmt.Errorf("the earlier server %d on %s does not end", p.PID, dir)
}

// waitFor polls a condition outside our process, which has no event to wait for.
func waitFor(ctx context.Context, limit time.Duration, cond func() bool) (bool, error) {
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		if cond() {
			return true, nil
		}
		select {
		case <-ctx.Done():
			return false, context.Cause(ctx)
		case <-deadline.C:
			return cond(), nil
		case <-tick.C:
		}
	}
}
