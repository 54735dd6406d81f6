package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/app/config"
	"github.com/radpanel/radpanel/app/database/databasetest"
)

var server databasetest.Server

// runMain makes the test binary be the service: the tests below run it as a process of its own.
const runMain = "RADPANEL_TEST_RUN_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(runMain) != "" {
		main()
		return
	}
	os.Exit(server.Run(m))
}

const (
	password = "correct horse battery"
	patience = 30 * time.Second
)

func testConfig(t *testing.T, d *databasetest.Database) config.Config {
	t.Helper()
	return config.Config{
		Tier: "mvp", ListenAddress: "127.0.0.1:0", PublicURL: "http://localhost:8080", LogLevel: "debug",
		DatabaseURL: d.URL, MigrationDatabaseURL: d.OwnerURL, TrustedProxies: []string{"127.0.0.0/8"}, DatabaseConnections: 10, DatabaseWait: 5 * time.Second,
		MaxInFlight: 256, RequestTimeout: 20 * time.Second, FilesDirectory: t.TempDir(), FileSizeLimit: 1 << 20, Workers: 1,
		EncryptionKey: "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", SessionIdleTimeout: time.Hour, SessionAbsoluteTimeout: time.Hour,
		SignInsPerEmail: 1000, SignInsPerAddress: 1000, SignUpsPerAddress: 1000,
		DrainDelay: 500 * time.Millisecond, DrainTimeout: 20 * time.Second,
	}
}

// command returns the service as a process to be started; it ends when the test binary is killed.
func command(t *testing.T, cfg config.Config, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = []string{runMain + "=1", "PATH=" + os.Getenv("PATH")}
	for name, value := range cfg.Environ() {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

// process is a running service.
type process struct {
	cmd    *exec.Cmd
	url    string
	client *http.Client
	exited chan error

	mu  sync.Mutex
	log strings.Builder
}

func start(t *testing.T, cfg config.Config) *process {
	t.Helper()
	p := launch(t, cfg)
	address := p.await(t, "started")["address"]
	p.url = fmt.Sprintf("http://%s", address)
	return p
}

// launch is start, and waits for nothing.
func launch(t *testing.T, cfg config.Config) *process {
	t.Helper()
	p := &process{cmd: command(t, cfg), client: &http.Client{Transport: &http.Transport{}}, exited: make(chan error, 1)}
	stdout, err := p.cmd.StdoutPipe()
	require.NoError(t, err)
	p.cmd.Stderr = os.Stderr
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // The death signal is sent when this thread ends.
		started <- p.cmd.Start()
		p.exited <- p.readLog(stdout)
	}()
	require.NoError(t, <-started)
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		if t.Failed() {
			t.Log(p.logText())
		}
	})
	return p
}

func (p *process) readLog(stdout io.Reader) error {
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		p.mu.Lock()
		p.log.WriteString(lines.Text() + "\n")
		p.mu.Unlock()
	}
	return p.cmd.Wait()
}

func (p *process) logText() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

// await waits for a log line with the message and returns its attributes.
func (p *process) await(t *testing.T, message string) (line map[string]any) {
	t.Helper()
	require.Eventually(t, func() bool {
		for text := range strings.SplitSeq(p.logText(), "\n") {
			line = nil
			if json.Unmarshal([]byte(text), &line) == nil && line["msg"] == message {
				return true
			}
		}
		return false
	}, patience, 5*time.Millisecond, "no log line %q", message)
	return line
}

func (p *process) get(t *testing.T, path string) int {
	t.Helper()
	status, err := p.request(t.Context(), http.MethodGet, path, "", nil)
	require.NoError(t, err)
	return status
}

// request sends one and reads the answer to its end.
func (p *process) request(ctx context.Context, method, path, token string, body any, headers ...string) (int, error) {
	encoded, err := json.Marshal(body)
	if err != nil {
		return 0, err
	}
	r, err := http.NewRequestWithContext(ctx, method, p.url+path, bytes.NewReader(encoded))
	if err != nil {
		return 0, err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("If-Match", "*")
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	r.AddCookie(&http.Cookie{Name: "rad_session", Value: token})
	response, err := p.client.Do(r)
	if err != nil {
		return 0, err
	}
	defer func() { _ = response.Body.Close() }()
	_, err = io.Copy(io.Discard, response.Body)
	return response.StatusCode, err
}

// signUp returns a new user's session token.
func (p *process) signUp(t *testing.T) string {
	t.Helper()
	body := strings.NewReader(`{"email":"ada@example.com","password":"` + password + `"}`)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.url+"/api/v1/users", body)
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/json")
	response, err := p.client.Do(r)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	require.Equal(t, http.StatusCreated, response.StatusCode)
	return response.Cookies()[0].Value
}

func TestTheServiceStartsBeforeItsDatabase(t *testing.T) {
	t.Parallel()
	d := server.NewEmptyDatabase(t)
	conn := d.ConnectServer(t)
	_, err := conn.Exec(t.Context(), "ALTER DATABASE "+d.Name+" WITH ALLOW_CONNECTIONS false")
	require.NoError(t, err)
	p := start(t, testConfig(t, d))
	p.await(t, "the database cannot be reached yet")
	assert.Equal(t, http.StatusOK, p.get(t, "/livez"))
	assert.Equal(t, http.StatusServiceUnavailable, p.get(t, "/readyz"))
	assert.Equal(t, http.StatusServiceUnavailable, p.post(t, "/api/v1/sessions"))

	_, err = conn.Exec(t.Context(), "ALTER DATABASE "+d.Name+" WITH ALLOW_CONNECTIONS true")
	require.NoError(t, err)
	p.await(t, "ready")
	assert.Equal(t, http.StatusOK, p.get(t, "/readyz"))
	p.stop(t)
	assert.NotContains(t, p.logText(), "AAECAwQ", "no key in the logs")
}

// While one version takes the other's place, a balancer sends requests to every port that is open.
func TestNoRequestIsTakenBeforeTheMigration(t *testing.T) {
	t.Parallel()
	d := server.NewEmptyDatabase(t)
	owner := d.Connect(t)
	_, err := owner.Exec(t.Context(), "SELECT pg_advisory_lock(7238174201)") // As another instance that migrates.
	require.NoError(t, err)
	cfg := testConfig(t, d)
	free, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // At once.
	require.NoError(t, err)
	cfg.ListenAddress = free.Addr().String()
	require.NoError(t, free.Close())
	p := launch(t, cfg)
	require.Eventually(t, func() bool {
		var waits bool
		err := owner.QueryRow(t.Context(), "SELECT count(*) > 0 FROM pg_stat_activity "+
			"WHERE application_name = 'radpanel migrations' AND datname = current_database() AND query LIKE '%advisory%'").Scan(&waits)
		return err == nil && waits
	}, patience, 10*time.Millisecond)
	_, err = net.Dial("tcp", cfg.ListenAddress) //nolint:noctx // Refused.
	require.ErrorIs(t, err, syscall.ECONNREFUSED)

	_, err = owner.Exec(t.Context(), "SELECT pg_advisory_unlock(7238174201)")
	require.NoError(t, err)
	p.url = "http://" + cfg.ListenAddress
	p.await(t, "ready")
	assert.Equal(t, http.StatusOK, p.get(t, "/readyz"))
	p.stop(t)
}

func TestNothingIsServedWhenAMigrationFails(t *testing.T) {
	t.Parallel()
	d := server.NewEmptyDatabase(t)
	_, err := d.Connect(t).Exec(t.Context(), "CREATE TABLE users (n int)")
	require.NoError(t, err)
	p := launch(t, testConfig(t, d))
	select {
	case err := <-p.exited:
		require.Error(t, err)
	case <-time.After(patience):
		require.Fail(t, "the service did not end", p.logText())
	}
	assert.NotContains(t, p.logText(), `"started"`)
}

func (p *process) post(t *testing.T, path string) int {
	t.Helper()
	status, err := p.request(t.Context(), http.MethodPost, path, "", map[string]any{"email": "x@example.com", "password": "x"})
	require.NoError(t, err)
	return status
}

// stop tells the process to end, which it must do without an error.
func (p *process) stop(t *testing.T) {
	t.Helper()
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGTERM))
	p.awaitExit(t)
}

func (p *process) awaitExit(t *testing.T) {
	t.Helper()
	select {
	case err := <-p.exited:
		require.NoError(t, err)
	case <-time.After(patience):
		require.Fail(t, "the service did not stop", p.logText())
	}
}

func TestNoAcceptedRequestIsCutOff(t *testing.T) {
	t.Parallel()
	d := server.NewDatabase(t)
	cfg := testConfig(t, d)
	cfg.DrainDelay = 5 * time.Second // Long enough to look at it meanwhile.
	p := start(t, cfg)
	p.await(t, "ready")
	token := p.signUp(t)

	// A request that takes long: the user's row is locked until the listener has been closed.
	lock := d.Connect(t)
	_, err := lock.Exec(t.Context(), "BEGIN; SELECT 1 FROM users FOR UPDATE")
	require.NoError(t, err)
	slow := make(chan int, 1)
	go func() {
		status, err := p.request(t.Context(), http.MethodPatch, "/api/v1/account", token, map[string]any{"name": "Ada"})
		assert.NoError(t, err)
		slow <- status
	}()
	require.Eventually(t, func() bool {
		var waiting bool
		err := lock.QueryRow(t.Context(), "SELECT EXISTS (SELECT 1 FROM pg_stat_activity WHERE datname = $1 AND wait_event_type = 'Lock')", d.Name).Scan(&waiting)
		return assert.NoError(t, err) && waiting
	}, patience, 5*time.Millisecond)

	// Browsers that go on asking, over connections that they keep.
	const browsers = 8
	lost := make(chan string, browsers)
	var group sync.WaitGroup
	for range browsers {
		group.Go(func() { lost <- p.askUntilRefused(t, token) })
	}
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGTERM))
	p.await(t, "draining")
	assert.Equal(t, http.StatusServiceUnavailable, p.get(t, "/readyz"), "balancers hear of it while requests are still taken")
	group.Wait()
	assert.Empty(t, slow, "still waiting for the lock")
	_, err = lock.Exec(t.Context(), "COMMIT")
	require.NoError(t, err)
	assert.Equal(t, http.StatusOK, <-slow)
	p.awaitExit(t)
	for range browsers {
		// The kernel resets connections that wait to be accepted when the port is closed. What the service began it has finished.
		if id := <-lost; id != "" {
			assert.NotContains(t, p.logText(), id, "a request that the service had begun")
		}
	}
}

// askUntilRefused sends requests one after the other until the port is closed. It returns the id of a request whose
// connection broke, which must not be one that the service had begun.
func (p *process) askUntilRefused(t *testing.T, token string) (lost string) {
	browser := &process{url: p.url, client: &http.Client{Transport: &http.Transport{}}}
	for {
		id := uuid.NewString()
		status, err := browser.request(t.Context(), http.MethodGet, "/api/v1/session", token, nil, "X-Request-Id", id)
		var opErr *net.OpError
		switch {
		case errors.As(err, &opErr) && opErr.Op == "dial":
			return ""
		case err != nil:
			return id
		case !assert.Equal(t, http.StatusOK, status):
			return ""
		}
	}
}

func TestTheOperatorsCommands(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t, server.NewEmptyDatabase(t))
	run := func(stdin string, args ...string) (string, error) {
		cmd := command(t, cfg, args...)
		cmd.Stdin = strings.NewReader(stdin)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	out, err := run("", "--version")
	require.NoError(t, err, out)
	assert.Contains(t, out, "radpanel version")
	out, err = run("", "openapi")
	require.NoError(t, err, out)
	assert.Contains(t, out, `"openapi": "3.1.0"`)

	out, err = run(password+"\n", "admin", "create", "--email", "ops@example.com")
	require.NoError(t, err, out)
	assert.Equal(t, "ops@example.com is an administrator.\n", out)
	for stdin, want := range map[string]string{"short\n": "expected 8 to 128", "password1\n": "too common", "": "expected 8 to 128"} {
		out, err = run(stdin, "admin", "create", "--email", "ops@example.com")
		require.Error(t, err)
		assert.Contains(t, out, want)
		assert.NotContains(t, out, "password1")
	}
	out, err = run(password, "admin", "create", "--email", "nonsense")
	require.Error(t, err)
	assert.Contains(t, out, `--email "nonsense"`)

	cfg.Tier, cfg.DatabaseConnections = "tier9", 0
	out, err = run("")
	require.Error(t, err)
	assert.Contains(t, out, "RAD_TIER")
	assert.Contains(t, out, "RAD_DATABASE_CONNECTIONS", "all problems at once")

	cfg = testConfig(t, server.NewEmptyDatabase(t))
	cfg.PlanFile = "/nonexistent/plan.json"
	out, err = run("")
	require.Error(t, err)
	assert.Contains(t, out, "RAD_PLAN_FILE")
}
