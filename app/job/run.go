package job

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"go.opentelemetry.io/otel/attribute"

	"github.com/radpanel/radpanel/app/database"
	"github.com/radpanel/radpanel/app/database/dbgen"
	"github.com/radpanel/radpanel/app/telemetry"
)

// What a user reads about an error that is none of theirs. The log has the error itself, by the job's id.
const (
	willRetry = "Something went wrong on our side; it is tried again by itself."
	exhausted = "Something went wrong on our side several times. An administrator can run it again."
)

// Delays between attempts: 2 s, 4 s, 8 s, 16 s, …, each give or take a fifth.
const (
	firstDelay = 2 * time.Second
	maxDelay   = 10 * time.Minute
)

// completions is how often the completion of a job is tried while the database is busy, before its work is thrown
// away and done again by another attempt.
const completions = 3

// run makes one attempt at a job and writes down how it ended.
func (w *Worker) run(ctx context.Context, job dbgen.Job) {
	started := time.Now()
	ctx, span := w.traces.StartJob(ctx, job.Kind, job.ID, job.Attempt, job.TraceParent)
	defer span.End()
	attemptCtx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	a := &attempt{Job: job, cancel: cancel, heldUntil: started.Add(w.lease)}
	w.hold(a)
	defer w.forget(a)
	w.metrics.running.Inc()
	defer w.metrics.running.Dec()

	outcome, err := w.handle(attemptCtx, job)
	if err == nil {
		err = w.complete(attemptCtx, job, outcome)
	}
	how := w.end(attemptCtx, job, outcome, err)
	span.SetAttributes(attribute.String("radpanel.job.outcome", how))
	if how == endedFailed || how == endedRetried {
		telemetry.Failed(span, how)
	}
	w.metrics.ended(job.Kind, how)
	w.metrics.duration.WithLabelValues(job.Kind).Observe(time.Since(started).Seconds())
}

// handle calls the job's handler; a panic is an error like others.
func (w *Worker) handle(ctx context.Context, job dbgen.Job) (outcome Outcome, err error) {
	defer asError(&err)
	return w.handlers[job.Kind](ctx, &Run{Job: job, worker: w})
}

// asError is deferred: it turns a panic into an error.
func asError(err *error) {
	if recovered := recover(); recovered != nil {
		*err = fmt.Errorf("panic: %v\n%s", recovered, debug.Stack())
	}
}

// complete writes the effect and the completion of a job in one transaction. ErrLeaseLost means that nothing was
// written, for sure; after other errors the transaction may have been committed if the connection broke or the
// context ended while it was.
func (w *Worker) complete(ctx context.Context, job dbgen.Job, outcome Outcome) error {
	result, err := json.Marshal(outcome.Result)
	if err != nil {
		return fmt.Errorf("result: %w", err)
	}
	for try := 1; ; try++ {
		err := w.db.InTx(ctx, func(tx *database.Tx) error { return w.commit(ctx, tx, job, outcome, result) })
		if err == nil {
			return nil
		}
		switch completed, checkErr := w.completed(ctx, job); {
		case checkErr != nil:
			return fmt.Errorf("%w, and whether the job was completed is unknown: %v", checkErr, err) //nolint:errorlint // It may be ErrLeaseLost, which is sure.
		case completed:
			return nil
		}
		if try == completions || !errors.Is(err, database.ErrBusy) || !sleep(ctx, jitter(w.pollInterval)) {
			return err
		}
	}
}

// completed reports whether this attempt has completed the job although the answer to its commit was lost. No other
// attempt has its number.
func (w *Worker) completed(ctx context.Context, job dbgen.Job) (bool, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), statementTimeout)
	defer cancel()
	now, err := w.db.GetJobAttempt(ctx, dbgen.GetJobAttemptParams{Bucket: job.Bucket, ID: job.ID})
	if errors.Is(err, database.ErrNotFound) { // The user was deleted, and the job with them.
		return false, nil
	}
	return err == nil && now.State == StateSucceeded && now.Attempt == job.Attempt, err
}

func (w *Worker) commit(ctx context.Context, tx *database.Tx, job dbgen.Job, outcome Outcome, result []byte) (err error) {
	defer asError(&err)
	if outcome.Commit != nil {
		if err := outcome.Commit(ctx, tx); err != nil {
			return err
		}
	}
	// Last, so that the row is locked for as short as can be: the renewal of its lease waits for it.
	completed, err := tx.CompleteJob(ctx, dbgen.CompleteJobParams{
		Bucket: job.Bucket, ID: job.ID, Attempt: job.Attempt, Worker: w.id, Result: result,
	})
	if err != nil {
		return err
	}
	if completed == 0 {
		return ErrLeaseLost
	}
	return nil
}

// end writes down how an attempt ended and returns it as a label of the metrics.
func (w *Worker) end(ctx context.Context, job dbgen.Job, outcome Outcome, err error) string {
	log := w.log.With("job_id", job.ID, "kind", job.Kind, "user_id", job.UserID, "attempt", job.Attempt)
	interrupted := context.Cause(ctx)
	// The statements below have to be made although the attempt may have been interrupted.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), statementTimeout)
	defer cancel()

	var permanent permanentError
	var how string
	var endErr error
	switch {
	case err == nil:
		log.InfoContext(ctx, "job succeeded")
		return endedSucceeded
	case errors.Is(err, ErrLeaseLost):
		how, endErr = endedLost, abandon(ctx, outcome)
		log.WarnContext(ctx, "job belongs to another worker now")
	case errors.Is(interrupted, ErrLeaseLost):
		how = endedLost
		log.WarnContext(ctx, "job belongs to another worker now", "error", err)
	case errors.Is(interrupted, errStopping):
		how, endErr = endedReleased, w.release(ctx, job)
		log.InfoContext(ctx, "job given back")
	case errors.As(err, &permanent):
		how, endErr = endedFailed, w.fail(ctx, job, permanent.Error())
		log.InfoContext(ctx, "job refused", "error", err)
	case job.Attempt >= job.MaxAttempts:
		how, endErr = endedFailed, w.fail(ctx, job, exhausted)
		log.ErrorContext(ctx, "job failed", "error", err)
	default:
		how, endErr = endedRetried, w.postpone(ctx, job)
		log.WarnContext(ctx, "job will be tried again", "error", err)
	}
	if endErr != nil { // Its lease will run out.
		log.WarnContext(ctx, "the end of a job's attempt was not written", "error", endErr)
	}
	return how
}

func abandon(ctx context.Context, outcome Outcome) error {
	if outcome.Abandon == nil {
		return nil
	}
	return outcome.Abandon(ctx)
}

// The statements below change nothing when the lease is lost, and then there is nothing left to do either.

func (w *Worker) release(ctx context.Context, job dbgen.Job) error {
	_, err := w.db.ReleaseJob(ctx, dbgen.ReleaseJobParams{Bucket: job.Bucket, ID: job.ID, Attempt: job.Attempt, Worker: w.id})
	return err
}

func (w *Worker) fail(ctx context.Context, job dbgen.Job, message string) error {
	_, err := w.db.FailJob(ctx, dbgen.FailJobParams{
		Bucket: job.Bucket, ID: job.ID, Attempt: job.Attempt, Worker: w.id, Error: message,
	})
	return err
}

func (w *Worker) postpone(ctx context.Context, job dbgen.Job) error {
	_, err := w.db.PostponeJob(ctx, dbgen.PostponeJobParams{
		Bucket: job.Bucket, ID: job.ID, Attempt: job.Attempt, Worker: w.id, Error: willRetry, Delay: backoff(job.Attempt),
	})
	return err
}

// backoff is the delay after the given attempt, the first being 1.
func backoff(attempt int32) time.Duration {
	delay := maxDelay
	if shift := attempt - 1; shift < 16 { // Far beyond maxDelay, and far from an overflow.
		delay = min(firstDelay<<max(shift, 0), maxDelay)
	}
	return jitter(delay)
}

// sleep waits for d and reports whether ctx is still on.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
