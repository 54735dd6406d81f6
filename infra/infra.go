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

// Deploy registers all resources of a stack and exports its outputs.
func Deploy(ctx *pulumi.Context, stack stacks.Stack, options Options) error {
	switch stack.Target {
	case stacks.Local:
		deployed, err := local.NewStack(ctx, stack, options)
		if err != nil {
			return err
		}
		deployed.Export(ctx)
		return nil
	case stacks.AWS:
		return fmt.Errorf("stack %s: the AWS target is not built yet: use target local, such as stack local-%s, which runs the "+
			"tier on this machine", stack.Name, stack.Tier())
	default:
		return fmt.Errorf("stack %s: unknown target %q", stack.Name, stack.Target)
	}
}
