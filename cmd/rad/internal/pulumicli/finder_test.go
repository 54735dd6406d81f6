package pulumicli_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/cmd/rad/internal/pulumicli"
)

// fakePulumi puts an executable called pulumi into folder that answers `version` as told, and writes a line to
// <folder>/asked each time.
func fakePulumi(t *testing.T, folder, answer string) string {
	t.Helper()
	return script(t, filepath.Join(folder, "pulumi"), fmt.Sprintf("echo asked >> %s/asked\n%s", folder, answer))
}

func script(t *testing.T, path, body string) string {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
	// Written by a child: a file that this process has open for writing while another test forks cannot be run ("text
	// file busy").
	write := exec.CommandContext(t.Context(), "sh", "-c", `cat > "$1" && chmod 700 "$1"`, "sh", path)
	write.Stdin = strings.NewReader("#!/bin/sh\n" + body + "\n")
	require.NoError(t, write.Run())
	return path
}

func TestFindTakesTheFirstFitPulumi(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		onPath []string // what each pulumi on PATH answers, in order; "" = no pulumi in that folder
		cached string
		want   string // the folder it is found in, or "cache"
	}{
		{name: "the only one", onPath: []string{"echo v3.256.0"}, want: "0"},
		{name: "exactly the oldest that will do", onPath: []string{"echo v3.250.0"}, want: "0"},
		{name: "newer than the pinned one", onPath: []string{"echo v3.999.1"}, want: "0"},
		{name: "a development build", onPath: []string{"echo v3.260.0-dev.0"}, want: "0"},
		{name: "first too old, second will do", onPath: []string{"echo v3.249.9", "", "echo v3.251.0"}, want: "2"},
		{name: "another major version", onPath: []string{"echo v4.0.0", "echo v3.256.0"}, want: "1"},
		{name: "one that fails", onPath: []string{"exit 1"}, cached: "echo v3.256.0", want: "cache"},
		{name: "one that speaks nonsense", onPath: []string{"echo hello"}, cached: "echo v3.256.0", want: "cache"},
		{name: "none on PATH", cached: "echo v3.256.0", want: "cache"},
		{name: "PATH before the cache", onPath: []string{"echo v3.250.0"}, cached: "echo v3.256.0", want: "0"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			var folders []string
			for i, answer := range test.onPath {
				folder := filepath.Join(root, fmt.Sprint(i))
				require.NoError(t, os.MkdirAll(folder, 0o700))
				if answer != "" {
					fakePulumi(t, folder, answer)
				}
				folders = append(folders, folder)
			}
			finder := pulumicli.Finder{SearchPath: strings.Join(folders, ":"), CacheFolder: filepath.Join(root, "cache")}
			if test.cached != "" {
				fakePulumi(t, filepath.Join(finder.CacheFolder, pulumicli.PinnedVersion), test.cached)
			}
			want := filepath.Join(root, test.want, "pulumi")
			if test.want == "cache" {
				want = filepath.Join(finder.CacheFolder, pulumicli.PinnedVersion, "pulumi")
			}
			cli, err := finder.Find(t.Context())
			require.NoError(t, err)
			assert.Equal(t, want, cli.Path)
		})
	}
}

func TestFindDoesNotRunWhatLiesInARelativeFolder(t *testing.T) {
	t.Parallel()
	finder := pulumicli.Finder{SearchPath: ".:bin:", CacheFolder: t.TempDir()}
	_, err := finder.Find(t.Context())
	var missing *pulumicli.MissingError
	require.ErrorAs(t, err, &missing)
}

func TestFindSkipsWhatIsNotAProgram(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(folder, "pulumi"), []byte("text"), 0o600))
	other := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(other, "pulumi"), 0o700))
	finder := pulumicli.Finder{SearchPath: folder + ":" + other, CacheFolder: t.TempDir()}
	_, err := finder.Find(t.Context())
	var missing *pulumicli.MissingError
	require.ErrorAs(t, err, &missing)
	assert.NotContains(t, err.Error(), folder)
}

func TestFindRemembersTheVersionUntilTheProgramChanges(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	path := fakePulumi(t, folder, "echo v3.256.0")
	finder := pulumicli.Finder{SearchPath: folder, CacheFolder: t.TempDir()}
	asked := func() int {
		content, err := os.ReadFile(filepath.Join(folder, "asked"))
		require.NoError(t, err)
		return strings.Count(string(content), "asked")
	}
	for range 3 {
		cli, err := finder.Find(t.Context())
		require.NoError(t, err)
		assert.Equal(t, "3.256.0", cli.Version.String())
	}
	assert.Equal(t, 1, asked())

	fakePulumi(t, folder, "echo v3.257.0")
	require.NoError(t, os.Chtimes(path, time.Time{}, time.Now().Add(time.Second)))
	cli, err := finder.Find(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "3.257.0", cli.Version.String())
	assert.Equal(t, 2, asked())
}

func TestAnOverrideIsUsedOrRefusedButNeverPassedOver(t *testing.T) {
	t.Parallel()
	onPath, named := t.TempDir(), t.TempDir()
	fakePulumi(t, onPath, "echo v3.256.0")

	finder := pulumicli.Finder{Override: fakePulumi(t, named, "echo v3.251.0"), SearchPath: onPath, CacheFolder: t.TempDir()}
	cli, err := finder.Find(t.Context())
	require.NoError(t, err)
	assert.Equal(t, finder.Override, cli.Path)

	finder.Override = fakePulumi(t, t.TempDir(), "echo v3.100.0")
	_, err = finder.Find(t.Context())
	require.ErrorContains(t, err, "RAD_PULUMI="+finder.Override)
	require.ErrorContains(t, err, "3.100.0 is older than 3.250.0")
}

func TestWithoutPulumiTheErrorSaysWhatToDo(t *testing.T) {
	t.Parallel()
	old := t.TempDir()
	fakePulumi(t, old, "echo v3.10.0")
	tests := []struct {
		name  string
		tools string
		want  []string
	}{
		{"outside a checkout", "", []string{"none is on PATH", old + "/pulumi: version 3.10.0 is older than 3.250.0", "inside a checkout"}},
		{"inside one without Go", t.TempDir(), []string{"no Go toolchain", "install Go"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			finder := pulumicli.Finder{SearchPath: old, CacheFolder: t.TempDir(), ToolsFolder: test.tools}
			_, err := finder.Find(t.Context())
			var missing *pulumicli.MissingError
			require.ErrorAs(t, err, &missing)
			for _, want := range test.want {
				assert.ErrorContains(t, err, want)
			}
		})
	}
}

// fakeGo answers `go build` as the real one does: it says what it compiles and writes the program named by -o.
const fakeGo = `echo built >> "$(dirname "$0")/builds"
echo "$@" > "$(dirname "$0")/arguments"
while [ "$1" != "-o" ]; do shift; done
echo "go: downloading google.golang.org/grpc v1.84.0" >&2
echo "google.golang.org/grpc" >&2
printf '#!/bin/sh\necho v%s\n' "$ANSWER" > "$2"; chmod 700 "$2"
`

func TestFindBuildsThePinnedPulumiOnce(t *testing.T) {
	t.Parallel()
	goFolder := t.TempDir()
	script(t, filepath.Join(goFolder, "go"), "ANSWER="+pulumicli.PinnedVersion+"\n"+fakeGo)
	var mutex sync.Mutex
	var activities []string
	finder := pulumicli.Finder{
		SearchPath: goFolder + ":/usr/bin:/bin", CacheFolder: t.TempDir(), ToolsFolder: t.TempDir(),
		Progress: func(progress pulumicli.BuildProgress) {
			mutex.Lock()
			defer mutex.Unlock()
			activities = append(activities, progress.Activity)
		},
	}
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			cli, err := finder.Find(t.Context())
			if assert.NoError(t, err) {
				assert.Equal(t, filepath.Join(finder.CacheFolder, pulumicli.PinnedVersion, "pulumi"), cli.Path)
			}
		})
	}
	wait.Wait()
	builds, err := os.ReadFile(filepath.Join(goFolder, "builds"))
	require.NoError(t, err)
	assert.Equal(t, "built\n", string(builds), "one builds, the others wait for it")
	assert.Contains(t, activities, "downloading google.golang.org/grpc v1.84.0")
	assert.Contains(t, activities, "compiling google.golang.org/grpc")
	arguments, err := os.ReadFile(filepath.Join(goFolder, "arguments"))
	require.NoError(t, err)
	assert.Contains(t, string(arguments), "version.Version=v"+pulumicli.PinnedVersion, "without it the version reads as 0.0.0")
}

func TestABuildThatFailsLeavesNothingAndShowsWhy(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, body, want string }{
		{"go fails", "echo 'go: go.mod requires go >= 1.99' >&2; exit 1", "go: go.mod requires go >= 1.99"},
		{"another version comes out", "ANSWER=3.1.0\n" + fakeGo, `says version "v3.1.0", expected ` + pulumicli.PinnedVersion},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			goFolder := t.TempDir()
			script(t, filepath.Join(goFolder, "go"), test.body)
			finder := pulumicli.Finder{SearchPath: goFolder + ":/usr/bin:/bin", CacheFolder: t.TempDir(), ToolsFolder: t.TempDir()}
			_, err := finder.Find(t.Context())
			require.ErrorContains(t, err, test.want)
			left, err := filepath.Glob(filepath.Join(finder.CacheFolder, pulumicli.PinnedVersion, "*pulumi*"))
			require.NoError(t, err)
			assert.Empty(t, left)
		})
	}
}

func TestABuildEndsWithItsContext(t *testing.T) {
	t.Parallel()
	goFolder := t.TempDir()
	script(t, filepath.Join(goFolder, "go"), "echo started >&2; exec sleep 60")
	ctx, cancel := context.WithCancel(t.Context())
	finder := pulumicli.Finder{
		SearchPath: goFolder, CacheFolder: t.TempDir(), ToolsFolder: t.TempDir(),
		Progress: func(progress pulumicli.BuildProgress) {
			if progress.Activity == "compiling started" {
				cancel()
			}
		},
	}
	start := time.Now()
	_, err := finder.Find(ctx)
	require.ErrorIs(t, err, context.Canceled)
	assert.Less(t, time.Since(start), 30*time.Second)
}

func TestThePinnedVersionIsTheOneOfTheToolsModule(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "go", "mod", "edit", "-print", "../../../../tools/go.mod").Output()
	require.NoError(t, err)
	assert.Contains(t, string(out), "github.com/pulumi/pulumi/pkg/v3 v"+pulumicli.PinnedVersion)
}
