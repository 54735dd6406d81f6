package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/infra/host/ship"
	"github.com/radpanel/radpanel/test/panelclient"
	"github.com/radpanel/radpanel/test/radstack"
)

// stack is a panel of a test's own, in a state folder of its own.
type stack struct {
	*radstack.Stack

	t   *testing.T
	url string
}

// newStack prepares a stack of a tier that is not up yet. When the test ends it is purged, and nothing of it may be left.
func newStack(t *testing.T, tier string) *stack {
	t.Helper()
	return newStackOf(t, tier, built.folder)
}

// newQuickStack is newStack without the race detector, which costs ten times the processor time: where no request may fail, and a
// machine that is overloaded refuses some.
func newQuickStack(t *testing.T, tier string) *stack {
	t.Helper()
	return newStackOf(t, tier, releaseOf(t, "quick"))
}

func newStackOf(t *testing.T, tier, release string) *stack {
	t.Helper()
	// An operator's shell may mean another database.
	made, err := radstack.New(built.rad, tier, "RAD_RELEASE_FOLDER="+release, "PGSERVICE=elsewhere", "PGOPTIONS=-c default_transaction_read_only=on")
	require.NoError(t, err)
	s := &stack{Stack: made, t: t}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(s.lastLogLines())
		}
		require.NoError(t, s.Purge(context.Background()))
		require.Empty(t, s.processes(), "processes left after a purge")
	})
	return s
}

// up brings the stack up and returns what rad said.
func (s *stack) up(args ...string) string {
	s.t.Helper()
	out, err := s.Rad(s.t.Context(), append([]string{"up", s.Name}, args...)...)
	require.NoError(s.t, err, out)
	s.url = s.status().URL
	return out
}

func (s *stack) status() radstack.Status {
	s.t.Helper()
	status, err := s.Status(s.t.Context())
	require.NoError(s.t, err)
	return status
}

func (s *stack) service(name string) radstack.Service {
	s.t.Helper()
	for _, candidate := range s.status().Services {
		if candidate.Name == name {
			return candidate
		}
	}
	require.Failf(s.t, "no such service", "%q is not among %v", name, s.status().Services)
	return radstack.Service{}
}

// awaitHealthy waits until every service runs and the panel answers through Nginx.
func (s *stack) awaitHealthy(within time.Duration) {
	s.t.Helper()
	require.Eventually(s.t, func() bool {
		for _, service := range s.status().Services {
			if service.State != "running" {
				return false
			}
		}
		// Not signed in is an answer that took the database to give. Tries with one e-mail address, or from one host, are limited.
		number := visitors.Add(1)
		visitor, err := panelclient.New(s.url, number)
		require.NoError(s.t, err)
		defer visitor.Close()
		nobody := fmt.Sprintf("nobody-%d@example.com", number)
		err = visitor.Do(s.t.Context(), "POST", "/sessions", map[string]string{"email": nobody, "password": "wrong password"}, nil)
		return panelclient.StatusOf(err) == 401
	}, within, 100*time.Millisecond, "the panel is not back: %+v", s.status())
}

// cachePatience is how long it may take until the cache is used: one late answer of Redis turns it off for seconds, and reads
// from replicas for some more. The gauge of its trust tells little: without a read, the lease runs out within a second.
const cachePatience = time.Minute

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
		if len(commandLine) > 0 && bytes.Contains(append(environment, commandLine...), []byte(s.State+"/")) {
			found = append(found, filepath.Base(folder)+" "+strings.ReplaceAll(string(commandLine), "\x00", " "))
		}
	}
	return found
}

func (s *stack) lastLogLines() string {
	logs, _ := filepath.Glob(filepath.Join(s.State, "local-"+s.Name, "*", "*", "current"))
	more, _ := filepath.Glob(filepath.Join(s.State, "local-"+s.Name, "*", "current"))
	var text strings.Builder
	for _, log := range append(logs, more...) {
		content, _ := os.ReadFile(log)
		lines := slices.DeleteFunc(strings.Split(strings.TrimSpace(string(content)), "\n"), func(line string) bool {
			return ship.IsRoutine(json.RawMessage(line))
		})
		text.WriteString("== " + log + "\n" + strings.Join(lines[max(0, len(lines)-25):], "\n") + "\n")
	}
	return text.String()
}
