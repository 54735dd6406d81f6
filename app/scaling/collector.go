package scaling

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// collector shows as metrics what only the panel knows of itself: who uses it, and what they get.
type collector struct {
	monitor *Monitor
	levels  *ServiceLevels

	users, uptime, observed, pageLoad, pageLoads *prometheus.Desc
}

// NewCollector returns the metrics of figures that are those of all instances together, whichever tells them. A figure that
// was not measured is left out.
func NewCollector(monitor *Monitor, levels *ServiceLevels) prometheus.Collector {
	desc := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc("radpanel_"+name, help, nil, nil)
	}
	return &collector{
		monitor: monitor, levels: levels,
		users:     desc("concurrent_users", "Users seen in the last five minutes."),
		uptime:    desc("uptime_percent", "Share of the minutes of thirty days in which the front door answered."),
		observed:  desc("uptime_observed_seconds", "Time that radpanel_uptime_percent is from."),
		pageLoad:  desc("page_load_p95_seconds", "Time within which 95 of 100 pages of seven days were loaded with nothing cached."),
		pageLoads: desc("page_loads", "Page loads that radpanel_page_load_p95_seconds is from."),
	}
}

// Describe tells what Collect gives.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.users, c.uptime, c.observed, c.pageLoad, c.pageLoads} {
		ch <- d
	}
}

// Collect gives what was measured last. It asks nobody.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, value *float64) {
		if value != nil {
			ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, *value)
		}
	}
	if figures, taken := c.monitor.latest(); c.monitor.Now().Sub(taken) < 4*interval {
		gauge(c.users, figures.ConcurrentUsers)
	}
	if levels, fresh := c.levels.Latest(); fresh {
		gauge(c.uptime, levels.UptimePercent)
		if levels.UptimeSince != nil {
			gauge(c.observed, new(c.levels.Now().Sub(*levels.UptimeSince).Seconds()))
		}
		gauge(c.pageLoad, levels.PageLoadSeconds)
		gauge(c.pageLoads, new(float64(levels.PageLoads)))
	}
}

// latest gives the figures and when they were taken.
func (m *Monitor) latest() (Figures, time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.figures, m.taken
}
