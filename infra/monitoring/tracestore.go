package monitoring

import (
	"fmt"
	"path/filepath"
	"time"

	"github.com/radpanel/radpanel/stacks"
)

// TraceRetention is how long traces are kept: long enough to look into what somebody tells of the day before.
const TraceRetention = 48 * time.Hour

// TraceStoreMemory is what the store's runtime is told to stay within. Idle, it has 40 MB.
const TraceStoreMemory = 128 * stacks.MiB

// OTLPPath is where OTLP over HTTP takes traces.
const OTLPPath = "/v1/traces"

// TraceStore is Jaeger in one process. It keeps traces on the disk, takes them by OTLP over HTTP, and is asked for them by
// HTTP. With the service's bound on the traces that it keeps a second, TraceRetention bounds the disk too: measured, a span
// takes 210 bytes.
type TraceStore struct {
	// DataFolder is absolute.
	DataFolder string
}

// The flags that say where traces come in, at OTLPPath, and where people and programs ask for them: host:port follows.
const (
	TraceStoreTakes   = "--collector.otlp.http.host-port="
	TraceStoreAnswers = "--query.http-server.host-port="
)

// TraceStoreReady is the path at which it answers once it is ready.
const TraceStoreReady = "/api/services"

// Arguments gives its command line, but for TraceStoreTakes and TraceStoreAnswers. What it listens for besides, and cannot
// be told not to, gets any free port of loopback.
func (t TraceStore) Arguments() []string {
	arguments := []string{
		"--badger.ephemeral=false",
		"--badger.directory-key=" + filepath.Join(t.DataFolder, "keys"), "--badger.directory-value=" + filepath.Join(t.DataFolder, "values"),
		"--badger.span-store-ttl=" + TraceRetention.String(),
		"--metrics-backend=none", "--log-level=warn",
	}
	for _, unused := range []string{"collector.otlp.grpc", "collector.grpc-server", "collector.http-server", "query.grpc-server", "admin.http"} {
		arguments = append(arguments, "--"+unused+".host-port=127.0.0.1:0")
	}
	return arguments
}

// TraceStoreEnvironment gives the variables that it wants.
func TraceStoreEnvironment() map[string]string {
	return map[string]string{
		"SPAN_STORAGE_TYPE": "badger", "GOMAXPROCS": "1", "GOMEMLIMIT": fmt.Sprintf("%dMiB", TraceStoreMemory/stacks.MiB),
		// It would make traces of its own work, and send them to where nobody is.
		"OTEL_TRACES_SAMPLER": "always_off",
	}
}
