package scaling_test

import (
	"math"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/app/config"
	"github.com/radpanel/radpanel/app/scaling"
	"github.com/radpanel/radpanel/test/prometheustest"
)

func historian(t *testing.T, url, tier string, now time.Time) *scaling.Historian {
	t.Helper()
	plan := &config.Plan{
		Tiers: []config.PlanTier{
			{Tier: "mvp", SLO: config.PlanSLO{P95: 500 * time.Millisecond, PageLoad: 2 * time.Second, UptimePercent: 99}},
			{Tier: "tier1", Triggers: []config.PlanTrigger{
				{ID: "response-time", Metric: "response_time_p95", Threshold: 0.5},
				{ID: "cpu", Metric: "host_cpu", Threshold: 70},
				{ID: "storage", Metric: "storage_used", Threshold: 1e9},
			}},
		},
		Records: map[string]string{"host_cpu": "radpanel:host_cpu:percent", "response_time_p95": "radpanel:response_time_p95:seconds"},
	}
	h, err := scaling.NewHistorian(config.Config{Tier: tier, PrometheusURL: url}, plan, func() time.Time { return now })
	require.NoError(t, err)
	return h
}

func TestTheHistoryIsThatOfPrometheus(t *testing.T) {
	t.Parallel()
	now := time.Now()
	const day = 24 * time.Hour
	every := 5 * time.Minute
	address := prometheustest.Start(t, now,
		prometheustest.Series{Name: "radpanel:host_cpu:percent", From: 8 * day, Every: every, At: func(age time.Duration) float64 {
			if age == 3*time.Hour {
				return 95 // For five minutes.
			}
			return 40
		}},
		prometheustest.Series{Name: "radpanel:response_time_p95:seconds", From: day, Every: every, At: func(age time.Duration) float64 {
			if age > 12*time.Hour {
				return math.NaN() // At night there were no requests.
			}
			return 0.25
		}},
		prometheustest.Series{Name: `radpanel_uptime_percent{instance="a"}`, From: day, Every: every, At: func(time.Duration) float64 { return 99.9 }},
		prometheustest.Series{Name: `radpanel_uptime_percent{instance="b"}`, From: day, Every: every, At: func(time.Duration) float64 { return 99.8 }},
	)
	h := historian(t, "http://"+address, "mvp", now)
	for name, span := range scaling.Spans() {
		graph, err := h.Graph(t.Context(), span)
		require.NoError(t, err, name)
		points := int(span.Length/span.Step) + 1
		assert.LessOrEqual(t, points, 401, name)
		require.Len(t, graph.Triggers, 3)
		require.Len(t, graph.SLO, 3)
		for _, c := range append(graph.Triggers, graph.SLO...) {
			require.Len(t, c.Values, points, "%s %s", name, c.ID)
		}
	}
	graph, err := h.Graph(t.Context(), scaling.Spans()["day"])
	require.NoError(t, err)
	cpu, p95, uptime := graph.Triggers[1], graph.SLO[0], graph.SLO[2]
	assert.Equal(t, "cpu", cpu.ID)
	assert.Equal(t, scaling.UnitPercent, cpu.Unit)
	assert.InDelta(t, 70, cpu.Limit, 0)
	at := func(c scaling.Curve, age time.Duration) *float64 { return c.Values[len(c.Values)-1-int(age/every)] }
	require.NotNil(t, at(cpu, 0))
	assert.InDelta(t, 40, *at(cpu, 0), 0)
	highest := 0.0
	for _, v := range cpu.Values {
		if v != nil {
			highest = max(highest, *v)
		}
	}
	assert.InDelta(t, 95, highest, 0, "a peak is not lost")
	assert.Nil(t, at(p95, 20*time.Hour), "nothing is made up for the night")
	require.NotNil(t, at(p95, time.Hour))
	assert.InDelta(t, 0.25, *at(p95, time.Hour), 0)
	assert.InDelta(t, 99.8, *at(uptime, time.Hour), 0, "the worst of what instances say")
	for _, v := range graph.Triggers[2].Values {
		require.Nil(t, v, "the plan's file does not say where storage is kept")
	}
	month, err := h.Graph(t.Context(), scaling.Spans()["month"])
	require.NoError(t, err)
	assert.Nil(t, month.Triggers[1].Values[0], "before there was a Prometheus")
}

func TestAYoungPanelHasAHistoryInEverySpan(t *testing.T) {
	t.Parallel()
	now := time.Now().Truncate(2 * time.Hour).Add(-time.Minute) // No span has a whole step that ends here.
	address := prometheustest.Start(t, now,
		prometheustest.Series{Name: "radpanel_uptime_percent", From: time.Minute, Every: 15 * time.Second, At: func(time.Duration) float64 { return 100 }},
	)
	h := historian(t, "http://"+address, "mvp", now)
	for name, span := range scaling.Spans() {
		graph, err := h.Graph(t.Context(), span)
		require.NoError(t, err, name)
		uptime := graph.SLO[2].Values
		require.NotNil(t, uptime[len(uptime)-1], name)
		assert.InDelta(t, 100, *uptime[len(uptime)-1], 0, name)
		require.Nil(t, uptime[0], name)
	}
}

func TestWithoutPrometheusThereIsNoHistory(t *testing.T) {
	t.Parallel()
	span := scaling.Spans()["hour"]
	_, err := historian(t, "", "mvp", time.Now()).Graph(t.Context(), span)
	require.ErrorIs(t, err, scaling.ErrNoHistory)
	_, err = historian(t, "http://127.0.0.1:1", "tier7", time.Now()).Graph(t.Context(), span)
	require.ErrorIs(t, err, scaling.ErrNoHistory, "a plan without the tier has no triggers")

	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := listener.Addr().String()
	require.NoError(t, listener.Close())
	_, err = historian(t, "http://"+address, "mvp", time.Now()).Graph(t.Context(), span)
	require.ErrorContains(t, err, "history of response-time")
	require.NotErrorIs(t, err, scaling.ErrNoHistory)
}
