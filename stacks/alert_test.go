package stacks_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/stacks"
)

func TestAlertsOfATier(t *testing.T) {
	t.Parallel()
	plan := stacks.Plan()
	_, err := plan.Alerts("tier9")
	require.ErrorContains(t, err, "tier9")
	for _, tier := range plan.Tiers {
		alerts, err := plan.Alerts(tier.Tier)
		require.NoError(t, err)
		leading := map[string]bool{}
		seen := map[string]bool{}
		for _, a := range alerts {
			assert.Regexp(t, `^[a-z0-9]+(-[a-z0-9]+)*$`, a.ID)
			assert.NotEmpty(t, a.Summary, a.ID)
			assert.NotEmpty(t, a.Expression, a.ID)
			assert.NotEmpty(t, a.Unit, a.ID)
			assert.Contains(t, stacks.Severities(), a.Severity, a.ID)
			assert.Equal(t, a.Severity == stacks.Growth, a.LeadsTo != "", "%s: growth alone leads to a tier", a.ID)
			assert.Equal(t, a.Objective != "", a.Window != 0, a.ID)
			key := a.ID + a.Window.String()
			assert.False(t, seen[key], "%s is there twice", key)
			seen[key] = true
			if a.LeadsTo != "" {
				leading[a.ID] = true
			}
		}
		next, _ := plan.Next(tier.Tier)
		assert.Len(t, leading, len(next.Triggers), "each trigger of the next tier is an alert")
		for _, trigger := range next.Triggers {
			assert.True(t, leading[trigger.ID], trigger.ID)
		}
	}
}

// The table of the SRE workbook, and what it comes to with a budget of 0.1 %.
func TestBurnRates(t *testing.T) {
	t.Parallel()
	assert.Equal(t, []stacks.BurnRate{
		{Severity: stacks.Page, Factor: 14.4, Long: time.Hour, Short: 5 * time.Minute},
		{Severity: stacks.Page, Factor: 6, Long: 6 * time.Hour, Short: 30 * time.Minute},
		{Severity: stacks.Ticket, Factor: 1, Long: 72 * time.Hour, Short: 6 * time.Hour},
	}, stacks.BurnRates())
	alerts, err := stacks.Plan().Alerts(stacks.Tier2)
	require.NoError(t, err)
	var limits []string
	for _, a := range alerts {
		if a.Objective == "availability" {
			limits = append(limits, a.Expression)
		}
	}
	require.Len(t, limits, 3)
	assert.Contains(t, limits[0], `window="1h"} > 0.0144 and`)
	assert.Contains(t, limits[0], `window="5m"} > 0.0144 and`)
	assert.Contains(t, limits[1], `window="30m"} > 0.006 and`)
	assert.Contains(t, limits[2], `window="3d"} > 0.001 and`)
}

func TestObjectivesAreTheTiersOwn(t *testing.T) {
	t.Parallel()
	for name, want := range map[stacks.Tier]struct {
		budget float64
		edge   string
	}{
		stacks.MVP: {0.01, `le="0.5"`}, stacks.Tier1: {0.005, `le="0.4"`}, stacks.Tier2: {0.001, `le="0.3"`},
		stacks.Tier3: {0.0005, `le="0.2"`}, stacks.Tier4: {0.0001, `le="0.15"`},
	} {
		for _, objective := range tier(t, name).Objectives() {
			if objective.ID == "latency" {
				assert.InDelta(t, 0.05, objective.Budget, 0)
				assert.Contains(t, objective.Bad, want.edge)
				continue
			}
			assert.InDelta(t, want.budget, objective.Budget, 0, "%s of %s", objective.ID, name)
		}
	}
}

func TestDurationsAsPrometheusReadsThem(t *testing.T) {
	t.Parallel()
	for want, d := range map[string]time.Duration{
		"0s": 0, "15s": 15 * time.Second, "90s": 90 * time.Second, "5m": 5 * time.Minute, "1h": time.Hour, "24h": 24 * time.Hour,
		"36h": 36 * time.Hour, "3d": 72 * time.Hour, "30d": stacks.BudgetWindow,
	} {
		assert.Equal(t, want, stacks.PrometheusDuration(d))
	}
}
