package price

import (
	"fmt"
	"slices"
	"strings"

	"github.com/radpanel/radpanel/stacks"
)

// Instance is an instance type and what it costs. All are Graviton (arm64) and of a current generation: the first one, a1,
// is cheaper for its CPUs, but is to be had in few zones and is no longer sold by most.
type Instance struct {
	// Type is AWS's name, such as "t4g.medium".
	Type   string  `json:"type"`
	CPU    int     `json:"cpu"`
	RAMGiB float64 `json:"ram_gib"`
	// Baseline is the share of each CPU that can be used all the time; 1 but for the burstable types (t4g), which use more
	// while they have credits, and 0 where the table does not tell.
	// Source: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/burstable-credits-baseline-concepts.html
	Baseline float64 `json:"baseline"`
	// Hourly is in US dollars.
	Hourly float64 `json:"usd_per_hour"`
}

// RAM is the instance's memory.
func (i Instance) RAM() stacks.Bytes { return stacks.Bytes(i.RAMGiB * float64(stacks.GiB)) }

// Monthly is what it costs when it runs all the time, in US dollars.
func (i Instance) Monthly() float64 { return i.Hourly * HoursPerMonth }

// Hardware says what the instance is, such as "t4g.xlarge (4 CPU at 40 %, 16 GiB)".
func (i Instance) Hardware() string {
	share := ""
	if i.Baseline > 0 && i.Baseline < 1 {
		share = fmt.Sprintf(" at %.0f %%", i.Baseline*100)
	}
	return fmt.Sprintf("%s (%d CPU%s, %g GiB)", i.Type, i.CPU, share, i.RAMGiB)
}

// Cheapest gives the instance type of a region that has at least so many CPUs and so much memory, for the least money.
func (t Table) Cheapest(region string, cpu int, ram stacks.Bytes) (Instance, error) {
	prices, _ := t.In(region)
	return cheapest(prices.Instances, "instance type", cpu, ram)
}

// CheapestDatabase is [Table.Cheapest] for instance classes of RDS.
func (t Table) CheapestDatabase(region string, cpu int, ram stacks.Bytes) (Instance, error) {
	prices, _ := t.In(region)
	return cheapest(prices.Databases, "database class", cpu, ram)
}

// CheapestCache is [Table.Cheapest] for node types of ElastiCache, which are chosen by memory alone: Redis uses one CPU.
func (t Table) CheapestCache(region string, ram stacks.Bytes) (Instance, error) {
	prices, _ := t.In(region)
	return cheapest(prices.Caches, "cache node type", 1, ram)
}

func cheapest(instances []Instance, kind string, cpu int, ram stacks.Bytes) (Instance, error) {
	fit := slices.DeleteFunc(slices.Clone(instances), func(i Instance) bool { return i.CPU < cpu || i.RAM() < ram })
	if len(fit) == 0 {
		return Instance{}, fmt.Errorf("no %s of the price table has %d CPU and %s: add a larger one to infra/price/prices.json", kind, cpu, ram)
	}
	return slices.MinFunc(fit, func(a, b Instance) int {
		if a.Hourly != b.Hourly {
			if a.Hourly < b.Hourly {
				return -1
			}
			return 1
		}
		return strings.Compare(a.Type, b.Type)
	}), nil
}

// find gives an instance type by its name.
func find(instances []Instance, name string) (Instance, bool) {
	i := slices.IndexFunc(instances, func(i Instance) bool { return i.Type == name })
	if i < 0 {
		return Instance{}, false
	}
	return instances[i], true
}
