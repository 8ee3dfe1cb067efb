package httpapi

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	keyHeader   = "Idempotency-Key"
	keepAnswers = 24 * time.Hour
	// orphanAfter is when a row without an answer is taken for the remains of a crash: no request runs that long.
	orphanAfter = 2 * time.Minute
)

// Values of idempotency.status besides an HTTP status.
const (
	// carriedOutStatus: the effect is committed, the answer not yet stored.
	carriedOutStatus = 0
)

// keptHeaders are the headers of an answer that are given again.
var keptHeaders = []string{"Content-Type", "Location", "Etag"}

// storedAnswer is the idempotency row of a running request.
type storedAnswer struct{ actor, key string }

// answer is what a row keeps.
type answer struct {
	Headers map[string]string `json:"headers"`
	Body    json.RawMessage   `json:"body,omitempty"`
	Secret  bool              `json:"secret,omitempty"` // the answer held a secret and was not kept
}

// carriedOut marks the effect inside its own transaction. Without a row it does nothing.
func (s *storedAnswer) carriedOut(ctx context.Context, tx pgx.Tx) error {
	if s == nil {
		return nil
	}
	if _, err := tx.Exec(ctx, `UPDATE idempotency SET status = $3 WHERE actor = $1 AND key = $2`, s.actor, s.key, carriedOutStatus); err != nil {
		return fmt.Errorf("mark the request as carried out: %w", err)
	}
	return nil
}

// once runs a POST whose key is new and answers a repeat from the row of the first.
func (a *API) once(w http.ResponseWriter, r *http.Request, o op, key string, run func(http.ResponseWriter, *http.Request)) {
	in := infoOf(r.Context())
	if !validKey(key) {
		a.fail(w, r, invalid(keyHeader, "needs 1 to 200 printable ASCII characters"))
		return
	}
	body, p := readAll(r.Body, a.cfg.MaxBody)
	if p != nil {
		a.fail(w, r, p)
		return
	}
	row := &storedAnswer{actor: in.who.Subject(), key: key}
	claimed, err := a.claim(r.Context(), row, r, body)
	if err != nil {
		a.fail(w, r, problemOf(err))
		return
	}
	if !claimed {
		a.replay(w, r, row, body)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	tee := &teeWriter{ResponseWriter: w}
	in.stored = row
	finished := false
	ctx := context.WithoutCancel(r.Context()) // the row must be settled even if the client is gone
	defer func() {
		if !finished { // a panic: nothing is known about the effect but what the row says
			a.settle(ctx, row, nil, 0)
		}
	}()
	run(tee, r)
	finished = true
	ans := &answer{Headers: map[string]string{}, Secret: o.secret}
	for _, h := range keptHeaders {
		if v := w.Header().Get(h); v != "" {
			ans.Headers[h] = v
		}
	}
	if b := bytes.TrimSpace(tee.body.Bytes()); len(b) > 0 && !o.secret {
		ans.Body = b
	}
	a.settle(ctx, row, ans, tee.status)
}

func validKey(key string) bool {
	if len(key) == 0 || len(key) > 200 {
		return false
	}
	for i := range len(key) {
		if key[i] < 0x21 || key[i] > 0x7e {
			return false
		}
	}
	return true
}

// readAll reads a body up to limit bytes.
func readAll(body io.Reader, limit int64) ([]byte, *Problem) {
	b, err := io.ReadAll(io.LimitReader(body, limit+1))
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil, &Problem{Status: http.StatusRequestTimeout, Detail: "the body took too long"}
	}
	if err != nil {
		return nil, &Problem{Status: http.StatusBadRequest, Detail: "the body cannot be read", cause: err}
	}
	if int64(len(b)) > limit {
		return nil, &Problem{Status: http.StatusRequestEntityTooLarge, Detail: fmt.Sprintf("the body is larger than %d bytes", limit)}
	}
	return b, nil
}

// claim inserts the row of a first request. A row that outlived its day, or a crash before its effect, is replaced.
func (a *API) claim(ctx context.Context, s *storedAnswer, r *http.Request, body []byte) (bool, error) {
	sum, now := sha256.Sum256(body), a.now()
	tag, err := a.cfg.Pool.Exec(ctx, `INSERT INTO idempotency AS i (actor, key, method, path, body_sha256, created_at) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (actor, key) DO UPDATE SET method = excluded.method, path = excluded.path, body_sha256 = excluded.body_sha256,
		  status = NULL, response = NULL, created_at = excluded.created_at
		WHERE i.created_at < $7 OR (i.status IS NULL AND i.created_at < $8)`,
		s.actor, s.key, r.Method, r.URL.Path, sum[:], now, now.Add(-keepAnswers), now.Add(-orphanAfter))
	if err != nil {
		return false, fmt.Errorf("store the idempotency key: %w", err)
	}
	return tag.RowsAffected() == 1, nil
}

// replay answers a repeat.
func (a *API) replay(w http.ResponseWriter, r *http.Request, s *storedAnswer, body []byte) {
	var method, path string
	var sum []byte
	var status *int
	var ans *answer
	var since time.Time
	err := a.cfg.Pool.QueryRow(r.Context(), `SELECT method, path, body_sha256, status, response, created_at FROM idempotency WHERE actor = $1 AND key = $2`,
		s.actor, s.key).Scan(&method, &path, &sum, &status, &ans, &since)
	if errors.Is(err, pgx.ErrNoRows) { // the first one failed this moment
		a.fail(w, r, &Problem{Status: http.StatusConflict, Code: "idempotency_running", Detail: "the first request with this key has just failed; try again", retry: time.Second})
		return
	}
	if err != nil {
		a.fail(w, r, problemOf(fmt.Errorf("look up the idempotency key: %w", err)))
		return
	}
	want := sha256.Sum256(body)
	switch {
	case method != r.Method || path != r.URL.Path || !bytes.Equal(sum, want[:]):
		a.fail(w, r, &Problem{Status: http.StatusUnprocessableEntity, Code: "idempotency_mismatch", Field: keyHeader, Detail: "this key was used for another request"})
	case status == nil, *status == carriedOutStatus && a.now().Sub(since) < orphanAfter: // its answer is on the way
		a.fail(w, r, &Problem{Status: http.StatusConflict, Code: "idempotency_running", Detail: "the first request with this key is still running", retry: time.Second})
	case *status == carriedOutStatus || ans == nil || ans.Secret:
		a.fail(w, r, &Problem{Status: http.StatusConflict, Code: "idempotency_done", Detail: "the request was carried out; its answer is not kept"})
	default:
		for k, v := range ans.Headers {
			w.Header().Set(k, v)
		}
		w.Header().Set("Idempotent-Replayed", "true")
		w.WriteHeader(*status)
		_, _ = w.Write(ans.Body)
	}
}

// settle stores the answer of success. A request that was refused or failed did nothing: its row goes, so that the form
// that was corrected may be sent with the key it has. A row that says "carried out" stays: what it did is done.
func (a *API) settle(ctx context.Context, s *storedAnswer, ans *answer, status int) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	var err error
	if ans == nil || status >= 400 {
		_, err = a.cfg.Pool.Exec(ctx, `DELETE FROM idempotency WHERE actor = $1 AND key = $2 AND status IS NULL`, s.actor, s.key)
	} else {
		_, err = a.cfg.Pool.Exec(ctx, `UPDATE idempotency SET status = $3, response = $4 WHERE actor = $1 AND key = $2`, s.actor, s.key, status, ans)
	}
	if err != nil {
		a.log.Error("the answer to a request could not be stored", "cause", err)
	}
}

// teeWriter keeps a copy of the answer.
type teeWriter struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

func (t *teeWriter) WriteHeader(status int) {
	if t.status == 0 {
		t.status = status
	}
	t.ResponseWriter.WriteHeader(status)
}

func (t *teeWriter) Write(b []byte) (int, error) {
	if t.status == 0 {
		t.status = http.StatusOK
	}
	t.body.Write(b)
	return t.ResponseWriter.Write(b)
}

// Unwrap implements the convention of http.ResponseController.
func (t *teeWriter) Unwrap() http.ResponseWriter { return t.ResponseWriter }
