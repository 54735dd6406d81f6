package local

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"os/user"
	"path/filepath"
	"strconv"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/radpanel/radpanel/app/config"
	"github.com/radpanel/radpanel/infra/local/supervisor"
	"github.com/radpanel/radpanel/infra/machine"
	"github.com/radpanel/radpanel/stacks"
)

const (
	// databaseName is the panel's database, in PostgreSQL and in the pooler.
	databaseName = "radpanel"
	// ownerRole changes the schema; applicationRole reads and writes rows. poolerRole may use the pooler's console, with
	// which a promotion holds writes; it is no role of PostgreSQL.
	ownerRole       = "rad_owner"
	applicationRole = "rad_app"
	poolerRole      = "rad_pooler"
	// monitorRole reads the database's statistics.
	monitorRole = "rad_monitor"
	// replicaRole follows the primary; replicaSlot keeps what it has not got yet.
	replicaRole = "rad_replica"
	replicaSlot = "replica_1"
	// bucketName holds the files. objectsUser signs for them.
	bucketName  = "radpanel-files"
	objectsUser = "radpanel"
	// cacheUser is the only user of the cache.
	cacheUser     = "rad_cache"
	superuserRole = "postgres"
	// postgresqlPort and pgbouncerPort only name unix sockets: neither server listens on the network.
	postgresqlPort = 5432
	pgbouncerPort  = 6432
	// runFolder is where a service keeps its socket, or its pid.
	runFolder = "run"
	// everybody may open the sockets, because the panel has an account of its own. The password decides who gets in.
	everybody = 0o777
	// planFile is among the files of the panel's configuration, filesFolder in its folder.
	planFile    = "plan.json"
	filesFolder = "files"
	// drainTimeout is how long accepted requests may take to finish when the panel stops.
	drainTimeout = 20 * time.Second
	// cacheFolder is in the edge's folder.
	cacheFolder = "cache"
	// edgeCacheSize holds a few releases of the front end, which has less than a megabyte.
	edgeCacheSize = 64 * stacks.MiB
	// transferTimeout is the service's own limit for an upload or a download.
	transferTimeout = 10 * time.Minute
)

// site is a stack's place on this machine: how each part is configured and where it is reached. Nothing of it is known
// only after something was made, but ports and passwords, which come as arguments.
type site struct {
	stack   stacks.Stack
	folder  supervisor.Stack
	options Options
	// database, backend and web are what the blueprint's hosts of these have, or this machine if that has less.
	database, backend, web machine.Resources
	administrators         []string
	host                   *host
	// from is the stack whose panel is promoted to this one, to the one to which this one's was; nil: none.
	from, to *otherStack
}

// hasCache tells whether the tier has a cache.
func (s site) hasCache() bool { return s.stack.Plan.Blueprint.Cache.Memory > 0 }

// services names those of the tier, in the order in which they start.
func (s site) services() []string {
	names := []string{postgresqlService, pgbouncerService}
	if s.hasReplica() {
		names = append(names, postgresqlReplicaService, pgbouncerReplicaService)
	}
	if s.hasCache() {
		names = append(names, redisService)
	}
	if s.hasObjects() {
		names = append(names, objectsService)
	}
	names = append(names, s.panels()...)
	if s.hasBalancer() {
		names = append(names, balancerHealthService)
	}
	names = append(names, nginxService)
	if s.hasEdge() {
		names = append(names, edgeService)
	}
	return append(names, s.monitors()...)
}

// limits are what the blueprint's hosts have: their services may use no more together.
func (s site) limits() limitInputsArray {
	var limits limitInputsArray
	for _, host := range s.stack.Plan.Blueprint.Hosts {
		for n := 1; n <= host.Count; n++ {
			limits = append(limits, limitInputs{
				Host: pulumi.String(hostName(host, n)), CPU: pulumi.Int(host.CPU), Memory: pulumi.Int(int(host.RAM)),
			})
		}
	}
	return limits
}

func hostName(host stacks.Host, n int) string { return string(host.Role) + "-" + strconv.Itoa(n) }

// hostOf names the host that the n-th server of a part is on; empty where the blueprint has none for it.
func (s site) hostOf(part stacks.Part, n int) pulumi.String {
	host, ok := s.stack.Plan.Blueprint.HostOf(part)
	if !ok {
		return ""
	}
	return pulumi.String(hostName(host, min(n, host.Count)))
}

// panels names the panel's instances. The first keeps the name that it has where there is one alone.
func (s site) panels() []string {
	names := []string{panelService}
	for n := 2; n <= s.stack.Plan.Blueprint.Backends.Instances; n++ {
		names = append(names, panelService+"-"+strconv.Itoa(n))
	}
	return names
}

func (s site) hasReplica() bool  { return s.stack.Plan.Blueprint.Database.Replicas > 0 }
func (s site) hasObjects() bool  { return s.stack.Plan.Blueprint.FileStore.Kind == stacks.FileStoreS3 }
func (s site) hasBalancer() bool { return s.stack.Plan.Blueprint.Balancer == stacks.BalancerNginx }
func (s site) hasEdge() bool     { return s.stack.Plan.Blueprint.CDN == stacks.CDNAssets }

// newSite finds out what this machine has, and checks that everything can be configured with it.
func newSite(stack stacks.Stack, folder supervisor.Stack, options Options) (site, error) {
	s := site{stack: stack, folder: folder, options: options}
	if err := s.findOthers(); err != nil {
		return s, err
	}
	var err error
	available := options.Machine
	if available == (machine.Resources{}) {
		if available, err = thisMachine(options.StateFolder); err != nil {
			return s, err
		}
	}
	for part, resources := range map[stacks.Part]*machine.Resources{
		stacks.PartDatabase: &s.database, stacks.PartBackend: &s.backend, stacks.PartWeb: &s.web,
	} {
		host, ok := stack.Plan.Blueprint.HostOf(part)
		if !ok {
			return s, fmt.Errorf("its blueprint has no host for the part %s", part)
		}
		*resources = machine.ResourcesOf(host).Within(available)
	}
	if s.administrators, err = administrators(); err != nil {
		return s, err
	}
	return s, s.check()
}

// check configures every part once, with stand-ins for what is not known yet: what cannot be configured is found out
// before anything is made.
func (s site) check() error {
	const port, password = 1024, "password"
	_, postgresErr := s.postgres().Files()
	_, poolerErr := s.pgBouncer(password, password).Files()
	_, nginxErr := s.webServerFiles("/srv", port, port+3, []int{port + 1}, port+2)
	if s.hasReplica() {
		_, replicaErr := s.postgresReplica().Files()
		_, replicaPoolerErr := s.pgBouncerReplica(password, password).Files()
		postgresErr = errors.Join(postgresErr, replicaErr, replicaPoolerErr)
	}
	if s.hasEdge() {
		_, edgeErr := s.edge(port, port+3, port+1, "release").Files()
		nginxErr = errors.Join(nginxErr, edgeErr)
	}
	var cacheErr error
	if s.hasCache() {
		_, cacheErr = s.redis(password).Files()
	}
	panel := s.panel(port, panelURL(port))
	panel.DatabaseURL, panel.MigrationDatabaseURL = s.poolerURL(password), s.postgresURL(password)
	panel.EncryptionKey = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
	return errors.Join(postgresErr, poolerErr, cacheErr, nginxErr, panel.Validate())
}

// administrators are the system's users that look after the servers: the account that they run as, and who runs this.
func administrators() ([]string, error) {
	current, err := user.Current()
	if err != nil {
		return nil, fmt.Errorf("who runs this: %w", err)
	}
	if supervisor.Privileged() {
		return []string{string(supervisor.Postgres), current.Username}, nil
	}
	return []string{current.Username}, nil
}

func (s site) runFolder(service string) string {
	return filepath.Join(s.folder.Folder(service), runFolder)
}

// socket is the path of a server's unix socket, whose name is PostgreSQL's custom.
func (s site) socket(service string, port int) string {
	return filepath.Join(s.runFolder(service), ".s.PGSQL."+strconv.Itoa(port))
}

func (s site) postgres() machine.Postgres {
	return machine.Postgres{
		Database:     s.stack.Plan.Blueprint.Database,
		Host:         s.database,
		DataFolder:   filepath.Join(s.folder.Folder(postgresqlService), "data"),
		ConfigFolder: s.folder.Conf(postgresqlService),
		SocketFolder: s.runFolder(postgresqlService),
		SocketMode:   everybody,
		Port:         postgresqlPort,
		Superuser:    superuserRole,
		SystemUsers:  s.administrators,
		Name:         databaseName,
		Roles: []machine.PostgresRole{
			machine.OwnerRole(ownerRole), machine.ServiceRole(applicationRole), machine.MonitorRole(monitorRole),
		},

		ReplicationRole: s.replicationRole(),
		PromotionRole:   promotionRole,
	}
}

func (s site) replicationRole() string {
	if s.hasReplica() {
		return replicaRole
	}
	return ""
}

// passwordFile is among the replica's files: libpq reads its password there.
const passwordFile = "primary.pgpass"

// postgresReplica is the server that follows.
func (s site) postgresReplica() machine.Postgres {
	replica := s.postgres()
	replica.DataFolder = filepath.Join(s.folder.Folder(postgresqlReplicaService), "data")
	replica.ConfigFolder = s.folder.Conf(postgresqlReplicaService)
	replica.SocketFolder = s.runFolder(postgresqlReplicaService)
	replica.Primary = &machine.PostgresPrimary{
		Host: s.runFolder(postgresqlService), Port: postgresqlPort, User: replicaRole, Slot: replicaSlot,
		PasswordFile: filepath.Join(s.folder.Conf(postgresqlReplicaService), passwordFile),
	}
	return replica
}

// pgBouncerReplica is its pooler.
func (s site) pgBouncerReplica(applicationPassword, poolerPassword config.Secret) machine.PgBouncer {
	pooler := s.pgBouncer(applicationPassword, poolerPassword)
	pooler.Replica = true
	pooler.ConfigFolder = s.folder.Conf(pgbouncerReplicaService)
	pooler.SocketFolder = s.runFolder(pgbouncerReplicaService)
	pooler.ServerHost = s.runFolder(postgresqlReplicaService)
	return pooler
}

func (s site) replicaURL(password string) config.Secret {
	return databaseURL(applicationRole, password, s.runFolder(pgbouncerReplicaService), pgbouncerPort)
}

// backendsFile is what the balancer's health keeps and nginx includes.
func (s site) backendsFile() string {
	return filepath.Join(s.runFolder(balancerHealthService), "backends.conf")
}

// roundTrips is where the server that browsers meet says how far they are.
func (s site) roundTrips() string {
	return filepath.Join(s.runFolder(balancerHealthService), "rtt.sock")
}

// edge is the web server before nginx. A release of the front end has copies of its own. Requests come in at a second port
// too if inside is not 0.
func (s site) edge(port, inside, origin int, release string) machine.Edge {
	return machine.Edge{
		SharePort: s.sharesPort(port), Inside: optional(inside),
		Host: s.web, Folder: s.runFolder(edgeService), CacheFolder: filepath.Join(s.folder.Folder(edgeService), cacheFolder),
		CacheSize: edgeCacheSize, Listen: loopback(port), Origin: loopback(origin), Release: release,
		FileSizeLimit: int64(s.stack.Settings.FileSizeLimit), TransferTimeout: transferTimeout,
		AccessLog: "/dev/stdout", Generation: "@GENERATION@", RoundTrips: s.roundTrips(),
	}
}

func (s site) pgBouncer(applicationPassword, poolerPassword config.Secret) machine.PgBouncer {
	return machine.PgBouncer{
		Database:     s.stack.Plan.Blueprint.Database,
		ConfigFolder: s.folder.Conf(pgbouncerService),
		SocketFolder: s.runFolder(pgbouncerService),
		SocketMode:   everybody,
		Port:         pgbouncerPort,
		Name:         databaseName,
		ServerHost:   s.primaryFolder(),
		ServerPort:   postgresqlPort,
		Users:        []machine.Login{{Name: applicationRole, Password: applicationPassword}, {Name: poolerRole, Password: poolerPassword}},
		Admins:       []string{poolerRole},
		Watchers:     []string{applicationRole}, // The service exposes what it sees there.
	}
}

func (s site) redis(password config.Secret) machine.Redis {
	return machine.Redis{
		Cache:        s.stack.Plan.Blueprint.Cache,
		Folder:       s.runFolder(redisService),
		ConfigFolder: s.folder.Conf(redisService),
		SocketFolder: s.runFolder(redisService),
		SocketMode:   everybody,
		User:         cacheUser,
		Password:     password,
	}
}

func (s site) redisSocket() string {
	return filepath.Join(s.runFolder(redisService), machine.RedisSocket)
}

// cacheURL is how the panel reaches the cache.
func (s site) cacheURL(password string) config.Secret {
	return config.Secret((&url.URL{Scheme: "unix", User: url.UserPassword(cacheUser, password), Path: s.redisSocket()}).String())
}

// webServerFiles configures the web server: as the front door of this stack's panel, or of the one that it was promoted to.
func (s site) webServerFiles(root string, port, inside int, panelPorts []int, objectsPort int) (map[string]string, error) {
	var files map[string]string
	var err error
	if s.to == nil {
		files, err = s.nginx(root, port, inside, panelPorts, objectsPort).Files()
	} else if forward, forwardErr := s.forward(port); forwardErr == nil {
		files, err = forward.Files()
	} else {
		err = forwardErr
	}
	if err != nil {
		return nil, err
	}
	files[insideFile] = ""
	if inside != 0 {
		files[insideFile] = loopback(inside).String() + "\n"
	}
	return files, nil
}

// nginx serves the front end in a folder, and passes the API on to the panel's instances, and requests for objects, if
// the tier has a store of them, to that. Requests come in at a second port too if inside is not 0.
func (s site) nginx(root string, port, inside int, panelPorts []int, objectsPort int) machine.Nginx {
	n := machine.Nginx{
		Web:             s.stack.Plan.Blueprint.Web,
		Host:            s.web,
		Folder:          s.runFolder(nginxService),
		Root:            root,
		BrotliModule:    machine.DebianBrotliModule,
		Listen:          loopback(port),
		ServerNames:     []string{"localhost", "127.0.0.1"},
		FileSizeLimit:   int64(s.stack.Settings.FileSizeLimit),
		RequestTimeout:  s.panel(port, panelURL(port)).RequestTimeout,
		TransferTimeout: transferTimeout,
		AccessLog:       "/dev/stdout",
		Generation:      "@GENERATION@",
	}
	for _, panelPort := range panelPorts {
		n.Upstreams = append(n.Upstreams, loopback(panelPort))
	}
	if s.hasBalancer() {
		n.BackendsFile = s.backendsFile()
		if !s.hasEdge() {
			n.RoundTrips = s.roundTrips()
		}
	}
	if s.hasObjects() {
		n.Objects = &machine.ObjectStore{Address: loopback(objectsPort), Bucket: bucketName}
	}
	if !s.hasEdge() {
		n.SharePort = s.sharesPort(port)
		if inside != 0 {
			n.Inside = []netip.AddrPort{loopback(inside)}
		}
	}
	if s.hasEdge() || inside != 0 {
		n.Front = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	}
	return n
}

// panel gives the service's configuration, but for what is secret in it. What neither the tier nor the stack decides is
// left at the service's own defaults.
func (s site) panel(port int, address string) config.Config {
	blueprint, settings := s.stack.Plan.Blueprint, s.stack.Settings
	c, _ := config.LoadFrom(nil) // The error lists what has no default. Whoever uses the whole validates it.
	c.Tier = string(s.stack.Tier())
	c.PlanFile = filepath.Join(s.folder.Conf(panelService), planFile)
	c.ListenAddress = loopback(port).String()
	c.PublicURL = address
	c.TrustedProxies = []string{"127.0.0.0/8"}
	c.LogLevel = settings.LogLevel
	if blueprint.Monitoring.Level.Has(stacks.APM) {
		c.TraceEndpoint, c.TraceSlow = settings.TraceEndpoint, s.stack.Plan.SLO.P95
	}
	c.DatabaseConnections = blueprint.Database.ServiceConnections() / blueprint.Backends.Instances
	c.FilesDirectory = filepath.Join(s.folder.Folder(panelService), filesFolder)
	c.FileSizeLimit = int64(settings.FileSizeLimit)
	c.Workers = blueprint.Workers.JobsPerInstance
	c.SessionIdleTimeout = settings.SessionIdleTimeout
	c.SessionAbsoluteTimeout = settings.SessionAbsoluteTimeout
	c.DrainTimeout = drainTimeout
	if s.hasObjects() {
		c.FileStore, c.S3PublicEndpoint, c.S3Bucket = config.FileStoreS3, address, bucketName
	}
	c.DrainDelay = machine.DrainDelay
	if blueprint.Backends.Instances == 1 {
		c.DrainDelay = 0 // There is no other instance that a balancer could send requests to meanwhile.
	}
	return c
}

// poolerURL is where requests go, postgresURL where migrations go.
func (s site) poolerURL(password string) config.Secret {
	return databaseURL(applicationRole, password, s.runFolder(pgbouncerService), pgbouncerPort)
}

func (s site) postgresURL(password string) config.Secret {
	return databaseURL(ownerRole, password, s.runFolder(postgresqlService), postgresqlPort)
}

// databaseURL is how a program on this machine reaches the panel's database through a unix socket.
func databaseURL(role, password, folder string, port int) config.Secret {
	return config.Secret((&url.URL{
		Scheme: "postgres", User: url.UserPassword(role, password), Path: "/" + databaseName,
		RawQuery: url.Values{"host": {folder}, "port": {strconv.Itoa(port)}, "sslmode": {"disable"}}.Encode(),
	}).String())
}

// panelURL is what people type. Browsers take it for as safe as https, so that cookies marked secure work.
func panelURL(port int) string { return fmt.Sprintf("http://localhost:%d", port) }

func optional(port int) netip.AddrPort {
	if port == 0 {
		return netip.AddrPort{}
	}
	return loopback(port)
}

func loopback(port int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(port)) //nolint:gosec // The provider gives ports.
}
