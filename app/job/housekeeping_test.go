package job_test

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/app/database"
	"github.com/radpanel/radpanel/app/database/dbgen"
	"github.com/radpanel/radpanel/app/file"
	"github.com/radpanel/radpanel/app/job"
)

const day = 24 * time.Hour

// house is a fixture with a file store and a housekeeper whose clock can be set.
type house struct {
	*fixture

	store  *file.Disk
	folder string
	ahead  time.Duration
	keeper *job.Housekeeper
}

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{fixture: newFixture(t), folder: filepath.Join(t.TempDir(), "files")}
	var err error
	h.store, err = file.OpenDisk(h.folder)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, h.store.Close()) })
	h.keeper = job.NewHousekeeper(job.HousekeepingOptions{
		DB: h.DB, Store: h.store, Log: slog.New(slog.DiscardHandler), RestorationPeriod: 30 * day,
		Now: func() time.Time { return time.Now().Add(h.ahead) },
	})
	return h
}

// tidyAfter makes a pass as if so much time had gone by.
func (h *house) tidyAfter(t *testing.T, d time.Duration) {
	t.Helper()
	h.ahead = d
	require.NoError(t, h.keeper.Tidy(t.Context()))
}

func (h *house) count(t *testing.T, table string) (n int) {
	t.Helper()
	require.NoError(t, h.QueryRow(t.Context(), "SELECT count(*) FROM "+table).Scan(&n)) //nolint:unqueryvet // A constant of a test.
	return n
}

func (h *house) put(t *testing.T) file.Key {
	t.Helper()
	key := file.NewKey(uint8(h.bucket), uuid.Must(uuid.NewV7()))
	_, err := h.store.Put(t.Context(), key, strings.NewReader("content"))
	require.NoError(t, err)
	return key
}

func (h *house) has(t *testing.T, key file.Key) bool {
	t.Helper()
	object, err := h.store.Open(t.Context(), key)
	if errors.Is(err, file.ErrNotFound) {
		return false
	}
	require.NoError(t, err)
	require.NoError(t, object.Close())
	return true
}

// newPanel makes a panel with a stored file and n records.
func (h *house) newPanel(t *testing.T, records int) (dbgen.Panel, file.Key) {
	t.Helper()
	made, err := h.CreatePanel(t.Context(), dbgen.CreatePanelParams{
		Bucket: h.bucket, ID: uuid.Must(uuid.NewV7()), UserID: h.user, Name: "panel", Columns: []string{},
	})
	require.NoError(t, err)
	_, err = h.Exec(t.Context(), `INSERT INTO records (bucket, id, panel_id, user_id, title)
		SELECT $1, gen_random_uuid(), $2, $3, 'record ' || n FROM generate_series(1, $4::int) n`, h.bucket, made.ID, h.user, records)
	require.NoError(t, err)
	return made, h.attach(t, made)
}

func (h *house) attach(t *testing.T, p dbgen.Panel) file.Key {
	t.Helper()
	key := h.put(t)
	_, err := h.CreateFile(t.Context(), dbgen.CreateFileParams{
		Bucket: h.bucket, ID: key.ID(), PanelID: p.ID, UserID: h.user, Name: "a", ContentType: "text/plain",
		SHA256: make([]byte, 32), StoreKey: key.String(),
	})
	require.NoError(t, err)
	return key
}

func TestDeletedPanelsArePurgedWhenTheyCannotBeRestored(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	deleted, key := h.newPanel(t, 2_500)
	kept, keptKey := h.newPanel(t, 10)
	_, err := h.DeletePanel(t.Context(), dbgen.DeletePanelParams{Bucket: h.bucket, ID: deleted.ID, UserID: h.user})
	require.NoError(t, err)

	h.tidyAfter(t, 30*day)
	assert.Equal(t, 2, h.count(t, "panels"))
	assert.Equal(t, 2_510, h.count(t, "records"))
	assert.True(t, h.has(t, key))

	h.tidyAfter(t, 30*day+2*time.Hour)
	assert.Equal(t, 1, h.count(t, "panels"))
	assert.Equal(t, 10, h.count(t, "records"))
	assert.False(t, h.has(t, key), "the bytes go with the panel")
	assert.True(t, h.has(t, keptKey))
	assert.Zero(t, h.count(t, "file_removals"))
	_, err = h.GetPanel(t.Context(), dbgen.GetPanelParams{Bucket: h.bucket, ID: kept.ID, UserID: h.user})
	require.NoError(t, err)
}

func TestTheBytesOfADeletedAccountGo(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	_, key := h.newPanel(t, 3)
	upload, result := h.put(t), h.put(t)
	queued := h.enqueue(t, kind)
	_, err := h.Exec(t.Context(), "UPDATE jobs SET payload = jsonb_build_object('store_key', $1::text), result = jsonb_build_object('store_key', $2::text) WHERE id = $3",
		upload.String(), result.String(), queued.ID)
	require.NoError(t, err)

	_, err = h.DeleteUser(t.Context(), dbgen.DeleteUserParams{Bucket: h.bucket, ID: h.user})
	require.NoError(t, err)
	assert.Equal(t, 3, h.count(t, "file_removals"), "cascades leave the keys")
	h.tidyAfter(t, 0)
	for _, gone := range []file.Key{key, upload, result} {
		assert.False(t, h.has(t, gone))
	}
	assert.Zero(t, h.count(t, "file_removals"))
}

func TestFinishedJobsGoWithTheirResults(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	result := h.put(t)
	queued := h.enqueue(t, kind)
	worker := start(t, h.hurried(func(context.Context, *job.Run) (job.Outcome, error) {
		return job.Outcome{Result: job.Result{StoreKey: result.String()}}, nil
	}))
	h.await(t, queued, job.StateSucceeded)
	require.NoError(t, stop(worker))
	waiting := h.enqueue(t, kind)

	h.tidyAfter(t, 6*day)
	assert.True(t, h.has(t, result))
	assert.Equal(t, 2, h.count(t, "jobs"))
	h.tidyAfter(t, 8*day)
	assert.False(t, h.has(t, result))
	assert.Equal(t, 1, h.count(t, "jobs"), "a job that is not finished stays, however old")
	assert.Equal(t, job.StateQueued, h.get(t, waiting).State)
}

func TestSessionsAndAnswersExpire(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	for i, expires := range []time.Time{time.Now().Add(time.Hour), time.Now().Add(10 * day)} {
		_, err := h.CreateSession(t.Context(), dbgen.CreateSessionParams{
			Bucket: h.bucket, ID: uuid.Must(uuid.NewV7()), UserID: h.user, TokenHash: bytes.Repeat([]byte{byte(i)}, 32),
			CreatedAt: time.Now(), ExpiresAt: expires,
		})
		require.NoError(t, err)
	}
	require.NoError(t, h.CreateIdempotencyKey(t.Context(), dbgen.CreateIdempotencyKeyParams{
		Bucket: h.bucket, UserID: h.user, Key: "k", RequestHash: []byte{1}, Status: 201, Headers: []byte("{}"), Body: []byte("{}"),
	}))
	h.tidyAfter(t, 23*time.Hour)
	assert.Equal(t, 2, h.count(t, "sessions"))
	assert.Equal(t, 1, h.count(t, "idempotency_keys"))
	h.tidyAfter(t, 2*day)
	assert.Equal(t, 1, h.count(t, "sessions"))
	assert.Zero(t, h.count(t, "idempotency_keys"))
}

// brokenStore refuses to delete one object.
type brokenStore struct {
	file.Store

	broken file.Key
}

func (s brokenStore) Delete(ctx context.Context, key file.Key) error {
	if key == s.broken {
		return errors.New("the disk does not answer")
	}
	return s.Store.Delete(ctx, key)
}

func TestARemovalThatFailsIsTriedAgainLater(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	broken, fine := h.put(t), h.put(t)
	h.keeper.Store = brokenStore{h.store, broken}
	for _, key := range []file.Key{broken, fine} {
		_, err := h.Exec(t.Context(), "INSERT INTO file_removals (bucket, store_key) VALUES ($1, $2)", h.bucket, key.String())
		require.NoError(t, err)
	}
	h.tidyAfter(t, 0)
	assert.False(t, h.has(t, fine), "one that fails does not hold up the others")
	assert.Equal(t, 1, h.count(t, "file_removals WHERE due_at > now() + interval '5 minutes'"))

	h.keeper.Store = h.store
	_, err := h.Exec(t.Context(), "UPDATE file_removals SET due_at = now()")
	require.NoError(t, err)
	h.tidyAfter(t, 0)
	assert.False(t, h.has(t, broken))
	assert.Zero(t, h.count(t, "file_removals"))
}

func TestSweepRemovesOrphans(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	var owned []file.Key
	made, key := h.newPanel(t, 0)
	owned = append(owned, key)
	for range 20 {
		owned = append(owned, h.attach(t, made))
	}
	upload := h.put(t)
	queued := h.enqueue(t, kind)
	_, err := h.Exec(t.Context(), "UPDATE jobs SET payload = jsonb_build_object('store_key', $1::text) WHERE id = $2", upload.String(), queued.ID)
	require.NoError(t, err)
	owned = append(owned, upload)
	orphan := h.put(t)
	half := filepath.Join(h.folder, "incoming", "half")
	require.NoError(t, os.WriteFile(half, nil, 0o600))

	h.ahead = 23 * time.Hour
	require.NoError(t, h.keeper.Sweep(t.Context()))
	assert.True(t, h.has(t, orphan), "it may belong to a request that is still running")
	assert.NoFileExists(t, half)

	h.ahead = 25 * time.Hour
	require.NoError(t, h.keeper.Sweep(t.Context()))
	assert.False(t, h.has(t, orphan))
	for _, key := range owned {
		assert.True(t, h.has(t, key))
	}
}

func TestSweepOfASmallPanelRemovesOrphans(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	made, owned := h.newPanel(t, 0)
	for range 4 {
		h.attach(t, made)
	}
	orphan := h.put(t) // An upload that was given up, among five files.
	h.ahead = 25 * time.Hour
	require.NoError(t, h.keeper.Sweep(t.Context()))
	assert.False(t, h.has(t, orphan))
	assert.True(t, h.has(t, owned))

	var many []file.Key
	for range 21 { // More than a few, and most of what there is.
		many = append(many, h.put(t))
	}
	require.ErrorContains(t, h.keeper.Sweep(t.Context()), "21 of 26 stored objects")
	for _, key := range many {
		assert.True(t, h.has(t, key))
	}
}

func TestSweepRefusesAStoreOfAnotherDatabase(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	var keys []file.Key
	for range 5 {
		keys = append(keys, h.put(t))
	}
	h.ahead = 25 * time.Hour
	err := h.keeper.Sweep(t.Context())
	require.ErrorContains(t, err, "5 of 5 stored objects")
	for _, key := range keys {
		assert.True(t, h.has(t, key))
	}
}

// signallingStore tells when it is listed.
type signallingStore struct {
	file.Store

	listed chan struct{}
}

func (s signallingStore) List(ctx context.Context, bucket uint8) iter.Seq2[file.Info, error] {
	if bucket == 255 {
		select {
		case s.listed <- struct{}{}:
		default:
		}
	}
	return s.Store.List(ctx, bucket)
}

func TestTheHousekeeperWorksByItselfAndStops(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	key := h.put(t)
	_, err := h.Exec(t.Context(), "INSERT INTO file_removals (bucket, store_key) VALUES ($1, $2)", h.bucket, key.String())
	require.NoError(t, err)
	listed := make(chan struct{}, 1)
	h.keeper.Store = signallingStore{h.store, listed}
	h.keeper.Interval, h.keeper.SweepInterval = tick, tick
	h.keeper.Start(t.Context())
	require.Eventually(t, func() bool { return !h.has(t, key) }, deadline, tick)
	<-listed
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	require.NoError(t, h.keeper.Stop(ctx))
}

func TestOnlyOneKeepsHouse(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	key := h.put(t)
	_, err := h.Exec(t.Context(), "INSERT INTO file_removals (bucket, store_key) VALUES ($1, $2)", h.bucket, key.String())
	require.NoError(t, err)
	require.NoError(t, h.InTx(t.Context(), func(tx *database.Tx) error {
		alone, err := tx.TryLockHousekeeping(t.Context())
		require.NoError(t, err)
		require.True(t, alone)
		h.tidyAfter(t, 0) // While another instance works.
		return nil
	}))
	assert.True(t, h.has(t, key))
	h.tidyAfter(t, 0)
	assert.False(t, h.has(t, key))
}
