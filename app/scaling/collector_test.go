package scaling_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/app/scaling"
)

func TestWhatOnlyThePanelKnowsIsAMetric(t *testing.T) {
	t.Parallel()
	m, w, _ := newMonitor(t)
	door := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer door.Close()
	levels := &scaling.ServiceLevels{DB: server.NewDatabase(t).Open(t), URL: door.URL, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return w.now }}
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(scaling.NewCollector(m, levels))
	shown := func() map[string]float64 {
		families, err := registry.Gather()
		require.NoError(t, err)
		values := map[string]float64{}
		for _, family := range families {
			values[family.GetName()] = family.GetMetric()[0].GetGauge().GetValue()
		}
		return values
	}
	assert.Empty(t, shown(), "nothing was measured yet")

	levels.Probe(t.Context(), door.Client())
	require.NoError(t, levels.AddPageLoad(t.Context(), 700*time.Millisecond, true))
	w.now = w.now.Add(time.Minute)
	m.Sample(t.Context())
	// Run measures once before it waits.
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { levels.Run(ctx); close(ended) }()
	require.Eventually(t, func() bool { _, fresh := levels.Latest(); return fresh }, 10*time.Second, time.Millisecond)
	cancel()
	<-ended
	assert.Equal(t, map[string]float64{
		"radpanel_concurrent_users": 0, "radpanel_uptime_percent": 100, "radpanel_uptime_observed_seconds": 60, "radpanel_page_load_p95_seconds": 0.695, "radpanel_page_loads": 1,
	}, shown())
	w.now = w.now.Add(5 * time.Minute)
	assert.Empty(t, shown(), "what is long ago is not said to be so now")
}
