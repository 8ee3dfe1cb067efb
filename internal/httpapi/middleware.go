package httpapi

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"hotline/internal/auth"
)

// info travels in the context of a request: what the layers tell each other and the log line. One goroutine uses it.
type info struct {
	trace   string
	ip      netip.Addr
	req     *http.Request
	who     *auth.Identity // nil: nobody, or not asked yet
	problem *Problem       // the answer, when it is one
	stored  *storedAnswer  // the idempotency row of this request; nil: none
	conn    *http.ResponseController
}

// bodyRead lets the work take its time once the body is in: the deadline is for the body, and when it passes under a
// handler the server takes the client for gone.
func (i *info) bodyRead() {
	if i.conn != nil && i.req.ContentLength != 0 {
		_ = i.conn.SetReadDeadline(time.Time{}) // a test's recorder has none
	}
}

type infoKey struct{}

// infoOf never returns nil, so that a handler can be called in a test without the layers.
func infoOf(ctx context.Context) *info {
	if i, ok := ctx.Value(infoKey{}).(*info); ok {
		return i
	}
	return &info{req: &http.Request{}}
}

// metrics of the HTTP side.
type metrics struct {
	requests *prometheus.CounterVec   // route: pattern of the mux, "none"; class: 2xx 3xx 4xx 5xx
	seconds  *prometheus.HistogramVec // route
	panics   prometheus.Counter
}

func newMetrics(reg prometheus.Registerer) metrics {
	m := metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hotline_http_requests_total", Help: "Requests answered, by route and class of status."}, []string{"route", "class"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "hotline_http_request_seconds", Help: "Time to answer, web sockets excepted.",
			Buckets: []float64{.002, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10}}, []string{"route"}),
		panics: prometheus.NewCounter(prometheus.CounterOpts{Name: "hotline_http_panics_total", Help: "Panics recovered in handlers."}),
	}
	if reg != nil {
		reg.MustRegister(m.requests, m.seconds, m.panics)
	}
	return m
}

// expect starts the series of a route at zero, so that the first request shows.
func (m metrics) expect(route string) {
	for _, class := range []string{"2xx", "4xx", "5xx"} {
		m.requests.WithLabelValues(route, class)
	}
	m.seconds.WithLabelValues(route)
}

// recorder notes what was answered. Unwrap lets http.ResponseController and web sockets reach the connection.
type recorder struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 || r.status < 200 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	n, err := r.ResponseWriter.Write(b)
	r.bytes += int64(n)
	return n, err
}

// Unwrap implements the convention of http.ResponseController.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// observe is the outermost layer: trace id, recovery, metrics and one log line per request.
func (a *API) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		in := &info{trace: traceID(r), ip: clientIP(r, a.cfg.Proxies)}
		r = r.WithContext(context.WithValue(r.Context(), infoKey{}, in))
		in.req = r
		rec := &recorder{ResponseWriter: w}
		rec.Header().Set("Trace-Id", in.trace)
		r.Body = http.MaxBytesReader(rec, r.Body, a.cfg.MaxBody+1)
		in.conn = http.NewResponseController(rec)
		if r.ContentLength != 0 { // the server reads the rest after an early answer, so the limit stands then too
			limit := func() { _ = in.conn.SetReadDeadline(time.Now().Add(a.cfg.BodyTimeout)) }
			limit()
			defer limit()
		}
		defer func() {
			if v := recover(); v != nil {
				if v == http.ErrAbortHandler {
					panic(v)
				}
				a.metrics.panics.Inc()
				a.log.Error("panic in a handler", "trace", in.trace, "panic", v, "stack", string(debug.Stack()))
				if rec.status == 0 {
					a.fail(rec, r, &Problem{Status: http.StatusInternalServerError, Detail: "internal error"})
				}
			}
			a.report(r, in, rec, time.Since(start))
		}()
		next.ServeHTTP(rec, r)
	})
}

// report writes the log line. The query stays out of it: people put names and numbers there.
func (a *API) report(r *http.Request, in *info, rec *recorder, took time.Duration) {
	route := r.Pattern
	if route == "" || route == "/" || route == "/api/" {
		route = "none"
	}
	class := "2xx"
	if rec.status >= 100 {
		class = string(rune('0'+min(rec.status/100, 5))) + "xx"
	}
	a.metrics.requests.WithLabelValues(route, class).Inc()
	if !strings.HasSuffix(route, "/phone") {
		a.metrics.seconds.WithLabelValues(route).Observe(took.Seconds())
	}
	attrs := []any{"trace", in.trace, "method", clip(r.Method, 16), "route", route, "status", rec.status, "bytes", rec.bytes, "took", took, "ip", in.ip.String()}
	if in.who != nil {
		attrs = append(attrs, "who", in.who.Login, "via", in.who.Via())
	}
	if p := in.problem; p != nil {
		attrs = append(attrs, "code", p.Code)
		if p.cause != nil && p.Status >= 500 {
			a.log.Error("request failed", append(attrs, "cause", p.cause)...)
			return
		}
	}
	if in.problem != nil && in.problem.Code == "cross_origin" {
		a.log.Warn("request from another site's page refused", append(attrs, "origin", clip(r.Header.Get("Origin"), 200))...)
		return
	}
	if route == "none" || !strings.HasPrefix(r.URL.Path, "/api/") {
		a.log.Debug("request", attrs...)
		return
	}
	a.log.Info("request", attrs...)
}

// traceID takes the caller's W3C trace id, or makes one.
func traceID(r *http.Request) string {
	if p := strings.Split(r.Header.Get("Traceparent"), "-"); len(p) == 4 && len(p[1]) == 32 && strings.Trim(p[1], "0") != "" {
		if _, err := hex.DecodeString(p[1]); err == nil {
			return strings.ToLower(p[1])
		}
	}
	var b [16]byte
	if _, err := rand.Read(b[:]); err != nil {
		panic("httpapi: no randomness: " + err.Error())
	}
	return hex.EncodeToString(b[:])
}

// clientIP is the far end, or what the nearest trusted proxy says about it: the last address in X-Forwarded-For that is
// not a proxy of ours. Everything left of it is the client's own words.
func clientIP(r *http.Request, proxies []netip.Prefix) netip.Addr {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return netip.IPv4Unspecified()
	}
	ip = ip.Unmap()
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && trusted(ip, proxies); i-- {
		next, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		ip = next.Unmap()
	}
	return ip
}

func trusted(ip netip.Addr, proxies []netip.Prefix) bool {
	for _, p := range proxies {
		if p.Contains(ip) {
			return true
		}
	}
	return false
}

// secure sets the headers that browsers honour. Styles may stand inline, since the component library of the pages
// places them so; scripts may not.
func secure(next http.Handler) http.Handler {
	const csp = "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; media-src 'self' blob:; " +
		"font-src 'self' data:; worker-src 'self' blob:; connect-src 'self'; manifest-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", csp)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "microphone=(self), camera=(), geolocation=(), payment=(), usb=()")
		if r.TLS != nil {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		if strings.HasPrefix(r.URL.Path, "/api/") {
			h.Set("Cache-Control", "no-store")
		}
		next.ServeHTTP(w, r)
	})
}

// clip cuts a stranger's text.
func clip(s string, n int) string { return strings.ToValidUTF8(s[:min(len(s), n)], "") }
