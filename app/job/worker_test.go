package job_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/app/database"
	"github.com/radpanel/radpanel/app/job"
)

func TestAJobIsDoneOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	queued := f.enqueue(t, kind)
	assert.Equal(t, job.StateQueued, queued.State)

	start(t, f.hurried(func(ctx context.Context, run *job.Run) (job.Outcome, error) {
		run.Report(ctx, 0, 7)
		return job.Outcome{Commit: effect(run), Result: job.Result{Records: 7, FileName: "a.csv"}}, nil
	}))
	done := f.await(t, queued, job.StateSucceeded)
	assert.Equal(t, int32(1), done.Attempt)
	assert.Equal(t, int64(7), done.ProgressTotal)
	assert.Equal(t, int64(7), done.ProgressDone, "a job that succeeded is all done")
	assert.NotNil(t, done.FinishedAt)
	assert.Nil(t, done.LeaseOwner)
	result, ok := job.ResultOf(done)
	require.True(t, ok)
	assert.Equal(t, job.Result{Records: 7, FileName: "a.csv"}, result)
	assert.Equal(t, 1, f.effects(t))
}

func TestWakeIsEnough(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	options := f.hurried(succeed)
	options.PollInterval = time.Hour
	options.Lease, options.Renewal = 2*time.Hour, time.Hour
	worker := start(t, options)
	for range 5 {
		queued := f.enqueue(t, kind)
		worker.Wake()
		f.await(t, queued, job.StateSucceeded)
	}
}

func TestManyWorkersDoEachJobOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for range 4 {
		start(t, f.hurried(succeed))
	}
	const users, jobsEach = 20, 8
	var wait sync.WaitGroup
	for range users {
		user, _ := f.newUser(t)
		wait.Go(func() {
			for range jobsEach {
				f.enqueueFor(t, user, kind)
			}
		})
	}
	wait.Wait()
	require.Eventually(t, func() bool { return f.effects(t) >= users*jobsEach }, deadline, tick)
	var unfinished, attempts int
	require.NoError(t, f.QueryRow(t.Context(),
		"SELECT count(*) FILTER (WHERE state <> 'succeeded'), sum(attempt) FROM jobs").Scan(&unfinished, &attempts))
	assert.Zero(t, unfinished)
	assert.Equal(t, users*jobsEach, attempts)
	assert.Equal(t, users*jobsEach, f.effects(t))
}

func TestConcurrencyIsBounded(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	var running, most atomic.Int64
	both := make(chan struct{})
	var once sync.Once
	start(t, f.hurried(func(_ context.Context, run *job.Run) (job.Outcome, error) {
		now := running.Add(1)
		defer running.Add(-1)
		most.Store(max(most.Load(), now))
		if now == 2 {
			once.Do(func() { close(both) })
		}
		<-both // The first one waits for a second: two do run at once.
		return job.Outcome{Commit: effect(run)}, nil
	}))
	for range 10 {
		f.enqueue(t, kind)
	}
	require.Eventually(t, func() bool { return f.effects(t) == 10 }, deadline, tick)
	assert.Equal(t, int64(2), most.Load())
}

func TestAnErrorIsTriedAgainLaterAndThenGivenUp(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	queued := f.enqueue(t, kind)
	var calls atomic.Int32
	start(t, f.hurried(func(context.Context, *job.Run) (job.Outcome, error) {
		calls.Add(1)
		return job.Outcome{}, errors.New("secret detail of the database")
	}))
	for attempt := int32(1); attempt < queued.MaxAttempts; attempt++ {
		began := time.Now()
		require.Eventually(t, func() bool {
			now := f.get(t, queued)
			return now.State == job.StateQueued && now.Attempt == attempt
		}, deadline, tick)
		now := f.get(t, queued)
		delay := time.Duration(1<<attempt) * time.Second
		assert.WithinRange(t, now.RunAt, began.Add(delay/2), time.Now().Add(2*delay), "attempt %d", attempt)
		assert.NotContains(t, *now.Error, "secret")
		_, err := f.Exec(t.Context(), "UPDATE jobs SET run_at = now()") // Time passes.
		require.NoError(t, err)
	}
	failed := f.await(t, queued, job.StateFailed)
	assert.Equal(t, queued.MaxAttempts, failed.Attempt)
	assert.Equal(t, queued.MaxAttempts, calls.Load())
	assert.NotContains(t, *failed.Error, "secret")
	assert.NotNil(t, failed.FinishedAt)

	retried, err := job.Retry(t.Context(), f.DB, failed.ID)
	require.NoError(t, err)
	assert.Equal(t, job.StateQueued, retried.State)
	assert.Nil(t, retried.Error)
	assert.Equal(t, int32(10), retried.MaxAttempts, "as many attempts again; numbers of attempts do not repeat")
}

func TestRetryIsForFailedJobs(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	queued := f.enqueue(t, kind)
	_, err := job.Retry(t.Context(), f.DB, queued.ID)
	require.ErrorIs(t, err, job.ErrNotFailed)
	_, err = job.Retry(t.Context(), f.DB, uuid.New())
	require.ErrorIs(t, err, database.ErrNotFound)
}

func TestARefusalIsFinalAndSaysWhy(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	queued := f.enqueue(t, kind)
	start(t, f.hurried(func(_ context.Context, run *job.Run) (job.Outcome, error) {
		return job.Outcome{Commit: func(ctx context.Context, tx *database.Tx) error {
			return errors.Join(effect(run)(ctx, tx), fmt.Errorf("while working: %w", job.Permanent(errors.New("line 3: no title"))))
		}}, nil
	}))
	failed := f.await(t, queued, job.StateFailed)
	assert.Equal(t, int32(1), failed.Attempt)
	assert.Equal(t, "line 3: no title", *failed.Error)
	assert.Zero(t, f.effects(t), "the transaction of a refused job is rolled back")
}

func TestAPanicIsAnError(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	first, second := f.enqueue(t, kind), f.enqueue(t, kind)
	start(t, f.hurried(func(_ context.Context, run *job.Run) (job.Outcome, error) {
		if run.ID == first.ID {
			panic("in the handler")
		}
		return job.Outcome{Commit: func(context.Context, *database.Tx) error {
			if run.Attempt == 1 {
				panic("in the transaction")
			}
			return nil
		}}, nil
	}))
	for _, panicked := range []uuid.UUID{first.ID, second.ID} {
		require.Eventually(t, func() bool {
			now := f.get(t, first)
			if panicked == second.ID {
				now = f.get(t, second)
			}
			return now.Attempt == 1 && now.State == job.StateQueued && now.Error != nil
		}, deadline, tick)
	}
	_, err := f.Exec(t.Context(), "UPDATE jobs SET run_at = now()")
	require.NoError(t, err)
	f.await(t, second, job.StateSucceeded)
}

func TestAStolenLeaseInterruptsAndCommitsNothing(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	queued := f.enqueue(t, kind)
	entered, cause := make(chan struct{}), make(chan error, 1)
	enter := sync.OnceFunc(func() { close(entered) })
	var abandoned atomic.Bool
	ended := make(chan struct{})
	worker := start(t, f.hurried(func(ctx context.Context, run *job.Run) (job.Outcome, error) {
		enter()
		<-ctx.Done()
		cause <- context.Cause(ctx)
		// A handler that does not notice goes on to the end: its effect must not come about.
		return job.Outcome{
			Commit:  effect(run),
			Abandon: func(context.Context) error { abandoned.Store(true); return nil },
		}, nil
	}))
	<-entered
	thief := uuid.New()
	_, err := f.Exec(t.Context(), "UPDATE jobs SET lease_owner = $1, attempt = attempt + 1, lease_until = now() + interval '1 hour'", thief)
	require.NoError(t, err)
	require.ErrorIs(t, <-cause, job.ErrLeaseLost)
	go func() { defer close(ended); assert.NoError(t, stop(worker)) }()
	<-ended
	now := f.get(t, queued)
	assert.Equal(t, job.StateRunning, now.State)
	assert.Equal(t, thief, *now.LeaseOwner, "the loser changed nothing")
	assert.Zero(t, f.effects(t))
}

func TestAWorkerThatWasTakenForDeadCannotComplete(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	queued := f.enqueue(t, kind)
	entered, goOn := make(chan struct{}), make(chan struct{})
	enter := sync.OnceFunc(func() { close(entered) })
	var abandoned atomic.Bool
	options := f.hurried(func(_ context.Context, run *job.Run) (job.Outcome, error) {
		enter()
		<-goOn
		return job.Outcome{
			Commit:  effect(run),
			Abandon: func(context.Context) error { abandoned.Store(true); return nil },
		}, nil
	})
	options.Lease, options.Renewal = 2*time.Hour, time.Hour // Frozen: it does not renew,
	options.Concurrency = 1                                 // nor does it claim.
	frozen := start(t, options)
	<-entered
	_, err := f.Exec(t.Context(), "UPDATE jobs SET lease_until = now() - interval '1 second'")
	require.NoError(t, err)

	start(t, f.hurried(succeed))
	done := f.await(t, queued, job.StateSucceeded)
	assert.Equal(t, int32(2), done.Attempt)
	close(goOn)
	require.Eventually(t, abandoned.Load, deadline, tick, "the late one removes what it had stored")
	require.NoError(t, stop(frozen))
	assert.Equal(t, done, f.get(t, queued), "and changes nothing")
	assert.Equal(t, 1, f.effects(t))
}

func TestStopGivesJobsBackAtOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	queued := f.enqueue(t, kind)
	entered := make(chan struct{})
	enter := sync.OnceFunc(func() { close(entered) })
	worker, err := job.NewWorker(f.hurried(func(ctx context.Context, _ *job.Run) (job.Outcome, error) {
		enter()
		<-ctx.Done()
		return job.Outcome{}, ctx.Err()
	}))
	require.NoError(t, err)
	worker.Start(t.Context())
	<-entered
	require.NoError(t, stop(worker))
	released := f.get(t, queued)
	assert.Equal(t, job.StateQueued, released.State)
	assert.Equal(t, queued.MaxAttempts-1, released.MaxAttempts-released.Attempt-1, "the attempt does not count")
	assert.False(t, released.RunAt.After(time.Now()), "and the job is due at once")

	start(t, f.hurried(succeed))
	f.await(t, queued, job.StateSucceeded)
}

func TestStopIsBounded(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.enqueue(t, kind)
	entered, goOn := make(chan struct{}), make(chan struct{})
	enter := sync.OnceFunc(func() { close(entered) })
	worker := start(t, f.hurried(func(context.Context, *job.Run) (job.Outcome, error) {
		enter()
		<-goOn // Deaf to its context.
		return job.Outcome{}, nil
	}))
	<-entered
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, worker.Stop(ctx), context.DeadlineExceeded)
	close(goOn)
}

func TestKill9(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	queued := f.enqueue(t, kind)

	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	process := exec.CommandContext(ctx, os.Args[0])
	process.Env = append(os.Environ(), workerProcess+"="+f.database.URL.Reveal())
	process.Stderr = os.Stderr
	output, err := process.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, process.Start())
	line, err := bufio.NewReader(output).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "running "+queued.ID.String()+"\n", line)
	require.NoError(t, process.Process.Kill())
	_ = process.Wait() // Killed, as it should be.

	start(t, f.hurried(succeed))
	done := f.await(t, queued, job.StateSucceeded)
	assert.Equal(t, int32(2), done.Attempt)
	assert.Equal(t, 1, f.effects(t))
}

func TestAJobThatKillsItsWorkersIsGivenUp(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	poison := f.enqueue(t, kind)
	_, err := f.Exec(t.Context(), `UPDATE jobs SET state = 'running', attempt = max_attempts, lease_owner = $1,
		lease_until = now() - interval '1 second'`, uuid.New())
	require.NoError(t, err)
	start(t, f.hurried(succeed))
	failed := f.await(t, poison, job.StateFailed)
	assert.NotEmpty(t, *failed.Error)
	assert.NotNil(t, failed.FinishedAt)
	assert.Zero(t, f.effects(t))
}

func TestUnknownKindsAreLeftToOtherWorkers(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	unknown, known := f.enqueue(t, "of a newer version"), f.enqueue(t, kind)
	start(t, f.hurried(succeed))
	f.await(t, known, job.StateSucceeded)
	assert.Equal(t, job.StateQueued, f.get(t, unknown).State)
	assert.Zero(t, f.get(t, unknown).Attempt)
}

func TestOneUserCannotTakeAllWorkers(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for range 10 {
		f.enqueue(t, kind)
	}
	err := f.InTx(t.Context(), func(tx *database.Tx) error {
		_, err := job.Enqueue(t.Context(), tx, job.New{ID: uuid.Must(uuid.NewV7()), UserID: f.user, Kind: kind})
		return err
	})
	require.ErrorIs(t, err, job.ErrTooMany)
	other, _ := f.newUser(t)
	f.enqueueFor(t, other, kind)
}

// Two requests at once must not both take the last place.
func TestTheLimitOnUnfinishedJobsHoldsAtOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for range 9 {
		f.enqueue(t, kind)
	}
	enqueue := func(tx *database.Tx) error {
		_, err := job.Enqueue(t.Context(), tx, job.New{ID: uuid.Must(uuid.NewV7()), UserID: f.user, Kind: kind})
		return err
	}
	second := make(chan error, 1)
	require.NoError(t, f.InTx(t.Context(), func(tx *database.Tx) error {
		require.NoError(t, enqueue(tx))
		go func() { second <- f.InTx(t.Context(), enqueue) }()
		require.Eventually(t, func() bool {
			var waits bool
			require.NoError(t, f.QueryRow(t.Context(), `SELECT count(*) > 0 FROM pg_stat_activity
				WHERE datname = current_database() AND wait_event_type = 'Lock'`).Scan(&waits))
			return waits || len(second) > 0
		}, deadline, tick)
		return nil
	}))
	require.ErrorIs(t, <-second, job.ErrTooMany)
}

func TestWorkersComeAndGo(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	const jobs = 10
	for range jobs {
		f.enqueue(t, kind)
	}
	for range 15 {
		worker, err := job.NewWorker(f.hurried(func(ctx context.Context, run *job.Run) (job.Outcome, error) {
			select {
			case <-ctx.Done():
				return job.Outcome{}, ctx.Err()
			case <-time.After(time.Duration(run.Attempt) * time.Millisecond):
				return job.Outcome{Commit: effect(run)}, nil
			}
		}))
		require.NoError(t, err)
		worker.Start(t.Context())
		worker.Wake()
		require.NoError(t, stop(worker))
	}
	start(t, f.hurried(succeed))
	require.Eventually(t, func() bool { return f.effects(t) >= jobs }, deadline, tick)
	var succeeded int
	require.NoError(t, f.QueryRow(t.Context(), "SELECT count(*) FROM jobs WHERE state = 'succeeded'").Scan(&succeeded))
	assert.Equal(t, jobs, succeeded)
	assert.Equal(t, jobs, f.effects(t))
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	registry := prometheus.NewRegistry()
	options := f.hurried(succeed)
	metrics, err := job.NewMetrics(registry)
	require.NoError(t, err)
	options.Metrics = metrics
	_, err = job.NewMetrics(registry)
	require.Error(t, err, "registered twice")

	waiting := f.enqueue(t, "of a newer version")
	_, err = f.Exec(t.Context(), "UPDATE jobs SET run_at = now() - interval '1 hour' WHERE id = $1", waiting.ID)
	require.NoError(t, err)
	f.await(t, f.enqueue(t, kind), job.StateQueued)
	start(t, options)
	require.Eventually(t, func() bool { return f.effects(t) == 1 }, deadline, tick)
	var values map[string]float64
	require.Eventually(t, func() bool {
		values = gather(t, registry)
		// The queue is measured beside the first job, not before it.
		_, counted := values["radpanel_jobs of a newer version queued"]
		_, timed := values["radpanel_jobs_oldest_seconds of a newer version"]
		return counted && timed && values["radpanel_job_attempts_total test succeeded"] == 1
	}, deadline, tick)
	assert.InDelta(t, 1, values["radpanel_jobs of a newer version queued"], 0)
	assert.InDelta(t, 3600, values["radpanel_jobs_oldest_seconds of a newer version"], 60)
}

// gather reads counters and gauges, by their name and the values of their labels.
func gather(t *testing.T, registry *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := registry.Gather()
	require.NoError(t, err)
	values := map[string]float64{}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			name := family.GetName()
			for _, label := range metric.GetLabel() {
				name += " " + label.GetValue()
			}
			values[name] = metric.GetGauge().GetValue() + metric.GetCounter().GetValue()
		}
	}
	return values
}
