package api_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/app/api"
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
