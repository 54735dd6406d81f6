package machine

import (
	"fmt"
	"io/fs"
	"net/netip"
	"regexp"
	"time"

	"github.com/radpanel/radpanel/stacks"
)

// Postgres is one PostgreSQL server of a panel.
type Postgres struct {
	// Database is the blueprint's. Its MaxConnections include the superuser's.
	Database stacks.Database
	// Host is what the machine has: memory follows from its RAM, the bounds of the write-ahead log from its disk.
	Host Resources
	// DataFolder and ConfigFolder are absolute: what initdb made, and where the files of Files lie.
	DataFolder   string
	ConfigFolder string
	// SocketFolder is the absolute folder of the unix socket, SocketMode who may open it. 0: the server's own account
	// alone.
	SocketFolder string
	SocketMode   fs.FileMode
	// ListenAddresses are those of TCP; none: the unix socket is the only way in.
	ListenAddresses []netip.Addr
	// Port is that of TCP, and part of the socket's name.
	Port int
	// Superuser is the role that initdb made. It comes in by the unix socket alone.
	Superuser string
	// SystemUsers are the accounts of the operating system that are Superuser without a password. None: Superuser gives
	// a password.
	SystemUsers []string
	// Name is the panel's database.
	Name string
	// Roles are those that may log in to it, by password, on the unix socket and from Clients.
	Roles []PostgresRole
	// ReplicationRole is the role by which replicas follow this server, by password. Empty: there are none.
	ReplicationRole string
	// PromotionRole is the role by which the server of another stack on this machine follows the panel's database while
	// it is promoted, as one of SystemUsers. There need be no such role. Empty: nobody may.
	PromotionRole string
	// Peer is another stack's server, while the panel is promoted between the two. Nil: there is none.
	Peer *PostgresPeer
	// Primary is the server that this one follows. Nil: it is a primary itself.
	Primary *PostgresPrimary
	// ArchiveCommand hands a file of the write-ahead log, %p, over to the backup. Empty: there is none.
	ArchiveCommand string
	// Clients are the networks from which Roles may log in by TCP. Empty: loopback.
	Clients []netip.Prefix
}

// PostgresPeer is the host of another stack's database, whose server and pooler log in by TCP, password and TLS alone.
type PostgresPeer struct {
	Address netip.Addr
	// Roles may log in from there.
	Roles []string
	// Certificate and Key are the absolute paths of what this server shows, in PEM.
	Certificate string
	Key         string
}

// PostgresPrimary tells a replica how to follow its primary.
type PostgresPrimary struct {
	// Host is an IP address, or the absolute folder of a unix socket.
	Host string
	Port int
	// User is the primary's ReplicationRole, PasswordFile the absolute path of a file with its password, as libpq reads it.
	User         string
	PasswordFile string
	// Slot keeps the write-ahead log that the replica has not got yet.
	Slot string
}

// PostgresRole is a role that logs in by password, and how long it may keep others waiting. 0: without end.
type PostgresRole struct {
	Name string
	// StatementTimeout ends a statement that runs for so long, LockTimeout one that waits for a lock for so long.
	StatementTimeout time.Duration
	LockTimeout      time.Duration
	// IdleInTransactionTimeout ends a session that leaves a transaction open and does nothing for so long.
	IdleInTransactionTimeout time.Duration
}

// ServiceRole is the role of the service's requests and jobs. A request ends after 15 s by itself; these limits are for
// what outlives it, and leave a job's larger statements room.
func ServiceRole(name string) PostgresRole {
	return PostgresRole{
		Name: name, StatementTimeout: time.Minute, LockTimeout: 10 * time.Second, IdleInTransactionTimeout: 30 * time.Second,
	}
}

// OwnerRole is the role of migrations. They may run for long, but not wait for a lock for long: every request would
// queue behind them.
func OwnerRole(name string) PostgresRole {
	return PostgresRole{Name: name, LockTimeout: 5 * time.Second, IdleInTransactionTimeout: time.Minute}
}

// MonitorRole is the role of what reads the server's statistics, every few seconds.
func MonitorRole(name string) PostgresRole {
	return PostgresRole{
		Name: name, StatementTimeout: 5 * time.Second, LockTimeout: time.Second, IdleInTransactionTimeout: 10 * time.Second,
	}
}

// The files of PostgreSQL.
const (
	// PostgresFile holds what a server reads when it starts. It includes PostgresReloadFile.
	PostgresFile = "postgresql.conf"
	// PostgresReloadFile holds what a server reads again at HUP.
	PostgresReloadFile = "postgresql.reload.conf"
	// PostgresHBAFile tells who may log in.
	PostgresHBAFile = "pg_hba.conf"
	// PostgresIdentFile tells which account of the operating system is which role.
	PostgresIdentFile = "pg_ident.conf"
)

// superuserReserved is how many of the blueprint's reserved connections only a superuser gets, which is PostgreSQL's
// default.
const superuserReserved = 3

var archivePattern = regexp.MustCompile(`^[A-Za-z0-9._=/% -]+$`)

// minimumRAM is the least memory that the settings make sense for.
const minimumRAM = 256 * stacks.MiB

// Files gives the server's configuration, by file name. None of it is secret.
func (p Postgres) Files() (map[string]string, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	return renderAll(p.settings(), PostgresFile, PostgresReloadFile, PostgresHBAFile, PostgresIdentFile)
}

// Reloadable gives the names of the files that the server reads again at HUP.
func (Postgres) Reloadable() []string {
	return []string{PostgresReloadFile, PostgresHBAFile, PostgresIdentFile}
}

// RoleStatements gives the SQL, one statement each, that sets the limits of Roles. It can be run again. A role must
// exist by then, and gets them with its next session.
func (p Postgres) RoleStatements() ([]string, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	var statements []string
	for _, role := range p.Roles {
		for _, limit := range []struct {
			setting string
			after   time.Duration
		}{
			{"statement_timeout", role.StatementTimeout},
			{"lock_timeout", role.LockTimeout},
			{"idle_in_transaction_session_timeout", role.IdleInTransactionTimeout},
		} {
			statements = append(statements,
				fmt.Sprintf(`ALTER ROLE "%s" SET %s = '%dms'`, role.Name, limit.setting, limit.after.Milliseconds()))
		}
	}
	return statements, nil
}

func (p Postgres) check() error {
	c := &checker{program: "PostgreSQL"}
	c.atLeast("Database.ReservedConnections", int64(p.Database.ReservedConnections), superuserReserved)
	c.atLeast("Database.MaxConnections", int64(p.Database.MaxConnections), int64(p.Database.ReservedConnections)+1)
	if p.Database.SlowQueryLog < 0 {
		c.fail("Database.SlowQueryLog", p.Database.SlowQueryLog, "a time, or 0 for none")
	}
	c.atLeast("Host.CPU", int64(p.Host.CPU), 1)
	if p.Host.RAM < minimumRAM {
		c.fail("Host.RAM", p.Host.RAM, "at least "+minimumRAM.String())
	}
	if p.Host.Disk < stacks.GiB {
		c.fail("Host.Disk", p.Host.Disk, "at least "+stacks.GiB.String())
	}
	c.path("DataFolder", p.DataFolder)
	c.path("ConfigFolder", p.ConfigFolder)
	c.port("Port", p.Port)
	c.socketFolder("SocketFolder", p.SocketFolder, fmt.Sprintf(".s.PGSQL.%d.lock", p.Port))
	c.socketMode("SocketMode", p.SocketMode)
	c.addresses("ListenAddresses", p.ListenAddresses)
	c.identifier("Superuser", p.Superuser)
	for i, user := range p.SystemUsers {
		c.account(fmt.Sprintf("SystemUsers[%d]", i), user)
	}
	c.identifier("Name", p.Name)
	if p.ReplicationRole != "" {
		c.identifier("ReplicationRole", p.ReplicationRole)
	}
	if p.PromotionRole != "" {
		c.identifier("PromotionRole", p.PromotionRole)
	}
	if p.Primary != nil {
		c.server("Primary.Host", p.Primary.Host)
		c.port("Primary.Port", p.Primary.Port)
		c.identifier("Primary.User", p.Primary.User)
		c.path("Primary.PasswordFile", p.Primary.PasswordFile)
		c.identifier("Primary.Slot", p.Primary.Slot)
	}
	if p.Peer != nil {
		c.addresses("Peer.Address", []netip.Addr{p.Peer.Address})
		c.path("Peer.Certificate", p.Peer.Certificate)
		c.path("Peer.Key", p.Peer.Key)
		for i, role := range p.Peer.Roles {
			c.identifier(fmt.Sprintf("Peer.Roles[%d]", i), role)
		}
		if len(p.ListenAddresses) == 0 {
			c.fail("ListenAddresses", p.ListenAddresses, "at least one: another stack's server comes by TCP")
		}
	}
	for i, role := range p.Roles {
		field := fmt.Sprintf("Roles[%d]", i)
		c.identifier(field+".Name", role.Name)
		if role.Name == p.Superuser {
			c.fail(field+".Name", role.Name, "another role than Superuser, who may do anything")
		}
		c.between(field+".StatementTimeout", role.StatementTimeout, 0, 24*time.Hour)
		c.between(field+".LockTimeout", role.LockTimeout, 0, 24*time.Hour)
		c.between(field+".IdleInTransactionTimeout", role.IdleInTransactionTimeout, 0, 24*time.Hour)
	}
	if p.ArchiveCommand != "" {
		c.pattern("ArchiveCommand", p.ArchiveCommand, archivePattern, "a command of the characters A-Z a-z 0-9 . _ = / % - and spaces")
	}
	for i, client := range p.Clients {
		if !client.IsValid() {
			c.fail(fmt.Sprintf("Clients[%d]", i), client, "a network such as 10.0.0.0/16")
		}
	}
	return c.err()
}

// postgresSettings is what the templates say. Sizes are in megabytes as PostgreSQL counts them (MiB).
type postgresSettings struct {
	Postgres
	Listen                                       string
	SocketPermissions                            string
	SuperuserReserved                            int
	SharedBuffers, EffectiveCache                int64
	WorkMemory, MaintenanceMemory                int64
	MaxWAL, MaxSlotWAL                           int64
	WorkerProcesses, MaintenanceWorkers, Workers int
	SlowQueryMilliseconds                        int64
}

func (p Postgres) settings() postgresSettings {
	if len(p.Clients) == 0 {
		p.Clients = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	}
	slow := p.Database.SlowQueryLog.Milliseconds()
	if p.Database.SlowQueryLog == 0 {
		slow = -1
	}
	ram, disk := p.Host.RAM, p.Host.Disk
	return postgresSettings{
		Postgres:          p,
		Listen:            words(p.ListenAddresses, ","),
		SocketPermissions: permissions(p.SocketMode),
		SuperuserReserved: superuserReserved,
		SharedBuffers:     mebibytes(ram / 4),
		// The rest of the host is shared with the service, the web server and the cache.
		EffectiveCache: mebibytes(ram / 2),
		// A sixteenth of the RAM if every connection sorts at once. Less than PostgreSQL's 4 MB sorts on disk what
		// needs not be.
		WorkMemory:        mebibytes(min(max(ram/16/stacks.Bytes(p.Database.MaxConnections), 4*stacks.MiB), 64*stacks.MiB)),
		MaintenanceMemory: mebibytes(min(max(ram/32, 32*stacks.MiB), stacks.GiB)),
		MaxWAL:            mebibytes(min(max(disk/20, 256*stacks.MiB), 16*stacks.GiB)),
		MaxSlotWAL:        mebibytes(min(max(disk/10, 512*stacks.MiB), 64*stacks.GiB)),
		Workers:           max(p.Host.CPU, 2),
		// Beside parallel workers: those of logical replication (4), its launcher, and some for extensions.
		WorkerProcesses:       max(p.Host.CPU, 2) + 8,
		MaintenanceWorkers:    min(max(p.Host.CPU/2, 1), 4),
		SlowQueryMilliseconds: slow,
	}
}

func mebibytes(b stacks.Bytes) int64 { return int64(b / stacks.MiB) }
