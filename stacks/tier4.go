package stacks

import "time"

// tier4 is Tier 3 in more than one region, each writable for the users whose home it is, on managed services.
func tier4() TierPlan {
	return TierPlan{
		Tier:  Tier4,
		Title: "Tier 4",
		Users: Users{From: 10_000, Target: 50_000},
		Triggers: []Trigger{
			{
				ID: "region-expansion", Words: "Multi-region expansion",
				Metric: FarRequests, Comparison: Above, Threshold: 20, For: 7 * 24 * time.Hour,
				LeadsTo: Tier4, Source: Derived,
				Reason: "One request in five from far away is the load of 2,000 of Tier 3's 10,000 users: as much as a " +
					"whole Tier 2 panel, enough to pay for a region. A week covers working days and days off.",
			},
			{
				ID: "round-the-clock", Words: "24/7 support needed",
				Metric: QuietestHour, Comparison: Above, Threshold: 50, For: 7 * 24 * time.Hour,
				LeadsTo: Tier4, Source: Derived,
				Reason: "Once the quietest hour has more than half the requests of the busiest, no hour is left in which " +
					"an outage can wait for the morning. Every day of a week, so that no single night decides.",
			},
			{
				ID: "availability", Words: "High availability requirements",
				Metric: ErrorBudgetSpent, Comparison: Above, Threshold: 100, For: time.Hour,
				LeadsTo: Tier4, Source: Derived,
				Reason: "The budget is over 30 days: once it is spent, the tier has broken its uptime promise, and one " +
					"region cannot keep it. An hour bridges a probe that is itself at fault.",
			},
		},
		Actions: []Action{
			{"Multi-region deployment", []Field{"Blueprint.Regions", "Blueprint.Balancer", "Blueprint.FileStore.CrossRegion"}},
			{"Active-active database replication", []Field{"Blueprint.Database.ActiveActive"}},
			{"CDN edge caching", []Field{"Blueprint.CDN"}},
			{"Dedicated DevOps engineer", []Field{"Team.DevOps"}},
			{"Managed services (RDS, ElastiCache)", []Field{"Blueprint.Database.Managed", "Blueprint.Cache.Managed"}},
		},
		MonthlyCost:     Cost{Low: 1000, High: 5000},
		SLO:             SLO{P95: 150 * time.Millisecond, PageLoad: 500 * time.Millisecond, Uptime: 99.99},
		DatabaseScaling: horizontalScaling(),
		Team:            Team{DevOps: 1},
		Blueprint: Blueprint{
			Hosts: []Host{
				{
					Role: RoleNode, Count: 3, CPU: 4, RAM: 16 * GiB,
					Runs: []Part{PartWeb, PartBalancer, PartBackend, PartWorker, PartPooler, PartQueue},
				},
				{
					Role: RoleDatabase, Count: 8, CPU: 2, RAM: 8 * GiB,
					Disk: Disk{Size: 200 * GiB, Kind: SSD, IOPS: 4000},
					Runs: []Part{PartDatabase},
				},
			},
			Database: Database{
				Shards:              4,
				Replicas:            1,
				Pooling:             TransactionPooling,
				ReservedConnections: 4,
				Statistics:          true,
				SlowQueryLog:        37500 * time.Microsecond,
				ActiveActive:        true,
				Managed:             true,
			},
			Backends:     Backends{Instances: 6},
			Workers:      Workers{Instances: 3, JobsPerInstance: 8},
			Cache:        Cache{Memory: 8 * GiB, Managed: true},
			Queue:        QueueRabbitMQ,
			Web:          Web{Server: Nginx, Compression: true},
			Balancer:     BalancerGlobal,
			CDN:          CDNEdge,
			FileStore:    FileStore{Kind: FileStoreS3, CrossRegion: true},
			Regions:      2,
			Zones:        3,
			Orchestrator: Kubernetes,
			Monitoring:   Monitoring{Level: MonitoringAdvanced, Datadog: true},
		},
		Derived: []Derivation{
			{"Blueprint.Regions", "two, the least that is more than one; a further one is a change of this number"},
			{
				"Blueprint.Hosts",
				"each region is a Tier 3 of its own with nodes of twice the size, and with twice the memory and disk for " +
					"the database, since it also holds what the other region replicates; within what the tier may cost",
			},
			{"Blueprint.Backends.Instances", "half again Tier 3's in each region, so that one region carries most when the other fails"},
			{"Blueprint.Workers.Instances", "half again Tier 3's in each region"},
			{"Blueprint.Cache.Memory", "twice Tier 3's, in each region"},
			{"Blueprint.Database.SlowQueryLog", "a quarter of the API p95: a request may make a few queries"},
		},
	}
}
