package monitoring

import (
	"fmt"
	"slices"

	"github.com/radpanel/radpanel/stacks"
)

// Dashboard shows how a stack of a tier is: what outgrows it first, then what users get, then its parts.
type Dashboard struct {
	Tier        stacks.Tier
	Title       string
	Description string
	Rows        []Row
}

// Row is a group of panels.
type Row struct {
	Title  string
	Panels []Panel
}

// Panel is a chart.
type Panel struct {
	Title, Description string
	Unit               stacks.Unit
	// Limit is drawn as a line, if there is one. Least says that the figures are to stay over it, not under.
	Limit *float64
	Least bool
	// Runbook is the ID of the alert on what is shown.
	Runbook string
	Queries []Query
}

// Query is one or more lines of a chart: PromQL, and what to call each line.
type Query struct{ Expression, Legend string }

// Dashboards gives those of all tiers whose monitoring has dashboards.
func Dashboards(plan stacks.ScalingPlan) []Dashboard {
	var all []Dashboard
	for _, tier := range plan.Tiers {
		if tier.Blueprint.Monitoring.Level.Has(stacks.CustomDashboards) {
			all = append(all, dashboard(plan, tier))
		}
	}
	return all
}

func dashboard(plan stacks.ScalingPlan, tier stacks.TierPlan) Dashboard {
	d := Dashboard{
		Tier: tier.Tier, Title: "RAD Panel: " + tier.Title,
		Description: fmt.Sprintf("%s is built for %d users. Lines in red are the plan's thresholds and targets.", tier.Title, tier.Users.Target),
	}
	if next, ok := plan.Next(tier.Tier); ok {
		d.Rows = append(d.Rows, Row{"Outgrown? What leads to " + next.Title, triggerPanels(next.Triggers)})
	}
	d.Rows = append(d.Rows,
		Row{"Service levels", levelPanels(tier)},
		Row{"Use of the tier's capacity", usePanels(tier)},
		Row{"Requests", requestPanels()},
		Row{"Database", databasePanels(tier)},
	)
	if tier.Blueprint.Cache.Memory > 0 {
		d.Rows = append(d.Rows, Row{"Cache", cachePanels(tier)})
	}
	d.Rows = append(d.Rows, Row{"Jobs", jobPanels()})
	if tier.Blueprint.Monitoring.Level.Has(stacks.APM) {
		d.Rows = append(d.Rows, Row{"Traces", tracePanels()})
	}
	d.Rows = append(d.Rows, Row{"Hosts", hostPanels()})
	if tier.Blueprint.Monitoring.Level.Has(stacks.AnomalyDetection) {
		d.Rows = append(d.Rows, Row{"What is unusual", anomalyPanels()})
	}
	return d
}

func one(expression string) []Query { return []Query{{Expression: expression}} }

func by(label, expression string) []Query { return []Query{{expression, "{{" + label + "}}"}} }

func recorded(metric stacks.Metric, title string, limit float64) Panel {
	definition := metric.Definition()
	return Panel{
		Title: title, Description: definition.Measured, Unit: definition.Unit, Limit: &limit, Queries: one(definition.Record()),
	}
}

func triggerPanels(triggers []stacks.Trigger) []Panel {
	var panels []Panel
	for _, t := range triggers {
		panel := recorded(t.Metric, t.Words, t.Threshold)
		panel.Description = t.Condition() + ". " + t.Reason
		panel.Runbook = t.ID
		panels = append(panels, panel)
	}
	return panels
}

func levelPanels(tier stacks.TierPlan) []Panel {
	burn := Panel{
		Title: "Burn rate of error budgets", Unit: stacks.Count, Runbook: "availability-burn",
		Description: "How many times as fast as it may be each budget was spent over an hour. At 14.4 somebody is woken.",
		Limit:       &stacks.BurnRates()[0].Factor,
		Queries:     by("objective", stacks.SLOErrors+`{window="1h"} / ignoring (window) `+stacks.SLOBudget),
	}
	spent := recorded(stacks.ErrorBudgetSpent, "Error budget of uptime spent", 100)
	p95 := recorded(stacks.ResponseTimeP95, "API response time, p95", tier.SLO.P95.Seconds())
	uptime := float64(tier.SLO.Uptime)
	return []Panel{
		p95,
		{
			Title: "Page load, p95", Unit: stacks.Seconds, Limit: new(tier.SLO.PageLoad.Seconds()),
			Description: "As browsers with nothing cached report it, over seven days.", Queries: one("max(radpanel_page_load_p95_seconds)"),
		},
		{
			Title: "Uptime of 30 days", Unit: stacks.OfHundred, Limit: &uptime, Least: true, Runbook: "uptime-burn",
			Description: "Minutes in which the front door answered at least one probe.", Queries: one("min(radpanel_uptime_percent)"),
		},
		spent,
		burn,
	}
}

func usePanels(tier stacks.TierPlan) []Panel {
	return []Panel{
		{
			Title: "Concurrent users", Unit: stacks.Count, Limit: new(float64(tier.Capacity.ConcurrentUsers)),
			Description: "Users seen in the last five minutes.", Queries: one("max(radpanel_concurrent_users)"),
		},
		{
			Title: "API requests", Unit: stacks.PerSecond, Limit: new(float64(tier.Capacity.RequestsPerSecond)),
			Queries: one("sum(rate(radpanel_http_requests_total{" + stacks.APIRoutes + "}[5m]))"),
		},
		recorded(stacks.StorageUsed, "Storage", float64(tier.Capacity.Storage)),
	}
}

func requestPanels() []Panel {
	const requests, durations = "radpanel_http_requests_total{" + stacks.APIRoutes + "}", "radpanel_http_request_duration_seconds_bucket{" + stacks.APIRoutes + "}"
	quantile := func(q string) Query {
		return Query{"histogram_quantile(" + q + ", sum by (le) (rate(" + durations + "[5m])))", "p" + q[2:]}
	}
	return []Panel{
		{
			Title: "Busiest routes", Unit: stacks.PerSecond, Queries: by("route", "topk(8, sum by (route) (rate("+requests+"[5m])))"),
		},
		{
			Title: "Answers that are no success", Unit: stacks.PerSecond, Runbook: "availability-burn",
			Queries: by("status", `sum by (status) (rate(radpanel_http_requests_total{`+stacks.APIRoutes+`,status=~"4..|5.."}[5m]))`),
		},
		{
			Title: "Response times", Unit: stacks.Seconds, Queries: []Query{quantile("0.50"), quantile("0.95"), quantile("0.99")},
		},
		{
			Title: "Slowest routes, p95", Unit: stacks.Seconds, Runbook: "response-time",
			Queries: by("route", "topk(8, histogram_quantile(0.95, sum by (route, le) (rate("+durations+"[5m]))) > 0)"),
		},
		{Title: "Requests being served", Unit: stacks.Count, Queries: by("instance", "radpanel_http_requests_in_flight")},
		{
			Title: "Requests refused because the service was busy", Unit: stacks.PerSecond,
			Queries: by("reason", "sum by (reason) (rate(radpanel_http_requests_shed_total[5m]))"),
		},
	}
}

func databasePanels(tier stacks.TierPlan) []Panel {
	panels := []Panel{
		recorded(stacks.DatabaseConnections, "Connections to the primary", float64(tier.Blueprint.Database.MaxConnections)),
		{
			Title: "Pool of each instance", Unit: stacks.Count,
			Queries: []Query{
				{"radpanel_database_connections_in_use", "{{instance}} in use"}, {"radpanel_database_connections_limit", "{{instance}} at most"},
			},
		},
		{
			Title: "Wait for a connection", Unit: stacks.Seconds,
			Queries: by("instance", "rate(radpanel_database_acquire_wait_seconds_total[5m]) / rate(radpanel_database_acquires_total[5m])"),
		},
		{
			Title: "Clients at the pooler", Unit: stacks.Count, Runbook: "pooler-waiting",
			Description: "Connections of all instances to PgBouncer: those in a transaction, and those that wait for one of the server's.",
			Queries:     []Query{{"max by (pooler, state) (radpanel_pooler_clients)", "{{pooler}} {{state}}"}},
		},
		{
			Title: "Wait at the pooler", Unit: stacks.Seconds, Limit: new(stacks.PoolerWaitLimit.Seconds()), Runbook: "pooler-waiting",
			Description: "How long a transaction has waited there for a connection to the server, on average.",
			Queries:     by("pooler", stacks.PoolerWait),
		},
		{
			Title: "Busiest statements", Unit: stacks.PerSecond,
			Queries: by("statement", "topk(8, sum by (statement) (rate(radpanel_database_statements_total[5m])))"),
		},
	}
	if tier.Blueprint.Database.Statistics {
		panels = append(panels, Panel{Title: "Reads of the primary", Unit: stacks.PerSecond, Queries: one(stacks.DatabaseReads.Definition().Record())})
	}
	if tier.Blueprint.Database.Replicas > 0 {
		panels = append(panels,
			Panel{
				Title: "Lag of replicas", Unit: stacks.BytesStored, Runbook: "replica-behind",
				Queries: by("replica", "max by (replica) (radpanel_database_replica_lag_bytes)"),
			},
			Panel{
				Title: "Reads of replicas", Unit: stacks.PerSecond,
				Queries: by("replica", "sum by (replica) (rate(radpanel_database_replica_reads_total[5m]))"),
			},
		)
	}
	return panels
}

func cachePanels(tier stacks.TierPlan) []Panel {
	panels := []Panel{
		{
			Title: "Answered by the cache", Unit: stacks.Ratio, Description: "Share of reads, by what is read.",
			Queries: by("kind", `sum by (kind) (rate(radpanel_cache_requests_total{result="hit"}[5m])) / sum by (kind) (rate(radpanel_cache_requests_total[5m]))`),
		},
		{
			Title: "Instances that use the cache", Unit: stacks.Count, Description: "1 of each: it is used.", Queries: by("instance", "radpanel_cache_trusted"),
		},
	}
	if _, runs := tier.Blueprint.HostOf(stacks.PartCache); runs { // A managed one is measured by who manages it.
		panels = append(panels, recorded(stacks.CacheMemory, "Memory of Redis", float64(tier.Blueprint.Cache.Memory)))
	}
	return panels
}

func jobPanels() []Panel {
	return []Panel{
		{
			Title: "Jobs by state", Unit: stacks.Count, Queries: by("state", "sum by (state) (max by (kind, state) (radpanel_jobs))"),
		},
		{
			Title: "How long the oldest has been due", Unit: stacks.Seconds, Runbook: "jobs-waiting",
			Queries: by("kind", "max by (kind) (radpanel_jobs_oldest_seconds)"),
		},
		{
			Title: "Attempts", Unit: stacks.PerSecond, Queries: by("outcome", "sum by (outcome) (rate(radpanel_job_attempts_total[5m]))"),
		},
	}
}

func tracePanels() []Panel {
	return []Panel{
		{
			Title: "Traces", Unit: stacks.PerSecond,
			Description: "Kept as notable (slow, failed, or with a job) or by the ratio; left out by the ratio, or over the rate. None: the stack has no traceEndpoint.",
			Queries:     by("decision", "sum by (decision) (rate(radpanel_traces_total[5m]))"),
		},
		{
			Title: "Spans lost", Unit: stacks.PerSecond, Description: "Too many at once, after the end of their trace, or not taken by whoever stores them.",
			Queries: by("reason", "sum by (reason) (rate(radpanel_trace_spans_dropped_total[5m]))"),
		},
	}
}

func hostPanels() []Panel {
	return []Panel{
		{
			Title: "CPU in use", Unit: stacks.OfHundred, Runbook: "cpu",
			Queries: by("instance", `100 * (1 - avg by (instance) (sum by (instance, cpu) (rate(node_cpu_seconds_total{mode=~"idle|iowait"}[5m]))))`),
		},
		{
			Title: "Memory in use", Unit: stacks.OfHundred,
			Queries: by("instance", "100 * (1 - node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes)"),
		},
		{
			Title: "Data disk, free", Unit: stacks.OfHundred, Limit: new(10.0), Least: true, Runbook: "disk-space",
			Queries: by("instance", `100 * node_filesystem_avail_bytes{disk="data"} / node_filesystem_size_bytes{disk="data"}`),
		},
	}
}

func anomalyPanels() []Panel {
	var panels []Panel
	for _, figure := range []struct {
		name, title string
		unit        stacks.Unit
	}{
		{"requests", "Requests within what is usual", stacks.PerSecond},
		{"jobs", "Jobs within what is usual", stacks.PerSecond},
		{"response_time_p95", "Response time within what is usual", stacks.Seconds},
	} {
		of := fmt.Sprintf("{figure=%q}", figure.name)
		panels = append(panels, Panel{
			Title: figure.title, Unit: figure.unit, Runbook: "anomaly", Queries: []Query{
				{stacks.AnomalyFigure + of, "now"}, {stacks.AnomalyLower + of, "usual, at least"}, {stacks.AnomalyUpper + of, "usual, at most"},
			},
		})
	}
	return panels
}

// Expressions gives all that a dashboard asks Prometheus for.
func (d Dashboard) Expressions() []string {
	var all []string
	for _, row := range d.Rows {
		for _, panel := range row.Panels {
			for _, query := range panel.Queries {
				all = append(all, query.Expression)
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}
