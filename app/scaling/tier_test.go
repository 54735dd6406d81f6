package scaling_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/app/config"
	"github.com/radpanel/radpanel/app/scaling"
	"github.com/radpanel/radpanel/test/prometheustest"
)

// tier2 has a historian of the second tier, and what one of its instances reports.
func tier2(t *testing.T, address string, now time.Time) (*scaling.Historian, scaling.Report) {
	t.Helper()
	triggers := []config.PlanTrigger{
		{ID: "balancer-capacity", Metric: "balancer_use", Threshold: 80, For: 10 * time.Minute},
		{ID: "database-writes", Metric: "database_write_wait", Threshold: 50, For: 15 * time.Minute},
		{ID: "regions-needed", Metric: "far_requests", Threshold: 20, For: time.Hour},
		{ID: "cpu", Metric: "host_cpu", Threshold: 70, For: time.Minute},
		{ID: "reads", Metric: "database_reads", Threshold: 1000, For: time.Minute},
	}
	plan := &config.Plan{Tiers: []config.PlanTier{{Tier: "tier2"}, {Tier: "tier3", Triggers: triggers}}, Records: map[string]string{
		"balancer_use": "radpanel:balancer_use:percent", "database_write_wait": "radpanel:database_write_wait:percent",
		"far_requests": "radpanel:far_requests:percent", "host_cpu": "radpanel:host_cpu:percent",
		"database_reads": "radpanel:database_reads:per_second", "response_time_p95": "radpanel:response_time_p95:seconds",
	}}
	url := ""
	if address != "" {
		url = "http://" + address
	}
	h, err := scaling.NewHistorian(config.Config{Tier: "tier2", PrometheusURL: url}, plan, func() time.Time { return now })
	require.NoError(t, err)
	over := now.Add(-time.Hour)
	own := scaling.Report{Figures: scaling.Figures{RequestsPerSecond: new(4.0), P95Seconds: new(0.01), StorageBytes: new(5.0)}}
	for _, trigger := range triggers {
		own.Triggers = append(own.Triggers, scaling.Trigger{PlanTrigger: trigger})
	}
	own.Triggers[3].Measured, own.Triggers[3].Value = true, new(12.0)
	own.Triggers[4].Measured, own.Triggers[4].Value = true, new(2000.0)
	own.Triggers[4].OverSince, own.Triggers[4].Fired = &over, true
	return h, own
}

func TestTheFiguresOfTheTierComeFromPrometheus(t *testing.T) {
	t.Parallel()
	now := time.Now()
	began := now.Add(-20 * time.Minute).Truncate(time.Second)
	steady := func(name string, figure float64) prometheustest.Series {
		return prometheustest.Series{Name: name, From: time.Hour, Every: 15 * time.Second, At: func(time.Duration) float64 { return figure }}
	}
	h, own := tier2(t, prometheustest.Start(t, now,
		steady("radpanel:balancer_use:percent", 91),
		steady(`ALERTS_FOR_STATE{alertname="balancer-capacity",severity="growth",leads_to="tier3"}`, float64(began.Unix())),
		steady("radpanel:database_write_wait:percent", 7),
		steady("radpanel:far_requests:percent", math.NaN()), // Nobody came.
		steady("radpanel:database_reads:per_second", 900),
		steady("radpanel:requests_per_second:per_second", 9),
		steady("radpanel:response_time_p95:seconds", 0.2),
	), now)
	report, err := h.Complete(t.Context(), own)
	require.NoError(t, err)
	assert.InDelta(t, 9, *report.Figures.RequestsPerSecond, 0, "of all backends")
	assert.InDelta(t, 0.2, *report.Figures.P95Seconds, 0)
	assert.InDelta(t, 5, *report.Figures.StorageBytes, 0)

	balancer, writes, far, cpu, reads := report.Triggers[0], report.Triggers[1], report.Triggers[2], report.Triggers[3], report.Triggers[4]
	assert.InDelta(t, 91, *balancer.Value, 0)
	require.NotNil(t, balancer.OverSince)
	assert.True(t, balancer.OverSince.Equal(began), "as long as Prometheus has seen it, whatever this instance has")
	assert.True(t, balancer.Fired)
	assert.InDelta(t, 7, *writes.Value, 0)
	assert.Nil(t, writes.OverSince)
	assert.True(t, far.Measured)
	assert.Nil(t, far.Value, "there was nothing to measure")
	assert.InDelta(t, 12, *cpu.Value, 0, "what Prometheus does not have is this instance's own")
	assert.InDelta(t, 900, *reads.Value, 0)
	assert.Nil(t, reads.OverSince, "one instance's word does not count against the tier's")
	assert.False(t, reads.Fired)
	assert.Nil(t, own.Triggers[0].Value, "the instance's report stays as it is")
}

func TestWithoutPrometheusTheFiguresAreTheInstances(t *testing.T) {
	t.Parallel()
	now := time.Now()
	h, own := tier2(t, "", now)
	report, err := h.Complete(t.Context(), own)
	require.ErrorIs(t, err, scaling.ErrNoHistory)
	assert.Equal(t, own, report)

	h, own = tier2(t, "127.0.0.1:1", now)
	report, err = h.Complete(t.Context(), own)
	require.ErrorContains(t, err, "figures of the tier")
	assert.Equal(t, own, report)
	assert.False(t, report.Triggers[0].Measured)

	h, own = tier2(t, prometheustest.Start(t, now), now) // It has measured nothing.
	report, err = h.Complete(t.Context(), own)
	require.NoError(t, err)
	assert.Equal(t, own, report)
}
