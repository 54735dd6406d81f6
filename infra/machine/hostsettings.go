package machine

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"time"

	"github.com/radpanel/radpanel/stacks"
)

// HostSettings tell a host of a cloud what it is. Their JSON is kept in the parameter CloudHost.SettingsParameter; none of
// it is secret. What the tier's blueprint says is not repeated: the release knows the plan.
type HostSettings struct {
	// Stack is the Pulumi stack's name.
	Stack string      `json:"stack"`
	Tier  stacks.Tier `json:"tier"`
	// Role is the host's in the blueprint, Number counts the hosts of the role from 1. Of database hosts, 1 is the primary.
	Role   stacks.Role `json:"role"`
	Number int         `json:"number"`
	// Release is what the host runs. Once it changes, the host fetches it and goes over to it within a minute or two; if
	// the new one does not get ready, it goes back by itself.
	Release ReleaseObject `json:"release"`
	// DataVolume is the id of the volume for data, such as "vol-0123456789abcdef0". It is formatted only if it is blank. A
	// host with a disk in the blueprint needs it.
	DataVolume string `json:"data_volume,omitempty"`
	// PublicURL is the origin that browsers use, such as "https://panel.example.com".
	PublicURL string `json:"public_url"`
	// Names are those that the web server answers to, and gets a certificate for. None: it answers to all, by plain HTTP.
	Names []string `json:"names,omitempty"`
	// ACMEDirectory is the address of the certificate authority's directory. Empty: Let's Encrypt's.
	ACMEDirectory string `json:"acme_directory,omitempty"`
	// Network is the private network of the stack's hosts, such as 10.0.0.0/16; Databases (the primary first), Backends and
	// Balancers are the addresses in it of the hosts that have these roles. A tier with one host needs none of them.
	Network   netip.Prefix `json:"network,omitzero"`
	Databases []netip.Addr `json:"databases,omitempty"`
	Backends  []netip.Addr `json:"backends,omitempty"`
	Balancers []netip.Addr `json:"balancers,omitempty"`
	// Address is the own one of a host that is alone. Its database listens there from the first day, behind a firewall and a
	// pg_hba.conf that let nobody in: a promotion then opens it without a restart.
	Address netip.Addr `json:"address,omitzero"`
	// ForwardTo is where the web server passes all requests on to: the panel was promoted to another stack.
	ForwardTo netip.AddrPort `json:"forward_to,omitzero"`
	// Front are the networks of what stands before the web server, such as a CDN: its word about who the client is counts.
	Front []netip.Prefix `json:"front,omitempty"`
	// BackupBucket gets the backups of the database and of files on disk, encrypted by the secret BackupPassphrase. The
	// host with the primary, and the one with the files, need it.
	BackupBucket string `json:"backup_bucket,omitempty"`
	// FilesBucket is the file store, where the tier's is S3.
	FilesBucket string `json:"files_bucket,omitempty"`
	// DownloadKey is the number of the secret that signs the addresses of downloads (see [DownloadKey]), and DownloadKeyID is
	// what the CDN calls its public half. A host with the service needs them where the tier has a CDN before files in S3.
	DownloadKey   int    `json:"download_key,omitempty"`
	DownloadKeyID string `json:"download_key_id,omitempty"`
	// LogGroup is where the host's journal goes, and the figures for the stack's alarms with it. Empty: both stay on the
	// host.
	LogGroup string `json:"log_group,omitempty"`
	// AlertTopic is the ARN of the SNS topic that the host with the web server tells of alerts. Empty: nobody is told.
	AlertTopic string `json:"alert_topic,omitempty"`

	// What the stack's configuration chooses: see stacks.Settings.
	LogLevel               string        `json:"log_level"`
	FileSizeLimit          stacks.Bytes  `json:"file_size_limit_bytes"`
	SessionIdleTimeout     time.Duration `json:"session_idle_timeout_ns"`
	SessionAbsoluteTimeout time.Duration `json:"session_absolute_timeout_ns"`
	TraceEndpoint          string        `json:"trace_endpoint,omitempty"`
}

// ReleaseObject is a tar.gz of ReleaseProgram, ReleaseService and ReleaseWeb, as `make release` makes it for each
// architecture, in an object that the host's role may read.
type ReleaseObject struct {
	Bucket string `json:"bucket"`
	Key    string `json:"key"`
	// SHA256 is that of the object, in hexadecimal.
	SHA256 string `json:"sha256"`
}

// NewHostSettings gives those of a stack's host, but for what only the target knows.
func NewHostSettings(stack stacks.Stack, role stacks.Role, number int) HostSettings {
	settings := HostSettings{
		Stack: stack.Name, Tier: stack.Tier(), Role: role, Number: number,
		LogLevel:               stack.Settings.LogLevel,
		FileSizeLimit:          stack.Settings.FileSizeLimit,
		SessionIdleTimeout:     stack.Settings.SessionIdleTimeout,
		SessionAbsoluteTimeout: stack.Settings.SessionAbsoluteTimeout,
		TraceEndpoint:          stack.Settings.TraceEndpoint,
	}
	if host, _ := stack.Plan.Blueprint.Host(role); signsDownloads(stack.Plan.Blueprint, host) {
		settings.DownloadKey = stack.Settings.DownloadKey
	}
	return settings
}

// Blueprint gives that of the tier, and of it the host's.
func (s HostSettings) Blueprint() (stacks.Blueprint, stacks.Host, error) {
	plan, err := stacks.Plan().Tier(s.Tier)
	if err != nil {
		return stacks.Blueprint{}, stacks.Host{}, err
	}
	host, ok := plan.Blueprint.Host(s.Role)
	if !ok {
		return stacks.Blueprint{}, stacks.Host{}, &FieldError{
			Program: "cloud host", Field: "Role", Value: s.Role, Expected: "the role of a host of " + string(s.Tier),
		}
	}
	return plan.Blueprint, host, nil
}

// SettingsLimit is how long the value of a parameter of the standard tier may be, in bytes (Systems Manager, "Managing
// parameter tiers").
const SettingsLimit = 4096

// Value gives the settings as the parameter holds them.
func (s HostSettings) Value() (string, error) {
	if err := s.check(); err != nil {
		return "", err
	}
	raw, err := json.Marshal(s)
	if err != nil {
		return "", fmt.Errorf("settings of host %s-%d: %w", s.Role, s.Number, err)
	}
	if len(raw) > SettingsLimit {
		return "", fmt.Errorf("settings of host %s-%d have %d bytes: expected at most %d", s.Role, s.Number, len(raw), SettingsLimit)
	}
	return string(raw), nil
}

// ReadHostSettings reads what Value gave. Fields that are unknown are left: they are a later release's.
func ReadHostSettings(value string) (HostSettings, error) {
	var s HostSettings
	if err := json.Unmarshal([]byte(value), &s); err != nil {
		return s, fmt.Errorf("settings of the host: expected JSON: %w", err)
	}
	return s, s.check()
}

var (
	stackPattern     = regexp.MustCompile(`^[A-Za-z0-9._-]{1,100}$`)
	volumePattern    = regexp.MustCompile(`^vol-[0-9a-f]{8,17}$`)
	digestPattern    = regexp.MustCompile(`^[0-9a-f]{64}$`)
	objectKeyPattern = regexp.MustCompile(`^[A-Za-z0-9_-][A-Za-z0-9_./-]{0,511}$`)
	edgeKeyPattern   = regexp.MustCompile(`^[A-Z0-9]{1,64}$`)
	logGroupPattern  = regexp.MustCompile(`^[A-Za-z0-9._/#-]{1,512}$`)
	addressPattern   = regexp.MustCompile(`^https?://[A-Za-z0-9./:_-]+$`)
)

func (s HostSettings) check() error {
	c := &checker{program: "cloud host"}
	blueprint, host, err := s.Blueprint()
	if err != nil {
		return err
	}
	c.pattern("Stack", s.Stack, stackPattern, "the name of a stack")
	if s.Number < 1 || s.Number > host.Count {
		c.fail("Number", s.Number, fmt.Sprintf("1 to %d, as many hosts as %s has of the role %s", host.Count, s.Tier, s.Role))
	}
	c.pattern("Release.Bucket", s.Release.Bucket, bucketPattern, "the name of a bucket")
	c.pattern("Release.Key", s.Release.Key, objectKeyPattern, "the key of an object, of the characters A-Z a-z 0-9 _ . / -")
	c.pattern("Release.SHA256", s.Release.SHA256, digestPattern, "a SHA-256 in hexadecimal")
	if host.Disk.Size > 0 || s.DataVolume != "" {
		c.pattern("DataVolume", s.DataVolume, volumePattern, "the id of a volume, such as vol-0123456789abcdef0")
	}
	c.pattern("PublicURL", s.PublicURL, originPattern, "an origin such as https://panel.example.com")
	for i, name := range s.Names {
		c.pattern(fmt.Sprintf("Names[%d]", i), name, hostNamePattern, "the name of a host, without a port")
	}
	if s.ACMEDirectory != "" {
		c.pattern("ACMEDirectory", s.ACMEDirectory, addressPattern, "the address of an ACME directory, or nothing")
	}
	if len(blueprint.Hosts) > 1 || host.Count > 1 {
		s.checkNeighbours(c, blueprint)
	}
	if s.Address.IsValid() {
		c.private("Address", s.Address)
	}
	if s.ForwardTo.IsValid() {
		c.private("ForwardTo", s.ForwardTo.Addr())
	}
	for i, front := range s.Front {
		if !front.IsValid() {
			c.fail(fmt.Sprintf("Front[%d]", i), front, "a network such as 10.0.0.0/16")
		}
	}
	if s.keepsFiles(blueprint, host) || slices.Contains(host.Runs, stacks.PartDatabase) {
		c.pattern("BackupBucket", s.BackupBucket, bucketPattern, "the name of a bucket: the host has data to back up")
	}
	if blueprint.FileStore.Kind == stacks.FileStoreS3 && slices.Contains(host.Runs, stacks.PartBackend) {
		c.pattern("FilesBucket", s.FilesBucket, bucketPattern, "the name of a bucket: the tier's files are in S3")
	}
	if signsDownloads(blueprint, host) {
		c.atLeast("DownloadKey", int64(s.DownloadKey), 1)
		c.pattern("DownloadKeyID", s.DownloadKeyID, edgeKeyPattern, "what the CDN calls the key, such as K36X4X2EO997HM: it stands before the tier's files")
	}
	if s.LogGroup != "" {
		c.pattern("LogGroup", s.LogGroup, logGroupPattern, "the name of a log group, or nothing")
	}
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, s.LogLevel) {
		c.fail("LogLevel", s.LogLevel, "debug, info, warn or error")
	}
	c.atLeast("FileSizeLimit", int64(s.FileSizeLimit), 1)
	c.between("SessionIdleTimeout", s.SessionIdleTimeout, time.Minute, s.SessionAbsoluteTimeout)
	return c.err()
}

// checkNeighbours checks the addresses of the other hosts.
func (s HostSettings) checkNeighbours(c *checker, blueprint stacks.Blueprint) {
	if !s.Network.IsValid() {
		c.fail("Network", s.Network, "the private network of the hosts, such as 10.0.0.0/16: the tier has several")
	}
	for _, list := range []struct {
		field     string
		role      stacks.Role
		addresses []netip.Addr
	}{
		{"Databases", stacks.RoleDatabase, s.Databases}, {"Backends", stacks.RoleBackend, s.Backends}, {"Balancers", stacks.RoleBalancer, s.Balancers},
	} {
		host, _ := blueprint.Host(list.role)
		if len(list.addresses) != host.Count {
			c.fail(list.field, words(list.addresses, ","), fmt.Sprintf("%d addresses, one for each host of the role %s", host.Count, list.role))
		}
		c.addresses(list.field, list.addresses)
	}
}
