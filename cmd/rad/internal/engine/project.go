package engine

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/auto"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/events"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optpreview"

	"github.com/radpanel/radpanel/cmd/rad/internal/progress"
	"github.com/radpanel/radpanel/cmd/rad/internal/pulumicli"
)

// previewGrace is how long pulumi may take to end after its time is over: a preview leaves nothing half done.
const previewGrace = 10 * time.Second

// Project is a stack of a Pulumi project that is run by the plain CLI: its program is compiled by a language host, its
// providers are plugins, and backend, passphrase and credentials are the operator's own. All fields but Force are required.
type Project struct {
	// Folder holds Pulumi.yaml.
	Folder string
	// Stack is the name of the stack.
	Stack string
	CLI   pulumicli.CLI
	// Environment is what pulumi runs in, as name=value.
	Environment []string
	// Timeout bounds an operation.
	Timeout time.Duration
	// Show is told what happens.
	Show func(progress.Event)
	// HoldsData says of a resource type whether data is lost with a resource of it.
	HoldsData func(resourceType string) bool
	// Force makes a pulumi that was asked to end do so at once, when it is closed. Nil: never.
	Force <-chan struct{}
}

// TimeoutError is an operation that took longer than it may.
type TimeoutError struct {
	Stack   string
	Timeout time.Duration
}

// Error says what to do.
func (e *TimeoutError) Error() string {
	return fmt.Sprintf("stack %s: pulumi did not finish within %s: it was ended; give it longer by --timeout, or see by `pulumi preview --stack %s` what it waits for",
		e.Stack, e.Timeout, e.Stack)
}

// Preview says what an update would do, and does nothing: neither to the stack nor to which stack the operator has selected.
func (p Project) Preview(ctx context.Context) (Outcome, error) {
	ctx, cancel := p.bounded(ctx)
	defer cancel()
	workspace, err := auto.NewLocalWorkspace(ctx, auto.WorkDir(p.Folder), auto.Pulumi(p.command()),
		auto.EnvVars(map[string]string{"PULUMI_SKIP_UPDATE_CHECK": "true"}))
	if err != nil {
		return Outcome{}, ended(ctx, fmt.Errorf("prepare the engine: %w", err))
	}
	stack, err := auto.SelectStack(ctx, p.Stack, workspace) // It selects nothing: see answered.
	if err != nil {
		return Outcome{}, ended(ctx, fmt.Errorf("open stack %s: %w", p.Stack, err))
	}
	translator := newTranslator(p.Show, time.Now, true, p.HoldsData)
	outcome, err := follow(ctx, translator, func(stream chan<- events.EngineEvent) error {
		counted := make(chan events.EngineEvent)
		stop := p.tell(counted, stream)
		defer stop()
		_, err := stack.Preview(ctx, optpreview.Refresh(), optpreview.EventStreams(counted), optpreview.SuppressOutputs(), optpreview.SuppressProgress())
		return err
	})
	progress.SortChanges(outcome.Changes)
	return outcome, err
}

// tell passes events on, and says each second how far that is: to compile the program and to ask a cloud takes minutes, in
// which nothing else is said. The function that it gives ends that.
func (p Project) tell(from <-chan events.EngineEvent, to chan<- events.EngineEvent) (stop func()) {
	var resources atomic.Int64
	over, passed, told := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(passed)
		for {
			select {
			case event, more := <-from:
				if !more {
					close(to)
					return
				}
				if event.ResourcePreEvent != nil {
					resources.Add(1)
				}
				to <- event
			case <-over: // An engine that did not start never closes its stream.
				return
			}
		}
	}()
	go func() {
		defer close(told)
		start, ticker := time.Now(), time.NewTicker(time.Second)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				text := "pulumi compiles and starts the program of " + p.Stack
				if n := resources.Load(); n > 0 {
					text = fmt.Sprintf("pulumi previews %s: %d resources so far", p.Stack, n)
				}
				p.Show(progress.Activity{Text: text, Elapsed: progress.Duration(time.Since(start))})
			case <-over:
				return
			}
		}
	}()
	return func() {
		close(over)
		<-passed
		<-told
	}
}

// Export gives what `pulumi stack export` writes: the stack's state, with secrets encrypted.
func (p Project) Export(ctx context.Context) ([]byte, error) {
	ctx, cancel := p.bounded(ctx)
	defer cancel()
	out, problem, _, err := p.command().Run(ctx, p.Folder, nil, nil, nil, []string{"PULUMI_SKIP_UPDATE_CHECK=true"}, "stack", "export", "--stack", p.Stack)
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case err != nil:
		cause := fmt.Errorf("pulumi stack export: %w\nstderr: %s", err, problem)
		return nil, &FailedError{Reasons: []string{plain(cause)}, cause: cause}
	}
	return []byte(out), nil
}

func (p Project) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, p.Timeout, &TimeoutError{Stack: p.Stack, Timeout: p.Timeout})
}

func (p Project) command() *command {
	return &command{cli: p.CLI, force: p.Force, environment: p.Environment, grace: previewGrace}
}
