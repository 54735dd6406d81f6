package cli

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/cmd/rad/internal/progress"
	"github.com/radpanel/radpanel/infra/local"
	"github.com/radpanel/radpanel/infra/local/supervisor"
)

func statusNow() time.Time { return time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC) }

func service(name string, state supervisor.State, pid int, since time.Duration) local.Service {
	s := local.Service{Name: name, State: state, PID: pid, Address: "127.0.0.1:5432"}
	if pid > 0 {
		s.Since = statusNow().Add(-since)
	}
	return s
}

func TestHealthFollowsFromTheServices(t *testing.T) {
	t.Parallel()
	up, down := service("a", "running", 1, time.Minute), service("b", "down", 0, 0)
	tests := []struct {
		name string
		read local.Status
		want Health
	}{
		{"no folder", local.Status{}, Absent},
		{"no services", local.Status{Exists: true}, Stopped},
		{"all run", local.Status{Exists: true, Services: []local.Service{up, up}}, Healthy},
		{"all down", local.Status{Exists: true, Services: []local.Service{down, down}}, Stopped},
		{"one down", local.Status{Exists: true, Services: []local.Service{up, down}}, Degraded},
		{"one starts", local.Status{Exists: true, Services: []local.Service{up, service("c", "starting", 5, 0)}}, Degraded},
		{"one restarts, one down", local.Status{Exists: true, Services: []local.Service{down, service("c", "restarting", 0, 0)}}, Degraded},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, test.want, describe("local-mvp", test.read, statusNow()).State)
		})
	}
}

// TestStatusAsPeopleAndProgramsSeeIt compares the table and the JSON with what was reviewed.
func TestStatusAsPeopleAndProgramsSeeIt(t *testing.T) {
	t.Parallel()
	restarted := service("panel", "running", 4242, 12*time.Second)
	restarted.Restarts, restarted.LastRestart, restarted.LastExit = 2, statusNow().Add(-12*time.Second), "killed by signal 9"
	unready := service("nginx", "unready", 77, 50*time.Hour)
	unready.Problem = "GET /livez: connection refused"
	status := describe("local-mvp", local.Status{
		Exists: true, URL: "http://localhost:8080",
		Services: []local.Service{service("postgresql", "running", 100, 200*time.Minute), restarted, unready, service("pgbouncer", "down", 0, 0)},
	}, statusNow())
	status.DataBytes = 41<<20 + 300000

	for name, colour := range map[string]bool{"status.golden": false, "status.colour.golden": true} {
		var table bytes.Buffer
		require.NoError(t, writeStatus(&table, status, progress.NewStyle(colour), statusNow()))
		checkGolden(t, name, table.Bytes())
	}
	content, err := json.MarshalIndent(status, "", "  ")
	require.NoError(t, err)
	checkGolden(t, "status.json.golden", content)
}

func checkGolden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o750))
		require.NoError(t, os.WriteFile(path, got, 0o600))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err, "run the test with -update")
	assert.Equal(t, string(want), string(got))
}

func TestAge(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		-time.Second: "0 s", 0: "0 s", 12 * time.Second: "12 s", 119 * time.Second: "119 s", 2 * time.Minute: "2 min",
		59 * time.Minute: "59 min", 125 * time.Minute: "2 h 5 min", 99 * time.Hour: "4 d 3 h",
	} {
		assert.Equal(t, want, age(d))
	}
}
