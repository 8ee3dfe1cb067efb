package recordings

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	live       prometheus.Gauge
	failed     prometheus.Counter
	written    prometheus.Counter
	latency    prometheus.Histogram
	pending    prometheus.Gauge
	orphaned   prometheus.Counter
	unreadable prometheus.Counter
}

func newMetrics(reg prometheus.Registerer) metrics {
	m := metrics{
		live:       prometheus.NewGauge(prometheus.GaugeOpts{Name: "hotline_recordings_live", Help: "Recordings being made."}),
		failed:     prometheus.NewCounter(prometheus.CounterOpts{Name: "hotline_recordings_failed_total", Help: "Recordings that ended before their talk."}),
		written:    prometheus.NewCounter(prometheus.CounterOpts{Name: "hotline_recordings_bytes_total", Help: "Sealed bytes written."}),
		latency:    prometheus.NewHistogram(prometheus.HistogramOpts{Name: "hotline_recordings_write_seconds", Help: "Time to seal and write half a second of sound.", Buckets: prometheus.ExponentialBuckets(0.00002, 4, 10)}),
		pending:    prometheus.NewGauge(prometheus.GaugeOpts{Name: "hotline_recordings_unindexed", Help: "Recordings whose row waits for the database or for the call's row."}),
		orphaned:   prometheus.NewCounter(prometheus.CounterOpts{Name: "hotline_recordings_orphaned_total", Help: "Recordings whose call never got a row; their files stay and are tried again at the next start."}),
		unreadable: prometheus.NewCounter(prometheus.CounterOpts{Name: "hotline_recordings_unreadable_total", Help: "Files that no key opens, or frames that are damaged."}),
	}
	if reg != nil {
		reg.MustRegister(m.live, m.failed, m.written, m.latency, m.pending, m.orphaned, m.unreadable)
	}
	return m
}
