package asterisk

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"hotline/telephony"
)

// Limits of one request. Asterisk answers within a millisecond when it is well.
const (
	requestLimit = 4 * time.Second
	maxBody      = 16 << 20 // of an answer: a list of all channels of a large Asterisk
	maxConns     = 16       // at once; Asterisk takes 100 from everybody (sessionlimit of http.conf)
	// idleLimit is below the 15 s after which Asterisk closes a quiet connection (session_keep_alive): a request on a
	// connection that is being closed fails, and not all may be sent again.
	idleLimit = 10 * time.Second
)

// statusError is an answer of ARI that is not 2xx, with what its body says.
type statusError struct {
	Method, Path string
	Code         int
	Message      string
}

// Error implements error.
func (e *statusError) Error() string {
	if e.Message == "" {
		return fmt.Sprintf("%s %s: ARI answered %d", e.Method, e.Path, e.Code)
	}
	return fmt.Sprintf("%s %s: ARI answered %d %s", e.Method, e.Path, e.Code, e.Message)
}

// gone reports whether what was asked for does not exist (any more).
func gone(err error) bool {
	s, ok := errors.AsType[*statusError](err)
	return ok && s.Code == http.StatusNotFound
}

// notInStasis reports whether a channel is there but not (yet) under our control, or not in the bridge it was to leave.
func notInStasis(err error) bool {
	s, ok := errors.AsType[*statusError](err)
	return ok && (s.Code == http.StatusUnprocessableEntity || s.Code == http.StatusConflict)
}

// rest sends requests to ARI. Its methods may be called from any goroutine.
type rest struct {
	base         string
	user, secret string
	client       *http.Client
	met          *metrics
	// contact is the time in which Asterisk can be asked; nil while it is away. It ends with it, and what waits too.
	contact atomic.Pointer[contact]
}

// contact is one stay of Asterisk.
type contact struct {
	ctx context.Context
	end context.CancelCauseFunc
	// well is false while Asterisk does not answer its probes: requests fail at once instead of piling up.
	well atomic.Bool
}

func newREST(cfg *Config, met *metrics) *rest {
	tr := &http.Transport{
		DialContext:         (&net.Dialer{Timeout: 3 * time.Second, KeepAlive: 5 * time.Second}).DialContext,
		TLSHandshakeTimeout: 3 * time.Second, IdleConnTimeout: idleLimit,
		MaxConnsPerHost: maxConns, MaxIdleConnsPerHost: maxConns, DisableCompression: true,
	}
	return &rest{base: cfg.URL, user: cfg.User, secret: cfg.Secret, met: met, client: &http.Client{Transport: tr,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// params are a request's query, key and value in turn.
type params []string

func (p params) encode() string {
	if len(p) == 0 {
		return ""
	}
	v := url.Values{}
	for i := 0; i+1 < len(p); i += 2 {
		if p[i+1] != "" {
			v.Set(p[i], p[i+1])
		}
	}
	return "?" + v.Encode()
}

// ask is a request of a leg: it fails with ErrAway at once while Asterisk is away, and as soon as Asterisk goes.
func (r *rest) ask(ctx context.Context, method, path string, q params, body, out any) error {
	c := r.contact.Load()
	if c == nil || !c.well.Load() {
		r.met.requests.WithLabelValues("away").Inc()
		return fmt.Errorf("%s %s: %w", method, path, ErrAway)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(c.ctx, func() { cancel(ErrAway) })()
	return r.send(ctx, method, path, q, body, out)
}

// send is one request, bounded by requestLimit. The error is a *statusError, or says why there was no answer.
func (r *rest) send(ctx context.Context, method, path string, q params, body, out any) error {
	ctx, cancel := context.WithTimeoutCause(ctx, requestLimit, fmt.Errorf("no answer within %v", requestLimit))
	defer cancel()
	err := r.exchange(ctx, method, path, q, body, out)
	outcome := "ok"
	if s, ok := errors.AsType[*statusError](err); ok {
		outcome = fmt.Sprintf("%dxx", min(max(s.Code/100, 1), 5))
	} else if err != nil {
		outcome = "failed"
		if ctx.Err() != nil {
			outcome = "timeout"
			r.fresh()
			if why := context.Cause(ctx); why != nil {
				err = why
				if errors.Is(why, context.Canceled) || errors.Is(why, telephony.ErrLegEnded) || errors.Is(why, ErrAway) {
					outcome = "cancelled"
				}
			}
		}
		err = fmt.Errorf("%s %s: %w", method, path, err)
	}
	r.met.requests.WithLabelValues(outcome).Inc()
	return err
}

func (r *rest) exchange(ctx context.Context, method, path string, q params, body, out any) error {
	var content io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return err
		}
		content = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, r.base+path+q.encode(), content)
	if err != nil {
		return err
	}
	req.SetBasicAuth(r.user, r.secret)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := r.client.Do(req)
	if err != nil {
		if u, ok := errors.AsType[*url.Error](err); ok { // its text repeats the address
			err = u.Err
		}
		return err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	if err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	if len(data) > maxBody {
		return errors.New("the answer is too long")
	}
	if resp.StatusCode/100 != 2 {
		return &statusError{Method: method, Path: path, Code: resp.StatusCode, Message: message(data)}
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(data, out); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	return nil
}

// message is what the body of a refusal says. ARI uses two spellings, the HTTP server before it sends a page.
func message(body []byte) string {
	var b struct{ Message, Error string }
	if json.Unmarshal(body, &b) == nil {
		if b.Message != "" {
			return clean(b.Message, 200)
		}
		return clean(b.Error, 200)
	}
	return ""
}

// clean makes text of others fit for logs and people: valid UTF-8 without control characters, at most limit runes.
func clean(s string, limit int) string {
	out := strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f || c == 0xfffd || (c >= 0x80 && c < 0xa0) {
			return -1
		}
		return c
	}, strings.ToValidUTF8(s, ""))
	out = strings.TrimSpace(out)
	for i := range out {
		if limit == 0 {
			return out[:i]
		}
		limit--
	}
	return out
}

// close gives the idle connections back.
func (r *rest) close() { r.client.CloseIdleConnections() }

// fresh makes the next requests take new connections: those kept may be half-open, and each would cost its time limit.
func (r *rest) fresh() { r.client.CloseIdleConnections() }

func channelPath(id string, more string) string { return "/channels/" + url.PathEscape(id) + more }
func bridgePath(id string, more string) string  { return "/bridges/" + url.PathEscape(id) + more }
