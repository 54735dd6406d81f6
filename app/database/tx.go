package database

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/radpanel/radpanel/app/database/dbgen"
)

// rollbackTimeout bounds the rollback of a transaction whose own context may be over.
const rollbackTimeout = 2 * time.Second

// Tx is a transaction: all statements of queries/, and others by Exec, Query and QueryRow.
type Tx struct {
	*dbgen.Queries

	tx      pgx.Tx
	changed []Scope
}

// InTx runs fn in a transaction: committed when fn returns nil, else rolled back. fn must take everything from tx;
// a statement on db within fn would wait for a second connection. Locks are held to the end, so fn must not wait
// for anything but the database.
func (db *DB) InTx(ctx context.Context, fn func(tx *Tx) error) error {
	conn, pgxTx, err := db.begin(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	defer rollback(ctx, pgxTx) // Does nothing after a commit; frees the connection when fn panics.
	tx := &Tx{tx: pgxTx}
	tx.Queries = dbgen.New(tx)
	if err := fn(tx); err != nil {
		return err
	}
	release, err := db.hold(ctx, tx.changed)
	if err != nil {
		return err
	}
	if err := pgxTx.Commit(ctx); err != nil {
		return release(ctx, fmt.Errorf("%w: %w", ErrUncertain, mapError(err)))
	}
	return release(ctx, nil)
}

// begin begins a transaction. A connection that died in the pool is replaced: nothing was done on it yet.
func (db *DB) begin(ctx context.Context) (conn *pgxpool.Conn, tx pgx.Tx, err error) {
	conn, err = db.attempt(ctx, func(conn *pgxpool.Conn) error {
		tx, err = conn.Begin(ctx)
		return err
	}, func(error) bool { return true })
	return conn, tx, err
}

func rollback(ctx context.Context, tx pgx.Tx) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
	defer cancel()
	_ = tx.Rollback(ctx) // When it fails the connection is closed, which rolls back as well.
}

// Exec runs a statement in the transaction.
func (tx *Tx) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	tag, err := tx.tx.Exec(ctx, sql, args...)
	return tag, mapError(err)
}

// Query runs a statement in the transaction.
func (tx *Tx) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	rows, err := tx.tx.Query(ctx, sql, args...)
	if err != nil {
		return nil, mapError(err)
	}
	return &mappedRows{rows}, nil
}

// QueryRow runs a statement in the transaction; Scan reads its first row.
func (tx *Tx) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	rows, err := tx.Query(ctx, sql, args...)
	return &row{rows, err}
}

// CopyFrom inserts many rows at once in the transaction.
func (tx *Tx) CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, source pgx.CopyFromSource) (int64, error) {
	n, err := tx.tx.CopyFrom(ctx, table, columns, source)
	return n, mapError(err)
}
