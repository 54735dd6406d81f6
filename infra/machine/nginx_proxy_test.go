package machine_test

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/infra/machine"
	"github.com/radpanel/radpanel/stacks"
)

const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; " +
	"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; manifest-src 'self'"

// Every answer has each header exactly once, whoever made it and whatever went wrong.
func TestNginxSetsItsHeadersOnEveryAnswer(t *testing.T) {
	t.Parallel()
	service := http.NewServeMux()
	service.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		// The service says some of it too.
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Strict-Transport-Security", "max-age=1")
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Request-Id", r.Header.Get("X-Request-Id"))
		status, _ := strconv.Atoi(r.URL.Query().Get("status"))
		w.WriteHeader(status)
	})
	s := newSite(t, stacks.Tier1, service, nil)
	away := newSite(t, stacks.Tier1, nil, nil)
	asset := s.get("/assets/app-1a2b.js")
	for name, c := range map[string]struct {
		got    got
		status int
	}{
		"page":              {s.get("/"), 200},
		"route":             {s.get("/panels"), 200},
		"asset":             {asset, 200},
		"compressed":        {s.get("/assets/app-1a2b.js", "Accept-Encoding", "gzip"), 200},
		"head":              {s.send(http.MethodHead, "/", ""), 200},
		"not modified":      {s.get("/assets/app-1a2b.js", "If-None-Match", asset.Header.Get("Etag")), 304},
		"no such part":      {s.get("/assets/app-1a2b.js", "Range", "bytes=999999-"), 200},
		"missing":           {s.get("/assets/missing.js"), 404},
		"hidden":            {s.get("/metrics"), 404},
		"method":            {s.send(http.MethodPost, "/", ""), 405},
		"trace":             {s.send(http.MethodTrace, "/", ""), 405},
		"health":            {s.get(machine.NginxHealthPath), 200},
		"other host":        {s.get("/", "Host", "elsewhere.example"), 421},
		"too large":         {s.send(http.MethodPost, "/api/v1/panels", strings.Repeat(" ", 1<<20+1)), 413},
		"too large page":    {s.send(http.MethodPost, "/", strings.Repeat(" ", 1<<20+1)), 413},
		"nonsense":          {s.raw("nonsense\r\n\r\n"), 400},
		"no host":           {s.raw("GET / HTTP/1.1\r\n\r\n"), 400},
		"long address":      {s.raw("GET /" + strings.Repeat("a", 9000) + " HTTP/1.1\r\nHost: localhost\r\n\r\n"), 414},
		"long header":       {s.raw("GET / HTTP/1.1\r\nHost: localhost\r\nX-A: " + strings.Repeat("a", 9000) + "\r\n\r\n"), 400},
		"service":           {s.get("/api/v1/panels?status=200"), 200},
		"service created":   {s.get("/api/v1/panels?status=201"), 201},
		"service empty":     {s.get("/api/v1/panels/0192?status=204"), 204},
		"service refuses":   {s.get("/api/v1/panels?status=422"), 422},
		"service not found": {s.get("/api/v1/panels/0192?status=404"), 404},
		"service fails":     {s.get("/api/v1/panels?status=500"), 500},
		"service busy":      {s.get("/api/v1/panels?status=503"), 503},
		"away":              {away.get("/api/v1/panels"), 502},
		"away page":         {away.get("/api/v1/panels", "Accept", "text/html"), 502},
	} {
		assert.Equal(t, c.status, c.got.StatusCode, name)
		for header, value := range map[string]string{
			"Strict-Transport-Security":    "max-age=63072000",
			"X-Content-Type-Options":       "nosniff",
			"Referrer-Policy":              "same-origin",
			"Cross-Origin-Opener-Policy":   "same-origin",
			"Cross-Origin-Resource-Policy": "same-origin",
			"Content-Security-Policy":      policy,
		} {
			assert.Equal(t, []string{value}, c.got.Header[header], "%s: %s", name, header)
		}
		for _, header := range []string{"Permissions-Policy", "Cache-Control", "X-Request-Id"} {
			assert.Len(t, c.got.Header[header], 1, "%s: %s", name, header)
		}
		if c.status >= 400 {
			assert.Equal(t, "no-store", c.got.Header.Get("Cache-Control"), name)
		}
		assert.Equal(t, "nginx", c.got.Header.Get("Server"), "%s: no version", name)
		assert.NotContains(t, c.got.text, "nginx/", "%s: no version", name)
	}
}

// A file that somebody uploaded may load nothing at all; a browser would combine two policies, but a test could not
// tell which one the service meant.
func TestNginxLeavesTheServicesOwnPolicyAlone(t *testing.T) {
	t.Parallel()
	const strict = "default-src 'none'; sandbox"
	s := newSite(t, stacks.MVP, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Security-Policy", strict)
		w.Header().Set("Cache-Control", "private, max-age=60")
		w.Header().Set("Content-Type", "text/plain")
		w.Header().Set("Etag", `"digest"`)
		w.Header().Set("Allow", "GET")
		w.Header().Set("Retry-After", "9")
		if _, err := io.WriteString(w, "bytes in whatever charset"); err != nil {
			panic(err)
		}
	}), nil)
	g := s.get("/api/v1/panels/0192/files/0192/content")
	assert.Equal(t, []string{strict}, g.Header["Content-Security-Policy"])
	assert.Equal(t, []string{"private, max-age=60"}, g.Header["Cache-Control"])
	assert.Equal(t, "text/plain", g.Header.Get("Content-Type"))
	assert.Equal(t, `"digest"`, g.Header.Get("Etag"))
	assert.Equal(t, []string{"GET"}, g.Header["Allow"])
	assert.Equal(t, []string{"9"}, g.Header["Retry-After"])
	assert.Equal(t, []string{"nosniff"}, g.Header["X-Content-Type-Options"])
}

func TestNginxTellsTheServiceWhoAsks(t *testing.T) {
	t.Parallel()
	s := newSite(t, stacks.MVP, echo(), nil)
	g := s.get("/api/v1/panels/a%2Fb?q=%20x&q=y", "Host", "localhost:8080",
		"X-Forwarded-For", "198.51.100.7", "X-Real-IP", "198.51.100.7", "Forwarded", "for=198.51.100.7",
		"X-Forwarded-Host", "elsewhere.example", "X-Forwarded-Proto", "https", "X-Request-Id", "chosen-by-the-client",
		"Proxy", "http://elsewhere.example", "Accept-Encoding", "gzip", "Cookie", "rad_session=token",
		"Origin", "http://localhost:8080", "If-Match", `"7"`, "Idempotency-Key", "key")
	seen := g.echoed(t)
	assert.Equal(t, "/api/v1/panels/a%2Fb?q=%20x&q=y", seen.URI, "as it was asked")
	assert.Equal(t, "localhost:8080", seen.Host)
	assert.Equal(t, []string{"127.0.0.1"}, seen.Headers["X-Forwarded-For"])
	assert.Equal(t, []string{"http"}, seen.Headers["X-Forwarded-Proto"])
	for _, header := range []string{"X-Real-Ip", "Forwarded", "X-Forwarded-Host", "Proxy", "Accept-Encoding", "Connection"} {
		assert.NotContains(t, seen.Headers, header)
	}
	assert.Equal(t, []string{"rad_session=token"}, seen.Headers["Cookie"])
	assert.Equal(t, []string{`"7"`}, seen.Headers["If-Match"])
	assert.Equal(t, []string{"key"}, seen.Headers["Idempotency-Key"])
	id := seen.Headers.Get("X-Request-Id")
	assert.Regexp(t, `^[0-9a-f]{32}$`, id)
	assert.Equal(t, []string{id}, g.Header["X-Request-Id"])
}

func TestNginxKeepsConnectionsToTheService(t *testing.T) {
	t.Parallel()
	peers := make(chan string, 100)
	s := newSite(t, stacks.MVP, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { peers <- r.RemoteAddr }),
		func(n *machine.Nginx) { n.Host.CPU = 1 })
	for range 20 {
		require.Equal(t, http.StatusOK, s.get("/api/v1/panels").StatusCode)
	}
	first := <-peers
	for range 19 {
		assert.Equal(t, first, <-peers)
	}
}

func TestNginxBoundsBodies(t *testing.T) {
	t.Parallel()
	read := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		assert.NoError(t, err)
		_, _ = io.WriteString(w, strconv.FormatInt(n, 10))
	})
	const limit = 1 << 20
	s := newSite(t, stacks.MVP, read, func(n *machine.Nginx) { n.FileSizeLimit = 2 * limit })
	largest := s.send(http.MethodPost, "/api/v1/panels", strings.Repeat(" ", limit))
	assert.Equal(t, strconv.Itoa(limit), largest.text)
	file := s.send(http.MethodPost, "/api/v1/panels/0192/files?name=a", strings.Repeat(" ", 3*limit))
	assert.Equal(t, strconv.Itoa(3*limit), file.text, "the service refuses what is a little too large")

	refusing := newSite(t, stacks.MVP, unreachable(t), func(n *machine.Nginx) { n.FileSizeLimit = 2 * limit })
	checkProblem(t, refusing.send(http.MethodPost, "/api/v1/panels", strings.Repeat(" ", limit+1)), http.StatusRequestEntityTooLarge)
	checkProblem(t, refusing.send(http.MethodPost, "/api/v1/panels/0192/files", strings.Repeat(" ", 3*limit+1)), http.StatusRequestEntityTooLarge)
	checkProblem(t, refusing.send(http.MethodPost, "/api/v1/panels/0192/files/x", strings.Repeat(" ", limit+1)), http.StatusRequestEntityTooLarge)
}

// An upload reaches the service as it comes. It would fill the web server's disk otherwise, and the service would see a
// slow one only at its end.
func TestNginxStreamsUploads(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/api/v1/panels/0192/files?name=a", "/api/v1/panels/0192/imports"} {
		arrived := make(chan string)
		s := newSite(t, stacks.MVP, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			part := make([]byte, 4)
			_, err := io.ReadFull(r.Body, part)
			assert.NoError(t, err)
			arrived <- string(part)
			rest, err := io.ReadAll(r.Body)
			assert.NoError(t, err)
			_, _ = w.Write(rest)
		}), nil)
		body, feed := io.Pipe()
		go func() {
			_, _ = io.WriteString(feed, "part")
			assert.Equal(t, "part", <-arrived, "before the rest is even sent")
			_, _ = io.WriteString(feed, "rest")
			_ = feed.Close()
		}()
		request, err := http.NewRequest(http.MethodPost, s.url+path, body) //nolint:noctx // Added by do.
		require.NoError(t, err)
		assert.Equal(t, "rest", s.do(request).text)
	}
}

// A service that refuses an upload at its start is heard, though the client still sends.
func TestNginxPassesARefusalInTheMiddleOfAnUpload(t *testing.T) {
	t.Parallel()
	s := newSite(t, stacks.MVP, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusUnauthorized)
	}), nil)
	g := s.send(http.MethodPost, "/api/v1/panels/0192/files", strings.Repeat(" ", 20<<20))
	assert.Equal(t, http.StatusUnauthorized, g.StatusCode)
}

// What people search for, their cookies and where they come from are not logged; whatever a client sends, each line
// is JSON.
func TestNginxLogsRequests(t *testing.T) {
	t.Parallel()
	s := newSite(t, stacks.MVP, echo(), nil)
	g := s.get("/api/v1/panels?q=secret-one", "Cookie", "rad_session=secret-one", "Referer", "http://localhost/?q=secret-one",
		"Authorization", "secret-one", "User-Agent", `a "quoted" \`)
	nonsense := s.raw("nonsense secret-one\r\n\r\n")
	s.raw("GET /\x01\xff HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nUser-Agent: \x01\xff\r\n\r\n")
	type line struct {
		Time      time.Time `json:"time"`
		RequestID string    `json:"request_id"`
		Method    string    `json:"method"`
		Path      string    `json:"path"`
		Status    int       `json:"status"`
		Duration  float64   `json:"duration_s"`
		UserAgent string    `json:"user_agent"`
	}
	lines := map[string]line{}
	s.eventually(func() bool {
		text, err := os.ReadFile(s.arguments.AccessLog)
		require.NoError(t, err)
		return strings.Count(string(text), "\n") >= 3
	}, "three lines")
	file, err := os.Open(s.arguments.AccessLog)
	require.NoError(t, err)
	defer func() { _ = file.Close() }()
	for scanner := bufio.NewScanner(file); scanner.Scan(); {
		assert.NotContains(t, scanner.Text(), "secret-one")
		var l line
		require.NoError(t, json.Unmarshal(scanner.Bytes(), &l), scanner.Text())
		lines[l.RequestID] = l
	}
	require.Len(t, lines, 3, "health is not logged")
	first := lines[g.Header.Get("X-Request-Id")]
	assert.Equal(t, http.MethodGet, first.Method)
	assert.Equal(t, "/api/v1/panels", first.Path)
	assert.Equal(t, http.StatusOK, first.Status)
	assert.Equal(t, `a "quoted" \`, first.UserAgent)
	assert.WithinDuration(t, time.Now(), first.Time, time.Minute)
	assert.Equal(t, http.StatusBadRequest, lines[nonsense.Header.Get("X-Request-Id")].Status)
	assert.NotContains(t, s.out.String(), "secret-one")
}
