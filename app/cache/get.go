package cache

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"
	"github.com/vmihailenco/msgpack/v5"

	"github.com/radpanel/radpanel/app/database"
)

const (
	// valueTime is how long a copy is kept; missingTime, that there is no such row.
	valueTime   = 10 * time.Minute
	missingTime = time.Minute
	// generationTime is longer than any copy lives.
	generationTime = time.Hour
	// largestValue bounds a copy, in bytes: a few large ones must not push out many small ones.
	largestValue = 64 << 10
	// loadTime bounds the reading of the database for all who wait for it.
	loadTime = 10 * time.Second
)

// Item says what is read.
type Item struct {
	// Kind is what it is, for the metrics: session, panel or record.
	Kind string
	// Key tells it from others of its kind. It names who asks where not everybody may.
	Key string
	// Scopes are all whose changes change it.
	Scopes []database.Scope
	// Found says that only what there is is kept: who asks may make up keys at will.
	FoundOnly bool
}

// Get gives a row from the cache, or else from load, which reads the primary; database.ErrNotFound is kept like a row.
// Any other error of load passes through.
func Get[T any](ctx context.Context, c *Cache, item Item, load func(context.Context) (T, error)) (T, error) {
	if c == nil {
		return load(ctx)
	}
	lease, ok := c.trusted()
	if !ok {
		c.metrics.count(item.Kind, bypassed)
		return load(ctx)
	}
	entry := entry{cache: c, item: item, lease: lease, key: keyOf[T](c, lease, item)}
	value, usable := entry.read(ctx)
	if !usable || !c.still(lease) {
		c.metrics.count(item.Kind, bypassed)
		return load(ctx)
	}
	if value != nil {
		found, err := decode[T](value)
		if err == nil || errors.Is(err, database.ErrNotFound) {
			c.metrics.count(item.Kind, outcomeOf(err))
			return found, err
		}
		c.options.Log.WarnContext(ctx, "a copy in the cache cannot be read", "kind", item.Kind, "error", err)
	}
	c.metrics.count(item.Kind, miss)
	return fill(ctx, entry, load)
}

// Forget drops the copy of an item, if there is one: the next [Get] of the same type makes another.
func Forget[T any](ctx context.Context, c *Cache, item Item) {
	if lease, ok := c.trusted(); ok {
		_ = c.exchange(ctx, func(ctx context.Context) error { return c.redis.Del(ctx, keyOf[T](c, lease, item)).Err() })
	}
}

func keyOf[T any](c *Cache, l lease, item Item) string {
	return "value:" + strconv.FormatInt(l.epoch, 10) + ":" + item.Kind + ":" + shapeOf[T](c) + ":" + item.Key
}

// entry is an item in an epoch, with the generations of its scopes.
type entry struct {
	cache       *Cache
	item        Item
	lease       lease
	key         string
	generations string
}

// read looks for the copy. It is not usable if Redis fails or a change is under way; value is nil if there is none that
// counts, and then the generations are known.
func (e *entry) read(ctx context.Context) (value []byte, usable bool) {
	keys := []string{e.key}
	for _, scope := range e.item.Scopes {
		keys = append(keys, generationKey(scope))
	}
	var values []any
	err := e.cache.exchange(ctx, func(ctx context.Context) (err error) {
		values, err = e.cache.redis.MGet(ctx, keys...).Result()
		return err
	})
	if err != nil {
		return nil, false
	}
	generations := make([]string, len(e.item.Scopes))
	for i := range generations {
		generation, known := values[i+1].(string)
		if !known {
			if generation, err = e.begin(ctx, keys[i+1]); err != nil {
				return nil, false
			}
		}
		if isHeld(generation) {
			return nil, false
		}
		generations[i] = generation
	}
	e.generations = strings.Join(generations, " ")
	text, _ := values[0].(string)
	head, body, found := strings.Cut(text, "\n")
	if !found || head != e.generations {
		return nil, true
	}
	return []byte(body), true
}

// begin begins a generation, unless another read or a change is faster.
func (e *entry) begin(ctx context.Context, key string) (generation string, err error) {
	mine := uuid.NewString()
	err = e.cache.exchange(ctx, func(ctx context.Context) error {
		theirs, err := e.cache.redis.SetArgs(ctx, key, mine, redis.SetArgs{Mode: "NX", Get: true, TTL: generationTime}).Result()
		if err == nil {
			generation = theirs
		} else if errors.Is(err, redis.Nil) {
			generation, err = mine, nil
		}
		return err
	})
	return generation, err
}

// fill reads the database once for all who miss the same copy, and leaves one. Whoever began after a change knows
// another generation, and does not share a read from before it.
func fill[T any](ctx context.Context, e entry, load func(context.Context) (T, error)) (T, error) {
	flight := e.cache.flights.DoChan(e.key+"\n"+e.generations, func() (any, error) {
		// One who gives up does not end it for the others.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), loadTime)
		defer cancel()
		found, err := load(ctx)
		if err == nil || errors.Is(err, database.ErrNotFound) && !e.item.FoundOnly {
			e.store(ctx, found, err)
		}
		return found, err
	})
	select {
	case <-ctx.Done():
		var nothing T
		return nothing, ctx.Err()
	case landed := <-flight:
		found, _ := landed.Val.(T)
		return found, landed.Err
	}
}

func (e *entry) store(ctx context.Context, found any, missing error) {
	body, kept := []byte{absent}, missingTime
	if missing == nil {
		encoded, err := msgpack.Marshal(found)
		if err != nil {
			e.cache.options.Log.WarnContext(ctx, "not kept in the cache", "kind", e.item.Kind, "error", err)
			return
		}
		body, kept = append([]byte{present}, encoded...), valueTime
	}
	if len(body) > largestValue {
		return
	}
	value := append([]byte(e.generations+"\n"), body...)
	// A failure is noted; the read itself has gone well.
	_ = e.cache.exchange(ctx, func(ctx context.Context) error { return e.cache.redis.Set(ctx, e.key, value, kept).Err() })
}

// The first byte of a copy says whether there is a row.
const (
	absent  = '0'
	present = '1'
)

func decode[T any](value []byte) (found T, err error) {
	switch {
	case bytes.Equal(value, []byte{absent}):
		return found, database.ErrNotFound
	case len(value) > 0 && value[0] == present:
		if err := msgpack.Unmarshal(value[1:], &found); err != nil {
			return found, fmt.Errorf("decode a %T: %w", found, err)
		}
		return found, nil
	default:
		return found, fmt.Errorf("decode a %T: it begins with neither %q nor %q", found, absent, present)
	}
}
