package httpapi_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"hotline/internal/auth"
	"hotline/internal/httpapi"
)

func credentials(login, password string) map[string]any {
	return map[string]any{"login": login, "password": password}
}

// signInFrom signs in from an address.
func (w *world) signInFrom(addr, login, password string) *answer {
	w.t.Helper()
	return w.send(request{method: "POST", path: httpapi.Prefix + "/session", body: credentials(login, password), from: addr})
}

func TestSession(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.do(nobody, "POST", "/session", credentials(" ANNA ", secret)).want(200)
	cookies := (&http.Response{Header: a.head}).Cookies()
	if len(cookies) != 1 {
		t.Fatalf("cookies %v", cookies)
	}
	c := cookies[0]
	if c.Name != auth.CookieName || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.MaxAge <= 0 || c.Secure {
		t.Errorf("cookie %+v", c)
	}
	me := into[struct {
		Agent struct {
			Login, Name, Locale, Kind string
			Roles, Permissions        []string
			Teams                     []auth.Team
		}
	}](a).Agent
	if me.Login != anna || me.Kind != "browser" || !slices.Equal(me.Roles, []string{"agent"}) || len(me.Permissions) == 0 || len(me.Teams) != 1 {
		t.Errorf("%+v", me)
	}
	w.cookies["new"] = c.Value
	got := into[struct{ Agent struct{ Name, Locale string } }](w.do("new", "PATCH", "/me", map[string]any{"locale": "ru", "name": "Анна"}).want(200))
	if got.Agent.Locale != "ru" || got.Agent.Name != "Анна" {
		t.Errorf("%+v", got)
	}
	if got := into[struct{ Agent struct{ Name string } }](w.do("new", "GET", "/session", nil).want(200)); got.Agent.Name != "Анна" {
		t.Errorf("%+v", got)
	}
	out := w.do("new", "DELETE", "/session", nil).want(204)
	if c := (&http.Response{Header: out.head}).Cookies(); len(c) != 1 || c[0].MaxAge >= 0 || c[0].Value != "" {
		t.Errorf("the cookie stays: %v", c)
	}
	w.do("new", "GET", "/session", nil).problem(401, "unauthenticated")
	w.do(anna, "GET", "/session", nil).want(200) // her other session
	r := w.http(request{method: "POST", path: "https://hotline.example" + httpapi.Prefix + "/session", body: credentials(anna, secret)})
	rec := httptest.NewRecorder()
	w.api.ServeHTTP(rec, r)
	if c := rec.Result().Cookies(); len(c) != 1 || !c[0].Secure || rec.Header().Get("Strict-Transport-Security") == "" {
		t.Errorf("over TLS: %v %v", c, rec.Header())
	}
}

func TestDeskPhoneAgentSaysSo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.do(root, "PATCH", "/users/"+anna, map[string]any{"endpoint": "sip:desk1@192.0.2.7:5060"}, "If-Match", "*").want(200)
	if me := into[struct{ Agent struct{ Kind string } }](w.do(anna, "GET", "/session", nil)); me.Agent.Kind != "desk" {
		t.Errorf("kind %q", me.Agent.Kind)
	}
}

// R10: the eleventh try in a row is not looked at, with the right password too; the answer says when to come back. What
// was typed is nowhere: not in the answer, not in the log.
func TestR10SignInIsLocked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const from = "198.51.100.7:4000"
	wrong := w.signInFrom(from, anna, "hunter2-hunter2").problem(401, "wrong_password")
	absent := w.signInFrom(from, "nosuch", "hunter2-hunter2").problem(401, "wrong_password")
	w.exec(`UPDATE agent SET active = false WHERE login = $1`, boris)
	closed := w.signInFrom(from, boris, secret).problem(401, "wrong_password")
	if !sameAnswer(wrong, absent) || !sameAnswer(wrong, closed) {
		t.Errorf("a login can be probed:\n%v %s\n%v %s\n%v %s", wrong.head, wrong.body, absent.head, absent.body, closed.head, closed.body)
	}
	for range 9 {
		w.signInFrom(from, anna, "hunter2-hunter2").problem(401, "wrong_password")
	}
	locked := w.signInFrom(from, anna, secret).problem(429, "locked")
	if locked.head.Get("Retry-After") != "900" {
		t.Errorf("Retry-After %q", locked.head.Get("Retry-After"))
	}
	w.signInFrom("203.0.113.9:1", anna, secret).want(200) // she herself sits elsewhere
	w.do(anna, "GET", "/session", nil).want(200)          // and is not thrown out
	w.clock.add(16 * time.Minute)
	w.signInFrom(from, anna, secret).want(200)
	if log := w.log(); strings.Contains(log, "hunter2") || strings.Contains(log, secret) || strings.Contains(log, w.cookies[anna]) {
		t.Error("the log holds a password or a session")
	}
}

func TestOwnPassword(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.cookies["old"] = w.cookies[anna]
	w.signIn(anna)
	if p := w.do(anna, "POST", "/me/password", map[string]any{"old": "not the old one", "new": "a brand new secret"}).problem(403, "wrong_password").asProblem(); p.Field != "old" {
		t.Errorf("%+v", p)
	}
	for _, bad := range []string{"short", "aaaaaaaaaaaaaaa", "anna anna anna"} {
		w.do(anna, "POST", "/me/password", map[string]any{"old": secret, "new": bad}).problem(422, "invalid")
	}
	w.do(anna, "POST", "/me/password", map[string]any{"old": secret, "new": "a brand new secret"}).want(204)
	w.do(anna, "GET", "/session", nil).want(200)
	w.do("old", "GET", "/session", nil).problem(401, "unauthenticated")
	w.signInFrom("192.0.2.5:1", anna, secret).problem(401, "wrong_password")
	w.signInFrom("192.0.2.5:1", anna, "a brand new secret").want(200)
	for range 12 {
		w.do(anna, "POST", "/me/password", map[string]any{"old": "guess guess", "new": "a brand new secret"})
	}
	w.do(anna, "POST", "/me/password", map[string]any{"old": "a brand new secret", "new": secret}).problem(429, "locked")
}

// Taking a right away works at once: role, account, token, password.
func TestRightsEndAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.do(lead, "GET", "/live", nil).want(200)
	token := w.token(boris, "tickets:read")
	byToken := func() *answer {
		return w.send(request{token: token, method: "GET", path: httpapi.Prefix + "/tickets"})
	}
	byToken().want(200)
	w.do(root, "PATCH", "/users/"+lead, map[string]any{"roles": []string{"agent"}}, "If-Match", "*").want(200)
	w.do(lead, "GET", "/live", nil).problem(403, "forbidden")
	w.do(root, "PATCH", "/users/"+boris, map[string]any{"active": false}, "If-Match", "*").want(200)
	w.do(boris, "GET", "/session", nil).problem(401, "unauthenticated")
	byToken().problem(401, "unauthenticated")
	w.do(root, "POST", "/users/"+anna+"/password", map[string]any{}).want(200)
	w.do(anna, "GET", "/session", nil).problem(401, "unauthenticated")
	p := w.do(root, "PATCH", "/users/"+root, map[string]any{"roles": []string{"agent"}}, "If-Match", "*").problem(422, "invalid").asProblem()
	if p.Field != "roles" {
		t.Errorf("the last administrator: %+v", p)
	}
}

func TestTokensOverTheAPI(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	made := into[struct {
		Token  auth.Token
		Secret string
	}](w.do(root, "POST", "/tokens", map[string]any{"name": "ci", "login": anna, "scopes": []string{"tickets:read"}}).want(201))
	get := func(path string) *answer {
		return w.send(request{token: made.Secret, method: "GET", path: httpapi.Prefix + path})
	}
	get("/tickets").want(200)
	get("/calls").problem(403, "forbidden")
	list := w.do(root, "GET", "/tokens", nil).want(200)
	if strings.Contains(string(list.body), made.Secret) || !strings.Contains(string(list.body), `"ci"`) {
		t.Errorf("%s", list.body)
	}
	w.do(root, "DELETE", "/tokens/"+itoa(made.Token.ID), nil).want(204)
	get("/tickets").problem(401, "unauthenticated")
	for _, bad := range []map[string]any{{"name": "x", "scopes": []string{"everything"}}, {"name": "x", "scopes": []string{}}, {"name": "x", "login": "nosuch", "scopes": []string{"admin"}},
		{"name": "x", "scopes": []string{"admin"}, "expires_at": "2001-01-01T00:00:00Z"}} {
		w.do(root, "POST", "/tokens", bad).problem(422, "invalid")
	}
	w.send(request{who: anna, token: "hl_wrong", method: "GET", path: httpapi.Prefix + "/session"}).problem(401, "unauthenticated") // a wrong token is not mended by a cookie
	for _, h := range []string{"Basic YTpi", "Bearer", "Bearer ", "hl_x"} {
		w.send(request{method: "GET", path: httpapi.Prefix + "/session", head: map[string]string{"Authorization": h}}).problem(401, "unauthenticated")
	}
	audit := w.do(root, "GET", "/audit?object=token:"+itoa(made.Token.ID), nil).want(200)
	if !strings.Contains(string(audit.body), "token.create") || !strings.Contains(string(audit.body), "token.revoke") || strings.Contains(string(audit.body), made.Secret) {
		t.Errorf("%s", audit.body)
	}
}

// R27: a page of another site can make a browser send the cookie along, but not have the request carried out.
func TestR27CrossSiteWritesAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *httpapi.Config) { c.Origins = []string{"https://desk.example"} })
	eachRoute(t, w, func(t *testing.T, h hostile) {
		if h.o.method == "GET" {
			return
		}
		path := strings.NewReplacer("{number}", absentTicket, "{id}", "1", "{key}", "k", "{name}", "n", "{login}", "l", "{point}", "1").Replace(h.o.path)
		for _, head := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://evil.example"}, {"Origin", "null"}, {"Origin", "http://example.com:81"},
			{"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example", "Content-Type", "text/plain"}} {
			h.w.do(root, h.o.method, path, `{}`, head...).problem(403, "cross_origin")
		}
	})
	for _, head := range [][]string{{}, {"Sec-Fetch-Site", "same-origin"}, {"Sec-Fetch-Site", "none"}, {"Origin", "http://example.com"}, {"Sec-Fetch-Site", "cross-site", "Origin", "https://desk.example"}} {
		w.do(anna, "POST", "/contacts", map[string]any{"name": "x"}, head...).want(201)
	}
	w.do(anna, "GET", "/session", nil, "Sec-Fetch-Site", "cross-site").want(200) // reading is kept apart by the browser
	if n := w.count(`contact WHERE name = 'x'`); n != 5 {
		t.Errorf("%d contacts", n)
	}
}

func TestUsersOverTheAPI(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	body := map[string]any{"login": "Vera", "name": "Vera", "email": "vera@example.com", "locale": "ru", "roles": []string{"agent"}, "teams": []any{map[string]any{"name": "Support", "access": "reply"}},
		"queues": []any{map[string]any{"queue": "support", "level": 2}}, "skills": map[string]any{"ru": 3}, "endpoint": "registered", "password": "a long enough one"}
	a := w.do(root, "POST", "/users", body).want(201)
	var u struct {
		Login, Endpoint string
		Queues          []struct {
			Queue string
			Level int
		}
		Skills      map[string]int
		Teams       []auth.Membership
		PasswordSet bool `json:"password_set"`
		Version     int
	}
	if err := json.Unmarshal(a.body, &u); err != nil || u.Login != "vera" || u.Endpoint != "registered" || len(u.Queues) != 1 || u.Queues[0].Level != 2 || u.Skills["ru"] != 3 || len(u.Teams) != 1 || !u.PasswordSet {
		t.Fatalf("%+v %v: %s", u, err, a.body)
	}
	if got := w.do(root, "GET", strings.TrimPrefix(a.head.Get("Location"), httpapi.Prefix), nil).want(200); string(got.body) != string(a.body) {
		t.Errorf("%s\n%s", got.body, a.body)
	}
	w.signInFrom("192.0.2.5:1", "vera", "a long enough one").want(200)
	if !slices.Contains(w.live.changed, httpapi.ChangedAgents) {
		t.Error("the running system is not told")
	}
	w.do(root, "POST", "/users", body).problem(409, "taken")
	for field, bad := range map[string]map[string]any{
		"login":           {"login": "a b"},
		"roles":           {"login": "n1", "roles": []string{"agent", "agent"}},
		"teams[0].name":   {"login": "n2", "teams": []any{map[string]any{"name": "Nosuch", "access": "full"}}},
		"queues[0].queue": {"login": "n3", "queues": []any{map[string]any{"queue": "nosuch", "level": 1}}},
		"skills":          {"login": "n4", "skills": map[string]any{"": 1}},
		"endpoint":        {"login": "n5", "endpoint": "asterisk:PJSIP"},
		"email":           {"login": "n6", "email": "me"},
		"password":        {"login": "n7", "password": "short"},
		"teams[0].access": {"login": "n8", "teams": []any{map[string]any{"name": "Support", "access": "owner"}}},
	} {
		if p := w.do(root, "POST", "/users", bad).problem(422, "invalid").asProblem(); p.Field != field {
			t.Errorf("field %q, want %q", p.Field, field)
		}
		if n := w.count(`agent WHERE login = $1`, bad["login"]); n != 0 {
			t.Errorf("%s: refused, but the account is there", field)
		}
	}
	// A failure in the last part leaves nothing behind: the same request may come again.
	body["login"], body["email"] = "olga", "olga@example.com"
	w.exec(`ALTER TABLE agent_skill ADD CONSTRAINT broken CHECK (login NOT IN ('olga', 'vera')) NOT VALID`)
	w.do(root, "POST", "/users", body).want(500)
	w.do(root, "PATCH", "/users/vera", map[string]any{"name": "Other", "skills": map[string]any{"en": 1}}, "If-Match", "*").want(500)
	if n := w.count(`agent WHERE login = 'olga' OR name = 'Other'`); n != 0 {
		t.Errorf("%d accounts are changed by halves", n)
	}
	w.exec(`ALTER TABLE agent_skill DROP CONSTRAINT broken`)
	w.do(root, "POST", "/users", body).want(201)
	sip := into[struct{ User, Password, Realm string }](w.do(root, "POST", "/users/vera/sip-password", nil).want(200))
	if ha1, ok := w.auth.Credential(t.Context(), "vera"); sip.User != "vera" || sip.Realm != auth.Realm || sip.Password == "" || !ok || ha1 == "" {
		t.Errorf("%+v %q", sip, ha1)
	}
}

func TestPagesOfAccounts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	type page struct {
		Data []struct{ Login string }
		Page struct {
			Next    string
			HasMore bool `json:"has_more"`
		}
	}
	var all []string
	for after := ""; ; {
		p := into[page](w.do(root, "GET", "/users?limit=2&after="+after, nil).want(200))
		for _, u := range p.Data {
			all = append(all, u.Login)
		}
		if after = p.Page.Next; !p.Page.HasMore {
			break
		}
	}
	if !slices.Equal(all, []string{anna, boris, lead, pat, root}) {
		t.Errorf("%v", all)
	}
	if _, _, err := w.auth.Login(t.Context(), anna, secret, auth.Source{IP: netip.MustParseAddr("192.0.2.1")}); err != nil {
		t.Fatal(err)
	}
	seen := map[int64]bool{}
	for after := ""; ; {
		p := into[struct {
			Data []auth.AuditEntry
			Page struct {
				Next    string
				HasMore bool `json:"has_more"`
			}
		}](w.do(root, "GET", "/audit?limit=3&after="+after, nil).want(200))
		for _, e := range p.Data {
			if seen[e.Seq] {
				t.Fatalf("entry %d twice", e.Seq)
			}
			seen[e.Seq] = true
		}
		if after = p.Page.Next; !p.Page.HasMore {
			break
		}
	}
	if n := w.count(`audit`); int64(len(seen)) != n {
		t.Errorf("%d of %d entries", len(seen), n)
	}
}
