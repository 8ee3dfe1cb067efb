package queue

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the engine's series. Labels: queue keys (set by administrators), and the closed sets of this package.
type metrics struct {
	waitingG  *prometheus.GaugeVec     // hotline_queue_waiting{queue}
	waitH     *prometheus.HistogramVec // hotline_queue_wait_seconds{queue,outcome}
	offersC   *prometheus.CounterVec   // hotline_queue_offers_total{queue,result}; queue "" is direct
	agentsG   *prometheus.GaugeVec     // hotline_queue_agents{state}
	decisionH prometheus.Histogram     // hotline_queue_decision_seconds
	sweptC    prometheus.Counter       // hotline_queue_swept_total
	pendingG  prometheus.Gauge         // hotline_queue_store_pending
	droppedC  *prometheus.CounterVec   // hotline_queue_store_dropped_total{kind}
	retriesC  prometheus.Counter       // hotline_queue_store_retries_total
}

var offerResults = []OfferState{OfferJoined, OfferMissed, OfferRefused, OfferFailed, OfferWithdrawn}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		waitingG: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "hotline_queue_waiting",
			Help: "Callers not yet bridged, those being offered included."}, []string{"queue"}),
		waitH: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "hotline_queue_wait_seconds",
			Help:    "Wait in the queue until its outcome; answered means that the customer could hear the agent.",
			Buckets: []float64{1, 2, 5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 300, 600, 1200}}, []string{"queue", "outcome"}),
		offersC: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hotline_queue_offers_total",
			Help: "Offers that ended, by how."}, []string{"queue", "result"}),
		agentsG: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "hotline_queue_agents",
			Help: "Agents by state."}, []string{"state"}),
		decisionH: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "hotline_queue_decision_seconds",
			Help: "Time of one decision.", Buckets: prometheus.ExponentialBuckets(500e-9, 2, 16)}),
		sweptC: prometheus.NewCounter(prometheus.CounterOpts{Name: "hotline_queue_swept_total",
			Help: "States that should not have been there and were freed. Alarm on any."}),
		pendingG: prometheus.NewGauge(prometheus.GaugeOpts{Name: "hotline_queue_store_pending",
			Help: "Rows decided and not yet written."}),
		droppedC: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hotline_queue_store_dropped_total",
			Help: "Rows that were never written."}, []string{"kind"}),
		retriesC: prometheus.NewCounter(prometheus.CounterOpts{Name: "hotline_queue_store_retries_total",
			Help: "Writes that had to be tried again."}),
	}
	for _, st := range AgentStates {
		m.agentsG.WithLabelValues(string(st))
	}
	for _, kind := range []string{"entry", "offer", "agent", "log"} {
		m.droppedC.WithLabelValues(kind)
	}
	if reg != nil {
		reg.MustRegister(m.waitingG, m.waitH, m.offersC, m.agentsG, m.decisionH, m.sweptC, m.pendingG, m.droppedC, m.retriesC)
	}
	return m
}

// addQueue shows a queue's series before anything happened in it.
func (m *metrics) addQueue(key string) {
	m.waitingG.WithLabelValues(key)
	for _, r := range offerResults {
		m.offersC.WithLabelValues(key, string(r))
	}
}

func (m *metrics) dropQueue(key string) {
	m.waitingG.DeleteLabelValues(key)
	m.waitH.DeletePartialMatch(prometheus.Labels{"queue": key})
	m.offersC.DeletePartialMatch(prometheus.Labels{"queue": key})
}

func (m *metrics) waiting(key string, n int) { m.waitingG.WithLabelValues(key).Set(float64(n)) }

func (m *metrics) waited(key string, o Outcome, d time.Duration) {
	m.waitH.WithLabelValues(key, string(o)).Observe(d.Seconds())
}

func (m *metrics) offered(q *queueState, r OfferState) {
	key := ""
	if q != nil {
		key = q.cfg.Key
	}
	m.offersC.WithLabelValues(key, string(r)).Inc()
}

func (m *metrics) agents(st AgentState, n float64) { m.agentsG.WithLabelValues(string(st)).Add(n) }
func (m *metrics) decision(d time.Duration)        { m.decisionH.Observe(d.Seconds()) }
func (m *metrics) swept()                          { m.sweptC.Inc() }
