package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/radpanel/radpanel/cmd/rad/internal/engine"
	"github.com/radpanel/radpanel/cmd/rad/internal/progress"
	"github.com/radpanel/radpanel/infra/declared"
	"github.com/radpanel/radpanel/infra/price"
	"github.com/radpanel/radpanel/stacks"
)

// Cost is what `rad cost --json` writes of a stack.
type Cost struct {
	Stack  string `json:"stack" doc:"the stack's name"`
	Target string `json:"target" doc:"where it runs: aws or local, where it costs nothing"`
	// From says what was priced.
	From    string           `json:"from" doc:"what was priced: blueprint, state, preview, or the file that --from names"`
	Prices  string           `json:"prices,omitempty" doc:"of where and when the prices are"`
	Monthly float64          `json:"monthly_usd" doc:"US dollars a month, when the tier is full"`
	Low     stacks.USD       `json:"plan_low_usd" doc:"the plan's range for the tier, in all"`
	High    stacks.USD       `json:"plan_high_usd" doc:"its upper end"`
	Over    float64          `json:"over_usd" doc:"how far over the range; 0 if it is not"`
	Says    string           `json:"statement" doc:"the same in words, and what can be done"`
	Lines   []price.Line     `json:"lines" doc:"what is charged"`
	Unknown []price.Unpriced `json:"unpriced" doc:"what the cost is not known of: it is not in monthly_usd"`
	Usage   []price.Quantity `json:"usage" doc:"what a full tier is assumed to use"`
}

func (a *App) costCommand() *cobra.Command {
	all, from, of, target := false, "", "", ""
	command := &cobra.Command{
		Use:   "cost [stack]",
		Short: "Say what a stack costs in a month, and whether the plan has the money",
		Long: "cost adds up what a stack costs on AWS when its tier is full, resource by resource, beside the plan's range. The prices are of the\n" +
			"dated table that is part of rad. The resources are those of the tier's blueprint, for which it asks nobody and needs no\n" +
			"credentials; with --of, those that Pulumi made (state) or those that an update would leave (preview), for which it runs\n" +
			"the plain CLI in your own environment. On this machine a stack costs nothing by itself.",
		Example: "  rad cost tier1\n  rad cost tier1 -c sizing=budget -c region=eu-central-1\n  rad cost --all\n  rad cost tier1 --of state\n" +
			"  pulumi stack export --stack tier1 | rad cost tier1 --from /dev/stdin",
		Args: cobra.MaximumNArgs(1),
		RunE: func(command *cobra.Command, arguments []string) error {
			a.flags.target = target
			if len(arguments) > 0 && strings.HasPrefix(arguments[0], string(stacks.Local)+"-") && !command.Flags().Changed("target") {
				a.flags.target = string(stacks.Local)
			}
			switch {
			case from != "" && command.Flags().Changed("of"):
				return &usageError{problem: "--of and --from both say what to price: leave one out"}
			case !slices.Contains([]string{ofBlueprint, ofState, ofPreview}, of):
				return &usageError{problem: fmt.Sprintf("--of %s: expected %s, %s or %s", of, ofBlueprint, ofState, ofPreview)}
			case all && of != ofBlueprint:
				return &usageError{problem: "cost --all is of every tier's blueprint: leave out --of"}
			case all:
				return a.costOfAll(arguments, from)
			}
			return a.cost(command.Context(), arguments, from, of)
		},
	}
	command.Flags().StringVar(&target, "target", string(stacks.AWS), "where the stack runs: local or aws")
	a.addProjectFlag(command)
	a.addConfigFlag(command)
	a.addJSONFlag(command, "write it as one JSON object: see rad help json")
	command.Flags().BoolVar(&all, "all", false, "every tier, and the steps between them")
	a.addTimeoutFlag(command)
	command.Flags().StringVar(&of, "of", ofBlueprint, "price the resources of the tier's blueprint, of the stack's state, or of a preview")
	command.Flags().StringVar(&from, "from", "", "price the resources in this file, of `pulumi stack export` or `pulumi preview --json --show-sames`")
	return command
}

// What a cost is of.
const (
	ofBlueprint = "blueprint"
	ofState     = "state"
	ofPreview   = "preview"
)

func (a *App) cost(ctx context.Context, arguments []string, from, of string) error {
	selected, stack, _, err := a.loadStack(arguments)
	if err != nil {
		return err
	}
	var resources []declared.Resource
	switch {
	case stack.Target == stacks.Local:
		of = ofBlueprint
	case from != "":
		if resources, err = a.readResources(from); err != nil {
			return err
		}
		of = from
	case of != ofBlueprint:
		if resources, err = a.resourcesOnAWS(ctx, selected, stack, of); err != nil {
			return err
		}
	}
	if of != ofBlueprint { // Even if there are none: they are not those of the blueprint.
		resources = append([]declared.Resource{}, resources...)
	}
	cost, err := costOf(stack, resources)
	if err != nil {
		return err
	}
	cost.From = of
	if a.flags.json {
		return a.writeJSON(cost)
	}
	return writeCost(a.Stdout, cost)
}

// resourcesOnAWS asks the plain CLI for the resources of a stack, and shows on stderr how far that is.
func (a *App) resourcesOnAWS(ctx context.Context, selected selection, stack stacks.Stack, of string) (resources []declared.Resource, err error) {
	renderer := progress.NewPlain(a.Stderr, progress.NewStyle(false), a.Now)
	defer func() { err = errors.Join(err, renderer.Close()) }()
	if of == ofPreview {
		outcome, err := a.previewOnAWS(ctx, selected, stack, renderer.Show)
		if errors.As(err, new(*refusedError)) {
			err = nil // What it would cost can be told all the same.
		}
		return outcome.Resources, err
	}
	content, err := a.stateOnAWS(ctx, selected, renderer.Show)
	if err != nil {
		return nil, err
	}
	resources, is := declared.ParseState(content)
	if !is {
		return nil, fmt.Errorf("stack %s: `pulumi stack export` wrote no state", selected.name)
	}
	if len(resources) == 0 {
		return nil, &usageError{problem: fmt.Sprintf("stack %s has no resources yet: rad cost %s says what it would cost", selected.name, selected.name)}
	}
	return resources, nil
}

// costOf prices resources of a stack; nil: those of its blueprint.
func costOf(stack stacks.Stack, resources []declared.Resource) (Cost, error) {
	budget, err := stacks.Plan().Budget(stack.Tier())
	if err != nil {
		return Cost{}, err
	}
	cost := Cost{
		Stack: stack.Name, Target: string(stack.Target), From: ofBlueprint, Low: budget.Low, High: budget.High,
		Lines: []price.Line{}, Unknown: []price.Unpriced{}, Usage: []price.Quantity{},
	}
	if stack.Target == stacks.Local {
		cost.Says = "it runs on a machine that you have: it costs nothing by itself. On AWS: rad cost " + stacks.Name(stack.Tier(), stacks.AWS)
		return cost, nil
	}
	table, err := price.Default()
	if err != nil {
		return Cost{}, err
	}
	var estimate price.Estimate
	if resources == nil {
		choice, err := table.Choose(stack)
		if err != nil {
			return Cost{}, err
		}
		estimate, cost.Says = choice.Estimate, choice.Statement
	} else {
		estimate = table.Estimate(stack.Plan, stack.Settings.Region, declared.After(resources))
		verdict, _ := price.Verdict(estimate.Monthly(), budget)
		cost.Says = fmt.Sprintf("its resources cost about $%.0f a month, %s", estimate.Monthly(), verdict)
	}
	cost.Prices = table.Says(stack.Settings.Region)
	cost.Monthly = estimate.Monthly()
	cost.Lines, cost.Unknown = append(cost.Lines, estimate.Lines...), append(cost.Unknown, estimate.Unpriced...)
	_, cost.Over = price.Verdict(cost.Monthly, budget)
	cost.Usage = price.UsageOf(stack.Plan).List()
	return cost, nil
}

func (a *App) readResources(file string) ([]declared.Resource, error) {
	if !filepath.IsAbs(file) {
		file = filepath.Join(a.Folder, file)
	}
	content, err := os.ReadFile(file) //nolint:gosec // The operator names the file.
	if err != nil {
		return nil, &usageError{problem: "--from: " + err.Error()}
	}
	if resources, is := declared.ParseState(content); is {
		return resources, nil
	}
	preview, err := engine.ReadPreview(content, holdsData, func(progress.Event) {})
	if err != nil && !errors.As(err, new(*engine.FailedError)) {
		return nil, &usageError{problem: fmt.Sprintf("--from %s: not of `pulumi stack export`: %v", file, err)}
	}
	return preview.Resources, nil
}

// CostStep is one tier of `rad cost --all --json`.
type CostStep struct {
	Tier  string `json:"tier" doc:"the tier"`
	Users int    `json:"users" doc:"the users that it is for"`
	// Hardware keeps the plan's hardware, Budget its money.
	Hardware float64    `json:"hardware_usd" doc:"US dollars a month with the plan's hardware"`
	Budget   float64    `json:"budget_usd" doc:"US dollars a month with sizing budget"`
	Step     float64    `json:"step_usd" doc:"what hardware_usd adds to the tier before"`
	Low      stacks.USD `json:"plan_low_usd" doc:"the plan's range for the tier, in all"`
	High     stacks.USD `json:"plan_high_usd" doc:"its upper end"`
	Plan     string     `json:"plan_step" doc:"what the plan says that the step costs"`
	Unknown  int        `json:"unpriced" doc:"how many things without a price are not in it"`
}

// CostTable is what `rad cost --all --json` writes.
type CostTable struct {
	Region string     `json:"region" doc:"where the stacks would be"`
	Prices string     `json:"prices" doc:"of where and when the prices are"`
	Tiers  []CostStep `json:"tiers" doc:"every tier, smallest first"`
}

func (a *App) costOfAll(arguments []string, from string) error {
	if len(arguments) > 0 || from != "" {
		return &usageError{problem: "cost --all is of every tier's blueprint: leave out the stack and --from"}
	}
	overrides, err := a.overrides()
	if err != nil {
		return err
	}
	table, err := price.Default()
	if err != nil {
		return err
	}
	var all CostTable
	for _, tier := range stacks.Tiers() {
		step, region, err := costStep(table, tier, overrides)
		if err != nil {
			return err
		}
		if len(all.Tiers) > 0 {
			step.Step = step.Hardware - all.Tiers[len(all.Tiers)-1].Hardware
		}
		all.Region, all.Prices = region, table.Says(region)
		all.Tiers = append(all.Tiers, step)
	}
	if a.flags.json {
		return a.writeJSON(all)
	}
	return writeCostTable(a.Stdout, all)
}

func costStep(table price.Table, tier stacks.Tier, overrides map[string]string) (CostStep, string, error) {
	stack, err := stacks.Load(string(tier), overrides)
	if err != nil {
		return CostStep{}, "", &usageError{problem: "the configuration is wrong:\n" + err.Error()}
	}
	step := CostStep{Tier: stack.Plan.Title, Users: stack.Plan.Users.Target, Plan: stack.Plan.MonthlyCost.String()}
	for sizing, cost := range map[stacks.Sizing]*float64{stacks.SizingHardware: &step.Hardware, stacks.SizingBudget: &step.Budget} {
		stack.Settings.Sizing = sizing
		choice, err := table.Choose(stack)
		if err != nil {
			return CostStep{}, "", err
		}
		*cost = choice.Estimate.Monthly()
		step.Low, step.High, step.Unknown = choice.Budget.Low, choice.Budget.High, len(choice.Estimate.Unpriced)
	}
	return step, stack.Settings.Region, nil
}

func (a *App) writeJSON(value any) error {
	encoder := json.NewEncoder(a.Stdout)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return nil
}
