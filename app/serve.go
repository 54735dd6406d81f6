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
	"strings"
	"sync/atomic"
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

	// frontDoorPath leads through the web server to the service and back (see infra/machine).
	frontDoorPath = "/healthz/service"

	// traceStopTimeout is how long the last traces may take. A restart must not wait for a store of traces that hangs.
	traceStopTimeout = time.Second

	// The database may come up after the service: it is tried again from firstRetry on, doubling up to lastRetry.
	firstRetry = 200 * time.Millisecond
	lastRetry  = 5 * time.Second
	// lookTimeout bounds the look at the schema by a pooler that may hold its clients back.
	lookTimeout = 5 * time.Second
)

// service is the parts of the running process.
type service struct {
	cfg      config.Config
	log      *slog.Logger
	store    *store
	accounts *account.Service
	api      *api.API
	scaling  *scaling.Monitor
	levels   *scaling.ServiceLevels
	server   *http.Server
	// connections are those that clients hold open.
	connections atomic.Int64
	files       *files
	aligned     *alignment
	jobs        *background
	traces      *telemetry.Tracing
}

// serve runs the service until ctx ends or a part fails, then finishes what was accepted.
func serve(ctx context.Context, cfg config.Config, logs io.Writer) error {
	s, err := assemble(cfg, logs)
	if err != nil {
		return err
	}
	defer s.store.Close()
	defer func() { _ = s.files.Close() }()
	// Until the schema is the expected one the port is closed, and a balancer sends requests to another instance. Where there
	// is no database nobody can be served, and the port is opened to say so.
	migrated := s.tryMigration(ctx)
	if ctx.Err() != nil {
		return nil // Told to stop.
	}
	if migrated != nil && !errors.Is(migrated, database.ErrBusy) {
		return migrated
	}
	port, err := (&net.ListenConfig{}).Listen(ctx, "tcp", cfg.ListenAddress)
	if err != nil {
		return fmt.Errorf("RAD_LISTEN_ADDRESS %s: %w", cfg.ListenAddress, err)
	}
	listener, err := newGentleListener(port)
	if err != nil {
		return err
	}
	s.log.InfoContext(ctx, "started", "version", buildVersion(), "address", listener.Addr().String(), "config", cfg)

	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		if err := s.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
			return fmt.Errorf("HTTP server: %w", err)
		}
		return nil
	})
	group.Go(func() error { return s.work(ctx, migrated) })
	group.Go(func() error {
		<-ctx.Done()
		return s.drain(context.WithoutCancel(ctx), listener)
	})
	err = group.Wait()
	s.stopTracing()
	s.log.Info("stopped", "error", err)
	return err
}

// stopTracing sends the last traces, if whoever takes them still does.
func (s *service) stopTracing() {
	ctx, cancel := context.WithTimeout(context.Background(), traceStopTimeout)
	defer cancel()
	if err := s.traces.Stop(ctx); err != nil {
		s.log.Warn("the last traces were not sent", "error", err)
	}
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
	store, err := openStore(cfg, log, metrics.Registry, statements)
	if err != nil {
		return nil, err
	}
	db := store.db
	metrics.Registry.MustRegister(database.NewPoolCollector(db))
	if err := watchPoolers(cfg, metrics.Registry); err != nil {
		return nil, err
	}
	accounts, err := account.New(account.Options{Config: cfg, DB: db, Cache: store.cache, Log: log})
	if err != nil {
		return nil, err
	}
	measured := scaling.Options{
		Config: cfg, Plan: plan, DB: db, Window: metrics.Window, Reads: statements.Reads, Log: log, Now: time.Now,
	}
	if store.cache != nil {
		measured.CacheMemory = store.cache.Memory
	}
	monitor := scaling.New(measured)
	metrics.Registry.MustRegister(monitor.Collector())
	levels := &scaling.ServiceLevels{DB: db, URL: strings.TrimSuffix(cfg.PublicURL, "/") + frontDoorPath, Log: log, Now: time.Now}
	metrics.Registry.MustRegister(scaling.NewCollector(monitor, levels))
	history, err := scaling.NewHistorian(cfg, plan, time.Now)
	if err != nil {
		return nil, err
	}
	files, err := openFiles(cfg, log, metrics.Registry)
	if err != nil {
		return nil, fmt.Errorf("RAD_FILES_DIRECTORY: %w", err)
	}
	scheme, _, _ := strings.Cut(cfg.PublicURL, ":")
	traces, err := telemetry.NewTracing(telemetry.TracingOptions{
		Endpoint: cfg.TraceEndpoint, Ratio: cfg.TraceRatio, Slow: cfg.TraceSlow, PerSecond: cfg.TracesPerSecond,
		Scheme: scheme, Version: buildVersion(), Tier: cfg.Tier, Instance: cfg.ListenAddress, Registry: metrics.Registry, Log: log,
	})
	if err != nil {
		return nil, fmt.Errorf("RAD_TRACE_ENDPOINT: %w", err)
	}
	jobs, err := newBackground(cfg, db, files.Shared, log, metrics, traces)
	if err != nil {
		return nil, err
	}
	handler, err := api.New(api.Deps{
		Traces: traces,
		Config: cfg, DB: db, Accounts: accounts, Panels: panel.NewService(db, store.cache, store.replicas), Files: files.Shared, WakeJobs: jobs.wake,
		Log: log, Metrics: metrics, Plan: plan, Scaling: monitor, Levels: levels,
		History: history,
	})
	if err != nil {
		return nil, err
	}
	s := &service{cfg: cfg, log: log, store: store, accounts: accounts, api: handler, scaling: monitor, levels: levels, files: files, jobs: jobs, traces: traces}
	token, err := peerToken(cfg)
	if err != nil {
		return nil, err
	}
	s.aligned = newAlignment(cfg, db, files.Shared, token, log)
	requests := http.NewServeMux()
	requests.Handle("/", handler.Handler())
	requests.Handle(file.PeerPath, file.NewPeerHandler(files.Store, token))
	s.server = &http.Server{
		Handler:           requests,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       cfg.RequestTimeout + transferSlack,
		WriteTimeout:      cfg.RequestTimeout + transferSlack,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ConnState:         s.countConnection,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	return s, nil
}

// work does what needs the database: migrations first, of which migrated is how the first attempt went, then whatever runs
// beside the requests, until ctx ends.
func (s *service) work(ctx context.Context, migrated error) error {
	if err := s.migrate(ctx, migrated); err != nil {
		if ctx.Err() != nil {
			return nil //nolint:nilerr // Told to stop before the database came.
		}
		return err
	}
	s.store.db.Warm(ctx)
	s.api.SetReady()
	s.log.InfoContext(ctx, "ready")
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return s.jobs.run(ctx) })
	group.Go(func() error { s.scaling.Run(ctx); return nil })
	group.Go(func() error { s.levels.Run(ctx); return nil })
	group.Go(func() error { s.files.move(ctx); return nil })
	group.Go(func() error { s.aligned.run(ctx); return nil })
	group.Go(func() error { s.store.watch(ctx); return nil })
	return group.Wait()
}

// migrate brings the schema up to date, after a first attempt. While the database cannot be reached it tries again; a
// migration that fails is an error, because nothing good can come from serving on a schema that is not the expected one.
func (s *service) migrate(ctx context.Context, err error) error {
	for wait := firstRetry; errors.Is(err, database.ErrBusy); wait = min(2*wait, lastRetry) {
		// Jitter: instances that start together should not try together.
		pause := wait/2 + rand.N(wait/2+1) //nolint:gosec // Not a secret.
		s.log.WarnContext(ctx, "the database cannot be reached yet", "error", err, "retry_in", pause.String())
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
		err = s.tryMigration(ctx)
	}
	return err
}

// tryMigration brings the schema up to date, if it is not; database.ErrBusy while the database cannot be reached.
func (s *service) tryMigration(ctx context.Context) error {
	look, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	if current, err := database.IsCurrent(look, s.store.db); err == nil && current {
		return nil
	}
	return database.Migrate(ctx, s.cfg.MigrationDatabaseURL)
}

// keptConnections is how long a balancer may take to close the connections that it keeps to an instance which takes no
// new ones: longer than Nginx keeps them (see infra/machine).
const keptConnections = 4 * time.Second

// awaitDisconnection leaves it to the balancer to close the connections that it has: a request that is on its way on one
// of them just when this side closes it would be lost.
func (s *service) awaitDisconnection(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, keptConnections)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for s.connections.Load() > 0 {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// countConnection keeps count of the connections.
func (s *service) countConnection(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		s.connections.Add(1)
	case http.StateClosed, http.StateHijacked:
		s.connections.Add(-1)
	case http.StateActive, http.StateIdle:
	}
}

// drain tells balancers to send no more, then stops accepting, and waits for the accepted requests.
func (s *service) drain(ctx context.Context, listener *gentleListener) error {
	s.log.InfoContext(ctx, "draining", "delay", s.cfg.DrainDelay.String(), "timeout", s.cfg.DrainTimeout.String())
	s.api.Drain()
	time.Sleep(s.cfg.DrainDelay)
	bounded, cancel := context.WithTimeout(ctx, s.cfg.DrainTimeout)
	defer cancel()
	// From here on a balancer sends new connections to another instance.
	if err := listener.closeGently(bounded); err != nil {
		s.log.WarnContext(ctx, "the port was not closed as it should be", "error", err)
	}
	if s.cfg.DrainDelay > 0 {
		s.awaitDisconnection(bounded)
	}
	if err := s.server.Shutdown(bounded); err != nil {
		_ = s.server.Close()
		return fmt.Errorf("requests were still running after RAD_DRAIN_TIMEOUT (%s) and were cut off: %w", s.cfg.DrainTimeout, err)
	}
	return nil
}
