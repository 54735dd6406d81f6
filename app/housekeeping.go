package main

import (
	"context"
	"time"
)

const (
	housekeepingEvery = 10 * time.Minute
	// idempotencyKeysKept is how long a repeated request gets the first answer.
	idempotencyKeysKept = 24 * time.Hour
)

// housekeep removes the rows that have had their time, until ctx ends. It does no harm when several instances do it.
func (s *service) housekeep(ctx context.Context) {
	tick := time.NewTicker(housekeepingEvery)
	defer tick.Stop()
	for {
		if n, err := s.accounts.DeleteExpiredSessions(ctx); err != nil {
			s.log.WarnContext(ctx, "expired sessions stay until the next round", "error", err)
		} else if n > 0 {
			s.log.InfoContext(ctx, "expired sessions removed", "rows", n)
		}
		if _, err := s.db.DeleteOldIdempotencyKeys(ctx, time.Now().Add(-idempotencyKeysKept)); err != nil {
			s.log.WarnContext(ctx, "old idempotency keys stay until the next round", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
