package database_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/app/database"
)

// TestInstancesMigrateOneAfterTheOther: all instances of a new version start at once.
func TestInstancesMigrateOneAfterTheOther(t *testing.T) {
	t.Parallel()
	d := server.NewEmptyDatabase(t)
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() { assert.NoError(t, database.Migrate(t.Context(), d.OwnerURL)) })
	}
	group.Wait()
	conn := d.Connect(t)
	var applied, distinct int
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT count(*), count(DISTINCT version_id) FROM goose_db_version").Scan(&applied, &distinct))
	assert.Equal(t, distinct, applied, "no migration was made twice")
	assert.Greater(t, applied, 1)
	require.NoError(t, database.Migrate(t.Context(), d.OwnerURL), "nothing left to do")
}

func TestAMissingDatabaseIsWorthAnotherTry(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	err := database.Migrate(ctx, "postgres://owner:hunter2@/panel?host=/nonexistent")
	require.ErrorIs(t, err, database.ErrBusy)
	assert.NotContains(t, err.Error(), "hunter2")
	err = database.Migrate(ctx, "postgres://%zz:hunter2@/panel")
	require.Error(t, err)
	assert.NotContains(t, err.Error(), "hunter2")
	_, err = database.Open(database.Options{URL: "postgres://%zz:hunter2@/panel"})
	require.Error(t, err)
	assert.NotContains(t, err.Error(), "hunter2")
}

func TestTheApplicationsRoleCannotChangeTheSchema(t *testing.T) {
	t.Parallel()
	db := server.NewDatabase(t).Open(t)
	for _, statement := range []string{"DROP TABLE users", "ALTER TABLE users ADD x int", "TRUNCATE users", "CREATE TABLE x (y int)"} {
		_, err := db.Exec(t.Context(), statement)
		require.ErrorContains(t, err, "42501", statement)
	}
}

// A start that has nothing to migrate is told so by the application's own role.
func TestASchemaIsCurrentOnceAllIsMigrated(t *testing.T) {
	t.Parallel()
	d := server.NewEmptyDatabase(t)
	db := d.Open(t)
	_, err := database.IsCurrent(t.Context(), db)
	require.ErrorContains(t, err, "goose_db_version", "nothing was migrated")

	require.NoError(t, database.Migrate(t.Context(), d.OwnerURL))
	current, err := database.IsCurrent(t.Context(), db)
	require.NoError(t, err)
	assert.True(t, current)

	owner := d.Connect(t)
	for _, change := range []struct {
		statement string
		current   bool
	}{
		{"INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, true)", true}, // A newer release was here.
		{"DELETE FROM goose_db_version WHERE version_id = 2", false},
		{"DELETE FROM goose_db_version", false},
	} {
		_, err = owner.Exec(t.Context(), change.statement)
		require.NoError(t, err)
		current, _ = database.IsCurrent(t.Context(), db) // Of no rows there is no array.
		assert.Equal(t, change.current, current, change.statement)
	}
}
