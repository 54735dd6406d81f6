package databasetest

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/app/config"
)

// pgBouncer is where Debian installs it.
const pgBouncer = "/usr/sbin/pgbouncer"

// Pooler is a PgBouncer in transaction pooling before a database.
type Pooler struct {
	// URL connects as the application, through the pooler.
	URL config.Secret
	// AdminURL connects to the pooler's own console.
	AdminURL config.Secret
}

// NewPooler starts a PgBouncer with so many server connections; it ends with the test, or when the test binary is killed.
func (s *Server) NewPooler(t testing.TB, d *Database, serverConnections int) *Pooler {
	t.Helper()
	if _, err := os.Stat(pgBouncer); err != nil {
		t.Skip("PgBouncer is not installed: apt-get install pgbouncer")
	}
	folder, err := os.MkdirTemp(s.directory, "pooler-")
	require.NoError(t, err)
	settings := fmt.Sprintf(`[databases]
%s = host=%s dbname=%s
[pgbouncer]
listen_addr =
unix_socket_dir = %s
auth_type = any
admin_users = %s
stats_users = %s
pool_mode = transaction
default_pool_size = %d
max_client_conn = 1000
server_login_retry = 1
logfile = %s
pidfile = %s
`, d.Name, s.directory, d.Name+" user="+application, folder, superuser, application, serverConnections,
		filepath.Join(folder, "log"), filepath.Join(folder, "pid"))
	path := filepath.Join(folder, "pgbouncer.ini")
	require.NoError(t, os.WriteFile(path, []byte(settings), 0o600))
	if s.account != nil {
		require.NoError(t, os.Chown(folder, int(s.account.Uid), int(s.account.Gid)))
		require.NoError(t, os.Chown(path, int(s.account.Uid), int(s.account.Gid)))
	}
	p := &Pooler{
		URL:      config.Secret(fmt.Sprintf("postgres://%s@/%s?host=%s&port=6432", application, d.Name, url.QueryEscape(folder))),
		AdminURL: config.Secret(fmt.Sprintf("postgres://%s@/pgbouncer?host=%s&port=6432", superuser, url.QueryEscape(folder))),
	}
	s.launchPooler(t, path)
	p.await(t)
	return p
}

func (s *Server) launchPooler(t testing.TB, settings string) {
	t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), pgBouncer, settings) //nolint:gosec // Debian's.
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.account, Pdeathsig: syscall.SIGKILL}
	started, exited := make(chan error, 1), make(chan struct{})
	go func() {
		runtime.LockOSThread() // See Server.launch.
		defer close(exited)
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait()
		}
	}()
	require.NoError(t, <-started)
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // Ends at once.
		<-exited
		if t.Failed() {
			t.Log("PgBouncer, process " + strconv.Itoa(cmd.Process.Pid) + ":\n" + output.String())
		}
	})
}

func (p *Pooler) await(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		conn, err := pgx.Connect(ctx, p.URL.Reveal())
		if err == nil {
			require.NoError(t, conn.Close(ctx))
			return
		}
		select {
		case <-ctx.Done():
			require.NoError(t, err, "PgBouncer did not start")
		case <-tick.C:
		}
	}
}

// Command runs a command of the pooler's console, such as "PAUSE" or "RESUME".
func (p *Pooler) Command(t testing.TB, command string) {
	t.Helper()
	cfg, err := pgx.ParseConfig(p.AdminURL.Reveal())
	require.NoError(t, err)
	cfg.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol // The console knows no other.
	conn, err := pgx.ConnectConfig(t.Context(), cfg)
	require.NoError(t, err)
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	_, err = conn.Exec(t.Context(), command)
	require.NoError(t, err, command)
}
