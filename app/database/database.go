// Package database is the service's way to PostgreSQL: a pool that never exceeds its limit, transactions, one
// mapping of database errors, and the migrations. The statements themselves are in queries/ and are compiled by
// sqlc into dbgen.
package database

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	pgxuuid "github.com/vgarvardt/pgx-google-uuid/v5"

	"github.com/radpanel/radpanel/app/config"
	"github.com/radpanel/radpanel/app/database/dbgen"
)

// Options says how to reach the database.
type Options struct {
	// URL is where requests go, such as PgBouncer in transaction pooling.
	URL config.Secret
	// Connections is the most connections that are ever open.
	Connections int
	// Wait is how long a statement or a transaction waits for a free connection, or for a pooler that refuses it, before it
	// fails with ErrBusy.
	Wait time.Duration
	// Tracer, when set, sees every statement.
	Tracer pgx.QueryTracer
	// Invalidator, when set, hears of every change.
	Invalidator Invalidator

	// replica says that the server follows another.
	replica bool
}

// DB runs statements on a pool of connections. Its Queries are all statements of queries/, each on a connection
// of its own; InTx gives the same in a transaction. Errors are mapped (see errors.go).
type DB struct {
	*dbgen.Queries

	pool        *pgxpool.Pool
	wait        time.Duration
	patience    time.Duration // with a pooler that refuses
	invalidator Invalidator
}

// BucketOf returns the bucket (0-255) of a user: the last byte of the id, as bucket_of in the schema.
func BucketOf(userID uuid.UUID) int16 { return int16(userID[len(userID)-1]) }

// Open prepares the pool. It connects when the first statement comes, so it succeeds while the database is down.
func Open(options Options) (*DB, error) {
	cfg, err := pgxpool.ParseConfig(options.URL.Reveal())
	if err != nil {
		// pgx masks the password in its own error, but not when the URL cannot be taken apart.
		return nil, errors.New("database URL: expected postgres://user:password@host:port/database")
	}
	cfg.MaxConns = int32(options.Connections) //nolint:gosec // Validated: at most 1000.
	cfg.MaxConnIdleTime = 5 * time.Minute
	cfg.PingTimeout = 2 * time.Second
	cfg.ConnConfig.ConnectTimeout = 5 * time.Second
	cfg.ConnConfig.Tracer = options.Tracer
	cfg.ConnConfig.RuntimeParams["application_name"] = "radpanel"
	// A pooler in transaction mode gives each transaction another server connection, so no prepared statement may
	// outlive its round trip. Descriptions are cached on this side instead, which keeps binary formats and one round
	// trip a statement.
	cfg.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	cfg.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
		pgxuuid.Register(conn.TypeMap()) // Ids as sixteen bytes; without it each is planned anew and goes through text.
		if options.replica {
			return refuseRestarted(ctx, conn)
		}
		return nil
	}
	pool, err := pgxpool.NewWithConfig(context.Background(), cfg)
	if err != nil {
		return nil, fmt.Errorf("database pool: %w", err)
	}
	db := &DB{pool: pool, wait: options.Wait, patience: options.Wait, invalidator: options.Invalidator}
	if options.replica {
		db.patience = 0 // The primary answers in its place.
	}
	db.Queries = dbgen.New(db)
	return db, nil
}

const (
	// warmConnections are for the first requests, which come at once when a balancer hears that an instance is ready.
	warmConnections = 4
	// warmTime bounds how long they may keep an instance from being ready. To open one takes milliseconds.
	warmTime = 2 * time.Second
)

// Warm opens a few connections, beside each other: with none, the first requests would wait for theirs to be opened, and some for
// too long on a machine that is busy starting. A database that refuses some, or is late, has as many less.
func (db *DB) Warm(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, warmTime)
	defer cancel()
	connections := make(chan *pgxpool.Conn, warmConnections)
	var opening sync.WaitGroup
	for range min(warmConnections, db.pool.Config().MaxConns) {
		opening.Go(func() {
			if conn, err := db.pool.Acquire(ctx); err == nil {
				connections <- conn
			}
		})
	}
	opening.Wait() // One that is given back any earlier would be another's.
	close(connections)
	for conn := range connections {
		conn.Release()
	}
}

// Close waits for connections in use and closes them all.
func (db *DB) Close() { db.pool.Close() }

// Ping reports whether the database answers.
func (db *DB) Ping(ctx context.Context) error {
	_, err := db.Exec(ctx, "SELECT 1")
	return err
}

// Stat returns the state of the pool.
func (db *DB) Stat() *pgxpool.Stat { return db.pool.Stat() }

// acquire waits for a free connection, but no longer than the limit: a queue that grows helps nobody.
func (db *DB) acquire(ctx context.Context) (*pgxpool.Conn, error) {
	bounded, cancel := context.WithTimeout(ctx, db.wait)
	defer cancel()
	asked := time.Now()
	conn, err := db.pool.Acquire(bounded)
	traceWait(ctx, asked, err)
	if err == nil {
		return conn, nil
	}
	stat := db.pool.Stat()
	isFull := stat.AcquiredConns() >= stat.MaxConns()
	switch {
	case ctx.Err() != nil && !isFull:
		return nil, ctx.Err()
	case !errors.Is(err, context.DeadlineExceeded):
		return nil, mapError(err)
	case isFull:
		return nil, fmt.Errorf("%w: all %d stayed in use for %s", ErrPoolExhausted, stat.MaxConns(), db.wait)
	default:
		return nil, fmt.Errorf("%w: %d of %d are in use, and another one was not open after %s",
			ErrPoolExhausted, stat.AcquiredConns(), stat.MaxConns(), time.Since(asked).Round(time.Millisecond))
	}
}

// Exec runs a statement on a connection of its own.
func (db *DB) Exec(ctx context.Context, sql string, args ...any) (tag pgconn.CommandTag, err error) {
	conn, err := db.run(ctx, sql, func(conn *pgxpool.Conn) error {
		tag, err = conn.Exec(ctx, sql, args...)
		return err
	})
	if err != nil {
		return pgconn.CommandTag{}, err
	}
	conn.Release()
	return tag, nil
}

// Query runs a statement on a connection of its own, which is free again when the rows are closed or read to the end.
func (db *DB) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	var out *pooledRows
	conn, err := db.run(ctx, sql, func(conn *pgxpool.Conn) error {
		rows, err := conn.Query(ctx, sql, args...)
		if err != nil {
			return err
		}
		// The first row is read here, because only then a connection that had died shows.
		out = &pooledRows{mappedRows: mappedRows{rows}, conn: conn, unread: true, first: rows.Next(), writes: !isRead(sql)}
		if !out.first {
			return rows.Err()
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	out.conn = conn
	return out, nil
}

// QueryRow runs a statement on a connection of its own; Scan reads its first row and frees the connection.
func (db *DB) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	rows, err := db.Query(ctx, sql, args...)
	return &row{rows, err}
}

// CopyFrom inserts many rows at once on a connection of its own.
func (db *DB) CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, source pgx.CopyFromSource) (int64, error) {
	conn, err := db.acquire(ctx)
	if err != nil {
		return 0, err
	}
	defer conn.Release()
	n, err := conn.CopyFrom(ctx, table, columns, source)
	return n, mapError(err)
}
