package database

import (
	"context"
	"strconv"
	"strings"

	"github.com/google/uuid"
)

// Scope names what a change touches, so that copies of it elsewhere, such as in a cache, are not used any more.
type Scope string

// UsersScope is the users of a bucket, with their sessions.
func UsersScope(bucket int16) Scope { return Scope("users:" + strconv.Itoa(int(bucket))) }

// PanelScope is the row of a panel, and whether there is one.
func PanelScope(panel uuid.UUID) Scope { return Scope("panel:" + panel.String()) }

// PanelPresenceScope is whether a panel is there: what is in a deleted one is not found.
func PanelPresenceScope(panel uuid.UUID) Scope { return Scope("panel-presence:" + panel.String()) }

// RecordScope is the row of a record.
func RecordScope(record uuid.UUID) Scope { return Scope("record:" + record.String()) }

// OwnerScope is everything of a user, of which a later read must not be older than the user's last write.
func OwnerScope(user uuid.UUID) Scope { return Scope(ownerPrefix + user.String()) }

const ownerPrefix = "owner:"

// Invalidator keeps copies of rows from being used once the rows have changed.
type Invalidator interface {
	// Hold is called before a change is committed: from now on no copy of the scopes may be used or made. Release is
	// called when the outcome is known, nil for a commit. An error of Hold refuses the change.
	Hold(ctx context.Context, scopes []Scope) (release func(ctx context.Context, outcome error) error, err error)
}

// Change runs a statement that changes the scopes by itself, without a transaction around it.
func (db *DB) Change(ctx context.Context, scopes []Scope, statement func() error) error {
	release, err := db.hold(ctx, scopes)
	if err != nil {
		return err
	}
	return release(ctx, statement())
}

// Changes notes what the transaction changes: copies of it are not used any more once it is committed.
func (tx *Tx) Changes(scopes ...Scope) { tx.changed = append(tx.changed, scopes...) }

// hold begins a change. The returned function ends it with its outcome, which it gives back.
func (db *DB) hold(ctx context.Context, scopes []Scope) (func(ctx context.Context, outcome error) error, error) {
	if db.invalidator == nil || len(scopes) == 0 {
		return func(_ context.Context, outcome error) error { return outcome }, nil
	}
	return db.invalidator.Hold(ctx, scopes)
}

// IsOwner tells whether it is an OwnerScope.
func (s Scope) IsOwner() bool { return strings.HasPrefix(string(s), ownerPrefix) }
