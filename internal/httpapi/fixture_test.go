package httpapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/alexedwards/argon2id"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"hotline/internal/auth"
	"hotline/internal/httpapi"
	"hotline/internal/pg/pgtest"
	"hotline/internal/trunks"
	"hotline/queue"
	"hotline/tickets"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const secret = "correct horse battery"

// Names of people. pat is an external agent of a partner.
const (
	nobody = ""
	anna   = "anna"  // agent of Support
	boris  = "boris" // agent of Experts
	lead   = "lead"  // supervisor
	root   = "root"  // administrator
	pat    = "pat"   // agent of Partner, for the partner's organisation only
)

// teamOf is where the people work.
var teamOf = map[string]string{anna: "Support", boris: "Experts", lead: "Support", root: "Support", pat: "Partner"}

// world is a small company with a running API in front of it. Its people are signed in.
type world struct {
	t       *testing.T
	pool    *pgxpool.Pool
	clock   *clock
	auth    *auth.Service
	tickets *tickets.Service
	api     *httpapi.API
	live    *live
	sounds  *sounds
	reg     *prometheus.Registry

	cookies, tokens map[string]string
	partner         int64 // organisation
	*shared
}

// shared is what goroutines of a test share.
type shared struct {
	mu sync.Mutex
	n  int // for names that are used once

	logMu sync.Mutex
	logs  bytes.Buffer
}

// Write takes the log.
func (s *shared) Write(b []byte) (int, error) {
	s.logMu.Lock()
	defer s.logMu.Unlock()
	return s.logs.Write(b)
}

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

// newWorld makes the company on a fresh database. change may adjust the API's configuration.
func newWorld(t *testing.T, change ...func(*httpapi.Config)) *world {
	t.Helper()
	w := &world{t: t, pool: pgtest.New(t), clock: &clock{t: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)}, shared: &shared{}, reg: prometheus.NewRegistry(),
		live: &live{}, sounds: &sounds{of: map[int64]httpapi.Recording{}}, cookies: map[string]string{}, tokens: map[string]string{}}
	log := slog.New(slog.NewJSONHandler(w.shared, nil))
	w.auth = auth.New(auth.Config{Pool: w.pool, Now: w.clock.now, Log: log, Params: &argon2id.Params{Memory: 64, Iterations: 1, Parallelism: 1, SaltLength: 8, KeyLength: 16}})
	w.tickets = tickets.New(tickets.Config{Pool: w.pool, Now: w.clock.now, Log: log, Secret: []byte("test")})
	w.live.tickets = w.tickets
	cfg := httpapi.Config{Pool: w.pool, Auth: w.auth, Tickets: w.tickets, Queues: queue.NewPGStore(w.pool), Trunks: trunks.NewStore(w.pool), Live: w.live, Recordings: w.sounds,
		UI:  fstest.MapFS{"index.html": {Data: []byte("<html>desk</html>")}, "assets/app-3f2a.js": {Data: []byte("js")}, "favicon.svg": {Data: []byte("<svg/>")}},
		Now: w.clock.now, Log: log, Secret: []byte("test"), Rate: 1e6, Burst: 1e6, Registerer: w.reg}
	for _, c := range change {
		c(&cfg)
	}
	var err error
	if w.api, err = httpapi.New(cfg); err != nil {
		t.Fatal(err)
	}
	w.people()
	return w
}

func (w *world) people() {
	w.t.Helper()
	w.exec(`INSERT INTO team (name, line) VALUES ('Experts', 2)`)
	w.partner = w.id(`INSERT INTO org (name, kind) VALUES ('Partner Ltd', 'partner') RETURNING id`)
	w.exec(`INSERT INTO team (name, line, partner_org_id) VALUES ('Partner', 1, $1)`, w.partner)
	for login, role := range map[string]string{anna: auth.RoleAgent, boris: auth.RoleAgent, lead: auth.RoleSupervisor, root: auth.RoleAdmin, pat: auth.RoleAgent} {
		w.user(login, role, teamOf[login])
		if login == pat {
			w.exec(`UPDATE agent SET partner_org_id = $1 WHERE login = $2`, w.partner, login)
		}
		w.signIn(login)
	}
	_, err := queue.NewPGStore(w.pool).CreateQueue(context.Background(), queue.Queue{Key: "support", Name: "Support"})
	w.must(err)
}

// with is the same world, reporting to a subtest.
func (w *world) with(t *testing.T) *world {
	v := &world{t: t, pool: w.pool, clock: w.clock, auth: w.auth, tickets: w.tickets, api: w.api, live: w.live, sounds: w.sounds, shared: w.shared, reg: w.reg,
		cookies: w.cookies, tokens: w.tokens, partner: w.partner}
	return v
}

func (w *world) signIn(login string) {
	w.t.Helper()
	token, _, err := w.auth.Login(context.Background(), login, secret, auth.Source{IP: netip.MustParseAddr("192.0.2.1")})
	w.must(err)
	w.cookies[login] = token
}

func (w *world) user(login, role, team string) {
	w.t.Helper()
	_, err := w.auth.CreateUser(context.Background(), nil, auth.User{Login: login, Name: login, Locale: "en", Roles: []string{role}, Teams: []auth.Membership{{Name: team, Access: "full"}}})
	w.must(err)
	_, err = w.auth.SetPassword(context.Background(), nil, login, secret)
	w.must(err)
}

// token gives an API token of a person with one scope; the same one when asked again.
func (w *world) token(login string, scopes ...string) string {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	key := login + " " + strings.Join(scopes, " ")
	if w.tokens[key] == "" {
		secret, _, err := w.auth.CreateToken(context.Background(), nil, auth.NewToken{Name: "t", Login: login, Scopes: scopes})
		w.must(err)
		w.tokens[key] = secret
	}
	return w.tokens[key]
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) exec(sql string, args ...any) {
	w.t.Helper()
	_, err := w.pool.Exec(context.Background(), sql, args...)
	w.must(err)
}

func (w *world) id(sql string, args ...any) (id int64) {
	w.t.Helper()
	w.must(w.pool.QueryRow(context.Background(), sql, args...).Scan(&id))
	return id
}

func (w *world) tx(fn func(ctx context.Context, tx pgx.Tx) error) {
	w.t.Helper()
	w.must(w.tickets.Tx(context.Background(), func(tx pgx.Tx) error { return fn(context.Background(), tx) }))
}

// next is a number that nobody got before.
func (w *world) next() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.n++
	return w.n
}

// phone is a telephone number that nobody has.
func (w *world) phone() string { return fmt.Sprintf("+7916%07d", w.next()) }

func (w *world) log() string {
	w.logMu.Lock()
	defer w.logMu.Unlock()
	return w.logs.String()
}

// cause is what the log says about an answer that was our fault.
func (w *world) cause(a *answer) string {
	for _, line := range strings.Split(w.log(), "\n") {
		if strings.Contains(line, a.head.Get("Trace-Id")) && strings.Contains(line, "ERROR") {
			return line
		}
	}
	return string(a.body)
}

// request describes a request; zero fields are left out.
type request struct {
	who, token   string // cookie of a person, or an API token
	method, path string // path under /api/v1, or absolute when it begins with /
	body         any    // a string is sent as it is, anything else as JSON
	head         map[string]string
	from         string // address of the client
}

// answer is what came back.
type answer struct {
	t      *testing.T
	what   string
	status int
	head   http.Header
	body   []byte
}

func (w *world) http(r request) *http.Request {
	w.t.Helper()
	var body io.Reader
	switch b := r.body.(type) {
	case nil:
	case string:
		body = strings.NewReader(b)
	default:
		data, err := json.Marshal(b)
		w.must(err)
		body = bytes.NewReader(data)
	}
	req := httptest.NewRequest(r.method, r.path, body)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if r.from != "" {
		req.RemoteAddr = r.from
	}
	if r.who != "" {
		req.AddCookie(&http.Cookie{Name: auth.CookieName, Value: w.cookies[r.who]})
	}
	if r.token != "" {
		req.Header.Set("Authorization", "Bearer "+r.token)
	}
	for k, v := range r.head {
		req.Header.Set(k, v)
	}
	return req
}

func (w *world) send(r request) *answer {
	w.t.Helper()
	rec := httptest.NewRecorder()
	w.api.ServeHTTP(rec, w.http(r))
	return &answer{t: w.t, what: r.method + " " + r.path + " by " + r.who, status: rec.Code, head: rec.Header(), body: rec.Body.Bytes()}
}

// do sends a request to the API as a person. head are pairs of name and value.
func (w *world) do(who, method, path string, body any, head ...string) *answer {
	w.t.Helper()
	r := request{who: who, method: method, path: httpapi.Prefix + path, body: body, head: map[string]string{}}
	for i := 0; i+1 < len(head); i += 2 {
		r.head[head[i]] = head[i+1]
	}
	return w.send(r)
}

// want checks the status.
func (a *answer) want(status int) *answer {
	a.t.Helper()
	if a.status != status {
		a.t.Errorf("%s: %d, want %d: %s", a.what, a.status, status, a.body)
	}
	return a
}

// problem checks status and code of a problem document.
func (a *answer) problem(status int, code string) *answer {
	a.t.Helper()
	p := a.asProblem()
	if a.status != status || p.Code != code {
		a.t.Errorf("%s: %d %q, want %d %q: %s", a.what, a.status, p.Code, status, code, a.body)
	}
	return a
}

func (a *answer) asProblem() (p httpapi.Problem) {
	a.t.Helper()
	if ct := a.head.Get("Content-Type"); ct != "application/problem+json" {
		a.t.Errorf("%s: %d with Content-Type %q: %s", a.what, a.status, ct, a.body)
		return p
	}
	if err := json.Unmarshal(a.body, &p); err != nil {
		a.t.Errorf("%s: %v: %s", a.what, err, a.body)
	}
	if p.Status != a.status || p.Type != "about:blank" || p.Title == "" || p.Code == "" || len(p.TraceID) != 32 || a.head.Get("Trace-Id") != p.TraceID {
		a.t.Errorf("%s: %d with an incomplete problem document: %s", a.what, a.status, a.body)
	}
	return p
}

// into reads the body.
func into[T any](a *answer) (v T) {
	a.t.Helper()
	if err := json.Unmarshal(a.body, &v); err != nil {
		a.t.Fatalf("%s: %d: %v: %s", a.what, a.status, err, a.body)
	}
	return v
}
