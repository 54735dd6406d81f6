// Package golden compares what is rendered with files of the repository, for tests.
package golden

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the golden files anew") //nolint:gochecknoglobals // A flag of each test program that imports this.

// Check compares a text with a file. With the test's flag -update, the file is written first.
func Check(t testing.TB, path, text string) {
	t.Helper()
	if *update {
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o750))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err, "run the package's tests with -update, which writes it")
	assert.Equal(t, string(want), text, "%s: if the change is meant, run the package's tests with -update, and look at the difference", path)
}
