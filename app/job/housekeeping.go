package job

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/radpanel/radpanel/app/database"
	"github.com/radpanel/radpanel/app/database/dbgen"
	"github.com/radpanel/radpanel/app/file"
)

// How long things are kept.
const (
	// jobRetention is for finished jobs and their results.
	jobRetention = 7 * 24 * time.Hour
	// serviceLevelRetention is longer than any figure looks back.
	serviceLevelRetention = 35 * 24 * time.Hour
	// idempotencyRetention is for the answers to creates: how late a request may be repeated.
	idempotencyRetention = 24 * time.Hour
	// sessionRetention is for sessions that have ended.
	sessionRetention = 24 * time.Hour
	// panelGrace is how long after the time in which it can be restored a deleted panel is purged: a restoration that
	// began just in time must have ended.
	panelGrace = time.Hour
	// orphanAge is how old an object must be before it can count as one that no row owns. An upload is stored before
	// its row is committed, and no request lasts that long.
	orphanAge = 24 * time.Hour
	// incompleteAge is how long an upload may stand still.
	incompleteAge = time.Hour
)

const (
	defaultInterval      = time.Minute
	defaultSweepInterval = time.Hour
	// batchSize bounds the rows of one transaction, so that locks are short and the log of changes flows evenly.
	batchSize = 1_000
	// passTimeout bounds one pass over everything; the next one goes on where it stopped.
	passTimeout = 10 * time.Minute
)

// HousekeepingOptions say what is kept in order.
type HousekeepingOptions struct {
	DB    *database.DB
	Store file.Store
	Log   *slog.Logger
	// Tier is this instance's: during a promotion, the instances of one tier keep house.
	Tier string
	// RestorationPeriod is how long a deleted panel can be brought back.
	RestorationPeriod time.Duration
	// Interval is between passes over the database. 0: a minute.
	Interval time.Duration
	// SweepInterval is between sweeps of the file store. 0: an hour.
	SweepInterval time.Duration
	// Now has a default: the system's clock.
	Now func() time.Time
}

// Housekeeper removes what nobody needs any more: deleted panels, expired sessions, old answers, finished jobs, and the
// bytes of all of these. Any number of instances may run one; a lock in the database lets one work at a time.
type Housekeeper struct {
	HousekeepingOptions

	stop    context.CancelFunc
	stopped chan struct{}
}

// NewHousekeeper returns a housekeeper; Start sets it going.
func NewHousekeeper(options HousekeepingOptions) *Housekeeper {
	options.Interval = orDefault(options.Interval, defaultInterval)
	options.SweepInterval = orDefault(options.SweepInterval, defaultSweepInterval)
	if options.Now == nil {
		options.Now = time.Now
	}
	return &Housekeeper{HousekeepingOptions: options}
}

// Start begins the passes. It must be called once at most.
func (h *Housekeeper) Start(ctx context.Context) {
	ctx, h.stop = context.WithCancel(context.WithoutCancel(ctx))
	h.stopped = make(chan struct{})
	var loops sync.WaitGroup
	loops.Go(func() { h.repeat(ctx, h.Interval, h.Tidy) })
	loops.Go(func() { h.repeat(ctx, h.SweepInterval, h.Sweep) })
	go func() {
		defer close(h.stopped)
		loops.Wait()
	}()
}

// Stop ends the passes: a transaction in progress is rolled back. It returns when that is done, or with the error of
// ctx.
func (h *Housekeeper) Stop(ctx context.Context) error {
	h.stop()
	select {
	case <-h.stopped:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("housekeeping: %w", ctx.Err())
	}
}

func (h *Housekeeper) repeat(ctx context.Context, interval time.Duration, pass func(context.Context) error) {
	for {
		bounded, cancel := context.WithTimeout(ctx, passTimeout)
		ours, err := isOurs(bounded, h.DB, h.Tier)
		if err == nil && ours {
			err = pass(bounded)
		}
		cancel()
		if err != nil && ctx.Err() == nil {
			h.Log.WarnContext(ctx, "housekeeping is incomplete; the next pass goes on", "error", err)
		}
		if !sleep(ctx, jitter(interval)) {
			return
		}
	}
}

// task does one bounded piece of work in a transaction and reports whether there may be more.
type task struct {
	name string
	run  func(ctx context.Context, tx *database.Tx) (more bool, err error)
}

// Tidy makes one pass over the database. What fails does not keep the rest from being done.
func (h *Housekeeper) Tidy(ctx context.Context) error {
	var failures []error
	for _, task := range []task{
		{"purge deleted panels", h.purgePanel},
		{"purge finished jobs", h.purgeJobs},
		{"purge expired sessions", h.purgeSessions},
		{"purge idempotency keys", h.purgeIdempotencyKeys},
		{"purge service levels", h.purgeServiceLevels},
		{"remove stored files", h.removeFiles},
	} {
		if err := h.untilDone(ctx, task); err != nil {
			failures = append(failures, fmt.Errorf("%s: %w", task.name, err))
		}
	}
	return errors.Join(failures...)
}

// untilDone runs a task until nothing is left to do. Another instance that does the same is left alone.
func (h *Housekeeper) untilDone(ctx context.Context, task task) error {
	for more := true; more; {
		err := h.DB.InTx(ctx, func(tx *database.Tx) (err error) {
			alone, err := tx.TryLockHousekeeping(ctx)
			if err != nil || !alone {
				more = false
				return err
			}
			more, err = task.run(ctx, tx)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// purgePanel removes one batch of the records of a panel that was deleted long ago, or the panel itself when it has
// none left.
func (h *Housekeeper) purgePanel(ctx context.Context, tx *database.Tx) (more bool, err error) {
	panel, err := tx.LockPanelToPurge(ctx, h.Now().Add(-h.RestorationPeriod-panelGrace))
	if errors.Is(err, database.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	purged, err := tx.PurgeRecords(ctx, dbgen.PurgeRecordsParams{Bucket: panel.Bucket, PanelID: panel.ID, Batch: batchSize})
	if err != nil || purged == batchSize {
		return true, err
	}
	h.Log.InfoContext(ctx, "deleted panel purged", "panel_id", panel.ID, "user_id", panel.UserID)
	return true, tx.PurgePanel(ctx, dbgen.PurgePanelParams{Bucket: panel.Bucket, ID: panel.ID})
}

func (h *Housekeeper) purgeJobs(ctx context.Context, tx *database.Tx) (more bool, err error) {
	n, err := tx.PurgeFinishedJobs(ctx, dbgen.PurgeFinishedJobsParams{FinishedBefore: h.Now().Add(-jobRetention), Batch: batchSize})
	return n == batchSize, err
}

func (h *Housekeeper) purgeSessions(ctx context.Context, tx *database.Tx) (more bool, err error) {
	n, err := tx.PurgeExpiredSessions(ctx, dbgen.PurgeExpiredSessionsParams{ExpiredBefore: h.Now().Add(-sessionRetention), Batch: batchSize})
	return n == batchSize, err
}

func (h *Housekeeper) purgeServiceLevels(ctx context.Context, tx *database.Tx) (more bool, err error) {
	before := h.Now().Add(-serviceLevelRetention)
	_, loadsErr := tx.PurgePageLoads(ctx, before)
	_, uptimeErr := tx.PurgeUptime(ctx, before)
	return false, errors.Join(loadsErr, uptimeErr)
}

func (h *Housekeeper) purgeIdempotencyKeys(ctx context.Context, tx *database.Tx) (more bool, err error) {
	n, err := tx.PurgeIdempotencyKeys(ctx, dbgen.PurgeIdempotencyKeysParams{CreatedBefore: h.Now().Add(-idempotencyRetention), Batch: batchSize})
	return n == batchSize, err
}
