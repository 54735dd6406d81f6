package advise_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/cmd/rad/internal/advise"
	"github.com/radpanel/radpanel/stacks"
)

func now() time.Time { return time.Date(2026, 3, 15, 12, 0, 0, 0, time.UTC) }

func load(t *testing.T, name string) stacks.Stack {
	t.Helper()
	stack, err := stacks.Load(name, nil)
	require.NoError(t, err)
	return stack
}

// steady is a series that has had one figure for so long, up to the time.
func steady(figure float64, lasted time.Duration, until time.Time) advise.Series {
	return course(lasted, until, func(time.Duration) float64 { return figure })
}

// course is a series of the figures at each age.
func course(lasted time.Duration, until time.Time, at func(age time.Duration) float64) advise.Series {
	var s advise.Series
	for age := min(lasted, advise.Recent); age >= 0; age -= advise.Step {
		s.Points = append(s.Points, advise.Point{At: until.Add(-age), Figure: at(age)})
	}
	for age := lasted - lasted%advise.LowStep; age >= 0; age -= advise.LowStep {
		if age+advise.LowStep <= lasted {
			s.Lows = append(s.Lows, advise.Point{At: until.Add(-age), Figure: math.Min(at(age), at(age+advise.LowStep))})
		}
	}
	return s
}

// idle is what is measured of a stack of any tier that nobody uses, for a day.
func idle() advise.Measurements {
	measured := advise.Measurements{}
	for _, definition := range stacks.Metrics() {
		measured[advise.Of(definition.Metric)] = steady(1, 24*time.Hour, now())
	}
	measured[advise.Of(stacks.ResponseTimeP95)] = steady(math.NaN(), 24*time.Hour, now())
	measured[advise.ConcurrentUsers] = steady(0, 24*time.Hour, now())
	measured[advise.RequestsPerSecond] = steady(0, 24*time.Hour, now())
	measured[advise.Uptime] = steady(100, 24*time.Hour, now())
	measured[advise.UptimeObserved] = steady(advise.History.Seconds(), 24*time.Hour, now())
	return measured
}

func about(t *testing.T, stack string, measured advise.Measurements) advise.Advice {
	t.Helper()
	return advise.Advise(load(t, stack), stacks.Plan(), measured, now())
}

func TestAnIdleStackOfAnyTierStays(t *testing.T) {
	t.Parallel()
	for _, tier := range stacks.Tiers() {
		advice := about(t, stacks.Name(tier, stacks.Local), idle())
		assert.Equal(t, advise.Stay, advice.Verdict, tier)
		assert.Empty(t, advice.Missing, tier)
		assert.Len(t, advice.Reasons, 1, tier)
		assert.Equal(t, tier == stacks.Tier4, advice.Next == nil)
	}
}

func TestTheVerdict(t *testing.T) {
	t.Parallel()
	const cpu = advise.Measurement("host_cpu")
	week := 7 * 24 * time.Hour
	over := func(lasted time.Duration) advise.Series {
		return course(10*24*time.Hour, now(), func(age time.Duration) float64 {
			if age <= lasted {
				return 70.1
			}
			return 10
		})
	}
	for _, test := range []struct {
		name  string
		given func(advise.Measurements)
		want  advise.Verdict
		over  time.Duration // of the CPU
	}{
		{"exactly at the threshold is not over it", func(m advise.Measurements) { m[cpu] = steady(70, week, now()) }, advise.Stay, 0},
		{"over, but not for long enough", func(m advise.Measurements) { m[cpu] = over(15*time.Minute - advise.Step) }, advise.Stay, 15*time.Minute - advise.Step},
		{"over for exactly as long as it takes", func(m advise.Measurements) { m[cpu] = over(15 * time.Minute) }, advise.Promote, 15 * time.Minute},
		{"over for longer than is read finely", func(m advise.Measurements) { m[cpu] = over(26 * time.Hour) }, advise.Promote, 26 * time.Hour},
		{"over for a week", func(m advise.Measurements) { m[cpu] = over(week + time.Hour) }, advise.Overdue, week + time.Hour},
		{"a trigger that flaps", func(m advise.Measurements) {
			m[cpu] = course(24*time.Hour, now(), func(age time.Duration) float64 {
				if age/advise.Step%8 == 7 {
					return 69
				}
				return 99
			})
		}, advise.Stay, 6 * advise.Step},
		{"a sample that is not a number is a break", func(m advise.Measurements) {
			m[cpu] = over(time.Hour)
			m[cpu].Points[len(m[cpu].Points)-3].Figure = math.NaN()
		}, advise.Stay, advise.Step},
		{"one sample", func(m advise.Measurements) {
			m[cpu] = advise.Series{Points: []advise.Point{{At: now(), Figure: 100}}}
		}, advise.Stay, 0},
		{"a short gap is bridged", func(m advise.Measurements) { m[cpu] = without(over(time.Hour), 4*time.Minute, 8*time.Minute) }, advise.Promote, time.Hour},
		{"a long gap is a break", func(m advise.Measurements) { m[cpu] = without(over(time.Hour), 4*time.Minute, 10*time.Minute) }, advise.Stay, 4*time.Minute - advise.Step},
		{"a clock that was set back is a break", func(m advise.Measurements) {
			s := over(time.Hour)
			for i := range s.Points[:len(s.Points)-10] {
				s.Points[i].At = s.Points[i].At.Add(time.Hour)
			}
			m[cpu] = s
		}, advise.Stay, 9 * advise.Step},
		{"the error budget is spent", func(m advise.Measurements) { m[advise.Uptime] = steady(98.9, week, now()) }, advise.Stay, 0},
		{"… and a trigger has fired", func(m advise.Measurements) {
			m[advise.Uptime], m[cpu] = steady(98.9, week, now()), over(20*time.Minute)
		}, advise.Overdue, 20 * time.Minute},
		{"the error budget is just not overspent", func(m advise.Measurements) {
			m[advise.Uptime], m[cpu] = steady(99, week, now()), over(20*time.Minute)
		}, advise.Promote, 20 * time.Minute},
		{"a minute of the first two was lost, of seven hours that may be", func(m advise.Measurements) {
			m[advise.Uptime], m[advise.UptimeObserved], m[cpu] = steady(50, time.Minute, now()), steady(120, time.Minute, now()), over(20*time.Minute)
		}, advise.Promote, 20 * time.Minute},
		{"the capacity is used up", func(m advise.Measurements) { m[advise.ConcurrentUsers] = steady(100, time.Hour, now()) }, advise.Promote, 0},
		{"… and a trigger has fired too", func(m advise.Measurements) {
			m[advise.ConcurrentUsers], m[cpu] = steady(100, time.Hour, now()), over(20*time.Minute)
		}, advise.Overdue, 20 * time.Minute},
		{"the capacity was used up for a moment", func(m advise.Measurements) {
			m[advise.RequestsPerSecond] = steady(51, 14*time.Minute, now())
		}, advise.Stay, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			measured := idle()
			test.given(measured)
			advice := about(t, "local-mvp", measured)
			assert.Equal(t, test.want, advice.Verdict, advice.Reasons)
			require.Len(t, advice.Triggers, 3)
			assert.Equal(t, "cpu", advice.Triggers[1].ID)
			assert.InDelta(t, test.over.Seconds(), advice.Triggers[1].OverFor, 0.001)
		})
	}
}

// without takes what is older than from and younger than to out of the fine history.
func without(s advise.Series, from, to time.Duration) advise.Series {
	var left []advise.Point
	for _, p := range s.Points {
		if age := now().Sub(p.At); age < from || age > to {
			left = append(left, p)
		}
	}
	s.Points = left
	return s
}

func TestTheLastTierStaysWhateverIsMeasured(t *testing.T) {
	t.Parallel()
	measured := idle()
	measured[advise.ConcurrentUsers] = steady(1e6, time.Hour, now())
	measured[advise.Uptime] = steady(90, time.Hour, now())
	advice := about(t, "local-tier4", measured)
	assert.Equal(t, advise.Stay, advice.Verdict)
	assert.Nil(t, advice.Next)
	assert.Contains(t, advice.Notes, "This is the plan's last tier: it grows by more regions and shards, not by a promotion.")
}

func TestThereIsNoAdviceOnWhatIsMissingOrStale(t *testing.T) {
	t.Parallel()
	const cpu = advise.Measurement("host_cpu")
	for _, test := range []struct {
		name string
		cpu  advise.Series
		want string
	}{
		{"never", advise.Series{}, "never measured"},
		{"only long ago", advise.Series{Lows: steady(1, time.Hour, now().Add(-time.Hour)).Lows}, "last measured before 2026-03-15 11:00:00"},
		{"stale", steady(1, time.Hour, now().Add(-125*time.Second)), "last measured 2 min ago, at 2026-03-15 11:57:55"},
		{"in the future", steady(1, time.Hour, now().Add(3*time.Hour)), "last measured at 2026-03-15 15:00:00, which is 3 h from now: a clock was changed"},
		{"not a number", steady(math.NaN(), time.Hour, now()), "measured as not a number"},
		{"infinite", steady(math.Inf(1), time.Hour, now()), "measured as infinite"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			measured := idle()
			measured[cpu] = test.cpu
			advice := about(t, "local-mvp", measured)
			assert.Equal(t, advise.Refused, advice.Verdict)
			require.Len(t, advice.Missing, 1)
			assert.Equal(t, cpu, advice.Missing[0].Measurement)
			assert.Equal(t, test.want, advice.Missing[0].Problem)
			assert.NotEmpty(t, advice.Missing[0].Expected)
			assert.NotEmpty(t, advice.Missing[0].Action)
			assert.Empty(t, advice.Triggers, "no figure beside a refusal")
		})
	}
	measured := idle()
	measured[cpu] = steady(1, time.Hour, now().Add(-2*time.Minute))
	assert.Equal(t, advise.Stay, about(t, "local-mvp", measured).Verdict, "just not stale")
	assert.Len(t, about(t, "local-mvp", nil).Missing, 8, "all at once")
	assert.Len(t, about(t, "local-tier1", nil).Missing, 9, "reads, memory, storage; p95, connections, users, requests, uptime and its time, none twice")
}

// Without requests there are no response times: nothing is wrong with that, unless there were requests.
func TestResponseTimesNeedRequests(t *testing.T) {
	t.Parallel()
	measured := idle()
	p95 := advise.Of(stacks.ResponseTimeP95)
	delete(measured, p95)
	advice := about(t, "local-mvp", measured)
	assert.Equal(t, advise.Stay, advice.Verdict)
	assert.Nil(t, advice.Triggers[0].Value)
	assert.Nil(t, advice.SLO[0].Kept)
	measured[advise.RequestsPerSecond] = steady(1, time.Hour, now())
	assert.Equal(t, advise.Refused, about(t, "local-mvp", measured).Verdict)
}

func TestAnIdleBalancerHasNoFarRequests(t *testing.T) {
	t.Parallel()
	measured := idle()
	measured[advise.Of(stacks.FarRequests)] = steady(math.NaN(), 24*time.Hour, now())
	advice := about(t, "local-tier2", measured)
	assert.Equal(t, advise.Stay, advice.Verdict)
	assert.Nil(t, advice.Triggers[2].Value)
	measured[advise.Of(stacks.BalancerUse)] = steady(math.NaN(), 24*time.Hour, now())
	assert.Equal(t, advise.Refused, about(t, "local-tier2", measured).Verdict, "it has a use without requests too")
}

func TestTheCommandNamesTheStack(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "rad promote mvp tier1", about(t, "local-mvp", idle()).Next.Command)
	assert.Equal(t, "rad promote mvp tier1 --target aws", about(t, "mvp", idle()).Next.Command)
	assert.Equal(t, "rad promote local-mvp-shop local-tier1", about(t, "local-mvp-shop", idle()).Next.Command)
}
