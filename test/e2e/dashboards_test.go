package e2e

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/api"
	promapi "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/infra/monitoring"
	"github.com/radpanel/radpanel/stacks"
)

// TestDashboardsShowWhatAStackMeasures asks a stack's Prometheus for all that its tier's dashboard shows.
func TestDashboardsShowWhatAStackMeasures(t *testing.T) {
	t.Parallel()
	s := newStack(t, "tier2")
	s.up("-c", "alertRehearsal=2s")
	// A little of everything that the panels are about.
	user := s.user("ada@example.com")
	use := func(round int) {
		panel, err := user.CreatePanel(t.Context(), "Customers")
		require.NoError(t, err)
		record, err := user.CreateRecord(t.Context(), panel.ID, "Analytical Engines Ltd", map[string]any{"city": "London"})
		require.NoError(t, err)
		for _, path := range []string{"/panels", "/panels/" + panel.ID, "/panels/" + panel.ID + "/records", "/panels/" + panel.ID + "/records/" + record.ID} {
			require.NoError(t, user.Do(t.Context(), http.MethodGet, path, nil, nil))
		}
		if round < 3 { // There may be ten unfinished ones.
			require.NoError(t, user.Do(t.Context(), http.MethodPost, "/panels/"+panel.ID+"/exports", nil, nil))
		}
		require.NoError(t, user.Do(t.Context(), http.MethodPost, "/page-loads", map[string]any{"load_ms": 400, "cold": true}, nil))
		require.Error(t, user.Do(t.Context(), http.MethodGet, "/panels/nothing", nil, nil)) // An answer that is no success.
	}
	client, err := api.NewClient(api.Config{Address: "http://" + s.service("prometheus").Address})
	require.NoError(t, err)
	prometheus := promapi.NewAPI(client)

	plan := stacks.Plan()
	tier, err := plan.Tier(stacks.Tier2)
	require.NoError(t, err)
	var missing []string
	for _, dashboard := range monitoring.Dashboards(plan) {
		if dashboard.Tier == tier.Tier {
			missing = dashboard.Expressions()
		}
	}
	require.NotEmpty(t, missing)
	deadline, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	pause := time.NewTicker(2 * time.Second)
	defer pause.Stop()
	for round := 0; ; round++ {
		use(round)
		var left []string
		for _, expression := range missing {
			value, _, _, err := prometheus.Query(deadline, expression, time.Now())
			require.NoError(t, err, "%s; not there yet: %v", expression, missing)
			vector, is := value.(model.Vector)
			require.True(t, is, "%s is a %s", expression, value.Type())
			// No request was refused: there is nothing to count.
			if len(vector) == 0 && !strings.Contains(expression, "requests_shed") {
				left = append(left, expression)
			}
		}
		if missing = left; len(missing) == 0 {
			break
		}
		select {
		case <-deadline.Done():
			require.Empty(t, missing, "nothing measures this")
		case <-pause.C:
		}
	}
	require.Eventually(t, func() bool {
		said, _ := s.advise(deadline)
		return said.Verdict != "refused"
	}, 2*time.Minute, time.Second, "all that the advice for the tier rests on is measured too")
}
