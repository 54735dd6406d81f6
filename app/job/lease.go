package job

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/radpanel/radpanel/app/database/dbgen"
)

// attempt is a job that this worker holds a lease on.
type attempt struct {
	dbgen.Job

	// cancel interrupts the handler.
	cancel context.CancelCauseFunc
	// heldUntil is when the lease runs out at the earliest, by this machine's monotonic clock.
	heldUntil time.Time
}

func (w *Worker) hold(a *attempt) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.held[a] = struct{}{}
}

func (w *Worker) forget(a *attempt) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.held, a)
}

func (w *Worker) holding() []*attempt {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := make([]*attempt, 0, len(w.held))
	for a := range w.held {
		all = append(all, a)
	}
	return all
}

// renewLoop keeps this worker's leases and takes up the jobs of dead workers. It outlives ctx until all jobs of this
// worker have ended: a handler that needs a moment to stop must not lose its job in that moment.
func (w *Worker) renewLoop(ctx context.Context) {
	tick := time.NewTicker(w.renewal)
	defer tick.Stop()
	w.measure(ctx)
	for ctx.Err() == nil {
		select {
		case <-tick.C:
			w.renew(ctx)
			w.reclaim(ctx)
			w.measure(ctx)
		case <-ctx.Done():
		}
	}
	for len(w.holding()) > 0 {
		w.renew(context.WithoutCancel(ctx))
		select {
		case <-tick.C:
		case <-w.wake: // A job ended.
		}
	}
}

// renew extends all leases. A job whose lease is gone, or cannot be known to be there, is interrupted.
func (w *Worker) renew(ctx context.Context) {
	held := w.holding()
	if len(held) == 0 {
		return
	}
	kept, until, err := w.renewLeases(ctx, held)
	if err != nil && ctx.Err() == nil {
		w.log.WarnContext(ctx, "leases of jobs not renewed", "jobs", len(held), "error", err)
	}
	now := time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, a := range held {
		switch {
		case err == nil && kept[a.ID] == a.Attempt:
			a.heldUntil = until
		case err == nil, now.After(a.heldUntil):
			a.cancel(ErrLeaseLost)
		}
	}
}

func (w *Worker) renewLeases(ctx context.Context, held []*attempt) (kept map[uuid.UUID]int32, until time.Time, err error) {
	ctx, cancel := context.WithTimeout(ctx, statementTimeout)
	defer cancel()
	params := dbgen.RenewLeasesParams{Worker: w.id, Lease: w.lease}
	for _, a := range held {
		params.Buckets = append(params.Buckets, a.Bucket)
		params.Ids = append(params.Ids, a.ID)
	}
	until = time.Now().Add(w.lease) // Taken before: the database counts from later on.
	rows, err := w.db.RenewLeases(ctx, params)
	kept = make(map[uuid.UUID]int32, len(rows))
	for _, row := range rows {
		kept[row.ID] = row.Attempt
	}
	return kept, until, err
}

// reclaim queues the jobs whose worker died.
func (w *Worker) reclaim(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, statementTimeout)
	defer cancel()
	ours, err := isOurs(ctx, w.db, w.tier)
	if err != nil || !ours {
		return
	}
	jobs, err := w.db.ReclaimJobs(ctx, dbgen.ReclaimJobsParams{Error: exhausted, Batch: reclaimBatch})
	if err != nil {
		if ctx.Err() == nil {
			w.log.WarnContext(ctx, "jobs of dead workers not looked for", "error", err)
		}
		return
	}
	for _, job := range jobs {
		w.log.WarnContext(ctx, "the worker of a job died", "job_id", job.ID, "kind", job.Kind,
			"attempt", job.Attempt, "state", job.State)
		w.metrics.ended(job.Kind, endedLost)
	}
	if len(jobs) > 0 {
		w.Wake()
	}
}
