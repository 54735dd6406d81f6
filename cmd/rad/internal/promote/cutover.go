package promote

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/radpanel/radpanel/infra/local"
)

// maxPause is how long writes are held at most: what is not done by then is undone.
const maxPause = time.Second

// The shares of maxPause that the parts may take, so that there is time left to undo.
const (
	drainTimeout  = 550 * time.Millisecond
	fenceTimeout  = 200 * time.Millisecond
	handOverLimit = 850 * time.Millisecond
)

// cutOver moves the writes from one side to the other. Whatever happens, exactly one of the two databases is writable
// afterwards, or none for as long as a server does not answer, and no write waits any longer.
//
//	hold      the poolers let running transactions end, and keep back what comes
//	fence     the database itself refuses writes, with a marker as its last one
//	await     the marker has arrived at the other side: so has everything
//	follow    the other side keeps what it will change from now on for this one
//	open      the other database lets writes through
//	turn      the poolers go there
type cutOver struct {
	from, to       local.Side
	fromDB, toDB   database
	spareDB        database // of from, for when fromDB still waits for an answer
	poolers        []pooler
	following      string // the subscription on the other side, which ends with this
	keeps          string // the slot on the other side that keeps what this side is to get; empty: it gets nothing
	epoch          int64
	at             func(point string)
	opening        func() error // is told before the other database may be open
	opened         bool         // it was told
	began, drained time.Time
}

// run gives how long writes were held, and which part of it transactions took to end.
func (c *cutOver) run(ctx context.Context) (pause, draining time.Duration, err error) {
	c.began = time.Now()
	ctx, cancel := context.WithDeadlineCause(ctx, c.began.Add(handOverLimit), fmt.Errorf("writes would have been held for longer than %s", maxPause))
	defer cancel()
	err = c.handOver(ctx)
	if err != nil && ctx.Err() != nil {
		err = fmt.Errorf("%w: %w", context.Cause(ctx), err)
	}
	if !c.drained.IsZero() {
		draining = c.drained.Sub(c.began)
	}
	return time.Since(c.began), draining, err
}

// undo lets writes go on at once where they did, if it is certain that the other database was not opened: by connections
// that are there already. It tells whether it could; all else, settle does, which takes longer.
func (c *cutOver) undo(ctx context.Context) bool {
	if c.opened {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, maxPause)
	defer cancel()
	if c.spareDB.endOthers(ctx) != nil {
		return false
	}
	if f, err := c.spareDB.readFence(ctx); err != nil || !f.Writable && c.spareDB.open(ctx, f.Epoch) != nil {
		return false
	}
	all := true
	for _, p := range c.poolers {
		p.console = p.spare
		all = p.resume(ctx) == nil && all
	}
	return all
}

func (c *cutOver) handOver(ctx context.Context) error {
	c.at("hold")
	holding, cancel := context.WithTimeoutCause(ctx, drainTimeout, fmt.Errorf("transactions ran for longer than %s", drainTimeout))
	defer cancel()
	held := make(chan error, len(c.poolers))
	for _, p := range c.poolers {
		go func() { held <- p.pause(holding) }()
	}
	var errs []error
	for range c.poolers {
		errs = append(errs, <-held)
	}
	if err := errors.Join(errs...); err != nil {
		return errors.Join(err, context.Cause(holding))
	}
	c.drained = time.Now()
	c.at("fence")
	marker := uuid.Must(uuid.NewV7())
	if err := c.fromDB.close(ctx, marker, fenceTimeout); err != nil {
		return err
	}
	// A connection that waits for the end of a cancelled request is not closed by PAUSE, and would be used again.
	if err := c.fromDB.endClients(ctx); err != nil {
		return err
	}
	c.at("await")
	if err := c.toDB.awaitMarker(ctx, marker); err != nil {
		return err
	}
	c.at("follow")
	if err := c.toDB.exec(ctx, "stop following", "ALTER SUBSCRIPTION "+c.following+" DISABLE"); err != nil {
		return err
	}
	if c.keeps != "" {
		if err := c.toDB.exec(ctx, "keep changes for the other side", "SELECT pg_create_logical_replication_slot($1, 'pgoutput')", c.keeps); err != nil {
			return err
		}
	}
	c.at("open")
	c.opened = true
	if err := c.opening(); err != nil {
		return err
	}
	if err := c.toDB.open(ctx, c.epoch+1); err != nil {
		return err
	}
	c.at("turn")
	for _, p := range c.poolers {
		if err := p.side.Lead(c.to); err != nil {
			return err
		}
	}
	for _, p := range c.poolers {
		if err := p.resume(ctx); err != nil {
			return err
		}
	}
	c.at("turned")
	for _, p := range c.poolers {
		_ = p.side.EndTurn() // It had no connection. Left unsaid, the next promotion has it connect anew.
	}
	return nil
}
