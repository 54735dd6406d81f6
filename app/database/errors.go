package database

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/jackc/pgerrcode"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// The errors that callers tell apart, with errors.Is. Every error of a DB or a Tx is mapped once, here; what is
// none of these is a defect.
var (
	// ErrNotFound: no such row, or its parent is gone.
	ErrNotFound = errors.New("not found")
	// ErrConflict: a unique constraint refused the row; ConflictError names it.
	ErrConflict = errors.New("already exists")
	// ErrStale: the row has changed since the caller read it. The services return it; the database does not.
	ErrStale = errors.New("changed since it was read")
	// ErrInvalid: a value that the database refuses, such as text with a NUL byte.
	ErrInvalid = errors.New("value refused by the database")
	// ErrBusy: no connection was free in time, or the database cannot be reached. Worth another try soon.
	ErrBusy = errors.New("database busy")
	// ErrPoolExhausted is the ErrBusy of a pool that had no connection in time: all stayed in use, or another one took too long to
	// open. No statement was run.
	ErrPoolExhausted = fmt.Errorf("%w: no connection was free in time", ErrBusy)
	// ErrFenced is the ErrBusy of a database that is not to be written to: the panel is being moved, and writes elsewhere or
	// will in a moment.
	ErrFenced = fmt.Errorf("%w: fenced", ErrBusy)
	// ErrFull is the ErrBusy of a database whose disk has no space left: it still reads. Another try is worth it only once
	// somebody has made room.
	ErrFull = fmt.Errorf("%w: no space left on its disk", ErrBusy)
	// ErrUncertain: the commit got no answer, or a write outside of a transaction, so it may have been made or not.
	ErrUncertain = errors.New("not known whether the transaction was committed")
)

// ConflictError is an ErrConflict with the name of the constraint, such as "directory_pkey".
type ConflictError struct{ Constraint string }

func (e *ConflictError) Error() string { return "already exists: constraint " + e.Constraint }

// Is makes errors.Is(err, ErrConflict) true.
func (e *ConflictError) Is(target error) bool { return target == ErrConflict }

func mapError(err error) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if errors.Is(err, pgx.ErrNoRows) {
		return ErrNotFound
	}
	var connectErr *pgconn.ConnectError
	if errors.As(err, &connectErr) { // Whatever the reason, also a refused password: no statement was run.
		return fmt.Errorf("%w: %w", ErrBusy, err)
	}
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) {
		return mapPostgresError(pgErr)
	}
	var netErr net.Error
	if errors.As(err, &netErr) || pgconn.SafeToRetry(err) || lostConnection(err) {
		return fmt.Errorf("%w: %w", ErrBusy, err)
	}
	return err
}

// fenced is the code by which a fenced database refuses a write; see the migration of schema promotion.
const fenced = "RP001"

func mapPostgresError(err *pgconn.PgError) error {
	switch {
	case err.Code == fenced:
		return ErrFenced
	case err.Code == pgerrcode.UniqueViolation:
		return &ConflictError{Constraint: err.ConstraintName}
	case err.Code == pgerrcode.ForeignKeyViolation:
		return fmt.Errorf("%w: %s", ErrNotFound, err.ConstraintName)
	case err.Code == pgerrcode.CheckViolation, err.Code == pgerrcode.NotNullViolation, pgerrcode.IsDataException(err.Code),
		pgerrcode.IsProgramLimitExceeded(err.Code): // Such as a document that is nested too deeply.
		return fmt.Errorf("%w: %s", ErrInvalid, err.Message)
	case err.Code == pgerrcode.DiskFull:
		return fmt.Errorf("%w: %w", ErrFull, err)
	case pgerrcode.IsConnectionException(err.Code), pgerrcode.IsInsufficientResources(err.Code),
		pgerrcode.IsOperatorIntervention(err.Code), pgerrcode.IsTransactionRollback(err.Code),
		err.Code == pgerrcode.LockNotAvailable,
		err.Code == pgerrcode.ReadOnlySQLTransaction: // A primary that was just demoted.
		return fmt.Errorf("%w: %w", ErrBusy, err)
	default:
		return err
	}
}

// isDisconnect reports whether the connection ended before the statement was answered.
func isDisconnect(err error) bool {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) {
		return pgerrcode.IsConnectionException(pgErr.Code) || pgErr.Code == pgerrcode.AdminShutdown ||
			pgErr.Code == pgerrcode.CrashShutdown || pgErr.Code == pgerrcode.CannotConnectNow
	}
	var netErr net.Error
	return errors.As(err, &netErr) || lostConnection(err)
}

// lostConnection recognises pgx's errors for a connection that ended in the middle, which have no type.
func lostConnection(err error) bool {
	text := err.Error()
	return strings.Contains(text, "unexpected EOF") || strings.Contains(text, "conn closed")
}
