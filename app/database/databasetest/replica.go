package databasetest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/app/config"
)

// Replica is a streaming replica of a Server, which a test may hurt.
type Replica struct {
	t         testing.TB
	server    *Server
	directory string
	process   *exec.Cmd
	exited    chan struct{}
}

// NewReplica makes a replica of the whole server by a base backup, and starts it. It ends with the test.
func (s *Server) NewReplica(t testing.TB) *Replica {
	t.Helper()
	directory, err := os.MkdirTemp("", prefix+strconv.Itoa(os.Getpid())+"-replica-")
	require.NoError(t, err)
	if s.account != nil {
		require.NoError(t, os.Chown(directory, int(s.account.Uid), int(s.account.Gid)))
	}
	r := &Replica{t: t, server: s, directory: directory}
	t.Cleanup(func() {
		r.Kill()
		require.NoError(t, os.RemoveAll(directory))
	})
	ctx, cancel := context.WithTimeout(t.Context(), startTimeout)
	defer cancel()
	backup := s.command(ctx, "pg_basebackup", "--pgdata", r.data(), "--host", s.directory, "--username", superuser,
		"--checkpoint", "fast", "--write-recovery-conf", "--no-sync")
	out, err := backup.CombinedOutput()
	require.NoError(t, err, "%s", out)
	// The last word counts.
	path := filepath.Join(r.data(), "postgresql.auto.conf")
	settings, err := os.ReadFile(path) //nolint:gosec // The test's own.
	require.NoError(t, err)
	text := string(settings) + "\nunix_socket_directories = '" + directory + "'\nhot_standby_feedback = on\n" +
		"primary_conninfo = 'host=" + s.directory + " user=" + superuser + "'\nwal_retrieve_retry_interval = 100ms\n"
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600)) //nolint:gosec // The test's own.
	r.Start()
	return r
}

func (r *Replica) data() string { return filepath.Join(r.directory, "data") }

// Start starts it again after Kill, and waits until it answers.
func (r *Replica) Start() {
	r.t.Helper()
	command := r.server.command(context.WithoutCancel(r.t.Context()), "postgres", "-D", r.data())
	command.SysProcAttr.Pdeathsig = syscall.SIGQUIT
	started, exited := make(chan error, 1), make(chan struct{})
	go func() {
		runtime.LockOSThread() // See Server.launch.
		defer close(exited)
		err := command.Start()
		started <- err
		if err == nil {
			_ = command.Wait()
		}
	}()
	require.NoError(r.t, <-started)
	r.process, r.exited = command, exited
	require.Eventually(r.t, func() bool {
		ctx, cancel := context.WithTimeout(r.t.Context(), time.Second)
		defer cancel()
		conn, err := pgx.Connect(ctx, r.url(superuser, "postgres").Reveal())
		if err != nil {
			return false
		}
		return conn.Close(ctx) == nil
	}, startTimeout, 20*time.Millisecond, "the replica does not start")
}

// Kill ends it at once.
func (r *Replica) Kill() {
	if r.process == nil {
		return
	}
	r.Signal(syscall.SIGCONT)
	_ = r.process.Process.Signal(syscall.SIGQUIT) // Immediate shutdown, as a crash; SIGKILL would leave shared memory behind.
	<-r.exited
	r.process = nil
}

// Signal sends a signal to every process of it, such as SIGSTOP and SIGCONT.
func (r *Replica) Signal(signal syscall.Signal) {
	children, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", r.process.Process.Pid, r.process.Process.Pid))
	for _, child := range strings.Fields(string(children)) {
		var pid int
		if _, err := fmt.Sscan(child, &pid); err == nil {
			_ = syscall.Kill(pid, signal) // It may have ended.
		}
	}
	_ = r.process.Process.Signal(signal)
}

// URL is how the application reaches a database of it.
func (r *Replica) URL(d *Database) config.Secret { return r.url(application, d.Name) }

// Connect opens one connection as the superuser to a database of it, and closes it after the test.
func (r *Replica) Connect(t testing.TB, d *Database) *pgx.Conn {
	return connect(t, r.url(superuser, d.Name))
}

func (r *Replica) url(role, name string) config.Secret {
	return config.Secret(fmt.Sprintf("postgres://%s@/%s?host=%s", role, name, r.directory))
}
