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
		},
		{
			Metric: HostCPU, Title: "CPU in use", Unit: OfHundred, Part: PartBackend,
			Measured: "the host's CPU time that is not idle, all cores, over 5 minutes; of several hosts the busiest",
		},
		{
			Metric: DatabaseConnections, Title: "Database connections", Unit: Count, Part: PartDatabase,
			Measured: "pg_stat_activity: client backends of the primary",
			Limit:    "Blueprint.Database.MaxConnections",
		},
		{
			Metric: DatabaseReads, Title: "Database read queries", Unit: PerSecond, Part: PartDatabase,
			Measured: "pg_stat_statements: calls of SELECT statements on the primary, rate over 5 minutes",
		},
		{
			Metric: CacheMemory, Title: "Redis memory", Unit: BytesStored, Part: PartCache,
			Measured: "Redis INFO memory: used_memory",
			Limit:    "Blueprint.Cache.Memory",
		},
		{
			Metric: StorageUsed, Title: "Storage in use", Unit: BytesStored, Part: PartDatabase,
			Measured: "bytes used on the data disk: rows and files",
			Limit:    "Capacity.Storage",
		},
		{
			Metric: BalancerUse, Title: "Load balancer in use", Unit: OfHundred, Part: PartBalancer,
			Measured: "the greater of two shares: Nginx's active connections (stub_status) of worker_processes × " +
				"worker_connections, and the CPU in use on its host, over 5 minutes",
		},
		{
			Metric: DatabaseWriteWait, Title: "Database sessions waiting to write", Unit: OfHundred, Part: PartDatabase,
			Measured: "pg_stat_activity of the primary, sampled every 15 seconds: of the active client backends, those " +
				"whose wait_event is a write of WAL or data (WALWrite, WALSync, WALInsert, DataFileWrite, " +
				"DataFileExtend, SyncRep), average over 5 minutes",
		},
		{
			Metric: FarRequests, Title: "Requests from far away", Unit: OfHundred, Part: PartBalancer,
			Measured: "the balancer's access log: requests whose TCP round trip ($tcpinfo_rtt) is over 150 ms, the API " +
				"p95 of the last tier, of all requests, over 1 hour",
		},
		{
			Metric: QuietestHour, Title: "Requests in the quietest hour against the busiest", Unit: OfHundred, Part: PartBackend,
			Measured: "the service's counter of requests: least hourly rate of the last 24 hours, of the greatest",
		},
		{
			Metric: ErrorBudgetSpent, Title: "Error budget spent", Unit: OfHundred, Part: PartWeb,
			Measured: "the uptime probe through the front door: share of failed probes over 30 days, of the share that " +
				"the tier's uptime target allows",
		},
	}
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
