package auth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// CookieName is the cookie that carries a session.
const CookieName = "hotline_session"

const (
	sessionLife = 30 * 24 * time.Hour // whatever happens
	sessionIdle = 12 * time.Hour      // without a request
	touchEvery  = time.Minute
)

func hashToken(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}

func (s *Service) openSession(ctx context.Context, agentID int64, src Source) (string, error) {
	token, now := rand.Text(), s.now()
	_, err := s.pool.Exec(ctx, `INSERT INTO session (token_sha256, agent_id, created_at, used_at, expires_at, ip, user_agent)
		VALUES ($1, $2, $3, $3, $4, $5, $6)`, hashToken(token), agentID, now, now.Add(sessionLife), src.IP.String(), clip(src.UserAgent, 300))
	if err != nil {
		return "", fmt.Errorf("open the session: %w", err)
	}
	return token, nil
}

// clip cuts a stranger's text to n bytes of valid UTF-8 without NUL.
func clip(s string, n int) string {
	if len(s) > n {
		s = s[:n]
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, ""), "\x00", "")
}

// Authenticate says who makes a request: by the bearer token when there is an Authorization header, else by the session
// cookie. The error is ErrUnauthenticated when neither fits.
func (s *Service) Authenticate(r *http.Request) (*Identity, error) {
	if h := r.Header.Get("Authorization"); h != "" {
		scheme, token, _ := strings.Cut(h, " ")
		if !strings.EqualFold(scheme, "Bearer") || token == "" {
			return nil, ErrUnauthenticated
		}
		return s.byToken(r.Context(), strings.TrimSpace(token))
	}
	c, err := r.Cookie(CookieName)
	if err != nil || c.Value == "" {
		return nil, ErrUnauthenticated
	}
	return s.bySession(r.Context(), c.Value)
}

// bySession loads the agent behind a session token.
func (s *Service) bySession(ctx context.Context, token string) (*Identity, error) {
	id, now := &Identity{}, s.now()
	var used time.Time
	err := s.pool.QueryRow(ctx, `SELECT `+identityColumns+`, s.id, s.used_at
		FROM session s JOIN agent a ON a.id = s.agent_id LEFT JOIN agent_account c ON c.agent_id = a.id
		WHERE s.token_sha256 = $1 AND s.expires_at > $2 AND s.used_at > $3 AND a.active`,
		hashToken(token), now, now.Add(-sessionIdle)).Scan(append(id.fields(), &id.SessionID, &used)...)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, ErrUnauthenticated
	}
	if err != nil {
		return nil, fmt.Errorf("load the session: %w", err)
	}
	if now.Sub(used) > touchEvery {
		if _, err := s.pool.Exec(ctx, `UPDATE session SET used_at = $2 WHERE id = $1 AND used_at < $2`, id.SessionID, now); err != nil {
			return nil, fmt.Errorf("touch the session: %w", err)
		}
	}
	return id, nil
}

// Logout ends one session.
func (s *Service) Logout(ctx context.Context, id *Identity) error {
	if _, err := s.pool.Exec(ctx, `DELETE FROM session WHERE id = $1`, id.SessionID); err != nil {
		return fmt.Errorf("end the session: %w", err)
	}
	return s.Audit(ctx, s.pool, id, Entry{Action: "session.close", Object: "user:" + id.Login})
}

// endSessions ends all sessions of an agent but one (0: all).
func endSessions(ctx context.Context, q querier, agentID, except int64) error {
	if _, err := q.Exec(ctx, `DELETE FROM session WHERE agent_id = $1 AND id <> $2`, agentID, except); err != nil {
		return fmt.Errorf("end sessions: %w", err)
	}
	return nil
}

// Cookie makes the cookie for a session token; an empty token makes the one that removes it.
func (s *Service) Cookie(r *http.Request, token string) *http.Cookie {
	c := &http.Cookie{Name: CookieName, Value: token, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode,
		Secure: s.secure || r.TLS != nil, MaxAge: int(sessionLife / time.Second)}
	if token == "" {
		c.MaxAge = -1
	}
	return c
}

// Sweep removes what has run out: sessions, counted tries. The application calls it now and then, every hour or so.
func (s *Service) Sweep(ctx context.Context) error {
	now := s.now()
	if _, err := s.pool.Exec(ctx, `DELETE FROM session WHERE expires_at < $1 OR used_at < $2`, now, now.Add(-sessionIdle)); err != nil {
		return fmt.Errorf("remove old sessions: %w", err)
	}
	if _, err := s.pool.Exec(ctx, `DELETE FROM login_attempt WHERE since < $1 AND (locked_to IS NULL OR locked_to < $2)
		AND (success_at IS NULL OR success_at < $3)`, now.Add(-tryWindow), now, now.Add(-knownFor)); err != nil {
		return fmt.Errorf("remove old tries to sign in: %w", err)
	}
	return nil
}
