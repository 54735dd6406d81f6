package machine

import (
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"strings"

	"github.com/radpanel/radpanel/app/config"
	"github.com/radpanel/radpanel/stacks"
)

// PgBouncer is the pooler of one PostgreSQL server.
type PgBouncer struct {
	// Database is the blueprint's: all clients together use at most its ServiceConnections.
	Database stacks.Database
	// ConfigFolder is absolute: where the files of Files lie.
	ConfigFolder string
	// SocketFolder is the absolute folder of the unix socket, SocketMode who may open it. 0: the pooler's own account
	// alone.
	SocketFolder string
	SocketMode   fs.FileMode
	// ListenAddresses are those of TCP; none: the unix socket is the only way in.
	ListenAddresses []netip.Addr
	// Port is that of TCP, and part of the socket's name.
	Port int
	// Name is the panel's database, here and in PostgreSQL.
	Name string
	// ServerHost is PostgreSQL's IP address, or the absolute folder of its unix socket.
	ServerHost string
	ServerPort int
	// Replica says that the server follows another.
	Replica bool
	// ServerAuthority is the absolute path of the certificates, in PEM, by which a server that is reached by TCP is known:
	// another stack's, while the panel is promoted. Empty: TCP goes without TLS.
	ServerAuthority string
	// Users may log in, with the same name and password as in PostgreSQL.
	Users []Login
	// Admins are those of Users that may use the console: PAUSE, RESUME, RELOAD, SHOW. Beside them the pooler's own
	// account may, as user "pgbouncer", without a password, on the unix socket.
	Admins []string
	// Watchers are those of Users that may look at the console alone: SHOW.
	Watchers []string
}

// Login is a name and its password.
type Login struct {
	Name     string
	Password config.Secret
}

// The files of PgBouncer.
const (
	// PgBouncerFile holds what the pooler reads when it starts. It includes the next two.
	PgBouncerFile = "pgbouncer.ini"
	// PgBouncerReloadFile holds what the pooler reads again at HUP.
	PgBouncerReloadFile = "pgbouncer.reload.ini"
	// PgBouncerDatabasesFile tells where the server is. It is read again at HUP too.
	PgBouncerDatabasesFile = "pgbouncer.databases.ini"
	// PgBouncerUsersFile holds passwords in clear, for its owner's eyes only (0600): to log in to PostgreSQL by SCRAM,
	// PgBouncer needs the password itself or the very keys that the server derived from it, which are as good as it.
	PgBouncerUsersFile = "userlist.txt"
)

// clientsPerConnection is how many clients may wait for each connection to the server. A client takes about 2 KiB.
const clientsPerConnection = 10

// Files gives the pooler's configuration, by file name. PgBouncerUsersFile is secret.
func (p PgBouncer) Files() (map[string]string, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	files, err := renderAll(struct {
		PgBouncer
		Listen            string
		SocketPermissions string
		AdminList         string
		WatcherList       string
		MaxClients        int
	}{
		PgBouncer:         p,
		Listen:            words(p.ListenAddresses, ","),
		SocketPermissions: permissions(p.SocketMode),
		AdminList:         strings.Join(p.Admins, ","),
		WatcherList:       strings.Join(p.Watchers, ","),
		MaxClients:        clientsPerConnection * p.Database.ServiceConnections(),
	}, PgBouncerFile, PgBouncerReloadFile, PgBouncerDatabasesFile)
	if err != nil {
		return nil, err
	}
	files[PgBouncerUsersFile] = userlist(p.Users)
	return files, nil
}

// Reloadable gives the names of the files that the pooler reads again at HUP.
func (PgBouncer) Reloadable() []string {
	return []string{PgBouncerReloadFile, PgBouncerDatabasesFile, PgBouncerUsersFile}
}

// userlist writes one login a line, both words in quotes; a quote inside is doubled.
func userlist(users []Login) string {
	var text strings.Builder
	for _, user := range users {
		fmt.Fprintf(&text, "%s %s\n", doubleQuoted(user.Name), doubleQuoted(user.Password.Reveal()))
	}
	return text.String()
}

func doubleQuoted(text string) string { return `"` + strings.ReplaceAll(text, `"`, `""`) + `"` }

func (p PgBouncer) check() error {
	c := &checker{program: "PgBouncer"}
	if p.Database.Pooling != stacks.TransactionPooling {
		c.fail("Database.Pooling", p.Database.Pooling, string(stacks.TransactionPooling))
	}
	c.atLeast("Database.MaxConnections", int64(p.Database.MaxConnections), int64(p.Database.ReservedConnections)+1)
	c.path("ConfigFolder", p.ConfigFolder)
	c.port("Port", p.Port)
	c.socketFolder("SocketFolder", p.SocketFolder, fmt.Sprintf(".s.PGSQL.%d", p.Port))
	c.socketMode("SocketMode", p.SocketMode)
	c.addresses("ListenAddresses", p.ListenAddresses)
	c.identifier("Name", p.Name)
	if p.Name == "pgbouncer" {
		c.fail("Name", p.Name, `another name: "pgbouncer" is the console`)
	}
	c.server("ServerHost", p.ServerHost)
	c.port("ServerPort", p.ServerPort)
	if p.ServerAuthority != "" {
		c.path("ServerAuthority", p.ServerAuthority)
	}
	if len(p.Users) == 0 {
		c.fail("Users", p.Users, "at least one")
	}
	for i, user := range p.Users {
		c.login(fmt.Sprintf("Users[%d]", i), user)
	}
	for field, names := range map[string][]string{"Admins": p.Admins, "Watchers": p.Watchers} {
		for i, name := range names {
			if !slices.ContainsFunc(p.Users, func(user Login) bool { return user.Name == name }) {
				c.fail(fmt.Sprintf("%s[%d]", field, i), name, "one of Users")
			}
		}
	}
	return c.err()
}
