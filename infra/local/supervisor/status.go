package supervisor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sync/errgroup"
)

// State is how a service is.
type State string

// The states.
const (
	Running    State = "running"    // and ready
	Starting   State = "starting"   // it runs, not ready yet, within the time that it may take
	Unready    State = "unready"    // it runs, yet it does not answer as it should
	Restarting State = "restarting" // it ended and is about to be started again
	Failing    State = "failing"    // it ended again and again; the supervisor tries less and less often
	Stopping   State = "stopping"   // it was told to stop
	Down       State = "down"       // it was stopped, or never started
)

// Status is how a service is.
type Status struct {
	Name  string
	State State
	// PID is the process that the supervisor watches, Since when it started, or since when the service is down.
	PID   int
	Since time.Time
	// Problem says why the service is not ready.
	Problem  string
	Restarts Restarts
	// Address is where the service answers: host:port or the path of a unix socket.
	Address string
}

// Status looks at every service, in the order of Order. It takes as long as the slowest answer, at most about a second.
func (s Stack) Status(ctx context.Context) ([]Status, error) {
	order, err := s.Order()
	if err != nil {
		return nil, err
	}
	all := make([]Status, len(order))
	group, ctx := errgroup.WithContext(ctx)
	for i, name := range order {
		group.Go(func() (err error) {
			all[i], err = s.status(ctx, name)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, fmt.Errorf("status: %w", err)
	}
	return all, nil
}

func (s Stack) status(ctx context.Context, name string) (Status, error) {
	status := Status{Name: name, State: Down}
	r, err := s.readRecord(name)
	if err != nil {
		return status, err
	}
	status.Address = r.Ready.Address
	if status.Restarts, err = s.readRestarts(name); err != nil {
		return status, err
	}
	p, err := s.process(name)
	if err != nil {
		return status, err
	}
	status.PID, status.Since = p.pid, p.since
	switch {
	case !p.wantUp && p.pid == 0:
		return status, nil
	case !p.wantUp:
		status.State = Stopping
		return status, nil
	case p.pid == 0 || p.finishing || status.Restarts.Streak > crashLimit:
		status.State = Restarting
		if status.Restarts.Streak > crashLimit {
			status.State = Failing
		}
		status.Problem = "it ended: " + status.Restarts.LastExit
	}
	digest, err := s.inForce(name)
	if err != nil {
		return status, err
	}
	switch err := s.ready(ctx, name, r.Ready, digest); {
	case err == nil:
		status.State, status.Problem = Running, ""
	case status.State == Restarting || status.State == Failing:
	default:
		status.State, status.Problem = Unready, err.Error()
		if time.Since(p.since) < r.Ready.Timeout {
			status.State = Starting
		}
	}
	return status, nil
}

// Drift tells in what a service differs from what was applied with the given result: "" if in nothing.
func (s Stack) Drift(ctx context.Context, name, digest string) (string, error) {
	inForce, err := s.inForce(name)
	if err != nil {
		return "", err
	}
	if inForce != digest {
		return "another configuration is in force", nil
	}
	g, err := readGeneration(s.path(name, "conf-"+digest), digest)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	if g.digest != digest {
		return "somebody changed its configuration", nil
	}
	if _, err := os.Lstat(s.service(name) + "/down"); err == nil {
		return "it is stopped", nil
	}
	status, err := s.patientStatus(ctx, name)
	if err != nil {
		return "", err
	}
	if status.State != Running {
		return fmt.Sprintf("it is %s: %s", status.State, status.Problem), nil
	}
	if running := s.runningGeneration(name); running.digest != digest {
		return "it runs with another configuration", nil
	}
	return "", nil
}

// driftPatience is how long a service that runs may not answer before that is taken for a difference: the machine may be busy.
const driftPatience = 5 * time.Second

// patientStatus is status, but waits for the answer of a service that runs.
func (s Stack) patientStatus(ctx context.Context, name string) (status Status, err error) {
	patient, cancel := context.WithTimeout(ctx, driftPatience)
	defer cancel()
	err = wait(patient, name+" to answer", func() (bool, error) {
		var err error
		status, err = s.status(ctx, name)
		return status.State != Starting && status.State != Unready, err
	})
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return status, nil
	}
	return status, err
}
