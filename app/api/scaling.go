package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/radpanel/radpanel/app/config"
	"github.com/radpanel/radpanel/app/scaling"
)

func (a *API) registerScaling() {
	register(a, a.forAdmins(huma.Operation{
		OperationID: "get-scaling", Method: http.MethodGet, Path: "/admin/scaling", Tags: []string{tagAdmin},
		Summary: "Read the scaling plan beside live figures",
		Description: "Triggers, requests and response time are of the whole tier where its Prometheus answers, else of this instance alone. " +
			"Figures that nobody measures are null, never estimated. Without a plan file, the plan's parts are absent or empty.",
	}), a.getScaling)
}

// Scaling is the plan beside the live figures.
type Scaling struct {
	Tier          string           `json:"tier" doc:"The tier that this instance runs at."`
	MeasuredAt    time.Time        `json:"measured_at"`
	UptimeSeconds float64          `json:"uptime_seconds" doc:"How long this instance has been running."`
	Current       *PlannedTier     `json:"current_tier,omitempty" doc:"The tier's part of the plan; its capacity is the limit of use. Absent without a plan."`
	NextTier      *PlannedTier     `json:"next_tier,omitempty" doc:"Absent at the last tier."`
	Tiers         []PlannedTier    `json:"tiers" nullable:"false" doc:"All tiers of the plan, smallest first."`
	Use           ScalingUse       `json:"use"`
	Triggers      []ScalingTrigger `json:"triggers" nullable:"false" doc:"The conditions that lead to the next tier."`
	SLO           MeasuredSLO      `json:"slo" doc:"What was measured, to hold against current_tier.slo."`
	NextReview    *NextReview      `json:"next_review,omitempty"`
}

// PlannedTier is what the plan says about one tier.
type PlannedTier struct {
	Tier     string          `json:"tier"`
	Title    string          `json:"title"`
	Users    PlannedUsers    `json:"users"`
	Capacity PlannedCapacity `json:"capacity"`
	SLO      PlannedSLO      `json:"slo"`
	Cost     PlannedCost     `json:"cost"`
	Actions  []string        `json:"actions" nullable:"false" doc:"What is done to the tier before to get this one, in the plan's words."`
	DevOps   int             `json:"dev_ops" doc:"Dedicated DevOps engineers."`
}

// PlannedUsers is how many users a tier is for.
type PlannedUsers struct {
	From   int `json:"from"`
	To     int `json:"to" doc:"0: the plan sets no upper bound."`
	Target int `json:"target" doc:"The number of users at which the SLO is to be met."`
}

// PlannedCapacity is what a tier is built to carry.
type PlannedCapacity struct {
	ConcurrentUsers     int   `json:"concurrent_users"`
	RequestsPerSecond   int   `json:"requests_per_second"`
	DatabaseConnections int   `json:"database_connections"`
	StorageBytes        int64 `json:"storage_bytes"`
}

// PlannedSLO is what a tier promises.
type PlannedSLO struct {
	P95Seconds      float64 `json:"p95_seconds"`
	PageLoadSeconds float64 `json:"page_load_seconds"`
	UptimePercent   float64 `json:"uptime_percent"`
}

// PlannedCost is a range of money a month.
type PlannedCost struct {
	LowUSD  float64 `json:"low_usd"`
	HighUSD float64 `json:"high_usd"`
	Added   bool    `json:"added" doc:"On top of what the tier before costs; otherwise the total."`
}

// ScalingUse is what is in use of a tier's capacity.
type ScalingUse struct {
	ConcurrentUsers     *float64 `json:"concurrent_users" doc:"Users seen in the last five minutes."`
	RequestsPerSecond   *float64 `json:"requests_per_second" doc:"Of the whole tier, over five minutes; where no Prometheus answers, of this instance, over the last minute."`
	DatabaseConnections *float64 `json:"database_connections" doc:"Client connections to the database server."`
	StorageBytes        *float64 `json:"storage_bytes" doc:"Database and files together."`
	CPUPercent          *float64 `json:"cpu_percent" doc:"Of this instance's host, over five minutes."`
}

// ScalingTrigger is a condition that leads to the next tier, with its live figure.
type ScalingTrigger struct {
	ID         string     `json:"id"`
	Words      string     `json:"words" doc:"The condition in the plan's words."`
	Metric     string     `json:"metric"`
	Unit       string     `json:"unit" enum:"seconds,percent,count,per_second,bytes"`
	Measured   bool       `json:"measured" doc:"Somebody measures the metric. Otherwise nothing is known of the trigger."`
	Value      *float64   `json:"value" doc:"Null: it is not measured, or there was nothing to measure, such as no request."`
	Threshold  float64    `json:"threshold" doc:"The trigger fires when the value was above it for_seconds without a break."`
	ForSeconds float64    `json:"for_seconds"`
	OverSince  *time.Time `json:"over_since" doc:"Since when the value has been above the threshold, as far as Prometheus, or without it this instance, has seen; null when it is not."`
	Fired      bool       `json:"fired"`
	Reason     string     `json:"reason" doc:"Why it is measured so."`
}

// MeasuredSLO is what was measured of the SLO.
type MeasuredSLO struct {
	P95Seconds      *float64   `json:"p95_seconds" doc:"API, over the last five minutes. Of the whole tier where its Prometheus answers, else of this instance."`
	PageLoadSeconds *float64   `json:"page_load_seconds" doc:"95th percentile of the page loads of seven days with nothing in the browser's cache; null when there were none."`
	PageLoads       int64      `json:"page_loads" doc:"How many page loads that is from."`
	UptimePercent   *float64   `json:"uptime_percent" doc:"Share of the minutes of thirty days in which the front door answered; a minute in which nobody could ask counts as down. Null in the first minute."`
	UptimeSince     *time.Time `json:"uptime_since" doc:"From when on the uptime is known."`
}

// NextReview is when the plan is looked at again.
type NextReview struct {
	Words       string `json:"words"`
	ActiveUsers int    `json:"active_users"`
}

type scalingOutput struct{ Body Scaling }

func (a *API) getScaling(ctx context.Context, _ *struct{}) (*scalingOutput, error) {
	report, err := a.History.Complete(ctx, a.Scaling.Report(ctx))
	if err != nil && !errors.Is(err, scaling.ErrNoHistory) {
		a.Log.WarnContext(ctx, "this instance's figures stand for the tier's", "error", err)
	}
	levels, err := a.Levels.Measure(ctx)
	if err != nil {
		return nil, err
	}
	figures := report.Figures
	body := Scaling{
		Tier: a.Config.Tier, MeasuredAt: report.MeasuredAt, UptimeSeconds: report.Uptime.Seconds(),
		Tiers: []PlannedTier{},
		Use: ScalingUse{
			ConcurrentUsers: figures.ConcurrentUsers, RequestsPerSecond: figures.RequestsPerSecond,
			DatabaseConnections: figures.DatabaseConnections, StorageBytes: figures.StorageBytes, CPUPercent: figures.CPUPercent,
		},
		Triggers: make([]ScalingTrigger, len(report.Triggers)),
		SLO: MeasuredSLO{
			P95Seconds: figures.P95Seconds, PageLoadSeconds: levels.PageLoadSeconds, PageLoads: levels.PageLoads,
			UptimePercent: levels.UptimePercent, UptimeSince: levels.UptimeSince,
		},
	}
	for i, trigger := range report.Triggers {
		body.Triggers[i] = scalingTriggerOf(trigger)
	}
	a.addPlan(&body)
	return &scalingOutput{body}, nil
}

func (a *API) addPlan(body *Scaling) {
	if a.Plan == nil {
		return
	}
	for _, tier := range a.Plan.Tiers {
		body.Tiers = append(body.Tiers, plannedTierOf(tier))
	}
	body.NextReview = &NextReview{a.Plan.NextReview.Words, a.Plan.NextReview.ActiveUsers}
	current, next := a.Plan.Tier(a.Config.Tier)
	if current != nil {
		body.Current = new(plannedTierOf(*current))
	}
	if next != nil {
		body.NextTier = new(plannedTierOf(*next))
	}
}

func scalingTriggerOf(t scaling.Trigger) ScalingTrigger {
	return ScalingTrigger{
		ID: t.ID, Words: t.Words, Metric: t.Metric, Unit: string(t.Unit), Measured: t.Measured, Value: t.Value, Threshold: t.Threshold,
		ForSeconds: t.For.Seconds(), OverSince: t.OverSince, Fired: t.Fired, Reason: t.Reason,
	}
}

func plannedTierOf(t config.PlanTier) PlannedTier {
	actions := make([]string, len(t.Actions))
	for i, action := range t.Actions {
		actions[i] = action.Words
	}
	return PlannedTier{
		Tier: t.Tier, Title: t.Title, Actions: actions, DevOps: t.Team.DevOps,
		Users:    PlannedUsers(t.Users),
		Capacity: PlannedCapacity(t.Capacity),
		Cost:     PlannedCost(t.MonthlyCost),
		SLO: PlannedSLO{
			P95Seconds: t.SLO.P95.Seconds(), PageLoadSeconds: t.SLO.PageLoad.Seconds(), UptimePercent: t.SLO.UptimePercent,
		},
	}
}
