package calllog

import (
	"fmt"
	"os"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics of the journal. All without labels.
type metrics struct {
	records prometheus.Counter   // records written
	errors  prometheus.Counter   // failed writes, syncs, preallocations
	damaged prometheus.Counter   // torn or missing records found
	sync    prometheus.Histogram // seconds from taking a group to its sync
	lag     prometheus.Gauge     // records written and not yet copied into rows
	copied  prometheus.Counter   // records copied into rows
	refused prometheus.Counter   // records the database refused for good
}

func newMetrics(reg prometheus.Registerer) metrics {
	m := metrics{
		records: prometheus.NewCounter(prometheus.CounterOpts{Name: "hotline_journal_records_total", Help: "Call facts written to the local journal."}),
		errors:  prometheus.NewCounter(prometheus.CounterOpts{Name: "hotline_journal_errors_total", Help: "Failed writes, syncs or preallocations of the journal."}),
		damaged: prometheus.NewCounter(prometheus.CounterOpts{Name: "hotline_journal_damaged_total", Help: "Torn or missing records found while reading the journal."}),
		sync: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "hotline_journal_sync_seconds", Help: "Time to write and sync one group of call facts.",
			Buckets: prometheus.ExponentialBuckets(0.0001, 2, 14)}),
		lag:    prometheus.NewGauge(prometheus.GaugeOpts{Name: "hotline_journal_lag_records", Help: "Call facts not yet copied into PostgreSQL."}),
		copied: prometheus.NewCounter(prometheus.CounterOpts{Name: "hotline_journal_copied_total", Help: "Call facts copied into PostgreSQL."}),
	}
	m.refused = prometheus.NewCounter(prometheus.CounterOpts{Name: "hotline_journal_refused_total", Help: "Call facts that PostgreSQL refused for good."})
	if reg != nil {
		reg.MustRegister(m.records, m.errors, m.damaged, m.sync, m.lag, m.copied, m.refused)
	}
	return m
}

func removeFile(path string) error {
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("remove copied journal segment: %w", err)
	}
	return nil
}
