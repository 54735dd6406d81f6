package cache

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"github.com/radpanel/radpanel/app/database"
)

const (
	// holdTime is longer than a change can take: a statement ends after a minute (see [machine.ServiceRole]).
	holdTime = 90 * time.Second
	// releaseTime bounds the end of a change: Redis is told, or else the database (see revokeTime) and a term waited out.
	releaseTime = 4 * time.Second
	// positionTime is how long the position of a write is remembered: a replica that is as far behind is not read.
	positionTime = 2 * database.ReplicaLag
)

// A generation that is held is "H" and the words of all who hold it.
const heldMark = 'H'

// placeHold adds a word to generations.
const placeHold = `
for _, key in ipairs(KEYS) do
  local value = redis.call('GET', key)
  if not value or value:sub(1, 1) ~= 'H' then value = 'H' end
  redis.call('SET', key, value .. ' ' .. ARGV[1], 'PX', ARGV[2])
end
return 1`

// liftHold takes it out. A generation that nobody holds any more begins anew with the next read.
const liftHold = `
for _, key in ipairs(KEYS) do
  local value, others = redis.call('GET', key), ''
  if value and value:sub(1, 1) == 'H' then
    for word in value:sub(2):gmatch('%S+') do
      if word ~= ARGV[1] then others = others .. ' ' .. word end
    end
  end
  if others == '' then redis.call('DEL', key) else redis.call('SET', key, 'H' .. others, 'KEEPTTL') end
end
return 1`

// notePosition keeps the furthest position.
const notePosition = `
for _, key in ipairs(KEYS) do
  local known = redis.call('GET', key)
  if not known or tonumber(known) < tonumber(ARGV[1]) then redis.call('SET', key, ARGV[1], 'PX', ARGV[2]) end
end
return 1`

func generationKey(scope database.Scope) string { return "generation:" + string(scope) }

func positionKey(scope database.Scope) string { return "position:" + string(scope) }

// Hold implements [database.Invalidator].
func (c *Cache) Hold(ctx context.Context, scopes []database.Scope) (func(context.Context, error) error, error) {
	if !c.isFailing() {
		word := uuid.NewString()
		keys := make([]string, len(scopes))
		for i, scope := range scopes {
			keys[i] = generationKey(scope)
		}
		err := c.exchange(ctx, func(ctx context.Context) error {
			return c.scripts.placeHold.Run(ctx, c.redis, keys, word, holdTime.Milliseconds()).Err()
		})
		if err == nil {
			c.metrics.holds.Inc()
			return c.release(scopes, keys, word), nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	c.withoutHold(1)
	if err := c.distrust(ctx); err != nil {
		c.withoutHold(-1)
		return nil, fmt.Errorf("%w: %w", database.ErrBusy, err)
	}
	return func(_ context.Context, outcome error) error {
		if uncertain(outcome) {
			time.AfterFunc(holdTime, func() { c.withoutHold(-1) })
		} else {
			c.withoutHold(-1)
		}
		return outcome
	}, nil
}

func (c *Cache) withoutHold(change int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.unheld += change
}

// release gives what ends a change whose scopes are held.
func (c *Cache) release(scopes []database.Scope, keys []string, word string) func(context.Context, error) error {
	return func(ctx context.Context, outcome error) error {
		if uncertain(outcome) {
			return outcome // It may take place yet. The hold stays until that is past.
		}
		// What the client does by now is of no interest: the change is made.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTime)
		defer cancel()
		err := c.exchange(ctx, func(ctx context.Context) error {
			if outcome == nil {
				if err := c.note(ctx, scopes); err != nil {
					return err
				}
			}
			return c.scripts.liftHold.Run(ctx, c.redis, keys, word).Err()
		})
		if err == nil || outcome != nil {
			return outcome
		}
		// Redis may have begun anew, without the hold, and got a copy from before the change.
		if err := c.distrust(ctx); err != nil {
			return fmt.Errorf("%w: %w", database.ErrUncertain, err)
		}
		return nil
	}
}

// note remembers for the owners of what has changed how far the primary has written.
func (c *Cache) note(ctx context.Context, scopes []database.Scope) error {
	if c.options.Position == nil {
		return nil
	}
	var owners []string
	for _, scope := range scopes {
		if scope.IsOwner() {
			owners = append(owners, positionKey(scope))
		}
	}
	if len(owners) == 0 {
		return nil
	}
	position, err := c.options.Position(ctx)
	if err != nil {
		return err
	}
	return c.scripts.notePosition.Run(ctx, c.redis, owners, strconv.FormatUint(position, 10), positionTime.Milliseconds()).Err()
}

// LastWrite tells how far the primary had written when a user's last change was committed; 0 is long ago. If ok is
// false it is not known, or a change is under way: only the primary can be read.
func (c *Cache) LastWrite(ctx context.Context, user uuid.UUID) (position uint64, ok bool) {
	if c == nil {
		return 0, false
	}
	lease, ok := c.trusted()
	if !ok || lease.age < positionTime {
		return 0, false // What was written before the epoch may not have been noted.
	}
	scope := database.OwnerScope(user)
	var values []any
	err := c.exchange(ctx, func(ctx context.Context) (err error) {
		values, err = c.redis.MGet(ctx, generationKey(scope), positionKey(scope)).Result()
		return err
	})
	if err != nil || !c.still(lease) {
		return 0, false
	}
	if generation, _ := values[0].(string); isHeld(generation) {
		return 0, false
	}
	text, known := values[1].(string)
	if !known {
		return 0, true
	}
	position, err = strconv.ParseUint(text, 10, 64)
	return position, err == nil
}

// uncertain tells whether a change may take place although it got no answer.
func uncertain(outcome error) bool {
	switch {
	case outcome == nil, errors.Is(outcome, database.ErrPoolExhausted):
		return false
	default:
		return errors.Is(outcome, database.ErrUncertain) || errors.Is(outcome, database.ErrBusy) ||
			errors.Is(outcome, context.Canceled) || errors.Is(outcome, context.DeadlineExceeded)
	}
}

func isHeld(generation string) bool { return generation != "" && generation[0] == heldMark }

// exchange talks to Redis once, and notes when that fails.
func (c *Cache) exchange(ctx context.Context, talk func(context.Context) error) error {
	began := time.Now()
	err := talk(ctx)
	c.metrics.roundTrips.Observe(time.Since(began).Seconds())
	if err != nil && !errors.Is(err, redis.Nil) {
		c.fail(ctx, err)
		return err
	}
	return nil
}
