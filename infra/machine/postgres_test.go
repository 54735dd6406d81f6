package machine_test

import (
	"context"
	"fmt"
	"net/netip"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgerrcode"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/infra/machine"
	"github.com/radpanel/radpanel/stacks"
)

// The passwords hold what the files and protocols between could stumble over.
const (
	appPassword   = `a "quoted" 'word'; \ and = more % # end`
	ownerPassword = "another"
)

// cluster is a real PostgreSQL server.
type cluster struct {
	*process
	arguments machine.Postgres
}

func postgresProgram(t *testing.T, name string) string {
	t.Helper()
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	require.NoError(t, err)
	require.NotEmpty(t, found, "PostgreSQL is not installed: apt-get install postgresql")
	return slices.Max(found)
}

// newCluster makes a database as a target does, and starts it.
func newCluster(t *testing.T, tier stacks.Tier) *cluster {
	t.Helper()
	h := newHost(t, "postgres")
	self, err := user.Current()
	require.NoError(t, err)
	arguments := postgres(t, tier)
	// Tests run beside others.
	arguments.Host = arguments.Host.Within(machine.Resources{CPU: 2, RAM: 512 * stacks.MiB, Disk: 10 * stacks.GiB})
	arguments.DataFolder = h.path("data")
	arguments.ConfigFolder = h.path("conf")
	arguments.SocketFolder = h.mkdir("run")
	arguments.SystemUsers = []string{"nobody", self.Username}
	arguments.Port = int(freeAddress(t).Port())
	h.mkdir("data")
	h.output(postgresProgram(t, "initdb"), "-D", arguments.DataFolder, "-U", arguments.Superuser, "--no-sync",
		"--encoding=UTF8", "--locale=C.UTF-8", "--data-checksums", "--auth=reject")
	h.install(arguments, "conf")
	c := &cluster{arguments: arguments}
	c.process = h.start(postgresProgram(t, "postgres"), "-D", arguments.DataFolder,
		"-c", "config_file="+h.path("conf", machine.PostgresFile))
	c.eventually(func() bool {
		connection, err := c.connect(c.superuser("postgres"))
		return err == nil && connection.Close(t.Context()) == nil
	}, "connections")

	c.run("postgres", fmt.Sprintf("CREATE ROLE rad_app LOGIN PASSWORD '%s'", strings.ReplaceAll(appPassword, "'", "''")))
	c.run("postgres", "CREATE ROLE rad_owner LOGIN PASSWORD '"+ownerPassword+"'")
	c.run("postgres", "CREATE ROLE stranger LOGIN PASSWORD 'stranger'")
	c.run("postgres", "CREATE DATABASE panel OWNER rad_owner")
	statements, err := arguments.RoleStatements()
	require.NoError(t, err)
	for range 2 { // They can be run again.
		for _, statement := range statements {
			c.run("postgres", statement)
		}
	}
	return c
}

// config gives the way to a server by its address or the folder of its socket.
func config(t *testing.T, host string, port int, role, password, database string) *pgx.ConnConfig {
	t.Helper()
	c, err := pgx.ParseConfig("sslmode=disable connect_timeout=10")
	require.NoError(t, err)
	c.Host, c.Port, c.User, c.Password, c.Database = host, uint16(port), role, password, database
	return c
}

func (c *cluster) superuser(database string) *pgx.ConnConfig {
	return config(c.T, c.arguments.SocketFolder, c.arguments.Port, c.arguments.Superuser, "", database)
}

func (c *cluster) connect(to *pgx.ConnConfig) (*pgx.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return pgx.ConnectConfig(ctx, to)
}

// open gives a connection that ends with the test.
func (c *cluster) open(t *testing.T, to *pgx.ConnConfig) *pgx.Conn {
	t.Helper()
	connection, err := c.connect(to)
	require.NoError(t, err)
	t.Cleanup(func() { _ = connection.Close(context.Background()) })
	return connection
}

func (c *cluster) run(database, statement string) {
	c.Helper()
	connection, err := c.connect(c.superuser(database))
	require.NoError(c, err)
	defer func() { assert.NoError(c, connection.Close(context.Background())) }()
	_, err = connection.Exec(c.Context(), statement)
	require.NoError(c, err, statement)
}

// ask gives the one value that a query answers with.
func ask[T any](t *testing.T, connection *pgx.Conn, query string, arguments ...any) T {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var value T
	require.NoError(t, connection.QueryRow(ctx, query, arguments...).Scan(&value), query)
	return value
}

func TestPostgreSQLRunsAsItIsTold(t *testing.T) {
	t.Parallel()
	c := newCluster(t, stacks.Tier1)
	admin := c.open(t, c.superuser("panel"))

	t.Run("settings", func(t *testing.T) {
		for setting, value := range map[string]string{
			"max_connections": "40", "superuser_reserved_connections": "3", "shared_buffers": "128MB",
			"wal_level": "logical", "fsync": "on", "full_page_writes": "on", "synchronous_commit": "on",
			"password_encryption": "scram-sha-256", "listen_addresses": "127.0.0.1", "TimeZone": "UTC",
			"log_min_duration_statement": "100ms", "data_checksums": "on", "unix_socket_permissions": "0777",
			"max_slot_wal_keep_size": "1GB", "hba_file": c.path("conf", machine.PostgresHBAFile),
		} {
			assert.Equal(t, value, ask[string](t, admin, "SELECT current_setting($1)", setting), setting)
		}
		c.run("panel", "CREATE EXTENSION pg_stat_statements")
		assert.Positive(t, ask[int](t, admin, "SELECT count(*) FROM pg_stat_statements"))
	})

	t.Run("no setting is wrong, said twice or in the wrong file", func(t *testing.T) {
		assert.Zero(t, ask[int](t, admin, "SELECT count(*) FROM pg_file_settings WHERE error IS NOT NULL OR NOT applied"))
		assert.Zero(t, ask[int](t, admin, "SELECT count(*) FROM pg_hba_file_rules WHERE error IS NOT NULL"))
		assert.Zero(t, ask[int](t, admin, "SELECT count(*) FROM pg_ident_file_mappings WHERE error IS NOT NULL"))
		const context = `SELECT coalesce(string_agg(f.name, ' '), '') FROM pg_file_settings f JOIN pg_settings s USING (name)
			WHERE f.sourcefile = $1 AND (s.context = 'postmaster') <> $2`
		assert.Empty(t, ask[string](t, admin, context, c.path("conf", machine.PostgresFile), true), "could be reloaded")
		assert.Empty(t, ask[string](t, admin, context, c.path("conf", machine.PostgresReloadFile), false), "needs a restart")
		assert.NotContains(t, c.out.String(), "WARNING")
	})

	t.Run("who may log in", func(t *testing.T) {
		const loopback = "127.0.0.1"
		socket, port := c.arguments.SocketFolder, c.arguments.Port
		for name, attempt := range map[string]struct {
			host, role, password, database, code string
		}{
			"service by TCP":            {loopback, "rad_app", appPassword, "panel", ""},
			"service by socket":         {socket, "rad_app", appPassword, "panel", ""},
			"owner by TCP":              {loopback, "rad_owner", ownerPassword, "panel", ""},
			"superuser by socket":       {socket, "postgres", "", "panel", ""},
			"superuser, other database": {socket, "postgres", "", "template1", ""},
			"wrong password":            {loopback, "rad_app", "wrong", "panel", pgerrcode.InvalidPassword},
			"wrong password by socket":  {socket, "rad_app", "wrong", "panel", pgerrcode.InvalidPassword},
			"another database":          {loopback, "rad_app", appPassword, "postgres", pgerrcode.InvalidAuthorizationSpecification},
			"superuser by TCP":          {loopback, "postgres", "", "panel", pgerrcode.InvalidAuthorizationSpecification},
			"another role":              {loopback, "stranger", "stranger", "panel", pgerrcode.InvalidAuthorizationSpecification},
			"another role by socket":    {socket, "stranger", "stranger", "panel", pgerrcode.InvalidAuthorizationSpecification},
		} {
			connection, err := c.connect(config(t, attempt.host, port, attempt.role, attempt.password, attempt.database))
			if attempt.code == "" {
				if assert.NoError(t, err, name) {
					assert.NoError(t, connection.Close(t.Context()), name)
				}
				continue
			}
			var refusal *pgconn.PgError
			if assert.ErrorAs(t, err, &refusal, name) {
				assert.Equal(t, attempt.code, refusal.Code, name)
			}
		}
		replication := config(t, socket, port, "postgres", "", "panel")
		replication.RuntimeParams["replication"] = "true"
		_, err := c.connect(replication)
		require.ErrorContains(t, err, "pg_hba.conf rejects replication connection")
	})

	t.Run("limits of roles", func(t *testing.T) {
		port := c.arguments.Port
		app := c.open(t, config(t, "127.0.0.1", port, "rad_app", appPassword, "panel"))
		owner := c.open(t, config(t, "127.0.0.1", port, "rad_owner", ownerPassword, "panel"))
		for setting, values := range map[string][3]string{
			"statement_timeout":                   {"1min", "0", "0"},
			"lock_timeout":                        {"10s", "5s", "0"},
			"idle_in_transaction_session_timeout": {"30s", "1min", "10min"},
		} {
			assert.Equal(t, values[0], ask[string](t, app, "SELECT current_setting($1)", setting), setting)
			assert.Equal(t, values[1], ask[string](t, owner, "SELECT current_setting($1)", setting), setting)
			assert.Equal(t, values[2], ask[string](t, admin, "SELECT current_setting($1)", setting), setting)
		}
	})

	t.Run("a log without people's data", func(t *testing.T) {
		c.run("panel", "CREATE TABLE directory (email text PRIMARY KEY)")
		for range 2 {
			_, err := admin.Exec(t.Context(), "INSERT INTO directory VALUES ($1)", "someone@example.com")
			_ = err // The second time, it is there.
		}
		_, err := admin.Exec(t.Context(), "SELECT pg_sleep(0.2), $1::text", "someone@example.com")
		require.NoError(t, err)
		c.eventually(func() bool { return strings.Contains(c.out.String(), "pg_sleep") }, "the slow statement in the log")
		assert.Contains(t, c.out.String(), "duplicate key")
		assert.NotContains(t, c.out.String(), "someone@example.com")
	})

	t.Run("reload", func(t *testing.T) {
		next := c.arguments
		next.Database.SlowQueryLog = 250 * time.Millisecond
		next.Host.RAM *= 2 // Needs a restart in one file, and none in the other.
		files, err := next.Files()
		require.NoError(t, err)
		for _, name := range next.Reloadable() {
			c.write(files[name], "conf", name)
		}
		require.NoError(t, c.handle.Signal(syscall.SIGHUP))
		c.eventually(func() bool {
			return ask[string](t, admin, "SELECT current_setting('log_min_duration_statement')") == "250ms"
		}, "the new setting")
		assert.Zero(t, ask[int](t, admin, "SELECT count(*) FROM pg_settings WHERE pending_restart"))
	})
}

func TestPostgreSQLListensOnItsSocketAlone(t *testing.T) {
	t.Parallel()
	h := newHost(t, "postgres")
	p := postgres(t, stacks.MVP)
	p.ListenAddresses = nil
	p.DataFolder, p.ConfigFolder = h.mkdir("data"), h.path("conf")
	h.install(p, "conf")
	h.write("", "data", "postgresql.auto.conf")
	asked := func(setting string) string {
		return strings.TrimSpace(h.output(postgresProgram(t, "postgres"), "-D", p.DataFolder,
			"-c", "config_file="+h.path("conf", machine.PostgresFile), "-C", setting))
	}
	assert.Empty(t, asked("listen_addresses"))
	assert.Equal(t, "20", asked("max_connections"))
	assert.Equal(t, "-1", asked("log_min_duration_statement"), "the MVP logs no slow statements")
	files, err := p.Files()
	require.NoError(t, err)
	assert.NotRegexp(t, `(?m)^host .* scram`, files[machine.PostgresHBAFile])
}

func TestPostgreSQLOfABackendElsewhere(t *testing.T) {
	t.Parallel()
	p := postgres(t, stacks.Tier2)
	p.SystemUsers = nil
	p.ListenAddresses = []netip.Addr{netip.MustParseAddr("10.0.1.5"), netip.MustParseAddr("::1")}
	p.Clients = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/16")}
	files, err := p.Files()
	require.NoError(t, err)
	assert.Contains(t, files[machine.PostgresFile], "listen_addresses = '10.0.1.5,::1'\n")
	assert.Contains(t, files[machine.PostgresHBAFile], "\nlocal all \"postgres\" scram-sha-256\n")
	assert.Contains(t, files[machine.PostgresHBAFile], "\nhost \"panel\" \"rad_app\" 10.0.0.0/16 scram-sha-256\n")
	assert.NotContains(t, files[machine.PostgresHBAFile], "127.0.0")
}
