package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// scope names this service's instrumentation.
const scope = "github.com/radpanel/radpanel/app"

// otlpPath is where OTLP/HTTP takes traces, if the endpoint names no path.
const otlpPath = "/v1/traces"

// TracingOptions say which traces are kept, and where they go.
type TracingOptions struct {
	// Endpoint is the URL of the collector or store. Empty: nothing is traced.
	Endpoint string
	// Ratio is the share of ordinary traces that are kept. Those of failures, of what took longer than Slow, and of jobs
	// with the requests that asked for them, are all kept.
	Ratio float64
	Slow  time.Duration
	// PerSecond bounds the ordinary traces that are kept, once more those of jobs, and once more the others: a bad hour must not
	// fill the store.
	PerSecond int
	// Scheme is that of the addresses that browsers use, which the web server may end.
	Scheme string
	// Version, Tier and Instance tell whose traces they are.
	Version, Tier, Instance string
	Registry                prometheus.Registerer
	Log                     *slog.Logger
}

// Tracing makes traces of requests and of jobs, and sends those worth keeping. Whoever is traced never waits for that:
// what cannot be sent is dropped and counted. A nil *Tracing traces nothing.
type Tracing struct {
	tail   *tail
	scheme string
}

// NewTracing starts to send traces; nil if there is no endpoint. Stop ends it.
func NewTracing(options TracingOptions) (*Tracing, error) {
	if options.Endpoint == "" {
		return nil, nil //nolint:nilnil // Said above: it is a Tracing that traces nothing.
	}
	endpoint, err := url.Parse(options.Endpoint)
	if err != nil {
		return nil, fmt.Errorf("endpoint of traces: %w", err)
	}
	if endpoint.Path == "" || endpoint.Path == "/" {
		endpoint.Path = otlpPath
	}
	client := otlptracehttp.NewClient(otlptracehttp.WithEndpointURL(endpoint.String()),
		// A batch that is tried again keeps the next ones waiting. It is dropped.
		otlptracehttp.WithTimeout(exportTimeout), otlptracehttp.WithRetry(otlptracehttp.RetryConfig{}))
	return &Tracing{scheme: options.Scheme, tail: newTail(options, newQueue(client, options.Registry, options.Log))}, nil
}

func resourceOf(options TracingOptions) *resource.Resource {
	return resource.NewWithAttributes(semconv.SchemaURL,
		semconv.ServiceName("radpanel"), semconv.ServiceVersion(options.Version), semconv.ServiceInstanceID(options.Instance),
		attribute.String("radpanel.tier", options.Tier))
}

// start begins a trace, or goes on with the one that a caller from inside has begun.
func (t *Tracing) start(ctx context.Context, caller trace.SpanContext, name string, options ...trace.SpanStartOption) (context.Context, trace.Span) {
	root := t.tail.start(caller, name, options)
	if root == nil {
		return ctx, noop.Span{}
	}
	return trace.ContextWithSpan(ctx, root), root
}

// Stop sends what was kept, as far as it gets until ctx ends.
func (t *Tracing) Stop(ctx context.Context) error {
	if t == nil {
		return nil
	}
	return t.tail.queue.stop(ctx)
}

// StartChild begins a part of what ctx is traced as; outside of a trace, nothing. The span must be ended.
func StartChild(ctx context.Context, name string, options ...trace.SpanStartOption) (context.Context, trace.Span) {
	parent, ok := trace.SpanFromContext(ctx).(*draft)
	if !ok || !parent.IsRecording() {
		return ctx, noop.Span{} // Not the parent, which others end.
	}
	child := parent.newChild(name, options)
	if child == nil {
		return ctx, noop.Span{}
	}
	return trace.ContextWithSpan(ctx, child), child
}

// IsTraced reports whether what ctx belongs to is traced. It is asked before anything is computed for a span.
func IsTraced(ctx context.Context) bool { return trace.SpanFromContext(ctx).IsRecording() }

// Failed marks a span with what went wrong, by a word from a closed set: texts of errors can hold what users entered.
func Failed(span trace.Span, kind string) {
	span.SetStatus(codes.Error, "")
	span.SetAttributes(semconv.ErrorTypeKey.String(kind))
}
