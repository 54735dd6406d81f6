package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	p "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"github.com/spf13/cobra"

	"github.com/radpanel/radpanel/cmd/rad/internal/engine"
	"github.com/radpanel/radpanel/cmd/rad/internal/progress"
	"github.com/radpanel/radpanel/cmd/rad/internal/pulumicli"
	"github.com/radpanel/radpanel/infra"
	"github.com/radpanel/radpanel/infra/local"
	"github.com/radpanel/radpanel/infra/local/provider"
	"github.com/radpanel/radpanel/infra/local/supervisor"
	"github.com/radpanel/radpanel/stacks"
)

func (a *App) upCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "up [stack]",
		Short: "Bring a stack up, or make it again what its configuration says",
		Long: "up starts every part of the stack in its order, and prints the panel's address. Run again, it changes only what\n" +
			"differs: a service that died, a file that was edited, a key of the configuration. Data is never touched: an update that\n" +
			"would lose some, or breaks another rule of this project, is refused before anything is changed.",
		Example: "  rad up\n  rad up tier1 -c logLevel=debug\n  rad up mvp --json | jq -r 'select(.type==\"summary\").outputs.url'",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(command *cobra.Command, arguments []string) error {
			return a.deploy(command.Context(), "up", arguments, a.guardedUp)
		},
	}
	a.addDeployFlags(command)
	a.addAllowFlag(command)
	a.addTimeoutFlag(command)
	command.Flags().BoolVar(&a.flags.yes, "yes", false, "of a stack on AWS: do not have pulumi ask")
	a.addJSONFlag(command, "say what happens as one JSON object a line: see rad help json")
	return command
}

func (a *App) previewCommand() *cobra.Command {
	expectNoChanges, markdown := false, false
	var from []string
	command := &cobra.Command{
		Use:   "preview [stack]",
		Short: "Say what `up` would change, what endangers data first",
		Long: "preview does nothing but look. With --markdown it takes any number of stacks, and writes what would change as a comment\n" +
			"for a pull request: what endangers data first, the details folded away, secrets masked. What rules forbid is said too, and\n" +
			"makes it fail. Stacks on AWS are previewed by the plain CLI, in your own environment (backend, passphrase, credentials);\n" +
			"--from reads what it found elsewhere.",
		Example: "  rad preview\n  rad preview mvp tier1 tier2 --target aws --markdown > comment.md\n" +
			"  pulumi preview --stack tier1 --json --show-sames --ignore-protect > tier1.json; rad preview --markdown --from tier1=tier1.json",
		Args: func(command *cobra.Command, arguments []string) error {
			if markdown {
				return nil
			}
			return cobra.MaximumNArgs(1)(command, arguments)
		},
		RunE: func(command *cobra.Command, arguments []string) error {
			if len(from) > 0 && !markdown {
				return &usageError{problem: "--from is for --markdown: add it"}
			}
			if markdown && a.flags.json {
				return &usageError{problem: "--markdown and --json are two ways to say it: leave one out"}
			}
			if markdown {
				return a.previewMarkdown(command.Context(), arguments, from, expectNoChanges)
			}
			return a.preview(command.Context(), arguments, expectNoChanges)
		},
	}
	a.addDeployFlags(command)
	a.addAllowFlag(command)
	a.addJSONFlag(command, "say it as one JSON object a line: see rad help json")
	a.addTimeoutFlag(command)
	command.Flags().BoolVar(&markdown, "markdown", false, "write it as a comment for a pull request, of any number of stacks")
	command.Flags().StringArrayVar(&from, "from", nil, "with --markdown: <stack>=<file>, what `pulumi preview --json --show-sames` wrote of a stack; may be repeated")
	command.Flags().BoolVar(&expectNoChanges, "expect-no-changes", false, "exit with 5 if there are changes")
	return command
}

// preview previews one stack.
func (a *App) preview(ctx context.Context, arguments []string, expectNoChanges bool) error {
	selected, stack, config, err := a.loadStack(arguments)
	if err != nil {
		return err
	}
	return a.report(ctx, "preview", selected, func(show func(progress.Event)) (engine.Outcome, error) {
		outcome, err := a.previewed(ctx, selected, stack, config, show)
		if err == nil && expectNoChanges && outcome.Counts.Changed() > 0 {
			err = &silentError{code: exitPending}
		}
		return outcome, err
	})
}

// previewed previews a stack wherever it runs, and holds it to the rules.
func (a *App) previewed(ctx context.Context, selected selection, stack stacks.Stack, config map[string]string, show func(progress.Event)) (engine.Outcome, error) {
	if stack.Target == stacks.AWS {
		return a.previewOnAWS(ctx, selected, stack, show)
	}
	return a.run(ctx, "preview", selected, stack, config, show, a.guardedPreview)
}

// deployment is a stack of this machine with the engine that works on it.
type deployment struct {
	engine *engine.Engine
	stack  stacks.Stack
	show   func(progress.Event)
}

// operation does something with a deployment.
type operation func(context.Context, deployment) (engine.Outcome, error)

// deploy runs an operation of the engine on a stack.
func (a *App) deploy(ctx context.Context, name string, arguments []string, do operation) error {
	selected, stack, config, err := a.loadStack(arguments)
	if err != nil {
		return err
	}
	if stack.Target == stacks.AWS {
		if err := a.mayUpdateOnAWS(ctx, selected, stack); err != nil {
			return err
		}
		return a.handOver(ctx, name, selected)
	}
	if name == "up" {
		if err := mayComeUp(selected); err != nil {
			return err
		}
	}
	return a.report(ctx, name, selected, func(show func(progress.Event)) (engine.Outcome, error) {
		return a.run(ctx, name, selected, stack, config, show, do)
	})
}

// run runs an operation of the engine on a stack of this machine.
func (a *App) run(ctx context.Context, name string, selected selection, stack stacks.Stack, config map[string]string,
	show func(progress.Event), do operation,
) (engine.Outcome, error) {
	if err := lackingPackages(stack.Plan.Blueprint); err != nil {
		return engine.Outcome{}, err
	}
	release, err := a.findRelease(selected)
	if err != nil {
		return engine.Outcome{}, err
	}
	program := func(ctx *pulumi.Context) error {
		return infra.Deploy(ctx, stack, infra.Options{StateFolder: selected.stateFolder, ReleaseFolder: release})
	}
	opened, err := a.openEngine(ctx, selected, "rad "+name+" "+selected.name, config, program, show)
	if err != nil {
		return engine.Outcome{}, err
	}
	outcome, err := do(ctx, deployment{engine: opened, stack: stack, show: show})
	return outcome, errors.Join(err, opened.Close())
}

// report shows an operation from its start to its summary.
func (a *App) report(ctx context.Context, name string, selected selection,
	do func(show func(progress.Event)) (engine.Outcome, error),
) error {
	start := a.Now()
	renderer := a.renderer()
	renderer.Show(progress.Started{Command: name, Stack: selected.name, Target: string(selected.target)})
	unheard := context.AfterFunc(ctx, func() {
		renderer.Show(progress.Message{Severity: progress.Warning, Text: "ending cleanly; interrupt again to end at once"})
	})
	outcome, err := do(renderer.Show)
	unheard()
	for _, change := range outcome.Changes {
		renderer.Show(change)
	}
	summary := progress.Summary{
		Command: name, Stack: selected.name, Result: progress.Succeeded, Changes: outcome.Counts,
		Elapsed: progress.Duration(a.Now().Sub(start)), ExitCode: int(exitCode(err)),
	}
	switch {
	case errors.Is(err, ErrInterrupted):
		summary.Result = progress.Canceled
	case err != nil && !errors.As(err, new(*silentError)):
		summary.Result, summary.Errors = progress.Failed, reasons(err)
	case name == "up":
		summary.Outputs = outcome.Outputs
	}
	renderer.Show(summary)
	return errors.Join(err, renderer.Close())
}

func reasons(err error) []string {
	switch known := err.(type) { //nolint:errorlint // Each of joined ones is looked at by itself, and keeps what it is wrapped in.
	case *advisedError:
		return known.reasons()
	case *engine.FailedError:
		return known.Reasons
	case *refusedError:
		return known.reasons()
	case interface{ Unwrap() []error }:
		var all []string
		for _, one := range known.Unwrap() {
			all = append(all, reasons(one)...)
		}
		return all
	default:
		return []string{err.Error()}
	}
}

// openEngine finds pulumi and opens the engine on a stack of this machine.
func (a *App) openEngine(ctx context.Context, selected selection, purpose string, config map[string]string, program pulumi.RunFunc,
	show func(progress.Event),
) (*engine.Engine, error) {
	cli, err := a.findPulumi(ctx, selected, show)
	if err != nil {
		return nil, err
	}
	if err := makeStateFolder(selected.stateFolder); err != nil {
		return nil, err
	}
	return engine.Open(ctx, engine.Options{
		Home: selected.home, Stack: selected.name, Purpose: purpose, CLI: cli, Program: program, Config: config,
		Providers: map[string]func() (pulumirpc.ResourceProviderServer, error){provider.Name: localProvider},
		Show:      show, HoldsData: holdsData, IgnoreProtect: len(a.flags.allow) > 0, Force: a.Force, Now: a.Now,
	})
}

// localProvider makes the provider of this machine's resources.
func localProvider() (pulumirpc.ResourceProviderServer, error) {
	made, err := provider.New()
	if err != nil {
		return nil, err
	}
	return p.RawServer(provider.Name, provider.Version, made)(nil)
}

// holdsData tells whether deleting or replacing a resource of a type can lose data.
func holdsData(resourceType string) bool { return infra.Loss(resourceType) != "" }

// makeStateFolder makes the folder of all stacks. The services run as other users than root's rad and must be able to
// reach their own folders in it; each of those says who may read it.
func makeStateFolder(folder string) error {
	if _, err := os.Stat(folder); err == nil {
		return nil
	}
	if err := makeStateFolder(filepath.Dir(folder)); err != nil {
		return err
	}
	if err := supervisor.MakeFolder(folder, 0o711, supervisor.Caller()); err != nil { // Whatever the operator's umask is.
		return fmt.Errorf("make the state folder: %w", err)
	}
	return nil
}

// findPulumi finds the Pulumi command line, and shows a build that this takes.
func (a *App) findPulumi(ctx context.Context, selected selection, show func(progress.Event)) (pulumicli.CLI, error) {
	finder, err := a.finder(selected)
	if err != nil {
		return pulumicli.CLI{}, err
	}
	finder.Progress = func(now pulumicli.BuildProgress) {
		text := fmt.Sprintf("building pulumi %s, once: %s", pulumicli.PinnedVersion, now.Activity)
		if now.Packages > 0 && !now.Done {
			text += fmt.Sprintf(" (%d packages so far)", now.Packages)
		}
		show(progress.Activity{Text: text, Elapsed: progress.Duration(now.Elapsed), Lasting: now.Done})
	}
	return finder.Find(ctx)
}

func (a *App) finder(selected selection) (pulumicli.Finder, error) {
	cache := a.Getenv("XDG_CACHE_HOME")
	if !filepath.IsAbs(cache) {
		cache = filepath.Join(a.Getenv("HOME"), ".cache")
	}
	if !filepath.IsAbs(cache) {
		return pulumicli.Finder{}, &missingError{problem: "neither HOME nor XDG_CACHE_HOME is set: rad needs a folder for its cache"}
	}
	tools := ""
	for _, checkout := range []string{selected.project, projectAround(filepath.Dir(a.Executable))} {
		candidate := filepath.Join(checkout, "tools")
		if _, err := os.Stat(filepath.Join(candidate, "go.mod")); checkout != "" && err == nil {
			tools = candidate
			break
		}
	}
	return pulumicli.Finder{
		Override: a.Getenv(pulumicli.PathVariable), SearchPath: a.Getenv("PATH"),
		CacheFolder: filepath.Join(cache, "radpanel", "pulumi"), ToolsFolder: tools,
	}, nil
}

// lackingPackages says which servers this machine lacks, all at once.
func lackingPackages(blueprint stacks.Blueprint) error {
	if err := local.CheckRequirements(blueprint); err != nil {
		return &missingError{problem: err.Error()}
	}
	return nil
}
