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

// steps gives each tier of the plan with the one before it.
func steps(plan stacks.ScalingPlan) [][2]stacks.TierPlan {
	var pairs [][2]stacks.TierPlan
	for i := 1; i < len(plan.Tiers); i++ {
		pairs = append(pairs, [2]stacks.TierPlan{plan.Tiers[i-1], plan.Tiers[i]})
	}
	return pairs
}

func TestTiersAreOrdered(t *testing.T) {
	t.Parallel()
	plan := stacks.Plan()
	var names []stacks.Tier
	for _, tier := range plan.Tiers {
		names = append(names, tier.Tier)
	}
	assert.Equal(t, stacks.Tiers(), names)
	for _, s := range steps(plan) {
		before, after := s[0], s[1]
		assert.Equal(t, before.Users.To, after.Users.From, "%s begins where %s ends", after.Tier, before.Tier)
		next, ok := plan.Next(before.Tier)
		assert.True(t, ok)
		assert.Equal(t, after.Tier, next.Tier)
		previous, ok := plan.Previous(after.Tier)
		assert.True(t, ok)
		assert.Equal(t, before.Tier, previous.Tier)
	}
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
	plan := stacks.Plan()
	for _, s := range steps(plan) {
		before, after := s[0], s[1]
		assert.Greater(t, after.Users.Target, before.Users.Target, after.Tier)
		assert.Greater(t, after.Capacity.ConcurrentUsers, before.Capacity.ConcurrentUsers, after.Tier)
		assert.Greater(t, after.Capacity.RequestsPerSecond, before.Capacity.RequestsPerSecond, after.Tier)
		assert.Greater(t, after.Capacity.DatabaseConnections, before.Capacity.DatabaseConnections, after.Tier)
		assert.Greater(t, after.Capacity.Storage, before.Capacity.Storage, after.Tier)
		cheaper, err := plan.Budget(before.Tier)
		require.NoError(t, err)
		dearer, err := plan.Budget(after.Tier)
		require.NoError(t, err)
		assert.Greater(t, dearer.Low, cheaper.Low, after.Tier)
		assert.Greater(t, dearer.High, cheaper.High, after.Tier)
	}
	for _, tier := range plan.Tiers {
		assert.Less(t, tier.MonthlyCost.Low, tier.MonthlyCost.High, tier.Tier)
	}
}

func TestSLOTightens(t *testing.T) {
	t.Parallel()
	for _, s := range steps(stacks.Plan()) {
		before, after := s[0], s[1]
		assert.Less(t, after.SLO.P95, before.SLO.P95, after.Tier)
		assert.Less(t, after.SLO.PageLoad, before.SLO.PageLoad, after.Tier)
		assert.Greater(t, after.SLO.Uptime, before.SLO.Uptime, after.Tier)
		assert.Less(t, after.SLO.Uptime, stacks.Percent(100), after.Tier)
	}
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
		assert.NotEmpty(t, d.Title, d.Metric)
		assert.NotEmpty(t, d.Unit, d.Metric)
		assert.NotEmpty(t, d.Measured, d.Metric)
		assert.NotEmpty(t, d.Part, d.Metric)
		assert.Equal(t, d, d.Metric.Definition())
	}
	assert.Zero(t, stacks.Metric("mood").Definition())
}

func TestTriggersAreMeasuredAndReachableInTheTierTheyLeave(t *testing.T) {
	t.Parallel()
	plan := stacks.Plan()
	assert.Empty(t, plan.Tiers[0].Triggers, "nothing leads to the first tier")
	ids := map[string]bool{}
	for _, s := range steps(plan) {
		before, after := s[0], s[1]
		assert.NotEmpty(t, after.Triggers, after.Tier)
		for _, trigger := range after.Triggers {
			assert.False(t, ids[trigger.ID], "trigger %s is there twice", trigger.ID)
			ids[trigger.ID] = true
			assert.Regexp(t, `^[a-z]+(-[a-z]+)*$`, trigger.ID)
			assert.Equal(t, after.Tier, trigger.LeadsTo, trigger.ID)
			assert.NotEmpty(t, trigger.Words, trigger.ID)
			assert.NotEmpty(t, trigger.Reason, trigger.ID)
			assert.Contains(t, []stacks.Source{stacks.Stated, stacks.Derived}, trigger.Source, trigger.ID)
			assert.Positive(t, trigger.Threshold, trigger.ID)
			assert.Positive(t, trigger.For, trigger.ID)

			assert.False(t, trigger.Fired(trigger.Threshold), trigger.ID)
			assert.True(t, trigger.Fired(trigger.Threshold*1.001), trigger.ID)

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
	}
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
	plan := stacks.Plan()
	assert.Empty(t, plan.Tiers[0].Actions, "nothing is done to reach the first tier")
	for _, s := range steps(plan) {
		before, after := s[0], s[1]
		assert.NotEmpty(t, after.Actions, after.Tier)
		for _, action := range after.Actions {
			require.NotEmpty(t, action.Fields, "nothing carries out %q of %s", action.Words, after.Tier)
			for _, field := range action.Fields {
				is, err := after.Value(field)
				require.NoError(t, err)
				was, err := before.Value(field)
				require.NoError(t, err)
				assert.NotZero(t, is, "%s: %q claims %s, which is not set", after.Tier, action.Words, field)
				assert.NotEqual(t, was, is, "%s: %q claims %s, which %s has already", after.Tier, action.Words, field, before.Tier)
			}
		}
		for _, measure := range after.DatabaseScaling.Measures {
			require.NotEmpty(t, measure.Fields, "nothing carries out %q of %s", measure.Words, after.Tier)
			for _, field := range measure.Fields {
				is, err := after.Value(field)
				require.NoError(t, err)
				assert.NotZero(t, is, "%s: %q claims %s, which is not set", after.Tier, measure.Words, field)
			}
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
			assert.NotEmpty(t, d.Rule, d.Field)
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
		assert.ErrorContains(t, err, fmt.Sprintf("field %q of tier %q", field, "mvp"))
	}
	value, err := mvp.Value("Blueprint.Hosts.database.RAM")
	require.NoError(t, err, "a role that the tier does without is no mistake")
	assert.Zero(t, value)
}

func TestBlueprintsAreConsistent(t *testing.T) {
	t.Parallel()
	for _, tier := range stacks.Plan().Tiers {
		t.Run(string(tier.Tier), func(t *testing.T) {
			t.Parallel()
			checkHosts(t, tier)
			b := tier.Blueprint

			assert.Zero(t, 256%b.Database.Shards, "shards share the 256 buckets equally")
			assert.Positive(t, b.Database.ServiceConnections())
			assert.Equal(t, tier.Capacity.DatabaseConnections, b.Database.MaxConnections*b.Database.Servers()*b.Regions)
			if database, _ := b.HostOf(stacks.PartDatabase); database.Role == stacks.RoleDatabase {
				assert.Equal(t, b.Database.Servers(), database.Count, "one host for each PostgreSQL server")
			} else {
				assert.Equal(t, 1, b.Database.Servers())
			}
			if b.FileStore.Kind == stacks.FileStoreDisk {
				assert.Equal(t, tier.Capacity.Storage, b.Hosts[0].Disk.Size, "rows and files are on the one disk")
			}
			if b.Backends.Instances > 1 {
				assert.NotEmpty(t, b.Balancer, "several backends need a balancer")
			}
			if host, ok := b.HostOf(stacks.PartCache); ok {
				assert.LessOrEqual(t, b.Cache.Memory, host.RAM/2, "the cache leaves half of its host to others")
			}
			assert.LessOrEqual(t, 4*b.Database.SlowQueryLog, tier.SLO.P95)
			assert.Equal(t, b.Regions > 1, b.Database.ActiveActive)
			assert.Equal(t, b.Regions > 1, b.FileStore.CrossRegion)
		})
	}
}

// checkHosts holds the hosts of a tier against the parts that its blueprint names.
func checkHosts(t *testing.T, tier stacks.TierPlan) {
	t.Helper()
	b := tier.Blueprint
	seen := map[stacks.Role]bool{}
	for _, host := range b.Hosts {
		assert.Contains(t, stacks.Roles(), host.Role)
		assert.False(t, seen[host.Role], "role %s is there twice", host.Role)
		seen[host.Role] = true
		assert.Positive(t, host.Count, host.Role)
		assert.Positive(t, host.CPU, host.Role)
		assert.Positive(t, host.RAM, host.Role)
		assert.Equal(t, host.Disk.Size > 0, host.Disk.Kind != "", host.Role)
		found, ok := b.Host(host.Role)
		assert.True(t, ok)
		assert.Equal(t, host, found)
	}
	_, ok := b.Host("king")
	assert.False(t, ok)
	for part, wanted := range map[stacks.Part]bool{
		stacks.PartWeb:      true,
		stacks.PartBackend:  true,
		stacks.PartPooler:   true,
		stacks.PartDatabase: true,
		stacks.PartBalancer: b.Balancer != stacks.BalancerNone,
		stacks.PartWorker:   b.Workers.Instances > 0,
		stacks.PartCache:    b.Cache.Memory > 0 && !b.Cache.Managed,
		stacks.PartQueue:    b.Queue == stacks.QueueRabbitMQ,
	} {
		assert.Equal(t, wanted, runs(b, part), "a host of %s runs the %s", tier.Tier, part)
	}
	host, _ := b.HostOf(stacks.PartDatabase)
	assert.NotZero(t, host.Disk, "the database has a disk for its data")
}

func TestMonitoringLevels(t *testing.T) {
	t.Parallel()
	assert.True(t, stacks.MonitoringBasic.Has(stacks.UptimeMonitoring))
	assert.False(t, stacks.MonitoringBasic.Has(stacks.APM))
	assert.True(t, stacks.MonitoringAdvanced.Has(stacks.APM))
	assert.Empty(t, stacks.MonitoringLevel("clairvoyant").Capabilities())
}
