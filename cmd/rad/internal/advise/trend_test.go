package advise_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/cmd/rad/internal/advise"
	"github.com/radpanel/radpanel/stacks"
)

const aDay = 24 * time.Hour

// cpuTrend is the trend of the CPU trigger of a stack whose CPU was like that.
func cpuTrend(t *testing.T, days int, at func(age time.Duration) float64) advise.Trend {
	t.Helper()
	measured := idle()
	measured["host_cpu"] = course(time.Duration(days)*aDay, now(), at)
	advice := about(t, "local-mvp", measured)
	require.Len(t, advice.Triggers, 3)
	return advice.Triggers[1].Trend
}

func daysOf(age time.Duration) float64 { return age.Hours() / 24 }

// daily is a load that doubles at noon and is low at night, as panels have it.
func daily(age time.Duration) float64 {
	return 1 + 0.5*math.Sin(2*math.Pi*daysOf(age))
}

func TestTheTrend(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for _, test := range []struct {
		name   string
		days   int
		at     func(age time.Duration) float64
		want   advise.Course
		perDay float64
	}{
		{"too little history", 4, func(age time.Duration) float64 { return 50 - daysOf(age) }, advise.Unknown, 0},
		{"growth", 20, func(age time.Duration) float64 { return 50 - daysOf(age) }, advise.Rising, 1},
		{"five days of growth are enough", 5, func(age time.Duration) float64 { return 50 - daysOf(age) }, advise.Rising, 1},
		{"decline", 20, func(age time.Duration) float64 { return 10 + daysOf(age) }, advise.Falling, -1},
		{"the same every day", 20, func(age time.Duration) float64 { return 20 * daily(age) }, advise.Steady, 0},
		{"growth under the rhythm of the day", 28, func(age time.Duration) float64 { return (28 - daysOf(age)) * daily(age) }, advise.Rising, 1.5},
		{"noise", 28, func(time.Duration) float64 { return 20 + random.Float64() }, advise.Steady, 0},
		{"growth with days out of the ordinary", 28, func(age time.Duration) float64 {
			if day := int(daysOf(age)); day%7 == 3 {
				return 100 // A backup that hung.
			}
			return 50 - daysOf(age)
		}, advise.Rising, 1},
		{"a counter that began anew is a day out of the ordinary", 20, func(age time.Duration) float64 {
			if int(daysOf(age)) == 9 {
				return 0
			}
			return 50 - daysOf(age)
		}, advise.Rising, 1},
		{"peaks that are too short to fire it", 20, func(age time.Duration) float64 {
			if age%aDay < 10*time.Minute {
				return 100 - 4*daysOf(age)
			}
			return 20
		}, advise.Steady, 0},
		{"nothing to measure", 20, func(time.Duration) float64 { return math.NaN() }, advise.Unknown, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if test.want == advise.Unknown && test.name == "nothing to measure" {
				measured := idle()
				measured["response_time_p95"] = course(20*aDay, now(), test.at)
				assert.Equal(t, advise.Unknown, about(t, "local-mvp", measured).Triggers[0].Trend.Course)
				return
			}
			trend := cpuTrend(t, test.days, test.at)
			assert.Equal(t, test.want, trend.Course, "%+v", trend)
			assert.InDelta(t, test.perDay, trend.PerDay, 0.12)
		})
	}
}

// Storage has to be over for an hour: what is over for less is no level that was held.
func TestATrendIsOfWhatWasHeldForAsLongAsTheTriggerAsks(t *testing.T) {
	t.Parallel()
	measured := idle()
	measured["storage_used"] = course(20*aDay, now(), func(age time.Duration) float64 {
		if rest := age % aDay; rest > 2*time.Hour && rest < 165*time.Minute {
			return 1e10 - 1e8*daysOf(age) // An import's temporary files, for three quarters of an hour: more every day.
		}
		return 1e9
	})
	assert.Equal(t, advise.Steady, about(t, "local-tier1", measured).Triggers[2].Trend.Course)
}

func TestTheDateOfTheCrossing(t *testing.T) {
	t.Parallel()
	grows := func(perDay float64) advise.Trend {
		return cpuTrend(t, 28, func(age time.Duration) float64 { return 50 - perDay*daysOf(age) })
	}
	trend := grows(1) // From 50 to 70 in 20 days.
	require.NotNil(t, trend.Crossing)
	assert.WithinDuration(t, now().Add(20*aDay), *trend.Crossing, 2*time.Hour)
	require.NotNil(t, trend.Earliest)
	assert.False(t, trend.Earliest.After(*trend.Crossing))
	assert.Nil(t, grows(0.05).Crossing, "400 days from now")
	assert.NotNil(t, grows(0.06).Crossing, "333 days from now")

	beyond := cpuTrend(t, 28, func(age time.Duration) float64 { return 90 - daysOf(age) })
	require.NotNil(t, beyond.Crossing)
	assert.WithinDuration(t, now(), *beyond.Crossing, time.Hour, "it is over already")
}

// A crossing is told by its hour, which may have begun.
func TestNothingIsCrossedInThePast(t *testing.T) {
	t.Parallel()
	at := now().Add(59 * time.Minute)
	measured := advise.Measurements{}
	for m, series := range idle() {
		measured[m] = steady(series.Points[0].Figure, aDay, at)
	}
	for _, level := range []float64{90, 69.99} { // Over it already, and within the hour.
		measured["host_cpu"] = course(28*aDay, at, func(age time.Duration) float64 { return level - daysOf(age) })
		advice := advise.Advise(load(t, "local-mvp"), stacks.Plan(), measured, at)
		require.Len(t, advice.Triggers, 3)
		trend := advice.Triggers[1].Trend
		for _, crossing := range []*time.Time{trend.Crossing, trend.Earliest} {
			require.NotNil(t, crossing)
			assert.False(t, crossing.Before(at), "%s is before %s", crossing, at)
			assert.WithinDuration(t, at, *crossing, time.Hour)
		}
	}
}

// Days that were not measured, or hardly, are left out: what they would say is not known.
func TestDaysWithoutMeasurementsAreNoTrend(t *testing.T) {
	t.Parallel()
	series := course(20*aDay, now(), func(age time.Duration) float64 { return 50 - daysOf(age) })
	var left []advise.Point
	for _, p := range series.Lows {
		if age := now().Sub(p.At); age < 3*aDay || age%aDay < 6*time.Hour {
			left = append(left, p)
		}
	}
	series.Lows = left
	measured := idle()
	measured["host_cpu"] = series
	trend := about(t, "local-mvp", measured).Triggers[1].Trend
	assert.Equal(t, advise.Unknown, trend.Course)
	assert.Equal(t, 3, trend.Days)
}
