package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/radpanel/radpanel/cmd/rad/internal/engine"
	"github.com/radpanel/radpanel/cmd/rad/internal/progress"
	"github.com/radpanel/radpanel/cmd/rad/internal/pulumicli"
	"github.com/radpanel/radpanel/stacks"
)

// cloudTimeout is how long pulumi may take to look at a stack on AWS, unless the operator says otherwise: to compile the
// program for the first time takes minutes, and so does asking AWS for hundreds of resources.
const cloudTimeout = 30 * time.Minute

func (a *App) addTimeoutFlag(command *cobra.Command) {
	command.Flags().DurationVar(&a.flags.timeout, "timeout", cloudTimeout, "how long pulumi may take to look at a stack on AWS")
}

// previewOnAWS has the plain CLI preview a stack on AWS, in the operator's own environment, and holds it to the rules.
func (a *App) previewOnAWS(ctx context.Context, selected selection, stack stacks.Stack, show func(progress.Event)) (engine.Outcome, error) {
	if len(a.flags.config) > 0 {
		return engine.Outcome{}, &usageError{problem: "--config is for stacks on this machine; for target aws use `pulumi config set`"}
	}
	cli, notes, err := a.readyForAWS(ctx, selected, show)
	if err != nil {
		return engine.Outcome{}, err
	}
	outcome, err := a.projectOf(selected, cli, show).Preview(ctx)
	if err != nil && ctx.Err() != nil {
		return outcome, err
	}
	cost, over, costErr := costMove(stack, outcome.Resources)
	if costErr != nil {
		return outcome, errors.Join(err, costErr)
	}
	verdict := a.judge(ctx, outcome.Resources, err, over...)
	if errors.As(verdict, new(*engine.FailedError)) {
		return outcome, advised(verdict, selected, notes)
	}
	if cost.Before != cost.After {
		show(progress.Message{Severity: progress.Info, Text: fmt.Sprintf("cost: $%.2f a month before, $%.2f after", cost.Before, cost.After)})
	}
	return outcome, verdict
}

// mayUpdateOnAWS holds what an update of a stack on AWS would do against the rules, before the plain CLI is left alone with it.
func (a *App) mayUpdateOnAWS(ctx context.Context, selected selection, stack stacks.Stack) error {
	if a.flags.json {
		return nil // The plain CLI is not asked at all: see handOver.
	}
	renderer := progress.NewPlain(a.Stderr, progress.NewStyle(false), a.Now)
	_, err := a.previewOnAWS(ctx, selected, stack, renderer.Show)
	return errors.Join(err, renderer.Close())
}

// stateOnAWS reads what Pulumi knows of a stack on AWS, without asking AWS.
func (a *App) stateOnAWS(ctx context.Context, selected selection, show func(progress.Event)) ([]byte, error) {
	cli, missing, err := a.missingForState(ctx, selected, show)
	if err == nil {
		err = lacking(selected, missing)
	}
	if err != nil {
		return nil, err
	}
	content, err := a.projectOf(selected, cli, show).Export(ctx)
	if errors.As(err, new(*engine.FailedError)) {
		err = advised(err, selected, nil)
	}
	return content, err
}

func (a *App) projectOf(selected selection, cli pulumicli.CLI, show func(progress.Event)) engine.Project {
	return engine.Project{
		Folder: selected.project, Stack: selected.name, CLI: cli, Environment: a.operatorsOwn(cli), Timeout: a.flags.timeout,
		Show: show, HoldsData: holdsData, Force: a.Force,
	}
}

// advice is what to do about failures of the plain CLI, by what it says of them.
func advice(stack string) [][2]string {
	return [][2]string{
		{"no stack named", "make it by `pulumi stack init " + stack + "`"},
		{"PULUMI_ACCESS_TOKEN must be set", "say where Pulumi keeps the state: `pulumi login`, or PULUMI_BACKEND_URL"},
		{"passphrase must be set", "give the passphrase of the stack's secrets: PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE"},
		{"incorrect passphrase", "give the passphrase that the stack was made with: PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE"},
		{"no resource plugin", "install the plugins that the program needs: `pulumi install`, which needs the internet"},
		{"could not install plugin", "install the plugins that the program needs: `pulumi install`, which needs the internet"},
		{"No valid credential sources", "give credentials for AWS that are still valid: `aws sts get-caller-identity` tells whose they are"},
		{"ExpiredToken", "give credentials for AWS that are still valid: `aws sts get-caller-identity` tells whose they are"},
		{"no folder at path", "build what Pulumi.yaml names, in the checkout: `make build`"},
		{"missing go.sum entry", "bring the program's modules in line: `go mod download`"},
	}
}

// advised adds to a failure of the plain CLI what to do about it, and what may have caused it.
func advised(err error, selected selection, notes []string) error {
	var hints []string
	for _, known := range advice(selected.name) {
		if strings.Contains(err.Error(), known[0]) {
			hints = append(hints, known[1])
		}
	}
	if len(hints) == 0 && strings.Contains(err.Error(), "plugin") {
		hints = notes
	}
	if len(hints) == 0 {
		return err
	}
	return &advisedError{failure: err, hints: hints}
}

// advisedError is a failure with what to do about it.
type advisedError struct {
	failure error
	hints   []string
}

// Error gives each hint on a line of its own.
func (e *advisedError) Error() string { return strings.Join(e.reasons(), "\n") }

func (e *advisedError) reasons() []string {
	reasons := reasons(e.failure)
	for _, hint := range e.hints {
		reasons = append(reasons, "what to do: "+hint)
	}
	return reasons
}

// Unwrap gives the failure.
func (e *advisedError) Unwrap() error { return e.failure }
