package monitoring_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"

	"github.com/radpanel/radpanel/infra/monitoring"
	"github.com/radpanel/radpanel/stacks"
)

// scenario is what promtool plays: samples of series, and what is asked of them.
type scenario struct {
	Interval string   `yaml:"interval"`
	Series   []series `yaml:"input_series"`
	Checks   []check  `yaml:"promql_expr_test"`
}

type series struct {
	Series string `yaml:"series"`
	Values string `yaml:"values"`
}

type check struct {
	Expression string   `yaml:"expr"`
	At         string   `yaml:"eval_time"`
	Samples    []sample `yaml:"exp_samples"`
}

type sample struct {
	Labels string  `yaml:"labels"`
	Value  float64 `yaml:"value"`
}

// firing asks whether an alert fires then. The matchers begin with a comma.
func firing(alert, matchers string, at time.Duration, want bool) check {
	value := 0.0
	if want {
		value = 1
	}
	return check{
		Expression: fmt.Sprintf("(count(ALERTS{alertname=%q,alertstate=\"firing\"%s}) > bool 0) or vector(0)", alert, matchers),
		At:         at.String(), Samples: []sample{{"{}", value}},
	}
}

// play has promtool play scenarios, of one interval, with the rules of a tier: all of them, or just the groups named and
// the alerts, since windows of days take promtool long where days are played.
func play(t *testing.T, tier stacks.Tier, interval time.Duration, groups []string, scenarios ...scenario) {
	t.Helper()
	rules, err := monitoring.Rules(tier, monitoring.Pace{Every: interval})
	require.NoError(t, err)
	if groups != nil {
		rules = withGroups(t, rules, append(groups, "alerts"))
	}
	for i := range scenarios {
		scenarios[i].Interval = interval.String()
	}
	tests, err := yaml.Marshal(struct {
		RuleFiles  []string   `yaml:"rule_files"`
		Evaluation string     `yaml:"evaluation_interval"`
		Order      []string   `yaml:"group_eval_order"`
		Tests      []scenario `yaml:"tests"`
	}{[]string{"rules.yml"}, interval.String(), groupNames(t, rules), scenarios})
	require.NoError(t, err)
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(folder, "rules.yml"), []byte(rules), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(folder, "tests.yml"), tests, 0o600))
	command := exec.CommandContext(t.Context(), "promtool", "test", "rules", "tests.yml")
	command.Dir = folder
	out, err := command.CombinedOutput()
	require.NoError(t, err, "%s\n%s", out, tests)
}

// groupNames gives the groups of rules in the order of their file. Promtool would evaluate them in one of chance: alerts before
// the figures that they are about would look for those of the step before, which is out of sight where steps are long.
func groupNames(t *testing.T, rules string) []string {
	t.Helper()
	var file struct {
		Groups []struct {
			Name string `yaml:"name"`
		} `yaml:"groups"`
	}
	require.NoError(t, yaml.Unmarshal([]byte(rules), &file))
	names := make([]string, 0, len(file.Groups))
	for _, group := range file.Groups {
		names = append(names, group.Name)
	}
	return names
}

func withGroups(t *testing.T, rules string, groups []string) string {
	t.Helper()
	var file struct {
		Groups []map[string]any `yaml:"groups"`
	}
	require.NoError(t, yaml.Unmarshal([]byte(rules), &file))
	file.Groups = slices.DeleteFunc(file.Groups, func(g map[string]any) bool {
		name, ok := g["name"].(string)
		return !ok || !slices.Contains(groups, name)
	})
	require.Len(t, file.Groups, len(groups))
	kept, err := yaml.Marshal(file)
	require.NoError(t, err)
	return string(kept)
}

// steady is a counter that grows by so much in each of n intervals.
func steady(perInterval float64, n int) string { return fmt.Sprintf("0+%gx%d", perInterval, n) }

// constant is a gauge that stays.
func constant(value float64, n int) string { return fmt.Sprintf("%gx%d", value, n) }

// counters joins stretches of a counter.
func counters(stretches ...stretch) string {
	var text []string
	at := 0.0
	for _, s := range stretches {
		text = append(text, fmt.Sprintf("%g+%gx%d", at, s.perInterval, s.n-1))
		at += s.perInterval * float64(s.n)
	}
	return strings.Join(text, " ")
}

type stretch struct {
	perInterval float64
	n           int
}
