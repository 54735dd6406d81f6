package balancer_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/app/balancer"
)

// gathered gives the values of a registry's gauges, and of its histograms how many were counted.
func gathered(t *testing.T, registry *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := registry.Gather()
	require.NoError(t, err)
	values := map[string]float64{}
	for _, family := range families {
		metric := family.GetMetric()[0]
		values[family.GetName()] = metric.GetGauge().GetValue() + float64(metric.GetHistogram().GetSampleCount())
		for _, bucket := range metric.GetHistogram().GetBucket() {
			values[fmt.Sprintf("%s/%g", family.GetName(), bucket.GetUpperBound())] = float64(bucket.GetCumulativeCount())
		}
	}
	return values
}

func TestConnectionsAreThoseThatNginxTells(t *testing.T) {
	t.Parallel()
	status, body := http.StatusOK, "Active connections: 291 \nserver accepts handled requests\n 16630948 16630948 31070465 \n"
	nginx := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}))
	defer nginx.Close()
	registry := prometheus.NewRegistry()
	require.NoError(t, registry.Register(balancer.NewConnections(nginx.URL, 8192, slog.New(slog.DiscardHandler))))
	assert.Equal(t, map[string]float64{"radpanel_balancer_connections": 291, "radpanel_balancer_connections_limit": 8192}, gathered(t, registry))

	unknown := map[string]float64{"radpanel_balancer_connections_limit": 8192}
	body = "hello"
	assert.Equal(t, unknown, gathered(t, registry), "what is not known is not zero")
	status, body = http.StatusForbidden, "Active connections: 1 \n"
	assert.Equal(t, unknown, gathered(t, registry))
	nginx.Close()
	assert.Equal(t, unknown, gathered(t, registry))
}

func TestRoundTripsAreCounted(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "rtt.sock")
	left, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	require.NoError(t, err)
	defer func() { _ = left.Close() }() // Of a process that was killed.
	registry := prometheus.NewRegistry()
	trips, err := balancer.ListenRoundTrips(path, registry)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- trips.Run(ctx) }()
	client, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	require.NoError(t, err)
	defer func() { _ = client.Close() }()
	for _, message := range []string{
		"<190>Nov 25 00:55:01 rtt: 149000", "<190>Nov 25 00:55:01 rtt: 151000", "<190>Nov 25 00:55:01 rtt: -", "nonsense",
		"<190>Nov 25 00:55:01 rtt: 42",
	} {
		_, err := client.Write([]byte(message))
		require.NoError(t, err)
	}
	const name = "radpanel_front_door_round_trip_seconds"
	require.Eventually(t, func() bool { return gathered(t, registry)[name] == 3 }, 10*time.Second, time.Millisecond)
	assert.InDelta(t, 2, gathered(t, registry)[name+"/0.15"], 0)
	cancel()
	require.NoError(t, <-done)
}
