package report_test

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/renderer/html"

	"github.com/radpanel/radpanel/cmd/rad/internal/progress"
	"github.com/radpanel/radpanel/cmd/rad/internal/report"
	"github.com/radpanel/radpanel/infra/guard"
	"github.com/radpanel/radpanel/infra/price"
)

// saying gives a stack everything of which says the same.
func saying(text string) report.Stack {
	return report.Stack{
		Name: text, Counts: progress.Counts{progress.Replace: 1, progress.Update: 1},
		Changes: []progress.Change{
			{Resource: text, Type: text, Operation: progress.Replace, Risk: progress.RiskData},
			{Resource: "x", Type: "y", Operation: progress.Update, Properties: []progress.Property{
				{Path: text, Kind: "update", Replaces: true, Old: text, New: text},
			}},
		},
		Notes:    []progress.Message{{Severity: progress.Warning, Resource: text, Text: text}},
		Findings: []guard.Finding{{Rule: guard.PublicData, Resource: text, Type: text, Problem: text, Fix: text}, {Rule: guard.DataLoss, Resource: text}},
		Cost: &report.Cost{
			Before: 1, After: 2, Low: 1, High: 3, Prices: text, Moves: []price.ResourceCost{{Resource: text, Monthly: 1}},
			Unknown: []price.Unpriced{{Resource: text, Type: text, Why: text}},
		},
	}
}

// failing gives a stack whose preview failed, and says so.
func failing(text string) report.Stack { return report.Stack{Name: text, Failure: text} }

var (
	tag   = regexp.MustCompile(`<[/!]?[a-zA-Z][^>]*>|<!--.*?-->`)
	known = []string{
		report.Marker, "<h2>", "</h2>", "<h3>", "</h3>", "<p>", "</p>", "<ul>", "</ul>", "<li>", "</li>", "<strong>", "</strong>", "<code>", "</code>", "<pre>", "</pre>",
		"<blockquote>", "</blockquote>", "<table>", "</table>", "<thead>", "</thead>", "<tbody>", "</tbody>", "<tr>", "</tr>", "<th>", "</th>", "<td>", "</td>",
		`<th style="text-align:right">`, `<td style="text-align:right">`, "<details>", "</details>", "<summary>", "</summary>", `<code class="language-diff">`,
		`<code class="language-text">`,
	}
	preformatted = regexp.MustCompile(`(?s)<code[^>]*>.*?</code>`)
)

// checkHarmless renders a report as GitHub does, and looks for what nobody but the report's own writer may put there.
func checkHarmless(t *testing.T, text string, limit int) {
	t.Helper()
	require.LessOrEqual(t, utf8.RuneCountInString(text), limit)
	require.True(t, utf8.ValidString(text))
	var rendered bytes.Buffer
	markdown := goldmark.New(goldmark.WithExtensions(extension.GFM), goldmark.WithRendererOptions(html.WithUnsafe()))
	require.NoError(t, markdown.Convert([]byte(text), &rendered))
	for _, found := range tag.FindAllString(rendered.String(), -1) {
		require.True(t, slices.Contains(known, found), "%s in\n%s", found, text)
	}
	require.Equal(t, 1, strings.Count(rendered.String(), report.Marker))
	require.Equal(t, strings.Count(text, "<details>"), strings.Count(rendered.String(), "<details>"), "all are folded")
	prose := preformatted.ReplaceAllString(rendered.String(), "")
	require.NotRegexp(t, `@[\w-]`, prose, "nobody is called")
	require.NotRegexp(t, `#\d`, prose, "no other issue is told")
}

func hostile() []string {
	return []string{
		"`@octocat` @octocat", "``` @team/all", "name\n```\n\n# <img src=x onerror=alert(1)>", "</details><script>alert(1)</script>", "</code></summary>",
		"a | b | c", "| --- |", "<!-- rad preview -->", "-->", "![](https://example.com/x.png)", "[click](javascript:alert(1))", "https://example.com/?secret=1",
		"www.example.com", "me@example.com", "fixes #1, closes octo/repo#2", "# heading\n> quote\n- item\n1. item", "~~~\nx\n~~~", "**bold** __bold__ ~~gone~~ $x$",
		"\x00\x1b[31mred\x1b[0m\r\n", "\u202egnp.exe", "\xff\xfe not UTF-8", "`", "``", "````", "\\", "\\`", "&lt;img&gt; &#64;octocat", "    indented", "\t", "", " ",
		strings.Repeat("long ", 20_000), strings.Repeat("`", 70_000), strings.Repeat("@x ", 30_000), strings.Repeat("a\n", 40_000), "> [!NOTE]\n> x",
		"<a href=\"x\">", "<b", "a <b> c", "</", "<https://example.com>", "[^1]: note", "[x]: https://example.com", "- [ ] task", ":tada:",
	}
}

func TestWhatAPullRequestHoldsIsTextAndNothingElse(t *testing.T) {
	t.Parallel()
	everything := func(string) string { return "every row" }
	for i, text := range hostile() {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			comment := report.Markdown([]report.Stack{saying(text), failing(text), {Name: "mvp", Counts: progress.Counts{progress.Same: 1}}}, everything, report.CommentLimit)
			checkHarmless(t, comment, report.CommentLimit)
			assert.Contains(t, comment, "> [!CAUTION]\n> **Data would be lost.**\n")
			assert.Contains(t, comment, "> [!WARNING]\n> **Rules are broken.**\n")
			assert.Contains(t, comment, "| `mvp` |")
		})
	}
}

func FuzzWhatAPullRequestHoldsIsText(f *testing.F) {
	for _, text := range hostile() {
		if len(text) < 100 {
			f.Add(text, "mvp")
		}
	}
	f.Fuzz(func(t *testing.T, text, other string) {
		previews := []report.Stack{saying(text), failing(other), saying(other)}
		checkHarmless(t, report.Markdown(previews, func(string) string { return "" }, report.CommentLimit), report.CommentLimit)
	})
}

// Hundreds of resources over several stacks, with as many losses and broken rules: what matters stays, whatever its length.
func TestWhatMattersFitsHoweverMuchChanges(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name                      string
		stacks, resources, length int
	}{
		{"few", 1, 10, 10},
		{"hundreds", 3, 400, 30},
		{"thousands", 12, 1000, 20},
		{"long names", 4, 300, 2000},
		{"hundreds of stacks", 300, 5, 50},
		{"one huge stack", 1, 5000, 100},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var previews []report.Stack
			for n := range test.stacks {
				stack := report.Stack{Name: fmt.Sprintf("stack-%d", n), Counts: progress.Counts{progress.Delete: test.resources}, Cost: &report.Cost{Prices: "dated"}}
				for i := range test.resources {
					name := fmt.Sprintf("resource-%d-%s", i, strings.Repeat("x", test.length))
					stack.Changes = append(stack.Changes, progress.Change{Resource: name, Type: "aws:ebs/volume:Volume", Operation: progress.Delete, Risk: progress.RiskData})
					stack.Findings = append(stack.Findings,
						guard.Finding{Rule: guard.DataLoss, Resource: name, Problem: "lost", Fix: "keep it"},
						guard.Finding{Rule: guard.Encryption, Resource: name, Problem: "it is in clear", Fix: "encrypt it"})
					stack.Cost.Moves = append(stack.Cost.Moves, price.ResourceCost{Resource: name, Monthly: -1})
				}
				previews = append(previews, stack)
			}
			text := report.Markdown(previews, func(string) string { return "every row" }, report.CommentLimit)
			checkHarmless(t, text, report.CommentLimit)
			for _, want := range []string{
				fmt.Sprintf("## ⛔ The rules refuse the change of %d stack", test.stacks), "**Data would be lost.**", "every row would be lost. `up` refuses",
				"**Rules are broken.**", "it is in clear: encrypt it", fmt.Sprintf("| `stack-0` |  | – | – | – | %d |", test.resources),
			} {
				assert.Contains(t, text, want)
			}
			if test.name != "few" {
				assert.Contains(t, text, "More than fits into a comment was left out")
				assert.Greater(t, utf8.RuneCountInString(text), report.CommentLimit/3, "what fits is there")
			}
		})
	}
}
