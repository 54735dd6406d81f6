package monitoring_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"

	"github.com/radpanel/radpanel/infra/monitoring"
	"github.com/radpanel/radpanel/stacks"
)

func TestDashboardsAreForTiersThatHaveThem(t *testing.T) {
	t.Parallel()
	var tiers []stacks.Tier
	for _, d := range monitoring.Dashboards(stacks.Plan()) {
		tiers = append(tiers, d.Tier)
	}
	assert.Equal(t, []stacks.Tier{stacks.Tier1, stacks.Tier2, stacks.Tier3, stacks.Tier4}, tiers, "custom dashboards come with Tier 1")
}

// promtool reads each expression as Prometheus would.
func TestEveryExpressionOfADashboardIsPromQL(t *testing.T) {
	t.Parallel()
	type rule struct {
		Record     string `yaml:"record"`
		Expression string `yaml:"expr"`
	}
	for _, d := range monitoring.Dashboards(stacks.Plan()) {
		var rules []rule
		for _, expression := range d.Expressions() {
			rules = append(rules, rule{"dashboard:" + string(rune('a'+len(rules)/26)) + string(rune('a'+len(rules)%26)), expression})
		}
		require.Greater(t, len(rules), 20)
		raw, err := yaml.Marshal(map[string]any{"groups": []any{map[string]any{"name": "dashboard", "rules": rules}}})
		require.NoError(t, err)
		path := filepath.Join(t.TempDir(), "rules.yml")
		require.NoError(t, os.WriteFile(path, raw, 0o600))
		out, err := exec.CommandContext(t.Context(), "promtool", "check", "rules", path).CombinedOutput()
		require.NoError(t, err, "%s: %s", d.Tier, out)
	}
}

// What a dashboard takes from a recording must be recorded at its tier.
func TestDashboardsShowWhatTheirTierRecords(t *testing.T) {
	t.Parallel()
	name := regexp.MustCompile(`radpanel:[a-z0-9_:]+`)
	for _, d := range monitoring.Dashboards(stacks.Plan()) {
		rules, err := monitoring.Rules(d.Tier, monitoring.Usual())
		require.NoError(t, err)
		recorded := regexp.MustCompile(`record: (\S+)`).FindAllString(rules, -1)
		for _, expression := range d.Expressions() {
			for _, record := range name.FindAllString(expression, -1) {
				assert.Contains(t, recorded, "record: "+record, "%s: %s", d.Tier, expression)
			}
		}
	}
}

func TestEveryTriggerOfATierIsOnItsDashboard(t *testing.T) {
	t.Parallel()
	plan := stacks.Plan()
	known := map[string]bool{}
	for _, tier := range plan.Tiers {
		alerts, err := plan.Alerts(tier.Tier)
		require.NoError(t, err)
		for _, alert := range alerts {
			known[alert.ID] = true
		}
	}
	for _, d := range monitoring.Dashboards(plan) {
		shown := map[string]*float64{}
		for _, row := range d.Rows {
			for _, panel := range row.Panels {
				shown[panel.Title] = panel.Limit
				assert.True(t, panel.Runbook == "" || known[panel.Runbook], "%s: no alert %q, hence no runbook", panel.Title, panel.Runbook)
			}
		}
		next, ok := plan.Next(d.Tier)
		if !ok {
			continue
		}
		for _, trigger := range next.Triggers {
			require.NotNil(t, shown[trigger.Words], trigger.Words)
			assert.InDelta(t, trigger.Threshold, *shown[trigger.Words], 0)
		}
	}
}

// The parts of Grafana's format that it does not forgive.
func TestDashboardsAreGrafanas(t *testing.T) {
	t.Parallel()
	type position struct{ X, Y, W, H int }
	var uids []string
	for _, d := range monitoring.Dashboards(stacks.Plan()) {
		raw, err := d.JSON()
		require.NoError(t, err)
		var read struct {
			UID           string
			SchemaVersion int
			Templating    struct {
				List []struct{ Name, Type, Query string }
			}
			Panels []struct {
				ID         int
				Type       string
				Title      string
				GridPos    position
				Datasource struct{ Type, UID string }
				Targets    []struct{ RefID, Expr string }
			}
		}
		require.NoError(t, json.Unmarshal(raw, &read))
		assert.NotContains(t, uids, read.UID)
		uids = append(uids, read.UID)
		assert.LessOrEqual(t, len(read.UID), 40, "Grafana's limit")
		assert.Equal(t, 39, read.SchemaVersion)
		require.Len(t, read.Templating.List, 1)
		assert.Equal(t, "datasource", read.Templating.List[0].Type)
		taken := map[[2]int]string{}
		var ids []int
		for _, panel := range read.Panels {
			assert.NotContains(t, ids, panel.ID)
			ids = append(ids, panel.ID)
			assert.NotEmpty(t, panel.Title)
			place := panel.GridPos
			assert.LessOrEqual(t, place.X+place.W, 24)
			assert.Positive(t, place.W*place.H)
			for x := place.X; x < place.X+place.W; x++ {
				for y := place.Y; y < place.Y+place.H; y++ {
					assert.Empty(t, taken[[2]int{x, y}], "%s lies on another panel", panel.Title)
					taken[[2]int{x, y}] = panel.Title
				}
			}
			if panel.Type == "row" {
				continue
			}
			assert.Equal(t, "timeseries", panel.Type)
			assert.Equal(t, "${datasource}", panel.Datasource.UID)
			require.NotEmpty(t, panel.Targets)
			var references []string
			for _, target := range panel.Targets {
				assert.NotEmpty(t, target.Expr)
				assert.False(t, slices.Contains(references, target.RefID))
				references = append(references, target.RefID)
			}
		}
	}
}
