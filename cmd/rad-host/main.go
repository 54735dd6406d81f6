// Command rad-host runs on a Linux host in a cloud, and brings it in line with what its stack says it is. See docs/host.md.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/radpanel/radpanel/infra/host"
)

func main() {
	// Services pass through the folders that it makes, whoever called it. What is secret is a 0600 file.
	syscall.Umask(0o022)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := newCommand().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "rad-host:", err)
		stop()
		os.Exit(host.ExitCode(err)) //nolint:gocritic // Stopped above.
	}
}

func newCommand() *cobra.Command {
	log := slog.New(slog.NewTextHandler(os.Stdout, nil))
	root := &cobra.Command{
		Use: "rad-host", Short: "Bring a host of RAD Panel in line with its stack", SilenceUsage: true, SilenceErrors: true,
	}
	for _, command := range []struct {
		name, short string
		run         func(context.Context) error
	}{
		{"converge", "Ask what this host is to be, fetch the release, and apply it; a timer does so every minute", func(ctx context.Context) error { return host.Converge(ctx, log) }},
		{"apply", "Apply the release that this program is of; for converge, which calls it", func(ctx context.Context) error { return host.Apply(ctx, log) }},
		{"backup-files", "Copy the files on disk to the backup; a timer does so every quarter of an hour", host.BackUpFiles},
	} {
		root.AddCommand(&cobra.Command{
			Use: command.name, Short: command.short, Args: cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error { return command.run(cmd.Context()) },
		})
	}
	root.AddCommand(newRestoreCommand(log), newShipCommand(log))
	return root
}

func newRestoreCommand(log *slog.Logger) *cobra.Command {
	var moment string
	command := &cobra.Command{
		Use: "restore", Short: "Put the data back as it was at a moment, or as it was last backed up", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var at time.Time
			if moment != "" {
				var err error
				if at, err = time.Parse(time.RFC3339, moment); err != nil {
					return fmt.Errorf("--time %q: expected a moment such as 2026-01-31T15:04:05Z", moment)
				}
			}
			if err := host.Restore(cmd.Context(), at, log); err != nil {
				return err
			}
			return host.Converge(cmd.Context(), log)
		},
	}
	command.Flags().StringVar(&moment, "time", "", "the moment, such as 2026-01-31T15:04:05Z (default: the last that was backed up)")
	return command
}

func newShipCommand(log *slog.Logger) *cobra.Command {
	var options host.ShipOptions
	command := &cobra.Command{
		Use: "ship", Short: "Carry the journal, and the figures of the stack's alarms, to CloudWatch; a unit runs it all the time", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return host.Ship(cmd.Context(), options, log) },
	}
	flags := command.Flags()
	flags.StringVar(&options.Group, "group", "", "the log group")
	flags.StringVar(&options.Stack, "stack", "", "the stack whose figures Prometheus has")
	flags.StringVar(&options.Tier, "tier", "", "its tier")
	flags.StringVar(&options.Prometheus, "prometheus", "", "the origin of Prometheus (default: no figures are carried)")
	return command
}
