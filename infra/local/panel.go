package local

import (
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/radpanel/radpanel/app/config"
	"github.com/radpanel/radpanel/infra/local/supervisor"
	"github.com/radpanel/radpanel/stacks"
)

// panel is the service that answers requests and runs jobs.
type panel struct {
	pulumi.ResourceState

	port  pulumi.IntOutput
	ready *service
}

func newPanel(ctx *pulumi.Context, parent *Stack, site site, postgresql *postgreSQL, web *nginx, pooler *pgBouncer) (*panel, error) {
	p := &panel{}
	if err := ctx.RegisterComponentResource("radpanel:local:Panel", panelService, p, pulumi.Parent(parent)); err != nil {
		return nil, fmt.Errorf("component %s: %w", panelService, err)
	}
	key, err := newSecret(ctx, p, site, "encryption-key", encryptionKeyBytes)
	if err != nil {
		return nil, err
	}
	made, err := register(ctx, "Port", "panel-port", portInputs{Wanted: pulumi.Int(0)}, new(port), pulumi.Parent(p))
	if err != nil {
		return nil, err
	}
	p.port = made.Port
	released, folder, err := newRelease(ctx, p, site, panelService, filepath.Join(site.options.ReleaseFolder, panelProgram))
	if err != nil {
		return nil, err
	}
	plan, err := renderPlan(stacks.Plan())
	if err != nil {
		return nil, err
	}
	binary := filepath.Join(folder, panelProgram)
	files := web.URL.ApplyT(func(url string) (map[string]string, error) {
		raw, err := json.MarshalIndent(facts{URL: url, Binary: binary}, "", "  ")
		return map[string]string{planFile: plan, factsFile: string(raw) + "\n"}, err
	}).(pulumi.StringMapOutput)
	environment, secretEnvironment := p.environment(site, postgresql, web, key)
	p.ready, err = register(ctx, "Service", panelService, serviceInputs{
		Directory:         pulumi.String(site.folder.Directory()),
		Name:              pulumi.String(panelService),
		Account:           pulumi.String(string(supervisor.Panel)),
		Command:           stringArray(binary),
		Environment:       environment,
		SecretEnvironment: secretEnvironment,
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

// environment gives the panel's variables: those that a preview may show, and those that it may not.
func (p *panel) environment(site site, postgresql *postgreSQL, web *nginx, key pulumi.StringOutput) (public, secret pulumi.StringMapOutput) {
	public = pulumi.All(p.port, web.URL).ApplyT(func(values []any) map[string]string {
		return variables(site.panel(values[0].(int), values[1].(string)))
	}).(pulumi.StringMapOutput)
	secret = pulumi.All(p.port, web.URL, postgresql.applicationPassword, postgresql.ownerPassword, key).ApplyT(
		func(values []any) (map[string]string, error) {
			settings := site.panel(values[0].(int), values[1].(string))
			shown := variables(settings)
			settings.DatabaseURL, settings.MigrationDatabaseURL = site.poolerURL(values[2].(string)), site.postgresURL(values[3].(string))
			settings.EncryptionKey = config.Secret(values[4].(string))
			if err := settings.Validate(); err != nil {
				return nil, fmt.Errorf("panel: %w", err)
			}
			all := variables(settings)
			maps.DeleteFunc(all, func(name, _ string) bool { _, public := shown[name]; return public })
			return all, nil
		}).(pulumi.StringMapOutput)
	return public, secret
}

// variables are those of a configuration that say something: an empty one means its default.
func variables(c config.Config) map[string]string {
	all := c.Environ()
	maps.DeleteFunc(all, func(_, value string) bool { return value == "" })
	return all
}
