package report_test

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/cmd/rad/internal/progress"
	"github.com/radpanel/radpanel/cmd/rad/internal/report"
	"github.com/radpanel/radpanel/infra/guard"
	"github.com/radpanel/radpanel/infra/price"
	"github.com/radpanel/radpanel/stacks"
	"github.com/radpanel/radpanel/test/golden"
)

func losses(resourceType string) string {
	if resourceType == "radlocal:index:Database" {
		return "every row of the panel's database"
	}
	return ""
}

func tier(t *testing.T, name stacks.Tier) stacks.TierPlan {
	t.Helper()
	plan, err := stacks.Plan().Tier(name)
	require.NoError(t, err)
	return plan
}

func changes() []progress.Change {
	return []progress.Change{
		{Resource: "redis", Type: "radlocal:index:Service", Operation: progress.Create},
		{Resource: "panel", Type: "radlocal:index:Service", Operation: progress.Update, Properties: []progress.Property{
			{Path: "environment.RAD_TIER", Kind: "update", Old: "mvp", New: "tier1"},
			{Path: "secretEnvironment", Kind: "add", New: "[secret]"},
			{Path: `files["nginx.conf"]`, Kind: "update", Old: strings.Repeat("old ", 300), New: "```\nnew"},
		}},
		{
			Resource: "database", Type: "radlocal:index:Database", Operation: progress.Replace, Risk: progress.RiskData, Protected: true,
			Properties: []progress.Property{{Path: "name", Kind: "update", Replaces: true, Old: "radpanel", New: "other"}},
		},
	}
}

func TestAReviewerSeesTheDangerFirst(t *testing.T) {
	t.Parallel()
	golden.Check(t, "testdata/danger.md", report.Markdown([]report.Stack{
		{
			Name: "tier1", Tier: tier(t, stacks.Tier1), Before: tier(t, stacks.MVP), Changes: changes(),
			Counts: progress.Counts{progress.Create: 1, progress.Update: 1, progress.Replace: 1, progress.Same: 12},
			Notes: []progress.Message{
				{Severity: progress.Info, Text: "not worth a reviewer's time"},
				{Severity: progress.Warning, Resource: "panel", Text: "costs more than the plan says\nchoose rad-panel:sizing: budget"},
			},
			Cost: &report.Cost{
				Before: 24.5, After: 61, Low: 40, High: 60, Prices: "AWS on-demand prices of us-east-1 as of 2026-07-20",
				Unknown: []price.Unpriced{{Resource: "bar", Type: "aws:foo/bar:Bar", Why: "no price is known of this type"}},
				Moves:   []price.ResourceCost{{Resource: "host", Monthly: 36.5}},
			},
			Findings: []guard.Finding{
				{Rule: guard.DataLoss, Resource: "database", Problem: "it would be replaced", Fix: "take it back"},
				{Rule: guard.Ingress, Resource: "door", Type: "aws:ec2/securityGroup:SecurityGroup", Problem: "port 22 is open to everybody", Fix: "close it"},
				{Rule: guard.Cost, Problem: "the stack would cost about $61 a month", Fix: "agree"},
			},
		},
		{Name: "local-mvp", Tier: tier(t, stacks.MVP), Counts: progress.Counts{progress.Same: 20}},
		{Name: "tier4", Tier: tier(t, stacks.Tier4), Failure: "stack tier4: Tier 4 cannot be built yet"},
	}, losses, report.CommentLimit))
}

// Of long texts that begin alike, such as configuration files, what differs is shown.
func TestTheDifferenceOfLongTextsIsSeen(t *testing.T) {
	t.Parallel()
	before := strings.Repeat("listen 80;\n", 500) + "worker_processes 2;\n" + strings.Repeat("log off;\n", 500)
	text := report.Markdown([]report.Stack{{Name: "mvp", Counts: progress.Counts{progress.Update: 1}, Changes: []progress.Change{{
		Resource: "nginx", Operation: progress.Update,
		Properties: []progress.Property{{Path: "file", Kind: "update", Old: before, New: strings.Replace(before, "processes 2", "processes 16", 1)}},
	}}}}, losses, report.CommentLimit)
	assert.Contains(t, text, "80; worker_processes 2; log off;")
	assert.Contains(t, text, "80; worker_processes 16; log off;")
}

func TestNothingChanges(t *testing.T) {
	t.Parallel()
	golden.Check(t, "testdata/same.md", report.Markdown([]report.Stack{{Name: "local-mvp", Tier: tier(t, stacks.MVP), Counts: progress.Counts{progress.Same: 20}}}, losses, report.CommentLimit))
}

func TestTheSameChangeGivesTheSameText(t *testing.T) {
	t.Parallel()
	counts := progress.Counts{progress.Create: 1, progress.Update: 1, progress.Replace: 1}
	forward, backward := changes(), changes()
	backward[0], backward[2] = backward[2], backward[0]
	assert.Equal(t,
		report.Markdown([]report.Stack{{Name: "mvp", Changes: forward, Counts: counts}}, losses, report.CommentLimit),
		report.Markdown([]report.Stack{{Name: "mvp", Changes: backward, Counts: counts}}, losses, report.CommentLimit))
}

// Warnings arrive in any order, and some twice.
func TestTheSameWarningsGiveTheSameText(t *testing.T) {
	t.Parallel()
	notes := []progress.Message{
		{Severity: progress.Error, Resource: "redis", Text: "is gone"},
		{Severity: progress.Warning, Text: "costs more"},
		{Severity: progress.Warning, Resource: "panel", Text: "is old"},
		{Severity: progress.Warning, Resource: "panel", Text: "is slow"},
	}
	said := func(order ...int) string {
		stack := report.Stack{Name: "mvp", Counts: progress.Counts{progress.Update: 1}}
		for _, i := range order {
			stack.Notes = append(stack.Notes, notes[i])
		}
		return report.Markdown([]report.Stack{stack}, losses, report.CommentLimit)
	}
	text := said(0, 1, 2, 3)
	assert.Equal(t, text, said(3, 2, 1, 0))
	assert.Equal(t, text, said(2, 3, 2, 0, 1, 3, 0))
	var order []int
	for _, note := range []string{"redis: is gone", "costs more", "panel: is old", "panel: is slow"} {
		assert.Equal(t, 1, strings.Count(text, "`mvp`: "+note+"\n"), note)
		order = append(order, strings.Index(text, "`mvp`: "+note+"\n"))
	}
	assert.IsIncreasing(t, order)
}

func TestTheSummarySurvivesWhatDoesNotFit(t *testing.T) {
	t.Parallel()
	var previews []report.Stack
	for n := range 8 {
		stack := report.Stack{Name: fmt.Sprintf("tier%d", n), Counts: progress.Counts{progress.Update: 300}}
		for i := range 300 {
			stack.Changes = append(stack.Changes, progress.Change{
				Resource: fmt.Sprintf("resource-%d", i), Operation: progress.Update,
				Properties: []progress.Property{{Path: "text", Kind: "update", Old: strings.Repeat("é", 100), New: "x"}},
			})
		}
		for i := range 300 {
			stack.Findings = append(stack.Findings, guard.Finding{Rule: guard.Tags, Resource: fmt.Sprintf("r-%d", i), Problem: "no tags", Fix: "add them"})
		}
		previews = append(previews, stack)
	}
	previews[7].Changes = append(previews[7].Changes, changes()[2])
	for _, limit := range []int{report.CommentLimit, 3000} {
		text := report.Markdown(previews, losses, limit)
		assert.LessOrEqual(t, utf8.RuneCountInString(text), limit)
		assert.True(t, utf8.ValidString(text))
		assert.Contains(t, text, "every row of the panel's database would be lost")
		assert.Contains(t, text, "| `tier7` |")
		assert.Contains(t, text, "More than fits into a comment was left out")
		assert.Equal(t, strings.Count(text, "<details>"), strings.Count(text, "</details>"))
	}
}
