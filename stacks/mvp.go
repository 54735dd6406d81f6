package stacks

import "time"

// mvp is where a founder starts: everything on one small VPS.
func mvp() TierPlan {
	return TierPlan{
		Tier:  MVP,
		Title: "MVP",
		Users: Users{From: 0, To: 100, Target: 100},
		Capacity: Capacity{
			ConcurrentUsers:     100,
			RequestsPerSecond:   50,
			DatabaseConnections: 20,
			Storage:             20 * GiB,
		},
		Triggers:        []Trigger{},
		Actions:         []Action{},
		MonthlyCost:     Cost{Low: 20, High: 30},
		SLO:             SLO{P95: 500 * time.Millisecond, PageLoad: 2 * time.Second, Uptime: 99},
		DatabaseScaling: DatabaseScaling{Measures: []Action{}},
		Blueprint: Blueprint{
			Hosts: []Host{{
				Role: RolePanel, Count: 1, CPU: 2, RAM: 2 * GiB,
				Disk: Disk{Size: 20 * GiB, Kind: SSD},
				Runs: []Part{PartWeb, PartBackend, PartPooler, PartDatabase},
			}},
			Database: Database{
				Shards:              1,
				Pooling:             TransactionPooling,
				MaxConnections:      20,
				ReservedConnections: 4,
			},
			Backends:     Backends{Instances: 1},
			Workers:      Workers{JobsPerInstance: 2}, // run by the backend
			Queue:        QueueDatabase,
			Web:          Web{Server: Nginx},
			FileStore:    FileStore{Kind: FileStoreDisk},
			Regions:      1,
			Zones:        1,
			Orchestrator: Supervisor,
			Monitoring:   Monitoring{Level: MonitoringBasic},
		},
		Derived: []Derivation{
			{
				"MonthlyCost",
				"what Tier 1 adds: it doubles this host's CPU and RAM for +$20-30/month, so the plan prices the half that " +
					"is already there the same",
			},
			{"Blueprint.Hosts.panel.Disk.Kind", "what the plan names for the database from Tier 1 on, and every VPS has"},
			{"Blueprint.Hosts.panel.Runs", "one host runs every part"},
			{
				"Blueprint.Database.Pooling",
				"what the plan names for the database from Tier 1 on, and a promotion away from here needs",
			},
			{
				"Blueprint.Database.ReservedConnections",
				"three for the superuser, PostgreSQL's default, and one for migrations and monitoring",
			},
			{"Blueprint.Workers.JobsPerInstance", "one for each CPU"},
			{"Blueprint.Queue", "the outbox itself: the plan adds a message queue at Tier 3"},
			{"Blueprint.FileStore.Kind", "the host's disk: the plan adds a separate file store at Tier 2"},
			{"Blueprint.Regions", "there is one host"},
			{"Blueprint.Zones", "there is one host"},
			{"Blueprint.Orchestrator", "the host's own service manager: the plan adds Kubernetes at Tier 3"},
		},
	}
}
