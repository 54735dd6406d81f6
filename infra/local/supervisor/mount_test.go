package supervisor_test

import (
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/infra/local/supervisor"
)

func TestMountPoints(t *testing.T) {
	t.Parallel()
	for folder, want := range map[string]string{"/": "/", "/proc": "/proc", "/proc/self/fd": "/proc", "/dev/shm": "/dev/shm"} {
		at, err := supervisor.MountPoint(folder)
		require.NoError(t, err)
		assert.Equal(t, want, at, folder)
	}
	here := t.TempDir()
	at, err := supervisor.MountPoint(filepath.Join(here, "not", "there", "yet"))
	require.NoError(t, err)
	var of, above syscall.Stat_t
	require.NoError(t, syscall.Stat(here, &of))
	require.NoError(t, syscall.Stat(at, &above))
	assert.Equal(t, of.Dev, above.Dev, "%s and %s are on one disk", here, at)
}
