package monitoring_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/infra/monitoring"
)

// exporterPatience bounds the start of an exporter and its first tries to reach its server.
const exporterPatience = time.Minute

// The alert on what is not measured builds on these figures.
func TestAnExporterTellsThatItsServerDoesNotAnswer(t *testing.T) {
	t.Parallel()
	queries, err := monitoring.PostgresQueries(true)
	require.NoError(t, err)
	folder := t.TempDir() // There is no socket in it.
	file := filepath.Join(folder, monitoring.PostgresQueriesFile)
	require.NoError(t, os.WriteFile(file, []byte(queries), 0o600))
	for figure, command := range map[string][]string{
		"pg_up":    append([]string{"prometheus-postgres-exporter"}, monitoring.PostgresArguments(file)...),
		"redis_up": append([]string{"prometheus-redis-exporter"}, monitoring.RedisArguments(filepath.Join(folder, "redis.sock"), "nobody")...),
	} {
		t.Run(figure, func(t *testing.T) {
			t.Parallel()
			listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
			require.NoError(t, err)
			address := listener.Addr().String()
			require.NoError(t, listener.Close())
			// Not the test's context: it is ended by the clean-up.
			exporter := exec.CommandContext(context.WithoutCancel(t.Context()), command[0], append(command[1:], "--web.listen-address="+address)...)
			exporter.Env = append(os.Environ(), "DATA_SOURCE_NAME=host="+folder+" user=nobody dbname=none")
			exporter.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
			require.NoError(t, exporter.Start())
			t.Cleanup(func() {
				_ = exporter.Process.Kill()
				_ = exporter.Wait()
			})
			require.Eventually(t, func() bool {
				request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/metrics", nil)
				require.NoError(t, err)
				response, err := http.DefaultClient.Do(request)
				if err != nil {
					return false // It does not listen yet.
				}
				defer func() { _ = response.Body.Close() }()
				told, err := io.ReadAll(response.Body)
				require.NoError(t, err)
				require.Equal(t, http.StatusOK, response.StatusCode)
				require.Contains(t, string(told), "\n"+figure+" 0\n")
				return true
			}, exporterPatience, 20*time.Millisecond, "the exporter does not answer")
		})
	}
}
