// Package pg is in charge of the database: it brings PostgreSQL up (an external server, or a private one), the schema
// to its newest version, and hands out the pool and the way to run a transaction.
package pg

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"hotline/internal/pg/cluster"
)

// Config says which database to use.
type Config struct {
	// URL of an existing server (HOTLINE_DATABASE_URL); empty: run a private one in Dir.
	URL string
	// Dir is the data directory of the private server, made when missing.
	Dir string
	// User is the system user the private server runs as when we are root; empty: chosen by cluster.PickAccount.
	User string
	// MaxConns bounds the pool; 0 means 20.
	MaxConns int32
	// AppName is shown in pg_stat_activity; empty means "hotline".
	AppName string
	// Log gets starts, waits and crashes; nil means none.
	Log *slog.Logger
	// OnRestart is called when the private server died and came back; it must not block.
	OnRestart func()
}

// DB is an open database with the newest schema. Safe for any goroutine.
type DB struct {
	// Pool is for queries. Statements end after 30 s, waits for locks after 10 s, transactions that do nothing after 60 s.
	Pool *pgxpool.Pool

	private *cluster.Cluster // nil with an external server
}

// Open brings the database up and returns when it is usable: it starts the private server, or waits for the external
// one until ctx ends, and applies the migrations.
func Open(ctx context.Context, cfg Config) (db *DB, err error) {
	log := cfg.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	db = &DB{}
	dsn := cfg.URL
	if dsn == "" {
		db.private, err = cluster.Start(ctx, cluster.Config{Dir: cfg.Dir, User: cfg.User, Log: log, OnRestart: cfg.OnRestart})
		if err != nil {
			return nil, fmt.Errorf("private database: %w", err)
		}
		dsn = db.private.URL()
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, db.Close(context.WithoutCancel(ctx)))
			db = nil
		}
	}()
	if err := wait(ctx, dsn, log); err != nil {
		return db, err
	}
	if err := Migrate(ctx, dsn); err != nil {
		return db, err
	}
	db.Pool, err = NewPool(ctx, dsn, cfg.AppName, cfg.MaxConns)
	return db, err
}

// NewPool makes a pool with the house's settings on a database that is up. maxConns 0 means 20.
func NewPool(ctx context.Context, dsn, appName string, maxConns int32) (*pgxpool.Pool, error) {
	pc, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, fmt.Errorf("database address: %w", redact(err))
	}
	pc.MaxConns = cmp.Or(maxConns, 20)
	pc.MaxConnIdleTime = 5 * time.Minute
	pc.HealthCheckPeriod = 30 * time.Second
	pc.ConnConfig.ConnectTimeout = 5 * time.Second
	params := pc.ConnConfig.RuntimeParams
	params["application_name"] = cmp.Or(appName, "hotline")
	params["timezone"] = "UTC"
	for name, value := range map[string]string{
		"statement_timeout": "30s", "lock_timeout": "10s", "idle_in_transaction_session_timeout": "60s",
	} {
		if params[name] == "" { // the address may say otherwise
			params[name] = value
		}
	}
	pool, err := pgxpool.NewWithConfig(ctx, pc)
	if err != nil {
		return nil, fmt.Errorf("make the pool of connections: %w", err)
	}
	return pool, nil
}

// wait tries to connect until the server answers. A refused password or a missing database ends the wait at once.
func wait(ctx context.Context, dsn string, log *slog.Logger) error {
	cc, err := pgx.ParseConfig(dsn)
	if err != nil {
		return fmt.Errorf("database address: %w", redact(err))
	}
	cc.ConnectTimeout = 5 * time.Second
	pause := 50 * time.Millisecond
	for {
		conn, err := pgx.ConnectConfig(ctx, cc)
		if err == nil {
			return conn.Close(ctx)
		}
		if permanent(err) || ctx.Err() != nil {
			return fmt.Errorf("connect to the database: %w", err)
		}
		log.Warn("waiting for the database", "host", cc.Host, "database", cc.Database, "error", err)
		select {
		case <-ctx.Done():
			return fmt.Errorf("connect to the database: %w", errors.Join(context.Cause(ctx), err))
		case <-time.After(pause):
		}
		pause = min(2*pause, 2*time.Second)
	}
}

// redact keeps the password in a malformed address out of the error.
func redact(err error) error {
	if ue, ok := errors.AsType[*url.Error](err); ok {
		return ue.Err
	}
	return err // pgx masks passwords itself
}

// Healthy reports whether the database answers now; at most two seconds are spent on asking.
func (db *DB) Healthy(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if err := db.Pool.Ping(ctx); err != nil {
		return fmt.Errorf("ask the database: %w", err)
	}
	return nil
}

// Private reports whether we run the server ourselves.
func (db *DB) Private() bool { return db.private != nil }

// Tx runs fn in a transaction; see the function Tx.
func (db *DB) Tx(ctx context.Context, fn func(tx pgx.Tx) error) error { return Tx(ctx, db.Pool, fn) }

// Close closes the pool and stops the private server. It may be called several times.
func (db *DB) Close(ctx context.Context) error {
	if db.Pool != nil {
		db.Pool.Close()
	}
	if db.private != nil {
		return db.private.Stop(ctx)
	}
	return nil
}
