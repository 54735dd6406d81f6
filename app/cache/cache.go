// Package cache keeps copies of rows in Redis: beside the database, never instead of it.
//
// A read through it is never older than a change that was acknowledged before the read began, whatever happens to Redis
// or to an instance of the service. Three rules make that so:
//
//   - Every scope (see [database.Scope]) has a generation in Redis, a random word. A copy carries the generations that its
//     scopes had before the database was read, and counts only while they are still the same.
//   - A change puts a hold into the generations of its scopes before it is committed, and takes it out afterwards. While
//     there is a hold, reads go to the database and leave no copy. Who dies in between leaves the hold behind, until it
//     expires.
//   - Trust in Redis is leased. The database says whether the cache may be used, in which epoch; what it said counts for a
//     second. An instance that cannot place a hold has the database revoke that, and commits its change only when every
//     lease has run out. The next epoch begins with an empty cache.
//
// So without Redis the service is slower, but neither wrong nor broken.
package cache

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
	"golang.org/x/sync/singleflight"

	"github.com/radpanel/radpanel/app/config"
	"github.com/radpanel/radpanel/app/database"
)

const (
	// usualRoundTrip bounds one exchange with Redis, which takes a tenth of a millisecond.
	usualRoundTrip = 250 * time.Millisecond
	connections    = 32
)

// Options say which Redis, and how far it can be trusted.
type Options struct {
	// URL is that of Redis; see [config.Config].
	URL config.Secret
	// DB grants the lease. It has a connection of its own: the cache must not be lost when requests use all others.
	DB  *database.DB
	Log *slog.Logger
	// Registry gets the metrics.
	Registry prometheus.Registerer
	// Position tells how far the primary has written, for reads from replicas. Nil: there are none.
	Position func(context.Context) (uint64, error)
	// Term is how long a lease lasts. 0: a second.
	Term time.Duration
	// RoundTrip bounds one exchange with Redis. 0: a quarter of a second. The end of a change waits for a few of them, and has
	// releaseTime for all that it waits for.
	RoundTrip time.Duration
}

// Cache is the cache of one instance. A nil *Cache is one that keeps nothing.
type Cache struct {
	options Options
	redis   *redis.Client
	flights singleflight.Group
	// shapes keeps what shapeOf found, by type.
	shapes  sync.Map
	metrics *metrics
	scripts struct{ placeHold, liftHold, notePosition *redis.Script }
	mu      sync.Mutex
	lease   lease
	// failing: Redis did not answer as it should, and is left alone until it does.
	failing bool
	// server tells one run of Redis from the next, which has forgotten everything.
	server string
	// revocation is when this instance last began to revoke the trust in the cache, revoked when that was done.
	revocation, revoked time.Time
	// unheld is how many changes are under way that Redis does not know of.
	unheld int

	revoking singleflight.Group
}

// Open prepares the cache. It connects when it is first used, so it succeeds while Redis is down.
func Open(options Options) (*Cache, error) {
	settings, err := redis.ParseURL(options.URL.Reveal())
	if err != nil {
		// The error could show the password.
		return nil, errors.New("cache URL: expected redis://user:password@host:port or unix://user:password@/path/to/redis.sock")
	}
	if options.Term == 0 {
		options.Term = time.Second
	}
	if options.RoundTrip == 0 {
		options.RoundTrip = usualRoundTrip
	}
	c := &Cache{options: options}
	c.scripts.placeHold, c.scripts.liftHold = redis.NewScript(placeHold), redis.NewScript(liftHold)
	c.scripts.notePosition = redis.NewScript(notePosition)
	c.metrics = newMetrics(c)
	options.Registry.MustRegister(c.metrics)
	settings.DialTimeout, settings.ReadTimeout, settings.WriteTimeout = options.RoundTrip, options.RoundTrip, options.RoundTrip
	settings.PoolTimeout, settings.PoolSize = options.RoundTrip, connections
	settings.ContextTimeoutEnabled = true
	settings.MaxRetries = -1 // The database is the second try.
	settings.DisableIdentity = true
	settings.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	settings.OnConnect = c.recognise
	c.redis = redis.NewClient(settings)
	c.redis.AddHook(tracer{})
	return c, nil
}

// Close closes the connections.
func (c *Cache) Close() error {
	if c == nil {
		return nil
	}
	return c.redis.Close()
}

// Memory is how much Redis uses, in bytes.
func (c *Cache) Memory(ctx context.Context) (bytes int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, c.options.RoundTrip)
	defer cancel()
	info, err := c.redis.Info(ctx, "memory").Result()
	if err != nil {
		return 0, fmt.Errorf("memory of Redis: %w", err)
	}
	text := infoField(info, "used_memory")
	if bytes, err = strconv.ParseInt(text, 10, 64); err != nil {
		return 0, fmt.Errorf("memory of Redis: used_memory is %q: %w", text, err)
	}
	return bytes, nil
}

// recognise looks which run of Redis a new connection leads to. One that began anew has forgotten the holds and the
// positions of others, so the epoch ends with it.
func (c *Cache) recognise(ctx context.Context, connection *redis.Conn) error {
	info, err := connection.Info(ctx, "server").Result()
	if err != nil {
		return err
	}
	run := infoField(info, "run_id")
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.server != "" && c.server != run {
		c.failing, c.lease = true, lease{}
	}
	c.server = run
	return nil
}

func infoField(info, name string) string {
	for line := range strings.Lines(info) {
		if value, found := strings.CutPrefix(strings.TrimSpace(line), name+":"); found {
			return value
		}
	}
	return ""
}
