package engine

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTheHistoryKeepsItsNewestUpdates(t *testing.T) {
	t.Parallel()
	home := Home{Folder: t.TempDir(), Project: "rad-panel"}
	require.NoError(t, home.pruneHistory("local-mvp"), "without a history there is nothing to prune")
	folder := filepath.Join(home.Folder, ".pulumi", "history", "rad-panel", "local-mvp")
	require.NoError(t, os.MkdirAll(folder, 0o700))
	for i := range historyLength + 3 {
		for _, kind := range []string{"history.json", "history.json.attrs", "checkpoint.json", "checkpoint.json.attrs"} {
			name := fmt.Sprintf("local-mvp-%d.%s", 1795448709991770718+i, kind)
			require.NoError(t, os.WriteFile(filepath.Join(folder, name), nil, 0o600))
		}
	}
	require.NoError(t, home.pruneHistory("local-mvp"))
	entries, err := os.ReadDir(folder)
	require.NoError(t, err)
	assert.Len(t, entries, 4*historyLength)
	assert.Equal(t, "local-mvp-1795448709991770721.checkpoint.json", entries[0].Name(), "the three oldest are gone")
}

func TestThePassphraseIsMadeOnceAndKept(t *testing.T) {
	t.Parallel()
	home := Home{Folder: filepath.Join(t.TempDir(), "pulumi"), Project: "rad-panel"}
	require.NoError(t, home.prepare("local-mvp"))
	first, err := os.ReadFile(home.PassphraseFile())
	require.NoError(t, err)
	require.NoError(t, os.Chmod(home.PassphraseFile(), 0o644))
	require.NoError(t, home.prepare("local-mvp"))
	second, err := os.ReadFile(home.PassphraseFile())
	require.NoError(t, err)
	assert.Equal(t, first, second)
	info, err := os.Stat(home.PassphraseFile())
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm(), "others lost the right to read it")
	left, err := filepath.Glob(filepath.Join(home.Folder, ".passphrase-*"))
	require.NoError(t, err)
	assert.Empty(t, left)

	require.NoError(t, os.Truncate(home.PassphraseFile(), 0))
	require.ErrorContains(t, home.prepare("local-mvp"), "is empty")
}

func TestTheProjectOfTheEngineKeepsItsSalt(t *testing.T) {
	t.Parallel()
	home := Home{Folder: t.TempDir(), Project: "rad-panel"}
	require.NoError(t, home.prepare("local-mvp"))
	path := filepath.Join(home.projectFolder("local-mvp"), "Pulumi.local-mvp.yaml")
	require.NoError(t, os.WriteFile(path, []byte("encryptionsalt: v1:abc\nconfig:\n  rad-panel:logLevel: warn\n"), 0o600))
	require.NoError(t, home.writeProject("local-mvp", map[string]string{"fileSizeLimit": "1MiB"}))
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, "encryptionsalt: v1:abc\nconfig:\n    rad-panel:fileSizeLimit: 1MiB\n", string(content))
}
