package app

import (
	"encoding/json"
	"net/http"
)

// withTestHooks adds routes under /debug for whole-system tests (setting test_hooks): they show live calls and the
// counters of their sound. They change nothing and are absent from a normal server.
func (a *App) withTestHooks(next http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", next)
	mux.HandleFunc("GET /debug/calls", func(w http.ResponseWriter, r *http.Request) {
		out := []map[string]any{}
		for _, c := range a.calls.list() {
			row := map[string]any{"view": c.snapshot(), "sip_call_id": c.in.Party().SIPCallID}
			if ep := c.in.Endpoint(); ep != nil { // nil: called, and not yet answered
				row["sound"] = ep.Stats()
			}
			out = append(out, row)
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(out)
	})
	return mux
}
