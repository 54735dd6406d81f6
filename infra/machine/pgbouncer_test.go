package machine_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/radpanel/radpanel/infra/machine"
	"github.com/radpanel/radpanel/stacks"
)

func TestPgBouncerSharesTheConnections(t *testing.T) {
	t.Parallel()
	c := newCluster(t, stacks.MVP)
	arguments := pgbouncer(t, stacks.MVP)
	arguments.ConfigFolder = c.path("pgbouncer")
	arguments.SocketFolder = c.mkdir("pooler")
	arguments.ServerHost, arguments.ServerPort = c.arguments.SocketFolder, c.arguments.Port
	arguments.Port = int(freeAddress(t).Port())
	arguments.Users[0].Password = appPassword
	c.install(arguments, "pgbouncer")
	require.NoError(t, os.Chmod(arguments.SocketFolder, 0o711))
	pooler := c.start("pgbouncer", filepath.Join(arguments.ConfigFolder, machine.PgBouncerFile))
	socket := fmt.Sprintf("%s/.s.PGSQL.%d", arguments.SocketFolder, arguments.Port)
	pooler.eventually(func() bool { return answers("unix", socket) }, "listening")
	admin := c.open(t, c.superuser("panel"))

	to := config(t, arguments.SocketFolder, arguments.Port, "rad_admin", "another", "pgbouncer")
	to.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol // The console knows no other.
	console := c.open(t, to)
	show := func(what string) []map[string]any {
		rows, err := console.Query(t.Context(), "SHOW "+what)
		require.NoError(t, err)
		found, err := pgx.CollectRows(rows, pgx.RowToMap)
		require.NoError(t, err)
		return found
	}

	t.Run("console", func(t *testing.T) {
		settings, reloadable := map[string]any{}, map[string]bool{}
		for _, row := range show("CONFIG") {
			name, ok := row["key"].(string)
			require.True(t, ok)
			settings[name], reloadable[name] = row["value"], row["changeable"] == "yes"
		}
		for setting, expected := range map[string]string{
			"pool_mode": "transaction", "max_db_connections": "16", "default_pool_size": "16", "max_client_conn": "160",
			"auth_type": "scram-sha-256", "query_wait_timeout": "8", "server_login_retry": "0.1", "logfile": "",
		} {
			assert.Equal(t, expected, settings[setting], setting)
		}
		files, err := arguments.Files()
		require.NoError(t, err)
		names := regexp.MustCompile(`(?m)^(\w+) =`).FindAllStringSubmatch(files[machine.PgBouncerReloadFile], -1)
		require.NotEmpty(t, names)
		for _, name := range names {
			assert.True(t, reloadable[name[1]], "%s needs a restart", name[1])
		}
		watcher := config(t, arguments.SocketFolder, arguments.Port, "rad_app", appPassword, "pgbouncer")
		watcher.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol
		watching := c.open(t, watcher)
		_, err = watching.Exec(t.Context(), "SHOW POOLS")
		require.NoError(t, err, "the service may look at the pooler")
		for _, command := range []string{"PAUSE", "RELOAD", "SHUTDOWN"} {
			_, err = watching.Exec(t.Context(), command)
			require.ErrorContains(t, err, "admin", "the service is no administrator of the pooler: %s", command)
		}
	})

	t.Run("who may log in", func(t *testing.T) {
		for name, attempt := range map[string]struct{ host, role, password string }{
			"wrong password": {"127.0.0.1", "rad_app", "wrong"},
			"stranger":       {"127.0.0.1", "stranger", "stranger"},
			"owner":          {arguments.SocketFolder, "rad_owner", ownerPassword},
			"superuser":      {arguments.SocketFolder, "postgres", ""},
		} {
			_, err := c.connect(config(t, attempt.host, arguments.Port, attempt.role, attempt.password, "panel"))
			require.Error(t, err, name)
		}
		for _, host := range []string{"127.0.0.1", arguments.SocketFolder} {
			to := config(t, host, arguments.Port, "rad_app", appPassword, "panel")
			to.RuntimeParams["extra_float_digits"] = "3"
			to.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
			assert.Equal(t, "rad_app", ask[string](t, c.open(t, to), "SELECT current_user::text WHERE $1::int = 1", 1))
		}
	})

	t.Run("many clients, few connections", func(t *testing.T) {
		const clients, limit = 40, 16 // The plan's 20 less 4.
		pool := poolThrough(t, arguments, clients)
		// Nobody gets this lock while it is held here, so that each transaction keeps its connection.
		const gate = 1
		_, err := admin.Exec(t.Context(), "SELECT pg_advisory_lock($1)", gate)
		require.NoError(t, err)
		var running errgroup.Group
		for range clients {
			running.Go(func() error {
				return pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
					_, err := tx.Exec(t.Context(), "SELECT pg_advisory_xact_lock_shared($1)", gate)
					return err
				})
			})
		}
		pooler.eventually(func() bool {
			for _, pool := range show("POOLS") {
				if pool["database"] == "panel" && pool["user"] == "rad_app" {
					return pool["cl_waiting"] == int32(clients-limit)
				}
			}
			return false
		}, "the clients that got no connection")
		const waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
		pooler.eventually(func() bool { return ask[int](t, admin, waiting) >= limit }, "the transactions that got one")
		assert.Equal(t, limit, ask[int](t, admin, "SELECT count(*) FROM pg_stat_activity WHERE usename = $1", "rad_app"))
		assert.Equal(t, limit, ask[int](t, admin, waiting))
		_, err = admin.Exec(t.Context(), "SELECT pg_advisory_unlock($1)", gate)
		require.NoError(t, err)
		require.NoError(t, running.Wait(), "all get their turn")
		assert.Equal(t, int32(clients), pool.Stat().TotalConns())
	})

	t.Run("a pause is waited out", func(t *testing.T) {
		pool := poolThrough(t, arguments, 1)
		require.NoError(t, pool.Ping(t.Context()))
		_, err := console.Exec(t.Context(), "PAUSE panel")
		require.NoError(t, err)
		answer := make(chan error, 1)
		go func() { answer <- pool.Ping(t.Context()) }()
		pooler.eventually(func() bool {
			return slices.ContainsFunc(show("POOLS"), func(pool map[string]any) bool {
				return pool["database"] == "panel" && pool["cl_waiting"] == int32(1)
			})
		}, "a client that waits")
		assert.Empty(t, answer)
		_, err = console.Exec(t.Context(), "RESUME panel")
		require.NoError(t, err)
		require.NoError(t, <-answer)
	})

	t.Run("a restart of PostgreSQL is waited out", func(t *testing.T) {
		pool := poolThrough(t, arguments, 1)
		require.NoError(t, pool.Ping(t.Context()))
		_, err := admin.Exec(t.Context(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'rad_app'")
		require.NoError(t, err)
		pooler.eventually(func() bool { return pool.Ping(t.Context()) == nil }, "a new connection")
	})

	t.Run("a new user and a new limit without a restart", func(t *testing.T) {
		pool := poolThrough(t, arguments, 1)
		client, err := pool.Acquire(t.Context())
		require.NoError(t, err)
		defer client.Release()

		next := arguments
		next.Users = append([]machine.Login{{Name: "rad_owner", Password: ownerPassword}}, arguments.Users...)
		next.Database.MaxConnections = 12
		files, err := next.Files()
		require.NoError(t, err)
		for _, name := range next.Reloadable() {
			c.write(files[name], "pgbouncer", name)
		}
		require.NoError(t, pooler.handle.Signal(syscall.SIGHUP))
		pooler.eventually(func() bool {
			connection, err := c.connect(config(t, arguments.SocketFolder, arguments.Port, "rad_owner", ownerPassword, "panel"))
			return err == nil && errors.Join(connection.Ping(t.Context()), connection.Close(t.Context())) == nil
		}, "the new user")
		assert.True(t, slices.ContainsFunc(show("CONFIG"), func(row map[string]any) bool {
			return row["key"] == "max_db_connections" && row["value"] == "8"
		}))
		require.NoError(t, client.Ping(t.Context()), "the clients stay")
	})

	assert.NotContains(t, pooler.out.String(), appPassword)
}

// poolThrough gives a pool of connections to the pooler, as the service has one.
func poolThrough(t *testing.T, p machine.PgBouncer, size int32) *pgxpool.Pool {
	t.Helper()
	c, err := pgxpool.ParseConfig("sslmode=disable")
	require.NoError(t, err)
	c.ConnConfig = config(t, p.SocketFolder, p.Port, "rad_app", appPassword, "panel")
	c.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	c.MaxConns = size
	pool, err := pgxpool.NewWithConfig(context.Background(), c)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	return pool
}
