package promote

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/radpanel/radpanel/infra/local"
	"github.com/radpanel/radpanel/infra/postgresql"
)

// The names of what a promotion makes in the databases. forward brings the old side's changes to the new one, reverse
// the other way round.
const (
	publication = "promotion"
	forward     = "promotion_forward"
	reverse     = "promotion_reverse"
)

// fenceLock is the advisory lock that every writing transaction shares (see the migration of schema promotion).
const fenceLock = 7_238_174_202

// fence is what a database says about whether it may be written to.
type fence struct {
	Writable bool
	Epoch    int64
	Tier     string
}

// database is one side's, with the connection that a promotion uses for all it does there.
type database struct {
	*pgx.Conn

	side string
}

func (d database) fail(doing string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("stack %s: %s: %w", d.side, doing, err)
}

func (d database) exec(ctx context.Context, doing, sql string, args ...any) error {
	_, err := d.Exec(ctx, sql, args...)
	return d.fail(doing, err)
}

func (d database) readFence(ctx context.Context) (fence, error) {
	var f fence
	err := d.QueryRow(ctx, "SELECT writable, epoch, tier FROM promotion.fence").Scan(&f.Writable, &f.Epoch, &f.Tier)
	return f, d.fail("read the fence", err)
}

// close fences the database: when it returns, no write is under way and none will be let through. The marker is written
// in the same transaction: once it has arrived elsewhere, so has everything before.
func (d database) close(ctx context.Context, marker uuid.UUID, wait time.Duration) (err error) {
	tx, err := d.Begin(ctx)
	if err != nil {
		return d.fail("fence the database", err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }() // Does nothing after a commit.
	for _, statement := range []string{
		fmt.Sprintf("SET LOCAL lock_timeout = '%dms'", max(1, wait.Milliseconds())),
		fmt.Sprintf("SELECT pg_advisory_xact_lock(%d)", fenceLock),
		"UPDATE promotion.fence SET writable = false",
		fmt.Sprintf("INSERT INTO promotion.markers (id) VALUES ('%s')", marker),
	} {
		if _, err := tx.Exec(ctx, statement); err != nil {
			return d.fail("fence the database", err)
		}
	}
	return d.fail("fence the database", tx.Commit(ctx))
}

// endClients ends what is left of the service's connections.
func (d database) endClients(ctx context.Context) error {
	return d.exec(ctx, "end the service's connections", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1", local.ApplicationRole)
}

// open lets writes through, in an epoch.
func (d database) open(ctx context.Context, epoch int64) error {
	return d.exec(ctx, "let writes through", "UPDATE promotion.fence SET writable = true, epoch = $1", epoch)
}

// mark writes a marker.
func (d database) mark(ctx context.Context) (uuid.UUID, error) {
	marker := uuid.Must(uuid.NewV7())
	return marker, d.exec(ctx, "write a marker", "INSERT INTO promotion.markers (id) VALUES ($1)", marker)
}

// awaitMarker returns when a marker of the other side has arrived, and with it everything before it.
func (d database) awaitMarker(ctx context.Context, marker uuid.UUID) error {
	for {
		var arrived bool
		err := d.QueryRow(ctx, "SELECT EXISTS (SELECT FROM promotion.markers WHERE id = $1)", marker).Scan(&arrived)
		if err != nil {
			return d.fail("wait for what the other side wrote", err)
		}
		if arrived {
			return nil
		}
		select {
		case <-ctx.Done():
			return d.fail("wait for what the other side wrote", context.Cause(ctx))
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// table is one that moves.
type table struct {
	name string
	// hasBucket tells whether bucket is part of its primary key, so that its rows can be filtered and compared by it.
	hasBucket bool
	// key are the columns of its primary key.
	key []string
	// identity is its replica identity, as pg_class has it.
	identity string
}

func (t table) quoted() string { return pgx.Identifier{t.name}.Sanitize() }

// tables gives those that move: the fenced ones.
func (d database) tables(ctx context.Context) ([]table, error) {
	rows, err := d.Query(ctx, `
		SELECT c.relname, c.relreplident::text, coalesce(array_agg(a.attname ORDER BY array_position(i.indkey::int2[], a.attnum)) FILTER (WHERE a.attname IS NOT NULL), '{}')::text[]
		FROM pg_trigger t
		JOIN pg_class c ON c.oid = t.tgrelid
		LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary
		LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (i.indkey)
		WHERE t.tgname = 'fence' AND NOT t.tgisinternal
		GROUP BY c.relname, c.relreplident ORDER BY c.relname`)
	if err != nil {
		return nil, d.fail("list the tables", err)
	}
	found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (table, error) {
		var t table
		err := row.Scan(&t.name, &t.identity, &t.key)
		t.hasBucket = len(t.key) > 0 && t.key[0] == "bucket"
		return t, err
	})
	return found, d.fail("list the tables", err)
}

// publish makes the publication of what moves. One that a rollback without this server has left may lack tables that are new.
func (d database) publish(ctx context.Context, tables []table, buckets Buckets) error {
	parts := []string{"promotion.markers"}
	for _, t := range tables {
		part := t.quoted()
		if t.hasBucket {
			part += buckets.filter()
		}
		parts = append(parts, part)
	}
	tablesAndFilters := strings.Join(parts, ", ")
	err := d.exec(ctx, "publish the changes", "CREATE PUBLICATION "+publication+" FOR TABLE "+tablesAndFilters)
	if hasCode(err, "42710") { // It exists.
		return d.exec(ctx, "publish the changes", "ALTER PUBLICATION "+publication+" SET TABLE "+tablesAndFilters)
	}
	return err
}

// admit makes the role by which the other side follows this one, if it is not there.
func (d database) admit(ctx context.Context, role string) error {
	name := pgx.Identifier{role}.Sanitize()
	err := d.exec(ctx, "make role "+role, "CREATE ROLE "+name+" LOGIN REPLICATION CONNECTION LIMIT 16")
	if err != nil && !hasCode(err, "42710") { // It exists.
		return err
	}
	for _, statement := range []string{
		"GRANT USAGE ON SCHEMA public, promotion TO " + name,
		"GRANT SELECT ON ALL TABLES IN SCHEMA public TO " + name,
		"GRANT SELECT ON promotion.markers TO " + name,
		"GRANT CONNECT ON DATABASE " + pgx.Identifier{d.Config().Database}.Sanitize() + " TO " + name,
	} {
		if err := d.exec(ctx, "let the other side follow", statement); err != nil {
			return err
		}
	}
	return nil
}

// expel undoes admit.
func (d database) expel(ctx context.Context, role string) error {
	var there bool
	if err := d.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)", role).Scan(&there); err != nil || !there {
		return d.fail("look for role "+role, err)
	}
	name := pgx.Identifier{role}.Sanitize()
	return d.exec(ctx, "remove role "+role, "DROP OWNED BY "+name+"; DROP ROLE "+name)
}

// subscribes tells whether there is a subscription.
func (d database) subscribes(ctx context.Context, name string) (bool, error) {
	var there bool
	err := d.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_subscription WHERE subname = $1)", name).Scan(&there)
	return there, d.fail("look for subscription "+name, err)
}

// dropSubscription removes a subscription. Its slot on the other side is left: dropSlots removes it there.
func (d database) dropSubscription(ctx context.Context, name string) error {
	if d.Conn == nil { // Its server is gone for good.
		return nil
	}
	there, err := d.subscribes(ctx, name)
	if err != nil || !there {
		return err
	}
	return d.fail("end subscription "+name, postgresql.DropSubscription(ctx, d.Conn, name))
}

// dropSlots removes all that keeps changes for the other side: of a copy that is broken off, each table may have a slot.
func (d database) dropSlots(ctx context.Context) error {
	if d.Conn == nil {
		return nil
	}
	rows, err := d.Query(ctx, `SELECT slot_name::text FROM pg_replication_slots
		WHERE slot_name IN ($1, $2) OR slot_name ~ '^pg_[0-9]+_sync_[0-9]+_[0-9]+$' AND database = current_database()`, forward, reverse)
	if err != nil {
		return d.fail("list the slots", err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	errs := []error{d.fail("list the slots", err)}
	for _, name := range names {
		errs = append(errs, d.dropSlot(ctx, name))
	}
	return errors.Join(errs...)
}

// dropSlot removes a replication slot. Whoever still reads from it is ended.
func (d database) dropSlot(ctx context.Context, name string) error {
	for {
		err := d.exec(ctx, "remove slot "+name, `SELECT CASE WHEN active_pid IS NULL THEN pg_drop_replication_slot(slot_name)::text
			ELSE pg_terminate_backend(active_pid)::text END FROM pg_replication_slots WHERE slot_name = $1`, name)
		if err != nil && !hasCode(err, "55006") { // Somebody took it up in between.
			return err
		}
		var there bool
		if err := d.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = $1)", name).Scan(&there); err != nil || !there {
			return d.fail("remove slot "+name, err)
		}
		select {
		case <-ctx.Done():
			return d.fail("remove slot "+name, context.Cause(ctx))
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// slotLag is how many bytes of changes a slot holds back; 0 if there is none.
func (d database) slotLag(ctx context.Context, name string) (bytes int64, err error) {
	err = d.QueryRow(ctx, `SELECT coalesce(max(pg_wal_lsn_diff(pg_current_wal_lsn(), confirmed_flush_lsn)), 0)::bigint
		FROM pg_replication_slots WHERE slot_name = $1`, name).Scan(&bytes)
	return bytes, d.fail("look at slot "+name, err)
}

// setTier says which tier's instances do the background work.
func (d database) setTier(ctx context.Context, tier string) error {
	return d.exec(ctx, "say who does the background work", "UPDATE promotion.fence SET tier = $1 WHERE tier IS DISTINCT FROM $1", tier)
}

// disableCaches has no instance use its cache from a second on, enableCaches has them begin anew.
func (d database) disableCaches(ctx context.Context) error {
	return d.exec(ctx, "have the caches not used", `UPDATE cache_state SET epoch = epoch + 1, epoch_began = clock_timestamp(),
		disabled_until = 'infinity' WHERE disabled_until < 'infinity'`)
}

func (d database) enableCaches(ctx context.Context) error {
	// An epoch that neither database has had: one side's cache knows the epochs of both.
	return d.exec(ctx, "have the caches used again", `UPDATE cache_state SET epoch = greatest(epoch + 1, (extract(epoch FROM clock_timestamp()) * 1000)::bigint),
		epoch_began = clock_timestamp(), disabled_until = clock_timestamp()`)
}

func hasCode(err error, code string) bool {
	var refused *pgconn.PgError
	return errors.As(err, &refused) && refused.Code == code
}
