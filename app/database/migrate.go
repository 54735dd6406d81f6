package database

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"github.com/radpanel/radpanel/app/config"
)

//go:embed migrations/*.sql
var migrations embed.FS

// migrationLock is the advisory lock that migrations are made under. Every instance migrates at start; the lock
// makes all but one wait and then find nothing to do. The number is arbitrary but must never change.
const migrationLock = 7_238_174_201

// lockAttempts is how often, once a second, the lock is tried before the start fails.
const lockAttempts = 300

// reachTimeout is how long the database may take to answer before it counts as one that cannot be reached.
const reachTimeout = 5 * time.Second

// Migrate brings the schema to the newest version. It fails with ErrBusy while the database cannot be reached. It needs a session of its own as the owner of the schema, so url
// must lead to PostgreSQL itself, not to a pooler.
func Migrate(ctx context.Context, url config.Secret) error {
	cfg, err := pgx.ParseConfig(url.Reveal())
	if err != nil {
		return errors.New("migration database URL: expected postgres://user:password@host:port/database")
	}
	cfg.RuntimeParams["application_name"] = "radpanel migrations"
	db := stdlib.OpenDB(*cfg)
	defer func() { _ = db.Close() }()
	return migrate(ctx, db)
}

// IsCurrent tells, by the service's own connections, whether there is nothing to migrate: a start then needs no connection as
// the owner of the schema, which a server whose connections are all in use does not have. An error may just mean that nothing
// was ever migrated.
func IsCurrent(ctx context.Context, db *DB) (bool, error) {
	files, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return false, fmt.Errorf("embedded migrations: %w", err)
	}
	versions := make([]int64, len(files))
	for i, name := range files {
		if versions[i], err = goose.NumericComponent(path.Base(name)); err != nil {
			return false, fmt.Errorf("embedded migration %s: %w", name, err)
		}
	}
	var current bool
	err = db.QueryRow(ctx, "SELECT $1::bigint[] <@ array_agg(version_id) FROM goose_db_version WHERE is_applied", versions).Scan(&current)
	return current, err
}

func migrate(ctx context.Context, db *sql.DB) error {
	// Told apart from a migration that fails: a database that is not there yet is worth another try.
	reach, cancel := context.WithTimeout(ctx, reachTimeout)
	defer cancel()
	if err := db.PingContext(reach); err != nil {
		return fmt.Errorf("%w: %w", ErrBusy, err)
	}
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return fmt.Errorf("embedded migrations: %w", err)
	}
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockID(migrationLock), lock.WithLockTimeout(1, lockAttempts))
	if err != nil {
		return fmt.Errorf("migration lock: %w", err)
	}
	provider, err := goose.NewProvider(goose.DialectPostgres, db, files,
		goose.WithSessionLocker(locker), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("migrations: %w", err)
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("migrations: %w", err)
	}
	return nil
}
