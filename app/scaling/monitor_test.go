package scaling_test

import (
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/app/config"
	"github.com/radpanel/radpanel/app/database"
	"github.com/radpanel/radpanel/app/database/databasetest"
	"github.com/radpanel/radpanel/app/scaling"
	"github.com/radpanel/radpanel/app/telemetry"
)

var server databasetest.Server

func TestMain(m *testing.M) { os.Exit(server.Run(m)) }

// world is what a monitor sees, under the test's control.
type world struct {
	now   time.Time
	reads int64
	files string
	proc  string
}

func (w *world) cpu(t *testing.T, busy, idle int) {
	t.Helper()
	line := fmt.Sprintf("cpu  %d 0 0 %d 0 0 0 0 0 0\ncpu0 0 0 0 0 0 0 0 0 0 0\n", busy, idle)
	require.NoError(t, os.WriteFile(filepath.Join(w.proc, "stat"), []byte(line), 0o600))
}

func newMonitor(t *testing.T) (*scaling.Monitor, *world, *telemetry.Window) {
	t.Helper()
	w := &world{now: time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC), files: t.TempDir(), proc: t.TempDir()}
	w.cpu(t, 0, 0)
	clock := func() time.Time { return w.now }
	window := telemetry.NewWindow(clock)
	plan := &config.Plan{Tiers: []config.PlanTier{{Tier: "mvp"}, {Tier: "tier1", Triggers: []config.PlanTrigger{
		{ID: "cpu", Metric: "host_cpu", Threshold: 70, For: 2 * time.Minute},
		{ID: "response-time", Metric: "response_time_p95", Threshold: 0.5, For: 2 * time.Minute},
		{ID: "far", Metric: "far_requests", Threshold: 10},
	}}}}
	return scaling.New(scaling.Options{
		Config: config.Config{Tier: "mvp", FilesDirectory: w.files}, Plan: plan, DB: server.NewDatabase(t).Open(t), Window: window,
		Reads: func() int64 { return w.reads }, Log: slog.New(slog.DiscardHandler), Now: clock, ProcDir: w.proc,
	}), w, window
}

// shown is what Prometheus sees of the files.
func shown(t *testing.T, m *scaling.Monitor) float64 {
	t.Helper()
	registry := prometheus.NewRegistry()
	require.NoError(t, registry.Register(m.Collector()))
	families, err := registry.Gather()
	require.NoError(t, err)
	require.Len(t, families, 1)
	assert.Equal(t, "radpanel_files_bytes", families[0].GetName())
	return families[0].GetMetric()[0].GetGauge().GetValue()
}

func TestFiguresAreMeasured(t *testing.T) {
	t.Parallel()
	m, w, window := newMonitor(t)
	require.NoError(t, os.MkdirAll(filepath.Join(w.files, "ab"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(w.files, "ab", "file"), make([]byte, 50_000_000), 0o600))
	w.cpu(t, 1000, 9000)
	assert.True(t, math.IsNaN(shown(t, m)), "not added up yet")
	first := m.Report(t.Context())
	assert.InDelta(t, 50e6, shown(t, m), 0)
	assert.Nil(t, first.Figures.CPUPercent, "one sample is no rate")
	assert.Nil(t, first.Figures.P95Seconds, "no request was served")
	require.NotNil(t, first.Figures.StorageBytes)
	assert.Greater(t, *first.Figures.StorageBytes, 50e6, "files and database")

	w.now = w.now.Add(time.Minute)
	w.cpu(t, 1080, 9020)
	w.reads = 600
	for range 99 {
		window.Observe(100 * time.Millisecond)
	}
	for range 10 {
		window.Observe(time.Second)
	}
	figures := m.Report(t.Context()).Figures
	require.NotNil(t, figures.CPUPercent)
	assert.InDelta(t, 80, *figures.CPUPercent, 1e-9)
	assert.InDelta(t, 10, *figures.DatabaseReadsPerSecond, 1e-9)
	assert.InEpsilon(t, 1.0, *figures.P95Seconds, 0.06)
	assert.InDelta(t, 109.0/60, *figures.RequestsPerSecond, 1e-9)
	assert.Zero(t, *figures.ConcurrentUsers)
	assert.Positive(t, *figures.DatabaseConnections)
}

func TestATriggerFiresWhenItStaysOverItsThreshold(t *testing.T) {
	t.Parallel()
	m, w, window := newMonitor(t)
	step := func(p95 time.Duration) scaling.Trigger {
		window.Observe(p95)
		report := m.Report(t.Context())
		w.now = w.now.Add(time.Minute)
		require.Len(t, report.Triggers, 3)
		assert.Nil(t, report.Triggers[2].Value, "far_requests is not measured here")
		assert.Equal(t, scaling.UnitSeconds, report.Triggers[1].Unit)
		return report.Triggers[1]
	}
	assert.Nil(t, step(100*time.Millisecond).OverSince)
	start := w.now
	for range 2 {
		trigger := step(2 * time.Second)
		require.NotNil(t, trigger.OverSince)
		assert.Equal(t, start, *trigger.OverSince)
		assert.False(t, trigger.Fired)
	}
	assert.True(t, step(2*time.Second).Fired, "two minutes over")
	w.now = w.now.Add(10 * time.Minute)
	assert.Nil(t, step(time.Millisecond).OverSince, "a break starts anew")
}

func TestATriggerStaysOverWhileTheDatabaseIsTooBusyToAsk(t *testing.T) {
	t.Parallel()
	now := time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	db := server.NewDatabase(t).OpenWith(t, database.Options{Connections: 1, Wait: 100 * time.Millisecond})
	require.Eventually(t, func() bool { return db.Ping(t.Context()) == nil }, time.Minute, time.Millisecond)
	m := scaling.New(scaling.Options{
		Config: config.Config{Tier: "mvp", FilesDirectory: t.TempDir()}, DB: db, Window: telemetry.NewWindow(clock),
		Plan: &config.Plan{Tiers: []config.PlanTier{{Tier: "mvp"}, {Tier: "tier1", Triggers: []config.PlanTrigger{
			{ID: "connections", Metric: "database_connections", Threshold: 0, For: time.Minute},
		}}}},
		Reads: func() int64 { return 0 }, Log: slog.New(slog.DiscardHandler), Now: clock, ProcDir: t.TempDir(),
	})
	require.NotNil(t, m.Report(t.Context()).Triggers[0].OverSince)
	now = now.Add(time.Minute)
	require.NoError(t, db.InTx(t.Context(), func(*database.Tx) error { // The only connection.
		trigger := m.Report(t.Context()).Triggers[0]
		assert.Nil(t, trigger.Value)
		assert.NotNil(t, trigger.OverSince)
		assert.True(t, trigger.Fired)
		return nil
	}))
}

func TestAFigureThatCannotBeTakenIsLeftOut(t *testing.T) {
	t.Parallel()
	m, w, _ := newMonitor(t)
	require.NoError(t, os.Remove(filepath.Join(w.proc, "stat")))
	require.NoError(t, os.Remove(w.files))
	w.files = "/nonexistent"
	m.Report(t.Context())
	w.now = w.now.Add(time.Minute)
	figures := m.Report(t.Context()).Figures
	assert.Nil(t, figures.CPUPercent)
	assert.NotNil(t, figures.DatabaseConnections)
}
