package stacks_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/stacks"
)

// eachStep runs a check, as a test of its own, on each tier of the plan and the one before it.
func eachStep(t *testing.T, check func(t *testing.T, before, after stacks.TierPlan)) {
	t.Helper()
	tiers := stacks.Plan().Tiers
	for i := 1; i < len(tiers); i++ {
		t.Run(string(tiers[i].Tier), func(t *testing.T) {
			t.Parallel()
			check(t, tiers[i-1], tiers[i])
		})
	}
}

func TestTiersAreOrdered(t *testing.T) {
	t.Parallel()
	plan := stacks.Plan()
	var names []stacks.Tier
	for _, tier := range plan.Tiers {
		names = append(names, tier.Tier)
	}
	assert.Equal(t, stacks.Tiers(), names)
	eachStep(t, func(t *testing.T, before, after stacks.TierPlan) {
		assert.Equal(t, before.Users.To, after.Users.From, "one begins where the other ends")
		next, ok := plan.Next(before.Tier)
		assert.True(t, ok)
		assert.Equal(t, after.Tier, next.Tier)
		previous, ok := plan.Previous(after.Tier)
		assert.True(t, ok)
		assert.Equal(t, before.Tier, previous.Tier)
	})
}

func TestPlanEnds(t *testing.T) {
	t.Parallel()
	plan := stacks.Plan()
	_, ok := plan.Next(stacks.Tier4)
	assert.False(t, ok)
	_, ok = plan.Previous(stacks.MVP)
	assert.False(t, ok)
	_, ok = plan.Next("tier9")
	assert.False(t, ok)
	_, err := plan.Tier("tier9")
	require.ErrorContains(t, err, `unknown tier "tier9": the plan has mvp, tier1, tier2, tier3, tier4`)
	_, err = plan.Budget("tier9")
	require.Error(t, err)
}

func TestPlanValuesAreTheCallersOwn(t *testing.T) {
	t.Parallel()
	mine := stacks.Plan()
	mine.Tiers[1].Triggers[0].Threshold = 1
	mine.Tiers[1].Blueprint.Hosts[0].Runs[0] = "mine"
	assert.NotEqual(t, mine, stacks.Plan())
}

func TestCapacityGrows(t *testing.T) {
	t.Parallel()
	eachStep(t, func(t *testing.T, before, after stacks.TierPlan) {
		assert.Greater(t, after.Users.Target, before.Users.Target)
		assert.Greater(t, after.Capacity.ConcurrentUsers, before.Capacity.ConcurrentUsers)
		assert.Greater(t, after.Capacity.RequestsPerSecond, before.Capacity.RequestsPerSecond)
		assert.Greater(t, after.Capacity.DatabaseConnections, before.Capacity.DatabaseConnections)
		assert.Greater(t, after.Capacity.Storage, before.Capacity.Storage)
	})
}

func TestBudgetGrows(t *testing.T) {
	t.Parallel()
	eachStep(t, func(t *testing.T, before, after stacks.TierPlan) {
		cheaper, err := stacks.Plan().Budget(before.Tier)
		require.NoError(t, err)
		dearer, err := stacks.Plan().Budget(after.Tier)
		require.NoError(t, err)
		assert.Greater(t, dearer.Low, cheaper.Low)
		assert.Greater(t, dearer.High, cheaper.High)
		assert.Less(t, dearer.Low, dearer.High)
	})
}

func TestSLOTightens(t *testing.T) {
	t.Parallel()
	eachStep(t, func(t *testing.T, before, after stacks.TierPlan) {
		assert.Less(t, after.SLO.P95, before.SLO.P95)
		assert.Less(t, after.SLO.PageLoad, before.SLO.PageLoad)
		assert.Greater(t, after.SLO.Uptime, before.SLO.Uptime)
		assert.Less(t, after.SLO.Uptime, stacks.Percent(100))
	})
}

func TestMetricsAreDefined(t *testing.T) {
	t.Parallel()
	used := map[stacks.Metric]bool{}
	for _, tier := range stacks.Plan().Tiers {
		for _, trigger := range tier.Triggers {
			used[trigger.Metric] = true
		}
	}
	seen := map[stacks.Metric]bool{}
	for _, d := range stacks.Metrics() {
		assert.False(t, seen[d.Metric], "%s is defined twice", d.Metric)
		seen[d.Metric] = true
		assert.True(t, used[d.Metric], "no trigger uses %s", d.Metric)
		for _, told := range []string{d.Title, string(d.Unit), d.Measured, d.Expression, string(d.Part)} {
			assert.NotEmpty(t, told, "%s leaves something open", d.Metric)
		}
		assert.Equal(t, d, d.Metric.Definition())
	}
	assert.Zero(t, stacks.Metric("mood").Definition())
}

func TestTriggersAreWellFormed(t *testing.T) {
	t.Parallel()
	assert.Empty(t, stacks.Plan().Tiers[0].Triggers, "nothing leads to the first tier")
	ids := map[string]bool{}
	for _, tier := range stacks.Plan().Tiers[1:] {
		assert.NotEmpty(t, tier.Triggers, "nothing leads to %s", tier.Tier)
		for _, trigger := range tier.Triggers {
			assert.False(t, ids[trigger.ID], "trigger %s is there twice", trigger.ID)
			ids[trigger.ID] = true
			assert.Regexp(t, `^[a-z]+(-[a-z]+)*$`, trigger.ID)
			assert.Equal(t, tier.Tier, trigger.LeadsTo, trigger.ID)
			assert.NotEmpty(t, trigger.Words, trigger.ID)
			assert.NotEmpty(t, trigger.Reason, trigger.ID)
			assert.Contains(t, []stacks.Source{stacks.Stated, stacks.Derived}, trigger.Source, trigger.ID)
			assert.Positive(t, trigger.Threshold, trigger.ID)
			assert.Positive(t, trigger.For, trigger.ID)
			assert.False(t, trigger.Fired(trigger.Threshold), trigger.ID)
			assert.True(t, trigger.Fired(trigger.Threshold*1.001), trigger.ID)
		}
	}
	assert.False(t, stacks.Trigger{Comparison: "<", Threshold: 1}.Fired(2), "a comparison that is none never fires")
}

// A trigger is measured in the tier that it leaves, and can be crossed there.
func TestTriggersCanFire(t *testing.T) {
	t.Parallel()
	eachStep(t, func(t *testing.T, before, after stacks.TierPlan) {
		for _, trigger := range after.Triggers {
			metric := trigger.Metric.Definition()
			require.NotZero(t, metric, "nothing measures %s of trigger %s", trigger.Metric, trigger.ID)
			assert.True(t, runs(before.Blueprint, metric.Part),
				"%s of trigger %s is measured at the %s, which %s does not run", metric.Metric, trigger.ID, metric.Part, before.Tier)
			if metric.Limit == "" {
				continue
			}
			limit, err := before.Value(metric.Limit)
			require.NoError(t, err)
			assert.Less(t, trigger.Threshold, number(limit),
				"trigger %s can never fire: %s bounds it at %v in %s", trigger.ID, metric.Limit, limit, before.Tier)
		}
	})
}

func runs(b stacks.Blueprint, part stacks.Part) bool {
	_, ok := b.HostOf(part)
	return ok
}

func number(figure any) float64 {
	return reflect.ValueOf(figure).Convert(reflect.TypeFor[float64]()).Float()
}

// Every action of the plan is carried out by fields that are there, are set, and are not yet so in the tier before.
func TestActionsAreClaimedByFields(t *testing.T) {
	t.Parallel()
	assert.Empty(t, stacks.Plan().Tiers[0].Actions, "nothing is done to reach the first tier")
	eachStep(t, func(t *testing.T, before, after stacks.TierPlan) {
		assert.NotEmpty(t, after.Actions)
		checkClaims(t, after, after.Actions)
		for _, action := range after.Actions {
			for _, field := range action.Fields {
				is, err := after.Value(field)
				require.NoError(t, err)
				was, err := before.Value(field)
				require.NoError(t, err)
				assert.NotEqual(t, was, is, "%q claims %s, which %s has already", action.Words, field, before.Tier)
			}
		}
	})
}

// What the plan names for the database may be so in the tier before already, as it names it for two tiers at once.
func TestDatabaseScalingIsClaimedByFields(t *testing.T) {
	t.Parallel()
	eachStep(t, func(t *testing.T, _, after stacks.TierPlan) {
		assert.NotEmpty(t, after.DatabaseScaling.Measures)
		checkClaims(t, after, after.DatabaseScaling.Measures)
	})
}

func checkClaims(t *testing.T, tier stacks.TierPlan, actions []stacks.Action) {
	t.Helper()
	for _, action := range actions {
		assert.NotEmpty(t, action.Fields, "nothing carries out %q", action.Words)
		for _, field := range action.Fields {
			value, err := tier.Value(field)
			require.NoError(t, err)
			assert.NotZero(t, value, "%q claims %s, which is not set", action.Words, field)
		}
	}
}

// What is neither in the plan nor as in the tier before must own up to it.
func TestEveryFieldIsStatedCarriedOverOrDerived(t *testing.T) {
	t.Parallel()
	// What the plan says beside its actions, by hand.
	stated := []string{
		"Tier", "Title", "Users", "Triggers", "Actions", "SLO", "DatabaseScaling", "Derived",
		"Blueprint.Monitoring.Level",
	}
	firstStated := []string{
		"Capacity", "Blueprint.Hosts.panel.Role", "Blueprint.Hosts.panel.Count", "Blueprint.Hosts.panel.CPU",
		"Blueprint.Hosts.panel.RAM", "Blueprint.Hosts.panel.Disk.Size", "Blueprint.Database.Shards",
		"Blueprint.Database.MaxConnections", "Blueprint.Backends.Instances", "Blueprint.Web.Server",
	}
	plan := stacks.Plan()
	for i, tier := range plan.Tiers {
		says := slices.Clone(stated)
		before := map[string]any{}
		if i == 0 {
			says = append(says, firstStated...)
		} else {
			says = append(says, "MonthlyCost")
			before = leaves(plan.Tiers[i-1])
		}
		for _, action := range tier.Actions {
			for _, field := range action.Fields {
				says = append(says, string(field))
			}
		}
		for path, value := range leaves(tier) {
			carriedOver := reflect.DeepEqual(before[path], value)
			isStated := slices.ContainsFunc(says, func(s string) bool { return path == s || strings.HasPrefix(path, s+".") })
			isDerived := tier.Source(stacks.Field(path)) == stacks.Derived
			assert.True(t, carriedOver || isStated || isDerived,
				"%s: the plan does not state %s: list it in Derived, with the rule that gives %v", tier.Tier, path, value)
		}
		for _, d := range tier.Derived {
			value, err := tier.Value(d.Field)
			require.NoError(t, err)
			assert.NotZero(t, value, "%s: %s is derived but not set", tier.Tier, d.Field)
			assert.NotEmpty(t, d.Rule, "%s: %s is derived by no rule", tier.Tier, d.Field)
		}
	}
}

// leaves gives the fields of a tier that are set, by path.
func leaves(tier stacks.TierPlan) map[string]any {
	found := map[string]any{}
	var walk func(path string, v reflect.Value)
	walk = func(path string, v reflect.Value) {
		hosts, isHosts := v.Interface().([]stacks.Host)
		switch {
		case isHosts:
			for _, host := range hosts {
				walk(path+"."+string(host.Role), reflect.ValueOf(host))
			}
		case v.Kind() == reflect.Struct:
			for _, field := range reflect.VisibleFields(v.Type()) {
				walk(strings.TrimPrefix(path+"."+field.Name, "."), v.FieldByIndex(field.Index))
			}
		case !v.IsZero():
			found[path] = v.Interface()
		}
	}
	walk("", reflect.ValueOf(tier))
	return found
}

func TestFieldsThatAreNotThere(t *testing.T) {
	t.Parallel()
	mvp := tier(t, stacks.MVP)
	for _, field := range []stacks.Field{"", "Nothing", "Blueprint.Hosts.king.CPU", "Blueprint.Queue.Depth", "Tier.", "Blueprint..Cache"} {
		_, err := mvp.Value(field)
		require.ErrorContains(t, err, fmt.Sprintf("field %q of tier %q", field, "mvp"))
	}
	value, err := mvp.Value("Blueprint.Hosts.database.RAM")
	require.NoError(t, err, "a role that the tier does without is no mistake")
	assert.Zero(t, value)
}
