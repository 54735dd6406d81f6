package local

import (
	"fmt"
	"path/filepath"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/radpanel/radpanel/app/config"
	"github.com/radpanel/radpanel/infra/local/supervisor"
	"github.com/radpanel/radpanel/infra/machine"
)

// poolerRole may use the pooler's console, with which a promotion holds writes. It is no role of PostgreSQL.
const poolerRole = "rad_pooler"

// pgBouncer is the pooler in front of PostgreSQL.
type pgBouncer struct {
	pulumi.ResourceState

	socketFolder string
	ready        *service
}

func newPgBouncer(ctx *pulumi.Context, site site, postgresql *postgreSQL) (*pgBouncer, error) {
	p := &pgBouncer{socketFolder: filepath.Join(site.folder.Folder(pgbouncerService), runFolder)}
	if err := ctx.RegisterComponentResource("radpanel:local:PgBouncer", pgbouncerService, p, pulumi.Parent(site.parent)); err != nil {
		return nil, fmt.Errorf("component %s: %w", pgbouncerService, err)
	}
	password, err := site.secret(ctx, "pooler-password", passwordBytes, p)
	if err != nil {
		return nil, err
	}
	conf := filepath.Join(site.folder.Conf(pgbouncerService), machine.PgBouncerFile)
	render := func(passwords ...string) (machine.PgBouncer, map[string]string, error) {
		bouncer := machine.PgBouncer{
			Database:     site.stack.Plan.Blueprint.Database,
			ConfigFolder: site.folder.Conf(pgbouncerService),
			SocketFolder: p.socketFolder,
			// The panel has an account of its own. The password decides who gets in.
			SocketMode: 0o777,
			Port:       pgbouncerPort,
			Name:       databaseName,
			ServerHost: postgresql.socketFolder,
			ServerPort: postgresqlPort,
			Users: []machine.Login{
				{Name: applicationRole, Password: config.Secret(passwords[0])}, {Name: poolerRole, Password: config.Secret(passwords[1])},
			},
			Admins: []string{poolerRole},
		}
		files, err := bouncer.Files()
		return bouncer, files, err
	}
	// What is not secret does not depend on the passwords, and shows in previews.
	bouncer, files, err := render("none", "none")
	if err != nil {
		return nil, err
	}
	delete(files, machine.PgBouncerUsersFile)
	users := pulumi.All(postgresql.applicationPassword, password).ApplyT(func(passwords []any) (map[string]string, error) {
		_, files, err := render(passwords[0].(string), passwords[1].(string)) //nolint:forcetypeassert // Outputs of texts.
		return map[string]string{machine.PgBouncerUsersFile: files[machine.PgBouncerUsersFile]}, err
	}).(pulumi.StringMapOutput) //nolint:forcetypeassert // By the function above.
	p.ready, err = register(ctx, "Service", pgbouncerService, serviceInputs{
		Directory:   pulumi.String(site.folder.Directory()),
		Name:        pulumi.String(pgbouncerService),
		Account:     pulumi.String(string(supervisor.Postgres)),
		Command:     stringArray(program("pgbouncer"), conf),
		Files:       pulumi.ToStringMap(files),
		SecretFiles: users,
		Reloadable:  pulumi.ToStringArray(bouncer.Reloadable()),
		Folders:     pulumi.StringMap{runFolder: pulumi.String("0711")},
		// INT lets transactions that run come to their end; those who depend on the pooler are stopped by then.
		StopSignal:  pulumi.String("INT"),
		StopSeconds: pulumi.Int(20),
		Requires:    stringArray(postgresqlService),
		Ready: probeInputs{
			Kind:    pulumi.String(string(supervisor.PostgreSQL)),
			Address: pulumi.String(filepath.Join(p.socketFolder, fmt.Sprintf(".s.PGSQL.%d", pgbouncerPort))),
			User:    pulumi.String(applicationRole), Database: pulumi.String(databaseName), Seconds: pulumi.Int(20),
		},
		Secrets: pulumi.StringArray{postgresql.applicationPassword, password},
	}, new(service), pulumi.Parent(p), pulumi.DependsOn([]pulumi.Resource{postgresql.ready}))
	if err != nil {
		return nil, err
	}
	return p, registerOutputs(ctx, p, pulumi.Map{"socketFolder": pulumi.String(p.socketFolder)})
}
