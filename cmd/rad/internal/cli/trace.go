package cli

import (
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/radpanel/radpanel/cmd/rad/internal/traces"
	"github.com/radpanel/radpanel/infra/local"
)

// tracesService is the service of a stack that keeps its traces.
const tracesService = "traces"

func (a *App) traceCommand() *cobra.Command {
	lines := 0
	command := &cobra.Command{
		Use:   "trace <stack> [id]",
		Short: "Show what requests and jobs waited for",
		Long: "trace lists the traces that the stack has kept of late: of requests that failed or were slow, of jobs, and of a sample of\n" +
			"the others. With the id of one, of a request (X-Request-Id, the instance of a problem, request_id in the log) or of a job,\n" +
			"it shows each part of it: when it began, how long it took; then the jobs that it asked for. Stacks keep traces from\n" +
			"Tier 1 on, for two days, unless rad-panel:traceEndpoint sends them elsewhere.",
		Example: "  rad trace tier1\n  rad trace tier1 0af7651916cd43dd8448eb211c80319c",
		Args:    cobra.RangeArgs(1, 2),
		RunE: func(command *cobra.Command, arguments []string) error {
			return a.trace(command.Context(), arguments, lines)
		},
	}
	command.Flags().IntVarP(&lines, "lines", "n", 20, "how many traces to list")
	return command
}

func (a *App) trace(ctx context.Context, arguments []string, lines int) error {
	if lines < 1 {
		return &usageError{problem: fmt.Sprintf("--lines %d: expected 1 or more", lines)}
	}
	selected, status, err := a.existingStack(ctx, arguments[:1])
	if err != nil {
		return err
	}
	i := slices.IndexFunc(status.Services, func(s local.Service) bool { return s.Name == tracesService })
	if i < 0 {
		return &usageError{problem: fmt.Sprintf("stack %s keeps no traces: stacks do from Tier 1 on, unless rad-panel:traceEndpoint sends them elsewhere", selected.name)}
	}
	store := traces.Store{Address: status.Services[i].Address}
	if len(arguments) < 2 {
		recent, err := store.Recent(ctx, lines)
		if err != nil {
			return interruptedOr(ctx, err)
		}
		return traces.List(a.Stdout, recent)
	}
	found, err := store.Find(ctx, arguments[1])
	if err != nil {
		return interruptedOr(ctx, err)
	}
	if len(found) == 0 {
		return fmt.Errorf("stack %s has no trace of %s: it was not kept (only a sample of what is fast and good is), or is older than two days",
			selected.name, arguments[1])
	}
	for i, trace := range found {
		if i > 0 {
			_, _ = fmt.Fprintln(a.Stdout) // The next write says whether it can be written.
		}
		if err := traces.Tree(a.Stdout, trace); err != nil {
			return err
		}
	}
	return nil
}
