package machine_test

import (
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/infra/machine"
	"github.com/radpanel/radpanel/stacks"
)

var update = flag.Bool("update", false, "write the golden files anew")

// What a tier's host is told is in testdata, to be read, and a change of it to be seen in review.
func TestGolden(t *testing.T) {
	t.Parallel()
	for _, tier := range []stacks.Tier{stacks.MVP, stacks.Tier1} {
		programs := []rendered{postgres(t, tier), pgbouncer(t, tier), nginx(t, tier)}
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
				checkGolden(t, filepath.Join(folder, name), text)
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

func checkGolden(t *testing.T, path, text string) {
	t.Helper()
	if *update {
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	}
	golden, err := os.ReadFile(path)
	require.NoError(t, err, "go test ./infra/machine -update writes it")
	assert.Equal(t, string(golden), text, "%s: if the change is meant: go test ./infra/machine -update", path)
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
