package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// ErrNoBinaries says that no usable PostgreSQL is installed on this machine.
var ErrNoBinaries = errors.New("PostgreSQL is not installed")

// MinMajor is the oldest major version that the schema works with (UNIQUE NULLS NOT DISTINCT).
const MinMajor = 15

// Binaries is one installation of PostgreSQL: a folder that holds both initdb and postgres.
type Binaries struct {
	Dir   string // absolute, symbolic links resolved
	Major int    // 15, 16, ...
}

// Initdb is the path of the program that makes a cluster.
func (b Binaries) Initdb() string { return filepath.Join(b.Dir, "initdb") }

// Postgres is the path of the server program.
func (b Binaries) Postgres() string { return filepath.Join(b.Dir, "postgres") }

// installPatterns are the folders where distributions put the server programs without adding them to PATH.
var installPatterns = []string{
	"/usr/lib/postgresql/*/bin", // Debian, Ubuntu
	"/usr/pgsql-*/bin",          // PGDG on Red Hat
	"/usr/libexec/postgresql*",  // Alpine
	"/usr/local/pgsql/bin",      // built from source
	"/opt/homebrew/opt/postgresql@*/bin",
}

// Find looks for PostgreSQL in PATH and in the folders of the usual packages. major 0 means the newest; otherwise only
// that version will do, because the files of a cluster belong to one major version. The error wraps ErrNoBinaries and
// says how to mend it.
func Find(ctx context.Context, major int) (Binaries, error) {
	dirs := filepath.SplitList(os.Getenv("PATH"))
	for _, p := range installPatterns {
		found, err := filepath.Glob(p)
		if err != nil {
			return Binaries{}, fmt.Errorf("look for PostgreSQL in %s: %w", p, err)
		}
		dirs = append(dirs, found...)
	}
	return pick(ctx, dirs, major)
}

// pick chooses among the folders that hold both programs.
func pick(ctx context.Context, dirs []string, major int) (Binaries, error) {
	var best Binaries
	seen := map[string]bool{}
	var others []string
	for _, dir := range dirs {
		program, err := filepath.EvalSymlinks(filepath.Join(dir, "postgres"))
		if err != nil {
			continue
		}
		real := filepath.Dir(program)
		if seen[real] {
			continue
		}
		seen[real] = true
		b := Binaries{Dir: real}
		if _, err := os.Stat(b.Initdb()); err != nil {
			continue
		}
		if b.Major, err = version(ctx, b.Postgres()); err != nil {
			continue
		}
		others = append(others, strconv.Itoa(b.Major))
		if (major == 0 || b.Major == major) && b.Major > best.Major {
			best = b
		}
	}
	switch {
	case best.Major == 0 && major != 0 && len(others) > 0:
		return Binaries{}, fmt.Errorf("%w in version %d, which the existing data needs (found: %s); install postgresql-%d or migrate the data with pg_upgrade",
			ErrNoBinaries, major, strings.Join(others, ", "), major)
	case best.Major == 0:
		return Binaries{}, fmt.Errorf("%w: neither PATH nor %s holds initdb and postgres; install the package postgresql, or set HOTLINE_DATABASE_URL to an existing server",
			ErrNoBinaries, strings.Join(installPatterns, ", "))
	case best.Major < MinMajor:
		return Binaries{}, fmt.Errorf("%w in version %d or newer (found %d in %s)", ErrNoBinaries, MinMajor, best.Major, best.Dir)
	}
	return best, nil
}

var versionText = regexp.MustCompile(`\(PostgreSQL\) (\d+)`)

// version asks a server program for its major version. It is allowed as root, unlike starting a server.
func version(ctx context.Context, program string) (int, error) {
	out, err := exec.CommandContext(ctx, program, "-V").Output()
	if err != nil {
		return 0, fmt.Errorf("ask %s for its version: %w", program, err)
	}
	m := versionText.FindSubmatch(out)
	if m == nil {
		return 0, fmt.Errorf("ask %s for its version: answer %q", program, out)
	}
	return strconv.Atoi(string(m[1]))
}
