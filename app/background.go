package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/radpanel/radpanel/app/config"
	"github.com/radpanel/radpanel/app/database"
	"github.com/radpanel/radpanel/app/file"
	"github.com/radpanel/radpanel/app/job"
	"github.com/radpanel/radpanel/app/panel"
	"github.com/radpanel/radpanel/app/telemetry"
)

// backgroundStopTimeout is how long background work may take to give its jobs back. Jobs that are not given back in
// time are taken up by others when their leases run out.
const backgroundStopTimeout = 5 * time.Second

// background is what the process does beside the requests: jobs, and keeping house. An instance without workers leaves
// both to another.
type background struct {
	worker  *job.Worker
	keeper  *job.Housekeeper
	workers int
}

func newBackground(cfg config.Config, db *database.DB, store file.Store, log *slog.Logger, metrics *telemetry.Metrics, traces *telemetry.Tracing) (*background, error) {
	b := &background{workers: cfg.Workers}
	if b.workers == 0 {
		return b, nil
	}
	jobMetrics, err := job.NewMetrics(metrics.Registry)
	if err != nil {
		return nil, fmt.Errorf("metrics of the jobs: %w", err)
	}
	b.worker, err = job.NewWorker(job.Options{
		DB: db, Handlers: panel.NewTransfers(db, store, log).Handlers(), Concurrency: cfg.Workers, Tier: cfg.Tier, Log: log, Metrics: jobMetrics,
		Traces: traces,
	})
	if err != nil {
		return nil, err
	}
	b.keeper = job.NewHousekeeper(job.HousekeepingOptions{
		DB: db, Store: store, Log: log, Tier: cfg.Tier, RestorationPeriod: panel.RestorationPeriod,
	})
	return b, nil
}

// wake makes the worker look for jobs now.
func (b *background) wake() {
	if b.workers > 0 {
		b.worker.Wake()
	}
}

// run works until ctx ends, then gives back what it has not finished.
func (b *background) run(ctx context.Context) error {
	if b.workers == 0 {
		return nil
	}
	b.worker.Start(ctx)
	b.keeper.Start(ctx)
	<-ctx.Done()
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), backgroundStopTimeout)
	defer cancel()
	return errors.Join(b.worker.Stop(bounded), b.keeper.Stop(bounded))
}
