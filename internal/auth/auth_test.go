package auth_test

import (
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alexedwards/argon2id"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/goleak"

	"hotline/internal/auth"
	"hotline/internal/pg/pgtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const secret = "correct horse battery"

// clock is the injected time.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.t }
func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	c.t = c.t.Add(d)
	c.mu.Unlock()
}

type bundle struct {
	*auth.Service
	pool  *pgxpool.Pool
	clock *clock
}

func setup(t *testing.T) bundle {
	t.Helper()
	b := bundle{pool: pgtest.New(t), clock: &clock{t: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}}
	b.Service = auth.New(auth.Config{Pool: b.pool, Now: b.clock.now, Log: slog.New(slog.DiscardHandler), Params: &argon2id.Params{Memory: 64, Iterations: 1, Parallelism: 1, SaltLength: 8, KeyLength: 16}})
	if _, err := b.pool.Exec(t.Context(), `INSERT INTO team (name) VALUES ('Line 1'), ('Line 2')`); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b bundle) user(t *testing.T, login string, roles ...string) {
	t.Helper()
	if _, err := b.CreateUser(t.Context(), nil, auth.User{Login: login, Roles: roles, Teams: []auth.Membership{{Name: "Line 1", Access: "full"}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.SetPassword(t.Context(), nil, login, secret); err != nil {
		t.Fatal(err)
	}
}

func from(ip string) auth.Source {
	return auth.Source{IP: netip.MustParseAddr(ip), UserAgent: "test"}
}

func withCookie(token string) *http.Request {
	r := httptest.NewRequest("GET", "/", nil)
	r.AddCookie(&http.Cookie{Name: auth.CookieName, Value: token})
	return r
}

func bearer(token string) *http.Request {
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	return r
}

func TestLoginGivesAnIdentity(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.user(t, "agent1", "agent")
	token, id, err := b.Login(t.Context(), " Agent1 ", secret, from("192.0.2.1"))
	if err != nil {
		t.Fatal(err)
	}
	if id.Login != "agent1" || id.Kind != auth.KindBrowser || !slices.Equal(id.Roles, []string{"agent"}) || !id.Can("phone.use") || len(id.Teams) != 1 || id.Teams[0].Access != "full" {
		t.Errorf("identity %+v", id)
	}
	again, err := b.Authenticate(withCookie(token))
	if err != nil || again.AgentID != id.AgentID || again.SessionID == 0 {
		t.Errorf("by cookie: %+v, %v", again, err)
	}
	var stored int
	if err := b.pool.QueryRow(t.Context(), `SELECT count(*) FROM session WHERE position($1::bytea in token_sha256) > 0`, []byte(token)).Scan(&stored); err != nil || stored != 0 {
		t.Errorf("the token itself is stored: %d, %v", stored, err)
	}
	if err := b.Logout(t.Context(), again); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Authenticate(withCookie(token)); !errors.Is(err, auth.ErrUnauthenticated) {
		t.Errorf("after log-out: %v", err)
	}
}

func TestSessionEnds(t *testing.T) {
	t.Parallel()
	tests := map[string]func(t *testing.T, b bundle){
		"idle for 12 hours": func(_ *testing.T, b bundle) { b.clock.add(12*time.Hour + time.Second) },
		"account closed":    func(t *testing.T, b bundle) { patch(t, b, auth.UserPatch{Active: new(bool)}) },
		"closed by an import": func(t *testing.T, b bundle) {
			_, err := b.pool.Exec(t.Context(), "UPDATE agent SET active = false")
			check(t, err)
		},
		"password set anew":  func(t *testing.T, b bundle) { must(t)(b.SetPassword(t.Context(), nil, "agent1", "")) },
		"swept when expired": func(t *testing.T, b bundle) { b.clock.add(31 * 24 * time.Hour); check(t, b.Sweep(t.Context())) },
	}
	for name, end := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.user(t, "agent1", "agent")
			token, _, err := b.Login(t.Context(), "agent1", secret, from("192.0.2.1"))
			check(t, err)
			if _, err := b.Authenticate(withCookie(token)); err != nil {
				t.Fatal(err)
			}
			end(t, b)
			if _, err := b.Authenticate(withCookie(token)); !errors.Is(err, auth.ErrUnauthenticated) {
				t.Fatalf("%v; want ErrUnauthenticated", err)
			}
		})
	}
}

func TestSessionInUseLivesOnButNotForEver(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.user(t, "agent1", "agent")
	token, _, err := b.Login(t.Context(), "agent1", secret, from("192.0.2.1"))
	check(t, err)
	for i := range 60 { // a minute before it would end, for 30 days less an hour
		b.clock.add(12*time.Hour - time.Minute)
		if _, err := b.Authenticate(withCookie(token)); err != nil {
			t.Fatalf("after %d half-days: %v", i+1, err)
		}
	}
	b.clock.add(time.Hour)
	if _, err := b.Authenticate(withCookie(token)); !errors.Is(err, auth.ErrUnauthenticated) {
		t.Fatalf("after 30 days: %v", err)
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func must(t *testing.T) func(string, error) {
	return func(_ string, err error) { t.Helper(); check(t, err) }
}

func patch(t *testing.T, b bundle, p auth.UserPatch) {
	t.Helper()
	_, err := b.UpdateUser(t.Context(), nil, "agent1", 0, p)
	check(t, err)
}

// R10: no guessing, no enumeration, and no harm to the colleague behind the same NAT.
func TestR10GuessingIsLocked(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.user(t, "agent1", "agent")
	b.user(t, "agent2", "agent")
	nat := from("192.0.2.1")
	if _, _, err := b.Login(t.Context(), "agent2", secret, nat); err != nil {
		t.Fatal(err)
	}
	outcomes := func(login string) (wrong, locked int) {
		var mu sync.Mutex
		var wg sync.WaitGroup
		for range 40 { // at the same instant: counting comes before checking
			wg.Go(func() {
				_, _, err := b.Login(t.Context(), login, "guess", nat)
				mu.Lock()
				defer mu.Unlock()
				if l, ok := errors.AsType[*auth.Locked](err); ok && l.For >= 10*time.Minute {
					locked++
				} else if errors.Is(err, auth.ErrWrongPassword) {
					wrong++
				} else {
					t.Errorf("%s: %v", login, err)
				}
			})
		}
		wg.Wait()
		return wrong, locked
	}
	w1, l1 := outcomes("agent1")
	w2, l2 := outcomes("nobody-of-this-name")
	if w1 != 10 || l1 != 30 || w2 != w1 || l2 != l1 {
		t.Errorf("existing: %d wrong, %d locked; unknown: %d, %d; want 10 and 30 twice", w1, l1, w2, l2)
	}
	if _, _, err := b.Login(t.Context(), "agent1", secret, nat); err == nil {
		t.Error("the right password opens a locked pair")
	}
	if _, _, err := b.Login(t.Context(), "agent1", secret, from("192.0.2.99")); err != nil {
		t.Errorf("the owner elsewhere: %v", err)
	}
	for range 5 {
		if _, _, err := b.Login(t.Context(), "agent2", secret, nat); err != nil {
			t.Fatalf("the colleague behind the same address: %v", err)
		}
	}
	b.clock.add(16 * time.Minute)
	if _, _, err := b.Login(t.Context(), "agent1", secret, nat); err != nil {
		t.Errorf("after the lock: %v", err)
	}
}

func TestR10SprayingManyNamesLocksTheSource(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.user(t, "agent1", "agent")
	b.user(t, "agent2", "agent")
	if _, _, err := b.Login(t.Context(), "agent1", secret, from("2001:db8::1")); err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		_, _, _ = b.Login(t.Context(), fmt.Sprintf("name%d", i), "guess", from("2001:db8::"+string(rune('1'+i%9))))
	}
	_, _, err := b.Login(t.Context(), "agent2", secret, from("2001:db8::7"))
	if _, ok := errors.AsType[*auth.Locked](err); !ok {
		t.Errorf("a new pair from the network that guesses: %v; want locked", err)
	}
	if _, _, err := b.Login(t.Context(), "agent1", secret, from("2001:db8::5")); err != nil {
		t.Errorf("who has signed in from there before: %v", err)
	}
}

func TestTokens(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.user(t, "admin", "admin")
	day := b.clock.now().Add(24 * time.Hour)
	sec, tok, err := b.CreateToken(t.Context(), nil, auth.NewToken{Name: "ci", Login: "admin", Scopes: []string{"tickets:read"}, ExpiresAt: day})
	check(t, err)
	id, err := b.Authenticate(bearer(sec))
	if err != nil || id.Login != "admin" || id.TokenID != tok.ID || id.Via() != "token:ci" {
		t.Fatalf("%+v, %v", id, err)
	}
	if !id.May(auth.Tickets, auth.Read) || id.May(auth.Tickets, auth.Write) || id.May(auth.Users, auth.Read) || id.May(auth.Self, auth.Write) || !id.May(auth.Self, auth.Read) {
		t.Error("a token's scope does not limit its agent")
	}
	r := withCookie("whatever")
	r.Header.Set("Authorization", "Bearer hl_WRONG")
	if _, err := b.Authenticate(r); !errors.Is(err, auth.ErrUnauthenticated) {
		t.Errorf("wrong token: %v", err)
	}
	b.clock.add(25 * time.Hour)
	if _, err := b.Authenticate(bearer(sec)); !errors.Is(err, auth.ErrUnauthenticated) {
		t.Errorf("expired: %v", err)
	}
	sec, tok, err = b.CreateToken(t.Context(), nil, auth.NewToken{Name: "x", Login: "admin", Scopes: []string{"admin"}})
	check(t, err)
	check(t, b.RevokeToken(t.Context(), nil, tok.ID))
	if _, err := b.Authenticate(bearer(sec)); !errors.Is(err, auth.ErrUnauthenticated) {
		t.Errorf("revoked: %v", err)
	}
	if err := b.RevokeToken(t.Context(), nil, tok.ID); !errors.Is(err, auth.ErrNotFound) {
		t.Errorf("revoked twice: %v", err)
	}
	for field, n := range map[string]auth.NewToken{
		"name": {Login: "admin", Scopes: []string{"admin"}}, "scopes": {Name: "x", Login: "admin", Scopes: []string{"root"}},
		"login": {Name: "x", Login: "nobody", Scopes: []string{"admin"}}, "expires_at": {Name: "x", Login: "admin", Scopes: []string{"admin"}, ExpiresAt: day.Add(-48 * time.Hour)},
	} {
		_, _, err := b.CreateToken(t.Context(), nil, n)
		if inv, ok := errors.AsType[*auth.Invalid](err); !ok || inv.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
}

func TestUsers(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.user(t, "admin", "admin")
	u, err := b.CreateUser(t.Context(), nil, auth.User{Login: "Desk1", Name: "Desk", Email: "d@example.com", Roles: []string{"agent"}, Endpoint: "sip:desk1@127.0.0.1:5091"})
	check(t, err)
	if u.Login != "desk1" || u.Version == 0 || !u.Active || u.Password {
		t.Errorf("made %+v", u)
	}
	name := "Desk phone"
	v, err := b.UpdateUser(t.Context(), nil, "desk1", u.Version, auth.UserPatch{Name: &name, Teams: []auth.Membership{{Name: "Line 2", Access: "lead"}}})
	if err != nil || v.Name != name || v.Version != u.Version+1 || len(v.Teams) != 1 {
		t.Fatalf("%+v, %v", v, err)
	}
	if _, err := b.UpdateUser(t.Context(), nil, "desk1", u.Version, auth.UserPatch{Name: &name}); !errors.Is(err, auth.ErrVersion) {
		t.Errorf("old version: %v", err)
	}
	for _, e := range []string{"asterisk:PJSIP/desk1", "registered", "", "sips:desk1@[2001:db8::1]:5061;transport=tls"} {
		if v, err := b.UpdateUser(t.Context(), nil, "desk1", 0, auth.UserPatch{Endpoint: &e}); err != nil || v.Endpoint != e {
			t.Errorf("endpoint %q: %+v, %v", e, v, err)
		}
	}
	bad, empty, endpoint := "kl", "", "http://x"
	for field, p := range map[string]auth.UserPatch{
		"locale": {Locale: &bad}, "name": {Name: &empty}, "email": {Email: &bad}, "endpoint": {Endpoint: &endpoint}, "roles": {Roles: []string{"king"}},
		"teams[0].name": {Teams: []auth.Membership{{Name: "none", Access: "read"}}}, "teams[0].access": {Teams: []auth.Membership{{Name: "Line 1", Access: "own"}}},
	} {
		_, err := b.UpdateUser(t.Context(), nil, "desk1", 0, p)
		if inv, ok := errors.AsType[*auth.Invalid](err); !ok || inv.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
	for _, p := range []auth.UserPatch{{Active: new(bool)}, {Roles: []string{"agent"}}} {
		if _, err := b.UpdateUser(t.Context(), nil, "admin", 0, p); err == nil {
			t.Error("the last administrator was taken away")
		}
	}
	_, err = b.CreateUser(t.Context(), nil, auth.User{Login: "desk1"})
	if inv, ok := errors.AsType[*auth.Invalid](err); !ok || inv.Field != "login" || !inv.Taken {
		t.Errorf("same login: %v", err)
	}
	list, err := b.ListUsers(t.Context(), "admin", 10)
	if err != nil || len(list) != 1 || list[0].Login != "desk1" {
		t.Errorf("list: %+v, %v", list, err)
	}
}

func TestDeskPhoneCredential(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.user(t, "desk1", "agent")
	if _, ok := b.Credential(t.Context(), "desk1"); ok {
		t.Error("a credential that was never made")
	}
	user, pw, err := b.NewSIPPassword(t.Context(), nil, "DESK1")
	check(t, err)
	sum := md5.Sum([]byte(user + ":hotline:" + pw))
	if ha1, ok := b.Credential(t.Context(), "desk1"); !ok || ha1 != hex.EncodeToString(sum[:]) || user != "desk1" {
		t.Errorf("%q %v", ha1, ok)
	}
	_, err = b.UpdateUser(t.Context(), nil, "desk1", 0, auth.UserPatch{Active: new(bool)})
	check(t, err)
	if _, ok := b.Credential(t.Context(), "desk1"); ok {
		t.Error("a closed account's phone still works")
	}
}

func TestOwnPasswordChange(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.user(t, "agent1", "agent")
	mine, id, err := b.Login(t.Context(), "agent1", secret, from("192.0.2.1"))
	check(t, err)
	other, _, err := b.Login(t.Context(), "agent1", secret, from("192.0.2.2"))
	check(t, err)
	if err := b.ChangePassword(t.Context(), id, "wrong", "another long one"); !errors.Is(err, auth.ErrWrongPassword) {
		t.Errorf("wrong old password: %v", err)
	}
	for _, weak := range []string{"short", "my name is agent1", strings.Repeat("a", 12), strings.Repeat("long", 60)} {
		if _, ok := errors.AsType[*auth.Invalid](b.ChangePassword(t.Context(), id, secret, weak)); !ok {
			t.Errorf("password %q was taken", weak)
		}
	}
	check(t, b.ChangePassword(t.Context(), id, secret, "another long one"))
	if _, err := b.Authenticate(withCookie(mine)); err != nil {
		t.Errorf("this session: %v", err)
	}
	if _, err := b.Authenticate(withCookie(other)); !errors.Is(err, auth.ErrUnauthenticated) {
		t.Errorf("the other session: %v", err)
	}
	if _, _, err := b.Login(t.Context(), "agent1", "another long one", from("192.0.2.1")); err != nil {
		t.Errorf("new password: %v", err)
	}
}

// R42 in small: each way of changing history shows, and names the entry.
func TestAuditShowsTampering(t *testing.T) {
	t.Parallel()
	for name, tamper := range map[string]struct {
		sql  string
		want int64
	}{
		"nothing": {"SELECT 1", 0},
		"alter":   {"UPDATE audit SET actor = 'somebody' WHERE seq = 3", 3},
		"delete":  {"DELETE FROM audit WHERE seq = 3", 4},
		"insert":  {"INSERT INTO audit SELECT 6, at, actor, via, action, object, detail, ip, hash FROM audit WHERE seq = 5", 6},
		"reorder": {"UPDATE audit SET seq = CASE seq WHEN 2 THEN -1 ELSE seq END; UPDATE audit SET seq = CASE seq WHEN 3 THEN 2 WHEN -1 THEN 3 ELSE seq END WHERE seq IN (3); UPDATE audit SET seq = 3 WHERE seq = -1", 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			var wg sync.WaitGroup
			for range 5 {
				wg.Go(func() {
					if err := b.Audit(t.Context(), b.pool, nil, auth.Entry{Action: "a.b", Object: "x:1", Detail: map[string]any{"k": 1}}); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if name != "nothing" && name != "insert" { // an insert just becomes the next link
				if _, err := b.pool.Exec(t.Context(), tamper.sql); err == nil {
					t.Fatal("the table let itself be changed")
				}
			}
			if _, err := b.pool.Exec(t.Context(), "ALTER TABLE audit DISABLE TRIGGER ALL; "+tamper.sql); err != nil { // as its owner
				t.Fatal(err)
			}
			bad, _, _, err := b.VerifyAudit(t.Context())
			if err != nil || bad != tamper.want {
				t.Errorf("first bad entry %d, %v; want %d", bad, err, tamper.want)
			}
		})
	}
}

func TestMayRefusesWhatTheTableDoesNotName(t *testing.T) {
	t.Parallel()
	all := &auth.Identity{Permissions: []string{"admin.users", "audit.read"}}
	if all.May("secrets", auth.Read) || all.May(auth.Audit, auth.Write) || all.May(auth.Teams, auth.Write) || (*auth.Identity)(nil).May(auth.Self, auth.Read) {
		t.Error("something unnamed is allowed")
	}
}
