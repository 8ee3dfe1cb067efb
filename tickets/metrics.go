package tickets

import (
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the engine's own figures. Labels are rows and levels of the tables: a closed set.
type metrics struct {
	lookups   *prometheus.HistogramVec // by level of the match; error when it failed
	decisions *prometheus.CounterVec   // by row of the attach table
}

// newMetrics makes the figures and registers them; a nil registerer keeps them to themselves.
func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		lookups: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "hotline_caller_lookup_seconds",
			Help:    "Time to find who is calling, by level of the match (tickets table 3.2).",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, 1}, NativeHistogramBucketFactor: 1.1}, []string{"level"}),
		decisions: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hotline_call_link_decisions_total",
			Help: "Decisions which ticket a call belongs to, by row of the table; a decision whose transaction is rolled back is counted again."}, []string{"rule"}),
	}
	for _, level := range []string{levelKnown, levelShared, levelMaybe, levelAmbiguous, levelNone, levelWithheld, levelOwn, "error"} {
		m.lookups.WithLabelValues(level)
	}
	for rule := range reasons {
		if strings.HasPrefix(rule, "A") && rule != "A14" {
			m.decisions.WithLabelValues(rule)
		}
	}
	if reg != nil {
		reg.MustRegister(m.lookups, m.decisions)
	}
	return m
}

func (m *metrics) looked(level string, err error, took time.Duration) {
	if err != nil {
		level = "error"
	}
	m.lookups.WithLabelValues(level).Observe(took.Seconds())
}
