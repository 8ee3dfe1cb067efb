// Package httpapi is in charge of the HTTP side: it turns requests into calls of the packages that do the work, and
// their values and errors into answers. Handlers read, validate, call and respond; no rule of the business lives here.
//
// What holds for every route under /api/v1:
//
//   - Each route names a resource and a verb; auth.Identity.May decides, before the request is even parsed. Which
//     objects are visible is decided by the package that owns them, and the invisible answers as the absent does.
//   - Errors are problem documents (RFC 9457) with a stable code, also for unknown routes, panics and bodies that are
//     too large. Causes go to the log under the same trace_id, never outside.
//   - A POST with an Idempotency-Key acts once (idempotency.go). A PATCH names the version it starts from in If-Match.
//   - The OpenAPI document comes from the same Go types, and a test holds the answers against it.
package httpapi

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/netip"
	"path"
	"reflect"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"

	"hotline/internal/auth"
	"hotline/internal/trunks"
	"hotline/queue"
	"hotline/tickets"
)

// Prefix is where the API lives.
const Prefix = "/api/v1"

// Config is what the API is built from. Fields without a word about nil are needed.
type Config struct {
	Pool    *pgxpool.Pool
	Auth    *auth.Service
	Tickets *tickets.Service
	Queues  *queue.PGStore
	Trunks  *trunks.Store
	Live    Live

	Recordings Recordings   // nil: calls have no recordings
	Phone      http.Handler // web socket of agents' telephones; nil: 503
	UI         fs.FS        // built pages with index.html at the top; nil: none
	Metrics    http.Handler // nil: no /metrics
	Ready      []Check      // what /readyz asks
	Version    string       // of the program, shown in the OpenAPI document; empty: dev

	// Secret signs list cursors; empty: random, so cursors do not outlive the process.
	Secret []byte
	// Origins are further origins whose pages may call us (scheme://host); our own always may.
	Origins []string
	// Proxies may tell the client's address in X-Forwarded-For; none: nobody.
	Proxies []netip.Prefix
	// Rate is how many requests a second one token or person may make, and one address without either; 0: 50.
	Rate rate.Limit
	// Burst is how many at once; 0: 200.
	Burst int
	// MaxBody bounds a request's body in bytes; 0: 1 MiB.
	MaxBody int64
	// BodyTimeout bounds how long a request's body may take; 0: 15 s.
	BodyTimeout time.Duration

	Now        func() time.Time      // nil: time.Now
	Log        *slog.Logger          // nil: slog.Default
	Registerer prometheus.Registerer // nil: no metrics of our own
}

// Check is one question of /readyz.
type Check struct {
	Name string
	// Ask returns nil when the part works. It is given two seconds.
	Ask func(context.Context) error
}

// API is the HTTP handler. Make it with New.
type API struct {
	cfg     Config
	now     func() time.Time
	log     *slog.Logger
	mux     *http.ServeMux
	huma    huma.API
	spec    []byte
	handler http.Handler
	limits  *limiter
	metrics metrics
	heard   hearings
	ui      *ui
}

// New builds the handler. The error names what is missing or wrong in the configuration.
func New(cfg Config) (*API, error) {
	if cfg.Pool == nil || cfg.Auth == nil || cfg.Tickets == nil || cfg.Queues == nil || cfg.Trunks == nil || cfg.Live == nil {
		return nil, errors.New("httpapi: Pool, Auth, Tickets, Queues, Trunks and Live are needed")
	}
	cfg.MaxBody, cfg.BodyTimeout = cmp.Or(cfg.MaxBody, 1<<20), cmp.Or(cfg.BodyTimeout, 15*time.Second)
	if len(cfg.Secret) == 0 {
		cfg.Secret = make([]byte, 32)
		if _, err := rand.Read(cfg.Secret); err != nil {
			return nil, fmt.Errorf("httpapi: no randomness: %w", err)
		}
	}
	a := &API{cfg: cfg, now: cfg.Now, log: cfg.Log, mux: http.NewServeMux(), limits: newLimiter(cmp.Or(cfg.Rate, 50), cmp.Or(cfg.Burst, 200), cfg.Now)}
	if a.now == nil {
		a.now = time.Now
	}
	if a.log == nil {
		a.log = slog.Default()
	}
	a.metrics = newMetrics(cfg.Registerer)
	a.huma = humago.NewWithPrefix(a.mux, Prefix, humaConfig(cmp.Or(cfg.Version, "dev")))
	a.routes()
	admitNull(a.huma.OpenAPI())
	var err error
	if a.spec, err = json.Marshal(a.huma.OpenAPI()); err != nil {
		return nil, fmt.Errorf("httpapi: OpenAPI document: %w", err)
	}
	if a.ui, err = newUI(cfg.UI); err != nil {
		return nil, err
	}
	a.plainRoutes()
	csrf := http.NewCrossOriginProtection()
	for _, o := range cfg.Origins {
		if err := csrf.AddTrustedOrigin(o); err != nil {
			return nil, fmt.Errorf("httpapi: origin %q: %w", o, err)
		}
	}
	csrf.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.fail(w, r, &Problem{Status: http.StatusForbidden, Code: "cross_origin", Detail: "the request comes from another site's page"})
	}))
	a.handler = a.observe(secure(csrf.Handler(a.mux)))
	return a, nil
}

// humaConfig is huma without its extras: no docs page, no $schema links, JSON only.
func humaConfig(version string) huma.Config {
	c := huma.DefaultConfig("Hotline", version)
	c.OpenAPIPath, c.DocsPath, c.SchemasPath, c.CreateHooks = "", "", "", nil
	c.RejectUnknownQueryParameters = true
	c.Components.Schemas = huma.NewMapRegistry("#/components/schemas/", schemaName)
	c.Info.Description = "Contact centre: tickets, customers, calls, recordings and settings."
	c.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"session": {Type: "apiKey", In: "cookie", Name: auth.CookieName, Description: "Opened by POST /session."},
		"token":   {Type: "http", Scheme: "bearer", Description: "Made by POST /tokens or `hotline token create`."},
	}
	return c
}

// schemaName names a type in the document: those of other packages carry the package, since several have a Membership.
func schemaName(t reflect.Type, hint string) string {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	name := huma.DefaultSchemaNamer(t, hint)
	pkg := path.Base(t.PkgPath())
	if t.Name() == "" || pkg == "." || pkg == "httpapi" {
		return name
	}
	return strings.ToUpper(pkg[:1]) + pkg[1:] + name
}

// ServeHTTP implements http.Handler.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.handler.ServeHTTP(w, r) }

// OpenAPI is the document of all routes.
func (a *API) OpenAPI() []byte { return a.spec }

// routes registers everything under Prefix.
func (a *API) routes() {
	a.sessionRoutes()
	a.userRoutes()
	a.queueRoutes()
	a.trunkRoutes()
	a.numberRoutes()
	a.ticketRoutes()
	a.messageRoutes()
	a.contactRoutes()
	a.orgRoutes()
	a.callRoutes()
	a.dialRoute()
	a.linkRoutes()
	a.recordingRoutes()
	a.callbackRoutes()
	a.tokenRoutes()
	a.liveRoutes()
}

// plainRoutes registers what is not part of the OpenAPI document.
func (a *API) plainRoutes() {
	a.mux.HandleFunc("GET /openapi.json", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/openapi+json")
		_, _ = w.Write(a.spec)
	})
	a.mux.HandleFunc("GET /livez", func(w http.ResponseWriter, r *http.Request) {
		writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
	})
	a.mux.HandleFunc("GET /readyz", a.ready)
	if a.cfg.Metrics != nil {
		a.mux.Handle("GET /metrics", a.cfg.Metrics)
	}
	a.mux.HandleFunc("GET "+Prefix+"/phone", a.phone)
	a.mux.HandleFunc("/api/", a.unknown)
	a.mux.HandleFunc("/", a.page)
}

// ready tells whether we can work: 503 names the parts that do not.
func (a *API) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
	defer cancel()
	status, checks := http.StatusOK, map[string]string{}
	for _, c := range a.cfg.Ready {
		checks[c.Name] = "ok"
		if err := c.Ask(ctx); err != nil {
			status, checks[c.Name] = http.StatusServiceUnavailable, "failing"
			a.log.Warn("not ready", "check", c.Name, "cause", err)
		}
	}
	word := "ok"
	if status != http.StatusOK {
		word = "failing"
	}
	writeJSON(w, status, map[string]any{"status": word, "checks": checks})
}

// phone hands the web socket of an agent's telephone over.
func (a *API) phone(w http.ResponseWriter, r *http.Request) {
	who, p := a.admit(r, auth.Phone, auth.Read)
	if p == nil && a.cfg.Phone == nil {
		p = &Problem{Status: http.StatusServiceUnavailable, Detail: "the telephone is switched off"}
	}
	if p != nil {
		a.fail(w, r, p)
		return
	}
	infoOf(r.Context()).who = who
	a.cfg.Phone.ServeHTTP(w, r)
}

// unknown answers what no route takes: 405 when another method would do, else 404.
func (a *API) unknown(w http.ResponseWriter, r *http.Request) {
	var allow []string
	for _, m := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		try := &http.Request{Method: m, URL: r.URL, Host: r.Host}
		if _, pattern := a.mux.Handler(try); pattern != "/api/" && pattern != "/" && pattern != "" {
			allow = append(allow, m)
		}
	}
	if len(allow) == 0 {
		a.fail(w, r, &Problem{Status: http.StatusNotFound, Detail: "there is no such address"})
		return
	}
	for _, m := range allow {
		w.Header().Add("Allow", m)
	}
	a.fail(w, r, &Problem{Status: http.StatusMethodNotAllowed, Detail: "this address does not take " + r.Method})
}

// Sweep forgets stored answers older than a day. The application calls it every hour or so.
func (a *API) Sweep(ctx context.Context) error {
	if _, err := a.cfg.Pool.Exec(ctx, `DELETE FROM idempotency WHERE created_at < $1`, a.now().Add(-keepAnswers)); err != nil {
		return fmt.Errorf("forget old answers: %w", err)
	}
	return nil
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}
