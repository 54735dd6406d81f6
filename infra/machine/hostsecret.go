package machine

import (
	"slices"
	"strconv"

	"github.com/radpanel/radpanel/stacks"
)

// HostSecret is a secret that hosts of a stack share: so many random bytes, in base64 (standard, padded).
type HostSecret struct {
	Name  string
	Bytes int
}

// The secrets of a stack.
const (
	OwnerPassword       = "owner-password"       // changes the schema
	ApplicationPassword = "application-password" // reads and writes rows
	PoolerPassword      = "pooler-password"      // the pooler's console
	ReplicaPassword     = "replica-password"     // follows the primary
	CachePassword       = "cache-password"
	MonitorPassword     = "monitor-password" // reads the database's statistics
	EncryptionKey       = "encryption-key"   // of the service
	BackupPassphrase    = "backup-passphrase"
)

// StackSecrets gives all secrets that a tier's hosts need. They are made once; what is encrypted by the last two cannot be
// read without them.
func StackSecrets(blueprint stacks.Blueprint) []HostSecret {
	secrets := []HostSecret{{OwnerPassword, 24}, {ApplicationPassword, 24}, {PoolerPassword, 24}, {MonitorPassword, 24}}
	if blueprint.Database.Replicas > 0 {
		secrets = append(secrets, HostSecret{ReplicaPassword, 24})
	}
	if blueprint.Cache.Memory > 0 {
		secrets = append(secrets, HostSecret{CachePassword, 24})
	}
	return append(secrets, HostSecret{EncryptionKey, 32}, HostSecret{BackupPassphrase, 32})
}

// DownloadKey names a key that signs the addresses of downloads for the CDN: in PKCS #8, in base64. It is a host's alone, not
// among [StackSecrets]: nothing is lost with it but addresses that are good for minutes.
func DownloadKey(number int) string { return "download-key-" + strconv.Itoa(number) }

// Secrets gives the names of those that this host needs: its role may read no others.
func (s HostSettings) Secrets() ([]string, error) {
	blueprint, host, err := s.Blueprint()
	if err != nil {
		return nil, err
	}
	runs := func(part stacks.Part) bool { return slices.Contains(host.Runs, part) }
	needs := map[string]bool{
		OwnerPassword:       runs(stacks.PartDatabase) || runs(stacks.PartBackend),
		ApplicationPassword: runs(stacks.PartDatabase) || runs(stacks.PartBackend) || runs(stacks.PartPooler),
		PoolerPassword:      runs(stacks.PartPooler),
		ReplicaPassword:     runs(stacks.PartDatabase),
		CachePassword:       runs(stacks.PartCache) || runs(stacks.PartBackend),
		MonitorPassword:     runs(stacks.PartDatabase),
		EncryptionKey:       runs(stacks.PartBackend),
		BackupPassphrase:    runs(stacks.PartDatabase) || s.keepsFiles(blueprint, host),
	}
	var names []string
	for _, secret := range StackSecrets(blueprint) {
		if needs[secret.Name] {
			names = append(names, secret.Name)
		}
	}
	if signsDownloads(blueprint, host) {
		names = append(names, DownloadKey(s.DownloadKey))
	}
	return names, nil
}

// signsDownloads tells whether the host's service sends browsers to the CDN for files.
func signsDownloads(blueprint stacks.Blueprint, host stacks.Host) bool {
	return blueprint.CDN != stacks.CDNNone && blueprint.FileStore.Kind == stacks.FileStoreS3 && slices.Contains(host.Runs, stacks.PartBackend)
}

// keepsFiles tells whether the host's disk is the file store.
func (HostSettings) keepsFiles(blueprint stacks.Blueprint, host stacks.Host) bool {
	return blueprint.FileStore.Kind == stacks.FileStoreDisk && slices.Contains(host.Runs, stacks.PartBackend)
}
