// Package auth is in charge of who you are and what you may do: accounts, passwords, sessions, API tokens, desk phone
// credentials, the one table of permissions per resource (access.go), and the audit log.
//
// Rules that hold everywhere in it:
//
//   - A secret is stored hashed: argon2id for passwords, SHA-256 for random tokens. The one exception is the digest
//     hash of a desk phone, which SIP needs as it is; it is a password of its own that opens nothing else.
//   - A wrong login, a wrong password and a closed account get the same answer in the same time.
//   - Everything is asked of the database on each request, so that taking a right away works at once.
package auth

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"time"

	"github.com/alexedwards/argon2id"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
)

// Errors that callers branch on.
var (
	// ErrUnauthenticated says that a request carries no valid session or token.
	ErrUnauthenticated = errors.New("not signed in")
	// ErrWrongPassword says that login and password do not fit, whatever the reason.
	ErrWrongPassword = errors.New("wrong login or password")
	// ErrBusy says that too many passwords are being checked; try again in a moment.
	ErrBusy = errors.New("too many sign-ins at once")
	// ErrNotFound says that there is no such account, token or session.
	ErrNotFound = errors.New("not found")
	// ErrVersion says that somebody changed the object since the version given.
	ErrVersion = errors.New("changed by somebody else")
)

// Locked says that a login is closed to a source for some time after too many tries.
type Locked struct{ For time.Duration }

// Error implements error.
func (l *Locked) Error() string { return fmt.Sprintf("too many tries, closed for %s", l.For) }

// Invalid says which field of an input breaks a rule. Taken marks a value that somebody else has.
type Invalid struct {
	Field, Message string
	Taken          bool
}

// Error implements error.
func (i *Invalid) Error() string { return i.Field + ": " + i.Message }

// Config is what the service needs from outside.
type Config struct {
	Pool *pgxpool.Pool
	Now  func() time.Time // nil: time.Now
	Log  *slog.Logger     // nil: slog.Default
	// Hashing bounds password checks running at once (64 MiB each); 0: one per processor, at least 2.
	Hashing int
	// Params of argon2id; nil: 64 MiB, one pass. Tests use cheaper ones.
	Params *argon2id.Params
	// SecureCookie is set when browsers reach us over HTTPS only (a proxy in front); requests over TLS set it anyway.
	SecureCookie bool
	Registerer   prometheus.Registerer // nil: no metrics
}

// Service answers who you are. It holds no state but the limit on hashing: use it from any goroutine.
type Service struct {
	pool   *pgxpool.Pool
	now    func() time.Time
	log    *slog.Logger
	params *argon2id.Params
	secure bool
	slots  chan struct{} // one per password check running; full: wait, see hashWait
	dummy  string        // hash compared when there is none, for equal time
	logins *prometheus.CounterVec
}

// New makes the service. It panics without a pool or randomness: both are programming mistakes.
func New(cfg Config) *Service {
	if cfg.Pool == nil {
		panic("auth: no pool")
	}
	s := &Service{pool: cfg.Pool, now: cfg.Now, log: cfg.Log, params: cfg.Params, secure: cfg.SecureCookie}
	if s.now == nil {
		s.now = time.Now
	}
	if s.log == nil {
		s.log = slog.Default()
	}
	if s.params == nil {
		s.params = &argon2id.Params{Memory: 64 << 10, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32}
	}
	s.slots = make(chan struct{}, cmp.Or(cfg.Hashing, max(2, runtime.GOMAXPROCS(0))))
	var err error
	if s.dummy, err = argon2id.CreateHash(NewPassword(), s.params); err != nil {
		panic("auth: no randomness: " + err.Error())
	}
	s.logins = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "hotline_logins_total", Help: "Tries to sign in with a password, by result.",
	}, []string{"result"})
	for _, r := range []string{"ok", "wrong", "locked", "busy"} {
		s.logins.WithLabelValues(r)
	}
	if cfg.Registerer != nil {
		cfg.Registerer.MustRegister(s.logins)
	}
	return s
}

// querier is the pool or a transaction.
type querier interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// absent turns "no rows" into ErrNotFound and names what we were doing otherwise.
func absent(what string, err error) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return ErrNotFound
	}
	return fmt.Errorf("%s: %w", what, err)
}
