package auth

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/alexedwards/argon2id"
)

const (
	minPassword = 10              // characters
	maxPassword = 200             // bytes
	hashWait    = 3 * time.Second // for a free slot, then ErrBusy
)

// NewPassword makes a password that can be read out: 20 letters and digits in four groups, 100 random bits.
func NewPassword() string {
	t := strings.ToLower(rand.Text()[:20])
	return t[:5] + "-" + t[5:10] + "-" + t[10:15] + "-" + t[15:]
}

// CheckPassword holds a chosen password against the rules.
func CheckPassword(login, password string) error {
	switch {
	case utf8.RuneCountInString(password) < minPassword:
		return &Invalid{Field: "password", Message: fmt.Sprintf("needs at least %d characters", minPassword)}
	case len(password) > maxPassword:
		return &Invalid{Field: "password", Message: fmt.Sprintf("may have at most %d bytes", maxPassword)}
	case strings.Contains(strings.ToLower(password), strings.ToLower(login)):
		return &Invalid{Field: "password", Message: "must not contain the login"}
	case strings.Count(password, password[:1]) == len(password):
		return &Invalid{Field: "password", Message: "must not be one character repeated"}
	}
	return nil
}

// slot waits for the right to spend 64 MiB on a password. The caller gives it back.
func (s *Service) slot(ctx context.Context) (release func(), err error) {
	t := time.NewTimer(hashWait)
	defer t.Stop()
	select {
	case s.slots <- struct{}{}:
		return func() { <-s.slots }, nil
	case <-t.C:
		return nil, ErrBusy
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// hash hashes a password.
func (s *Service) hash(ctx context.Context, password string) (string, error) {
	release, err := s.slot(ctx)
	if err != nil {
		return "", err
	}
	defer release()
	h, err := argon2id.CreateHash(password, s.params)
	if err != nil {
		return "", fmt.Errorf("hash a password: %w", err)
	}
	return h, nil
}

// verify compares a password with a hash; an empty hash takes the same time and never fits.
func (s *Service) verify(ctx context.Context, hash, password string) (bool, error) {
	release, err := s.slot(ctx)
	if err != nil {
		return false, err
	}
	defer release()
	known := hash != ""
	if !known {
		hash = s.dummy
	}
	ok, err := argon2id.ComparePasswordAndHash(password, hash)
	if err != nil {
		return false, fmt.Errorf("compare a password: %w", err)
	}
	return ok && known, nil
}
