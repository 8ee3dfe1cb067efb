package pg

import (
	"context"
	"embed"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

// Migrations are numbered by owner: 0001-0009 tickets, 0010-0019 calls and recordings, 0020-0029 queue, 0030-0039
// accounts and settings, 0040-0049 menus. A published file is never edited; a change is a new file.
//
//go:embed migrations/*.sql
var embedded embed.FS

// Migrations returns the migration files.
func Migrations() fs.FS {
	sub, err := fs.Sub(embedded, "migrations")
	if err != nil {
		panic("pg: embedded migrations: " + err.Error())
	}
	return sub
}

// Migrate brings the schema to the newest version. Several nodes may call it at once: one works, the others wait. Each
// file is one transaction. A file of a lower number than the newest applied one is applied too, since owners number in
// their own ranges.
func Migrate(ctx context.Context, dsn string) error {
	cc, err := pgx.ParseConfig(dsn)
	if err != nil {
		return fmt.Errorf("database address: %w", redact(err))
	}
	cc.RuntimeParams["application_name"] = "hotline migrate"
	db := stdlib.OpenDB(*cc) // own connections: no statement timeout while tables are rewritten
	defer db.Close()
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 600))
	if err != nil {
		return fmt.Errorf("prepare migrations: %w", err)
	}
	p, err := goose.NewProvider(goose.DialectPostgres, db, Migrations(),
		goose.WithSessionLocker(locker), goose.WithAllowOutofOrder(true), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("prepare migrations: %w", err)
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("migrate the database: %w", err)
	}
	return nil
}
