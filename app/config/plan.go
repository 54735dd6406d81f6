package config

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"time"
)

// Plan is the scaling plan as the service reads it from PlanFile: what an administrator sees beside the live figures.
// It is the part of package stacks' plan, in the same JSON, that the service shows; the service knows no plan of its own.
type Plan struct {
	// Tiers are in order, smallest first.
	Tiers []PlanTier `json:"tiers"`
	// NextReview says when the plan itself is to be looked at again.
	NextReview PlanReview `json:"next_review"`
	// Records gives the names under which Prometheus keeps the metrics of triggers. It is no part of package stacks' JSON:
	// whoever renders the file adds it.
	Records map[string]string `json:"records,omitempty"`
}

// PlanReview is the moment at which the plan is to be looked at again, in the plan's words and as a number of users.
type PlanReview struct {
	Words       string `json:"words"`
	ActiveUsers int    `json:"active_users"`
}

// PlanTier is one step of the plan.
type PlanTier struct {
	// Tier is its name, such as "tier1"; Title is how people write it.
	Tier     string       `json:"tier"`
	Title    string       `json:"title"`
	Users    PlanUsers    `json:"users"`
	Capacity PlanCapacity `json:"capacity"`
	// Triggers are the conditions, measured in the tier before, that lead to this tier.
	Triggers []PlanTrigger `json:"triggers"`
	// Actions are what is done to the tier before to get this one.
	Actions     []PlanAction `json:"actions"`
	MonthlyCost PlanCost     `json:"monthly_cost"`
	SLO         PlanSLO      `json:"slo"`
	Team        PlanTeam     `json:"team"`
}

// PlanUsers is how many users a tier is for; To is 0 where the plan sets no upper bound.
type PlanUsers struct {
	From   int `json:"from"`
	To     int `json:"to"`
	Target int `json:"target"`
}

// PlanCapacity is the load that a tier is built to carry.
type PlanCapacity struct {
	ConcurrentUsers     int   `json:"concurrent_users"`
	RequestsPerSecond   int   `json:"requests_per_second"`
	DatabaseConnections int   `json:"database_connections"`
	StorageBytes        int64 `json:"storage_bytes"`
}

// PlanTrigger is a measured condition that says that the tier before is outgrown.
type PlanTrigger struct {
	ID    string `json:"id"`
	Words string `json:"words"`
	// Metric names what is measured. The service measures some of the plan's metrics; see package scaling.
	Metric string `json:"metric"`
	// Threshold is in the metric's unit. The trigger fires when the figure was above it For so long without a break.
	Threshold float64       `json:"threshold"`
	For       time.Duration `json:"for_ns"`
	// Reason says why it is measured so.
	Reason string `json:"reason"`
}

// PlanAction is one thing that is done to reach a tier, in the plan's words.
type PlanAction struct {
	Words string `json:"words"`
}

// PlanCost is a range of money a month. Added says that it comes on top of what the tier before costs.
type PlanCost struct {
	LowUSD  float64 `json:"low_usd"`
	HighUSD float64 `json:"high_usd"`
	Added   bool    `json:"added"`
}

// PlanSLO is a tier's promise to its users.
type PlanSLO struct {
	P95           time.Duration `json:"p95_ns"`
	PageLoad      time.Duration `json:"page_load_ns"`
	UptimePercent float64       `json:"uptime_percent"`
}

// PlanTeam is who a tier needs beside the founder.
type PlanTeam struct {
	DevOps int `json:"dev_ops"`
}

// ReadPlan reads the plan from a JSON file.
func ReadPlan(path string) (*Plan, error) {
	data, err := os.ReadFile(path) //nolint:gosec // The operator names the file.
	if err != nil {
		return nil, fmt.Errorf("RAD_PLAN_FILE: %w", err)
	}
	var p Plan
	if err := json.Unmarshal(data, &p); err != nil {
		return nil, fmt.Errorf("RAD_PLAN_FILE %s: expected the plan as JSON: %w", path, err)
	}
	if len(p.Tiers) == 0 {
		return nil, fmt.Errorf("RAD_PLAN_FILE %s: expected the plan with its tiers, found none", path)
	}
	return &p, nil
}

// Tier returns the tier with the name and the one after it; each is nil when there is none.
func (p *Plan) Tier(name string) (current, next *PlanTier) {
	if p == nil {
		return nil, nil
	}
	i := slices.IndexFunc(p.Tiers, func(t PlanTier) bool { return t.Tier == name })
	if i < 0 {
		return nil, nil
	}
	if i+1 < len(p.Tiers) {
		next = &p.Tiers[i+1]
	}
	return &p.Tiers[i], next
}
