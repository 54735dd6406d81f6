package local

import (
	"fmt"
	"path/filepath"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/radpanel/radpanel/app/config"
	"github.com/radpanel/radpanel/infra/local/supervisor"
	"github.com/radpanel/radpanel/infra/machine"
	"github.com/radpanel/radpanel/stacks"
)

// pgBouncer is the pooler in front of PostgreSQL.
type pgBouncer struct {
	pulumi.ResourceState

	password pulumi.StringOutput
	ready    *service
}

func newPgBouncer(ctx *pulumi.Context, parent *Stack, site site, postgresql *postgreSQL) (*pgBouncer, error) {
	p := &pgBouncer{}
	if err := ctx.RegisterComponentResource("radpanel:local:PgBouncer", pgbouncerService, p, pulumi.Parent(parent)); err != nil {
		return nil, fmt.Errorf("component %s: %w", pgbouncerService, err)
	}
	var err error
	if p.password, err = newSecret(ctx, p, site, "pooler-password", passwordBytes); err != nil {
		return nil, err
	}
	p.ready, err = startPgBouncer(ctx, p, site.pgBouncer, pgbouncerService, postgresqlService, site, postgresql, p.password, postgresql.ready)
	if err != nil {
		return nil, err
	}
	return p, registerOutputs(ctx, p, pulumi.Map{"socket": pulumi.String(site.socket(pgbouncerService, pgbouncerPort))})
}

// startPgBouncer runs a pooler before a server.
func startPgBouncer(ctx *pulumi.Context, parent pulumi.Resource, configure func(application, pooler config.Secret) machine.PgBouncer, name, before string,
	site site, postgresql *postgreSQL, password pulumi.StringOutput, after ...pulumi.Resource,
) (*service, error) {
	// Only the file of users depends on the passwords; the others show in previews.
	server := configure("unknown", "unknown")
	files, err := server.Files()
	if err != nil {
		return nil, err
	}
	delete(files, machine.PgBouncerUsersFile)
	users := pulumi.All(postgresql.applicationPassword, password).ApplyT(func(passwords []any) (map[string]string, error) {
		text := func(i int) config.Secret { return config.Secret(passwords[i].(string)) }
		files, err := configure(text(0), text(1)).Files()
		return map[string]string{machine.PgBouncerUsersFile: files[machine.PgBouncerUsersFile]}, err
	}).(pulumi.StringMapOutput)
	var links pulumi.StringMap
	if server.ServerHost == site.primaryFolder() {
		links = pulumi.StringMap{filepath.Join(runFolder, primaryLink): pulumi.String(site.runFolder(postgresqlService))}
	}
	return register(ctx, "Service", name, serviceInputs{
		Directory:   pulumi.String(site.folder.Directory()),
		Name:        pulumi.String(name),
		Account:     pulumi.String(string(supervisor.Postgres)),
		Host:        site.hostOf(stacks.PartPooler, databaseNumber(name)),
		Command:     stringArray(program("pgbouncer"), filepath.Join(server.ConfigFolder, machine.PgBouncerFile)),
		Files:       pulumi.ToStringMap(files),
		SecretFiles: users,
		Reloadable:  pulumi.ToStringArray(server.Reloadable()),
		Folders:     pulumi.StringMap{runFolder: pulumi.String("0711")},
		Links:       links,
		// INT lets transactions that run come to their end; those who depend on the pooler are stopped by then.
		StopSignal:  pulumi.String("INT"),
		StopSeconds: pulumi.Int(20),
		Requires:    stringArray(before),
		Ready: probeInputs{
			Kind: pulumi.String(string(supervisor.PostgreSQL)), Address: pulumi.String(site.socket(name, pgbouncerPort)),
			User: pulumi.String(applicationRole), Database: pulumi.String(databaseName), Seconds: pulumi.Int(20),
		},
		Secrets: pulumi.StringArray{postgresql.applicationPassword, password},
	}, new(service), pulumi.Parent(parent), pulumi.DependsOn(after))
}
