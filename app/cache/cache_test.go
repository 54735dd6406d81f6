package cache_test

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/app/cache"
	"github.com/radpanel/radpanel/app/cache/cachetest"
	"github.com/radpanel/radpanel/app/config"
	"github.com/radpanel/radpanel/app/database"
	"github.com/radpanel/radpanel/app/database/databasetest"
)

var server databasetest.Server

func TestMain(m *testing.M) { os.Exit(server.Run(m)) }

// instance is one instance of the service, as far as its cache is concerned.
type instance struct {
	*cache.Cache
	db       *database.DB
	registry *prometheus.Registry
}

// steady are options of a cache that is used without a break on a machine that is busy with other tests: it takes no late answer for
// a failure.
var steady = cache.Options{Term: 10 * time.Second, RoundTrip: 3 * time.Second}

// newInstance opens the cache of an instance on a database, with the limits of the options.
func newInstance(t *testing.T, home *databasetest.Database, url config.Secret, options cache.Options) *instance {
	t.Helper()
	i := &instance{registry: prometheus.NewRegistry()}
	options.URL, options.DB, options.Log, options.Registry = url, home.Open(t), slog.New(slog.DiscardHandler), i.registry
	var err error
	i.Cache, err = cache.Open(options)
	require.NoError(t, err)
	i.db = home.OpenWith(t, database.Options{Connections: 10, Wait: 5 * time.Second, Invalidator: i.Cache})
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { i.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		running.Wait()
		require.NoError(t, i.Close())
	})
	return i
}

func (i *instance) awaitTrust(t *testing.T) {
	t.Helper()
	require.Eventually(t, func() bool { return i.trusted(t) == 1 }, 30*time.Second, 5*time.Millisecond, "the cache is used")
}

func (i *instance) trusted(t *testing.T) float64 { return i.sum(t, "radpanel_cache_trusted") }

func (i *instance) sum(t *testing.T, name string, result ...string) (sum float64) {
	t.Helper()
	families, err := i.registry.Gather()
	require.NoError(t, err)
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			if family.GetName() != name {
				continue
			}
			matches := len(result) == 0
			for _, label := range metric.GetLabel() {
				matches = matches || label.GetName() == "result" && label.GetValue() == result[0]
			}
			if matches {
				sum += metric.GetCounter().GetValue() + metric.GetGauge().GetValue()
			}
		}
	}
	return sum
}

// A cell is a row of a table of the tests: a number that only grows.
type cell struct {
	id uuid.UUID
	// acknowledged is the newest value whose write was acknowledged.
	acknowledged atomic.Int64
	writing      sync.Mutex
}

func newCells(t *testing.T, home *databasetest.Database, n int) []*cell {
	t.Helper()
	owner := home.Connect(t)
	_, err := owner.Exec(t.Context(), "CREATE TABLE cells (id uuid PRIMARY KEY, n bigint NOT NULL); GRANT ALL ON cells TO PUBLIC")
	require.NoError(t, err)
	cells := make([]*cell, n)
	for i := range cells {
		cells[i] = &cell{id: uuid.New()}
		_, err := owner.Exec(t.Context(), "INSERT INTO cells VALUES ($1, 0)", cells[i].id)
		require.NoError(t, err)
	}
	return cells
}

func (c *cell) item() cache.Item {
	return cache.Item{Kind: "cell", Key: c.id.String(), Scopes: []database.Scope{database.RecordScope(c.id), database.PanelScope(c.id)}}
}

func (i *instance) read(ctx context.Context, c *cell) (int64, error) {
	return cache.Get(ctx, i.Cache, c.item(), func(ctx context.Context) (n int64, err error) {
		err = i.db.QueryRow(ctx, "SELECT n FROM cells WHERE id = $1", c.id).Scan(&n)
		return n, err
	})
}

// write adds one, by a statement or by a transaction.
func (i *instance) write(ctx context.Context, c *cell) (n int64, err error) {
	const statement = "UPDATE cells SET n = n + 1 WHERE id = $1 RETURNING n"
	scope := []database.Scope{database.RecordScope(c.id), database.OwnerScope(c.id)}
	if rand.IntN(2) == 0 {
		err = i.db.Change(ctx, scope, func() error { return i.db.QueryRow(ctx, statement, c.id).Scan(&n) })
		return n, err
	}
	err = i.db.InTx(ctx, func(tx *database.Tx) error {
		tx.Changes(scope...)
		return tx.QueryRow(ctx, statement, c.id).Scan(&n)
	})
	return n, err
}

func TestARowIsReadOnceAndThenFromTheCache(t *testing.T) {
	t.Parallel()
	home := server.NewDatabase(t)
	i := newInstance(t, home, cachetest.Start(t, "64mb").URL(), steady)
	c := newCells(t, home, 1)[0]
	i.awaitTrust(t)
	for range 10 {
		n, err := i.read(t.Context(), c)
		require.NoError(t, err)
		require.Zero(t, n)
	}
	assert.InDelta(t, 9, i.sum(t, "radpanel_cache_requests_total", "hit"), 0)
	n, err := i.write(t.Context(), c)
	require.NoError(t, err)
	again, err := i.read(t.Context(), c)
	require.NoError(t, err)
	assert.Equal(t, n, again)
}

// The instances of two versions of the service run beside each other while one takes the other's place.
func TestACopyOfAnotherVersionIsNotRead(t *testing.T) {
	t.Parallel()
	type inner struct{ Name string }
	type before struct {
		N     int64
		Inner *inner
	}
	type newInner struct{ Name, Note string }
	type after struct {
		N     int64
		Inner *newInner
	}
	home := server.NewDatabase(t)
	i := newInstance(t, home, cachetest.Start(t, "64mb").URL(), steady)
	c := newCells(t, home, 1)[0]
	i.awaitTrust(t)
	readBefore := func() before {
		got, err := cache.Get(t.Context(), i.Cache, c.item(), func(ctx context.Context) (before, error) {
			var n int64
			err := i.db.QueryRow(ctx, "SELECT n FROM cells WHERE id = $1", c.id).Scan(&n)
			return before{n, &inner{"name"}}, err
		})
		require.NoError(t, err)
		return got
	}
	readAfter := func() after {
		got, err := cache.Get(t.Context(), i.Cache, c.item(), func(ctx context.Context) (after, error) {
			var n int64
			err := i.db.QueryRow(ctx, "SELECT n FROM cells WHERE id = $1", c.id).Scan(&n)
			return after{n, &newInner{"name", "note"}}, err
		})
		require.NoError(t, err)
		return got
	}
	hits := func() float64 { return i.sum(t, "radpanel_cache_requests_total", "hit") }
	for range 2 {
		assert.Equal(t, before{0, &inner{"name"}}, readBefore())
		assert.Equal(t, after{0, &newInner{"name", "note"}}, readAfter())
	}
	assert.InDelta(t, 2, hits(), 0, "each has a copy of its own")
	n, err := i.write(t.Context(), c)
	require.NoError(t, err)
	assert.Equal(t, n, readBefore().N, "a change counts for both")
	assert.Equal(t, n, readAfter().N)
	cache.Forget[after](t.Context(), i.Cache, c.item())
	readAfter()
	assert.InDelta(t, 2, hits(), 0, "what is forgotten is read again")
	readAfter()
	assert.InDelta(t, 3, hits(), 0)
}

func TestThatThereIsNoRowIsKeptUntilThereIsOne(t *testing.T) {
	t.Parallel()
	home := server.NewDatabase(t)
	i := newInstance(t, home, cachetest.Start(t, "64mb").URL(), steady)
	newCells(t, home, 0)
	c := &cell{id: uuid.New()}
	i.awaitTrust(t)
	for range 5 {
		_, err := i.read(t.Context(), c)
		require.ErrorIs(t, err, database.ErrNotFound)
	}
	assert.InDelta(t, 4, i.sum(t, "radpanel_cache_requests_total", "negative"), 0)
	require.NoError(t, i.db.Change(t.Context(), []database.Scope{database.RecordScope(c.id)}, func() error {
		_, err := i.db.Exec(t.Context(), "INSERT INTO cells VALUES ($1, 7)", c.id)
		return err
	}))
	n, err := i.read(t.Context(), c)
	require.NoError(t, err)
	assert.EqualValues(t, 7, n)
}

func TestManyWhoMissTheSameRowReadTheDatabaseOnce(t *testing.T) {
	t.Parallel()
	home := server.NewDatabase(t)
	i := newInstance(t, home, cachetest.Start(t, "64mb").URL(), steady)
	c := newCells(t, home, 1)[0]
	i.awaitTrust(t)
	var loads atomic.Int64
	proceed := make(chan struct{})
	impatient, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	for n := range 20 {
		ctx := t.Context()
		if n == 0 {
			ctx = impatient
		}
		group.Go(func() {
			n, err := cache.Get(ctx, i.Cache, c.item(), func(context.Context) (int64, error) {
				loads.Add(1)
				<-proceed
				return 42, nil
			})
			if ctx == impatient && errors.Is(err, context.Canceled) {
				return
			}
			assert.NoError(t, err)
			assert.EqualValues(t, 42, n)
		})
	}
	require.Eventually(t, func() bool { return i.sum(t, "radpanel_cache_requests_total", "miss") == 20 }, 10*time.Second, time.Millisecond)
	cancel() // It must not fail the others, even if it is the one that reads.
	close(proceed)
	group.Wait()
	// Two generations may begin at once, before one of them is everybody's.
	assert.LessOrEqual(t, loads.Load(), int64(2))
}

func TestWithoutRedisEverythingWorks(t *testing.T) {
	t.Parallel()
	home := server.NewDatabase(t)
	i := newInstance(t, home, "unix:///nowhere/redis.sock", cache.Options{Term: 100 * time.Millisecond})
	c := newCells(t, home, 1)[0]
	for want := range int64(5) {
		n, err := i.write(t.Context(), c)
		require.NoError(t, err)
		assert.Equal(t, want+1, n)
		n, err = i.read(t.Context(), c)
		require.NoError(t, err)
		assert.Equal(t, want+1, n)
	}
}

func TestAWriterThatDiesLeavesNoOldCopyBehind(t *testing.T) {
	t.Parallel()
	home := server.NewDatabase(t)
	i := newInstance(t, home, cachetest.Start(t, "64mb").URL(), steady)
	c := newCells(t, home, 1)[0]
	i.awaitTrust(t)
	_, err := i.read(t.Context(), c)
	require.NoError(t, err)
	// What a writer does up to its commit. It never gets to the release.
	_, err = i.Hold(t.Context(), []database.Scope{database.RecordScope(c.id)})
	require.NoError(t, err)
	_, err = home.Connect(t).Exec(t.Context(), "UPDATE cells SET n = 1")
	require.NoError(t, err)
	for range 3 {
		n, err := i.read(t.Context(), c)
		require.NoError(t, err)
		assert.EqualValues(t, 1, n)
	}
}

// A full Redis forgets what is used least, and nothing else changes.
func TestAFullRedisServesOn(t *testing.T) {
	t.Parallel()
	home := server.NewDatabase(t)
	redis := cachetest.Start(t, "4mb")
	i := newInstance(t, home, redis.URL(), steady)
	newCells(t, home, 0)
	i.awaitTrust(t)
	filler := string(make([]byte, 20_000))
	for range 1000 {
		id := uuid.New()
		got, err := cache.Get(t.Context(), i.Cache, (&cell{id: id}).item(), func(context.Context) (string, error) { return id.String() + filler, nil })
		require.NoError(t, err)
		require.Equal(t, id.String()+filler, got)
	}
	bytes, err := i.Memory(t.Context())
	require.NoError(t, err)
	assert.Less(t, bytes, int64(6<<20))
	assert.Zero(t, i.sum(t, "radpanel_cache_failures_total"))
}

// The heart of it: two instances, of which one loses Redis now and then, read and write the same rows while Redis is
// killed, frozen, emptied and started anew. No read may be older than what was acknowledged before it began.
func TestNoReadIsOlderThanWhatWasAcknowledged(t *testing.T) {
	t.Parallel()
	home := server.NewDatabase(t)
	redis := cachetest.Start(t, "64mb")
	const term = 200 * time.Millisecond
	hurried := cache.Options{Term: term}
	cut := newCable(t, redis)
	instances := []*instance{newInstance(t, home, redis.URL(), hurried), newInstance(t, home, cut.URL(), hurried)}
	cells := newCells(t, home, 6)
	for _, i := range instances {
		i.awaitTrust(t)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	var reads, writes atomic.Int64
	for worker := range 12 {
		i := instances[worker%2]
		group.Go(func() {
			for ctx.Err() == nil {
				c := cells[rand.IntN(len(cells))]
				if rand.IntN(10) == 0 {
					writeOnce(t, i, c, &writes)
				} else {
					readOnce(t, i, c, &reads)
				}
			}
		})
	}
	faults := []struct {
		name string
		do   func()
	}{
		{"none", func() {}},
		{"killed", func() { redis.Kill(); pause(t, term); redis.Restart() }},
		{"frozen", func() { redis.Freeze(); pause(t, 4*term); redis.Thaw() }},
		{"emptied", func() {
			client := redis.Client()
			defer func() { _ = client.Close() }()
			require.NoError(t, client.FlushAll(t.Context()).Err())
		}},
		{"cut off from one", func() { cut.Cut(); pause(t, 12*term); cut.Mend() }},
		{"killed and back at once", func() { redis.Kill(); redis.Restart() }},
	}
	for range 3 {
		for _, fault := range faults {
			before := instances[0].sum(t, "radpanel_cache_requests_total", "hit")
			fault.do()
			pause(t, 2*term)
			if t.Failed() {
				t.Logf("after: %s", fault.name)
			}
			require.Eventually(t, func() bool {
				return instances[0].sum(t, "radpanel_cache_requests_total", "hit") > before+100
			}, 30*time.Second, 5*time.Millisecond, "after %q the cache is used again", fault.name)
		}
	}
	cancel()
	group.Wait()
	t.Logf("%d reads, %d writes, %v hits, %v revocations", reads.Load(), writes.Load(),
		instances[0].sum(t, "radpanel_cache_requests_total", "hit"), instances[0].sum(t, "radpanel_cache_revocations_total"))
	assert.Positive(t, instances[1].sum(t, "radpanel_cache_requests_total", "hit"))
}

func readOnce(t *testing.T, i *instance, c *cell, reads *atomic.Int64) {
	known := c.acknowledged.Load()
	n, err := i.read(t.Context(), c)
	if !assert.NoError(t, err, "without Redis a read is slower, not an error") {
		return
	}
	reads.Add(1)
	if n < known {
		assert.Fail(t, "too old", "%d was acknowledged, %d was read", known, n)
	}
}

func writeOnce(t *testing.T, i *instance, c *cell, writes *atomic.Int64) {
	c.writing.Lock()
	defer c.writing.Unlock()
	n, err := i.write(t.Context(), c)
	if !assert.NoError(t, err, "without Redis a write is slower, not an error") {
		return
	}
	c.acknowledged.Store(n)
	writes.Add(1)
}

// pause lets the workers go on for a while.
func pause(t *testing.T, length time.Duration) {
	t.Helper()
	timer := time.NewTimer(length)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-t.Context().Done():
	}
}

func TestTheLastWriteOfAUserIsKnownOrSaidNotToBe(t *testing.T) {
	t.Parallel()
	home := server.NewDatabase(t)
	redis := cachetest.Start(t, "64mb")
	var position atomic.Uint64
	position.Store(100)
	began := time.Now()
	// Until a write is as long ago as the furthest replica may be behind, twice.
	isYoung := func() bool { return time.Since(began) < 2*database.ReplicaLag }
	_, err := home.Connect(t).Exec(t.Context(), "UPDATE cache_state SET epoch_began = now()")
	require.NoError(t, err)
	i := newInstance(t, home, redis.URL(), cache.Options{
		RoundTrip: steady.RoundTrip, Position: func(context.Context) (uint64, error) { return position.Load(), nil },
	})
	c := newCells(t, home, 1)[0]
	i.awaitTrust(t)
	_, ok := i.LastWrite(t.Context(), c.id)
	require.False(t, ok && isYoung(), "the epoch is so young that an earlier write may not have been noted")

	_, err = home.Connect(t).Exec(t.Context(), "UPDATE cache_state SET epoch_began = now() - interval '1 hour'")
	require.NoError(t, err)
	known := func() (at uint64) {
		t.Helper()
		require.Eventually(t, func() bool { at, ok = i.LastWrite(t.Context(), c.id); return ok }, 30*time.Second, 5*time.Millisecond)
		return at
	}
	known()
	_, err = i.write(t.Context(), c)
	require.NoError(t, err)
	assert.EqualValues(t, 100, known())
	position.Store(50) // Another instance's answer may come late.
	_, err = i.write(t.Context(), c)
	require.NoError(t, err)
	assert.EqualValues(t, 100, known(), "a position never goes back")

	release, err := i.Hold(t.Context(), []database.Scope{database.OwnerScope(c.id)})
	require.NoError(t, err)
	_, ok = i.LastWrite(t.Context(), c.id)
	assert.False(t, ok, "a write is under way")
	require.NoError(t, release(t.Context(), nil))

	began = time.Now() // The next epoch is younger.
	redis.Kill()
	redis.Restart()
	require.Eventually(t, func() bool {
		at, ok := i.LastWrite(t.Context(), c.id)
		if ok && at < 100 && isYoung() {
			t.Errorf("a Redis that has forgotten the position says %d", at)
		}
		return i.sum(t, "radpanel_cache_revocations_total") > 0 && i.trusted(t) == 1
	}, 30*time.Second, 5*time.Millisecond)
	_, ok = i.LastWrite(t.Context(), c.id)
	assert.False(t, ok && isYoung())
}
