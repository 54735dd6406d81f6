package machine

import (
	"net/netip"
	"time"

	"github.com/radpanel/radpanel/stacks"
)

// Edge is a web server that keeps copies of static files near the users, and passes all else on: the CDN of a target that
// has none of its own.
type Edge struct {
	// Host is what the machine has: one worker runs for each CPU.
	Host Resources
	// Folder is absolute and the server's own, for its pid file and what it buffers. It must hold the folder
	// NginxTemporaryFolder.
	Folder string
	// CacheFolder is absolute, for the copies; CacheSize bounds them.
	CacheFolder string
	CacheSize   stacks.Bytes
	// Listen is where browsers come in.
	Listen netip.AddrPort
	// SharePort lets another stack's web server have the port of Listen as well, while it is handed over. Inside is where
	// that one passes requests on to; the zero value: nowhere.
	SharePort bool
	Inside    netip.AddrPort
	// Origin is the web server behind it.
	Origin netip.AddrPort
	// Release tells one deployment of the front end from the next: what was kept of another is not used any more.
	Release string
	// FileSizeLimit is the service's largest upload, in bytes, TransferTimeout how long one may take.
	FileSizeLimit   int64
	TransferTimeout time.Duration
	// AccessLog is the absolute path that gets one line of JSON for each request, with the field cache: HIT, MISS, STALE,
	// …. Empty: none.
	AccessLog string
	// RoundTrips is as in [Nginx].
	RoundTrips string
	// Generation is said by EdgeHealthPath.
	Generation string
}

const (
	// EdgeFile is the edge's only file.
	EdgeFile = "edge.conf"
	// EdgeHealthPath is answered by the edge alone: 200 and "ok <Generation>".
	EdgeHealthPath = "/healthz/edge"
)

// Files gives the edge's configuration, by file name. None of it is secret.
func (e Edge) Files() (map[string]string, error) {
	if err := e.check(); err != nil {
		return nil, err
	}
	return renderAll(struct {
		Edge
		Temporary, HealthPath      string
		BodyLimit, TransferSeconds int64
		CacheMegabytes             int64
	}{
		Edge:            e,
		Temporary:       e.Folder + "/" + NginxTemporaryFolder,
		HealthPath:      EdgeHealthPath,
		BodyLimit:       e.FileSizeLimit + int64(uploadSlack),
		TransferSeconds: seconds(e.TransferTimeout + answerSlack),
		CacheMegabytes:  mebibytes(e.CacheSize),
	}, EdgeFile)
}

// Reloadable gives the names of the files that the edge reads again at HUP, without losing a request.
func (Edge) Reloadable() []string { return []string{EdgeFile} }

func (e Edge) check() error {
	c := &checker{program: "edge"}
	c.atLeast("Host.CPU", int64(e.Host.CPU), 1)
	c.path("Folder", e.Folder)
	c.path("CacheFolder", e.CacheFolder)
	if e.CacheSize < stacks.MiB {
		c.fail("CacheSize", e.CacheSize, "at least "+stacks.MiB.String())
	}
	c.addressPort("Listen", e.Listen)
	c.addressPort("Origin", e.Origin)
	c.pattern("Release", e.Release, generationPattern, "at most 128 of the characters A-Z a-z 0-9 @ . _ -")
	c.atLeast("FileSizeLimit", e.FileSizeLimit, 1)
	c.between("TransferTimeout", e.TransferTimeout, time.Second, 24*time.Hour)
	if e.AccessLog != "" {
		c.path("AccessLog", e.AccessLog)
	}
	if e.RoundTrips != "" {
		c.path("RoundTrips", e.RoundTrips)
	}
	c.pattern("Generation", e.Generation, generationPattern, "at most 128 of the characters A-Z a-z 0-9 @ . _ -")
	return c.err()
}
