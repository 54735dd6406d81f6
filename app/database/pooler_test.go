package database_test

import (
	"crypto/sha256"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/app/database"
	"github.com/radpanel/radpanel/app/database/dbgen"
)

// TestTransactionPooling runs statements of every kind over two server connections that twenty clients share, so that
// each statement meets a connection on which another client ran something else.
func TestTransactionPooling(t *testing.T) {
	t.Parallel()
	d := server.NewDatabase(t)
	pooler := server.NewPooler(t, d, 2)
	var group sync.WaitGroup
	for client := range 4 {
		db := d.OpenWith(t, database.Options{URL: pooler.URL, Connections: 5, Wait: 30 * time.Second})
		for worker := range 5 {
			group.Go(func() {
				for i := range 10 {
					useEverything(t, db, fmt.Sprintf("user%d-%d-%d@example.com", client, worker, i))
				}
			})
		}
	}
	group.Wait()
}

// useEverything writes and reads by single statements, in a transaction, by COPY and with arrays, times and documents.
func useEverything(t *testing.T, db *database.DB, email string) {
	t.Helper()
	ctx := t.Context()
	id := uuid.Must(uuid.NewV7())
	bucket := database.BucketOf(id)
	err := db.InTx(ctx, func(tx *database.Tx) error {
		if err := tx.CreateDirectoryEntry(ctx, dbgen.CreateDirectoryEntryParams{Email: email, UserID: id, Bucket: bucket}); err != nil {
			return err
		}
		if _, err := tx.CreateUser(ctx, dbgen.CreateUserParams{Bucket: bucket, ID: id, Email: email, PasswordHash: "x", Role: "user"}); err != nil {
			return err
		}
		_, err := tx.CreateRecoveryCodes(ctx, []dbgen.CreateRecoveryCodesParams{
			{Bucket: bucket, ID: uuid.New(), UserID: id, CodeHash: []byte{1}}, {Bucket: bucket, ID: uuid.New(), UserID: id, CodeHash: []byte{2}},
		})
		return err
	})
	if !assert.NoError(t, err) {
		return
	}
	token := sha256.Sum256(id[:])
	_, err = db.CreateSession(ctx, dbgen.CreateSessionParams{
		Bucket: bucket, ID: uuid.New(), UserID: id, TokenHash: token[:], CreatedAt: time.Now(), ExpiresAt: time.Now().Add(time.Hour),
	})
	assert.NoError(t, err)
	found, err := db.FindSession(ctx, dbgen.FindSessionParams{Bucket: bucket, TokenHash: token[:]})
	if assert.NoError(t, err) {
		assert.Equal(t, id, found.User.ID)
	}
	n, err := db.UseRecoveryCode(ctx, dbgen.UseRecoveryCodeParams{Bucket: bucket, UserID: id, CodeHash: []byte{2}, UsedAt: time.Now()})
	assert.NoError(t, err)
	assert.Equal(t, int64(1), n)
	_, err = db.ListOwnedFileIDs(ctx, dbgen.ListOwnedFileIDsParams{Bucket: bucket, Ids: []uuid.UUID{id, uuid.New()}})
	assert.NoError(t, err)
	_, err = db.Exec(ctx, "DELETE FROM sessions WHERE bucket = $1 AND user_id = $2", bucket, id)
	assert.NoError(t, err)
}

// TestAPausedPoolerMakesRequestsWait: a promotion pauses the pooler for less than a second, and no request may fail for it.
func TestAPausedPoolerMakesRequestsWait(t *testing.T) {
	t.Parallel()
	d := server.NewDatabase(t)
	pooler := server.NewPooler(t, d, 2)
	db := d.OpenWith(t, database.Options{URL: pooler.URL, Connections: 2, Wait: 500 * time.Millisecond})
	require.Eventually(t, func() bool { return db.Ping(t.Context()) == nil }, time.Minute, time.Millisecond, "to open one may take longer")
	pooler.Command(t, "PAUSE")
	done := make(chan error, 1)
	go func() {
		_, err := db.AnyUserExists(t.Context())
		done <- err
	}()
	select {
	case err := <-done:
		require.Fail(t, "the statement must wait", "%v", err)
	case <-time.After(800 * time.Millisecond): // What must not happen cannot be waited for.
	}
	pooler.Command(t, "RESUME")
	require.NoError(t, <-done)
}

// TestALoginThatThePoolerBreaksOffFailsNoRequest: PgBouncer, when it is told to pause or to connect anew, breaks off the login
// that it has under way, takes that for a failure of the server's, and refuses what comes until it has tried again.
func TestALoginThatThePoolerBreaksOffFailsNoRequest(t *testing.T) {
	t.Parallel()
	use := map[string]func(*database.DB) error{
		"read":        func(db *database.DB) error { return db.Ping(t.Context()) },
		"transaction": func(db *database.DB) error { return db.InTx(t.Context(), func(*database.Tx) error { return nil }) },
	}
	for _, commands := range [][]string{{"RECONNECT"}, {"PAUSE", "RESUME"}} {
		d := server.NewDatabase(t)
		pooler := server.NewPooler(t, d, 2)
		db := d.OpenWith(t, database.Options{URL: pooler.URL, Connections: 10, Wait: 5 * time.Second})
		openAll(t, db, 1)
		conn := d.ConnectServer(t)
		_, err := conn.Exec(t.Context(), "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = $1", d.Name)
		require.NoError(t, err)
		// A login reads this table: the next one has to wait.
		_, err = conn.Exec(t.Context(), "BEGIN; LOCK pg_db_role_setting IN ACCESS EXCLUSIVE MODE")
		require.NoError(t, err)
		first := make(chan error, 1)
		go func() { first <- db.Ping(t.Context()) }()
		require.Eventually(t, func() bool {
			var waiting bool
			err := conn.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted
				AND relation = 'pg_db_role_setting'::regclass)`).Scan(&waiting)
			return assert.NoError(t, err) && waiting
		}, 20*time.Second, time.Millisecond)
		for _, command := range commands {
			pooler.Command(t, command)
		}
		_, err = conn.Exec(t.Context(), "COMMIT")
		require.NoError(t, err)
		for name, once := range use {
			assert.NoError(t, once(db), "%s after %s", name, commands)
		}
		require.NoError(t, <-first, commands)
	}
}

// TestDeadConnectionsAreReplaced: connections that died in the pool, as when the pooler restarts, fail no read and no
// transaction, however many there are.
func TestDeadConnectionsAreReplaced(t *testing.T) {
	t.Parallel()
	const connections = 5
	d := server.NewDatabase(t)
	db := d.OpenWith(t, database.Options{Connections: connections, Wait: 5 * time.Second})
	conn := d.ConnectServer(t)
	for name, use := range map[string]func() error{
		"row": func() error {
			_, err := db.AnyUserExists(t.Context())
			return err
		},
		"rows": func() error {
			users, err := db.ListUsers(t.Context(), dbgen.ListUsersParams{Before: uuid.Max, RowLimit: 5})
			assert.Empty(t, users)
			return err
		},
		"exec": func() error { return db.Ping(t.Context()) },
		"transaction": func() error {
			return db.InTx(t.Context(), func(tx *database.Tx) error {
				_, err := tx.AnyUserExists(t.Context())
				return err
			})
		},
	} {
		openAll(t, db, connections)
		_, err := conn.Exec(t.Context(), "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = $1", d.Name)
		require.NoError(t, err)
		require.NoError(t, use(), name)
	}
}

// TestAWriteIsNotRepeatedBlindly: when the connection ends under a write, the write may have been made.
func TestAWriteIsNotRepeatedBlindly(t *testing.T) {
	t.Parallel()
	d := server.NewDatabase(t)
	db := d.OpenWith(t, database.Options{Connections: 1, Wait: 5 * time.Second})
	user := newUser(t, db.Queries, "ada@example.com")
	rename := func() error {
		_, err := db.UpdateUserName(t.Context(), dbgen.UpdateUserNameParams{Bucket: user.Bucket, ID: user.ID, Name: "x", UpdatedAt: time.Now()})
		return err
	}
	lock := d.Connect(t)
	_, err := lock.Exec(t.Context(), "BEGIN; SELECT 1 FROM users FOR UPDATE")
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() { done <- rename() }()
	killer := d.ConnectServer(t)
	require.Eventually(t, func() bool {
		var killed bool
		err := killer.QueryRow(t.Context(), `SELECT coalesce(bool_or(pg_terminate_backend(pid)), false) FROM pg_stat_activity
			WHERE datname = $1 AND wait_event_type = 'Lock'`, d.Name).Scan(&killed)
		return assert.NoError(t, err) && killed
	}, 20*time.Second, 5*time.Millisecond)
	err = <-done
	require.ErrorIs(t, err, database.ErrBusy)
	require.ErrorIs(t, err, database.ErrUncertain)
	_, err = lock.Exec(t.Context(), "COMMIT")
	require.NoError(t, err)
	require.NoError(t, rename())
	again, err := db.GetUser(t.Context(), dbgen.GetUserParams{Bucket: user.Bucket, ID: user.ID})
	require.NoError(t, err)
	assert.Equal(t, user.Version+1, again.Version)
}

// openAll makes the pool open all of its connections.
func openAll(t *testing.T, db *database.DB, connections int) {
	t.Helper()
	entered, leave := make(chan struct{}), make(chan struct{})
	var group sync.WaitGroup
	for range connections {
		group.Go(func() {
			assert.NoError(t, db.InTx(t.Context(), func(*database.Tx) error {
				entered <- struct{}{}
				<-leave
				return nil
			}))
		})
	}
	for range connections {
		<-entered
	}
	close(leave)
	group.Wait()
}
