package report

import (
	"fmt"
	"strings"

	"github.com/radpanel/radpanel/stacks"
)

// step says what a change of tier means for users: what the stack carries, and what it promises. Empty if the tier stays.
func step(before, after stacks.TierPlan) string {
	if before.Tier == "" || before.Tier == after.Tier {
		return ""
	}
	var out strings.Builder
	fmt.Fprintf(&out, "\n| | %s | %s |\n| --- | ---: | ---: |\n", before.Title, after.Title)
	for _, row := range []struct{ name, before, after string }{
		{"users", stacks.Count.Format(float64(before.Users.Target)), stacks.Count.Format(float64(after.Users.Target))},
		{"requests a second", stacks.Count.Format(float64(before.Capacity.RequestsPerSecond)), stacks.Count.Format(float64(after.Capacity.RequestsPerSecond))},
		{"storage", before.Capacity.Storage.String(), after.Capacity.Storage.String()},
		{"API p95 below", stacks.Seconds.Format(before.SLO.P95.Seconds()), stacks.Seconds.Format(after.SLO.P95.Seconds())},
		{"page load below", stacks.Seconds.Format(before.SLO.PageLoad.Seconds()), stacks.Seconds.Format(after.SLO.PageLoad.Seconds())},
		{"uptime over", before.SLO.Uptime.String(), after.SLO.Uptime.String()},
	} {
		fmt.Fprintf(&out, "| %s | %s | %s |\n", row.name, row.before, row.after)
	}
	return out.String()
}
