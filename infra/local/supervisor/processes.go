package supervisor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Processes lists the processes of the stack, whoever started them and whatever became of their parents.
func (s Stack) Processes(ctx context.Context) ([]int, error) { return s.holders(ctx, "*lock") }

// ServiceProcesses lists the processes of a service.
func (s Stack) ServiceProcesses(ctx context.Context, name string) ([]int, error) {
	return s.holders(ctx, "services/"+name+"/lock")
}

// holders lists the processes that have a lock of the stack open for writing. The locks are given by a pattern for
// their path below the stack's folder, in which * stands for any text, slashes too.
func (s Stack) holders(ctx context.Context, locks string) ([]int, error) {
	processes, err := filepath.Glob("/proc/[0-9]*/fd")
	if err != nil {
		return nil, fmt.Errorf("processes of %s: %w", s.directory, err)
	}
	// What is open is named by its real path, which the state folder's need not be.
	resolved, err := filepath.EvalSymlinks(s.directory)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("processes of %s: %w", s.directory, err)
	}
	pattern := filepath.Join(resolved, locks)
	isLock := writes(pattern)
	var pids []int
	denied := map[int]bool{}
	for _, folder := range processes {
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(folder)))
		if err != nil {
			continue
		}
		switch holds, err := hasOpen(folder, isLock); {
		case errors.Is(err, fs.ErrPermission):
			if info, err := os.Stat(filepath.Dir(folder)); err == nil {
				denied[ownerOf(info)] = true
			}
		case holds:
			pids = append(pids, pid)
		}
	}
	// Without the capability SYS_PTRACE, as in many containers, root may not look into the processes of others, but
	// each account may look into its own.
	for _, id := range s.accounts() {
		if !denied[id.UID] {
			continue
		}
		more, err := holdersSeenBy(ctx, id, pattern)
		if err != nil {
			return nil, err
		}
		pids = append(pids, more...)
	}
	slices.Sort(pids)
	return slices.Compact(pids), nil
}

// hasOpen tells whether a process has a file open for which matches holds. It is asked about each by its link in the
// process's folder fd in /proc, and by what that link names. A process that ended meanwhile, or a zombie, has none.
func hasOpen(folder string, matches func(link, target string) bool) (bool, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return false, err
	}
	for _, entry := range entries {
		link := filepath.Join(folder, entry.Name())
		target, err := os.Readlink(link)
		if errors.Is(err, fs.ErrPermission) {
			return false, err
		}
		if err == nil && matches(link, target) {
			return true, nil
		}
	}
	return false, nil
}

// writes gives what holds for the files that are open for writing and whose path has the pattern.
func writes(pattern string) func(link, target string) bool {
	prefix, suffix, wild := strings.Cut(pattern, "*")
	return func(link, target string) bool {
		if target != pattern && (!wild || !strings.HasPrefix(target, prefix) || !strings.HasSuffix(target, suffix)) {
			return false
		}
		// The link's own mode tells how the file was opened.
		info, err := os.Lstat(link)
		return err == nil && info.Mode().Perm()&0o200 != 0
	}
}

// holdersSeenBy is holders as another account sees it.
func holdersSeenBy(ctx context.Context, id Identity, pattern string) ([]int, error) {
	// find complains about every process that it may not look into.
	search := exec.CommandContext(ctx, "find", "/proc", "-maxdepth", "3", "-path", "/proc/[0-9]*/fd/*", "-perm", "-200", "-lname", pattern) //nolint:gosec // The pattern is the stack's own.
	search.SysProcAttr = Credential(id)
	search.Dir = "/"
	out, err := search.Output()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		return nil, fmt.Errorf("processes of user %d: %w", id.UID, err)
	}
	var pids []int
	for link := range strings.FieldsSeq(string(out)) {
		if pid, err := strconv.Atoi(strings.Split(link, "/")[2]); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}
