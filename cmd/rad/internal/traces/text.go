package traces

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// List writes one line for each trace.
func List(out io.Writer, traces []Trace) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "BEGAN\tTOOK\tSPANS\tTRACE\tWHAT") // Flush gives the error of any write.
	for _, trace := range traces {
		root := trace.Root()
		_, _ = fmt.Fprintf(table, "%s\t%s\t%d\t%s\t%s\n", began(root).Format(time.DateTime), took(root), len(trace), root.Trace, what(root))
	}
	return table.Flush()
}

// Tree writes all of a trace: each span under what it is a part of, with the time at which it began, from the beginning of the
// whole, and how long it took.
func Tree(out io.Writer, trace Trace) error {
	root := trace.Root()
	_, err := fmt.Fprintf(out, "trace %s, began %s\n", root.Trace, began(root).Format(time.DateTime))
	if err != nil {
		return err
	}
	for _, reference := range root.References {
		if reference.Trace != root.Trace {
			if _, err := fmt.Fprintf(out, "follows from trace %s\n", reference.Trace); err != nil {
				return err
			}
		}
	}
	parts := map[string]Trace{}
	known := map[string]bool{}
	for _, span := range trace {
		known[span.ID] = true
	}
	for _, span := range trace {
		parent := span.parent()
		if !known[parent] {
			parent = ""
		}
		parts[parent] = append(parts[parent], span)
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	var write func(of string, depth int)
	write = func(of string, depth int) {
		slices.SortStableFunc(parts[of], func(a, b Span) int { return int(a.StartedAt - b.StartedAt) })
		for _, span := range parts[of] {
			after := time.Duration(span.StartedAt-root.StartedAt) * time.Microsecond
			// The last cell of a line is not aligned.
			_, _ = fmt.Fprintf(table, "%s\t%s\t  %s%s\n", milliseconds(after), took(span), strings.Repeat("  ", depth), what(span))
			write(span.ID, depth+1)
		}
	}
	write("", 0)
	return table.Flush()
}

func began(s Span) time.Time { return time.UnixMicro(s.StartedAt).UTC() }

func took(s Span) string { return milliseconds(time.Duration(s.Took) * time.Microsecond) }

func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000)
}

// what names a span, with what it talked to and how it failed.
func what(s Span) string {
	text := s.Name
	for _, tag := range []string{"db.system.name", "http.response.status_code", "radpanel.job.outcome"} {
		if value := s.Tag(tag); value != "" {
			text += " [" + value + "]"
		}
	}
	if kind := s.Tag("error.type"); kind != "" {
		text += " failed: " + kind
	}
	return text
}
