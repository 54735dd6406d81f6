package telemetry_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/app/telemetry"
)

func TestQuantilesAreRightToFivePercent(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_900_000_000, 0)
	w := telemetry.NewWindow(func() time.Time { return now })
	took, n := w.Quantile(0.95, 5*time.Minute)
	assert.Zero(t, took)
	assert.Zero(t, n)

	random := rand.New(rand.NewPCG(1, 2))
	var times []time.Duration
	for range 10_000 {
		d := time.Duration(random.ExpFloat64() * float64(50*time.Millisecond))
		times = append(times, d)
		w.Observe(d)
	}
	slices.Sort(times)
	for _, q := range []float64{0.5, 0.95, 0.99} {
		want := times[int(q*float64(len(times)))-1]
		got, n := w.Quantile(q, 5*time.Minute)
		assert.InEpsilon(t, want, got, 0.06, "q=%g", q)
		assert.Equal(t, uint64(10_000), n)
	}
	w.Observe(0)
	w.Observe(24 * time.Hour)
	got, _ := w.Quantile(1, 5*time.Minute)
	assert.Greater(t, got, time.Minute)
}

func TestTheWindowForgets(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_900_000_000, 0)
	w := telemetry.NewWindow(func() time.Time { return now })
	w.Observe(time.Second)
	assert.InDelta(t, 1.0/60, w.Rate(time.Minute), 1e-9)
	now = now.Add(time.Minute)
	assert.Zero(t, w.Rate(time.Minute))
	_, n := w.Quantile(0.5, 5*time.Minute)
	assert.Equal(t, uint64(1), n)
	now = now.Add(5 * time.Minute)
	_, n = w.Quantile(0.5, 5*time.Minute)
	assert.Zero(t, n)
	w.Observe(time.Millisecond) // Takes the place of a slot from long ago.
	got, n := w.Quantile(0.5, 5*time.Minute)
	assert.Equal(t, uint64(1), n)
	assert.Less(t, got, 2*time.Millisecond)
}

func TestTheWindowIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	w := telemetry.NewWindow(time.Now)
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for range 1000 {
				w.Observe(time.Millisecond)
				w.Rate(time.Minute)
			}
		})
	}
	group.Wait()
	_, n := w.Quantile(0.5, 5*time.Minute)
	assert.Equal(t, uint64(4000), n)
}

func TestLogLinesCarryTheRequest(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log, err := telemetry.NewLogger(&out, "warn")
	require.NoError(t, err)
	ctx := telemetry.WithRequest(t.Context(), &telemetry.Request{ID: "r1"})
	telemetry.RequestOf(ctx).UserID = "u1"
	telemetry.RequestOf(context.Background()).UserID = "nobody"
	log.InfoContext(ctx, "not shown")
	log.With("part", "x").WithGroup("g").WarnContext(ctx, "shown", slog.Int("n", 1))

	var line map[string]any
	require.NoError(t, json.Unmarshal(out.Bytes(), &line))
	assert.Equal(t, "shown", line["msg"])
	assert.Equal(t, "x", line["part"])
	group, ok := line["g"].(map[string]any)
	require.True(t, ok)
	assert.Equal(t, "r1", group["request_id"])
	assert.Equal(t, "u1", group["user_id"])

	_, err = telemetry.NewLogger(&out, "loud")
	require.ErrorContains(t, err, `"loud": expected debug, info, warn or error`)
}
