package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/test/panelclient"
)

// A ledger writes records at a fixed rate while a stack is being hurt, and remembers which the panel acknowledged.
// A write that fails is sent again with its Idempotency-Key, as a careful client does: after a growing pause, or when it is
// told to, until it is acknowledged.
type ledger struct {
	client *panelclient.Client
	panel  string

	mu           sync.Mutex
	acknowledged map[string]string // title -> id
	failures     map[int]int       // HTTP status (0: no answer) -> count
	longest      time.Duration     // the longest time from the first attempt of a write to its acknowledgement
	writing      int

	stop context.CancelFunc
	done sync.WaitGroup
}

// mostWriters bounds the writes that are on their way: in an outage, more would only hammer at what comes up again.
const mostWriters = 100

// startLedger begins to write, perSecond records a second in the open model: a slow answer delays no later write.
func (s *stack) startLedger(client *panelclient.Client, perSecond int) *ledger {
	s.t.Helper()
	panel, err := client.CreatePanel(s.t.Context(), "Ledger")
	require.NoError(s.t, err)
	ctx, cancel := context.WithCancel(s.t.Context())
	l := &ledger{client: client, panel: panel.ID, acknowledged: map[string]string{}, failures: map[int]int{}, stop: cancel}
	// A write that has started is seen through after the clock has stopped.
	writes := s.t.Context()
	l.done.Go(func() {
		panelclient.AtRate(ctx, perSecond, func(n int) {
			if l.begin() {
				l.done.Go(func() { l.write(writes, fmt.Sprintf("entry %06d", n)) })
			}
		})
	})
	return l
}

// begin tells whether another write may be on its way.
func (l *ledger) begin() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.writing == mostWriters {
		return false
	}
	l.writing++
	return true
}

func (l *ledger) write(ctx context.Context, title string) {
	defer l.end()
	key := uuid.NewString()
	started := time.Now()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	pauses := backoff.NewExponentialBackOff()
	pauses.InitialInterval, pauses.MaxInterval = 100*time.Millisecond, 2*time.Second
	record, err := backoff.Retry(ctx, func() (panelclient.Record, error) {
		record, err := l.client.CreateRecord(ctx, l.panel, title, map[string]any{"n": title}, panelclient.IdempotencyKey(key))
		if err == nil {
			return record, nil
		}
		l.fail(panelclient.StatusOf(err))
		if problem := new(panelclient.Problem); errors.As(err, &problem) && problem.RetryAfter > 0 {
			return record, &backoff.RetryAfterError{Duration: problem.RetryAfter}
		}
		return record, err
	}, backoff.WithBackOff(pauses), backoff.WithMaxElapsedTime(0))
	if err == nil {
		l.acknowledge(title, record.ID, time.Since(started))
	}
}

func (l *ledger) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.writing--
}

func (l *ledger) acknowledge(title, id string, took time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.acknowledged[title] = id
	l.longest = max(l.longest, took)
}

func (l *ledger) fail(status int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failures[status]++
}

// count is how many writes were acknowledged so far.
func (l *ledger) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.acknowledged)
}

// settle stops writing and compares what was acknowledged with what the panel holds: nothing lost, nothing doubled.
func (l *ledger) settle(t *testing.T) {
	t.Helper()
	l.stop()
	l.done.Wait()
	held := map[string][]string{}
	require.NoError(t, l.client.EachRecord(t.Context(), l.panel, func(r panelclient.Record) error {
		held[r.Title] = append(held[r.Title], r.ID)
		return nil
	}))
	require.NotEmpty(t, l.acknowledged, "nothing was acknowledged: the test would show nothing")
	for title, id := range l.acknowledged {
		require.Equal(t, []string{id}, held[title], "acknowledged as %s", id)
	}
	for title, ids := range held {
		require.Len(t, ids, 1, "%q is held more than once", title)
	}
	outages := []int{
		0, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout, http.StatusInsufficientStorage, http.StatusConflict,
	}
	for status := range l.failures {
		require.Contains(t, outages, status, "an outage is told as such: %v", l.failures)
	}
	t.Logf("%d writes acknowledged, none lost or doubled; attempts that failed by status: %v; slowest acknowledgement %v",
		len(l.acknowledged), l.failures, l.longest.Round(time.Millisecond))
}
