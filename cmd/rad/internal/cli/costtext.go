package cli

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/dustin/go-humanize"

	"github.com/radpanel/radpanel/infra/price"
)

// writeCost writes what a stack costs for people: the sum and how it stands to the plan first.
func writeCost(out io.Writer, cost Cost) error {
	var text bytes.Buffer
	fmt.Fprintf(&text, "%s costs %s a month", cost.Stack, dollars(cost.Monthly))
	if cost.Over > 0 {
		fmt.Fprintf(&text, ": WARNING: %s over the plan's $%d-%d", dollars(cost.Over), cost.Low, cost.High)
	}
	fmt.Fprintf(&text, "\n%s: %s.\n", cost.Stack, cost.Says)
	if len(cost.Lines) > 0 {
		text.WriteString("\n")
		writeLines(&text, cost.Lines)
	}
	if len(cost.Unknown) > 0 {
		text.WriteString("\nNot in it, because nothing is known of its cost:\n")
		for _, u := range cost.Unknown {
			fmt.Fprintf(&text, "  %s (%s): %s\n", u.Resource, u.Type, u.Why)
		}
	}
	if len(cost.Usage) > 0 {
		text.WriteString("\nAssumed of a full tier, in a month:\n")
		writeUsage(&text, cost.Usage)
		fmt.Fprintf(&text, "\n%s, without taxes.\n", cost.Prices)
	}
	return written(out, text.Bytes())
}

// writeLines writes the resources, the dearest first, each with what it is charged for.
func writeLines(text *bytes.Buffer, lines []price.Line) {
	byResource := price.Estimate{Lines: lines}.ByResource()
	slices.SortStableFunc(lines, func(a, b price.Line) int {
		return position(byResource, a.Resource) - position(byResource, b.Resource)
	})
	table := tabwriter.NewWriter(text, 0, 0, 2, ' ', 0)
	for _, line := range lines {
		_, _ = fmt.Fprintf(table, "  %s\t%s\t%s %s\tx %s\t%9s\n", line.Resource, line.What, amount(line.Quantity), line.Unit, rate(line.Rate), dollars(line.Monthly))
	}
	_ = table.Flush() // Into memory.
}

func position(costs []price.ResourceCost, name string) int {
	return slices.IndexFunc(costs, func(c price.ResourceCost) bool { return c.Resource == name })
}

func writeUsage(text *bytes.Buffer, usage []price.Quantity) {
	table := tabwriter.NewWriter(text, 0, 0, 2, ' ', 0)
	for _, q := range usage {
		_, _ = fmt.Fprintf(table, "  %s\t%s\t%s\n", q.Name, strings.TrimSpace(amount(q.Value)+" "+q.Unit), q.Reason)
	}
	_ = table.Flush() // Into memory.
}

// writeCostTable writes all tiers.
func writeCostTable(out io.Writer, all CostTable) error {
	var text bytes.Buffer
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(table, "tier\tusers\tplan, in all\twith its hardware\twith its budget\tstep\tplan's step\t")
	for i, step := range all.Tiers {
		moved := "-"
		if i > 0 {
			moved = signed(step.Step)
		}
		_, _ = fmt.Fprintf(table, "%s\t%s\t$%s-%s\t%s\t%s\t%s\t%s\t\n", step.Tier, amount(float64(step.Users)),
			amount(float64(step.Low)), amount(float64(step.High)), against(step.Hardware, step.High), against(step.Budget, step.High), moved, step.Plan)
	}
	_ = table.Flush() // Into memory.
	text.WriteString("\n!: over the plan's range. Each tier when it is full, by its blueprint; rad cost <tier> says what of.\n")
	for _, step := range all.Tiers {
		if step.Unknown > 0 {
			fmt.Fprintf(&text, "%s: %d more without a price: see rad cost.\n", step.Tier, step.Unknown)
		}
	}
	fmt.Fprintf(&text, "%s, without taxes.\n", all.Prices)
	return written(out, text.Bytes())
}

func written(out io.Writer, text []byte) error {
	if _, err := out.Write(text); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return nil
}

func against[T ~int64](monthly float64, high T) string {
	if monthly > float64(high) {
		return "! " + dollars(monthly)
	}
	return dollars(monthly)
}

// amount writes a quantity with as many digits as matter.
func amount(value float64) string {
	if value < 100 && value != math.Trunc(value) {
		return humanize.FormatFloat("#,###.##", value)
	}
	return humanize.Comma(int64(math.Round(value)))
}

func dollars(value float64) string { return "$" + humanize.FormatFloat("#,###.##", value) }

func signed(value float64) string {
	if value < 0 {
		return "-" + dollars(-value)
	}
	return "+" + dollars(value)
}

// rate writes a price with all of its digits: many are fractions of a cent.
func rate(value float64) string { return fmt.Sprintf("$%.6g", value) }
