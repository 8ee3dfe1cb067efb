// Package cluster is in charge of a private PostgreSQL: it finds the installed programs, makes a data directory, runs
// the server on a Unix socket as an unprivileged user, starts it again when it dies and stops it with us.
//
// Invariants:
//
//   - One process of ours per data directory: a lock file beside it, held for as long as we live, keeps others out.
//   - One postmaster per data directory: what outlived a crash of ours is stopped and waited for before a new one
//     starts, and the pid file of a living server is never removed.
//   - The server dies with us: the kernel sends it SIGINT (fast, clean shutdown) when our process ends in any way.
package cluster

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// ErrInUse says that another process of ours runs the same data directory.
var ErrInUse = errors.New("data directory is in use by another process")

// maxSocketPath is what fits into sockaddr_un on every system, with room to spare.
const maxSocketPath = 100

// Config says how to run a private cluster.
type Config struct {
	// Dir is the data directory, made when missing. Its parent is made too.
	Dir string
	// User is the system user to run as when we are root; empty: the owner of Dir, else postgres, else nobody.
	User string
	// Settings are additional server settings (name to value).
	Settings map[string]string
	// StopGrace is how long each way of stopping may take before a harder one follows; 0 means 10 s.
	StopGrace time.Duration
	// Log gets starts, stops and crashes; nil means none.
	Log *slog.Logger
	// OnRestart is called after the server died and came back; it must not block. Nil: nobody asks.
	OnRestart func()
}

// Cluster is a running private PostgreSQL. Its methods may be called from any goroutine.
type Cluster struct {
	cfg      Config
	dir      string
	bin      Binaries
	acc      Account
	socket   string
	password string
	lock     *os.File
	log      *slog.Logger

	stop     chan struct{} // closed by the first Stop
	stopOnce sync.Once
	done     chan struct{} // closed when the supervisor has ended

	mu  sync.Mutex // guards pid
	pid int        // of the postmaster; 0 while none runs
}

// Start brings the cluster up and returns when it takes connections. ctx bounds the start alone, not the server's life.
func Start(ctx context.Context, cfg Config) (_ *Cluster, err error) {
	c := &Cluster{cfg: cfg, log: cfg.Log, stop: make(chan struct{}), done: make(chan struct{})}
	c.cfg.StopGrace = cmp.Or(cfg.StopGrace, 10*time.Second)
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	if c.dir, err = resolve(cfg.Dir); err != nil {
		return nil, err
	}
	if c.lock, err = acquire(c.dir + ".lock"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			c.lock.Close() // again after the supervisor: harmless
		}
	}()
	if err := c.prepare(ctx); err != nil {
		return nil, err
	}
	ready := make(chan error, 1)
	go c.supervise(ctx, ready)
	if err := <-ready; err != nil {
		<-c.done
		return nil, err
	}
	if err := c.ensureDatabase(ctx); err != nil {
		return nil, errors.Join(err, c.Stop(context.WithoutCancel(ctx)))
	}
	return c, nil
}

// resolve makes the parent of dir and returns dir as /proc will show it.
func resolve(dir string) (string, error) {
	if dir == "" {
		return "", errors.New("no data directory given for the private database")
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("data directory %s: %w", dir, err)
	}
	if real, err := filepath.EvalSymlinks(abs); err == nil {
		return real, nil
	}
	parent := filepath.Dir(abs)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return "", fmt.Errorf("make the data directory: %w", err)
	}
	real, err := filepath.EvalSymlinks(parent)
	if err != nil {
		return "", fmt.Errorf("data directory %s: %w", dir, err)
	}
	return filepath.Join(real, filepath.Base(abs)), nil
}

// acquire takes the lock that keeps a second process of ours away. The kernel drops it when we die.
func acquire(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the data directory: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		var b [32]byte
		n, _ := f.ReadAt(b[:], 0)
		f.Close()
		return nil, fmt.Errorf("%w (process %s holds %s): stop it, or choose another HOTLINE_DATA_DIR", ErrInUse, cmp.Or(strings.TrimSpace(string(b[:n])), "unknown"), path)
	}
	if err = f.Truncate(0); err == nil {
		_, err = fmt.Fprintln(f, os.Getpid())
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("write our number into %s: %w", path, err)
	}
	return f, nil
}

// prepare does everything that comes before the server process.
func (c *Cluster) prepare(ctx context.Context) (err error) {
	if c.acc, err = PickAccount(c.dir, c.cfg.User); err != nil {
		return err
	}
	if err := c.acc.CanEnter(filepath.Dir(c.dir)); err != nil {
		return err
	}
	major, exists, err := Exists(c.dir)
	if err != nil {
		return err
	}
	if c.bin, err = Find(ctx, major); err != nil {
		return err
	}
	if !exists {
		start := time.Now()
		if err := Init(ctx, c.bin, c.acc, c.dir, InitOptions{}); err != nil {
			return err
		}
		c.log.Info("private database made", "dir", c.dir, "version", c.bin.Major, "took", time.Since(start))
	}
	pw, err := os.ReadFile(filepath.Join(c.dir, passwordFile))
	if err != nil {
		return fmt.Errorf("password of the private database: %w", err)
	}
	c.password = strings.TrimSpace(string(pw))
	old, err := clearPredecessor(ctx, c.dir, c.cfg.StopGrace)
	if err != nil {
		return err
	}
	if old != 0 {
		c.log.Warn("stopped the database server that outlived an earlier process", "pid", old)
	}
	c.socket, err = socketDir(c.acc, c.dir)
	return err
}

// socketDir chooses where the socket lives: in the data directory, or, where that path is too long for a socket, in a
// private folder under the temporary directory.
func socketDir(acc Account, dir string) (string, error) {
	const name = "/.s.PGSQL.5432"
	own := filepath.Join(dir, "run")
	if len(own)+len(name) < maxSocketPath {
		return own, ensurePrivate(acc, own)
	}
	sum := sha256.Sum256([]byte(dir))
	for _, base := range []string{os.TempDir(), "/tmp"} {
		p := filepath.Join(base, "hotline-pg-"+hex.EncodeToString(sum[:6]))
		if len(p)+len(name) >= maxSocketPath || acc.CanEnter(base) != nil {
			continue
		}
		return p, ensurePrivate(acc, p)
	}
	return "", fmt.Errorf("no place for the database's socket: %s is longer than %d bytes and the temporary directory cannot be used", own, maxSocketPath)
}

// ensurePrivate makes a folder that belongs to the account alone, or checks that the one there does.
func ensurePrivate(acc Account, dir string) error {
	err := os.Mkdir(dir, 0o700)
	if err == nil {
		return acc.Own(dir)
	}
	if !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("make the folder of the database's socket: %w", err)
	}
	fi, err := os.Lstat(dir)
	if err != nil {
		return fmt.Errorf("folder of the database's socket: %w", err)
	}
	if !fi.IsDir() || int(fi.Sys().(*syscall.Stat_t).Uid) != acc.UID || fi.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("folder %s for the database's socket is not private to user %d: remove it", dir, acc.UID)
	}
	return nil
}

// arguments are the server's command line. Settings stand there and not in a file, so that a new release of ours
// brings new settings.
func (c *Cluster) arguments() []string {
	set := map[string]string{
		"listen_addresses": "", "unix_socket_directories": c.socket, "unix_socket_permissions": "0700", "port": "5432",
		"max_connections": "100", "password_encryption": "scram-sha-256", "timezone": "UTC", "log_timezone": "UTC",
		"jit": "off", "wal_compression": "on", "checkpoint_timeout": "10min",
		"logging_collector": "on", "log_directory": "log", "log_filename": "postgres-%a.log",
		"log_truncate_on_rotation": "on", "log_rotation_age": "1d", "log_rotation_size": "0",
		"log_min_messages": "warning", "log_min_duration_statement": "1000", "log_line_prefix": "%m [%p] %a ",
	}
	maps.Copy(set, c.cfg.Settings)
	return Arguments(c.dir, set)
}

// Arguments spells settings as the command line of postgres, sorted.
func Arguments(dir string, settings map[string]string) []string {
	args := []string{"-D", dir}
	for _, k := range slices.Sorted(maps.Keys(settings)) {
		args = append(args, "-c", k+"="+settings[k])
	}
	return args
}

// URL is the connection string. It holds the password: it is for pools, not for logs.
func (c *Cluster) URL() string { return c.url(Database) }

func (c *Cluster) url(database string) string {
	u := url.URL{Scheme: "postgres", User: url.UserPassword(Superuser, c.password), Path: "/" + database}
	q := url.Values{"host": {c.socket}, "port": {"5432"}, "sslmode": {"disable"}}
	u.RawQuery = q.Encode()
	return u.String()
}

// PID is the number of the running postmaster, 0 while none runs.
func (c *Cluster) PID() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.pid
}

func (c *Cluster) setPID(pid int) {
	c.mu.Lock()
	c.pid = pid
	c.mu.Unlock()
}

// ensureDatabase makes our database in a fresh cluster.
func (c *Cluster) ensureDatabase(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, c.url("postgres"))
	if err != nil {
		return fmt.Errorf("connect to the private database: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var there bool
	if err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", Database).Scan(&there); err != nil {
		return fmt.Errorf("look for the database: %w", err)
	}
	if there {
		return nil
	}
	if _, err := conn.Exec(ctx, "CREATE DATABASE "+pgx.Identifier{Database}.Sanitize()); err != nil {
		return fmt.Errorf("make the database: %w", err)
	}
	return nil
}

// Dir is the data directory, as /proc shows it.
func (c *Cluster) Dir() string { return c.dir }

// Socket is the folder that holds the server's socket.
func (c *Cluster) Socket() string { return c.socket }
