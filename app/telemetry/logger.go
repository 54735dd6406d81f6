// Package telemetry is what the service tells its operators: structured logs, metrics and traces.
package telemetry

import (
	"context"
	"fmt"
	"io"
	"log/slog"

	"go.opentelemetry.io/otel/trace"
)

// Request is what every log line about a request carries. It is filled in as the request is understood, by the one
// goroutine that serves it.
type Request struct {
	// ID is the request's own id, also sent back in X-Request-Id.
	ID string
	// UserID is the signed-in user's, empty before that is known.
	UserID string
}

type requestKey struct{}

// WithRequest returns a context whose log lines carry the request's ids.
func WithRequest(ctx context.Context, r *Request) context.Context {
	return context.WithValue(ctx, requestKey{}, r)
}

// RequestOf returns the request that ctx belongs to; outside of one, an empty Request.
func RequestOf(ctx context.Context) *Request {
	if r, ok := ctx.Value(requestKey{}).(*Request); ok {
		return r
	}
	return &Request{}
}

// NewLogger returns a logger that writes JSON lines from the level up: debug, info, warn or error.
func NewLogger(w io.Writer, level string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("log level %q: expected debug, info, warn or error", level)
	}
	return slog.New(requestHandler{slog.NewJSONHandler(w, &slog.HandlerOptions{Level: l})}), nil
}

// requestHandler adds the ids of the context's request and of its span to every line.
type requestHandler struct{ slog.Handler }

// Handle writes the line with the ids.
func (h requestHandler) Handle(ctx context.Context, record slog.Record) error {
	if r, ok := ctx.Value(requestKey{}).(*Request); ok {
		record.AddAttrs(slog.String("request_id", r.ID))
		if r.UserID != "" {
			record.AddAttrs(slog.String("user_id", r.UserID))
		}
	}
	if span := trace.SpanContextFromContext(ctx); span.IsValid() {
		record.AddAttrs(slog.String("trace_id", span.TraceID().String()), slog.String("span_id", span.SpanID().String()))
	}
	return h.Handler.Handle(ctx, record)
}

// WithAttrs returns a handler with more attributes.
func (h requestHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return requestHandler{h.Handler.WithAttrs(attrs)}
}

// WithGroup returns a handler that puts attributes in a group.
func (h requestHandler) WithGroup(name string) slog.Handler {
	return requestHandler{h.Handler.WithGroup(name)}
}
