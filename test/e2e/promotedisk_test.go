package e2e

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/test/panelclient"
)

// besideOnASmallDisk prepares another stack in the same state folder, which has a disk of its own. It gives the file that
// fills that.
func (s *stack) besideOnASmallDisk(tier string) (other *stack, ballast string) {
	s.t.Helper()
	other = &stack{Stack: s.Beside(tier), t: s.t, url: s.url}
	folder := filepath.Join(s.State, fullName(other))
	require.NoError(s.t, os.Mkdir(folder, 0o711))
	if err := syscall.Mount("tmpfs", folder, "tmpfs", 0, smallDisk); err != nil {
		s.t.Skipf("cannot mount a small disk here (it takes root): %v", err)
	}
	ballast = filepath.Join(folder, "ballast")
	s.t.Cleanup(func() {
		if s.t.Failed() {
			s.t.Log(other.lastLogLines())
		}
		require.NoError(s.t, os.RemoveAll(filepath.Join(s.State, "promotions")))
		_ = os.Remove(ballast) // It may be gone.
		out, err := other.Rad(context.Background(), "down", other.Name)
		require.NoError(s.t, err, out)
		require.NoError(s.t, syscall.Unmount(folder, 0))
		out, err = other.Rad(context.Background(), "down", other.Name, "--purge", "--yes")
		require.NoError(s.t, err, out)
	})
	return other, ballast
}

// heard is what a rad that still runs has said so far.
type heard struct {
	mu   sync.Mutex
	said bytes.Buffer
	done chan error
}

// Write implements [io.Writer].
func (h *heard) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.said.Write(p)
}

func (h *heard) text() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.said.String()
}

// overhear runs a command of rad and listens to it meanwhile.
func (s *stack) overhear(args ...string) *heard {
	s.t.Helper()
	h := &heard{done: make(chan error, 1)}
	command := s.Command(s.t.Context(), args...)
	command.Stdout, command.Stderr = h, h
	require.NoError(s.t, command.Start())
	go func() { h.done <- command.Wait() }()
	return h
}

// The new stack's disk is full while the panel is copied, while it is followed, and while it bakes. Until the panel has
// moved nobody notices but whoever promotes, and is told why. With space again the promotion goes on, or goes back.
func TestAPromotionSurvivesAFullDiskOfTheNewStack(t *testing.T) {
	mvp := newStack(t, "mvp")
	mvp.up()
	tier1, ballast := mvp.besideOnASmallDisk("tier1")
	watch := mvp.startWitness(mvp.user("reader@example.com"), 20)
	book := mvp.startLedger(mvp.user("writer@example.com"), 20)
	calls := newCalls(t)
	fillAt := func(point string) {
		calls.mu.Lock()
		defer calls.mu.Unlock()
		calls.at = func(reached string) {
			if reached == point {
				fill(t, ballast)
			}
		}
	}
	calling := mvp.RunBy(filepath.Join(built.folder, "faultyrad"), "RAD_FAULT=* call "+calls.socket)
	const full = "the disk of stack local-tier1 is full"

	if os.Getenv(wholeMatrix) != "" {
		fillAt("subscribe")
		rad := (&stack{Stack: calling, t: t}).overhear("promote", mvp.Name, tier1.Name)
		require.Eventually(t, func() bool { return strings.Contains(rad.text(), full) }, 2*time.Minute, 50*time.Millisecond, "it does not say what is wrong")
		require.Equal(t, fullName(mvp), mvp.writableOf(tier1), "the panel is where it was")
		mvp.writesGoOn(book)
		require.NoError(t, os.Remove(ballast))
		if err := <-rad.done; err != nil { // The new database had refused it.
			mvp.promote(tier1)
		}
		require.Equal(t, "bake", mvp.promotion(tier1).Step)
		mvp.promote(tier1, "rollback")
	}

	fillAt("verify")
	_, err := calling.Rad(t.Context(), "promote", mvp.Name, tier1.Name)
	require.ErrorContains(t, err, full)
	require.Equal(t, fullName(mvp), mvp.writableOf(tier1), "the panel is where it was")
	mvp.writesGoOn(book)
	out, err := mvp.Rad(t.Context(), "promote", "rollback", mvp.Name, tier1.Name)
	require.NoError(t, err, "the old stack does without the new one: %s", out)
	require.Equal(t, "rolled-back", mvp.promotion(tier1).Step)
	mvp.writesGoOn(book)
	require.NoError(t, os.Remove(ballast))

	require.Eventually(t, func() bool {
		_, err = mvp.Rad(t.Context(), "promote", mvp.Name, tier1.Name)
		return err == nil
	}, 3*time.Minute, time.Second, "with space again, it does not come: %v", err)
	if os.Getenv(wholeMatrix) != "" {
		ada := mvp.user("ada@example.com")
		panel, err := ada.CreatePanel(t.Context(), "Customers")
		require.NoError(t, err)
		fill(t, ballast)
		refused := mvp.writeUntilRefused(ada, panel.ID, map[string]bool{})
		require.Contains(t, []int{0, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusInsufficientStorage}, panelclient.StatusOf(refused), "%v", refused)
		require.NoError(t, os.Remove(ballast))
		mvp.wellAfter(tier1, book, "a full disk while it baked")
	}
	mvp.promote(tier1, "rollback")
	require.Equal(t, fullName(mvp), mvp.promotion(tier1).writable(t))
	watch.settle(t)
	book.settle(t)
}

// writesGoOn waits until some more writes were acknowledged.
func (s *stack) writesGoOn(book *ledger) {
	s.t.Helper()
	before := book.count()
	require.Eventually(s.t, func() bool { return book.count() > before+10 }, settleTime, 20*time.Millisecond, "writes do not go on")
}

// writableOf names the stack that says that it may be written to; the other one may not answer.
func (s *stack) writableOf(to *stack) string {
	s.t.Helper()
	name := ""
	for _, side := range s.promotion(to).Sides {
		if side.Writable {
			require.Empty(s.t, name, "two databases may be written to")
			name = side.Name
		}
	}
	return name
}
