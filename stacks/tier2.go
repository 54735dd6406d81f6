package stacks

import "time"

// tier2 takes the host apart: a front door, two backends, a primary with a replica, files in a store of their own.
func tier2() TierPlan {
	return TierPlan{
		Tier:  Tier2,
		Title: "Tier 2",
		Users: Users{From: 500, To: 2000, Target: 2000},
		Triggers: []Trigger{
			{
				ID: "database-reads", Words: "Database read queries >1000/sec",
				Metric: DatabaseReads, Comparison: Above, Threshold: 1000, For: 15 * time.Minute,
				LeadsTo: Tier2, Source: Stated,
				Reason: "Fifteen minutes outlast an export of all records; a replica pays for daily reads only.",
			},
			{
				ID: "cache-memory", Words: "Redis memory >1GB",
				Metric: CacheMemory, Comparison: Above, Threshold: float64(GiB), For: 15 * time.Minute,
				LeadsTo: Tier2, Source: Stated,
				Reason: "What is cached lives longer than fifteen minutes, so the figure is what users need, not a peak.",
			},
			{
				ID: "storage", Words: "Storage >50GB",
				Metric: StorageUsed, Comparison: Above, Threshold: float64(50 * GiB), For: time.Hour,
				LeadsTo: Tier2, Source: Stated,
				Reason: "An hour outlasts the temporary files of an import or a backup; what is left is stored for good.",
			},
		},
		Actions: []Action{
			{"Add database read replica", []Field{"Blueprint.Database.Replicas"}},
			{"Horizontal scaling (2x backend instances)", []Field{"Blueprint.Backends.Instances", "Blueprint.Hosts.backend.Count"}},
			{"Load balancer (Nginx)", []Field{"Blueprint.Balancer", "Blueprint.Hosts.balancer.Count"}},
			{"CDN for static assets", []Field{"Blueprint.CDN"}},
			{"Separate file storage (S3/MinIO)", []Field{"Blueprint.FileStore.Kind"}},
		},
		MonthlyCost: Cost{Low: 50, High: 80, Added: true},
		SLO:         SLO{P95: 300 * time.Millisecond, PageLoad: time.Second, Uptime: 99.9},
		DatabaseScaling: DatabaseScaling{
			Direction: Vertical,
			Measures: []Action{
				{"Increase RAM/CPU", []Field{"Blueprint.Hosts.database.RAM", "Blueprint.Hosts.database.CPU"}},
				{"SSD storage", []Field{"Blueprint.Hosts.database.Disk.Kind"}},
				{"Connection pooling", []Field{"Blueprint.Database.Pooling"}},
			},
		},
		Blueprint: Blueprint{
			Hosts: []Host{
				{
					Role: RoleBalancer, Count: 1, CPU: 2, RAM: 4 * GiB,
					Runs: []Part{PartWeb, PartBalancer, PartCache},
				},
				{
					Role: RoleBackend, Count: 2, CPU: 2, RAM: 2 * GiB,
					Runs: []Part{PartBackend},
				},
				{
					Role: RoleDatabase, Count: 2, CPU: 4, RAM: 4 * GiB,
					Disk: Disk{Size: 100 * GiB, Kind: SSD},
					Runs: []Part{PartPooler, PartDatabase},
				},
			},
			Database: Database{
				Shards:              1,
				Replicas:            1,
				Pooling:             TransactionPooling,
				ReservedConnections: 4,
				Statistics:          true,
				SlowQueryLog:        75 * time.Millisecond,
			},
			Backends:     Backends{Instances: 2},
			Workers:      Workers{JobsPerInstance: 4},
			Cache:        Cache{Memory: 2 * GiB},
			Queue:        QueueDatabase,
			Web:          Web{Server: Nginx, Compression: true},
			Balancer:     BalancerNginx,
			CDN:          CDNAssets,
			FileStore:    FileStore{Kind: FileStoreS3},
			Regions:      1,
			Zones:        2,
			Orchestrator: Supervisor,
			Monitoring:   Monitoring{Level: MonitoringApplication},
		},
		Derived: []Derivation{
			{
				"Blueprint.Hosts",
				"the database keeps a host of Tier 1's size to itself, so that a promotion fits; the others are the " +
					"smallest that carry their parts, within what the tier may cost",
			},
			{"Blueprint.Zones", "a primary and its replica must not fail together"},
			{"Blueprint.Cache.Memory", "twice the 1 GB that Tier 1 outgrew"},
			{"Blueprint.Database.SlowQueryLog", "a quarter of the API p95: a request may make a few queries"},
		},
	}
}
