package pulumicli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/blang/semver"

	"github.com/radpanel/radpanel/cmd/rad/internal/filelock"
)

const (
	pulumiPackage   = "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
	versionVariable = "github.com/pulumi/pulumi/sdk/v3/go/common/version.Version"

	// progressInterval is how often the elapsed time is told while nothing else happens.
	progressInterval = time.Second
	// failureLines is how many of the last lines of a failed build its error shows.
	failureLines = 15
)

// BuildProgress tells how far a build of pulumi has come.
type BuildProgress struct {
	// Elapsed is how long the build runs.
	Elapsed time.Duration
	// Activity is what happens now, such as "compiling google.golang.org/grpc".
	Activity string
	// Packages is how many packages were compiled so far.
	Packages int
	// Done is set in the last call of a build that succeeded.
	Done bool
}

// build makes the pinned pulumi and puts it into the cache. Only one process builds; others wait for it.
func (f Finder) build(ctx context.Context, unfit []string) (CLI, error) {
	goCommand, err := f.findGo(unfit)
	if err != nil {
		return CLI{}, err
	}
	folder := filepath.Dir(f.cachedPath())
	lock, err := filelock.Wait(ctx, folder+".lock", "building pulumi "+PinnedVersion, func(holder filelock.Holder) {
		f.report(BuildProgress{Activity: "waiting for " + holder.String()})
	})
	if err != nil {
		return CLI{}, err
	}
	defer func() { _ = lock.Release() }() // The kernel frees it in any case.

	if executable(f.cachedPath()) { // Another process built it while this one waited.
		return f.probe(ctx, f.cachedPath())
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return CLI{}, fmt.Errorf("make the cache folder %s: %w", folder, err)
	}
	temporary := filepath.Join(folder, ".pulumi.partial")
	defer func() { _ = os.Remove(temporary) }() // Gone already when the build succeeded.
	start := time.Now()
	if err := f.compile(ctx, goCommand, temporary, start); err != nil {
		return CLI{}, err
	}
	cli, err := f.install(ctx, temporary)
	if err == nil {
		f.report(BuildProgress{Elapsed: time.Since(start), Activity: "built " + cli.Path, Done: true})
	}
	return cli, err
}

// install puts the finished build in its place, in one step, if it answers with the version that was asked for.
func (f Finder) install(ctx context.Context, temporary string) (CLI, error) {
	text, err := askVersion(ctx, temporary)
	if err != nil {
		return CLI{}, fmt.Errorf("the pulumi just built does not run: %w", err)
	}
	version, err := semver.ParseTolerant(text)
	if err != nil || version.String() != PinnedVersion {
		return CLI{}, fmt.Errorf("the pulumi just built from %s says version %q, expected %s: tools/go.mod and rad do not fit together",
			f.ToolsFolder, text, PinnedVersion)
	}
	if err := os.Rename(temporary, f.cachedPath()); err != nil {
		return CLI{}, fmt.Errorf("put pulumi into the cache: %w", err)
	}
	return CLI{Path: f.cachedPath(), Version: version}, nil
}

// findGo finds the Go toolchain, or says what is missing for a build and why one is needed.
func (f Finder) findGo(unfit []string) (string, error) {
	reason := "rad needs the Pulumi command line, version " + MinimumVersion + " or newer: none is on PATH or in " + f.CacheFolder
	if len(unfit) > 0 {
		reason += " (" + strings.Join(unfit, "; ") + ")"
	}
	if f.ToolsFolder == "" {
		return "", &MissingError{Reason: reason, Remedy: "install it (https://www.pulumi.com/docs/install), " +
			"or run rad once inside a checkout of radpanel, where it builds the pinned one"}
	}
	for _, folder := range filepath.SplitList(f.SearchPath) {
		if path := filepath.Join(folder, "go"); filepath.IsAbs(folder) && executable(path) {
			return path, nil
		}
	}
	return "", &MissingError{
		Reason: reason + ", and no Go toolchain to build it is on PATH",
		Remedy: "install Go (https://go.dev/doc/install), or Pulumi itself (https://www.pulumi.com/docs/install)",
	}
}

// compile runs `go build` in the tools module. What it says goes to a log beside the result and, in short, to Progress.
func (f Finder) compile(ctx context.Context, goCommand, output string, start time.Time) error {
	logPath := filepath.Join(filepath.Dir(output), "build.log")
	log, err := os.OpenFile(logPath, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600) //nolint:gosec // In rad's own cache.
	if err != nil {
		return fmt.Errorf("open the build's log: %w", err)
	}
	defer func() { _ = log.Close() }() // Written for people; a lost tail costs nothing.

	read, write, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("build pulumi: %w", err)
	}
	defer func() { _ = read.Close() }()
	ldflags := "-s -w -X " + versionVariable + "=v" + PinnedVersion
	cmd := exec.CommandContext(ctx, goCommand, "build", "-v", "-trimpath", "-ldflags", ldflags, "-o", output, pulumiPackage) //nolint:gosec // go from PATH.
	cmd.Dir = f.ToolsFolder
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=readonly -buildvcs=false", "GOWORK=off")
	cmd.Stdout, cmd.Stderr = write, write
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // The compilers are to end with it.
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		return errors.Join(fmt.Errorf("build pulumi: %w", err), write.Close())
	}
	_ = write.Close() // The child has its own.
	last := f.follow(read, log, start)
	if err := cmd.Wait(); err != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("building pulumi was given up: %w", context.Cause(ctx))
		}
		return fmt.Errorf("build pulumi %s in %s: %w; its last lines (all in %s):\n%s",
			PinnedVersion, f.ToolsFolder, err, logPath, strings.Join(last, "\n"))
	}
	return nil
}

// follow reads what `go build -v` says until it ends, reports it, and gives back the last lines.
func (f Finder) follow(from io.Reader, log io.Writer, start time.Time) []string {
	lines := make(chan string)
	go func() {
		defer close(lines)
		for scanner := bufio.NewScanner(from); scanner.Scan(); {
			lines <- scanner.Text()
		}
		_, _ = io.Copy(io.Discard, from) // A line too long for the scanner must not block the build.
	}()
	ticker := time.NewTicker(progressInterval)
	defer ticker.Stop()
	progress := BuildProgress{Activity: "starting the Go toolchain"}
	var last []string
	for {
		f.report(progress)
		select {
		case line, more := <-lines:
			progress.Elapsed = time.Since(start)
			if !more {
				return last
			}
			_, _ = fmt.Fprintln(log, line)
			last = append(last, line)
			last = last[max(0, len(last)-failureLines):]
			progress.Activity, progress.Packages = readLine(line, progress)
		case <-ticker.C:
			progress.Elapsed = time.Since(start)
		}
	}
}

// readLine says what a line of `go build -v` means: a download, or the package that is compiled now.
func readLine(line string, progress BuildProgress) (activity string, packages int) {
	if module, found := strings.CutPrefix(line, "go: downloading "); found {
		return "downloading " + module, progress.Packages
	}
	if strings.ContainsAny(line, " :#") {
		return progress.Activity, progress.Packages // A warning or an error: it is in the log.
	}
	if line == pulumiPackage {
		return "linking pulumi", progress.Packages + 1
	}
	return "compiling " + line, progress.Packages + 1
}

func (f Finder) report(progress BuildProgress) {
	if f.Progress != nil {
		f.Progress(progress)
	}
}
