package engine

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestOnlyLocksOfTheDeadAreRemoved(t *testing.T) {
	t.Parallel()
	dead := exec.CommandContext(t.Context(), "true")
	require.NoError(t, dead.Run())
	pulumi := filepath.Join(t.TempDir(), "pulumi")
	sleep, err := exec.LookPath("sleep")
	require.NoError(t, err)
	require.NoError(t, exec.CommandContext(t.Context(), "cp", sleep, pulumi).Run())
	living := exec.CommandContext(t.Context(), pulumi, "60")
	require.NoError(t, living.Start())
	require.Eventually(t, func() bool { // Start returns a moment before the kernel gives the process its name.
		name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", living.Process.Pid))
		return err == nil && string(name) == "pulumi\n"
	}, 10*time.Second, time.Millisecond)
	t.Cleanup(func() {
		_ = living.Process.Kill()
		_ = living.Wait()
	})
	host, err := os.Hostname()
	require.NoError(t, err)
	tests := []struct {
		name    string
		pid     int
		host    string
		removed int
		busy    string
	}{
		{name: "its process is gone", pid: dead.Process.Pid, host: host, removed: 1},
		{name: "its process id is another program's now", pid: os.Getpid(), host: host, removed: 1},
		{name: "no process id", pid: 0, host: host, removed: 1},
		{name: "a pulumi that runs", pid: living.Process.Pid, host: host, busy: "stack local-mvp is in use by pulumi (process"},
		{name: "of another host", pid: dead.Process.Pid, host: "elsewhere", busy: "pulumi on host elsewhere"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			home := Home{Folder: t.TempDir(), Project: "rad-panel"}
			path := filepath.Join(home.locksFolder("local-mvp"), "1234.json")
			content, err := json.Marshal(map[string]any{"pid": test.pid, "hostname": test.host, "timestamp": time.Now()})
			require.NoError(t, err)
			require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
			require.NoError(t, os.WriteFile(path, content, 0o600))

			removed, err := home.clearStaleLocks("local-mvp")
			assert.Equal(t, test.removed, removed)
			if test.busy == "" {
				require.NoError(t, err)
				assert.NoFileExists(t, path)
				return
			}
			require.ErrorContains(t, err, test.busy)
			assert.FileExists(t, path)
		})
	}
}

func TestWithoutLocksThereIsNothingToClear(t *testing.T) {
	t.Parallel()
	removed, err := Home{Folder: t.TempDir(), Project: "rad-panel"}.clearStaleLocks("local-mvp")
	require.NoError(t, err)
	assert.Zero(t, removed)
}
