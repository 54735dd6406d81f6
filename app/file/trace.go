package file

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/radpanel/radpanel/app/telemetry"
)

// startS3 begins the span of an exchange with the S3 server, by OpenTelemetry's conventions for S3.
func (s *S3) startS3(ctx context.Context, operation string) (context.Context, trace.Span) {
	if !telemetry.IsTraced(ctx) {
		return telemetry.StartChild(ctx, operation)
	}
	return telemetry.StartChild(ctx, "S3/"+operation, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
		attribute.String("rpc.system", "aws-api"), semconv.RPCMethod("S3/"+operation), semconv.AWSS3Bucket(s.bucket)))
}

// endSpan ends the span of what a store did. That there is no such object is an answer like others.
func endSpan(span trace.Span, err error) {
	switch {
	case err == nil, errors.Is(err, ErrNotFound):
	case errors.Is(err, ErrFull):
		telemetry.Failed(span, "full")
	case errors.Is(err, context.Canceled):
		telemetry.Failed(span, "canceled")
	case errors.Is(err, ErrUnavailable):
		telemetry.Failed(span, "unavailable")
	default:
		telemetry.Failed(span, "_OTHER")
	}
	span.End()
}
