// Command radpanel is the service: the panel's HTTP API and its background jobs.
//
// It reads its configuration from the environment (see package config) and serves until SIGTERM, then finishes what it
// has accepted.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/radpanel/radpanel/app/config"
)

// version is set by the build with -ldflags "-X main.version=…"; otherwise it is the module's or the commit's.
var version string

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	context.AfterFunc(ctx, stop) // A second signal ends the process at once.
	if err := newCommand().ExecuteContext(ctx); err != nil {
		fmt.Fprintf(os.Stderr, "radpanel: %v\n", err)
		os.Exit(1) // Nothing is left to stop.
	}
}

func newCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "radpanel",
		Short:         "Serve RAD Panel",
		Long:          "Serves RAD Panel's API and runs its background jobs. Everything is configured by RAD_… environment variables.",
		Version:       buildVersion(),
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := config.Load()
			if err != nil {
				return err
			}
			return serve(cmd.Context(), cfg, cmd.OutOrStdout())
		},
	}
	root.AddCommand(newOpenAPICommand(), newAdminCommand(), newBalancerHealthCommand())
	return root
}

func buildVersion() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" {
			return info.Main.Version + " " + setting.Value
		}
	}
	return info.Main.Version
}
