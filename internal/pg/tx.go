package pg

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// SQLSTATE codes we branch on.
const (
	CodeUniqueViolation      = "23505"
	CodeForeignKeyViolation  = "23503"
	CodeCheckViolation       = "23514"
	codeSerializationFailure = "40001"
	codeDeadlock             = "40P01"
	codeInvalidPassword      = "28P01"
	codeInvalidAuthorization = "28000"
	codeUnknownDatabase      = "3D000"
)

// txAttempts is how often a transaction is tried when the server rolled it back for concurrency's sake.
const txAttempts = 6

// ErrCommitUnknown says that the connection broke in COMMIT: the work may be done or not. It is not tried again.
var ErrCommitUnknown = errors.New("result of the commit is unknown")

// Tx runs fn in a transaction (read committed) and commits when fn returns nil. When the server ended the transaction
// by a serialization failure or a deadlock, fn runs again in a new one: it must not have effects outside of tx. An
// error from fn is returned as it is.
func Tx(ctx context.Context, pool *pgxpool.Pool, fn func(tx pgx.Tx) error) error {
	return TxWith(ctx, pool, pgx.TxOptions{}, fn)
}

// TxWith is Tx with other transaction options, such as pgx.Serializable.
func TxWith(ctx context.Context, pool *pgxpool.Pool, opt pgx.TxOptions, fn func(tx pgx.Tx) error) error {
	for attempt := 1; ; attempt++ {
		err := txOnce(ctx, pool, opt, fn)
		if attempt == txAttempts || !Retryable(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Join(err, context.Cause(ctx))
		case <-time.After(time.Duration(attempt) * time.Duration(1+rand.IntN(10)) * time.Millisecond):
		}
	}
}

func txOnce(ctx context.Context, pool *pgxpool.Pool, opt pgx.TxOptions, fn func(tx pgx.Tx) error) (err error) {
	tx, err := pool.BeginTx(ctx, opt)
	if err != nil {
		return fmt.Errorf("begin a transaction: %w", err)
	}
	defer func() { // after a panic as well; a no-op once committed
		rb, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		_ = tx.Rollback(rb)
	}()
	if err := fn(tx); err != nil {
		return err
	}
	if err := tx.Commit(ctx); err != nil {
		if _, answered := errors.AsType[*pgconn.PgError](err); !answered && !errors.Is(err, pgx.ErrTxCommitRollback) && !errors.Is(err, pgx.ErrTxClosed) {
			return fmt.Errorf("commit: %w: %w", ErrCommitUnknown, err)
		}
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// Retryable reports whether the server rolled a transaction back only because others ran at the same time.
func Retryable(err error) bool {
	switch Code(err) {
	case codeSerializationFailure, codeDeadlock:
		return true
	}
	return false
}

// Code is the SQLSTATE inside an error, empty when there is none.
func Code(err error) string {
	if pe, ok := errors.AsType[*pgconn.PgError](err); ok {
		return pe.Code
	}
	return ""
}

// Constraint is the name of the violated constraint inside an error, empty when there is none.
func Constraint(err error) string {
	if pe, ok := errors.AsType[*pgconn.PgError](err); ok {
		return pe.ConstraintName
	}
	return ""
}

// permanent reports whether waiting for the server is pointless.
func permanent(err error) bool {
	switch Code(err) {
	case codeInvalidPassword, codeInvalidAuthorization, codeUnknownDatabase:
		return true
	}
	return false
}
