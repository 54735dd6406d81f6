// Package s3test gives tests a real S3 server, which they may kill, freeze and start again.
package s3test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/app/config"
)

const (
	accessKey = "access"
	secretKey = "a secret of the tests"
	bucket    = "panel-files"
)

// Server is an S3 server of a test's own, with an empty bucket.
type Server struct {
	t       testing.TB
	folder  string
	address string
	process *exec.Cmd
}

// Start starts a server. It ends with the test.
func Start(t testing.TB) *Server {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // It does not wait.
	require.NoError(t, err)
	s := &Server{t: t, folder: t.TempDir(), address: listener.Addr().String()}
	require.NoError(t, listener.Close())
	t.Cleanup(s.Kill)
	s.Restart()
	client, err := minio.New(s.address, &minio.Options{Creds: credentials.NewStaticV4(accessKey, secretKey, "")})
	require.NoError(t, err)
	require.NoError(t, client.MakeBucket(t.Context(), bucket, minio.MakeBucketOptions{}))
	return s
}

// Config is how a service reaches the server.
func (s *Server) Config() config.Config {
	return config.Config{
		FileStore: config.FileStoreS3, S3Endpoint: "http://" + s.address, S3Region: "us-east-1", S3Bucket: bucket,
		S3AccessKey: accessKey, S3SecretKey: secretKey,
	}
}

// Restart starts the server, which has ended, with all that it holds.
func (s *Server) Restart() {
	s.t.Helper()
	objects, metadata := filepath.Join(s.folder, "objects"), filepath.Join(s.folder, "metadata")
	require.NoError(s.t, os.MkdirAll(objects, 0o700))
	require.NoError(s.t, os.MkdirAll(metadata, 0o700))
	//nolint:noctx,gosec // It ends with Kill, and runs in the test's own folder.
	s.process = exec.Command(program(s.t), "--port", s.address, "--quiet", "--health", "/health", "posix", "--sidecar", metadata, objects)
	s.process.Env = []string{"ROOT_ACCESS_KEY=" + accessKey, "ROOT_SECRET_KEY=" + secretKey}
	s.process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	require.NoError(s.t, s.process.Start())
	require.Eventually(s.t, func() bool {
		ctx, cancel := context.WithTimeout(s.t.Context(), time.Second)
		defer cancel()
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.address+"/health", nil)
		require.NoError(s.t, err)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return false
		}
		return response.Body.Close() == nil && response.StatusCode == http.StatusOK
	}, 30*time.Second, 10*time.Millisecond, "the S3 server does not start")
}

// Kill ends it at once.
func (s *Server) Kill() {
	if s.process == nil {
		return
	}
	_ = s.process.Process.Kill() // It may have ended already.
	_ = s.process.Wait()
	s.process = nil
}

// Freeze stops it without ending it; Thaw lets it go on.
func (s *Server) Freeze() {
	require.NoError(s.t, s.process.Process.Signal(syscall.SIGSTOP))
	awaitStopped(s.t, s.process.Process.Pid)
}

// Thaw lets it go on.
func (s *Server) Thaw() { require.NoError(s.t, s.process.Process.Signal(syscall.SIGCONT)) }

// program finds what `make build` builds.
func program(t testing.TB) string {
	t.Helper()
	folder, err := os.Getwd()
	require.NoError(t, err)
	for range 6 {
		path := filepath.Join(folder, "bin", "versitygw")
		if _, err := os.Stat(path); err == nil {
			return path
		}
		folder = filepath.Dir(folder)
	}
	require.FailNow(t, "the S3 server is not built: run `make build STACK=tier2`")
	return ""
}

// awaitStopped waits until no thread of a process runs any more: a signal takes effect a moment after it was sent.
func awaitStopped(t testing.TB, pid int) {
	t.Helper()
	require.Eventually(t, func() bool {
		stats, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
		require.NoError(t, err)
		for _, stat := range stats {
			text, err := os.ReadFile(stat) //nolint:gosec // A file of /proc.
			if err != nil {
				return false
			}
			// The state comes after the name of the command, which is in brackets.
			if fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:])); len(fields) == 0 || fields[0] != "T" {
				return false
			}
		}
		return true
	}, 10*time.Second, time.Millisecond)
}
