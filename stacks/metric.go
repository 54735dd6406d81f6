package stacks

// Metric names a figure that something measures.
type Metric string

// The metrics of the plan's triggers.
const (
	ResponseTimeP95     Metric = "response_time_p95"
	HostCPU             Metric = "host_cpu"
	DatabaseConnections Metric = "database_connections"
	DatabaseReads       Metric = "database_reads"
	CacheMemory         Metric = "cache_memory"
	StorageUsed         Metric = "storage_used"
	BalancerUse         Metric = "balancer_use"
	DatabaseWriteWait   Metric = "database_write_wait"
	FarRequests         Metric = "far_requests"
	QuietestHour        Metric = "quietest_hour"
	ErrorBudgetSpent    Metric = "error_budget_spent"
)

// MetricDefinition says what a metric is and where it is measured.
type MetricDefinition struct {
	Metric Metric `json:"metric"`
	Title  string `json:"title"`
	Unit   Unit   `json:"unit"`
	// Measured says where the figure comes from, precisely enough to query it.
	Measured string `json:"measured"`
	// Expression is how Prometheus computes the figure, in the unit above, over all of the stack. It is recorded under
	// the name that [MetricDefinition.Record] gives. Not a number stands for what did not happen, such as the response
	// time of no request; nothing at all, for what was not measured.
	Expression string `json:"expression"`
	// Part is what exposes the figure: a tier without it cannot measure the metric.
	Part Part `json:"part"`
	// Limit is the field of the tier that bounds the figure, if any. A threshold beyond it could never be crossed.
	Limit Field `json:"limit,omitempty"`
}

// Metrics gives all metrics that triggers may use.
func Metrics() []MetricDefinition {
	return []MetricDefinition{
		{
			Metric: ResponseTimeP95, Title: "API response time, p95", Unit: Seconds, Part: PartBackend,
			Measured: "the service's histogram of request durations, all API routes, over 5 minutes",
			Expression: "histogram_quantile(0.95, sum by (le) " +
				"(rate(radpanel_http_request_duration_seconds_bucket{" + APIRoutes + `}[5m]))) or NaN * sum(up{job="service"} == 1)`,
		},
		{
			Metric: HostCPU, Title: "CPU in use", Unit: OfHundred, Part: PartBackend,
			Measured:   "the host's CPU time that is not idle, all cores, over 5 minutes; of several hosts the busiest",
			Expression: "100 * max(1 - " + idleCPU("") + ")",
		},
		{
			Metric: DatabaseConnections, Title: "Database connections", Unit: Count, Part: PartDatabase,
			Measured:   "pg_stat_activity: client backends of the primary, without the one that counts them",
			Limit:      "Blueprint.Database.MaxConnections",
			Expression: "max(radpanel_postgres_sessions_open)",
		},
		{
			Metric: DatabaseReads, Title: "Database read queries", Unit: PerSecond, Part: PartDatabase,
			Measured:   "pg_stat_statements: calls of SELECT statements on the primary, rate over 5 minutes",
			Expression: "sum(rate(radpanel_postgres_statements_reads[5m]))",
		},
		{
			Metric: CacheMemory, Title: "Redis memory", Unit: BytesStored, Part: PartCache,
			Measured:   "Redis INFO memory: used_memory",
			Limit:      "Blueprint.Cache.Memory",
			Expression: "sum(redis_memory_used_bytes)",
		},
		{
			Metric: StorageUsed, Title: "Storage in use", Unit: BytesStored, Part: PartDatabase,
			Measured:   "pg_database_size of the panel's database, and the sizes of all files",
			Limit:      "Capacity.Storage",
			Expression: "sum(radpanel_postgres_database_bytes) + max(radpanel_files_bytes)",
		},
		{
			Metric: BalancerUse, Title: "Load balancer in use", Unit: OfHundred, Part: PartBalancer,
			Measured: "the greater of two shares: Nginx's active connections (stub_status) of worker_processes × " +
				"worker_connections, and the CPU in use on its host, over 5 minutes",
			// Without the one share, the other would be taken for the greater. A balancer that is full may miss an answer or two.
			Expression: `max(label_replace(100 * max(avg_over_time(radpanel_balancer_connections[5m]) / ` +
				`radpanel_balancer_connections_limit), "of", "connections", "", "") or ` +
				`label_replace(100 * max(1 - ` + idleCPU(`,parts=~".*,balancer,.*"`) + `), "of", "cpu", "", "")) ` +
				`and on () present_over_time(radpanel_balancer_connections[2m])`,
		},
		{
			Metric: DatabaseWriteWait, Title: "Database sessions waiting to write", Unit: OfHundred, Part: PartDatabase,
			Measured: "pg_stat_activity of the primary, sampled every 15 seconds: of the active client backends, those " +
				"whose wait_event is a write of WAL or data (WALWrite, WALSync, WALInsert, DataFileWrite, " +
				"DataFileExtend, SyncRep), average over 5 minutes. Where fewer than two are active on average, the share " +
				"is that of two: a lone session that waits for the disk holds nobody up",
			Expression: "max(100 * avg_over_time(radpanel_postgres_sessions_waiting_to_write[5m]) / " +
				"clamp_min(avg_over_time(radpanel_postgres_sessions_active[5m]), 2))",
		},
		{
			Metric: FarRequests, Title: "Requests from far away", Unit: OfHundred, Part: PartBalancer,
			Measured: "the balancer's access log: requests whose TCP round trip ($tcpinfo_rtt) is over 150 ms, the API " +
				"p95 of the last tier, of all requests, over 1 hour",
			Expression: `100 * (1 - sum(rate(radpanel_front_door_round_trip_seconds_bucket{le="0.15"}[1h])) / ` +
				`sum(rate(radpanel_front_door_round_trip_seconds_count[1h])))`,
		},
		{
			Metric: QuietestHour, Title: "Requests in the quietest hour against the busiest", Unit: OfHundred, Part: PartBackend,
			Measured: "the service's counter of requests: least hourly rate of the last 24 hours, of the greatest",
			// Without an hour that is a day old, there was no day yet.
			Expression: "100 * min_over_time(" + HourlyRequests + "[24h]) / max_over_time(" + HourlyRequests + "[24h])" +
				" and (" + HourlyRequests + " offset 24h)",
		},
		{
			Metric: ErrorBudgetSpent, Title: "Error budget spent", Unit: OfHundred, Part: PartWeb,
			Measured: "the uptime probe through the front door, every 15 seconds: failed probes over 30 days, of those " +
				"that the tier's uptime target allows",
			// A window that is not full yet is taken for full: what is not known to be lost is still there.
			Expression: "100 * sum(" + SLOBad + `{objective="uptime",window="30d"}) / (sum(` + SLOBudget +
				`{objective="uptime"}) * clamp_min(sum(` + SLOEvents + `{objective="uptime",window="30d"}), 172800))`,
		},
	}
}

// Names of what else Prometheus records, which the expressions build on.
const (
	// HourlyRequests is the API's requests a second over the last hour.
	HourlyRequests = "radpanel:requests:per_second_1h"
	// SLOEvents and SLOBad count what an objective is about, in all and what was bad of it, within a window. SLOErrors is
	// the share, SLOBudget the share that may be. They carry the labels objective and window.
	SLOEvents = "radpanel:slo_events:count"
	SLOBad    = "radpanel:slo_bad:count"
	SLOErrors = "radpanel:slo_errors:ratio"
	SLOBudget = "radpanel:slo_budget:ratio"
	// AnomalyLower and AnomalyUpper bound what is usual of AnomalyFigure. They carry the label figure.
	AnomalyFigure = "radpanel:anomaly:figure"
	AnomalyLower  = "radpanel:anomaly:lower"
	AnomalyUpper  = "radpanel:anomaly:upper"
)

// APIRoutes picks the API's requests out of the service's, as the label of its metrics has them: not the probes.
const APIRoutes = `route=~"[A-Z]+ /api/.*"`

// HourlyRequestsExpression is how Prometheus computes HourlyRequests.
const HourlyRequestsExpression = "sum(rate(radpanel_http_requests_total{" + APIRoutes + `}[1h])) or 0 * sum(up{job="service"} == 1)`

// idleCPU is the share of each host's CPU time that is idle. The matchers are further ones.
func idleCPU(matchers string) string {
	return `avg by (instance) (sum by (instance, cpu) (rate(node_cpu_seconds_total{mode=~"idle|iowait"` + matchers + `}[5m])))`
}

// Record is the name under which Prometheus keeps the figure, such as "radpanel:host_cpu:percent".
func (d MetricDefinition) Record() string {
	return "radpanel:" + string(d.Metric) + ":" + string(d.Unit)
}

// Definition says what the metric is; the zero value for a name that is none.
func (m Metric) Definition() MetricDefinition {
	for _, d := range Metrics() {
		if d.Metric == m {
			return d
		}
	}
	return MetricDefinition{}
}
