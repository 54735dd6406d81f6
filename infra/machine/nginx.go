package machine

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/radpanel/radpanel/stacks"
)

// Nginx is a web server that serves the front end and passes the API on to the service.
type Nginx struct {
	// Web is the blueprint's.
	Web stacks.Web
	// Host is what the machine has: one worker runs for each CPU.
	Host Resources
	// Folder is absolute and the web server's own, for its pid file and what it buffers. It must hold the folder
	// NginxTemporaryFolder.
	Folder string
	// Root is the absolute folder of the front end: index.html and assets/. With Web.Compression, a file that has a
	// compressed one beside it, such as app.js.gz, is sent as that.
	Root string
	// BrotliModule is the absolute path of the module that sends files compressed by brotli ahead, such as app.js.br, with
	// Web.Compression. Empty: gzip alone.
	BrotliModule string
	// Listen is where browsers come in.
	Listen netip.AddrPort
	// SharePort lets another stack's web server have the port of Listen as well, while it is handed over. Inside is where
	// that one passes requests on to, and where this machine's own programs ask. None: nowhere.
	SharePort bool
	Inside    []netip.AddrPort
	// PeerFiles is where another stack's instances get files, while the panel is promoted; the zero value: nowhere.
	PeerFiles netip.AddrPort
	// TLS, when set, makes it https.
	TLS *TLS
	// Plain, when set, sends browsers that come by plain HTTP over to the first of ServerNames by https. It takes TLS.
	Plain *PlainHTTP
	// ServerNames are the hosts that are answered, such as "panel.example.com"; another gets 421. Empty: all.
	ServerNames []string
	// User is the account of the workers, where the master runs as root. Empty: the master's.
	User string
	// Upstreams are the addresses of the service's instances.
	Upstreams []netip.AddrPort
	// BackendsFile is the absolute path of a file with the upstream's servers, which somebody else keeps (see BackendLines).
	// Empty: they are Upstreams.
	BackendsFile string
	// RoundTrips is the absolute path of a unix socket that gets, in the form of syslog, how far the client of each request
	// is: the connection's round trip in microseconds. Empty: none does.
	RoundTrips string
	// Front are the networks of what stands before this server, such as a CDN: its word about who the client is counts.
	Front []netip.Prefix
	// Objects, when set, passes what browsers ask of the bucket on to the S3 server.
	Objects *ObjectStore
	// FileSizeLimit is the service's largest upload, in bytes.
	FileSizeLimit int64
	// RequestTimeout is how long the service takes at most to answer, TransferTimeout how long it takes for an upload
	// or a download.
	RequestTimeout  time.Duration
	TransferTimeout time.Duration
	// AccessLog is the absolute path that gets one line of JSON for each request, such as /dev/stdout, or JournalLog.
	// Empty: none.
	AccessLog string
	// Generation is said by NginxHealthPath, so that whoever reloads can tell which configuration answers.
	Generation string
}

// ObjectStore is an S3 server that browsers reach through the web server, by addresses that the service has signed.
type ObjectStore struct {
	Address netip.AddrPort
	Bucket  string
}

// nginxConnections is how many connections each worker may have: to clients and to instances.
const nginxConnections = 4096

// NginxConnectionsPath is answered, to this machine alone, with the number of connections, where there is a balancer.
const NginxConnectionsPath = "/healthz/connections"

// MaxConnections is how many connections the web server may have.
func (n Nginx) MaxConnections() int { return n.Host.CPU * nginxConnections }

// BackendLines gives what Upstreams are in nginx's words, each "host:port" and its parameters.
func (n Nginx) BackendLines() []string {
	lines := make([]string, len(n.Upstreams))
	for i, upstream := range n.Upstreams {
		lines[i] = BackendLine(upstream)
	}
	return lines
}

// BackendLine gives an instance of the service in the words of nginx's upstream, but for the word server. One that
// breaks off twice in a second is left alone for a second.
func BackendLine(backend netip.AddrPort) string {
	return backend.String() + " max_fails=2 fail_timeout=1s"
}

// DrainDelay is how long an instance that stops goes on taking requests: longer than nginx leaves another one alone that was
// away and has just come back, or nobody would take them. It counts fail_timeout in whole seconds, so that may be two.
const DrainDelay = 3 * time.Second

// TLS names the files of a certificate.
type TLS struct {
	// Certificate and Key are absolute paths of PEM files.
	Certificate string
	Key         string
}

// PlainHTTP is where plain HTTP is answered, beside https.
type PlainHTTP struct {
	Listen netip.AddrPort
	// ChallengeRoot is the absolute folder in which a certificate authority's challenges are put, as
	// .well-known/acme-challenge/<token> (RFC 8555, section 8.3).
	ChallengeRoot string
	// Other is the web server of another stack, which gets a certificate for the same name: it is asked for the challenges
	// that are not here. The zero value: there is none.
	Other netip.AddrPort
}

// JournalLog sends the access log to systemd's journal, whose standard output nginx cannot open.
const JournalLog = "syslog:server=unix:/dev/log,tag=nginx,nohostname"

// DebianBrotliModule is where the package libnginx-mod-http-brotli-static puts its module.
const DebianBrotliModule = "/usr/lib/nginx/modules/ngx_http_brotli_static_module.so"

const (
	// NginxFile is the web server's only file.
	NginxFile = "nginx.conf"
	// NginxTemporaryFolder is the folder inside Nginx.Folder for what is buffered.
	NginxTemporaryFolder = "temporary"
	// NginxHealthPath is answered by the web server alone: 200 and "ok <Generation>".
	NginxHealthPath = "/healthz"
	// NginxServiceHealthPath is answered by the service: 200 if it is ready for requests.
	NginxServiceHealthPath = "/healthz/service"
)

const (
	// bodyLimit is what the service takes of any other body than an upload.
	bodyLimit = stacks.MiB
	// uploadSlack lets uploads that are a little too large pass, so that the service refuses them in its own words.
	uploadSlack = stacks.MiB
	// answerSlack is how much longer than the service itself the web server waits for an answer: the service, which
	// ends the request, always has the last word.
	answerSlack = 15 * time.Second
)

// contentSecurityPolicy lets the front end load what this host serves, and nothing else.
const contentSecurityPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; " +
	"font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; manifest-src 'self'"

// UserContentPolicy lets what users have uploaded run and load nothing, where a server other than the service gives it.
const UserContentPolicy = "default-src 'none'; sandbox"

// header is a header that every answer has.
type header struct{ Name, Value string }

// securityHeaders gives the headers that every answer has, whatever made it, apart from Content-Security-Policy, which
// the service may tighten.
func securityHeaders() []header {
	return []header{
		// Browsers heed it over https alone (RFC 6797, section 8.1). Subdomains are not ours to speak for.
		{"Strict-Transport-Security", "max-age=63072000"},
		{"X-Content-Type-Options", "nosniff"},
		{"Referrer-Policy", "same-origin"},
		{"Permissions-Policy", "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), " +
			"magnetometer=(), microphone=(), midi=(), payment=(), serial=(), usb=()"},
		{"Cross-Origin-Opener-Policy", "same-origin"},
		{"Cross-Origin-Resource-Policy", "same-origin"},
	}
}

// answer is what the web server itself says when it cannot serve a request.
type answer struct {
	Status int
	Title  string
	// Type is that of the problem (RFC 9457).
	Type string
	// Detail is a sentence for people, with no quotes, backslashes or dollar signs.
	Detail string
	// RetryAfter is in seconds. 0: another try is of no use.
	RetryAfter int
	// API answers may have this status too.
	API bool
}

// answers gives all that the web server says of itself.
func answers() []answer {
	const blank = "about:blank"
	return []answer{
		{404, "Not Found", blank, "There is no such page.", 0, false},
		{405, "Method Not Allowed", blank, "This page can only be read.", 0, false},
		{413, "Request Entity Too Large", blank, "What was sent is too large.", 0, true},
		{421, "Misdirected Request", blank, "This host is not served here.", 0, false},
		{429, "Too Many Requests", "/problems/rate-limited", "Too many requests at once come from this address. Try again in a moment.", 1, true},
		{500, "Internal Server Error", blank, "Something went wrong on our side. Try again in a moment.", 0, true},
		{502, "Bad Gateway", blank, "The service does not answer. It is being repaired or updated: try again in a few seconds.", 2, true},
		{503, "Service Unavailable", "/problems/busy", "The panel is not available right now. Try again in a few seconds.", 2, true},
		{504, "Gateway Timeout", blank, "The service took too long to answer. Try again in a few seconds.", 5, true},
	}
}

// Files gives the web server's configuration, by file name. None of it is secret.
func (n Nginx) Files() (map[string]string, error) {
	if err := n.check(); err != nil {
		return nil, err
	}
	return renderAll(struct {
		Nginx
		Temporary, HealthPath, ServiceHealthPath string
		ConnectionsPath, PeerFilesPath           string
		WorkerConnections                        int
		ContentSecurityPolicy, UserContentPolicy string
		Headers                                  []header
		Answers                                  []answer
		BodyLimit, UploadLimit                   int64
		AnswerSeconds, TransferSeconds           int64
	}{
		Nginx:                 n,
		Temporary:             n.Folder + "/" + NginxTemporaryFolder,
		HealthPath:            NginxHealthPath,
		ServiceHealthPath:     NginxServiceHealthPath,
		ConnectionsPath:       NginxConnectionsPath,
		PeerFilesPath:         PeerFilesPath,
		WorkerConnections:     nginxConnections,
		ContentSecurityPolicy: contentSecurityPolicy,
		UserContentPolicy:     UserContentPolicy,
		Headers:               securityHeaders(),
		Answers:               answers(),
		BodyLimit:             int64(bodyLimit),
		UploadLimit:           n.FileSizeLimit + int64(uploadSlack),
		AnswerSeconds:         seconds(n.RequestTimeout + answerSlack),
		TransferSeconds:       seconds(n.TransferTimeout + answerSlack),
	}, NginxFile)
}

// Reloadable gives the names of the files that the web server reads again at HUP, without losing a request.
func (Nginx) Reloadable() []string { return []string{NginxFile} }

// seconds rounds up.
func seconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }

func (n Nginx) check() error {
	c := &checker{program: "nginx"}
	if n.Web.Server != stacks.Nginx {
		c.fail("Web.Server", n.Web.Server, string(stacks.Nginx))
	}
	c.atLeast("Host.CPU", int64(n.Host.CPU), 1)
	c.path("Folder", n.Folder)
	c.path("Root", n.Root)
	if n.BrotliModule != "" {
		c.path("BrotliModule", n.BrotliModule)
	}
	c.addressPort("Listen", n.Listen)
	for i, inside := range n.Inside {
		c.addressPort(fmt.Sprintf("Inside[%d]", i), inside)
	}
	if n.PeerFiles.IsValid() {
		c.addressPort("PeerFiles", n.PeerFiles)
	}
	if n.TLS != nil {
		c.path("TLS.Certificate", n.TLS.Certificate)
		c.path("TLS.Key", n.TLS.Key)
	}
	if n.Plain != nil {
		c.addressPort("Plain.Listen", n.Plain.Listen)
		c.path("Plain.ChallengeRoot", n.Plain.ChallengeRoot)
		if n.Plain.Other.IsValid() {
			c.addressPort("Plain.Other", n.Plain.Other)
		}
		if n.TLS == nil || len(n.ServerNames) == 0 {
			c.fail("Plain", n.Plain.Listen, "TLS and ServerNames beside it: there is nowhere to send browsers")
		}
	}
	for i, name := range n.ServerNames {
		c.pattern(fmt.Sprintf("ServerNames[%d]", i), name, hostNamePattern, "the name or IPv4 address of a host, without a port")
	}
	if n.User != "" {
		c.account("User", n.User)
	}
	if len(n.Upstreams) == 0 {
		c.fail("Upstreams", n.Upstreams, "the address of at least one instance of the service")
	}
	if n.RoundTrips != "" {
		c.path("RoundTrips", n.RoundTrips)
	}
	if n.BackendsFile != "" {
		c.path("BackendsFile", n.BackendsFile)
	}
	for i, front := range n.Front {
		if !front.IsValid() {
			c.fail(fmt.Sprintf("Front[%d]", i), front, "a network such as 127.0.0.0/8")
		}
	}
	if n.Objects != nil {
		c.addressPort("Objects.Address", n.Objects.Address)
		c.pattern("Objects.Bucket", n.Objects.Bucket, bucketPattern, "the name of a bucket: 3 to 63 of the characters a-z 0-9 -")
	}
	for i, upstream := range n.Upstreams {
		c.addressPort(fmt.Sprintf("Upstreams[%d]", i), upstream)
	}
	c.atLeast("FileSizeLimit", n.FileSizeLimit, 1)
	c.between("RequestTimeout", n.RequestTimeout, time.Second, time.Hour)
	c.between("TransferTimeout", n.TransferTimeout, n.RequestTimeout, 24*time.Hour)
	if n.AccessLog != "" && n.AccessLog != JournalLog {
		c.path("AccessLog", n.AccessLog)
	}
	c.pattern("Generation", n.Generation, generationPattern, "at most 128 of the characters A-Z a-z 0-9 @ . _ -")
	return c.err()
}
