package advise

import (
	"time"

	"github.com/radpanel/radpanel/stacks"
)

// Verdict says what to do.
type Verdict string

// The verdicts.
const (
	// Stay: no trigger has fired, and the tier's capacity is not used up.
	Stay Verdict = "stay"
	// Promote: a trigger has fired, or the tier's capacity is used up.
	Promote Verdict = "promote"
	// Overdue: a trigger has fired, and it hurts or will not pass: see [overdueAfter] and [Advise].
	Overdue Verdict = "overdue"
	// Refused: something was not measured, so there is no advice.
	Refused Verdict = "refused"
)

// Advice is what `rad advise --json` writes. Programs rely on it: add fields, never rename or remove them.
type Advice struct {
	Stack   string      `json:"stack" doc:"the stack's name"`
	Target  string      `json:"target" doc:"where it runs: local or aws"`
	Tier    stacks.Tier `json:"tier" doc:"the tier that it runs"`
	At      time.Time   `json:"at" doc:"when this was asked (RFC 3339)"`
	Verdict Verdict     `json:"verdict" doc:"stay, promote, overdue, or refused for want of measurements"`
	Reasons []string    `json:"reasons" doc:"why, in sentences"`
	Notes   []string    `json:"notes" doc:"what else wants attention, though a promotion is not the answer to it"`
	Missing []Missing   `json:"missing" doc:"refused: what was not measured; the figures below are empty then"`

	Triggers []Trigger `json:"triggers" doc:"each trigger that leads to the next tier"`
	SLO      []Level   `json:"slo" doc:"each promise of the tier"`
	Use      []Use     `json:"use" doc:"what is in use of the tier's capacity"`
	Next     *Next     `json:"next,omitempty" doc:"the tier after this one; left out at the last"`

	title string // of the tier
}

// Trigger is a trigger with its figures.
type Trigger struct {
	ID        string      `json:"id" doc:"the trigger's id, which its alert and runbook carry"`
	Condition string      `json:"condition" doc:"the trigger in words"`
	Unit      stacks.Unit `json:"unit" doc:"of value and threshold: seconds, percent, count, per_second or bytes"`
	// Value is nil when there was nothing to measure, such as response times without requests.
	Value     *float64 `json:"value" doc:"the figure now; null when there is nothing to measure, such as response times without requests"`
	Threshold float64  `json:"threshold" doc:"it fires when the value was above it for_seconds without a break"`
	// For and OverFor are in seconds.
	For     float64 `json:"for_seconds" doc:"how long it has to be over"`
	OverFor float64 `json:"over_seconds" doc:"for how long it has been over without a break; 0 when it is not"`
	Fired   bool    `json:"fired" doc:"over for long enough"`
	Trend   Trend   `json:"trend" doc:"how the highest level of a day, held for as long as the trigger asks, changes"`

	title string
}

// Level is a promise of the SLO and what was measured of it.
type Level struct {
	Measurement Measurement `json:"measurement" doc:"response_time_p95, page_load_p95 or uptime"`
	Unit        stacks.Unit `json:"unit" doc:"seconds or percent"`
	Value       *float64    `json:"value" doc:"null when there is nothing to measure yet"`
	Target      float64     `json:"target" doc:"to be kept under; of uptime: over"`
	Kept        *bool       `json:"kept" doc:"null when there is nothing to measure yet"`
	// ErrorBudget and BudgetSpent are uptime's.
	ErrorBudget float64 `json:"error_budget_seconds,omitempty" doc:"uptime: how long the tier may be down in 30 days"`
	BudgetSpent float64 `json:"error_budget_spent_percent,omitempty" doc:"uptime: how much of that is spent; above 100 it is overspent"`
}

// Use is what is in use of a capacity.
type Use struct {
	Measurement Measurement `json:"measurement" doc:"concurrent_users, requests_per_second, database_connections or storage_used"`
	Unit        stacks.Unit `json:"unit" doc:"of value and capacity"`
	Value       float64     `json:"value" doc:"the figure now"`
	Capacity    float64     `json:"capacity" doc:"what the tier is built for"`
	// ExceededFor is in seconds.
	ExceededFor float64 `json:"exceeded_seconds" doc:"for how long the capacity has been used up without a break; 0 when it is not"`
}

// Next is the tier after the present one.
type Next struct {
	Tier    stacks.Tier `json:"tier" doc:"its name"`
	Title   string      `json:"title" doc:"its name as people write it"`
	Actions []string    `json:"actions" doc:"what it adds, in the plan's words"`
	Cost    Cost        `json:"cost" doc:"what the plan says that it costs a month, in US dollars"`
	Command string      `json:"command" doc:"what takes the stack there"`

	users stacks.Users
	// cost is what the tier adds or, for one that adds to nothing, its total.
	cost stacks.Cost
}

// Cost is what a tier costs a month, in US dollars: a range that it adds to the tier before, and one in all.
type Cost struct {
	AddedLow  stacks.USD `json:"added_low_usd" doc:"what it adds, at least; 0 when it replaces what was there"`
	AddedHigh stacks.USD `json:"added_high_usd" doc:"what it adds, at most"`
	TotalLow  stacks.USD `json:"total_low_usd" doc:"what it costs in all, at least"`
	TotalHigh stacks.USD `json:"total_high_usd" doc:"what it costs in all, at most"`
	// AWS is 0 when it was not priced.
	AWS float64 `json:"aws_monthly_usd,omitempty" doc:"what it costs in all on AWS when it is full, at the prices of rad cost"`
}
