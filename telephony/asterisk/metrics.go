package asterisk

import (
	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the package's counters. All methods work on a set that is registered nowhere.
type metrics struct {
	requests   *prometheus.CounterVec // outcome
	events     *prometheus.CounterVec // type
	lag        prometheus.Histogram
	reconnects prometheus.Counter
	up         prometheus.Gauge
	legs       *prometheus.GaugeVec   // direction
	refused    *prometheus.CounterVec // reason
	found      *prometheus.CounterVec // what
	destroyed  *prometheus.CounterVec // what
	overflows  *prometheus.CounterVec // queue
	lostDigits prometheus.Counter
	panics     prometheus.Counter
	setup      prometheus.Histogram
}

// Label values.
var (
	requestOutcomes = []string{"ok", "3xx", "4xx", "5xx", "failed", "timeout", "cancelled", "away"}
	eventTypes      = []string{"StasisStart", "StasisEnd", "ChannelDestroyed", "ChannelHangupRequest", "ChannelStateChange", "Dial", "ChannelDtmfReceived", "ChannelHold", "ChannelUnhold", "ApplicationReplaced", "ChannelVarset", "ChannelEnteredBridge", "ChannelLeftBridge", "BridgeDestroyed", "other"}
	refusals        = []string{"overload", "draining", "disabled", "trunk_full"}
	findings        = []string{"offered", "orphan", "new"}
)

func newMetrics(r prometheus.Registerer) *metrics {
	opts := func(n, help string) prometheus.Opts {
		return prometheus.Opts{Namespace: "hotline", Subsystem: "ari", Name: n, Help: help}
	}
	count := func(n, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts(opts(n, help)), labels)
	}
	seconds := func(n, help string) prometheus.Histogram {
		return prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: "hotline", Subsystem: "ari", Name: n, Help: help,
			Buckets: []float64{.0005, .001, .002, .005, .01, .02, .05, .1, .25, .5, 1, 2.5, 5, 10}})
	}
	m := &metrics{
		requests:   count("requests_total", "Requests to ARI, by outcome.", "outcome"),
		events:     count("events_total", "Events of ARI, by type.", "type"),
		lag:        seconds("event_lag_seconds", "From an event's time at Asterisk to our handling it, less the difference of the clocks."),
		reconnects: prometheus.NewCounter(prometheus.CounterOpts(opts("reconnects_total", "Connections to Asterisk after the first."))),
		up:         prometheus.NewGauge(prometheus.GaugeOpts(opts("up", "1 while Asterisk can take calls for us."))),
		legs:       prometheus.NewGaugeVec(prometheus.GaugeOpts(opts("legs", "Live legs in Asterisk, by direction.")), []string{"direction"}),
		refused:    count("refused_total", "Calls not served, by reason.", "reason"),
		found:      count("found_total", "Calls found in Asterisk: offered for adoption, of these orphans, and new ones.", "what"),
		destroyed:  count("destroyed_total", "Leftovers of ours that were cleared away in Asterisk.", "what"),
		overflows:  count("overflows_total", "Queues of events that ran full.", "queue"),
		lostDigits: prometheus.NewCounter(prometheus.CounterOpts(opts("digits_dropped_total", "Keys dropped because nobody read them."))),
		panics:     prometheus.NewCounter(prometheus.CounterOpts(opts("panics_total", "Panics recovered in this driver."))),
		setup:      seconds("attach_seconds", "Time to connect a channel with our audio."),
	}
	for v, values := range map[*prometheus.CounterVec][]string{m.requests: requestOutcomes, m.events: eventTypes, m.refused: refusals,
		m.found: findings, m.destroyed: {"channel", "bridge"}, m.overflows: {"socket", "leg"}} {
		for _, label := range values {
			v.WithLabelValues(label)
		}
	}
	for _, direction := range []string{"in", "out"} {
		m.legs.WithLabelValues(direction)
	}
	if r != nil {
		r.MustRegister(m.requests, m.events, m.lag, m.reconnects, m.up, m.legs, m.refused, m.found, m.destroyed, m.overflows,
			m.lostDigits, m.panics, m.setup)
	}
	return m
}

var knownEvents = func() map[string]bool {
	m := map[string]bool{}
	for _, t := range eventTypes {
		m[t] = true
	}
	return m
}()

func (m *metrics) event(name string) {
	if !knownEvents[name] {
		name = "other"
	}
	m.events.WithLabelValues(name).Inc()
}
