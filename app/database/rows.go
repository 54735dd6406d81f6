package database

import (
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// mappedRows are rows whose errors are mapped.
type mappedRows struct{ pgx.Rows }

// Err returns the mapped error that ended the rows.
func (r *mappedRows) Err() error { return mapError(r.Rows.Err()) }

// Scan reads the row.
func (r *mappedRows) Scan(dest ...any) error { return mapError(r.Rows.Scan(dest...)) }

// pooledRows give their connection back when they are closed or read to the end.
type pooledRows struct {
	mappedRows

	conn *pgxpool.Conn
	// The first row was asked for already: first tells whether there is one, unread that the caller has not seen it.
	unread, first bool
	// writes says that the statement writes. It commits itself, which it does after its rows.
	writes bool
}

// Err returns the mapped error that ended the rows.
func (r *pooledRows) Err() error {
	err := r.Rows.Err()
	if r.writes && answerLost(err) {
		return fmt.Errorf("%w: %w", ErrUncertain, mapError(err))
	}
	return mapError(err)
}

// Next goes to the next row; after the last one the connection is free.
func (r *pooledRows) Next() bool {
	if r.unread {
		r.unread = false
		if r.first {
			return true
		}
	} else if r.Rows.Next() {
		return true
	}
	r.Close()
	return false
}

// Close frees the connection.
func (r *pooledRows) Close() {
	r.Rows.Close()
	if r.conn != nil {
		r.conn.Release()
		r.conn = nil
	}
}

// row reads the first of its rows and closes them.
type row struct {
	rows pgx.Rows
	err  error
}

// Scan reads the first row; ErrNotFound when there is none.
func (r *row) Scan(dest ...any) error {
	if r.err != nil {
		return r.err
	}
	defer r.rows.Close()
	if !r.rows.Next() {
		if err := r.rows.Err(); err != nil {
			return err
		}
		return ErrNotFound
	}
	if err := r.rows.Scan(dest...); err != nil {
		return err
	}
	r.rows.Close()
	return r.rows.Err()
}
