package local

import (
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"strconv"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/radpanel/radpanel/app/config"
	"github.com/radpanel/radpanel/infra/local/provider"
	"github.com/radpanel/radpanel/infra/local/supervisor"
	"github.com/radpanel/radpanel/stacks"
)

const (
	// panelProgram and webFolder are what a release folder holds.
	panelProgram = "radpanel"
	webFolder    = "web"
	planFile     = "plan.json"
	filesFolder  = "files"
	// encryptionKeyBytes is what the service wants: an AES-256 key.
	encryptionKeyBytes = 32
	// drainTimeout is how long accepted requests may take to finish when the panel stops.
	drainTimeout = 20 * time.Second
)

// panel is the service that answers requests and runs jobs.
type panel struct {
	pulumi.ResourceState

	port  pulumi.IntOutput
	ready *service
}

func newPanel(ctx *pulumi.Context, site site, postgresql *postgreSQL, pooler *pgBouncer, web *nginx) (*panel, error) {
	p := &panel{}
	if err := ctx.RegisterComponentResource("radpanel:local:Panel", panelService, p, pulumi.Parent(site.parent)); err != nil {
		return nil, fmt.Errorf("component %s: %w", panelService, err)
	}
	key, err := site.secret(ctx, "encryption-key", encryptionKeyBytes, p)
	if err != nil {
		return nil, err
	}
	port, err := register(ctx, "Port", "panel-port", portInputs{Wanted: pulumi.Int(0)}, new(port), pulumi.Parent(p))
	if err != nil {
		return nil, err
	}
	p.port = port.Port
	released, path, err := site.release(ctx, panelService, filepath.Join(site.options.ReleaseFolder, panelProgram), p)
	if err != nil {
		return nil, err
	}
	plan, err := renderPlan(stacks.Plan())
	if err != nil {
		return nil, err
	}
	binary := filepath.Join(path, panelProgram)
	public := pulumi.All(p.port, web.URL).ApplyT(func(values []any) map[string]string {
		all := p.settings(site, values[0].(int), values[1].(string)).Environ() //nolint:forcetypeassert // By the outputs above.
		maps.DeleteFunc(all, func(_, value string) bool { return value == "" })
		return all
	}).(pulumi.StringMapOutput) //nolint:forcetypeassert // By the function above.
	hidden := pulumi.All(p.port, web.URL, postgresql.applicationPassword, postgresql.ownerPassword, key).ApplyT(
		func(values []any) (map[string]string, error) {
			settings := p.settings(site, values[0].(int), values[1].(string)) //nolint:forcetypeassert // By the outputs above.
			shown := settings.Environ()
			text := func(i int) string { return values[i].(string) } //nolint:forcetypeassert // By the outputs above.
			settings.DatabaseURL = config.Secret(databaseURL(applicationRole, text(2), pooler.socketFolder, pgbouncerPort))
			settings.MigrationDatabaseURL = config.Secret(databaseURL(ownerRole, text(3), postgresql.socketFolder, postgresqlPort))
			settings.EncryptionKey = config.Secret(text(4))
			if err := settings.Validate(); err != nil {
				return nil, fmt.Errorf("panel: %w", err)
			}
			all := settings.Environ()
			maps.DeleteFunc(all, func(name, value string) bool { return shown[name] == value })
			return all, nil
		}).(pulumi.StringMapOutput) //nolint:forcetypeassert // By the function above.
	files := web.URL.ApplyT(func(url string) (map[string]string, error) {
		raw, err := json.MarshalIndent(facts{URL: url, Binary: binary}, "", "  ")
		return map[string]string{planFile: plan, factsFile: string(raw) + "\n"}, err
	}).(pulumi.StringMapOutput) //nolint:forcetypeassert // By the function above.
	p.ready, err = register(ctx, "Service", panelService, serviceInputs{
		Directory:         pulumi.String(site.folder.Directory()),
		Name:              pulumi.String(panelService),
		Account:           pulumi.String(string(supervisor.Panel)),
		Command:           stringArray(binary),
		Environment:       public,
		SecretEnvironment: hidden,
		Files:             files,
		Folders:           pulumi.StringMap{filesFolder: pulumi.String("0700")},
		StopSignal:        pulumi.String("TERM"),
		StopSeconds:       pulumi.Int(int((drainTimeout + 10*time.Second).Seconds())),
		Requires:          stringArray(postgresqlService, pgbouncerService),
		Ready: probeInputs{
			Kind: pulumi.String(string(supervisor.HTTP)), Address: pulumi.Sprintf("127.0.0.1:%d", p.port), Path: pulumi.String("/readyz"),
			// Migrations run before it is ready.
			Seconds: pulumi.Int(120),
		},
		Secrets: pulumi.StringArray{postgresql.applicationPassword, postgresql.ownerPassword, key},
	}, new(service), pulumi.Parent(p), pulumi.DependsOn([]pulumi.Resource{postgresql.ready, pooler.ready, released}))
	if err != nil {
		return nil, err
	}
	return p, registerOutputs(ctx, p, pulumi.Map{"port": p.port})
}

// settings gives the panel's configuration, but for what is secret in it. What neither the tier nor the stack decides is
// left at the service's own defaults.
func (p *panel) settings(site site, port int, url string) config.Config {
	blueprint, settings := site.stack.Plan.Blueprint, site.stack.Settings
	c, _ := config.LoadFrom(nil) // The error lists what has no default. Validate checks the whole.
	c.Tier = string(site.stack.Tier())
	c.PlanFile = filepath.Join(site.folder.Conf(panelService), planFile)
	c.ListenAddress = "127.0.0.1:" + strconv.Itoa(port)
	c.PublicURL = url
	c.TrustedProxies = []string{"127.0.0.0/8"}
	c.LogLevel = settings.LogLevel
	c.DatabaseConnections = blueprint.Database.ServiceConnections() / blueprint.Backends.Instances
	c.FilesDirectory = filepath.Join(site.folder.Folder(panelService), filesFolder)
	c.FileSizeLimit = int64(settings.FileSizeLimit)
	c.Workers = blueprint.Workers.JobsPerInstance
	c.SessionIdleTimeout = settings.SessionIdleTimeout
	c.SessionAbsoluteTimeout = settings.SessionAbsoluteTimeout
	c.DrainTimeout = drainTimeout
	if blueprint.Backends.Instances == 1 {
		c.DrainDelay = 0 // There is no other instance that a balancer could send requests to meanwhile.
	}
	return c
}

// release copies what was built into the stack's folder. The path of the copy follows from its digest.
func (s site) release(ctx *pulumi.Context, kind, source string, parent pulumi.Resource) (*release, string, error) {
	digest, err := provider.Digest(source)
	if err != nil {
		return nil, "", fmt.Errorf("release of %s: %w", kind, err)
	}
	released, err := register(ctx, "Release", kind+"-release", releaseInputs{
		Directory: pulumi.String(s.folder.Directory()), Kind: pulumi.String(kind), Source: pulumi.String(source), Digest: pulumi.String(digest),
	}, new(release), pulumi.Parent(parent), pulumi.DependsOn([]pulumi.Resource{s.host}))
	return released, provider.ReleasePath(s.folder.Directory(), kind, digest), err
}
