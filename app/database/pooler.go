package database

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/radpanel/radpanel/app/config"
)

const (
	// consoleName is PgBouncer's own database, whose commands tell how it is.
	consoleName = "pgbouncer"
	// consoleTimeout bounds what one answer to Prometheus waits for a pooler.
	consoleTimeout = time.Second
)

// poolerCollector asks PgBouncer how its pool is, when Prometheus asks.
type poolerCollector struct {
	settings *pgx.ConnConfig
	// database is the panel's.
	database string

	mu      sync.Mutex
	console *pgconn.PgConn

	up, clients, servers, longest, waited, transactions *prometheus.Desc
}

// NewPoolerCollector returns the metrics of the pooler that a database is reached by, to be registered. Its user must be
// one of the pooler's stats_users. While the pooler does not say how it is, the metrics are missing but for "up".
func NewPoolerCollector(name string, databaseURL config.Secret) (prometheus.Collector, error) {
	settings, err := pgx.ParseConfig(databaseURL.Reveal())
	if err != nil {
		return nil, errors.New("database URL: expected postgres://user:password@host:port/database") // The error could show the password.
	}
	c := &poolerCollector{settings: settings, database: settings.Database}
	settings.Database = consoleName
	settings.ConnectTimeout = consoleTimeout
	settings.RuntimeParams["application_name"] = "radpanel metrics"
	of := prometheus.Labels{"pooler": name}
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("radpanel_pooler_"+name, help, labels, of)
	}
	c.up = desc("up", "1 if the pooler says how it is.")
	c.clients = desc("clients", "Connections of clients to the panel's database, by state: active, or waiting for one of the server's.", "state")
	c.servers = desc("servers", "Connections to the server, by state.", "state")
	c.longest = desc("longest_wait_seconds", "For how long the first client in the queue has been waiting.")
	c.waited = desc("wait_seconds_total", "Time that clients have waited for a connection to the server.")
	c.transactions = desc("transactions_total", "Transactions.")
	return c, nil
}

// Describe tells what Collect gives.
func (c *poolerCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{c.up, c.clients, c.servers, c.longest, c.waited, c.transactions} {
		ch <- desc
	}
}

// Collect asks the pooler.
func (c *poolerCollector) Collect(ch chan<- prometheus.Metric) {
	c.mu.Lock()
	defer c.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), consoleTimeout)
	defer cancel()
	pools, err := c.show(ctx, "POOLS")
	var stats figures
	if err == nil {
		stats, err = c.show(ctx, "STATS")
	}
	gauge := func(desc *prometheus.Desc, value float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
	}
	if err != nil {
		gauge(c.up, 0)
		return
	}
	gauge(c.up, 1)
	gauge(c.clients, pools["cl_active"], "active")
	gauge(c.clients, pools["cl_waiting"], "waiting")
	gauge(c.servers, pools["sv_active"], "active")
	gauge(c.servers, pools["sv_idle"]+pools["sv_used"], "idle")
	gauge(c.longest, pools["maxwait"]+pools["maxwait_us"]/1e6)
	ch <- prometheus.MustNewConstMetric(c.waited, prometheus.CounterValue, stats["total_wait_time"]/1e6)
	ch <- prometheus.MustNewConstMetric(c.transactions, prometheus.CounterValue, stats["total_xact_count"])
}

// figures are the columns of an answer that hold numbers, summed over the rows of the panel's database: it has a pool for
// each user.
type figures map[string]float64

func (c *poolerCollector) show(ctx context.Context, what string) (figures, error) {
	if c.console == nil {
		console, err := pgconn.ConnectConfig(ctx, &c.settings.Config)
		if err != nil {
			return nil, fmt.Errorf("console of the pooler: %w", err)
		}
		c.console = console
	}
	results, err := c.console.Exec(ctx, "SHOW "+what).ReadAll()
	if err != nil || len(results) == 0 {
		_ = c.console.Close(ctx) // The next answer begins with a new one.
		c.console = nil
		return nil, fmt.Errorf("console of the pooler: SHOW %s: %w", what, err)
	}
	return c.sum(results[0]), nil
}

func (c *poolerCollector) sum(result *pgconn.Result) figures {
	sums := figures{}
	for _, row := range result.Rows {
		values := map[string]string{}
		for i, field := range result.FieldDescriptions {
			values[field.Name] = string(row[i])
		}
		if values["database"] != c.database {
			continue
		}
		for name, text := range values {
			if value, err := strconv.ParseFloat(text, 64); err == nil {
				sums[name] += value
			}
		}
	}
	return sums
}
