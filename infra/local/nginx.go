package local

import (
	"fmt"
	"maps"
	"path/filepath"
	"strconv"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/radpanel/radpanel/infra/local/supervisor"
	"github.com/radpanel/radpanel/infra/machine"
	"github.com/radpanel/radpanel/stacks"
)

// nginx is the web server that the browser meets.
type nginx struct {
	pulumi.ResourceState

	// URL is where the panel is.
	URL  pulumi.StringOutput
	port pulumi.IntOutput
	// healthPort is that of the balancer's health, where the tier has a balancer.
	healthPort pulumi.IntOutput
	// inside is where the front door of the stack that is promoted to this one passes requests on to; 0 without one.
	inside pulumi.IntOutput
}

// newNginxPort registers the web server's component with its port, which the panel must know: its address is what
// browsers come from. The server itself starts last; see start.
func newNginxPort(ctx *pulumi.Context, parent *Stack, site site) (*nginx, error) {
	n := &nginx{}
	if err := ctx.RegisterComponentResource("radpanel:local:Nginx", nginxService, n, pulumi.Parent(parent)); err != nil {
		return nil, fmt.Errorf("component %s: %w", nginxService, err)
	}
	made, err := register(ctx, "Port", "nginx-port", portInputs{Wanted: pulumi.Int(site.stack.Settings.HTTPPort)}, new(port), pulumi.Parent(n))
	if err != nil {
		return nil, err
	}
	n.port = made.Port
	n.inside = pulumi.Int(0).ToIntOutput()
	if site.from != nil {
		inside, err := register(ctx, "Port", "inside-port", portInputs{Wanted: pulumi.Int(0)}, new(port), pulumi.Parent(n))
		if err != nil {
			return nil, err
		}
		n.inside = inside.Port
	}
	n.URL = n.port.ApplyT(panelURL).(pulumi.StringOutput)
	return n, nil
}

// start brings up the way to the panel: the web server, with what keeps it informed and what stands before it where the
// tier has them.
func (n *nginx) start(ctx *pulumi.Context, site site, panel *panel, objects *objects) error {
	released, root, err := newRelease(ctx, n, site, webFolder, filepath.Join(site.options.ReleaseFolder, webFolder))
	if err != nil {
		return err
	}
	ports := []any{n.port}
	for _, port := range panel.ports {
		ports = append(ports, port)
	}
	own, after := n.port, append([]pulumi.Resource{released}, panel.ready...)
	if site.hasEdge() {
		made, err := register(ctx, "Port", "origin-port", portInputs{Wanted: pulumi.Int(0)}, new(port), pulumi.Parent(n))
		if err != nil {
			return err
		}
		own, ports[0] = made.Port, made.Port
	}
	requires := site.panels()
	if site.hasBalancer() {
		health, err := n.startBalancerHealth(ctx, site, own, panel)
		if err != nil {
			return err
		}
		requires, after = append(requires, balancerHealthService), append(after, health)
	}
	objectsPort := pulumi.Int(0).ToIntOutput()
	if objects != nil {
		objectsPort = objects.port
	}
	files := pulumi.All(append(ports, objectsPort, n.inside)...).ApplyT(func(values []any) (map[string]string, error) {
		var panels []int
		last := len(values) - 2
		for _, value := range values[1:last] {
			panels = append(panels, value.(int))
		}
		return site.webServerFiles(root, values[0].(int), values[last+1].(int), panels, values[last].(int))
	}).(pulumi.StringMapOutput)
	server, err := startNginx(ctx, n, site, nginxService, []string{machine.NginxFile, insideFile}, files, own, machine.NginxHealthPath, nil, requires, after)
	if err != nil {
		return err
	}
	if site.hasEdge() {
		edgeFiles := pulumi.All(n.port, own, n.inside).ApplyT(func(values []any) (map[string]string, error) {
			return site.edge(values[0].(int), values[2].(int), values[1].(int), filepath.Base(root)).Files()
		}).(pulumi.StringMapOutput)
		folders := pulumi.StringMap{cacheFolder: pulumi.String("0700")}
		_, err := startNginx(ctx, n, site, edgeService, []string{machine.EdgeFile}, edgeFiles, n.port, machine.EdgeHealthPath, folders,
			[]string{nginxService}, []pulumi.Resource{server})
		if err != nil {
			return err
		}
	}
	return registerOutputs(ctx, n, pulumi.Map{"url": n.URL})
}

// startNginx runs an nginx with files of these names, of which the first is its configuration.
func startNginx(ctx *pulumi.Context, parent pulumi.Resource, site site, name string, names []string, files pulumi.StringMapOutput, port pulumi.IntOutput,
	healthPath string, folders pulumi.StringMap, requires []string, after []pulumi.Resource,
) (*service, error) {
	command := []string{program("nginx"), "-e", "stderr", "-p", site.runFolder(name), "-c", filepath.Join(site.folder.Conf(name), names[0])}
	made := pulumi.StringMap{
		runFolder: pulumi.String("0700"), filepath.Join(runFolder, machine.NginxTemporaryFolder): pulumi.String("0700"),
	}
	maps.Copy(made, folders)
	return register(ctx, "Service", name, serviceInputs{
		Directory:  pulumi.String(site.folder.Directory()),
		Name:       pulumi.String(name),
		Account:    pulumi.String(string(supervisor.Web)),
		Host:       site.hostOf(stacks.PartWeb, 1),
		Command:    stringArray(command...),
		Files:      files,
		Reloadable: stringArray(names...),
		Check:      stringArray(append(command, "-t", "-q")...),
		Folders:    made,
		// QUIT finishes requests that are being served.
		StopSignal:  pulumi.String("QUIT"),
		StopSeconds: pulumi.Int(30),
		Requires:    stringArray(requires...),
		Ready: probeInputs{
			Kind: pulumi.String(string(supervisor.HTTP)), Address: pulumi.Sprintf("127.0.0.1:%d", port),
			Path: pulumi.String(healthPath), Body: pulumi.String("@GENERATION@"), Seconds: pulumi.Int(20),
		},
	}, new(service), pulumi.Parent(parent), pulumi.DependsOn(after))
}

// startBalancerHealth runs what takes instances that hang out of the balancer.
func (n *nginx) startBalancerHealth(ctx *pulumi.Context, site site, own pulumi.IntOutput, panel *panel) (*service, error) {
	made, err := register(ctx, "Port", "balancer-health-port", portInputs{Wanted: pulumi.Int(0)}, new(port), pulumi.Parent(n))
	if err != nil {
		return nil, err
	}
	n.healthPort = made.Port
	address := pulumi.Sprintf("127.0.0.1:%d", made.Port)
	command := pulumi.StringArray{
		pulumi.String(panel.binary), pulumi.String("balancer-health"), pulumi.String("--listen"), address,
		pulumi.String("--file"), pulumi.String(site.backendsFile()),
		pulumi.String("--pid-file"), pulumi.String(filepath.Join(site.runFolder(nginxService), "nginx.pid")),
		pulumi.String("--connections-url"), pulumi.Sprintf("http://127.0.0.1:%d%s", own, machine.NginxConnectionsPath),
		pulumi.String("--connections-limit"), pulumi.String(strconv.Itoa(machine.Nginx{Host: site.web}.MaxConnections())),
		pulumi.String("--round-trips"), pulumi.String(site.roundTrips()),
	}
	for _, port := range panel.ports {
		line := port.ApplyT(func(port int) string { return machine.BackendLine(loopback(port)) }).(pulumi.StringOutput)
		command = append(command, pulumi.String("--backend"), line)
	}
	return register(ctx, "Service", balancerHealthService, serviceInputs{
		Directory:   pulumi.String(site.folder.Directory()),
		Name:        pulumi.String(balancerHealthService),
		Account:     pulumi.String(string(supervisor.Web)),
		Host:        site.hostOf(stacks.PartBalancer, 1),
		Command:     command,
		Folders:     pulumi.StringMap{runFolder: pulumi.String("0700")},
		StopSignal:  pulumi.String("TERM"),
		StopSeconds: pulumi.Int(10),
		Requires:    stringArray(site.panels()...),
		Ready: probeInputs{
			Kind: pulumi.String(string(supervisor.HTTP)), Address: address, Path: pulumi.String("/livez"), Seconds: pulumi.Int(20),
		},
	}, new(service), pulumi.Parent(n), pulumi.DependsOn(append([]pulumi.Resource{panel.released}, panel.ready...)))
}
