package auth

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"hotline/internal/pg"
)

const tokenPrefix = "hl_" // so that scanners of repositories recognise a leaked one

// Token is an API token as lists show it. The secret is shown once, when it is made.
type Token struct {
	ID         int64      `json:"id"`
	Name       string     `json:"name"`
	Login      string     `json:"login" doc:"Agent whom the token acts for"`
	Scopes     []string   `json:"scopes"`
	CreatedAt  time.Time  `json:"created_at"`
	ExpiresAt  *time.Time `json:"expires_at" doc:"Null: never"`
	LastUsedAt *time.Time `json:"last_used_at" doc:"Exact to a minute"`
}

// NewToken asks for a token.
type NewToken struct {
	Name      string
	Login     string // acts for this agent, within its rights
	Scopes    []string
	ExpiresAt time.Time // zero: never
}

// CreateToken makes a token and returns its secret, which is stored nowhere. by may be nil for the command line.
func (s *Service) CreateToken(ctx context.Context, by *Identity, n NewToken) (secret string, t Token, err error) {
	n.Name = strings.TrimSpace(n.Name)
	if n.Name == "" || len(n.Name) > 100 {
		return "", t, &Invalid{Field: "name", Message: "needs 1 to 100 bytes"}
	}
	if len(n.Scopes) == 0 {
		return "", t, &Invalid{Field: "scopes", Message: "needs at least one of " + strings.Join(Scopes, ", ")}
	}
	for _, sc := range n.Scopes {
		if !slices.Contains(Scopes, sc) {
			return "", t, &Invalid{Field: "scopes", Message: fmt.Sprintf("%q is not one of %s", sc, strings.Join(Scopes, ", "))}
		}
	}
	if !n.ExpiresAt.IsZero() && !n.ExpiresAt.After(s.now()) {
		return "", t, &Invalid{Field: "expires_at", Message: "is in the past"}
	}
	secret = tokenPrefix + rand.Text()
	err = pg.Tx(ctx, s.pool, func(tx pgx.Tx) error {
		row := tx.QueryRow(ctx, `INSERT INTO api_token (agent_id, name, token_sha256, scopes, created_at, expires_at)
			SELECT id, $2, $3, $4, $5, $6 FROM agent WHERE login = $1 AND active
			RETURNING id, name, (SELECT login::text FROM agent WHERE id = agent_id), scopes, created_at, expires_at, last_used_at`,
			n.Login, n.Name, hashToken(secret), slices.Compact(slices.Sorted(slices.Values(n.Scopes))), s.now(), zeroNil(n.ExpiresAt))
		if t, err = scanToken(row); errors.Is(err, pgx.ErrNoRows) {
			return &Invalid{Field: "login", Message: "there is no such active user"}
		} else if err != nil {
			return fmt.Errorf("make the token: %w", err)
		}
		return s.Audit(ctx, tx, by, Entry{Action: "token.create", Object: fmt.Sprintf("token:%d", t.ID),
			Detail: map[string]any{"name": t.Name, "login": t.Login, "scopes": t.Scopes}})
	})
	if err != nil {
		return "", Token{}, err
	}
	return secret, t, nil
}

func zeroNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func scanToken(row pgx.Row) (t Token, err error) {
	err = row.Scan(&t.ID, &t.Name, &t.Login, &t.Scopes, &t.CreatedAt, &t.ExpiresAt, &t.LastUsedAt)
	return t, err
}

// ListTokens lists tokens that are not revoked, newest first, with ids below before (0: from the newest).
func (s *Service) ListTokens(ctx context.Context, before int64, limit int) ([]Token, error) {
	rows, err := s.pool.Query(ctx, `SELECT t.id, t.name, a.login::text, t.scopes, t.created_at, t.expires_at, t.last_used_at
		FROM api_token t JOIN agent a ON a.id = t.agent_id
		WHERE t.revoked_at IS NULL AND ($1 = 0 OR t.id < $1) ORDER BY t.id DESC LIMIT $2`, before, limit)
	if err != nil {
		return nil, fmt.Errorf("list tokens: %w", err)
	}
	list, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (Token, error) { return scanToken(r) })
	if err != nil {
		return nil, fmt.Errorf("list tokens: %w", err)
	}
	return list, nil
}

// RevokeToken ends a token for ever.
func (s *Service) RevokeToken(ctx context.Context, by *Identity, id int64) error {
	return pg.Tx(ctx, s.pool, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `UPDATE api_token SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL`, id, s.now())
		if err != nil {
			return fmt.Errorf("revoke the token: %w", err)
		}
		if tag.RowsAffected() == 0 {
			return ErrNotFound
		}
		return s.Audit(ctx, tx, by, Entry{Action: "token.revoke", Object: fmt.Sprintf("token:%d", id)})
	})
}

// byToken loads the agent behind an API token.
func (s *Service) byToken(ctx context.Context, secret string) (*Identity, error) {
	if !strings.HasPrefix(secret, tokenPrefix) || len(secret) > 100 {
		return nil, ErrUnauthenticated
	}
	id, now := &Identity{}, s.now()
	var used *time.Time
	err := s.pool.QueryRow(ctx, `SELECT `+identityColumns+`, t.id, t.name, t.scopes, t.last_used_at
		FROM api_token t JOIN agent a ON a.id = t.agent_id LEFT JOIN agent_account c ON c.agent_id = a.id
		WHERE t.token_sha256 = $1 AND t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > $2) AND a.active`,
		hashToken(secret), now).Scan(append(id.fields(), &id.TokenID, &id.TokenName, &id.Scopes, &used)...)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, ErrUnauthenticated
	}
	if err != nil {
		return nil, fmt.Errorf("load the token: %w", err)
	}
	if used == nil || now.Sub(*used) > touchEvery {
		if _, err := s.pool.Exec(ctx, `UPDATE api_token SET last_used_at = $2 WHERE id = $1`, id.TokenID, now); err != nil {
			return nil, fmt.Errorf("touch the token: %w", err)
		}
	}
	return id, nil
}
