package program

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// gone are the figures that are zero whenever no call is up.
var gone = []string{
	"hotline_sip_calls", "hotline_media_ports_in_use", "hotline_queue_waiting", "hotline_recordings_live", "hotline_recordings_unindexed",
	"hotline_journal_lag_records", "hotline_queue_store_pending",
}

// never are the figures that are zero always.
var never = []string{
	"hotline_call_panics_total", "hotline_sip_panics_total", "hotline_http_panics_total", "hotline_phone_panics_total",
	"hotline_queue_store_dropped_total", "hotline_queue_swept_total",
}

// Clean waits until the calls are over and fails the test if anything of them stays: calls, ports, places in a queue,
// offers, recordings under way, work not done. Then it holds the invariants against rows and files, and reads the log:
// an error in it that is not among the expected (a part of the line) fails the test.
func (p *Program) Clean(expected ...string) {
	p.t.Helper()
	if p.t.Failed() {
		return // what stays is the consequence
	}
	ctx, stop := context.WithTimeout(context.Background(), 20*time.Second)
	defer stop()
	left := p.left(ctx)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for len(left) > 0 && ctx.Err() == nil {
		<-tick.C
		if l := p.left(ctx); ctx.Err() == nil {
			left = l
		}
	}
	for _, l := range left {
		p.t.Errorf("left: %s", l)
	}
	db, err := pgx.Connect(p.t.Context(), p.Run.Database)
	if p.t.Context().Err() != nil { // in a cleanup
		db, err = pgx.Connect(context.Background(), p.Run.Database)
	}
	p.OK(err)
	defer db.Close(context.Background())
	p.mu.Lock()
	invites := p.invites
	p.mu.Unlock()
	for _, broken := range Invariants(context.Background(), db, p.Recordings(), invites) {
		p.t.Errorf("broken: %s", broken)
	}
	p.judgeLog(expected)
}

// left names what is still there of the calls.
func (p *Program) left(ctx context.Context) (left []string) {
	var calls []json.RawMessage
	if err := p.get(ctx, "/debug/calls", &calls); err != nil || len(calls) > 0 {
		left = append(left, fmt.Sprintf("calls: %s %v", calls, err))
	}
	all := p.Metrics(ctx)
	for _, name := range append(gone, never...) {
		if v, ok := Sum(all, name); v != 0 || !ok {
			left = append(left, fmt.Sprintf("%s is %v (there: %v)", name, v, ok))
		}
	}
	n := p.SQL(ctx, `SELECT concat((SELECT count(*) FROM call WHERE state <> 'ended'), ' ', (SELECT count(*) FROM queue_entry WHERE state <> 'ended'), ' ',
		(SELECT count(*) FROM queue_offer WHERE ended_at IS NULL), ' ', (SELECT count(*) FROM recording WHERE state NOT IN ('ready','failed','deleted')), ' ',
		(SELECT count(*) FROM river_job WHERE state IN ('available','running','retryable','pending')))`)
	if n != "0 0 0 0 0" {
		left = append(left, "calls, places, offers, recordings, jobs in rows: "+n)
	}
	return left
}

// Get is the status of a page that needs no login; 0: no answer.
func (p *Program) Get(ctx context.Context, path string) int {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.Run.HTTP+path, nil)
	p.OK(err)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0
	}
	defer res.Body.Close()
	return res.StatusCode
}

// get reads JSON that needs no login.
func (p *Program) get(ctx context.Context, path string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.Run.HTTP+path, nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	return json.NewDecoder(res.Body).Decode(into)
}

// Metrics are the server's figures by name and labels, as it shows them. Empty: no answer.
func (p *Program) Metrics(ctx context.Context) map[string]float64 {
	out := map[string]float64{}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.Run.HTTP+"/metrics", nil)
	if err != nil {
		return out
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return out
	}
	defer res.Body.Close()
	for s := bufio.NewScanner(res.Body); s.Scan(); {
		if name, value, ok := cutLast(s.Text(), " "); ok && !strings.HasPrefix(name, "#") {
			if v, err := strconv.ParseFloat(value, 64); err == nil {
				out[name] = v
			}
		}
	}
	return out
}

func cutLast(s, sep string) (before, after string, ok bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// Sum adds a figure up over its labels; ok says that there is one.
func Sum(all map[string]float64, name string) (sum float64, ok bool) {
	for k, v := range all {
		if base, _, _ := strings.Cut(k, "{"); base == name {
			sum, ok = sum+v, true
		}
	}
	return sum, ok
}

// judgeLog reads the server's log from where the last test stopped.
func (p *Program) judgeLog(expected []string) {
	f, err := os.Open(filepath.Join(p.data, "server.log"))
	p.OK(err)
	defer f.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	_, err = f.Seek(p.read, io.SeekStart)
	p.OK(err)
	b, err := io.ReadAll(f)
	p.OK(err)
	p.read += int64(len(b))
lines:
	for line := range strings.Lines(string(b)) {
		if !strings.Contains(line, `"level":"ERROR"`) && strings.HasPrefix(line, "{") {
			continue
		}
		for _, e := range expected {
			if strings.Contains(line, e) {
				continue lines
			}
		}
		p.t.Errorf("in the server's log: %s", strings.TrimSpace(line))
	}
}
