package httpapi_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"hotline/internal/httpapi"
	"hotline/tickets"
)

const keyHeader = "Idempotency-Key"

func (w *world) count(sql string, args ...any) int64 {
	w.t.Helper()
	return w.id("SELECT count(*) FROM "+sql, args...)
}

func TestRepeatGetsTheFirstAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	body := map[string]any{"title": "Once"}
	first := w.do(anna, "POST", "/tickets", body, keyHeader, "k1").want(201)
	again := w.do(anna, "POST", "/tickets", body, keyHeader, "k1").want(201)
	if into[tickets.Ticket](again).Number != into[tickets.Ticket](first).Number || again.head.Get("Idempotent-Replayed") != "true" || first.head.Get("Idempotent-Replayed") != "" {
		t.Errorf("%v %s\n%v %s", first.head, first.body, again.head, again.body)
	}
	for _, h := range []string{"Location", "Etag", "Content-Type"} {
		if first.head.Get(h) == "" || first.head.Get(h) != again.head.Get(h) {
			t.Errorf("%s: %q, then %q", h, first.head.Get(h), again.head.Get(h))
		}
	}
	if n := w.count(`ticket WHERE title = 'Once'`); n != 1 {
		t.Errorf("%d tickets", n)
	}
	w.do(anna, "POST", "/tickets", map[string]any{"title": "Other"}, keyHeader, "k1").problem(422, "idempotency_mismatch")
	w.do(anna, "POST", "/contacts", body, keyHeader, "k1").problem(422, "idempotency_mismatch")
	w.do(boris, "POST", "/tickets", body, keyHeader, "k1").want(201) // a key belongs to who sent it
	w.send(request{token: w.token(anna, "tickets:write"), method: "POST", path: httpapi.Prefix + "/tickets", body: body, head: map[string]string{keyHeader: "k1"}}).want(201)

	// A form that was refused is corrected and sent with the key it has.
	w.do(anna, "POST", "/tickets", map[string]any{"title": ""}, keyHeader, "k2").problem(422, "invalid")
	w.do(anna, "POST", "/tickets", map[string]any{"title": ""}, keyHeader, "k2").problem(422, "invalid")
	w.do(anna, "POST", "/tickets", map[string]any{"title": "Corrected"}, keyHeader, "k2").want(201)
	w.do(anna, "POST", "/tickets/"+absentTicket+"/reopen", nil, keyHeader, "k3").problem(404, "not_found")
	w.do(anna, "POST", "/contacts", map[string]any{"name": "x"}, keyHeader, "k3").want(201)
	w.clock.add(24*time.Hour + time.Minute)
	w.signIn(anna)
	w.do(anna, "POST", "/tickets", body, keyHeader, "k1").want(201)
	if n := w.count(`ticket WHERE title = 'Once'`); n != 4 {
		t.Errorf("%d tickets; a key is kept for a day", n)
	}
	w.clock.add(25 * time.Hour)
	w.must(w.api.Sweep(context.Background()))
	if n := w.count(`idempotency`); n != 0 {
		t.Errorf("%d rows after the sweep", n)
	}
}

func TestKeysThatAreNone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, key := range []string{strings.Repeat("k", 201), "a b", "ключ", "a\x01"} {
		w.do(anna, "POST", "/tickets", map[string]any{"title": "x"}, keyHeader, key).problem(422, "invalid")
	}
	w.do(anna, "POST", "/tickets", map[string]any{"title": "x"}, keyHeader, strings.Repeat("k", 200)).want(201)
	w.do(nobody, "POST", "/tickets", map[string]any{"title": "x"}, keyHeader, "k").problem(401, "unauthenticated")
	if n := w.count(`idempotency`); n != 1 {
		t.Errorf("%d rows; only a request that may run has one", n)
	}
}

// number is a request that asks the running system in the middle of its work.
func number(n int) map[string]any {
	return map[string]any{"number": fmt.Sprint("7", n), "flow": "hotline"}
}

func TestRepeatWhileTheFirstRuns(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	inside, goOn := make(chan struct{}), make(chan struct{})
	w.live.flows = func(context.Context) error { close(inside); <-goOn; return nil }
	first := make(chan *answer)
	go func() { first <- w.do(root, "POST", "/numbers", number(1), keyHeader, "k") }()
	<-inside
	if a := w.do(root, "POST", "/numbers", number(1), keyHeader, "k").problem(409, "idempotency_running"); a.head.Get("Retry-After") != "1" {
		t.Errorf("Retry-After %q", a.head.Get("Retry-After"))
	}
	w.do(root, "POST", "/numbers", number(2), keyHeader, "k").problem(422, "idempotency_mismatch")
	close(goOn)
	(<-first).want(201)
	w.do(root, "POST", "/numbers", number(1), keyHeader, "k").want(201)
}

func TestManyRepeatsAtOnceActOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var wg sync.WaitGroup
	answers := make([]*answer, 12)
	for i := range answers {
		wg.Go(func() { answers[i] = w.do(anna, "POST", "/tickets", map[string]any{"title": "Race"}, keyHeader, "k") })
	}
	wg.Wait()
	for _, a := range answers {
		if a.status != 201 {
			a.problem(409, "idempotency_running")
		}
	}
	if n := w.count(`ticket WHERE title = 'Race'`); n != 1 {
		t.Errorf("%d tickets", n)
	}
}

func TestAFailureIsNoAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i, fail := range []func(ctx context.Context) error{
		func(context.Context) error { return errors.New("the disk is on fire") },
		func(context.Context) error { return context.DeadlineExceeded },
		func(context.Context) error { panic("boom") },
	} {
		w.live.flows = fail
		a := w.do(root, "POST", "/numbers", number(i), keyHeader, "k"+itoa(int64(i)))
		if a.status < 500 || strings.Contains(string(a.body), "fire") || strings.Contains(string(a.body), "boom") {
			t.Errorf("%d %s", a.status, a.body)
		}
		a.asProblem()
		if n := w.count(`idempotency WHERE actor LIKE 'agent:%'`); n != int64(i) {
			t.Errorf("%d rows after failure %d", n, i)
		}
		w.live.flows = nil
		w.do(root, "POST", "/numbers", number(i), keyHeader, "k"+itoa(int64(i))).want(201)
	}
	w.live.flows = func(ctx context.Context) error { return ctx.Err() } // the client goes away
	ctx, cancel := context.WithCancel(context.Background())
	r := w.http(request{who: root, method: "POST", path: httpapi.Prefix + "/numbers", body: number(9), head: map[string]string{keyHeader: "gone"}})
	w.live.flows = func(ctx context.Context) error { cancel(); <-ctx.Done(); return ctx.Err() }
	w.api.ServeHTTP(httptest.NewRecorder(), r.WithContext(ctx))
	w.live.flows = nil
	w.do(root, "POST", "/numbers", number(9), keyHeader, "gone").want(201)
}

// The answer is lost between the commit of the effect and its own: the repeat must not act again.
func TestTheEffectIsDoneButTheAnswerIsLost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.exec(`CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.response IS NOT NULL THEN RAISE 'lost'; END IF; RETURN NEW; END $$`)
	w.exec(`CREATE TRIGGER lose BEFORE UPDATE ON idempotency FOR EACH ROW EXECUTE FUNCTION lose()`)
	w.do(anna, "POST", "/tickets", map[string]any{"title": "Once"}, keyHeader, "k").want(201)
	w.do(anna, "POST", "/tickets", map[string]any{"title": "Once"}, keyHeader, "k").problem(409, "idempotency_running") // it may yet come
	w.clock.add(time.Hour)
	w.do(anna, "POST", "/tickets", map[string]any{"title": "Once"}, keyHeader, "k").problem(409, "idempotency_done")
	if n := w.count(`ticket WHERE title = 'Once'`); n != 1 {
		t.Errorf("%d tickets", n)
	}
}

// A row that a crash left before the effect stands in the way for two minutes, not for a day.
func TestTheRemainsOfACrash(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.do(anna, "POST", "/tickets", map[string]any{"title": "First"}, keyHeader, "k").want(201)
	w.exec(`UPDATE idempotency SET status = NULL, response = NULL`)
	w.do(anna, "POST", "/tickets", map[string]any{"title": "First"}, keyHeader, "k").problem(409, "idempotency_running")
	w.clock.add(3 * time.Minute)
	w.do(anna, "POST", "/tickets", map[string]any{"title": "First"}, keyHeader, "k").want(201)
}

func TestSecretsAreNotKeptForRepeats(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	login := w.account()
	for path, body := range map[string]any{
		"/tokens":                           map[string]any{"name": "ci", "scopes": []string{"tickets:read"}},
		"/users/" + login + "/password":     map[string]any{},
		"/users/" + login + "/sip-password": nil,
	} {
		key := strings.ReplaceAll(path, "/", "-")
		first := w.do(root, "POST", path, body, keyHeader, key)
		if first.status >= 300 {
			t.Fatalf("%s: %d %s", path, first.status, first.body)
		}
		w.do(root, "POST", path, body, keyHeader, key).problem(409, "idempotency_done")
	}
	if n := w.count(`idempotency WHERE response->'body' IS NOT NULL`); n != 0 {
		t.Errorf("%d answers with a secret are kept", n)
	}
	if n := w.count(`api_token WHERE name = 'ci'`); n != 1 {
		t.Errorf("%d tokens", n)
	}
}
