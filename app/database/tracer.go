package database

import (
	"context"
	"strings"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"
)

// StatementCounter counts the statements that are run, by name. It is given to Open as the Tracer.
type StatementCounter struct {
	statements *prometheus.CounterVec
	reads      atomic.Int64
}

// NewStatementCounter returns a counter whose metric is registered.
func NewStatementCounter(registry prometheus.Registerer) *StatementCounter {
	c := &StatementCounter{statements: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "radpanel_database_statements_total", Help: "Statements run, by name.",
	}, []string{"statement"})}
	registry.MustRegister(c.statements)
	return c
}

// Reads returns how many reading statements were run since the start.
func (c *StatementCounter) Reads() int64 { return c.reads.Load() }

// TraceQueryStart counts a statement.
func (c *StatementCounter) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	name, _ := statementName(data.SQL)
	c.statements.WithLabelValues(name).Inc()
	if isRead(data.SQL) {
		c.reads.Add(1)
	}
	return ctx
}

// TraceQueryEnd does nothing.
func (c *StatementCounter) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

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
