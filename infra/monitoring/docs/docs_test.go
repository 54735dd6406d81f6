package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestDashboardsAreCurrent(t *testing.T) {
	t.Parallel()
	files, err := dashboards()
	require.NoError(t, err)
	there, err := filepath.Glob(filepath.Join("..", "..", "..", folder, "*"))
	require.NoError(t, err)
	assert.Len(t, there, len(files), "%s holds what is generated, and nothing else", folder)
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join("..", "..", "..", folder, name))
		require.NoError(t, err, "run: make docs")
		assert.Equal(t, string(want), string(got), "%s is stale, run: make docs", name)
	}
}
