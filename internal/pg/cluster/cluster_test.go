package cluster_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"hotline/internal/pg/cluster"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// dataDir is a directory that an unprivileged user may enter; t.TempDir of root is not.
func dataDir(t *testing.T) string {
	t.Helper()
	top, err := os.MkdirTemp("/tmp", "hl-cluster-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(top); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(top, 0o755); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(top, "postgres")
}

func start(t *testing.T, cfg cluster.Config) *cluster.Cluster {
	t.Helper()
	c, err := cluster.Start(t.Context(), cfg)
	if err != nil {
		t.Fatalf("start: %v", err)
	}
	t.Cleanup(func() {
		if err := c.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return c
}

func query[T any](t *testing.T, dsn, sql string) (v T, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return v, err
	}
	defer conn.Close(ctx)
	err = conn.QueryRow(ctx, sql).Scan(&v)
	return v, err
}

// eventually polls what has no event to wait for: other processes.
func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	deadline, tick := time.NewTimer(20*time.Second), time.NewTicker(10*time.Millisecond)
	defer deadline.Stop()
	defer tick.Stop()
	for !cond() {
		select {
		case <-deadline.C:
			t.Fatalf("not within 20 s: %s", what)
		case <-tick.C:
		}
	}
}

// postmasters counts the server processes on a directory, without their children.
func postmasters(t *testing.T, dir string) (pids []int) {
	t.Helper()
	procs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range procs {
		args, err := os.ReadFile(p + "/cmdline")
		if err != nil || !strings.Contains(string(args), "-D\x00"+dir+"\x00") {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(p))
		if err != nil {
			t.Fatal(err)
		}
		pids = append(pids, pid)
	}
	return pids
}

func TestClusterStartStopAndStartAgain(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	c := start(t, cluster.Config{Dir: dir})
	for setting, want := range map[string]string{
		"listen_addresses": "", "data_checksums": "on", "server_encoding": "UTF8", "lc_collate": "C.UTF-8", "fsync": "on",
	} {
		if got, err := query[string](t, c.URL(), "SELECT current_setting('"+setting+"')"); err != nil || got != want {
			t.Errorf("%s = %q, %v; want %q", setting, got, err, want)
		}
	}
	if _, err := query[int](t, strings.Replace(c.URL(), "hotline:", "hotline:x", 1), "SELECT 1"); err == nil {
		t.Error("a wrong password was accepted")
	}
	if _, err := query[int](t, c.URL(), "WITH made AS (SELECT lo_create(4711)) SELECT 1 FROM made"); err != nil {
		t.Fatal(err)
	}
	pid := c.PID()
	for range 2 {
		if err := c.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("server %d after Stop: %v; want it gone", pid, err)
	}
	again := start(t, cluster.Config{Dir: dir})
	if got, err := query[string](t, again.URL(), "SELECT oid::text FROM pg_largeobject_metadata"); err != nil || got != "4711" {
		t.Errorf("what was kept: %q, %v; want 4711", got, err)
	}
}

func TestSecondStartOnTheSameDirectoryIsRefused(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	c := start(t, cluster.Config{Dir: dir})
	_, err := cluster.Start(t.Context(), cluster.Config{Dir: dir})
	if !errors.Is(err, cluster.ErrInUse) || !strings.Contains(err.Error(), strconv.Itoa(os.Getpid())) {
		t.Fatalf("second start: %v; want ErrInUse naming our process", err)
	}
	if pids := postmasters(t, c.Dir()); len(pids) != 1 {
		t.Fatalf("postmasters: %v; want one", pids)
	}
	if _, err := query[int](t, c.URL(), "SELECT 1"); err != nil {
		t.Fatalf("the first one suffered: %v", err)
	}
}

func TestServerThatDiesIsStartedAgain(t *testing.T) {
	t.Parallel()
	back := make(chan struct{}, 1)
	c := start(t, cluster.Config{Dir: dataDir(t), OnRestart: func() { back <- struct{}{} }})
	pid := c.PID()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	select {
	case <-back:
	case <-time.After(20 * time.Second):
		t.Fatal("not back within 20 s")
	}
	if c.PID() == pid {
		t.Fatal("the same process")
	}
	if _, err := query[int](t, c.URL(), "SELECT 1"); err != nil {
		t.Fatal(err)
	}
}

// TestHelperProcess is a process of ours that gets killed by the tests below.
func TestHelperProcess(t *testing.T) {
	dir := os.Getenv("CLUSTER_VICTIM")
	if dir == "" {
		return
	}
	c, err := cluster.Start(context.Background(), cluster.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println("pid:", c.PID())
	select {}
}

// victim starts a helper process with a cluster and returns it with its server's number.
func victim(t *testing.T, dir string) (*exec.Cmd, int) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestHelperProcess$", "-test.v")
	cmd.Env = append(os.Environ(), "CLUSTER_VICTIM="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var said []string
	for sc := bufio.NewScanner(out); sc.Scan(); {
		if s, ok := strings.CutPrefix(sc.Text(), "pid: "); ok {
			pid, err := strconv.Atoi(s)
			if err != nil {
				t.Fatal(err)
			}
			return cmd, pid
		}
		said = append(said, sc.Text())
	}
	t.Fatalf("the helper process did not start its server: %s", strings.Join(said, "\n"))
	return nil, 0
}

func TestServerDiesWithAKilledProcess(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	cmd, pid := victim(t, dir)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	eventually(t, "the server ends after its process was killed", func() bool { return len(postmasters(t, dir)) == 0 })
	c := start(t, cluster.Config{Dir: dir})
	if c.PID() == pid {
		t.Error("the same server")
	}
	if _, err := query[int](t, c.URL(), "SELECT 1"); err != nil {
		t.Error(err)
	}
}

func TestServerThatOutlivedItsProcessIsStoppedFirst(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	c := start(t, cluster.Config{Dir: dir})
	if err := c.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	// A server that nobody supervises, as a lost signal of its parent's death would leave it.
	bin, err := cluster.Find(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	acc, err := cluster.PickAccount(dir, "")
	if err != nil {
		t.Fatal(err)
	}
	old := exec.Command(bin.Postgres(), cluster.Arguments(c.Dir(), map[string]string{"listen_addresses": "", "unix_socket_directories": c.Socket()})...)
	old.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if acc.Switch {
		old.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(acc.UID), Gid: uint32(acc.GID)}
	}
	if err := old.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- old.Wait() }()
	eventually(t, "the old server takes connections", func() bool { _, err := query[int](t, c.URL(), "SELECT 1"); return err == nil })
	again := start(t, cluster.Config{Dir: dir, StopGrace: 5 * time.Second})
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("the old server did not end by itself: %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("the old server still runs")
	}
	if pids := postmasters(t, c.Dir()); len(pids) != 1 || pids[0] != again.PID() {
		t.Fatalf("postmasters %v, ours %d; want ours alone", pids, again.PID())
	}
	if _, err := query[int](t, again.URL(), "SELECT 1"); err != nil {
		t.Fatal(err)
	}
}

func TestPidFileOfAStrangerDoesNotBlockTheStart(t *testing.T) {
	t.Parallel()
	other := start(t, cluster.Config{Dir: dataDir(t)})
	// After a crash of the machine the number in the file may belong to anybody: to us, or to a server of other data.
	for name, pid := range map[string]int{"a program": os.Getpid(), "another PostgreSQL": other.PID()} {
		t.Run(name, func(t *testing.T) {
			dir := dataDir(t)
			c := start(t, cluster.Config{Dir: dir})
			if err := c.Stop(t.Context()); err != nil {
				t.Fatal(err)
			}
			text := fmt.Sprintf("%d\n%s\n1\n5432\n%s/run\n\n0 0\nready   \n", pid, dir, dir)
			if err := os.WriteFile(filepath.Join(dir, "postmaster.pid"), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			start(t, cluster.Config{Dir: dir})
			if _, err := query[int](t, other.URL(), "SELECT 1"); err != nil || other.PID() != pid && pid != os.Getpid() {
				t.Errorf("the other server suffered: %v", err)
			}
		})
	}
}

func TestUnfinishedInitIsDoneAgain(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	if err := os.MkdirAll(filepath.Join(dir+".new", "base"), 0o700); err != nil { // initdb was killed here
		t.Fatal(err)
	}
	start(t, cluster.Config{Dir: dir})
}

func TestLongPathGetsAShortSocket(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(filepath.Dir(dataDir(t)), strings.Repeat("d", 60), strings.Repeat("e", 60), "postgres")
	c := start(t, cluster.Config{Dir: dir})
	if len(c.Socket()) > 90 {
		t.Errorf("socket in %s", c.Socket())
	}
	if _, err := query[int](t, c.URL(), "SELECT 1"); err != nil {
		t.Fatal(err)
	}
	if err := c.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(c.Socket()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("folder of the socket after Stop: %v; want it gone", err)
	}
}

func TestErrorsSayHowToMend(t *testing.T) {
	t.Parallel()
	closed := dataDir(t)
	if err := os.Mkdir(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	stale := dataDir(t)
	if err := os.Mkdir(stale, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(stale, "PG_VERSION"), []byte("9\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	filled := dataDir(t)
	if err := os.MkdirAll(filepath.Join(filled, "photos"), 0o755); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		cfg    cluster.Config
		want   string
		asRoot bool
	}{
		"no directory":           {cfg: cluster.Config{}, want: "no data directory"},
		"other people's files":   {cfg: cluster.Config{Dir: filled}, want: "neither empty nor a cluster"},
		"version not installed":  {cfg: cluster.Config{Dir: stale}, want: "version 9", asRoot: os.Geteuid() != 0},
		"unknown user":           {cfg: cluster.Config{Dir: dataDir(t), User: "no-such-user"}, want: "no-such-user", asRoot: true},
		"user is root":           {cfg: cluster.Config{Dir: dataDir(t), User: "root"}, want: "is root", asRoot: true},
		"parent is not for them": {cfg: cluster.Config{Dir: filepath.Join(closed, "postgres")}, want: "may not enter", asRoot: true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if tt.asRoot && os.Geteuid() != 0 {
				t.Skip("only root changes users")
			}
			c, err := cluster.Start(t.Context(), tt.cfg)
			if err == nil {
				c.Stop(context.Background())
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("error %v; want one with %q", err, tt.want)
			}
		})
	}
}
