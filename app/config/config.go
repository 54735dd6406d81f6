// Package config is the typed contract between what is deployed and what the service reads: infra renders a
// Config into environment variables, the service loads the same Config from them.
package config

import "time"

// The file stores.
const (
	FileStoreDisk = "disk" // a folder of this machine
	FileStoreS3   = "s3"   // a server of the S3 protocol
)

// DownloadPath is below which a front that checks signatures itself has the objects of the bucket: see Config.S3FrontKey.
const DownloadPath = "/downloads/"

// Config is everything that the service can be told. It comes from the environment and from nowhere else.
//
// Load reads and validates it; Environ renders exactly what Load reads.
type Config struct {
	// Tier names the plan's tier that this instance runs at, such as "mvp".
	Tier string `env:"RAD_TIER,required"`
	// PlanFile is a JSON file with the plan (see Plan), shown to administrators. Empty: not shown.
	PlanFile string `env:"RAD_PLAN_FILE"`
	// PrometheusURL is the origin of the Prometheus that has the history of the figures beside the plan, such as
	// "http://127.0.0.1:9090". Empty: no history is shown.
	PrometheusURL string `env:"RAD_PROMETHEUS_URL"`
	// ListenAddress is the host:port on which HTTP is served, behind Nginx.
	ListenAddress string `env:"RAD_LISTEN_ADDRESS,required"`
	// PublicURL is the origin that browsers use, such as "http://localhost:8080". Writes from other origins are refused.
	PublicURL string `env:"RAD_PUBLIC_URL,required"`
	// TrustedProxies are the CIDRs whose X-Forwarded-For is believed. "none" believes nobody.
	TrustedProxies []string `env:"RAD_TRUSTED_PROXIES" envDefault:"127.0.0.0/8,::1/128"`
	// LogLevel is one of debug, info, warn, error.
	LogLevel string `env:"RAD_LOG_LEVEL" envDefault:"info"`
	// TraceEndpoint is the URL that takes traces by OTLP over HTTP, such as "http://127.0.0.1:4318/v1/traces". Empty: nothing
	// is traced.
	TraceEndpoint string `env:"RAD_TRACE_ENDPOINT"`
	// TraceRatio is the share of ordinary requests whose traces are kept, from 0 to 1. Traces of failures, of what took
	// longer than TraceSlow, and of jobs with the requests that asked for them are kept beside these.
	TraceRatio float64 `env:"RAD_TRACE_RATIO" envDefault:"0.1"`
	// TraceSlow is from when on a request is slow.
	TraceSlow time.Duration `env:"RAD_TRACE_SLOW" envDefault:"500ms"`
	// TracesPerSecond bounds the ordinary traces that an instance keeps, once more those of jobs, and once more the others.
	TracesPerSecond int `env:"RAD_TRACES_PER_SECOND" envDefault:"2"`

	// DatabaseURL is where requests go: the pooler (transaction pooling), as a role that can only read and write rows.
	DatabaseURL Secret `env:"RAD_DATABASE_URL,required"`
	// MigrationDatabaseURL is where migrations go: PostgreSQL itself (an advisory lock needs a session), as the owner of the schema.
	MigrationDatabaseURL Secret `env:"RAD_MIGRATION_DATABASE_URL,required"`
	// DatabaseConnections is the most connections that this instance opens, whatever the load.
	DatabaseConnections int `env:"RAD_DATABASE_CONNECTIONS,required"`
	// DatabaseWait is how long a request waits for a free connection before it gets 503: as long as a promotion may hold writes.
	DatabaseWait time.Duration `env:"RAD_DATABASE_WAIT" envDefault:"1s"`
	// ReplicaDatabaseURLs are read replicas, each through its own pooler, as the role of DatabaseURL. "none" or empty: no
	// replica.
	ReplicaDatabaseURLs []Secret `env:"RAD_REPLICA_DATABASE_URLS"`
	// CacheURL is Redis, such as "redis://user:password@host:6379" or "unix://user:password@/run/redis.sock". Empty: no
	// cache.
	CacheURL Secret `env:"RAD_CACHE_URL"`
	// MaxInFlight is the most requests served at once; the next one gets 503 at once.
	MaxInFlight int `env:"RAD_MAX_IN_FLIGHT" envDefault:"256"`
	// RequestTimeout ends a request that takes so long; uploads and downloads have their own, longer limits.
	RequestTimeout time.Duration `env:"RAD_REQUEST_TIMEOUT" envDefault:"15s"`

	// FileStore is where uploaded files and the results of jobs are kept: FileStoreDisk or FileStoreS3.
	FileStore string `env:"RAD_FILE_STORE" envDefault:"disk"`
	// FilesDirectory is the file store on disk. With another store, what lies there is moved to that.
	FilesDirectory string `env:"RAD_FILES_DIRECTORY,required"`
	// S3Endpoint is the S3 server as the service reaches it, such as "http://127.0.0.1:9000". Empty: Amazon's, by S3Region.
	S3Endpoint string `env:"RAD_S3_ENDPOINT"`
	// S3PublicEndpoint is the S3 server as browsers reach it. Empty: S3Endpoint.
	S3PublicEndpoint string `env:"RAD_S3_PUBLIC_ENDPOINT"`
	// S3Front is an origin that browsers reach, such as a CDN's, which passes requests on to the S3 server under that server's
	// own name: addresses are signed for the server and lead to the front. Empty: they lead to where they are signed for.
	S3Front string `env:"RAD_S3_FRONT"`
	// S3FrontKey signs addresses of downloads for the front itself, by the rules of Amazon CloudFront: below DownloadPath, the
	// front reads the bucket on its own account. It is a private key in PKCS #8, in base64. Empty: the front passes on what is
	// signed for the server, downloads too.
	S3FrontKey Secret `env:"RAD_S3_FRONT_KEY"`
	// S3FrontKeyID is what the front calls the key.
	S3FrontKeyID string `env:"RAD_S3_FRONT_KEY_ID"`
	// S3Region is the bucket's region.
	S3Region string `env:"RAD_S3_REGION" envDefault:"us-east-1"`
	// S3Bucket is the bucket of objects, which exists already. Required with FileStoreS3.
	S3Bucket string `env:"RAD_S3_BUCKET"`
	// S3AccessKey and S3SecretKey sign requests. Empty, both: the credentials of the host's role.
	S3AccessKey Secret `env:"RAD_S3_ACCESS_KEY"`
	S3SecretKey Secret `env:"RAD_S3_SECRET_KEY"`
	// FileSizeLimit is the largest upload, in bytes.
	FileSizeLimit int64 `env:"RAD_FILE_SIZE_LIMIT" envDefault:"26214400"`
	// Workers is how many background jobs run at once in this instance. 0: none, another process runs them.
	Workers int `env:"RAD_WORKERS" envDefault:"2"`

	// EncryptionKey is 32 bytes in base64: it encrypts what must be readable again, such as one-time-password secrets.
	EncryptionKey Secret `env:"RAD_ENCRYPTION_KEY,required"`
	// SessionIdleTimeout ends a session that was not used for so long.
	SessionIdleTimeout time.Duration `env:"RAD_SESSION_IDLE_TIMEOUT" envDefault:"168h"`
	// SessionAbsoluteTimeout ends a session so long after sign-in, used or not.
	SessionAbsoluteTimeout time.Duration `env:"RAD_SESSION_ABSOLUTE_TIMEOUT" envDefault:"720h"`
	// SignInsPerEmail is how many sign-ins a minute are tried for one e-mail address, right or wrong.
	SignInsPerEmail int `env:"RAD_SIGN_INS_PER_EMAIL" envDefault:"10"`
	// SignInsPerAddress is how many sign-ins a minute are tried from one network address.
	SignInsPerAddress int `env:"RAD_SIGN_INS_PER_ADDRESS" envDefault:"60"`
	// SignUpsPerAddress is how many sign-ups an hour are tried from one network address.
	SignUpsPerAddress int `env:"RAD_SIGN_UPS_PER_ADDRESS" envDefault:"30"`
	// DrainDelay is how long, after SIGTERM, requests are still accepted while /readyz already says 503, so that a
	// balancer has stopped sending them when the listener closes.
	DrainDelay time.Duration `env:"RAD_DRAIN_DELAY" envDefault:"1s"`
	// DrainTimeout is how long accepted requests may take to finish after SIGTERM.
	DrainTimeout time.Duration `env:"RAD_DRAIN_TIMEOUT" envDefault:"20s"`
}
