package e2e

import (
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A panel that was promoted is watched. It goes back by itself when its instances do not answer any more, with nothing lost,
// and stays where it is when it keeps its SLO. For as long as a slot holds log for the other side, an alert tells.
func TestAPromotionIsWatched(t *testing.T) {
	if os.Getenv(wholeMatrix) == "" {
		t.Skip("by `make test-promote` alone: it takes some minutes on a machine that is busy")
	}
	mvp, p := newStack(t, "mvp"), newPager(t)
	mvp.rehearsed(p)
	tier1 := mvp.beside("tier1")
	rehearsal := []string{"-c", "alertRehearsal=1s", "-c", "alertWebhook=" + p.URL}
	kept := mvp.newKeepsakes(mvp.user("keeper@example.com"))
	kept.store(t)
	watch := mvp.startWitness(mvp.user("reader@example.com"), 10)
	book := mvp.startLedger(mvp.user("writer@example.com"), 10)

	rad := mvp.overhear(append([]string{"promote", mvp.Name, tier1.Name, "--watch", "5m", "--auto-rollback"}, rehearsal...)...)
	for mvp.promotion(tier1).Step != "bake" {
		select {
		case err := <-rad.done:
			require.NoError(t, err, "the panel did not move: %s", rad.text())
		default:
		}
	}
	require.Eventually(t, func() bool { return kept.tryToStore(t) == nil }, settleTime, 100*time.Millisecond, "a file is not taken")
	frozen := []int{tier1.service("panel").PID}
	tier1.signal(frozen, syscall.SIGSTOP)
	struck := time.Now()
	moved := func() bool {
		for _, side := range mvp.promotion(tier1).Sides {
			if side.Name == fullName(mvp) && side.Writable {
				return true
			}
		}
		return false
	}
	returned := false
	for !returned && time.Since(struck) < 3*time.Minute {
		returned = moved()
	}
	tier1.signal(frozen, syscall.SIGCONT)
	require.True(t, returned, "the panel did not go back by itself: %s", rad.text())
	t.Logf("the panel wrote to the old stack %v after an instance of the new one had frozen", time.Since(struck).Round(100*time.Millisecond))
	require.Error(t, <-rad.done, "a breach is an error")
	require.Contains(t, rad.text(), "the SLO is breached")
	known := mvp.promotion(tier1)
	require.Equal(t, "rolled-back", known.Step, "%s", rad.text())
	require.Equal(t, fullName(mvp), known.writable(t))
	kept.check(t)
	mvp.wellAfter(tier1, book, "going back by itself")
	watch.settle(t)
	book.settle(t)

	// Nobody makes requests now: on a machine that is busy with other tests, they might well breach the SLO.
	out, err := mvp.Rad(t.Context(), append([]string{"promote", mvp.Name, tier1.Name, "--watch", "12s", "--auto-rollback"}, rehearsal...)...)
	require.NoError(t, err, out)
	require.Equal(t, "bake", mvp.promotion(tier1).Step, "it keeps its SLO, and stays")
	awaitSlotAlert(t, p, fullName(tier1), "firing")
	out, err = mvp.Rad(t.Context(), append([]string{"promote", "finish", mvp.Name, tier1.Name}, rehearsal...)...)
	require.NoError(t, err, out)
	awaitSlotAlert(t, p, fullName(tier1), "resolved")
	kept.check(t)
}

func awaitSlotAlert(t *testing.T, p *pager, stack, status string) {
	t.Helper()
	began := time.Now()
	require.Eventually(t, func() bool {
		alert, told := p.lastOf("promotion-slot", stack)
		return told && alert.Status == status
	}, alertPatience, 50*time.Millisecond, "alert promotion-slot of %s: %s never arrived", stack, status)
	t.Logf("promotion-slot of %s: %s after %v", stack, status, time.Since(began).Round(100*time.Millisecond))
}
