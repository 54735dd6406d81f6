package infra_test

import (
	"errors"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/infra"
	"github.com/radpanel/radpanel/stacks"
)

// noEngine is for programs that declare nothing.
type noEngine struct{}

func (noEngine) Call(args pulumi.MockCallArgs) (resource.PropertyMap, error) { return args.Args, nil }

func (noEngine) NewResource(args pulumi.MockResourceArgs) (string, resource.PropertyMap, error) {
	return args.Name, args.Inputs, nil
}

func TestAStackGoesToTheTargetThatTheProgramBrought(t *testing.T) {
	t.Parallel()
	stack, err := stacks.Load("tier1", nil)
	require.NoError(t, err)
	var deployed []string
	built := errors.New("built")
	target := infra.Target{Name: stacks.AWS, Deploy: func(_ *pulumi.Context, stack stacks.Stack) error {
		deployed = append(deployed, stack.Name)
		return built
	}}
	run := func(targets ...infra.Target) error {
		return pulumi.RunErr(func(ctx *pulumi.Context) error {
			return infra.Deploy(ctx, stack, infra.Options{}, targets...)
		}, pulumi.WithMocks("rad-panel", stack.Name, noEngine{}))
	}
	require.ErrorContains(t, run(target), "built")
	assert.Equal(t, []string{"tier1"}, deployed)
	require.ErrorContains(t, run(), "use `pulumi up --stack tier1`")
}
