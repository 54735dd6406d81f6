package stacks

import (
	"slices"
	"time"
)

// Blueprint is what a tier runs, free of any cloud: every target builds the same parts from it and none that it
// does not name. A part that a tier does without is the zero value. Counts are per region.
type Blueprint struct {
	Hosts        []Host       `json:"hosts"`
	Database     Database     `json:"database"`
	Backends     Backends     `json:"backends"`
	Workers      Workers      `json:"workers"`
	Cache        Cache        `json:"cache"`
	Queue        Queue        `json:"queue"`
	Web          Web          `json:"web"`
	Balancer     Balancer     `json:"balancer"`
	CDN          CDN          `json:"cdn"`
	FileStore    FileStore    `json:"file_store"`
	Regions      int          `json:"regions"`
	Zones        int          `json:"zones"` // availability zones that each region's hosts are spread over
	Orchestrator Orchestrator `json:"orchestrator"`
	Monitoring   Monitoring   `json:"monitoring"`
}

// Host gives the hosts of a role; false when the tier has none.
func (b Blueprint) Host(role Role) (Host, bool) {
	i := slices.IndexFunc(b.Hosts, func(h Host) bool { return h.Role == role })
	if i < 0 {
		return Host{}, false
	}
	return b.Hosts[i], true
}

// HostOf gives the hosts that a part runs on; false when the tier does without the part or runs it as a managed
// service that is no host of ours.
func (b Blueprint) HostOf(part Part) (Host, bool) {
	i := slices.IndexFunc(b.Hosts, func(h Host) bool { return slices.Contains(h.Runs, part) })
	if i < 0 {
		return Host{}, false
	}
	return b.Hosts[i], true
}

// Role names what a host is for.
type Role string

// The roles of hosts.
const (
	RolePanel    Role = "panel"    // everything on one host
	RoleBalancer Role = "balancer" // the front door
	RoleBackend  Role = "backend"  // the service
	RoleDatabase Role = "database" // one PostgreSQL server, primary or replica
	RoleNode     Role = "node"     // a node of the orchestrator's cluster
)

// Roles gives all roles, in the order in which a request meets them.
func Roles() []Role { return []Role{RolePanel, RoleBalancer, RoleBackend, RoleNode, RoleDatabase} }

// Part names a piece of software that a host runs.
type Part string

// The parts of a panel.
const (
	PartWeb      Part = "web"      // Nginx: static files, TLS, compression
	PartBalancer Part = "balancer" // spreads requests over the backends
	PartBackend  Part = "backend"  // the service
	PartWorker   Part = "worker"   // the service, running jobs and no requests
	PartPooler   Part = "pooler"   // PgBouncer
	PartDatabase Part = "database" // PostgreSQL
	PartCache    Part = "cache"    // Redis
	PartQueue    Part = "queue"    // the message broker
)

// Host is a kind of machine: so many of the same size, running the same parts. Where the database is managed, its
// host tells the size of the managed instances.
type Host struct {
	Role  Role   `json:"role"`
	Count int    `json:"count"`
	CPU   int    `json:"cpu"`
	RAM   Bytes  `json:"ram_bytes"`
	Disk  Disk   `json:"disk"`
	Runs  []Part `json:"runs"`
}

// Disk is the volume that holds a host's data, apart from its system. A host without data of its own has none.
type Disk struct {
	Size Bytes    `json:"size_bytes"`
	Kind DiskKind `json:"kind"`
	// IOPS is how many operations a second the disk must sustain. 0: what any disk of its kind gives.
	IOPS int `json:"iops"`
}

// DiskKind is the technology of a disk.
type DiskKind string

// SSD is the only kind that the plan asks for.
const SSD DiskKind = "ssd"

// Database is PostgreSQL: so many shards, each a primary and its replicas, behind a pooler.
type Database struct {
	// Shards is how many primaries the 256 buckets are split over, in equal ranges. It divides 256.
	Shards int `json:"shards"`
	// Replicas is how many streaming replicas each primary has. They answer reads.
	Replicas int `json:"replicas"`
	// Pooling is how PgBouncer shares server connections between clients. Every tier has it, the MVP too: a
	// promotion holds writes by PgBouncer's PAUSE, so a panel without it could never be moved while it runs.
	Pooling Pooling `json:"pooling"`
	// MaxConnections is the connection limit of each PostgreSQL server.
	MaxConnections int `json:"max_connections"`
	// ReservedConnections of these are kept from the service: three for the superuser (PostgreSQL's default), one
	// for migrations and monitoring.
	ReservedConnections int `json:"reserved_connections"`
	// Statistics turns on pg_stat_statements, which tells what queries cost.
	Statistics bool `json:"statistics"`
	// SlowQueryLog is the run time from which a statement is logged. 0: none is.
	SlowQueryLog time.Duration `json:"slow_query_log_ns"`
	// ActiveActive makes every region writable, each for the buckets whose home it is, and replicates the rest.
	ActiveActive bool `json:"active_active"`
	// Managed leaves the servers to the target's own service (on AWS: RDS), where the target has one.
	Managed bool `json:"managed"`
}

// ServiceConnections is how many connections of each server all backends and workers may use together.
func (d Database) ServiceConnections() int { return d.MaxConnections - d.ReservedConnections }

// Servers is how many PostgreSQL servers one region has.
func (d Database) Servers() int { return d.Shards * (1 + d.Replicas) }

// Pooling is a mode of PgBouncer.
type Pooling string

// TransactionPooling gives a client a server connection for the length of a transaction.
const TransactionPooling Pooling = "transaction"

// Backends are the instances of the service that answer requests.
type Backends struct {
	Instances int `json:"instances"`
}

// Workers run background jobs.
type Workers struct {
	// Instances is how many processes do nothing but jobs. 0: the backends run the jobs.
	Instances int `json:"instances"`
	// JobsPerInstance is how many jobs each process that runs jobs takes at once.
	JobsPerInstance int `json:"jobs_per_instance"`
}

// Cache is Redis.
type Cache struct {
	// Memory bounds what the cache holds; beyond it the least used goes. 0: the tier has no cache.
	Memory Bytes `json:"memory_bytes"`
	// Managed leaves it to the target's own service (on AWS: ElastiCache), where the target has one.
	Managed bool `json:"managed"`
}

// Queue is how jobs reach the process that runs them. Whatever it is, a job is first written to the outbox, in
// the transaction of the request that asks for it.
type Queue string

// The queues of the plan.
const (
	QueueDatabase Queue = "database" // workers poll the outbox
	QueueRabbitMQ Queue = "rabbitmq" // a relay publishes the outbox to a broker
)

// Web is the web server that the browser meets: static files, TLS, headers.
type Web struct {
	Server WebServer `json:"server"`
	// Compression sends text compressed, and static files compressed ahead.
	Compression bool `json:"compression"`
}

// WebServer names a web server.
type WebServer string

// Nginx is the only web server of the plan.
const Nginx WebServer = "nginx"

// Balancer spreads requests over the backends.
type Balancer string

// The balancers of the plan.
const (
	BalancerNone    Balancer = ""        // one backend needs none
	BalancerNginx   Balancer = "nginx"   // Nginx on its own host
	BalancerIngress Balancer = "ingress" // the cluster's ingress
	BalancerGlobal  Balancer = "global"  // DNS that sends a user to the nearest healthy region, an ingress in each
)

// CDN is what is cached near the user.
type CDN string

// The reaches of the CDN.
const (
	CDNNone   CDN = ""       // the web server answers everything
	CDNAssets CDN = "assets" // static files
	CDNEdge   CDN = "edge"   // static files, downloads, and whatever else a response allows to be cached
)

// FileStore is where uploaded files and the results of jobs are kept.
type FileStore struct {
	Kind FileStoreKind `json:"kind"`
	// CrossRegion keeps a copy of every file in each region.
	CrossRegion bool `json:"cross_region"`
}

// FileStoreKind is the technology of a file store.
type FileStoreKind string

// The file stores of the plan.
const (
	FileStoreDisk FileStoreKind = "disk" // the host's data disk
	FileStoreS3   FileStoreKind = "s3"   // any server of the S3 protocol
)

// Orchestrator keeps the processes running.
type Orchestrator string

// The orchestrators of the plan.
const (
	Supervisor Orchestrator = "supervisor" // the host's own service manager
	Kubernetes Orchestrator = "kubernetes"
)

// Monitoring is how a tier is watched.
type Monitoring struct {
	Level MonitoringLevel `json:"level"`
	// Datadog sends metrics, traces and logs to Datadog too, once a key for it is set.
	Datadog bool `json:"datadog"`
}

// MonitoringLevel is how much is watched. Each level has all that the one before has.
type MonitoringLevel string

// The levels of the plan.
const (
	MonitoringBasic       MonitoringLevel = "basic"       // MVP
	MonitoringApplication MonitoringLevel = "application" // Tier 1+
	MonitoringAdvanced    MonitoringLevel = "advanced"    // Tier 3+
)

// Capability is one thing that monitoring does.
type Capability string

// The capabilities of the plan.
const (
	UptimeMonitoring   Capability = "Basic uptime monitoring"
	ErrorLogging       Capability = "Error logging"
	APM                Capability = "APM (Application Performance Monitoring)"
	RealTimeAlerts     Capability = "Real-time alerts"
	CustomDashboards   Capability = "Custom dashboards"
	DistributedTracing Capability = "Distributed tracing"
	LogAggregation     Capability = "Log aggregation"
	AnomalyDetection   Capability = "Anomaly detection"
)

// Capabilities gives all that a level has, in the plan's order.
func (l MonitoringLevel) Capabilities() []Capability {
	basic := []Capability{UptimeMonitoring, ErrorLogging}
	application := slices.Concat(basic, []Capability{APM, RealTimeAlerts, CustomDashboards})
	advanced := slices.Concat(application, []Capability{DistributedTracing, LogAggregation, AnomalyDetection})
	switch l {
	case MonitoringBasic:
		return basic
	case MonitoringApplication:
		return application
	case MonitoringAdvanced:
		return advanced
	default:
		return nil
	}
}

// Has tells whether a level has a capability.
func (l MonitoringLevel) Has(c Capability) bool { return slices.Contains(l.Capabilities(), c) }
