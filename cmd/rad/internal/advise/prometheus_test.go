package advise_test

import (
	"fmt"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/cmd/rad/internal/advise"
	"github.com/radpanel/radpanel/stacks"
	"github.com/radpanel/radpanel/test/prometheustest"
)

// history is what the Prometheus of an MVP has after ten days: the CPU grows by two percent a day, and has been over its
// threshold for 50 minutes.
func history() []prometheustest.Series {
	steady := func(name string, figure float64) prometheustest.Series {
		return prometheustest.Series{Name: name, From: time.Hour, Every: advise.Step, At: func(time.Duration) float64 { return figure }}
	}
	return []prometheustest.Series{
		{Name: "radpanel:host_cpu:percent", From: 10 * aDay, Every: time.Minute, At: func(age time.Duration) float64 {
			if age < 50*time.Minute {
				return 80
			}
			return 50 - 2*daysOf(age)
		}},
		steady("radpanel:database_connections:count", 3),
		steady("radpanel:storage_used:bytes", float64(stacks.GiB)),
		steady("radpanel:concurrent_users:count", 7),
		steady("radpanel:requests_per_second:per_second", 0),
		steady("radpanel:uptime:percent", 99.5),
		steady("radpanel:uptime_observed:seconds", 15*aDay.Seconds()),
	}
}

func TestMeasurementsComeFromPrometheus(t *testing.T) {
	t.Parallel()
	at := time.Now()
	source, err := advise.NewPrometheus(prometheustest.Start(t, at, history()...))
	require.NoError(t, err)
	measured, err := source.Measure(t.Context(), stacks.Plan(), stacks.MVP, at)
	require.NoError(t, err)
	advice := advise.Advise(load(t, "local-mvp"), stacks.Plan(), measured, at)
	require.Equal(t, advise.Promote, advice.Verdict, "%v %v", advice.Reasons, advice.Missing)
	assert.Nil(t, advice.Triggers[0].Value, "there was no request")
	cpu := advice.Triggers[1]
	assert.InDelta(t, 80, *cpu.Value, 0)
	assert.InDelta(t, 50*60, cpu.OverFor, 15*60, "as finely as the history is")
	assert.Equal(t, advise.Rising, cpu.Trend.Course)
	assert.InDelta(t, 2, cpu.Trend.PerDay, 0.3)
	assert.InDelta(t, 7, advice.Use[0].Value, 0)
	assert.InDelta(t, 0, advice.Use[1].Value, 0)
	assert.InDelta(t, 25, advice.SLO[2].BudgetSpent, 1e-6)

	// An hour later, with nothing measured meanwhile.
	measured, err = source.Measure(t.Context(), stacks.Plan(), stacks.MVP, at.Add(time.Hour))
	require.NoError(t, err)
	later := advise.Advise(load(t, "local-mvp"), stacks.Plan(), measured, at.Add(time.Hour))
	assert.Equal(t, advise.Refused, later.Verdict)
	assert.Len(t, later.Missing, 8)
	assert.Contains(t, later.Missing[1].Problem, "last measured before")
}

// A rate over five minutes has a value for as long after the last measurement. It must not be taken for a new one.
func TestARateOfAnExporterThatIsGoneIsNotTakenForAFigure(t *testing.T) {
	t.Parallel()
	at := time.Now().Truncate(time.Second) // Prometheus knows milliseconds, and an age is told in whole minutes.
	steady := func(name string, figure float64) prometheustest.Series {
		return prometheustest.Series{Name: name, From: time.Hour, Every: advise.Step, At: func(time.Duration) float64 { return figure }}
	}
	gone := func(name string, since time.Duration) prometheustest.Series {
		return prometheustest.Series{Name: name, From: time.Hour, Every: advise.Step, At: func(age time.Duration) float64 {
			if age < since {
				return 0
			}
			return 1
		}}
	}
	last := func(s advise.Series) time.Duration {
		require.NotEmpty(t, s.Points)
		return at.Sub(s.Points[len(s.Points)-1].At).Round(time.Second)
	}
	source, err := advise.NewPrometheus(prometheustest.Start(t, at, append(history(),
		steady("radpanel:database_reads:per_second", 70),
		gone(`up{job="node",instance="this-machine"}`, 3*time.Minute),
		gone(`up{job="postgres",instance="postgresql"}`, 4*time.Minute),
		gone(`up{job="service",instance="panel"}`, time.Minute), gone(`up{job="service",instance="panel-2"}`, 2*time.Minute),
	)...))
	require.NoError(t, err)
	measured, err := source.Measure(t.Context(), stacks.Plan(), stacks.Tier1, at)
	require.NoError(t, err)
	assert.Equal(t, 4*time.Minute, last(measured[advise.Of(stacks.DatabaseReads)]))
	assert.Equal(t, time.Minute, last(measured[advise.RequestsPerSecond]), "as long as one instance answered")
	assert.Equal(t, time.Duration(0), last(measured[advise.Of(stacks.DatabaseConnections)]))

	measured, err = source.Measure(t.Context(), stacks.Plan(), stacks.MVP, at)
	require.NoError(t, err)
	assert.Equal(t, 3*time.Minute, last(measured[advise.Of(stacks.HostCPU)]))
	advice := advise.Advise(load(t, "local-mvp"), stacks.Plan(), measured, at)
	assert.Equal(t, advise.Refused, advice.Verdict, "%v", advice.Reasons)
	require.Len(t, advice.Missing, 1)
	assert.Equal(t, advise.Of(stacks.HostCPU), advice.Missing[0].Measurement)
	assert.Contains(t, advice.Missing[0].Problem, "last measured 3 min ago")
}

// Prometheus goes on with a figure for five minutes after it was last recorded, unless it was told that it ended: not when
// it stopped itself meanwhile.
func TestAFigureIsAsOldAsItsLastSample(t *testing.T) {
	t.Parallel()
	at := time.Now().Truncate(time.Second)
	for _, age := range []time.Duration{time.Minute, 3 * time.Minute, 6 * time.Minute} {
		all := append(history()[1:], prometheustest.Series{
			Name: "radpanel:host_cpu:percent", From: time.Hour, To: age, Every: advise.Step, At: func(time.Duration) float64 { return 20 },
		})
		source, err := advise.NewPrometheus(prometheustest.Start(t, at, all...))
		require.NoError(t, err)
		measured, err := source.Measure(t.Context(), stacks.Plan(), stacks.MVP, at)
		require.NoError(t, err)
		advice := advise.Advise(load(t, "local-mvp"), stacks.Plan(), measured, at)
		if age < 2*time.Minute {
			assert.Equal(t, advise.Stay, advice.Verdict, "%v", advice.Missing)
			continue
		}
		require.Len(t, advice.Missing, 1, age)
		assert.Equal(t, advise.Of(stacks.HostCPU), advice.Missing[0].Measurement)
		assert.Contains(t, advice.Missing[0].Problem, fmt.Sprintf("last measured %d min ago", int(age.Minutes())))
	}
}

// A capacity has a history as a trigger has.
func TestWhatIsUsedUpForLongIsSaidToBe(t *testing.T) {
	t.Parallel()
	at := time.Now()
	all := slices.DeleteFunc(history(), func(s prometheustest.Series) bool { return s.Name == "radpanel:concurrent_users:count" })
	all = append(all, prometheustest.Series{
		Name: "radpanel:concurrent_users:count", From: 10 * aDay, Every: time.Minute, At: func(age time.Duration) float64 {
			if age < 3*aDay {
				return 100
			}
			return 50
		},
	})
	source, err := advise.NewPrometheus(prometheustest.Start(t, at, all...))
	require.NoError(t, err)
	measured, err := source.Measure(t.Context(), stacks.Plan(), stacks.MVP, at)
	require.NoError(t, err)
	advice := advise.Advise(load(t, "local-mvp"), stacks.Plan(), measured, at)
	require.Len(t, advice.Use, 4, "%v", advice.Missing)
	assert.InDelta(t, (3 * aDay).Seconds(), advice.Use[0].ExceededFor, (15 * time.Minute).Seconds())
}

// What is over since a stack came up has been over no longer than that.
func TestAYoungHistoryIsNotTakenForALongOne(t *testing.T) {
	t.Parallel()
	for _, young := range []time.Duration{45 * time.Second, 14 * time.Minute, 29 * time.Minute, 40 * time.Minute} {
		at := time.Now()
		all := append(history()[1:], prometheustest.Series{
			Name: "radpanel:host_cpu:percent", From: young, Every: advise.Step, At: func(time.Duration) float64 { return 99 },
		})
		source, err := advise.NewPrometheus(prometheustest.Start(t, at, all...))
		require.NoError(t, err)
		measured, err := source.Measure(t.Context(), stacks.Plan(), stacks.MVP, at)
		require.NoError(t, err)
		advice := advise.Advise(load(t, "local-mvp"), stacks.Plan(), measured, at)
		require.Len(t, advice.Triggers, 3, "%v", advice.Missing)
		over := advice.Triggers[1].OverFor
		assert.LessOrEqual(t, over, young.Seconds(), young)
		assert.Greater(t, over, min(young, 29*time.Minute).Seconds()-30, young)
	}
}

func TestAPrometheusThatDoesNotAnswerIsAnError(t *testing.T) {
	t.Parallel()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := listener.Addr().String()
	require.NoError(t, listener.Close())
	source, err := advise.NewPrometheus(address)
	require.NoError(t, err)
	_, err = source.Measure(t.Context(), stacks.Plan(), stacks.MVP, time.Now())
	require.ErrorContains(t, err, address)
}
