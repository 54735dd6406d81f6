package cli

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/cmd/rad/internal/engine"
	"github.com/radpanel/radpanel/cmd/rad/internal/progress"
	"github.com/radpanel/radpanel/cmd/rad/internal/pulumicli"
)

var update = flag.Bool("update", false, "write the golden files anew")

// console is a rad in folders of its own.
type console struct {
	app         *App
	out, errors bytes.Buffer
	environment map[string]string
	root        string
}

func newConsole(t *testing.T) *console {
	t.Helper()
	root, err := os.MkdirTemp("", "rad-cli-") // Shorter than t.TempDir: unix sockets bound the path of a stack.
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, os.RemoveAll(root)) })
	c := &console{root: root, environment: map[string]string{
		"HOME": filepath.Join(root, "home"), "PATH": "/usr/bin:/bin", "RAD_STATE_FOLDER": filepath.Join(root, "state"),
	}}
	c.app = &App{
		Version: "v1.2.3", Stdin: strings.NewReader(""), Stdout: &c.out, Stderr: &c.errors,
		Getenv:     func(name string) string { return c.environment[name] },
		Executable: filepath.Join(root, "bin", "rad"), Folder: root, Now: time.Now,
	}
	return c
}

// run runs a command line as rad's main does, with flags as a new process has them.
func (c *console) run(t *testing.T, arguments ...string) int {
	t.Helper()
	c.out.Reset()
	c.errors.Reset()
	c.app.flags, c.app.parsed = flags{}, false
	return c.app.Run(t.Context(), arguments)
}

func (c *console) write(t *testing.T, path, content string) string {
	t.Helper()
	path = filepath.Join(c.root, path)
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

// script writes an executable, through a child: a file that this process has open for writing while another test
// forks cannot be run ("text file busy").
func (c *console) script(t *testing.T, path, body string) string {
	t.Helper()
	path = filepath.Join(c.root, path)
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
	write := exec.CommandContext(t.Context(), "sh", "-c", `cat > "$1" && chmod 700 "$1"`, "sh", path)
	write.Stdin = strings.NewReader("#!/bin/sh\n" + body + "\n")
	require.NoError(t, write.Run())
	return path
}

func TestWrongCommandLinesExitWith2AndSayWhy(t *testing.T) {
	t.Parallel()
	tests := []struct {
		line string
		want []string
	}{
		{"frobnicate", []string{`unknown command "frobnicate"`}},
		{"up --frobnicate", []string{"unknown flag: --frobnicate"}},
		{"up mvp tier1", []string{"accepts at most 1 arg"}},
		{"promote mvp tier1 --target aws", []string{"rad cannot move a panel from mvp to tier1, which are on AWS", "Built is", "Not built is", "docs/promotion.md"}},
		{"promote mvp tier1 --auto-rollback", []string{"--auto-rollback", "add --watch"}},
		{"up --target moon", []string{"--target moon: expected local or aws"}},
		{"status --target moon", []string{"--target moon"}},
		{"up staging", []string{"stack staging is wrong", "does not tell its tier"}},
		{"up mvp -c logLevel", []string{`--config "logLevel": expected key=value`}},
		{"up mvp -c =x -c y", []string{`"=x"`, `"y"`}},
		{"up mvp -c logLevel=loud -c fileSizeLimt=1", []string{"rad-panel:logLevel", "loud", "rad-panel:fileSizeLimt", "did you mean"}},
		{"down .", []string{`stack name "."`, "no dot first"}},
		{"down ../elsewhere --purge --yes", []string{`stack name "../elsewhere"`}},
		{"down local-mvp/", []string{`stack name "local-mvp/"`}},
		{"status pulumi", []string{"the state folder keeps something else by that name"}},
		{"down promotions --purge --yes", []string{"the state folder keeps something else by that name"}},
		{"down tier2-staging --purge --yes", []string{"tier2-staging is for target aws", "--target aws"}},
		{"status local-mvp --target aws", []string{"local-mvp is for target local"}},
		{"promote status mvp teir1", []string{"stack teir1 is wrong", "does not tell its tier"}},
		{"promote status mvp tier1 --target aws", []string{"rad cannot move a panel from mvp to tier1"}},
		{"promote mvp tier1 --watch -5m", []string{"--watch -5m0s: expected a time such as 10m"}},
		{"preview --markdown --json", []string{"leave one out"}},
		{"admin crate me@example.com", []string{`unknown command "crate"`}},
		{"preview local-mvp --target aws", []string{"local-mvp is for target local", "--target local"}},
		{"up mvp --project nowhere", []string{"--project", "no Pulumi.yaml of project rad-panel"}},
		{"logs", []string{"accepts between 1 and 2 arg"}},
		{"logs mvp", []string{"no stack local-mvp on this machine"}},
		{"logs mvp -n -1", []string{"--lines -1"}},
		{"admin create nonsense", []string{"no e-mail address"}},
		{"up --target aws --json", []string{"--json is for stacks on this machine"}},
		{"up --target aws -c region=eu-west-1", []string{"--config is for stacks on this machine"}},
	}
	for _, test := range tests {
		t.Run(test.line, func(t *testing.T) {
			t.Parallel()
			c := newConsole(t)
			assert.Equal(t, int(exitUsage), c.run(t, strings.Fields(test.line)...))
			for _, want := range test.want {
				assert.Contains(t, c.errors.String(), want)
			}
			assert.Empty(t, c.out.String())
			assert.NoDirExists(t, filepath.Join(c.root, "state"), "nothing was done")
		})
	}
}

func TestExitCodeOfErrors(t *testing.T) {
	t.Parallel()
	tests := []struct {
		err  error
		want code
	}{
		{nil, 0},
		{errors.New("any"), 1},
		{&engine.FailedError{Reasons: []string{"x"}}, 1},
		{&usageError{"x"}, 2},
		{fmt.Errorf("more: %w", &usageError{"x"}), 2},
		{&silentError{exitStopped}, 3},
		{&silentError{exitDegraded}, 4},
		{errors.Join(&silentError{exitPending}, nil), 5},
		{&engine.BusyError{}, 6},
		{&missingError{"x"}, 7},
		{&pulumicli.MissingError{}, 7},
		{fmt.Errorf("up: %w", ErrInterrupted), 130},
	}
	for _, test := range tests {
		assert.Equal(t, test.want, exitCode(test.err), "%v", test.err)
	}
}

func TestTheStackIsFoundByTierOrName(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, target string
		arguments    []string
		want         string
	}{
		{"none", "local", nil, "local-mvp"},
		{"none on aws", "aws", nil, "mvp"},
		{"a tier", "local", []string{"tier2"}, "local-tier2"},
		{"a tier on aws", "aws", []string{"tier2"}, "tier2"},
		{"a whole name", "local", []string{"local-tier1"}, "local-tier1"},
		{"a name of one's own", "local", []string{"local-mvp-staging"}, "local-mvp-staging"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := newConsole(t)
			c.app.flags.target = test.target
			selected, err := c.app.selectStack(test.arguments)
			require.NoError(t, err)
			assert.Equal(t, test.want, selected.name)
			assert.Equal(t, filepath.Join(c.root, "state", test.want), selected.folder)
		})
	}
}

func TestConfigurationComesFromTheCheckoutAndTheCommandLine(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	c.write(t, "checkout/Pulumi.yaml", "name: rad-panel\nruntime: go\n")
	c.write(t, "checkout/Pulumi.local-mvp.yaml", "config:\n  rad-panel:logLevel: warn\n  rad-panel:httpPort: \"8080\"\n")
	c.app.Folder = filepath.Join(c.root, "checkout", "deep", "inside")
	c.app.flags = flags{target: "local", config: []string{"logLevel=debug", "rad-panel:fileSizeLimit=1MiB"}}

	selected, err := c.app.selectStack([]string{"mvp"})
	require.NoError(t, err)
	assert.Equal(t, filepath.Join(c.root, "checkout"), selected.project)
	stack, config, err := c.app.load(selected)
	require.NoError(t, err)
	assert.Equal(t, map[string]string{"logLevel": "debug", "httpPort": "8080", "fileSizeLimit": "1MiB"}, config)
	assert.Equal(t, "debug", stack.Settings.LogLevel)
	assert.Equal(t, 8080, stack.Settings.HTTPPort)
}

func TestAProjectOfAnotherNameIsNotOurs(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	c.write(t, "Pulumi.yaml", "name: rad-panel\n")
	c.write(t, "other/Pulumi.yaml", "name: something\n")
	assert.Equal(t, c.root, projectAround(filepath.Join(c.root, "other")))
}

func TestTheReleaseIsFoundOrItsAbsenceExplained(t *testing.T) {
	t.Parallel()
	release := func(t *testing.T, c *console, folder string) string {
		t.Helper()
		c.write(t, folder+"/radpanel", "binary")
		c.write(t, folder+"/web/index.html", "<html>")
		return filepath.Join(c.root, folder)
	}
	t.Run("beside rad", func(t *testing.T) {
		t.Parallel()
		c := newConsole(t)
		want := release(t, c, "bin")
		found, err := c.app.findRelease(selection{})
		require.NoError(t, err)
		assert.Equal(t, want, found)
	})
	t.Run("in the checkout", func(t *testing.T) {
		t.Parallel()
		c := newConsole(t)
		want := release(t, c, "checkout/bin")
		found, err := c.app.findRelease(selection{project: filepath.Join(c.root, "checkout")})
		require.NoError(t, err)
		assert.Equal(t, want, found)
	})
	t.Run("the flag before the variable", func(t *testing.T) {
		t.Parallel()
		c := newConsole(t)
		want := release(t, c, "flag")
		c.environment["RAD_RELEASE_FOLDER"] = release(t, c, "variable")
		c.app.flags.release = "flag"
		found, err := c.app.findRelease(selection{})
		require.NoError(t, err)
		assert.Equal(t, want, found)
	})
	t.Run("nowhere", func(t *testing.T) {
		t.Parallel()
		c := newConsole(t)
		_, err := c.app.findRelease(selection{})
		require.ErrorContains(t, err, "radpanel and web/index.html missing")
		require.ErrorContains(t, err, "make build")
		assert.Equal(t, exitMissing, exitCode(err))
	})
	t.Run("half of one", func(t *testing.T) {
		t.Parallel()
		c := newConsole(t)
		c.write(t, "half/radpanel", "binary")
		c.app.flags.release = "half"
		_, err := c.app.findRelease(selection{})
		require.ErrorContains(t, err, "half holds no release: web/index.html missing")
	})
}

func TestPurgeWithoutATerminalNeedsYes(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	kept := c.write(t, "state/local-mvp/data", "precious")
	c.app.Stdin = strings.NewReader("local-mvp\n") // Not a terminal: an answer in a pipe is no consent.
	assert.Equal(t, int(exitUsage), c.run(t, "down", "mvp", "--purge"))
	assert.Contains(t, c.errors.String(), "add --yes")
	assert.FileExists(t, kept)
}

func TestDownOfWhatIsNotThereIsDone(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	for _, arguments := range [][]string{{"down"}, {"down", "mvp", "--purge"}, {"down", "mvp", "--purge", "--yes"}} {
		assert.Equal(t, int(exitDone), c.run(t, arguments...), c.errors.String())
		assert.Contains(t, c.out.String(), "nothing to do")
	}
}

func TestStatusOfWhatIsNotThere(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	assert.Equal(t, int(exitStopped), c.run(t, "status"))
	assert.Equal(t, "local-mvp  absent: there is no such stack on this machine; `rad up local-mvp` makes it\n", c.out.String())
	assert.Equal(t, int(exitStopped), c.run(t, "status", "mvp", "--json"))
	assert.JSONEq(t, `{"stack":"local-mvp","target":"local","state":"absent","data_bytes":0,"services":[]}`, c.out.String())
}

func TestEveryFieldOfTheJSONIsDocumented(t *testing.T) {
	t.Parallel()
	topic := jsonTopic().Long
	var check func(of reflect.Type)
	check = func(of reflect.Type) {
		for i := range of.NumField() {
			field := of.Field(i)
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			require.NotEmpty(t, name, "%s.%s has no name in JSON", of, field.Name)
			if name == "-" {
				continue
			}
			assert.NotEmpty(t, field.Tag.Get("doc"), "%s.%s", of, field.Name)
			assert.Contains(t, topic, name)
			if field.Type.Kind() == reflect.Slice && field.Type.Elem().Kind() == reflect.Struct {
				check(field.Type.Elem())
			}
		}
	}
	for _, event := range progress.Events() {
		check(reflect.TypeOf(event))
	}
	check(reflect.TypeFor[Status]())
	check(reflect.TypeFor[Cost]())
	check(reflect.TypeFor[CostTable]())
}

// TestTheDocumentIsFresh fails if docs/rad.md is not what `make docs` writes.
func TestTheDocumentIsFresh(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	require.Equal(t, int(exitDone), c.run(t, "docs"))
	path := "../../../../docs/rad.md"
	if *update {
		require.NoError(t, os.WriteFile(path, c.out.Bytes(), 0o644))
	}
	document, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, c.out.String(), string(document), "run `make docs`")
	for _, entry := range exitCodes() {
		assert.Contains(t, string(document), entry.meaning)
	}
}

func TestPrepareSaysEverythingThatIsMissing(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	c.environment["PATH"] = filepath.Join(c.root, "nothing")
	assert.Equal(t, int(exitMissing), c.run(t, "prepare"))
	assert.Contains(t, c.errors.String(), "no release to deploy")
	assert.Contains(t, c.errors.String(), "rad needs the Pulumi command line")

	c.environment[pulumicli.PathVariable] = c.script(t, "own/pulumi", "echo v3.256.0")
	c.write(t, "bin/radpanel", "binary")
	c.write(t, "bin/web/index.html", "<html>")
	assert.Equal(t, int(exitDone), c.run(t, "prepare"), c.errors.String())
	assert.Contains(t, c.out.String(), "pulumi 3.256.0: "+filepath.Join(c.root, "own", "pulumi"))
	assert.Contains(t, c.out.String(), "release: "+filepath.Join(c.root, "bin"))
}

// A purge that was broken off just before its end has left nothing but the record of a promotion: the next one removes it.
func TestAPurgeOfAStackThatIsGoneForgetsItsPromotion(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	record := c.write(t, "state/promotions/local-mvp--local-tier1.json", `{"from":"local-mvp","to":"local-tier1","step":"finished"}`)
	assert.Equal(t, 0, c.run(t, "down", "mvp"), c.errors.String())
	assert.FileExists(t, record, "without --purge, it is kept")
	assert.Equal(t, 0, c.run(t, "down", "mvp", "--purge", "--yes"), c.errors.String())
	assert.NoFileExists(t, record)
}

// An empty variable in a script must not mean the folder of all stacks.
func TestNoNameIsNoStack(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	kept := c.write(t, "state/local-mvp/data", "precious")
	assert.Equal(t, int(exitUsage), c.run(t, "down", "", "--purge", "--yes"))
	assert.Contains(t, c.errors.String(), `stack name ""`)
	assert.FileExists(t, kept)
}

func TestTheStateFolderCanBePassedWhateverTheUmask(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	old := syscall.Umask(0o077)
	folder := filepath.Join(c.root, "deep", "state")
	err := makeStateFolder(folder)
	syscall.Umask(old)
	require.NoError(t, err)
	for _, made := range []string{folder, filepath.Dir(folder)} {
		info, err := os.Stat(made)
		require.NoError(t, err)
		assert.Equal(t, os.FileMode(0o711), info.Mode().Perm(), made)
	}
}

func TestEveryReasonIsToldOfSeveralErrors(t *testing.T) {
	t.Parallel()
	failed := &engine.FailedError{Reasons: []string{"port 80 is taken", "no disk"}}
	assert.Equal(t, []string{"port 80 is taken", "no disk"}, reasons(failed))
	assert.Equal(t, []string{"first", "port 80 is taken", "no disk"}, reasons(errors.Join(errors.New("first"), errors.Join(failed, nil))))
	assert.Equal(t, []string{"preview of stack x: port 80 is taken\nno disk"}, reasons(fmt.Errorf("preview of stack x: %w", failed)))
}
