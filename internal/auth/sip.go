package auth

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"fmt"

	"github.com/jackc/pgx/v5"

	"hotline/internal/pg"
)

// Realm is the digest realm of desk phones.
const Realm = "hotline"

// Credential gives the digest hash of an active agent with a desk phone: MD5(login:hotline:password). The SIP server
// asks on each challenge. Trouble with the database reads as "no such phone" and is logged.
func (s *Service) Credential(ctx context.Context, user string) (ha1 string, ok bool) {
	err := s.pool.QueryRow(ctx, `SELECT c.sip_ha1 FROM agent_account c JOIN agent a ON a.id = c.agent_id
		WHERE a.login = $1 AND a.active AND c.sip_ha1 IS NOT NULL`, user).Scan(&ha1)
	if err != nil {
		if err := absent("load a desk phone's credential", err); err != ErrNotFound {
			s.log.Error("desk phone cannot be checked", "error", err)
		}
		return "", false
	}
	return ha1, true
}

// NewSIPPassword makes a new password for the agent's desk phone and returns it; it is shown once. user is the name the
// phone signs in with.
func (s *Service) NewSIPPassword(ctx context.Context, by *Identity, login string) (user, password string, err error) {
	password = NewPassword()
	return s.setSIP(ctx, by, login, password)
}

// SetSIPPassword sets a given password, for set-ups that prescribe it (the demo company, provisioning).
func (s *Service) SetSIPPassword(ctx context.Context, by *Identity, login, password string) error {
	if len(password) < 8 || len(password) > maxPassword {
		return &Invalid{Field: "password", Message: fmt.Sprintf("needs 8 to %d bytes", maxPassword)}
	}
	_, _, err := s.setSIP(ctx, by, login, password)
	return err
}

func (s *Service) setSIP(ctx context.Context, by *Identity, login, password string) (user, pass string, err error) {
	err = pg.Tx(ctx, s.pool, func(tx pgx.Tx) error {
		id, name, err := lockAccount(ctx, tx, login)
		if err != nil {
			return err
		}
		user = name
		sum := md5.Sum([]byte(user + ":" + Realm + ":" + password)) // RFC 2617 3.2.2.2, what phones speak
		if _, err := tx.Exec(ctx, `UPDATE agent_account SET sip_ha1 = $2, version = version + 1 WHERE agent_id = $1`, id, hex.EncodeToString(sum[:])); err != nil {
			return fmt.Errorf("set the desk phone's password: %w", err)
		}
		return s.Audit(ctx, tx, by, Entry{Action: "user.sip_password", Object: "user:" + user})
	})
	return user, password, err
}
