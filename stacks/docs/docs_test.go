package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/stacks"
)

func TestDocumentsAreCurrent(t *testing.T) {
	t.Parallel()
	for _, d := range documents() {
		want, err := d.render()
		require.NoError(t, err)
		got, err := os.ReadFile(filepath.Join("..", "..", filepath.FromSlash(d.path)))
		require.NoError(t, err, "run: go run ./stacks/docs")
		if string(got) != string(want) {
			t.Errorf("%s is stale, run: go run ./stacks/docs\nfirst difference: %s", d.path, firstDifference(string(got), string(want)))
		}
	}
}

func firstDifference(got, want string) string {
	gotLines, wantLines := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i, line := range wantLines {
		if i >= len(gotLines) || gotLines[i] != line {
			return "expected " + line
		}
	}
	return "it has lines too many"
}

func TestScalingPlanTellsEverything(t *testing.T) {
	t.Parallel()
	content, err := documents()[0].render()
	require.NoError(t, err)
	for _, tier := range stacks.Plan().Tiers {
		for _, trigger := range tier.Triggers {
			assert.Contains(t, string(content), trigger.Words)
			assert.Contains(t, string(content), trigger.Condition())
		}
		for _, action := range tier.Actions {
			assert.Contains(t, string(content), action.Words)
		}
		for _, d := range tier.Derived {
			assert.Contains(t, string(content), d.Rule)
		}
	}
}

func TestWrite(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	require.ErrorContains(t, write(root), "run it from the top of the repository")

	require.NoError(t, os.WriteFile(filepath.Join(root, "Pulumi.yaml"), nil, 0o600))
	require.NoError(t, os.Mkdir(filepath.Join(root, "docs"), 0o700))
	require.NoError(t, write(root))
	for _, d := range documents() {
		content, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(d.path)))
		require.NoError(t, err)
		assert.Contains(t, string(content), "Do not edit")
	}
}
