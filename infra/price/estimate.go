package price

import (
	"cmp"
	"slices"
	"strings"

	"github.com/radpanel/radpanel/infra/declared"
	"github.com/radpanel/radpanel/stacks"
)

// UsageOwner is whose a line is that no single resource is charged for, such as data sent to users.
const UsageOwner = "(usage)"

// Line is one thing that is charged.
type Line struct {
	// Resource is the name of the resource, or [UsageOwner].
	Resource string `json:"resource" doc:"its name; (usage) for what users cause"`
	Type     string `json:"resource_type,omitempty" doc:"its type"`
	// What is charged, such as "t4g.small" or "data disk".
	What string `json:"what" doc:"what is charged, such as t4g.small"`
	// Quantity is in Unit, without what the free tier gives.
	Quantity float64 `json:"quantity" doc:"how much of it in a month, beyond the free tier"`
	Unit     string  `json:"unit" doc:"what one is, such as GiB month"`
	// Rate is in US dollars for one Unit, Monthly in US dollars.
	Rate    float64 `json:"rate_usd" doc:"what one costs"`
	Monthly float64 `json:"monthly_usd" doc:"what all cost in a month"`
}

// Unpriced is what the estimate cannot tell the cost of: it is no zero.
type Unpriced struct {
	Resource string `json:"resource" doc:"its name"`
	Type     string `json:"resource_type,omitempty" doc:"its type"`
	Why      string `json:"why" doc:"why its cost is not known"`
}

// Estimate is what a stack costs in a month when its tier is full.
type Estimate struct {
	Lines    []Line     `json:"lines"`
	Unpriced []Unpriced `json:"unpriced,omitempty"`
}

// Monthly is the whole, in US dollars.
func (e Estimate) Monthly() float64 {
	total := 0.0
	for _, line := range e.Lines {
		total += line.Monthly
	}
	return total
}

// ResourceCost is what a resource costs in a month, in US dollars.
type ResourceCost struct {
	Resource string
	Monthly  float64
}

// ByResource adds up the lines of each resource, the dearest first.
func (e Estimate) ByResource() []ResourceCost {
	sums := map[string]float64{}
	for _, line := range e.Lines {
		sums[line.Resource] += line.Monthly
	}
	return sorted(sums)
}

// Moves tells which resources make the difference between two estimates, the largest first. What moves by less than half a
// cent is left out.
func Moves(before, after Estimate) []ResourceCost {
	sums := map[string]float64{}
	for _, line := range after.Lines {
		sums[line.Resource] += line.Monthly
	}
	for _, line := range before.Lines {
		sums[line.Resource] -= line.Monthly
	}
	for name, sum := range sums {
		if sum < 0.005 && sum > -0.005 {
			delete(sums, name)
		}
	}
	return sorted(sums)
}

func sorted(sums map[string]float64) []ResourceCost {
	var costs []ResourceCost
	for name, sum := range sums {
		costs = append(costs, ResourceCost{name, sum})
	}
	slices.SortFunc(costs, func(a, b ResourceCost) int {
		return cmp.Or(-cmp.Compare(magnitude(a.Monthly), magnitude(b.Monthly)), cmp.Compare(a.Resource, b.Resource))
	})
	return costs
}

func magnitude(amount float64) float64 { return max(amount, -amount) }

// Estimate prices resources of a stack that runs a tier in a region. It assumes that nothing else of the account uses up the
// free tier. Regions beyond the first are priced as the first.
func (t Table) Estimate(tier stacks.TierPlan, region string, resources []declared.Resource) Estimate {
	prices, _ := t.In(region)
	m := &meter{prices: prices, usage: UsageOf(tier), free: map[Item]float64{}}
	for item, quantity := range t.FreeTier {
		m.free[item] = quantity
	}
	resources = slices.Clone(resources)
	slices.SortStableFunc(resources, func(a, b declared.Resource) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Type, b.Type))
	})
	known := pricers()
	onAWS := false
	for _, r := range resources {
		onAWS = onAWS || strings.HasPrefix(r.Type, "aws:")
		m.resource = r
		switch price, priced := known[r.Type]; {
		case priced:
			price(m, r)
		case free(r.Type):
		default:
			m.unpriced("no price is known of this type")
		}
	}
	if onAWS {
		m.chargeUsage()
	}
	return m.estimate
}

// meter adds up what is charged.
type meter struct {
	prices   Region
	usage    Usage
	free     map[Item]float64 // what is left of the free tier
	resource declared.Resource
	edge     bool // there is a CloudFront distribution
	estimate Estimate
}

// charge adds an item, without what the free tier gives.
func (m *meter) charge(what string, item Item, quantity float64) {
	given := min(quantity, m.free[item])
	m.free[item] -= given
	quantity -= given
	if quantity <= 0 {
		return
	}
	m.add(what, quantity, item.Unit(), m.prices.Rates[item])
}

// always charges an item for a whole month of hours.
func (m *meter) always(what string, item Item, count float64) {
	m.charge(what, item, count*HoursPerMonth)
}

func (m *meter) add(what string, quantity float64, unit string, rate float64) {
	m.estimate.Lines = append(m.estimate.Lines, Line{
		Resource: m.resource.Name, Type: m.resource.Type, What: what, Quantity: quantity, Unit: unit, Rate: rate, Monthly: quantity * rate,
	})
}

// instances charges so many instances of a type that run all the time.
func (m *meter) instances(list []Instance, name string, count float64) {
	if name == "" {
		m.unpriced("its instance type is not known yet")
		return
	}
	instance, known := find(list, name)
	if !known {
		m.unpriced("instance type " + name + " is not in the price table")
		return
	}
	m.add(name, count*HoursPerMonth, "hour", instance.Hourly)
}

func (m *meter) unpriced(why string) {
	m.estimate.Unpriced = append(m.estimate.Unpriced, Unpriced{Resource: m.resource.Name, Type: m.resource.Type, Why: why})
}

// chargeUsage adds what users cause. An edge stands before all of it: what the API answers is each user's own and is kept
// nowhere, but its requests and answers go through it too. AWS charges nothing for what comes to the edge from its own hosts and
// buckets (https://aws.amazon.com/cloudfront/pricing/).
func (m *meter) chargeUsage() {
	m.resource = declared.Resource{Name: UsageOwner}
	out := m.usage.Out.Value + m.usage.Static.Value + m.usage.Downloads.Value
	if m.edge {
		requests := m.usage.Requests.Value + m.usage.Static.Value*frontEndFilesPerGiB + m.usage.Downloads.Value*filesPerGiB
		m.charge("data to users through the edge", EdgeTransfer, out)
		m.charge("requests at the edge", EdgeRequests, requests/10_000)
	} else {
		m.charge("data to users", TransferOut, out)
	}
	m.charge("between zones", TransferZones, m.usage.BetweenZones.Value)
	m.charge("between regions", TransferRegions, m.usage.BetweenRegions.Value)
}

// How many requests a GiB takes: files of the front end are some 20 KiB, those of users 1 MiB.
const (
	frontEndFilesPerGiB = 50_000
	filesPerGiB         = 1024
)
