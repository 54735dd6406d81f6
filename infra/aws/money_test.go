package aws_test

import (
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/infra"
	"github.com/radpanel/radpanel/infra/aws"
	"github.com/radpanel/radpanel/infra/aws/awstest"
	"github.com/radpanel/radpanel/infra/declared"
	"github.com/radpanel/radpanel/infra/guard"
	"github.com/radpanel/radpanel/infra/price"
	"github.com/radpanel/radpanel/stacks"
)

// asData gives what a program declares as the rules and the price table see it.
func asData(all []awstest.Declared) []declared.Resource {
	var resources []declared.Resource
	for _, r := range all {
		if r.Custom {
			inputs, _ := unwrapped(resource.NewProperty(r.Inputs)).(map[string]any)
			resources = append(resources, declared.Resource{Type: r.Type, Name: r.Name, Inputs: inputs, Protected: r.Options.GetProtect()})
		}
	}
	return resources
}

func unwrapped(value resource.PropertyValue) any {
	switch {
	case value.IsSecret():
		return declared.Secret{}
	case value.IsOutput():
		if value.OutputValue().Secret {
			return declared.Secret{}
		}
		return unwrapped(value.OutputValue().Element)
	case value.IsObject():
		result := map[string]any{}
		for key, element := range value.ObjectValue() {
			result[string(key)] = unwrapped(element)
		}
		return result
	case value.IsArray():
		result := []any{}
		for _, element := range value.ArrayValue() {
			result = append(result, unwrapped(element))
		}
		return result
	default:
		return value.V
	}
}

func TestNoStackBreaksARule(t *testing.T) {
	t.Parallel()
	eachVariant(t, func(t *testing.T, _ stacks.Stack, all []awstest.Declared) {
		assert.Empty(t, guard.Policy{Loss: infra.Loss}.Check(asData(all)))
	})
}

// Everything that a stack declares has a price, and the blueprint, which stands in for it in `rad cost`, comes near.
func TestEveryResourceHasAPriceAndTheBlueprintComesNear(t *testing.T) {
	t.Parallel()
	table, err := price.Default()
	require.NoError(t, err)
	eachVariant(t, func(t *testing.T, stack stacks.Stack, all []awstest.Declared) {
		estimate := table.Estimate(stack.Plan, stack.Settings.Region, asData(all))
		assert.Empty(t, estimate.Unpriced)
		choice, err := table.Choose(stack)
		require.NoError(t, err)
		assert.InEpsilon(t, choice.Estimate.Monthly(), estimate.Monthly(), 0.01, "blueprint %v\nstack %v",
			choice.Estimate.ByResource(), estimate.ByResource())
	})
}

// What costs more than anybody has agreed to is not begun, also by who skips the preview.
func TestAnUpdateThatCostsTooMuchIsNotBegun(t *testing.T) {
	t.Parallel()
	for acknowledged, begins := range map[string]bool{"": false, "100": false, "114": true} {
		config := map[string]string{}
		if acknowledged != "" {
			config["acknowledgeCost"] = acknowledged
		}
		stack := load(t, "tier1", config)
		cloud, err := awstest.New(image)
		require.NoError(t, err)
		folder := releaseFolder(t, "first")
		all, err := awstest.Declare(cloud, stack.Name, func(ctx *pulumi.Context) error {
			return aws.Deploy(ctx, stack, aws.Options{ReleaseFolder: folder})
		}, nil)
		if begins {
			require.NoError(t, err, acknowledged)
			assert.NotEmpty(t, all)
			continue
		}
		require.ErrorContains(t, err, "more than the plan's $40-$60, and nobody has agreed to that: nothing was changed")
		assert.Empty(t, asData(all), acknowledged)
	}
}

// What the engine is told to keep is what somebody would miss.
func TestWhatHoldsDataIsKnownToHoldIt(t *testing.T) {
	t.Parallel()
	eachVariant(t, func(t *testing.T, _ stacks.Stack, all []awstest.Declared) {
		for _, r := range all {
			if holdsData(r) && at(r, "type") != "SecureString" { // A parameter's value is in the state too.
				assert.NotEmpty(t, infra.Loss(r.Type), r.Type)
			}
		}
	})
}

// programTime is what a preview of the largest stack may take of the program's own time.
const programTime = time.Second

func TestTheProgramOfTheLargestStackTakesLessThanASecond(t *testing.T) { //nolint:paralleltest // It is timed.
	stack := load(t, "tier2", map[string]string{"domain": "panel.example.com", "hostedZone": "Z0123456789ABCDEFGHIJ"})
	best := time.Hour
	var count int
	for range 5 {
		start := time.Now()
		all, err := declare(t, stack)
		require.NoError(t, err)
		best, count = min(best, time.Since(start)), len(all)
	}
	t.Logf("%d resources in %s", count, best)
	assert.Less(t, best, programTime, "the best of five")
}
