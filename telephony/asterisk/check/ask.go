package check

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// refusal is an answer other than 2xx.
type refusal struct {
	status  int
	message string
}

// Error implements error.
func (r *refusal) Error() string {
	return strings.TrimSpace(fmt.Sprintf("%d %s %s", r.status, http.StatusText(r.status), r.message))
}

func (r *run) get(ctx context.Context, path string, into any) error {
	return r.do(ctx, http.MethodGet, path, nil, into)
}

// do makes a request. An error is a *refusal if there was an answer; it never holds the secret, which travels in a header.
func (r *run) do(ctx context.Context, method, path string, query url.Values, into any) error {
	u := strings.TrimSuffix(r.base.Scheme+"://"+r.base.Host+r.base.Path, "/") + path
	if len(query) > 0 {
		u += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, u, nil)
	if err != nil {
		return err
	}
	if r.cfg.User != "" {
		req.SetBasicAuth(r.cfg.User, r.cfg.Secret)
	}
	res, err := r.cfg.Client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, 4<<20))
	if err != nil {
		return err
	}
	if res.StatusCode < 200 || res.StatusCode > 299 {
		var said struct{ Message string }
		_ = json.Unmarshal(b, &said) // another server's page has none
		return &refusal{res.StatusCode, said.Message}
	}
	if into == nil {
		return nil
	}
	if err := json.Unmarshal(b, into); err != nil {
		return fmt.Errorf("read the answer to %s %s: %w", method, path, err)
	}
	return nil
}
