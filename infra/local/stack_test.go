package local_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/infra"
	"github.com/radpanel/radpanel/infra/local"
	"github.com/radpanel/radpanel/infra/local/supervisor"
	"github.com/radpanel/radpanel/stacks"
)

// fixture is an MVP stack of one test, with real servers and the tests' own panel. It is gone, with every process, when
// the test ends.
type fixture struct {
	*testing.T
	engine  *engine
	options infra.Options
	config  map[string]string
	folder  string
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	t.Parallel()
	require.Empty(t, local.Requirements(stacks.Plan().Tiers[2].Blueprint), "install these first")
	// Not t.TempDir: unix sockets need a short path, and other accounts must reach into it.
	state, err := os.MkdirTemp("/tmp", "rad-")
	require.NoError(t, err)
	require.NoError(t, os.Chmod(state, 0o711))
	f := &fixture{
		T: t, folder: filepath.Join(state, "local-mvp"), config: map[string]string{},
		options: infra.Options{StateFolder: state, ReleaseFolder: filepath.Join(state, "bin")},
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
		defer cancel()
		stack, err := supervisor.Open(f.folder)
		assert.NoError(t, err)
		assert.NoError(t, local.Purge(ctx, f.folder, nil))
		left, err := stack.Processes(ctx)
		assert.NoError(t, err)
		assert.Empty(t, left, "processes that survived")
		assert.NoDirExists(t, f.folder)
		assert.NoError(t, os.RemoveAll(state))
	})
	self, err := os.Executable()
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(filepath.Join(f.options.ReleaseFolder, "web", "assets"), 0o750))
	content, err := os.ReadFile(self)
	require.NoError(t, err)
	f.build("radpanel", content)
	f.build("web/index.html", []byte("<title>first</title>"))
	f.newState()
	return f
}

// build writes a file of the release.
func (f *fixture) build(name string, content []byte) {
	f.Helper()
	require.NoError(f, os.WriteFile(filepath.Join(f.options.ReleaseFolder, name), content, 0o755))
}

// newState has the engine know nothing.
func (f *fixture) newState() {
	f.Helper()
	var err error
	f.engine, err = newEngine()
	require.NoError(f, err)
}

func (f *fixture) stack() stacks.Stack {
	f.Helper()
	stack, err := stacks.Load("local-mvp", f.config)
	require.NoError(f, err)
	return stack
}

func (f *fixture) up() map[string]string {
	f.Helper()
	changes, err := f.engine.up(f.stack(), f.options)
	require.NoError(f, err)
	return changes
}

func (f *fixture) status() map[string]local.Service {
	f.Helper()
	status, err := local.ReadStatus(f.Context(), f.folder)
	require.NoError(f, err)
	byName := map[string]local.Service{}
	for _, service := range status.Services {
		byName[service.Name] = service
	}
	return byName
}

func (f *fixture) pids() map[string]int {
	f.Helper()
	pids := map[string]int{}
	for name, service := range f.status() {
		pids[name] = service.PID
	}
	return pids
}

// request goes through nginx.
func (f *fixture) request(method, path string) (string, error) {
	status, err := local.ReadStatus(f.Context(), f.folder)
	if err != nil {
		return "", err
	}
	request, err := http.NewRequestWithContext(f.Context(), method, status.URL+path, nil)
	if err != nil {
		return "", err
	}
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return "", err
	}
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s %s: %d %s", method, path, response.StatusCode, body)
	}
	return string(body), nil
}

func (f *fixture) mustRequest(method, path string) string {
	f.Helper()
	body, err := f.request(method, path)
	require.NoError(f, err)
	return body
}

func (f *fixture) identity() (identity, error) {
	body, err := f.request(http.MethodGet, "/api/v1/identity")
	if err != nil {
		return identity{}, err
	}
	var id identity
	return id, json.Unmarshal([]byte(body), &id)
}

func (f *fixture) eventually(condition func(t *assert.CollectT)) {
	f.Helper()
	require.EventuallyWithT(f, condition, 45*time.Second, 50*time.Millisecond)
}

// works asserts that the whole stack does its work, and has not forgotten.
func (f *fixture) works(t require.TestingT, notes ...string) {
	id, err := f.identity()
	require.NoError(t, err)
	assert.Equal(t, notes, id.Notes)
	for name, service := range f.status() {
		assert.Equal(t, supervisor.Running, service.State, "%s: %s", name, service.Problem)
	}
}

func TestUpIsIdempotentAndChangesOnlyWhatDepends(t *testing.T) {
	f := newFixture(t)
	created := f.up()
	assert.Len(t, created, 26)
	f.mustRequest(http.MethodPost, "/api/v1/notes?text=first")
	f.works(t, "first")
	before := f.pids()

	assert.Empty(t, f.up(), "nothing changed")
	f.engine.refresh(t)
	assert.Empty(t, f.up(), "nothing changed, seen by a refresh")
	assert.Equal(t, before, f.pids())

	f.config["logLevel"] = "debug"
	assert.Equal(t, map[string]string{"panel": "update"}, f.up())
	after := f.pids()
	assert.NotEqual(t, before["panel"], after["panel"])
	delete(before, "panel")
	delete(after, "panel")
	assert.Equal(t, before, after, "only the panel was restarted")

	before = f.pids()
	f.build("web/index.html", []byte("<title>second</title>"))
	assert.Equal(t, map[string]string{"web-release": "update", "nginx": "update"}, f.up())
	assert.Equal(t, before, f.pids(), "nginx was only reloaded")
	assert.Contains(t, f.mustRequest(http.MethodGet, "/"), "second")

	content, err := os.ReadFile(filepath.Join(f.options.ReleaseFolder, "radpanel"))
	require.NoError(t, err)
	for build := range 3 { // What follows an ELF program changes its digest, and nothing else.
		f.build("radpanel", append(content, byte(build)))
		assert.Equal(t, map[string]string{"panel-release": "update", "panel": "update"}, f.up())
	}
	releases, err := os.ReadDir(filepath.Join(f.folder, "releases", "panel"))
	require.NoError(t, err)
	assert.Len(t, releases, 2, "the present release and the one before")
	f.works(t, "first")
	assert.Zero(t, f.status()["panel"].Restarts, "these were no crashes")
}

func TestServicesRunUnprivilegedAndKeepTheirSecrets(t *testing.T) {
	f := newFixture(t)
	f.up()
	id, err := f.identity()
	require.NoError(t, err)
	var secrets []string
	keys, err := os.ReadDir(filepath.Join(f.folder, "keys"))
	require.NoError(t, err)
	for _, key := range keys {
		raw, err := os.ReadFile(filepath.Join(f.folder, "keys", key.Name()))
		require.NoError(t, err)
		secrets = append(secrets, string(raw))
	}
	require.Len(t, secrets, 5)
	if os.Geteuid() == 0 {
		assert.GreaterOrEqual(t, id.UID, 61184, "the panel has a user id of its own")
	}
	stack, err := supervisor.Open(f.folder)
	require.NoError(t, err)
	processes, err := stack.Processes(t.Context())
	require.NoError(t, err)
	for _, pid := range processes {
		command, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "cmdline"))
		if err != nil {
			continue // It ended: a server's helper.
		}
		for _, secret := range secrets {
			assert.NotContains(t, string(command), secret)
		}
	}
	for name, pid := range f.pids() {
		info, err := os.Stat(filepath.Join("/proc", strconv.Itoa(pid)))
		require.NoError(t, err)
		if os.Geteuid() == 0 {
			assert.NotZero(t, info.Sys().(*syscall.Stat_t).Uid, "%s must not run as root", name)
		}
	}
	// No file that another account may read holds a secret, and no log does.
	require.NoError(t, filepath.WalkDir(f.folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() || strings.Contains(path, "/data/") || strings.Contains(path, "/releases/") {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, secret := range secrets {
			if strings.Contains(string(content), secret) {
				assert.Equal(t, fs.FileMode(0o600), info.Mode().Perm(), path)
				assert.NotContains(t, path, "/log/")
			}
		}
		return nil
	}))
	// In the state, they are marked as secret.
	for name, property := range map[string]string{
		"encryption-key": "value", "owner-password": "value", "panel": "secretEnvironment", "pgbouncer": "secretFiles",
	} {
		assert.True(t, f.engine.property(t, name, property).IsSecret(), "%s of %s", property, name)
	}
	assert.True(t, f.engine.property(t, "database", "owner").ContainsSecrets())
	assert.Equal(t, "info", f.engine.property(t, "panel", "environment", "RAD_LOG_LEVEL").StringValue(), "what is not secret shows")

	// The application can neither change the schema nor connect around the pooler's limits.
	_, err = f.request(http.MethodPost, "/api/v1/drop")
	require.ErrorContains(t, err, "must be owner of table notes")
	// Nothing listens on the network but nginx and the panel, on loopback.
	for _, service := range []string{"postgresql", "pgbouncer"} {
		assert.True(t, strings.HasPrefix(f.status()[service].Address, f.folder+"/"))
	}
	command, err := local.Command(t.Context(), f.folder, "-test.run=^$")
	require.NoError(t, err)
	assert.Contains(t, strings.Join(command.Env, "\n"), "RAD_ENCRYPTION_KEY=")
}

func TestKilledServersComeBackWithTheirData(t *testing.T) {
	f := newFixture(t)
	f.up()
	f.mustRequest(http.MethodPost, "/api/v1/notes?text=kept")
	children := func(pid int) []int {
		raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
		require.NoError(t, err)
		var pids []int
		for _, field := range strings.Fields(string(raw)) {
			child, err := strconv.Atoi(field)
			require.NoError(t, err)
			pids = append(pids, child)
		}
		return pids
	}
	parent := func(pid int) int {
		raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		require.NoError(t, err)
		fields := strings.Fields(string(raw[strings.LastIndex(string(raw), ")")+1:]))
		ppid, err := strconv.Atoi(fields[1])
		require.NoError(t, err)
		return ppid
	}
	for _, victim := range []struct {
		name string
		pids func() []int
	}{
		{"postgresql", func() []int { return []int{f.pids()["postgresql"]} }},
		{"a process of postgresql", func() []int { return children(f.pids()["postgresql"])[:1] }},
		{"pgbouncer", func() []int { return []int{f.pids()["pgbouncer"]} }},
		{"panel", func() []int { return []int{f.pids()["panel"]} }},
		{"nginx", func() []int { return []int{f.pids()["nginx"]} }},
		{"the workers of nginx", func() []int { return children(f.pids()["nginx"]) }},
		{"the supervisors of all", func() []int {
			var all []int
			for _, pid := range f.pids() {
				all = append(all, parent(pid))
			}
			return all
		}},
		{"the supervisor's supervisor", func() []int {
			// runsvdir is the parent of the loop around runsv.
			return []int{parent(parent(parent(f.pids()["panel"])))}
		}},
		{"all servers at once", func() []int { return slices.Collect(maps.Values(f.pids())) }},
	} {
		started := time.Now()
		pids := victim.pids()
		require.NotEmpty(t, pids)
		for _, pid := range pids {
			require.Greater(t, pid, 1, victim.name)
			require.NoError(t, syscall.Kill(pid, syscall.SIGKILL), victim.name)
		}
		f.eventually(func(c *assert.CollectT) {
			f.works(c, "kept")
			for _, pid := range pids {
				assert.Error(c, syscall.Kill(pid, 0), "%s: process %d is gone", victim.name, pid)
			}
		})
		t.Logf("%s: works again after %s", victim.name, time.Since(started).Round(10*time.Millisecond))
	}
	assert.Positive(t, f.status()["nginx"].Restarts)
	assert.Equal(t, "signal 9", f.status()["nginx"].LastExit)
	assert.Empty(t, f.up(), "there is nothing left to repair")
}

// watching are the services that watch the others.
var watching = []string{"node-exporter", "blackbox-exporter", "postgres-exporter", "alertmanager", "prometheus"}

func TestDownKeepsDataAndUpStartsAgain(t *testing.T) {
	f := newFixture(t)
	f.up()
	f.mustRequest(http.MethodPost, "/api/v1/notes?text=kept")
	var order []string
	require.NoError(t, local.Stop(t.Context(), f.folder, func(name string) { order = append(order, name) }))
	assert.Equal(t, "prometheus", order[0], "what watches the others must not see them go")
	order = slices.DeleteFunc(order, func(name string) bool { return slices.Contains(watching, name) })
	assert.Equal(t, []string{"nginx", "panel", "pgbouncer", "postgresql"}, order)
	stack, err := supervisor.Open(f.folder)
	require.NoError(t, err)
	left, err := stack.Processes(t.Context())
	require.NoError(t, err)
	assert.Empty(t, left)
	for name, service := range f.status() {
		assert.Equal(t, supervisor.Down, service.State, name)
	}
	require.NoError(t, local.Stop(t.Context(), f.folder, nil), "once more does nothing")

	started := time.Now()
	restarted := map[string]string{
		"host": "update", "postgresql": "update", "pgbouncer": "update", "panel": "update", "nginx": "update",
	}
	for _, name := range watching {
		restarted[name] = "update"
	}
	assert.Equal(t, restarted, f.up())
	t.Logf("warm up: %s", time.Since(started).Round(10*time.Millisecond))
	f.works(t, "kept")

	// One service that was stopped by hand is started again, whether the engine looks first or not.
	require.NoError(t, stack.StopService(t.Context(), "pgbouncer"))
	f.engine.refresh(t)
	assert.False(t, f.engine.property(t, "pgbouncer", "running").BoolValue())
	before := f.pids()
	// Without its pooler, the panel was not ready either.
	assert.Equal(t, map[string]string{"pgbouncer": "update", "panel": "update"}, f.up())
	assert.Equal(t, before["panel"], f.pids()["panel"], "it got ready by itself")
	f.works(t, "kept")
}

// A crash leaves PostgreSQL's lock files, and another process may have got the number that they name since.
func TestStaleLockFilesDoNotKeepPostgreSQLDown(t *testing.T) {
	f := newFixture(t)
	f.up()
	f.mustRequest(http.MethodPost, "/api/v1/notes?text=kept")
	require.NoError(t, local.Stop(t.Context(), f.folder, nil))
	stack, err := supervisor.Open(f.folder)
	require.NoError(t, err)
	id, err := stack.Identity(supervisor.Postgres)
	require.NoError(t, err)

	innocent := exec.CommandContext(t.Context(), "sleep", "600")
	innocent.SysProcAttr = supervisor.Credential(id)
	innocent.Dir = "/"
	require.NoError(t, innocent.Start())
	t.Cleanup(func() { _ = innocent.Wait() }) // Its context ends first, and it with it.
	data := filepath.Join(f.folder, "postgresql", "data")
	for _, file := range []string{filepath.Join(data, "postmaster.pid"), filepath.Join(f.folder, "postgresql", "run", ".s.PGSQL.5432.lock")} {
		require.NoError(t, supervisor.WriteFile(file, fmt.Appendf(nil, "%d\n%s\n1\n5432\n", innocent.Process.Pid, data), 0o600, id))
	}
	f.up()
	f.works(t, "kept")
	require.NoError(t, innocent.Process.Signal(syscall.Signal(0)), "the other process was left alone")

	// A server that somebody else started on the same data is no stale file.
	require.NoError(t, local.Stop(t.Context(), f.folder, nil))
	binaries := f.engine.property(t, "data", "binaries").StringValue()
	foreign := exec.CommandContext(context.WithoutCancel(t.Context()), filepath.Join(binaries, "postgres"), "-D", data,
		"-c", "config_file="+filepath.Join(f.folder, "postgresql", "conf", "postgresql.conf"))
	foreign.SysProcAttr = supervisor.Credential(id)
	foreign.Dir = "/"
	require.NoError(t, foreign.Start())
	defer func() { _ = foreign.Wait() }()
	defer func() { _ = foreign.Process.Signal(syscall.SIGINT) }()
	f.eventually(func(c *assert.CollectT) {
		assert.FileExists(c, filepath.Join(f.folder, "postgresql", "run", ".s.PGSQL.5432"))
	})
	_, err = f.engine.up(f.stack(), f.options)
	require.ErrorContains(t, err, "lock file")
	require.NoError(t, foreign.Process.Signal(syscall.SIGINT))
	_ = foreign.Wait()
	f.up()
	f.works(t, "kept")
}

func TestDriftOfRolesAndFilesIsRepaired(t *testing.T) {
	f := newFixture(t)
	f.up()
	require.NoError(t, os.WriteFile(filepath.Join(f.folder, "nginx", "conf", "nginx.conf"), []byte("events {}"), 0o600))
	require.NoError(t, os.RemoveAll(filepath.Join(f.folder, "releases", "web")))
	assert.Equal(t, map[string]string{"nginx": "update", "web-release": "update"}, f.up())
	f.works(t)

	psql := exec.CommandContext(t.Context(), "psql", "-h", filepath.Join(f.folder, "postgresql", "run"), "-U", "postgres", "-d", "radpanel",
		"-c", "ALTER ROLE rad_app PASSWORD 'other'", "-c", "REVOKE ALL ON notes FROM rad_app")
	out, err := psql.CombinedOutput()
	require.NoError(t, err, string(out))
	assert.Equal(t, map[string]string{"database": "update"}, f.up())
	f.eventually(func(c *assert.CollectT) { f.works(c) })
}

func TestAReleaseThatDoesNotWorkIsTakenBack(t *testing.T) {
	f := newFixture(t)
	f.up()
	before := f.engine.state["panel"]
	f.config["logLevel"] = "error"
	_, err := f.engine.up(f.stack(), f.options)
	require.ErrorContains(t, err, "cannot work with key [secret]")
	require.ErrorContains(t, err, "the configuration before is in force again and works")
	assert.Equal(t, before, f.engine.state["panel"])
	f.works(t)
	delete(f.config, "logLevel")
	assert.Empty(t, f.up(), "it is as it was")
}

func TestStrangerOnThePort(t *testing.T) {
	f := newFixture(t)
	stranger, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // A test.
	require.NoError(t, err)
	_, port, err := net.SplitHostPort(stranger.Addr().String())
	require.NoError(t, err)
	f.config["httpPort"] = port
	_, err = f.engine.up(f.stack(), f.options)
	require.ErrorContains(t, err, "port 127.0.0.1:"+port+" is taken by process "+strconv.Itoa(os.Getpid()))
	require.NoError(t, stranger.Close())
	assert.Equal(t, map[string]string{"nginx": "create"}, f.up())
	status, err := local.ReadStatus(t.Context(), f.folder)
	require.NoError(t, err)
	assert.Equal(t, "http://localhost:"+port, status.URL)
	assert.Equal(t, stacks.MVP, status.Tier)
	f.works(t)
}

// TestAnInterruptedUpIsFinishedByTheNext kills the process that brings the stack up, ever later, and lets another one
// that knows nothing of it go on.
func TestAnInterruptedUpIsFinishedByTheNext(t *testing.T) {
	f := newFixture(t)
	self, err := os.Executable()
	require.NoError(t, err)
	for after := 50 * time.Millisecond; ; after += 450 * time.Millisecond {
		rad := exec.CommandContext(context.Background(), self, "deploy", f.options.StateFolder, f.options.ReleaseFolder)
		var out strings.Builder
		rad.Stdout = &out
		require.NoError(t, rad.Start())
		done := make(chan error, 1)
		go func() { done <- rad.Wait() }()
		select {
		case err := <-done:
			require.NoError(t, err, "it was not killed: %s", &out)
			f.works(t)
			return
		case <-time.After(after): // How far it gets until it is killed is what varies.
			_ = rad.Process.Kill() // It may just have ended by itself.
			if err := <-done; err == nil {
				f.works(t)
				return
			}
		}
	}
}

func TestDataOutlivesTheStateOfTheStack(t *testing.T) {
	f := newFixture(t)
	f.up()
	f.mustRequest(http.MethodPost, "/api/v1/notes?text=kept")
	key := f.engine.property(t, "encryption-key", "value")
	f.newState()
	f.up()
	assert.Equal(t, key, f.engine.property(t, "encryption-key", "value"), "what was encrypted can be read")
	f.works(t, "kept")
}

func TestDataOfAnotherMajorIsRefused(t *testing.T) {
	f := newFixture(t)
	data := filepath.Join(f.folder, "postgresql", "data")
	require.NoError(t, os.MkdirAll(data, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(data, "PG_VERSION"), []byte("9\n"), 0o600))
	_, err := f.engine.up(f.stack(), f.options)
	require.ErrorContains(t, err, data+" holds data of PostgreSQL 9")
	require.ErrorContains(t, err, "postgresql-9")
	assert.FileExists(t, filepath.Join(data, "PG_VERSION"))
	require.NoError(t, os.RemoveAll(data))
	f.up()
	f.works(t)

	require.NoError(t, local.Stop(t.Context(), f.folder, nil))
	require.NoError(t, os.Rename(data, data+".away"))
	_, err = f.engine.up(f.stack(), f.options)
	require.ErrorContains(t, err, "the data of PostgreSQL is gone")
	assert.NoDirExists(t, data, "no empty database takes its place")
	require.NoError(t, os.Rename(data+".away", data))
	f.up()
	f.works(t)
}

func TestRefusals(t *testing.T) {
	f := newFixture(t)
	t.Run("a disk that is too small", func(t *testing.T) {
		if os.Geteuid() != 0 {
			t.Skip("needs root, to mount a small disk")
		}
		require.NoError(t, os.MkdirAll(filepath.Join(f.options.StateFolder, "small"), 0o711))
		small := filepath.Join(f.options.StateFolder, "small")
		if err := syscall.Mount("tmpfs", small, "tmpfs", 0, "size=64m"); err != nil {
			t.Skipf("cannot mount a small disk here: %v", err)
		}
		defer func() { assert.NoError(t, syscall.Unmount(small, 0)) }()
		_, err := f.engine.up(f.stack(), infra.Options{StateFolder: small, ReleaseFolder: f.options.ReleaseFolder})
		require.ErrorContains(t, err, `"64 MiB": expected at least 1 GiB`)
		entries, err := os.ReadDir(small)
		require.NoError(t, err)
		assert.Empty(t, entries, "nothing half made")
	})
	t.Run("a folder of somebody else", func(t *testing.T) {
		if os.Geteuid() != 0 {
			t.Skip("needs root, to give a folder away")
		}
		state := filepath.Join(f.options.StateFolder, "other")
		require.NoError(t, os.MkdirAll(filepath.Join(state, "local-mvp"), 0o711))
		require.NoError(t, os.Chown(filepath.Join(state, "local-mvp"), 12345, 12345))
		_, err := f.engine.up(f.stack(), infra.Options{StateFolder: state, ReleaseFolder: f.options.ReleaseFolder})
		require.ErrorContains(t, err, "belongs to the user with id 12345")
	})
	t.Run("a folder that the services cannot reach", func(t *testing.T) {
		if os.Geteuid() != 0 {
			t.Skip("needs root: else the services run as the caller")
		}
		private := filepath.Join(f.options.StateFolder, "private")
		require.NoError(t, os.Mkdir(private, 0o700))
		_, err := f.engine.up(f.stack(), infra.Options{StateFolder: filepath.Join(private, "state"), ReleaseFolder: f.options.ReleaseFolder})
		require.ErrorContains(t, err, "cannot pass through "+private)
		assert.NoDirExists(t, filepath.Join(private, "state"))
	})
	t.Run("a path too long for sockets", func(t *testing.T) {
		_, err := f.engine.up(f.stack(), infra.Options{StateFolder: "/tmp/" + strings.Repeat("x", 80), ReleaseFolder: f.options.ReleaseFolder})
		require.ErrorContains(t, err, "choose a shorter state folder")
	})
	t.Run("a path that needs quoting", func(t *testing.T) {
		_, err := f.engine.up(f.stack(), infra.Options{StateFolder: "/tmp/it's mine", ReleaseFolder: f.options.ReleaseFolder})
		require.ErrorContains(t, err, "choose another state folder")
	})
	t.Run("a missing release", func(t *testing.T) {
		_, err := f.engine.up(f.stack(), infra.Options{StateFolder: f.options.StateFolder, ReleaseFolder: "/nonexistent"})
		require.ErrorContains(t, err, "make build")
		assert.ErrorContains(t, err, "/nonexistent/web")
	})
	t.Run("a missing store of traces", func(t *testing.T) {
		stack, err := stacks.Load("local-tier1", nil)
		require.NoError(t, err)
		_, err = f.engine.up(stack, f.options)
		require.ErrorContains(t, err, "bin/jaeger, the store of traces, is missing: build it with `make bin/jaeger`")
		assert.NoDirExists(t, filepath.Join(f.options.StateFolder, "local-tier1"))
	})
	t.Run("what tier 3 lacks", func(t *testing.T) {
		stack, err := stacks.Load("local-tier3", nil)
		require.NoError(t, err)
		_, err = f.engine.up(stack, f.options)
		require.ErrorContains(t, err, "workers of their own")
		require.ErrorContains(t, err, "log aggregation, Datadog, which it cannot build yet")
		require.ErrorContains(t, err, "The largest tier that it builds is tier2, such as stack local-tier2")
	})
	for _, name := range []string{"local-tier3", "local-tier4", "mvp"} {
		t.Run(name, func(t *testing.T) {
			stack, err := stacks.Load(name, nil)
			require.NoError(t, err)
			_, err = f.engine.up(stack, f.options)
			require.ErrorContains(t, err, "stack "+name)
			assert.NoDirExists(t, filepath.Join(f.options.StateFolder, name))
		})
	}
	assert.NoDirExists(t, f.folder, "nothing was made")
}

// What tells that a folder is a stack's is removed last, so that a purge that was broken off can be done again.
func TestAPurgeThatWasBrokenOffIsDoneAgain(t *testing.T) {
	t.Parallel()
	folder, err := os.MkdirTemp("/tmp", "rad-purge-")
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, os.RemoveAll(folder)) })
	stack := filepath.Join(folder, "local-mvp")
	for _, name := range []string{"supervisor", "zeal", "postgresql"} {
		require.NoError(t, os.MkdirAll(filepath.Join(stack, name), 0o711))
	}
	stuck := filepath.Join(stack, "postgresql", "mounted")
	require.NoError(t, os.Mkdir(stuck, 0o700))
	if err := syscall.Mount("tmpfs", stuck, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("cannot mount a disk here, which is not removed (it takes root): %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(stuck, 0) }) // It was done already, if all is well.
	require.Error(t, local.Purge(t.Context(), stack, nil))
	assert.DirExists(t, filepath.Join(stack, "supervisor"))
	require.NoError(t, syscall.Unmount(stuck, 0))
	require.NoError(t, local.Purge(t.Context(), stack, nil))
	assert.NoDirExists(t, stack)
}

func TestPurgeLeavesForeignFoldersAlone(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "home")
	require.NoError(t, os.MkdirAll(filepath.Join(folder, "photos"), 0o750))
	if len(folder) < 70 {
		require.ErrorIs(t, local.Purge(t.Context(), folder, nil), local.ErrForeignFolder)
	}
	assert.DirExists(t, filepath.Join(folder, "photos"))
	require.NoError(t, local.Purge(t.Context(), "/tmp/rad-nonexistent", nil))
}
