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
	// Listen is where browsers come in.
	Listen netip.AddrPort
	// TLS, when set, makes it https.
	TLS *TLS
	// ServerNames are the hosts that are answered, such as "panel.example.com"; another gets 421. Empty: all.
	ServerNames []string
	// User is the account of the workers, where the master runs as root. Empty: the master's.
	User string
	// Upstreams are the addresses of the service's instances.
	Upstreams []netip.AddrPort
	// FileSizeLimit is the service's largest upload, in bytes.
	FileSizeLimit int64
	// RequestTimeout is how long the service takes at most to answer, TransferTimeout how long it takes for an upload
	// or a download.
	RequestTimeout  time.Duration
	TransferTimeout time.Duration
	// AccessLog is the absolute path that gets one line of JSON for each request, such as /dev/stdout. Empty: none.
	AccessLog string
	// Generation is said by NginxHealthPath, so that whoever reloads can tell which configuration answers.
	Generation string
}

// TLS names the files of a certificate.
type TLS struct {
	// Certificate and Key are absolute paths of PEM files.
	Certificate string
	Key         string
}

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
		ContentSecurityPolicy                    string
		Headers                                  []header
		Answers                                  []answer
		BodyLimit, UploadLimit                   int64
		AnswerSeconds, TransferSeconds           int64
	}{
		Nginx:                 n,
		Temporary:             n.Folder + "/" + NginxTemporaryFolder,
		HealthPath:            NginxHealthPath,
		ServiceHealthPath:     NginxServiceHealthPath,
		ContentSecurityPolicy: contentSecurityPolicy,
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
	c.addressPort("Listen", n.Listen)
	if n.TLS != nil {
		c.path("TLS.Certificate", n.TLS.Certificate)
		c.path("TLS.Key", n.TLS.Key)
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
	for i, upstream := range n.Upstreams {
		c.addressPort(fmt.Sprintf("Upstreams[%d]", i), upstream)
	}
	c.atLeast("FileSizeLimit", n.FileSizeLimit, 1)
	c.between("RequestTimeout", n.RequestTimeout, time.Second, time.Hour)
	c.between("TransferTimeout", n.TransferTimeout, n.RequestTimeout, 24*time.Hour)
	if n.AccessLog != "" {
		c.path("AccessLog", n.AccessLog)
	}
	c.pattern("Generation", n.Generation, generationPattern, "at most 128 of the characters A-Z a-z 0-9 @ . _ -")
	return c.err()
}
