package stacks

import "time"

// Trigger is a measured condition that says that a tier is outgrown: Metric, compared with Threshold, has held
// for For without a break. Prometheus rules and CloudWatch alarms are rendered from it.
type Trigger struct {
	// ID is unique in the plan and stable: alerts and runbooks carry it.
	ID string `json:"id"`
	// Words are the plan's own.
	Words      string     `json:"words"`
	Metric     Metric     `json:"metric"`
	Comparison Comparison `json:"comparison"`
	// Threshold is in the metric's unit, see [Metric.Definition].
	Threshold float64 `json:"threshold"`
	// For is how long the condition must hold. The plan never says; it is always derived, see Reason.
	For     time.Duration `json:"for_ns"`
	LeadsTo Tier          `json:"leads_to"`
	// Source tells whether the plan states metric and threshold, or names a condition without a number.
	Source Source `json:"source"`
	// Reason says why it is measured so, where the plan leaves that open.
	Reason string `json:"reason"`
}

// Fired tells whether a measured figure, in the metric's unit, is over the threshold.
func (t Trigger) Fired(figure float64) bool {
	switch t.Comparison {
	case Above:
		return figure > t.Threshold
	default:
		return false
	}
}

// Condition gives the trigger as people read it: "API response time, p95 > 500 ms for 10 min".
func (t Trigger) Condition() string {
	d := t.Metric.Definition()
	return d.Title + " " + string(t.Comparison) + " " + d.Unit.Format(t.Threshold) + " for " + formatDuration(t.For)
}

// Comparison is how a figure is held against a threshold.
type Comparison string

// Above holds for a figure greater than the threshold. Every trigger of the plan is of this kind.
const Above Comparison = ">"
