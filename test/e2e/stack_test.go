package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/test/panelclient"
)

// upTimeout bounds one command of rad, on a machine that may be busy with other tests.
const upTimeout = 5 * time.Minute

// stack is a panel of a test's own, in a state folder of its own.
type stack struct {
	t     *testing.T
	state string
	url   string
}

// status is what `rad status --json` says.
type status struct {
	URL      string    `json:"url"`
	Services []service `json:"services"`
}

type service struct {
	Name     string `json:"name"`
	State    string `json:"state"`
	PID      int    `json:"pid"`
	Restarts int    `json:"restarts"`
}

// newStack prepares a stack that is not up yet. When the test ends it is purged, and nothing of it may be left.
func newStack(t *testing.T) *stack {
	t.Helper()
	state, err := os.MkdirTemp("/tmp", "rad-e2e-")
	require.NoError(t, err)
	require.NoError(t, os.Chmod(state, 0o711))
	s := &stack{t: t, state: state}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(s.lastLogLines())
		}
		out, err := s.rad(context.Background(), "down", "mvp", "--purge", "--yes")
		require.NoError(t, err, out)
		require.Empty(t, s.processes(), "processes left after a purge")
		require.NoError(t, os.RemoveAll(state))
	})
	return s
}

// up brings the stack up and returns what rad said.
func (s *stack) up(args ...string) string {
	s.t.Helper()
	out, err := s.rad(s.t.Context(), append([]string{"up", "mvp"}, args...)...)
	require.NoError(s.t, err, out)
	s.url = s.status().URL
	return out
}

// rad runs the command as a user would, in this stack's state folder.
func (s *stack) rad(ctx context.Context, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, upTimeout)
	defer cancel()
	command := s.command(ctx, args...)
	out, err := command.CombinedOutput()
	return string(out), err
}

func (s *stack) command(ctx context.Context, args ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, built.rad, args...)
	command.Env = append(os.Environ(), "RAD_STATE_FOLDER="+s.state, "RAD_RELEASE_FOLDER="+built.folder, "NO_COLOR=1")
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	command.WaitDelay = 20 * time.Second
	return command
}

func (s *stack) status() status {
	s.t.Helper()
	command := s.command(s.t.Context(), "status", "mvp", "--json")
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	// The exit code tells health; what matters here is what it prints.
	_ = command.Run()
	var answer status
	require.NoError(s.t, json.Unmarshal(stdout.Bytes(), &answer), "%s%s", stdout.String(), stderr.String())
	return answer
}

func (s *stack) service(name string) service {
	s.t.Helper()
	for _, candidate := range s.status().Services {
		if candidate.Name == name {
			return candidate
		}
	}
	require.Failf(s.t, "no such service", "%q is not among %v", name, s.status().Services)
	return service{}
}

// awaitHealthy waits until every service runs and the panel answers through Nginx.
func (s *stack) awaitHealthy(within time.Duration) {
	s.t.Helper()
	visitor := s.visitor()
	require.Eventually(s.t, func() bool {
		for _, service := range s.status().Services {
			if service.State != "running" {
				return false
			}
		}
		// Not signed in is an answer that took the database to give.
		err := visitor.Do(s.t.Context(), "POST", "/sessions", map[string]string{"email": "nobody@example.com", "password": "wrong password"}, nil)
		return panelclient.StatusOf(err) == 401
	}, within, 100*time.Millisecond, "the panel is not back: %+v", s.status())
}

var visitors atomic.Uint32

// visitor is a new person at a new address.
func (s *stack) visitor() *panelclient.Client {
	s.t.Helper()
	client, err := panelclient.New(s.url, visitors.Add(1))
	require.NoError(s.t, err)
	s.t.Cleanup(client.Close)
	return client
}

// user is a new person who has signed up.
func (s *stack) user(email string) *panelclient.Client {
	s.t.Helper()
	client := s.visitor()
	_, err := client.SignUp(s.t.Context(), email, "correct horse battery staple")
	require.NoError(s.t, err)
	return client
}

// processes lists the command lines of what runs for this stack: every service carries the state folder in its
// environment or its command line.
func (s *stack) processes() []string {
	s.t.Helper()
	folders, err := filepath.Glob("/proc/[0-9]*")
	require.NoError(s.t, err)
	var found []string
	for _, folder := range folders {
		environment, _ := os.ReadFile(filepath.Join(folder, "environ"))
		commandLine, _ := os.ReadFile(filepath.Join(folder, "cmdline"))
		if len(commandLine) > 0 && bytes.Contains(append(environment, commandLine...), []byte(s.state+"/")) {
			found = append(found, filepath.Base(folder)+" "+strings.ReplaceAll(string(commandLine), "\x00", " "))
		}
	}
	return found
}

func (s *stack) lastLogLines() string {
	logs, _ := filepath.Glob(filepath.Join(s.state, "local-mvp", "*", "*", "current"))
	more, _ := filepath.Glob(filepath.Join(s.state, "local-mvp", "*", "current"))
	var text strings.Builder
	for _, log := range append(logs, more...) {
		content, _ := os.ReadFile(log)
		lines := strings.Split(strings.TrimSpace(string(content)), "\n")
		text.WriteString("== " + log + "\n" + strings.Join(lines[max(0, len(lines)-15):], "\n") + "\n")
	}
	return text.String()
}
