package ship_test

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/infra/host/ship/shiptest"
	"github.com/radpanel/radpanel/infra/monitoring"
	"github.com/radpanel/radpanel/stacks"
)

// prometheus answers range queries with the number of the step, or what it is told. The real one is asked where a host is
// booted: see test/hostboot.
func prometheus(t *testing.T, value func(query string, at int64) float64) string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query := r.FormValue("query")
		var times []int64
		for _, name := range []string{"start", "end", "step"} {
			seconds, err := strconv.ParseFloat(r.FormValue(name), 64)
			if !assert.NoError(t, err, name) {
				return
			}
			times = append(times, int64(seconds))
		}
		values := [][2]any{}
		for at := times[0]; at <= times[1]; at += times[2] {
			values = append(values, [2]any{at, fmt.Sprint(value(query, at))})
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"status": "success", "data": map[string]any{
			"resultType": "matrix", "result": []any{map[string]any{"metric": map[string]string{}, "values": values}},
		}})
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func TestFiguresArrive(t *testing.T) {
	t.Parallel()
	c := newCarried(t, newJournal(t))
	c.config.Stack, c.config.Figures = "tier2", []monitoring.Figure{
		{Name: string(stacks.BalancerUse), Unit: stacks.OfHundred}, {Name: string(stacks.ResponseTimeP95), Unit: stacks.Seconds},
	}
	c.config.Prometheus = prometheus(t, func(query string, at int64) float64 {
		if query == "max(radpanel:response_time_p95:seconds)" && at%2 == 0 {
			return math.NaN() // No request came.
		}
		return float64(at)
	})
	var calls atomic.Int32
	c.cloud.Fault = func(action string) *shiptest.Fault {
		if action == "PutMetricData" && calls.Add(1) <= 8 {
			return &shiptest.Fault{Status: http.StatusServiceUnavailable, Code: "ServiceUnavailable"}
		}
		return nil
	}
	begun := time.Now()
	c.start()
	// What could not be sent at first is sent later: no step is missing.
	require.Eventually(t, func() bool {
		data := c.cloud.Data()
		return len(data) > 0 && data[len(data)-1].At.After(begun.Add(3*time.Second))
	}, patience, 20*time.Millisecond)
	c.stop()
	seen := map[string]map[int64]bool{}
	for _, d := range c.cloud.Data() {
		assert.Equal(t, "RADPanel", d.Namespace)
		assert.Equal(t, map[string]string{"Stack": "tier2"}, d.Dimensions)
		assert.InDelta(t, float64(d.At.Unix()), d.Value, 0)
		if seen[d.Name] == nil {
			seen[d.Name] = map[int64]bool{}
		}
		assert.False(t, seen[d.Name][d.At.Unix()], "%s at %s came twice", d.Name, d.At)
		seen[d.Name][d.At.Unix()] = true
	}
	for at := begun.Unix() - 290; at < begun.Unix()+2; at++ {
		assert.True(t, seen["balancer_use"][at], at-begun.Unix())
		assert.Equal(t, at%2 != 0, seen["response_time_p95"][at], at-begun.Unix())
	}
	assert.Empty(t, c.cloud.Refused())
}
