package local

import (
	"fmt"
	"path/filepath"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/radpanel/radpanel/app/config"
	"github.com/radpanel/radpanel/infra/local/supervisor"
	"github.com/radpanel/radpanel/infra/machine"
)

// pgBouncer is the pooler in front of PostgreSQL.
type pgBouncer struct {
	pulumi.ResourceState

	ready *service
}

func newPgBouncer(ctx *pulumi.Context, parent *Stack, site site, postgresql *postgreSQL) (*pgBouncer, error) {
	p := &pgBouncer{}
	if err := ctx.RegisterComponentResource("radpanel:local:PgBouncer", pgbouncerService, p, pulumi.Parent(parent)); err != nil {
		return nil, fmt.Errorf("component %s: %w", pgbouncerService, err)
	}
	password, err := newSecret(ctx, p, site, "pooler-password", passwordBytes)
	if err != nil {
		return nil, err
	}
	// Only the file of users depends on the passwords; the others show in previews.
	server := site.pgBouncer("unknown", "unknown")
	files, err := server.Files()
	if err != nil {
		return nil, err
	}
	delete(files, machine.PgBouncerUsersFile)
	users := pulumi.All(postgresql.applicationPassword, password).ApplyT(func(passwords []any) (map[string]string, error) {
		text := func(i int) config.Secret { return config.Secret(passwords[i].(string)) }
		files, err := site.pgBouncer(text(0), text(1)).Files()
		return map[string]string{machine.PgBouncerUsersFile: files[machine.PgBouncerUsersFile]}, err
	}).(pulumi.StringMapOutput)
	socket := pulumi.String(site.socket(pgbouncerService, pgbouncerPort))
	p.ready, err = register(ctx, "Service", pgbouncerService, serviceInputs{
		Directory:   pulumi.String(site.folder.Directory()),
		Name:        pulumi.String(pgbouncerService),
		Account:     pulumi.String(string(supervisor.Postgres)),
		Command:     stringArray(program("pgbouncer"), filepath.Join(server.ConfigFolder, machine.PgBouncerFile)),
		Files:       pulumi.ToStringMap(files),
		SecretFiles: users,
		Reloadable:  pulumi.ToStringArray(server.Reloadable()),
		Folders:     pulumi.StringMap{runFolder: pulumi.String("0711")},
		// INT lets transactions that run come to their end; those who depend on the pooler are stopped by then.
		StopSignal:  pulumi.String("INT"),
		StopSeconds: pulumi.Int(20),
		Requires:    stringArray(postgresqlService),
		Ready: probeInputs{
			Kind: pulumi.String(string(supervisor.PostgreSQL)), Address: socket,
			User: pulumi.String(applicationRole), Database: pulumi.String(databaseName), Seconds: pulumi.Int(20),
		},
		Secrets: pulumi.StringArray{postgresql.applicationPassword, password},
	}, new(service), pulumi.Parent(p), pulumi.DependsOn([]pulumi.Resource{postgresql.ready}))
	if err != nil {
		return nil, err
	}
	return p, registerOutputs(ctx, p, pulumi.Map{"socket": socket})
}
