package monitoring

import (
	"slices"
	"time"

	"github.com/radpanel/radpanel/stacks"
)

// Figure is a figure of a stack as its Prometheus records it, and as CloudWatch has it on AWS: see [PlaceOf].
type Figure struct {
	// Name is the metric's, or one of those below.
	Name string
	Unit stacks.Unit
	// Expression is how Prometheus computes it.
	Expression string
}

// Record is the name under which Prometheus keeps the figure, such as "radpanel:uptime:percent".
func (f Figure) Record() string { return "radpanel:" + f.Name + ":" + string(f.Unit) }

// The names of the figures that no trigger is about: what the SLO and the capacity of a tier are held against.
const (
	ConcurrentUsers   = "concurrent_users"
	RequestsPerSecond = "requests_per_second"
	PageLoad          = "page_load_p95"
	Uptime            = "uptime"
	// UptimeObserved is how long the uptime has been known.
	UptimeObserved = "uptime_observed"
)

// Signals gives the figures that no trigger is about.
func Signals() []Figure {
	return []Figure{
		{ConcurrentUsers, stacks.Count, "max(radpanel_concurrent_users)"},
		// Until the first request there is no counter, which is not the same as a service that does not run.
		{RequestsPerSecond, stacks.PerSecond, "sum(rate(radpanel_http_requests_total{" + stacks.APIRoutes + "}[5m])) or 0 * sum(radpanel_http_requests_in_flight)"},
		{PageLoad, stacks.Seconds, "max(radpanel_page_load_p95_seconds)"},
		{Uptime, stacks.OfHundred, "min(radpanel_uptime_percent)"},
		{UptimeObserved, stacks.Seconds, "max(radpanel_uptime_observed_seconds)"},
	}
}

// Figures gives all that a tier's stack records: the plan's metrics, as far as it has the parts that expose them, and the
// signals.
func Figures(tier stacks.TierPlan) []Figure {
	var all []Figure
	for _, metric := range Measured(tier) {
		all = append(all, Figure{string(metric.Metric), metric.Unit, metric.Expression})
	}
	return append(all, Signals()...)
}

// Carried gives the figures that a tier's stack is judged by, those of the triggers that lead to the next tier and the signals,
// as far as no service of the cloud measures them by itself: one of its hosts carries them to [AlarmNamespace].
func Carried(tier stacks.TierPlan) []Figure {
	var all []Figure
	next, _ := stacks.Plan().Next(tier.Tier) // After the last, there are no triggers.
	for _, trigger := range next.Triggers {
		metric := trigger.Metric.Definition()
		all = append(all, Figure{string(metric.Metric), metric.Unit, metric.Expression})
	}
	return slices.DeleteFunc(append(all, Signals()...), func(f Figure) bool { return PlaceOf(f.Name).Namespace != AlarmNamespace })
}

// Place is where CloudWatch has a figure.
type Place struct {
	// Namespace, MetricName and Dimension name it. Dimension is what tells one stack or host from another; its value is known
	// to the target alone.
	Namespace, MetricName, Dimension string
	// Statistic is what a period's samples are reduced to. The least of them: a condition must hold without a break.
	Statistic string
	// Every is how often there is a sample.
	Every time.Duration
}

// PlaceOf gives the place of a figure, by its name.
func PlaceOf(name string) Place {
	if name == string(stacks.HostCPU) { // EC2 has it of each host, without anybody's help.
		return Place{Namespace: "AWS/EC2", MetricName: "CPUUtilization", Dimension: "InstanceId", Statistic: "Average", Every: 5 * time.Minute}
	}
	return Place{Namespace: AlarmNamespace, MetricName: name, Dimension: AlarmDimension, Statistic: "Minimum", Every: time.Minute}
}
