package machine_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/infra/machine"
	"github.com/radpanel/radpanel/stacks"
)

// rendered is what every program's arguments can do.
type rendered interface {
	Files() (map[string]string, error)
}

func blueprint(t *testing.T, tier stacks.Tier) stacks.Blueprint {
	t.Helper()
	plan, err := stacks.Plan().Tier(tier)
	require.NoError(t, err)
	return plan.Blueprint
}

// resources gives a small machine where the blueprint's host is larger: tests must fit beside each other.
func resources(t *testing.T, b stacks.Blueprint) machine.Resources {
	t.Helper()
	host, ok := b.HostOf(stacks.PartDatabase)
	require.True(t, ok)
	return machine.ResourcesOf(host)
}

func postgres(t *testing.T, tier stacks.Tier) machine.Postgres {
	t.Helper()
	b := blueprint(t, tier)
	return machine.Postgres{
		Database:        b.Database,
		Host:            resources(t, b),
		DataFolder:      "/srv/panel/postgresql/data",
		ConfigFolder:    "/srv/panel/postgresql/conf",
		SocketFolder:    "/srv/panel/postgresql/run",
		SocketMode:      0o777,
		ListenAddresses: []netip.Addr{netip.MustParseAddr("127.0.0.1")},
		Port:            5432,
		Superuser:       "postgres",
		SystemUsers:     []string{"postgres", "root"},
		Name:            "panel",
		Roles:           []machine.PostgresRole{machine.ServiceRole("rad_app"), machine.OwnerRole("rad_owner")},
	}
}

func pgbouncer(t *testing.T, tier stacks.Tier) machine.PgBouncer {
	t.Helper()
	return machine.PgBouncer{
		Database:        blueprint(t, tier).Database,
		ConfigFolder:    "/srv/panel/pgbouncer/conf",
		SocketFolder:    "/srv/panel/pgbouncer/run",
		SocketMode:      0o777,
		ListenAddresses: []netip.Addr{netip.MustParseAddr("127.0.0.1")},
		Port:            6432,
		Name:            "panel",
		ServerHost:      "/srv/panel/postgresql/run",
		ServerPort:      5432,
		Users: []machine.Login{
			{Name: "rad_app", Password: `a "quoted" 'word'; \ and = more`},
			{Name: "rad_admin", Password: "another"},
		},
		Admins:   []string{"rad_admin"},
		Watchers: []string{"rad_app"},
	}
}

func nginx(t *testing.T, tier stacks.Tier) machine.Nginx {
	t.Helper()
	b := blueprint(t, tier)
	return machine.Nginx{
		Web:             b.Web,
		Host:            resources(t, b),
		Folder:          "/srv/panel/nginx",
		Root:            "/srv/panel/release/web",
		BrotliModule:    machine.DebianBrotliModule,
		Listen:          netip.MustParseAddrPort("127.0.0.1:8080"),
		ServerNames:     []string{"localhost", "127.0.0.1"},
		Upstreams:       []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:8081")},
		FileSizeLimit:   25 << 20,
		RequestTimeout:  15 * time.Second,
		TransferTimeout: 10 * time.Minute,
		AccessLog:       "/dev/stdout",
		Generation:      "@GENERATION@",
	}
}

// balancer is the nginx of a tier with more than one backend.
func balancer(t *testing.T, tier stacks.Tier) machine.Nginx {
	t.Helper()
	n := nginx(t, tier)
	n.Upstreams = append(n.Upstreams, netip.MustParseAddrPort("127.0.0.1:8082"))
	n.BackendsFile = "/srv/panel/balancer-health/backends.conf"
	n.Front = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	n.Objects = &machine.ObjectStore{Address: netip.MustParseAddrPort("127.0.0.1:9000"), Bucket: "panel-files"}
	return n
}

func edge(t *testing.T, tier stacks.Tier) machine.Edge {
	t.Helper()
	host, ok := blueprint(t, tier).HostOf(stacks.PartWeb)
	require.True(t, ok)
	return machine.Edge{
		Host: machine.ResourcesOf(host), Folder: "/srv/panel/edge", CacheFolder: "/srv/panel/edge/cache", CacheSize: 256 * stacks.MiB,
		Listen: netip.MustParseAddrPort("127.0.0.1:8080"), Origin: netip.MustParseAddrPort("127.0.0.1:8090"), Release: "0123456789abcdef",
		FileSizeLimit: 25 << 20, TransferTimeout: 10 * time.Minute, AccessLog: "/dev/stdout", Generation: "@GENERATION@",
	}
}

func redis(t *testing.T, tier stacks.Tier) machine.Redis {
	t.Helper()
	return machine.Redis{
		Cache:        blueprint(t, tier).Cache,
		Folder:       "/srv/panel/redis",
		ConfigFolder: "/srv/panel/redis/conf",
		SocketFolder: "/srv/panel/redis/run",
		Port:         6379,
		User:         "panel",
		Password:     "a password",
	}
}
