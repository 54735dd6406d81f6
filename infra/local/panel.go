package local

import (
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/radpanel/radpanel/app/config"
	"github.com/radpanel/radpanel/infra/local/supervisor"
	"github.com/radpanel/radpanel/infra/machine"
	"github.com/radpanel/radpanel/infra/monitoring"
	"github.com/radpanel/radpanel/stacks"
)

// panel is the service that answers requests and runs jobs: one instance, or several that are brought up one after the
// other, so that a new version replaces the old one while others answer.
type panel struct {
	pulumi.ResourceState

	ports []pulumi.IntOutput
	ready []pulumi.Resource
	// binary is the released program.
	binary   string
	released *release
}

func newPanel(ctx *pulumi.Context, parent *Stack, site site, behind parts) (*panel, error) {
	p := &panel{}
	if err := ctx.RegisterComponentResource("radpanel:local:Panel", panelService, p, pulumi.Parent(parent)); err != nil {
		return nil, fmt.Errorf("component %s: %w", panelService, err)
	}
	key, err := newSecret(ctx, p, site, encryptionKeySecret, encryptionKeyBytes)
	if err != nil {
		return nil, err
	}
	var folder string
	p.released, folder, err = newRelease(ctx, p, site, panelService, filepath.Join(site.options.ReleaseFolder, panelProgram))
	if err != nil {
		return nil, err
	}
	p.binary = filepath.Join(folder, panelProgram)
	for _, name := range site.panels() {
		if err := p.start(ctx, site, name, behind, key); err != nil {
			return nil, err
		}
	}
	return p, registerOutputs(ctx, p, pulumi.Map{"port": p.ports[0]})
}

// start brings up one more instance, after those before it.
func (p *panel) start(ctx *pulumi.Context, site site, name string, behind parts, key pulumi.StringOutput) error {
	made, err := register(ctx, "Port", name+"-port", portInputs{Wanted: pulumi.Int(0)}, new(port), pulumi.Parent(p))
	if err != nil {
		return err
	}
	plan, err := machine.RenderPlan(stacks.Plan())
	if err != nil {
		return err
	}
	files := pulumi.All(behind.web.URL, made.Port).ApplyT(func(values []any) (map[string]string, error) {
		known := facts{
			URL: site.address(values[0].(string)), Binary: p.binary, Panel: loopback(values[1].(int)).String(), Tier: site.stack.Tier(),
		}
		raw, err := json.MarshalIndent(known, "", "  ")
		return map[string]string{planFile: plan, factsFile: string(raw) + "\n"}, err
	}).(pulumi.StringMapOutput)
	environment, secretEnvironment := panelEnvironment(site, name, made.Port, behind, key)
	requires := []string{postgresqlService, pgbouncerService}
	secrets := pulumi.StringArray{behind.postgresql.applicationPassword, behind.postgresql.ownerPassword, key}
	after := append([]pulumi.Resource{behind.postgresql.ready, behind.pooler.ready, p.released}, p.ready...)
	if behind.replica != nil {
		requires, after = append(requires, pgbouncerReplicaService), append(after, behind.replica.ready)
	}
	if behind.cache != nil {
		requires, secrets, after = append(requires, redisService), append(secrets, behind.cache.password), append(after, behind.cache.ready)
	}
	if behind.objects != nil {
		requires, secrets, after = append(requires, objectsService), append(secrets, behind.objects.secretKey), append(after, behind.objects.ready)
	}
	ready, err := register(ctx, "Service", name, serviceInputs{
		Directory:         pulumi.String(site.folder.Directory()),
		Name:              pulumi.String(name),
		Account:           pulumi.String(string(supervisor.Panel)),
		Host:              site.hostOf(stacks.PartBackend, len(p.ready)+1),
		Command:           stringArray(p.binary),
		Environment:       environment,
		SecretEnvironment: secretEnvironment,
		Files:             files,
		Folders:           pulumi.StringMap{filesFolder: pulumi.String("0700")},
		StopSignal:        pulumi.String("TERM"),
		StopSeconds:       pulumi.Int(int((drainTimeout + 10*time.Second).Seconds())),
		Requires:          stringArray(requires...),
		Ready: probeInputs{
			Kind: pulumi.String(string(supervisor.HTTP)), Address: pulumi.Sprintf("127.0.0.1:%d", made.Port), Path: pulumi.String("/readyz"),
			// Migrations run before it is ready.
			Seconds: pulumi.Int(120),
		},
		Secrets: secrets,
	}, new(service), pulumi.Parent(p), pulumi.DependsOn(after))
	if err != nil {
		return err
	}
	p.ports, p.ready = append(p.ports, made.Port), append(p.ready, ready)
	return nil
}

// panelEnvironment gives an instance's variables: those that a preview may show, and those that it may not.
func panelEnvironment(site site, name string, port pulumi.IntOutput, behind parts, key pulumi.StringOutput) (public, secret pulumi.StringMapOutput) {
	cachePassword, objectsKey, objectsPort := pulumi.String("").ToStringOutput(), pulumi.String("").ToStringOutput(), pulumi.Int(0).ToIntOutput()
	if behind.cache != nil {
		cachePassword = behind.cache.password
	}
	if behind.objects != nil {
		objectsKey, objectsPort = behind.objects.secretKey, behind.objects.port
	}
	settings := func(port int, url string, objectsPort, prometheusPort, tracesPort int) config.Config {
		c := site.panel(port, site.address(url))
		if tracesPort != 0 {
			c.TraceEndpoint = "http://" + loopback(tracesPort).String() + monitoring.OTLPPath
		}
		c.PrometheusURL = "http://" + loopback(prometheusPort).String()
		if behind.objects != nil {
			c.S3Endpoint = fmt.Sprintf("http://127.0.0.1:%d", objectsPort)
		}
		return c
	}
	public = pulumi.All(port, behind.web.URL, objectsPort, behind.prometheusPort, behind.tracesPort).ApplyT(func(values []any) map[string]string {
		return site.panelVariables(settings(values[0].(int), values[1].(string), values[2].(int), values[3].(int), values[4].(int)))
	}).(pulumi.StringMapOutput)
	database := behind.postgresql
	secret = pulumi.All(port, behind.web.URL, objectsPort, behind.prometheusPort, behind.tracesPort, database.applicationPassword, database.ownerPassword, key, cachePassword, objectsKey).ApplyT(
		func(values []any) (map[string]string, error) {
			whole := settings(values[0].(int), values[1].(string), values[2].(int), values[3].(int), values[4].(int))
			shown := site.panelVariables(whole)
			text := func(i int) string { return values[i].(string) }
			whole.DatabaseURL, whole.MigrationDatabaseURL = site.poolerURL(text(5)), site.postgresURL(text(6))
			whole.EncryptionKey = config.Secret(text(7))
			if behind.replica != nil {
				whole.ReplicaDatabaseURLs = []config.Secret{site.replicaURL(text(5))}
			}
			if behind.cache != nil {
				whole.CacheURL = site.cacheURL(text(8))
			}
			if behind.objects != nil {
				whole.S3AccessKey, whole.S3SecretKey = objectsUser, config.Secret(text(9))
			}
			if err := whole.Validate(); err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			all := site.panelVariables(whole)
			maps.DeleteFunc(all, func(name, value string) bool { return shown[name] == value })
			return all, nil
		}).(pulumi.StringMapOutput)
	return public, secret
}

// panelVariables are those of a configuration that say something, for an empty one means its default, and what the Go
// runtime may use of the host.
func (s site) panelVariables(c config.Config) map[string]string {
	all := c.Environ()
	maps.DeleteFunc(all, func(_, value string) bool { return value == "" })
	all["GOMAXPROCS"] = strconv.Itoa(s.backend.CPU)
	// The collector works harder instead of going beyond it. On a host with all parts, the database has as much for its
	// own buffers, and files are cached in the rest.
	share := int64(4)
	if host, _ := s.stack.Plan.Blueprint.HostOf(stacks.PartBackend); !slices.Contains(host.Runs, stacks.PartDatabase) {
		share = 2
	}
	all["GOMEMLIMIT"] = strconv.FormatInt(int64(s.backend.RAM)/share>>20, 10) + "MiB"
	return all
}
