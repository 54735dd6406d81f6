package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

const (
	// queuedSpans bounds what waits to be sent: some megabytes.
	queuedSpans = 4096
	// exportBatch is how many spans go in one request, exportInterval how long the first of them waits for others.
	exportBatch    = 512
	exportInterval = time.Second
	exportTimeout  = 5 * time.Second
)

// Why a span was lost, as a label.
const (
	lostFull   = "full"   // more traces under way, more spans in one, or more waiting to be sent than there may be
	lostLate   = "late"   // its trace had ended
	lostExport = "export" // the store did not take it
)

// queue sends spans in batches, from a goroutine of its own.
type queue struct {
	exporter *otlptrace.Exporter
	log      *slog.Logger

	mu      sync.Mutex
	waiting []sdktrace.ReadOnlySpan
	// ready says that a batch is whole.
	ready   chan struct{}
	ending  context.CancelFunc
	stopped chan struct{}
	// failing: the store did not take the last batch.
	failing bool

	sent  prometheus.Counter
	drops *prometheus.CounterVec
}

func newQueue(client otlptrace.Client, registry prometheus.Registerer, log *slog.Logger) *queue {
	ctx, cancel := context.WithCancel(context.Background())
	q := &queue{
		exporter: otlptrace.NewUnstarted(client), log: log,
		ready: make(chan struct{}, 1), ending: cancel, stopped: make(chan struct{}),
		sent: prometheus.NewCounter(prometheus.CounterOpts{Name: "radpanel_trace_spans_sent_total", Help: "Spans that the store of traces took."}),
		drops: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "radpanel_trace_spans_dropped_total",
			Help: "Spans that were lost: too many at once (full), after the end of their trace (late), or not taken by the store (export).",
		}, []string{"reason"}),
	}
	for _, reason := range []string{lostFull, lostLate, lostExport} {
		q.drops.WithLabelValues(reason) // So that a rate begins at 0.
	}
	registry.MustRegister(q.sent, q.drops)
	go q.run(ctx)
	return q
}

func (q *queue) lost(reason string, spans int) { q.drops.WithLabelValues(reason).Add(float64(spans)) }

// add takes the spans of a trace, or drops them all when there is no room: half a trace misleads.
func (q *queue) add(spans []sdktrace.ReadOnlySpan) {
	q.mu.Lock()
	fits := len(q.waiting)+len(spans) <= queuedSpans
	if fits {
		q.waiting = append(q.waiting, spans...)
	}
	whole := len(q.waiting) >= exportBatch
	q.mu.Unlock()
	if !fits {
		q.lost(lostFull, len(spans))
	}
	if whole {
		select {
		case q.ready <- struct{}{}:
		default: // It is being sent.
		}
	}
}

func (q *queue) take() []sdktrace.ReadOnlySpan {
	q.mu.Lock()
	defer q.mu.Unlock()
	batch := q.waiting[:min(len(q.waiting), exportBatch)]
	q.waiting = q.waiting[len(batch):]
	if len(q.waiting) == 0 {
		q.waiting = nil
	}
	return batch
}

func (q *queue) run(ctx context.Context) {
	defer close(q.stopped)
	_ = q.exporter.Start(ctx) // It connects when it sends.
	tick := time.NewTicker(exportInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-q.ready:
		}
		for batch := q.take(); len(batch) > 0 && ctx.Err() == nil; batch = q.take() {
			q.export(ctx, batch)
		}
	}
}

func (q *queue) export(ctx context.Context, batch []sdktrace.ReadOnlySpan) {
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), exportTimeout) // What is on its way may arrive.
	defer cancel()
	err := q.exporter.ExportSpans(bounded, batch)
	if err != nil {
		q.lost(lostExport, len(batch))
	} else {
		q.sent.Add(float64(len(batch)))
	}
	if (err != nil) == q.failing { // Said once, not for every batch.
		return
	}
	q.failing = err != nil
	if q.failing {
		q.log.WarnContext(ctx, "traces cannot be sent; they are dropped until they can", "error", err)
		return
	}
	q.log.InfoContext(ctx, "traces can be sent again")
}

// stop ends the goroutine and sends what waits, until ctx ends.
func (q *queue) stop(ctx context.Context) error {
	q.ending()
	select {
	case <-q.stopped:
	case <-ctx.Done():
		return fmt.Errorf("traces: %w", ctx.Err())
	}
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		for batch := q.take(); len(batch) > 0 && ctx.Err() == nil; batch = q.take() {
			q.export(ctx, batch)
		}
	}()
	select {
	case <-finished:
		return q.exporter.Shutdown(ctx)
	case <-ctx.Done():
		return fmt.Errorf("traces: %w", ctx.Err())
	}
}
