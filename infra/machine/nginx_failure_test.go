package machine_test

import (
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/infra/machine"
	"github.com/radpanel/radpanel/stacks"
)

func TestNginxSaysThatTheServiceIsAway(t *testing.T) {
	t.Parallel()
	s := newSite(t, stacks.MVP, nil, nil)
	for _, path := range []string{"/api/v1/panels", "/api/v1/panels/0192/files", "/api/v1/panels/0192/records", "/api/v1/report.pdf"} {
		g := s.get(path)
		checkProblem(t, g, http.StatusBadGateway)
		assert.Equal(t, []string{"2"}, g.Header["Retry-After"])
	}
	checkProblem(t, s.send(http.MethodPost, "/api/v1/panels", "{}"), http.StatusBadGateway)
	page := s.get("/api/v1/panels/0192/files/0192/content", "Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
	checkPage(t, page, http.StatusBadGateway)
	assert.Equal(t, []string{"2"}, page.Header["Retry-After"])
	assert.Equal(t, http.StatusBadGateway, s.get(machine.NginxServiceHealthPath).StatusCode)
	assert.Equal(t, http.StatusOK, s.get("/").StatusCode, "the front end is there all the same")
}

// A host that is gone, or a process that is frozen, takes no connection.
func TestNginxGivesUpOnAServiceThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	s := newSite(t, stacks.MVP, nil, func(n *machine.Nginx) { n.Upstreams = []netip.AddrPort{frozen(t)} })
	start := time.Now()
	g := s.get("/api/v1/panels")
	checkProblem(t, g, http.StatusGatewayTimeout)
	assert.Equal(t, []string{"5"}, g.Header["Retry-After"])
	assert.Less(t, time.Since(start), 10*time.Second)
}

// frozen gives an address whose queue of connections is full.
func frozen(t *testing.T) netip.AddrPort {
	t.Helper()
	socket, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, syscall.Close(socket)) })
	require.NoError(t, syscall.Bind(socket, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	require.NoError(t, syscall.Listen(socket, 0))
	name, err := syscall.Getsockname(socket)
	require.NoError(t, err)
	address := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(name.(*syscall.SockaddrInet4).Port))
	// A busy machine may be late with one that has room. Two that are late, one after the other, have none.
	for late := 0; late < 2; late++ {
		connection, err := net.DialTimeout("tcp", address.String(), 500*time.Millisecond) //nolint:noctx // Bounded.
		if err == nil {
			t.Cleanup(func() { assert.NoError(t, connection.Close()) })
			late = -1
		}
	}
	return address
}

// The service's own refusals pass as they are: it knows when to try again.
func TestNginxPassesTheServicesErrors(t *testing.T) {
	t.Parallel()
	s := newSite(t, stacks.MVP, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/readyz" {
			http.Error(w, "waiting", http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", "application/problem+json")
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, `{"type":"/problems/busy"}`)
	}), nil)
	g := s.get("/api/v1/panels", "Accept", "text/html")
	assert.Equal(t, http.StatusServiceUnavailable, g.StatusCode)
	assert.JSONEq(t, `{"type":"/problems/busy"}`, g.text)
	assert.Equal(t, []string{"7"}, g.Header["Retry-After"])
	ready := s.get(machine.NginxServiceHealthPath)
	assert.Equal(t, http.StatusServiceUnavailable, ready.StatusCode)
	assert.Equal(t, "waiting\n", ready.text)
}

// An instance that dies in the middle of a request is replaced by another only where the method says that doing it twice
// does no harm: what a POST creates was perhaps created already.
func TestNginxRepeatsNothingThatCreates(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		method, path string
		repeated     bool
	}{
		{http.MethodGet, "/api/v1/panels", true},
		{http.MethodPost, "/api/v1/panels", false},
		{http.MethodPatch, "/api/v1/panels/0192", false},
		{http.MethodPost, "/api/v1/panels/0192/files", false},
		{http.MethodDelete, "/api/v1/panels/0192", true},
	} {
		t.Run(c.method+c.path, func(t *testing.T) {
			t.Parallel()
			var broken, whole atomic.Int64
			breaks := newUpstream(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				broken.Add(1)
				panic(http.ErrAbortHandler)
			}))
			works := newUpstream(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { whole.Add(1) }))
			s := newSite(t, stacks.Tier1, nil, func(n *machine.Nginx) {
				n.Host.CPU = 1
				n.Upstreams = []netip.AddrPort{breaks, works}
			})
			sent, failed := int64(0), int64(0)
			for deadline := time.Now().Add(patience); broken.Load() == 0 && time.Now().Before(deadline); sent++ {
				if s.send(c.method, c.path, "").StatusCode == http.StatusBadGateway {
					failed++
				}
			}
			require.Equal(t, int64(1), broken.Load())
			if c.repeated {
				assert.Zero(t, failed)
				assert.Equal(t, sent, whole.Load())
			} else {
				assert.Equal(t, int64(1), failed)
				assert.Equal(t, sent-1, whole.Load(), "sent to another instance too")
			}
		})
	}
}

// An instance that is down costs nobody a request: what was never sent can go to another.
func TestNginxLeavesOutAnInstanceThatIsDown(t *testing.T) {
	t.Parallel()
	s := newSite(t, stacks.MVP, nil, func(n *machine.Nginx) {
		n.Upstreams = []netip.AddrPort{freeAddress(t), newUpstream(t, echo())}
	})
	for range 20 {
		assert.Equal(t, http.StatusOK, s.get("/api/v1/panels").StatusCode)
		assert.Equal(t, http.StatusOK, s.send(http.MethodPost, "/api/v1/panels", "{}").StatusCode)
		assert.Equal(t, http.StatusOK, s.send(http.MethodPost, "/api/v1/panels/0192/files", "{}").StatusCode)
	}
}

// A new configuration takes over without losing a request that the old one is serving.
func TestNginxReloads(t *testing.T) {
	t.Parallel()
	arrived, finish := make(chan struct{}), make(chan struct{})
	s := newSite(t, stacks.MVP, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(arrived)
		<-finish
		_, _ = io.WriteString(w, "finished")
	}), nil)
	answer := make(chan got, 1)
	go func() { answer <- s.get("/api/v1/panels") }()
	<-arrived
	next := s.arguments
	next.Generation = "2"
	s.install(next, "nginx")
	require.NoError(t, s.handle.Signal(syscall.SIGHUP))
	s.awaitGeneration("2")
	close(finish)
	assert.Equal(t, "finished", (<-answer).text)
}

// One address cannot have all of the service to itself. This machine's own requests are not counted, so it takes another
// address to see it.
func TestNginxBoundsRequestsOfOneAddress(t *testing.T) {
	t.Parallel()
	address, ok := foreignAddress(t)
	if !ok {
		t.Skip("this machine has loopback alone")
	}
	const bound, more = 128, 5
	finish := make(chan struct{})
	s := newSite(t, stacks.MVP, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-finish }), func(n *machine.Nginx) {
		n.ServerNames = nil
		n.Listen = netip.AddrPortFrom(address, n.Listen.Port())
	})
	answered := make(chan got, bound+more)
	for range bound + more {
		go func() { answered <- s.get("/api/v1/panels") }()
	}
	for range more {
		g := <-answered
		checkProblem(t, g, http.StatusTooManyRequests)
		assert.Equal(t, []string{"1"}, g.Header["Retry-After"])
	}
	close(finish)
	for range bound {
		assert.Equal(t, http.StatusOK, (<-answered).StatusCode)
	}
}

// foreignAddress gives an address of this machine that is not loopback.
func foreignAddress(t *testing.T) (netip.Addr, bool) {
	t.Helper()
	addresses, err := net.InterfaceAddrs()
	require.NoError(t, err)
	for _, address := range addresses {
		prefix, err := netip.ParsePrefix(address.String())
		if err == nil && prefix.Addr().Is4() && !prefix.Addr().IsLoopback() {
			return prefix.Addr(), true
		}
	}
	return netip.Addr{}, false
}
