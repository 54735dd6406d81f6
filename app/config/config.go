// Package config is the typed contract between what is deployed and what the service reads: infra renders a
// Config into environment variables, the service loads the same Config from them.
package config

import "time"

// Config is everything that the service can be told. It comes from the environment and from nowhere else.
//
// Load reads and validates it; Environ renders exactly what Load reads.
type Config struct {
	// Tier names the plan's tier that this instance runs at, such as "mvp".
	Tier string `env:"RAD_TIER,required"`
	// PlanFile is a JSON file with the plan (see Plan), shown to administrators. Empty: not shown.
	PlanFile string `env:"RAD_PLAN_FILE"`
	// ListenAddress is the host:port on which HTTP is served, behind Nginx.
	ListenAddress string `env:"RAD_LISTEN_ADDRESS,required"`
	// PublicURL is the origin that browsers use, such as "http://localhost:8080". Writes from other origins are refused.
	PublicURL string `env:"RAD_PUBLIC_URL,required"`
	// TrustedProxies are the CIDRs whose X-Forwarded-For is believed. "none" believes nobody.
	TrustedProxies []string `env:"RAD_TRUSTED_PROXIES" envDefault:"127.0.0.0/8,::1/128"`
	// LogLevel is one of debug, info, warn, error.
	LogLevel string `env:"RAD_LOG_LEVEL" envDefault:"info"`

	// DatabaseURL is where requests go: the pooler (transaction pooling), as a role that can only read and write rows.
	DatabaseURL Secret `env:"RAD_DATABASE_URL,required"`
	// MigrationDatabaseURL is where migrations go: PostgreSQL itself (an advisory lock needs a session), as the owner of the schema.
	MigrationDatabaseURL Secret `env:"RAD_MIGRATION_DATABASE_URL,required"`
	// DatabaseConnections is the most connections that this instance opens, whatever the load.
	DatabaseConnections int `env:"RAD_DATABASE_CONNECTIONS,required"`
	// DatabaseWait is how long a request waits for a free connection before it gets 503.
	DatabaseWait time.Duration `env:"RAD_DATABASE_WAIT" envDefault:"500ms"`
	// MaxInFlight is the most requests served at once; the next one gets 503 at once.
	MaxInFlight int `env:"RAD_MAX_IN_FLIGHT" envDefault:"256"`
	// RequestTimeout ends a request that takes so long; uploads and downloads have their own, longer limits.
	RequestTimeout time.Duration `env:"RAD_REQUEST_TIMEOUT" envDefault:"15s"`

	// FilesDirectory holds uploaded files and the results of jobs.
	FilesDirectory string `env:"RAD_FILES_DIRECTORY,required"`
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
