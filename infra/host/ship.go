package host

import (
	"context"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/radpanel/radpanel/infra/host/ship"
	"github.com/radpanel/radpanel/infra/machine"
	"github.com/radpanel/radpanel/infra/monitoring"
	"github.com/radpanel/radpanel/stacks"
)

const (
	shipUnit    = "radpanel-ship"
	shipAccount = "rad-ship"
	// journalGroup may read the journal.
	journalGroup = "systemd-journal"
	// shipFolder keeps how far the journal has come.
	shipFolder = stateFolder + "/ship"
	// shipMemory bounds what it may use; measured, it uses a third.
	shipMemory = 128 * stacks.MiB
)

// ships tells whether the host's journal is to go anywhere.
func (s Site) ships() bool { return s.settings.LogGroup != "" }

// shipService carries the journal away, and the stack's figures from the host that has them.
func (s Site) shipService() (Service, error) {
	command := []string{filepath.Join(s.release, machine.ReleaseProgram), "ship", "--group", s.settings.LogGroup}
	if s.watches() {
		command = append(command, "--stack", s.settings.Stack, "--tier", string(s.settings.Tier), "--prometheus", "http://"+loopback(prometheusPort).String())
	}
	return Service{
		Aside: true,
		Unit: machine.Unit{
			Name: shipUnit, Description: "What carries logs and figures of RAD Panel to CloudWatch", User: shipAccount, Groups: []string{journalGroup},
			Command: command, Writable: []string{shipFolder}, Environment: []string{"GOMAXPROCS=1", "GOMEMLIMIT=64MiB"},
			StopSignal: "SIGTERM", StopTimeout: 10 * time.Second, StartTimeout: 20 * time.Second, Memory: shipMemory, OOMScore: 600,
		},
	}, nil
}

// ShipOptions are what is carried, beside the journal.
type ShipOptions struct {
	Group string
	// Stack, Tier and Prometheus are set on the host that carries the stack's figures.
	Stack, Tier, Prometheus string
}

// Ship carries the journal of this host until ctx ends.
func Ship(ctx context.Context, options ShipOptions, log *slog.Logger) error {
	host, err := readIdentity(identityFile)
	if err != nil {
		return err
	}
	config := ship.Config{
		Region: host.Region, Credentials: NewCloud(host).credentials, LogsEndpoint: host.Endpoints.Logs, FiguresEndpoint: host.Endpoints.Figures,
		LogGroup: options.Group, LogStream: host.Name, Journal: []string{"/usr/bin/journalctl"}, Folder: shipFolder,
		Stack: options.Stack, Prometheus: options.Prometheus, Log: log, Pace: ship.UsualPace(),
	}
	if options.Prometheus != "" {
		tier, err := stacks.Plan().Tier(stacks.Tier(options.Tier))
		if err != nil {
			return err
		}
		config.Figures = monitoring.Carried(tier)
	}
	return ship.Run(ctx, config)
}
