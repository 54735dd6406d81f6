// Package report writes what a change would do to stacks as a comment that a reviewer of a pull request reads in ten
// seconds: what endangers data first, then a line a stack, the details folded away.
package report

import (
	"cmp"
	"fmt"
	"html"
	"slices"
	"strings"

	"github.com/radpanel/radpanel/cmd/rad/internal/progress"
	"github.com/radpanel/radpanel/infra/guard"
	"github.com/radpanel/radpanel/infra/price"
	"github.com/radpanel/radpanel/stacks"
)

// CommentLimit is how many characters GitHub takes as a comment
// (https://github.com/orgs/community/discussions/27190).
const CommentLimit = 65_536

// Marker is the first line of every report, by which the comment of the run before is found and replaced.
const Marker = "<!-- rad preview -->"

// Stack is what a change would do to one stack.
type Stack struct {
	Name string
	// Tier is what the stack would run, and Before what it runs now; empty if it does not run yet, or that is not known.
	Tier    stacks.TierPlan
	Before  stacks.TierPlan
	Changes []progress.Change
	Counts  progress.Counts
	// Notes are what the program, the engine or a rule says about the stack, such as a policy that is broken.
	Notes []progress.Message
	// Findings are the rules that the change would break.
	Findings []guard.Finding
	// Cost is nil where the stack costs nothing by itself, as on the operator's own machine.
	Cost *Cost
	// Failure says why there is no preview. Empty: there is one.
	Failure string
}

// Cost is what a stack costs in a month, in US dollars.
type Cost struct {
	Before, After float64
	// Low and High are the plan's range.
	Low, High float64
	// Moves are what makes the difference, largest first.
	Moves []price.ResourceCost
	// Unknown is what has no price.
	Unknown []price.Unpriced
	// Prices says of where and when the prices are.
	Prices string
}

// Losses tells in plain words what is lost with a resource of a type, such as "every row of the database"; "" if it
// holds no data.
type Losses func(resourceType string) string

// Markdown writes the report in at most limit characters. What does not fit is cut off where the details of a stack are, and
// said; headline, lost data, summary and broken rules stay, each within a part of the limit. Equal stacks give equal text.
func Markdown(previews []Stack, losses Losses, limit int) string {
	text := Marker + "\n" + headline(previews) + "\n" + dangers(previews, losses, limit/4) + summary(previews, limit/4) + refusals(previews, limit/5)
	const room = 100 // for the line that says what is left out
	left := 0
	for i, stack := range previews {
		share := (limit - room - length(text)) / (len(previews) - i)
		part, whole := detail(stack, share)
		text += part
		if !whole {
			left++
		}
	}
	if left > 0 {
		text += fmt.Sprintf("\nMore than fits into a comment was left out (%s): run `rad preview` for it.\n", counted(left, "stack"))
	}
	return text
}

func headline(previews []Stack) string {
	changed, failed, refused := 0, 0, 0
	for _, stack := range previews {
		switch {
		case stack.Failure != "":
			failed++
		case len(stack.Findings) > 0:
			refused++
		case stack.Counts.Changed() > 0:
			changed++
		}
	}
	switch {
	case refused > 0:
		return fmt.Sprintf("## ⛔ The rules refuse the change of %s", counted(refused, "stack"))
	case failed > 0:
		return fmt.Sprintf("## ❌ No preview of %s", counted(failed, "stack"))
	case changed == 0:
		return "## No change of any stack"
	default:
		return fmt.Sprintf("## Changes of %s", counted(changed, "stack"))
	}
}

// dangers names every replacement or deletion of what holds data, in plain words.
func dangers(previews []Stack, losses Losses, room int) string {
	var lines []string
	for _, stack := range previews {
		said := map[string]bool{}
		for _, change := range stack.Changes {
			said[change.Resource] = said[change.Resource] || (change.Risk == progress.RiskData && losses(change.Type) != "")
		}
		for _, change := range ordered(stack.Changes) {
			// A bucket's settings, which are protected with it, are not worth a line beside it.
			if change.Risk != progress.RiskData || (losses(change.Type) == "" && said[change.Resource]) {
				continue
			}
			said[change.Resource] = true
			lost := strings.TrimSuffix(cmp.Or(losses(change.Type), "what it holds"), ",")
			line := fmt.Sprintf("> - **%s** of %s would be **%sd**: %s would be lost.", code(change.Resource), code(stack.Name), change.Operation, lost)
			if slices.ContainsFunc(stack.Findings, func(f guard.Finding) bool { return f.Resource == change.Resource && f.Rule == guard.DataLoss }) {
				line += fmt.Sprintf(" `up` refuses, unless it is told %s.", code(guard.AllowFlag+" "+change.Resource))
			}
			lines = append(lines, line+"\n")
		}
	}
	if len(lines) == 0 {
		return ""
	}
	text, _ := within(lines, room, func(left int) string { return fmt.Sprintf("> - **%d more** that hold data.\n", left) })
	return "\n> [!CAUTION]\n> **Data would be lost.**\n" + text
}

// shownFindings is how many findings of a stack are shown: who mends these sees the others next time.
const shownFindings = 20

// refusals lists the rules that are broken, but for those on lost data, which are said above.
func refusals(previews []Stack, room int) string {
	var lines []string
	for _, stack := range previews {
		shown := 0
		for _, finding := range stack.Findings {
			if finding.Rule == guard.DataLoss && finding.Resource != "" {
				continue
			}
			if shown++; shown > shownFindings {
				continue
			}
			about := ""
			if finding.Resource != "" {
				about = fmt.Sprintf(" **%s**", code(finding.Resource))
			}
			lines = append(lines, fmt.Sprintf("> - %s%s: %s: %s.\n", code(stack.Name), about, prose(finding.Problem), prose(finding.Fix)))
		}
		if more := shown - shownFindings; more > 0 {
			lines = append(lines, fmt.Sprintf("> - %s: and %d more.\n", code(stack.Name), more))
		}
	}
	if len(lines) == 0 {
		return ""
	}
	text, _ := within(lines, room, func(left int) string { return fmt.Sprintf("> - **%d more** lines like these.\n", left) })
	return "\n> [!WARNING]\n> **Rules are broken.**\n" + text
}

func summary(previews []Stack, room int) string {
	var lines []string
	for _, stack := range previews {
		if stack.Failure != "" {
			lines = append(lines, fmt.Sprintf("| %s | %s | ❌ | ❌ | ❌ | ❌ | |\n", code(stack.Name), tierOf(stack)))
			continue
		}
		line := fmt.Sprintf("| %s | %s |", code(stack.Name), tierOf(stack))
		for _, operation := range []progress.Operation{progress.Create, progress.Update, progress.Replace, progress.Delete} {
			line += fmt.Sprintf(" %s |", number(stack.Counts[operation]))
		}
		lines = append(lines, fmt.Sprintf("%s %s |\n", line, costLine(stack.Cost)))
	}
	text, _ := within(lines, room, func(left int) string { return fmt.Sprintf("| … and %s | | | | | | |\n", counted(left, "more stack")) })
	return "\n| stack | tier | create | update | replace | delete | a month |\n| --- | --- | ---: | ---: | ---: | ---: | --- |\n" + text
}

func tierOf(stack Stack) string {
	if before := stack.Before.Title; before != "" && before != stack.Tier.Title {
		return before + " → **" + stack.Tier.Title + "**"
	}
	return stack.Tier.Title
}

func number(n int) string {
	if n == 0 {
		return "–"
	}
	return fmt.Sprint(n)
}

func costLine(cost *Cost) string {
	if cost == nil {
		return "nothing"
	}
	text := dollars(cost.After)
	if cost.Before != cost.After {
		text = fmt.Sprintf("%s → %s", dollars(cost.Before), dollars(cost.After))
	}
	text += fmt.Sprintf(" (plan: %s–%s)", dollars(cost.Low), dollars(cost.High))
	if cost.After > cost.High {
		text = "⚠️ " + text
	}
	if len(cost.Unknown) > 0 {
		text += fmt.Sprintf(" and %s without a price", counted(len(cost.Unknown), "resource"))
	}
	return text
}

func dollars(amount float64) string {
	if amount < 0 {
		return fmt.Sprintf("-$%.2f", -amount)
	}
	return fmt.Sprintf("$%.2f", amount)
}

// shownCosts is how many resources are listed by what they cost, shownNotes how many messages are shown.
const (
	shownCosts = 30
	shownNotes = 10
)

// detail is everything about one stack, folded away, in so many characters. Whole tells whether that is all.
func detail(stack Stack, room int) (text string, whole bool) {
	if stack.Failure != "" {
		text = fmt.Sprintf("\n### %s\n\n```text\n%s\n```\n", code(stack.Name), block(stack.Failure))
		if length(text) > room {
			return "", false
		}
		return text, true
	}
	notes := notesOf(stack)
	if stack.Counts.Changed() == 0 {
		if length(notes) > room {
			return "", false
		}
		return notes, true
	}
	head := fmt.Sprintf("%s\n<details><summary><code>%s</code></summary>\n\n```diff\n", notes, html.EscapeString(strings.Trim(code(stack.Name), "`")))
	tail := "```\n" + step(stack.Before, stack.Tier) + costs(stack.Cost) + "\n</details>\n"
	room -= length(head) + length(tail)
	if room < 0 {
		return "", false
	}
	var lines []string
	for _, change := range ordered(stack.Changes) {
		lines = append(lines, fmt.Sprintf("%s %s %s (%s)\n", sign(change.Operation), change.Operation, fenced(change.Resource, nameLength), fenced(change.Type, nameLength)))
		for _, property := range change.Properties {
			lines = append(lines, propertyLines(property))
		}
	}
	text, whole = within(lines, room, func(left int) string { return fmt.Sprintf("… and %s\n", counted(left, "more line")) })
	return head + text + tail, whole
}

// notesOf gives what is said of a stack, each once, errors first: the engine says it in the order in which it happens to arrive.
func notesOf(stack Stack) string {
	var notes []progress.Message
	for _, note := range stack.Notes {
		if note.Severity == progress.Error || note.Severity == progress.Warning {
			notes = append(notes, note)
		}
	}
	slices.SortFunc(notes, func(a, b progress.Message) int {
		return cmp.Or(cmp.Compare(a.Severity, b.Severity), cmp.Compare(a.Resource, b.Resource), cmp.Compare(a.Text, b.Text))
	})
	notes = slices.Compact(notes)
	var out strings.Builder
	for _, note := range notes[:min(shownNotes, len(notes))] {
		fmt.Fprintf(&out, "\n> [!WARNING]\n> %s: %s\n", code(stack.Name), paragraph(noteText(note)))
	}
	if more := len(notes) - shownNotes; more > 0 {
		fmt.Fprintf(&out, "\n> [!WARNING]\n> %s: and %s.\n", code(stack.Name), counted(more, "more warning"))
	}
	return out.String()
}

// costs says what makes the difference in money, and what is not in it.
func costs(cost *Cost) string {
	if cost == nil {
		return ""
	}
	var out strings.Builder
	if len(cost.Moves) > 0 {
		out.WriteString("\n| resource | a month |\n| --- | ---: |\n")
		for _, move := range cost.Moves[:min(shownCosts, len(cost.Moves))] {
			fmt.Fprintf(&out, "| %s | %s |\n", code(move.Resource), dollars(move.Monthly))
		}
		if more := cost.Moves[min(shownCosts, len(cost.Moves)):]; len(more) > 0 {
			rest := 0.0
			for _, move := range more {
				rest += move.Monthly
			}
			fmt.Fprintf(&out, "| and %d more | %s |\n", len(more), dollars(rest))
		}
	}
	if len(cost.Unknown) > 0 {
		out.WriteString("\nNot in the cost:\n\n")
		for _, unknown := range cost.Unknown[:min(shownCosts, len(cost.Unknown))] {
			fmt.Fprintf(&out, "- %s (%s): %s\n", code(unknown.Resource), code(unknown.Type), prose(unknown.Why))
		}
		if more := len(cost.Unknown) - shownCosts; more > 0 {
			fmt.Fprintf(&out, "- and %d more\n", more)
		}
	}
	if cost.Prices != "" {
		fmt.Fprintf(&out, "\n%s, for a tier that is full.\n", prose(cost.Prices))
	}
	return out.String()
}

func noteText(note progress.Message) string {
	if note.Resource == "" {
		return note.Text
	}
	return note.Resource + ": " + note.Text
}

func propertyLines(property progress.Property) string {
	name := fenced(property.Path, nameLength)
	if property.Replaces {
		name += " (this replaces it)"
	}
	var out strings.Builder
	before, after := apartFrom(flat(property.Old), flat(property.New))
	if property.Old != "" || property.Kind != "add" {
		fmt.Fprintf(&out, "-     %s: %s\n", name, fenced(before, valueLength))
	}
	if property.New != "" || property.Kind != "delete" {
		fmt.Fprintf(&out, "+     %s: %s\n", name, fenced(after, valueLength))
	}
	return out.String()
}

// ordered sorts changes so that the same change gives the same text: what endangers data first.
func ordered(changes []progress.Change) []progress.Change {
	sorted := slices.Clone(changes)
	slices.SortStableFunc(sorted, func(a, b progress.Change) int {
		return cmp.Or(
			cmp.Compare(rank(a), rank(b)),
			cmp.Compare(a.Resource, b.Resource), cmp.Compare(a.Type, b.Type),
		)
	})
	return sorted
}

func rank(change progress.Change) int {
	if change.Risk == progress.RiskData {
		return 0
	}
	return 1 + slices.Index([]progress.Operation{progress.Delete, progress.Replace, progress.Update, progress.Create}, change.Operation)
}

func sign(operation progress.Operation) string {
	switch operation {
	case progress.Create:
		return "+"
	case progress.Delete:
		return "-"
	default:
		return "!"
	}
}

func counted(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
