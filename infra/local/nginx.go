package local

import (
	"fmt"
	"path/filepath"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/radpanel/radpanel/infra/local/supervisor"
	"github.com/radpanel/radpanel/infra/machine"
)

// nginx is the web server that the browser meets.
type nginx struct {
	pulumi.ResourceState

	// URL is where the panel is.
	URL  pulumi.StringOutput
	port pulumi.IntOutput
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
	n.URL = n.port.ApplyT(panelURL).(pulumi.StringOutput)
	return n, nil
}

func (n *nginx) start(ctx *pulumi.Context, site site, panel *panel) error {
	released, root, err := newRelease(ctx, n, site, webFolder, filepath.Join(site.options.ReleaseFolder, webFolder))
	if err != nil {
		return err
	}

	files := pulumi.All(n.port, panel.port).ApplyT(func(ports []any) (map[string]string, error) {
		return site.nginx(root, ports[0].(int), ports[1].(int)).Files()
	}).(pulumi.StringMapOutput)
	command := []string{
		program("nginx"), "-e", "stderr", "-p", site.runFolder(nginxService),
		"-c", filepath.Join(site.folder.Conf(nginxService), machine.NginxFile),
	}
	_, err = register(ctx, "Service", nginxService, serviceInputs{
		Directory:  pulumi.String(site.folder.Directory()),
		Name:       pulumi.String(nginxService),
		Account:    pulumi.String(string(supervisor.Web)),
		Command:    stringArray(command...),
		Files:      files,
		Reloadable: pulumi.ToStringArray(machine.Nginx{}.Reloadable()),
		Check:      stringArray(append(command, "-t", "-q")...),
		Folders: pulumi.StringMap{
			runFolder: pulumi.String("0700"), filepath.Join(runFolder, machine.NginxTemporaryFolder): pulumi.String("0700"),
		},
		// QUIT finishes requests that are being served.
		StopSignal:  pulumi.String("QUIT"),
		StopSeconds: pulumi.Int(30),
		Requires:    stringArray(panelService),
		Ready: probeInputs{
			Kind: pulumi.String(string(supervisor.HTTP)), Address: pulumi.Sprintf("127.0.0.1:%d", n.port),
			Path: pulumi.String(machine.NginxHealthPath), Body: pulumi.String("@GENERATION@"), Seconds: pulumi.Int(20),
		},
	}, new(service), pulumi.Parent(n), pulumi.DependsOn([]pulumi.Resource{panel.ready, released}))
	if err != nil {
		return err
	}
	return registerOutputs(ctx, n, pulumi.Map{"url": n.URL})
}
