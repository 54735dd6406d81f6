package provider

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	p "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi-go-provider/infer"
	"github.com/pulumi/pulumi/sdk/v3/go/property"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/infra/local/supervisor"
)

func TestSchemaHasEveryTypeAndMarksSecrets(t *testing.T) {
	t.Parallel()
	made, err := New()
	require.NoError(t, err)
	spec, err := p.GetSchema(t.Context(), Name, Version, made)
	require.NoError(t, err)
	for _, resource := range []string{"Host", "Port", "Secret", "Release", "Cluster", "Database", "Replica", "Bucket", "Service"} {
		assert.Contains(t, spec.Resources, Token(resource))
	}
	assert.Len(t, spec.Resources, 9)
	for resource, secrets := range map[string][]string{"Secret": {"value"}, "Service": {"secretEnvironment", "secretFiles", "secrets"}} {
		for _, name := range secrets {
			assert.True(t, spec.Resources[Token(resource)].Properties[name].Secret, "%s of %s", name, resource)
		}
	}
	for token, drift := range drifts() {
		assert.Contains(t, spec.Resources, token)
		assert.Contains(t, spec.Resources[token].Properties, drift.property, "drift of %s is shown at it", token)
	}
}

func TestStateIsReadSecretOrNot(t *testing.T) {
	t.Parallel()
	state := property.NewMap(map[string]property.Value{
		"directory":         property.New("/srv/stack"),
		"name":              property.New("panel"),
		"secretEnvironment": property.New(map[string]property.Value{"KEY": property.New("hidden")}).WithSecret(true),
		"command":           property.New([]property.Value{property.New("/bin/panel"), property.New("-v")}),
		"stopSeconds":       property.New(30.0),
		"running":           property.New(true),
		"ready":             property.New(map[string]property.Value{"kind": property.New("http"), "address": property.New("127.0.0.1:1"), "seconds": property.New(20.0)}),
		"generation":        property.New("0123"),
		"account":           property.New("panel"),
		"stopSignal":        property.New("TERM"),
	})
	decoded, err := decode[ServiceState](state)
	require.NoError(t, err)
	assert.Equal(t, "/srv/stack", decoded.Directory)
	assert.Equal(t, map[string]string{"KEY": "hidden"}, decoded.SecretEnvironment)
	assert.Equal(t, []string{"/bin/panel", "-v"}, decoded.Command)
	assert.Equal(t, 30, decoded.StopSeconds)
	assert.Equal(t, 20, decoded.Ready.Seconds)
	assert.True(t, decoded.Running)
	assert.Equal(t, "0123", decoded.Generation)
}

func TestChooseBinaries(t *testing.T) {
	t.Parallel()
	installed := map[int]string{15: "/lib/15", 17: "/lib/17"}
	for name, c := range map[string]struct {
		present   int
		installed map[int]string
		major     int
		problem   string
	}{
		"a new cluster gets the newest":        {0, installed, 17, ""},
		"data is served by its own version":    {15, installed, 15, ""},
		"data of a version that is not there":  {16, installed, 0, "/data holds data of PostgreSQL 16, but installed is only version 15 and 17"},
		"the package of that version is named": {16, installed, 0, "postgresql-16"},
		"nothing is installed":                 {0, nil, 0, "Debian package postgresql"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			major, folder, err := chooseBinaries(c.present, "/data", c.installed)
			if c.problem != "" {
				require.ErrorContains(t, err, c.problem)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, c.major, major)
			assert.Equal(t, c.installed[c.major], folder)
		})
	}
}

func TestClusterMajorTellsDataFromOtherThings(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	major, err := clusterMajor(filepath.Join(folder, "none"))
	require.NoError(t, err)
	assert.Zero(t, major)
	major, err = clusterMajor(folder)
	require.NoError(t, err)
	assert.Zero(t, major, "an empty folder may become one")
	require.NoError(t, os.WriteFile(filepath.Join(folder, "holiday.jpg"), nil, 0o600))
	_, err = clusterMajor(folder)
	require.ErrorContains(t, err, "PG_VERSION is missing")
	require.NoError(t, os.WriteFile(filepath.Join(folder, "PG_VERSION"), []byte("15\n"), 0o600))
	major, err = clusterMajor(folder)
	require.NoError(t, err)
	assert.Equal(t, 15, major)
	require.NoError(t, os.WriteFile(filepath.Join(folder, "PG_VERSION"), []byte("nine\n"), 0o600))
	_, err = clusterMajor(folder)
	require.ErrorContains(t, err, `"nine"`)
}

func TestPort(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	preview, err := Port{}.Create(ctx, infer.CreateRequest[PortArgs]{DryRun: true})
	require.NoError(t, err)
	assert.Empty(t, preview.ID)

	chosen, err := Port{}.Create(ctx, infer.CreateRequest[PortArgs]{})
	require.NoError(t, err)
	assert.GreaterOrEqual(t, chosen.Output.Port, firstPort)
	assert.LessOrEqual(t, chosen.Output.Port, lastPort)

	// Two who choose at once, in whatever processes, choose two ports.
	mine, theirs := reservations{}, reservations{}
	require.True(t, mine.reserve(chosen.Output.Port))
	require.False(t, theirs.reserve(chosen.Output.Port))
	wanted, err := Port{}.Update(ctx, infer.UpdateRequest[PortArgs, PortState]{Inputs: PortArgs{Wanted: 8080}, State: chosen.Output})
	require.NoError(t, err)
	assert.Equal(t, 8080, wanted.Output.Port)
	kept, err := Port{}.Update(ctx, infer.UpdateRequest[PortArgs, PortState]{State: wanted.Output})
	require.NoError(t, err)
	assert.Equal(t, 8080, kept.Output.Port, "none in particular is wanted any more: it stays")
}

func TestSecretIsMadeOnce(t *testing.T) {
	t.Parallel()
	folder := shortFolder(t)
	args := SecretArgs{Directory: folder, Name: "key", Bytes: 32}
	first, err := Secret{}.Create(t.Context(), infer.CreateRequest[SecretArgs]{Inputs: args})
	require.NoError(t, err)
	assert.Len(t, first.Output.Value, 44)
	again, err := Secret{}.Create(t.Context(), infer.CreateRequest[SecretArgs]{Inputs: args})
	require.NoError(t, err)
	assert.Equal(t, first.Output.Value, again.Output.Value, "a creation that was interrupted is finished")
	info, err := os.Stat(filepath.Join(folder, "keys", "key"))
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())

	require.NoError(t, os.WriteFile(filepath.Join(folder, "keys", "key"), []byte("damaged"), 0o600))
	_, err = Secret{}.Create(t.Context(), infer.CreateRequest[SecretArgs]{Inputs: args})
	require.ErrorContains(t, err, "does not hold 32 bytes")
	assert.NotContains(t, err.Error(), "damaged")
	args.Bytes = 4
	_, err = Secret{}.Create(t.Context(), infer.CreateRequest[SecretArgs]{Inputs: args})
	require.ErrorContains(t, err, "at least 16")
}

func shortFolder(t *testing.T) string {
	t.Helper()
	folder, err := os.MkdirTemp("/tmp", "rad-")
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, os.RemoveAll(folder)) })
	return folder
}

func TestReleaseIsWholeOrNotThere(t *testing.T) {
	t.Parallel()
	folder, source := shortFolder(t), t.TempDir()
	write := func(name, text string, mode os.FileMode) {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(source, name)), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(source, name), []byte(text), mode))
	}
	write("index.html", "page", 0o600)
	write("assets/app.js", "script", 0o600)
	write("run", "program", 0o700)
	digest, err := Digest(source)
	require.NoError(t, err)
	args := ReleaseArgs{Directory: folder, Kind: "web", Source: source, Digest: digest}
	state, err := release(t.Context(), args, false)
	require.NoError(t, err)
	assert.Equal(t, ReleasePath(folder, "web", digest), state.Path)
	for name, mode := range map[string]os.FileMode{"index.html": 0o644, "assets": 0o755, "assets/app.js": 0o644, "run": 0o755} {
		info, err := os.Stat(filepath.Join(state.Path, name))
		require.NoError(t, err)
		assert.Equal(t, mode, info.Mode().Perm(), "every account may read %s", name)
	}

	// A copy that was damaged is made anew.
	require.NoError(t, os.WriteFile(filepath.Join(state.Path, "index.html"), []byte("defaced"), 0o600))
	_, err = release(t.Context(), args, false)
	require.NoError(t, err)
	text, err := os.ReadFile(filepath.Join(state.Path, "index.html"))
	require.NoError(t, err)
	assert.Equal(t, "page", string(text))

	// The source changes after its digest was taken.
	write("index.html", "changed", 0o600)
	require.NoError(t, os.RemoveAll(state.Path))
	_, err = release(t.Context(), args, false)
	require.ErrorContains(t, err, "changed while it was copied")
	assert.NoDirExists(t, state.Path)

	require.NoError(t, os.Symlink("/etc/passwd", filepath.Join(source, "link")))
	_, err = Digest(source)
	require.NoError(t, err)
	args.Digest = strings.Repeat("0", 64)
	_, err = release(t.Context(), args, false)
	require.ErrorContains(t, err, "link: expected a plain file")
	entries, err := os.ReadDir(filepath.Dir(state.Path))
	require.NoError(t, err)
	assert.Empty(t, entries, "nothing half made")
}

func TestReleaseOfAFileIsAFolderWithIt(t *testing.T) {
	t.Parallel()
	folder, source := shortFolder(t), filepath.Join(t.TempDir(), "radpanel")
	require.NoError(t, os.WriteFile(source, []byte("program"), 0o700))
	digest, err := Digest(source)
	require.NoError(t, err)
	state, err := release(t.Context(), ReleaseArgs{Directory: folder, Kind: "panel", Source: source, Digest: digest}, false)
	require.NoError(t, err)
	assert.FileExists(t, filepath.Join(state.Path, "radpanel"))
	copied, err := Digest(state.Path)
	require.NoError(t, err)
	assert.Equal(t, digest, copied)
}

func TestServiceSpecRefusesWrongPermissions(t *testing.T) {
	t.Parallel()
	_, err := ServiceArgs{Folders: map[string]string{"data": "rwx"}}.spec()
	require.ErrorContains(t, err, "octal such as 0700")
	_, err = ServiceArgs{Folders: map[string]string{"data": "07777"}}.spec()
	require.Error(t, err)
}

func TestInitdbOnAFullDiskLeavesNothing(t *testing.T) {
	t.Parallel()
	folder := shortFolder(t)
	require.NoError(t, os.Chmod(folder, 0o711))
	defer mount(t, folder, "size=400m,nr_inodes=200,mode=711")()
	// There is space, but no room for the thousand files of a cluster.
	args := ClusterArgs{Directory: folder, Service: "postgresql", Superuser: "postgres"}
	_, err := applyCluster(t.Context(), args, false, true)
	require.ErrorContains(t, err, "is full")
	assert.ErrorContains(t, err, "run up again")
	left, err := filepath.Glob(filepath.Join(folder, "postgresql", "data*"))
	require.NoError(t, err)
	assert.Empty(t, left)
}

func TestHostRefusesAFullDisk(t *testing.T) {
	t.Parallel()
	folder := shortFolder(t)
	defer mount(t, folder, "size=64m,mode=711")()
	for _, dryRun := range []bool{true, false} {
		_, err := applyHost(t.Context(), HostArgs{Directory: filepath.Join(folder, "stack")}, dryRun)
		require.ErrorContains(t, err, "at least 256 MiB are needed")
	}
	assert.NoDirExists(t, filepath.Join(folder, "stack"), "nothing half made")
}

func TestDiskErrorOnlySpeaksOfFullDisks(t *testing.T) {
	t.Parallel()
	other := errors.New("other")
	require.ErrorIs(t, supervisor.DiskError("/tmp/x", other), other)
	assert.NotContains(t, supervisor.DiskError("/tmp/x", other).Error(), "full")
	require.NoError(t, supervisor.DiskError("/tmp/x", nil))
}
