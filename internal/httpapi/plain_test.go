package httpapi_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"hotline/internal/httpapi"
)

func TestPhoneIsHandedOver(t *testing.T) {
	t.Parallel()
	var got string
	w := newWorld(t, func(c *httpapi.Config) {
		c.Phone = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			got = r.Header.Get("Sec-WebSocket-Key")
			w.WriteHeader(http.StatusTeapot)
		})
	})
	w.do(nobody, "GET", "/phone", nil).problem(401, "unauthenticated")
	w.do(anna, "GET", "/phone", nil, "Sec-WebSocket-Key", "k").want(http.StatusTeapot)
	if got != "k" {
		t.Errorf("key %q", got)
	}
	byToken := func(scope string) *answer {
		return w.send(request{token: w.token(anna, scope), method: "GET", path: httpapi.Prefix + "/phone"})
	}
	byToken("phone").want(http.StatusTeapot)
	byToken("admin").problem(403, "forbidden")
	w.exec(`UPDATE role SET permissions = array_remove(permissions, 'phone.use') WHERE key = 'agent'`)
	w.do(anna, "GET", "/phone", nil).problem(403, "forbidden")
	newWorld(t).do(anna, "GET", "/phone", nil).problem(503, "unavailable")
}

func TestPlainAddresses(t *testing.T) {
	t.Parallel()
	var sick error
	w := newWorld(t, func(c *httpapi.Config) {
		c.Ready = []httpapi.Check{{Name: "database", Ask: func(context.Context) error { return sick }}, {Name: "journal", Ask: func(context.Context) error { return nil }}}
		c.Metrics = promhttp.Handler()
	})
	get := func(path string) *answer { return w.send(request{method: "GET", path: path}) }
	get("/livez").want(200)
	if a := get("/readyz").want(200); !strings.Contains(string(a.body), `"database":"ok"`) {
		t.Errorf("%s", a.body)
	}
	sick = errors.New("password authentication failed for user hotline")
	if a := get("/readyz").want(503); !strings.Contains(string(a.body), `"database":"failing"`) || strings.Contains(string(a.body), "password") {
		t.Errorf("%s", a.body)
	}
	get("/livez").want(200) // alive, though not ready
	get("/metrics").want(200)
	if a := get("/openapi.json").want(200); string(a.body) != string(w.api.OpenAPI()) || a.head.Get("Content-Type") != "application/openapi+json" {
		t.Errorf("%v", a.head)
	}
}

func TestPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for path, want := range map[string]struct {
		body, cache string
		status      int
	}{
		"/":                                {"<html>desk</html>", "no-cache", 200},
		"/index.html":                      {"<html>desk</html>", "no-cache", 200},
		"/tickets/100022":                  {"<html>desk</html>", "no-cache", 200},
		"/contacts?q=x":                    {"<html>desk</html>", "no-cache", 200},
		"/assets/app-3f2a.js":              {"js", "public, max-age=31536000, immutable", 200},
		"/favicon.svg":                     {"<svg/>", "no-cache", 200},
		"/assets/app-old.js":               {"", "", 404}, // a page of an older build must not get HTML for its script
		"/nosuch.png":                      {"", "", 404},
		"/assets/../../etc/passwd":         {"", "", 307},
		"/assets/%2e%2e/%2e%2e/etc/passwd": {"<html>desk</html>", "no-cache", 200},
		"/assets":                          {"<html>desk</html>", "no-cache", 200},
	} {
		a := w.send(request{method: "GET", path: path})
		if a.status == http.StatusMovedPermanently && want.status == 307 {
			continue
		}
		a.want(want.status)
		if want.status == 404 {
			a.asProblem()
		}
		if want.status == 200 && (string(a.body) != want.body || a.head.Get("Cache-Control") != want.cache) {
			t.Errorf("%s: %q %v", path, a.body, a.head)
		}
	}
	if a := w.send(request{method: "HEAD", path: "/desk"}).want(200); a.head.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Errorf("%v", a.head)
	}
	if a := w.send(request{method: "POST", path: "/desk"}).problem(405, "method_not_allowed"); a.head.Get("Allow") != "GET, HEAD" {
		t.Errorf("%v", a.head)
	}
	csp := w.send(request{method: "GET", path: "/"}).head.Get("Content-Security-Policy")
	if !strings.Contains(csp, "script-src 'self';") || !strings.Contains(csp, "frame-ancestors 'none'") {
		t.Errorf("policy %q", csp)
	}
	bare := newWorld(t, func(c *httpapi.Config) { c.UI = nil })
	bare.send(request{method: "GET", path: "/"}).problem(404, "not_found")
}

func TestEveryAnswerIsGuarded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, r := range []request{{method: "GET", path: "/"}, {method: "GET", path: "/livez"}, {method: "GET", path: "/api/v1/session"}, {method: "GET", path: "/api/v1/nosuch"}, {who: anna, method: "GET", path: "/api/v1/tickets"}} {
		a := w.send(r)
		for h, v := range map[string]string{"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Cross-Origin-Resource-Policy": "same-origin", "Referrer-Policy": "same-origin"} {
			if a.head.Get(h) != v {
				t.Errorf("%s: %s %q", r.path, h, a.head.Get(h))
			}
		}
		if strings.HasPrefix(r.path, "/api/") && a.head.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: Cache-Control %q", r.path, a.head.Get("Cache-Control"))
		}
		if len(a.head.Get("Trace-Id")) != 32 {
			t.Errorf("%s: Trace-Id %q", r.path, a.head.Get("Trace-Id"))
		}
	}
	const trace = "4bf92f3577b34da6a3ce929d0e0e4736"
	if a := w.do(nobody, "GET", "/session", nil, "Traceparent", "00-"+trace+"-00f067aa0ba902b7-01"); a.head.Get("Trace-Id") != trace {
		t.Errorf("Trace-Id %q", a.head.Get("Trace-Id"))
	}
	for _, bad := range []string{"00-" + strings.Repeat("0", 32) + "-x-01", "00-" + strings.Repeat("z", 32) + "-x-01", "\r\n", "00-x"} {
		if a := w.do(nobody, "GET", "/session", nil, "Traceparent", bad); strings.Contains(a.head.Get("Trace-Id"), "z") || len(a.head.Get("Trace-Id")) != 32 {
			t.Errorf("%q: Trace-Id %q", bad, a.head.Get("Trace-Id"))
		}
	}
}

func TestAPanicIsAnAnswerAndIsCounted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.live.shot = func() (any, error) { panic("secret state") }
	a := w.do(lead, "GET", "/live", nil).problem(500, "internal")
	if strings.Contains(string(a.body), "secret") {
		t.Errorf("%s", a.body)
	}
	if n := w.metric("hotline_http_panics_total"); n != 1 {
		t.Errorf("%v panics counted", n)
	}
	if !strings.Contains(w.log(), "secret state") || !strings.Contains(w.cause(a), a.head.Get("Trace-Id")) {
		t.Error("the log does not hold the panic under its trace id")
	}
}

// metric is the sum over all series of a metric.
func (w *world) metric(name string) (sum float64) {
	w.t.Helper()
	all, err := w.reg.Gather()
	w.must(err)
	for _, f := range all {
		if f.GetName() == name {
			for _, m := range f.GetMetric() {
				sum += m.GetCounter().GetValue()
			}
		}
	}
	return sum
}

func TestTooManyRequests(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *httpapi.Config) { c.Rate, c.Burst = 1, 5 })
	for range 5 {
		w.do(anna, "GET", "/session", nil).want(200)
	}
	if a := w.do(anna, "GET", "/session", nil).problem(429, "rate_limited"); a.head.Get("Retry-After") != "1" {
		t.Errorf("Retry-After %q", a.head.Get("Retry-After"))
	}
	w.do(boris, "GET", "/session", nil).want(200) // each has their own
	w.send(request{token: w.token(anna, "tickets:read"), method: "GET", path: httpapi.Prefix + "/tickets"}).want(200)
	w.clock.add(2 * time.Second)
	w.do(anna, "GET", "/session", nil).want(200)
	from := func(addr string, head map[string]string) *answer {
		return w.send(request{method: "GET", path: httpapi.Prefix + "/session", from: addr, head: head})
	}
	for i := range 5 {
		from("198.51.100.1:9", map[string]string{"X-Forwarded-For": fmt.Sprintf("203.0.113.%d", i)}).want(401)
	}
	from("198.51.100.1:9", map[string]string{"X-Forwarded-For": "203.0.113.99"}).problem(429, "rate_limited") // its own words do not help
	from("198.51.100.2:9", nil).want(401)
}

func TestAddressBehindAProxy(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *httpapi.Config) { c.Proxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")} })
	w.send(request{method: "POST", path: httpapi.Prefix + "/session", body: credentials(anna, secret), from: "10.0.0.1:9", head: map[string]string{"X-Forwarded-For": "6.6.6.6, 203.0.113.7"}}).want(200)
	if n := w.count(`session WHERE ip = '203.0.113.7'`); n != 1 {
		t.Errorf("%d sessions from the client", n)
	}
}

// A client that sends its body drop by drop is cut off, and a handler that works longer than a body may take is not.
func TestSlowBodiesAndSlowWork(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *httpapi.Config) { c.BodyTimeout = 200 * time.Millisecond })
	srv := httptest.NewServer(w.api)
	defer srv.Close()
	for _, slow := range []struct {
		path, cookie, head string
		status             int
	}{{"/contacts", w.cookies[anna], "", 408}, {"/contacts", w.cookies[anna], keyHeader + ": k\r\n", 408}, {"/contacts", "stranger", "", 401}, {"/tickets/" + w.ticket(anna).Number + "/reopen", w.cookies[anna], "", 200}} {
		conn, err := net.Dial("tcp", srv.Listener.Addr().String())
		w.must(err)
		fmt.Fprintf(conn, "POST /api/v1%s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nCookie: hotline_session=%s\r\n%sContent-Length: 100\r\n\r\n{", slow.path, slow.cookie, slow.head)
		w.must(conn.SetReadDeadline(time.Now().Add(20 * time.Second)))
		in := bufio.NewReader(conn)
		res, err := http.ReadResponse(in, nil)
		if err != nil || res.StatusCode != slow.status {
			t.Errorf("%+v: %v %v", slow, res, err)
			continue
		}
		if _, err := io.Copy(io.Discard, in); err != nil { // the server closes, it does not wait for the rest
			t.Errorf("%+v: the connection stays open: %v", slow, err)
		}
		conn.Close()
	}
	w.live.flows = func(ctx context.Context) error {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(600 * time.Millisecond): // three times what a body may take
			return nil
		}
	}
	for i, key := range []string{"", "k2"} {
		req, err := http.NewRequest("POST", srv.URL+"/api/v1/numbers", strings.NewReader(fmt.Sprintf(`{"number":"%d","flow":"hotline"}`, 10+i)))
		w.must(err)
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Cookie", "hotline_session="+w.cookies[root])
		if key != "" {
			req.Header.Set(keyHeader, key)
		}
		res, err := srv.Client().Do(req)
		w.must(err)
		res.Body.Close()
		if res.StatusCode != 201 {
			t.Errorf("slow work: %s", res.Status)
		}
	}
	srv.Client().CloseIdleConnections()
}

// The page says in which language it reads; a browser's own list of languages changes nothing.
func TestTextsInThePagesLanguage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.proposedCall(anna)
	read := func(head ...string) string {
		return into[struct {
			Link struct {
				Text string `json:"reason_text"`
			}
		}](w.do(anna, "GET", "/calls/"+c.Key, nil, head...).want(200)).Link.Text
	}
	plain, ru, en := read(), read("Accept-Language", "ru"), read("Accept-Language", "en")
	if ru == "" || ru == en || plain != ru && plain != en {
		t.Errorf("own %q, ru %q, en %q", plain, ru, en)
	}
	if list := read("Accept-Language", "en-US,en;q=0.9"); list != plain {
		t.Errorf("a browser's list gives %q", list)
	}
}
