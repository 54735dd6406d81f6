package host

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/radpanel/radpanel/app/config"
	"github.com/radpanel/radpanel/infra/machine"
	"github.com/radpanel/radpanel/stacks"
)

const (
	// dataFolder is where the data volume is mounted, or just a folder on a host without one.
	dataFolder = "/srv/radpanel"
	// confFolder holds what is rendered, secrets among it: it is in memory, and rendered anew after a boot.
	confFolder = "/run/radpanel"
	// stateFolder holds what must outlive a boot and is no data, such as certificates.
	stateFolder = "/var/lib/radpanel"
	// ReleasesFolder holds the releases, CurrentRelease is a link to the one that is in use.
	ReleasesFolder = "/opt/radpanel/releases"
	// CurrentRelease is a link to the release that is in use.
	CurrentRelease = "/opt/radpanel/current"

	databaseName    = "radpanel"
	ownerRole       = "rad_owner"
	applicationRole = "rad_app"
	poolerRole      = "rad_pooler"
	replicaRole     = "rad_replica"
	replicaSlot     = "replica_1"
	cacheUser       = "rad_cache"
	superuserRole   = "postgres"
	monitorRole     = "rad_monitor"

	postgresqlPort = 5432
	pgbouncerPort  = 6432
	redisPort      = 6379
	panelPort      = 8080
	healthPort     = 8081 // of what takes backends out of the balancer
	insidePort     = 8082 // of the web server, for this host alone
	// everybody may open the sockets: the password decides who gets in.
	everybody = 0o777

	// drainTimeout is how long accepted requests may take to finish when the service stops.
	drainTimeout = 20 * time.Second
	// transferTimeout is the service's own limit for an upload or a download.
	transferTimeout = 10 * time.Minute
)

// The units of a host.
const (
	postgresqlUnit  = "radpanel-postgresql"
	pgbouncerUnit   = "radpanel-pgbouncer"
	redisUnit       = "radpanel-redis"
	panelUnit       = "radpanel-panel"
	healthUnit      = "radpanel-balancer-health"
	nginxUnit       = "radpanel-nginx"
	convergeUnit    = "radpanel-converge"
	backupUnit      = "radpanel-backup"
	filesBackupUnit = "radpanel-backup-files"
	certificateUnit = "radpanel-certificate"
)

// The accounts that Debian's packages do not bring.
const (
	panelAccount  = "radpanel"
	poolerAccount = "rad-pooler"
	webAccount    = "rad-web"
)

// Site is what one host is made of, as text: nothing of it depends on anything but its arguments.
type Site struct {
	settings  machine.HostSettings
	host      machine.CloudHost
	blueprint stacks.Blueprint
	machine   stacks.Host
	resources machine.Resources
	secrets   map[string]config.Secret
	release   string
	// certificate is the one that the web server shows, where it speaks TLS.
	certificate Certificate
	// window is what the host has of a promotion.
	window window
}

// NewSite checks the arguments. The resources are those of the machine at hand: what the blueprint asks for beyond them is
// not counted on. Release is the absolute folder of the release.
func NewSite(host machine.CloudHost, settings machine.HostSettings, secrets map[string]config.Secret, resources machine.Resources,
	release string, certificate Certificate,
) (Site, error) {
	blueprint, asked, err := settings.Blueprint()
	if err != nil {
		return Site{}, err
	}
	needed, err := settings.Secrets()
	if err != nil {
		return Site{}, err
	}
	for _, name := range needed {
		if secrets[name] == "" {
			return Site{}, fmt.Errorf("secret %s: parameter %s is missing or empty", name, machine.SecretParameter(host.Prefix, name))
		}
	}
	if asked.Disk.Size == 0 { // Its data folder is on the system's disk.
		resources.Disk = 0
	}
	return Site{
		settings: settings, host: host, blueprint: blueprint, machine: asked,
		resources: machine.ResourcesOf(asked).Within(resources), secrets: secrets, release: release, certificate: certificate,
	}, nil
}

func (s Site) runs(part stacks.Part) bool { return slices.Contains(s.machine.Runs, part) }

// alone tells whether the tier has no other host.
func (s Site) alone() bool { return len(s.blueprint.Hosts) == 1 && s.machine.Count == 1 }

func (s Site) isReplica() bool { return s.runs(stacks.PartDatabase) && s.settings.Number > 1 }

// keepsFiles tells whether uploaded files are on this host's disk.
func (s Site) keepsFiles() bool {
	return s.blueprint.FileStore.Kind == stacks.FileStoreDisk && s.runs(stacks.PartBackend)
}

// backsUpDatabase tells whether this host's database is the one that is backed up: the primary.
func (s Site) backsUpDatabase() bool { return s.runs(stacks.PartDatabase) && !s.isReplica() }

func (s Site) hasTLS() bool { return len(s.settings.Names) > 0 }

func conf(unit string, names ...string) string {
	return filepath.Join(append([]string{confFolder, unit}, names...)...)
}

// socketFolder is the runtime folder of a unit.
func socketFolder(unit string) string { return "/run/" + unit }

func postgresqlData() string { return filepath.Join(dataFolder, "postgresql", "data") }

func filesFolder() string { return filepath.Join(dataFolder, "files") }

// own is the host's own address in the network of the stack's hosts; none on a host that is alone.
func (s Site) own() netip.Addr {
	var list []netip.Addr
	switch s.settings.Role {
	case stacks.RoleDatabase:
		list = s.settings.Databases
	case stacks.RoleBackend:
		list = s.settings.Backends
	case stacks.RoleBalancer:
		list = s.settings.Balancers
	default:
	}
	if s.alone() || s.settings.Number > len(list) {
		return netip.Addr{}
	}
	return list[s.settings.Number-1]
}

// listen gives the addresses that neighbours reach a server at; none on a host that is alone.
func (s Site) listen() []netip.Addr {
	if own := s.own(); own.IsValid() {
		return []netip.Addr{own}
	}
	return nil
}

func (s Site) postgres() machine.Postgres {
	p := machine.Postgres{
		Database: s.blueprint.Database, Host: s.resources,
		DataFolder: postgresqlData(), ConfigFolder: conf(postgresqlUnit),
		SocketFolder: socketFolder(postgresqlUnit), SocketMode: everybody, Port: postgresqlPort,
		ListenAddresses: s.databaseAddresses(), Peer: s.peer(),
		Superuser: superuserRole, SystemUsers: []string{"postgres", "root"},
		Name:  databaseName,
		Roles: []machine.PostgresRole{machine.OwnerRole(ownerRole), machine.ServiceRole(applicationRole), machine.MonitorRole(monitorRole)},
	}
	if !s.alone() {
		p.Clients = []netip.Prefix{s.settings.Network}
	}
	if s.blueprint.Database.Replicas > 0 {
		p.ReplicationRole = replicaRole
	}
	if s.isReplica() {
		p.Primary = &machine.PostgresPrimary{
			Host: s.settings.Databases[0].String(), Port: postgresqlPort, User: replicaRole, Slot: replicaSlot,
			PasswordFile: conf(postgresqlUnit, primaryPasswordFile),
		}
	} else {
		p.ArchiveCommand = "/usr/bin/pgbackrest --config=" + conf(backupUnit, machine.BackupFile) + " --stanza=" + machine.BackupStanza + " archive-push %p"
	}
	return p
}

// primaryPasswordFile is where a replica's server reads its password.
const primaryPasswordFile = "primary.pgpass"

func (s Site) pgBouncer() machine.PgBouncer {
	return machine.PgBouncer{
		Database: s.blueprint.Database, ConfigFolder: conf(pgbouncerUnit),
		SocketFolder: socketFolder(pgbouncerUnit), SocketMode: everybody, Port: pgbouncerPort,
		ListenAddresses: s.listen(),
		Name:            databaseName, ServerHost: socketFolder(postgresqlUnit), ServerPort: postgresqlPort, Replica: s.isReplica(),
		Users: []machine.Login{
			{Name: applicationRole, Password: s.secrets[machine.ApplicationPassword]},
			{Name: poolerRole, Password: s.secrets[machine.PoolerPassword]},
		},
		Admins: []string{poolerRole}, Watchers: []string{applicationRole}, // The service exposes what it sees there.
		ServerAuthority: s.poolerAuthority(),
	}
}

func (s Site) redis() machine.Redis {
	r := machine.Redis{
		Cache: s.blueprint.Cache, Folder: socketFolder(redisUnit), ConfigFolder: conf(redisUnit),
		SocketFolder: socketFolder(redisUnit), SocketMode: everybody,
		User: cacheUser, Password: s.secrets[machine.CachePassword],
	}
	if own := s.own(); own.IsValid() {
		r.Port, r.Address = redisPort, own
	}
	return r
}

// backends are the service's instances as the web server reaches them.
func (s Site) backends() []netip.AddrPort {
	if s.alone() {
		return []netip.AddrPort{loopback(panelPort)}
	}
	var all []netip.AddrPort
	for _, address := range s.settings.Backends {
		all = append(all, netip.AddrPortFrom(address, panelPort))
	}
	return all
}

func loopback(port uint16) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), port)
}

func any4(port uint16) netip.AddrPort { return netip.AddrPortFrom(netip.IPv4Unspecified(), port) }

func (s Site) nginx() machine.Nginx {
	n := machine.Nginx{
		Web: s.blueprint.Web, Host: s.resources, Folder: socketFolder(nginxUnit),
		Root: filepath.Join(s.release, machine.ReleaseWeb), BrotliModule: machine.DebianBrotliModule,
		Listen: any4(80), ServerNames: s.settings.Names, Upstreams: s.backends(), Front: s.settings.Front,
		FileSizeLimit: int64(s.settings.FileSizeLimit), RequestTimeout: s.panel().RequestTimeout, TransferTimeout: transferTimeout,
		AccessLog: machine.JournalLog, Generation: filepath.Base(s.release),
	}
	if s.hasTLS() {
		n.Listen = any4(443)
		n.TLS = &machine.TLS{Certificate: conf(nginxUnit, certificateFile), Key: conf(nginxUnit, keyFile)}
		n.Plain = &machine.PlainHTTP{Listen: any4(80), ChallengeRoot: challengeRoot}
	}
	if s.runs(stacks.PartBalancer) {
		n.BackendsFile, n.RoundTrips = backendsFile(), roundTrips()
		n.Inside = []netip.AddrPort{loopback(insidePort)}
	}
	s.meet(&n)
	return n
}

// roundTrips is where the web server says how far browsers are.
func roundTrips() string { return filepath.Join(socketFolder(healthUnit), "rtt.sock") }

func backendsFile() string { return filepath.Join(socketFolder(healthUnit), "backends.conf") }

// panel gives the service's configuration.
func (s Site) panel() config.Config {
	c, _ := config.LoadFrom(nil) // The error lists what has no default; Files validates the whole.
	c.Tier = string(s.settings.Tier)
	c.PlanFile = conf(panelUnit, planFile)
	c.ListenAddress = loopback(panelPort).String()
	c.PublicURL = s.settings.PublicURL
	c.TrustedProxies = []string{"127.0.0.0/8"}
	c.LogLevel = s.settings.LogLevel
	c.TraceEndpoint = s.settings.TraceEndpoint
	if plan, err := stacks.Plan().Tier(s.settings.Tier); err == nil {
		c.TraceSlow = plan.SLO.P95
	}
	c.DatabaseConnections = s.blueprint.Database.ServiceConnections() / s.blueprint.Backends.Instances
	c.FilesDirectory = filesFolder()
	c.FileSizeLimit = int64(s.settings.FileSizeLimit)
	c.Workers = s.blueprint.Workers.JobsPerInstance
	c.SessionIdleTimeout, c.SessionAbsoluteTimeout = s.settings.SessionIdleTimeout, s.settings.SessionAbsoluteTimeout
	c.DrainTimeout = drainTimeout
	c.EncryptionKey = s.secrets[machine.EncryptionKey]
	if s.watches() {
		c.PrometheusURL = "http://" + loopback(prometheusPort).String()
	}
	c.DrainDelay = machine.DrainDelay
	if s.blueprint.Backends.Instances == 1 {
		c.DrainDelay = 0 // There is no other instance that requests could go to meanwhile.
	}
	password := s.secrets[machine.ApplicationPassword].Reveal()
	c.DatabaseURL = databaseURL(applicationRole, password, socketFolder(pgbouncerUnit), pgbouncerPort)
	c.MigrationDatabaseURL = databaseURL(ownerRole, s.secrets[machine.OwnerPassword].Reveal(), socketFolder(postgresqlUnit), postgresqlPort)
	if s.blueprint.Cache.Memory > 0 {
		u := url.URL{Scheme: "unix", User: url.UserPassword(cacheUser, s.secrets[machine.CachePassword].Reveal()), Path: filepath.Join(socketFolder(redisUnit), machine.RedisSocket)}
		c.CacheURL = config.Secret(u.String())
	}
	if s.blueprint.FileStore.Kind == stacks.FileStoreS3 {
		// Signed by the credentials of the host's role.
		c.FileStore, c.S3Bucket, c.S3Region, c.S3Endpoint = config.FileStoreS3, s.settings.FilesBucket, s.host.Region, s.host.Endpoints.Objects
		if s.blueprint.CDN != stacks.CDNNone {
			c.S3Front = s.settings.PublicURL // The page may ask no other origin.
			c.S3FrontKey, c.S3FrontKeyID = s.secrets[machine.DownloadKey(s.settings.DownloadKey)], s.settings.DownloadKeyID
		}
	}
	if !s.alone() {
		s.addNeighbours(&c, password)
	}
	return c
}

// addNeighbours tells the service where the parts are that are on other hosts.
func (s Site) addNeighbours(c *config.Config, password string) {
	own := s.own()
	c.ListenAddress = netip.AddrPortFrom(own, panelPort).String()
	c.TrustedProxies = []string{"127.0.0.0/8"}
	for _, balancer := range s.settings.Balancers {
		c.TrustedProxies = append(c.TrustedProxies, netip.PrefixFrom(balancer, balancer.BitLen()).String())
	}
	if len(s.settings.Databases) > 0 {
		c.DatabaseURL = databaseURL(applicationRole, password, s.settings.Databases[0].String(), pgbouncerPort)
		c.MigrationDatabaseURL = databaseURL(ownerRole, s.secrets[machine.OwnerPassword].Reveal(), s.settings.Databases[0].String(), postgresqlPort)
		for _, replica := range s.settings.Databases[1:] {
			c.ReplicaDatabaseURLs = append(c.ReplicaDatabaseURLs, databaseURL(applicationRole, password, replica.String(), pgbouncerPort))
		}
	}
	if s.blueprint.Cache.Memory > 0 && len(s.settings.Balancers) > 0 {
		u := url.URL{
			Scheme: "redis", User: url.UserPassword(cacheUser, s.secrets[machine.CachePassword].Reveal()),
			Host: net.JoinHostPort(s.settings.Balancers[0].String(), strconv.Itoa(redisPort)),
		}
		c.CacheURL = config.Secret(u.String())
	}
}

// databaseURL is how a program reaches the database: by a unix socket, or within the private network.
func databaseURL(role, password, host string, port int) config.Secret {
	return config.Secret((&url.URL{
		Scheme: "postgres", User: url.UserPassword(role, password), Path: "/" + databaseName,
		RawQuery: url.Values{"host": {host}, "port": {strconv.Itoa(port)}, "sslmode": {"disable"}}.Encode(),
	}).String())
}
