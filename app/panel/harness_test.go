package panel

import (
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/app/database"
	"github.com/radpanel/radpanel/app/database/databasetest"
	"github.com/radpanel/radpanel/app/database/dbgen"
	"github.com/radpanel/radpanel/app/file"
	"github.com/radpanel/radpanel/app/job"
)

var server databasetest.Server

func TestMain(m *testing.M) {
	if os.Getenv(workerDatabase) != "" {
		os.Exit(workUntilKilled())
	}
	os.Exit(server.Run(m))
}

const (
	// deadline is how long a test waits for what has to happen.
	deadline = 30 * time.Second
	tick     = 5 * time.Millisecond
)

// fixture is a service on a database and a file store of its own, with one user.
type fixture struct {
	*Service

	database *databasetest.Database
	store    *file.Disk
	folder   string
	owner    Owner
}

func newFixture(t testing.TB) *fixture {
	t.Helper()
	f := &fixture{database: server.NewDatabase(t), folder: filepath.Join(t.TempDir(), "files")}
	f.Service = NewService(f.database.Open(t), nil, nil)
	var err error
	f.store, err = file.OpenDisk(f.folder)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, f.store.Close()) })
	f.owner = f.newOwner(t)
	return f
}

func (f *fixture) newOwner(t testing.TB) Owner {
	t.Helper()
	id := uuid.Must(uuid.NewV7())
	owner := Owner{UserID: id, Bucket: database.BucketOf(id)}
	_, err := f.db.CreateUser(t.Context(), dbgen.CreateUserParams{
		Bucket: owner.Bucket, ID: id, Email: id.String() + "@example.com", PasswordHash: "x", Role: "user",
	})
	require.NoError(t, err)
	return owner
}

func (f *fixture) newPanel(t testing.TB, name string, columns ...string) dbgen.Panel {
	t.Helper()
	made, err := f.tryPanel(t, Draft{Name: name, Columns: columns})
	require.NoError(t, err)
	return made
}

func (f *fixture) tryPanel(t testing.TB, draft Draft) (made dbgen.Panel, err error) {
	t.Helper()
	err = f.db.InTx(t.Context(), func(tx *database.Tx) error {
		made, err = f.Create(t.Context(), tx, f.owner, draft)
		return err
	})
	return made, err
}

func (f *fixture) newRecord(t testing.TB, p dbgen.Panel, title, document string) dbgen.Record {
	t.Helper()
	made, err := f.tryRecord(t, p, RecordDraft{Title: title, Data: []byte(document)})
	require.NoError(t, err)
	return made
}

func (f *fixture) tryRecord(t testing.TB, p dbgen.Panel, draft RecordDraft) (made dbgen.Record, err error) {
	t.Helper()
	err = f.db.InTx(t.Context(), func(tx *database.Tx) error {
		made, err = f.CreateRecord(t.Context(), tx, f.owner, p.ID, draft)
		return err
	})
	return made, err
}

// fill adds n records with one statement, as fast as the database can.
func (f *fixture) fill(t testing.TB, p dbgen.Panel, n int) {
	t.Helper()
	_, err := f.db.Exec(t.Context(), `
		INSERT INTO records (bucket, id, panel_id, user_id, title, data, updated_at)
		SELECT $1, gen_random_uuid(), $2, $3, md5(n::text) || ' Record ' || n, jsonb_build_object('number', n, 'text', md5(n::text)),
			now() - random() * interval '1 year'
		FROM generate_series(1, $4::int) n`, f.owner.Bucket, p.ID, f.owner.UserID, n)
	require.NoError(t, err)
	_, err = f.db.Exec(t.Context(), "UPDATE panels SET record_count = record_count + $1 WHERE id = $2", n, p.ID)
	require.NoError(t, err)
}

// requireCount holds the count that is kept against the records that are there.
func (f *fixture) requireCount(t testing.TB, p dbgen.Panel, want int) {
	t.Helper()
	var kept, counted int
	require.NoError(t, f.db.QueryRow(t.Context(), `
		SELECT p.record_count, count(r.id) FROM panels p LEFT JOIN records r ON r.bucket = p.bucket AND r.panel_id = p.id
		WHERE p.id = $1 GROUP BY p.record_count`, p.ID).Scan(&kept, &counted))
	require.Equal(t, want, counted)
	require.Equal(t, want, kept, "the kept count must be the number of records")
}

// options are those of a worker with which a test need not wait long. None is taken for dead because the machine is busy.
func options(db *database.DB, store file.Store) job.Options {
	log := slog.New(slog.DiscardHandler)
	metrics, err := job.NewMetrics(prometheus.NewRegistry())
	if err != nil {
		panic(err)
	}
	return job.Options{
		DB: db, Handlers: NewTransfers(db, store, log).Handlers(), Concurrency: 2, Log: log, Metrics: metrics,
		Lease: time.Minute, Renewal: 150 * time.Millisecond, PollInterval: 10 * time.Millisecond,
	}
}

// work runs a worker until the test ends.
func (f *fixture) work(t testing.TB) {
	t.Helper()
	worker, err := job.NewWorker(options(f.db, f.store))
	require.NoError(t, err)
	worker.Start(t.Context())
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), deadline)
		defer cancel()
		assert.NoError(t, worker.Stop(ctx))
	})
}

func (f *fixture) enqueue(t testing.TB, kind string, id uuid.UUID, payload any) (queued dbgen.Job) {
	t.Helper()
	require.NoError(t, f.db.InTx(t.Context(), func(tx *database.Tx) (err error) {
		queued, err = job.Enqueue(t.Context(), tx, job.New{ID: id, UserID: f.owner.UserID, Kind: kind, Payload: payload})
		return err
	}))
	return queued
}

// startExport, startImport and startAccountExport do what the API does.
func (f *fixture) startExport(t testing.TB, p dbgen.Panel) dbgen.Job {
	t.Helper()
	return f.enqueue(t, KindExport, uuid.Must(uuid.NewV7()), ExportPayload{PanelID: p.ID})
}

func (f *fixture) startAccountExport(t testing.TB) dbgen.Job {
	t.Helper()
	return f.enqueue(t, KindAccountExport, uuid.Must(uuid.NewV7()), struct{}{})
}

func (f *fixture) startImport(t testing.TB, p dbgen.Panel, csv io.Reader) dbgen.Job {
	t.Helper()
	id := uuid.Must(uuid.NewV7())
	key := file.NewKey(uint8(f.owner.Bucket), id)
	_, err := f.store.Put(t.Context(), key, csv)
	require.NoError(t, err)
	return f.enqueue(t, KindImport, id, ImportPayload{PanelID: p.ID, StoreKey: key.String()})
}

// finish waits until the job has ended.
func (f *fixture) finish(t testing.TB, queued dbgen.Job) (ended dbgen.Job) {
	t.Helper()
	require.Eventually(t, func() bool {
		var err error
		ended, err = f.db.GetJob(t.Context(), dbgen.GetJobParams{Bucket: queued.Bucket, ID: queued.ID, UserID: queued.UserID})
		return err == nil && ended.FinishedAt != nil
	}, deadline, tick, "the job must end")
	return ended
}

// succeed waits until the job has succeeded and reads its result.
func (f *fixture) succeed(t testing.TB, queued dbgen.Job) (job.Result, []byte) {
	t.Helper()
	ended := f.finish(t, queued)
	require.Equal(t, job.StateSucceeded, ended.State, "%v", ended.Error)
	result, ok := job.ResultOf(ended)
	require.True(t, ok)
	if result.StoreKey == "" {
		return result, nil
	}
	key, err := file.ParseKey(result.StoreKey)
	require.NoError(t, err)
	object, err := f.store.Open(t.Context(), key)
	require.NoError(t, err)
	defer func() { assert.NoError(t, object.Close()) }()
	content, err := io.ReadAll(object)
	require.NoError(t, err)
	require.Equal(t, result.SizeBytes, int64(len(content)))
	return result, content
}

// refuse waits until the job has failed and returns what its user reads.
func (f *fixture) refuse(t testing.TB, queued dbgen.Job) string {
	t.Helper()
	ended := f.finish(t, queued)
	require.Equal(t, job.StateFailed, ended.State)
	require.Equal(t, int32(1), ended.Attempt, "what cannot succeed is not tried again")
	return *ended.Error
}

// stored is the number of objects and half objects in the file store.
func (f *fixture) stored(t testing.TB) (n int) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(f.folder, func(_ string, entry os.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			n++
		}
		return err
	}))
	return n
}
