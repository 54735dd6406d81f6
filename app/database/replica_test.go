package database_test

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/app/config"
	"github.com/radpanel/radpanel/app/database"
	"github.com/radpanel/radpanel/app/database/databasetest"
)

func openReplicas(t *testing.T, primary *database.DB, urls ...config.Secret) (*database.Replicas, *prometheus.Registry) {
	t.Helper()
	registry := prometheus.NewRegistry()
	replicas, err := database.OpenReplicas(primary, urls, database.Options{Connections: 10, Wait: time.Second}, registry)
	require.NoError(t, err)
	t.Cleanup(replicas.Close)
	return replicas, registry
}

// A replica is killed, frozen, held back and promoted while a row is written and read back. No read fails, none is older
// than the write that it names, and the replica is read again by itself.
func TestReadsFollowTheReadersOwnWrites(t *testing.T) {
	t.Parallel()
	own := databasetest.StartServer(t) // What other tests write to theirs, a replica would have to replay too.
	home, replica := own.NewDatabase(t), own.NewReplica(t)
	primary := home.Open(t)
	_, err := home.Connect(t).Exec(t.Context(), "CREATE TABLE counter (n bigint); INSERT INTO counter VALUES (0); GRANT ALL ON counter TO PUBLIC")
	require.NoError(t, err)
	replicas, registry := openReplicas(t, primary, replica.URL(home))
	ctx, cancel := context.WithCancel(t.Context())
	var working sync.WaitGroup
	working.Go(func() { replicas.Watch(ctx) })
	var written, position atomic.Uint64
	working.Go(func() {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for ctx.Err() == nil {
			<-tick.C
			var n uint64
			if !assert.NoError(t, primary.QueryRow(t.Context(), "UPDATE counter SET n = n + 1 RETURNING n").Scan(&n)) {
				return
			}
			at, err := primary.Position(t.Context())
			if !assert.NoError(t, err) {
				return
			}
			position.Store(at) // Before the other: who knows of the write knows its position.
			written.Store(n)
		}
	})
	for range 4 {
		working.Go(func() {
			for ctx.Err() == nil {
				known := written.Load()
				n, err := database.Read(t.Context(), replicas, primary, position.Load(), func(ctx context.Context, db *database.DB) (n uint64, err error) {
					err = db.QueryRow(ctx, "SELECT n FROM counter").Scan(&n)
					return n, err
				})
				if !assert.NoError(t, err) || !assert.GreaterOrEqual(t, n, known, "older than the reader's own write") {
					return
				}
			}
		})
	}
	reads := func() float64 { return total(t, registry, "radpanel_database_replica_reads_total") }
	usable := func() float64 { return total(t, registry, "radpanel_database_replica_usable") }
	isRead := func(why string) {
		t.Helper()
		before := reads()
		require.Eventually(t, func() bool { return reads() > before+50 }, 30*time.Second, 10*time.Millisecond, "the replica is read %s", why)
	}
	isLeftOut := func(why string) {
		t.Helper()
		struck := time.Now()
		require.Eventually(t, func() bool { return usable() == 0 }, 10*time.Second, time.Millisecond, why)
		t.Logf("%s: left out after %v", why, time.Since(struck).Round(time.Millisecond))
	}
	isRead("at first")

	replica.Kill()
	isLeftOut("killed")
	replica.Start()
	isRead("after it was killed")
	for range 5 { // Back before anybody has noticed, and not yet where it was.
		replica.Kill()
		replica.Start()
		isRead("after it was restarted")
	}

	replica.Signal(syscall.SIGSTOP)
	isLeftOut("frozen")
	replica.Signal(syscall.SIGCONT)
	isRead("after it was frozen")

	_, err = replica.Connect(t, home).Exec(t.Context(), "SELECT pg_wal_replay_pause()")
	require.NoError(t, err)
	isLeftOut("held back")
	_, err = replica.Connect(t, home).Exec(t.Context(), "SELECT pg_wal_replay_resume()")
	require.NoError(t, err)
	isRead("after it was held back")

	_, err = replica.Connect(t, home).Exec(t.Context(), "SELECT pg_promote()")
	require.NoError(t, err)
	isLeftOut("promoted by mistake")

	cancel()
	working.Wait()
	t.Logf("%d writes, %v reads at the replica, %v failed there", written.Load(), reads(), total(t, registry, "radpanel_database_replica_fallbacks_total"))
}

// A replica that the primary refuses may be as far as the primary and yet on another history, such as after the primary was
// put back to a moment. It is not read until it follows again.
func TestAReplicaThatDoesNotFollowIsNotRead(t *testing.T) {
	t.Parallel()
	own, other := databasetest.StartServer(t), databasetest.StartServer(t)
	home, replica := own.NewDatabase(t), own.NewReplica(t)
	primary := home.Open(t)
	replicas, registry := openReplicas(t, primary, replica.URL(home))
	ctx, cancel := context.WithCancel(t.Context())
	var working sync.WaitGroup
	working.Go(func() { replicas.Watch(ctx) })
	defer working.Wait()
	defer cancel()
	isRead := func() bool { return total(t, registry, "radpanel_database_replica_usable") == 1 }
	require.Eventually(t, isRead, 30*time.Second, 10*time.Millisecond)

	// A primary with another history takes its place, and writes nothing. The replica asks it again and again.
	admin := replica.Connect(t, home)
	var conninfo string
	require.NoError(t, admin.QueryRow(t.Context(), "SHOW primary_conninfo").Scan(&conninfo))
	follow := func(conninfo string) {
		_, err := admin.Exec(t.Context(), "ALTER SYSTEM SET primary_conninfo = '"+conninfo+"'")
		require.NoError(t, err)
		_, err = admin.Exec(t.Context(), "SELECT pg_reload_conf()")
		require.NoError(t, err)
	}
	var here, there string
	require.NoError(t, home.Connect(t).QueryRow(t.Context(), "SHOW unix_socket_directories").Scan(&here))
	require.NoError(t, other.NewDatabase(t).Connect(t).QueryRow(t.Context(), "SHOW unix_socket_directories").Scan(&there))
	follow(strings.ReplaceAll(conninfo, here, there))
	require.Eventually(t, func() bool { return !isRead() }, 10*time.Second, time.Millisecond)
	assert.Never(t, isRead, 3*time.Second, time.Millisecond)
	follow(conninfo)
	require.Eventually(t, isRead, 30*time.Second, 10*time.Millisecond)
}

func total(t *testing.T, registry *prometheus.Registry, name string) (sum float64) {
	t.Helper()
	families, err := registry.Gather()
	require.NoError(t, err)
	for _, family := range families {
		if family.GetName() == name {
			for _, metric := range family.GetMetric() {
				sum += metric.GetCounter().GetValue() + metric.GetGauge().GetValue()
			}
		}
	}
	return sum
}
