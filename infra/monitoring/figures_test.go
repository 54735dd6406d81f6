package monitoring_test

import (
	"testing"
	"time"

	"github.com/radpanel/radpanel/infra/monitoring"
	"github.com/radpanel/radpanel/stacks"
)

// Every instance of the service tells of all users and of the same uptime, and each of its own requests.
func TestSignalsAreOfTheWholeStack(t *testing.T) {
	t.Parallel()
	const n = 40
	signal := func(name string, value float64) check {
		for _, figure := range monitoring.Signals() {
			if figure.Name == name {
				return check{Expression: figure.Record(), At: "9m", Samples: []sample{{figure.Record(), value}}}
			}
		}
		return check{Expression: "unknown signal " + name}
	}
	play(t, stacks.MVP, 15*time.Second, []string{"figures"},
		scenario{
			Series: []series{
				{`radpanel_concurrent_users{instance="a"}`, constant(7, n)},
				{`radpanel_concurrent_users{instance="b"}`, constant(6, n)},
				{`radpanel_uptime_percent{instance="a"}`, constant(99.5, n)},
				{`radpanel_uptime_percent{instance="b"}`, constant(99.6, n)},
				{`radpanel_uptime_observed_seconds{instance="a"}`, constant(60, n)},
				{`radpanel_uptime_observed_seconds{instance="b"}`, constant(90, n)},
				{`radpanel_page_load_p95_seconds{instance="a"}`, constant(0.5, n)},
				{`radpanel_page_load_p95_seconds{instance="b"}`, constant(0.25, n)},
				{`radpanel_http_requests_total{route="GET /api/v1/panels",instance="a"}`, steady(150, n)},
				{`radpanel_http_requests_total{route="GET /api/v1/panels",instance="b"}`, steady(75, n)},
				{`radpanel_http_requests_total{route="GET /livez",instance="b"}`, steady(900, n)},
			},
			Checks: []check{
				signal(monitoring.ConcurrentUsers, 7), signal(monitoring.Uptime, 99.5), signal(monitoring.UptimeObserved, 90),
				signal(monitoring.PageLoad, 0.5), signal(monitoring.RequestsPerSecond, 15),
			},
		},
		scenario{ // Nobody has asked for anything yet.
			Series: []series{{`radpanel_http_requests_in_flight{instance="a"}`, constant(1, n)}},
			Checks: []check{signal(monitoring.RequestsPerSecond, 0)},
		})
}
