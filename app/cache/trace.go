package cache

import (
	"context"
	"errors"
	"net"
	"strings"

	"github.com/redis/go-redis/v9"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/radpanel/radpanel/app/telemetry"
)

// tracer makes spans of the exchanges with Redis that belong to something that is traced: the command, none of its
// arguments.
type tracer struct{}

// DialHook leaves connections as they are: they are made for whoever comes next.
func (tracer) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		return next(ctx, network, address)
	}
}

// ProcessHook traces a command.
func (tracer) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, command redis.Cmder) error {
		if !telemetry.IsTraced(ctx) {
			return next(ctx, command)
		}
		return traceExchange(ctx, strings.ToUpper(command.Name()), func(ctx context.Context) error { return next(ctx, command) })
	}
}

// ProcessPipelineHook traces several commands that are sent at once.
func (tracer) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, commands []redis.Cmder) error {
		if !telemetry.IsTraced(ctx) {
			return next(ctx, commands)
		}
		return traceExchange(ctx, "PIPELINE", func(ctx context.Context) error { return next(ctx, commands) })
	}
}

func traceExchange(ctx context.Context, name string, exchange func(context.Context) error) error {
	ctx, span := telemetry.StartChild(ctx, name, trace.WithSpanKind(trace.SpanKindClient),
		trace.WithAttributes(semconv.DBSystemNameRedis, semconv.DBOperationName(name)))
	defer span.End()
	err := exchange(ctx)
	var timeout net.Error
	switch {
	case err == nil, errors.Is(err, redis.Nil), redis.HasErrorPrefix(err, "NOSCRIPT"): // The script is sent whole then.
	case errors.Is(err, context.Canceled):
		telemetry.Failed(span, "canceled")
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		telemetry.Failed(span, "timeout")
	default:
		telemetry.Failed(span, "redis")
	}
	return err
}
