package stacks_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/stacks"
)

// The tests of this file hold the data against SCALING_PLAN.md. The expected values are written by hand from the
// document, in its order; nothing here may be computed from the data.

func tier(t *testing.T, name stacks.Tier) stacks.TierPlan {
	t.Helper()
	plan, err := stacks.Plan().Tier(name)
	require.NoError(t, err)
	return plan
}

func TestPlanCurrentTierAndReview(t *testing.T) {
	t.Parallel()
	plan := stacks.Plan()
	assert.Equal(t, stacks.MVP, plan.Current)
	assert.Equal(t, stacks.Review{Words: "After 100 active users", ActiveUsers: 100}, plan.NextReview)
}

func TestPlanMVPCapacity(t *testing.T) {
	t.Parallel()
	mvp := tier(t, stacks.MVP)
	assert.Equal(t, stacks.Capacity{
		ConcurrentUsers:     100,
		RequestsPerSecond:   50,
		DatabaseConnections: 20,
		Storage:             20 << 30,
	}, mvp.Capacity)

	b := mvp.Blueprint
	require.Len(t, b.Hosts, 1)
	assert.Equal(t, 1, b.Hosts[0].Count)
	assert.Equal(t, 2, b.Hosts[0].CPU)
	assert.EqualValues(t, 2<<30, b.Hosts[0].RAM)
	assert.EqualValues(t, 20<<30, b.Hosts[0].Disk.Size)
	assert.Equal(t, 1, b.Database.Shards)
	assert.Zero(t, b.Database.Replicas)
	assert.Equal(t, 20, b.Database.MaxConnections)
	assert.Equal(t, stacks.TransactionPooling, b.Database.Pooling)
	assert.Equal(t, 1, b.Backends.Instances)
	assert.Equal(t, stacks.Nginx, b.Web.Server)
	assert.Equal(t, stacks.FileStoreDisk, b.FileStore.Kind)
}

func TestPlanTable(t *testing.T) {
	t.Parallel()
	for _, want := range []struct {
		tier     stacks.Tier
		title    string
		users    stacks.Users
		p95      time.Duration
		pageLoad time.Duration
		uptime   float64
		cost     string
		devOps   int
	}{
		{"mvp", "MVP", stacks.Users{From: 0, To: 100, Target: 100}, 500 * time.Millisecond, 2 * time.Second, 99, "", 0},
		{"tier1", "Tier 1", stacks.Users{From: 100, To: 500, Target: 500}, 400 * time.Millisecond, 1500 * time.Millisecond, 99.5, "+$20-30/month", 0},
		{"tier2", "Tier 2", stacks.Users{From: 500, To: 2000, Target: 2000}, 300 * time.Millisecond, time.Second, 99.9, "+$50-80/month", 0},
		{"tier3", "Tier 3", stacks.Users{From: 2000, To: 10000, Target: 10000}, 200 * time.Millisecond, 800 * time.Millisecond, 99.95, "+$200-500/month", 0},
		{"tier4", "Tier 4", stacks.Users{From: 10000, To: 0, Target: 50000}, 150 * time.Millisecond, 500 * time.Millisecond, 99.99, "$1,000-5,000/month", 1},
	} {
		t.Run(string(want.tier), func(t *testing.T) {
			t.Parallel()
			got := tier(t, want.tier)
			assert.Equal(t, want.title, got.Title)
			assert.Equal(t, want.users, got.Users)
			assert.Equal(t, want.p95, got.SLO.P95)
			assert.Equal(t, want.pageLoad, got.SLO.PageLoad)
			assert.InDelta(t, want.uptime, float64(got.SLO.Uptime), 0)
			assert.Equal(t, want.devOps, got.Team.DevOps)
			if want.cost == "" {
				assert.Equal(t, stacks.Derived, got.Source("MonthlyCost"), "the plan gives no cost for this tier")
				return
			}
			assert.Equal(t, stacks.Stated, got.Source("MonthlyCost"))
			assert.Equal(t, want.cost, got.MonthlyCost.String())
		})
	}
}

func TestPlanTriggers(t *testing.T) {
	t.Parallel()
	type trigger struct {
		words     string
		metric    stacks.Metric
		unit      stacks.Unit
		threshold float64 // 0: the plan names a condition without a number
	}
	for name, want := range map[stacks.Tier][]trigger{
		"mvp": {},
		"tier1": {
			{"Response time >500ms", stacks.ResponseTimeP95, stacks.Seconds, 0.5},
			{"CPU usage >70%", stacks.HostCPU, stacks.OfHundred, 70},
			{"Database connections >15", stacks.DatabaseConnections, stacks.Count, 15},
		},
		"tier2": {
			{"Database read queries >1000/sec", stacks.DatabaseReads, stacks.PerSecond, 1000},
			{"Redis memory >1GB", stacks.CacheMemory, stacks.BytesStored, 1073741824},
			{"Storage >50GB", stacks.StorageUsed, stacks.BytesStored, 53687091200},
		},
		"tier3": {
			{"Load balancer at capacity", stacks.BalancerUse, stacks.OfHundred, 0},
			{"Database write bottleneck", stacks.DatabaseWriteWait, stacks.OfHundred, 0},
			{"Multiple regions needed", stacks.FarRequests, stacks.OfHundred, 0},
		},
		"tier4": {
			{"Multi-region expansion", stacks.FarRequests, stacks.OfHundred, 0},
			{"24/7 support needed", stacks.QuietestHour, stacks.OfHundred, 0},
			{"High availability requirements", stacks.ErrorBudgetSpent, stacks.OfHundred, 0},
		},
	} {
		t.Run(string(name), func(t *testing.T) {
			t.Parallel()
			got := tier(t, name).Triggers
			require.Len(t, got, len(want))
			for i, w := range want {
				assert.Equal(t, w.words, got[i].Words)
				assert.Equal(t, w.metric, got[i].Metric, w.words)
				assert.Equal(t, w.unit, got[i].Metric.Definition().Unit, w.words)
				assert.Equal(t, stacks.Above, got[i].Comparison, w.words)
				if w.threshold == 0 {
					assert.Equal(t, stacks.Derived, got[i].Source, w.words)
					continue
				}
				assert.Equal(t, stacks.Stated, got[i].Source, w.words)
				assert.InDelta(t, w.threshold, got[i].Threshold, 0, w.words)
			}
		})
	}
}

func TestPlanActions(t *testing.T) {
	t.Parallel()
	for name, want := range map[stacks.Tier][]string{
		"mvp": {},
		"tier1": {
			"Upgrade VPS (4GB RAM, 4 CPU)",
			"Add Redis for caching",
			"Enable gzip compression",
			"Optimize database queries",
		},
		"tier2": {
			"Add database read replica",
			"Horizontal scaling (2x backend instances)",
			"Load balancer (Nginx)",
			"CDN for static assets",
			"Separate file storage (S3/MinIO)",
		},
		"tier3": {
			"Kubernetes cluster",
			"Database sharding",
			"Message queue (RabbitMQ/Redis)",
			"Separate background job workers",
			"Advanced monitoring (Datadog)",
		},
		"tier4": {
			"Multi-region deployment",
			"Active-active database replication",
			"CDN edge caching",
			"Dedicated DevOps engineer",
			"Managed services (RDS, ElastiCache)",
		},
	} {
		t.Run(string(name), func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, want, wordsOf(tier(t, name).Actions))
		})
	}

	// The numbers that actions carry.
	panel, ok := tier(t, stacks.Tier1).Blueprint.Host(stacks.RolePanel)
	require.True(t, ok)
	assert.Equal(t, 4, panel.CPU)
	assert.EqualValues(t, 4<<30, panel.RAM)
	assert.Equal(t, 1, panel.Count)
	assert.Equal(t, 2, tier(t, stacks.Tier2).Blueprint.Backends.Instances)
	assert.Equal(t, 1, tier(t, stacks.Tier2).Blueprint.Database.Replicas)
}

func TestPlanDatabaseScaling(t *testing.T) {
	t.Parallel()
	vertical := []string{"Increase RAM/CPU", "SSD storage", "Connection pooling"}
	horizontal := []string{"Read replicas", "Sharding by user_id", "Write-optimized instances"}
	for name, want := range map[stacks.Tier]struct {
		direction stacks.Direction
		measures  []string
	}{
		"mvp":   {stacks.AsIs, []string{}},
		"tier1": {stacks.Vertical, vertical},
		"tier2": {stacks.Vertical, vertical},
		"tier3": {stacks.Horizontal, horizontal},
		"tier4": {stacks.Horizontal, horizontal},
	} {
		t.Run(string(name), func(t *testing.T) {
			t.Parallel()
			got := tier(t, name).DatabaseScaling
			assert.Equal(t, want.direction, got.Direction)
			assert.Equal(t, want.measures, wordsOf(got.Measures))
		})
	}
}

func TestPlanMonitoring(t *testing.T) {
	t.Parallel()
	mvp := []stacks.Capability{"Basic uptime monitoring", "Error logging"}
	tier1 := append(mvp[:2:2], "APM (Application Performance Monitoring)", "Real-time alerts", "Custom dashboards")
	tier3 := append(tier1[:5:5], "Distributed tracing", "Log aggregation", "Anomaly detection")
	for name, want := range map[stacks.Tier][]stacks.Capability{
		"mvp": mvp, "tier1": tier1, "tier2": tier1, "tier3": tier3, "tier4": tier3,
	} {
		t.Run(string(name), func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, want, tier(t, name).Blueprint.Monitoring.Level.Capabilities())
		})
	}
}

// What the plan does not state follows from its MVP by the rules of derive.go; the results are written by hand.
func TestPlanDerivedFigures(t *testing.T) {
	t.Parallel()
	for name, want := range map[stacks.Tier]stacks.Capacity{
		"tier1": {ConcurrentUsers: 500, RequestsPerSecond: 250, DatabaseConnections: 40, Storage: 100 << 30},
		"tier2": {ConcurrentUsers: 2000, RequestsPerSecond: 1000, DatabaseConnections: 80, Storage: 400 << 30},
		"tier3": {ConcurrentUsers: 10000, RequestsPerSecond: 5000, DatabaseConnections: 160, Storage: 2000 << 30},
		"tier4": {ConcurrentUsers: 50000, RequestsPerSecond: 25000, DatabaseConnections: 320, Storage: 10000 << 30},
	} {
		t.Run(string(name), func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, want, tier(t, name).Capacity)
		})
	}
}

func TestPlanBudgetAddsUp(t *testing.T) {
	t.Parallel()
	for name, want := range map[stacks.Tier]string{
		"mvp": "$20-30/month", "tier1": "$40-60/month", "tier2": "$90-140/month", "tier3": "$290-640/month", "tier4": "$1,000-5,000/month",
	} {
		t.Run(string(name), func(t *testing.T) {
			t.Parallel()
			budget, err := stacks.Plan().Budget(name)
			require.NoError(t, err)
			assert.Equal(t, want, budget.String())
		})
	}
}

func wordsOf(actions []stacks.Action) []string {
	words := []string{}
	for _, a := range actions {
		words = append(words, a.Words)
	}
	return words
}
