package machine_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/infra/machine"
	"github.com/radpanel/radpanel/stacks"
)

// site is a real nginx before a service that the test plays.
type site struct {
	*process
	arguments machine.Nginx
	url       string
}

// newSite starts nginx. change, if any, changes its arguments.
func newSite(t *testing.T, tier stacks.Tier, service http.Handler, change func(*machine.Nginx)) *site {
	t.Helper()
	h := newHost(t, "www-data")
	arguments := nginx(t, tier)
	arguments.Folder = h.mkdir("nginx")
	h.mkdir("nginx", machine.NginxTemporaryFolder)
	arguments.Root = h.mkdir("web")
	arguments.AccessLog = h.path("nginx", "access.log")
	arguments.Generation = "1"
	arguments.Listen = freeAddress(t)
	if service != nil {
		arguments.Upstreams = []netip.AddrPort{newUpstream(t, service)}
	} else {
		arguments.Upstreams = []netip.AddrPort{freeAddress(t)}
	}
	if change != nil {
		change(&arguments)
	}
	h.mkdir("web", "assets")
	h.write("<!doctype html><title>front end</title>", "web", "index.html")
	h.write("User-agent: *", "web", "robots.txt")
	h.write(script, "web", "assets", "app-1a2b.js")
	h.write("compressed ahead", "web", "assets", "app-1a2b.js.gz")
	h.write("secret", "web", ".env")
	h.write("outside", "outside.txt")
	s := &site{arguments: arguments, url: "http://" + arguments.Listen.String()}
	h.install(arguments, "nginx")
	s.process = h.start("nginx", "-e", "stderr", "-p", arguments.Folder, "-c", h.path("nginx", machine.NginxFile))
	s.awaitGeneration("1")
	return s
}

var script = "export default 'front end';" + strings.Repeat("/* long enough to be compressed */", 100)

func (s *site) awaitGeneration(generation string) {
	s.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Second}
	s.eventually(func() bool {
		response, err := client.Get(s.url + machine.NginxHealthPath) //nolint:noctx // Bounded.
		if err != nil {
			return false
		}
		defer func() { _ = response.Body.Close() }()
		body, err := io.ReadAll(response.Body)
		return err == nil && response.StatusCode == http.StatusOK && string(body) == "ok "+generation+"\n"
	}, "healthy generation "+generation)
}

// newUpstream plays the service.
func newUpstream(t *testing.T, handler http.Handler) netip.AddrPort {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return server.Listener.Addr().(*net.TCPAddr).AddrPort()
}

// got is an answer, read whole.
type got struct {
	*http.Response
	text string
}

// do sends a request as it is: no redirect is followed, nothing is unpacked.
func (s *site) do(request *http.Request) got {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), patience)
	defer cancel()
	transport := &http.Transport{DisableKeepAlives: true, DisableCompression: true}
	response, err := transport.RoundTrip(request.WithContext(ctx))
	require.NoError(s, err, "%s %s", request.Method, request.URL)
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	require.NoError(s, err)
	return got{response, string(body)}
}

// send makes a request of a method, a path, a body and pairs of header names and values.
func (s *site) send(method, path, body string, headers ...string) got {
	s.Helper()
	request, err := http.NewRequest(method, s.url+path, strings.NewReader(body)) //nolint:noctx // Added by do.
	require.NoError(s, err)
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
		if headers[i] == "Host" {
			request.Host = headers[i+1]
		}
	}
	return s.do(request)
}

func (s *site) get(path string, headers ...string) got {
	s.Helper()
	return s.send(http.MethodGet, path, "", headers...)
}

// raw sends bytes that no client of HTTP would.
func (s *site) raw(text string) got {
	s.Helper()
	connection, err := net.Dial("tcp", s.arguments.Listen.String()) //nolint:noctx // On loopback.
	require.NoError(s, err)
	defer func() { _ = connection.Close() }()
	require.NoError(s, connection.SetDeadline(time.Now().Add(patience)))
	_, err = io.WriteString(connection, text)
	require.NoError(s, err)
	response, err := http.ReadResponse(bufio.NewReader(connection), nil)
	require.NoError(s, err)
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	require.NoError(s, err)
	return got{response, string(body)}
}

// unreachable is an upstream that must not be asked.
func unreachable(t *testing.T) http.Handler {
	return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		assert.Fail(t, "the service was asked", "%s %s", r.Method, r.RequestURI)
	})
}

// echo answers with what it was asked.
func echo() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{
			"method": r.Method, "uri": r.RequestURI, "host": r.Host, "headers": r.Header,
		})
	})
}

type echoed struct {
	Method  string      `json:"method"`
	URI     string      `json:"uri"`
	Host    string      `json:"host"`
	Headers http.Header `json:"headers"`
}

func (g got) echoed(t *testing.T) echoed {
	t.Helper()
	var e echoed
	require.Equal(t, http.StatusOK, g.StatusCode, g.text)
	require.NoError(t, json.Unmarshal([]byte(g.text), &e), g.text)
	return e
}

type problem struct {
	Type     string `json:"type"`
	Title    string `json:"title"`
	Status   int    `json:"status"`
	Detail   string `json:"detail"`
	Instance string `json:"instance"`
}

// checkProblem checks that an answer is a problem as the service writes them.
func checkProblem(t *testing.T, g got, status int) {
	t.Helper()
	require.Equal(t, status, g.StatusCode, g.text)
	assert.Equal(t, "application/problem+json", g.Header.Get("Content-Type"))
	assert.Equal(t, "no-store", g.Header.Get("Cache-Control"))
	var p problem
	require.NoError(t, json.Unmarshal([]byte(g.text), &p), g.text)
	assert.Equal(t, status, p.Status)
	assert.Equal(t, http.StatusText(status), p.Title)
	assert.NotEmpty(t, p.Type)
	assert.NotEmpty(t, p.Detail)
	assert.Equal(t, "urn:request:"+g.Header.Get("X-Request-Id"), p.Instance)
}

// checkPage checks that an answer is a page for people.
func checkPage(t *testing.T, g got, status int) {
	t.Helper()
	require.Equal(t, status, g.StatusCode, g.text)
	assert.Equal(t, "text/html; charset=utf-8", g.Header.Get("Content-Type"))
	assert.Equal(t, "no-store", g.Header.Get("Cache-Control"))
	assert.Contains(t, g.text, "<h1>"+http.StatusText(status)+"</h1>")
	assert.NotContains(t, g.text, "nginx")
}
