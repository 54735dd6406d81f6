package local

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/radpanel/radpanel/app/config"
	"github.com/radpanel/radpanel/infra/local/supervisor"
	"github.com/radpanel/radpanel/infra/machine"
	"github.com/radpanel/radpanel/infra/monitoring"
	"github.com/radpanel/radpanel/stacks"
)

// The services that watch the others. People see these names.
const (
	nodeExporterService     = "node-exporter"
	blackboxService         = "blackbox-exporter"
	postgresExporterService = "postgres-exporter"
	redisExporterService    = "redis-exporter"
	alertmanagerService     = "alertmanager"
	prometheusService       = "prometheus"
)

// dataFolder is in a service's folder.
const dataFolder = "data"

// monitors names the services that watch the others.
func (s site) monitors() []string {
	names := []string{nodeExporterService, blackboxService, postgresExporterService}
	if s.hasCache() {
		names = append(names, redisExporterService)
	}
	if s.hasTraces() {
		names = append(names, tracesService)
	}
	return append(names, alertmanagerService, prometheusService)
}

// watched names the services that Prometheus asks, or asks through.
func (s site) watched() []string {
	return slices.DeleteFunc(s.services(), func(name string) bool { return name == prometheusService })
}

// monitoringRequirements are the programs that watch a blueprint.
func monitoringRequirements(blueprint stacks.Blueprint) []Requirement {
	var needed []Requirement
	for _, name := range []string{
		"prometheus", "prometheus-alertmanager", "prometheus-node-exporter", "prometheus-blackbox-exporter", "prometheus-postgres-exporter",
	} {
		needed = append(needed, Requirement{name, name})
	}
	if blueprint.Cache.Memory > 0 {
		needed = append(needed, Requirement{"prometheus-redis-exporter", "prometheus-redis-exporter"})
	}
	return needed
}

// pace is how fast the stack is watched.
func (s site) pace() monitoring.Pace {
	if every := s.stack.Settings.Alerting.Rehearsal; every > 0 {
		return monitoring.Rehearsed(every)
	}
	return monitoring.Usual()
}

// monitorSource is how the exporter reaches the database, in libpq's form.
func (s site) monitorSource(password string) string {
	return fmt.Sprintf("host=%s port=%d user=%s password=%s dbname=%s sslmode=disable application_name=%s",
		s.runFolder(postgresqlService), postgresqlPort, monitorRole, password, databaseName, postgresExporterService)
}

// alertmanager gives the configuration of who is told. The password of the mail server is read here and now.
func (s site) alertmanager() (monitoring.Alertmanager, error) {
	settings := s.stack.Settings.Alerting
	a := monitoring.Alertmanager{
		Pace: s.pace(), ConfigFolder: s.folder.Conf(alertmanagerService), Webhook: config.Secret(settings.Webhook),
	}
	if settings.Email == "" {
		return a, nil
	}
	a.Email = &monitoring.Email{To: settings.Email, From: settings.EmailFrom, Server: settings.EmailServer, User: settings.EmailUser}
	if a.Email.From == "" {
		a.Email.From = a.Email.To
	}
	if settings.EmailPasswordFile != "" {
		raw, err := os.ReadFile(settings.EmailPasswordFile)
		if err != nil {
			return a, fmt.Errorf("rad-panel:alertEmailPasswordFile: %w: make the file, with the mail server's password in it", err)
		}
		password := strings.TrimRight(string(raw), "\r\n")
		if password == "" {
			return a, fmt.Errorf("rad-panel:alertEmailPasswordFile: %s is empty: expected the mail server's password", settings.EmailPasswordFile)
		}
		a.Email.Password = config.Secret(password)
	}
	return a, nil
}

// watch is Prometheus, Alertmanager and the exporters.
type watch struct {
	pulumi.ResourceState

	// URL is where Prometheus is.
	URL  pulumi.StringOutput
	port pulumi.IntOutput
	// tracesPort is where traces are taken; 0 where the stack keeps none.
	tracesPort pulumi.IntOutput
	site       site
}

// newMonitoring registers the component with Prometheus' port, which the panel must know. The servers start last; see
// start.
func newMonitoring(ctx *pulumi.Context, parent *Stack, site site) (*watch, error) {
	w := &watch{site: site}
	if err := ctx.RegisterComponentResource("radpanel:local:Monitoring", "monitoring", w, pulumi.Parent(parent)); err != nil {
		return nil, fmt.Errorf("component monitoring: %w", err)
	}
	made, err := register(ctx, "Port", prometheusService+"-port", portInputs{Wanted: pulumi.Int(0)}, new(port), pulumi.Parent(w))
	if err != nil {
		return nil, err
	}
	w.port, w.tracesPort = made.Port, pulumi.Int(0).ToIntOutput()
	if site.hasTraces() {
		taking, err := register(ctx, "Port", tracesService+"-port", portInputs{Wanted: pulumi.Int(0)}, new(port), pulumi.Parent(w))
		if err != nil {
			return nil, err
		}
		w.tracesPort = taking.Port
	}
	w.URL = pulumi.Sprintf("http://127.0.0.1:%d", w.port)
	return w, nil
}

// start brings up what watches the stack.
func (w *watch) start(ctx *pulumi.Context, behind parts, panels *panel) error {
	all, err := exporters(w.site, behind)
	if err != nil {
		return err
	}
	ports := map[string]pulumi.IntOutput{}
	for _, e := range all {
		if ports[e.name], err = e.start(ctx, w, w.site); err != nil {
			return err
		}
	}
	if ports[alertmanagerService], err = w.startAlertmanager(ctx); err != nil {
		return err
	}
	if w.site.hasTraces() {
		if err := w.startTraces(ctx); err != nil {
			return err
		}
	}
	for i, name := range w.site.panels() {
		ports[name] = panels.ports[i]
	}
	if w.site.hasBalancer() {
		ports[balancerHealthService] = behind.web.healthPort
	}
	if err := w.startPrometheus(ctx, ports, behind.web.URL); err != nil {
		return err
	}
	return registerOutputs(ctx, w, pulumi.Map{"url": w.URL})
}

func (w *watch) startAlertmanager(ctx *pulumi.Context) (pulumi.IntOutput, error) {
	site := w.site
	made, err := register(ctx, "Port", alertmanagerService+"-port", portInputs{Wanted: pulumi.Int(0)}, new(port), pulumi.Parent(w))
	if err != nil {
		return pulumi.IntOutput{}, err
	}
	configured, err := site.alertmanager()
	if err != nil {
		return pulumi.IntOutput{}, err
	}
	files, err := configured.Files()
	if err != nil {
		return pulumi.IntOutput{}, err
	}
	address := pulumi.Sprintf("127.0.0.1:%d", made.Port)
	_, err = register(ctx, "Service", alertmanagerService, serviceInputs{
		Directory: pulumi.String(site.folder.Directory()),
		Name:      pulumi.String(alertmanagerService),
		Account:   pulumi.String(string(supervisor.Monitor)),
		Host:      site.hostOf(stacks.PartWeb, 1),
		Command: append(pulumi.StringArray{
			pulumi.String(program("prometheus-alertmanager")), pulumi.Sprintf("--web.listen-address=%s", address),
			pulumi.Sprintf("--web.external-url=http://%s", address),
		}, pulumi.ToStringArray(monitoring.AlertmanagerArguments(filepath.Join(configured.ConfigFolder, monitoring.AlertmanagerFile),
			filepath.Join(site.folder.Folder(alertmanagerService), dataFolder)))...),
		Environment: pulumi.StringMap{"GOMAXPROCS": pulumi.String("1")},
		SecretFiles: pulumi.ToSecret(pulumi.ToStringMap(files)).(pulumi.StringMapOutput),
		Folders:     pulumi.StringMap{dataFolder: pulumi.String("0700")},
		StopSignal:  pulumi.String("TERM"),
		StopSeconds: pulumi.Int(10),
		Ready: probeInputs{
			Kind: pulumi.String(string(supervisor.HTTP)), Address: address, Path: pulumi.String("/-/ready"), Seconds: pulumi.Int(20),
		},
	}, new(service), pulumi.Parent(w), pulumi.DependsOn([]pulumi.Resource{site.host}))
	return made.Port, err
}

// startPrometheus runs it with all that has a port among its targets.
func (w *watch) startPrometheus(ctx *pulumi.Context, ports map[string]pulumi.IntOutput, frontDoor pulumi.StringOutput) error {
	site := w.site
	inputs := pulumi.IntMap{}
	for name, port := range ports {
		inputs[name] = port
	}
	files := pulumi.All(inputs, frontDoor).ApplyT(func(values []any) (map[string]string, error) {
		known, url := values[0].(map[string]int), values[1].(string)
		configured, err := site.prometheus(func(service string) string { return loopback(known[service]).String() }, url)
		if err != nil {
			return nil, err
		}
		return configured.Files()
	}).(pulumi.StringMapOutput)
	address := pulumi.Sprintf("127.0.0.1:%d", w.port)
	command := pulumi.StringArray{pulumi.String(program("prometheus")), pulumi.Sprintf("--web.listen-address=%s", address)}
	command = append(command, stringArray(monitoring.PrometheusArguments(filepath.Join(site.folder.Conf(prometheusService), monitoring.PrometheusFile),
		filepath.Join(site.folder.Folder(prometheusService), dataFolder))...)...)
	_, err := register(ctx, "Service", prometheusService, serviceInputs{
		Directory:   pulumi.String(site.folder.Directory()),
		Name:        pulumi.String(prometheusService),
		Account:     pulumi.String(string(supervisor.Monitor)),
		Host:        site.hostOf(stacks.PartWeb, 1),
		Command:     command,
		Environment: pulumi.StringMap{"GOMAXPROCS": pulumi.String("1"), "GOMEMLIMIT": pulumi.String(fmt.Sprintf("%dMiB", monitoring.PrometheusMemory/stacks.MiB))},
		Files:       files,
		Reloadable:  stringArray(monitoring.PrometheusFile, monitoring.RulesFile),
		Folders:     pulumi.StringMap{dataFolder: pulumi.String("0700")},
		StopSignal:  pulumi.String("TERM"),
		StopSeconds: pulumi.Int(30),
		// It is stopped before what it watches.
		Requires: stringArray(site.watched()...),
		Ready: probeInputs{
			Kind: pulumi.String(string(supervisor.HTTP)), Address: address, Path: pulumi.String("/-/ready"), Seconds: pulumi.Int(60),
		},
	}, new(service), pulumi.Parent(w), pulumi.DependsOn([]pulumi.Resource{site.host}))
	return err
}

// prometheus gives its configuration.
func (s site) prometheus(address func(service string) string, frontDoor string) (monitoring.Prometheus, error) {
	disk, err := supervisor.MountPoint(s.folder.Directory())
	if err != nil {
		return monitoring.Prometheus{}, err
	}
	p := monitoring.Prometheus{
		Stack: s.stack.Name, Tier: s.stack.Tier(), Pace: s.pace(), DataDisk: disk,
		FrontDoor: strings.TrimSuffix(frontDoor, "/") + machine.NginxServiceHealthPath, Blackbox: address(blackboxService), Alertmanager: address(alertmanagerService),
	}
	add := func(job, service string, labels map[string]string) {
		p.Targets = append(p.Targets, monitoring.Target{Job: job, Address: address(service), Labels: labels})
	}
	for _, name := range s.panels() {
		add(monitoring.ServiceJob, name, map[string]string{"instance": name})
	}
	// All of the blueprint's hosts are this machine.
	var runs []string
	for _, host := range s.stack.Plan.Blueprint.Hosts {
		for _, part := range host.Runs {
			runs = append(runs, string(part))
		}
	}
	add(monitoring.NodeJob, nodeExporterService, map[string]string{"instance": "this-machine", "parts": "," + strings.Join(runs, ",") + ","})
	add(monitoring.PostgresJob, postgresExporterService, map[string]string{"instance": postgresqlService})
	if s.hasCache() {
		add("redis", redisExporterService, map[string]string{"instance": redisService})
	}
	if s.hasBalancer() {
		add(monitoring.BalancerJob, balancerHealthService, map[string]string{"instance": nginxService})
	}
	add("alertmanager", alertmanagerService, map[string]string{"instance": alertmanagerService})
	return p, nil
}
