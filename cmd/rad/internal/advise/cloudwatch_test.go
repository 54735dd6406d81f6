package advise_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/cmd/rad/internal/advise"
	"github.com/radpanel/radpanel/cmd/rad/internal/advise/cloudwatchtest"
	"github.com/radpanel/radpanel/infra/monitoring"
	"github.com/radpanel/radpanel/stacks"
)

// cloud is a CloudWatch, and a time at which it is asked: twelve minutes past some hour, within a period of five minutes.
type cloud struct {
	*testing.T
	server *cloudwatchtest.Server
	at     time.Time
	hosts  map[string]string
}

func newCloud(t *testing.T) *cloud {
	t.Helper()
	return &cloud{t, cloudwatchtest.Start(t), time.Date(2026, 3, 15, 12, 12, 20, 0, time.UTC), map[string]string{"panel-1": "i-1"}}
}

// put gives a figure of a stack or a host a history, up to so long ago.
func (c *cloud) put(name, value string, lasted, until time.Duration, figure func(age time.Duration) float64) {
	place := monitoring.PlaceOf(name)
	var samples []cloudwatchtest.Sample
	for at := c.at.Add(-lasted).Truncate(place.Every); !at.After(c.at.Add(-until)); at = at.Add(place.Every) {
		samples = append(samples, cloudwatchtest.Sample{At: at, Figure: figure(c.at.Sub(at))})
	}
	c.server.Put(cloudwatchtest.Metric{Namespace: place.Namespace, Name: place.MetricName, Dimension: place.Dimension, Value: value}, samples...)
}

func constant(figure float64) func(time.Duration) float64 {
	return func(time.Duration) float64 { return figure }
}

// idle is what CloudWatch has of an MVP that nobody has used for an hour, but for the processor's use and those figures.
func (c *cloud) idle(stack string, except ...string) {
	for name, figure := range map[string]float64{
		"database_connections": 3, "storage_used": float64(stacks.GiB), monitoring.ConcurrentUsers: 0, monitoring.RequestsPerSecond: 0,
		monitoring.Uptime: 99.5, monitoring.UptimeObserved: 15 * aDay.Seconds(), "database_reads": 2, "cache_memory": 1e6,
		"balancer_use": 5, "database_write_wait": 1,
	} {
		if !slices.Contains(except, name) {
			c.put(name, stack, time.Hour, time.Minute, constant(figure))
		}
	}
}

func (c *cloud) measure(stack string, tier stacks.Tier) (advise.Measurements, error) {
	return advise.NewCloudWatch(c.server.Config("eu-central-1"), stack, c.hosts).Measure(c.Context(), stacks.Plan(), tier, c.at)
}

func (c *cloud) advice(stack string) advise.Advice {
	c.Helper()
	loaded := load(c.T, stack)
	measured, err := c.measure(stack, loaded.Tier())
	require.NoError(c, err)
	return advise.Advise(loaded, stacks.Plan(), measured, c.at)
}

func TestMeasurementsComeFromCloudWatch(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	c.idle("mvp")
	c.put("host_cpu", "i-1", 10*aDay, 5*time.Minute, func(age time.Duration) float64 {
		if age < 50*time.Minute {
			return 80
		}
		return 50 - 2*daysOf(age)
	})
	advice := c.advice("mvp")
	require.Equal(t, advise.Promote, advice.Verdict, "%v %v", advice.Reasons, advice.Missing)
	assert.Equal(t, "aws", advice.Target)
	assert.Nil(t, advice.Triggers[0].Value, "there was no request")
	cpu := advice.Triggers[1]
	assert.InDelta(t, 80, *cpu.Value, 0)
	assert.InDelta(t, 50*60, cpu.OverFor, 15*60, "as finely as the history is")
	assert.Equal(t, advise.Rising, cpu.Trend.Course)
	assert.InDelta(t, 2, cpu.Trend.PerDay, 0.3)
	require.NotNil(t, cpu.Trend.Crossing)
	assert.InDelta(t, 3, *advice.Triggers[2].Value, 0)
	assert.InDelta(t, 25, advice.SLO[2].BudgetSpent, 1e-6)
	assert.Equal(t, 2, c.server.Requests(), "one for what is recent, one for the long history")
}

func TestWhatIsUsedUpForLongOnAWSIsSaidToBe(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	c.idle("mvp", monitoring.ConcurrentUsers)
	c.put("host_cpu", "i-1", time.Hour, 5*time.Minute, constant(3))
	c.put(monitoring.ConcurrentUsers, "mvp", aDay, time.Minute, constant(100))
	advice := c.advice("mvp")
	require.Len(t, advice.Use, 4, "%v", advice.Missing)
	assert.InDelta(t, aDay.Seconds(), advice.Use[0].ExceededFor, (15 * time.Minute).Seconds())
}

// A trigger fires when its alarm does: after as many periods over the threshold as the alarm counts.
func TestATriggerFiresWhenItsAlarmDoes(t *testing.T) {
	t.Parallel()
	alarms, err := monitoring.Alarms(stacks.MVP)
	require.NoError(t, err)
	cpu := alarms[1]
	for _, periods := range []int{cpu.EvaluationPeriods - 1, cpu.EvaluationPeriods} {
		c := newCloud(t)
		c.idle("mvp")
		c.put("host_cpu", "i-1", aDay, 5*time.Minute, func(age time.Duration) float64 {
			// The newest period of which there is a figure began seven minutes ago.
			if age < time.Duration(periods)*cpu.Period+5*time.Minute {
				return cpu.Threshold + 1
			}
			return cpu.Threshold
		})
		advice := c.advice("mvp")
		require.Empty(t, advice.Missing)
		assert.InDelta(t, (time.Duration(periods) * cpu.Period).Seconds(), advice.Triggers[1].OverFor, 0)
		assert.Equal(t, periods == cpu.EvaluationPeriods, advice.Triggers[1].Fired)
	}
}

// Of several hosts it is the busiest that counts, and all of them must have told.
func TestTheBusiestHostCounts(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	c.idle("tier1")
	c.hosts = map[string]string{"backend-1": "i-1", "backend-2": "i-2"}
	c.put("host_cpu", "i-1", time.Hour, 5*time.Minute, constant(20))
	c.put("host_cpu", "i-2", time.Hour, 5*time.Minute, constant(90))
	measured, err := c.measure("tier1", stacks.MVP)
	require.NoError(t, err)
	points := measured[advise.Of(stacks.HostCPU)].Points
	require.NotEmpty(t, points)
	assert.InDelta(t, 90, points[len(points)-1].Figure, 0)

	c.hosts["backend-3"] = "i-3" // It tells nothing.
	measured, err = c.measure("tier1", stacks.MVP)
	require.NoError(t, err)
	assert.Empty(t, measured[advise.Of(stacks.HostCPU)].Points)
}

func TestPagesAreReadToTheLast(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	c.idle("mvp")
	c.put("host_cpu", "i-1", 20*aDay, 5*time.Minute, func(age time.Duration) float64 { return 50 - daysOf(age) })
	whole, err := c.measure("mvp", stacks.MVP)
	require.NoError(t, err)
	requests := c.server.Requests()
	c.server.Page(37)
	paged, err := c.measure("mvp", stacks.MVP)
	require.NoError(t, err)
	assert.Equal(t, whole, paged)
	assert.Greater(t, c.server.Requests()-requests, 50)
}

func TestAThrottledQuestionIsAskedAgain(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	c.idle("mvp")
	c.put("host_cpu", "i-1", time.Hour, 5*time.Minute, constant(1))
	c.server.Refuse("ThrottlingException", "Throttling")
	advice := c.advice("mvp")
	assert.Equal(t, advise.Stay, advice.Verdict, "%v", advice.Missing)
	assert.Equal(t, 4, c.server.Requests())

	cfg := c.server.Config("eu-central-1")
	cfg.RetryMaxAttempts = 1
	c.server.Refuse("ThrottlingException")
	_, err := advise.NewCloudWatch(cfg, "mvp", c.hosts).Measure(t.Context(), stacks.Plan(), stacks.MVP, c.at)
	require.ErrorContains(t, err, "ThrottlingException")
}

func TestWhatMayNotBeReadOrIsNotWholeIsAnError(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	c.idle("mvp")
	c.server.Refuse("AccessDenied")
	_, err := c.measure("mvp", stacks.MVP)
	require.ErrorContains(t, err, "AccessDenied")
	c.server.Spoil(cloudwatchtest.Metric{Namespace: "RADPanel", Name: "uptime", Dimension: "Stack", Value: "mvp"}, "InternalError")
	_, err = c.measure("mvp", stacks.MVP)
	require.ErrorContains(t, err, "read uptime: InternalError")
}

func TestAServerThatIsNoCloudWatchIsAnError(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	server := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(server.Close)
	cfg := c.server.Config("eu-central-1")
	cfg.BaseEndpoint, cfg.RetryMaxAttempts = aws.String(server.URL), 1
	_, err := advise.NewCloudWatch(cfg, "mvp", c.hosts).Measure(t.Context(), stacks.Plan(), stacks.MVP, c.at)
	require.ErrorContains(t, err, "read figures")
}

func TestThereIsNoAdviceOnWhatCloudWatchHasNotOrNoMore(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		cpu  time.Duration // The newest figure is so old; 0: there is none.
		want string
	}{
		{"never", 0, "never measured"},
		{"long ago", 3 * time.Hour, "last measured before 2026-03-15 09:15:00"},
		{"stale", 18 * time.Minute, "last measured 17 min ago, at 2026-03-15 11:55:00"},
		{"as late as EC2 tells it", 12 * time.Minute, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := newCloud(t)
			c.idle("mvp")
			if test.cpu > 0 {
				c.put("host_cpu", "i-1", aDay, test.cpu, constant(1))
			}
			advice := c.advice("mvp")
			if test.want == "" {
				assert.Equal(t, advise.Stay, advice.Verdict, "%v", advice.Missing)
				return
			}
			assert.Equal(t, advise.Refused, advice.Verdict)
			require.Len(t, advice.Missing, 1)
			assert.Equal(t, advise.Of(stacks.HostCPU), advice.Missing[0].Measurement)
			assert.Equal(t, test.want, advice.Missing[0].Problem)
			assert.Equal(t, "a figure of the last 12 min", advice.Missing[0].Expected)
			assert.Contains(t, advice.Missing[0].Action, "--namespace RADPanel")
		})
	}
	c := newCloud(t)
	c.hosts = nil
	assert.Len(t, c.advice("mvp").Missing, 8, "an empty CloudWatch: all at once")
}

// Figures of other stacks of the same account and region are not this one's.
func TestStacksAreNotMixedUp(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	c.idle("mvp")
	c.put("host_cpu", "i-1", time.Hour, 5*time.Minute, constant(1))
	assert.Equal(t, advise.Stay, c.advice("mvp").Verdict)
	assert.Equal(t, advise.Refused, c.advice("mvp-staging").Verdict)
}
