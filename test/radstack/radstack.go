// Package radstack runs rad on a stack in a state folder of its own, as a user would: tests and benchmarks leave the
// stacks alone that are up on the machine.
package radstack

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// Timeout bounds one command of rad, on a machine that may be busy with other tests.
const Timeout = 5 * time.Minute

// interruptPatience is how long rad may take to end after it was interrupted.
const interruptPatience = 20 * time.Second

// Stack is a stack that only its maker knows of.
type Stack struct {
	// Name is what rad is told, such as "mvp".
	Name string
	// State is the state folder.
	State string

	rad         string
	environment []string
}

// Status is what `rad status --json` says.
type Status struct {
	URL      string    `json:"url"`
	Services []Service `json:"services"`
}

// Service is one service of a Status.
type Service struct {
	Name     string `json:"name"`
	State    string `json:"state"`
	PID      int    `json:"pid"`
	Restarts int    `json:"restarts"`
	Address  string `json:"address"`
}

// New makes the state folder of a stack that the program rad is to run with more environment, and nothing else.
func New(rad, name string, environment ...string) (*Stack, error) {
	state, err := os.MkdirTemp("/tmp", "rad-stack-")
	if err != nil {
		return nil, err
	}
	// The services run as users of their own and must reach their folders in it.
	if err := os.Chmod(state, 0o711); err != nil {
		return nil, err
	}
	return &Stack{Name: name, State: state, rad: rad, environment: environment}, nil
}

// Beside is another stack in the same state folder.
func (s *Stack) Beside(name string) *Stack {
	other := *s
	other.Name = name
	return &other
}

// RunBy is the same stack, of which another rad with more environment takes care.
func (s *Stack) RunBy(rad string, environment ...string) *Stack {
	other := *s
	other.rad, other.environment = rad, append(slices.Clone(s.environment), environment...)
	return &other
}

// Command is rad with these arguments. It is interrupted when ctx ends, and ends itself in order.
func (s *Stack) Command(ctx context.Context, args ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, s.rad, args...)
	command.Env = append(os.Environ(), append(s.environment, "RAD_STATE_FOLDER="+s.State, "NO_COLOR=1")...)
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	command.WaitDelay = interruptPatience
	return command
}

// Rad runs rad with these arguments and returns what it said. The error of a failure has that too.
func (s *Stack) Rad(ctx context.Context, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	out, err := s.Command(ctx, args...).CombinedOutput()
	if err != nil {
		err = fmt.Errorf("rad %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return string(out), err
}

// Status asks how the stack is. A stack that is not healthy is no error.
func (s *Stack) Status(ctx context.Context) (Status, error) {
	command := s.Command(ctx, "status", s.Name, "--json")
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	_ = command.Run() // The exit code tells health; what matters here is what it prints.
	var status Status
	if err := json.Unmarshal(stdout.Bytes(), &status); err != nil {
		return status, fmt.Errorf("rad status --json: %w\n%s%s", err, stdout.Bytes(), stderr.Bytes())
	}
	return status, nil
}

// Purge removes the stack and its state folder.
func (s *Stack) Purge(ctx context.Context) error {
	if _, err := s.Rad(ctx, "down", s.Name, "--purge", "--yes"); err != nil {
		return err
	}
	return os.RemoveAll(s.State)
}
