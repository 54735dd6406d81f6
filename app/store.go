package main

import (
	"context"
	"log/slog"
	"strconv"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/radpanel/radpanel/app/cache"
	"github.com/radpanel/radpanel/app/config"
	"github.com/radpanel/radpanel/app/database"
)

// store is the database, and the cache beside it if there is one.
type store struct {
	db    *database.DB
	cache *cache.Cache
	lease *database.DB
	// replicas are nil if there are none.
	replicas *database.Replicas
}

// openStore prepares both. Together they open no more connections to the database than the configuration allows.
func openStore(cfg config.Config, log *slog.Logger, registry prometheus.Registerer, tracer pgx.QueryTracer) (*store, error) {
	options := database.Options{URL: cfg.DatabaseURL, Connections: cfg.DatabaseConnections, Wait: cfg.DatabaseWait, Tracer: tracer}
	s := &store{}
	if cfg.CacheURL != "" {
		options.Connections--
		if err := s.openCache(cfg, log, registry); err != nil {
			return nil, err
		}
		options.Invalidator = s.cache
	}
	var err error
	if s.db, err = database.Open(options); err != nil {
		s.Close()
		return nil, err
	}
	if len(cfg.ReplicaDatabaseURLs) > 0 {
		if s.replicas, err = database.OpenReplicas(s.db, cfg.ReplicaDatabaseURLs, options, registry); err != nil {
			s.Close()
			return nil, err
		}
	}
	return s, nil
}

func (s *store) openCache(cfg config.Config, log *slog.Logger, registry prometheus.Registerer) error {
	var err error
	if s.lease, err = database.Open(database.Options{URL: cfg.DatabaseURL, Connections: 1, Wait: cfg.DatabaseWait}); err != nil {
		return err
	}
	options := cache.Options{URL: cfg.CacheURL, DB: s.lease, Log: log, Registry: registry}
	if len(cfg.ReplicaDatabaseURLs) > 0 {
		options.Position = s.lease.Position
	}
	s.cache, err = cache.Open(options)
	return err
}

// watchPoolers shows how the poolers are.
func watchPoolers(cfg config.Config, registry prometheus.Registerer) error {
	poolers := map[string]config.Secret{"primary": cfg.DatabaseURL}
	for i, url := range cfg.ReplicaDatabaseURLs {
		poolers["replica-"+strconv.Itoa(i+1)] = url
	}
	for name, url := range poolers {
		collector, err := database.NewPoolerCollector(name, url)
		if err != nil {
			return err
		}
		if err := registry.Register(collector); err != nil {
			return err
		}
	}
	return nil
}

// watch keeps what the cache and the replicas need until ctx ends.
func (s *store) watch(ctx context.Context) {
	var watching sync.WaitGroup
	watching.Go(func() { s.cache.Run(ctx) })
	watching.Go(func() { s.replicas.Watch(ctx) })
	watching.Wait()
}

// Close closes all connections.
func (s *store) Close() {
	_ = s.cache.Close() // Nothing is kept there that must be written.
	s.replicas.Close()
	if s.lease != nil {
		s.lease.Close()
	}
	if s.db != nil {
		s.db.Close()
	}
}
