package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/radpanel/radpanel/cmd/rad/internal/progress"
	"github.com/radpanel/radpanel/cmd/rad/internal/pulumicli"
)

// pulumiVerbs are the commands of the plain CLI that do on AWS what rad's do here.
func pulumiVerb(command string) []string {
	switch command {
	case "down":
		return []string{"destroy"} // pulumi asks, and refuses to delete what is protected: databases, files, keys.
	case "status":
		return []string{"stack"}
	default:
		return []string{command}
	}
}

// handOver runs the plain Pulumi CLI on the checkout's program, on this terminal and in the operator's own
// environment: backend, credentials and answers are theirs.
func (a *App) handOver(ctx context.Context, command string, selected selection) error {
	if a.flags.json {
		return &usageError{problem: "--json is for stacks on this machine; for target aws use `pulumi " + pulumiVerb(command)[0] + " --json`"}
	}
	if len(a.flags.config) > 0 {
		return &usageError{problem: "--config is for stacks on this machine; for target aws use `pulumi config set`"}
	}
	renderer := a.renderer()
	cli, notes, err := a.readyForAWS(ctx, selected, renderer.Show)
	if err = errors.Join(err, renderer.Close()); err != nil {
		return err
	}
	arguments := append(pulumiVerb(command), "--stack", selected.name)
	if a.flags.yes {
		arguments = append(arguments, "--yes")
	}
	if command == "up" && len(a.flags.allow) > 0 { // The rules found nothing else that would lose data.
		arguments = append(arguments, "--ignore-protect")
	}
	_, _ = fmt.Fprintf(a.Stderr, "rad: handing over to pulumi %s\n", strings.Join(arguments, " "))
	// Not CommandContext: pulumi ends cleanly when it is interrupted. Ctrl-C reaches it from the terminal, as its own foreground
	// job, and what is sent to rad alone is handed on: twice would break it off.
	child := exec.Command(cli.Path, arguments...) //nolint:gosec,noctx // The pulumi that was found; see above.
	child.Dir = selected.project
	child.Env = a.operatorsOwn(cli)
	child.Stdin, child.Stdout, child.Stderr = a.Stdin, a.Stdout, a.Stderr
	if err = child.Start(); err == nil {
		handedOn := context.AfterFunc(ctx, func() {
			if errors.Is(context.Cause(ctx), ErrTerminated) {
				_ = child.Process.Signal(os.Interrupt) // It may have ended.
			}
		})
		err = child.Wait()
		handedOn()
	}
	var exit *exec.ExitError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &exit) && ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.As(err, &exit):
		for _, note := range notes {
			_, _ = fmt.Fprintln(a.Stderr, "rad: note: "+note)
		}
		return &silentError{code: exitFailed} // pulumi said why.
	default:
		return fmt.Errorf("run pulumi: %w", err)
	}
}

// readyForAWS finds the plain CLI. Its error lists all at once that a program for AWS cannot do without and this machine
// lacks; the notes are what may turn out to be missing.
func (a *App) readyForAWS(ctx context.Context, selected selection, show func(progress.Event)) (cli pulumicli.CLI, notes []string, err error) {
	cli, missing, err := a.missingForState(ctx, selected, show)
	if err != nil {
		return cli, nil, err
	}
	if !a.onPath("pulumi-language-go", filepath.Dir(cli.Path)) {
		missing = append(missing, "pulumi-language-go, which runs the program: it comes with the official Pulumi (https://www.pulumi.com/docs/install), "+
			"not with the one that rad builds for this machine's stacks")
	}
	if !a.onPath("go", "") {
		missing = append(missing, "the Go toolchain, which compiles the program: https://go.dev/doc/install")
	}
	if !a.hasCredentials() {
		missing = append(missing, noCredentials)
	}
	if plugins, _ := filepath.Glob(filepath.Join(a.pulumiHome(), "plugins", "resource-aws-v*")); len(plugins) == 0 {
		notes = append(notes, "the aws plugin is not installed in "+a.pulumiHome()+": pulumi downloads it, which needs the internet (`pulumi plugin install resource aws`)")
	}
	return cli, notes, lacking(selected, missing)
}

// missingForState lists what it takes to read the state of a stack on AWS, and this machine lacks.
func (a *App) missingForState(ctx context.Context, selected selection, show func(progress.Event)) (cli pulumicli.CLI, missing []string, err error) {
	if selected.project == "" {
		missing = append(missing, "the project: run rad inside a checkout of radpanel, or name its folder by --project (no Pulumi.yaml of "+
			selected.home.Project+" is around "+a.Folder+")")
	}
	cli, err = a.findPulumi(ctx, selected, show)
	if missed := new(pulumicli.MissingError); errors.As(err, &missed) {
		missing, err = append(missing, "the Pulumi command line: "+missed.Error()), nil
	}
	return cli, missing, err
}

// lacking is the error that this machine lacks something, nil if it does not.
func lacking(selected selection, missing []string) error {
	if len(missing) == 0 {
		return nil
	}
	return &missingError{problem: "stack " + selected.name + " on AWS needs what this machine lacks:\n- " + strings.Join(missing, "\n- ")}
}

// operatorsOwn is the operator's environment, in which what comes with the plain CLI is found too.
func (a *App) operatorsOwn(cli pulumicli.CLI) []string {
	environment := a.Environment
	if environment == nil {
		environment = os.Environ()
	}
	return append(slices.Clip(environment), "PATH="+filepath.Dir(cli.Path)+string(os.PathListSeparator)+a.Getenv("PATH"))
}

func (a *App) onPath(name, first string) bool {
	for _, folder := range append([]string{first}, filepath.SplitList(a.Getenv("PATH"))...) {
		info, err := os.Stat(filepath.Join(folder, name))
		if filepath.IsAbs(folder) && err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0 {
			return true
		}
	}
	return false
}

func (a *App) pulumiHome() string {
	if home := a.Getenv("PULUMI_HOME"); home != "" {
		return home
	}
	return filepath.Join(a.Getenv("HOME"), ".pulumi")
}

// hasCredentials looks where the AWS SDK looks, without asking anyone: the environment, the shared files, the
// metadata of a container or of an EC2 machine.
func (a *App) hasCredentials() bool {
	for _, variable := range []string{
		"AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
		"AWS_CONTAINER_CREDENTIALS_FULL_URI",
	} {
		if a.Getenv(variable) != "" {
			return true
		}
	}
	files := []string{a.Getenv("AWS_SHARED_CREDENTIALS_FILE"), a.Getenv("AWS_CONFIG_FILE")}
	if home := a.Getenv("HOME"); home != "" {
		files = append(files, filepath.Join(home, ".aws", "credentials"), filepath.Join(home, ".aws", "config"))
	}
	for _, file := range files {
		if info, err := os.Stat(file); file != "" && err == nil && info.Size() > 0 {
			return true
		}
	}
	vendor, err := os.ReadFile("/sys/class/dmi/id/sys_vendor")
	return err == nil && strings.HasPrefix(string(vendor), "Amazon EC2")
}
