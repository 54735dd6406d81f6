package machine_test

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/infra/machine"
	"github.com/radpanel/radpanel/stacks"
)

// newEdge starts the edge before an origin that the test plays.
func newEdge(t *testing.T, origin http.Handler) *site {
	t.Helper()
	h := newHost(t, "www-data")
	arguments := edge(t, stacks.Tier2)
	arguments.Host.CPU = 1
	arguments.Folder = h.mkdir("edge")
	h.mkdir("edge", machine.NginxTemporaryFolder)
	arguments.CacheFolder = h.mkdir("cache")
	arguments.AccessLog = ""
	arguments.Listen = freeAddress(t)
	arguments.Origin = newUpstream(t, origin)
	h.install(arguments, "edge")
	s := &site{url: "http://" + arguments.Listen.String()}
	s.process = h.start("nginx", "-e", "stderr", "-p", arguments.Folder, "-c", h.path("edge", machine.EdgeFile))
	s.eventually(func() bool { return answers("tcp", arguments.Listen.String()) }, "the edge listens")
	return s
}

// A reload of the origin closes the connections that the edge has kept.
func TestTheEdgeLosesNoRequestToAConnectionThatCloses(t *testing.T) {
	t.Parallel()
	var mutex sync.Mutex
	seen := map[string]bool{}
	s := newEdge(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mutex.Lock()
		defer mutex.Unlock()
		if seen[r.RemoteAddr] {
			panic(http.ErrAbortHandler) // As if it had closed it before the request came.
		}
		seen[r.RemoteAddr] = true
		_, _ = io.WriteString(w, r.Host+" "+r.Header.Get("X-Forwarded-For")+" "+r.Header.Get("X-Request-Id"))
	}))
	for range 5 {
		g := s.send(http.MethodPost, "/api/v1/panels", "{}", "Host", "panel.example.com", "X-Forwarded-For", "192.0.2.1")
		require.Equal(t, http.StatusOK, g.StatusCode)
		assert.Regexp(t, `^panel\.example\.com 127\.0\.0\.1 [0-9a-f]{32}$`, g.text)
	}
}

func TestTheEdgeKeepsConnectionsForAssets(t *testing.T) {
	t.Parallel()
	peers := make(chan string, 100)
	s := newEdge(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { peers <- r.RemoteAddr }))
	for i := range 10 {
		require.Equal(t, http.StatusOK, s.get("/assets/"+strings.Repeat("a", i+1)+".js").StatusCode)
	}
	first := <-peers
	for range 9 {
		assert.Equal(t, first, <-peers)
	}
}
