package e2e

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A fault is what happens to a process of a stack.
type fault struct {
	// victim is the name of the service; its workers are meant, not itself, if workers is set.
	victim  string
	workers bool
	// frozen stops the process for frostTime instead of killing it.
	frozen bool
}

// frostTime is longer than every time-out by which one part of the panel notices that another does not answer, and
// shorter than what makes the supervisor end a process that hangs.
const frostTime = 4 * time.Second

func (f fault) String() string {
	verb := "killed"
	if f.frozen {
		verb = "frozen"
	}
	if f.workers {
		return f.victim + " workers " + verb
	}
	return f.victim + " " + verb
}

// strike does it and returns when it has been undone by the test (a frozen process runs on) or could be undone by
// nobody but the stack itself (a killed one).
func (f fault) strike(s *stack) {
	s.t.Helper()
	service := s.service(f.victim)
	require.Positive(s.t, service.PID, "%s does not run", f.victim)
	victims := []int{service.PID}
	if f.workers {
		victims = childrenOf(s.t, service.PID)
		require.NotEmpty(s.t, victims, "%s has no workers", f.victim)
	}
	if f.frozen {
		s.signal(victims, syscall.SIGSTOP)
		defer s.signal(victims, syscall.SIGCONT)
		timer := time.NewTimer(frostTime)
		defer timer.Stop()
		<-timer.C
		return
	}
	s.signal(victims, syscall.SIGKILL)
}

func (s *stack) signal(processes []int, signal syscall.Signal) {
	s.t.Helper()
	for _, pid := range processes {
		err := syscall.Kill(pid, signal)
		if signal == syscall.SIGCONT && err == syscall.ESRCH {
			continue // The supervisor took it for hung, and ended it.
		}
		require.NoError(s.t, err, "%v to process %d", signal, pid)
	}
}

func childrenOf(t *testing.T, parent int) []int {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	require.NoError(t, err)
	var children []int
	for _, stat := range stats {
		raw, err := os.ReadFile(stat)
		if err != nil {
			continue // It has ended meanwhile.
		}
		// pid (command) state parent …; the command may hold spaces and brackets.
		text := string(raw)
		fields := strings.Fields(text[strings.LastIndex(text, ")")+1:])
		if len(fields) < 2 || fields[1] != strconv.Itoa(parent) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(stat)))
		require.NoError(t, err)
		children = append(children, pid)
	}
	return children
}

// survive strikes each fault while people work, waits until all is well again, and lets no acknowledged write be lost.
func (s *stack) survive(faults []fault) {
	s.t.Helper()
	book := s.startLedger(s.user("writer@example.com"), 20)
	watch := s.startWitness(s.user("reader@example.com"), 60)
	for _, f := range faults {
		struck := time.Now()
		f.strike(s)
		s.awaitHealthy(60 * time.Second)
		acknowledged := book.count()
		require.Eventually(s.t, func() bool { return book.count() > acknowledged+10 }, 30*time.Second, 50*time.Millisecond,
			"writes do not go on after %s", f)
		s.t.Logf("%-28s %s", f, watch.since(struck))
	}
	watch.settle(s.t)
	book.settle(s.t)
}

// doesWithout kills, freezes and kills a service while a witness works. Nothing at all may fail.
func (s *stack) doesWithout(victim string, watch *witness, within time.Duration) {
	s.t.Helper()
	for _, f := range []fault{{victim: victim}, {victim: victim, frozen: true}, {victim: victim}} {
		struck := time.Now()
		f.strike(s)
		s.awaitHealthy(within)
		s.t.Logf("%-28s %s", f, watch.since(struck))
	}
	watch.settle(s.t)
	require.Empty(s.t, watch.outages)
}
