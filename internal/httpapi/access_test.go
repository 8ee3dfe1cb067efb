package httpapi_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"hotline/internal/auth"
	"hotline/internal/httpapi"
)

// cell is one request that a route is tried with.
type cell struct {
	name  string
	who   string // whose cookie; nobody: none
	token string // scopes of an API token of who; empty: the cookie
	owner string // of the object; nobody: the object is absent
}

// rank of roles; a route open to one is open to all above.
var rank = map[string]int{"public": 0, "agent": 1, "supervisor": 2, "admin": 3}

var roleOf = map[string]string{nobody: "public", anna: "agent", boris: "agent", pat: "agent", lead: "supervisor", root: "admin"}

// R28: every route of the OpenAPI document by every kind of person and token, on an object of their own, of somebody
// else, and on none: who may succeeds with the promised answer, who may not is told so, and what belongs to others
// looks as if it were not there. A route that the table does not know is a failure, and so is a row without a route.
func TestR28WhoMayDoWhatToWhat(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	doc := readDoc(t, w.api.OpenAPI())
	seen := map[string]bool{}
	for _, o := range doc.operations() {
		name := o.method + " " + o.path
		seen[name] = true
		r, ok := table[name]
		if !ok {
			t.Errorf("%s: the table of the tests does not know this route", name)
			continue
		}
		t.Run(name, func(t *testing.T) {
			m := access{T: t, w: w.with(t), doc: doc, o: o, r: r, kept: map[string]params{}}
			for _, c := range cells(r) {
				m.check(c)
			}
		})
	}
	for name := range table {
		if !seen[name] {
			t.Errorf("%s: in the table, but not in the API", name)
		}
	}
}

// cells are the requests that a route is tried with.
func cells(r route) (out []cell) {
	owners, external := []string{anna}, []string{anna}
	if r.object != nil {
		owners, external = []string{anna, boris, nobody}, []string{pat, anna, nobody}
	}
	for _, owner := range owners {
		for _, who := range []string{nobody, anna, lead, root} {
			out = append(out, cell{who: who, owner: owner})
		}
		out = append(out, cell{who: root, token: allBut(r.scope), owner: owner})
		if r.scope != "none" && r.scope != "any" && r.scope != "" {
			out = append(out, cell{who: anna, token: r.scope, owner: owner}, cell{who: root, token: r.scope, owner: owner})
		}
	}
	for _, owner := range external { // an external agent owns other things
		out = append(out, cell{who: pat, owner: owner})
	}
	for i, c := range out {
		out[i].name = fmt.Sprintf("by %q, token %q, object of %q", c.who, c.token, c.owner)
	}
	return out
}

// allBut is all scopes but one.
func allBut(scope string) string {
	return strings.Join(slices.DeleteFunc(slices.Clone(auth.Scopes), func(s string) bool { return s == scope }), " ")
}

// access tries one route.
type access struct {
	*testing.T
	w    *world
	doc  *document
	o    operation
	r    route
	kept map[string]params // by owner: objects that no request has changed
}

// expect is the status that a cell gets.
func (m access) expect(c cell) int {
	r := m.r
	ok := r.status
	if ok == 0 {
		ok = http.StatusOK
	}
	external := c.who == pat
	switch {
	case r.who == "public":
		return ok
	case c.who == nobody:
		return http.StatusUnauthorized
	case rank[roleOf[c.who]] < rank[r.who]:
		return http.StatusForbidden
	case c.token != "" && r.scope != "any" && !slices.Contains(strings.Fields(c.token), r.scope):
		return http.StatusForbidden
	case r.object == nil:
		return ok
	case c.owner == nobody:
		return http.StatusNotFound
	case c.owner != c.who && (r.hidden == "agents" && roleOf[c.who] == "agent" || r.hidden != "" && external):
		return http.StatusNotFound
	case external && r.external != 0:
		return r.external
	}
	return ok
}

// check sends a cell's request and holds the answer against the expectation and the document. What is refused must look
// the same whether the object is somebody else's or was never there.
func (m access) check(c cell) {
	m.Helper()
	want := m.expect(c)
	got := m.send(c, m.object(c.owner, want < 400 && m.o.method != http.MethodGet))
	if got.status != want {
		m.Errorf("%s: %d, want %d: %s", c.name, got.status, want, got.body)
		return
	}
	if err := m.doc.check(m.o, got); err != nil {
		m.Errorf("%s: the answer breaks the OpenAPI document: %v\n%s", c.name, err, got.body)
	}
	if want < 400 || c.owner == nobody || m.r.object == nil {
		return
	}
	if absent := m.send(c, m.r.absent); !sameAnswer(absent, got) {
		m.Errorf("%s: a foreign object can be told from an absent one:\n%d %v %s\n%d %v %s", c.name, got.status, got.head, got.body, absent.status, absent.head, absent.body)
	}
}

// object names an object of the owner's. One that the request changes is made for it alone.
func (m access) object(owner string, changes bool) params {
	switch {
	case m.r.object == nil:
		return nil
	case owner == nobody:
		return m.r.absent
	case changes:
		return m.r.object(m.w, owner)
	case m.kept[owner] == nil:
		m.kept[owner] = m.r.object(m.w, owner)
	}
	return m.kept[owner]
}

func (m access) send(c cell, at params) *answer {
	m.Helper()
	path := m.o.path
	for k, v := range at {
		path = strings.ReplaceAll(path, "{"+k+"}", url.PathEscape(v))
	}
	req := request{who: c.who, method: m.o.method, path: httpapi.Prefix + path + m.r.query, head: map[string]string{}}
	if m.r.body != nil {
		who := c.who
		if who == nobody {
			who = anna
		}
		req.body = m.r.body(m.w, who)
	}
	if m.r.match {
		req.head["If-Match"] = "*"
	}
	if c.token != "" {
		req.who, req.token = nobody, m.w.token(c.who, strings.Fields(c.token)...)
	}
	a := m.w.send(req)
	if m.o.method == "DELETE" && m.o.path == "/session" && a.status < 300 {
		m.w.signIn(c.who)
	}
	return a
}

// sameAnswer compares all but the name of the request.
func sameAnswer(a, b *answer) bool {
	strip := func(x *answer) string {
		h := maps.Clone(x.head)
		delete(h, "Trace-Id")
		var body map[string]any
		_ = json.Unmarshal(x.body, &body)
		delete(body, "trace_id")
		return fmt.Sprint(x.status, h, body)
	}
	return strip(a) == strip(b)
}
