package config_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/app/config"
)

// frontKey is of these tests alone, made by openssl.
const frontKey = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgzJcWsp81GhdlwRQ4ctSX2FSLgmIWPqeSRu2P3RRaknqhRANCAASThFgyyt2xdUfrXnyMQcPOWgC1" +
	"3ofCrGlkokPrQoMDbU9l62KTG329WJ+T9HTwsVspcp5w1MLj3+4c5DuhxaHo"

func valid() config.Config {
	return config.Config{
		Tier:                   "mvp",
		PlanFile:               "/etc/radpanel/plan.json",
		PrometheusURL:          "http://127.0.0.1:9090",
		ListenAddress:          "127.0.0.1:8000",
		PublicURL:              "http://localhost:8080",
		TrustedProxies:         []string{"127.0.0.0/8", "10.0.0.0/8"},
		LogLevel:               "warn",
		TraceEndpoint:          "https://traces.example.com/v1/traces",
		TraceRatio:             0.25,
		TraceSlow:              400 * time.Millisecond,
		TracesPerSecond:        7,
		DatabaseURL:            "postgres://app:hunter2@127.0.0.1:6432/panel",
		MigrationDatabaseURL:   "postgres://owner:hunter3@127.0.0.1:5432/panel",
		DatabaseConnections:    20,
		DatabaseWait:           750 * time.Millisecond,
		ReplicaDatabaseURLs:    []config.Secret{"postgres://app:hunter2@127.0.0.1:6433/panel", "postgres://app:hunter2@127.0.0.1:6434/panel"},
		CacheURL:               "unix://cache:hunter4@/run/redis.sock",
		MaxInFlight:            64,
		RequestTimeout:         10 * time.Second,
		FileStore:              config.FileStoreS3,
		FilesDirectory:         "/var/lib/radpanel/files",
		S3Endpoint:             "http://127.0.0.1:9000",
		S3PublicEndpoint:       "http://localhost:8080",
		S3Front:                "https://panel.example.com",
		S3FrontKey:             frontKey,
		S3FrontKeyID:           "K36X4X2EO997HM",
		S3Region:               "eu-north-1",
		S3Bucket:               "panel-files",
		S3AccessKey:            "hunter5",
		S3SecretKey:            "hunter6",
		FileSizeLimit:          1 << 20,
		Workers:                0,
		EncryptionKey:          "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
		SessionIdleTimeout:     time.Hour,
		SessionAbsoluteTimeout: 24 * time.Hour,
		SignInsPerEmail:        7,
		SignInsPerAddress:      70,
		SignUpsPerAddress:      9,
		DrainDelay:             0,
		DrainTimeout:           5 * time.Second,
	}
}

func TestEnvironIsWhatLoadReads(t *testing.T) {
	t.Parallel()
	want := valid()
	environment := want.Environ()
	for _, name := range config.Variables() {
		assert.Contains(t, environment, name)
	}
	got, err := config.LoadFrom(environment)
	require.NoError(t, err)
	assert.Equal(t, want, got)

	want.TrustedProxies = nil
	want.ReplicaDatabaseURLs = nil
	want.PlanFile = ""
	got, err = config.LoadFrom(want.Environ())
	require.NoError(t, err)
	assert.Equal(t, want, got, "an empty list must not fall back to the default")
}

func TestLoadNamesEveryProblemAtOnce(t *testing.T) {
	t.Parallel()
	environment := valid().Environ()
	environment["RAD_TIER"] = "tier9"
	environment["RAD_PROMETHEUS_URL"] = "127.0.0.1:9090"
	environment["RAD_DATABASE_CONNECTIONS"] = "many"
	environment["RAD_DATABASE_WAIT"] = "5"
	environment["RAD_DATABASE_URL"] = "mysql://root:topsecret@db/panel"
	environment["RAD_TRUSTED_PROXIES"] = "10.0.0.1"
	environment["RAD_REPLICA_DATABASE_URLS"] = "mysql://root:topsecret@db/panel"
	environment["RAD_CACHE_URL"] = "memcached://root:topsecret@cache"
	environment["RAD_S3_ENDPOINT"] = "minio:9000"
	environment["RAD_S3_BUCKET"] = "Files"
	environment["RAD_S3_SECRET_KEY"] = ""
	environment["RAD_S3_FRONT"] = ""
	environment["RAD_S3_FRONT_KEY"] = "dG9wc2VjcmV0"
	environment["RAD_S3_FRONT_KEY_ID"] = ""
	environment["RAD_PUBLIC_URL"] = "http://localhost:8080/panel"
	delete(environment, "RAD_ENCRYPTION_KEY")

	_, err := config.LoadFrom(environment)
	require.Error(t, err)
	for _, want := range []string{
		`RAD_TIER is "tier9": expected one of mvp, tier1, tier2, tier3, tier4`,
		`RAD_PROMETHEUS_URL is "127.0.0.1:9090": expected an origin`,
		`RAD_DATABASE_CONNECTIONS is "many": expected a whole number`,
		`RAD_DATABASE_WAIT is "5": expected a duration`,
		`RAD_DATABASE_URL is "[secret]": expected a URL such as postgres://`,
		`RAD_TRUSTED_PROXIES is "10.0.0.1": expected CIDRs`,
		`RAD_REPLICA_DATABASE_URLS is "[secret]": expected a URL such as postgres://`,
		`RAD_CACHE_URL is "[secret]": expected a URL such as redis://`,
		`RAD_S3_ENDPOINT is "minio:9000": expected an origin`,
		`RAD_S3_BUCKET is "Files": expected the name of a bucket`,
		`RAD_S3_SECRET_KEY is not set: expected the secret key of RAD_S3_ACCESS_KEY`,
		`RAD_S3_FRONT is not set: expected the origin that RAD_S3_FRONT_KEY signs for`,
		`RAD_S3_FRONT_KEY is "[secret]": expected a private key, RSA or ECDSA, in PKCS #8 and base64`,
		`RAD_S3_FRONT_KEY_ID is not set: expected what the front calls the key RAD_S3_FRONT_KEY`,
		`RAD_PUBLIC_URL is "http://localhost:8080/panel": expected an origin`,
		`RAD_ENCRYPTION_KEY is not set: expected 32 bytes in base64`,
	} {
		assert.ErrorContains(t, err, want)
	}
	assert.NotContains(t, err.Error(), "topsecret")
	assert.NotContains(t, err.Error(), "dG9wc2VjcmV0")
	assert.Equal(t, 1, strings.Count(err.Error(), "RAD_DATABASE_CONNECTIONS"))
}

func TestEveryFieldIsValidatedUnderItsOwnVariable(t *testing.T) {
	t.Parallel()
	_, err := config.LoadFrom(map[string]string{})
	require.Error(t, err)
	known := strings.Join(config.Variables(), " ")
	for line := range strings.SplitSeq(err.Error(), "\n") {
		name, _, _ := strings.Cut(strings.TrimPrefix(line, "configuration: "), " ")
		assert.Contains(t, known, name, line)
	}
	assert.Equal(t, 8, strings.Count(err.Error(), "is not set")+strings.Count(err.Error(), `is "0"`), err.Error())
}

func TestTheIdleTimeoutCannotOutlastTheAbsoluteOne(t *testing.T) {
	t.Parallel()
	c := valid()
	c.SessionIdleTimeout = 48 * time.Hour
	assert.ErrorContains(t, c.Validate(), "RAD_SESSION_IDLE_TIMEOUT")
}

func TestSecretsAreMaskedEverywhere(t *testing.T) {
	t.Parallel()
	c := valid()
	var printed strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		fmt.Fprintf(&printed, verb+"\n", c)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		fmt.Fprintf(&printed, verb+"\n", c.DatabaseURL)
	}
	slog.New(slog.NewJSONHandler(&printed, nil)).Info("start", "config", c, "key", c.EncryptionKey)
	slog.New(slog.NewTextHandler(&printed, nil)).Info("start", "config", c, "key", c.EncryptionKey)
	encoded, err := json.Marshal(c)
	require.NoError(t, err)
	printed.Write(encoded)

	for _, clear := range []string{"hunter2", "hunter3", "hunter4", "hunter5", "hunter6", "AAECAw", frontKey[:20], fmt.Sprintf("%x", "hunter2")} {
		assert.NotContains(t, printed.String(), clear)
	}
	assert.Contains(t, printed.String(), "[secret]")
	assert.Equal(t, "postgres://app:hunter2@127.0.0.1:6432/panel", c.DatabaseURL.Reveal())
}

func TestEveryVariableIsInTheManual(t *testing.T) {
	t.Parallel()
	manual, err := os.ReadFile("../../docs/service.md")
	require.NoError(t, err)
	for _, name := range config.Variables() {
		assert.Contains(t, string(manual), "| `"+name+"` |")
	}
	for name, value := range config.Defaults() {
		assert.Contains(t, string(manual), "| `"+name+"` | `"+value+"` |")
	}
}
