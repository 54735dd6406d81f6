package stacks

import "time"

// tier3 spreads the writes too: the buckets over shards, the service over a cluster, the jobs over workers.
func tier3() TierPlan {
	return TierPlan{
		Tier:  Tier3,
		Title: "Tier 3",
		Users: Users{From: 2000, To: 10_000, Target: 10_000},
		Triggers: []Trigger{
			{
				ID: "balancer-capacity", Words: "Load balancer at capacity",
				Metric: BalancerUse, Comparison: Above, Threshold: 80, For: 10 * time.Minute,
				LeadsTo: Tier3, Source: Derived,
				Reason: "A balancer has two things to run out of, connections and CPU. At 80 % of either, requests wait " +
					"about four times as long as they are served (use / (1 - use) of a single queue), and no room is " +
					"left for a failed backend's retries.",
			},
			{
				ID: "database-writes", Words: "Database write bottleneck",
				Metric: DatabaseWriteWait, Comparison: Above, Threshold: 50, For: 15 * time.Minute,
				LeadsTo: Tier3, Source: Derived,
				Reason: "Once more than half of the sessions at work wait for the log or the disk, writing is what " +
					"limits the database. A replica or a cache takes nothing off that, only further primaries do.",
			},
			{
				ID: "regions-needed", Words: "Multiple regions needed",
				Metric: FarRequests, Comparison: Above, Threshold: 5, For: 24 * time.Hour,
				LeadsTo: Tier3, Source: Derived,
				Reason: "A p95 lets 5 of 100 requests be slow. If more than these spend it on the way to a far user, no " +
					"server is fast enough. A day, because users follow the sun.",
			},
		},
		Actions: []Action{
			{"Kubernetes cluster", []Field{"Blueprint.Orchestrator", "Blueprint.Hosts.node.Count"}},
			{"Database sharding", []Field{"Blueprint.Database.Shards"}},
			{"Message queue (RabbitMQ/Redis)", []Field{"Blueprint.Queue"}},
			{"Separate background job workers", []Field{"Blueprint.Workers.Instances"}},
			{"Advanced monitoring (Datadog)", []Field{"Blueprint.Monitoring.Level", "Blueprint.Monitoring.Datadog"}},
		},
		MonthlyCost:     Cost{Low: 200, High: 500, Added: true},
		SLO:             SLO{P95: 200 * time.Millisecond, PageLoad: 800 * time.Millisecond, Uptime: 99.95},
		DatabaseScaling: horizontalScaling(),
		Blueprint: Blueprint{
			Hosts: []Host{
				{
					Role: RoleNode, Count: 3, CPU: 2, RAM: 8 * GiB,
					Runs: []Part{PartWeb, PartBalancer, PartBackend, PartWorker, PartCache, PartQueue},
				},
				{
					Role: RoleDatabase, Count: 8, CPU: 2, RAM: 4 * GiB,
					Disk: Disk{Size: 100 * GiB, Kind: SSD, IOPS: 4000},
					Runs: []Part{PartPooler, PartDatabase},
				},
			},
			Database: Database{
				Shards:              4,
				Replicas:            1,
				Pooling:             TransactionPooling,
				ReservedConnections: 4,
				Statistics:          true,
				SlowQueryLog:        50 * time.Millisecond,
			},
			Backends:     Backends{Instances: 4},
			Workers:      Workers{Instances: 2, JobsPerInstance: 8},
			Cache:        Cache{Memory: 4 * GiB},
			Queue:        QueueRabbitMQ,
			Web:          Web{Server: Nginx, Compression: true},
			Balancer:     BalancerIngress,
			CDN:          CDNAssets,
			FileStore:    FileStore{Kind: FileStoreS3},
			Regions:      1,
			Zones:        3,
			Orchestrator: Kubernetes,
			Monitoring:   Monitoring{Level: MonitoringAdvanced, Datadog: true},
		},
		Derived: []Derivation{
			{
				"Blueprint.Hosts",
				"many small primaries rather than few large ones, since writes are what Tier 2 ran out of; three nodes, " +
					"so that the cluster keeps its majority when a zone fails; within what the tier may cost",
			},
			{"Blueprint.Database.Shards", "64 of the 256 buckets each: twice Tier 2's CPU for writes, four times its disks"},
			{"Blueprint.Balancer", "the cluster's own way in, on every node, since Tier 2's single Nginx is what was at capacity"},
			{"Blueprint.Backends.Instances", "twice Tier 2's, so that one can be lost at full load"},
			{"Blueprint.Workers.Instances", "two, so that jobs go on when one is lost"},
			{"Blueprint.Workers.JobsPerInstance", "twice a backend's in Tier 2: a worker does nothing else"},
			{"Blueprint.Zones", "a majority survives the loss of any one"},
			{"Blueprint.Cache.Memory", "twice Tier 2's"},
			{"Blueprint.Database.SlowQueryLog", "a quarter of the API p95: a request may make a few queries"},
		},
	}
}

// horizontalScaling is what the plan names for Tier 3 and up.
func horizontalScaling() DatabaseScaling {
	return DatabaseScaling{
		Direction: Horizontal,
		Measures: []Action{
			{"Read replicas", []Field{"Blueprint.Database.Replicas"}},
			// A bucket is the last byte of the user's id.
			{"Sharding by user_id", []Field{"Blueprint.Database.Shards"}},
			{"Write-optimized instances", []Field{"Blueprint.Hosts.database.Disk.IOPS"}},
		},
	}
}
