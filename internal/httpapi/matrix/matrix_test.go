// Package matrix holds the test that walks every route of the API as every role over own, foreign and absent objects.
package matrix

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/argon2id"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"hotline/internal/auth"
	"hotline/internal/httpapi"
	"hotline/internal/pg/pgtest"
	"hotline/internal/trunks"
	"hotline/queue"
	"hotline/tickets"
)

// live is the running system behind the API, reduced to nothing.
type live struct{}

func (live) Snapshot(context.Context) (any, error)             { return map[string]any{"queues": []any{}}, nil }
func (live) TrunkState(string) httpapi.TrunkState              { return httpapi.TrunkState{} }
func (live) Flows(context.Context) ([]httpapi.FlowInfo, error) { return []httpapi.FlowInfo{}, nil }
func (live) ConfigChanged(string)                              {}

// sounds are two recordings: 1 of the own call, 2 of the foreign one.
type sounds struct{ own, foreign int64 }

type nopCloser struct{ *bytes.Reader }

func (nopCloser) Close() error { return nil }

func (s sounds) Get(_ context.Context, id int64) (httpapi.Recording, error) {
	switch id {
	case 1:
		return httpapi.Recording{ID: 1, CallID: s.own, Kind: "call", State: "ready", Channels: 2}, nil
	case 2:
		return httpapi.Recording{ID: 2, CallID: s.foreign, Kind: "call", State: "ready", Channels: 2}, nil
	}
	return httpapi.Recording{}, httpapi.ErrNoRecording
}
func (s sounds) ForCall(context.Context, int64) ([]httpapi.Recording, error) { return nil, nil }
func (s sounds) Open(ctx context.Context, id int64) (io.ReadSeekCloser, httpapi.Recording, error) {
	r, err := s.Get(ctx, id)
	return nopCloser{bytes.NewReader([]byte("RIFF of sound"))}, r, err
}
func (s sounds) Peaks(context.Context, int64) (httpapi.Peaks, error) {
	return httpapi.Peaks{Data: [][]float32{}}, nil
}
func (s sounds) AccessLog(context.Context, int64) ([]httpapi.Access, error)    { return nil, nil }
func (s sounds) LogAccess(context.Context, int64, int64, string, string) error { return nil }

// desk is an installation with two teams, their tickets and calls, and people of every role.
type desk struct {
	t      *testing.T
	api    *httpapi.API
	pool   *pgxpool.Pool
	tokens map[string]string // role -> bearer token; empty: anonymous
	who    map[string]*auth.Identity
	ids    map[string]map[string]string // placeholder of a path -> own, foreign, absent
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	ctx := t.Context()
	d := &desk{t: t, pool: pgtest.New(t), tokens: map[string]string{"anonymous": ""}, who: map[string]*auth.Identity{}, ids: map[string]map[string]string{}}
	quiet := slog.New(slog.DiscardHandler)
	as := auth.New(auth.Config{Pool: d.pool, Log: quiet, Params: &argon2id.Params{Memory: 1024, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32}})
	ts := tickets.New(tickets.Config{Pool: d.pool, Log: quiet})
	d.ok(pgx.BeginFunc(ctx, d.pool, func(tx pgx.Tx) error { return tickets.SeedDemo(ctx, tx, time.Now) }))
	for role, u := range map[string]auth.User{
		"agent":      {Login: "agent1", Name: "Agent", Roles: []string{"agent"}, Teams: []auth.Membership{{Name: "Support", Access: "full"}}},
		"supervisor": {Login: "lead1", Name: "Lead", Roles: []string{"supervisor"}, Teams: []auth.Membership{{Name: "Support", Access: "lead"}}},
		"admin":      {Login: "admin", Name: "Admin", Roles: []string{"admin"}},
	} {
		u.Locale, u.Active = "en", true
		_, err := as.CreateUser(ctx, nil, u)
		d.ok(err)
		secret, _, err := as.CreateToken(ctx, nil, auth.NewToken{Name: role, Login: u.Login, Scopes: auth.Scopes})
		d.ok(err)
		d.tokens[role] = secret
		d.who[role], err = as.Lookup(ctx, u.Login)
		d.ok(err)
	}
	narrow, _, err := as.CreateToken(ctx, nil, auth.NewToken{Name: "narrow", Login: "admin", Scopes: []string{auth.ScopeTicketsRead}})
	d.ok(err)
	d.tokens["narrow token"] = narrow
	d.objects(ctx, ts)
	d.api, err = httpapi.New(httpapi.Config{Pool: d.pool, Auth: as, Tickets: ts, Queues: queue.NewPGStore(d.pool), Trunks: trunks.NewStore(d.pool), Live: live{},
		Recordings: sounds{own: d.number("own call"), foreign: d.number("foreign call")}, Log: quiet, Rate: 100000, Burst: 100000})
	d.ok(err)
	return d
}

func (d *desk) ok(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

func (d *desk) number(what string) (id int64) {
	d.ok(d.pool.QueryRow(d.t.Context(), `SELECT id FROM call WHERE call_key = $1`, what).Scan(&id))
	return id
}

// objects makes what the paths name: one of the agent's team, one of another, and names of none.
func (d *desk) objects(ctx context.Context, ts *tickets.Service) {
	numbers := map[string]string{}
	d.ok(pgx.BeginFunc(ctx, d.pool, func(tx pgx.Tx) error {
		for which, team := range map[string]string{"own": "Support", "foreign": "Engineering"} {
			v, err := ts.CreateTicket(ctx, tx, tickets.SystemActor(), tickets.NewTicket{Title: which, Team: team})
			if err != nil {
				return err
			}
			numbers[which] = v.Number
			if _, err := tx.Exec(ctx, `WITH c AS (INSERT INTO call (call_key, direction, state, started_at, ended_at, end_result, disposition) VALUES ($1, 'in', 'ended', now(), now(), 'success', 'answered') RETURNING id)
				INSERT INTO call_link (call_id, rule, state, ticket_id, team_id, decided_at, ended_done, answered_done)
				SELECT c.id, 'A9', 'confirmed', t.id, t.team_id, now(), true, true FROM c, ticket t WHERE t.number = $2`, which+" call", v.Number); err != nil {
				return err
			}
		}
		return nil
	}))
	var contact, org, callback int64
	var point int64
	d.ok(d.pool.QueryRow(ctx, `SELECT p.contact_id, p.id FROM contact_point p WHERE p.contact_id IS NOT NULL AND p.level = 'known' ORDER BY p.id LIMIT 1`).Scan(&contact, &point))
	d.ok(d.pool.QueryRow(ctx, `SELECT min(id) FROM org`).Scan(&org))
	d.ok(d.pool.QueryRow(ctx, `INSERT INTO callback_request (number, ticket_id) SELECT '+79990001122', id FROM ticket WHERE number = $1 RETURNING id`, numbers["own"]).Scan(&callback))
	qs := queue.NewPGStore(d.pool)
	_, err := qs.CreateQueue(ctx, queue.Queue{Key: "support"}.WithDefaults())
	d.ok(err)
	st := trunks.NewStore(d.pool)
	d.ok(pgx.BeginFunc(ctx, d.pool, func(tx pgx.Tx) error {
		t := trunks.Defaults()
		t.Name = "carrier"
		if _, err := st.Create(ctx, tx, t); err != nil {
			return err
		}
		_, err := st.CreateNumber(ctx, tx, trunks.Number{Number: "100", Queue: "support"})
		return err
	}))
	set := func(path, own, foreign, absent string) {
		d.ids[path] = map[string]string{"own": own, "foreign": foreign, "absent": absent}
	}
	set("/tickets/{number}", numbers["own"], numbers["foreign"], "999999")
	set("/calls/{id}", "own call", "foreign call", "no call")
	set("/recordings/{id}", "1", "2", "3")
	set("/contacts/{id}", fmt.Sprint(contact), "", "999999")
	set("/contacts/{id}/points/{point}", fmt.Sprintf("%d/%d", contact, point), "", "999999/1")
	set("/orgs/{id}", fmt.Sprint(org), "", "999999")
	set("/callbacks/{id}", fmt.Sprint(callback), "", "999999")
	set("/queues/{key}", "support", "", "nowhere")
	set("/trunks/{name}", "carrier", "", "nowhere")
	set("/numbers/{number}", "100", "", "999")
	set("/users/{login}", "agent1", "", "nobody")
	set("/tokens/{id}", "1", "", "999999")
}

// bodies are valid requests, by method and path; a route that takes a body and is not here fails the test.
var bodies = map[string]string{
	"POST /session": `{"login":"x","password":"y"}`, "PATCH /me": `{"locale":"en"}`, "POST /me/password": `{"old":"a","new":"b"}`,
	"POST /users": `{"login":"fresh","name":"Fresh","roles":["agent"]}`, "PATCH /users/{login}": `{"name":"New"}`, "POST /users/{login}/password": `{}`, "POST /users/{login}/sip-password": ``,
	"POST /queues": `{"key":"fresh"}`, "PATCH /queues/{key}": `{"wrapup_s":5}`,
	"POST /trunks": `{"name":"fresh"}`, "PATCH /trunks/{name}": `{"region":"RU"}`,
	"POST /numbers": `{"number":"300","queue":"support"}`, "PATCH /numbers/{number}": `{"label":"x"}`,
	"POST /tickets": `{"title":"x","team":"Support"}`, "PATCH /tickets/{number}": `{"title":"x"}`, "POST /tickets/{number}/messages": `{"kind":"note","body":"x"}`,
	"POST /tickets/{number}/solve": `{"resolution":"fixed"}`, "POST /tickets/{number}/assign": `{"assignee":"agent1"}`, "POST /tickets/{number}/wait": `{"category":"waiting_customer"}`,
	"POST /tickets/{number}/spam": `{"spam":false}`,
	"POST /contacts":              `{"name":"x"}`, "PATCH /contacts/{id}": `{"name":"x"}`, "POST /contacts/{id}/points": `{"kind":"email","value":"x@example.org"}`,
	"POST /orgs": `{"name":"x"}`, "PATCH /orgs/{id}": `{"name":"x"}`,
	"POST /calls/{id}/link": `{"none":{"reason":"x"}}`, "POST /calls/{id}/move": `{"ticket":"999999"}`, "POST /calls/{id}/split": `{"title":"x"}`,
	"PATCH /callbacks/{id}": `{"state":"done"}`, "POST /tokens": `{"name":"x","scopes":["tickets:read"]}`,
}

type route struct {
	method, path string
	hasBody      bool
	public       bool
	resource     auth.Resource
}

func (d *desk) routes() (out []route) {
	d.t.Helper()
	var doc struct {
		Paths map[string]map[string]struct {
			Tags        []string
			RequestBody any
			Security    []any
		}
	}
	d.ok(json.Unmarshal(d.api.OpenAPI(), &doc))
	for path, ops := range doc.Paths {
		for method, o := range ops {
			if len(o.Tags) == 0 {
				continue
			}
			out = append(out, route{method: strings.ToUpper(method), path: path, hasBody: o.RequestBody != nil, public: o.Security == nil, resource: auth.Resource(o.Tags[0])})
		}
	}
	slices.SortFunc(out, func(a, b route) int { return strings.Compare(a.path+a.method, b.path+b.method) })
	if len(out) < 50 {
		d.t.Fatalf("only %d routes in the document", len(out))
	}
	return out
}

// send makes a request as role and gives status and body without the trace id.
func (d *desk) send(role, method, path, body string, header ...string) (int, string) {
	r := httptest.NewRequest(method, httpapi.Prefix+path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if method == http.MethodPatch || method == http.MethodDelete {
		r.Header.Set("If-Match", "*")
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	if t := d.tokens[role]; t != "" {
		r.Header.Set("Authorization", "Bearer "+t)
	}
	w := httptest.NewRecorder()
	d.api.ServeHTTP(w, r)
	return w.Code, traceID.ReplaceAllString(w.Body.String(), "")
}

var traceID = regexp.MustCompile(`"trace_id":"[^"]*"`)

var placeholder = regexp.MustCompile(`\{[^}]+\}`)

// fill puts ids into a path: the longest known beginning of it decides which.
func (d *desk) fill(path, which string) (string, bool) {
	if !strings.Contains(path, "{") {
		return path, true
	}
	best := ""
	for p := range d.ids {
		if (path == p || strings.HasPrefix(path, p+"/")) && len(p) > len(best) {
			best = p
		}
	}
	if best == "" || strings.Contains(strings.TrimPrefix(path, best), "{") {
		d.t.Fatalf("the matrix does not know %s: tell it an own, a foreign and an absent object", path)
	}
	id := d.ids[best][which]
	if id == "" {
		return "", false
	}
	parts := strings.Split(id, "/")
	i := -1
	full := placeholder.ReplaceAllStringFunc(best, func(string) string { i++; return strings.ReplaceAll(parts[i], " ", "%20") })
	return full + strings.TrimPrefix(path, best), true
}

func verbOf(method string) auth.Verb {
	if method == http.MethodGet {
		return auth.Read
	}
	return auth.Write
}

// R28: every route x role x own, foreign and absent objects. Nobody gets in without a session, nobody does what the
// table of permissions does not name, and what belongs to others answers exactly as what is not there.
func TestR28EveryRouteEveryRole(t *testing.T) {
	d := newDesk(t)
	for _, r := range d.routes() {
		body, known := bodies[r.method+" "+r.path]
		if r.hasBody && !known {
			t.Errorf("the matrix has no body for %s %s", r.method, r.path)
			continue
		}
		if r.path == "/session" && r.method != "GET" {
			continue // signing in and out have tests of their own
		}
		for role := range d.tokens {
			d.check(r, role, body)
		}
	}
}

func (d *desk) check(r route, role, body string) {
	t := d.t
	path, _ := d.fill(r.path, "own")
	name := role + ": " + r.method + " " + r.path
	if r.path == "/caller" {
		path += "?number=100"
	}
	status, answer := d.send(role, r.method, path, body)
	if status >= 500 {
		t.Errorf("%s: %d %s", name, status, answer)
	}
	if role == "anonymous" {
		if !r.public && status != http.StatusUnauthorized {
			t.Errorf("%s: %d, want 401", name, status)
		}
		return
	}
	if !d.may(role, r) {
		if status != http.StatusForbidden {
			t.Errorf("%s: %d, want 403: %s", name, status, answer)
		}
		return
	}
	if status == http.StatusUnauthorized || status == http.StatusMethodNotAllowed || status == http.StatusUnprocessableEntity && r.method == http.MethodGet {
		t.Errorf("%s: %d %s", name, status, answer)
	}
	if !strings.Contains(r.path, "{") {
		return
	}
	gone, _ := d.fill(r.path, "absent")
	absent, absentAnswer := d.send(role, r.method, gone, body)
	if absent != http.StatusNotFound {
		t.Errorf("%s, absent: %d, want 404: %s", name, absent, absentAnswer)
	}
	other, ok := d.fill(r.path, "foreign")
	if !ok || role != "agent" {
		return
	}
	foreign, foreignAnswer := d.send(role, r.method, other, body)
	if foreign != absent || foreignAnswer != absentAnswer {
		t.Errorf("%s: foreign and absent differ:\n%d %s\n%d %s", name, foreign, foreignAnswer, absent, absentAnswer)
	}
}

// may is what the table of permissions says about a role; the narrow token has one scope.
func (d *desk) may(role string, r route) bool {
	who := *d.who["admin"]
	if role != "narrow token" {
		who = *d.who[role]
		who.TokenID, who.Scopes = 1, auth.Scopes
	} else {
		who.TokenID, who.Scopes = 1, []string{auth.ScopeTicketsRead}
	}
	return who.May(r.resource, verbOf(r.method))
}

func TestProblemsAreProblems(t *testing.T) {
	d := newDesk(t)
	own := d.ids["/tickets/{number}"]["own"]
	for _, c := range []struct {
		method, path, body string
		status             int
		code               string
		header             []string
	}{
		{"GET", "/nowhere", "", 404, "not_found", nil},
		{"PUT", "/tickets", "", 405, "method_not_allowed", nil},
		{"POST", "/tickets", `{"title":`, 400, "", nil},
		{"POST", "/tickets", `{"title":"x","surprise":1}`, 422, "", nil},
		{"GET", "/tickets?surprise=1", "", 422, "", nil},
		{"PATCH", "/tickets/" + own, `{"title":"x"}`, 412, "", []string{"If-Match", "W/\"nonsense\""}},
		{"POST", "/tickets", `{"title":"` + strings.Repeat("x", 2<<20) + `"}`, 413, "", nil},
	} {
		status, answer := d.send("admin", c.method, c.path, c.body, c.header...)
		var p struct{ Code, Title string }
		if status != c.status || json.Unmarshal([]byte(strings.ReplaceAll(answer, ",}", "}")), &p) != nil && !strings.Contains(answer, `"code":"`) || c.code != "" && !strings.Contains(answer, `"code":"`+c.code+`"`) {
			t.Errorf("%s %s: %d %.200s, want %d %s", c.method, c.path, status, answer, c.status, c.code)
		}
	}
	if status, _ := d.send("admin", "PATCH", "/tickets/"+own, `{"title":"x"}`, "If-Match", ""); status != 428 {
		t.Errorf("without If-Match: %d, want 428", status)
	}
}

func TestIdempotencyKey(t *testing.T) {
	d := newDesk(t)
	key := []string{"Idempotency-Key", "k1"}
	first, a := d.send("agent", "POST", "/tickets", `{"title":"once","team":"Support"}`, key...)
	again, b := d.send("agent", "POST", "/tickets", `{"title":"once","team":"Support"}`, key...)
	other, _ := d.send("agent", "POST", "/tickets", `{"title":"twice","team":"Support"}`, key...)
	if first != 201 || again != 201 || !sameJSON(a, b) || other != 422 {
		t.Fatalf("first %d, again %d (same: %v), other body %d", first, again, sameJSON(a, b), other)
	}
	var n int
	d.ok(d.pool.QueryRow(t.Context(), `SELECT count(*) FROM ticket WHERE title = 'once'`).Scan(&n))
	if n != 1 {
		t.Fatalf("%d tickets", n)
	}
}

// A page of another site can make a browser send the cookie, but not a request we take.
func TestCrossSiteRequestsAreRefused(t *testing.T) {
	d := newDesk(t)
	status, answer := d.send("agent", "POST", "/tickets", `{"title":"x"}`, "Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example")
	if status != 403 || !strings.Contains(answer, "cross_origin") {
		t.Fatalf("%d %s", status, answer)
	}
}

// The recording: whole, by range, and every hearing from its beginning is logged first.
func TestAudioWithRanges(t *testing.T) {
	d := newDesk(t)
	if status, body := d.send("agent", "GET", "/recordings/1/audio", ""); status != 200 || body != "RIFF of sound" {
		t.Fatalf("%d %q", status, body)
	}
	if status, body := d.send("agent", "GET", "/recordings/1/audio", "", "Range", "bytes=5-6"); status != 206 || body != "of" {
		t.Fatalf("range: %d %q", status, body)
	}
}

func sameJSON(a, b string) bool {
	var x, y any
	return json.Unmarshal([]byte(a), &x) == nil && json.Unmarshal([]byte(b), &y) == nil && reflect.DeepEqual(x, y)
}
