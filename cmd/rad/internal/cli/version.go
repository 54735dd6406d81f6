package cli

import (
	"errors"
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/radpanel/radpanel/cmd/rad/internal/pulumicli"
	"github.com/radpanel/radpanel/infra/local/provider"
)

func (a *App) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Show the versions of rad and of what it runs",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			selected, err := a.selectStack(nil)
			if err != nil {
				return err
			}
			finder, err := a.finder(selected)
			if err != nil {
				return err
			}
			finder.ToolsFolder = "" // Showing versions builds nothing.
			pulumi := ""
			cli, err := finder.Find(command.Context())
			switch {
			case errors.As(err, new(*pulumicli.MissingError)):
				pulumi = "none yet: `rad up` builds " + pulumicli.PinnedVersion + " when it is first needed"
			case err != nil:
				return err
			default:
				pulumi = cli.Version.String() + " (" + cli.Path + ")"
			}
			_, err = fmt.Fprintf(a.Stdout, "rad %s\n%s %s\npulumi %s\n%s\n", a.Version, provider.Name, provider.Version, pulumi, runtime.Version())
			return err
		},
	}
}
