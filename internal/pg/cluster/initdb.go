package cluster

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// Superuser and Database are the names inside a private cluster.
const (
	Superuser = "hotline"
	Database  = "hotline"
)

const passwordFile = "hotline.password" // inside the data directory, mode 0600

// Exists reports whether dir holds a cluster, and of which major version.
func Exists(dir string) (major int, ok bool, err error) {
	b, err := os.ReadFile(filepath.Join(dir, "PG_VERSION"))
	if errors.Is(err, os.ErrNotExist) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, fmt.Errorf("look for a cluster in %s: %w", dir, err)
	}
	major, err = strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		return 0, false, fmt.Errorf("version of the cluster in %s: %w", dir, err)
	}
	return major, true, nil
}

// InitOptions says how Init makes a cluster.
type InitOptions struct {
	Trust  bool // no passwords: only for tests, whose socket nobody else can reach
	NoSync bool // do not wait for the disk: only for tests
}

// Init makes a cluster in dir, which must not exist or be empty. It builds beside it and renames, so that a crash
// half-way leaves no half cluster. The parent of dir must exist. The caller keeps others away.
func Init(ctx context.Context, bin Binaries, acc Account, dir string, opt InitOptions) error {
	if there, err := os.ReadDir(dir); err == nil && len(there) > 0 {
		return fmt.Errorf("make a cluster in %s: it is neither empty nor a cluster", dir)
	}
	work := dir + ".new"
	if err := os.RemoveAll(work); err != nil {
		return fmt.Errorf("remove an unfinished cluster: %w", err)
	}
	if err := os.Mkdir(work, 0o700); err != nil {
		return fmt.Errorf("make the directory of the database: %w", err)
	}
	if err := acc.Own(work); err != nil {
		return err
	}
	password := rand.Text()
	pw := work + ".pw"
	if err := writeOwned(acc, pw, password+"\n"); err != nil {
		return err
	}
	defer os.Remove(pw)
	if err := runInitdb(ctx, bin, acc, work, pw, opt); err != nil {
		return err
	}
	if err := writeOwned(acc, filepath.Join(work, passwordFile), password+"\n"); err != nil {
		return err
	}
	for _, sub := range []string{"run", "log"} {
		p := filepath.Join(work, sub)
		if err := os.Mkdir(p, 0o700); err != nil {
			return fmt.Errorf("make the directory of the database: %w", err)
		}
		if err := acc.Own(p); err != nil {
			return err
		}
	}
	if err := os.Remove(dir); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("make a cluster in %s: %w", dir, err)
	}
	if err := os.Rename(work, dir); err != nil {
		return fmt.Errorf("put the new cluster in place: %w", err)
	}
	return nil
}

func runInitdb(ctx context.Context, bin Binaries, acc Account, work, pw string, opt InitOptions) error {
	auth := "scram-sha-256"
	if opt.Trust {
		auth = "trust"
	}
	args := []string{"-D", work, "-U", Superuser, "-A", auth, "--pwfile", pw, "-E", "UTF8", "--locale=C.UTF-8", "--data-checksums"}
	if opt.NoSync {
		args = append(args, "--no-sync")
	}
	cmd := exec.CommandContext(ctx, bin.Initdb(), args...)
	cmd.SysProcAttr = acc.attr()
	cmd.Env = environment()
	cmd.Dir = work
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, lastLines(out.String(), 3))
	}
	return nil
}

// writeOwned writes a private file of the account.
func writeOwned(acc Account, path, text string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return acc.Own(path)
}

// environment is what PostgreSQL sees: nothing of ours, since PG* variables would change its behaviour.
func environment() []string {
	return []string{"PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8", "LC_ALL=C.UTF-8", "TZ=UTC"}
}

// lastLines keeps the end of a program's output for an error.
func lastLines(s string, n int) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	if len(lines) > n {
		lines = lines[len(lines)-n:]
	}
	return strings.Join(lines, " | ")
}
