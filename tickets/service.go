package tickets

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
)

// Config is what the engine needs from outside.
type Config struct {
	Pool *pgxpool.Pool    // reads; writes go through the caller's transaction
	Now  func() time.Time // nil: time.Now
	Log  *slog.Logger     // nil: slog.Default
	// Secret signs list cursors. Empty: random, so cursors do not outlive the process.
	Secret []byte
	// Region is the default region for numbers typed by people (ISO 3166). Empty: RU.
	Region string
	// AreaCode is put in front of local numbers typed by people. Empty: none.
	AreaCode string
	// Registerer takes the engine's metrics. nil: none are shown.
	Registerer prometheus.Registerer
}

// Service is the ticket engine. It holds no state of its own but the configuration: use it from any goroutine.
type Service struct {
	pool    *pgxpool.Pool
	now     func() time.Time
	log     *slog.Logger
	secret  []byte
	plan    DialPlan
	metrics *metrics
}

// New makes the engine. It panics without a pool or randomness: both are programming mistakes.
func New(cfg Config) *Service {
	if cfg.Pool == nil {
		panic("tickets: no pool")
	}
	s := &Service{pool: cfg.Pool, now: cfg.Now, log: cfg.Log, secret: cfg.Secret, metrics: newMetrics(cfg.Registerer)}
	if s.now == nil {
		s.now = time.Now
	}
	if s.log == nil {
		s.log = slog.Default()
	}
	if len(s.secret) == 0 {
		s.secret = make([]byte, 32)
		if _, err := rand.Read(s.secret); err != nil {
			panic("tickets: no randomness: " + err.Error())
		}
	}
	s.plan = DialPlan{Region: cfg.Region, AreaCode: cfg.AreaCode}
	if s.plan.Region == "" {
		s.plan.Region = "RU"
	}
	return s
}

// Tx runs f in one transaction and commits when f returns nil. A convenience for callers that write nothing else.
func (s *Service) Tx(ctx context.Context, f func(tx pgx.Tx) error) error {
	if err := pgx.BeginFunc(ctx, s.pool, f); err != nil {
		return err
	}
	return nil
}

// querier is what reads need: the pool or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
}

// utc keeps microseconds, as PostgreSQL does, so that a value read back equals the value written.
func utc(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

func wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	if e, ok := err.(*Error); ok {
		return e
	}
	return fmt.Errorf("%s: %w", what, err)
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

// jsonArg makes a value a jsonb argument; nil becomes SQL null.
func jsonArg(v any) any {
	if v == nil {
		return nil
	}
	b, err := json.Marshal(v)
	if err != nil {
		panic("tickets: event value: " + err.Error()) // our own plain values only
	}
	return json.RawMessage(b)
}

// parseID reads an id; anything else is 0, which no row has.
func parseID(s string) int64 {
	id, err := strconv.ParseInt(s, 10, 64)
	if err != nil || id < 0 {
		return 0
	}
	return id
}

func orText(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
