package machine_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/infra/machine"
	"github.com/radpanel/radpanel/stacks"
)

// What could end a word, a quotation or a line of a configuration does not get into one.
func TestRefusals(t *testing.T) {
	t.Parallel()
	type change[T any] struct {
		field string
		apply func(*T)
	}
	for _, c := range []change[machine.Nginx]{
		{"Web.Server", func(n *machine.Nginx) { n.Web.Server = "apache" }},
		{"Host.CPU", func(n *machine.Nginx) { n.Host.CPU = 0 }},
		{"Folder", func(n *machine.Nginx) { n.Folder = "/srv/a b" }},
		{"Folder", func(n *machine.Nginx) { n.Folder = "relative" }},
		{"Root", func(n *machine.Nginx) { n.Root = "/srv/web;}" }},
		{"Root", func(n *machine.Nginx) { n.Root = "/srv/web\nuser root" }},
		{"Root", func(n *machine.Nginx) { n.Root = "/srv/$uri" }},
		{"Root", func(n *machine.Nginx) { n.Root = "/srv/web/../.." }},
		{"Root", func(n *machine.Nginx) { n.Root = "/srv/web/" }},
		{"Listen", func(n *machine.Nginx) { n.Listen = netip.AddrPort{} }},
		{"Listen", func(n *machine.Nginx) { n.Listen = netip.MustParseAddrPort("127.0.0.1:0") }},
		{"Listen", func(n *machine.Nginx) { n.Listen = netip.MustParseAddrPort("[fe80::1%eth0;]:80") }},
		{"TLS.Certificate", func(n *machine.Nginx) { n.TLS = &machine.TLS{Certificate: "c.pem", Key: "/k.pem"} }},
		{"TLS.Key", func(n *machine.Nginx) { n.TLS = &machine.TLS{Certificate: "/c.pem", Key: `/k".pem`} }},
		{"ServerNames[1]", func(n *machine.Nginx) { n.ServerNames = []string{"ok.example", "a b"} }},
		{"ServerNames[0]", func(n *machine.Nginx) { n.ServerNames = []string{"~^.*$"} }},
		{"ServerNames[0]", func(n *machine.Nginx) { n.ServerNames = []string{""} }},
		{"User", func(n *machine.Nginx) { n.User = "www-data; load_module x" }},
		{"Upstreams", func(n *machine.Nginx) { n.Upstreams = nil }},
		{"Upstreams[0]", func(n *machine.Nginx) { n.Upstreams = []netip.AddrPort{{}} }},
		{"FileSizeLimit", func(n *machine.Nginx) { n.FileSizeLimit = 0 }},
		{"RequestTimeout", func(n *machine.Nginx) { n.RequestTimeout = 0 }},
		{"TransferTimeout", func(n *machine.Nginx) { n.TransferTimeout = time.Second }},
		{"AccessLog", func(n *machine.Nginx) { n.AccessLog = "syslog:server=elsewhere" }},
		{"Generation", func(n *machine.Nginx) { n.Generation = `"; }` }},
	} {
		n := nginx(t, stacks.MVP)
		c.apply(&n)
		checkRefused(t, n, "nginx", c.field)
	}
	for _, c := range []change[machine.Postgres]{
		{"Database.MaxConnections", func(p *machine.Postgres) { p.Database.MaxConnections = 4 }},
		{"Database.ReservedConnections", func(p *machine.Postgres) { p.Database.ReservedConnections = 2 }},
		{"Database.SlowQueryLog", func(p *machine.Postgres) { p.Database.SlowQueryLog = -1 }},
		{"Host.CPU", func(p *machine.Postgres) { p.Host.CPU = 0 }},
		{"Host.RAM", func(p *machine.Postgres) { p.Host.RAM = 0 }},
		{"Host.Disk", func(p *machine.Postgres) { p.Host.Disk = 0 }},
		{"DataFolder", func(p *machine.Postgres) { p.DataFolder = "/data'" }},
		{"ConfigFolder", func(p *machine.Postgres) { p.ConfigFolder = "/conf\nfsync = off" }},
		{"SocketFolder", func(p *machine.Postgres) { p.SocketFolder = "/run,/tmp" }},
		{"SocketFolder", func(p *machine.Postgres) { p.SocketFolder = "/" + strings.Repeat("a", 90) }},
		{"SocketMode", func(p *machine.Postgres) { p.SocketMode = 0o666 }},
		{"ListenAddresses[0]", func(p *machine.Postgres) { p.ListenAddresses = []netip.Addr{{}} }},
		{"Port", func(p *machine.Postgres) { p.Port = 65536 }},
		{"Superuser", func(p *machine.Postgres) { p.Superuser = `a"` }},
		{"SystemUsers[0]", func(p *machine.Postgres) { p.SystemUsers = []string{"/^.*$"} }},
		{"Name", func(p *machine.Postgres) { p.Name = "Panel" }},
		{"Roles[0].Name", func(p *machine.Postgres) { p.Roles = []machine.PostgresRole{{Name: "a b"}} }},
		{"Roles[0].Name", func(p *machine.Postgres) { p.Roles = []machine.PostgresRole{{Name: "postgres"}} }},
		{"Roles[0].LockTimeout", func(p *machine.Postgres) { p.Roles[0].LockTimeout = -1 }},
		{"Clients[0]", func(p *machine.Postgres) { p.Clients = []netip.Prefix{{}} }},
	} {
		p := postgres(t, stacks.MVP)
		c.apply(&p)
		checkRefused(t, p, "PostgreSQL", c.field)
		_, err := p.RoleStatements()
		require.Error(t, err, c.field)
	}
	for _, c := range []change[machine.PgBouncer]{
		{"Database.Pooling", func(p *machine.PgBouncer) { p.Database.Pooling = "session" }},
		{"Database.MaxConnections", func(p *machine.PgBouncer) { p.Database.MaxConnections = 4 }},
		{"ConfigFolder", func(p *machine.PgBouncer) { p.ConfigFolder = "/conf\nadmin_users = any" }},
		{"SocketFolder", func(p *machine.PgBouncer) { p.SocketFolder = "" }},
		{"SocketMode", func(p *machine.PgBouncer) { p.SocketMode = 1 }},
		{"ListenAddresses[0]", func(p *machine.PgBouncer) { p.ListenAddresses = []netip.Addr{{}} }},
		{"Port", func(p *machine.PgBouncer) { p.Port = 0 }},
		{"Name", func(p *machine.PgBouncer) { p.Name = "panel = host=elsewhere" }},
		{"Name", func(p *machine.PgBouncer) { p.Name = "pgbouncer" }},
		{"ServerHost", func(p *machine.PgBouncer) { p.ServerHost = "database user=postgres" }},
		{"ServerHost", func(p *machine.PgBouncer) { p.ServerHost = "/run user=postgres" }},
		{"ServerPort", func(p *machine.PgBouncer) { p.ServerPort = -1 }},
		{"Users", func(p *machine.PgBouncer) { p.Users, p.Admins, p.Watchers = nil, nil, nil }},
		{"Users[0].Name", func(p *machine.PgBouncer) { p.Users[0].Name, p.Watchers = `a" "b`, nil }},
		{"Users[0].Password", func(p *machine.PgBouncer) { p.Users[0].Password = "secret-one\n" }},
		{"Users[0].Password", func(p *machine.PgBouncer) { p.Users[0].Password = "" }},
		{"Users[0].Password", func(p *machine.PgBouncer) { p.Users[0].Password = "SCRAM-SHA-256$secret-one" }},
		{"Admins[0]", func(p *machine.PgBouncer) { p.Admins = []string{"stranger"} }},
		{"Watchers[0]", func(p *machine.PgBouncer) { p.Watchers = []string{"stranger"} }},
	} {
		p := pgbouncer(t, stacks.MVP)
		c.apply(&p)
		checkRefused(t, p, "PgBouncer", c.field)
	}
	for _, c := range []change[machine.Redis]{
		{"Cache.Memory", func(r *machine.Redis) { r.Cache.Memory = 0 }},
		{"Folder", func(r *machine.Redis) { r.Folder = "/a b" }},
		{"ConfigFolder", func(r *machine.Redis) { r.ConfigFolder = "conf" }},
		{"SocketFolder", func(r *machine.Redis) { r.SocketFolder = "/" + strings.Repeat("a", 100) }},
		{"SocketMode", func(r *machine.Redis) { r.SocketMode = 0o666 }},
		{"Port", func(r *machine.Redis) { r.Port = -1 }},
		{"User.Name", func(r *machine.Redis) { r.User = "default" }},
		{"User.Name", func(r *machine.Redis) { r.User = "a on" }},
		{"User.Password", func(r *machine.Redis) { r.Password = "secret-one\r" }},
	} {
		r := redis(t, stacks.Tier1)
		c.apply(&r)
		checkRefused(t, r, "Redis", c.field)
	}
}

func checkRefused(t *testing.T, program rendered, name, field string) {
	t.Helper()
	files, err := program.Files()
	require.Error(t, err, "%s %s", name, field)
	assert.Empty(t, files)
	var refusal *machine.FieldError
	require.ErrorAs(t, err, &refusal)
	assert.Equal(t, name, refusal.Program)
	assert.Equal(t, field, refusal.Field)
	assert.NotEmpty(t, refusal.Expected)
	assert.NotContains(t, err.Error(), "secret-one")
	assert.NotContains(t, err.Error(), "\n", "one value is wrong, so there is one error, on one line")
}

func TestAllRefusalsComeAtOnce(t *testing.T) {
	t.Parallel()
	n := nginx(t, stacks.MVP)
	n.Root, n.Upstreams = "", nil
	_, err := n.Files()
	joined, ok := err.(interface{ Unwrap() []error })
	require.True(t, ok)
	assert.Len(t, joined.Unwrap(), 2)
	var refusal *machine.FieldError
	require.ErrorAs(t, joined.Unwrap()[1], &refusal)
	assert.Equal(t, "Upstreams", refusal.Field)
}

// Printing the arguments, as a log or a failed test does, shows no password; nor does any file but the one for it.
func TestSecretsStayInTheirFile(t *testing.T) {
	t.Parallel()
	p, r := pgbouncer(t, stacks.MVP), redis(t, stacks.Tier1)
	p.Users[0].Password, r.Password = "secret-one", "secret-one"
	assert.NotContains(t, fmt.Sprintf("%v %+v %#v", p, p, p), "secret-one")
	assert.NotContains(t, fmt.Sprintf("%v %+v %#v", r, r, r), "secret-one")
	for _, program := range []rendered{p, r} {
		files, err := program.Files()
		require.NoError(t, err)
		for name, text := range files {
			assert.Equal(t, name == machine.PgBouncerUsersFile, strings.Contains(text, "secret-one"), name)
		}
	}
}
