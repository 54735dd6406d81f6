package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/radpanel/radpanel/app/balancer"
	"github.com/radpanel/radpanel/app/telemetry"
)

func newBalancerHealthCommand() *cobra.Command {
	var options balancer.Options
	var door frontDoor
	var listen string
	command := &cobra.Command{
		Use:   "balancer-health",
		Short: "Take instances that hang out of Nginx's balancer",
		Long: "Asks every instance twice a second, writes the file that Nginx includes in its upstream, and has Nginx read it again\n" +
			"when an instance hangs or answers again. Runs beside Nginx, as the same user.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			log, err := telemetry.NewLogger(os.Stdout, "info")
			if err != nil {
				return err
			}
			registry := prometheus.NewRegistry()
			options.Log, options.Registry = log, registry
			watcher, err := balancer.New(options)
			if err != nil {
				return err
			}
			trips, err := door.measure(registry, log)
			if err != nil {
				return err
			}
			return runBalancerHealth(cmd.Context(), watcher, trips, listen, registry)
		},
	}
	flags := command.Flags()
	flags.StringArrayVar(&options.Backends, "backend", nil, "an instance: host:port, and Nginx's parameters for it; may be repeated")
	flags.StringVar(&options.File, "file", "", "the file that Nginx includes")
	flags.StringVar(&options.PIDFile, "pid-file", "", "Nginx's file with its process id")
	flags.StringVar(&door.connectionsURL, "connections-url", "", "where Nginx says how many connections it has")
	flags.IntVar(&door.connectionsLimit, "connections-limit", 0, "how many it may have")
	flags.StringVar(&door.roundTrips, "round-trips", "", "the path of the socket to which Nginx sends the round trip of each request")
	flags.StringVar(&listen, "listen", "", "host:port for /livez and /metrics")
	for _, name := range []string{"backend", "file", "pid-file", "listen", "connections-url", "connections-limit", "round-trips"} {
		if err := command.MarkFlagRequired(name); err != nil {
			panic(err) // The flag is made above.
		}
	}
	return command
}

// frontDoor is what is measured at Nginx beside its instances.
type frontDoor struct {
	connectionsURL   string
	connectionsLimit int
	roundTrips       string
}

func (d frontDoor) measure(registry *prometheus.Registry, log *slog.Logger) (*balancer.RoundTrips, error) {
	if err := registry.Register(balancer.NewConnections(d.connectionsURL, d.connectionsLimit, log)); err != nil {
		return nil, err
	}
	return balancer.ListenRoundTrips(d.roundTrips, registry)
}

func runBalancerHealth(ctx context.Context, watcher *balancer.Watcher, trips *balancer.RoundTrips, listen string, registry *prometheus.Registry) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", listen)
	if err != nil {
		return fmt.Errorf("--listen %s: %w", listen, err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	server := &http.Server{Handler: mux, ReadHeaderTimeout: readHeaderTimeout}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("HTTP server: %w", err)
		}
		return nil
	})
	group.Go(func() error { watcher.Run(ctx); return nil })
	group.Go(func() error { return trips.Run(ctx) })
	group.Go(func() error {
		<-ctx.Done()
		return server.Close()
	})
	return group.Wait()
}
