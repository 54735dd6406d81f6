package monitoring_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/infra/monitoring"
	"github.com/radpanel/radpanel/stacks"
)

func TestEachTriggerIsAnAlarm(t *testing.T) {
	t.Parallel()
	for _, tier := range stacks.Plan().Tiers {
		alarms, err := monitoring.Alarms(tier.Tier)
		require.NoError(t, err)
		next, ok := stacks.Plan().Next(tier.Tier)
		if !ok {
			assert.Empty(t, alarms)
			continue
		}
		require.Len(t, alarms, len(next.Triggers))
		for i, trigger := range next.Triggers {
			a := alarms[i]
			assert.Equal(t, trigger.ID, a.ID)
			assert.InDelta(t, trigger.Threshold, a.Threshold, 0, a.ID)
			assert.Equal(t, "GreaterThanThreshold", a.ComparisonOperator, a.ID)
			// What CloudWatch takes.
			reach := time.Duration(a.EvaluationPeriods) * a.Period
			assert.Equal(t, trigger.For, reach, a.ID)
			assert.Zero(t, a.Period%time.Minute, a.ID)
			if a.Period < time.Hour {
				assert.LessOrEqual(t, reach, 24*time.Hour, a.ID)
			} else {
				assert.LessOrEqual(t, reach, 7*24*time.Hour, a.ID)
			}
		}
	}
	_, err := monitoring.Alarms("tier9")
	require.ErrorContains(t, err, "tier9")
}

// Silence is broken by the first figure that comes, and takes one that always does.
func TestSilenceIsAnAlarm(t *testing.T) {
	t.Parallel()
	a := monitoring.Silence()
	assert.Equal(t, monitoring.Place{
		Namespace: "RADPanel", MetricName: monitoring.RequestsPerSecond, Dimension: "Stack", Statistic: "SampleCount", Every: time.Minute,
	}, a.Place)
	assert.Equal(t, 10*time.Minute, time.Duration(a.EvaluationPeriods)*a.Period)
	assert.Equal(t, "LessThanThreshold", a.ComparisonOperator)
	assert.InDelta(t, 1, a.Threshold, 0)
	assert.Equal(t, "breaching", a.TreatMissingData)
}

func TestAlarms(t *testing.T) {
	t.Parallel()
	mvp, err := monitoring.Alarms(stacks.MVP)
	require.NoError(t, err)
	assert.Equal(t, monitoring.Alarm{
		ID:          "cpu",
		Description: "CPU in use > 70 % for 15 min: tier1 is due. https://github.com/radpanel/radpanel/blob/main/docs/runbooks/cpu.md",
		Place: monitoring.Place{
			Namespace: "AWS/EC2", MetricName: "CPUUtilization", Dimension: "InstanceId", Statistic: "Average", Every: 5 * time.Minute,
		},
		Period: 5 * time.Minute, EvaluationPeriods: 3, ComparisonOperator: "GreaterThanThreshold", Threshold: 70, TreatMissingData: "ignore",
	}, mvp[1])
	tier3, err := monitoring.Alarms(stacks.Tier3)
	require.NoError(t, err)
	assert.Equal(t, monitoring.Alarm{
		ID:          "region-expansion",
		Description: "Requests from far away > 20 % for 7 d: tier4 is due. https://github.com/radpanel/radpanel/blob/main/docs/runbooks/region-expansion.md",
		Place:       monitoring.Place{Namespace: "RADPanel", MetricName: "far_requests", Dimension: "Stack", Statistic: "Minimum", Every: time.Minute},
		Period:      time.Hour, EvaluationPeriods: 168, ComparisonOperator: "GreaterThanThreshold", Threshold: 20, TreatMissingData: "ignore",
	}, tier3[0])
}
