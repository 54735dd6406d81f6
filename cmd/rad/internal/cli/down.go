package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/radpanel/radpanel/cmd/rad/internal/engine"
	"github.com/radpanel/radpanel/cmd/rad/internal/filelock"
	"github.com/radpanel/radpanel/cmd/rad/internal/progress"
	"github.com/radpanel/radpanel/cmd/rad/internal/promote"
	"github.com/radpanel/radpanel/infra/local"
	"github.com/radpanel/radpanel/stacks"
)

func (a *App) downCommand() *cobra.Command {
	purge := false
	command := &cobra.Command{
		Use:   "down [stack]",
		Short: "Stop a stack in order; its data stays",
		Long: "down stops every service of the stack, in the reverse of its order, and waits until each is gone. The data stays:\n" +
			"`rad up` brings the panel back as it was. --purge removes the data too, after you typed the stack's name.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(command *cobra.Command, arguments []string) error {
			return a.down(command.Context(), arguments, purge)
		},
	}
	a.addStackFlags(command)
	a.addJSONFlag(command, "say what happens as one JSON object a line: see rad help json")
	command.Flags().BoolVar(&purge, "purge", false, "remove the stack's data and all else of it, after asking")
	command.Flags().BoolVar(&a.flags.yes, "yes", false, "with --purge: do not ask")
	return command
}

func (a *App) down(ctx context.Context, arguments []string, purge bool) error {
	selected, err := a.selectStack(arguments)
	if err != nil {
		return err
	}
	if stacks.Target(a.flags.target) == stacks.AWS {
		return a.handOver(ctx, "down", selected)
	}
	known, err := selected.exists()
	if err != nil {
		return err
	}
	if err := mayGoDown(selected); err != nil {
		return err
	}
	if purge && known {
		if err := a.confirmPurge(ctx, selected); err != nil {
			return err
		}
	}
	return a.report(ctx, "down", selected, func(show func(progress.Event)) (engine.Outcome, error) {
		release, err := holdOffPromotions(selected)
		if err != nil {
			return engine.Outcome{}, err
		}
		var outcome engine.Outcome
		switch {
		case known && purge:
			outcome, err = a.purge(ctx, selected, show)
		case known:
			outcome, err = a.stop(ctx, selected, show)
		}
		if err == nil && purge { // Of a stack that is gone too: a purge that was broken off may have left it.
			err = promote.Forget(selected.stateFolder, selected.name)
		}
		return outcome, errors.Join(err, release())
	})
}

// holdOffPromotions refuses to end a stack that a promotion needs, and keeps one from beginning until release: the operator may
// have thought about the answer for long.
func holdOffPromotions(selected selection) (release func() error, err error) {
	release = func() error { return nil }
	if _, err := os.Stat(promote.Folder(selected.stateFolder)); err == nil {
		lock, err := filelock.Acquire(promote.LockFile(selected.stateFolder), "rad down "+selected.name)
		var held *filelock.HeldError
		switch {
		case errors.As(err, &held) && slices.Contains(strings.Fields(held.Holder.Purpose), selected.name):
			return nil, &engine.BusyError{Stack: selected.name, Holder: held.Holder.String()}
		case errors.As(err, &held): // A promotion of other stacks, which keeps any other one from beginning as well.
		case err != nil:
			return nil, err
		default:
			release = lock.Release
		}
	}
	if err := mayGoDown(selected); err != nil {
		return nil, errors.Join(err, release())
	}
	return release, nil
}

// exists tells whether there is anything of the stack, in its folder or in the engine's state.
func (s selection) exists() (bool, error) {
	_, err := os.Stat(s.folder)
	if err == nil || s.home.Has(s.name) {
		return true, nil
	}
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	return false, fmt.Errorf("look for stack %s: %w", s.name, err)
}

// stop stops the services. The engine is not asked: what runs is not what it keeps, and the next up sees it.
func (a *App) stop(ctx context.Context, selected selection, show func(progress.Event)) (outcome engine.Outcome, err error) {
	hold, err := engine.Lock(ctx, selected.home, selected.name, "rad down "+selected.name, show)
	if err != nil {
		return outcome, err
	}
	defer func() { err = errors.Join(err, hold.Release()) }()
	steps := newStopSteps(a, show)
	err = local.Stop(ctx, selected.folder, steps.next)
	return engine.Outcome{Counts: steps.end(err)}, interruptedOr(ctx, err)
}

// purge stops the services, removes the stack's folder, and has the engine forget the stack.
func (a *App) purge(ctx context.Context, selected selection, show func(progress.Event)) (outcome engine.Outcome, err error) {
	steps := newStopSteps(a, show)
	if !selected.home.Has(selected.name) {
		hold, err := engine.Lock(ctx, selected.home, selected.name, "rad down "+selected.name, show)
		if err != nil {
			return outcome, err
		}
		err = local.Purge(ctx, selected.folder, steps.next)
		return engine.Outcome{Counts: steps.end(err)}, errors.Join(interruptedOr(ctx, err), hold.Release())
	}
	opened, err := a.openEngine(ctx, selected, "rad down --purge "+selected.name, nil, nil, show)
	if err != nil {
		return outcome, err
	}
	defer func() { err = errors.Join(err, opened.Close()) }()
	err = local.Purge(ctx, selected.folder, steps.next)
	outcome.Counts = steps.end(err)
	if err != nil {
		return outcome, interruptedOr(ctx, err)
	}
	return outcome, opened.Forget(ctx)
}

func interruptedOr(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// confirmPurge has the operator type the stack's name. A script says --yes instead: nothing else counts as consent.
func (a *App) confirmPurge(ctx context.Context, selected selection) error {
	if a.flags.yes {
		return nil
	}
	if !isTerminal(a.Stdin) {
		return &usageError{problem: "down --purge removes all data of stack " + selected.name + " and asks first, but there is no terminal to ask on: " +
			"add --yes if you mean it"}
	}
	_, _ = fmt.Fprintf(a.Stderr, "This removes the panel of stack %s for good: its database, its files, its keys and logs, in\n  %s\nType the stack's name to go on: ",
		selected.name, selected.folder)
	answer, err := a.readLine(ctx)
	if err != nil {
		return err
	}
	if answer != selected.name {
		return &usageError{problem: fmt.Sprintf("%q is not %s: nothing was removed", answer, selected.name)}
	}
	return nil
}

// readLine reads a line of the operator's, who may also interrupt.
func (a *App) readLine(ctx context.Context) (string, error) {
	return interruptible(ctx, func() (string, error) {
		line, err := bufio.NewReader(a.Stdin).ReadString('\n')
		line = strings.TrimSpace(line)
		if err != nil && line == "" {
			return "", fmt.Errorf("read the answer: %w", err)
		}
		return line, nil
	})
}

// interruptible gives what read reads, or the context's cause if that ends first: a read from a terminal does not end
// by itself.
func interruptible[T any](ctx context.Context, read func() (T, error)) (T, error) {
	type outcome struct {
		value T
		err   error
	}
	result := make(chan outcome, 1)
	go func() {
		value, err := read()
		result <- outcome{value, err}
	}()
	select {
	case <-ctx.Done():
		var none T
		return none, context.Cause(ctx)
	case got := <-result:
		return got.value, got.err
	}
}

// stopSteps turns the names of services, as they are stopped one after the other, into steps.
type stopSteps struct {
	app     *App
	show    func(progress.Event)
	current string
	since   time.Time
	count   int
}

func newStopSteps(app *App, show func(progress.Event)) *stopSteps {
	return &stopSteps{app: app, show: show}
}

// next tells that the one before is stopped and that service is about to be.
func (s *stopSteps) next(service string) {
	s.finish(progress.StatusFinished)
	s.current, s.since = service, s.app.Now()
	s.show(progress.Step{Resource: service, Operation: progress.Stop, Status: progress.StatusStarted})
}

// end tells how the last one went, and counts those that were stopped.
func (s *stopSteps) end(err error) progress.Counts {
	if err != nil {
		s.finish(progress.StatusFailed)
	} else {
		s.finish(progress.StatusFinished)
	}
	return progress.Counts{progress.Stop: s.count}
}

func (s *stopSteps) finish(status progress.Status) {
	if s.current == "" {
		return
	}
	if status == progress.StatusFinished {
		s.count++
	}
	s.show(progress.Step{
		Resource: s.current, Operation: progress.Stop, Status: status, Elapsed: progress.Duration(s.app.Now().Sub(s.since)),
	})
	s.current = ""
}
