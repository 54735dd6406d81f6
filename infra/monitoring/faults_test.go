package monitoring_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/radpanel/radpanel/stacks"
)

func TestFaultsFireJustOverTheirThresholds(t *testing.T) {
	t.Parallel()
	const n = 100
	one := func(name string, value float64) []series { return []series{{name, constant(value, n)}} }
	disk := func(free float64) []series {
		return []series{
			{`node_filesystem_avail_bytes{disk="data"}`, constant(free, n)},
			{`node_filesystem_size_bytes{disk="data"}`, constant(1000, n)},
			{`node_filesystem_avail_bytes{disk=""}`, constant(0, n)}, // Another disk is another's.
			{`node_filesystem_size_bytes{disk=""}`, constant(1000, n)},
		}
	}
	replica := func(streaming, lag float64) []series {
		return append(one("radpanel_postgres_replicas_streaming", streaming), one("radpanel_postgres_replicas_lag_seconds", lag)...)
	}
	// Ten transactions a second that wait so long, as both instances tell, and a pooler that nobody uses.
	pooler := func(wait float64) []series {
		var told []series
		for _, instance := range []string{"panel", "panel-2"} {
			labels := fmt.Sprintf(`{pooler="primary",instance=%q}`, instance)
			told = append(told, series{"radpanel_pooler_wait_seconds_total" + labels, fmt.Sprintf("0+%gx%d", 150*wait, n)},
				series{"radpanel_pooler_transactions_total" + labels, fmt.Sprintf("0+150x%d", n)})
		}
		idle := `{pooler="replica-1",instance="panel"}`
		return append(told, series{"radpanel_pooler_wait_seconds_total" + idle, constant(7, n)}, series{"radpanel_pooler_transactions_total" + idle, constant(7, n)})
	}
	for alert, samples := range map[string]struct{ over, under []series }{
		"measurement-missing": {one(`up{job="redis"}`, 0), one(`up{job="redis"}`, 1)},
		"disk-space":          {disk(99), disk(101)},
		"replication-slot":    {one("radpanel_postgres_slots_inactive", 1), one("radpanel_postgres_slots_inactive", 0)},
		"promotion-slot":      {one("radpanel_postgres_slots_promotion", 1), one("radpanel_postgres_slots_promotion", 0)},
		"archive-waiting":     {one("radpanel_postgres_archive_waiting_seconds", 901), one("radpanel_postgres_archive_waiting_seconds", 900)},
		"jobs-waiting": {
			one(`radpanel_jobs_oldest_seconds{kind="export",instance="one"}`, 301), one(`radpanel_jobs_oldest_seconds{kind="export",instance="one"}`, 300),
		},
		"replica-behind": {replica(1, 31), replica(1, 30)},
		"pooler-waiting": {pooler(0.051), pooler(0.049)},
	} {
		t.Run(alert, func(t *testing.T) {
			t.Parallel()
			play(t, stacks.Tier2, 15*time.Second, []string{}, // The alerts alone.
				scenario{Series: samples.over, Checks: []check{firing(alert, "", time.Minute, false), firing(alert, "", 12*time.Minute, true)}},
				scenario{Series: samples.under, Checks: []check{firing(alert, "", 12*time.Minute, false)}})
		})
	}
	play(t, stacks.Tier2, 15*time.Second, []string{}, scenario{
		Series: replica(0, 0), Checks: []check{firing("replica-behind", "", 6*time.Minute, true)},
	})
}

// An exporter answers although its server does not: then it has one figure alone, which says so, or one that is not there.
func TestAServerThatDoesNotAnswerItsExporterIsNotMeasured(t *testing.T) {
	t.Parallel()
	const n = 40
	told := func(job string, is bool, answers ...series) scenario {
		return scenario{
			Series: append([]series{{fmt.Sprintf(`up{job=%q,instance="one"}`, job), constant(1, n)}}, answers...),
			Checks: []check{firing("measurement-missing", fmt.Sprintf(`,job=%q,instance="one"`, job), 6*time.Minute, is)},
		}
	}
	var scenarios []scenario
	for _, up := range []float64{0, 1} {
		scenarios = append(scenarios,
			told("postgres", up == 0, series{`pg_up{job="postgres",instance="one"}`, constant(up, n)}),
			told("redis", up == 0, series{`redis_up{job="redis",instance="one"}`, constant(up, n)}))
	}
	limit := series{`radpanel_balancer_connections_limit{job="balancer",instance="one"}`, constant(8192, n)}
	scenarios = append(scenarios, told("balancer", true, limit),
		told("balancer", false, limit, series{`radpanel_balancer_connections{job="balancer",instance="one"}`, constant(0, n)}))
	play(t, stacks.Tier2, 15*time.Second, []string{}, scenarios...)
}

// A copy of the files that fails is tried again every quarter of an hour, and is not failed while it runs, for however long. One
// failure is none to tell of, nor is one of the certificate, which is tried every twenty minutes.
func TestAUnitThatFailsAgainIsTold(t *testing.T) {
	t.Parallel()
	const hours = 3 * 4 * 60 // samples
	unit := func(failed string) []series {
		labels := `{name="radpanel-backup-files.service",instance="panel-1",state=%q}`
		return []series{
			{"node_systemd_unit_state" + fmt.Sprintf(labels, "failed"), failed},
			{"node_systemd_unit_state" + fmt.Sprintf(labels, "activating"), constant(1, hours)},
		}
	}
	told := func(at time.Duration, is bool) check { return firing("unit-failed", "", at, is) }
	const early, late = 59 * time.Minute, 62 * time.Minute
	play(t, stacks.MVP, 15*time.Second, []string{},
		scenario{Series: unit(strings.Repeat("1x59 0x3 ", 10)), Checks: []check{told(early, false), told(late, true), told(2*time.Hour, true)}},
		scenario{Series: unit(strings.Repeat("1x59 0x99 ", 4)), Checks: []check{told(early, false), told(late, true)}},
		scenario{Series: unit(constant(1, hours)), Checks: []check{told(early, false), told(late, true)}},
		scenario{Series: unit("1x79 0x600"), Checks: []check{told(late, false), told(2*time.Hour, false)}},
		scenario{Series: unit(constant(0, hours)), Checks: []check{told(2*time.Hour, false)}})
}

// Two days with a quiet night each: the peak of the second day is no anomaly, ten times of it is one, and silence too.
func TestAnomaliesAreWhatIsNotUsual(t *testing.T) {
	t.Parallel()
	const every = 4 * time.Minute
	half := int(12 * time.Hour / every)
	days := func(last float64) []series {
		return []series{{
			"radpanel_http_requests_total{" + route + `,status="200"}`,
			counters(stretch{1000, half}, stretch{4000, half}, stretch{1000, half}, stretch{4000, half / 2}, stretch{last, half}),
		}}
	}
	// Twenty minutes after the change. Within the hour, what is new is taken for usual.
	const onTheSecondDay, atTheEnd = 40 * time.Hour, 42*time.Hour + 20*time.Minute
	groups := []string{"anomalies", "anomalies-of-days"}
	const requests = `,figure="requests"`
	play(t, stacks.Tier3, every, groups,
		scenario{Series: days(4000), Checks: []check{
			firing("anomaly", requests, onTheSecondDay, false), firing("anomaly", requests, atTheEnd, false),
		}},
		scenario{Series: days(40_000), Checks: []check{firing("anomaly", requests, atTheEnd, true)}},
		scenario{Series: days(0), Checks: []check{firing("anomaly", requests, atTheEnd, true)}},
		scenario{ // A stack that has always been nearly idle.
			Series: []series{{"radpanel_http_requests_total{" + route + `,status="200"}`, fmt.Sprintf("0+1x%d 900x20", 2*half)}},
			Checks: []check{firing("anomaly", requests, 24*time.Hour+30*time.Minute, false)},
		})
}
