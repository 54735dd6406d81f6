package database

import "github.com/prometheus/client_golang/prometheus"

// poolCollector shows the state of the pool as metrics.
type poolCollector struct {
	db                                      *DB
	inUse, idle, limit, acquired, cancelled *prometheus.Desc
	waited                                  *prometheus.Desc
}

// NewPoolCollector returns the metrics of the pool, to be registered.
func NewPoolCollector(db *DB) prometheus.Collector {
	desc := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc("radpanel_database_"+name, help, nil, nil)
	}
	return &poolCollector{
		db:        db,
		inUse:     desc("connections_in_use", "Connections that a request or a job holds now."),
		idle:      desc("connections_idle", "Open connections that nobody holds."),
		limit:     desc("connections_limit", "The most connections that are ever open."),
		acquired:  desc("acquires_total", "Connections handed out."),
		cancelled: desc("acquires_refused_total", "Waits for a connection that were given up."),
		waited:    desc("acquire_wait_seconds_total", "Time spent waiting for connections."),
	}
}

// Describe tells what Collect gives.
func (c *poolCollector) Describe(ch chan<- *prometheus.Desc) { prometheus.DescribeByCollect(c, ch) }

// Collect reads the state of the pool.
func (c *poolCollector) Collect(ch chan<- prometheus.Metric) {
	s := c.db.Stat()
	gauge := func(d *prometheus.Desc, v float64) { ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v) }
	count := func(d *prometheus.Desc, v float64) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v)
	}
	gauge(c.inUse, float64(s.AcquiredConns()))
	gauge(c.idle, float64(s.IdleConns()))
	gauge(c.limit, float64(s.MaxConns()))
	count(c.acquired, float64(s.AcquireCount()))
	count(c.cancelled, float64(s.CanceledAcquireCount()))
	count(c.waited, s.EmptyAcquireWaitTime().Seconds())
}
