package supervisor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"syscall"
	"time"
)

// Stop stops every service, dependants first, then the supervisor, and returns when no process of the stack is left.
// A service that does not stop in its time is killed. The data stays. Progress, if not nil, hears of each service
// before it is stopped.
func (s Stack) Stop(ctx context.Context, progress func(service string)) error {
	order, err := s.Order()
	if err != nil {
		return err
	}
	slices.Reverse(order)
	for _, name := range order {
		if progress != nil {
			progress(name)
		}
		if err := s.StopService(ctx, name); err != nil {
			return err
		}
	}
	if err := s.stopSupervisor(ctx); err != nil {
		return err
	}
	return s.removeGroups()
}

// exitTimeout is how long the parts of the supervisor, which have nothing to do any more, may take to end.
const exitTimeout = 5 * time.Second

// stopSupervisor ends what supervises, from the top down so that nothing is restarted, then anything that is left.
func (s Stack) stopSupervisor(ctx context.Context) error {
	names, err := s.services()
	if err != nil {
		return err
	}
	// The guard first: it would start a new supervisor. Then runsvdir: it would start new loops. Only then can each
	// runsv be told to exit for good.
	if err := control(s.service(guard), commandDown); err != nil && !errors.Is(err, errNotSupervised) {
		return err
	}
	if err := s.end(ctx, "supervisor/lock"); err != nil {
		return err
	}
	for _, name := range append(names, guard) {
		if err := control(s.service(name), commandExit); err != nil && !errors.Is(err, errNotSupervised) {
			return err
		}
	}
	exited, cancel := context.WithTimeout(ctx, exitTimeout)
	defer cancel()
	err = wait(exited, "the supervisors to exit", func() (bool, error) {
		return !slices.ContainsFunc(append(names, guard), func(name string) bool { return supervised(s.service(name)) }), nil
	})
	if err != nil && ctx.Err() != nil {
		return err
	}
	return s.end(ctx, "*lock")
}

// end ends the processes that have a lock of the stack open, first by TERM, then by KILL.
func (s Stack) end(ctx context.Context, locks string) error {
	signal, deadline := syscall.SIGTERM, time.Now().Add(exitTimeout)
	told := map[int]bool{}
	return wait(ctx, fmt.Sprintf("the processes of %s to end", s.directory), func() (bool, error) {
		pids, err := s.holders(ctx, locks)
		if err != nil {
			return false, err
		}
		if time.Now().After(deadline) {
			signal, told = syscall.SIGKILL, map[int]bool{}
		}
		for _, pid := range pids {
			if !told[pid] {
				told[pid] = true
				if err := syscall.Kill(pid, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
					return false, fmt.Errorf("end process %d of %s: %w", pid, s.directory, err)
				}
			}
		}
		return len(pids) == 0, nil
	})
}
