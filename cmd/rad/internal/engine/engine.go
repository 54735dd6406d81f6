// Package engine runs the Pulumi engine for rad: through the Automation API, with the program and its providers in
// rad's own process and the state in a local file backend.
package engine

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/auto"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/events"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optpreview"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optremove"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optup"
	"github.com/pulumi/pulumi/sdk/v3/go/common/util/rpcutil"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"

	"github.com/radpanel/radpanel/cmd/rad/internal/filelock"
	"github.com/radpanel/radpanel/cmd/rad/internal/progress"
	"github.com/radpanel/radpanel/cmd/rad/internal/pulumicli"
	"github.com/radpanel/radpanel/infra/declared"
)

// orphanWait is how long an engine whose rad was killed may take to end: it has lost its program and its providers,
// and writes the state.
const orphanWait = 30 * time.Second

// closeTimeout is how long the providers may take to end once the engine is gone: they have nothing left to do,
// unless a step that was cut off does not heed its context.
const closeTimeout = 5 * time.Second

// Options says what to run. All fields but Force, HoldsData and Now are required.
type Options struct {
	Home Home
	// Stack is the name of the stack.
	Stack string
	// Purpose is shown to others who find the stack in use, such as "rad up local-mvp".
	Purpose string
	// CLI is the Pulumi command line.
	CLI pulumicli.CLI
	// Program declares the stack's resources.
	Program pulumi.RunFunc
	// Providers are served in this process, by the name of their package. Each operation makes its own: pulumi tells a
	// provider to give up when it ends, and that provider then takes no more orders.
	Providers map[string]func() (pulumirpc.ResourceProviderServer, error)
	// Config is the stack's configuration, recorded in its history. Keys come without the project's name.
	Config map[string]string
	// Show is told what happens. It is called from one goroutine at a time.
	Show func(progress.Event)
	// HoldsData says of a resource type whether data is lost with a resource of it. Nil: of none.
	HoldsData func(resourceType string) bool
	// IgnoreProtect has the engine delete and replace protected resources too: for an operator who gave up what they hold.
	IgnoreProtect bool
	// Force makes an engine that was asked to end do so at once, when it is closed. Nil: never.
	Force <-chan struct{}
	// Now is the clock. Nil: time.Now.
	Now func() time.Time
}

// Engine works on one stack, which it holds locked until it is closed.
type Engine struct {
	options Options
	lock    *filelock.Lock
	stack   auto.Stack
	// stopProviders ends the servers of the providers; served tells when they have ended.
	stopProviders chan bool
	served        []<-chan error
}

// Outcome is what an operation did, or would do.
type Outcome struct {
	Counts  progress.Counts
	Changes []progress.Change // of a preview, riskiest first
	// Resources are, after a preview, all of the stack: with what an update would do to each, and with its inputs before and
	// after.
	Resources []declared.Resource
	Outputs   map[string]any // secrets masked
	Before    map[string]any // the outputs of the update before, secrets masked; nil if there was none
	// Settled says, after a preview, that an update would leave everything as it is, the outputs too.
	Settled bool
}

// FailedError is an operation that the engine began and did not finish.
type FailedError struct {
	// Reasons are in plain words, such as "postgresql: port 5432 is taken".
	Reasons []string
	cause   error
}

// Error gives each reason on a line of its own.
func (e *FailedError) Error() string { return strings.Join(e.Reasons, "\n") }

// Unwrap gives what the Automation API said.
func (e *FailedError) Unwrap() error { return e.cause }

// Open locks the stack, clears what a crash left behind, serves the providers and makes the stack if it is new. The
// error is a *BusyError if another process works on the stack.
func Open(ctx context.Context, options Options) (*Engine, error) {
	if options.Now == nil {
		options.Now = time.Now
	}
	if options.HoldsData == nil {
		options.HoldsData = func(string) bool { return false }
	}
	lock, err := Lock(ctx, options.Home, options.Stack, options.Purpose, options.Show)
	if err != nil {
		return nil, err
	}
	e := &Engine{options: options, lock: lock, stopProviders: make(chan bool)}
	if err := e.open(ctx); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return e, nil
}

// LockFile is the file that whoever changes a stack holds locked.
func LockFile(home Home, stack string) string {
	return filepath.Join(filepath.Dir(home.Folder), stack+".lock")
}

// Lock takes rad's lock of a stack, for an operation without the engine. If its holder is dead, the lock is held by
// the engine that it started and that is about to end: Lock waits for that. The error is a *BusyError if another
// process works on the stack, be it a rad or a plain Pulumi CLI.
func Lock(ctx context.Context, home Home, stack, purpose string, show func(progress.Event)) (*filelock.Lock, error) {
	lock, err := Outlive(ctx, LockFile(home, stack), stack, purpose, Orphan{Name: "engine", Waiting: "for its engine to end", Limit: orphanWait}, show)
	if err != nil {
		return nil, err
	}
	removed, err := home.clearStaleLocks(stack)
	if err != nil {
		return nil, errors.Join(err, lock.Release())
	}
	if removed > 0 {
		show(progress.Message{Severity: progress.Warning, Text: "the last run on this stack did not end cleanly: its lock was removed"})
	}
	return lock, nil
}

// Orphan is what a rad that is killed leaves at work: it holds its rad's lock too, until it ends.
type Orphan struct {
	// Name is what it is called, such as engine.
	Name string
	// Waiting says what is waited for, after the word waiting.
	Waiting string
	// Limit bounds that.
	Limit time.Duration
}

// Outlive takes the lock at path, with which somebody works on a stack. If its holder is dead, it waits for what that left at
// work. The error is a *BusyError if another process works on the stack.
func Outlive(ctx context.Context, path, stack, purpose string, orphan Orphan, show func(progress.Event)) (*filelock.Lock, error) {
	lock, err := filelock.Acquire(path, purpose)
	var held *filelock.HeldError
	if !errors.As(err, &held) {
		return lock, err
	}
	holder := held.Holder
	if holder.PID == 0 || holder.Alive() {
		return nil, &BusyError{Stack: stack, Holder: holder.String()}
	}
	show(progress.Activity{Text: holder.Purpose + " was killed: waiting " + orphan.Waiting, Lasting: true})
	wait, cancel := context.WithTimeout(ctx, orphan.Limit)
	defer cancel()
	lock, err = filelock.Wait(wait, path, purpose, nil)
	if err != nil && ctx.Err() == nil {
		return nil, &BusyError{Stack: stack, Holder: "the " + orphan.Name + " that " + holder.String() + " left behind"}
	}
	return lock, err
}

func (e *Engine) open(ctx context.Context) error {
	home, stack := e.options.Home, e.options.Stack
	if err := home.prepare(stack); err != nil {
		return err
	}
	if err := home.writeProject(stack, e.options.Config); err != nil {
		return err
	}
	runner := &command{cli: e.options.CLI, lock: e.lock.File(), force: e.options.Force, ignoreProtect: e.options.IgnoreProtect}
	if e.options.IgnoreProtect && !runner.canIgnoreProtect() {
		return fmt.Errorf("giving up protected resources needs pulumi %s or newer, and %s is %s: install a newer one", ignoreProtectSince,
			e.options.CLI.Path, e.options.CLI.Version)
	}
	workspace, err := auto.NewLocalWorkspace(ctx,
		auto.WorkDir(home.projectFolder(stack)),
		auto.PulumiHome(home.pulumiHome()),
		auto.Pulumi(runner),
		auto.Program(e.options.Program),
		auto.EnvVars(map[string]string{
			"PULUMI_BACKEND_URL":                            home.BackendURL(),
			"PULUMI_CONFIG_PASSPHRASE_FILE":                 home.PassphraseFile(),
			"PULUMI_SKIP_UPDATE_CHECK":                      "true",
			"PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION":   "true",
			"PULUMI_DIY_BACKEND_DISABLE_CHECKPOINT_BACKUPS": "true",
			"PULUMI_AUTOMATION_API":                         "true",
		}))
	if err != nil {
		return fmt.Errorf("prepare the engine: %w", err)
	}
	if home.Has(stack) {
		e.stack, err = auto.SelectStack(ctx, stack, workspace)
	} else {
		e.stack, err = auto.NewStack(ctx, stack, workspace)
	}
	if err != nil {
		return ended(ctx, fmt.Errorf("open stack %s: %w", stack, err))
	}
	return nil
}

// serveProviders serves every provider on a port of the loopback interface, and gives the addresses as
// PULUMI_DEBUG_PROVIDERS wants them.
func (e *Engine) serveProviders() (string, error) {
	var addresses []string
	for name, provide := range e.options.Providers {
		provider, err := provide()
		if err != nil {
			return "", fmt.Errorf("make provider %s: %w", name, err)
		}
		handle, err := rpcutil.ServeWithOptions(rpcutil.ServeOptions{
			Cancel: e.stopProviders,
			Init: func(server *grpc.Server) error {
				pulumirpc.RegisterResourceProviderServer(server, provider)
				return nil
			},
		})
		if err != nil {
			return "", fmt.Errorf("serve provider %s: %w", name, err)
		}
		e.served = append(e.served, handle.Done)
		addresses = append(addresses, fmt.Sprintf("%s:%d", name, handle.Port))
	}
	slices.Sort(addresses)
	return strings.Join(addresses, ","), nil
}

// Up makes the machine what the program says. It looks at what is there first, so that whatever died or was changed
// is repaired too.
func (e *Engine) Up(ctx context.Context) (Outcome, error) { return e.UpOnly(ctx) }

// UpOnly is Up of nothing but the resources of these names; none: of all.
func (e *Engine) UpOnly(ctx context.Context, names ...string) (Outcome, error) {
	outcome, err := e.run(ctx, false, e.options.Show, func(stream chan<- events.EngineEvent) error {
		options := []optup.Option{optup.EventStreams(stream), optup.SuppressOutputs(), optup.SuppressProgress()}
		if len(names) == 0 {
			options = append(options, optup.Refresh())
		}
		for _, name := range names {
			options = append(options, optup.Target([]string{"**::" + name}))
		}
		_, err := e.stack.Up(ctx, options...)
		return err
	})
	return outcome, errors.Join(err, e.options.Home.pruneHistory(e.options.Stack))
}

// Preview says what Up would do, and does nothing.
func (e *Engine) Preview(ctx context.Context) (Outcome, error) { return e.preview(ctx, e.options.Show) }

// Plan is Preview without a word: whoever goes on with Up hears of everything then.
func (e *Engine) Plan(ctx context.Context) (Outcome, error) {
	return e.preview(ctx, func(progress.Event) {})
}

func (e *Engine) preview(ctx context.Context, show func(progress.Event)) (Outcome, error) {
	outcome, err := e.run(ctx, true, show, func(stream chan<- events.EngineEvent) error {
		_, err := e.stack.Preview(ctx, optpreview.Refresh(), optpreview.EventStreams(stream), optpreview.SuppressOutputs(), optpreview.SuppressProgress())
		return err
	})
	progress.SortChanges(outcome.Changes)
	outcome.Settled = outcome.Settled && err == nil && outcome.Counts.Changed() == 0
	return outcome, err
}

// Forget removes the stack from the backend, whatever it holds: its resources are left alone.
func (e *Engine) Forget(ctx context.Context) error {
	workspace := e.stack.Workspace()
	if err := workspace.RemoveStack(ctx, e.options.Stack, optremove.Force()); err != nil {
		return ended(ctx, fmt.Errorf("remove stack %s: %w", e.options.Stack, err))
	}
	return e.options.Home.forget(e.options.Stack)
}

// run starts an operation and translates its events until it is over.
func (e *Engine) run(ctx context.Context, preview bool, show func(progress.Event), operation func(chan<- events.EngineEvent) error) (Outcome, error) {
	addresses, err := e.serveProviders()
	if err != nil {
		return Outcome{}, err
	}
	e.stack.Workspace().SetEnvVar("PULUMI_DEBUG_PROVIDERS", addresses)
	return follow(ctx, newTranslator(show, e.options.Now, preview, e.options.HoldsData), operation)
}

// follow starts an operation and translates its events until it is over.
func follow(ctx context.Context, translator *translator, operation func(chan<- events.EngineEvent) error) (Outcome, error) {
	stream := make(chan events.EngineEvent)
	over := make(chan struct{})
	translated := make(chan struct{})
	go func() {
		defer close(translated)
		for {
			select {
			case event, more := <-stream:
				if !more {
					return
				}
				if event.Error == nil {
					translator.translate(event.EngineEvent)
				}
			case <-over: // An engine that did not start never closes its stream.
				return
			}
		}
	}()
	err := operation(stream)
	close(over)
	<-translated
	outcome := Outcome{
		Counts: translator.counts, Changes: translator.changes, Resources: translator.resources, Outputs: translator.outputs,
		Before: translator.before, Settled: translator.outputsStay,
	}
	if err == nil {
		return outcome, nil
	}
	if ctx.Err() != nil {
		return outcome, context.Cause(ctx)
	}
	reasons := translator.reasons()
	if len(reasons) == 0 {
		reasons = []string{plain(err)}
	}
	return outcome, &FailedError{Reasons: reasons, cause: err}
}

// Close ends the providers and gives the stack free.
func (e *Engine) Close() error {
	close(e.stopProviders)
	timer := time.NewTimer(closeTimeout)
	defer timer.Stop()
	var errs []error
	for _, done := range e.served {
		select {
		case err := <-done:
			errs = append(errs, err)
		case <-timer.C:
			errs = append(errs, fmt.Errorf("a provider did not end within %s", closeTimeout))
		}
	}
	return errors.Join(append(errs, e.lock.Release())...)
}

// ended gives the reason why ctx ended, if it did: what a killed pulumi said is of no interest.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return errors.New(plain(err))
}

// plain takes what matters from an error of the Automation API: what pulumi wrote to stderr, without the rest of its
// output and the warnings beside it.
func plain(err error) string {
	text := err.Error()
	if _, stderr, found := strings.Cut(text, "\nstderr: "); found && strings.TrimSpace(stderr) != "" {
		first, _, _ := strings.Cut(text, "\n")
		said := strings.TrimSpace(stderr)
		if grave := withoutWarnings(said); grave != "" {
			said = grave
		}
		return Redact(first + ": " + strings.TrimPrefix(said, "error: "))
	}
	return Redact(strings.TrimSpace(text))
}

func withoutWarnings(said string) string {
	lines := slices.DeleteFunc(strings.Split(said, "\n"), func(line string) bool { return strings.HasPrefix(line, "warning: ") })
	return strings.TrimSpace(strings.Join(lines, "\n"))
}
