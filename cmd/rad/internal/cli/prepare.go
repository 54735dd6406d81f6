package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/radpanel/radpanel/cmd/rad/internal/progress"
	"github.com/radpanel/radpanel/stacks"
)

func (a *App) prepareCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "prepare",
		Short: "Get this machine ready for `up`, without starting anything",
		Long: "prepare builds the Pulumi command line if there is none that will do (see rad help pulumi), and says everything else\n" +
			"that `up` would lack: servers, the release. It is for images and CI, where the first `up` is to be fast; `up` itself\n" +
			"needs no prepare.",
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error { return a.prepare(command.Context()) },
	}
	command.Flags().StringVar(&a.flags.release, "release", "", "folder with radpanel and web/ (default: $RAD_RELEASE_FOLDER, else beside rad)")
	return command
}

func (a *App) prepare(ctx context.Context) error {
	selected, err := a.selectStack(nil)
	if err != nil {
		return err
	}
	var missing []string
	if err := lackingPackages(stacks.Plan().Tiers[0].Blueprint); err != nil {
		missing = append(missing, err.Error())
	}
	release, err := a.findRelease(selected)
	if err != nil {
		missing = append(missing, err.Error())
	}
	renderer := a.renderer()
	cli, err := a.findPulumi(ctx, selected, renderer.Show)
	switch {
	case err == nil:
		renderer.Show(progress.Message{Severity: progress.Info, Text: fmt.Sprintf("pulumi %s: %s", cli.Version, cli.Path)})
	case exitCode(err) == exitMissing:
		missing, err = append(missing, err.Error()), nil
	}
	if release != "" {
		renderer.Show(progress.Message{Severity: progress.Info, Text: "release: " + release})
	}
	if err := errors.Join(err, renderer.Close()); err != nil {
		return err
	}
	if len(missing) > 0 {
		return &missingError{problem: strings.Join(missing, "\n")}
	}
	return nil
}
