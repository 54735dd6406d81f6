package database_test

import (
	"context"
	"net"
	"os"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/app/config"
	"github.com/radpanel/radpanel/app/database"
	"github.com/radpanel/radpanel/app/database/databasetest"
	"github.com/radpanel/radpanel/app/database/dbgen"
)

var server databasetest.Server

func TestMain(m *testing.M) { os.Exit(server.Run(m)) }

func newUser(t *testing.T, q *dbgen.Queries, email string) dbgen.User {
	t.Helper()
	id := uuid.Must(uuid.NewV7())
	bucket := database.BucketOf(id)
	require.NoError(t, q.CreateDirectoryEntry(t.Context(), dbgen.CreateDirectoryEntryParams{Email: email, UserID: id, Bucket: bucket}))
	u, err := q.CreateUser(t.Context(), dbgen.CreateUserParams{Bucket: bucket, ID: id, Email: email, PasswordHash: "x", Role: "user"})
	require.NoError(t, err)
	return u
}

func TestRowsComeBackAsTheyWereWritten(t *testing.T) {
	t.Parallel()
	db := server.NewDatabase(t).Open(t)
	u := newUser(t, db.Queries, "a@example.com")
	got, err := db.GetUser(t.Context(), dbgen.GetUserParams{Bucket: u.Bucket, ID: u.ID})
	require.NoError(t, err)
	assert.Equal(t, u, got)
}

func TestErrorsAreMapped(t *testing.T) {
	t.Parallel()
	db := server.NewDatabase(t).Open(t)
	ctx := t.Context()
	u := newUser(t, db.Queries, "a@example.com")

	_, err := db.GetUser(ctx, dbgen.GetUserParams{Bucket: u.Bucket, ID: uuid.New()})
	require.ErrorIs(t, err, database.ErrNotFound)

	err = db.CreateDirectoryEntry(ctx, dbgen.CreateDirectoryEntryParams{Email: u.Email, UserID: u.ID, Bucket: u.Bucket})
	require.ErrorIs(t, err, database.ErrConflict)
	var conflict *database.ConflictError
	require.ErrorAs(t, err, &conflict)
	assert.Equal(t, "directory_pkey", conflict.Constraint)

	_, err = db.UpdateUserName(ctx, dbgen.UpdateUserNameParams{Bucket: u.Bucket, ID: u.ID, Name: "a\x00b", UpdatedAt: time.Now()})
	require.ErrorIs(t, err, database.ErrInvalid)

	_, err = db.Exec(ctx, "INSERT INTO totp (bucket, user_id, secret_encrypted) VALUES (0, '00000000-0000-0000-0000-000000000000', '')")
	require.ErrorIs(t, err, database.ErrNotFound, "a missing parent")

	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	_, err = db.AnyUserExists(cancelled)
	require.ErrorIs(t, err, context.Canceled)
}

func TestAWaitForAConnectionIsBounded(t *testing.T) {
	t.Parallel()
	db := server.NewDatabase(t).OpenWith(t, database.Options{Connections: 1, Wait: 200 * time.Millisecond})
	require.Eventually(t, func() bool { return db.Ping(t.Context()) == nil }, time.Minute, time.Millisecond, "to open one may take longer")
	err := db.InTx(t.Context(), func(*database.Tx) error {
		start := time.Now()
		_, err := db.AnyUserExists(t.Context())
		require.ErrorIs(t, err, database.ErrPoolExhausted)
		require.ErrorContains(t, err, "all 1 stayed in use for 200ms")
		assert.Less(t, time.Since(start), 5*time.Second)
		return nil
	})
	require.NoError(t, err)
	_, err = db.AnyUserExists(t.Context())
	require.NoError(t, err, "the connection must be free again")
}

// One that takes a connection and says nothing is not to be taken for a pool that is too small.
func TestAConnectionThatIsNotOpenInTimeIsSaidToBe(t *testing.T) {
	t.Parallel()
	silent, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { require.NoError(t, silent.Close()) }()
	db, err := database.Open(database.Options{
		URL: config.Secret("postgres://nobody@" + silent.Addr().String() + "/none"), Connections: 2, Wait: 50 * time.Millisecond,
	})
	require.NoError(t, err)
	defer db.Close()
	err = db.Ping(t.Context())
	require.ErrorIs(t, err, database.ErrPoolExhausted)
	require.ErrorContains(t, err, "0 of 2 are in use, and another one was not open after ")
}

// The first requests need not wait for connections to be opened.
func TestAPoolIsWarmedAsFarAsTheServerLets(t *testing.T) {
	t.Parallel()
	home := server.NewDatabase(t)
	for _, c := range []struct {
		connections int
		opened      int32
	}{{10, 4}, {2, 2}} {
		db := home.OpenWith(t, database.Options{Connections: c.connections, Wait: time.Second})
		require.Eventually(t, func() bool { db.Warm(t.Context()); return db.Stat().IdleConns() == c.opened }, time.Minute, time.Millisecond)
		assert.Equal(t, c.opened, db.Stat().TotalConns())
		db.Close()
	}
	_, err := home.ConnectServer(t).Exec(t.Context(), "ALTER DATABASE "+home.Name+" CONNECTION LIMIT 1")
	require.NoError(t, err)
	db := home.OpenWith(t, database.Options{Connections: 10, Wait: 5 * time.Second})
	require.Eventually(t, func() bool { return db.Ping(t.Context()) == nil }, time.Minute, time.Millisecond)
	db.Warm(t.Context())
	require.NoError(t, db.Ping(t.Context()), "what the server refuses does no harm")

	unreachable, err := database.Open(database.Options{URL: "postgres://nobody@/none?host=/nonexistent", Connections: 2, Wait: time.Second})
	require.NoError(t, err)
	defer unreachable.Close()
	unreachable.Warm(t.Context())
	assert.Zero(t, unreachable.Stat().TotalConns())
}

func TestAnUnreachableDatabaseIsBusy(t *testing.T) {
	t.Parallel()
	db, err := database.Open(database.Options{
		URL: "postgres://nobody@/none?host=/nonexistent", Connections: 2, Wait: time.Second,
	})
	require.NoError(t, err)
	defer db.Close()
	require.ErrorIs(t, db.Ping(t.Context()), database.ErrBusy)
	require.ErrorIs(t, db.InTx(t.Context(), func(*database.Tx) error { return nil }), database.ErrBusy)
}

func TestATransactionIsAllOrNothing(t *testing.T) {
	t.Parallel()
	db := server.NewDatabase(t).OpenWith(t, database.Options{Connections: 1, Wait: time.Second})
	ctx := t.Context()
	err := db.InTx(ctx, func(tx *database.Tx) error {
		newUser(t, tx.Queries, "a@example.com")
		return assert.AnError
	})
	require.ErrorIs(t, err, assert.AnError)
	assert.Panics(t, func() {
		_ = db.InTx(ctx, func(tx *database.Tx) error {
			newUser(t, tx.Queries, "b@example.com")
			panic("half way")
		})
	})
	found, err := db.AnyUserExists(ctx)
	require.NoError(t, err, "a panic must free the only connection")
	assert.False(t, found)
}
