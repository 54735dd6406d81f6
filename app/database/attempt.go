package database

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgerrcode"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// refusalRest is how long to leave a pooler alone that refuses. It tries the server again every tenth of a second.
const refusalRest = 20 * time.Millisecond

// run runs a statement on a connection, which it returns still acquired when there was no error. A write is a transaction of its
// own: ErrUncertain if its answer was lost.
func (db *DB) run(ctx context.Context, sql string, statement func(*pgxpool.Conn) error) (*pgxpool.Conn, error) {
	lost := false
	conn, err := db.attempt(ctx, func(conn *pgxpool.Conn) error {
		err := statement(conn)
		lost = !isRead(sql) && answerLost(err)
		return err
	}, func(err error) bool { return pgconn.SafeToRetry(err) || isRead(sql) && isDisconnect(err) })
	if err != nil && lost {
		return nil, fmt.Errorf("%w: %w", ErrUncertain, err)
	}
	return conn, err
}

// answerLost reports whether a statement was sent and nobody knows what became of it.
func answerLost(err error) bool {
	return err != nil && !pgconn.SafeToRetry(err) && !refused(err) && !gaveUp(err) &&
		(isDisconnect(err) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded))
}

// attempt does something on a connection, which it returns still acquired when there was no error. A connection may have died in
// the pool, as after a restart of the pooler; it is then done once more on one that is alive, if repeatable says so of the error.
// While the pooler refuses, it is tried for as long as a connection is waited for.
func (db *DB) attempt(ctx context.Context, do func(*pgxpool.Conn) error, repeatable func(error) bool) (*pgxpool.Conn, error) {
	patience := time.Now().Add(db.patience)
	conn, err := db.acquire(ctx)
	if err == nil {
		if err = do(conn); err == nil {
			return conn, nil
		}
		conn.Release()
		if !refused(err) && !repeatable(err) {
			return nil, mapError(err)
		}
		conn, err = db.again(ctx, do)
	}
	for refused(err) && time.Now().Before(patience) {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(refusalRest):
		}
		conn, err = db.again(ctx, do)
	}
	return conn, err
}

func (db *DB) again(ctx context.Context, do func(*pgxpool.Conn) error) (*pgxpool.Conn, error) {
	conn, err := db.acquireAlive(ctx)
	if err != nil {
		return nil, err
	}
	if err := do(conn); err != nil {
		conn.Release()
		return nil, mapError(err)
	}
	return conn, nil
}

// refused tells whether PgBouncer refused a statement, of which nothing was run then. It does so while it has no connection to the
// server and the last one that it began was not accepted. It takes it for that, too, when it broke the login off itself, because it
// was told to pause or to connect anew.
func refused(err error) bool {
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && pgErr.Code == pgerrcode.ProtocolViolation && strings.HasPrefix(pgErr.Message, "server login has been failing")
}

// gaveUp tells whether PgBouncer waited in vain for a connection to the server. Nothing was run.
func gaveUp(err error) bool {
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && pgErr.Code == pgerrcode.ProtocolViolation && pgErr.Message == "query_wait_timeout"
}

// acquireAlive is acquire, but asks each connection whether it still works; dead ones are replaced.
func (db *DB) acquireAlive(ctx context.Context) (*pgxpool.Conn, error) {
	var err error
	for range db.pool.Config().MaxConns + 1 { // All may be dead; the next is a new one.
		conn, acquireErr := db.acquire(ctx)
		if acquireErr != nil {
			return nil, acquireErr
		}
		if err = conn.Ping(ctx); err == nil {
			return conn, nil
		}
		conn.Release()
		if refused(err) { // So would the next one be, and each costs the pooler a login.
			break
		}
	}
	return nil, mapError(err)
}
