package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// advice is what `rad advise --json` says.
type advice struct {
	Verdict string   `json:"verdict"`
	Reasons []string `json:"reasons"`
	Missing []struct {
		Measurement string `json:"measurement"`
		Problem     string `json:"problem"`
	} `json:"missing"`
	Triggers []struct {
		ID    string   `json:"id"`
		Value *float64 `json:"value"`
		Fired bool     `json:"fired"`
	} `json:"triggers"`
	Next struct {
		Command string `json:"command"`
	} `json:"next"`
}

// advise asks for advice, and gives the exit code too.
func (s *stack) advise(ctx context.Context, args ...string) (said advice, code int) {
	s.t.Helper()
	command := s.Command(ctx, append([]string{"advise", s.Name, "--json"}, args...)...)
	var stderr bytes.Buffer
	command.Stderr = &stderr
	out, err := command.Output()
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		require.NoError(s.t, err, stderr.String())
	}
	require.NoError(s.t, json.Unmarshal(out, &said), "%s%s", out, stderr.Bytes())
	return said, command.ProcessState.ExitCode()
}

// An idle stack stays, once it has been measured. Without its Prometheus there is no advice.
func TestAnIdleStackIsAdvisedToStay(t *testing.T) {
	t.Parallel()
	s := newStack(t, "mvp")
	s.up()
	said, code := s.advise(t.Context())
	require.Equal(t, "refused", said.Verdict, "nothing can have been measured yet")
	require.Equal(t, 10, code)
	require.NotEmpty(t, said.Missing)
	require.Eventually(t, func() bool {
		said, code = s.advise(t.Context())
		return said.Verdict != "refused"
	}, 4*time.Minute, time.Second, "uptime takes a minute: %+v", said)
	require.Equal(t, "stay", said.Verdict, "%v", said.Reasons)
	require.Zero(t, code)
	require.Len(t, said.Triggers, 3)
	require.Equal(t, "rad promote mvp tier1", said.Next.Command)
	s.showsItsHistory()

	prometheus := s.service("prometheus").PID
	require.NoError(t, syscall.Kill(prometheus, syscall.SIGSTOP)) // It takes connections, and never answers.
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	said, code = s.advise(ctx)
	require.NoError(t, syscall.Kill(prometheus, syscall.SIGCONT))
	require.Equal(t, 10, code)
	require.Len(t, said.Missing, 1)
	require.Equal(t, "prometheus", said.Missing[0].Measurement)
	require.NotEmpty(t, said.Missing[0].Problem)
}

// showsItsHistory looks at what the scaling page draws.
func (s *stack) showsItsHistory() {
	s.t.Helper()
	admin := s.user("first@example.com")
	var history struct {
		State    string `json:"state"`
		Triggers []struct {
			ID     string     `json:"id"`
			Values []*float64 `json:"values"`
		} `json:"triggers"`
	}
	require.NoError(s.t, admin.Do(s.t.Context(), "GET", "/admin/scaling/history?span=hour", nil, &history))
	require.Equal(s.t, "available", history.State)
	require.Len(s.t, history.Triggers, 3)
	measured := 0
	for _, value := range history.Triggers[2].Values {
		if value != nil {
			measured++
		}
	}
	require.Positive(s.t, measured, "%s has been measured", history.Triggers[2].ID)
}

// Connections that are really held open change the advice, as soon as they are measured: alerts are rehearsed, so that the
// trigger does not have to be over for a quarter of an hour.
func TestHeldConnectionsChangeTheAdvice(t *testing.T) {
	t.Parallel()
	const rehearsed = "alertRehearsal=2s"
	s := newStack(t, "mvp")
	s.up("-c", rehearsed)
	connections := func() (value float64, fired bool, said advice, code int) {
		said, code = s.advise(t.Context(), "-c", rehearsed)
		for _, trigger := range said.Triggers {
			if trigger.ID == "database-connections" && trigger.Value != nil {
				return *trigger.Value, trigger.Fired, said, code
			}
		}
		return 0, false, said, code
	}
	require.Eventually(t, func() bool {
		value, fired, said, _ := connections()
		return said.Verdict != "refused" && value > 0 && !fired
	}, 4*time.Minute, time.Second)

	s.withConnections(17, func() {
		require.Eventually(t, func() bool {
			value, fired, said, code := connections()
			// The error budget may be spent by now: overdue.
			return fired && value > 15 && (said.Verdict == "promote" && code == 8 || said.Verdict == "overdue" && code == 9)
		}, time.Minute, 500*time.Millisecond)
	})
}
