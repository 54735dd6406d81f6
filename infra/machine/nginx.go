package machine

import (
	"net/netip"
	"time"

	"github.com/radpanel/radpanel/stacks"
)

// Nginx is a web server that serves the front end and passes the API on to the service.
type Nginx struct {
	// Web is the blueprint's.
	Web stacks.Web
	// Host is what the machine has.
	Host Resources
	// Folder is absolute and the web server's own, for its pid file and what it buffers. It needs the folder
	// NginxTemporaryFolder inside.
	Folder string
	// Root is the absolute folder of the front end: index.html and assets/.
	Root string
	// Listen is where browsers come in.
	Listen netip.AddrPort
	// TLS, when set, makes it https.
	TLS *TLS
	// ServerNames are the hosts that are answered, such as "panel.example.com"; another gets 421. Empty: all.
	ServerNames []string
	// User is the account of the workers, where the master runs as root. Empty: the caller's.
	User string
	// Upstreams are the addresses of the service's instances.
	Upstreams []netip.AddrPort
	// FileSizeLimit is the service's largest upload, in bytes.
	FileSizeLimit int64
	// RequestTimeout is how long the service may take to answer; uploads and downloads have TransferTimeout.
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
	// NginxServiceHealthPath is answered by the service's readiness, through the web server.
	NginxServiceHealthPath = "/healthz/service"
)

// Files gives the web server's configuration, by file name. None of it is secret.
func (n Nginx) Files() (map[string]string, error) { return nil, nil }

// Reloadable gives the names of the files that the web server reads again at HUP, without losing a request.
func (Nginx) Reloadable() []string { return []string{NginxFile} }
