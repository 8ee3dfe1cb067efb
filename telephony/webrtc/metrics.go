package webrtc

import "github.com/prometheus/client_golang/prometheus"

// metrics of the browsers' media. Label values are bounded and start at zero.
type metrics struct {
	attaches   *prometheus.CounterVec // result
	restarts   prometheus.Counter     //
	connected  *prometheus.CounterVec // path
	failures   *prometheus.CounterVec // why
	open       prometheus.Gauge       //
	setup      prometheus.Histogram   //
	dropped    *prometheus.CounterVec // why
	tcpRefused prometheus.Counter     //
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		attaches: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hotline_webrtc_attaches_total",
			Help: "Requests of browsers to connect their sound, by result."}, []string{"result"}),
		restarts: prometheus.NewCounter(prometheus.CounterOpts{Name: "hotline_webrtc_restarts_total",
			Help: "Renegotiations of an open connection: ICE restarts and changes of device."}),
		connected: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hotline_webrtc_connected_total",
			Help: "Times a connection came up, by path; tcp means that the network blocks udp."}, []string{"path"}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hotline_webrtc_failures_total",
			Help: "Connections that failed, by reason."}, []string{"why"}),
		open: prometheus.NewGauge(prometheus.GaugeOpts{Name: "hotline_webrtc_connections",
			Help: "Connections not yet closed, by whatever phase."}),
		setup: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "hotline_webrtc_setup_seconds",
			Help:    "From the offer to media that may flow.",
			Buckets: []float64{.01, .02, .05, .1, .2, .5, 1, 2, 5, 15}}),
		dropped: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hotline_webrtc_dropped_packets_total",
			Help: "RTP packets not passed on, by reason."}, []string{"why"}),
		tcpRefused: prometheus.NewCounter(prometheus.CounterOpts{Name: "hotline_webrtc_tcp_refused_total",
			Help: "TCP connections refused because too many were open."}),
	}
	for _, r := range []string{"ok", "no_codec", "bad_sdp", "stopped", "error"} {
		m.attaches.WithLabelValues(r)
	}
	for _, p := range []string{"udp", "tcp"} {
		m.connected.WithLabelValues(p)
	}
	for _, w := range []string{whyICE, whyDTLS, whyConnectLimit} {
		m.failures.WithLabelValues(w)
	}
	for _, w := range []string{dropOut, dropStale, dropUnknown} {
		m.dropped.WithLabelValues(w)
	}
	if reg == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.attaches, m.restarts, m.connected, m.failures, m.open, m.setup,
		m.dropped, m.tcpRefused} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// Why packets are dropped.
const (
	dropOut     = "payload_out" // towards the browser: telephone-event, or a codec it did not agree to
	dropStale   = "stale"       // from a connection that was replaced
	dropUnknown = "payload_in"  // from the browser: a payload type that was never agreed
)
