package machine_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/infra/machine"
	"github.com/radpanel/radpanel/stacks"
	"github.com/radpanel/radpanel/test/golden"
)

// What a tier's host is told is in testdata, to be read, and a change of it to be seen in review.
func TestGolden(t *testing.T) {
	t.Parallel()
	for _, tier := range []stacks.Tier{stacks.MVP, stacks.Tier1, stacks.Tier2} {
		programs := []rendered{postgres(t, tier), pgbouncer(t, tier)}
		if blueprint(t, tier).Backends.Instances > 1 {
			programs = append(programs, balancer(t, tier), edge(t, tier))
		} else {
			programs = append(programs, nginx(t, tier))
		}
		if blueprint(t, tier).Cache.Memory > 0 {
			programs = append(programs, redis(t, tier))
		}
		folder := filepath.Join("testdata", string(tier))
		var expected []string
		for _, program := range programs {
			files, err := program.Files()
			require.NoError(t, err)
			for name, text := range files {
				expected = append(expected, name)
				golden.Check(t, filepath.Join(folder, name), text)
			}
		}
		entries, err := os.ReadDir(folder)
		require.NoError(t, err)
		var present []string
		for _, entry := range entries {
			present = append(present, entry.Name())
		}
		assert.ElementsMatch(t, expected, present, "%s holds files that nothing renders any more", folder)
	}
}

// A host without compression is told nothing of it, and one without statistics loads no extension.
func TestATierGetsOnlyWhatItsBlueprintNames(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		program    func(stacks.Tier) rendered
		file, text string
	}{
		{func(tier stacks.Tier) rendered { return nginx(t, tier) }, machine.NginxFile, "gzip"},
		{func(tier stacks.Tier) rendered { return postgres(t, tier) }, machine.PostgresFile, "pg_stat_statements"},
		{func(tier stacks.Tier) rendered { return postgres(t, tier) }, machine.PostgresReloadFile, "track_io_timing"},
	} {
		without, err := c.program(stacks.MVP).Files()
		require.NoError(t, err)
		assert.NotContains(t, without[c.file], c.text)
		with, err := c.program(stacks.Tier1).Files()
		require.NoError(t, err)
		assert.Contains(t, with[c.file], c.text)
	}
}

func TestReloadableFilesExist(t *testing.T) {
	t.Parallel()
	for _, program := range []interface {
		rendered
		Reloadable() []string
	}{postgres(t, stacks.MVP), pgbouncer(t, stacks.MVP), nginx(t, stacks.MVP)} {
		files, err := program.Files()
		require.NoError(t, err)
		assert.Subset(t, slices.Collect(maps.Keys(files)), program.Reloadable())
	}
}

// Whoever gets less than the blueprint asks for is sized by what there is.
func TestResourcesOfASmallMachine(t *testing.T) {
	t.Parallel()
	asked := machine.Resources{CPU: 4, RAM: 4 * stacks.GiB, Disk: 100 * stacks.GiB}
	assert.Equal(t, machine.Resources{CPU: 2, RAM: 4 * stacks.GiB, Disk: 10 * stacks.GiB},
		asked.Within(machine.Resources{CPU: 2, RAM: 8 * stacks.GiB, Disk: 10 * stacks.GiB}))
}
