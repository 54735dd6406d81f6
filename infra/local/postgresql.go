package local

import (
	"fmt"
	"path/filepath"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/radpanel/radpanel/infra/local/supervisor"
	"github.com/radpanel/radpanel/infra/machine"
	"github.com/radpanel/radpanel/stacks"
)

// postgreSQL is the database server, its data and the panel's database in it.
type postgreSQL struct {
	pulumi.ResourceState

	ownerPassword, applicationPassword, replicaPassword, monitorPassword pulumi.StringOutput
	// ready is what others wait for.
	ready    *database
	binaries pulumi.StringOutput
}

func newPostgreSQL(ctx *pulumi.Context, parent *Stack, site site) (*postgreSQL, error) {
	p := &postgreSQL{}
	if err := ctx.RegisterComponentResource("radpanel:local:PostgreSQL", postgresqlService, p, pulumi.Parent(parent)); err != nil {
		return nil, fmt.Errorf("component %s: %w", postgresqlService, err)
	}
	var err error
	if p.ownerPassword, err = newSecret(ctx, p, site, ownerPasswordSecret, passwordBytes); err != nil {
		return nil, err
	}
	if p.applicationPassword, err = newSecret(ctx, p, site, applicationPasswordSecret, passwordBytes); err != nil {
		return nil, err
	}
	if p.monitorPassword, err = newSecret(ctx, p, site, "monitor-password", passwordBytes); err != nil {
		return nil, err
	}
	if site.hasReplica() {
		if p.replicaPassword, err = newSecret(ctx, p, site, "replica-password", passwordBytes); err != nil {
			return nil, err
		}
	}
	data, err := register(ctx, "Cluster", "data", clusterInputs{
		Directory: pulumi.String(site.folder.Directory()), Service: pulumi.String(postgresqlService), Superuser: pulumi.String(superuserRole),
	}, new(cluster), pulumi.Parent(p), pulumi.DependsOn([]pulumi.Resource{site.host}), pulumi.Protect(true), pulumi.RetainOnDelete(true))
	if err != nil {
		return nil, err
	}
	p.binaries = data.Binaries
	server, err := startPostgreSQL(ctx, p, site.postgres(), postgresqlService, site, p.binaries, nil)
	if err != nil {
		return nil, err
	}
	statements, err := site.postgres().RoleStatements()
	if err != nil {
		return nil, err
	}
	if site.stack.Plan.Blueprint.Database.Statistics {
		statements = append(statements, "CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
	}
	socket := pulumi.String(site.socket(postgresqlService, postgresqlPort))
	var replica *roleInputs
	if site.hasReplica() {
		replica = &roleInputs{Name: pulumi.String(replicaRole), Password: p.replicaPassword}
	}
	p.ready, err = register(ctx, "Database", "database", databaseInputs{
		Socket:      socket,
		Superuser:   pulumi.String(superuserRole),
		Name:        pulumi.String(databaseName),
		Owner:       roleInputs{Name: pulumi.String(ownerRole), Password: p.ownerPassword},
		Application: roleInputs{Name: pulumi.String(applicationRole), Password: p.applicationPassword},
		Replica:     replica,
		Monitor:     roleInputs{Name: pulumi.String(monitorRole), Password: p.monitorPassword},
		Statements:  pulumi.ToStringArray(statements),
	}, new(database), pulumi.Parent(p), pulumi.DependsOn([]pulumi.Resource{server}), pulumi.Protect(true), pulumi.RetainOnDelete(true))
	if err != nil {
		return nil, err
	}
	return p, registerOutputs(ctx, p, pulumi.Map{"socket": socket})
}

// databaseNumber counts the primary and its replica.
func databaseNumber(service string) int {
	if service == postgresqlReplicaService || service == pgbouncerReplicaService {
		return 2
	}
	return 1
}

// startPostgreSQL runs a server on its data. The password file is a replica's.
func startPostgreSQL(ctx *pulumi.Context, parent pulumi.Resource, config machine.Postgres, name string, site site, binaries pulumi.StringOutput,
	passwords pulumi.StringMapInput, after ...pulumi.Resource,
) (*service, error) {
	files, err := config.Files()
	if err != nil {
		return nil, err
	}
	command := pulumi.StringArray{
		pulumi.Sprintf("%s/postgres", binaries), pulumi.String("-D"), pulumi.String(config.DataFolder),
		pulumi.String("-c"), pulumi.String("config_file=" + filepath.Join(config.ConfigFolder, machine.PostgresFile)),
	}
	socket := site.socket(name, postgresqlPort)
	return register(ctx, "Service", name, serviceInputs{
		Directory:   pulumi.String(site.folder.Directory()),
		Name:        pulumi.String(name),
		Account:     pulumi.String(string(supervisor.Postgres)),
		Host:        site.hostOf(stacks.PartDatabase, databaseNumber(name)),
		Command:     command,
		Files:       pulumi.ToStringMap(files),
		SecretFiles: passwords,
		Reloadable:  pulumi.ToStringArray(config.Reloadable()),
		Check:       append(append(pulumi.StringArray{}, command...), stringArray("-C", "port")...),
		Folders:     pulumi.StringMap{runFolder: pulumi.String("0711")},
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
	}, new(service), pulumi.Parent(parent), pulumi.DependsOn(after))
}
