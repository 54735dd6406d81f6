package host

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/radpanel/radpanel/infra/machine"
	"github.com/radpanel/radpanel/stacks"
)

// planFile is among the files of the service, environmentFile too.
const (
	planFile        = "plan.json"
	environmentFile = "environment"
)

// File is one that the host is given.
type File struct {
	Path string
	Text string
	// Mode is 0644 for what anybody may read, 0600 for secrets.
	Mode fs.FileMode
	// Owner is the account that it belongs to. Empty: root.
	Owner string
}

// Service is a unit that runs all the time, with the files that it reads.
type Service struct {
	Unit  machine.Unit
	Files []File
	// Reloadable are the paths of those that it reads again when it is told to.
	Reloadable []string
	// Ready tells how to see that it serves. The zero value: it does as soon as it runs.
	Ready Probe
	// Aside says that the panel does without it: what keeps it from starting is told, and is no reason to go back to
	// another release.
	Aside bool
}

// servicePart is a service that a host may have.
type servicePart struct {
	wanted bool
	make   func() (Service, error)
}

// Probe asks whether a service serves: by an answer of 200 to HTTP, or by a socket that takes connections.
type Probe struct {
	URL    string
	Socket string
	// Body must be in the answer to HTTP. After a reload, it tells the new configuration from the old.
	Body string
	// Timeout is how long it may take until it serves.
	Timeout time.Duration
}

// Services gives those of the host, in the order in which they start.
func (s Site) Services() ([]Service, error) {
	var services []Service
	var errs []error
	parts := append([]servicePart{
		{s.runs(stacks.PartDatabase), s.postgresqlService},
		{s.runs(stacks.PartPooler), s.pgbouncerService},
		{s.runs(stacks.PartCache), s.redisService},
		{s.runs(stacks.PartBackend), s.panelService},
		{s.runs(stacks.PartBalancer), s.healthService},
		{s.runs(stacks.PartWeb), s.nginxService},
	}, s.monitorParts()...)
	for _, part := range append(parts, servicePart{s.ships(), s.shipService}) {
		if !part.wanted {
			continue
		}
		service, err := part.make()
		services, errs = append(services, service), append(errs, err)
	}
	return services, errors.Join(errs...)
}

// confFiles gives rendered files their places. Those that are named are secret and the owner's alone.
func confFiles(unit, owner string, rendered map[string]string, secret ...string) []File {
	var files []File
	for _, name := range slices.Sorted(maps.Keys(rendered)) {
		file := File{Path: conf(unit, name), Text: rendered[name], Mode: 0o644}
		if slices.Contains(secret, name) {
			file.Mode, file.Owner = 0o600, owner
		}
		files = append(files, file)
	}
	return files
}

func confPaths(unit string, names []string) []string {
	paths := make([]string, len(names))
	for i, name := range names {
		paths[i] = conf(unit, name)
	}
	return paths
}

func (s Site) postgresqlService() (Service, error) {
	config := s.postgres()
	rendered, err := config.Files()
	if err != nil {
		return Service{}, err
	}
	if s.isReplica() {
		rendered[primaryPasswordFile] = "*:*:*:" + replicaRole + ":" + s.secrets[machine.ReplicaPassword].Reveal() + "\n"
	}
	reloadable := append(config.Reloadable(), s.addWindowFiles(rendered)...)
	writable := []string{filepath.Join(dataFolder, "postgresql")}
	return Service{
		Unit: machine.Unit{
			Name: postgresqlUnit, Description: "PostgreSQL of RAD Panel", User: "postgres",
			Command: []string{
				binariesLink + "/postgres", "-D", config.DataFolder, "-c", "config_file=" + conf(postgresqlUnit, machine.PostgresFile),
			},
			Reloads: true, Notifies: true, RuntimeFolder: true, Writable: writable, DataFolder: s.dataMount(),
			// INT is PostgreSQL's fast shutdown, which writes a checkpoint. After a crash it replays what came since the last.
			StopSignal: "SIGINT", StopTimeout: 5 * time.Minute, StartTimeout: 30 * time.Minute, OOMScore: -900,
		},
		Files:      confFiles(postgresqlUnit, "postgres", rendered, primaryPasswordFile, windowKeyFile),
		Reloadable: confPaths(postgresqlUnit, reloadable),
		Ready:      Probe{Socket: postgresqlSocket(), Timeout: 30 * time.Minute},
	}, nil
}

// dataMount is the mount that data is on; none on a host without a volume.
func (s Site) dataMount() string {
	if s.settings.DataVolume == "" {
		return ""
	}
	return dataFolder
}

func postgresqlSocket() string {
	return filepath.Join(socketFolder(postgresqlUnit), ".s.PGSQL."+strconv.Itoa(postgresqlPort))
}

func (s Site) pgbouncerService() (Service, error) {
	config := s.pgBouncer()
	rendered, err := config.Files()
	if err != nil {
		return Service{}, err
	}
	reloadable := config.Reloadable()
	if config.ServerAuthority != "" {
		rendered[windowAuthorityFile] = s.window.keys.Authority
		reloadable = append(reloadable, windowAuthorityFile)
	}
	return Service{
		Unit: machine.Unit{
			Name: pgbouncerUnit, Description: "PgBouncer of RAD Panel", User: poolerAccount,
			Command: []string{"/usr/sbin/pgbouncer", conf(pgbouncerUnit, machine.PgBouncerFile)},
			Reloads: true, Notifies: true, RuntimeFolder: true,
			StopSignal: "SIGINT", StopTimeout: 30 * time.Second, StartTimeout: 30 * time.Second,
		},
		Files:      confFiles(pgbouncerUnit, poolerAccount, rendered, machine.PgBouncerUsersFile),
		Reloadable: confPaths(pgbouncerUnit, reloadable),
		Ready:      Probe{Socket: filepath.Join(socketFolder(pgbouncerUnit), ".s.PGSQL."+strconv.Itoa(pgbouncerPort)), Timeout: 30 * time.Second},
	}, nil
}

func (s Site) redisService() (Service, error) {
	config := s.redis()
	rendered, err := config.Files()
	if err != nil {
		return Service{}, err
	}
	return Service{
		Unit: machine.Unit{
			Name: redisUnit, Description: "Redis of RAD Panel", User: "redis",
			Command: []string{"/usr/bin/redis-server", conf(redisUnit, machine.RedisFile)}, RuntimeFolder: true,
			StopSignal: "SIGTERM", StopTimeout: 20 * time.Second, StartTimeout: 20 * time.Second,
			// Half as much again: what is on its way to clients and the allocator's own.
			Memory: s.blueprint.Cache.Memory * 3 / 2, OOMScore: 200,
		},
		Files: confFiles(redisUnit, "redis", rendered, machine.RedisUsersFile),
		Ready: Probe{Socket: filepath.Join(socketFolder(redisUnit), machine.RedisSocket), Timeout: 20 * time.Second},
	}, nil
}

func (s Site) panelService() (Service, error) {
	config := s.panel()
	if err := config.Validate(); err != nil {
		return Service{}, err
	}
	plan, err := machine.RenderPlan(stacks.Plan())
	if err != nil {
		return Service{}, err
	}
	environment, err := environmentText(config.Environ())
	if err != nil {
		return Service{}, err
	}
	// The collector works harder instead of going beyond it. Beside the database, which has as much for its own buffers,
	// it is a quarter of the RAM.
	share := stacks.Bytes(2)
	if s.runs(stacks.PartDatabase) {
		share = 4
	}
	unit := machine.Unit{
		Name: panelUnit, Description: "RAD Panel", User: panelAccount,
		Command:         []string{filepath.Join(s.release, machine.ReleaseService)},
		EnvironmentFile: conf(panelUnit, environmentFile),
		Environment: []string{
			"GOMAXPROCS=" + strconv.Itoa(s.resources.CPU), "GOMEMLIMIT=" + strconv.FormatInt(int64(s.resources.RAM/share/stacks.MiB), 10) + "MiB",
		},
		Writable: []string{filesFolder()}, DataFolder: s.dataMount(),
		StopSignal: "SIGTERM", StopTimeout: drainTimeout + 10*time.Second, StartTimeout: 30 * time.Second,
		Memory: s.resources.RAM * 3 / (2 * share), OOMScore: 100,
	}
	return Service{
		Unit: unit,
		Files: []File{
			{Path: conf(panelUnit, planFile), Text: plan, Mode: 0o644},
			{Path: conf(panelUnit, environmentFile), Text: environment, Mode: 0o600},
		},
		// Migrations run before it is ready.
		Ready: Probe{URL: "http://" + config.ListenAddress + "/readyz", Timeout: 3 * time.Minute},
	}, nil
}

// environmentText writes variables as systemd reads them from a file. An empty one means its default.
func environmentText(variables map[string]string) (string, error) {
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		value := variables[name]
		if value == "" {
			continue
		}
		if strings.ContainsAny(value, "\"\\\n`$") {
			return "", fmt.Errorf("variable %s: its value holds a quote, a backslash, a dollar sign or a line break, which a file of systemd cannot", name)
		}
		fmt.Fprintf(&text, "%s=\"%s\"\n", name, value)
	}
	return text.String(), nil
}

func (s Site) healthService() (Service, error) {
	command := []string{
		filepath.Join(s.release, machine.ReleaseService), "balancer-health", "--listen", loopback(healthPort).String(),
		"--file", backendsFile(), "--pid-file", filepath.Join(socketFolder(nginxUnit), "nginx.pid"),
		"--connections-url", "http://" + loopback(insidePort).String() + machine.NginxConnectionsPath,
		"--connections-limit", strconv.Itoa(s.nginx().MaxConnections()), "--round-trips", roundTrips(),
	}
	for _, backend := range s.backends() {
		command = append(command, "--backend", machine.BackendLine(backend))
	}
	return Service{
		Unit: machine.Unit{
			Name: healthUnit, Description: "What takes backends that hang out of the balancer", User: webAccount,
			Command: command, RuntimeFolder: true, StopSignal: "SIGTERM", StopTimeout: 10 * time.Second, StartTimeout: 20 * time.Second,
		},
		Ready: Probe{URL: "http://" + loopback(healthPort).String() + "/livez", Timeout: 20 * time.Second},
	}, nil
}

func (s Site) nginxService() (Service, error) {
	config := s.nginx()
	rendered, err := s.webServer()
	if err != nil {
		return Service{}, err
	}
	command := []string{"/usr/sbin/nginx", "-e", "stderr", "-p", socketFolder(nginxUnit), "-c", conf(nginxUnit, machine.NginxFile)}
	unit := machine.Unit{
		Name: nginxUnit, Description: "Nginx of RAD Panel", User: webAccount, Command: command, Reloads: true, RuntimeFolder: true,
		Check:             append(slices.Clone(command), "-t", "-q"),
		RuntimeSubfolders: []string{machine.NginxTemporaryFolder},
		Capabilities:      []string{"CAP_NET_BIND_SERVICE"},
		// Expressions are compiled.
		WritesCode: true,
		// QUIT finishes requests that are being served.
		StopSignal: "SIGQUIT", StopTimeout: 30 * time.Second, StartTimeout: 20 * time.Second,
	}
	ready := "http://" + loopback(80).String() + machine.NginxHealthPath
	if s.hasTLS() {
		ready = "https://" + loopback(443).String() + machine.NginxHealthPath
	}
	reloadable := config.Reloadable()
	if s.hasTLS() {
		rendered[certificateFile], rendered[keyFile] = s.certificate.Chain, s.certificate.Key.Reveal()
		reloadable = append(reloadable, certificateFile, keyFile)
	}
	return Service{
		Unit:  unit,
		Files: confFiles(nginxUnit, webAccount, rendered, keyFile), Reloadable: confPaths(nginxUnit, reloadable),
		Ready: Probe{URL: ready, Body: config.Generation, Timeout: 20 * time.Second},
	}, nil
}
