package supervisor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// startService tells runsv to start a service, and from now on always to start it.
func (s Stack) startService(ctx context.Context, name string) error {
	service := s.service(name)
	for _, mark := range []string{"down", "restarts"} {
		if err := os.Remove(filepath.Join(service, mark)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("start %s: %w", name, err)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	return wait(ctx, "the supervisor of "+name, func() (bool, error) {
		err := control(service, commandUp)
		if errors.Is(err, errNotSupervised) {
			return false, nil // runsvdir looks for new services every five seconds.
		}
		return err == nil, err
	})
}

// StopService stops a service and keeps it from being started again. What does not stop in its time is killed.
func (s Stack) StopService(ctx context.Context, name string) error {
	return s.StopServiceWithin(ctx, name, s.patience(name))
}

// StopServiceWithin is StopService for one that may take another time to stop than its own.
func (s Stack) StopServiceWithin(ctx context.Context, name string, patience time.Duration) error {
	service := s.service(name)
	if err := writeChanged(filepath.Join(service, "down"), nil, 0o600); err != nil {
		return err
	}
	asked, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := control(service, commandDown)
	if errors.Is(err, errNotSupervised) {
		return s.end(ctx, "services/"+name+"/lock")
	}
	if err != nil {
		return err
	}
	until := func(is func(process) bool) func() (bool, error) {
		return func() (bool, error) {
			p, err := readProcess(service)
			return err == nil && is(p), err
		}
	}
	isDown := func(p process) bool { return p.pid == 0 && !p.finishing && !p.wantUp }
	err = wait(asked, name+" to stop", until(isDown))
	if err == nil || ctx.Err() != nil {
		return err
	}
	if err := control(service, commandKill); err != nil && !errors.Is(err, errNotSupervised) {
		return err
	}
	killed, cancelKilled := context.WithTimeout(ctx, patience+exitTimeout)
	defer cancelKilled()
	return wait(killed, name+" to end after it was killed", until(func(p process) bool {
		// On a disk without space its supervisor cannot write down any more that it has ended.
		return isDown(p) || p.pid > 0 && errors.Is(syscall.Kill(p.pid, 0), syscall.ESRCH)
	}))
}

// KillService kills the process of a service. If it is to run, it is started again.
func (s Stack) KillService(name string) error {
	if err := control(s.service(name), commandKill); !errors.Is(err, errNotSupervised) {
		return err
	}
	return nil // It does not run.
}

// reset stops a service and removes what Apply made for it.
func (s Stack) reset(ctx context.Context, name string) error {
	if err := s.StopService(ctx, name); err != nil {
		return err
	}
	made := []string{s.Conf(name)}
	for _, file := range []string{"record.json", "patience", "account", "started", "restarts"} {
		made = append(made, filepath.Join(s.service(name), file))
	}
	for _, path := range made {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove %s: %w", name, err)
		}
	}
	return s.prune(name)
}

// RemoveService stops a service and removes all that Prepare and Apply made for it. What the service itself keeps, and
// its log, stay.
func (s Stack) RemoveService(ctx context.Context, name string) error {
	folder := s.service(name)
	if _, err := os.Lstat(folder); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := s.reset(ctx, name); err != nil {
		return err
	}
	// Out of runsvdir's sight first, so that it does not start the runsv again that is told to exit.
	hidden := s.path("services", "."+name)
	if err := errors.Join(os.RemoveAll(hidden), os.Rename(folder, hidden)); err != nil {
		return fmt.Errorf("remove %s: %w", name, err)
	}
	if err := control(hidden, commandExit); err != nil && !errors.Is(err, errNotSupervised) {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, exitTimeout)
	defer cancel()
	err := wait(ctx, "the supervisor of "+name+" to exit", func() (bool, error) { return !supervised(hidden), nil })
	if err := errors.Join(err, os.RemoveAll(hidden)); err != nil {
		return fmt.Errorf("remove %s: %w", name, err)
	}
	return nil
}

// patience is how long a service may take to stop.
func (s Stack) patience(name string) time.Duration {
	raw, err := os.ReadFile(filepath.Join(s.service(name), "patience"))
	if seconds, parseErr := strconv.Atoi(strings.TrimSpace(string(raw))); err == nil && parseErr == nil {
		return time.Duration(seconds) * time.Second
	}
	return exitTimeout // It was never applied.
}
