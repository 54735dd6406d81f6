package scaling_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/app/scaling"
)

func TestUptimeIsTheShareOfMinutesInWhichTheFrontDoorAnswered(t *testing.T) {
	t.Parallel()
	var status atomic.Int64
	door := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(int(status.Load())) }))
	defer door.Close()
	now := time.Date(2026, 3, 1, 11, 58, 10, 0, time.UTC)
	levels := &scaling.ServiceLevels{
		DB: server.NewDatabase(t).Open(t), URL: door.URL, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return now },
	}
	measured, err := levels.Measure(t.Context())
	require.NoError(t, err)
	assert.Nil(t, measured.UptimePercent, "nothing was recorded")

	probe := func(answer int) { status.Store(int64(answer)); levels.Probe(t.Context(), door.Client()) }
	probe(http.StatusBadGateway) // 11:58: the stack comes up
	now = now.Add(2 * time.Minute)
	start := now
	probe(http.StatusOK) // 12:00: good
	measured, err = levels.Measure(t.Context())
	require.NoError(t, err)
	assert.Nil(t, measured.UptimePercent, "the minute is not over")
	now = start.Add(time.Minute)
	probe(http.StatusServiceUnavailable)
	probe(http.StatusOK) // 12:01: good, for one of its probes was answered
	now = start.Add(2 * time.Minute)
	probe(http.StatusServiceUnavailable) // 12:02: down
	// 12:03: nobody was there
	now = start.Add(4 * time.Minute)
	probe(http.StatusOK) // 12:04: good
	now = start.Add(5 * time.Minute)
	measured, err = levels.Measure(t.Context())
	require.NoError(t, err)
	require.NotNil(t, measured.UptimePercent)
	assert.InDelta(t, 60, *measured.UptimePercent, 1e-9)
	assert.Equal(t, start.Truncate(time.Minute), measured.UptimeSince.UTC())
}

func TestThePageLoadIsThatOfColdCaches(t *testing.T) {
	t.Parallel()
	now := time.Now()
	levels := &scaling.ServiceLevels{DB: server.NewDatabase(t).Open(t), Now: func() time.Time { return now }}
	measured, err := levels.Measure(t.Context())
	require.NoError(t, err)
	assert.Nil(t, measured.PageLoadSeconds)
	for n := range 100 {
		took := 700 * time.Millisecond
		if n >= 90 {
			took = 2 * time.Second
		}
		require.NoError(t, levels.AddPageLoad(t.Context(), took, true))
		require.NoError(t, levels.AddPageLoad(t.Context(), 10*time.Second, false), "a warm cache does not count")
	}
	measured, err = levels.Measure(t.Context())
	require.NoError(t, err)
	assert.EqualValues(t, 100, measured.PageLoads)
	assert.InDelta(t, 1.875, *measured.PageLoadSeconds, 1e-9, "the middle of the bucket from 1,750 to 2,000 ms: five of ten")
	now = now.Add(8 * 24 * time.Hour)
	measured, err = levels.Measure(t.Context())
	require.NoError(t, err)
	assert.Zero(t, measured.PageLoads, "longer ago than a week")
}
