// Package cachetest gives tests a real Redis, which they may kill, freeze and start again.
package cachetest

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/app/config"
)

// Redis is a server of a test's own, on a unix socket.
type Redis struct {
	t       *testing.T
	socket  string
	memory  string
	process *exec.Cmd
}

// Start starts a server with a memory limit such as "64mb". It ends with the test.
func Start(t *testing.T, memory string) *Redis {
	t.Helper()
	folder, err := os.MkdirTemp("/tmp", "radredis-") // Shorter than t.TempDir: a socket's path is bounded.
	require.NoError(t, err)
	r := &Redis{t: t, socket: filepath.Join(folder, "redis.sock"), memory: memory}
	t.Cleanup(func() {
		r.Kill()
		require.NoError(t, os.RemoveAll(folder))
	})
	r.Restart()
	return r
}

// URL is how the service reaches it.
func (r *Redis) URL() config.Secret { return config.Secret("unix://" + r.socket) }

// Restart starts the server, which has ended, with nothing in it.
func (r *Redis) Restart() {
	r.t.Helper()
	_ = os.Remove(r.socket)
	//nolint:noctx,gosec // It ends with Kill, and runs in the test's own folder.
	r.process = exec.Command("redis-server", "--port", "0", "--unixsocket", r.socket, "--save", "", "--appendonly", "no",
		"--maxmemory", r.memory, "--maxmemory-policy", "allkeys-lfu", "--dir", filepath.Dir(r.socket))
	r.process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	require.NoError(r.t, r.process.Start(), "redis-server comes with the Debian package of that name")
	client := r.Client()
	defer func() { _ = client.Close() }()
	require.Eventually(r.t, func() bool { return client.Ping(r.t.Context()).Err() == nil }, 20*time.Second, 5*time.Millisecond)
}

// Kill ends it at once.
func (r *Redis) Kill() {
	if r.process == nil {
		return
	}
	_ = r.process.Process.Kill() // It may have ended already.
	_ = r.process.Wait()
	r.process = nil
}

// Freeze stops it without ending it; Thaw lets it go on.
func (r *Redis) Freeze() { require.NoError(r.t, r.process.Process.Signal(syscall.SIGSTOP)) }

// Thaw lets it go on.
func (r *Redis) Thaw() { require.NoError(r.t, r.process.Process.Signal(syscall.SIGCONT)) }

// Client is a client of a test's own. The caller closes it.
func (r *Redis) Client() *redis.Client {
	return redis.NewClient(&redis.Options{Network: "unix", Addr: r.socket, MaxRetries: -1})
}

// Socket is the path of its unix socket.
func (r *Redis) Socket() string { return r.socket }
