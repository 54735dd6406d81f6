package promote

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/radpanel/radpanel/infra/local"
)

const (
	// lookInterval is between looks at what takes long.
	lookInterval = 200 * time.Millisecond
	// filesTimeout is how long the files may take to get alike, once the rows are.
	filesTimeout = 12 * time.Hour
	// filesBackTimeout is how long a way back waits for them: the newest have been copied all the time.
	filesBackTimeout = 5 * time.Minute
	// filesPatience is how long the instances that copy them may be away: longer than one takes to start again.
	filesPatience = 20 * time.Second
)

// prepare brings the new stack up, with a database that follows the old one and that nobody writes to.
func (p *Promotion) prepare(ctx context.Context) error {
	if err := p.record.save(p.StateFolder); err != nil {
		return err
	}
	// Until the front door has moved, the old tier's instances do the background work: new ones find it so when they start.
	if err := p.fromDB.setTier(ctx, p.record.FromTier); err != nil {
		return err
	}
	// A rollback has left the new stack's pooler at the old one's database, which its instances would take for theirs.
	if p.leadsAway() {
		if err := turn(ctx, p.to, p.to); err != nil {
			return err
		}
	}
	if err := p.Deployer.Up(ctx, p.To, map[string]string{"promoteFrom": p.From, "httpPort": "0"}); err != nil {
		return err
	}
	if err := p.connect(ctx); err != nil {
		return err
	}
	if err := p.from.SharesSecrets(p.to); err != nil {
		return err
	}
	if err := errors.Join(turn(ctx, p.from, p.from), turn(ctx, p.to, p.to)); err != nil {
		return err
	}
	if err := p.compareSchemas(ctx); err != nil {
		return err
	}
	p.At("fence-new")
	if err := errors.Join(p.toDB.setTier(ctx, p.record.FromTier), p.toDB.fenceCopy(ctx)); err != nil {
		return err
	}
	if err := p.toDB.disableCaches(ctx); err != nil {
		return err
	}
	for _, d := range []database{p.fromDB, p.toDB} {
		// The new instances keep the files of both sides alike; the old ones fetch what came in at the new side just before
		// requests go back.
		err := d.exec(ctx, "tell where the other files are", `INSERT INTO promotion.alignment (tier, peer_url, keeps_alike) VALUES ($1, $2, true), ($3, $4, false)
			ON CONFLICT (tier) DO UPDATE SET peer_url = excluded.peer_url, keeps_alike = excluded.keeps_alike, alike_at = NULL, copied = 0, problem = ''`,
			p.record.ToTier, p.from.PanelURL(), p.record.FromTier, p.to.PanelURL())
		if err != nil {
			return err
		}
	}
	return p.follow(ctx)
}

// leadsAway tells whether the new stack is there, and its pooler goes to the old one's database.
func (p *Promotion) leadsAway() bool {
	if p.to.Name == "" {
		return false
	}
	leads, err := p.to.LeadsTo(p.from)
	return err == nil && leads // Without a pooler yet, it gets one that leads to itself.
}

// fenceCopy has nobody write to a database that has never been the panel's.
func (d database) fenceCopy(ctx context.Context) error {
	return d.exec(ctx, "fence the database", "UPDATE promotion.fence SET writable = false, epoch = 0")
}

// compareSchemas refuses two versions of the schema: rows of the one may not fit the other.
func (p *Promotion) compareSchemas(ctx context.Context) error {
	versions, err := schemaVersions(ctx, p.fromDB, p.toDB)
	if err == nil && versions[0] != versions[1] {
		err = schemasDiffer(p.fromDB, p.toDB, versions)
	}
	return err
}

func schemaVersions(ctx context.Context, databases ...database) ([]int64, error) {
	versions := make([]int64, len(databases))
	for i, d := range databases {
		if err := d.QueryRow(ctx, "SELECT max(version_id) FROM goose_db_version WHERE is_applied").Scan(&versions[i]); err != nil {
			return nil, d.fail("read the version of the schema", err)
		}
	}
	return versions, nil
}

func schemasDiffer(from, to database, versions []int64) error {
	return fmt.Errorf("stack %s has version %d of the schema, stack %s has version %d: bring both up with the same release first, `rad up %s`",
		from.side, versions[0], to.side, versions[1], from.side)
}

// follow makes the new database a copy of the old one that is kept current.
func (p *Promotion) follow(ctx context.Context) error {
	follows, err := p.follows(ctx)
	if err != nil {
		return err
	}
	if follows {
		return p.toDB.exec(ctx, "follow the old stack", "ALTER SUBSCRIPTION "+forward+" ENABLE")
	}
	tables, err := p.fromDB.tables(ctx)
	if err != nil {
		return err
	}
	p.At("publish")
	for _, d := range []database{p.fromDB, p.toDB} {
		if err := errors.Join(d.publish(ctx, tables, p.record.Buckets), d.admit(ctx, local.PromotionRole)); err != nil {
			return err
		}
	}
	// What an attempt before may have left: a reverse subscription after a rollback, a slot without a subscription, a
	// subscription without a slot.
	if err := p.endFollowing(ctx); err != nil {
		return err
	}
	p.At("empty-new")
	if err := p.empty(ctx, tables); err != nil {
		return err
	}
	p.At("subscribe")
	return p.toDB.exec(ctx, "follow the old stack", fmt.Sprintf("CREATE SUBSCRIPTION %s CONNECTION '%s' PUBLICATION %s WITH (slot_name = '%s')",
		forward, p.from.Source(), publication, forward))
}

// empty removes what the new database has: rows that its panel wrote before it was fenced, or a copy that was broken off.
func (p *Promotion) empty(ctx context.Context, tables []table) error {
	f, err := p.toDB.readFence(ctx)
	if err != nil {
		return err
	}
	if f.Writable {
		return fmt.Errorf("stack %s: its database is not fenced: nothing was removed from it", p.To)
	}
	names := []string{"promotion.markers"}
	for _, t := range tables {
		names = append(names, t.quoted())
	}
	tx, err := p.toDB.Begin(ctx)
	if err != nil {
		return p.toDB.fail("empty the copy", err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }() // Does nothing after a commit.
	for _, statement := range []string{
		"SET LOCAL session_replication_role = replica", // As replication itself, it passes the fence.
		"SET LOCAL lock_timeout = '10s'",
		"TRUNCATE " + strings.Join(names, ", "),
	} {
		if _, err := tx.Exec(ctx, statement); err != nil {
			return p.toDB.fail("empty the copy", err)
		}
	}
	return p.toDB.fail("empty the copy", tx.Commit(ctx))
}

// follows tells whether the new database is subscribed to the old one, and that still keeps its changes for it: a rollback
// that did without the new stack has left the subscription alone.
func (p *Promotion) follows(ctx context.Context) (bool, error) {
	for _, side := range []struct {
		database
		sql string
	}{
		{p.toDB, "SELECT EXISTS (SELECT FROM pg_subscription WHERE subname = $1 AND subslotname = $1)"},
		{p.fromDB, "SELECT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = $1)"},
	} {
		var there bool
		if err := side.QueryRow(ctx, side.sql, forward).Scan(&there); err != nil || !there {
			return false, side.fail("look whether stack "+p.To+" follows", err)
		}
	}
	return true, nil
}

// endFollowing ends the subscriptions of both sides.
func (p *Promotion) endFollowing(ctx context.Context) error {
	return errors.Join(
		p.fromDB.dropSubscription(ctx, reverse), p.toDB.dropSubscription(ctx, forward), p.toDB.dropSlots(ctx), p.fromDB.dropSlots(ctx),
	)
}

// copy waits until the new side has all rows and all files.
func (p *Promotion) copy(ctx context.Context) error {
	if err := p.copyRows(ctx); err != nil {
		return err
	}
	p.At("files")
	return p.awaitFiles(ctx, p.toDB, time.Time{}, filesTimeout)
}

func (p *Promotion) copyRows(ctx context.Context) error {
	began, said := p.Now(), time.Time{}
	for {
		var ready, all, bytes int64
		err := p.toDB.QueryRow(ctx, `SELECT count(*) FILTER (WHERE srsubstate = 'r'), count(*) FROM pg_subscription_rel r
			JOIN pg_subscription s ON s.oid = r.srsubid WHERE s.subname = $1 AND s.subenabled`, forward).Scan(&ready, &all)
		if err == nil {
			err = p.toDB.QueryRow(ctx, "SELECT pg_database_size(current_database())").Scan(&bytes)
		}
		if err != nil {
			return p.toDB.fail("look how far the copy is", err)
		}
		if all == 0 {
			return fmt.Errorf("stack %s does not follow %s: run `rad promote rollback %s %s`, and promote again", p.To, p.From, p.From, p.To)
		}
		if ready == all {
			return nil
		}
		if now := p.Now(); now.Sub(said) > time.Second {
			said = now
			text := fmt.Sprintf("rows: %d of %d tables copied, %d MiB, %s", ready, all, bytes>>20, now.Sub(began).Round(time.Second))
			trouble := p.behind(ctx, p.fromDB, p.toDB, forward)
			if errors.As(trouble, new(*LostError)) {
				return trouble
			}
			p.sayTrouble(text, trouble)
		}
		if err := p.rest(ctx); err != nil {
			return err
		}
	}
}

// sayTrouble says how far something is, and what keeps it if something does: that once, so that it stays to be read.
func (p *Promotion) sayTrouble(text string, trouble error) {
	said := ""
	if trouble != nil {
		said = trouble.Error()
		text += ": " + said
	}
	if said != p.trouble {
		p.trouble = said
		p.Say(text, trouble != nil)
		return
	}
	p.Say(text, false)
}

func (p *Promotion) rest(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(lookInterval):
		return nil
	}
}

var (
	// errNotAlike: the files of both sides are not alike in time.
	errNotAlike = errors.New("the files are not alike")
	// errNotTold: the instances that make them alike were not told of the promotion, or that it is over.
	errNotTold = errors.New("does not know where the other stack's files are")
)

// awaitFiles waits until the files of both sides have been seen to be alike, by a comparison that began after a moment.
// The database is the one that the new side's instances use. It gives up with errNotAlike, after a limit or when none of
// them has answered for a while, and with errNotTold.
func (p *Promotion) awaitFiles(ctx context.Context, d database, after time.Time, limit time.Duration) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("%w after %s", errNotAlike, limit))
	defer cancel()
	said, answered := time.Time{}, p.Now()
	for {
		var alike *time.Time
		var copied, missing int64
		var problem string
		err := d.QueryRow(ctx, "SELECT alike_at, copied, missing, problem FROM promotion.alignment WHERE tier = $1", p.record.ToTier).
			Scan(&alike, &copied, &missing, &problem)
		if errors.Is(err, pgx.ErrNoRows) {
			return fmt.Errorf("stack %s %w: run `rad promote rollback %s %s`, and promote again", p.To, errNotTold, p.From, p.To)
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			return d.fail("look how far the files are", err)
		}
		if alike != nil && alike.After(after) {
			if missing > 0 {
				p.Say(fmt.Sprintf("files: %d that rows name are on neither side, as before", missing), true)
			}
			return nil
		}
		if now := p.Now(); now.Sub(said) > time.Second {
			said = now
			if p.to.Answers(ctx) {
				answered = p.Now()
			} else if p.Now().Sub(answered) > filesPatience {
				return fmt.Errorf("%w, and no instance of stack %s answers, which would copy them", errNotAlike, p.To)
			}
			text := fmt.Sprintf("files: %d copied", copied)
			if problem != "" {
				text += "; trying again after: " + problem
			}
			p.Say(text, false)
		}
		if err := p.rest(ctx); err != nil {
			return err
		}
	}
}
