package monitoring_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/stacks"
)

// Whoever is told of an alert finds what to do about it; and no runbook is about an alert that is none.
func TestEachAlertHasARunbook(t *testing.T) {
	t.Parallel()
	folder := filepath.Join("..", "..", "docs", "runbooks")
	alerts := map[string]bool{}
	for _, tier := range stacks.Tiers() {
		all, err := stacks.Plan().Alerts(tier)
		require.NoError(t, err)
		for _, alert := range all {
			alerts[alert.ID] = true
		}
	}
	files, err := filepath.Glob(filepath.Join(folder, "*.md"))
	require.NoError(t, err)
	written := map[string]bool{}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".md")
		written[name] = true
		raw, err := os.ReadFile(file)
		require.NoError(t, err)
		text := string(raw)
		assert.Regexp(t, `^# .+\n\n\S[\s\S]+\n## Look\n\n *\S[\s\S]+\n## Do\n\n *\S`, text, "%s: what it means, how to look, what to do", file)
		for _, link := range regexp.MustCompile(`\]\(([^)]+)\)`).FindAllStringSubmatch(text, -1) {
			assert.FileExists(t, filepath.Join(folder, link[1]), "a link of %s", file)
		}
	}
	assert.Equal(t, alerts, written)
}
