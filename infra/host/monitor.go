package host

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/radpanel/radpanel/infra/machine"
	"github.com/radpanel/radpanel/infra/monitoring"
	"github.com/radpanel/radpanel/stacks"
)

// The units that watch the others.
const (
	nodeExporterUnit     = "radpanel-node-exporter"
	postgresExporterUnit = "radpanel-postgres-exporter"
	redisExporterUnit    = "radpanel-redis-exporter"
	blackboxUnit         = "radpanel-blackbox-exporter"
	prometheusUnit       = "radpanel-prometheus"
	alertmanagerUnit     = "radpanel-alertmanager"
)

// The ports that they usually have.
const (
	prometheusPort       = 9090
	alertmanagerPort     = 9093
	nodeExporterPort     = machine.NodeFiguresPort
	blackboxPort         = 9115
	redisExporterPort    = 9121
	postgresExporterPort = machine.PostgresFiguresPort
)

// monitorAccount is that of what watches the others. It may read nothing that others may not.
const monitorAccount = "rad-monitor"

// watches tells whether this host runs the Prometheus of the stack: beside the web server, whose host is the one that
// reaches all others.
func (s Site) watches() bool { return s.runs(stacks.PartWeb) && s.settings.Number == 1 }

// tells tells whether this host tells people of alerts.
func (s Site) tells() bool { return s.watches() && s.settings.AlertTopic != "" }

// monitorParts are the services that watch, in the order in which they start. The panel does without any of them.
func (s Site) monitorParts() []servicePart {
	return []servicePart{
		{true, s.nodeExporterService},
		{s.backsUpDatabase(), s.postgresExporterService}, // The primary's.
		{s.runs(stacks.PartCache), s.redisExporterService},
		{s.watches(), s.blackboxService},
		{s.tells(), s.alertmanagerService},
		{s.watches(), s.prometheusService},
	}
}

// at is where what watches reaches a server of this host.
func (s Site) at(port uint16) netip.AddrPort {
	if own := s.own(); own.IsValid() {
		return netip.AddrPortFrom(own, port)
	}
	return loopback(port)
}

// exporter makes the service of a program that exposes figures.
func (s Site) exporter(unit, program, listen string, port uint16, arguments []string) Service {
	address := s.at(port).String()
	return Service{
		Aside: true,
		Unit: machine.Unit{
			Name: unit, Description: "Figures of RAD Panel, by " + program, User: monitorAccount,
			Command:     append([]string{"/usr/bin/" + program, listen + "=" + address}, arguments...),
			Environment: []string{"GOMAXPROCS=1"}, // It does one thing at a time.
			StopSignal:  "SIGTERM", StopTimeout: 5 * time.Second, StartTimeout: 20 * time.Second, OOMScore: 700,
		},
		Ready: Probe{URL: "http://" + address + "/", Timeout: 20 * time.Second},
	}
}

func (s Site) nodeExporterService() (Service, error) {
	arguments := append(monitoring.NodeArguments(), monitoring.UnitArguments("radpanel-.+.service")...)
	return s.exporter(nodeExporterUnit, "prometheus-node-exporter", "--web.listen-address", nodeExporterPort, arguments), nil
}

func (s Site) postgresExporterService() (Service, error) {
	queries, err := monitoring.PostgresQueries(s.blueprint.Database.Statistics)
	if err != nil {
		return Service{}, err
	}
	service := s.exporter(postgresExporterUnit, "prometheus-postgres-exporter", "--web.listen-address", postgresExporterPort,
		monitoring.PostgresArguments(conf(postgresExporterUnit, monitoring.PostgresQueriesFile)))
	environment, err := environmentText(map[string]string{
		"DATA_SOURCE_NAME": fmt.Sprintf("host=%s port=%d user=%s password=%s dbname=%s sslmode=disable application_name=%s",
			socketFolder(postgresqlUnit), postgresqlPort, monitorRole, s.secrets[machine.MonitorPassword].Reveal(), databaseName, postgresExporterUnit),
	})
	service.Unit.EnvironmentFile = conf(postgresExporterUnit, environmentFile)
	service.Files = []File{
		{Path: conf(postgresExporterUnit, monitoring.PostgresQueriesFile), Text: queries, Mode: 0o644},
		{Path: service.Unit.EnvironmentFile, Text: environment, Mode: 0o600},
	}
	return service, err
}

func (s Site) redisExporterService() (Service, error) {
	service := s.exporter(redisExporterUnit, "prometheus-redis-exporter", "-web.listen-address", redisExporterPort,
		monitoring.RedisArguments(filepath.Join(socketFolder(redisUnit), machine.RedisSocket), cacheUser))
	environment, err := environmentText(map[string]string{"REDIS_PASSWORD": s.secrets[machine.CachePassword].Reveal()})
	service.Unit.EnvironmentFile = conf(redisExporterUnit, environmentFile)
	service.Files = []File{{Path: service.Unit.EnvironmentFile, Text: environment, Mode: 0o600}}
	return service, err
}

func (s Site) blackboxService() (Service, error) {
	file := conf(blackboxUnit, monitoring.BlackboxFile)
	text, err := monitoring.Blackbox()
	service := s.exporter(blackboxUnit, "prometheus-blackbox-exporter", "--web.listen-address", blackboxPort, monitoring.BlackboxArguments(file))
	service.Files = []File{{Path: file, Text: text, Mode: 0o644}}
	return service, err
}

// alertmanagerData is what people were told, so that they are not told twice.
func alertmanagerData() string { return filepath.Join(stateFolder, "alertmanager") }

func (s Site) alertmanagerService() (Service, error) {
	files, err := monitoring.Alertmanager{
		Pace: monitoring.Usual(), ConfigFolder: filepath.Dir(conf(alertmanagerUnit, monitoring.AlertmanagerFile)),
		Topic: &monitoring.Topic{ARN: s.settings.AlertTopic, Endpoint: s.host.Endpoints.Topics},
	}.Files()
	address := loopback(alertmanagerPort).String()
	return Service{
		Aside: true,
		Unit: machine.Unit{
			Name: alertmanagerUnit, Description: "Alertmanager of RAD Panel", User: monitorAccount, Reloads: true,
			Command: append([]string{"/usr/bin/prometheus-alertmanager", "--web.listen-address=" + address},
				monitoring.AlertmanagerArguments(conf(alertmanagerUnit, monitoring.AlertmanagerFile), alertmanagerData())...),
			Environment: []string{"GOMAXPROCS=1"}, Writable: []string{alertmanagerData()},
			StopSignal: "SIGTERM", StopTimeout: 10 * time.Second, StartTimeout: 20 * time.Second, OOMScore: 700,
		},
		Files:      confFiles(alertmanagerUnit, monitorAccount, files),
		Reloadable: confPaths(alertmanagerUnit, []string{monitoring.AlertmanagerFile}),
		Ready:      Probe{URL: "http://" + address + "/-/ready", Timeout: 20 * time.Second},
	}, err
}

// prometheusData is on the system's disk: figures are no data of the panel's.
func prometheusData() string { return filepath.Join(stateFolder, "prometheus") }

func (s Site) prometheusService() (Service, error) {
	files, err := s.prometheus().Files()
	if err != nil {
		return Service{}, err
	}
	address := loopback(prometheusPort).String()
	return Service{
		Aside: true,
		Unit: machine.Unit{
			Name: prometheusUnit, Description: "Prometheus of RAD Panel", User: monitorAccount, Reloads: true,
			Command: append([]string{"/usr/bin/prometheus", "--web.listen-address=" + address},
				monitoring.PrometheusArguments(conf(prometheusUnit, monitoring.PrometheusFile), prometheusData())...),
			Environment: []string{"GOMAXPROCS=1", fmt.Sprintf("GOMEMLIMIT=%dMiB", monitoring.PrometheusMemory/stacks.MiB)},
			Writable:    []string{prometheusData()},
			StopSignal:  "SIGTERM", StopTimeout: 30 * time.Second, StartTimeout: time.Minute,
			Memory: 2 * monitoring.PrometheusMemory, OOMScore: 800,
		},
		Files:      confFiles(prometheusUnit, monitorAccount, files),
		Reloadable: confPaths(prometheusUnit, []string{monitoring.PrometheusFile, monitoring.RulesFile}),
		Ready:      Probe{URL: "http://" + address + "/-/ready", Timeout: time.Minute},
	}, nil
}

// prometheus gives the configuration of what measures the stack: all of its hosts.
func (s Site) prometheus() monitoring.Prometheus {
	p := monitoring.Prometheus{
		Stack: s.settings.Stack, Tier: s.settings.Tier, Pace: monitoring.Usual(), DataDisk: dataFolder,
		// As browsers come, whatever stands before the web server.
		FrontDoor: s.settings.PublicURL + machine.NginxServiceHealthPath, Blackbox: s.at(blackboxPort).String(),
	}
	if s.tells() {
		p.Alertmanager = loopback(alertmanagerPort).String()
	}
	add := func(job, instance string, address netip.AddrPort, labels map[string]string) {
		all := map[string]string{"instance": instance}
		for name, value := range labels {
			all[name] = value
		}
		p.Targets = append(p.Targets, monitoring.Target{Job: job, Address: address.String(), Labels: all})
	}
	for _, host := range s.blueprint.Hosts {
		var parts []string
		for _, part := range host.Runs {
			parts = append(parts, string(part))
		}
		for i, address := range s.addresses(host) {
			name := fmt.Sprintf("%s-%d", host.Role, i+1)
			add(monitoring.NodeJob, name, netip.AddrPortFrom(address, nodeExporterPort), map[string]string{"parts": "," + strings.Join(parts, ",") + ","})
			if slices.Contains(host.Runs, stacks.PartBackend) {
				add(monitoring.ServiceJob, name, netip.AddrPortFrom(address, panelPort), nil)
			}
			if slices.Contains(host.Runs, stacks.PartDatabase) && i == 0 {
				add(monitoring.PostgresJob, name, netip.AddrPortFrom(address, postgresExporterPort), nil)
			}
			if slices.Contains(host.Runs, stacks.PartCache) {
				add("redis", name, netip.AddrPortFrom(address, redisExporterPort), nil)
			}
		}
	}
	if s.runs(stacks.PartBalancer) {
		add(monitoring.BalancerJob, s.host.Name, loopback(healthPort), nil)
	}
	return p
}

// addresses gives those of the hosts of a role, as this one reaches them.
func (s Site) addresses(host stacks.Host) []netip.Addr {
	if s.alone() {
		return []netip.Addr{loopback(0).Addr()}
	}
	switch host.Role {
	case stacks.RoleDatabase:
		return s.settings.Databases
	case stacks.RoleBackend:
		return s.settings.Backends
	case stacks.RoleBalancer:
		return s.settings.Balancers
	default:
		return nil
	}
}

// monitorPackages are Debian's for what watches.
func (s Site) monitorPackages() []string {
	packages := []string{"prometheus-node-exporter"}
	if s.backsUpDatabase() {
		packages = append(packages, "prometheus-postgres-exporter")
	}
	if s.runs(stacks.PartCache) {
		packages = append(packages, "prometheus-redis-exporter")
	}
	if s.watches() {
		packages = append(packages, "prometheus", "prometheus-blackbox-exporter")
	}
	if s.tells() {
		packages = append(packages, "prometheus-alertmanager")
	}
	return packages
}
