package price

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/radpanel/radpanel/stacks"
)

// Choice is which instance types a stack runs on, and why.
type Choice struct {
	// Hosts is the type of each role's hosts. A database that AWS manages has its class in Managed instead.
	Hosts   map[stacks.Role]Instance
	Managed Managed
	// Estimate is what the blueprint costs on them, and Budget what the plan gives, in all.
	Estimate Estimate
	Budget   stacks.Cost
	// Statement says in plain words what was chosen, and what had to give where hardware and budget cannot both be had.
	Statement string
	// Conflict is set if they cannot.
	Conflict bool
}

// Choose picks the instance types of a stack on AWS: the cheapest with the plan's CPU and memory; or, if its sizing is
// budget and these cost more than the plan gives, the most hardware that the plan's money buys.
func (t Table) Choose(stack stacks.Stack) (Choice, error) {
	budget, err := stacks.Plan().Budget(stack.Tier())
	if err != nil {
		return Choice{}, err
	}
	region := stack.Settings.Region
	choice := Choice{Hosts: map[stacks.Role]Instance{}, Budget: budget}
	b := stack.Plan.Blueprint
	for _, host := range b.Hosts {
		if host.Role == stacks.RoleDatabase && b.Database.Managed {
			choice.Managed.Database, err = t.CheapestDatabase(region, host.CPU, host.RAM)
		} else {
			choice.Hosts[host.Role], err = t.Cheapest(region, host.CPU, host.RAM)
		}
		if err != nil {
			return Choice{}, fmt.Errorf("stack %s: host %s: %w", stack.Name, host.Role, err)
		}
	}
	if b.Cache.Managed {
		if choice.Managed.Cache, err = t.CheapestCache(region, b.Cache.Memory); err != nil {
			return Choice{}, fmt.Errorf("stack %s: cache: %w", stack.Name, err)
		}
	}
	estimate := func(hosts map[stacks.Role]Instance) Estimate {
		return t.Estimate(stack.Plan, region, Blueprint(stack.Plan, hosts, choice.Managed))
	}
	choice.Estimate = estimate(choice.Hosts)
	full := choice.Estimate.Monthly()
	if full <= float64(budget.High) {
		verdict, _ := Verdict(full, budget)
		choice.Statement = fmt.Sprintf("runs on %s: about $%.0f a month, %s", choice.hardware(), full, verdict)
		return choice, nil
	}
	choice.Conflict = true
	prices, _ := t.In(region)
	lean := choice
	lean.Hosts = affordable(b, prices.Instances, choice.Hosts, full, float64(budget.High))
	lean.Estimate = estimate(lean.Hosts)
	less, over := Verdict(lean.Estimate.Monthly(), budget)
	if stack.Settings.Sizing != stacks.SizingBudget {
		other := "keeps the budget"
		if over > 0 {
			other = fmt.Sprintf("costs about $%.0f, still %s, the least that runs it", lean.Estimate.Monthly(), less)
		}
		choice.Statement = fmt.Sprintf("AWS cannot give both the plan's hardware and its budget: %s has the plan's %s, but costs about $%.0f a "+
			"month, $%.0f over the plan's $%d-%d. The hardware was kept; `pulumi config set %s:sizing %s` %s",
			choice.hardware(), wanted(b), full, full-float64(budget.High), budget.Low, budget.High, stacks.Namespace, stacks.SizingBudget, other)
		return choice, nil
	}
	kept := "The budget was kept"
	if over > 0 {
		less, kept = "still "+less+", the least that runs it", "Neither was kept"
	}
	lean.Statement = fmt.Sprintf("AWS cannot give both the plan's hardware and its budget: %s costs about $%.0f a month, %s, but has less than the "+
		"plan's %s, which would cost about $%.0f. %s; `pulumi config set %s:sizing %s` keeps the hardware",
		lean.hardware(), lean.Estimate.Monthly(), less, wanted(b), full, kept, stacks.Namespace, stacks.SizingHardware)
	return lean, nil
}

// Fit gives the blueprint as it is built on the chosen types: a host that has less than the plan says is told so, and a cache
// on it shrinks with it.
func (c Choice) Fit(b stacks.Blueprint) stacks.Blueprint {
	b.Hosts = slices.Clone(b.Hosts)
	for i, host := range b.Hosts {
		instance, ours := c.Hosts[host.Role]
		if !ours {
			continue
		}
		if slices.Contains(host.Runs, stacks.PartCache) && instance.RAM() < host.RAM {
			b.Cache.Memory = b.Cache.Memory / stacks.MiB * instance.RAM() / host.RAM * stacks.MiB
		}
		b.Hosts[i].CPU, b.Hosts[i].RAM = min(host.CPU, instance.CPU), min(host.RAM, instance.RAM())
	}
	return b
}

// hardware lists what was chosen, such as "panel t4g.small (2 CPU at 20 %, 2 GiB)".
func (c Choice) hardware() string {
	var parts []string
	for _, role := range slices.Sorted(maps.Keys(c.Hosts)) {
		parts = append(parts, fmt.Sprintf("%s %s", role, c.Hosts[role].Hardware()))
	}
	for _, managed := range []struct {
		what string
		Instance
	}{{"database", c.Managed.Database}, {"cache", c.Managed.Cache}} {
		if managed.Type != "" {
			parts = append(parts, managed.what+" "+managed.Hardware())
		}
	}
	return strings.Join(parts, ", ")
}

func wanted(b stacks.Blueprint) string {
	var parts []string
	for _, host := range b.Hosts {
		parts = append(parts, fmt.Sprintf("%d CPU and %s", host.CPU, host.RAM))
	}
	return strings.Join(parts, ", ")
}

// candidate is one way to give each role an instance type.
type candidate struct {
	hosts map[stacks.Role]Instance
	// ram and cpu are the shares of the plan's hardware that the host worst off has; sum is that of all hosts' shares.
	ram, cpu, sum, monthly float64
}

// leastRAM is the part of the plan's memory that a host must have at least, whatever the budget says: half of it. What the
// blueprint runs is scaled with the memory ([Choice.Fit]), and is not worth running below.
const leastRAM = 2

// affordable gives the most hardware for hosts that keeps a stack within its budget: first the host worst off is to have as
// much of its memory as possible, since what does not fit does not run, then of its CPU, since that is only slower, then all
// hosts together as much as possible. If nothing does, it is the cheapest of all.
func affordable(b stacks.Blueprint, types []Instance, full map[stacks.Role]Instance, cost, limit float64) map[stacks.Role]Instance {
	best := candidate{monthly: cost}
	var try func(int, candidate)
	try = func(i int, c candidate) {
		if i == len(b.Hosts) {
			if better(c, best, limit) {
				c.hosts = maps.Clone(c.hosts)
				best = c
			}
			return
		}
		host := b.Hosts[i]
		plan, ours := full[host.Role]
		if !ours { // A database that AWS manages keeps its class.
			try(i+1, c)
			return
		}
		for _, instance := range types {
			if instance.Hourly > plan.Hourly || instance.RAM() < host.RAM/leastRAM {
				continue
			}
			next := c
			next.hosts[host.Role] = instance
			ram := min(1, instance.RAMGiB*float64(stacks.GiB)/float64(host.RAM))
			cpu := min(1, float64(instance.CPU)/float64(host.CPU))
			next.ram, next.cpu, next.sum = min(c.ram, ram), min(c.cpu, cpu), c.sum+ram+cpu
			next.monthly += (instance.Monthly() - plan.Monthly()) * float64(host.Count*b.Regions)
			try(i+1, next)
		}
	}
	try(0, candidate{hosts: map[stacks.Role]Instance{}, ram: 1, cpu: 1, monthly: cost})
	if best.hosts == nil {
		return full
	}
	return best.hosts
}

// better tells whether a is to be preferred to b.
func better(a, b candidate, limit float64) bool {
	if aFits, bFits := a.monthly <= limit, b.monthly <= limit; aFits != bFits {
		return aFits
	} else if !aFits {
		return a.monthly < b.monthly
	}
	return cmp.Or(
		cmp.Compare(a.ram, b.ram), cmp.Compare(a.cpu, b.cpu), cmp.Compare(a.sum, b.sum), -cmp.Compare(a.monthly, b.monthly),
	) > 0
}
