package cache

import (
	"github.com/prometheus/client_golang/prometheus"
)

// The results of a look into the cache.
const (
	hit      = "hit"
	negative = "negative" // known not to be there
	miss     = "miss"
	bypassed = "bypassed" // not asked, for it is not trusted or a change is under way
)

func outcomeOf(err error) string {
	if err != nil {
		return negative
	}
	return hit
}

type metrics struct {
	requests              *prometheus.CounterVec
	holds                 prometheus.Counter
	revocations, failures prometheus.Counter
	trusted               prometheus.GaugeFunc
	roundTrips            prometheus.Histogram
}

func newMetrics(c *Cache) *metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "radpanel_cache_" + name, Help: help})
	}
	return &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "radpanel_cache_requests_total", Help: "Reads, by what was read and what the cache knew of it.",
		}, []string{"kind", "result"}),
		holds:       counter("holds_total", "Changes that the cache was told of."),
		revocations: counter("revocations_total", "Times that this instance has ended all use of what was cached."),
		failures:    counter("failures_total", "Exchanges with Redis that failed."),
		trusted: prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "radpanel_cache_trusted", Help: "1 if the cache is used.",
		}, func() float64 {
			if _, ok := c.trusted(); ok {
				return 1
			}
			return 0
		}),
		roundTrips: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "radpanel_cache_round_trip_seconds", Help: "Exchanges with Redis.",
			Buckets: []float64{.00005, .0001, .00025, .0005, .001, .0025, .005, .01, .025, .1, .25},
		}),
	}
}

func (m *metrics) count(kind, result string) { m.requests.WithLabelValues(kind, result).Inc() }

func (m *metrics) collectors() []prometheus.Collector {
	return []prometheus.Collector{m.requests, m.holds, m.revocations, m.failures, m.trusted, m.roundTrips}
}

// Describe implements [prometheus.Collector].
func (m *metrics) Describe(ch chan<- *prometheus.Desc) {
	for _, collector := range m.collectors() {
		collector.Describe(ch)
	}
}

// Collect implements [prometheus.Collector].
func (m *metrics) Collect(ch chan<- prometheus.Metric) {
	for _, collector := range m.collectors() {
		collector.Collect(ch)
	}
}
