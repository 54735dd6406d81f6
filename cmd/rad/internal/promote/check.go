package promote

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/radpanel/radpanel/infra/local"
	"github.com/radpanel/radpanel/stacks"
)

// longTransaction is how long a transaction may have run when a promotion begins: it would keep writes held.
const longTransaction = 5 * time.Second

// A new stack is taken to run so many services, each with so many bytes of memory beside what it caches.
const (
	newServices   = 12
	serviceMemory = 48 << 20
)

// check refuses, with every reason at once, what could not be carried through. It changes nothing.
func (p *Promotion) check(ctx context.Context) error {
	from, err := local.OpenSide(p.StateFolder, p.From)
	if err != nil {
		return err
	}
	d, err := connect(ctx, from)
	if err != nil {
		return err
	}
	defer d.Close(context.WithoutCancel(ctx)) //nolint:errcheck // The server forgets it either way.
	if p.Port != 0 && strconv.Itoa(p.Port) != from.Port() {
		err = fmt.Errorf("stack %s is configured with httpPort %d, but users know the panel at port %s: set httpPort to %s, or remove it",
			p.To, p.Port, from.Port(), from.Port())
	}
	leads, leadErr := from.LeadsTo(from)
	if leadErr == nil && !leads {
		leadErr = fmt.Errorf("stack %s does not write to its own database: it was promoted to another stack", p.From)
	}
	f, fenceErr := d.readFence(ctx)
	if fenceErr == nil && !f.Writable {
		fenceErr = fmt.Errorf("the database of stack %s is fenced: it was promoted to another stack", p.From)
	}
	tables, tableErr := d.tables(ctx)
	reasons := []error{
		err, leadErr, fenceErr, tableErr, checkTables(tables), d.checkSettings(ctx), d.checkForgotten(ctx), d.checkTransactions(ctx, longTransaction),
		p.checkTarget(ctx, d), p.checkRoom(ctx, d), p.checkPreviews(ctx),
	}
	if err := errors.Join(reasons...); err != nil {
		return err
	}
	p.record.FromTier, p.record.ToTier, p.record.Port, p.record.Began = p.FromTier, p.ToTier, from.Port(), p.Now()
	return nil
}

func checkTables(tables []table) error {
	var errs []error
	for _, t := range tables {
		switch {
		case len(t.key) == 0:
			errs = append(errs, fmt.Errorf("table %s has no primary key: its changes cannot be replicated", t.name))
		case t.identity != "d": // Updates and deletes name the row by its replica identity.
			errs = append(errs, fmt.Errorf("table %s has the replica identity %q, expected its primary key: ALTER TABLE %s REPLICA IDENTITY DEFAULT",
				t.name, t.identity, t.quoted()))
		}
	}
	if len(tables) == 0 {
		errs = append(errs, errors.New("no table is fenced: the schema is older than promotions; run `rad up` first"))
	}
	return errors.Join(errs...)
}

// staying are the tables that do not move: each database has its own.
func staying() []string { return []string{"goose_db_version", "cache_state"} }

// checkForgotten finds tables that would neither move nor stay on purpose.
func (d database) checkForgotten(ctx context.Context) error {
	rows, err := d.Query(ctx, `SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p')
		AND NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgname = 'fence') ORDER BY 1`)
	if err != nil {
		return d.fail("list the tables", err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return d.fail("list the tables", err)
	}
	var errs []error
	for _, name := range names {
		if !slices.Contains(staying(), name) {
			errs = append(errs, fmt.Errorf("stack %s: table %s is not fenced, so it would not move: it is none of the panel's; move it to another schema, or remove it", d.side, name))
		}
	}
	return errors.Join(errs...)
}

// checkSettings looks whether logical replication is possible, and whether nobody else uses the names that it takes.
func (d database) checkSettings(ctx context.Context) error {
	var level string
	var slots, free int
	err := d.QueryRow(ctx, `SELECT current_setting('wal_level'), (SELECT count(*) FROM pg_replication_slots),
		current_setting('max_replication_slots')::int`).Scan(&level, &slots, &free)
	switch {
	case err != nil:
		return d.fail("read the settings", err)
	case level != "logical":
		return fmt.Errorf("stack %s: wal_level is %s, expected logical: run `rad up %s`", d.side, level, d.side)
	case free-slots < 6: // Each table that is being copied takes one.
		return fmt.Errorf("stack %s: %d of %d replication slots are in use, expected 6 free ones: see pg_replication_slots", d.side, slots, free)
	}
	return nil
}

func (d database) checkTransactions(ctx context.Context, longest time.Duration) error {
	var pid int
	var age float64
	err := d.QueryRow(ctx, `SELECT pid, extract(epoch FROM clock_timestamp() - xact_start)::float8 FROM pg_stat_activity
		WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid() AND xact_start < clock_timestamp() - $1::interval
		ORDER BY xact_start LIMIT 1`, longest).Scan(&pid, &age)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return d.fail("look for long transactions", err)
	}
	return fmt.Errorf("stack %s: a transaction has run for %.1f s (process %d of PostgreSQL): writes would be held until it ends; wait, or end it", d.side, age, pid)
}

// checkTarget looks whether the new stack, if it is there, has no data of its own.
func (p *Promotion) checkTarget(ctx context.Context, from database) error {
	to, err := local.OpenSide(p.StateFolder, p.To)
	if err != nil {
		return nil //nolint:nilerr // It will be brought up.
	}
	return errors.Join(p.sharesSecrets(to), p.checkData(ctx, from, to))
}

func (p *Promotion) checkData(ctx context.Context, from database, to local.Side) error {
	d, err := connect(ctx, to)
	if err != nil && p.wasRolledBack {
		return nil // It may have been taken down, and is brought up again.
	}
	if err != nil {
		return fmt.Errorf("%w: bring it up with `rad up %s`, or remove it with `rad down --purge %s`", err, p.To, p.To)
	}
	defer d.Close(context.WithoutCancel(ctx)) //nolint:errcheck // The server forgets it either way.
	versions, err := schemaVersions(ctx, from, d)
	if err != nil {
		return err
	}
	if versions[0] < versions[1] { // An older one than the old stack's is migrated when the new stack is brought up.
		return schemasDiffer(from, d, versions)
	}
	f, err := d.readFence(ctx)
	if err != nil || !f.Writable { // What is fenced is a copy.
		return err
	}
	var users int64
	if err := d.QueryRow(ctx, "SELECT count(*) FROM users").Scan(&users); err != nil {
		return d.fail("count the users", err)
	}
	if users > 0 {
		return fmt.Errorf("stack %s has %d users of its own, whom a promotion would remove: take another stack, or remove it with `rad down --purge %s`",
			p.To, users, p.To)
	}
	return nil
}

// sharesSecrets refuses a new stack that was made by itself: with keys of its own, it could not read what the old one wrote.
func (p *Promotion) sharesSecrets(to local.Side) error {
	from, err := local.OpenSide(p.StateFolder, p.From)
	if err != nil {
		return err
	}
	err = from.SharesSecrets(to)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // One whose first `rad up` was broken off gets them when it is brought up.
	}
	return err
}

// freeSpace is how many bytes may still be written to the disk of a folder.
func freeSpace(folder string) (int64, error) {
	var disk syscall.Statfs_t
	if err := syscall.Statfs(folder, &disk); err != nil {
		return 0, fmt.Errorf("measure the disk of %s: %w", folder, err)
	}
	return int64(disk.Bavail) * disk.Bsize, nil //nolint:gosec // No disk has so many blocks.
}

// checkPreviews previews both stacks: what a promotion would make, what that costs, and whether a rule forbids it.
func (p *Promotion) checkPreviews(ctx context.Context) error {
	var errs []error
	for _, side := range []struct {
		name string
		keys map[string]string
	}{{p.From, nil}, {p.To, map[string]string{"promoteFrom": p.From, "httpPort": "0"}}} {
		forecast, err := p.Deployer.Preview(ctx, side.name, side.keys)
		if err != nil {
			errs = append(errs, fmt.Errorf("preview of stack %s: %w", side.name, err))
			continue
		}
		p.Say("preview of "+side.name+": "+forecast.Text, true)
		if side.name == p.From && forecast.OtherRelease {
			errs = append(errs, fmt.Errorf("stack %s runs another release than %s would: both have to run the same one; run `rad up %s` first", p.From, p.To, p.From))
		}
	}
	return errors.Join(errs...)
}

// checkRoom looks whether disk and memory have room for a second copy of the database, for the log that is kept meanwhile,
// for a second copy of the files, and for the services of the new stack. It says what of the files is to be moved where.
func (p *Promotion) checkRoom(ctx context.Context, d database) error {
	tier, err := stacks.Plan().Tier(stacks.Tier(p.ToTier))
	if err != nil {
		return err
	}
	var size, shared, files, bytes int64
	if err := d.QueryRow(ctx, `SELECT pg_database_size(current_database()), pg_size_bytes(current_setting('shared_buffers')),
		count(*), coalesce(sum(size_bytes), 0)::bigint FROM files`).Scan(&size, &shared, &files, &bytes); err != nil {
		return d.fail("measure the database", err)
	}
	p.Say(fmt.Sprintf("files: %d of %d MiB go from the store of %s to that of %s (%s), while both are used", files, bytes>>20, p.From, p.To, tier.Blueprint.FileStore.Kind), true)
	folder := local.StackFolder(p.StateFolder, p.To)
	if _, err := os.Stat(folder); err != nil {
		folder = p.StateFolder // The new stack will be there.
	}
	free, diskErr := freeSpace(folder)
	if needed := 2*size + bytes + 512<<20; diskErr == nil && free < needed {
		diskErr = fmt.Errorf("the disk of %s has %d MiB free, expected at least %d: the database has %d MiB, and is there twice for a while, as the files are with %d MiB",
			folder, free>>20, needed>>20, size>>20, bytes>>20)
	}
	if folder != p.StateFolder {
		return diskErr // It is there already, with its memory.
	}
	available, memoryErr := availableMemory()
	if needed := newServices*serviceMemory + int64(tier.Blueprint.Database.Servers())*min(size, shared); memoryErr == nil && available < needed {
		memoryErr = fmt.Errorf("this machine has %d MiB of memory left, expected at least %d for the services of %s", available>>20, needed>>20, p.To)
	}
	return errors.Join(diskErr, memoryErr)
}

// availableMemory is what the system could give to new programs without swapping, in bytes.
func availableMemory() (int64, error) {
	raw, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, fmt.Errorf("memory of this machine: %w", err)
	}
	for line := range strings.Lines(string(raw)) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == "MemAvailable:" {
			kibibytes, err := strconv.ParseInt(fields[1], 10, 64)
			if err != nil {
				return 0, fmt.Errorf("memory of this machine: %q: %w", strings.TrimSpace(line), err)
			}
			return kibibytes << 10, nil
		}
	}
	return 0, errors.New("memory of this machine: /proc/meminfo has no line MemAvailable")
}
