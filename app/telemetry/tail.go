package telemetry

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/time/rate"
)

const (
	// tracesAtOnce bounds the traces under way. The service serves fewer requests at once.
	tracesAtOnce = 1024
	// spansInTrace bounds one trace: an import makes statements by the thousand.
	spansInTrace = 256
)

// tail decides about a trace when it has ended, for only then it is known whether it was slow or failed. Until then its
// spans are drafts in memory: a request has a handful. Those that are kept are written by the SDK.
type tail struct {
	slow  time.Duration
	ratio sdktrace.Sampler
	// jobs have a limit of their own: a job ends within moments of the request that asked for it, and one without the other
	// leads nowhere.
	ordinary, notable, jobs *rate.Limiter
	queue                   *queue

	underWay  atomic.Int64
	decisions *prometheus.CounterVec

	// writing is held while a trace is written, whose spans come back one by one in written.
	writing sync.Mutex
	tracer  trace.Tracer
	written []sdktrace.ReadOnlySpan
}

func newTail(options TracingOptions, queue *queue) *tail {
	limit := func() *rate.Limiter { return rate.NewLimiter(rate.Limit(options.PerSecond), options.PerSecond) }
	t := &tail{
		slow: options.Slow, ratio: sdktrace.TraceIDRatioBased(options.Ratio), ordinary: limit(), notable: limit(), jobs: limit(), queue: queue,
		decisions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "radpanel_traces_total",
			Help: "Traces that ended: kept as notable (slow, failed, or with a job) or by the ratio, left out by the ratio, or over the rate.",
		}, []string{"decision"}),
	}
	options.Registry.MustRegister(t.decisions)
	provider := sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.AlwaysSample()), sdktrace.WithIDGenerator(draftIDs{}),
		sdktrace.WithSpanProcessor(writtenSpans{t}), sdktrace.WithResource(resourceOf(options)))
	t.tracer = provider.Tracer(scope)
	return t
}

// start begins a trace; nil if it is not to be traced: the caller has left it out, or too many are under way.
func (t *tail) start(caller trace.SpanContext, name string, options []trace.SpanStartOption) *draft {
	if caller.IsValid() && !caller.IsSampled() {
		return nil
	}
	if t.underWay.Add(1) > tracesAtOnce {
		t.underWay.Add(-1)
		t.queue.lost(lostFull, 1)
		return nil
	}
	return newDraftTrace(t, caller, name, options).root
}

// end decides about a trace that has ended. Nothing in it changes any more.
func (t *tail) end(ended *draftTrace) {
	t.underWay.Add(-1)
	decision, keep := t.decide(ended)
	t.decisions.WithLabelValues(decision).Inc()
	if keep {
		t.queue.add(t.write(ended.drafts))
	}
}

// The decisions about a trace, as a label.
const (
	keptNotable = "notable"
	keptRatio   = "ratio"
	outRatio    = "out"
	outRate     = "over_rate"
)

func (t *tail) decide(ended *draftTrace) (decision string, keep bool) {
	root := ended.root
	limit := t.ordinary
	decision = keptRatio
	switch {
	case isJob(root):
		limit, decision = t.jobs, keptNotable
	case ended.isNotable || root.ended.Sub(root.started) > t.slow:
		limit, decision = t.notable, keptNotable
	case ended.caller.IsValid(): // The caller has decided.
	case t.ratio.ShouldSample(sdktrace.SamplingParameters{TraceID: ended.id}).Decision == sdktrace.Drop:
		return outRatio, false
	}
	if !limit.Allow() {
		return outRate, false
	}
	return decision, true
}

func isJob(root *draft) bool {
	started := trace.NewSpanStartConfig(root.options...)
	return started.SpanKind() == trace.SpanKindConsumer
}

// write makes spans of drafts. What has not ended with its trace is left out.
func (t *tail) write(drafts []*draft) []sdktrace.ReadOnlySpan {
	t.writing.Lock()
	defer t.writing.Unlock()
	t.written = make([]sdktrace.ReadOnlySpan, 0, len(drafts))
	for _, d := range drafts {
		if d.ended.IsZero() {
			t.queue.lost(lostLate, 1)
			continue
		}
		ctx := context.WithValue(context.Background(), draftKey{}, d)
		_, span := t.tracer.Start(trace.ContextWithSpanContext(ctx, d.parentContext()), d.name,
			append([]trace.SpanStartOption{trace.WithTimestamp(d.started)}, d.options...)...)
		span.SetAttributes(d.attributes...)
		span.SetStatus(d.status, d.cause)
		span.End(trace.WithTimestamp(d.ended))
	}
	return t.written
}

type draftKey struct{}

// draftIDs gives a span the ids that its draft has: log lines and jobs have named it by them already.
type draftIDs struct{}

// NewIDs is for the root of a trace.
func (draftIDs) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	d := ctx.Value(draftKey{}).(*draft)
	return d.in.id, d.id
}

// NewSpanID is for all others.
func (draftIDs) NewSpanID(ctx context.Context, _ trace.TraceID) trace.SpanID {
	return ctx.Value(draftKey{}).(*draft).id
}

// writtenSpans takes what the SDK has written.
type writtenSpans struct{ tail *tail }

// OnStart is the SDK's.
func (writtenSpans) OnStart(context.Context, sdktrace.ReadWriteSpan) {}

// OnEnd takes a span.
func (w writtenSpans) OnEnd(span sdktrace.ReadOnlySpan) {
	w.tail.written = append(w.tail.written, span)
}

// Shutdown is never asked for: Tracing.Stop ends the queue.
func (writtenSpans) Shutdown(context.Context) error { return nil }

// ForceFlush is never asked for.
func (writtenSpans) ForceFlush(context.Context) error { return nil }
