package config

import (
	"encoding/json"
	"fmt"
	"os"
)

// Metric names what a trigger watches. The service measures the ones listed here; it reports every other one
// as not measured, so a plan may name more.
type Metric string

// The metrics that the plan's triggers name.
const (
	// MetricAPIP95 is the 95th percentile of the API's response time over five minutes, in milliseconds.
	MetricAPIP95 Metric = "api_p95_ms"
	// MetricCPU is the busy share of the host's processors over one minute, in percent.
	MetricCPU Metric = "cpu_percent"
	// MetricDatabaseConnections is the number of database connections in use.
	MetricDatabaseConnections Metric = "database_connections"
	// MetricDatabaseReads is the number of read queries a second over one minute.
	MetricDatabaseReads Metric = "database_reads_per_second"
	// MetricStorage is the storage used by the database and the files, in bytes.
	MetricStorage Metric = "storage_bytes"
	// MetricRequests is the number of requests a second over one minute.
	MetricRequests Metric = "requests_per_second"
	// MetricConcurrentUsers is the number of users seen in the last five minutes.
	MetricConcurrentUsers Metric = "concurrent_users"
	// MetricPageLoad is the time from navigation to the load event, in milliseconds.
	MetricPageLoad Metric = "page_load_ms"
	// MetricUptime is the share of time in which the panel answered, in percent.
	MetricUptime Metric = "uptime_percent"
)

// Plan is the scaling plan as the service reads it from PlanFile: what an administrator sees beside the live
// measurements. The service knows no plan of its own.
type Plan struct {
	// Tiers are in order of growth.
	Tiers []Tier `json:"tiers"`
	// NextReview says when the plan is looked at again, in the plan's words.
	NextReview string `json:"next_review"`
}

// Tier is one step of the plan.
type Tier struct {
	// Name is the tier's key, such as "tier1"; Title is its name for people.
	Name  string `json:"name"`
	Title string `json:"title"`
	// Capacity is what the tier carries. A zero means that the plan states no limit.
	Capacity Capacity `json:"capacity"`
	// Triggers are the conditions that lead to this tier.
	Triggers []Trigger `json:"triggers"`
	// Actions are what this tier adds to the one before.
	Actions []string `json:"actions"`
	Cost    Cost     `json:"cost"`
	SLO     SLO      `json:"slo"`
	// Monitoring and Team are what the tier asks for, in the plan's words.
	Monitoring []string `json:"monitoring"`
	Team       string   `json:"team"`
}

// Capacity is what a tier carries. A zero means that the plan states no limit.
type Capacity struct {
	ConcurrentUsers     int   `json:"concurrent_users"`
	RequestsPerSecond   int   `json:"requests_per_second"`
	DatabaseConnections int   `json:"database_connections"`
	StorageBytes        int64 `json:"storage_bytes"`
}

// Trigger is a measured condition that says that the tier before is outgrown.
type Trigger struct {
	// Description is the condition in the plan's words.
	Description string `json:"description"`
	// Metric is what is measured; empty when a person judges the condition.
	Metric Metric `json:"metric"`
	// Threshold is the value above which the trigger fires, in the metric's unit; absent when a person judges.
	Threshold *float64 `json:"threshold,omitempty"`
}

// Cost is the tier's range of monthly cost in US dollars. Additional says that it comes on top of the tier before.
type Cost struct {
	MinUSD     float64 `json:"min_usd"`
	MaxUSD     float64 `json:"max_usd"`
	Additional bool    `json:"additional"`
}

// SLO is what the tier promises.
type SLO struct {
	APIP95Milliseconds   int     `json:"api_p95_ms"`
	PageLoadMilliseconds int     `json:"page_load_ms"`
	UptimePercent        float64 `json:"uptime_percent"`
}

// ReadPlan reads the plan from a JSON file.
func ReadPlan(path string) (*Plan, error) {
	data, err := os.ReadFile(path) //nolint:gosec // The operator names the file.
	if err != nil {
		return nil, fmt.Errorf("plan file: %w", err)
	}
	var p Plan
	if err := json.Unmarshal(data, &p); err != nil {
		return nil, fmt.Errorf("plan file %s: expected the plan as JSON: %w", path, err)
	}
	return &p, nil
}
