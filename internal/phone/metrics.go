package phone

import (
	"strconv"

	"github.com/coder/websocket"
	"github.com/prometheus/client_golang/prometheus"
)

// metrics of the hub. Label values are bounded and start at zero.
type metrics struct {
	sockets  prometheus.Gauge
	ended    *prometheus.CounterVec // code
	requests *prometheus.CounterVec // result
	seconds  prometheus.Histogram
	events   prometheus.Counter
	resumes  *prometheus.CounterVec // how
	panics   prometheus.Counter
}

var closeCodes = []websocket.StatusCode{CloseMalformed, CloseNotLoggedIn, CloseForbidden, CloseNoHello, CloseReplaced,
	CloseTooMany, websocket.StatusServiceRestart, websocket.StatusInternalError, websocket.StatusAbnormalClosure}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		sockets: prometheus.NewGauge(prometheus.GaugeOpts{Name: "hotline_phone_sockets",
			Help: "Open signalling sockets of agents' and supervisors' pages."}),
		ended: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hotline_phone_closed_total",
			Help: "Sockets ended, by our close code; 1006 means that the page went away."}, []string{"code"}),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hotline_phone_requests_total",
			Help: "Requests of pages, by result; repeated ones were answered from memory."}, []string{"result"}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "hotline_phone_request_seconds",
			Help: "Time to serve one request.", Buckets: []float64{.001, .005, .02, .1, .5, 2, 10}}),
		events: prometheus.NewCounter(prometheus.CounterOpts{Name: "hotline_phone_events_total",
			Help: "Numbered events sent to logins with an open session."}),
		resumes: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hotline_phone_hellos_total",
			Help: "Pages that said hello: with the missed events replayed, or with the snapshot alone."}, []string{"how"}),
		panics: prometheus.NewCounter(prometheus.CounterOpts{Name: "hotline_phone_panics_total",
			Help: "Panics while serving requests."}),
	}
	for _, c := range closeCodes {
		m.ended.WithLabelValues(strconv.Itoa(int(c)))
	}
	for _, r := range []string{"ok", "refused", "error", "busy", "repeated"} {
		m.requests.WithLabelValues(r)
	}
	m.resumed(true, 0)
	m.resumed(false, 0)
	if reg != nil {
		reg.MustRegister(m.sockets, m.ended, m.requests, m.seconds, m.events, m.resumes, m.panics)
	}
	return m
}

func (m *metrics) closed(code websocket.StatusCode) {
	m.ended.WithLabelValues(strconv.Itoa(int(code))).Inc()
}

func (m *metrics) resumed(replayed bool, by ...float64) {
	how, n := "snapshot", 1.0
	if replayed {
		how = "replay"
	}
	if len(by) > 0 {
		n = by[0]
	}
	m.resumes.WithLabelValues(how).Add(n)
}
