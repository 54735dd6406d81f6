package engine_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	p "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi-go-provider/infer"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/cmd/rad/internal/engine"
	"github.com/radpanel/radpanel/cmd/rad/internal/progress"
	"github.com/radpanel/radpanel/cmd/rad/internal/pulumicli"
	"github.com/radpanel/radpanel/cmd/rad/internal/pulumicli/pulumiclitest"
)

// secretValue must be found nowhere: not in the state, not in an event.
const secretValue = "correct-horse-battery-staple"

// childVariable makes the test binary run an engine instead of tests, in the folder that it names, so that a test
// can kill it as a user's rad would be killed.
const childVariable = "RAD_ENGINE_TEST_CHILD"

func TestMain(m *testing.M) {
	if folder := os.Getenv(childVariable); folder != "" {
		os.Exit(child(folder))
	}
	os.Exit(m.Run())
}

// note is a resource of the tests' own provider: a file.
type note struct{ gate gate }

// gate holds a note's Create until it is opened, so that a test can act in the middle of it.
type gate struct {
	entered chan struct{}
	open    chan struct{}
}

// Annotate gives the resource its token, whatever the name of this package.
func (n *note) Annotate(annotator infer.Annotator) { annotator.SetToken("index", "Note") }

type noteInputs struct {
	Folder string `pulumi:"folder"`
	Text   string `pulumi:"text"`
	Key    string `pulumi:"key" provider:"secret"`
	Gate   bool   `pulumi:"gate,optional"`
}

type noteState struct {
	noteInputs
	Path string `pulumi:"path"`
	// Present is what a refresh found.
	Present bool `pulumi:"present"`
}

func (n *note) Create(ctx context.Context, request infer.CreateRequest[noteInputs]) (infer.CreateResponse[noteState], error) {
	path := filepath.Join(request.Inputs.Folder, request.Name)
	response := infer.CreateResponse[noteState]{ID: request.Name, Output: noteState{noteInputs: request.Inputs, Path: path, Present: true}}
	if request.DryRun {
		return response, nil
	}
	p.GetLogger(ctx).InfoStatus("writing")
	if request.Inputs.Text == "refused" {
		return response, fmt.Errorf("file %s is in use", path)
	}
	if request.Inputs.Text == "careless" { // As providers are that put all they know into an error.
		p.GetLogger(ctx).Warningf("connecting to postgres://owner:%s@db/panel", request.Inputs.Key)
		return response, fmt.Errorf(`dial https://owner:%s@db: {"password":%q}: PGPASSWORD=%s`, request.Inputs.Key, request.Inputs.Key, request.Inputs.Key)
	}
	if request.Inputs.Gate {
		close(n.gate.entered)
		select {
		case <-n.gate.open:
		case <-ctx.Done():
			return response, ctx.Err()
		}
	}
	return response, os.WriteFile(path, []byte(request.Inputs.Text), 0o600)
}

func (n *note) Read(_ context.Context, request infer.ReadRequest[noteInputs, noteState]) (infer.ReadResponse[noteInputs, noteState], error) {
	state := request.State
	_, err := os.Stat(state.Path)
	state.Present = err == nil
	return infer.ReadResponse[noteInputs, noteState]{ID: request.ID, Inputs: request.Inputs, State: state}, nil
}

func (n *note) Diff(_ context.Context, request infer.DiffRequest[noteInputs, noteState]) (p.DiffResponse, error) {
	diff := map[string]p.PropertyDiff{}
	if request.Inputs.Text != request.State.Text {
		diff["text"] = p.PropertyDiff{Kind: p.Update}
	}
	if request.Inputs.Key != request.State.Key {
		diff["key"] = p.PropertyDiff{Kind: p.Update}
	}
	if request.Inputs.Folder != request.State.Folder {
		diff["folder"] = p.PropertyDiff{Kind: p.UpdateReplace}
	}
	if !request.State.Present {
		diff["present"] = p.PropertyDiff{Kind: p.Update}
	}
	return p.DiffResponse{HasChanges: len(diff) > 0, DetailedDiff: diff}, nil
}

func (n *note) Update(ctx context.Context, request infer.UpdateRequest[noteInputs, noteState]) (infer.UpdateResponse[noteState], error) {
	created, err := n.Create(ctx, infer.CreateRequest[noteInputs]{Name: request.ID, Inputs: request.Inputs, DryRun: request.DryRun})
	return infer.UpdateResponse[noteState]{Output: created.Output}, err
}

func (n *note) Delete(_ context.Context, request infer.DeleteRequest[noteState]) (infer.DeleteResponse, error) {
	err := os.Remove(request.State.Path)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return infer.DeleteResponse{}, err
}

// notes declares notes by name and text, in order, each depending on the one before.
type notes [][2]string

// bench is a state folder and what tests do in it.
type bench struct {
	folder string
	cli    pulumicli.CLI
	gate   gate
	mutex  sync.Mutex
	events []progress.Event
}

func newBench(t *testing.T) *bench {
	t.Helper()
	return &bench{folder: t.TempDir(), cli: pulumiclitest.Find(t), gate: gate{entered: make(chan struct{}), open: make(chan struct{})}}
}

func (b *bench) home() engine.Home {
	return engine.Home{Folder: filepath.Join(b.folder, "pulumi"), Project: "rad-panel"}
}

func (b *bench) options(declared notes, gated bool) (engine.Options, error) {
	provide := func() (pulumirpc.ResourceProviderServer, error) {
		provider, err := infer.NewProviderBuilder().WithNamespace("rad").WithResources(infer.Resource(&note{gate: b.gate})).Build()
		if err != nil {
			return nil, err
		}
		return p.RawServer("notes", "0.1.0", provider)(nil)
	}
	return engine.Options{
		Home: b.home(), Stack: "local-mvp", Purpose: "the test", CLI: b.cli,
		Providers: map[string]func() (pulumirpc.ResourceProviderServer, error){"notes": provide},
		Config:    map[string]string{"logLevel": "debug"},
		Program:   declared.program(b.folder, gated),
		HoldsData: func(resourceType string) bool { return strings.HasSuffix(resourceType, ":Note") },
		Show: func(event progress.Event) {
			b.mutex.Lock()
			defer b.mutex.Unlock()
			b.events = append(b.events, event)
		},
	}, nil
}

func (n notes) program(folder string, gated bool) pulumi.RunFunc {
	return func(ctx *pulumi.Context) error {
		var before []pulumi.Resource
		for _, declared := range n {
			var resource pulumi.CustomResourceState
			properties := pulumi.Map{
				"folder": pulumi.String(folder), "text": pulumi.String(declared[1]), "key": pulumi.ToSecret(pulumi.String(secretValue)),
				"gate": pulumi.Bool(gated),
			}
			if err := ctx.RegisterResource("notes:index:Note", declared[0], properties, &resource, pulumi.DependsOn(before), pulumi.Protect(declared[1] == "protected")); err != nil {
				return err
			}
			before = append(before, &resource)
		}
		ctx.Export("url", pulumi.String("http://localhost:1"))
		ctx.Export("key", pulumi.ToSecret(pulumi.String(secretValue)))
		return nil
	}
}

func (b *bench) open(t *testing.T, declared notes, gated bool) *engine.Engine {
	t.Helper()
	options, err := b.options(declared, gated)
	require.NoError(t, err)
	opened, err := engine.Open(t.Context(), options)
	require.NoError(t, err)
	return opened
}

// up opens an engine, runs Up and closes it.
func (b *bench) up(t *testing.T, declared notes) (engine.Outcome, error) {
	t.Helper()
	opened := b.open(t, declared, false)
	defer func() { assert.NoError(t, opened.Close()) }()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	return opened.Up(ctx)
}

func (b *bench) read(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(b.folder, name))
	require.NoError(t, err)
	return string(content)
}

func TestUpCreatesThenLeavesThenUpdatesThenDeletes(t *testing.T) {
	t.Parallel()
	b := newBench(t)

	outcome, err := b.up(t, notes{{"one", "1"}, {"two", "2"}})
	require.NoError(t, err)
	assert.Equal(t, progress.Counts{progress.Create: 2}, outcome.Counts)
	assert.Equal(t, map[string]any{"url": "http://localhost:1", "key": "[secret]"}, outcome.Outputs)
	assert.Equal(t, "1", b.read(t, "one"))

	outcome, err = b.up(t, notes{{"one", "1"}, {"two", "2"}})
	require.NoError(t, err)
	assert.Equal(t, progress.Counts{progress.Same: 2}, outcome.Counts)
	assert.Equal(t, map[string]any{"url": "http://localhost:1", "key": "[secret]"}, outcome.Outputs, "known without a change too")

	outcome, err = b.up(t, notes{{"one", "uno"}, {"two", "2"}})
	require.NoError(t, err)
	assert.Equal(t, progress.Counts{progress.Update: 1, progress.Same: 1}, outcome.Counts)
	assert.Equal(t, "uno", b.read(t, "one"))

	outcome, err = b.up(t, notes{{"one", "uno"}})
	require.NoError(t, err)
	assert.Equal(t, progress.Counts{progress.Delete: 1, progress.Same: 1}, outcome.Counts)
	assert.NoFileExists(t, filepath.Join(b.folder, "two"))
}

func TestUpRepairsWhatWasRemovedBehindItsBack(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	_, err := b.up(t, notes{{"one", "1"}})
	require.NoError(t, err)
	require.NoError(t, os.Remove(filepath.Join(b.folder, "one")))

	outcome, err := b.up(t, notes{{"one", "1"}})
	require.NoError(t, err)
	assert.Equal(t, progress.Counts{progress.Update: 1}, outcome.Counts)
	assert.Equal(t, "1", b.read(t, "one"))
}

func TestSecretsStayOutOfStateEventsAndPermissionsOfOthers(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	_, err := b.up(t, notes{{"one", "1"}})
	require.NoError(t, err)

	passphrase, err := os.ReadFile(b.home().PassphraseFile())
	require.NoError(t, err)
	require.Greater(t, len(bytes.TrimSpace(passphrase)), 40)
	info, err := os.Stat(b.home().PassphraseFile())
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	info, err = os.Stat(b.home().Folder)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o700), info.Mode().Perm())

	files := 0
	require.NoError(t, filepath.WalkDir(b.home().Folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || path == b.home().PassphraseFile() {
			return err
		}
		files++
		content, err := os.ReadFile(path)
		assert.NotContains(t, string(content), secretValue, path)
		assert.NotContains(t, string(content), strings.TrimSpace(string(passphrase)), path)
		return err
	}))
	assert.Positive(t, files)
	shown, err := json.Marshal(b.events)
	require.NoError(t, err)
	assert.NotContains(t, string(shown), secretValue)
}

func TestALostPassphraseIsNotReplacedByANewOne(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	_, err := b.up(t, notes{{"one", "1"}})
	require.NoError(t, err)
	require.NoError(t, os.Remove(b.home().PassphraseFile()))

	options, err := b.options(notes{{"one", "1"}}, false)
	require.NoError(t, err)
	_, err = engine.Open(t.Context(), options)
	require.ErrorContains(t, err, "is missing")
	require.ErrorContains(t, err, "local-mvp")
	assert.NoFileExists(t, b.home().PassphraseFile())
}

func TestAFailedUpSaysWhyAndTheNextOneGoesOn(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	_, err := b.up(t, notes{{"one", "1"}, {"two", "refused"}, {"three", "3"}})
	var failed *engine.FailedError
	require.ErrorAs(t, err, &failed)
	assert.Equal(t, []string{"two: file " + b.folder + "/two is in use"}, failed.Reasons)
	assert.Equal(t, "1", b.read(t, "one"))

	outcome, err := b.up(t, notes{{"one", "1"}, {"two", "2"}, {"three", "3"}})
	require.NoError(t, err)
	assert.Equal(t, progress.Counts{progress.Same: 1, progress.Create: 2}, outcome.Counts)
}

func TestPreviewSaysWhatUpWouldDoAndDoesNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	_, err := b.up(t, notes{{"gone", "0"}, {"kept", "1"}, {"edited", "line one\nline two\n"}})
	require.NoError(t, err)

	opened := b.open(t, notes{{"new", "2"}, {"kept", "1"}, {"edited", "line one\nline 2\n"}}, false)
	outcome, err := opened.Preview(t.Context())
	require.NoError(t, err)
	require.NoError(t, opened.Close())
	assert.Equal(t, progress.Counts{progress.Same: 1, progress.Create: 1, progress.Update: 1, progress.Delete: 1}, outcome.Counts)
	assert.Equal(t, []progress.Change{
		{Resource: "gone", Type: "notes:index:Note", Operation: progress.Delete, Risk: progress.RiskData},
		{Resource: "edited", Type: "notes:index:Note", Operation: progress.Update, Properties: []progress.Property{
			{Path: "text", Kind: "update", Old: "line one\nline two\n", New: "line one\nline 2\n"},
		}},
		{Resource: "new", Type: "notes:index:Note", Operation: progress.Create},
	}, outcome.Changes)
	assert.Equal(t, "0", b.read(t, "gone"))
	assert.NoFileExists(t, filepath.Join(b.folder, "new"))
}

func TestASecondEngineOnTheSameStackFailsAtOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	first := b.open(t, notes{{"one", "1"}}, false)
	options, err := b.options(notes{{"one", "1"}}, false)
	require.NoError(t, err)
	_, err = engine.Open(t.Context(), options)
	var busy *engine.BusyError
	require.ErrorAs(t, err, &busy)
	assert.ErrorContains(t, err, "stack local-mvp is in use by the test (process")
	require.NoError(t, first.Close())
	second, err := engine.Open(t.Context(), options)
	require.NoError(t, err)
	require.NoError(t, second.Close())
}

func TestForgetRemovesTheStackAndLeavesItsResources(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	_, err := b.up(t, notes{{"one", "1"}})
	require.NoError(t, err)
	stacks, err := b.home().Stacks()
	require.NoError(t, err)
	assert.Equal(t, []string{"local-mvp"}, stacks)

	opened := b.open(t, nil, false)
	require.NoError(t, opened.Forget(t.Context()))
	require.NoError(t, opened.Close())
	stacks, err = b.home().Stacks()
	require.NoError(t, err)
	assert.Empty(t, stacks)
	assert.Equal(t, "1", b.read(t, "one"))
	require.NoError(t, filepath.WalkDir(filepath.Join(b.home().Folder, ".pulumi"), func(path string, entry fs.DirEntry, err error) error {
		assert.False(t, err == nil && !entry.IsDir() && strings.Contains(path, "local-mvp"), path)
		return err
	}))

	outcome, err := b.up(t, notes{{"one", "1"}})
	require.NoError(t, err)
	assert.Equal(t, progress.Counts{progress.Create: 1}, outcome.Counts)
}

func TestACanceledUpEndsCleanlyAndTheNextOneGoesOn(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	opened := b.open(t, notes{{"one", "1"}}, true)
	reason := errors.New("interrupted")
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() {
		<-b.gate.entered
		cancel(reason)
	}()
	_, err := opened.Up(ctx)
	require.ErrorIs(t, err, reason)
	require.NoError(t, opened.Close())
	locks, err := filepath.Glob(filepath.Join(b.home().Folder, ".pulumi/locks/organization/rad-panel/local-mvp/*.json"))
	require.NoError(t, err)
	assert.Empty(t, locks, "pulumi freed its lock")

	_, err = b.up(t, notes{{"one", "1"}})
	require.NoError(t, err)
	assert.Equal(t, "1", b.read(t, "one"))
}

// child is a rad that is about to be killed: it holds its gate shut for ever.
func child(folder string) int {
	b := &bench{folder: folder, gate: gate{entered: make(chan struct{}), open: make(chan struct{})}}
	b.cli.Path = os.Getenv(pulumicli.PathVariable)
	options, err := b.options(notes{{"one", "1"}, {"two", "2"}}, true)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	opened, err := engine.Open(context.Background(), options)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	go func() {
		<-b.gate.entered
		fmt.Println("entered")
	}()
	_, err = opened.Up(context.Background())
	fmt.Println(err)
	return 1
}

func TestUpAfterRadWasKilledInTheMiddleOfOne(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	startAndKill(t, b, false)

	outcome, err := b.up(t, notes{{"one", "1"}, {"two", "2"}})
	require.NoError(t, err)
	assert.Equal(t, progress.Counts{progress.Create: 2}, outcome.Counts)
	assert.Equal(t, "2", b.read(t, "two"))
	outcome, err = b.up(t, notes{{"one", "1"}, {"two", "2"}})
	require.NoError(t, err)
	assert.Equal(t, progress.Counts{progress.Same: 2}, outcome.Counts)
}

func TestUpAfterRadAndItsEngineWereKilledInTheMiddleOfOne(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	startAndKill(t, b, true)
	locks, err := filepath.Glob(filepath.Join(b.home().Folder, ".pulumi/locks/organization/rad-panel/local-mvp/*.json"))
	require.NoError(t, err)
	require.Len(t, locks, 1, "the lock of the killed pulumi is what this test is about")

	outcome, err := b.up(t, notes{{"one", "1"}, {"two", "2"}})
	require.NoError(t, err)
	assert.Equal(t, progress.Counts{progress.Create: 2}, outcome.Counts)
	assert.Contains(t, b.events, progress.Message{
		Severity: progress.Warning, Text: "the last run on this stack did not end cleanly: its lock was removed",
	})
	outcome, err = b.up(t, notes{{"one", "1"}, {"two", "2"}})
	require.NoError(t, err)
	assert.Equal(t, progress.Counts{progress.Same: 2}, outcome.Counts)
}

// startAndKill runs an engine in a process of its own and kills it, and its pulumi first if told to, in the middle of
// a Create.
func startAndKill(t *testing.T, b *bench, engineToo bool) {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	process := exec.CommandContext(t.Context(), self)
	process.Env = append(os.Environ(), childVariable+"="+b.folder, pulumicli.PathVariable+"="+b.cli.Path)
	out, err := process.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, process.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "entered\n", line)
	if engineToo {
		for _, pid := range childrenOf(t, process.Process.Pid) {
			require.NoError(t, syscall.Kill(pid, syscall.SIGSTOP)) // It must not see that its parent is gone.
			defer func() { assert.NoError(t, syscall.Kill(pid, syscall.SIGKILL)) }()
		}
	}
	require.NoError(t, process.Process.Kill())
	require.Error(t, process.Wait())
}

func childrenOf(t *testing.T, pid int) []int {
	t.Helper()
	var children []int
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	require.NoError(t, err)
	for _, task := range tasks {
		content, err := os.ReadFile(task)
		require.NoError(t, err)
		for _, field := range strings.Fields(string(content)) {
			var child int
			_, err := fmt.Sscan(field, &child)
			require.NoError(t, err)
			children = append(children, child)
		}
	}
	require.NotEmpty(t, children)
	return children
}
