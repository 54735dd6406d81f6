package telemetry

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// Names and attributes of spans follow OpenTelemetry's semantic conventions for HTTP, databases, object stores and
// messaging, at the version that is imported. None carries the values of a statement or of a command, nor a query.

// traceParent is W3C's header, and the form in which a job carries what asked for it.
const traceParent = "traceparent"

// StartRequest begins the span of a request, which ctx belongs to. A trace that comes from outside is not continued:
// whoever is there could fill the store, or mix foreign traces with ours. Its id is kept as a link. One of our own is
// continued.
func (t *Tracing) StartRequest(ctx context.Context, r *http.Request, isFromInside bool) (context.Context, trace.Span) {
	if t == nil {
		return ctx, noop.Span{}
	}
	name, method := r.Method, semconv.HTTPRequestMethodKey.String(r.Method)
	if !knownMethod(r.Method) {
		name, method = "HTTP", semconv.HTTPRequestMethodOther
	}
	var caller trace.SpanContext
	options := []trace.SpanStartOption{
		trace.WithSpanKind(trace.SpanKindServer),
		trace.WithAttributes(method, semconv.URLPath(r.URL.Path), semconv.URLScheme(t.scheme),
			attribute.String("radpanel.request_id", RequestOf(ctx).ID)),
	}
	if r.Header.Get(traceParent) != "" {
		theirs := propagation.TraceContext{}.Extract(context.Background(), propagation.HeaderCarrier(r.Header))
		if span := trace.SpanContextFromContext(theirs); isFromInside {
			caller = span
		} else if span.IsValid() {
			options = append(options, trace.WithLinks(trace.Link{SpanContext: span}))
		}
	}
	return t.start(ctx, caller, name, options...)
}

// EndRequest ends the span of a request: route is the pattern that it was sent to, such as
// "GET /api/v1/panels/{panel_id}", and empty if it was sent nowhere.
func EndRequest(span trace.Span, route string, status int) {
	if !span.IsRecording() {
		return
	}
	if _, path, ok := strings.Cut(route, " "); ok {
		span.SetName(route)
		span.SetAttributes(semconv.HTTPRoute(path))
	}
	span.SetAttributes(semconv.HTTPResponseStatusCode(status))
	if status >= http.StatusInternalServerError {
		Failed(span, strconv.Itoa(status))
	}
	span.End()
}

func knownMethod(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return true
	default:
		return false
	}
}

// StartEnqueue begins the span of putting a job into the outbox. The TraceParent of the context that it gives belongs
// into the job.
func StartEnqueue(ctx context.Context, kind string, id uuid.UUID) (context.Context, trace.Span) {
	if !IsTraced(ctx) {
		return ctx, noop.Span{}
	}
	ctx, span := StartChild(ctx, "send "+kind, trace.WithSpanKind(trace.SpanKindProducer),
		trace.WithAttributes(jobAttributes(kind, id, semconv.MessagingOperationTypeSend)...))
	keep(span)
	return ctx, span
}

// TraceParent is what names the span of ctx elsewhere; nil outside of a trace.
func TraceParent(ctx context.Context) *string {
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	if text := carrier[traceParent]; text != "" {
		return &text
	}
	return nil
}

// StartJob begins the trace of an attempt at a job, linked to the request that asked for it: that one has long been
// answered, and there may be several attempts.
func (t *Tracing) StartJob(ctx context.Context, kind string, id uuid.UUID, attempt int32, parent *string) (context.Context, trace.Span) {
	if t == nil {
		return ctx, noop.Span{}
	}
	options := []trace.SpanStartOption{
		trace.WithSpanKind(trace.SpanKindConsumer),
		trace.WithAttributes(jobAttributes(kind, id, semconv.MessagingOperationTypeProcess)...),
		trace.WithAttributes(attribute.Int64("radpanel.job.attempt", int64(attempt))),
	}
	if parent != nil {
		asked := propagation.TraceContext{}.Extract(context.Background(), propagation.MapCarrier{traceParent: *parent})
		if span := trace.SpanContextFromContext(asked); span.IsValid() {
			options = append(options, trace.WithLinks(trace.Link{SpanContext: span}))
		}
	}
	ctx, span := t.start(ctx, trace.SpanContext{}, "process "+kind, options...)
	keep(span)
	return ctx, span
}

func jobAttributes(kind string, id uuid.UUID, operation attribute.KeyValue) []attribute.KeyValue {
	return []attribute.KeyValue{
		semconv.MessagingSystemKey.String("radpanel_outbox"), operation, semconv.MessagingOperationName(operation.Value.AsString()),
		semconv.MessagingDestinationName(kind), semconv.MessagingMessageID(id.String()),
	}
}
