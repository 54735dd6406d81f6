package local

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/app/config"
	"github.com/radpanel/radpanel/infra/machine"
	"github.com/radpanel/radpanel/stacks"
)

func TestTotalMemory(t *testing.T) {
	t.Parallel()
	ram, err := totalMemory("MemFree: 1 kB\nMemTotal:        2030456 kB\n")
	require.NoError(t, err)
	assert.Equal(t, 1984*stacks.MiB, ram)
	for _, text := range []string{"", "MemTotal: many kB\n", "MemFree: 1 kB\n"} {
		_, err = totalMemory(text)
		require.Error(t, err, text)
	}
}

func TestThisMachineHasResources(t *testing.T) {
	t.Parallel()
	r, err := thisMachine("/nonexistent/folder")
	require.NoError(t, err)
	assert.Positive(t, r.CPU)
	assert.Greater(t, r.RAM, 128*stacks.MiB)
	assert.Greater(t, r.Disk, 128*stacks.MiB)
}

func TestDefaultStateFolder(t *testing.T) {
	t.Parallel()
	getenv := func(environment map[string]string) func(string) string {
		return func(name string) string { return environment[name] }
	}
	folder, err := DefaultStateFolder(getenv(map[string]string{StateFolderVariable: "/srv/rad/"}))
	require.NoError(t, err)
	assert.Equal(t, "/srv/rad", folder)
	_, err = DefaultStateFolder(getenv(map[string]string{StateFolderVariable: "here"}))
	require.ErrorContains(t, err, `"here"`)
	if os.Geteuid() == 0 {
		folder, err = DefaultStateFolder(getenv(nil))
		require.NoError(t, err)
		assert.Equal(t, "/var/lib/radpanel", folder)
		return
	}
	folder, err = DefaultStateFolder(getenv(map[string]string{"HOME": "/home/ada", "XDG_STATE_HOME": "relative"}))
	require.NoError(t, err)
	assert.Equal(t, "/home/ada/.local/state/radpanel", folder)
	folder, err = DefaultStateFolder(getenv(map[string]string{"HOME": "/home/ada", "XDG_STATE_HOME": "/state"}))
	require.NoError(t, err)
	assert.Equal(t, "/state/radpanel", folder)
	_, err = DefaultStateFolder(getenv(nil))
	require.ErrorContains(t, err, StateFolderVariable)
}

// The service must find in its plan file all that it reads from there.
func TestPlanReachesTheServiceWhole(t *testing.T) {
	t.Parallel()
	text, err := machine.RenderPlan(stacks.Plan())
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "plan.json")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	read, err := config.ReadPlan(file)
	require.NoError(t, err)
	plan := stacks.Plan()
	require.Len(t, read.Tiers, len(plan.Tiers))
	for i, tier := range plan.Tiers {
		shown := read.Tiers[i]
		assert.Equal(t, string(tier.Tier), shown.Tier)
		assert.Equal(t, tier.Title, shown.Title)
		assert.Equal(t, tier.Capacity.RequestsPerSecond, shown.Capacity.RequestsPerSecond)
		assert.Equal(t, int64(tier.Capacity.Storage), shown.Capacity.StorageBytes)
		assert.Equal(t, tier.SLO.P95, shown.SLO.P95)
		assert.InDelta(t, float64(tier.SLO.Uptime), shown.SLO.UptimePercent, 1e-9)
		assert.InDelta(t, float64(tier.MonthlyCost.Low), shown.MonthlyCost.LowUSD, 1e-9)
		require.Len(t, shown.Triggers, len(tier.Triggers))
		for j, trigger := range tier.Triggers {
			assert.Equal(t, trigger.Words, shown.Triggers[j].Words)
			assert.InDelta(t, trigger.Threshold, shown.Triggers[j].Threshold, 1e-9)
			assert.Equal(t, trigger.For, shown.Triggers[j].For)
		}
		assert.Len(t, shown.Actions, len(tier.Actions))
	}
	assert.Equal(t, plan.NextReview.Words, read.NextReview.Words)
	var all map[string]any
	require.NoError(t, json.Unmarshal([]byte(text), &all))
	assert.NotContains(t, text, "blueprint", "what the service does not show would restart it when it changes")
}

func TestDatabaseURLEscapesPasswords(t *testing.T) {
	t.Parallel()
	url := databaseURL("rad_app", "a/b+c=?@:", "/srv/stack/run", 6432)
	assert.Equal(t, "postgres://rad_app:a%2Fb+c=%3F%40%3A@/radpanel?host=%2Fsrv%2Fstack%2Frun&port=6432&sslmode=disable", url.Reveal())
}

func TestRequirementsNamePackages(t *testing.T) {
	t.Parallel()
	assert.Empty(t, Requirements(stacks.Plan().Tiers[2].Blueprint), "the tests need them too")
	assert.Empty(t, program("no-such-server"))
	assert.NotEmpty(t, program("nginx"), "also where PATH does not lead")
}
