package sip

import (
	"github.com/prometheus/client_golang/prometheus"
)

// refusals are the reasons a message is not served: the label values of hotline_sip_refused_total.
var refusals = []string{
	"junk",       // cannot be parsed and gets no answer
	"malformed",  // 400
	"too_large",  // 413, 414, 513
	"version",    // 505
	"scheme",     // 416
	"method",     // 405, 501
	"extension",  // 420
	"body",       // 406, 415
	"dialog",     // 481, 500: no such dialog, or CSeq out of order
	"merged",     // 482
	"interval",   // 422, 423
	"unlisted",   // a source we do not know
	"rate",       // a source we do not know, too often
	"credential", // 401: none, or wrong
	"locked",     // 401: too many wrong ones before
	"disabled",   // the trunk is switched off
	"not_found",  // 404
	"no_codec",   // 488
	"overload",   // 503: too many calls
	"draining",   // 503: stopping
	"trunk_full", // 503: the trunk's own limit
	"replayed",   // the same call again after it was rejected
	"no_port",    // 503: no RTP port
	"slow",       // a TCP peer that does not read, or stalls inside a message
}

// metrics are the package's counters. All methods work on a set that is registered nowhere.
type metrics struct {
	requests      *prometheus.CounterVec // method
	responses     *prometheus.CounterVec // direction, class
	refused       *prometheus.CounterVec // reason
	calls         *prometheus.GaugeVec   // direction
	registrations prometheus.Gauge
	trunks        prometheus.Gauge
	connections   prometheus.Gauge
	resent        *prometheus.CounterVec // direction
	panics        prometheus.Counter
	lostDigits    prometheus.Counter
	inviteSeconds prometheus.Histogram
}

func newMetrics(r prometheus.Registerer) *metrics {
	name := func(n, help string) prometheus.CounterOpts {
		return prometheus.CounterOpts{Namespace: "hotline", Subsystem: "sip", Name: n, Help: help}
	}
	gauge := func(n, help string) prometheus.GaugeOpts {
		return prometheus.GaugeOpts{Namespace: "hotline", Subsystem: "sip", Name: n, Help: help}
	}
	m := &metrics{
		requests:      prometheus.NewCounterVec(name("requests_total", "SIP requests received, by method."), []string{"method"}),
		responses:     prometheus.NewCounterVec(name("responses_total", "SIP responses, by direction and class."), []string{"direction", "class"}),
		refused:       prometheus.NewCounterVec(name("refused_total", "SIP messages not served, by reason."), []string{"reason"}),
		calls:         prometheus.NewGaugeVec(gauge("calls", "Live SIP legs, by direction."), []string{"direction"}),
		registrations: prometheus.NewGauge(gauge("registrations", "Desk phones registered now.")),
		trunks:        prometheus.NewGauge(gauge("trunks_registered", "Trunks at which we are registered now.")),
		connections:   prometheus.NewGauge(gauge("tcp_connections", "Open TCP connections.")),
		resent:        prometheus.NewCounterVec(name("retransmissions_total", "SIP messages repeated, by direction."), []string{"direction"}),
		panics:        prometheus.NewCounter(name("panics_total", "Panics recovered in signalling.")),
		lostDigits:    prometheus.NewCounter(name("digits_dropped_total", "Keys dropped because nobody read them.")),
		inviteSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: "hotline", Subsystem: "sip",
			Name: "invite_seconds", Help: "From an INVITE to its 200.",
			Buckets: []float64{.001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5, 10, 30, 60}}),
	}
	for method := range methods {
		m.requests.WithLabelValues(method)
	}
	m.requests.WithLabelValues("other")
	for _, d := range []string{"in", "out"} {
		for _, c := range classes {
			m.responses.WithLabelValues(d, c)
		}
		m.calls.WithLabelValues(d)
		m.resent.WithLabelValues(d)
	}
	for _, reason := range refusals {
		m.refused.WithLabelValues(reason)
	}
	if r != nil {
		r.MustRegister(m.requests, m.responses, m.refused, m.calls, m.registrations, m.trunks, m.connections,
			m.resent, m.panics, m.lostDigits, m.inviteSeconds)
	}
	return m
}

var classes = []string{"1xx", "2xx", "3xx", "4xx", "5xx", "6xx"}

func (m *metrics) request(method string) {
	if _, ok := methods[method]; !ok {
		method = "other"
	}
	m.requests.WithLabelValues(method).Inc()
}

func (m *metrics) response(direction string, code int) {
	m.responses.WithLabelValues(direction, classes[min(max(code/100-1, 0), 5)]).Inc()
}

func (m *metrics) refuse(why string) { m.refused.WithLabelValues(why).Inc() }
