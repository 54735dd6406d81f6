package stacks_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/radpanel/radpanel/stacks"
)

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
		assert.Positive(t, host.Count, "of role %s", host.Role)
		assert.Positive(t, host.CPU, "of role %s", host.Role)
		assert.Positive(t, host.RAM, "of role %s", host.Role)
		assert.Equal(t, host.Disk.Size > 0, host.Disk.Kind != "", "a disk of role %s has a size and a kind, or neither", host.Role)
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
