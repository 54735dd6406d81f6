package machine

import (
	"github.com/radpanel/radpanel/app/config"
)

// Backup is pgBackRest on the host of a primary: a full backup of the database each week, what changed each day, and the
// write-ahead log as it is written, so that the database can be had as it was at any moment of four weeks.
type Backup struct {
	// Bucket holds them, in the folder Folder, encrypted by Passphrase before they leave the host.
	Bucket, Folder string
	Region         string
	// Endpoint is the host and port of the S3 server, which speaks TLS. Empty: Amazon's.
	Endpoint   string
	Passphrase config.Secret
	// DataFolder, SocketFolder and Port are the server's.
	DataFolder, SocketFolder string
	Port                     int
	// SpoolFolder is absolute, for the write-ahead log on its way, and locks.
	SpoolFolder string
	// Superuser is the role that it connects as.
	Superuser string
}

const (
	// BackupFile is pgBackRest's file. It holds the passphrase: for its owner's eyes only (0600).
	BackupFile = "pgbackrest.conf"
	// BackupStanza names the database in the repository.
	BackupStanza = "panel"
	// BackupFullsKept is how many full backups, one a week, are kept, with the write-ahead log since.
	BackupFullsKept = 4
)

// Files gives pgBackRest's configuration. It is secret.
func (b Backup) Files() (map[string]string, error) {
	c := &checker{program: "pgBackRest"}
	c.pattern("Bucket", b.Bucket, bucketPattern, "the name of a bucket")
	c.path("Folder", b.Folder)
	c.pattern("Region", b.Region, regionPattern, "a region such as eu-central-1")
	c.path("DataFolder", b.DataFolder)
	c.path("SocketFolder", b.SocketFolder)
	c.path("SpoolFolder", b.SpoolFolder)
	c.port("Port", b.Port)
	c.identifier("Superuser", b.Superuser)
	if !printableASCII.MatchString(b.Passphrase.Reveal()) {
		c.fail("Passphrase", b.Passphrase, "1 to 512 printable ASCII characters")
	}
	if err := c.err(); err != nil {
		return nil, err
	}
	return renderAll(struct {
		Backup
		Secret string
		Kept   int
		Stanza string
	}{b, b.Passphrase.Reveal(), BackupFullsKept, BackupStanza}, BackupFile)
}
