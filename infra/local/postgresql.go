package local

import (
	"fmt"
	"net/url"
	"path/filepath"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/radpanel/radpanel/infra/local/supervisor"
	"github.com/radpanel/radpanel/infra/machine"
)

const (
	// databaseName is the panel's database, here and in the pooler.
	databaseName = "radpanel"
	// ownerRole changes the schema; applicationRole reads and writes rows.
	ownerRole       = "rad_owner"
	applicationRole = "rad_app"
	superuserRole   = "postgres"
	// postgresqlPort and pgbouncerPort only name sockets: neither server listens on the network.
	postgresqlPort = 5432
	pgbouncerPort  = 6432
	// passwordBytes makes passwords that nobody guesses: 192 bits.
	passwordBytes = 24
	// runFolder is where a service keeps its socket, or its pid.
	runFolder = "run"
)

// postgreSQL is the database server, its data and the panel's database in it.
type postgreSQL struct {
	pulumi.ResourceState

	socketFolder                       string
	ownerPassword, applicationPassword pulumi.StringOutput
	// ready is what others wait for.
	ready *database
}

func newPostgreSQL(ctx *pulumi.Context, site site) (*postgreSQL, error) {
	p := &postgreSQL{socketFolder: filepath.Join(site.folder.Folder(postgresqlService), runFolder)}
	if err := ctx.RegisterComponentResource("radpanel:local:PostgreSQL", postgresqlService, p, pulumi.Parent(site.parent)); err != nil {
		return nil, fmt.Errorf("component %s: %w", postgresqlService, err)
	}
	var err error
	if p.ownerPassword, err = site.secret(ctx, "owner-password", passwordBytes, p); err != nil {
		return nil, err
	}
	if p.applicationPassword, err = site.secret(ctx, "application-password", passwordBytes, p); err != nil {
		return nil, err
	}
	cluster, err := register(ctx, "Cluster", "data", clusterInputs{
		Directory: pulumi.String(site.folder.Directory()), Service: pulumi.String(postgresqlService), Superuser: pulumi.String(superuserRole),
	}, new(cluster), pulumi.Parent(p), pulumi.DependsOn([]pulumi.Resource{site.host}), pulumi.Protect(true), pulumi.RetainOnDelete(true))
	if err != nil {
		return nil, err
	}
	config, err := p.config(site)
	if err != nil {
		return nil, err
	}
	server, err := p.start(ctx, site, cluster, config)
	if err != nil {
		return nil, err
	}
	statements, err := config.RoleStatements()
	if err != nil {
		return nil, err //nolint:wrapcheck // It names the field.
	}
	p.ready, err = register(ctx, "Database", "database", databaseInputs{
		Socket:      pulumi.String(p.socket()),
		Superuser:   pulumi.String(superuserRole),
		Name:        pulumi.String(databaseName),
		Owner:       roleInputs{Name: pulumi.String(ownerRole), Password: p.ownerPassword},
		Application: roleInputs{Name: pulumi.String(applicationRole), Password: p.applicationPassword},
		Statements:  pulumi.ToStringArray(statements),
	}, new(database), pulumi.Parent(p), pulumi.DependsOn([]pulumi.Resource{server}), pulumi.Protect(true), pulumi.RetainOnDelete(true))
	if err != nil {
		return nil, err
	}
	return p, registerOutputs(ctx, p, pulumi.Map{"socket": pulumi.String(p.socket())})
}

func (p *postgreSQL) socket() string {
	return filepath.Join(p.socketFolder, fmt.Sprintf(".s.PGSQL.%d", postgresqlPort))
}

func (p *postgreSQL) dataFolder(site site) string {
	return filepath.Join(site.folder.Folder(postgresqlService), "data")
}

func (p *postgreSQL) config(site site) (machine.Postgres, error) {
	administrators, err := site.administrators()
	if err != nil {
		return machine.Postgres{}, err
	}
	return machine.Postgres{
		Database:     site.stack.Plan.Blueprint.Database,
		Host:         site.resources,
		DataFolder:   p.dataFolder(site),
		ConfigFolder: site.folder.Conf(postgresqlService),
		SocketFolder: p.socketFolder,
		// The panel has an account of its own. The password decides who gets in.
		SocketMode:  0o777,
		Port:        postgresqlPort,
		Superuser:   superuserRole,
		SystemUsers: administrators,
		Name:        databaseName,
		Roles:       []machine.PostgresRole{machine.OwnerRole(ownerRole), machine.ServiceRole(applicationRole)},
	}, nil
}

func (p *postgreSQL) start(ctx *pulumi.Context, site site, cluster *cluster, config machine.Postgres) (*service, error) {
	files, err := config.Files()
	if err != nil {
		return nil, err //nolint:wrapcheck // It names the field.
	}
	conf := filepath.Join(site.folder.Conf(postgresqlService), machine.PostgresFile)
	arguments := []string{"-D", config.DataFolder, "-c", "config_file=" + conf}
	program := pulumi.Sprintf("%s/postgres", cluster.Binaries)
	return register(ctx, "Service", postgresqlService, serviceInputs{
		Directory:  pulumi.String(site.folder.Directory()),
		Name:       pulumi.String(postgresqlService),
		Account:    pulumi.String(string(supervisor.Postgres)),
		Command:    append(pulumi.StringArray{program}, stringArray(arguments...)...),
		Files:      pulumi.ToStringMap(files),
		Reloadable: pulumi.ToStringArray(config.Reloadable()),
		Check:      append(append(pulumi.StringArray{program}, stringArray(arguments...)...), stringArray("-C", "port")...),
		Folders:    pulumi.StringMap{runFolder: pulumi.String("0711")},
		// INT is PostgreSQL's fast shutdown: it ends sessions, and writes a checkpoint, which may take a while.
		StopSignal:  pulumi.String("INT"),
		StopSeconds: pulumi.Int(60),
		PIDFiles:    stringArray("data/postmaster.pid", filepath.Join(runFolder, filepath.Base(p.socket())+".lock")),
		Ready: probeInputs{
			Kind: pulumi.String(string(supervisor.PostgreSQL)), Address: pulumi.String(p.socket()),
			User: pulumi.String(applicationRole), Database: pulumi.String(databaseName),
			// After a crash it replays what was written since the last checkpoint.
			Seconds: pulumi.Int(120),
		},
	}, new(service), pulumi.Parent(p))
}

// databaseURL is how a program on this machine reaches a database through a unix socket.
func databaseURL(role, password, folder string, port int) string {
	return (&url.URL{
		Scheme: "postgres", User: url.UserPassword(role, password), Path: "/" + databaseName,
		RawQuery: url.Values{"host": {folder}, "port": {fmt.Sprint(port)}, "sslmode": {"disable"}}.Encode(),
	}).String()
}

func registerOutputs(ctx *pulumi.Context, component pulumi.Resource, outputs pulumi.Map) error {
	if err := ctx.RegisterResourceOutputs(component, outputs); err != nil {
		return fmt.Errorf("outputs: %w", err)
	}
	return nil
}
