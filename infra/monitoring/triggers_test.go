package monitoring_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/infra/monitoring"
	"github.com/radpanel/radpanel/stacks"
)

const route = `route="GET /api/v1/panels",instance="one"`

// exposed gives samples of what is scraped, over n intervals, from which a metric's expression must compute the value.
func exposed(t *testing.T, metric stacks.Metric, value float64, tier stacks.TierPlan, n int) []series {
	t.Helper()
	const many = 10_000.0 // Large enough that a share of it is a good number.
	histogram := func(name, labels, le string, within float64) []series {
		of := func(suffix, labels string, perInterval float64) series {
			return series{name + suffix + "{" + labels + "}", steady(perInterval, n)}
		}
		separator := ","
		if labels == "" {
			separator = ""
		}
		return []series{
			of("_bucket", labels+separator+`le="`+le+`"`, many*within),
			of("_bucket", labels+separator+`le="+Inf"`, many),
			of("_count", labels, many),
		}
	}
	cpu := func(busy float64) []series {
		host := `instance="one",cpu="0",parts=",web,balancer,backend,"`
		return []series{
			{`node_cpu_seconds_total{mode="idle",` + host + `}`, steady(15*(1-busy/100)-1, n)},
			{`node_cpu_seconds_total{mode="iowait",` + host + `}`, steady(1, n)}, // Nobody computes meanwhile.
			{`node_cpu_seconds_total{mode="user",` + host + `}`, steady(15*busy/100, n)},
		}
	}
	switch metric {
	case stacks.ResponseTimeP95:
		// The edge at 0.5 s is crossed when 95 of 100 are within it: a share on either side says which side the p95 is on.
		within := 0.951
		if value > 0.5 {
			within = 0.949
		}
		return append(histogram("radpanel_http_request_duration_seconds", route, "0.5", within),
			series{"radpanel_http_request_duration_seconds_bucket{" + route + `,le="0.75"}`, steady(many, n)})
	case stacks.HostCPU:
		return cpu(value)
	case stacks.DatabaseConnections:
		return []series{{"radpanel_postgres_sessions_open", constant(value, n)}}
	case stacks.DatabaseReads:
		return []series{{"radpanel_postgres_statements_reads", steady(value*15, n)}}
	case stacks.CacheMemory:
		return []series{{"redis_memory_used_bytes", constant(value, n)}}
	case stacks.StorageUsed:
		return []series{
			{"radpanel_postgres_database_bytes", constant(value/2, n)},
			{`radpanel_files_bytes{instance="one"}`, constant(value/2, n)},
			{`radpanel_files_bytes{instance="two"}`, constant(value/2, n)}, // The same files, as another instance sees them.
		}
	case stacks.BalancerUse:
		return append(cpu(10),
			series{`radpanel_balancer_connections{instance="one"}`, constant(value*100, n)},
			series{`radpanel_balancer_connections_limit{instance="one"}`, constant(10_000, n)})
	case stacks.DatabaseWriteWait:
		return []series{
			{"radpanel_postgres_sessions_waiting_to_write", constant(value/10, n)},
			{"radpanel_postgres_sessions_active", constant(10, n)},
		}
	case stacks.FarRequests:
		return histogram("radpanel_front_door_round_trip_seconds", "", "0.15", 1-value/100)
	case stacks.ErrorBudgetSpent:
		failed := int(value / 100 * (1 - float64(tier.SLO.Uptime)/100) * 172_800)
		return []series{{`probe_success{job="front-door"}`, fmt.Sprintf("0x%d 1x%d", failed-1, n-failed)}}
	default:
		require.Fail(t, "no samples for the metric "+string(metric))
		return nil
	}
}

// Each trigger fires just over its threshold, after its time and no sooner, and does not just under.
func TestTriggersFireJustOverTheirThresholds(t *testing.T) {
	t.Parallel()
	for _, tier := range stacks.Plan().Tiers {
		next, ok := stacks.Plan().Next(tier.Tier)
		if !ok {
			continue
		}
		for _, trigger := range next.Triggers {
			if trigger.Metric == stacks.QuietestHour {
				continue // See below.
			}
			t.Run(string(tier.Tier)+"/"+trigger.ID, func(t *testing.T) {
				t.Parallel()
				const interval = 15 * time.Second
				every, just, groups := interval, 0.01, []string{"figures"}
				if trigger.For >= 24*time.Hour {
					every = 4 * time.Minute
				}
				settled := 5 * time.Minute
				if trigger.Metric == stacks.ErrorBudgetSpent {
					// A window of 5 minutes has 21 samples where their times are whole, as here; on a server they are not.
					just, settled, groups = 0.06, 25*time.Minute, nil
				}
				end := settled + trigger.For + every
				n := int(end/every) + 2
				over := scenario{Series: exposed(t, trigger.Metric, trigger.Threshold*(1+just), tier, n)}
				under := scenario{Series: exposed(t, trigger.Metric, trigger.Threshold*(1-just), tier, n)}
				over.Checks = []check{firing(trigger.ID, "", trigger.For-every, false), firing(trigger.ID, "", end, true)}
				under.Checks = []check{firing(trigger.ID, "", end, false)}
				play(t, tier.Tier, every, groups, over, under)
			})
		}
	}
}

// A week of nights: the quietest hour of each has so much of the load of the busiest.
func TestTheQuietestHourIsThatOfEveryDay(t *testing.T) {
	t.Parallel()
	const every, day = 10 * time.Minute, 24 * time.Hour
	halfDay := int(12 * time.Hour / every)
	week := func(nights ...float64) []series {
		var load []stretch
		for _, night := range nights {
			load = append(load, stretch{1000, halfDay}, stretch{10 * night, halfDay})
		}
		return []series{{"radpanel_http_requests_total{" + route + `,status="200"}`, counters(load...)}}
	}
	busy, quiet := 51.0, 49.0
	after := func(d time.Duration, fires bool) check { return firing("round-the-clock", "", d, fires) }
	play(t, stacks.Tier3, every, []string{"figures"},
		// The first day tells nothing, seven more must be so.
		scenario{
			Series: week(busy, busy, busy, busy, busy, busy, busy, busy, busy),
			Checks: []check{after(8*day-every, false), after(8*day+2*time.Hour, true)},
		},
		scenario{
			Series: week(busy, busy, busy, busy, quiet, busy, busy, busy, busy),
			Checks: []check{after(9*day-every, false)},
		},
	)
}

// The balancer's other limit, its CPU, counts as well.
func TestABalancerWithoutCPUIsAtCapacity(t *testing.T) {
	t.Parallel()
	const every = 15 * time.Second
	tier, err := stacks.Plan().Tier(stacks.Tier2)
	require.NoError(t, err)
	var scenarios []scenario
	for busy, fires := range map[float64]bool{81: true, 79: false} {
		scenarios = append(scenarios, scenario{
			Series: append(exposed(t, stacks.HostCPU, busy, tier, 80), exposed(t, stacks.BalancerUse, 1, tier, 80)[3:]...),
			Checks: []check{firing("balancer-capacity", "", 12*time.Minute, fires)},
		})
	}
	play(t, stacks.Tier2, every, []string{"figures"}, scenarios...)
}

// A balancer that does not say how many connections it has may be full, however idle its CPU is.
func TestABalancerThatDoesNotTellItsConnectionsHasNoFigure(t *testing.T) {
	t.Parallel()
	tier, err := stacks.Plan().Tier(stacks.Tier2)
	require.NoError(t, err)
	var scenarios []scenario
	for silent, figures := range map[int][]sample{0: {{"{}", 95}}, 3: {{"{}", 95}}, 13: nil} { // Steps of 15 seconds.
		all := exposed(t, stacks.BalancerUse, 95, tier, 80)
		all[3].Values = constant(9500, 40-silent) + " stale"
		scenarios = append(scenarios, scenario{Series: all, Checks: []check{
			{Expression: "round(" + stacks.BalancerUse.Definition().Record() + ")", At: "10m", Samples: figures},
		}})
	}
	play(t, stacks.Tier2, 15*time.Second, []string{"figures"}, scenarios...)
}

// A commit of a lone session waits for the disk, mostly. That is no bottleneck.
func TestALoneWriterIsNoBottleneck(t *testing.T) {
	t.Parallel()
	play(t, stacks.Tier2, 15*time.Second, nil, scenario{
		Series: []series{
			{"radpanel_postgres_sessions_waiting_to_write", constant(0.9, 100)},
			{"radpanel_postgres_sessions_active", constant(0.9, 100)},
		},
		Checks: []check{firing("database-writes", "", 20*time.Minute, false)},
	})
}

// What is not measured is not recorded, and what did not happen is not a number: neither fires anything.
func TestAnIdleStackIsQuiet(t *testing.T) {
	t.Parallel()
	for _, tier := range stacks.Plan().Tiers {
		t.Run(string(tier.Tier), func(t *testing.T) {
			t.Parallel()
			const n = 300
			idle := []series{
				{"radpanel_http_requests_total{" + route + `,status="200"}`, constant(7, n)},
				{"radpanel_http_requests_total{" + route + `,status="500"}`, constant(7, n)},
				{"radpanel_http_request_duration_seconds_count{" + route + "}", constant(7, n)},
				{"radpanel_http_request_duration_seconds_bucket{" + route + `,le="0.5"}`, constant(0, n)},
				{"radpanel_http_request_duration_seconds_bucket{" + route + `,le="+Inf"}`, constant(7, n)},
				{`probe_success{job="front-door"}`, constant(1, n)},
				{`up{job="service"}`, constant(1, n)},
			}
			none := check{Expression: "count(ALERTS) or vector(0)", At: "1h", Samples: []sample{{"{}", 0}}}
			play(t, tier.Tier, 15*time.Second, nil, scenario{Series: idle, Checks: []check{none}},
				scenario{Series: []series{{`up{job="service"}`, constant(1, n)}}, Checks: []check{none}})
		})
	}
}

func TestMeasuredIsWhatTheTierHasPartsFor(t *testing.T) {
	t.Parallel()
	measured := func(name stacks.Tier) (metrics []stacks.Metric) {
		tier, err := stacks.Plan().Tier(name)
		require.NoError(t, err)
		for _, d := range monitoring.Measured(tier) {
			metrics = append(metrics, d.Metric)
		}
		return metrics
	}
	assert.NotContains(t, measured(stacks.MVP), stacks.CacheMemory)
	assert.NotContains(t, measured(stacks.MVP), stacks.DatabaseReads)
	assert.Contains(t, measured(stacks.Tier1), stacks.CacheMemory)
	assert.NotContains(t, measured(stacks.Tier1), stacks.BalancerUse)
	for _, tier := range stacks.Plan().Tiers {
		next, ok := stacks.Plan().Next(tier.Tier)
		if !ok {
			continue
		}
		for _, trigger := range next.Triggers {
			assert.True(t, slices.Contains(measured(tier.Tier), trigger.Metric), "%s at %s", trigger.Metric, tier.Tier)
		}
	}
}

// test/e2e sees the alert on the CPU arrive. That it ends is played here: there, neighbours may keep the machine busy.
func TestTheAlertOnTheCPUEnds(t *testing.T) {
	t.Parallel()
	const perMinute = 4
	host := `instance="one",cpu="0",parts=",web,backend,database,"`
	play(t, stacks.MVP, 15*time.Second, []string{"figures"}, scenario{
		Series: []series{
			{`node_cpu_seconds_total{mode="idle",` + host + `}`, counters(stretch{1, 40 * perMinute}, stretch{14, 20 * perMinute})},
			{`node_cpu_seconds_total{mode="user",` + host + `}`, counters(stretch{14, 40 * perMinute}, stretch{1, 20 * perMinute})},
		},
		Checks: []check{
			firing("cpu", "", 5*time.Minute, false), firing("cpu", "", 39*time.Minute, true), firing("cpu", "", 46*time.Minute, false),
		},
	})
}
