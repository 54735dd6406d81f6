package monitoring

import (
	"fmt"
	"time"

	"github.com/radpanel/radpanel/stacks"
)

// The series between a figure and its bands.
const (
	figureMean   = "radpanel:anomaly:mean_1h"
	figureSpread = "radpanel:anomaly:spread_1h"
	wideSpread   = "radpanel:anomaly:spread_26h"
	earlierLower = "radpanel:anomaly:earlier_lower"
	earlierUpper = "radpanel:anomaly:earlier_upper"
)

// The numbers of grafana/promql-anomaly-detection, rules/adaptive.yml, whose method this is.
const (
	// spreads is how many standard deviations a band is wide to each side, margin how wide it is at least, as a share of
	// the mean.
	spreads, margin = 2, 0.5
	// variability is the share of the mean from which a spread counts: steady hours must not narrow the band.
	variability = 0.5
	// sparse is the rate a second under which there are too few events to tell what is usual.
	sparse = "5 / 60"
)

// anomalies are adaptive bands around figures that have no threshold of their own. The middle is the mean of the last
// hour; the band is as wide as the lively hours of the last 26 (a day and two hours) spread, but at least a margin; and
// it takes in what was usual around this time yesterday and a week ago, so that a daily peak is none.
func anomalies(pace Pace) []ruleGroup {
	fast := ruleGroup{Name: "anomalies"}
	for _, figure := range []struct{ name, expression, usable string }{
		{"requests", "sum(rate(radpanel_http_requests_total[5m]))", sparse},
		{"jobs", "sum(rate(radpanel_job_attempts_total[5m]))", sparse},
		{"response_time_p95", stacks.ResponseTimeP95.Definition().Record(), "0"}, // What is not a number is not greater.
	} {
		labels := map[string]string{"figure": figure.name}
		fast.Rules = append(fast.Rules,
			rule{Record: stacks.AnomalyFigure, Labels: labels, Expression: figure.expression + " >= 0"},
			rule{
				Record: figureMean, Labels: labels,
				Expression: fmt.Sprintf("avg_over_time(%s{figure=%q}[1h]) > %s", stacks.AnomalyFigure, figure.name, figure.usable),
			})
	}
	band := func(sign, choose, earlier string) string {
		return fmt.Sprintf("%[1]s without (by) (label_replace(%[2]s %[3]s %[4]d * %[5]s, \"by\", \"spread\", \"\", \"\") or "+
			"label_replace(%[2]s %[3]s %[6]g * %[2]s, \"by\", \"margin\", \"\", \"\") or last_over_time(%[7]s[10m]) and ignoring (by) %[2]s)",
			choose, figureMean, sign, spreads, wideSpread, margin, earlier)
	}
	fast.Rules = append(fast.Rules,
		rule{
			Record: figureSpread,
			Expression: fmt.Sprintf("stddev_over_time(%s[1h]) > %g * %s",
				stacks.AnomalyFigure, variability, figureMean),
		},
		rule{Record: wideSpread, Expression: fmt.Sprintf("avg_over_time(%s[26h])", figureSpread)},
		rule{Record: stacks.AnomalyLower, Expression: "clamp_min(" + band("-", "min", earlierLower) + ", 0)"},
		rule{Record: stacks.AnomalyUpper, Expression: band("+", "max", earlierUpper)},
	)
	slow := ruleGroup{Name: "anomalies-of-days", Interval: stacks.PrometheusDuration(pace.slowly())}
	for _, earlier := range []struct{ record, choose, sign string }{{earlierLower, "min", "-"}, {earlierUpper, "max", "+"}} {
		// Half an hour to each side of this time.
		at := func(name string, back time.Duration) string {
			offset := stacks.PrometheusDuration(back - 30*time.Minute)
			return fmt.Sprintf(`label_replace(avg_over_time(%[1]s[1h] offset %[2]s) %[3]s %[4]d * stddev_over_time(%[1]s[1h] offset %[2]s), "by", %[5]q, "", "")`,
				stacks.AnomalyFigure, offset, earlier.sign, spreads, name)
		}
		slow.Rules = append(slow.Rules, rule{
			Record:     earlier.record,
			Expression: fmt.Sprintf("%s without (by) (%s or %s)", earlier.choose, at("day", 24*time.Hour), at("week", 7*24*time.Hour)),
		})
	}
	return []ruleGroup{fast, slow}
}
