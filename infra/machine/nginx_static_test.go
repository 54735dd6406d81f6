package machine_test

import (
	"crypto/tls"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/infra/machine"
	"github.com/radpanel/radpanel/stacks"
)

const immutable = "public, max-age=31536000, immutable"

func TestNginxServesTheFrontEnd(t *testing.T) {
	t.Parallel()
	s := newSite(t, stacks.MVP, unreachable(t), nil)
	for _, path := range []string{"/", "/index.html", "/panels", "/panels/0192", "/panels/0192/", "/assets", "/a%20b"} {
		page := s.get(path)
		assert.Equal(t, http.StatusOK, page.StatusCode, path)
		assert.Contains(t, page.text, "front end", path)
		assert.Equal(t, "text/html; charset=utf-8", page.Header.Get("Content-Type"), path)
		assert.Equal(t, "no-cache", page.Header.Get("Cache-Control"), path)
		again := s.get(path, "If-Modified-Since", page.Header.Get("Last-Modified"))
		assert.Equal(t, http.StatusOK, again.StatusCode, "%s: an update may have the same time and size", path)
		assert.Empty(t, page.Header.Get("Etag"), path)
	}

	asset := s.get("/assets/app-1a2b.js")
	assert.Equal(t, script, asset.text)
	assert.Equal(t, "text/javascript; charset=utf-8", asset.Header.Get("Content-Type"))
	assert.Equal(t, immutable, asset.Header.Get("Cache-Control"))
	assert.Equal(t, []string{immutable}, asset.Header["Cache-Control"])
	known := s.get("/assets/app-1a2b.js", "If-None-Match", asset.Header.Get("Etag"))
	assert.Equal(t, http.StatusNotModified, known.StatusCode)
	assert.Equal(t, immutable, known.Header.Get("Cache-Control"))
	assert.Equal(t, script, s.get("/assets/app-1a2b.js", "Range", "bytes=0-3").text)

	assert.Equal(t, "no-cache", s.get("/robots.txt").Header.Get("Cache-Control"))
	head := s.send(http.MethodHead, "/assets/app-1a2b.js", "")
	assert.Equal(t, http.StatusOK, head.StatusCode)
	assert.Equal(t, int64(len(script)), head.ContentLength)
}

// What is not there is not the front end either: a browser would run a page as a script, or keep it for a year.
func TestNginxHidesWhatIsNotTheFrontEnd(t *testing.T) {
	t.Parallel()
	s := newSite(t, stacks.MVP, unreachable(t), nil)
	for _, path := range []string{
		"/assets/app-0000.js", "/assets/missing", "/assets/", "/missing.png", "/panels/missing.css", "/favicon.ico",
		"/.env", "/.git/config", "/assets/.env", "/.well-known/x",
		"/metrics", "/metrics/", "/livez", "/readyz", "/readyz/x", "//metrics", "/%6detrics", "/panels/../metrics", "/api/../metrics",
		"/api/%2e%2e/metrics", "/api/..%2fmetrics", "/api",
		"/../outside.txt", "/%2e%2e/outside.txt", "/assets/../../outside.txt", "/assets/..%2f..%2foutside.txt",
		"/..%5coutside.txt", "/%252e%252e/outside.txt", "/assets../outside.txt", "/nginx.conf",
	} {
		g := s.raw("GET " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
		assert.Contains(t, []int{http.StatusNotFound, http.StatusBadRequest}, g.StatusCode, path)
		assert.NotContains(t, g.text, "front end", path)
		assert.NotContains(t, g.text, "outside", path)
		assert.Equal(t, "no-store", g.Header.Get("Cache-Control"), path)
	}
	checkPage(t, s.get("/assets/app-0000.js"), http.StatusNotFound)
}

func TestNginxReadsOnlyFromTheFrontEnd(t *testing.T) {
	t.Parallel()
	s := newSite(t, stacks.MVP, unreachable(t), nil)
	for _, path := range []string{"/", "/panels", "/index.html", "/assets/app-1a2b.js", "/robots.txt"} {
		for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions, "PROPFIND"} {
			g := s.send(method, path, "")
			checkPage(t, g, http.StatusMethodNotAllowed)
			assert.Equal(t, "GET, HEAD", g.Header.Get("Allow"), "%s %s", method, path)
		}
	}
	assert.Equal(t, http.StatusMethodNotAllowed, s.send(http.MethodTrace, "/api/v1/panels", "").StatusCode)
}

// While a release is changed, or was never put there, people read that it will be back.
func TestNginxWithoutAFrontEndIsUnavailable(t *testing.T) {
	t.Parallel()
	s := newSite(t, stacks.MVP, unreachable(t), nil)
	require.NoError(t, os.Remove(s.path("web", "index.html")))
	for _, path := range []string{"/", "/panels/0192"} {
		g := s.get(path)
		checkPage(t, g, http.StatusServiceUnavailable)
		assert.Equal(t, []string{"2"}, g.Header["Retry-After"])
	}
}

func TestNginxCompresses(t *testing.T) {
	t.Parallel()
	list := `{"items":["` + strings.Repeat("long ", 1000) + `"]}`
	service := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		assert.Empty(t, r.Header.Get("Accept-Encoding"))
		w.Header().Set("Content-Type", "application/json")
		if r.Method == http.MethodPost || strings.HasSuffix(r.URL.Path, "/0192") {
			w.Header().Set("Etag", `"7"`)
		}
		_, _ = w.Write([]byte(list))
	})
	encoding := func(g got) string { return g.Header.Get("Content-Encoding") }

	plain := newSite(t, stacks.MVP, service, nil)
	for _, path := range []string{"/assets/app-1a2b.js", "/api/v1/panels"} {
		assert.Empty(t, encoding(plain.get(path, "Accept-Encoding", "gzip")), path)
	}

	s := newSite(t, stacks.Tier1, service, nil)
	asset := s.get("/assets/app-1a2b.js", "Accept-Encoding", "gzip")
	assert.Equal(t, "gzip", encoding(asset))
	assert.Equal(t, "compressed ahead", asset.text)
	assert.Equal(t, immutable, asset.Header.Get("Cache-Control"))
	assert.Equal(t, "Accept-Encoding", asset.Header.Get("Vary"))
	assert.Equal(t, "text/javascript; charset=utf-8", asset.Header.Get("Content-Type"))
	assert.Empty(t, encoding(s.get("/assets/app-1a2b.js")))

	for _, path := range []string{"/api/v1/panels", "/api/v1/panels?limit=200", "/api/v1/panels/0192/records"} {
		g := s.get(path, "Accept-Encoding", "gzip")
		assert.Equal(t, "gzip", encoding(g), path)
		assert.Less(t, len(g.text), len(list)/2, path)
		assert.Equal(t, "gzip", encoding(s.get(path, "Accept-Encoding", "gzip", "Via", "1.1 cdn")), path)
	}
	// Nothing with an ETag, which would become a weak one, and nothing with a secret.
	for _, path := range []string{"/api/v1/panels/0192", "/api/v1/panels/0192/records/0192"} {
		g := s.get(path, "Accept-Encoding", "gzip")
		assert.Empty(t, encoding(g), path)
		assert.Equal(t, `"7"`, g.Header.Get("Etag"), path)
	}
	created := s.send(http.MethodPost, "/api/v1/panels", "{}", "Accept-Encoding", "gzip")
	assert.Empty(t, encoding(created))
	assert.Equal(t, `"7"`, created.Header.Get("Etag"))
	for _, path := range []string{"/api/v1/sessions", "/api/v1/account/totp", "/api/v1/account/recovery-codes"} {
		assert.Empty(t, encoding(s.get(path, "Accept-Encoding", "gzip")), path)
	}
}

func TestNginxAnswersOnlyForItsOwnHosts(t *testing.T) {
	t.Parallel()
	s := newSite(t, stacks.MVP, echo(), nil)
	for _, host := range []string{"localhost", "localhost:8080", "127.0.0.1", "LOCALHOST"} {
		assert.Equal(t, http.StatusOK, s.get("/api/v1/panels", "Host", host).StatusCode, host)
	}
	for _, host := range []string{"elsewhere.example", "localhost.elsewhere.example"} {
		checkPage(t, s.get("/api/v1/panels", "Host", host), http.StatusMisdirectedRequest)
		assert.Equal(t, http.StatusOK, s.get(machine.NginxHealthPath, "Host", host).StatusCode, "a balancer probes by address")
	}
	open := newSite(t, stacks.MVP, echo(), func(n *machine.Nginx) { n.ServerNames = nil })
	assert.Equal(t, http.StatusOK, open.get("/api/v1/panels", "Host", "elsewhere.example").StatusCode)
}

func TestNginxServesHTTPS(t *testing.T) {
	t.Parallel()
	certificate, key := newCertificate(t)
	s := newSite(t, stacks.MVP, echo(), nil)
	arguments := s.arguments
	arguments.Listen = freeAddress(t)
	arguments.Folder = s.mkdir("https")
	s.mkdir("https", machine.NginxTemporaryFolder)
	arguments.TLS = &machine.TLS{
		Certificate: s.write(certificate, "certificate.pem"),
		Key:         s.write(key, "key.pem"),
	}
	s.install(arguments, "https")
	secure := s.start("nginx", "-e", "stderr", "-p", arguments.Folder, "-c", s.path("https", machine.NginxFile))
	secure.eventually(func() bool { return answers("tcp", arguments.Listen.String()) }, "listening")
	client := http.Client{
		Timeout: patience,
		Transport: &http.Transport{
			ForceAttemptHTTP2: true,
			TLSClientConfig:   &tls.Config{InsecureSkipVerify: true},
		},
	}
	defer client.CloseIdleConnections()
	response, err := client.Get("https://" + arguments.Listen.String() + "/api/v1/panels") //nolint:noctx // Bounded.
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	assert.Equal(t, http.StatusOK, response.StatusCode)
	assert.Equal(t, "HTTP/2.0", response.Proto)
	assert.Equal(t, uint16(tls.VersionTLS13), response.TLS.Version)
	assert.NotEmpty(t, response.Header.Get("Strict-Transport-Security"))
}

// Every shape of arguments gives a text that nginx accepts without a warning.
func TestNginxAcceptsEveryShape(t *testing.T) {
	t.Parallel()
	certificate, key := newCertificate(t)
	for name, change := range map[string]func(*host, *machine.Nginx){
		"plain":     func(*host, *machine.Nginx) {},
		"any host":  func(_ *host, n *machine.Nginx) { n.ServerNames = nil },
		"no log":    func(_ *host, n *machine.Nginx) { n.AccessLog = "" },
		"long name": func(_ *host, n *machine.Nginx) { n.ServerNames = []string{strings.Repeat("a", 63) + ".example"} },
		"IPv6":      func(_ *host, n *machine.Nginx) { n.Listen = netip.MustParseAddrPort("[::1]:8443") },
		"instances": func(_ *host, n *machine.Nginx) {
			n.Upstreams = append(n.Upstreams, netip.MustParseAddrPort("[::1]:8082"), netip.MustParseAddrPort("10.0.0.7:8080"))
		},
		"TLS": func(h *host, n *machine.Nginx) {
			n.TLS = &machine.TLS{Certificate: h.write(certificate, "c.pem"), Key: h.write(key, "k.pem")}
		},
	} {
		if name == "IPv6" && !canListen("[::1]:0") {
			continue
		}
		for _, tier := range []stacks.Tier{stacks.MVP, stacks.Tier1} {
			h := newHost(t, "www-data")
			n := nginx(t, tier)
			n.Folder, n.AccessLog = h.mkdir("nginx"), h.path("nginx", "access.log")
			h.mkdir("nginx", machine.NginxTemporaryFolder)
			change(h, &n)
			h.install(n, "nginx")
			out := h.output("nginx", "-e", "stderr", "-t", "-p", n.Folder, "-c", h.path("nginx", machine.NginxFile))
			assert.NotContains(t, out, "[warn]", "%s %s", name, tier)
			assert.Contains(t, out, "test is successful", "%s %s", name, tier)
		}
	}
}
