package cache

import (
	"context"
	"fmt"
	"time"
)

const (
	// leaseShare is how often the lease is renewed in a term: one that fails does no harm.
	leaseShare = 2
	// pauseTerms is for how many terms the cache is not used after its trust was revoked; renewed while Redis fails.
	pauseTerms = 5
	// revokeTime bounds how long a change waits for the database to be told that the cache is not trusted.
	revokeTime = 2 * time.Second
)

// lease is the database's word that the cache may be used.
type lease struct {
	epoch int64
	until time.Time
	// age is how old the epoch was when the lease was given.
	age time.Duration
}

// Run keeps the lease, and looks whether a Redis that failed is back, until ctx ends.
func (c *Cache) Run(ctx context.Context) {
	if c == nil {
		return
	}
	tick := time.NewTicker(c.options.Term / leaseShare)
	defer tick.Stop()
	for {
		c.renew(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (c *Cache) renew(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, c.options.Term/leaseShare)
	defer cancel()
	if c.isFailing() && !c.recovered(ctx) {
		return
	}
	asked := time.Now()
	state, err := c.options.DB.GetCacheState(ctx)
	if err != nil {
		c.options.Log.DebugContext(ctx, "the cache's lease was not renewed", "error", err)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if state.Disabled || c.failing {
		c.lease = lease{}
		return
	}
	c.lease = lease{epoch: state.Epoch, until: asked.Add(c.options.Term), age: state.EpochAge}
}

// recovered looks whether Redis answers again. If so, an epoch begins before it is used; if not, all others are kept
// from using it too, for they may reach it while this instance cannot tell it of a change.
func (c *Cache) recovered(ctx context.Context) bool {
	back := c.redis.Ping(ctx).Err() == nil
	c.mu.Lock()
	// A change that Redis does not know of must be over before the pause is.
	back = back && c.unheld == 0
	again := time.Since(c.revocation) > c.options.Term*pauseTerms/2
	c.mu.Unlock()
	if back || again {
		if err := c.revoke(ctx); err != nil {
			c.options.Log.WarnContext(ctx, "the cache is not trusted, but the database could not be told", "error", err)
			return false
		}
	}
	if !back {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.unheld > 0 {
		return false
	}
	c.failing = false
	c.options.Log.InfoContext(ctx, "the cache answers again")
	return true
}

// trusted gives the lease if it has not run out.
func (c *Cache) trusted() (lease, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lease, !c.failing && time.Now().Before(c.lease.until)
}

// still tells whether the cache may still be used in the epoch of a lease.
func (c *Cache) still(l lease) bool {
	now, ok := c.trusted()
	return ok && now.epoch == l.epoch
}

func (c *Cache) isFailing() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.failing
}

// fail notes that Redis did not answer as it should.
func (c *Cache) fail(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return // It was the caller who did not wait.
	}
	c.metrics.failures.Inc()
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.failing {
		c.options.Log.WarnContext(ctx, "the cache fails and is not used", "error", err)
	}
	c.failing, c.lease = true, lease{}
}

// distrust returns when nobody uses what the cache holds now, nor will for a while: a change can then be committed that
// the cache was not told of. Run prolongs the pause for as long as there is such a change.
func (c *Cache) distrust(ctx context.Context) error {
	result := c.revoking.DoChan("", func() (any, error) {
		c.mu.Lock()
		pause := time.Since(c.revocation)
		c.mu.Unlock()
		if pause > c.options.Term*(pauseTerms-1) {
			bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), revokeTime)
			defer cancel()
			if err := c.revoke(bounded); err != nil {
				return nil, err
			}
		}
		c.mu.Lock()
		left := c.options.Term - time.Since(c.revoked) // for which leases from before last
		c.mu.Unlock()
		timer := time.NewTimer(left)
		defer timer.Stop()
		<-timer.C
		return nil, nil
	})
	select {
	case <-ctx.Done():
		return ctx.Err()
	case outcome := <-result:
		if outcome.Err != nil {
			return fmt.Errorf("the cache fails, and the database could not be told: %w", outcome.Err)
		}
		return nil
	}
}

// revoke begins an epoch in which the cache is not used for a while.
func (c *Cache) revoke(ctx context.Context) error {
	began := time.Now()
	if _, err := c.options.DB.RevokeCache(ctx, c.options.Term*pauseTerms); err != nil {
		return err
	}
	c.metrics.revocations.Inc()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.revocation, c.revoked, c.lease = began, time.Now(), lease{}
	return nil
}
