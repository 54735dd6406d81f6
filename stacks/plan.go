package stacks

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Tier names one step of the plan.
type Tier string

// The tiers of the plan, in order.
const (
	MVP   Tier = "mvp"
	Tier1 Tier = "tier1"
	Tier2 Tier = "tier2"
	Tier3 Tier = "tier3"
	Tier4 Tier = "tier4"
)

// Tiers gives the names of all tiers, smallest first.
func Tiers() []Tier { return []Tier{MVP, Tier1, Tier2, Tier3, Tier4} }

// ScalingPlan is the plan: what RAD Panel runs on as users come, and what says that it is time to move on.
type ScalingPlan struct {
	// Tiers are in order, smallest first.
	Tiers []TierPlan `json:"tiers"`
	// Current is the tier that the plan's owner runs at.
	Current Tier `json:"current"`
	// NextReview says when the plan itself is to be looked at again.
	NextReview Review `json:"next_review"`
}

// Review is the moment at which the plan is to be looked at again.
type Review struct {
	// Words are the plan's own.
	Words string `json:"words"`
	// ActiveUsers is the number of active users at which the review is due.
	ActiveUsers int `json:"active_users"`
}

// TierPlan is what the plan says about one tier.
type TierPlan struct {
	Tier  Tier   `json:"tier"`
	Title string `json:"title"` // as people write it: "Tier 1"
	Users Users  `json:"users"`
	// Capacity is what the tier is built to carry. Beyond it the next tier is due.
	Capacity Capacity `json:"capacity"`
	// Triggers are the conditions, measured in the tier before, that lead to this tier. The first tier has none.
	Triggers []Trigger `json:"triggers"`
	// Actions are what is done to the tier before to get this one, in the plan's words and order.
	Actions         []Action        `json:"actions"`
	MonthlyCost     Cost            `json:"monthly_cost"`
	SLO             SLO             `json:"slo"`
	DatabaseScaling DatabaseScaling `json:"database_scaling"`
	Team            Team            `json:"team"`
	Blueprint       Blueprint       `json:"blueprint"`
	// Derived lists the fields above whose values the plan does not state, each with the rule that gave it; a
	// field above others stands for all of them. What is not listed is the plan's, or as in the tier before.
	// Triggers tell it of themselves: see [Trigger.Source].
	Derived []Derivation `json:"derived"`
}

// Users is how many users a tier is for.
type Users struct {
	// From and To bound the tier. To is 0 where the plan sets no upper bound.
	From int `json:"from"`
	To   int `json:"to"`
	// Target is the number of users at which the tier's SLO is to be met.
	Target int `json:"target"`
}

// Capacity is the load that a tier is built to carry, over all its hosts and regions.
type Capacity struct {
	ConcurrentUsers   int `json:"concurrent_users"`
	RequestsPerSecond int `json:"requests_per_second"`
	// DatabaseConnections is the most server connections, over all PostgreSQL servers, primaries and replicas.
	DatabaseConnections int `json:"database_connections"`
	// Storage holds the rows and the files of all users.
	Storage Bytes `json:"storage_bytes"`
}

// Cost is a range of money a month.
type Cost struct {
	Low  USD `json:"low_usd"`
	High USD `json:"high_usd"`
	// Added says that the range comes on top of what the tier before costs; otherwise it is the tier's total.
	Added bool `json:"added"`
}

// String gives the range as the plan writes it, such as "+$20-30/month".
func (c Cost) String() string {
	sign := ""
	if c.Added {
		sign = "+"
	}
	return fmt.Sprintf("%s%s-%s/month", sign, c.Low, grouped(int64(c.High)))
}

// SLO is a tier's promise to its users. Each figure is a bound that is to be kept under, Uptime one to be kept over.
type SLO struct {
	// P95 is the time within which 95 of 100 API requests are answered, measured at the service.
	P95 time.Duration `json:"p95_ns"`
	// PageLoad is the time from navigation to the load event with a cold cache.
	PageLoad time.Duration `json:"page_load_ns"`
	// Uptime is the share of a 30-day window in which a probe through the front door is answered.
	Uptime Percent `json:"uptime_percent"`
}

// ErrorBudget is how long the tier may be down within the window.
func (s SLO) ErrorBudget(window time.Duration) time.Duration {
	return time.Duration(float64(window) * float64(100-s.Uptime) / 100).Round(time.Second)
}

// Direction is the way in which the database grows.
type Direction string

// The directions of the plan.
const (
	AsIs       Direction = ""           // the first tier: nothing to scale from
	Vertical   Direction = "vertical"   // a larger server
	Horizontal Direction = "horizontal" // more servers
)

// DatabaseScaling is how the database grows at a tier.
type DatabaseScaling struct {
	Direction Direction `json:"direction"`
	// Measures are what the plan names for this direction.
	Measures []Action `json:"measures"`
}

// Team is who a tier needs beside the founder.
type Team struct {
	// DevOps is the number of dedicated DevOps engineers.
	DevOps int `json:"dev_ops"`
}

// Action is one thing that the plan does to reach a tier.
type Action struct {
	// Words are the plan's own.
	Words string `json:"words"`
	// Fields are those of the tier that carry the action out. Each is set, and an action of a tier changes each
	// of them from what it is in the tier before.
	Fields []Field `json:"fields"`
}

// Source tells whether the plan states a figure.
type Source string

// The sources of a figure.
const (
	Stated  Source = "stated"  // the plan says it
	Derived Source = "derived" // the plan is silent; a documented rule gives it
)

// Derivation is a field that the plan does not state, and the rule that gives its value.
type Derivation struct {
	Field Field  `json:"field"`
	Rule  string `json:"rule"`
}

// Plan gives the scaling plan. Each call gives a value of its own.
func Plan() ScalingPlan {
	tiers := []TierPlan{mvp(), tier1(), tier2(), tier3(), tier4()}
	for i := range tiers {
		tiers[i].derive(tiers[0])
	}
	return ScalingPlan{
		Tiers:      tiers,
		Current:    MVP,
		NextReview: Review{Words: "After 100 active users", ActiveUsers: 100},
	}
}

// Tier gives one tier of the plan, or an error that lists the tiers there are.
func (p ScalingPlan) Tier(name Tier) (TierPlan, error) {
	if i := p.index(name); i >= 0 {
		return p.Tiers[i], nil
	}
	return TierPlan{}, fmt.Errorf("unknown tier %q: the plan has %s", name, p.names())
}

// Next gives the tier after the named one; false after the last, and for a name that the plan does not have.
func (p ScalingPlan) Next(name Tier) (TierPlan, bool) {
	i := p.index(name)
	if i < 0 || i+1 == len(p.Tiers) {
		return TierPlan{}, false
	}
	return p.Tiers[i+1], true
}

// Previous gives the tier before the named one; false before the first, and for a name that the plan does not have.
func (p ScalingPlan) Previous(name Tier) (TierPlan, bool) {
	i := p.index(name)
	if i < 1 {
		return TierPlan{}, false
	}
	return p.Tiers[i-1], true
}

// Budget gives what a tier may cost a month in all: what it adds, on top of every tier that it adds to.
func (p ScalingPlan) Budget(name Tier) (Cost, error) {
	tier, err := p.Tier(name)
	if err != nil {
		return Cost{}, err
	}
	total := tier.MonthlyCost
	for total.Added {
		before, ok := p.Previous(tier.Tier)
		if !ok {
			return Cost{}, fmt.Errorf("tier %q adds %s to nothing: no tier comes before it", tier.Tier, tier.MonthlyCost)
		}
		tier = before
		total = Cost{
			Low:   total.Low + tier.MonthlyCost.Low,
			High:  total.High + tier.MonthlyCost.High,
			Added: tier.MonthlyCost.Added,
		}
	}
	return total, nil
}

func (p ScalingPlan) index(name Tier) int {
	return slices.IndexFunc(p.Tiers, func(t TierPlan) bool { return t.Tier == name })
}

func (p ScalingPlan) names() string {
	names := make([]string, len(p.Tiers))
	for i, t := range p.Tiers {
		names[i] = string(t.Tier)
	}
	return strings.Join(names, ", ")
}
