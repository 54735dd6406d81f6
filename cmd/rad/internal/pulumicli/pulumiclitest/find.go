// Package pulumiclitest gives tests the Pulumi command line that rad would use.
package pulumiclitest

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/cmd/rad/internal/pulumicli"
)

// Find finds pulumi as rad does; a build takes minutes, once per machine. The test's package must be one of those beside
// pulumicli.
func Find(t *testing.T) pulumicli.CLI {
	t.Helper()
	tools, err := filepath.Abs("../../../../tools")
	require.NoError(t, err)
	cache, err := os.UserCacheDir()
	require.NoError(t, err)
	finder := pulumicli.Finder{
		Override: os.Getenv(pulumicli.PathVariable), SearchPath: os.Getenv("PATH"),
		CacheFolder: filepath.Join(cache, "radpanel", "pulumi"), ToolsFolder: tools,
	}
	cli, err := finder.Find(t.Context())
	require.NoError(t, err)
	return cli
}
