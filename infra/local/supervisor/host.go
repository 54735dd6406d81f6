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
	"strings"
	"syscall"
	"time"
)

// Tools gives the programs that the supervisor itself uses, each with the Debian package that brings it.
func Tools() map[string]string {
	return map[string]string{
		"runsvdir": "runit", "runsv": "runit", "perl": "perl-base",
		"setpriv": "util-linux", "flock": "util-linux", "setsid": "util-linux", "find": "findutils",
	}
}

// Prepare makes the stack's folder with a place for each of the named services, none of them started. What is there
// already is left as it is, or repaired. It refuses a folder that belongs to somebody else.
func (s Stack) Prepare(services []string) error {
	made, err := s.makeRoot()
	if err != nil {
		return err
	}
	err = s.prepare(services)
	if err != nil && made {
		err = errors.Join(err, os.RemoveAll(s.directory)) // Nothing was in it before.
	}
	return err
}

func (s Stack) makeRoot() (made bool, err error) {
	info, err := os.Lstat(s.directory)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err := makeParents(filepath.Dir(s.directory)); err != nil {
			return false, err
		}
		return true, MakeFolder(s.directory, 0o711, Caller())
	case err != nil:
		return false, fmt.Errorf("folder of the stack: %w", err)
	case !info.IsDir():
		return false, fmt.Errorf("folder of the stack %s: a %s is there; move it away or choose another state folder", s.directory, kind(info))
	}
	owner := ownerOf(info)
	if owner != os.Geteuid() {
		return false, fmt.Errorf("folder of the stack %s belongs to the user with id %d, not to the caller (%d): run as that user, "+
			"or choose another state folder", s.directory, owner, os.Geteuid())
	}
	if err := makeParents(filepath.Dir(s.directory)); err != nil {
		return false, err
	}
	return false, MakeFolder(s.directory, 0o711, Caller())
}

// makeParents makes the folders above the stack's where they lack. Services have accounts of their own and must be able
// to pass through all of them.
func makeParents(folder string) error {
	info, err := os.Stat(folder)
	if errors.Is(err, fs.ErrNotExist) {
		if err := makeParents(filepath.Dir(folder)); err != nil {
			return err
		}
		return MakeFolder(folder, 0o711, Caller())
	}
	switch {
	case err != nil:
		return fmt.Errorf("state folder: %w", err)
	case !info.IsDir():
		return fmt.Errorf("state folder: %s is a %s", folder, kind(info))
	case Privileged() && info.Mode().Perm()&0o001 == 0:
		return fmt.Errorf("state folder: the services do not run as root, and cannot pass through %s (permissions %s): choose "+
			"another state folder, or run chmod o+x %s", folder, info.Mode().Perm(), folder)
	case folder == "/":
		return nil
	default:
		return makeParents(filepath.Dir(folder))
	}
}

// Prepared tells whether all is as Prepare would leave it: another version of this program may have been here last.
func (s Stack) Prepared(services []string) (bool, error) {
	expected, err := s.stackScripts()
	if err != nil {
		return false, err
	}
	logger, err := s.Identity(Log)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	for _, name := range append([]string{guard}, services...) {
		for path, text := range s.serviceScripts(name, logger) {
			expected[filepath.Join("services", name, path)] = text
		}
	}
	for path, text := range expected {
		present, err := os.ReadFile(s.path(path))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return false, fmt.Errorf("folder of the stack: %w", err)
		}
		if string(present) != string(text) {
			return false, nil
		}
	}
	return true, nil
}

func (s Stack) prepare(services []string) error {
	if err := s.reserveIDs(); err != nil {
		return err
	}
	for folder, mode := range map[string]fs.FileMode{"supervisor": 0o711, "services": 0o700, "log": 0o711} {
		if err := MakeFolder(s.path(folder), mode, Caller()); err != nil {
			return err
		}
	}
	if err := MakeFolder(s.path("supervisor", "bin"), 0o700, Caller()); err != nil {
		return err
	}
	rendered, err := s.stackScripts()
	if err != nil {
		return err
	}
	for path, text := range rendered {
		mode := fs.FileMode(0o700)
		if path == loggerScript { // The loggers have an account of their own.
			mode = 0o755
		}
		if err := writeChanged(s.path(path), text, mode); err != nil {
			return err
		}
	}
	for _, name := range services {
		if err := checkServiceName(name); err != nil {
			return err
		}
		if err := s.prepareService(name); err != nil {
			return err
		}
	}
	return s.prepareService(guard)
}

// prepareService makes the folder that runsv reads, with the service marked as down if it is new. It appears whole,
// so that runsv never meets half of it.
func (s Stack) prepareService(name string) error {
	logger, err := s.Identity(Log)
	if err != nil {
		return err
	}
	folder := s.service(name)
	_, err = os.Lstat(folder)
	isNew := errors.Is(err, fs.ErrNotExist)
	if isNew {
		folder = s.path("services", "."+name) // runsvdir skips names that begin with a dot.
	}
	parts := []string{folder}
	if name != guard {
		parts = append(parts, filepath.Join(folder, "log"), filepath.Join(folder, "control"))
		if err := MakeFolder(s.Log(name), 0o700, logger); err != nil {
			return err
		}
	}
	for _, part := range parts {
		if err := MakeFolder(part, 0o700, Caller()); err != nil {
			return err
		}
	}
	for path, text := range s.serviceScripts(name, logger) {
		if err := writeChanged(filepath.Join(folder, path), text, 0o700); err != nil {
			return err
		}
	}
	if !isNew {
		return nil
	}
	if name != guard {
		if err := writeChanged(filepath.Join(folder, "down"), nil, 0o600); err != nil {
			return err
		}
	}
	return DiskError(folder, os.Rename(folder, s.service(name)))
}

// Running tells whether the stack's supervisor runs.
func (s Stack) Running() bool {
	// Opened for reading: a process that has the lock open for writing counts as the stack's own.
	lock, err := os.Open(s.path("supervisor", "lock"))
	if err != nil {
		return false
	}
	defer func() { _ = lock.Close() }()
	return errors.Is(syscall.Flock(int(lock.Fd()), syscall.LOCK_SH|syscall.LOCK_NB), syscall.EWOULDBLOCK)
}

// Start starts the supervisor unless it runs, detached from the caller, and waits until it watches all services.
func (s Stack) Start(ctx context.Context) error {
	lock, err := os.OpenFile(s.path("supervisor", "lock"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return DiskError(s.path("supervisor"), err)
	}
	defer func() { _ = lock.Close() }()
	switch err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); {
	case errors.Is(err, syscall.EWOULDBLOCK): // It runs.
	case err != nil:
		return fmt.Errorf("lock of the supervisor: %w", err)
	default:
		// The lock goes on as descriptor 9. setsid leaves the caller's session, and its fork the caller's children.
		launcher := exec.CommandContext(ctx, "setsid", "--fork", s.path("supervisor", "run")) //nolint:gosec // The path is the stack's own.
		launcher.Dir = "/"
		launcher.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"}
		launcher.ExtraFiles = []*os.File{6: lock}
		if err := launcher.Run(); err != nil {
			return fmt.Errorf("start the supervisor: %w", err)
		}
	}
	names, err := s.services()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	return wait(ctx, "the supervisor of "+s.directory, func() (bool, error) {
		return !slices.ContainsFunc(names, func(name string) bool { return !supervised(s.service(name)) }), nil
	})
}

// services lists the services of the stack, the guard not among them.
func (s Stack) services() ([]string, error) {
	entries, err := os.ReadDir(s.path("services"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("services of the stack: %w", err)
	}
	var names []string
	for _, entry := range entries {
		if entry.IsDir() && entry.Name() != guard && !strings.HasPrefix(entry.Name(), ".") {
			names = append(names, entry.Name())
		}
	}
	return names, nil
}
