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

	"hotline/internal/httpapi"
)

// eachRoute runs fn for every route with a person who may use it and an object that is theirs.
func eachRoute(t *testing.T, w *world, fn func(t *testing.T, h hostile)) {
	t.Helper()
	for _, o := range readDoc(t, w.api.OpenAPI()).operations() {
		r, ok := table[o.method+" "+o.path]
		if !ok {
			continue // TestR28 says so
		}
		t.Run(o.method+" "+o.path, func(t *testing.T) { fn(t, hostile{T: t, w: w.with(t), o: o, r: r}) })
	}
}

// hostile sends requests to one route.
type hostile struct {
	*testing.T
	w *world
	o operation
	r route
}

// path is the route's path about an object of the administrator, with some parameters replaced.
func (h hostile) path(replace params) string {
	at := maps.Clone(replace)
	if h.r.object != nil && len(replace) < len(h.r.absent) {
		at = maps.Clone(h.r.object(h.w, root))
		maps.Copy(at, replace)
	}
	p := h.o.path
	for k, v := range at {
		p = strings.ReplaceAll(p, "{"+k+"}", v)
	}
	return p
}

func (h hostile) send(path string, body any, head ...string) *answer {
	h.Helper()
	if h.r.match {
		head = append(head, "If-Match", "*")
	}
	a := h.w.do(root, h.o.method, path, body, head...)
	if strings.HasSuffix(h.o.path, "/session") && h.o.method != "GET" {
		h.w.signIn(root)
	}
	return a
}

// refused checks that an answer is a problem of the given statuses.
func (h hostile) refused(a *answer, what string, status ...int) {
	h.Helper()
	if !slices.Contains(status, a.status) {
		h.Errorf("%s: %d, want %v: %.300s", what, a.status, status, a.body)
		return
	}
	a.asProblem()
}

// hostileTexts are texts that nobody sends by accident.
var hostileTexts = []string{"\x00", "a\x00b", "\xff\xfe", "'; DROP TABLE ticket; --", "%", "_", `\`, "{{7*7}}", "<script>alert(1)</script>", "\u202e\u0000", "../../etc/passwd", "-1", "0", "9223372036854775808", "1e400", "NaN", "null", "[]", "\r\nSet-Cookie: a=b", strings.Repeat("я", 3000), "𝕏\U0010FFFF"}

// TestHostileAddresses puts hostile texts into every parameter of every route: no answer is our fault, and every
// refusal is a problem document.
func TestHostileAddresses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	eachRoute(t, w, func(t *testing.T, h hostile) {
		body := any(nil)
		for _, p := range h.o.Parameters {
			for _, text := range hostileTexts {
				var a *answer
				switch p.In {
				case "path":
					a = h.send(h.path(params{p.Name: url.PathEscape(text)}), h.body(&body))
				case "query":
					a = h.send(h.path(h.r.absent)+"?"+url.Values{p.Name: {text}}.Encode(), h.body(&body))
				default:
					continue
				}
				if a.status >= 500 {
					h.Errorf("%s %q: %d %s", p.Name, text, a.status, h.w.cause(a))
				} else if a.status >= 400 {
					a.asProblem()
				}
			}
		}
		h.refused(h.send(h.path(h.r.absent)+"?surprise=1", h.body(&body)), "unknown parameter", 422)
		h.refused(h.send(h.path(h.r.absent)+"?q=%zz", h.body(&body)), "broken query", 400)
		if p := h.send(h.path(h.r.absent)+"?x=a%00", h.body(&body)).problem(422, "invalid").asProblem(); p.Field != "x" {
			h.Errorf("field %q", p.Field)
		}
		for k := range h.r.absent { // what no text can be is not there
			h.send(h.path(params{k: "a%00b"}), h.body(&body)).problem(404, "not_found")
			h.send(h.path(params{k: "%ff"}), h.body(&body)).problem(404, "not_found")
		}
	})
}

// body makes the route's body once.
func (h hostile) body(made *any) any {
	if *made == nil && h.r.body != nil {
		*made = h.r.body(h.w, root)
	}
	return *made
}

// TestHostileBodies breaks the body of every route that takes one, and puts hostile texts into every field.
func TestHostileBodies(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	doc := readDoc(t, w.api.OpenAPI())
	eachRoute(t, w, func(t *testing.T, h hostile) {
		if h.o.RequestBody == nil {
			return
		}
		path := h.path(nil)
		good, err := json.Marshal(h.r.body(h.w, root))
		h.w.must(err)
		for _, key := range []string{"", "k" + itoa(int64(h.w.next()))} { // read by another path when the answer is to be kept
			head := []string{}
			if key != "" {
				head = append(head, "Idempotency-Key", key)
			}
			h.refused(h.send(path, string(good[:len(good)-1])+",", head...), "cut", 400)
			h.refused(h.send(path, "{}{}", fresh(head)...), "two values", 400)
			h.refused(h.send(path, "[]", fresh(head)...), "a list", 422)
			h.refused(h.send(path, "null", fresh(head)...), "null", 400, 422)
			h.refused(h.send(path, `"text"`, fresh(head)...), "a text", 422)
			h.refused(h.send(path, strings.Repeat("[", 20000), fresh(head)...), "deep", 400)
			h.refused(h.send(path, `{"surprise":1}`, fresh(head)...), "unknown field", 422)
			h.refused(h.send(path, string(good), append(fresh(head), "Content-Type", "text/xml")...), "another type", 415)
			h.refused(h.send(path, `{"surprise":"`+strings.Repeat("x", 1<<20)+`"}`, fresh(head)...), "too large", 413)
		}
		fields(doc, doc.resolve(h.o.RequestBody.Content["application/json"].Schema), nil, func(at []string) {
			for _, v := range hostileValues() {
				var m map[string]any
				h.w.must(json.Unmarshal(good, &m))
				put(m, at, v)
				if a := h.send(path, m); a.status >= 500 {
					h.Errorf("%s = %.40q: %d %s", strings.Join(at, "."), fmt.Sprint(v), a.status, h.w.cause(a))
				} else if a.status >= 400 {
					a.asProblem()
				}
			}
		})
	})
}

// fresh replaces the idempotency key: another body with the same key is another refusal.
func fresh(head []string) []string {
	out := slices.Clone(head)
	for i := 0; i+1 < len(out); i += 2 {
		if out[i] == "Idempotency-Key" {
			out[i+1] += "x"
			head[i+1] = out[i+1]
		}
	}
	return out
}

// hostileValues are tried in every field of every body.
func hostileValues() []any {
	long := strings.Repeat("я", 3000)
	return []any{"", "\x00", "a\x00b", "'; DROP TABLE ticket; --", `%\_`, "<script>alert(1)</script>", "-1", "9223372036854775808", "\r\nSet-Cookie: a=b", long, "\u202e𝕏\U0010FFFF",
		[]any{"\x00"}, map[string]any{"\x00": "\x00"}, map[string]any{"a\x00b": 1}, map[string]any{long: 1},
		nil, true, -1, 0, 1 << 31, int64(1 << 62), 1.5, 1e300, []any{}, []any{nil}, map[string]any{}, []any{map[string]any{}}}
}

// fields calls fn with the way to each field of an object's schema.
func fields(doc *document, s *schema, at []string, fn func(at []string)) {
	for _, k := range slices.Sorted(maps.Keys(s.Properties)) {
		way := append(slices.Clone(at), k)
		fn(way)
		p := doc.resolve(s.Properties[k])
		if p.Items != nil {
			p, way = doc.resolve(p.Items), append(way, "[]")
		}
		if len(way) < 5 {
			fields(doc, p, way, fn)
		}
	}
}

// put sets a field; what is missing on the way is made.
func put(m map[string]any, at []string, v any) {
	switch {
	case len(at) == 1:
		m[at[0]] = v
	case at[1] == "[]":
		inner := map[string]any{}
		if len(at) > 2 {
			put(inner, at[2:], v)
		}
		m[at[0]] = []any{inner}
	default:
		inner, ok := m[at[0]].(map[string]any)
		if !ok {
			inner = map[string]any{}
		}
		put(inner, at[1:], v)
		m[at[0]] = inner
	}
}

func TestUnknownAddressesAndMethods(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, path := range []string{"/api/v1/nosuch", "/api/v1", "/api/v1/", "/api/v2/tickets", "/api/", "/api/v1/tickets/", "/api/v1/tickets/1/2/3", "/api/v1//tickets/x"} {
		for _, who := range []string{nobody, root} {
			a := w.send(request{who: who, method: "GET", path: path})
			if a.status == http.StatusMovedPermanently || a.status == http.StatusTemporaryRedirect {
				continue // the mux cleans the path
			}
			a.problem(404, "not_found")
		}
	}
	for _, o := range readDoc(t, w.api.OpenAPI()).operations() {
		path := strings.NewReplacer("{number}", "1", "{id}", "1", "{key}", "k", "{name}", "n", "{login}", "l", "{point}", "1").Replace(o.path)
		for _, method := range []string{"PUT", "TRACE", "PROPFIND"} {
			a := w.send(request{who: root, method: method, path: httpapi.Prefix + path}).problem(405, "method_not_allowed")
			if allow := strings.Join(a.head.Values("Allow"), " "); !strings.Contains(allow, o.method) {
				t.Errorf("%s %s: Allow %q does not name %s", method, path, allow, o.method)
			}
		}
	}
}

func TestListsRefuseCursorsOfOthersAndWildLimits(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	eachRoute(t, w, func(t *testing.T, h hostile) {
		for _, p := range h.o.Parameters {
			if p.Name != "after" || table[h.o.method+" "+h.o.path].query == "" && strings.Contains("/queues /trunks /numbers /flows /teams", h.o.path) {
				continue // short lists come in one piece
			}
			for _, cursor := range []string{"x", "AAAAAAAAAAAAAAAA", "eyJpIjoxfQ", "....", strings.Repeat("A", 400)} {
				h.refused(h.send(h.path(nil)+"?after="+cursor, nil), "cursor "+cursor[:1], 422)
			}
			for _, limit := range []string{"0", "-1", "501", "x", "9999999999999999999999", "1.5"} {
				h.refused(h.send(h.path(nil)+"?limit="+limit, nil), "limit "+limit, 422)
			}
		}
	})
}
