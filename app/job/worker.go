package job

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/radpanel/radpanel/app/database"
	"github.com/radpanel/radpanel/app/database/dbgen"
	"github.com/radpanel/radpanel/app/telemetry"
)

// Defaults of Options. A lease that is three times the interval of its renewal survives two that fail.
const (
	defaultLease        = 15 * time.Second
	defaultRenewal      = 5 * time.Second
	defaultPollInterval = 500 * time.Millisecond
)

// statementTimeout bounds each statement by which a worker keeps or gives up its jobs.
const statementTimeout = 5 * time.Second

// reclaimBatch bounds how many jobs of dead workers one pass takes up.
const reclaimBatch = 100

// Options say what a worker does.
type Options struct {
	DB *database.DB
	// Handlers by kind. Jobs of other kinds are left to other workers.
	Handlers map[string]Handler
	// Concurrency is how many jobs run at once; at least 1.
	Concurrency int
	// Tier is this instance's: during a promotion, the instances of one tier claim jobs.
	Tier    string
	Log     *slog.Logger
	Metrics *Metrics
	// Traces is nil where nothing is traced.
	Traces *telemetry.Tracing

	// Lease is how long after its last renewal a job is taken from a worker. 0: 15 s.
	Lease time.Duration
	// Renewal is how often leases are renewed, and the leases of others looked at. 0: 5 s.
	Renewal time.Duration
	// PollInterval is how often an idle worker looks for jobs. 0: 500 ms.
	PollInterval time.Duration
}

// Worker runs jobs between Start and Stop.
type Worker struct {
	db       *database.DB
	tier     string
	id       uuid.UUID
	handlers map[string]Handler
	kinds    []string
	log      *slog.Logger
	metrics  *Metrics
	traces   *telemetry.Tracing

	lease, renewal, pollInterval time.Duration

	// slots holds one token for each job that runs.
	slots chan struct{}
	wake  chan struct{}

	mu   sync.Mutex
	held map[*attempt]struct{}

	stop    context.CancelCauseFunc
	stopped chan struct{}
}

// NewWorker checks the options; Start sets the worker going.
func NewWorker(options Options) (*Worker, error) {
	if options.DB == nil || options.Log == nil || options.Metrics == nil {
		return nil, errors.New("job worker: DB, Log and Metrics are required")
	}
	if options.Concurrency < 1 {
		return nil, fmt.Errorf("job worker: concurrency %d: expected at least 1", options.Concurrency)
	}
	worker := &Worker{
		db: options.DB, tier: options.Tier, id: uuid.New(), handlers: options.Handlers,
		kinds: slices.Sorted(maps.Keys(options.Handlers)), metrics: options.Metrics, traces: options.Traces,
		lease:        orDefault(options.Lease, defaultLease),
		renewal:      orDefault(options.Renewal, defaultRenewal),
		pollInterval: orDefault(options.PollInterval, defaultPollInterval),
		slots:        make(chan struct{}, options.Concurrency),
		wake:         make(chan struct{}, 1),
		held:         make(map[*attempt]struct{}),
	}
	worker.log = options.Log.With("worker_id", worker.id)
	if worker.renewal >= worker.lease {
		return nil, fmt.Errorf("job worker: renewal every %s of a lease of %s: expected less", worker.renewal, worker.lease)
	}
	return worker, nil
}

func orDefault(value, otherwise time.Duration) time.Duration {
	if value > 0 {
		return value
	}
	return otherwise
}

// Start begins to run jobs. It must be called once at most.
func (w *Worker) Start(ctx context.Context) {
	// Only Stop ends the worker: it has to give its jobs back first.
	ctx, w.stop = context.WithCancelCause(context.WithoutCancel(ctx))
	w.stopped = make(chan struct{})
	var loops sync.WaitGroup
	loops.Go(func() { w.claimLoop(ctx) })
	loops.Go(func() { w.renewLoop(ctx) })
	go func() {
		defer close(w.stopped)
		loops.Wait()
	}()
}

// Stop ends the worker: running jobs are interrupted and queued again at once, without loss of an attempt. It
// returns when all have been given back, or with the error of ctx; jobs that are left then come up again when their
// lease runs out.
func (w *Worker) Stop(ctx context.Context) error {
	w.stop(errStopping)
	select {
	case <-w.stopped:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("job worker: stopped with %d jobs running: %w", len(w.slots), ctx.Err())
	}
}

// Wake makes the worker look for jobs now. Call it after the commit of the transaction that enqueued one.
func (w *Worker) Wake() {
	select {
	case w.wake <- struct{}{}:
	default: // It will look anyway.
	}
}

// claimLoop looks for jobs while slots are free and starts them; it returns when all of them have ended.
func (w *Worker) claimLoop(ctx context.Context) {
	var running sync.WaitGroup
	defer running.Wait()
	failing := false
	for ctx.Err() == nil {
		claimed, err := w.claim(ctx)
		if (err != nil) != failing && ctx.Err() == nil { // Said once, not at every poll.
			failing = err != nil
			w.logClaims(ctx, err)
		}
		for _, job := range claimed {
			w.slots <- struct{}{}
			running.Go(func() {
				defer w.Wake() // The slot may serve the next job.
				defer func() { <-w.slots }()
				w.run(ctx, job)
			})
		}
		w.pause(ctx)
	}
}

func (w *Worker) logClaims(ctx context.Context, err error) {
	if err != nil {
		w.log.WarnContext(ctx, "jobs cannot be claimed; trying again", "error", err)
		return
	}
	w.log.InfoContext(ctx, "jobs can be claimed again")
}

// pause waits for a wake-up, or for the time of a poll: jittered, so that many workers do not poll in step.
func (w *Worker) pause(ctx context.Context) {
	timer := time.NewTimer(jitter(w.pollInterval))
	defer timer.Stop()
	select {
	case <-w.wake:
	case <-timer.C:
	case <-ctx.Done():
	}
}

// claim takes as many jobs as slots are free. Only claimLoop calls it, so the slots cannot fill up meanwhile.
func (w *Worker) claim(ctx context.Context) ([]dbgen.Job, error) {
	free := cap(w.slots) - len(w.slots)
	if free == 0 {
		return nil, nil
	}
	// Not interrupted by Stop: what the database has given to this worker must be given back, so it must be known.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), statementTimeout)
	defer cancel()
	if ours, err := isOurs(ctx, w.db, w.tier); err != nil || !ours {
		return nil, err
	}
	return w.db.ClaimJobs(ctx, dbgen.ClaimJobsParams{
		Worker: w.id, Lease: w.lease, Kinds: w.kinds, Free: int32(free), //nolint:gosec // Bounded by Concurrency.
	})
}

// jitter is d give or take a fifth.
func jitter(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (0.8 + 0.4*rand.Float64())) //nolint:gosec // Not a secret.
}
