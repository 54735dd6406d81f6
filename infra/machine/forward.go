package machine

import (
	"net/netip"
	"time"
)

// Forward is a web server that passes every request on to another one: the front door of a stack whose panel has been
// promoted to another stack.
type Forward struct {
	// Host is what the machine has: one worker runs for each CPU.
	Host Resources
	// Folder is absolute and the server's own, for its pid file and what it buffers. It must hold the folder
	// NginxTemporaryFolder.
	Folder string
	// Listen is where browsers come in. Another server may listen there as well, while the port is handed over.
	Listen netip.AddrPort
	// TLS, when set, makes it https. Plain, when set, sends browsers that come by plain HTTP over to ServerName by https; it
	// takes TLS.
	TLS        *TLS
	Plain      *PlainHTTP
	ServerName string
	// To is the other web server.
	To netip.AddrPort
	// PeerFiles is where the other stack's instances get files, and Service an instance of this stack, which has them. The
	// zero value: nowhere.
	PeerFiles, Service netip.AddrPort
	// FileSizeLimit is the service's largest upload, in bytes, TransferTimeout how long one may take.
	FileSizeLimit   int64
	TransferTimeout time.Duration
	// Generation is said by NginxHealthPath.
	Generation string
}

// forwardTemplate is what NginxFile is rendered from.
const forwardTemplate = "forward.conf"

// Files gives the server's configuration, by file name: it takes the place of [Nginx]'s. None of it is secret.
func (f Forward) Files() (map[string]string, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	files, err := renderAll(struct {
		Forward
		Temporary, HealthPath      string
		PeerFilesPath              string
		BodyLimit, TransferSeconds int64
	}{
		Forward:         f,
		Temporary:       f.Folder + "/" + NginxTemporaryFolder,
		HealthPath:      NginxHealthPath,
		PeerFilesPath:   PeerFilesPath,
		BodyLimit:       f.FileSizeLimit + int64(uploadSlack),
		TransferSeconds: seconds(f.TransferTimeout + answerSlack),
	}, forwardTemplate)
	if err != nil {
		return nil, err
	}
	return map[string]string{NginxFile: files[forwardTemplate]}, nil
}

func (f Forward) check() error {
	c := &checker{program: "forwarding Nginx"}
	c.atLeast("Host.CPU", int64(f.Host.CPU), 1)
	c.path("Folder", f.Folder)
	c.addressPort("Listen", f.Listen)
	c.addressPort("To", f.To)
	if f.PeerFiles.IsValid() {
		c.addressPort("PeerFiles", f.PeerFiles)
		c.addressPort("Service", f.Service)
	}
	if f.TLS != nil {
		c.path("TLS.Certificate", f.TLS.Certificate)
		c.path("TLS.Key", f.TLS.Key)
	}
	if f.Plain != nil {
		c.addressPort("Plain.Listen", f.Plain.Listen)
		c.path("Plain.ChallengeRoot", f.Plain.ChallengeRoot)
		c.pattern("ServerName", f.ServerName, hostNamePattern, "the name of a host, without a port")
		if f.TLS == nil {
			c.fail("Plain", f.Plain.Listen, "TLS beside it: there is nowhere to send browsers")
		}
	}
	c.atLeast("FileSizeLimit", f.FileSizeLimit, 1)
	c.between("TransferTimeout", f.TransferTimeout, time.Second, 24*time.Hour)
	c.pattern("Generation", f.Generation, generationPattern, "at most 128 of the characters A-Z a-z 0-9 @ . _ -")
	return c.err()
}
