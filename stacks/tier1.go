package stacks

import "time"

// tier1 is the same single host, twice the size, that answers from memory what it can.
func tier1() TierPlan {
	return TierPlan{
		Tier:  Tier1,
		Title: "Tier 1",
		Users: Users{From: 100, To: 500, Target: 500},
		Triggers: []Trigger{
			{
				ID: "response-time", Words: "Response time >500ms",
				Metric: ResponseTimeP95, Comparison: Above, Threshold: 0.5, For: 10 * time.Minute,
				LeadsTo: Tier1, Source: Stated,
				Reason: "The p95, because the MVP promises its 500 ms as a p95. Ten minutes outlast a deploy or an " +
					"export of one user.",
			},
			{
				ID: "cpu", Words: "CPU usage >70%",
				Metric: HostCPU, Comparison: Above, Threshold: 70, For: 15 * time.Minute,
				LeadsTo: Tier1, Source: Stated,
				Reason: "Fifteen minutes outlast the nightly backup and a burst of exports: it is the daily load that " +
					"needs a larger host.",
			},
			{
				ID: "database-connections", Words: "Database connections >15",
				Metric: DatabaseConnections, Comparison: Above, Threshold: 15, For: 15 * time.Minute,
				LeadsTo: Tier1, Source: Stated,
				Reason: "The service may use 16 of the 20, so the figure means that its pool is full. The pooler keeps a " +
					"connection for ten idle minutes: after fifteen it is load, not what a burst left behind.",
			},
		},
		Actions: []Action{
			{"Upgrade VPS (4GB RAM, 4 CPU)", []Field{"Blueprint.Hosts.panel.RAM", "Blueprint.Hosts.panel.CPU"}},
			{"Add Redis for caching", []Field{"Blueprint.Cache.Memory"}},
			{"Enable gzip compression", []Field{"Blueprint.Web.Compression"}},
			{"Optimize database queries", []Field{"Blueprint.Database.Statistics", "Blueprint.Database.SlowQueryLog"}},
		},
		MonthlyCost: Cost{Low: 20, High: 30, Added: true},
		SLO:         SLO{P95: 400 * time.Millisecond, PageLoad: 1500 * time.Millisecond, Uptime: 99.5},
		DatabaseScaling: DatabaseScaling{
			Direction: Vertical,
			Measures: []Action{
				{"Increase RAM/CPU", []Field{"Blueprint.Hosts.panel.RAM", "Blueprint.Hosts.panel.CPU"}},
				{"SSD storage", []Field{"Blueprint.Hosts.panel.Disk.Kind"}},
				{"Connection pooling", []Field{"Blueprint.Database.Pooling"}},
			},
		},
		Blueprint: Blueprint{
			Hosts: []Host{{
				Role: RolePanel, Count: 1, CPU: 4, RAM: 4 * GiB,
				Disk: Disk{Size: 100 * GiB, Kind: SSD},
				Runs: []Part{PartWeb, PartBackend, PartPooler, PartDatabase, PartCache},
			}},
			Database: Database{
				Shards:              1,
				Pooling:             TransactionPooling,
				ReservedConnections: 4,
				Statistics:          true,
				SlowQueryLog:        100 * time.Millisecond,
			},
			Backends: Backends{Instances: 1},
			Workers:  Workers{JobsPerInstance: 4},
			// Over 1 GB, or the trigger that leads to Tier 2 could never fire.
			Cache:        Cache{Memory: 1280 * MiB},
			Queue:        QueueDatabase,
			Web:          Web{Server: Nginx, Compression: true},
			FileStore:    FileStore{Kind: FileStoreDisk},
			Regions:      1,
			Zones:        1,
			Orchestrator: Supervisor,
			Monitoring:   Monitoring{Level: MonitoringApplication},
		},
		Derived: []Derivation{
			{"Blueprint.Hosts.panel.Runs", "one host runs every part"},
			{"Blueprint.Hosts.panel.Disk.Size", "holds the tier's storage: rows and files are on this disk"},
			{"Blueprint.Cache.Memory", "over the 1 GB of Redis memory at which Tier 2 is due, within a third of the RAM"},
			{"Blueprint.Workers.JobsPerInstance", "one for each CPU"},
			{"Blueprint.Database.SlowQueryLog", "a quarter of the API p95: a request may make a few queries"},
		},
	}
}
