package job_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/app/config"
	"github.com/radpanel/radpanel/app/database"
	"github.com/radpanel/radpanel/app/database/databasetest"
	"github.com/radpanel/radpanel/app/database/dbgen"
	"github.com/radpanel/radpanel/app/job"
)

var server databasetest.Server

// workerProcess names the variable that makes the test binary a worker that never finishes a job (see TestKill9).
const workerProcess = "RADPANEL_TEST_WORKER_DATABASE_URL"

func TestMain(m *testing.M) {
	if url := os.Getenv(workerProcess); url != "" {
		os.Exit(workForever(config.Secret(url)))
	}
	os.Exit(server.Run(m))
}

const (
	// deadline is how long a test waits for what has to happen.
	deadline = 20 * time.Second
	tick     = 5 * time.Millisecond

	kind = "test"
)

// fixture is a database with one user.
type fixture struct {
	*database.DB

	database *databasetest.Database
	user     uuid.UUID
	bucket   int16
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	d := server.NewDatabase(t)
	f := &fixture{DB: d.Open(t), database: d}
	f.user, f.bucket = f.newUser(t)
	return f
}

func (f *fixture) newUser(t *testing.T) (uuid.UUID, int16) {
	t.Helper()
	id := uuid.Must(uuid.NewV7())
	_, err := f.CreateUser(t.Context(), dbgen.CreateUserParams{
		Bucket: database.BucketOf(id), ID: id, Email: id.String() + "@example.com", PasswordHash: "x", Role: "user",
	})
	require.NoError(t, err)
	return id, database.BucketOf(id)
}

func (f *fixture) enqueue(t *testing.T, kind string) dbgen.Job {
	t.Helper()
	return f.enqueueFor(t, f.user, kind)
}

func (f *fixture) enqueueFor(t *testing.T, user uuid.UUID, kind string) (made dbgen.Job) {
	t.Helper()
	require.NoError(t, f.InTx(t.Context(), func(tx *database.Tx) (err error) {
		made, err = job.Enqueue(t.Context(), tx, job.New{ID: uuid.Must(uuid.NewV7()), UserID: user, Kind: kind, Payload: struct{}{}})
		return err
	}))
	return made
}

func (f *fixture) get(t testing.TB, j dbgen.Job) dbgen.Job {
	t.Helper()
	found, err := f.GetJob(context.WithoutCancel(t.Context()), dbgen.GetJobParams{Bucket: j.Bucket, ID: j.ID, UserID: j.UserID})
	require.NoError(t, err)
	return found
}

// await waits until the job is in the state.
func (f *fixture) await(t *testing.T, j dbgen.Job, state string) dbgen.Job {
	t.Helper()
	require.Eventually(t, func() bool { return f.get(t, j).State == state }, deadline, tick, "job must become %s", state)
	return f.get(t, j)
}

// effects counts what effect has committed.
func (f *fixture) effects(t testing.TB) int {
	t.Helper()
	var n int
	require.NoError(t, f.QueryRow(context.WithoutCancel(t.Context()), "SELECT count(*) FROM panels").Scan(&n))
	return n
}

// effect is something that can be seen in the database, and seen twice if it was done twice.
func effect(run *job.Run) func(context.Context, *database.Tx) error {
	return func(ctx context.Context, tx *database.Tx) error {
		_, err := tx.CreatePanel(ctx, dbgen.CreatePanelParams{
			Bucket: run.Bucket, ID: uuid.Must(uuid.NewV7()), UserID: run.UserID, Name: run.ID.String(), Columns: []string{},
		})
		return err
	}
}

// succeed is a handler whose only effect is effect.
func succeed(_ context.Context, run *job.Run) (job.Outcome, error) {
	return job.Outcome{Commit: effect(run)}, nil
}

// killedLease is the lease of a worker that is killed: what a test waits for its job to be taken up.
const killedLease = 5 * time.Second

// hurried are options with which a test need not wait long. No worker is taken for dead because the machine is busy.
func (f *fixture) hurried(handler job.Handler) job.Options {
	metrics, err := job.NewMetrics(prometheus.NewRegistry())
	if err != nil {
		panic(err)
	}
	return job.Options{
		DB: f.DB, Handlers: map[string]job.Handler{kind: handler}, Concurrency: 2, Log: slog.New(slog.DiscardHandler), Metrics: metrics,
		Lease: time.Minute, Renewal: 150 * time.Millisecond, PollInterval: 10 * time.Millisecond,
	}
}

// start runs a worker until the test ends.
func start(t *testing.T, options job.Options) *job.Worker {
	t.Helper()
	worker, err := job.NewWorker(options)
	require.NoError(t, err)
	worker.Start(t.Context())
	t.Cleanup(func() { assert.NoError(t, stop(worker)) })
	return worker
}

func stop(worker *job.Worker) error {
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	return worker.Stop(ctx)
}

// workForever is the main function of a process that takes jobs, says so, and never finishes one.
func workForever(url config.Secret) int {
	db, err := database.Open(database.Options{URL: url, Connections: 4, Wait: time.Second})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	f := &fixture{DB: db}
	options := f.hurried(func(ctx context.Context, run *job.Run) (job.Outcome, error) {
		fmt.Println("running", run.ID)
		<-ctx.Done()
		return job.Outcome{}, ctx.Err()
	})
	options.Lease = killedLease
	worker, err := job.NewWorker(options)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	worker.Start(context.Background())
	select {}
}
