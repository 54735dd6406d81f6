package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/radpanel/radpanel/app/account"
	"github.com/radpanel/radpanel/app/api"
	"github.com/radpanel/radpanel/app/config"
	"github.com/radpanel/radpanel/app/database"
	"github.com/radpanel/radpanel/app/file"
	"github.com/radpanel/radpanel/app/panel"
	"github.com/radpanel/radpanel/app/scaling"
	"github.com/radpanel/radpanel/app/telemetry"
)

const (
	readHeaderTimeout = 5 * time.Second
	// transferSlack is how much longer than a request's own limit its bytes may take to arrive or to leave.
	transferSlack = 10 * time.Second
	// idleTimeout is longer than Nginx keeps idle connections (60 s), so that this side never closes one that Nginx is
	// about to use.
	idleTimeout    = 2 * time.Minute
	maxHeaderBytes = 32 << 10

	// The database may come up after the service: it is tried again from firstRetry on, doubling up to lastRetry.
	firstRetry = 200 * time.Millisecond
	lastRetry  = 5 * time.Second
)

// service is the parts of the running process.
type service struct {
	cfg      config.Config
	log      *slog.Logger
	db       *database.DB
	accounts *account.Service
	api      *api.API
	scaling  *scaling.Monitor
	server   *http.Server
	files    *file.Disk
	jobs     *background
}

// serve runs the service until ctx ends or a part fails, then finishes what was accepted.
func serve(ctx context.Context, cfg config.Config, logs io.Writer) error {
	s, err := assemble(cfg, logs)
	if err != nil {
		return err
	}
	defer s.db.Close()
	defer func() { _ = s.files.Close() }()
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", cfg.ListenAddress)
	if err != nil {
		return fmt.Errorf("RAD_LISTEN_ADDRESS %s: %w", cfg.ListenAddress, err)
	}
	s.log.InfoContext(ctx, "started", "version", buildVersion(), "address", listener.Addr().String(), "config", cfg)

	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		if err := s.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("HTTP server: %w", err)
		}
		return nil
	})
	group.Go(func() error { return s.work(ctx) })
	group.Go(func() error {
		<-ctx.Done()
		return s.drain(context.WithoutCancel(ctx))
	})
	err = group.Wait()
	s.log.Info("stopped", "error", err)
	return err
}

func assemble(cfg config.Config, logs io.Writer) (*service, error) {
	log, err := telemetry.NewLogger(logs, cfg.LogLevel)
	if err != nil {
		return nil, err
	}
	var plan *config.Plan
	if cfg.PlanFile != "" {
		if plan, err = config.ReadPlan(cfg.PlanFile); err != nil {
			return nil, err
		}
	}
	metrics := telemetry.NewMetrics()
	statements := database.NewStatementCounter(metrics.Registry)
	db, err := database.Open(database.Options{
		URL: cfg.DatabaseURL, Connections: cfg.DatabaseConnections, Wait: cfg.DatabaseWait, Tracer: statements,
	})
	if err != nil {
		return nil, err
	}
	metrics.Registry.MustRegister(database.NewPoolCollector(db))
	accounts, err := account.New(account.Options{Config: cfg, DB: db, Log: log})
	if err != nil {
		return nil, err
	}
	monitor := scaling.New(scaling.Options{
		Config: cfg, Plan: plan, DB: db, Window: metrics.Window, Reads: statements.Reads, Log: log, Now: time.Now,
	})
	files, err := file.OpenDisk(cfg.FilesDirectory)
	if err != nil {
		return nil, fmt.Errorf("RAD_FILES_DIRECTORY: %w", err)
	}
	jobs, err := newBackground(cfg, db, files, log, metrics)
	if err != nil {
		return nil, err
	}
	handler, err := api.New(api.Deps{
		Config: cfg, DB: db, Accounts: accounts, Panels: panel.NewService(db), Files: files, WakeJobs: jobs.wake,
		Log: log, Metrics: metrics, Plan: plan, Scaling: monitor,
	})
	if err != nil {
		return nil, err
	}
	s := &service{cfg: cfg, log: log, db: db, accounts: accounts, api: handler, scaling: monitor, files: files, jobs: jobs}
	s.server = &http.Server{
		Handler:           handler.Handler(),
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       cfg.RequestTimeout + transferSlack,
		WriteTimeout:      cfg.RequestTimeout + transferSlack,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	return s, nil
}

// work does what needs the database: migrations first, then whatever runs beside the requests, until ctx ends.
func (s *service) work(ctx context.Context) error {
	if err := s.migrate(ctx); err != nil {
		if ctx.Err() != nil {
			return nil //nolint:nilerr // Told to stop before the database came.
		}
		return err
	}
	s.api.SetReady()
	s.log.InfoContext(ctx, "ready")
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return s.jobs.run(ctx) })
	group.Go(func() error { s.scaling.Run(ctx); return nil })
	return group.Wait()
}

// migrate brings the schema up to date. While the database cannot be reached it tries again; a migration that fails is
// an error, because nothing good can come from serving on a schema that is not the expected one.
func (s *service) migrate(ctx context.Context) error {
	for wait := firstRetry; ; wait = min(2*wait, lastRetry) {
		err := database.Migrate(ctx, s.cfg.MigrationDatabaseURL)
		if !errors.Is(err, database.ErrBusy) {
			return err
		}
		// Jitter: instances that start together should not try together.
		pause := wait/2 + rand.N(wait/2+1) //nolint:gosec // Not a secret.
		s.log.WarnContext(ctx, "the database cannot be reached yet", "error", err, "retry_in", pause.String())
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

// drain tells balancers to send no more, then stops accepting, and waits for the accepted requests.
func (s *service) drain(ctx context.Context) error {
	s.log.InfoContext(ctx, "draining", "delay", s.cfg.DrainDelay.String(), "timeout", s.cfg.DrainTimeout.String())
	s.api.Drain()
	time.Sleep(s.cfg.DrainDelay)
	bounded, cancel := context.WithTimeout(ctx, s.cfg.DrainTimeout)
	defer cancel()
	if err := s.server.Shutdown(bounded); err != nil {
		_ = s.server.Close()
		return fmt.Errorf("requests were still running after RAD_DRAIN_TIMEOUT (%s) and were cut off: %w", s.cfg.DrainTimeout, err)
	}
	return nil
}
