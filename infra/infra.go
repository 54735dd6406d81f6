// Package infra builds a stack: it picks the target and hands the plan's tier over to it.
package infra

import (
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/radpanel/radpanel/infra/local"
	"github.com/radpanel/radpanel/stacks"
)

// Options say where things are on the machine that runs the program. The local target alone needs them.
type Options = local.Options

// Target builds stacks in a place that costs much to compile for: a program that has stacks there brings it along.
type Target struct {
	Name stacks.Target
	// Deploy registers all resources of a stack and exports its outputs.
	Deploy func(ctx *pulumi.Context, stack stacks.Stack) error
}

// Deploy registers all resources of a stack and exports its outputs: on this machine, or on one of the targets that the
// caller brings along. Of those it says what they cost, and which rules they break.
func Deploy(ctx *pulumi.Context, stack stacks.Stack, options Options, targets ...Target) error {
	for _, target := range targets {
		if target.Name != stack.Target {
			continue
		}
		inspection, err := inspect(ctx, stack)
		if err != nil {
			return err
		}
		if err := target.Deploy(ctx, stack); err != nil {
			return err
		}
		return inspection.report(ctx)
	}
	switch stack.Target {
	case stacks.Local:
		deployed, err := local.NewStack(ctx, stack, options)
		if err != nil {
			return err
		}
		deployed.Export(ctx)
		return nil
	case stacks.AWS:
		return fmt.Errorf("stack %s: this program builds stacks on this machine alone: for AWS, use `pulumi up --stack %s`",
			stack.Name, stack.Name)
	default:
		return fmt.Errorf("stack %s: unknown target %q", stack.Name, stack.Target)
	}
}
