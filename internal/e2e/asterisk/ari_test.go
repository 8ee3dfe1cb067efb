package asterisk

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// event is what the tests read of an ARI event.
type event struct {
	Type      string
	Timestamp string
	Args      []string
	Channel   channel
	Bridge    struct{ ID string }
	Digit     string
}

type channel struct {
	ID, Name, State string
	Caller          struct{ Number, Name string }
	Dialplan        struct{ Exten, Context string }
}

// app is a Stasis application: an event socket of its own and requests.
type app struct {
	t      testing.TB
	base   string // http://host:port/ari
	auth   string
	name   string
	events chan event // size 1000; more fail the test
	conn   *websocket.Conn
	wg     sync.WaitGroup
}

// join opens the event socket of the application. It is closed when the test ends, or by leave.
func join(ctx context.Context, t testing.TB, a *Asterisk) *app {
	t.Helper()
	return joinAt(ctx, t, a, a.HTTP)
}

func joinAt(ctx context.Context, t testing.TB, a *Asterisk, addr string) *app {
	t.Helper()
	s := &app{t: t, base: "http://" + addr + "/ari", auth: a.User + ":" + a.Secret, name: a.App, events: make(chan event, 1000)}
	c, res, err := websocket.Dial(ctx, fmt.Sprintf("ws://%s/ari/events?app=%s&api_key=%s", addr, s.name, url.QueryEscape(s.auth)), nil)
	if err != nil {
		t.Fatalf("event socket: %v %v", err, res)
	}
	c.SetReadLimit(1 << 20)
	s.conn = c
	s.wg.Go(s.read)
	t.Cleanup(s.leave)
	return s
}

func (s *app) read() {
	defer close(s.events)
	for {
		_, b, err := s.conn.Read(context.Background())
		if err != nil {
			return
		}
		var e event
		if err := json.Unmarshal(b, &e); err != nil {
			s.t.Errorf("event: %v\n%s", err, b)
		}
		select {
		case s.events <- e:
		default:
			s.t.Errorf("more than %d events unread", cap(s.events))
		}
	}
}

// leave closes the event socket without a word, as a crash does.
func (s *app) leave() {
	_ = s.conn.CloseNow()
	s.wg.Wait()
}

// next waits for an event of a type.
func (s *app) next(ctx context.Context, kind string) (event, error) {
	for {
		select {
		case e, open := <-s.events:
			if !open {
				return e, errors.New("the event socket is closed")
			}
			if e.Type == kind {
				return e, nil
			}
		case <-ctx.Done():
			return event{}, fmt.Errorf("no %s: %w", kind, context.Cause(ctx))
		}
	}
}

// wants is next, or the test fails.
func (s *app) wants(ctx context.Context, kind string) event {
	s.t.Helper()
	e, err := s.next(ctx, kind)
	if err != nil {
		s.t.Fatal(err)
	}
	return e
}

// do makes a request; path as in "/channels/x/answer", parameters as query. into may be nil.
func (s *app) do(ctx context.Context, method, path string, query url.Values, into any) error {
	return request(ctx, s.base, s.auth, method, path, query, into)
}

var client = http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 60}, Timeout: 10 * time.Second}

func request(ctx context.Context, base, auth, method, path string, query url.Values, into any) error {
	var body io.Reader
	if v := query.Get("variables"); v != "" { // JSON, in the body
		body = strings.NewReader(v)
		query.Del("variables")
	}
	req, err := http.NewRequestWithContext(ctx, method, base+path+"?"+query.Encode(), body)
	if err != nil {
		return err
	}
	user, secret, _ := strings.Cut(auth, ":")
	req.SetBasicAuth(user, secret)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(res.Body); err != nil {
		return err
	}
	if res.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %s: %s", method, path, res.Status, b.Bytes())
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(b.Bytes(), into)
}

// must is do, or the test fails.
func (s *app) must(ctx context.Context, method, path string, query url.Values) {
	s.t.Helper()
	if err := s.do(ctx, method, path, query, nil); err != nil {
		s.t.Fatal(err)
	}
}

// all pairs of names and values as a query.
func q(pairs ...string) url.Values {
	v := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	return v
}
