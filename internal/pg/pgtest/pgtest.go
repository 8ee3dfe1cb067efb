// Package pgtest is in charge of databases for tests: one PostgreSQL per test process, started when first asked for,
// and a fresh, migrated database per test.
//
// No TestMain is needed. The server and its files go away with the process, however that ends: a small watchdog holds
// the other end of a pipe and cleans up when it closes.
package pgtest

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"hotline/internal/pg"
)

// New gives a pool on a fresh database with the newest schema. It is closed and dropped when the test ends.
func New(t testing.TB) *pgxpool.Pool {
	t.Helper()
	return Pool(t, URL(t))
}

// Pool opens a pool with the house's settings, closed when the test ends. For tests that need several on one database.
func Pool(t testing.TB, dsn string) *pgxpool.Pool {
	t.Helper()
	pool, err := pg.NewPool(context.Background(), dsn, "test "+t.Name(), 8)
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// URL gives the address of a fresh, migrated database, dropped when the test ends.
func URL(t testing.TB) string {
	t.Helper()
	s, err := shared()
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	return s.fresh(t, s.template)
}

// EmptyURL gives the address of a fresh database without any schema, dropped when the test ends.
func EmptyURL(t testing.TB) string {
	t.Helper()
	s, err := shared()
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	return s.fresh(t, "template0")
}

// server is the one PostgreSQL of this process.
type server struct {
	admin    string // address of a database where databases are made
	template string
}

var shared = sync.OnceValues(func() (*server, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	s := &server{admin: os.Getenv("HOTLINE_TEST_DATABASE_URL")}
	if s.admin == "" {
		var err error
		if s.admin, err = startServer(ctx); err != nil {
			return nil, fmt.Errorf("start a PostgreSQL for tests: %w", err)
		}
	}
	if err := s.makeTemplate(ctx); err != nil {
		return nil, fmt.Errorf("make the template database: %w", err)
	}
	return s, nil
})

// makeTemplate makes the migrated database that all others are copied from. On an existing server it is shared by test
// processes with the same migrations and left there.
func (s *server) makeTemplate(ctx context.Context) error {
	sum, err := hashOf(pg.Migrations())
	if err != nil {
		return err
	}
	s.template = "hotline_template_" + sum
	conn, err := pgx.Connect(ctx, s.admin)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if _, err := conn.Exec(ctx, "SELECT pg_advisory_lock(hashtext($1))", s.template); err != nil { // freed with conn
		return err
	}
	var there bool
	if err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", s.template).Scan(&there); err != nil || there {
		return err
	}
	work := s.template + "_" + strings.ToLower(rand.Text()[:8])
	if _, err := conn.Exec(ctx, "CREATE DATABASE "+work+" TEMPLATE template0 ENCODING 'UTF8'"); err != nil {
		return err
	}
	if err := pg.Migrate(ctx, withDatabase(s.admin, work)); err != nil {
		_, _ = conn.Exec(ctx, "DROP DATABASE "+work+" WITH (FORCE)")
		return err
	}
	_, err = conn.Exec(ctx, "ALTER DATABASE "+work+" RENAME TO "+s.template)
	return err
}

// fresh makes a database for one test.
func (s *server) fresh(t testing.TB, template string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	name := "hotline_test_" + strings.ToLower(rand.Text()[:16])
	if err := s.exec(ctx, "CREATE DATABASE "+name+" TEMPLATE "+template); err != nil {
		t.Fatalf("pgtest: make a database: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := s.exec(ctx, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)"); err != nil {
			t.Errorf("pgtest: drop the database: %v", err)
		}
	})
	return withDatabase(s.admin, name)
}

func (s *server) exec(ctx context.Context, sql string) error {
	conn, err := pgx.Connect(ctx, s.admin)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	_, err = conn.Exec(ctx, sql)
	return err
}

// withDatabase replaces the database in an address.
func withDatabase(dsn, name string) string {
	u, err := url.Parse(dsn)
	if err != nil || u.Scheme == "" {
		return dsn + " dbname=" + name // key=value form: the last one wins
	}
	u.Path = "/" + name
	return u.String()
}

// hashOf names a set of migrations.
func hashOf(files fs.FS) (string, error) {
	h := sha256.New()
	err := fs.WalkDir(files, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		f, err := files.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		fmt.Fprintln(h, path)
		_, err = io.Copy(h, f)
		return err
	})
	return hex.EncodeToString(h.Sum(nil)[:8]), err
}
