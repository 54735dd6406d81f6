// Package cli is rad's command line: it reads what the operator wants, has the engine or the local target do it, and
// tells how it went.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/radpanel/radpanel/cmd/rad/internal/progress"
)

// App is rad with its surroundings, which tests give others than main does.
type App struct {
	// Version is rad's own, such as "v0.3.1".
	Version string
	Stdin   io.Reader
	Stdout  io.Writer
	Stderr  io.Writer
	// Getenv reads the environment.
	Getenv func(string) string
	// Environment is the operator's, for programs that are run as they would run them. Nil: this process's.
	Environment []string
	// Executable is the path of the program that runs.
	Executable string
	// Folder is the working folder.
	Folder string
	// Now is the clock.
	Now func() time.Time
	// Force makes an engine that was asked to end do so at once, when it is closed.
	Force <-chan struct{}
	// AtPoint is told which point of a promotion is reached. Nil: nobody is.
	AtPoint func(point string)
	// CloudConfig gives how AWS is asked in a region. Nil: as AWS's own command line does.
	CloudConfig func(ctx context.Context, region string) (aws.Config, error)

	flags flags
	// parsed is set once the command line was understood: errors before are errors of usage.
	parsed bool
}

// flags are those that several commands share.
type flags struct {
	state   string
	release string
	project string
	target  string
	config  []string
	allow   []string
	json    bool
	yes     bool
	timeout time.Duration
}

// Run runs one command line, without the program's name, and gives the exit code.
func (a *App) Run(ctx context.Context, arguments []string) int {
	root := a.command()
	root.SetArgs(arguments)
	err := root.ExecuteContext(ctx)
	if err != nil && !a.parsed {
		err = &usageError{problem: err.Error()}
	}
	code := exitCode(err)
	if err != nil && !errors.As(err, new(*silentError)) {
		a.printError(err)
	}
	return int(code)
}

// printError writes an error to stderr, each of joined ones on a line of its own.
func (a *App) printError(err error) {
	style := progress.NewStyle(a.colours(a.Stderr))
	for line := range strings.SplitSeq(strings.TrimSpace(err.Error()), "\n") {
		_, _ = fmt.Fprintln(a.Stderr, style.Red("rad: "+line)) // There is nobody left to tell.
	}
}

func (a *App) command() *cobra.Command {
	root := &cobra.Command{
		Use:   "rad",
		Short: "Bring RAD Panel up, see how it is, take it down",
		Long: "rad runs the tiers of RAD Panel's scaling plan. By default a stack runs on this machine, with real servers and no\n" +
			"cloud account; `--target aws` hands over to the Pulumi program.\n\n" +
			"A stack is named by its tier (mvp, tier1, …) or in full (local-mvp); without one, it is the plan's first tier, mvp.",
		SilenceErrors:     true,
		SilenceUsage:      true,
		PersistentPreRun:  func(*cobra.Command, []string) { a.parsed = true },
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
	}
	root.SetIn(a.Stdin)
	root.SetOut(a.Stdout)
	root.SetErr(a.Stderr)
	root.PersistentFlags().StringVar(&a.flags.state, "state", "", "state folder (default: $RAD_STATE_FOLDER, else /var/lib/radpanel for root, ~/.local/state/radpanel for others)")
	root.AddCommand(
		a.prepareCommand(), a.upCommand(), a.previewCommand(), a.costCommand(), a.downCommand(), a.statusCommand(), a.adviseCommand(), a.logsCommand(), a.traceCommand(), a.adminCommand(),
		a.promoteCommand(),
		a.redactCommand(), a.versionCommand(), a.docsCommand(),
		exitCodesTopic(), jsonTopic(), pulumiTopic(), environmentTopic(),
	)
	return root
}

// addStackFlags adds what tells a stack and its configuration.
func (a *App) addStackFlags(command *cobra.Command) {
	command.Flags().StringVar(&a.flags.target, "target", "local", "where the stack runs: local or aws")
	a.addProjectFlag(command)
}

func (a *App) addProjectFlag(command *cobra.Command) {
	command.Flags().StringVar(&a.flags.project, "project", "", "folder of Pulumi.yaml and Pulumi.<stack>.yaml (default: the checkout around the working folder)")
}

// addDeployFlags adds what tells how a stack is built.
func (a *App) addDeployFlags(command *cobra.Command) {
	a.addStackFlags(command)
	command.Flags().StringVar(&a.flags.release, "release", "", "folder with radpanel and web/ (default: $RAD_RELEASE_FOLDER, else beside rad)")
	a.addConfigFlag(command)
}

func (a *App) addConfigFlag(command *cobra.Command) {
	command.Flags().StringArrayVarP(&a.flags.config, "config", "c", nil, "a key of the stack's configuration for this run, as key=value; may be repeated")
}

func (a *App) addJSONFlag(command *cobra.Command, text string) {
	command.Flags().BoolVar(&a.flags.json, "json", false, text)
}

// renderer gives what shows progress: JSON if asked for, live on a terminal, plain lines elsewhere.
func (a *App) renderer() progress.Renderer {
	switch {
	case a.flags.json:
		return progress.NewJSON(a.Stdout, a.Now)
	case isTerminal(a.Stdout) && a.Getenv("TERM") != "dumb":
		ticker := time.NewTicker(progress.FrameInterval)
		live := progress.NewTerminal(a.Stdout, progress.NewStyle(a.colours(a.Stdout)), a.width, a.Now, ticker.C)
		return &ticking{Renderer: live, ticker: ticker}
	default:
		return progress.NewPlain(a.Stdout, progress.NewStyle(a.colours(a.Stdout)), a.Now)
	}
}

// ticking is a renderer with the clock that drives it.
type ticking struct {
	progress.Renderer
	ticker *time.Ticker
}

// Close stops both.
func (t *ticking) Close() error {
	t.ticker.Stop()
	return t.Renderer.Close()
}

// colours tells whether to colour what is written to w: on a terminal, unless NO_COLOR (https://no-color.org) is set.
func (a *App) colours(w io.Writer) bool {
	return isTerminal(w) && a.Getenv("NO_COLOR") == "" && a.Getenv("TERM") != "dumb"
}

func (a *App) width() int {
	if file, is := a.Stdout.(*os.File); is {
		if width, _, err := term.GetSize(int(file.Fd())); err == nil && width > 0 {
			return width
		}
	}
	return 80
}

func isTerminal(stream any) bool {
	file, is := stream.(*os.File)
	return is && term.IsTerminal(int(file.Fd()))
}
