package monitoring_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/radpanel/radpanel/infra/monitoring"
)

// That the store takes its arguments is seen by test/e2e, which runs it.
func TestTheStoreOfTracesIsBounded(t *testing.T) {
	t.Parallel()
	arguments := monitoring.TraceStore{DataFolder: "/srv/panel/traces/data"}.Arguments()
	assert.Contains(t, arguments, "--badger.directory-value=/srv/panel/traces/data/values")
	assert.Contains(t, arguments, "--badger.span-store-ttl=48h0m0s")
	for _, server := range []string{"collector.otlp.grpc", "collector.grpc-server", "collector.http-server", "query.grpc-server", "admin.http"} {
		assert.Contains(t, arguments, "--"+server+".host-port=127.0.0.1:0", "by default it listens everywhere")
	}
	assert.Equal(t, "128MiB", monitoring.TraceStoreEnvironment()["GOMEMLIMIT"])
}
