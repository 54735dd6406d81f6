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
	superuserRole   = "postgres"
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
	// transferTimeout is the service's own limit for an upload or a download.
	transferTimeout = 10 * time.Minute
)

// site is a stack's place on this machine: how each part is configured and where it is reached. Nothing of it is known
// only after something was made, but ports and passwords, which come as arguments.
type site struct {
	stack   stacks.Stack
	folder  supervisor.Stack
	options Options
	// resources is what the blueprint's host has, or this machine if that has less.
	resources      machine.Resources
	administrators []string
	host           *host
}

// newSite finds out what this machine has, and checks that everything can be configured with it.
func newSite(stack stacks.Stack, folder supervisor.Stack, options Options) (site, error) {
	s := site{stack: stack, folder: folder, options: options}
	host, ok := stack.Plan.Blueprint.HostOf(stacks.PartDatabase)
	if !ok {
		return s, errors.New("its blueprint has no host for the database")
	}
	available, err := thisMachine(options.StateFolder)
	if err != nil {
		return s, err
	}
	s.resources = machine.ResourcesOf(host).Within(available)
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
	_, nginxErr := s.nginx("/srv", port, port+1).Files()
	panel := s.panel(port, panelURL(port))
	panel.DatabaseURL, panel.MigrationDatabaseURL = s.poolerURL(password), s.postgresURL(password)
	panel.EncryptionKey = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
	return errors.Join(postgresErr, poolerErr, nginxErr, panel.Validate())
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
		Host:         s.resources,
		DataFolder:   filepath.Join(s.folder.Folder(postgresqlService), "data"),
		ConfigFolder: s.folder.Conf(postgresqlService),
		SocketFolder: s.runFolder(postgresqlService),
		SocketMode:   everybody,
		Port:         postgresqlPort,
		Superuser:    superuserRole,
		SystemUsers:  s.administrators,
		Name:         databaseName,
		Roles:        []machine.PostgresRole{machine.OwnerRole(ownerRole), machine.ServiceRole(applicationRole)},
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
		ServerHost:   s.runFolder(postgresqlService),
		ServerPort:   postgresqlPort,
		Users:        []machine.Login{{Name: applicationRole, Password: applicationPassword}, {Name: poolerRole, Password: poolerPassword}},
		Admins:       []string{poolerRole},
	}
}

// nginx serves the front end in a folder, and passes the API on to the panel.
func (s site) nginx(root string, port, panelPort int) machine.Nginx {
	return machine.Nginx{
		Web:             s.stack.Plan.Blueprint.Web,
		Host:            s.resources,
		Folder:          s.runFolder(nginxService),
		Root:            root,
		Listen:          loopback(port),
		ServerNames:     []string{"localhost", "127.0.0.1"},
		Upstreams:       []netip.AddrPort{loopback(panelPort)},
		FileSizeLimit:   int64(s.stack.Settings.FileSizeLimit),
		RequestTimeout:  s.panel(panelPort, panelURL(port)).RequestTimeout,
		TransferTimeout: transferTimeout,
		AccessLog:       "/dev/stdout",
		Generation:      "@GENERATION@",
	}
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
	c.DatabaseConnections = blueprint.Database.ServiceConnections() / blueprint.Backends.Instances
	c.FilesDirectory = filepath.Join(s.folder.Folder(panelService), filesFolder)
	c.FileSizeLimit = int64(settings.FileSizeLimit)
	c.Workers = blueprint.Workers.JobsPerInstance
	c.SessionIdleTimeout = settings.SessionIdleTimeout
	c.SessionAbsoluteTimeout = settings.SessionAbsoluteTimeout
	c.DrainTimeout = drainTimeout
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

func loopback(port int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(port)) //nolint:gosec // The provider gives ports.
}
