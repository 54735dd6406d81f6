package cli

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/radpanel/radpanel/cmd/rad/internal/engine"
	"github.com/radpanel/radpanel/cmd/rad/internal/progress"
	"github.com/radpanel/radpanel/infra"
	"github.com/radpanel/radpanel/infra/declared"
	"github.com/radpanel/radpanel/infra/guard"
)

// refusedError is an update that rules forbid.
type refusedError struct{ findings []guard.Finding }

// Error gives each finding on a line of its own.
func (e *refusedError) Error() string { return strings.Join(e.reasons(), "\n") }

func (e *refusedError) reasons() []string {
	reasons := make([]string, len(e.findings))
	for i, finding := range e.findings {
		reasons[i] = finding.String()
	}
	return reasons
}

func (a *App) addAllowFlag(command *cobra.Command) {
	command.Flags().StringArrayVar(&a.flags.allow, strings.TrimPrefix(guard.AllowFlag, "--"), nil,
		"a resource whose data may be lost, by its name; may be repeated")
}

// guardedPreview previews an update, and refuses what rules forbid.
func (a *App) guardedPreview(ctx context.Context, run deployment) (engine.Outcome, error) {
	outcome, err := run.engine.Preview(ctx)
	for i, change := range outcome.Changes {
		if slices.Contains(a.flags.allow, change.Resource) {
			outcome.Changes[i].Protected = false
		}
	}
	return outcome, a.judge(ctx, outcome.Resources, err)
}

// judge holds the resources of a preview against the rules. More are findings about the stack as a whole, such as its cost.
func (a *App) judge(ctx context.Context, resources []declared.Resource, err error, more ...guard.Finding) error {
	findings := append(guard.Policy{Loss: infra.Loss, AllowDataLoss: a.flags.allow}.Check(resources), more...)
	if ctx.Err() != nil || !explained(err, findings) {
		return err
	}
	switch {
	case len(findings) == 0 && len(a.flags.allow) > 0:
		return nil // What was refused was given up.
	case len(findings) == 0:
		return err
	}
	return &refusedError{findings: findings}
}

// protection is what the engine says of a protected resource that it would have to delete or replace.
const protection = "marked for protection"

// wrapping is what Pulumi and its SDK put around the errors of a program.
var wrapping = regexp.MustCompile(`^(an unhandled error occurred: ?)?(program (failed|exited with non-zero exit code): ?)?(\d+( errors? occurred:)?)?$`)

// explained tells whether a preview failed, if it did, for nothing but what rules forbid: protected resources, of which the
// rules say more, and findings that the program made too.
func explained(err error, findings []guard.Finding) bool {
	var failed *engine.FailedError
	if err == nil {
		return true
	}
	if !errors.As(err, &failed) {
		return false
	}
	found := map[string]bool{}
	for _, finding := range findings {
		found[finding.String()] = true
	}
	for _, reason := range failed.Reasons {
		if strings.Contains(reason, protection) {
			continue
		}
		for line := range strings.Lines(reason) {
			line = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(line), "* "))
			if !found[line] && !wrapping.MatchString(line) {
				return false
			}
		}
	}
	return true
}

// guardedUp previews an update, and does it if no rule forbids it: a rule that is found broken half-way helps nobody.
func (a *App) guardedUp(ctx context.Context, run deployment) (engine.Outcome, error) {
	run.show(progress.Activity{Text: "looking what would change"})
	plan, err := run.engine.Plan(ctx)
	if err = a.judge(ctx, plan.Resources, err); err != nil {
		return engine.Outcome{Changes: plan.Changes}, err
	}
	if plan.Settled {
		return plan, nil // It looked at everything that an update would look at.
	}
	return run.engine.Up(ctx)
}
