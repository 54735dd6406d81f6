package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/radpanel/radpanel/cmd/rad/internal/engine"
	"github.com/radpanel/radpanel/cmd/rad/internal/progress"
	"github.com/radpanel/radpanel/cmd/rad/internal/report"
	"github.com/radpanel/radpanel/infra"
	"github.com/radpanel/radpanel/infra/declared"
	"github.com/radpanel/radpanel/infra/guard"
	"github.com/radpanel/radpanel/infra/price"
	"github.com/radpanel/radpanel/stacks"
)

// previewMarkdown writes what `up` would change in each of the named stacks as one comment for a pull request. Those that
// from names, as <stack>=<file>, were previewed by the plain CLI. A stack without a preview does not keep the others from
// theirs, but the command fails, as it does if rules refuse a change.
func (a *App) previewMarkdown(ctx context.Context, names, from []string, expectNoChanges bool) error {
	if len(names) == 0 && len(from) == 0 {
		names = []string{string(stacks.Tiers()[0])}
	}
	target := a.flags.target
	if len(names)+len(from) > 1 && len(a.flags.allow) > 0 {
		return &usageError{problem: guard.AllowFlag + " is for one stack at a time: preview the stack whose data may be lost by itself"}
	}
	var previews []report.Stack
	var failed error
	pending := false
	keep := func(preview report.Stack, err error) {
		var refused *refusedError
		if errors.As(err, &refused) {
			preview.Findings = refused.findings
		} else if err != nil {
			preview.Failure = err.Error()
		}
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", preview.Name, err))
		}
		pending = pending || preview.Counts.Changed() > 0
		previews = append(previews, preview)
	}
	for _, name := range names {
		a.flags.target = target
		if strings.HasPrefix(name, string(stacks.Local)+"-") {
			a.flags.target = string(stacks.Local)
		}
		preview, err := a.previewOf(ctx, name)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		keep(preview, err)
	}
	for _, pair := range from {
		name, file, found := strings.Cut(pair, "=")
		if !found || name == "" || file == "" {
			return &usageError{problem: fmt.Sprintf("--from %q: expected <stack>=<file>", pair)}
		}
		keep(a.previewFrom(ctx, name, file))
	}
	if _, err := fmt.Fprint(a.Stdout, report.Markdown(previews, infra.Loss, report.CommentLimit)); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	if failed == nil && pending && expectNoChanges {
		return &silentError{code: exitPending}
	}
	return failed
}

// previewOf previews one stack, and shows on stderr how far that is.
func (a *App) previewOf(ctx context.Context, name string) (report.Stack, error) {
	preview := report.Stack{Name: name}
	selected, err := a.selectStack([]string{name})
	if err != nil {
		return preview, err
	}
	preview.Name = selected.name
	stack, config, err := a.load(selected)
	if err != nil {
		return preview, err
	}
	preview.Tier = stack.Plan
	renderer := progress.NewPlain(a.Stderr, progress.NewStyle(false), a.Now)
	renderer.Show(progress.Started{Command: "preview", Stack: selected.name, Target: string(stack.Target)})
	outcome, err := a.previewed(ctx, selected, stack, config, func(event progress.Event) {
		if message, is := event.(progress.Message); is {
			preview.Notes = append(preview.Notes, message)
		}
		renderer.Show(event)
	})
	summarise(&preview, outcome)
	if stack.Target == stacks.AWS && len(outcome.Resources) > 0 {
		cost, _, costErr := costMove(stack, outcome.Resources)
		preview.Cost, err = &cost, errors.Join(err, costErr)
	}
	return preview, errors.Join(err, renderer.Close())
}

// previewFrom reads a preview that the plain CLI made.
func (a *App) previewFrom(ctx context.Context, name, file string) (report.Stack, error) {
	preview := report.Stack{Name: name}
	a.flags.target = string(stacks.AWS)
	if strings.HasPrefix(name, string(stacks.Local)+"-") {
		a.flags.target = string(stacks.Local)
	}
	selected, err := a.selectStack([]string{name})
	if err != nil {
		return preview, err
	}
	stack, _, err := a.load(selected)
	if err != nil {
		return preview, err
	}
	preview.Tier = stack.Plan
	if !filepath.IsAbs(file) {
		file = filepath.Join(a.Folder, file)
	}
	content, err := os.ReadFile(file) //nolint:gosec // The operator names the file.
	if err != nil {
		return preview, &usageError{problem: "--from: " + err.Error()}
	}
	outcome, failed := engine.ReadPreview(content, holdsData, func(event progress.Event) {
		if message, is := event.(progress.Message); is {
			preview.Notes = append(preview.Notes, message)
		}
	})
	if failed != nil && !errors.As(failed, new(*engine.FailedError)) {
		return preview, &usageError{problem: fmt.Sprintf("--from %s: %v", file, failed)}
	}
	summarise(&preview, outcome)
	if stack.Target != stacks.AWS {
		return preview, a.judge(ctx, outcome.Resources, failed)
	}
	cost, over, err := costMove(stack, outcome.Resources)
	if err != nil {
		return preview, err
	}
	preview.Cost = &cost
	return preview, a.judge(ctx, outcome.Resources, failed, over...)
}

// costMove tells what a change does to the cost of a stack on AWS, and what of it needs somebody's agreement.
func costMove(stack stacks.Stack, resources []declared.Resource) (report.Cost, []guard.Finding, error) {
	table, err := price.Default()
	if err != nil {
		return report.Cost{}, nil, err
	}
	budget, err := stacks.Plan().Budget(stack.Tier())
	if err != nil {
		return report.Cost{}, nil, err
	}
	before := table.Estimate(stack.Plan, stack.Settings.Region, declared.Before(resources))
	after := table.Estimate(stack.Plan, stack.Settings.Region, declared.After(resources))
	return report.Cost{
		Before: before.Monthly(), After: after.Monthly(), Low: float64(budget.Low), High: float64(budget.High),
		Moves: price.Moves(before, after), Unknown: after.Unpriced, Prices: table.Says(stack.Settings.Region),
	}, guard.CheckCost(after.Monthly(), budget, stack.Settings), nil
}

// summarise fills in what the outcome of a preview says.
func summarise(preview *report.Stack, outcome engine.Outcome) {
	preview.Changes, preview.Counts = outcome.Changes, outcome.Counts
	tier, _ := outcome.Before["tier"].(string)
	for _, r := range outcome.Resources { // A preview of the plain CLI tells no outputs.
		if old := guard.DefaultTags(r.Old)["tier"]; r.Type == guard.AWSProvider && old != nil && tier == "" {
			tier, _ = old.(string)
		}
	}
	if slices.Contains(stacks.Tiers(), stacks.Tier(tier)) {
		preview.Before, _ = stacks.Plan().Tier(stacks.Tier(tier)) // It is one of the plan's.
	}
}
