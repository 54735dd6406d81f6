package local

import (
	"path/filepath"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/radpanel/radpanel/infra/local/supervisor"
	"github.com/radpanel/radpanel/infra/monitoring"
	"github.com/radpanel/radpanel/stacks"
)

// exporter is a small server that exposes the metrics of another.
type exporter struct {
	name, program string
	// part is where it runs: beside what it measures.
	part stacks.Part
	// arguments follow the address to listen on.
	arguments []string
	// listen is the name of that flag.
	listen string
	files  map[string]string
	health string
	// watches is the service without which it has nothing to tell.
	watches string
	// secrets is what it needs to get in, as variables.
	secrets pulumi.StringMapOutput
	after   []pulumi.Resource
}

// exporters are those of the stack.
func exporters(site site, behind parts) ([]exporter, error) {
	blackbox, err := monitoring.Blackbox()
	if err != nil {
		return nil, err
	}
	queries, err := monitoring.PostgresQueries(site.stack.Plan.Blueprint.Database.Statistics)
	if err != nil {
		return nil, err
	}
	all := []exporter{
		{
			name: nodeExporterService, program: "prometheus-node-exporter", part: stacks.PartDatabase, listen: "--web.listen-address",
			arguments: monitoring.NodeArguments(), health: "/",
		},
		{
			name: blackboxService, program: "prometheus-blackbox-exporter", part: stacks.PartWeb, listen: "--web.listen-address",
			arguments: monitoring.BlackboxArguments(filepath.Join(site.folder.Conf(blackboxService), monitoring.BlackboxFile)),
			files:     map[string]string{monitoring.BlackboxFile: blackbox}, health: "/-/healthy",
		},
		{
			name: postgresExporterService, program: "prometheus-postgres-exporter", part: stacks.PartDatabase, listen: "--web.listen-address",
			arguments: monitoring.PostgresArguments(filepath.Join(site.folder.Conf(postgresExporterService), monitoring.PostgresQueriesFile)),
			files:     map[string]string{monitoring.PostgresQueriesFile: queries}, health: "/",
			secrets: behind.postgresql.monitorPassword.ApplyT(func(password string) map[string]string {
				return map[string]string{"DATA_SOURCE_NAME": site.monitorSource(password)}
			}).(pulumi.StringMapOutput),
			watches: postgresqlService, after: []pulumi.Resource{behind.postgresql.ready},
		},
	}
	if behind.cache != nil {
		all = append(all, exporter{
			name: redisExporterService, program: "prometheus-redis-exporter", part: stacks.PartCache, listen: "-web.listen-address",
			arguments: monitoring.RedisArguments(site.redisSocket(), cacheUser),
			health:    "/health",
			secrets: behind.cache.password.ApplyT(func(password string) map[string]string {
				return map[string]string{"REDIS_PASSWORD": password}
			}).(pulumi.StringMapOutput),
			watches: redisService, after: []pulumi.Resource{behind.cache.ready},
		})
	}
	return all, nil
}

// start runs an exporter, and gives its port.
func (e exporter) start(ctx *pulumi.Context, parent pulumi.Resource, site site) (pulumi.IntOutput, error) {
	made, err := register(ctx, "Port", e.name+"-port", portInputs{Wanted: pulumi.Int(0)}, new(port), pulumi.Parent(parent))
	if err != nil {
		return pulumi.IntOutput{}, err
	}
	address := pulumi.Sprintf("127.0.0.1:%d", made.Port)
	command := pulumi.StringArray{pulumi.String(program(e.program)), pulumi.Sprintf("%s=%s", e.listen, address)}
	command = append(command, stringArray(e.arguments...)...)
	inputs := serviceInputs{
		Directory:   pulumi.String(site.folder.Directory()),
		Name:        pulumi.String(e.name),
		Account:     pulumi.String(string(supervisor.Monitor)),
		Host:        site.hostOf(e.part, 1),
		Command:     command,
		Environment: pulumi.StringMap{"GOMAXPROCS": pulumi.String("1")}, // They do one thing at a time.
		Files:       pulumi.ToStringMap(e.files),
		StopSignal:  pulumi.String("TERM"),
		StopSeconds: pulumi.Int(5),
		Ready: probeInputs{
			Kind: pulumi.String(string(supervisor.HTTP)), Address: address, Path: pulumi.String(e.health), Seconds: pulumi.Int(20),
		},
	}
	if e.watches != "" {
		inputs.Requires = stringArray(e.watches)
	}
	if e.secrets.OutputState != nil {
		inputs.SecretEnvironment = e.secrets
	}
	_, err = register(ctx, "Service", e.name, inputs, new(service), pulumi.Parent(parent),
		pulumi.DependsOn(append([]pulumi.Resource{site.host}, e.after...)))
	return made.Port, err
}
