package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/radpanel/radpanel/infra/local/supervisor"
)

// Stop stops a stack: every service in its order, then the supervisor. It returns when no process of the stack is left.
// All data stays, and the next up starts it again. Progress, if not nil, hears the name of each service before it is
// stopped.
func Stop(ctx context.Context, directory string, progress func(service string)) error {
	stack, err := supervisor.Open(directory)
	if err != nil {
		return err
	}
	return stack.Stop(ctx, progress)
}

// ErrForeignFolder says that a folder is not a stack's.
var ErrForeignFolder = errors.New("it does not look like a stack's")

// Purge stops a stack and removes its folder with all data in it. The caller has asked before.
func Purge(ctx context.Context, directory string, progress func(service string)) error {
	entries, err := os.ReadDir(directory)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("remove the stack: %w", err)
	}
	if _, err := os.Stat(filepath.Join(directory, supervisorFolder)); err != nil && len(entries) > 0 {
		return fmt.Errorf("remove %s: %w: nothing in it was touched", directory, ErrForeignFolder)
	}
	if err := Stop(ctx, directory, progress); err != nil {
		return err
	}
	if err := remove(directory, entries); err != nil {
		return fmt.Errorf("remove the stack: %w", err)
	}
	return nil
}

// supervisorFolder is what tells the folder of a stack from others.
const supervisorFolder = "supervisor"

// remove removes a stack's folder, and last what tells that it is one: broken off, it can be done again.
func remove(directory string, entries []os.DirEntry) error {
	for _, entry := range entries {
		if entry.Name() == supervisorFolder {
			continue
		}
		if err := os.RemoveAll(filepath.Join(directory, entry.Name())); err != nil {
			return err
		}
	}
	return os.RemoveAll(directory)
}

// Command gives a command of the panel's own program, such as `admin create`, to be run as the panel runs: with its
// account, its environment and its folder. The caller sets what it reads and writes.
func Command(ctx context.Context, directory string, arguments ...string) (*exec.Cmd, error) {
	stack, err := supervisor.Open(directory)
	if err != nil {
		return nil, err
	}
	known, err := readFacts(directory)
	if err != nil {
		return nil, err
	}
	if known.Binary == "" {
		return nil, fmt.Errorf("stack in %s: it has no panel yet: bring it up first", directory)
	}
	id, err := stack.Identity(supervisor.Panel)
	if err != nil {
		return nil, err
	}
	environment, err := stack.Environment(panelService)
	if err != nil {
		return nil, err
	}
	command := exec.CommandContext(ctx, known.Binary, arguments...) //nolint:gosec // The stack's own program.
	command.Dir = stack.Folder(panelService)
	command.SysProcAttr = supervisor.Credential(id)
	command.Env = append([]string{"PATH=/usr/bin:/bin", "LANG=C.UTF-8"}, environment...)
	return command, nil
}
