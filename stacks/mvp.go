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
		MonthlyCost: Cost{Low: 20, High: 30},
		SLO:         SLO{P95: 500 * time.Millisecond, PageLoad: 2 * time.Second, Uptime: 99},
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
			Workers:      Workers{JobsPerInstance: 2},
			Queue:        QueueDatabase,
			Web:          Web{Server: Nginx},
			FileStore:    FileStore{Kind: FileStoreDisk},
			Regions:      1,
			Zones:        1,
			Orchestrator: Supervisor,
			Monitoring:   Monitoring{Level: MonitoringBasic},
		},
		Derived: []Derivation{{
			Field: "MonthlyCost",
			Rule: "what Tier 1 adds: it doubles this host's CPU and RAM for +$20-30/month, so the plan prices the " +
				"half that is already there the same",
		}},
	}
}
