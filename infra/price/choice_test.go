package price_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/infra/price"
	"github.com/radpanel/radpanel/stacks"
)

func choose(t *testing.T, name string, sizing stacks.Sizing, region string) (stacks.Stack, price.Choice) {
	t.Helper()
	stack := load(t, name, map[string]string{"sizing": string(sizing), "region": region})
	choice, err := table(t).Choose(stack)
	require.NoError(t, err)
	return stack, choice
}

func TestTheMVPFitsItsBudget(t *testing.T) {
	t.Parallel()
	for _, sizing := range []stacks.Sizing{stacks.SizingHardware, stacks.SizingBudget} {
		_, choice := choose(t, "mvp", sizing, "us-east-1")
		assert.False(t, choice.Conflict)
		assert.Equal(t, "runs on panel t4g.small (2 CPU at 20 %, 2 GiB): about $19 a month, below the plan's $20-30", choice.Statement)
	}
}

func TestWhereHardwareAndBudgetConflictTheStackSaysSo(t *testing.T) {
	t.Parallel()
	_, choice := choose(t, "tier1", stacks.SizingHardware, "us-east-1")
	assert.True(t, choice.Conflict)
	assert.Equal(t, "AWS cannot give both the plan's hardware and its budget: panel t4g.xlarge (4 CPU at 40 %, 16 GiB) has the plan's 4 CPU and "+
		"4 GiB, but costs about $114 a month, $54 over the plan's $40-60. The hardware was kept; `pulumi config set rad-panel:sizing budget` "+
		"keeps the budget", choice.Statement)

	stack, choice := choose(t, "tier1", stacks.SizingBudget, "us-east-1")
	assert.True(t, choice.Conflict)
	assert.Equal(t, "t4g.medium", choice.Hosts[stacks.RolePanel].Type, "all of the memory, half of the CPUs")
	assert.LessOrEqual(t, choice.Estimate.Monthly(), 60.0)
	assert.Equal(t, "AWS cannot give both the plan's hardware and its budget: panel t4g.medium (2 CPU at 20 %, 4 GiB) costs about $40 a month, "+
		"within the plan's $40-60, but has less than the plan's 4 CPU and 4 GiB, which would cost about $114. The budget was kept; "+
		"`pulumi config set rad-panel:sizing hardware` keeps the hardware", choice.Statement)

	fit := choice.Fit(stack.Plan.Blueprint)
	assert.Equal(t, 2, fit.Hosts[0].CPU)
	assert.Equal(t, 4*stacks.GiB, fit.Hosts[0].RAM)
	assert.Equal(t, 1280*stacks.MiB, fit.Cache.Memory, "its memory is there")
	assert.Equal(t, 4, stack.Plan.Blueprint.Hosts[0].CPU, "the plan's own stays")
}

// No choice of types that costs no more gives a host worst off more memory or CPU. The plan's money is enough for tier 2 with a
// fifth of its requests.
func TestTheBudgetBuysTheMostThatItCan(t *testing.T) {
	t.Parallel()
	stack := load(t, "tier2", map[string]string{"sizing": "budget"})
	stack.Plan.Capacity.RequestsPerSecond = 200
	choice, err := table(t).Choose(stack)
	require.NoError(t, err)
	require.LessOrEqual(t, choice.Estimate.Monthly(), 140.0)
	assert.Contains(t, choice.Statement, "within the plan's $90-140, but has less than")
	assert.Contains(t, choice.Statement, "The budget was kept")
	assert.Equal(t, map[stacks.Role]string{"balancer": "t4g.small", "backend": "t4g.micro", "database": "t4g.small"}, typesOf(choice))
	// One size more for any of them is over the budget, by the figures of the price list.
	assert.Greater(t, choice.Estimate.Monthly()+2*730*(0.0336-0.0168), 140.0, "databases")
	assert.Greater(t, choice.Estimate.Monthly()+730*(0.0336-0.0168), 140.0, "balancer")
	assert.Greater(t, choice.Estimate.Monthly()+2*730*(0.0168-0.0084), 140.0, "backends")

	fit := choice.Fit(stack.Plan.Blueprint)
	assert.Equal(t, stacks.GiB, fit.Cache.Memory, "half of the memory holds half of the cache")
	for i, ram := range []stacks.Bytes{2 * stacks.GiB, stacks.GiB, 2 * stacks.GiB} {
		assert.Equal(t, ram, fit.Hosts[i].RAM, fit.Hosts[i].Role)
	}
}

// What the edge takes for requests is over the plan's range whatever the hosts are: nobody is told that less hardware keeps it.
func TestABudgetThatCannotBeKeptIsSaid(t *testing.T) {
	t.Parallel()
	for _, region := range []string{"us-east-1", "eu-central-1"} {
		stack, choice := choose(t, "tier2", stacks.SizingBudget, region)
		assert.Contains(t, choice.Statement, "over the plan's $90-140, the least that runs it, but has less than")
		assert.NotContains(t, choice.Statement, "The budget was kept")
		for _, host := range stack.Plan.Blueprint.Hosts {
			assert.GreaterOrEqual(t, choice.Hosts[host.Role].RAM(), host.RAM/2, host.Role)
		}
	}
	_, choice := choose(t, "tier2", stacks.SizingBudget, "us-east-1")
	assert.Equal(t, "AWS cannot give both the plan's hardware and its budget: backend t4g.micro (2 CPU at 10 %, 1 GiB), balancer t4g.small (2 CPU at "+
		"20 %, 2 GiB), database t4g.small (2 CPU at 20 %, 2 GiB) costs about $269 a month, still $129 over the plan's $90-140, the least that runs it, "+
		"but has less than the plan's 2 CPU and 4 GiB, 2 CPU and 2 GiB, 4 CPU and 4 GiB, which would cost about $465. Neither was kept; "+
		"`pulumi config set rad-panel:sizing hardware` keeps the hardware", choice.Statement)
	_, choice = choose(t, "tier2", stacks.SizingHardware, "us-east-1")
	assert.Contains(t, choice.Statement, "costs about $465 a month, $325 over the plan's $90-140. The hardware was kept; `pulumi config set "+
		"rad-panel:sizing budget` costs about $269, still $129 over the plan's $90-140, the least that runs it")
}

func TestEveryTierHasAChoiceWithTheWholeHardware(t *testing.T) {
	t.Parallel()
	for _, tier := range stacks.Tiers() {
		for _, region := range []string{"us-east-1", "eu-central-1", "ap-south-1"} {
			stack, choice := choose(t, string(tier), stacks.SizingHardware, region)
			for _, host := range stack.Plan.Blueprint.Hosts {
				instance := choice.Hosts[host.Role]
				if host.Role == stacks.RoleDatabase && stack.Plan.Blueprint.Database.Managed {
					instance = choice.Managed.Database
				}
				assert.GreaterOrEqual(t, instance.CPU, host.CPU)
				assert.GreaterOrEqual(t, instance.RAM(), host.RAM)
			}
			assert.Equal(t, stack.Plan.Blueprint, choice.Fit(stack.Plan.Blueprint))
			assert.Equal(t, choice.Conflict, choice.Estimate.Monthly() > float64(choice.Budget.High))
		}
	}
}

func typesOf(choice price.Choice) map[stacks.Role]string {
	types := map[stacks.Role]string{}
	for role, instance := range choice.Hosts {
		types[role] = instance.Type
	}
	return types
}
