package promote

import (
	"context"
	"errors"
	"fmt"
)

// lowSpace is how little space on a disk is too little for a database: its log alone grows by files of 16 MiB.
const lowSpace = 64 << 20

// LostError tells that one side can never catch up with the other again.
type LostError struct{ What string }

// Error says why.
func (e *LostError) Error() string { return e.What }

// behind says what keeps a side from following the other, as far as can be told: its disk is full, it could not apply
// what it got, or the other side has given up what it kept for it, which is a [LostError]. Nil: nothing is known.
func (p *Promotion) behind(ctx context.Context, source, follower database, subscription string) error {
	if err := p.lost(ctx, source, follower, subscription); err != nil {
		return err
	}
	if err := p.checkSpaceLeft(follower.side); err != nil {
		return err
	}
	var failures int64
	err := follower.QueryRow(ctx, "SELECT coalesce(sum(apply_error_count + sync_error_count), 0) FROM pg_stat_subscription_stats WHERE subname = $1",
		subscription).Scan(&failures)
	if err != nil {
		return follower.fail("look at subscription "+subscription, err)
	}
	if failures > 0 {
		return fmt.Errorf("stack %s could not apply what it got, %d times so far: `rad logs %s postgresql` says why", follower.side, failures, follower.side)
	}
	return nil
}

// lost tells by its error whether a server keeps nothing for the other side any more: it has given it up rather than fill its
// own disk (max_slot_wal_keep_size), or the slot was removed.
func (p *Promotion) lost(ctx context.Context, source, follower database, slot string) error {
	var there, kept bool
	err := source.QueryRow(ctx, "SELECT count(*) > 0, count(*) FILTER (WHERE wal_status IS DISTINCT FROM 'lost') > 0 FROM pg_replication_slots WHERE slot_name = $1",
		slot).Scan(&there, &kept)
	if err != nil || kept {
		return source.fail("look at slot "+slot, err)
	}
	what := fmt.Sprintf("stack %s fell too far behind: %s kept as much of its log for it as it may (max_slot_wal_keep_size), and gave it up", follower.side, source.side)
	if !there {
		what = fmt.Sprintf("stack %s cannot follow: %s has no slot %s any more, so nothing is kept for it", follower.side, source.side, slot)
	}
	if slot == reverse {
		return &LostError{fmt.Sprintf("%s: there is no way back without loss any more; finish with `rad promote finish %s %s`", what, p.From, p.To)}
	}
	return &LostError{fmt.Sprintf("%s: roll back with `rad promote rollback %s %s` and promote again, which copies anew", what, p.From, p.To)}
}

// checkSpaceLeft tells by its error whether a side's disk is full.
func (p *Promotion) checkSpaceLeft(name string) error {
	side := p.from
	if name == p.To {
		side = p.to
	}
	if side.Name == "" {
		return nil // It is not there yet.
	}
	free, err := freeSpace(side.DataFolder())
	if err != nil || free >= lowSpace {
		return err
	}
	return fmt.Errorf("the disk of stack %s is full: %s has %d MiB left; make room there and it goes on by itself, or go back with `rad promote rollback %s %s`",
		name, side.DataFolder(), free>>20, p.From, p.To)
}

// explain adds to a failure what may be behind it: a server that has no space left ends its connections without a word.
func (p *Promotion) explain(err error) error {
	if err == nil || errors.As(err, new(*LostError)) {
		return err
	}
	return errors.Join(err, p.checkSpaceLeft(p.From), p.checkSpaceLeft(p.To))
}
