package telemetry

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics are the service's metrics. Other parts register their own on Registry; names start with "radpanel_".
type Metrics struct {
	// Registry is what /metrics shows.
	Registry *prometheus.Registry
	// Window holds the response times of the API in the last five minutes.
	Window *Window

	requests  *prometheus.CounterVec
	durations *prometheus.HistogramVec
	inFlight  prometheus.Gauge
	shed      *prometheus.CounterVec
}

// NewMetrics returns metrics with a registry of their own, which also shows the Go runtime and the process.
func NewMetrics() *Metrics {
	m := &Metrics{
		Registry: prometheus.NewRegistry(),
		Window:   NewWindow(time.Now),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "radpanel_http_requests_total", Help: "Requests served, by route and status.",
		}, []string{"route", "status"}),
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "radpanel_http_request_duration_seconds", Help: "Time from the request's header to the end of the response, by route.",
			// Seconds. There is an edge at every p95 target of the plan (0.15 to 0.5 s), so that the share of requests
			// within a target is exact.
			Buckets: []float64{0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2, 5, 10},
		}, []string{"route"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "radpanel_http_requests_in_flight", Help: "Requests being served now.",
		}),
		shed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "radpanel_http_requests_shed_total", Help: "Requests refused because the service was busy, by what was short.",
		}, []string{"reason"}),
	}
	m.Registry.MustRegister(m.requests, m.durations, m.inFlight, m.shed,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Handler serves the metrics in Prometheus' text format.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.Registry, promhttp.HandlerOpts{})
}

// Started counts a request in; the function it returns counts it out, with the route's pattern, such as
// "GET /api/v1/panels/{panel_id}", and the status.
func (m *Metrics) Started() func(route string, status int, took time.Duration) {
	m.inFlight.Inc()
	return func(route string, status int, took time.Duration) {
		m.inFlight.Dec()
		m.requests.WithLabelValues(route, strconv.Itoa(status)).Inc()
		m.durations.WithLabelValues(route).Observe(took.Seconds())
	}
}

// Shed counts a request that was refused because something was short, such as "in_flight" or "database".
func (m *Metrics) Shed(reason string) { m.shed.WithLabelValues(reason).Inc() }
