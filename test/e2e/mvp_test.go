package e2e

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/test/panelclient"
	"github.com/radpanel/radpanel/test/radstack"
)

func TestAPanelIsUsedStoppedAndFoundAgain(t *testing.T) {
	t.Parallel()
	s := newStack(t, "mvp")
	s.up()

	ada := s.user("ada@example.com")
	panel, err := ada.CreatePanel(t.Context(), "Customers")
	require.NoError(t, err)
	record, err := ada.CreateRecord(t.Context(), panel.ID, "Analytical Engines Ltd", map[string]any{"city": "London", "orders": 3})
	require.NoError(t, err)
	content := make([]byte, 1<<20)
	_, err = rand.Read(content)
	require.NoError(t, err)
	file, err := ada.Upload(t.Context(), panel.ID, "drawing.bin", bytes.NewReader(content))
	require.NoError(t, err)
	sum := sha256.Sum256(content)
	require.Equal(t, hex.EncodeToString(sum[:]), file.SHA256)

	export, err := ada.Export(t.Context(), panel.ID)
	require.NoError(t, err)
	require.Contains(t, string(export), "Analytical Engines Ltd")
	require.Contains(t, string(export), "London")

	t.Run("another user sees none of it", func(t *testing.T) {
		eve := s.user("eve@example.com")
		for _, path := range []string{
			"/panels/" + panel.ID,
			"/panels/" + panel.ID + "/records",
			"/panels/" + panel.ID + "/records/" + record.ID,
			"/panels/" + panel.ID + "/files/" + file.ID + "/content",
		} {
			err := eve.Do(t.Context(), http.MethodGet, path, nil, nil)
			require.Equal(t, http.StatusNotFound, panelclient.StatusOf(err), path)
		}
	})

	out, err := s.Rad(t.Context(), "down", s.Name)
	require.NoError(t, err, out)
	require.Empty(t, s.processes(), "down left processes")
	out, err = s.Rad(t.Context(), "status", s.Name)
	require.Error(t, err, "a stack that is down is not healthy: %s", out)

	before := s.url
	started := time.Now()
	s.up()
	t.Logf("up of a stopped stack: %v", time.Since(started).Round(10*time.Millisecond))
	require.Equal(t, before, s.url, "ports are chosen once and kept")

	var again panelclient.Record
	require.NoError(t, ada.Do(t.Context(), http.MethodGet, "/panels/"+panel.ID+"/records/"+record.ID, nil, &again), "the session outlives a restart")
	require.Equal(t, record, again)
	var stored []byte
	require.NoError(t, ada.Do(t.Context(), http.MethodGet, "/panels/"+panel.ID+"/files/"+file.ID+"/content", nil, &stored))
	require.True(t, bytes.Equal(content, stored), "the file's bytes changed")
}

func TestUpAgainChangesNothing(t *testing.T) {
	t.Parallel()
	s := newStack(t, "mvp")
	s.up()
	// A service's state may say for a moment that it is asked whether it is well.
	runs := func() []radstack.Service {
		services := s.status().Services
		for i := range services {
			services[i].State = ""
		}
		return services
	}
	before := runs()
	started := time.Now()
	out := s.up()
	t.Logf("up with no change: %v", time.Since(started).Round(10*time.Millisecond))
	require.Equal(t, before, runs(), "something was restarted: %s", out)

	out, err := s.Rad(t.Context(), "preview", "mvp", "--expect-no-changes")
	require.NoError(t, err, out)
}

func TestAChangedValueRestartsOnlyWhatDependsOnIt(t *testing.T) {
	t.Parallel()
	s := newStack(t, "mvp")
	s.up()
	before := s.status()
	s.up("-c", "logLevel=debug")
	for _, was := range before.Services {
		now := s.service(was.Name)
		if was.Name == "panel" {
			require.NotEqual(t, was.PID, now.PID, "the panel reads the log level")
		} else {
			require.Equal(t, was.PID, now.PID, "%s has nothing to do with the log level", was.Name)
		}
	}
}

func TestWhatIsKilledComesBack(t *testing.T) {
	t.Parallel()
	elsewhere, err := os.MkdirTemp("/tmp", "rad-disk-")
	require.NoError(t, err)
	require.NoError(t, os.Chmod(elsewhere, 0o711))
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(elsewhere)) })
	s := newStack(t, "mvp")
	// The state folder is a link, such as one to a larger disk.
	require.NoError(t, os.Remove(s.State))
	require.NoError(t, os.Symlink(elsewhere, s.State))
	s.up()
	writer := s.user("writer@example.com")
	book := s.startLedger(writer, 20)
	comesBack := func(victim string) time.Duration {
		was := s.service(victim)
		require.Positive(t, was.PID, victim)
		require.NoError(t, syscall.Kill(was.PID, syscall.SIGKILL))
		killed := time.Now()
		s.awaitHealthy(60 * time.Second)
		back := time.Since(killed)
		now := s.service(victim)
		require.NotEqual(t, was.PID, now.PID, victim)
		require.Greater(t, now.Restarts, was.Restarts, "status tells that %s was restarted", victim)
		acknowledged := book.count()
		require.Eventually(t, func() bool { return book.count() > acknowledged+10 }, 30*time.Second, 50*time.Millisecond, "writes go on")
		t.Logf("%s: killed and healthy again after %v", victim, back.Round(time.Millisecond))
		return back
	}
	for _, victim := range []string{"panel", "pgbouncer", "nginx", "postgresql"} {
		comesBack(victim)
	}
	// Nobody but a superuser gets one more connection, nor does whoever migrates the schema: all but three of 20 are open. The
	// service does not wait until some are given up.
	s.withConnections(17, func() { require.Less(t, comesBack("panel"), 20*time.Second) })
	book.settle(t)
	out := s.up()
	require.NotContains(t, strings.ToLower(out), "error")
}
