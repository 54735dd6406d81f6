// Package job runs background work: what a request asks for but does not wait for, such as exports and imports, and
// the housekeeping of the database and of the file store.
//
// A job is a row of the table jobs, written in the transaction of the request that asks for it, so an acknowledged
// request is never without its job nor a job without its request. A worker claims due jobs with FOR UPDATE SKIP
// LOCKED and holds a lease on each, which it renews. When a worker dies, its leases run out and others take its jobs
// up. Every statement that ends an attempt is conditional on the lease, so a worker that was taken for dead and comes
// back changes nothing: the effect of a job is seen once.
//
// Why not River, which is the standard in Go: its jobs have bigserial keys and its leader election an unlogged table.
// This service's tables are split by bucket in row-filtered publications and are promoted to another database by
// logical replication; a sequence would have to be moved in every promotion, and two databases that replicate to each
// other would hand out the same keys. The jobs here have UUIDv7 keys that bucket leads, like every other row.
package job

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/radpanel/radpanel/app/database"
	"github.com/radpanel/radpanel/app/database/dbgen"
	"github.com/radpanel/radpanel/app/file"
	"github.com/radpanel/radpanel/app/telemetry"
)

// The states of a job.
const (
	StateQueued    = "queued"
	StateRunning   = "running"
	StateSucceeded = "succeeded"
	StateFailed    = "failed"
)

// States are all states that a job can have.
func States() []string { return []string{StateQueued, StateRunning, StateSucceeded, StateFailed} }

const (
	// maxAttempts is how often a job is tried before it has failed. With the delays of backoff that takes about half
	// a minute: long enough to outlast the restart of a database, short enough that somebody still waits for it.
	maxAttempts = 5
	// maxUnfinished is how many queued and running jobs one user may have: the workers are for everybody.
	maxUnfinished = 10
)

// Errors that callers tell apart with errors.Is.
var (
	// ErrTooMany: the user has maxUnfinished jobs that are not finished.
	ErrTooMany = fmt.Errorf("%d jobs are queued or running already; wait for one to finish", maxUnfinished)
	// ErrNotFailed: only a failed job can be retried.
	ErrNotFailed = errors.New("only a job that has failed can be retried")
	// ErrLeaseLost: the worker did not renew its lease in time, so another may run the job now. It is the cause of
	// the cancellation of a handler's context.
	ErrLeaseLost = errors.New("the job's lease was lost")
	// errStopping is the cause of the cancellation of handlers when the worker stops.
	errStopping = errors.New("the worker is stopping")
)

// New is a job to enqueue.
type New struct {
	// ID is a UUIDv7, chosen by the caller: it also names what was stored for the job before.
	ID     uuid.UUID
	UserID uuid.UUID
	Kind   string
	// Payload is what the handler needs to know, as JSON. A key "store_key" names an object that the job owns: the
	// object is removed with the job.
	Payload any
}

// Enqueue writes a job in the transaction of the request that asks for it. Worker.Wake after the commit makes a worker
// of this process look at once; others find the job at their next poll.
func Enqueue(ctx context.Context, tx *database.Tx, job New) (dbgen.Job, error) {
	ctx, span := telemetry.StartEnqueue(ctx, job.Kind, job.ID)
	defer span.End()
	bucket := database.BucketOf(job.UserID)
	if _, err := tx.LockLimitsOfUser(ctx, dbgen.LockLimitsOfUserParams{Bucket: bucket, ID: job.UserID}); err != nil {
		return dbgen.Job{}, fmt.Errorf("lock the user of a %s job: %w", job.Kind, err)
	}
	unfinished, err := tx.CountUnfinishedJobs(ctx, dbgen.CountUnfinishedJobsParams{Bucket: bucket, UserID: job.UserID})
	if err != nil {
		return dbgen.Job{}, fmt.Errorf("count jobs: %w", err)
	}
	if unfinished >= maxUnfinished {
		return dbgen.Job{}, ErrTooMany
	}
	payload, err := json.Marshal(job.Payload)
	if err != nil {
		return dbgen.Job{}, fmt.Errorf("payload of a %s job: %w", job.Kind, err)
	}
	created, err := tx.CreateJob(ctx, dbgen.CreateJobParams{
		Bucket: bucket, ID: job.ID, UserID: job.UserID, Kind: job.Kind, Payload: payload, MaxAttempts: maxAttempts,
		TraceParent: telemetry.TraceParent(ctx),
	})
	if err != nil {
		return dbgen.Job{}, fmt.Errorf("enqueue a %s job: %w", job.Kind, err)
	}
	return created, nil
}

// Retry queues a failed job again, with as many attempts as a new one. database.ErrNotFound if there is no such job,
// ErrNotFailed if it is in another state.
func Retry(ctx context.Context, db *database.DB, id uuid.UUID) (dbgen.Job, error) {
	retried, err := db.RetryFailedJob(ctx, dbgen.RetryFailedJobParams{ID: id, MoreAttempts: maxAttempts})
	if !errors.Is(err, database.ErrNotFound) {
		return retried, err
	}
	exists, err := db.JobExists(ctx, id)
	if err != nil {
		return dbgen.Job{}, err
	}
	if exists {
		return dbgen.Job{}, ErrNotFailed
	}
	return dbgen.Job{}, database.ErrNotFound
}

// Handler does the work of one kind of job. It may be called several times for one job, also while an earlier call
// still runs on a machine that was taken for dead: everything that others can see belongs into Outcome. It ends soon
// after ctx does. An error is tried again later, unless it was made by Permanent.
type Handler func(ctx context.Context, run *Run) (Outcome, error)

// Outcome is the effect of a job.
type Outcome struct {
	Result Result
	// Commit, when set, writes the job's effect in the transaction that completes the job: both happen or neither.
	// It may be called again after a failure.
	Commit func(ctx context.Context, tx *database.Tx) error
	// Abandon, when set, removes what was stored if the job turns out to belong to another worker now.
	Abandon func(ctx context.Context) error
}

// Result is what a finished job leaves to its user, kept as JSON in the row.
type Result struct {
	// StoreKey names the object that holds the result, empty if there is none.
	StoreKey string `json:"store_key,omitempty"`
	// FileName and ContentType are what a browser gets to see of the object.
	FileName    string `json:"file_name,omitempty"`
	ContentType string `json:"content_type,omitempty"`
	// SizeBytes is the object's size.
	SizeBytes int64 `json:"size_bytes,omitempty"`
	// Records is how many records were written or read.
	Records int64 `json:"records"`
}

// ResultOf reads the result of a job; ok is false as long as it has none.
func ResultOf(job dbgen.Job) (result Result, ok bool) {
	if len(job.Result) == 0 {
		return Result{}, false
	}
	err := json.Unmarshal(job.Result, &result)
	return result, err == nil
}

// permanentError marks an error that another attempt would meet again.
type permanentError struct{ error }

func (e permanentError) Unwrap() error { return e.error }

// Permanent fails the job at once, without further attempts. The text of err is shown to the user: it says what is
// wrong with what they asked for and what to do about it.
func Permanent(err error) error { return permanentError{err} }

// Run is one attempt at a job, as its handler sees it.
type Run struct {
	dbgen.Job

	worker   *Worker
	reported time.Time
}

// ResultKey names the object for this attempt's result. Each attempt has its own, so an attempt that was taken for
// dead cannot replace the result that another one committed.
func (r *Run) ResultKey() file.Key {
	return file.NewKey(uint8(r.Bucket), uuid.NewSHA1(r.ID, fmt.Appendf(nil, "attempt %d", r.Attempt))) //nolint:gosec // 0-255 by a CHECK.
}

// reportTime bounds the writing of a report.
const reportTime = 100 * time.Millisecond

// Report shows the user how far the job is, in units of the handler's choice. It may be called as often as is
// convenient; it writes at most twice a second, and a report that cannot be written is left out.
func (r *Run) Report(ctx context.Context, done, total int64) {
	const interval = 500 * time.Millisecond
	if time.Since(r.reported) < interval && done < total {
		return
	}
	r.reported = time.Now()
	// Whoever reports may have a transaction open, for which a pooler that is paused waits, while it keeps the report back.
	ctx, cancel := context.WithTimeout(ctx, reportTime)
	defer cancel()
	_, err := r.worker.db.SetJobProgress(ctx, dbgen.SetJobProgressParams{
		Bucket: r.Bucket, ID: r.ID, Attempt: r.Attempt, Worker: r.worker.id, Done: done, Total: total,
	})
	if err != nil && ctx.Err() == nil {
		r.worker.log.WarnContext(ctx, "progress of a job not written", "job_id", r.ID, "error", err)
	}
}
