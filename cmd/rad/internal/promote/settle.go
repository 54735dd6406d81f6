package promote

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/radpanel/radpanel/infra/local"
)

// sessionName is how the sessions of promotions are known to PostgreSQL.
const sessionName = "rad promote"

// settleTimeout bounds how long a broken cut-over is put in order; a server that was killed needs a moment to come back.
const settleTimeout = 2 * time.Minute

// GuardTimeout bounds how long the guard of a rad that was killed may still run: one that waits for writes that are held, for
// its rad to die, and to settle.
const GuardTimeout = settleTimeout + 2*maxPause + 10*time.Second

// settle puts in order what a cut-over that was broken off left behind, whatever it was: one database is writable
// afterwards, both poolers go there, and nothing waits. It tells which side that is. If no database is writable, the
// side that was is made so again: nothing can have been written on the other.
//
// Opened tells whether the database of to may have been opened. If it was not, the one of from is writable again at once, so
// that no write waits for a server or a network that does not answer.
func settle(ctx context.Context, from, to local.Side, opened bool) (writable local.Side, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, settleTimeout, fmt.Errorf("not in order after %s", settleTimeout))
	defer cancel()
	for {
		if !opened {
			if err = reopen(ctx, from); err == nil {
				opened = true // What is left may wait: the other side's pooler.
			}
		}
		writable, err = settleOnce(ctx, from, to)
		if err == nil {
			return writable, nil
		}
		select {
		case <-ctx.Done():
			return writable, fmt.Errorf("%w: %w; writes may be held until `rad promote`, or `rad promote rollback`, puts it in order: run it again once the servers answer", context.Cause(ctx), err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// reopen makes a side writable again, of which it is known that no other one is, and lets its pooler go on.
func reopen(ctx context.Context, side local.Side) error {
	d, err := connect(ctx, side)
	if err != nil {
		return err
	}
	defer d.Close(context.WithoutCancel(ctx)) //nolint:errcheck // The server forgets it either way.
	if err := d.endOthers(ctx); err != nil {
		return err
	}
	f, err := d.readFence(ctx)
	if err != nil {
		return err
	}
	if !f.Writable {
		if err := d.open(ctx, f.Epoch); err != nil {
			return err
		}
	}
	return turn(ctx, side, side)
}

func settleOnce(ctx context.Context, from, to local.Side) (writable local.Side, err error) {
	var reached []database
	var sides []local.Side
	var errs []error
	for _, side := range []local.Side{from, to} {
		d, err := connect(ctx, side)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		defer d.Close(context.WithoutCancel(ctx)) //nolint:errcheck // The server forgets it either way.
		if err := d.endOthers(ctx); err != nil {
			return from, err
		}
		reached, sides = append(reached, d), append(sides, side)
	}
	var fences []fence
	for i, d := range reached {
		f, err := d.readFence(ctx)
		if err != nil {
			return from, err
		}
		fences = append(fences, f)
		if f.Writable && len(reached) == 1 {
			// The other one is opened only after this one is closed, and the other way round.
			return sides[i], turnAll(ctx, sides[i], from, to)
		}
	}
	if len(reached) < 2 {
		return from, errors.Join(errs...)
	}
	switch {
	case fences[0].Writable && fences[1].Writable:
		return from, fmt.Errorf("the databases of %s and %s both say that they may be written to: rad never does that; "+
			"compare them, and fence one: UPDATE promotion.fence SET writable = false", from.Name, to.Name)
	case fences[0].Writable:
		return from, turnAll(ctx, from, from, to)
	case fences[1].Writable:
		return to, turnAll(ctx, to, from, to)
	}
	// The greater epoch was writable last.
	last := 0
	if fences[1].Epoch > fences[0].Epoch {
		last = 1
	}
	if err := reached[last].open(ctx, fences[last].Epoch); err != nil {
		return sides[last], err
	}
	return sides[last], turnAll(ctx, sides[last], from, to)
}

// turnAll makes both sides' poolers go to one of them.
func turnAll(ctx context.Context, to local.Side, sides ...local.Side) error {
	var errs []error
	for _, side := range sides {
		errs = append(errs, turn(ctx, side, to))
	}
	return errors.Join(errs...)
}

// endOthers ends what another rad left under way on this database, so that it cannot take effect later.
func (d database) endOthers(ctx context.Context) error {
	for {
		var others int
		err := d.QueryRow(ctx, `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
			WHERE application_name = $1 AND pid <> pg_backend_pid() AND backend_type = 'client backend'`, sessionName).Scan(&others)
		if err != nil || others == 0 {
			return d.fail("end the sessions of a rad that was killed", err)
		}
		select {
		case <-ctx.Done():
			return d.fail("end the sessions of a rad that was killed", context.Cause(ctx))
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// mustBeFenced refuses a database that may be written to, or that a rad that was killed may still open.
func (d database) mustBeFenced(ctx context.Context) error {
	if err := d.endOthers(ctx); err != nil {
		return err
	}
	f, err := d.readFence(ctx)
	if err == nil && f.Writable {
		err = fmt.Errorf("stack %s: its database may be written to, and so may the other side's: compare them, and fence one: "+
			"UPDATE promotion.fence SET writable = false", d.side)
	}
	return err
}

func connect(ctx context.Context, side local.Side) (database, error) {
	connection, err := side.Connect(ctx, sessionName)
	if err != nil {
		return database{}, fmt.Errorf("database of stack %s: %w", side.Name, err)
	}
	return database{Conn: connection, side: side.Name}, nil
}
