package database_test

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/app/database"
)

// Clients that wait at the pooler are seen, for how long too; so are those that are served again.
func TestThePoolerSaysHowItIs(t *testing.T) {
	t.Parallel()
	d := server.NewDatabase(t)
	pooler := server.NewPooler(t, d, 2)
	db, err := database.Open(database.Options{URL: pooler.URL, Connections: 4, Wait: 20 * time.Second})
	require.NoError(t, err)
	defer db.Close()
	collector, err := database.NewPoolerCollector("primary", pooler.URL)
	require.NoError(t, err)
	registry := prometheus.NewRegistry()
	registry.MustRegister(collector)
	require.NoError(t, db.Ping(t.Context()))
	assert.InDelta(t, 1, gathered(t, registry, "up"), 0)
	assert.Zero(t, gathered(t, registry, "clients/waiting"))
	assert.GreaterOrEqual(t, gathered(t, registry, "transactions_total"), 1.0)

	pooler.Command(t, "PAUSE")
	answered := make(chan error, 1)
	go func() { answered <- db.Ping(t.Context()) }()
	require.Eventually(t, func() bool {
		return gathered(t, registry, "clients/waiting") == 1 && gathered(t, registry, "longest_wait_seconds") > 0.1
	}, 20*time.Second, 10*time.Millisecond)
	pooler.Command(t, "RESUME")
	require.NoError(t, <-answered)
	require.Eventually(t, func() bool {
		return gathered(t, registry, "clients/waiting") == 0 && gathered(t, registry, "wait_seconds_total") > 0.1
	}, 20*time.Second, 10*time.Millisecond)
}

// Without a pooler, Prometheus gets its answer all the same.
func TestAPoolerThatIsAwayIsDown(t *testing.T) {
	t.Parallel()
	collector, err := database.NewPoolerCollector("primary", "postgres://app@/panel?host=/nowhere&port=6432")
	require.NoError(t, err)
	registry := prometheus.NewRegistry()
	registry.MustRegister(collector)
	families, err := registry.Gather()
	require.NoError(t, err)
	require.Len(t, families, 1)
	assert.Zero(t, gathered(t, registry, "up"))
	_, err = database.NewPoolerCollector("primary", "postgres://app:hunter2@:x/panel")
	require.Error(t, err)
	assert.NotContains(t, err.Error(), "hunter2")
}

// gathered is a figure of the pooler; with a state after a slash.
func gathered(t *testing.T, registry *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := registry.Gather()
	require.NoError(t, err)
	name, state, _ := strings.Cut(name, "/")
	for _, family := range families {
		if family.GetName() != "radpanel_pooler_"+name {
			continue
		}
		for _, metric := range family.GetMetric() {
			for _, label := range metric.GetLabel() {
				if state == "" || label.GetName() == "state" && label.GetValue() == state {
					return metric.GetGauge().GetValue() + metric.GetCounter().GetValue()
				}
			}
		}
	}
	return 0
}
