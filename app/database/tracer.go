package database

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/prometheus/client_golang/prometheus"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/radpanel/radpanel/app/telemetry"
)

// StatementCounter counts and times the statements that are run, by name, and makes spans of those that are run for
// something that is traced. It is given to Open as the Tracer.
type StatementCounter struct {
	statements, seconds, failures *prometheus.CounterVec
	durations                     *prometheus.HistogramVec
	reads                         atomic.Int64
}

// NewStatementCounter returns a counter whose metrics are registered.
func NewStatementCounter(registry prometheus.Registerer) *StatementCounter {
	byName := func(name, help string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "radpanel_database_" + name, Help: help}, []string{"statement"})
	}
	c := &StatementCounter{
		statements: byName("statements_total", "Statements run, by name."),
		seconds:    byName("statement_seconds_total", "Time that statements took, by name."),
		failures:   byName("statement_failures_total", "Statements that failed, by name."),
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "radpanel_database_statement_duration_seconds", Help: "Time that statements took, reading and writing ones.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 5},
		}, []string{"kind"}),
	}
	registry.MustRegister(c.statements, c.seconds, c.failures, c.durations)
	return c
}

// Reads returns how many reading statements were run since the start.
func (c *StatementCounter) Reads() int64 { return c.reads.Load() }

// traced is a statement on its way.
type traced struct {
	name, kind string
	started    time.Time
	span       trace.Span
}

type tracedKey struct{}

// TraceQueryStart counts a statement.
func (c *StatementCounter) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	name, _ := statementName(data.SQL)
	c.statements.WithLabelValues(name).Inc()
	kind := "write"
	if isRead(data.SQL) {
		kind = "read"
		c.reads.Add(1)
	}
	statement := traced{name: name, kind: kind, started: time.Now()}
	if telemetry.IsTraced(ctx) {
		ctx, statement.span = startSpan(ctx, spanName(name, data.SQL))
	}
	return context.WithValue(ctx, tracedKey{}, statement)
}

// startSpan begins the span of an exchange with PostgreSQL: it has the name of a statement, never its values.
func startSpan(ctx context.Context, name string) (context.Context, trace.Span) {
	return telemetry.StartChild(ctx, name, trace.WithSpanKind(trace.SpanKindClient),
		trace.WithAttributes(semconv.DBSystemNamePostgreSQL, semconv.DBQuerySummary(name)))
}

// spanName tells the statements apart that have no name of their own: those around a transaction.
func spanName(name, sql string) string {
	switch word := strings.ToLower(strings.TrimSpace(sql)); word {
	case "begin", "commit", "rollback":
		return strings.ToUpper(word)
	default:
		return name
	}
}

func endSpan(span trace.Span, err error) {
	if span == nil {
		return
	}
	var refused *pgconn.PgError
	switch {
	case err == nil || errors.Is(err, pgx.ErrNoRows):
	case errors.As(err, &refused):
		span.SetAttributes(semconv.DBResponseStatusCode(refused.Code))
		telemetry.Failed(span, refused.Code)
	case errors.Is(err, context.Canceled):
		telemetry.Failed(span, "canceled")
	case errors.Is(err, context.DeadlineExceeded):
		telemetry.Failed(span, "timeout")
	default:
		telemetry.Failed(span, "connection")
	}
	span.End()
}

// longWait is from when on a wait for a connection shows in a trace. Most get theirs in microseconds.
const longWait = time.Millisecond

// traceWait makes a span of a wait for a connection of the pool that was long or in vain.
func traceWait(ctx context.Context, asked time.Time, err error) {
	if !telemetry.IsTraced(ctx) || err == nil && time.Since(asked) < longWait {
		return
	}
	_, span := telemetry.StartChild(ctx, "wait for a connection", trace.WithTimestamp(asked), trace.WithAttributes(semconv.DBSystemNamePostgreSQL))
	endSpan(span, err)
}

// TraceCopyFromStart begins the span of a COPY.
func (c *StatementCounter) TraceCopyFromStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceCopyFromStartData) context.Context {
	if !telemetry.IsTraced(ctx) {
		return ctx
	}
	ctx, span := startSpan(ctx, "COPY "+strings.Join(data.TableName, "."))
	return context.WithValue(ctx, tracedKey{}, traced{span: span})
}

// TraceCopyFromEnd ends it.
func (c *StatementCounter) TraceCopyFromEnd(ctx context.Context, _ *pgx.Conn, data pgx.TraceCopyFromEndData) {
	if copied, ok := ctx.Value(tracedKey{}).(traced); ok && copied.span != nil {
		copied.span.SetAttributes(semconv.DBResponseReturnedRows(int(data.CommandTag.RowsAffected())))
		endSpan(copied.span, data.Err)
	}
}

// TraceQueryEnd times it. A statement whose rows are read is at its end when they all are.
func (c *StatementCounter) TraceQueryEnd(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryEndData) {
	statement, ok := ctx.Value(tracedKey{}).(traced)
	if !ok {
		return
	}
	endSpan(statement.span, data.Err)
	took := time.Since(statement.started).Seconds()
	c.seconds.WithLabelValues(statement.name).Add(took)
	c.durations.WithLabelValues(statement.kind).Observe(took)
	if data.Err != nil {
		c.failures.WithLabelValues(statement.name).Inc()
	}
}

// isRead reports whether a statement only reads.
func isRead(sql string) bool {
	_, sql = statementName(sql)
	return len(sql) >= len("select") && strings.EqualFold(sql[:len("select")], "select")
}

// statementName takes the comment off that sqlc puts before a statement, "-- name: GetUser :one". Other statements are
// all called "other", so that the set of labels stays closed.
func statementName(sql string) (name, rest string) {
	comment, rest, ok := strings.Cut(sql, "\n")
	comment, named := strings.CutPrefix(comment, "-- name: ")
	if !ok || !named {
		return "other", strings.TrimSpace(sql)
	}
	name, _, _ = strings.Cut(comment, " ")
	for strings.HasPrefix(rest, "--") {
		_, rest, _ = strings.Cut(rest, "\n")
	}
	return name, strings.TrimSpace(rest)
}
