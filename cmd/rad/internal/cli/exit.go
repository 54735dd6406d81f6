package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/radpanel/radpanel/cmd/rad/internal/engine"
	"github.com/radpanel/radpanel/cmd/rad/internal/pulumicli"
)

// code is an exit code of rad. Scripts rely on them: never change the meaning of one.
type code int

const (
	exitDone        code = 0
	exitFailed      code = 1
	exitUsage       code = 2
	exitStopped     code = 3
	exitDegraded    code = 4
	exitPending     code = 5
	exitBusy        code = 6
	exitMissing     code = 7
	exitPromote     code = 8
	exitOverdue     code = 9
	exitRefused     code = 10
	exitForbidden   code = 11
	exitInterrupted code = 130 // as shells have it: 128 + SIGINT
)

// exitCodes documents every code.
func exitCodes() []struct {
	code    code
	meaning string
} {
	return []struct {
		code    code
		meaning string
	}{
		{exitDone, "done; of `status`: every service runs; of `advise`: stay"},
		{exitFailed, "it was tried and failed"},
		{exitUsage, "the command line or the stack's configuration is wrong; nothing was done"},
		{exitStopped, "`status`: the stack is stopped, or there is none"},
		{exitDegraded, "`status`: a service does not run as it should"},
		{exitPending, "`preview --expect-no-changes`: there are changes"},
		{exitBusy, "another rad or pulumi works on the stack; nothing was done"},
		{exitMissing, "something that is needed is missing on this machine; nothing was done"},
		{exitPromote, "`advise`: the tier is outgrown, promote the stack"},
		{exitOverdue, "`advise`: the promotion is overdue"},
		{exitRefused, "`advise`: measurements are missing or stale, so there is no advice"},
		{exitForbidden, "a rule forbids the change, such as one that loses data; nothing was done"},
		{exitInterrupted, "interrupted; what was begun was ended cleanly where that was possible"},
	}
}

func exitCodesTopic() *cobra.Command {
	var text strings.Builder
	text.WriteString("rad exits with:\n\n")
	for _, entry := range exitCodes() {
		fmt.Fprintf(&text, "  %3d  %s\n", entry.code, entry.meaning)
	}
	return &cobra.Command{Use: "exit-codes", Short: "What rad's exit codes mean", Long: text.String()}
}

// ErrInterrupted is the cause of a context that a signal ended.
var ErrInterrupted = errors.New("interrupted")

// ErrTerminated is ErrInterrupted by a signal to rad alone, which what it started has not got from the terminal too.
var ErrTerminated = fmt.Errorf("%w: told to end", ErrInterrupted)

// usageError is a wrong command line or configuration.
type usageError struct{ problem string }

// Error gives the problem.
func (e *usageError) Error() string { return e.problem }

// missingError is something that this machine lacks.
type missingError struct{ problem string }

// Error gives the problem and what to do.
func (e *missingError) Error() string { return e.problem }

// silentError ends rad with a code, without a word: what there is to say was said.
type silentError struct{ code code }

// Error is for the logs of tests.
func (e *silentError) Error() string { return fmt.Sprintf("exit code %d", e.code) }

// exitCode says how rad is to end after an error.
func exitCode(err error) code {
	var silent *silentError
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &silent):
		return silent.code
	case errors.Is(err, ErrInterrupted):
		return exitInterrupted
	case errors.As(err, new(*refusedError)):
		return exitForbidden
	case errors.As(err, new(*usageError)):
		return exitUsage
	case errors.As(err, new(*engine.BusyError)):
		return exitBusy
	case errors.As(err, new(*missingError)), errors.As(err, new(*pulumicli.MissingError)):
		return exitMissing
	default:
		return exitFailed
	}
}
