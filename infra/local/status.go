package local

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/radpanel/radpanel/infra/local/supervisor"
	"github.com/radpanel/radpanel/stacks"
)

// Status is how a stack is.
type Status struct {
	// Exists says whether there is such a stack on this machine; if not, the rest is empty.
	Exists    bool
	Directory string
	// URL is where the panel is, once it was up.
	URL string
	// Tier is what it runs. Empty: it was not up yet, or was brought up by an older version.
	Tier stacks.Tier
	// Supervised says whether the supervisor of the services runs.
	Supervised bool
	// Services are in the order in which they start.
	Services []Service
}

// Service is how a service of a stack is.
type Service struct {
	Name  string
	State supervisor.State
	// PID is 0 if it does not run. Since is when it last started or stopped.
	PID   int
	Since time.Time
	// Restarts counts how often the supervisor had to start it again since it was last started on purpose, LastRestart
	// is when, and LastExit how it had ended.
	Restarts    int
	LastRestart time.Time
	LastExit    string
	// Problem says why it is not ready.
	Problem string
	// Address is where it answers: host:port or the path of a unix socket. Log is the folder of its log.
	Address string
	Log     string
}

// Uptime is how long the service has been running.
func (s Service) Uptime(now time.Time) time.Duration {
	if s.PID == 0 || s.Since.IsZero() {
		return 0
	}
	return now.Sub(s.Since)
}

// ReadStatus looks at a stack. It changes nothing, and takes milliseconds unless a service hangs.
func ReadStatus(ctx context.Context, directory string) (Status, error) {
	stack, err := supervisor.Open(directory)
	if err != nil {
		return Status{}, err
	}
	if _, err := os.Stat(directory); errors.Is(err, fs.ErrNotExist) {
		return Status{Directory: directory}, nil
	}
	services, err := stack.Status(ctx)
	if err != nil {
		return Status{}, err
	}
	facts, err := readFacts(directory)
	if err != nil {
		return Status{}, err
	}
	status := Status{Exists: true, Directory: directory, URL: facts.URL, Tier: facts.Tier, Supervised: stack.Running()}
	for _, s := range services {
		status.Services = append(status.Services, Service{
			Name: s.Name, State: s.State, PID: s.PID, Since: s.Since, Problem: s.Problem, Address: s.Address, Log: stack.Log(s.Name),
			Restarts: s.Restarts.Count, LastRestart: s.Restarts.Last, LastExit: s.Restarts.LastExit,
		})
	}
	return status, nil
}

// facts are what the panel's service leaves beside its configuration for those who look at the folder alone.
type facts struct {
	URL string `json:"url"`
	// Binary is the panel's program.
	Binary string `json:"binary"`
	// Panel is the address of the panel's instance that the file is of.
	Panel string `json:"panel,omitempty"`
	// Tier is the stack's.
	Tier stacks.Tier `json:"tier,omitempty"`
}

// factsFile is among the files of the panel's configuration.
const factsFile = "stack.json"

func readFacts(directory string) (facts, error) {
	var f facts
	stack, err := supervisor.Open(directory)
	if err != nil {
		return f, err
	}
	f, err = readFactsFile(stack.Conf(panelService) + "/" + factsFile)
	if errors.Is(err, fs.ErrNotExist) {
		return f, nil // It was never up.
	}
	return f, err
}

func readFactsFile(path string) (facts, error) {
	var f facts
	raw, err := os.ReadFile(path) //nolint:gosec // The path is the stack's own.
	if err != nil {
		return f, fmt.Errorf("facts about the stack: %w", err)
	}
	if err := json.Unmarshal(raw, &f); err != nil {
		return f, fmt.Errorf("facts about the stack: %s: %w", path, err)
	}
	return f, nil
}
