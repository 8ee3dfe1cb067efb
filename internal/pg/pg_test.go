package pg_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/goleak"

	"hotline/internal/pg"
	"hotline/internal/pg/pgtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestOpenPrivate(t *testing.T) {
	t.Parallel()
	top, err := os.MkdirTemp("/tmp", "hl-pg-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(top) })
	if err := os.Chmod(top, 0o755); err != nil {
		t.Fatal(err)
	}
	db, err := pg.Open(t.Context(), pg.Config{Dir: filepath.Join(top, "postgres")})
	if err != nil {
		t.Fatal(err)
	}
	if !db.Private() {
		t.Error("not private")
	}
	if err := db.Healthy(t.Context()); err != nil {
		t.Error(err)
	}
	var n int
	if err := db.Pool.QueryRow(t.Context(), "SELECT count(*) FROM trunk").Scan(&n); err != nil {
		t.Error(err)
	}
	for range 2 {
		if err := db.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}
	if err := db.Healthy(t.Context()); err == nil {
		t.Error("healthy after Close")
	}
}

func TestOpenExternalMigratesOnceForManyNodes(t *testing.T) {
	t.Parallel()
	dsn := pgtest.EmptyURL(t)
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			db, err := pg.Open(t.Context(), pg.Config{URL: dsn, AppName: "node"})
			if err != nil {
				t.Error(err)
				return
			}
			defer db.Close(context.Background())
			var app, timeout string
			if err := db.Pool.QueryRow(t.Context(), "SELECT current_setting('application_name'), current_setting('statement_timeout')").Scan(&app, &timeout); err != nil || app != "node" || timeout != "30s" {
				t.Errorf("settings: %q %q %v", app, timeout, err)
			}
		})
	}
	wg.Wait()
}

// waits counts the warnings of an Open that waits.
type waits struct {
	slog.Handler
	seen chan struct{}
}

func (w waits) Handle(_ context.Context, r slog.Record) error {
	if strings.HasPrefix(r.Message, "waiting") {
		select {
		case w.seen <- struct{}{}:
		default:
		}
	}
	return nil
}
func (w waits) Enabled(context.Context, slog.Level) bool { return true }

func TestOpenWaitsForAServerAndGivesUpWithTheContext(t *testing.T) {
	t.Parallel()
	w := waits{seen: make(chan struct{}, 1)}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := pg.Open(ctx, pg.Config{URL: "postgres://u:secret@/none?host=/nonexistent&sslmode=disable", Log: slog.New(w)})
		done <- err
	}()
	<-w.seen
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) || strings.Contains(err.Error(), "secret") {
		t.Fatalf("%v; want canceled, and no password", err)
	}
	if _, err := pg.Open(t.Context(), pg.Config{URL: "postgres://u:secret%zz@host/db"}); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("malformed address: %v; want an error without the password", err)
	}
	missing := strings.Replace(pgtest.EmptyURL(t), "/hotline_test_", "/no_such_", 1)
	if _, err := pg.Open(t.Context(), pg.Config{URL: missing}); pg.Code(err) != "3D000" {
		t.Errorf("missing database: %v; want 3D000 at once", err)
	}
}

func counter(t *testing.T) *pgxpool.Pool {
	t.Helper()
	pool := pgtest.New(t)
	if _, err := pool.Exec(t.Context(), "CREATE TABLE c (id int PRIMARY KEY, n int NOT NULL); INSERT INTO c VALUES (1, 0), (2, 0)"); err != nil {
		t.Fatal(err)
	}
	return pool
}

func TestTxTriesAgainAfterSerializationFailure(t *testing.T) {
	t.Parallel()
	pool := counter(t)
	both := make(chan struct{}, 2) // both have read before either writes, in their first try
	release := make(chan struct{})
	go func() {
		<-both
		<-both
		close(release)
	}()
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			tries := 0
			err := pg.TxWith(t.Context(), pool, pgx.TxOptions{IsoLevel: pgx.Serializable}, func(tx pgx.Tx) error {
				var n int
				if err := tx.QueryRow(t.Context(), "SELECT n FROM c WHERE id = 1").Scan(&n); err != nil {
					return err
				}
				if tries++; tries == 1 {
					both <- struct{}{}
					<-release
				}
				_, err := tx.Exec(t.Context(), "UPDATE c SET n = $1 WHERE id = 1", n+1)
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	var n int
	if err := pool.QueryRow(t.Context(), "SELECT n FROM c WHERE id = 1").Scan(&n); err != nil || n != 2 {
		t.Fatalf("n = %d, %v; want 2", n, err)
	}
}

func TestTxRollsBackOnErrorAndPanic(t *testing.T) {
	t.Parallel()
	pool := counter(t)
	boom := errors.New("boom")
	bump := func(tx pgx.Tx) error {
		_, err := tx.Exec(t.Context(), "UPDATE c SET n = 7")
		return err
	}
	calls := 0
	err := pg.Tx(t.Context(), pool, func(tx pgx.Tx) error {
		calls++
		return errors.Join(bump(tx), boom)
	})
	if !errors.Is(err, boom) || calls != 1 {
		t.Errorf("%v after %d calls; want boom after one", err, calls)
	}
	func() {
		defer func() { _ = recover() }()
		_ = pg.Tx(t.Context(), pool, func(tx pgx.Tx) error {
			_ = bump(tx)
			panic("boom")
		})
	}()
	var n int
	if err := pool.QueryRow(t.Context(), "SELECT sum(n) FROM c").Scan(&n); err != nil || n != 0 {
		t.Fatalf("n = %d, %v; want 0", n, err)
	}
	if got := pool.Stat().AcquiredConns(); got != 0 {
		t.Errorf("%d connections were not given back", got)
	}
}

func TestTxSaysWhenTheCommitIsUnknown(t *testing.T) {
	t.Parallel()
	pool := counter(t)
	err := pg.Tx(t.Context(), pool, func(tx pgx.Tx) error {
		_, err := tx.Exec(t.Context(), "UPDATE c SET n = 1")
		if err == nil {
			err = tx.Conn().PgConn().Conn().SetDeadline(time.Unix(1, 0)) // the wire is cut before COMMIT
		}
		return err
	})
	if !errors.Is(err, pg.ErrCommitUnknown) {
		t.Fatalf("%v; want ErrCommitUnknown", err)
	}
}

func TestRetryableAndCode(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]bool{"40001": true, "40P01": true, "23505": false, "57014": false} {
		err := errors.Join(errors.New("x"), &pgconn.PgError{Code: code, ConstraintName: "k"})
		if pg.Retryable(err) != want || pg.Code(err) != code || pg.Constraint(err) != "k" {
			t.Errorf("%s: retryable %v, code %q", code, pg.Retryable(err), pg.Code(err))
		}
	}
	if pg.Retryable(nil) || pg.Code(nil) != "" || pg.Retryable(errors.New("x")) {
		t.Error("an error without a code is not retryable")
	}
}
