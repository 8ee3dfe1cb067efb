package media

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// endpointMetrics sums the counters of all endpoints of a Pacer when somebody asks, so that packets pay nothing.
type endpointMetrics struct {
	mu     sync.Mutex // guards the rest
	live   map[*Endpoint]struct{}
	closed Stats
}

var (
	descPackets = prometheus.NewDesc("hotline_media_packets_total",
		"RTP packets accepted from (in) and handed to (out) far sides.", []string{"direction"}, nil)
	descBytes = prometheus.NewDesc("hotline_media_bytes_total",
		"Bytes of these packets, RTP headers included.", []string{"direction"}, nil)
	descLost = prometheus.NewDesc("hotline_media_packets_lost_total",
		"Gaps in received sequence numbers that nothing filled.", nil, nil)
	descReordered = prometheus.NewDesc("hotline_media_packets_reordered_total",
		"Packets that came after a later one and were still used.", nil, nil)
	descLate = prometheus.NewDesc("hotline_media_packets_late_total",
		"Packets that came too late to be used.", nil, nil)
	descDropped = prometheus.NewDesc("hotline_media_packets_dropped_total",
		"Packets that were not used, by reason.", []string{"reason"}, nil)
	descDigits    = prometheus.NewDesc("hotline_media_digits_total", "Keys received as telephone events.", nil, nil)
	descEndpoints = prometheus.NewDesc("hotline_media_endpoints", "Parties whose audio is open.", nil, nil)
)

func (m *endpointMetrics) register(e *Endpoint) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.live == nil {
		m.live = map[*Endpoint]struct{}{}
	}
	m.live[e] = struct{}{}
}

func (m *endpointMetrics) unregister(e *Endpoint) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.live[e]; ok {
		delete(m.live, e)
		s := e.Stats()
		m.closed.add(&s)
	}
}

// Describe implements prometheus.Collector.
func (m *endpointMetrics) Describe(c chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descPackets, descBytes, descLost, descReordered, descLate, descDropped,
		descDigits, descEndpoints} {
		c <- d
	}
}

// Collect implements prometheus.Collector.
func (m *endpointMetrics) Collect(c chan<- prometheus.Metric) {
	m.mu.Lock()
	sum, live := m.closed, len(m.live)
	for e := range m.live {
		s := e.Stats()
		sum.add(&s)
	}
	m.mu.Unlock()
	counter := func(d *prometheus.Desc, v uint64, labels ...string) {
		c <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	counter(descPackets, sum.ReceivedPackets, "in")
	counter(descPackets, sum.SentPackets, "out")
	counter(descBytes, sum.ReceivedBytes, "in")
	counter(descBytes, sum.SentBytes, "out")
	counter(descLost, sum.Lost)
	counter(descReordered, sum.Reordered)
	counter(descLate, sum.Late)
	counter(descDigits, sum.Digits)
	for reason, v := range map[string]uint64{
		"duplicate": sum.Duplicates, "invalid": sum.Invalid, "rtcp": sum.RTCP, "unknown": sum.Unknown,
		"foreign_ssrc": sum.ForeignSSRC, "refused": sum.Refused, "send_error": sum.SendErrors, "unsent": sum.Unsent,
	} {
		counter(descDropped, v, reason)
	}
	c <- prometheus.MustNewConstMetric(descEndpoints, prometheus.GaugeValue, float64(live))
}
