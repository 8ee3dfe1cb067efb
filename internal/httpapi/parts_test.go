package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"hotline/internal/auth"
	"hotline/internal/pg"
	"hotline/internal/trunks"
	"hotline/queue"
	"hotline/tickets"
)

// Parts that need no server.

func TestProblemOfKnowsEveryError(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		err    error
		status int
		code   string
		field  string
	}{
		{tickets.ErrNotFound, 404, "not_found", ""},
		{fmt.Errorf("read: %w", &tickets.Error{Code: tickets.CodeConflict, Field: "title"}), 409, "conflict", "title"},
		{&tickets.Error{Code: tickets.CodePrecondition}, 412, "stale", ""},
		{&tickets.Error{Code: tickets.CodeInvalid, Field: "kind"}, 422, "invalid", "kind"},
		{&tickets.Error{Code: tickets.CodeForbidden}, 403, "forbidden", ""},
		{&tickets.Error{Code: "new one"}, 500, "internal", ""},
		{auth.ErrUnauthenticated, 401, "unauthenticated", ""},
		{auth.ErrWrongPassword, 401, "wrong_password", ""},
		{&auth.Locked{For: time.Minute}, 429, "locked", ""},
		{auth.ErrBusy, 503, "unavailable", ""},
		{auth.ErrNotFound, 404, "not_found", ""},
		{auth.ErrVersion, 412, "stale", ""},
		{&auth.Invalid{Field: "login", Taken: true}, 409, "taken", "login"},
		{&auth.Invalid{Field: "login"}, 422, "invalid", "login"},
		{trunks.ErrNotFound, 404, "not_found", ""},
		{trunks.ErrVersion, 412, "stale", ""},
		{&trunks.Invalid{Field: "host"}, 422, "invalid", "host"},
		{queue.ErrNotFound, 404, "not_found", ""},
		{queue.ErrVersion, 412, "stale", ""},
		{queue.ErrExists, 409, "taken", "key"},
		{queue.ErrInUse, 409, "in_use", ""},
		{&queue.InvalidError{Fields: map[string]string{"weight": "x", "moh": "y"}}, 422, "invalid", "moh"},
		{&pgconn.PgError{Code: "57P01"}, 503, "unavailable", ""},
		{&pgconn.PgError{Code: "40001"}, 503, "unavailable", ""},
		{&net.OpError{Op: "read", Err: errors.New("reset")}, 503, "unavailable", ""},
		{io.ErrUnexpectedEOF, 503, "unavailable", ""},
		{pg.ErrCommitUnknown, 503, "unavailable", ""},
		{&pgconn.PgError{Code: "42601"}, 500, "internal", ""},
		{errors.New("boom: password=hunter2"), 500, "internal", ""},
	} {
		p := problemOf(tt.err).finish(t.Context())
		if p.Status != tt.status || p.Code != tt.code || p.Field != tt.field {
			t.Errorf("%v: %d %s %q; want %d %s %q", tt.err, p.Status, p.Code, p.Field, tt.status, tt.code, tt.field)
		}
		if b, err := json.Marshal(p); err != nil || strings.Contains(string(b), "hunter2") {
			t.Errorf("%v: the cause goes out: %s %v", tt.err, b, err)
		}
	}
}

func TestIfMatch(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]struct{ version, status int }{
		`"7"`: {7, 0}, `7`: {7, 0}, `W/"7"`: {7, 0}, `*`: {0, 0}, ``: {0, 428}, `"x"`: {0, 412}, `"0"`: {0, 412}, `"-1"`: {0, 412}, `"99999999999999999999"`: {0, 412},
	} {
		v, err := Match{IfMatch: in}.version(true)
		status := 0
		if err != nil {
			status = problemOf(err).Status
		}
		if v != want.version || status != want.status {
			t.Errorf("%q: %d, %d; want %v", in, v, status, want)
		}
	}
	if v, err := (Match{}).version(false); v != 0 || err != nil {
		t.Errorf("none and none needed: %d, %v", v, err)
	}
}

func TestCursorsAreSignedPerList(t *testing.T) {
	t.Parallel()
	a, b := &API{cfg: Config{Secret: []byte("one")}}, &API{cfg: Config{Secret: []byte("two")}}
	c := a.cursor("users", "anna\x00б")
	if key, err := a.place("users", c); key != "anna\x00б" || err != nil {
		t.Fatalf("%q, %v", key, err)
	}
	for name, try := range map[string]func() (string, error){
		"other list":   func() (string, error) { return a.place("audit", c) },
		"other secret": func() (string, error) { return b.place("users", c) },
		"changed":      func() (string, error) { return a.place("users", c[:len(c)-1]+"A") },
		"short":        func() (string, error) { return a.place("users", "AAAA") },
		"not base64":   func() (string, error) { return a.place("users", "%%%") },
	} {
		if _, err := try(); err == nil || problemOf(err).Status != 422 {
			t.Errorf("%s: %v; want 422", name, err)
		}
	}
}

func TestClientIPBelievesOnlyProxies(t *testing.T) {
	t.Parallel()
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	for _, tt := range []struct{ remote, forwarded, want string }{
		{"192.0.2.9:1", "", "192.0.2.9"},
		{"192.0.2.9:1", "203.0.113.5", "192.0.2.9"},           // not from a proxy: the client's own words
		{"10.0.0.1:1", "203.0.113.5", "203.0.113.5"},          // what our proxy saw
		{"10.0.0.1:1", "6.6.6.6, 203.0.113.5", "203.0.113.5"}, // the left is made up by the client
		{"10.0.0.1:1", "203.0.113.5, 10.0.0.2", "203.0.113.5"},
		{"10.0.0.1:1", "garbage", "10.0.0.1"},
		{"[::ffff:10.0.0.1]:1", "2001:db8::5", "2001:db8::5"},
		{"nonsense", "", "0.0.0.0"},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = tt.remote
		if tt.forwarded != "" {
			r.Header.Set("X-Forwarded-For", tt.forwarded)
		}
		if got := clientIP(r, proxies).String(); got != tt.want {
			t.Errorf("%s via %q: %s, want %s", tt.remote, tt.forwarded, got, tt.want)
		}
	}
}

func TestLimiterRefillsAndStaysBounded(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	l := newLimiter(1, 2, func() time.Time { return now })
	take := func(who string) bool { _, ok := l.take(who); return ok }
	first, second, third := take("a"), take("a"), take("a")
	if !first || !second || third || !take("b") {
		t.Fatal("a burst of two each, no more")
	}
	if wait, ok := l.take("a"); ok || wait <= 0 || wait > time.Second {
		t.Errorf("wait %s", wait)
	}
	now = now.Add(time.Second)
	if !take("a") || take("a") {
		t.Error("one a second after that")
	}
	for i := range maxBuckets + 100 {
		l.take(fmt.Sprint("flood", i))
	}
	if len(l.buckets) > maxBuckets {
		t.Errorf("%d buckets", len(l.buckets))
	}
	now = now.Add(2 * time.Minute)
	l.take("late")
	if len(l.buckets) > 2 {
		t.Errorf("%d buckets after two quiet minutes", len(l.buckets))
	}
}

func TestHearingsJoinTheRangesOfOnePlayback(t *testing.T) {
	t.Parallel()
	var h hearings
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var logged atomic.Int32
	fresh := func(agent, recording int64, action string, now time.Time) bool {
		wrote := false
		if err := h.log(t.Context(), hearing{agent, recording, action, "192.0.2.1"}, now, func() error { wrote = true; return nil }); err != nil {
			t.Error(err)
		}
		return wrote
	}
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if fresh(1, 7, "play", now) {
				logged.Add(1)
			}
		})
	}
	wg.Wait()
	if logged.Load() != 1 {
		t.Errorf("%d lines for one playback", logged.Load())
	}
	if !fresh(2, 7, "play", now) || !fresh(1, 8, "play", now) || !fresh(1, 7, "download", now) {
		t.Error("another person, recording or action is another hearing")
	}
	if fresh(1, 7, "play", now.Add(9*time.Minute)) || fresh(1, 7, "play", now.Add(18*time.Minute)) {
		t.Error("a long playback is one hearing")
	}
	if !fresh(1, 7, "play", now.Add(29*time.Minute)) {
		t.Error("after a pause it is a new one")
	}
	for i := range int64(maxHearings + 10) {
		fresh(3, i, "play", now.Add(time.Hour))
	}
	if len(h.seen) > maxHearings || !fresh(4, 1, "play", now.Add(time.Hour)) || !fresh(4, 1, "play", now.Add(time.Hour)) {
		t.Errorf("%d remembered; when full, everything is logged", len(h.seen))
	}
}

// A second request of the player must not overtake the line that the first one writes.
func TestNoHearingOvertakesItsLine(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var h hearings
		k := hearing{agent: 1, recording: 7, action: "play"}
		inside, fail := make(chan struct{}), make(chan error)
		first, second := make(chan error), make(chan error)
		go func() {
			first <- h.log(t.Context(), k, time.Now(), func() error { close(inside); return <-fail })
		}()
		<-inside
		own := 0
		go func() { second <- h.log(t.Context(), k, time.Now(), func() error { own++; return nil }) }()
		synctest.Wait()
		select {
		case err := <-second:
			t.Fatalf("the second went on before the line was written: %v", err)
		default:
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if err := h.log(gone, k, time.Now(), func() error { return nil }); !errors.Is(err, context.Canceled) {
			t.Errorf("a client that is gone waits: %v", err)
		}
		fail <- errors.New("the database is away")
		if err := <-first; err == nil {
			t.Error("the failure is lost")
		}
		if err := <-second; err != nil || own != 1 {
			t.Errorf("%v, %d lines: what could not be logged has to be logged by the next", err, own)
		}
	})
}

func TestPagesAreCompressedAndNamedByContent(t *testing.T) {
	t.Parallel()
	js := strings.Repeat("console.log('x');", 500)
	u, err := newUI(fstest.MapFS{"index.html": {Data: []byte("<html></html>")}, "assets/a-1.js": {Data: []byte(js)}, "icon.png": {Data: []byte("\x89PNG\r\n\x1a\n" + js)},
		"manifest.webmanifest": {Data: []byte("{}")}})
	if err != nil {
		t.Fatal(err)
	}
	a := &API{ui: u}
	get := func(path, accept, none string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("GET", path, nil)
		r.Header.Set("Accept-Encoding", accept)
		if none != "" {
			r.Header.Set("If-None-Match", none)
		}
		w := httptest.NewRecorder()
		a.page(w, r)
		return w
	}
	packed, plain := get("/assets/a-1.js", "br, gzip", ""), get("/assets/a-1.js", "gzip;q=0", "")
	if packed.Header().Get("Content-Encoding") != "gzip" || packed.Body.Len() > len(js)/10 || plain.Body.String() != js || plain.Header().Get("Content-Encoding") != "" {
		t.Errorf("packed %d bytes of %d, %v", packed.Body.Len(), len(js), packed.Header())
	}
	if packed.Header().Get("ETag") == plain.Header().Get("ETag") || packed.Header().Get("Vary") != "Accept-Encoding" {
		t.Error("two spellings of a file need two tags")
	}
	if w := get("/assets/a-1.js", "gzip", packed.Header().Get("ETag")); w.Code != http.StatusNotModified {
		t.Errorf("the same again: %d", w.Code)
	}
	if w := get("/icon.png", "gzip", ""); w.Header().Get("Content-Encoding") != "" {
		t.Error("a picture was compressed")
	}
	if w := get("/manifest.webmanifest", "", ""); w.Header().Get("Content-Type") != "application/manifest+json" {
		t.Errorf("manifest: %v", w.Header())
	}
	for _, path := range []string{"/", "/desk", "/tickets/100009", "/../../etc/passwd"} {
		if w := get(path, "", ""); w.Body.String() != "<html></html>" || w.Header().Get("Cache-Control") != "no-cache" {
			t.Errorf("%s: %q %v", path, w.Body, w.Header())
		}
	}
	if _, err := newUI(fstest.MapFS{"a.js": {Data: []byte("x")}}); err == nil {
		t.Error("pages without index.html")
	}
}
