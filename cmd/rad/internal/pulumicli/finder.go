// Package pulumicli finds the Pulumi command line that runs the engine: the one on PATH if it is new enough, else
// the one in rad's cache, else one built once from the version pinned in tools/go.mod.
package pulumicli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/blang/semver"
)

const (
	// PinnedVersion is the version that tools/go.mod pins and that a build makes. A test holds the two together.
	PinnedVersion = "3.256.0"
	// MinimumVersion is the oldest version that runs the engine for rad: the first that was tried with it.
	MinimumVersion = "3.250.0"
	// PathVariable is the environment variable that names the pulumi to use, past all others.
	PathVariable = "RAD_PULUMI"

	// probeTimeout bounds `pulumi version`, which takes a third of a second, and some seconds from a cold disk.
	probeTimeout = 30 * time.Second
)

// CLI is a Pulumi command line that is fit for rad.
type CLI struct {
	// Path is its absolute path.
	Path string
	// Version is what `pulumi version` said.
	Version semver.Version
}

// Finder says where to look. All fields but Progress and ToolsFolder are required.
type Finder struct {
	// Override is the path of the pulumi to use, past all others. Empty: none. It comes from PathVariable.
	Override string
	// SearchPath is a list of folders as in PATH.
	SearchPath string
	// CacheFolder holds what was built: <CacheFolder>/<version>/pulumi.
	CacheFolder string
	// ToolsFolder holds the go.mod that pins pulumi. Empty: nothing can be built.
	ToolsFolder string
	// Progress is told what happens while a build runs. May be nil.
	Progress func(BuildProgress)
}

// Find gives the first fit pulumi. It builds one, which takes minutes, only if there is none.
func (f Finder) Find(ctx context.Context) (CLI, error) {
	if f.Override != "" {
		return f.override(ctx)
	}
	var unfit []string
	for _, path := range f.candidates() {
		cli, err := f.probe(ctx, path)
		if err == nil {
			err = fit(cli.Version)
		}
		if err == nil {
			return cli, nil
		}
		if ctx.Err() != nil {
			return CLI{}, context.Cause(ctx)
		}
		unfit = append(unfit, fmt.Sprintf("%s: %v", path, err))
	}
	return f.build(ctx, unfit)
}

// override checks the pulumi that the user named. There is no falling back from it: the user asked for this one.
func (f Finder) override(ctx context.Context) (CLI, error) {
	path, err := filepath.Abs(f.Override)
	if err != nil {
		return CLI{}, fmt.Errorf("%s=%s: %w", PathVariable, f.Override, err)
	}
	cli, err := f.probe(ctx, path)
	if err == nil {
		err = fit(cli.Version)
	}
	if err != nil {
		return CLI{}, &MissingError{
			Reason: fmt.Sprintf("%s=%s is of no use: %v", PathVariable, f.Override, err),
			Remedy: "unset " + PathVariable + " or let it name a pulumi of version " + MinimumVersion + " or newer",
		}
	}
	return cli, nil
}

// candidates lists every executable pulumi on the search path, then the cached build.
func (f Finder) candidates() []string {
	var found []string
	for _, folder := range filepath.SplitList(f.SearchPath) {
		if !filepath.IsAbs(folder) {
			continue // As os/exec does: a relative entry would run whatever lies in the current folder.
		}
		if path := filepath.Join(folder, "pulumi"); executable(path) {
			found = append(found, path)
		}
	}
	if path := f.cachedPath(); executable(path) {
		found = append(found, path)
	}
	return found
}

func (f Finder) cachedPath() string {
	return filepath.Join(f.CacheFolder, PinnedVersion, "pulumi")
}

// probe asks the pulumi at path for its version, or remembers what it answered last time.
func (f Finder) probe(ctx context.Context, path string) (CLI, error) {
	memory := probeMemory{folder: f.CacheFolder}
	if text, known := memory.recall(path); known {
		version, err := semver.ParseTolerant(text)
		return CLI{Path: path, Version: version}, err
	}
	text, err := askVersion(ctx, path)
	if err != nil {
		return CLI{}, err
	}
	version, err := semver.ParseTolerant(text)
	if err != nil {
		return CLI{}, fmt.Errorf("its version %q cannot be read: %w", text, err)
	}
	memory.remember(path, text)
	return CLI{Path: path, Version: version}, nil
}

// askVersion runs `pulumi version`. Its home is a folder that does not exist, so that the user's own ~/.pulumi is
// neither read nor made.
func askVersion(ctx context.Context, path string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, "version")
	cmd.Env = append(os.Environ(), "PULUMI_SKIP_UPDATE_CHECK=true", "PULUMI_HOME="+filepath.Join(os.TempDir(), "rad-no-pulumi-home"))
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) && len(exit.Stderr) > 0 {
			return "", fmt.Errorf("`pulumi version`: %w: %s", err, firstLine(string(exit.Stderr)))
		}
		return "", fmt.Errorf("`pulumi version`: %w", err)
	}
	return firstLine(string(out)), nil
}

// fit says why a version is of no use to rad, or nil.
func fit(version semver.Version) error {
	minimum := semver.MustParse(MinimumVersion)
	switch {
	case version.Major != minimum.Major:
		return fmt.Errorf("version %s is of another major version than %d", version, minimum.Major)
	case version.LT(minimum):
		return fmt.Errorf("version %s is older than %s", version, minimum)
	default:
		return nil
	}
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return line
}

// MissingError says that there is no Pulumi command line and that none could be built.
type MissingError struct {
	// Reason is what is missing.
	Reason string
	// Remedy is what to do about it.
	Remedy string
}

// Error gives both the reason and the remedy.
func (e *MissingError) Error() string { return e.Reason + "; " + e.Remedy }
