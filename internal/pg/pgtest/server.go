package pgtest

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"hotline/internal/pg/cluster"
)

// watchdog is a shell script between us and the server. It ends the server and removes its files when our end of the
// pipe closes, which the kernel does even after kill -9.
//
//go:embed watchdog.sh
var watchdog string

// keep holds our end of the pipe for the life of the process: a collected file would close it.
//
//nolint:unused // written and never read: that is its purpose
var keep *os.File

// startServer makes and starts a PostgreSQL without any durability in a temporary directory and returns its address.
func startServer(ctx context.Context) (string, error) {
	acc, err := cluster.PickAccount("", "")
	if err != nil {
		return "", err
	}
	bin, err := cluster.Find(ctx, 0)
	if err != nil {
		return "", err
	}
	top, err := tempDir(acc)
	if err != nil {
		return "", err
	}
	dir := filepath.Join(top, "data")
	if err := start(ctx, bin, acc, top, dir); err != nil {
		return "", errors.Join(err, os.RemoveAll(top))
	}
	u := url.URL{Scheme: "postgres", User: url.User(cluster.Superuser), Path: "/postgres"}
	u.RawQuery = url.Values{"host": {filepath.Join(dir, "run")}, "port": {"5432"}, "sslmode": {"disable"}}.Encode()
	return u.String(), waitReady(ctx, u.String(), filepath.Join(dir, "log", "test.log"))
}

// tempDir makes a directory with a short path that the account may enter and remove.
func tempDir(acc cluster.Account) (string, error) {
	base := os.TempDir()
	if len(base) > 40 || acc.CanEnter(base) != nil {
		base = "/tmp"
	}
	top, err := os.MkdirTemp(base, "hotline-pgtest-")
	if err != nil {
		return "", err
	}
	return top, acc.Own(top)
}

func start(ctx context.Context, bin cluster.Binaries, acc cluster.Account, top, dir string) error {
	if err := cluster.Init(ctx, bin, acc, dir, cluster.InitOptions{Trust: true, NoSync: true}); err != nil {
		return err
	}
	args := cluster.Arguments(dir, map[string]string{
		"listen_addresses": "", "unix_socket_directories": filepath.Join(dir, "run"), "port": "5432",
		"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off", "wal_level": "minimal",
		"max_wal_senders": "0", "shared_buffers": "48MB", "max_connections": "150", "jit": "off", "timezone": "UTC",
	})
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	cmd := exec.Command("/bin/sh", append([]string{"-c", watchdog, "pgtest-watchdog", top, filepath.Join(dir, "log", "test.log"), bin.Postgres()}, args...)...)
	cmd.Stdin = r
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C.UTF-8", "TZ=UTC"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // a signal to our terminal must not reach it
	if acc.Switch {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(acc.UID), Gid: uint32(acc.GID), Groups: []uint32{}}
	}
	if err := cmd.Start(); err != nil {
		w.Close()
		return fmt.Errorf("start the watchdog: %w", err)
	}
	keep = w
	return cmd.Process.Release() // it outlives us on purpose
}

// waitReady tries to connect until the server answers.
func waitReady(ctx context.Context, dsn, log string) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		conn, err := pgx.Connect(ctx, dsn)
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-ctx.Done():
			said, _ := os.ReadFile(log)
			return fmt.Errorf("%w: %w: %s", context.Cause(ctx), err, said)
		case <-tick.C:
		}
	}
}
