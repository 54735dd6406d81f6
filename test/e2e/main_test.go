// Package e2e tests whole stacks from outside: `rad` brings them up on this machine as a newcomer would, the tests use
// the panel over HTTP through Nginx, break it, and look at what is left.
package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// release is the folder of what `make build` makes, with the service built anew with the race detector in it.
type release struct {
	folder string
	rad    string
}

var built release

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Minute)
	defer cancel()
	folder, err := os.MkdirTemp("/tmp", "rad-release-")
	if err == nil {
		defer func() { _ = os.RemoveAll(folder) }()
		built, err = buildRelease(ctx, folder)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		return 1
	}
	return m.Run()
}

func buildRelease(ctx context.Context, folder string) (release, error) {
	if err := os.Chmod(folder, 0o755); err != nil {
		return release{}, err
	}
	project, err := filepath.Abs("../..")
	if err != nil {
		return release{}, err
	}
	web := filepath.Join(project, "bin", "web")
	if _, err := os.Stat(filepath.Join(web, "index.html")); err != nil {
		return release{}, fmt.Errorf("the front end is not built (%w): run `make build`, then the tests again", err)
	}
	if err := os.CopyFS(filepath.Join(folder, "web"), os.DirFS(web)); err != nil {
		return release{}, err
	}
	for _, name := range []string{"versitygw", "jaeger"} {
		server, err := os.ReadFile(filepath.Join(project, "bin", name))
		if err != nil {
			return release{}, fmt.Errorf("%[1]s is not built (%[2]w): run `make bin/%[1]s`, then the tests again", name, err)
		}
		if err := os.WriteFile(filepath.Join(folder, name), server, 0o755); err != nil {
			return release{}, err
		}
	}
	for binary, args := range map[string][]string{
		"rad":       {"./cmd/rad"},
		"faultyrad": {"./cmd/rad/internal/faultyrad"},
		"radpanel":  {"-race", "./app"},
	} {
		args = append([]string{"build", "-o", filepath.Join(folder, binary)}, args...)
		command := exec.CommandContext(ctx, "go", args...)
		command.Dir = project
		if output, err := command.CombinedOutput(); err != nil {
			return release{}, fmt.Errorf("go %v: %w\n%s", args, err, output)
		}
	}
	return release{folder: folder, rad: filepath.Join(folder, "rad")}, nil
}
