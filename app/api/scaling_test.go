package api_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/app/api"
	"github.com/radpanel/radpanel/app/config"
	"github.com/radpanel/radpanel/test/prometheustest"
)

func TestScalingShowsThePlanBesideLiveFigures(t *testing.T) {
	t.Parallel()
	s := newService(t)
	admin := s.signUp(t)
	other := s.signUp(t)
	other.do(t, "GET", "/admin/scaling", nil).is(t, http.StatusForbidden)

	read := func() (report api.Scaling) {
		admin.do(t, "GET", "/admin/scaling", nil).is(t, http.StatusOK).decode(t, &report)
		return report
	}
	report := read()
	assert.Equal(t, "mvp", report.Tier)
	require.NotNil(t, report.Current)
	assert.Equal(t, 50, report.Current.Capacity.RequestsPerSecond)
	require.NotNil(t, report.NextTier)
	assert.Equal(t, []string{"Add Redis for caching"}, report.NextTier.Actions)
	assert.Len(t, report.Tiers, 2)
	require.NotNil(t, report.Use.ConcurrentUsers)
	assert.InDelta(t, 2, *report.Use.ConcurrentUsers, 0)
	require.NotNil(t, report.Use.DatabaseConnections)
	assert.GreaterOrEqual(t, *report.Use.DatabaseConnections, 1.0)
	require.NotNil(t, report.Use.StorageBytes)
	assert.Greater(t, *report.Use.StorageBytes, 1e6)
	require.NotNil(t, report.SLO.P95Seconds, "requests were served")
	assert.Positive(t, *report.SLO.P95Seconds)
	assert.Nil(t, report.SLO.PageLoadSeconds)

	require.Len(t, report.Triggers, 2)
	over := report.Triggers[0]
	require.NotNil(t, over.OverSince)
	assert.False(t, over.Fired, "not for ten minutes yet")
	assert.Nil(t, report.Triggers[1].Value, "what is not measured is not invented")

	s.Clock.Advance(11 * time.Minute)
	report = read()
	assert.True(t, report.Triggers[0].Fired)
	assert.Equal(t, over.OverSince, report.Triggers[0].OverSince)
	assert.Nil(t, report.SLO.P95Seconds, "no request in the last five minutes")
}

func TestTheHistoryIsForAdministratorsAndSaysWhatItLacks(t *testing.T) {
	t.Parallel()
	read := func(s *service, span string) (history api.ScalingHistory) {
		admin := s.signUp(t)
		s.signUp(t).do(t, "GET", "/admin/scaling/history", nil).is(t, http.StatusForbidden)
		admin.do(t, "GET", "/admin/scaling/history"+span, nil).is(t, http.StatusOK).decode(t, &history)
		return history
	}
	without := read(newService(t), "")
	assert.Equal(t, "unavailable", without.State)
	assert.Equal(t, 24*time.Hour, without.Until.Sub(without.Since), "a day, if nothing is said")
	assert.Empty(t, without.Triggers)

	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	assert.Equal(t, "unreachable", read(newService(t, func(c *config.Config) { c.PrometheusURL = closed.URL }), "?span=hour").State)

	address := prometheustest.Start(t, time.Now(), prometheustest.Series{
		Name: "radpanel:database_connections:count", From: time.Hour, Every: 15 * time.Second, At: func(time.Duration) float64 { return 7 },
	})
	there := read(newService(t, func(c *config.Config) { c.PrometheusURL = "http://" + address }), "?span=hour")
	assert.Equal(t, "available", there.State)
	require.Len(t, there.Triggers, 2)
	assert.Equal(t, "connections", there.Triggers[0].ID)
	last := there.Triggers[0].Values[len(there.Triggers[0].Values)-1]
	require.NotNil(t, last)
	assert.InDelta(t, 7, *last, 0)
	assert.InDelta(t, 15, there.StepSeconds, 0)
	assert.Len(t, there.SLO, 3)
}

func TestScalingIsOfTheWholeTierWherePrometheusAnswers(t *testing.T) {
	t.Parallel()
	began := time.Now().Add(-20 * time.Minute).Truncate(time.Second)
	steady := func(name string, figure float64) prometheustest.Series {
		return prometheustest.Series{Name: name, From: time.Minute, Every: 15 * time.Second, At: func(time.Duration) float64 { return figure }}
	}
	address := prometheustest.Start(t, time.Now(),
		steady("radpanel:cache_memory:bytes", 2e9), // No instance has a cache here.
		steady(`ALERTS_FOR_STATE{alertname="memory",severity="growth"}`, float64(began.Unix())),
		steady("radpanel:requests_per_second:per_second", 40),
	)
	read := func(change ...func(*config.Config)) (report api.Scaling) {
		newService(t, change...).signUp(t).do(t, "GET", "/admin/scaling", nil).is(t, http.StatusOK).decode(t, &report)
		require.Len(t, report.Triggers, 2)
		return report
	}
	alone := read()
	assert.True(t, alone.Triggers[0].Measured)
	assert.False(t, alone.Triggers[1].Measured)

	report := read(func(c *config.Config) { c.PrometheusURL = "http://" + address })
	memory := report.Triggers[1]
	assert.True(t, memory.Measured)
	require.NotNil(t, memory.Value)
	assert.InDelta(t, 2e9, *memory.Value, 0)
	require.NotNil(t, memory.OverSince)
	assert.True(t, memory.OverSince.Equal(began))
	assert.True(t, memory.Fired)
	assert.InDelta(t, 40, *report.Use.RequestsPerSecond, 0)

	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	unreachable := read(func(c *config.Config) { c.PrometheusURL = closed.URL })
	assert.False(t, unreachable.Triggers[1].Measured, "nothing is made up")
	assert.True(t, unreachable.Triggers[0].Measured)
}
