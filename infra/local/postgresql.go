package local

import (
	"fmt"
	"path/filepath"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/radpanel/radpanel/infra/local/supervisor"
	"github.com/radpanel/radpanel/infra/machine"
)

// postgreSQL is the database server, its data and the panel's database in it.
type postgreSQL struct {
	pulumi.ResourceState

	ownerPassword, applicationPassword pulumi.StringOutput
	// ready is what others wait for.
	ready *database
}

func newPostgreSQL(ctx *pulumi.Context, parent *Stack, site site) (*postgreSQL, error) {
	p := &postgreSQL{}
	if err := ctx.RegisterComponentResource("radpanel:local:PostgreSQL", postgresqlService, p, pulumi.Parent(parent)); err != nil {
		return nil, fmt.Errorf("component %s: %w", postgresqlService, err)
	}
	var err error
	if p.ownerPassword, err = newSecret(ctx, p, site, "owner-password", passwordBytes); err != nil {
		return nil, err
	}
	if p.applicationPassword, err = newSecret(ctx, p, site, "application-password", passwordBytes); err != nil {
		return nil, err
	}
	data, err := register(ctx, "Cluster", "data", clusterInputs{
		Directory: pulumi.String(site.folder.Directory()), Service: pulumi.String(postgresqlService), Superuser: pulumi.String(superuserRole),
	}, new(cluster), pulumi.Parent(p), pulumi.DependsOn([]pulumi.Resource{site.host}), pulumi.Protect(true), pulumi.RetainOnDelete(true))
	if err != nil {
		return nil, err
	}
	server, err := p.start(ctx, site, data)
	if err != nil {
		return nil, err
	}
	statements, err := site.postgres().RoleStatements()
	if err != nil {
		return nil, err
	}
	socket := pulumi.String(site.socket(postgresqlService, postgresqlPort))
	p.ready, err = register(ctx, "Database", "database", databaseInputs{
		Socket:      socket,
		Superuser:   pulumi.String(superuserRole),
		Name:        pulumi.String(databaseName),
		Owner:       roleInputs{Name: pulumi.String(ownerRole), Password: p.ownerPassword},
		Application: roleInputs{Name: pulumi.String(applicationRole), Password: p.applicationPassword},
		Statements:  pulumi.ToStringArray(statements),
	}, new(database), pulumi.Parent(p), pulumi.DependsOn([]pulumi.Resource{server}), pulumi.Protect(true), pulumi.RetainOnDelete(true))
	if err != nil {
		return nil, err
	}
	return p, registerOutputs(ctx, p, pulumi.Map{"socket": socket})
}

func (p *postgreSQL) start(ctx *pulumi.Context, site site, data *cluster) (*service, error) {
	config := site.postgres()
	files, err := config.Files()
	if err != nil {
		return nil, err
	}
	command := pulumi.StringArray{
		pulumi.Sprintf("%s/postgres", data.Binaries), pulumi.String("-D"), pulumi.String(config.DataFolder),
		pulumi.String("-c"), pulumi.String("config_file=" + filepath.Join(config.ConfigFolder, machine.PostgresFile)),
	}
	socket := site.socket(postgresqlService, postgresqlPort)
	return register(ctx, "Service", postgresqlService, serviceInputs{
		Directory:  pulumi.String(site.folder.Directory()),
		Name:       pulumi.String(postgresqlService),
		Account:    pulumi.String(string(supervisor.Postgres)),
		Command:    command,
		Files:      pulumi.ToStringMap(files),
		Reloadable: pulumi.ToStringArray(config.Reloadable()),
		Check:      append(append(pulumi.StringArray{}, command...), stringArray("-C", "port")...),
		Folders:    pulumi.StringMap{runFolder: pulumi.String("0711")},
		// INT is PostgreSQL's fast shutdown: it ends sessions, and writes a checkpoint, which may take a while.
		StopSignal:  pulumi.String("INT"),
		StopSeconds: pulumi.Int(60),
		PIDFiles:    stringArray("data/postmaster.pid", filepath.Join(runFolder, filepath.Base(socket)+".lock")),
		Ready: probeInputs{
			Kind: pulumi.String(string(supervisor.PostgreSQL)), Address: pulumi.String(socket),
			User: pulumi.String(applicationRole), Database: pulumi.String(databaseName),
			// After a crash it replays what was written since the last checkpoint.
			Seconds: pulumi.Int(120),
		},
	}, new(service), pulumi.Parent(p))
}
