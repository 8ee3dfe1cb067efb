package auth

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// Limits on guessing (reliability R10).
const (
	triesPerPair   = 10               // per login and source, in a window
	triesPerSource = 100              // per source over all logins; pairs that once succeeded are exempt
	tryWindow      = 15 * time.Minute // tries older than that do not count
	lockFor        = 15 * time.Minute // after the last allowed try
	knownFor       = 30 * 24 * time.Hour
)

// Source is where a request comes from.
type Source struct {
	IP        netip.Addr
	UserAgent string
}

// key names the source for counting: an IPv6 customer has a whole /64 to try from.
func (s Source) key() string {
	ip := s.IP.Unmap()
	if ip.Is6() {
		if p, err := ip.WithZone("").Prefix(64); err == nil {
			return p.String()
		}
	}
	return ip.String()
}

// Login checks a password and opens a session. The token goes into the browser's cookie and nowhere else. Errors:
// ErrWrongPassword, *Locked, ErrBusy.
func (s *Service) Login(ctx context.Context, login, password string, src Source) (token string, id *Identity, err error) {
	login = strings.ToLower(strings.TrimSpace(login))
	if login == "" || len(login) > 100 || len(password) > maxPassword {
		s.logins.WithLabelValues("wrong").Inc()
		return "", nil, ErrWrongPassword
	}
	if err := s.admit(ctx, login, src.key()); err != nil {
		if _, locked := errors.AsType[*Locked](err); locked {
			s.logins.WithLabelValues("locked").Inc()
			s.log.Warn("sign-in refused after too many tries", "source", src.key())
		}
		return "", nil, err
	}
	agentID, hash, err := s.passwordOf(ctx, login)
	if err != nil {
		return "", nil, err
	}
	ok, err := s.verify(ctx, hash, password)
	if err != nil {
		if errors.Is(err, ErrBusy) {
			s.logins.WithLabelValues("busy").Inc()
		}
		return "", nil, err
	}
	if !ok {
		s.logins.WithLabelValues("wrong").Inc()
		s.log.Info("sign-in failed", "source", src.key()) // without the login: people type passwords there
		return "", nil, ErrWrongPassword
	}
	s.logins.WithLabelValues("ok").Inc()
	return s.opened(ctx, agentID, login, src)
}

// opened records the success, opens the session and loads the identity.
func (s *Service) opened(ctx context.Context, agentID int64, login string, src Source) (string, *Identity, error) {
	if _, err := s.pool.Exec(ctx, `UPDATE login_attempt SET tries = 0, locked_to = NULL, success_at = $3 WHERE login = $1 AND source = $2`,
		login, src.key(), s.now()); err != nil {
		return "", nil, fmt.Errorf("record the sign-in: %w", err)
	}
	token, err := s.openSession(ctx, agentID, src)
	if err != nil {
		return "", nil, err
	}
	id, err := s.bySession(ctx, token)
	if err != nil {
		return "", nil, err
	}
	id.IP = src.IP.String()
	return token, id, s.Audit(ctx, s.pool, id, Entry{Action: "session.open", Object: "user:" + id.Login})
}

// passwordOf is the hash of an active account, empty when there is none.
func (s *Service) passwordOf(ctx context.Context, login string) (agentID int64, hash string, err error) {
	err = s.pool.QueryRow(ctx, `SELECT a.id, coalesce(c.password_hash, '') FROM agent a JOIN agent_account c ON c.agent_id = a.id
		WHERE a.login = $1 AND a.active`, login).Scan(&agentID, &hash)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return 0, "", fmt.Errorf("load the account: %w", err)
	}
	return agentID, hash, nil
}

// admit counts the try *before* the password is looked at, so that a hundred tries at the same instant are a hundred
// tries. Names that do not exist are counted alike.
func (s *Service) admit(ctx context.Context, login, source string) error {
	left, known, err := s.count(ctx, login, source, triesPerPair)
	if err != nil {
		return err
	}
	if left > 0 {
		return &Locked{For: left}
	}
	if known {
		return nil
	}
	if left, _, err = s.count(ctx, "", source, triesPerSource); err != nil {
		return err
	}
	if left > 0 {
		return &Locked{For: left}
	}
	return nil
}

// count adds a try and says how long the pair stays locked: zero means that this try is allowed. known: the pair has
// signed in before.
func (s *Service) count(ctx context.Context, login, source string, limit int) (left time.Duration, known bool, err error) {
	now := s.now()
	var tries int
	var lockedTo, success *time.Time
	err = s.pool.QueryRow(ctx, `
		INSERT INTO login_attempt AS l (login, source, tries, since) VALUES ($1, $2, 1, $3)
		ON CONFLICT (login, source) DO UPDATE SET
		  tries = CASE WHEN l.locked_to > $3 THEN l.tries WHEN l.since < $4 OR l.locked_to IS NOT NULL THEN 1 ELSE l.tries + 1 END,
		  since = CASE WHEN l.locked_to > $3 THEN l.since WHEN l.since < $4 OR l.locked_to IS NOT NULL THEN $3 ELSE l.since END,
		  locked_to = CASE WHEN l.locked_to > $3 THEN l.locked_to
		                   WHEN l.since >= $4 AND l.locked_to IS NULL AND l.tries >= $5 THEN $6::timestamptz END
		RETURNING tries, locked_to, success_at`,
		login, source, now, now.Add(-tryWindow), limit, now.Add(lockFor)).Scan(&tries, &lockedTo, &success)
	if err != nil {
		return 0, false, fmt.Errorf("count the try to sign in: %w", err)
	}
	if lockedTo != nil {
		left = max(lockedTo.Sub(now).Round(time.Second), time.Second)
	}
	return left, success != nil && now.Sub(*success) < knownFor, nil
}
