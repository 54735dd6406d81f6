package job

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"
)

// How an attempt at a job can end, as a label.
const (
	endedSucceeded = "succeeded"
	endedFailed    = "failed"
	endedRetried   = "retried"
	endedReleased  = "released"
	endedLost      = "lost"
)

// Metrics are what workers tell Prometheus.
type Metrics struct {
	attempts *prometheus.CounterVec
	duration *prometheus.HistogramVec
	running  prometheus.Gauge
	queue    *prometheus.GaugeVec
	oldest   *prometheus.GaugeVec
}

// NewMetrics registers the metrics of the jobs.
func NewMetrics(registerer prometheus.Registerer) (*Metrics, error) {
	metrics := &Metrics{
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "radpanel_job_attempts_total",
			Help: "Attempts at jobs that ended, by kind and by how: succeeded, failed, retried, released (the worker stopped), lost (the worker died).",
		}, []string{"kind", "outcome"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "radpanel_job_duration_seconds",
			Help:    "How long attempts at jobs took.",
			Buckets: []float64{.01, .05, .1, .5, 1, 5, 10, 30, 60, 300, 900},
		}, []string{"kind"}),
		running: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "radpanel_jobs_running",
			Help: "Jobs that this instance runs.",
		}),
		queue: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "radpanel_jobs",
			Help: "Unfinished jobs in the database, of all instances, by kind and state.",
		}, []string{"kind", "state"}),
		oldest: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "radpanel_jobs_oldest_seconds",
			Help: "For how long the oldest queued job has been due.",
		}, []string{"kind"}),
	}
	for _, collector := range []prometheus.Collector{
		metrics.attempts, metrics.duration, metrics.running, metrics.queue, metrics.oldest,
	} {
		if err := registerer.Register(collector); err != nil {
			return nil, err
		}
	}
	return metrics, nil
}

func (m *Metrics) ended(kind, outcome string) { m.attempts.WithLabelValues(kind, outcome).Inc() }

// measure reads the length of the queue. When it cannot, the last values stay.
func (w *Worker) measure(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, statementTimeout)
	defer cancel()
	rows, err := w.db.MeasureQueue(ctx)
	if err != nil {
		return // The loops that work on the same table say so.
	}
	w.metrics.queue.Reset()
	w.metrics.oldest.Reset()
	for _, kind := range w.kinds {
		w.metrics.queue.WithLabelValues(kind, StateQueued).Set(0)
		w.metrics.queue.WithLabelValues(kind, StateRunning).Set(0)
		w.metrics.oldest.WithLabelValues(kind).Set(0)
	}
	for _, row := range rows {
		w.metrics.queue.WithLabelValues(row.Kind, row.State).Set(float64(row.Jobs))
		if row.State == StateQueued {
			w.metrics.oldest.WithLabelValues(row.Kind).Set(max(0, row.OldestSeconds))
		}
	}
}
