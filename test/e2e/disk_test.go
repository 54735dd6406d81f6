package e2e

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/test/panelclient"
)

// smallDisk is room for a stack, and little more.
const smallDisk = "size=1200m,mode=0711"

// newStackOnASmallDisk prepares a stack whose state folder has a disk of its own.
func newStackOnASmallDisk(t *testing.T, tier string) *stack {
	t.Helper()
	disk, err := os.MkdirTemp("/tmp", "rad-disk-")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.Remove(disk)) })
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, smallDisk); err != nil {
		t.Skipf("cannot mount a small disk here (it takes root): %v", err)
	}
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(disk, 0)) })
	s := newStack(t, tier)
	require.NoError(t, os.Remove(s.State))
	s.State = filepath.Join(disk, "state")
	require.NoError(t, os.Mkdir(s.State, 0o711))
	return s
}

func TestAFullDiskRefusesWritesAndServesReads(t *testing.T) {
	t.Parallel()
	s := newStackOnASmallDisk(t, "mvp")
	s.up()
	ada := s.user("ada@example.com")
	panel, err := ada.CreatePanel(t.Context(), "Customers")
	require.NoError(t, err)
	first, err := ada.CreateRecord(t.Context(), panel.ID, "first", nil)
	require.NoError(t, err)

	s.spareLog()
	ballast := filepath.Join(filepath.Dir(s.State), "ballast")
	fill(t, ballast)
	acknowledged := map[string]bool{first.ID: true}
	refused := s.writeUntilRefused(ada, panel.ID, acknowledged)
	var problem *panelclient.Problem
	require.ErrorAs(t, refused, &problem)
	require.Equal(t, http.StatusInsufficientStorage, problem.Status, "%v", refused)
	require.Equal(t, "/problems/full", problem.Type, "%v", refused)
	require.Zero(t, problem.RetryAfter, "nobody is told to try again soon")
	for range 100 {
		require.NoError(t, ada.Do(t.Context(), http.MethodGet, "/panels/"+panel.ID+"/records", nil, nil), "reads go on")
		require.NoError(t, ada.Do(t.Context(), http.MethodGet, "/panels/"+panel.ID+"/records/"+first.ID, nil, nil), "reads go on")
	}

	require.NoError(t, os.Remove(ballast))
	freed := time.Now()
	require.Eventually(t, func() bool {
		made, err := ada.CreateRecord(t.Context(), panel.ID, "after", nil)
		acknowledged[made.ID] = err == nil
		return err == nil
	}, time.Minute, 50*time.Millisecond, "writes are taken again once there is space")
	t.Logf("with space again, a write was taken after %v", time.Since(freed).Round(time.Millisecond))
	held := 0
	require.NoError(t, ada.EachRecord(t.Context(), panel.ID, func(r panelclient.Record) error {
		if acknowledged[r.ID] {
			held++
		}
		return nil
	}))
	delete(acknowledged, "") // those that were refused
	require.Equal(t, len(acknowledged), held, "nothing that was acknowledged is lost")
}

// spareLog has PostgreSQL begin a segment of its write-ahead log, with a used one to go on in. It refuses a write for which a table
// has no room, but ends when its log has none, and then nothing is answered until it has recovered.
func (s *stack) spareLog() {
	s.t.Helper()
	connection := s.superuser()
	defer func() { require.NoError(s.t, connection.Close(context.Background())) }()
	require.Eventually(s.t, func() bool {
		for _, statement := range []string{"SELECT pg_switch_wal()", "CHECKPOINT"} {
			_, err := connection.Exec(s.t.Context(), statement)
			require.NoError(s.t, err, statement)
		}
		var isSpare bool
		require.NoError(s.t, connection.QueryRow(s.t.Context(), `SELECT EXISTS (SELECT FROM pg_ls_waldir()
			WHERE name ~ '^[0-9A-F]{24}$' AND name > pg_walfile_name(pg_current_wal_insert_lsn()))`).Scan(&isSpare))
		return isSpare
	}, time.Minute, 100*time.Millisecond, "a segment of the log that is used again")
}

// writeUntilRefused makes large records until one is refused, and returns why.
func (s *stack) writeUntilRefused(client *panelclient.Client, panel string, acknowledged map[string]bool) error {
	s.t.Helper()
	noise := make([]byte, 30_000) // It does not compress.
	for range 1000 {
		_, err := rand.Read(noise)
		require.NoError(s.t, err)
		made, err := client.CreateRecord(s.t.Context(), panel, "large", map[string]any{"noise": base64.StdEncoding.EncodeToString(noise)})
		if err != nil {
			return err
		}
		acknowledged[made.ID] = true
	}
	require.Fail(s.t, "30 MB were taken by a disk that is full")
	return nil
}

// fill writes a file until its disk takes no more.
func fill(t *testing.T, path string) {
	t.Helper()
	file, err := os.Create(path)
	require.NoError(t, err)
	defer func() { _ = file.Close() }()
	_, err = io.Copy(file, zeroes{})
	require.ErrorIs(t, err, syscall.ENOSPC)
}

// zeroes are without end.
type zeroes struct{}

func (zeroes) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
