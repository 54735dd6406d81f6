package monitoring

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/radpanel/radpanel/stacks"
)

// RulesFile is the name of the file that [Rules] gives.
const RulesFile = "rules.yml"

// RunbookBase is where runbooks are read: an alert's is there by its ID, with ".md".
const RunbookBase = "https://github.com/radpanel/radpanel/blob/main/docs/runbooks/"

// Pace is how fast a stack is watched.
type Pace struct {
	// Every is how often everything is measured and every rule is evaluated.
	Every time.Duration
	// Rehearsal lets alerts fire at once, in place of after the time that the plan gives.
	Rehearsal bool
}

// Usual is the pace of a stack that serves users: the interval that the plan's metrics name.
func Usual() Pace { return Pace{Every: 15 * time.Second} }

// Rehearsed is the pace of a stack on which alerts are tried out.
func Rehearsed(every time.Duration) Pace { return Pace{Every: every, Rehearsal: true} }

// slowly is how often windows of days are evaluated: they hold tens of thousands of samples.
func (p Pace) slowly() time.Duration {
	if p.Rehearsal {
		return p.Every
	}
	return max(p.Every, 2*time.Minute) // Less than the 5 minutes after which Prometheus forgets a value.
}

func (p Pace) hold(wait time.Duration) string {
	if p.Rehearsal || wait == 0 {
		return ""
	}
	return stacks.PrometheusDuration(wait)
}

// ruleFile is the format of Prometheus' rule files:
// https://prometheus.io/docs/prometheus/latest/configuration/recording_rules/.
type ruleFile struct {
	Groups []ruleGroup `yaml:"groups"`
}

type ruleGroup struct {
	Name     string `yaml:"name"`
	Interval string `yaml:"interval,omitempty"`
	Rules    []rule `yaml:"rules"`
}

type rule struct {
	Record      string            `yaml:"record,omitempty"`
	Alert       string            `yaml:"alert,omitempty"`
	Expression  string            `yaml:"expr"`
	For         string            `yaml:"for,omitempty"`
	Labels      map[string]string `yaml:"labels,omitempty"`
	Annotations map[string]string `yaml:"annotations,omitempty"`
}

// Rules gives Prometheus' rules of a stack at a tier.
func Rules(name stacks.Tier, pace Pace) (string, error) {
	plan := stacks.Plan()
	tier, err := plan.Tier(name)
	if err != nil {
		return "", err
	}
	alerts, err := plan.Alerts(name)
	if err != nil {
		return "", err
	}
	file := ruleFile{Groups: []ruleGroup{{Name: "figures", Rules: figures(tier)}}}
	file.Groups = append(file.Groups, objectives(tier, pace)...)
	if tier.Blueprint.Monitoring.Level.Has(stacks.AnomalyDetection) {
		file.Groups = append(file.Groups, anomalies(pace)...)
	}
	group := ruleGroup{Name: "alerts"}
	for _, alert := range alerts {
		group.Rules = append(group.Rules, alertRule(alert, pace))
	}
	file.Groups = append(file.Groups, group)
	return encode(file)
}

// figures are what everything else is computed from.
func figures(tier stacks.TierPlan) []rule {
	rules := []rule{{Record: stacks.HourlyRequests, Expression: stacks.HourlyRequestsExpression}}
	for _, figure := range Figures(tier) {
		rules = append(rules, rule{Record: figure.Record(), Expression: figure.Expression})
	}
	return rules
}

// Measured gives the metrics that a tier has the parts for.
func Measured(tier stacks.TierPlan) []stacks.MetricDefinition {
	return slices.DeleteFunc(stacks.Metrics(), func(d stacks.MetricDefinition) bool {
		_, runs := tier.Blueprint.HostOf(d.Part)
		return !runs || (d.Metric == stacks.DatabaseReads && !tier.Blueprint.Database.Statistics)
	})
}

// Names of the series that the windows of objectives are summed from: one value at each evaluation.
const (
	eventsRate = "radpanel:slo_events:per_second_5m"
	badRate    = "radpanel:slo_bad:per_second_5m"
)

// objectives keep how many events there were and how many were bad, first as one rate each, then summed over the windows
// of burn rates: the service's counters have hundreds of series, which no window of days could be read from.
func objectives(tier stacks.TierPlan, pace Pace) []ruleGroup {
	windows := []time.Duration{stacks.BudgetWindow}
	for _, rate := range stacks.BurnRates() {
		windows = append(windows, rate.Long, rate.Short)
	}
	slices.Sort(windows)
	windows = slices.Compact(windows)

	fast := ruleGroup{Name: "objectives"}
	slow := ruleGroup{Name: "objectives-of-days", Interval: stacks.PrometheusDuration(pace.slowly())}
	for _, objective := range tier.Objectives() {
		labels := map[string]string{"objective": objective.ID}
		fast.Rules = append(fast.Rules,
			rule{Record: stacks.SLOBudget, Expression: fmt.Sprintf("vector(%g)", objective.Budget), Labels: labels},
			rule{Record: eventsRate, Expression: objective.Events, Labels: labels},
			rule{Record: badRate, Expression: objective.Bad, Labels: labels},
		)
		for _, window := range windows {
			group := &fast
			if window >= 24*time.Hour {
				group = &slow
			}
			group.Rules = append(group.Rules, windowRules(objective.ID, window, pace)...)
		}
	}
	return []ruleGroup{fast, slow}
}

func windowRules(objective string, window time.Duration, pace Pace) []rule {
	over := stacks.PrometheusDuration(window)
	labels := map[string]string{"objective": objective, "window": over}
	sum := func(series string) string {
		of := fmt.Sprintf("%s{objective=%q}", series, objective)
		if window <= 5*time.Minute { // It is the rate's own.
			return fmt.Sprintf("%s * %d", of, int(window.Seconds()))
		}
		return fmt.Sprintf("sum_over_time(%s[%s]) * %g", of, over, pace.Every.Seconds())
	}
	return []rule{
		{Record: stacks.SLOEvents, Expression: sum(eventsRate), Labels: labels},
		{Record: stacks.SLOBad, Expression: sum(badRate), Labels: labels},
		{
			Record: stacks.SLOErrors, Labels: labels,
			Expression: fmt.Sprintf("%[1]s{objective=%[3]q,window=%[4]q} / %[2]s{objective=%[3]q,window=%[4]q}",
				stacks.SLOBad, stacks.SLOEvents, objective, over),
		},
	}
}

func alertRule(alert stacks.Alert, pace Pace) rule {
	labels := map[string]string{"severity": string(alert.Severity)}
	if alert.LeadsTo != "" {
		labels["leads_to"] = string(alert.LeadsTo)
	}
	if alert.Window != 0 {
		labels["burn_window"] = stacks.PrometheusDuration(alert.Window)
	}
	return rule{
		Alert: alert.ID, Expression: alert.Expression, For: pace.hold(alert.For), Labels: labels,
		Annotations: map[string]string{
			"summary": alert.Summary, "value": valueTemplate(alert.Unit), "runbook_url": RunbookBase + alert.ID + ".md",
		},
	}
}

// valueTemplate writes the figure for people, by Prometheus' own functions.
func valueTemplate(unit stacks.Unit) string {
	switch unit {
	case stacks.Seconds:
		return "{{ $value | humanizeDuration }}"
	case stacks.BytesStored:
		return "{{ $value | humanize1024 }}B"
	case stacks.OfHundred:
		return `{{ $value | printf "%.1f" }} %`
	case stacks.Ratio:
		return "{{ $value | humanizePercentage }}"
	case stacks.PerSecond:
		return "{{ $value | humanize }}/s"
	case stacks.Count:
		return "{{ $value | humanize }}"
	default:
		return strings.TrimSpace("{{ $value }} " + string(unit))
	}
}
