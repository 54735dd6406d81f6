package supervisor_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/infra/local/supervisor"
)

// TestMain lets the test binary be the service that the tests supervise.
func TestMain(m *testing.M) {
	switch {
	case len(os.Args) > 2 && os.Args[1] == "master":
		exit(serveMaster(os.Args[2]))
	case len(os.Args) > 1 && os.Args[1] == "worker":
		exit(serveWorker())
	}
	os.Exit(m.Run())
}

func exit(err error) {
	if err != nil {
		fmt.Println("server:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// serveMaster behaves like nginx: it opens the port and leaves the requests to a worker, which is replaced at HUP and
// outlives its master's kill -9.
func serveMaster(address string) error {
	if problem := os.Getenv("FAIL"); problem != "" {
		return errors.New(problem)
	}
	listener, err := net.Listen("tcp", address) //nolint:noctx // A test server.
	if err != nil {
		return err
	}
	port, err := listener.(*net.TCPListener).File()
	if err != nil {
		return err
	}
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGTERM)
	for {
		worker := exec.CommandContext(context.Background(), "/proc/self/exe", "worker")
		worker.ExtraFiles = []*os.File{port}
		worker.Stdout, worker.Stderr = os.Stdout, os.Stderr
		if err := worker.Start(); err != nil {
			return err
		}
		ended := make(chan error, 1)
		go func() { ended <- worker.Wait() }()
		select {
		case <-ended: //nolint:errcheck // Replaced, as nginx does.
		case s := <-signals:
			if err := errors.Join(worker.Process.Kill(), ignore(<-ended)); err != nil {
				return err
			}
			if s == syscall.SIGTERM {
				fmt.Println("bye")
				return nil
			}
		}
	}
}

func ignore(error) error { return nil }

func serveWorker() error {
	listener, err := net.FileListener(os.NewFile(3, "port"))
	if err != nil {
		return err
	}
	answer, err := os.ReadFile("conf/answer")
	if err != nil {
		return err
	}
	return http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(w, "%s master=%d uid=%d value=%s", answer, os.Getppid(), os.Getuid(), os.Getenv("VALUE"))
	}))
}

// fixture is a stack of its own for one test, gone with all its processes when the test ends.
type fixture struct {
	*testing.T
	stack   supervisor.Stack
	binary  string
	address string
}

func newFixture(t *testing.T, services ...string) *fixture {
	t.Helper()
	return newFixtureIn(t, func(folder string) string { return folder }, services...)
}

// newFixtureIn is newFixture, whose folder is reached by the path that place gives.
func newFixtureIn(t *testing.T, place func(folder string) string, services ...string) *fixture {
	t.Helper()
	t.Parallel()
	// Not t.TempDir: unix sockets need a short path, and other accounts must reach into it.
	folder, err := os.MkdirTemp("/tmp", "rad-")
	require.NoError(t, err)
	require.NoError(t, os.Chmod(folder, 0o711))
	stack, err := supervisor.Open(filepath.Join(place(folder), "stack"))
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		assert.NoError(t, stack.Stop(ctx, nil))
		left, err := stack.Processes(ctx)
		assert.NoError(t, err)
		assert.Empty(t, left, "processes of the stack that survived its stop")
		assert.NoError(t, os.RemoveAll(folder))
	})
	self, err := os.Executable()
	require.NoError(t, err)
	binary := filepath.Join(folder, "server")
	copyFile(t, self, binary)
	require.NoError(t, stack.Prepare(services))
	require.NoError(t, stack.Start(t.Context()))
	return &fixture{T: t, stack: stack, binary: binary, address: freeAddress(t)}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	content, err := os.ReadFile(from)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(to, content, 0o755))
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // A test.
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	return listener.Addr().String()
}

func (f *fixture) spec(name, value, answer string) supervisor.Spec {
	return supervisor.Spec{
		Name:        name,
		Account:     supervisor.Panel,
		Command:     []string{f.binary, "master", f.address},
		Environment: map[string]string{"VALUE": value},
		Files:       map[string]string{"answer": answer + " @GENERATION@"},
		Reloadable:  []string{"answer"},
		Folders:     map[string]fs.FileMode{"data": 0o700},
		StopSignal:  "TERM",
		StopTimeout: 5 * time.Second,
		Ready:       supervisor.Probe{Kind: supervisor.HTTP, Address: f.address, Body: "@GENERATION@", Timeout: 15 * time.Second},
		Secrets:     []string{"hunter2"},
	}
}

func (f *fixture) apply(spec supervisor.Spec) string {
	f.Helper()
	digest, err := f.stack.Apply(f.Context(), spec)
	require.NoError(f, err)
	return digest
}

// reply is what the server says about itself.
type reply struct {
	text        string
	master, uid int
	value       string
}

func (f *fixture) ask() (reply, error) {
	client := http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	request, err := http.NewRequestWithContext(f.Context(), http.MethodGet, "http://"+f.address, nil)
	if err != nil {
		return reply{}, err
	}
	response, err := client.Do(request)
	if err != nil {
		return reply{}, err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return reply{}, err
	}
	var r reply
	r.text = string(body)
	at := strings.Index(r.text, "master=")
	if at < 0 {
		return r, fmt.Errorf("unexpected answer %q", r.text)
	}
	_, err = fmt.Sscanf(r.text[at:], "master=%d uid=%d value=%s", &r.master, &r.uid, &r.value)
	return r, err
}

func (f *fixture) mustAsk() reply {
	f.Helper()
	r, err := f.ask()
	require.NoError(f, err)
	return r
}

func (f *fixture) state(name string) supervisor.Status {
	f.Helper()
	all, err := f.stack.Status(f.Context())
	require.NoError(f, err)
	i := slices.IndexFunc(all, func(s supervisor.Status) bool { return s.Name == name })
	require.GreaterOrEqual(f, i, 0, "service %s in %v", name, all)
	return all[i]
}

// named lists the processes of the stack whose command line matches.
func (f *fixture) named(parts ...string) []int {
	f.Helper()
	pids, err := f.stack.Processes(f.Context())
	require.NoError(f, err)
	return slices.DeleteFunc(pids, func(pid int) bool {
		raw, _ := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "cmdline"))
		line := strings.ReplaceAll(string(raw), "\x00", " ")
		return slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(line, part) })
	})
}

func (f *fixture) eventually(condition func(t *assert.CollectT)) {
	f.Helper()
	require.EventuallyWithT(f, condition, 30*time.Second, 20*time.Millisecond)
}

func (f *fixture) kill(pids ...int) {
	f.Helper()
	f.signal(syscall.SIGKILL, pids...)
}

func (f *fixture) signal(signal syscall.Signal, pids ...int) {
	f.Helper()
	require.NotEmpty(f, pids)
	for _, pid := range pids {
		// One may be gone by now: the death of another can take it along.
		if err := syscall.Kill(pid, signal); !errors.Is(err, syscall.ESRCH) {
			require.NoError(f, err)
		}
	}
}

func TestApplyDoesNoMoreThanItMust(t *testing.T) {
	f := newFixture(t, "web")
	first := f.apply(f.spec("web", "one", "hello"))
	before := f.mustAsk()
	assert.Contains(t, before.text, "hello "+first)
	assert.Equal(t, "one", before.value)
	if os.Geteuid() == 0 {
		assert.NotZero(t, before.uid, "it must not run as root")
	}

	assert.Equal(t, first, f.apply(f.spec("web", "one", "hello")))
	assert.Equal(t, before.master, f.mustAsk().master, "nothing changed: it keeps running")

	reloaded := f.apply(f.spec("web", "one", "good day"))
	assert.NotEqual(t, first, reloaded)
	assert.Equal(t, before.master, f.mustAsk().master, "a reloadable file: no restart")
	assert.Contains(t, f.mustAsk().text, "good day "+reloaded)

	f.apply(f.spec("web", "it's two", "good day"))
	assert.NotEqual(t, before.master, f.mustAsk().master, "the environment: a restart")
	assert.Equal(t, "it's", f.mustAsk().value)

	status := f.state("web")
	assert.Equal(t, supervisor.Running, status.State)
	assert.Zero(t, status.Restarts.Count, "restarts by Apply are no crashes")
}

func TestDriftIsSeenAndRepaired(t *testing.T) {
	f := newFixture(t, "web")
	spec := f.spec("web", "one", "hello")
	digest := f.apply(spec)
	drift := func() string {
		reason, err := f.stack.Drift(t.Context(), "web", digest)
		require.NoError(t, err)
		return reason
	}
	require.Empty(t, drift())

	require.NoError(t, os.WriteFile(filepath.Join(f.stack.Conf("web"), "answer"), []byte("evil"), 0o600))
	assert.Contains(t, drift(), "changed its configuration")
	f.apply(spec)
	assert.Empty(t, drift())
	assert.Contains(t, f.mustAsk().text, "hello")

	require.NoError(t, f.stack.StopService(t.Context(), "web"))
	assert.Contains(t, drift(), "stopped")
	f.apply(spec)
	assert.Empty(t, drift())

	require.NoError(t, f.stack.Stop(t.Context(), nil))
	assert.NotEmpty(t, drift())
	require.NoError(t, f.stack.Start(t.Context()))
	f.apply(spec)
	assert.Empty(t, drift())

	frozen := f.mustAsk().master
	for _, pid := range append(f.named("worker"), frozen) {
		require.NoError(t, syscall.Kill(pid, syscall.SIGSTOP))
	}
	// A signal takes a moment to arrive.
	f.eventually(func(c *assert.CollectT) { assert.Contains(c, drift(), "deadline exceeded") })
	f.apply(spec)
	assert.Empty(t, drift())
	assert.NotEqual(t, frozen, f.mustAsk().master, "a process that hangs is replaced")
}

func TestAFrozenServiceIsKilledAndStartsAgain(t *testing.T) {
	f := newFixture(t, "web")
	f.apply(f.spec("web", "one", "hello"))
	frozen := f.mustAsk().master
	f.signal(syscall.SIGSTOP, frozen)
	require.NoError(t, f.stack.KillService("web"))
	f.eventually(func(c *assert.CollectT) {
		pids, err := f.stack.Processes(t.Context())
		assert.NoError(c, err)
		assert.NotContains(c, pids, frozen)
		assert.Equal(c, supervisor.Running, f.state("web").State)
	})
	assert.NotEqual(t, frozen, f.mustAsk().master)

	require.NoError(t, f.stack.StopService(t.Context(), "web"))
	require.NoError(t, f.stack.KillService("web"))
	assert.NotEqual(t, supervisor.Running, f.state("web").State, "what is to be stopped stays so")
}

func TestKilledProcessesComeBackOnce(t *testing.T) {
	for victim, parts := range map[string][]string{
		"service":    {"master"},
		"worker":     {"worker"},
		"logger":     {"supervisor/logger"},
		"runsv":      {"/usr/bin/runsv", "web"},
		"loop":       {"/supervisor/loop", "web"},
		"supervisor": {"runsvdir"},
		"guard":      {"supervisor/guard"},
	} {
		t.Run(victim, func(t *testing.T) {
			f := newFixture(t, "web")
			f.apply(f.spec("web", "one", "hello"))
			all, err := f.stack.Processes(t.Context())
			require.NoError(t, err)
			for range 3 {
				victims := f.named(parts...)
				f.kill(victims...)
				f.eventually(func(c *assert.CollectT) {
					now, err := f.stack.Processes(t.Context())
					assert.NoError(c, err)
					for _, pid := range victims {
						assert.NotContains(c, now, pid)
					}
					// Two loops may wait for a runsv that they did not start, each with the flock that it waits in.
					assert.LessOrEqual(c, len(now), len(all)+2, "nothing piles up")
					assert.Len(c, f.named(parts...), len(victims), "what was killed is back")
					_, err = f.ask()
					assert.NoError(c, err)
					assert.Len(c, f.named("master"), 1)
					assert.Len(c, f.named("worker"), 1)
					assert.Equal(c, supervisor.Running, f.state("web").State)
				})
			}
			if victim == "service" {
				restarts := f.state("web").Restarts
				assert.Equal(t, 3, restarts.Count)
				assert.Equal(t, "signal 9", restarts.LastExit)
			}
			assert.True(t, f.stack.Running())
		})
	}
}

func TestEverythingKilledAtOnceStartsAgain(t *testing.T) {
	f := newFixture(t, "web")
	f.apply(f.spec("web", "one", "hello"))
	pids, err := f.stack.Processes(t.Context())
	require.NoError(t, err)
	// Held first, so that none can repair the death of another: as if the machine had lost its power.
	f.signal(syscall.SIGSTOP, pids...)
	f.kill(pids...)
	f.eventually(func(c *assert.CollectT) { assert.False(c, f.stack.Running()) })
	require.NoError(t, f.stack.Start(t.Context()))
	f.eventually(func(c *assert.CollectT) {
		_, err := f.ask()
		assert.NoError(c, err)
	})
}

func TestStopEndsDependantsFirst(t *testing.T) {
	f := newFixture(t, "base", "top", "middle")
	base := f.spec("base", "1", "x")
	f.apply(base)
	f.address = freeAddress(t)
	middle := f.spec("middle", "1", "x")
	middle.Requires = []string{"base"}
	f.apply(middle)
	f.address = freeAddress(t)
	top := f.spec("top", "1", "x")
	top.Requires = []string{"middle"}
	f.apply(top)

	var order []string
	require.NoError(t, f.stack.Stop(t.Context(), func(name string) { order = append(order, name) }))
	assert.Equal(t, []string{"top", "middle", "base"}, order)
	left, err := f.stack.Processes(t.Context())
	require.NoError(t, err)
	assert.Empty(t, left)
	assert.Equal(t, supervisor.Down, f.state("base").State)
	log, err := os.ReadFile(filepath.Join(f.stack.Log("base"), "current"))
	require.NoError(t, err)
	assert.Contains(t, string(log), "bye", "it was asked to stop, not killed")
}

func TestWhatDoesNotWorkIsTakenBack(t *testing.T) {
	f := newFixture(t, "web")
	broken := f.spec("web", "two", "hello")
	broken.Environment["FAIL"] = "cannot go on: password hunter2"
	_, err := f.stack.Apply(t.Context(), broken)
	require.ErrorContains(t, err, "cannot go on")
	assert.ErrorContains(t, err, "password [secret]")
	assert.NotContains(t, err.Error(), "hunter2")
	assert.Equal(t, supervisor.Down, f.state("web").State)
	entries, err := os.ReadDir(f.stack.Folder("web"))
	require.NoError(t, err)
	require.Len(t, entries, 1, "only the service's own folder is left: %v", entries)

	good := f.spec("web", "one", "hello")
	f.apply(good)
	_, err = f.stack.Apply(t.Context(), broken)
	require.ErrorContains(t, err, "the configuration before is in force again and works")
	assert.Equal(t, "one", f.mustAsk().value)

	refused := f.spec("web", "one", "hello")
	refused.Check = []string{"/bin/sh", "-c", "grep -q goodbye " + f.stack.Conf("web") + "/answer || { echo expected goodbye; exit 1; }"}
	_, err = f.stack.Apply(t.Context(), refused)
	require.ErrorContains(t, err, "expected goodbye")
	assert.Equal(t, "one", f.mustAsk().value)
	refused.Files["answer"] = "goodbye @GENERATION@"
	f.apply(refused)
}

func TestStrangerOnThePort(t *testing.T) {
	f := newFixture(t, "web")
	stranger, err := net.Listen("tcp", f.address) //nolint:noctx // A test.
	require.NoError(t, err)
	_, err = f.stack.Apply(t.Context(), f.spec("web", "one", "hello"))
	require.ErrorContains(t, err, f.address+" is taken by process "+strconv.Itoa(os.Getpid()))
	require.NoError(t, stranger.Close())
	f.apply(f.spec("web", "one", "hello"))
}

func TestStrangerThatAnswersInItsPlace(t *testing.T) {
	f := newFixture(t, "web")
	other := f.address
	spec := f.spec("web", "one", "hello")
	server := &http.Server{Addr: freeAddress(t), ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})}
	listener, err := net.Listen("tcp", server.Addr) //nolint:noctx // A test.
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close(); assert.Error(t, <-done) })
	digest := f.apply(spec)
	assert.NotEqual(t, other, server.Addr)

	// The service runs, yet another process has the port that it should have.
	record := filepath.Join(f.stack.Directory(), "services", "web", "record.json")
	raw, err := os.ReadFile(record)
	require.NoError(t, err)
	replaced := strings.ReplaceAll(strings.ReplaceAll(string(raw), other, server.Addr), "@GENERATION@", "")
	require.NoError(t, os.WriteFile(record, []byte(replaced), 0o600))
	drift, err := f.stack.Drift(t.Context(), "web", digest)
	require.NoError(t, err)
	assert.Contains(t, drift, "answers in its place")
	assert.Contains(t, drift, strconv.Itoa(os.Getpid()))
}

func TestTheStackMayBeReachedThroughALink(t *testing.T) {
	f := newFixtureIn(t, func(folder string) string {
		link := folder + ".link"
		require.NoError(t, os.Symlink(folder, link))
		t.Cleanup(func() { assert.NoError(t, os.Remove(link)) })
		return link
	}, "web")
	f.apply(f.spec("web", "one", "hello"))
	before := f.mustAsk()
	f.kill(before.master) // Its worker holds the port until it is found.
	f.eventually(func(c *assert.CollectT) {
		now, err := f.ask()
		assert.NoError(c, err)
		assert.NotEqual(c, before.master, now.master)
	})
}

// The supervisor of an older release emptied it on a disk that was full.
func TestAnEmptyRecordOfRestartsIsNone(t *testing.T) {
	f := newFixture(t, "web")
	f.apply(f.spec("web", "one", "hello"))
	folders, err := filepath.Glob(filepath.Join(filepath.Dir(f.binary), "stack", "services", "web"))
	require.NoError(t, err)
	require.Len(t, folders, 1)
	require.NoError(t, os.WriteFile(filepath.Join(folders[0], "restarts"), nil, 0o600))
	assert.Zero(t, f.state("web").Restarts)
}

func TestWhatIsKilledComesBackOnAFullDisk(t *testing.T) {
	f := newFixture(t, "web")
	digest := f.apply(f.spec("web", "one", "hello"))
	before := f.mustAsk()
	started := filepath.Join(f.stack.Directory(), "services", "web", "started")
	// The record alone is on the disk that is full: on a shared one, what another frees may be enough for it. It was emptied
	// by a start before.
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=4k"); err != nil {
		t.Skipf("cannot mount a small disk here (it takes root): %v", err)
	}
	t.Cleanup(func() { assert.NoError(t, syscall.Unmount(disk, syscall.MNT_DETACH)) })
	fill, record := filepath.Join(disk, "fill"), filepath.Join(disk, "started")
	require.NoError(t, os.WriteFile(fill, make([]byte, 4096), 0o600))
	require.NoError(t, os.WriteFile(record, nil, 0o600))
	require.NoError(t, syscall.Mount(record, started, "", syscall.MS_BIND, ""))
	t.Cleanup(func() { assert.NoError(t, syscall.Unmount(started, syscall.MNT_DETACH)) })
	f.kill(before.master)
	f.awaitSuccessor(before.master)
	require.NoError(t, os.Remove(fill))
	before = f.mustAsk()
	f.kill(before.master)
	f.awaitSuccessor(before.master)
	text, err := os.ReadFile(started)
	require.NoError(t, err)
	assert.Equal(t, "conf-"+digest+"\n", string(text))
}

// awaitSuccessor waits until another master answers. A worker that outlived its own is none.
func (f *fixture) awaitSuccessor(master int) {
	f.Helper()
	f.eventually(func(c *assert.CollectT) {
		now, err := f.ask()
		assert.NoError(c, err)
		assert.NotEqual(c, master, now.master)
		assert.Contains(c, f.named("master", f.address), now.master)
	})
}

// By the time of the record it is seen how long a service ran.
func TestEachStartIsRecordedAnew(t *testing.T) {
	f := newFixture(t, "web")
	f.apply(f.spec("web", "one", "hello"))
	started := filepath.Join(f.stack.Directory(), "services", "web", "started")
	text, err := os.ReadFile(started)
	require.NoError(t, err)
	long := time.Now().Add(-time.Hour)
	require.NoError(t, os.Chtimes(started, long, long))
	before := f.mustAsk()
	f.kill(before.master)
	f.awaitSuccessor(before.master)
	info, err := os.Stat(started)
	require.NoError(t, err)
	assert.Less(t, time.Since(info.ModTime()), time.Minute)
	again, err := os.ReadFile(started)
	require.NoError(t, err)
	assert.Equal(t, text, again)
}

func TestFailingServiceIsStartedLessAndLessOften(t *testing.T) {
	f := newFixture(t, "web")
	f.apply(f.spec("web", "one", "hello"))
	// Its program goes away: it cannot start any more.
	require.NoError(t, os.Rename(f.binary, f.binary+".away"))
	f.kill(f.named("master")...)
	f.eventually(func(c *assert.CollectT) {
		status := f.state("web")
		assert.Equal(c, supervisor.Failing, status.State)
		assert.Contains(c, status.Problem, "exit code")
	})
	count := f.state("web").Restarts.Count
	require.NoError(t, os.Rename(f.binary+".away", f.binary))
	f.eventually(func(c *assert.CollectT) {
		_, err := f.ask()
		assert.NoError(c, err, "it comes back by itself")
	})
	assert.LessOrEqual(t, f.state("web").Restarts.Count, count+2)
}

func TestRemovedServiceLeavesItsDataAlone(t *testing.T) {
	f := newFixture(t, "web", "other")
	f.apply(f.spec("web", "one", "hello"))
	kept := filepath.Join(f.stack.Folder("web"), "data", "kept")
	require.NoError(t, os.WriteFile(kept, []byte("x"), 0o600))
	require.NoError(t, f.stack.RemoveService(t.Context(), "web"))
	assert.FileExists(t, kept)
	assert.NoDirExists(t, filepath.Join(f.stack.Directory(), "services", "web"))
	_, err := os.Lstat(f.stack.Conf("web"))
	require.ErrorIs(t, err, fs.ErrNotExist)
	f.eventually(func(c *assert.CollectT) { assert.Empty(c, f.named("web")) })
	// And it can be made again.
	f.apply(f.spec("web", "one", "hello"))
}
