package advise

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/radpanel/radpanel/cmd/rad/internal/progress"
	"github.com/radpanel/radpanel/stacks"
)

// width is what prose is wrapped at.
const width = 110

// Write writes the advice for people, on one screen.
func Write(out io.Writer, a Advice, style progress.Style) error {
	var text strings.Builder
	verdict := string(a.Verdict)
	switch a.Verdict {
	case Stay:
		verdict = style.Green("stay on " + a.title)
	case Promote:
		verdict = style.Yellow("promote to " + a.Next.Title)
	case Overdue:
		verdict = style.Red("promote to " + a.Next.Title + ": overdue")
	case Refused:
		verdict = style.Red("no advice")
	}
	fmt.Fprintf(&text, "%s  %s\n", style.Bold(a.Stack), verdict)
	for _, sentence := range append(a.Reasons, a.Notes...) {
		text.WriteString(wrapped(sentence, "") + "\n")
	}
	if a.Verdict == Refused {
		for i, m := range a.Missing {
			fmt.Fprintf(&text, "%s %s: %s\n", style.Red("-"), m.Measurement.Title(), m.Problem)
			if next := i + 1; next == len(a.Missing) || a.Missing[next].Action != m.Action || a.Missing[next].Expected != m.Expected {
				fmt.Fprintf(&text, "  expected %s; %s\n", m.Expected, m.Action)
			}
		}
		_, err := io.WriteString(out, text.String())
		return err
	}
	if len(a.Triggers) > 0 {
		text.WriteString("\n" + table(triggerRows(a, style)))
	}
	text.WriteString("\n" + table(levelRows(a, style)))
	text.WriteString("\n" + table(useRows(a, style)))
	if next := a.Next; next != nil {
		fmt.Fprintf(&text, "\n%s  %s, %s\n", style.Bold(next.Title), users(next.users), money(*next))
		text.WriteString(style.Faint("adds  ") + wrapped(strings.Join(next.Actions, " · "), "      ") + "\n")
		text.WriteString(style.Faint("by    ") + next.Command + "\n")
	}
	_, err := io.WriteString(out, text.String())
	return err
}

// cell is what stands in a table, and how.
type cell struct {
	text  string
	paint func(string) string
}

func plain(text string) cell { return cell{text: text} }

func triggerRows(a Advice, style progress.Style) [][]cell {
	rows := [][]cell{headings(style, "TRIGGER", "NOW", "FIRES OVER", "OVER FOR", "TREND")}
	for _, t := range a.Triggers {
		now, over := plain("no requests"), plain("-")
		if t.Value != nil {
			now = plain(figure(t.Unit, *t.Value))
		}
		switch {
		case t.Fired:
			over = cell{duration(seconds(t.OverFor)), style.Red}
		case t.OverFor > 0:
			over = cell{duration(seconds(t.OverFor)), style.Yellow}
		}
		limit := figure(t.Unit, t.Threshold) + " for " + duration(seconds(t.For))
		rows = append(rows, []cell{plain(t.title), now, plain(limit), over, plain(trendWords(t))})
	}
	return rows
}

func trendWords(t Trigger) string {
	trend := t.Trend
	rate := figure(t.Unit, math.Abs(trend.PerDay)) + " a day"
	switch trend.Course {
	case Unknown:
		return fmt.Sprintf("no trend: %d of %d days", trend.Days, fewestDays)
	case Falling:
		return "-" + rate
	case Rising:
		if trend.Crossing == nil {
			return "+" + rate + ": over a year away"
		}
		return "+" + rate + ": about " + trend.Crossing.Format(time.DateOnly)
	case Steady:
		return fmt.Sprintf("steady over %d days", trend.Days)
	default:
		return ""
	}
}

func levelRows(a Advice, style progress.Style) [][]cell {
	rows := [][]cell{headings(style, "SLO", "NOW", "TARGET", "ERROR BUDGET")}
	for _, l := range a.SLO {
		now, target, budget := plain("none yet"), "under ", ""
		if l.Value != nil {
			now = cell{figure(l.Unit, *l.Value), style.Green}
			if !*l.Kept {
				now.paint = style.Red
			}
		}
		if l.Measurement == Uptime {
			target = "over "
			allowed := seconds(l.ErrorBudget)
			left := time.Duration(float64(allowed) * (1 - l.BudgetSpent/100))
			budget = fmt.Sprintf("%s of %s left in 30 days", duration(max(0, left)), duration(allowed))
		}
		rows = append(rows, []cell{plain(l.Measurement.Title()), now, plain(target + figure(l.Unit, l.Target)), plain(budget)})
	}
	return rows
}

func useRows(a Advice, style progress.Style) [][]cell {
	rows := [][]cell{headings(style, "IN USE", "NOW", "CAPACITY", "SHARE")}
	for _, u := range a.Use {
		share := cell{text: percent(u.Value / u.Capacity)}
		if u.ExceededFor > 0 {
			share.paint = style.Red
		}
		rows = append(rows, []cell{
			plain(u.Measurement.Title()), plain(figure(u.Unit, u.Value)), plain(figure(u.Unit, u.Capacity)), share,
		})
	}
	return rows
}

func headings(style progress.Style, names ...string) []cell {
	cells := make([]cell, len(names))
	for i, name := range names {
		cells[i] = cell{name, style.Faint}
	}
	return cells
}

// table sets rows in columns.
func table(rows [][]cell) string {
	widths := map[int]int{}
	for _, row := range rows {
		for i, c := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(c.text))
		}
	}
	var text strings.Builder
	for _, row := range rows {
		var line strings.Builder
		for i, c := range row {
			padding := ""
			if i < len(row)-1 {
				padding = strings.Repeat(" ", widths[i]-utf8.RuneCountInString(c.text)+2)
			}
			shown := c.text
			if c.paint != nil {
				shown = c.paint(c.text)
			}
			line.WriteString(shown + padding)
		}
		text.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	return text.String()
}

func users(u stacks.Users) string {
	if u.To == 0 {
		return fmt.Sprintf("from %d users", u.From)
	}
	return fmt.Sprintf("%d-%d users", u.From, u.To)
}

func money(next Next) string {
	text := next.cost.String()
	if next.cost.Added {
		text += ", " + stacks.Cost{Low: next.Cost.TotalLow, High: next.Cost.TotalHigh}.String() + " in all"
	}
	if next.Cost.AWS > 0 {
		text += fmt.Sprintf("; on AWS $%.0f/month when full", math.Ceil(next.Cost.AWS))
	}
	return text
}

// wrapped breaks prose into lines, all but the first indented.
func wrapped(prose, indent string) string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(prose) {
		if line != "" && utf8.RuneCountInString(indent+line+" "+word) > width {
			lines, line = append(lines, line), ""
		}
		line = strings.TrimPrefix(line+" "+word, " ")
	}
	return strings.Join(append(lines, line), "\n"+indent)
}

// figure writes a measured figure with three digits that matter.
func figure(unit stacks.Unit, value float64) string {
	if unit == stacks.BytesStored {
		return size(value)
	}
	if unit == stacks.OfHundred && value > 99 && value < 100 {
		return unit.Format(math.Floor(value*1000) / 1000) // 99.9996 % is not yet 100 %.
	}
	return unit.Format(rounded(value))
}

// percent writes a share of one, to a tenth of a percent.
func percent(share float64) string {
	if share > 0 && share < 0.001 {
		return "<0.1 %"
	}
	return stacks.Percent(math.Round(share*1000) / 10).String()
}

func rounded(value float64) float64 {
	if value == 0 || math.Abs(value) >= 100 {
		return math.Round(value)
	}
	return significant(value, 3)
}

// significant keeps so many digits of a figure: more would be the noise of its computation.
func significant(value float64, digits int) float64 {
	kept, err := strconv.ParseFloat(strconv.FormatFloat(value, 'g', digits, 64), 64)
	if err != nil {
		return value
	}
	return kept
}

// size writes an amount of storage in the largest unit of which there is at least one.
func size(value float64) string {
	units := []struct {
		size stacks.Bytes
		name string
	}{{stacks.TiB, "TiB"}, {stacks.GiB, "GiB"}, {stacks.MiB, "MiB"}, {stacks.KiB, "KiB"}}
	for _, u := range units {
		if math.Abs(value) >= float64(u.size) {
			return strconv.FormatFloat(rounded(value/float64(u.size)), 'f', -1, 64) + " " + u.name
		}
	}
	return strconv.FormatFloat(math.Round(value), 'f', -1, 64) + " B"
}

// duration writes a time by its largest unit or two: 12 s, 3 min, 2 h 5 min, 4 d 3 h.
func duration(d time.Duration) string {
	two := func(large time.Duration, largeName string, small time.Duration, smallName string) string {
		text := fmt.Sprintf("%d %s", d/large, largeName)
		if rest := d % large / small; rest > 0 {
			text += fmt.Sprintf(" %d %s", rest, smallName)
		}
		return text
	}
	switch {
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%d min", d/time.Minute)
	case d < day:
		return two(time.Hour, "h", time.Minute, "min")
	default:
		return two(day, "d", time.Hour, "h")
	}
}
