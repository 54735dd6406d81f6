package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/blang/semver"

	"github.com/radpanel/radpanel/cmd/rad/internal/pulumicli"
)

// forcedEnd is how long pulumi may take to end after a second signal, before it is killed.
const forcedEnd = 2 * time.Second

// command runs the Pulumi CLI for the Automation API. It differs from the SDK's own in four things:
//   - pulumi is in a process group of its own, so that Ctrl-C on the terminal reaches rad alone, which then asks
//     pulumi once to end (the SDK's pulumi gets the signal twice, and takes the second as "now");
//   - pulumi may take as long as it needs to end cleanly, unless a second signal says otherwise;
//   - it holds rad's lock of the stack as long as it runs, even if rad is killed;
//   - of the user's environment, no PULUMI_ variable reaches it: a passphrase or a backend set there is for others.
type command struct {
	cli pulumicli.CLI
	// lock is inherited by pulumi.
	lock *os.File
	// force ends pulumi at once when it is closed.
	force <-chan struct{}
	// ignoreProtect has pulumi delete and replace what is protected.
	ignoreProtect bool
	// environment is what pulumi runs in, if it is the operator's own. Nil: this process's, without what belongs to another use
	// of Pulumi.
	environment []string
	// grace is how long pulumi may take to end once it was asked to. 0: as long as it needs.
	grace time.Duration
}

// Version is that of the CLI.
func (c *command) Version() semver.Version { return c.cli.Version }

// Run implements the SDK's PulumiCommand. The exit code is -1 if pulumi did not run or was killed.
func (c *command) Run(ctx context.Context, folder string, stdin io.Reader, stdout, stderr []io.Writer, environment []string,
	arguments ...string,
) (string, string, int, error) {
	if answer, known := answered(arguments); known {
		return answer, "", 0, nil
	}
	if c.ignores(arguments) {
		arguments = append(arguments, "--ignore-protect")
	}
	var out, errs bytes.Buffer
	// The context ends pulumi by a signal, through stop, not by os/exec's kill.
	cmd := exec.Command(c.cli.Path, append([]string{"--non-interactive"}, arguments...)...) //nolint:gosec,noctx // See above.
	cmd.Dir = folder
	cmd.Env = append(c.surroundings(), environment...)
	cmd.Stdin = stdin
	cmd.Stdout = io.MultiWriter(append(stdout, &out)...)
	cmd.Stderr = io.MultiWriter(append(stderr, &errs)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if c.lock != nil {
		cmd.ExtraFiles = []*os.File{c.lock}
	}
	cmd.WaitDelay = forcedEnd
	if err := ctx.Err(); err != nil {
		return "", "", -1, context.Cause(ctx)
	}
	if err := cmd.Start(); err != nil {
		return "", "", -1, fmt.Errorf("start %s: %w", c.cli.Path, err)
	}
	ended := make(chan struct{})
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		c.stop(ctx, cmd.Process, ended)
	}()
	err := cmd.Wait()
	close(ended)
	<-stopped
	code := -1
	if cmd.ProcessState != nil {
		code = cmd.ProcessState.ExitCode()
	}
	if errors.Is(err, exec.ErrWaitDelay) && code == 0 {
		err = nil // pulumi is done; a child of its own kept the pipe open.
	}
	return out.String(), errs.String(), code, err
}

// ignoreProtectSince is the first pulumi that can be told to ignore protection
// (https://github.com/pulumi/pulumi/releases/tag/v3.256.0).
const ignoreProtectSince = "3.256.0"

func (c *command) canIgnoreProtect() bool {
	return c.cli.Version.GE(semver.MustParse(ignoreProtectSince))
}

// ignores tells whether a command is to ignore protection: a preview, where that is known, since it would else end at the
// first protected resource and show less than there is; an update only if it was told to.
func (c *command) ignores(arguments []string) bool {
	if len(arguments) == 0 || !c.canIgnoreProtect() {
		return false
	}
	return arguments[0] == "preview" || (arguments[0] == "up" && c.ignoreProtect)
}

// stop asks pulumi to end when ctx does, and forces it when told to.
func (c *command) stop(ctx context.Context, process *os.Process, ended <-chan struct{}) {
	select {
	case <-ended:
		return
	case <-ctx.Done():
	}
	_ = process.Signal(os.Interrupt) // It may just have ended.
	var enough <-chan time.Time
	if c.grace > 0 {
		timer := time.NewTimer(c.grace)
		defer timer.Stop()
		enough = timer.C
	}
	select {
	case <-ended:
		return
	case <-c.force:
	case <-enough:
	}
	_ = process.Signal(os.Interrupt) // pulumi takes the second as "give up at once", and still frees its lock.
	timer := time.NewTimer(forcedEnd)
	defer timer.Stop()
	select {
	case <-ended:
	case <-timer.C:
		_ = syscall.Kill(-process.Pid, syscall.SIGKILL) // And all that it started: compilers, plugins.
	}
}

// answered gives the answers that rad has without starting pulumi, a third of a second each. The SDK selects the
// stack, which rad need not, as every command names it; and after an update it asks twice for the outputs and once
// for the history, which rad takes from the events.
func answered(arguments []string) (answer string, known bool) {
	if len(arguments) < 2 || arguments[0] != "stack" {
		return "", false
	}
	switch arguments[1] {
	case "select":
		return "", true
	case "output":
		return "{}", true
	case "history":
		return "[]", true
	default:
		return "", false
	}
}

func (c *command) surroundings() []string {
	if c.environment != nil {
		return slices.Clip(c.environment)
	}
	return inherited(os.Environ())
}

// inherited drops what belongs to another use of Pulumi.
func inherited(environment []string) []string {
	var kept []string
	for _, variable := range environment {
		if !strings.HasPrefix(variable, "PULUMI_") {
			kept = append(kept, variable)
		}
	}
	return kept
}
