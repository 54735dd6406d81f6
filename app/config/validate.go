package config

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// encryptionKeyBytes is the length of an AES-256 key.
const encryptionKeyBytes = 32

// Validate says everything that is wrong with c, as Load does.
func (c Config) Validate() error { return join(c.check()) }

// check returns what is wrong, in the order of the fields. It knows variables by name, and a test holds those
// names against the struct's tags.
func (c Config) check() []problem {
	var v validator
	v.oneOf("RAD_TIER", c.Tier, "mvp", "tier1", "tier2", "tier3", "tier4")
	v.absolutePath("RAD_PLAN_FILE", c.PlanFile, true)
	if c.PrometheusURL != "" {
		v.origin("RAD_PROMETHEUS_URL", c.PrometheusURL)
	}
	v.hostPort("RAD_LISTEN_ADDRESS", c.ListenAddress)
	v.origin("RAD_PUBLIC_URL", c.PublicURL)
	v.prefixes("RAD_TRUSTED_PROXIES", c.TrustedProxies)
	v.oneOf("RAD_LOG_LEVEL", c.LogLevel, "debug", "info", "warn", "error")
	v.traces(c)

	v.postgresURL("RAD_DATABASE_URL", c.DatabaseURL)
	v.postgresURL("RAD_MIGRATION_DATABASE_URL", c.MigrationDatabaseURL)
	v.between("RAD_DATABASE_CONNECTIONS", int64(c.DatabaseConnections), 2, 1000)
	v.duration("RAD_DATABASE_WAIT", c.DatabaseWait, time.Millisecond, time.Minute)
	for _, replica := range c.ReplicaDatabaseURLs {
		v.postgresURL("RAD_REPLICA_DATABASE_URLS", replica)
	}
	v.redisURL("RAD_CACHE_URL", c.CacheURL)
	v.between("RAD_MAX_IN_FLIGHT", int64(c.MaxInFlight), 1, 100_000)
	v.duration("RAD_REQUEST_TIMEOUT", c.RequestTimeout, 100*time.Millisecond, 10*time.Minute)

	v.oneOf("RAD_FILE_STORE", c.FileStore, FileStoreDisk, FileStoreS3)
	v.absolutePath("RAD_FILES_DIRECTORY", c.FilesDirectory, false)
	v.s3(c)
	v.between("RAD_FILE_SIZE_LIMIT", c.FileSizeLimit, 1, 10<<30)
	v.between("RAD_WORKERS", int64(c.Workers), 0, 100)

	v.key("RAD_ENCRYPTION_KEY", c.EncryptionKey)
	v.duration("RAD_SESSION_IDLE_TIMEOUT", c.SessionIdleTimeout, time.Minute, 365*24*time.Hour)
	v.duration("RAD_SESSION_ABSOLUTE_TIMEOUT", c.SessionAbsoluteTimeout, time.Minute, 365*24*time.Hour)
	if c.SessionIdleTimeout > c.SessionAbsoluteTimeout {
		v.add("RAD_SESSION_IDLE_TIMEOUT", c.SessionIdleTimeout.String(),
			"at most RAD_SESSION_ABSOLUTE_TIMEOUT, which is "+c.SessionAbsoluteTimeout.String())
	}
	v.between("RAD_SIGN_INS_PER_EMAIL", int64(c.SignInsPerEmail), 1, 1_000_000)
	v.between("RAD_SIGN_INS_PER_ADDRESS", int64(c.SignInsPerAddress), 1, 1_000_000)
	v.between("RAD_SIGN_UPS_PER_ADDRESS", int64(c.SignUpsPerAddress), 1, 1_000_000)
	v.duration("RAD_DRAIN_DELAY", c.DrainDelay, 0, time.Minute)
	v.duration("RAD_DRAIN_TIMEOUT", c.DrainTimeout, time.Second, 10*time.Minute)
	return v.problems
}

type validator struct{ problems []problem }

func (v *validator) add(name, value, allowed string) {
	v.problems = append(v.problems, problem{name, value, allowed})
}

func (v *validator) oneOf(name, value string, allowed ...string) {
	if !slices.Contains(allowed, value) {
		v.add(name, value, "one of "+strings.Join(allowed, ", "))
	}
}

func (v *validator) between(name string, value, low, high int64) {
	if value < low || value > high {
		v.add(name, strconv.FormatInt(value, 10), fmt.Sprintf("a whole number from %d to %d", low, high))
	}
}

func (v *validator) duration(name string, value, low, high time.Duration) {
	if value < low || value > high {
		v.add(name, value.String(), fmt.Sprintf("a duration from %s to %s", low, high))
	}
}

func (v *validator) absolutePath(name, value string, optional bool) {
	if (value == "" && optional) || filepath.IsAbs(value) {
		return
	}
	v.add(name, value, "an absolute path")
}

func (v *validator) hostPort(name, value string) {
	host, port, err := net.SplitHostPort(value)
	n, numErr := strconv.Atoi(port)
	if err != nil || numErr != nil || host == "" || n < 0 || n > 65535 {
		v.add(name, value, "host:port, such as 127.0.0.1:8000")
	}
}

func (v *validator) origin(name, value string) {
	u, err := url.Parse(value)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" ||
		u.User != nil || strings.TrimSuffix(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		v.add(name, value, "an origin: http or https, host and port, no path, such as https://panel.example.com")
	}
}

// traces checks how much is kept only where something is.
func (v *validator) traces(c Config) {
	if c.TraceEndpoint == "" {
		return
	}
	u, err := url.Parse(c.TraceEndpoint)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		v.add("RAD_TRACE_ENDPOINT", c.TraceEndpoint, "an http or https URL without user and query, such as http://127.0.0.1:4318/v1/traces")
	}
	if math.IsNaN(c.TraceRatio) || c.TraceRatio < 0 || c.TraceRatio > 1 {
		v.add("RAD_TRACE_RATIO", strconv.FormatFloat(c.TraceRatio, 'g', -1, 64), "a number from 0 to 1")
	}
	v.duration("RAD_TRACE_SLOW", c.TraceSlow, time.Millisecond, 10*time.Minute)
	v.between("RAD_TRACES_PER_SECOND", int64(c.TracesPerSecond), 1, 1000)
}

func (v *validator) prefixes(name string, values []string) {
	for _, value := range values {
		if _, err := netip.ParsePrefix(value); err != nil {
			v.add(name, value, "CIDRs with commas between them, such as 127.0.0.0/8,::1/128, or "+none)
		}
	}
}

// postgresURL never shows the value: it holds a password.
func (v *validator) postgresURL(name string, value Secret) {
	u, err := url.Parse(value.Reveal())
	if err != nil || (u.Scheme != "postgres" && u.Scheme != "postgresql") || strings.Trim(u.Path, "/") == "" {
		v.add(name, value.String(), "a URL such as postgres://user:password@host:5432/database")
	}
}

// redisURL never shows the value: it holds a password.
func (v *validator) redisURL(name string, value Secret) {
	if value == "" {
		return
	}
	u, err := url.Parse(value.Reveal())
	if err != nil || !slices.Contains([]string{"redis", "rediss", "unix"}, u.Scheme) || (u.Host == "" && u.Path == "") {
		v.add(name, value.String(), "a URL such as redis://user:password@host:6379 or unix://user:password@/run/redis.sock")
	}
}

// bucketName is S3's own rule, but for dots, with which a bucket has no certificate.
var bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$`)

func (v *validator) s3(c Config) {
	for name, value := range map[string]string{"RAD_S3_ENDPOINT": c.S3Endpoint, "RAD_S3_PUBLIC_ENDPOINT": c.S3PublicEndpoint, "RAD_S3_FRONT": c.S3Front} {
		if value != "" {
			v.origin(name, value)
		}
	}
	if c.S3Bucket != "" || c.FileStore == FileStoreS3 {
		if !bucketName.MatchString(c.S3Bucket) {
			v.add("RAD_S3_BUCKET", c.S3Bucket, "the name of a bucket: 3 to 63 of the characters a-z 0-9 -, with "+FileStoreS3+" as RAD_FILE_STORE")
		}
	}
	v.frontKey(c)
	if c.S3AccessKey != "" && c.S3SecretKey == "" {
		v.add("RAD_S3_SECRET_KEY", "", "the secret key of RAD_S3_ACCESS_KEY")
	}
	if c.S3AccessKey == "" && c.S3SecretKey != "" {
		v.add("RAD_S3_ACCESS_KEY", "", "the access key of RAD_S3_SECRET_KEY")
	}
}

// frontKey never shows the key.
func (v *validator) frontKey(c Config) {
	if c.S3FrontKey == "" {
		if c.S3FrontKeyID != "" {
			v.add("RAD_S3_FRONT_KEY", "", "the private key of RAD_S3_FRONT_KEY_ID")
		}
		return
	}
	if _, err := c.S3FrontSigner(); err != nil {
		v.add("RAD_S3_FRONT_KEY", c.S3FrontKey.String(), "a private key, RSA or ECDSA, in PKCS #8 and base64")
	}
	if c.S3FrontKeyID == "" {
		v.add("RAD_S3_FRONT_KEY_ID", "", "what the front calls the key RAD_S3_FRONT_KEY")
	}
	if c.S3Front == "" {
		v.add("RAD_S3_FRONT", "", "the origin that RAD_S3_FRONT_KEY signs for")
	}
}

// S3FrontSigner gives S3FrontKey.
func (c Config) S3FrontSigner() (crypto.Signer, error) {
	raw, err := base64.StdEncoding.DecodeString(c.S3FrontKey.Reveal())
	if err != nil {
		return nil, errors.New("RAD_S3_FRONT_KEY: expected base64") // Without the value.
	}
	parsed, err := x509.ParsePKCS8PrivateKey(raw)
	if err != nil {
		return nil, errors.New("RAD_S3_FRONT_KEY: expected a private key in PKCS #8")
	}
	switch key := parsed.(type) {
	case *rsa.PrivateKey:
		return key, nil
	case *ecdsa.PrivateKey:
		return key, nil
	default: // CloudFront knows no others.
		return nil, fmt.Errorf("RAD_S3_FRONT_KEY: expected an RSA or ECDSA key, got a %T", parsed)
	}
}

func (v *validator) key(name string, value Secret) {
	raw, err := base64.StdEncoding.DecodeString(value.Reveal())
	if err != nil || len(raw) != encryptionKeyBytes {
		v.add(name, value.String(), fmt.Sprintf("%d bytes in base64, such as `openssl rand -base64 32` prints", encryptionKeyBytes))
	}
}
