package infra

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/internals"

	"github.com/radpanel/radpanel/infra/declared"
	"github.com/radpanel/radpanel/infra/guard"
	"github.com/radpanel/radpanel/infra/price"
	"github.com/radpanel/radpanel/stacks"
)

// inspection looks at what a program declares, as the engine comes to see it, and says at the end what that costs and which
// rules it breaks: for those who use the plain Pulumi CLI. It knows nothing of what was there before; what a change would do
// to that, `rad preview` says.
type inspection struct {
	stack stacks.Stack

	mu       sync.Mutex
	declared []declared.Resource
	made     []pulumi.Resource
}

// inspect begins to look at everything that the program declares from now on.
func inspect(ctx *pulumi.Context, stack stacks.Stack) (*inspection, error) {
	i := &inspection{stack: stack}
	// The engine calls this with inputs that are resolved as far as they can be.
	if err := ctx.RegisterResourceTransform(func(callContext context.Context, args *pulumi.ResourceTransformArgs) *pulumi.ResourceTransformResult {
		if args.Custom {
			i.see(callContext, args)
		}
		return nil
	}); err != nil {
		return nil, fmt.Errorf("inspect the stack's resources: %w", err)
	}
	// And this the program's own side, as soon as a resource is asked for.
	err := ctx.RegisterStackTransformation(func(args *pulumi.ResourceTransformationArgs) *pulumi.ResourceTransformationResult {
		i.mu.Lock()
		defer i.mu.Unlock()
		i.made = append(i.made, args.Resource)
		return nil
	})
	return i, err
}

func (i *inspection) see(ctx context.Context, args *pulumi.ResourceTransformArgs) {
	inputs, _ := plain(ctx, args.Props).(map[string]any)
	i.mu.Lock()
	defer i.mu.Unlock()
	i.declared = append(i.declared, declared.Resource{Type: args.Type, Name: args.Name, Inputs: inputs, Protected: args.Opts.Protect})
}

// report says what was found once the engine has seen every resource, and gives an error if a rule is broken: the preview
// fails, and an update does not begin.
func (i *inspection) report(ctx *pulumi.Context) error {
	i.mu.Lock()
	var seen []any
	for _, resource := range i.made {
		seen = append(seen, resource.URN())
	}
	i.mu.Unlock()
	if _, err := internals.UnsafeAwaitOutput(ctx.Context(), pulumi.All(seen...)); err != nil {
		return nil // A resource was refused, which the engine says itself.
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if len(i.declared) == 0 {
		return nil // The program runs without an engine.
	}
	return i.say(ctx.Log)
}

// say tells cost and risk, and gives the findings as an error.
func (i *inspection) say(log pulumi.Log) error {
	table, err := price.Default()
	if err != nil {
		return err
	}
	budget, err := stacks.Plan().Budget(i.stack.Tier())
	if err != nil {
		return err
	}
	estimate := table.Estimate(i.stack.Plan, i.stack.Settings.Region, i.declared)
	verdict, _ := price.Verdict(estimate.Monthly(), budget)
	if err := log.Info(fmt.Sprintf("cost: about $%.0f a month when the tier is full, %s: %s. %s. More: rad cost %s",
		estimate.Monthly(), verdict, largest(estimate), table.Says(i.stack.Settings.Region), i.stack.Name), nil); err != nil {
		return err
	}
	for _, unpriced := range estimate.Unpriced {
		if err := log.Warn(fmt.Sprintf("cost: without %s (%s): %s", unpriced.Resource, unpriced.Type, unpriced.Why), nil); err != nil {
			return err
		}
	}
	if bursting := i.bursting(); len(bursting) > 0 {
		if err := log.Info("cost: not in it is the CPU that these use beyond their share of a day, $0.04 for each CPU and hour (docs/cost.md): "+
			strings.Join(bursting, ", "), nil); err != nil {
			return err
		}
	}
	if err := log.Info("risk: "+i.risk(), nil); err != nil {
		return err
	}
	var broken []error
	findings := guard.Policy{Loss: Loss}.Check(i.declared)
	for _, finding := range append(findings, guard.CheckCost(estimate.Monthly(), budget, i.stack.Settings)...) {
		broken = append(broken, errors.New(finding.String()))
	}
	return errors.Join(broken...)
}

// bursting names the hosts that go on at full speed when they have used up their share of the processor, for money.
func (i *inspection) bursting() []string {
	var names []string
	for _, r := range i.declared {
		if r.Type == "aws:ec2/instance:Instance" && r.Text("creditSpecification", "cpuCredits") == "unlimited" {
			names = append(names, r.Name)
		}
	}
	slices.Sort(names)
	return names
}

// largest names what costs most.
func largest(estimate price.Estimate) string {
	const shown = 4
	costs := estimate.ByResource()
	var parts []string
	for _, cost := range costs[:min(shown, len(costs))] {
		parts = append(parts, fmt.Sprintf("%s $%.0f", cost.Resource, cost.Monthly))
	}
	return strings.Join(parts, ", ")
}

// risk says what of the stack holds data, and whether the engine keeps it.
func (i *inspection) risk() string {
	var kept, open []string
	for _, r := range i.declared {
		switch {
		case Loss(r.Type) == "":
		case r.Protected:
			kept = append(kept, r.Name)
		default:
			open = append(open, r.Name)
		}
	}
	slices.Sort(kept)
	slices.Sort(open)
	text := "no resource holds data that is protected"
	if len(kept) > 0 {
		text = "an update never deletes or replaces these, which hold data: " + strings.Join(slices.Compact(kept), ", ")
	}
	if len(open) > 0 {
		text += "; these hold what can be made again, and are not protected: " + strings.Join(slices.Compact(open), ", ")
	}
	return text
}
