package provider

import (
	"context"
	"time"

	"github.com/pulumi/pulumi-go-provider/infer"
	"github.com/pulumi/pulumi/sdk/v3/go/property"

	"github.com/radpanel/radpanel/app/config"
	"github.com/radpanel/radpanel/infra/postgresql"
)

// Database is one database of a PostgreSQL server that runs on this machine, with the two roles that the panel knows:
// the owner, who changes the schema, and the application, who reads and writes rows and can do nothing else.
type Database struct{}

// Role is one that may log in.
type Role struct {
	Name     string `pulumi:"name"`
	Password string `pulumi:"password" provider:"secret"`
}

// DatabaseArgs say which.
type DatabaseArgs struct {
	// Socket is the path of the server's unix socket, Superuser whom to connect as: by peer authentication.
	Socket    string `pulumi:"socket"`
	Superuser string `pulumi:"superuser"`
	Name      string `pulumi:"name" provider:"replaceOnChanges"`
	Owner     Role   `pulumi:"owner"`
	// Application gets SELECT, INSERT, UPDATE and DELETE on all that the owner makes.
	Application Role `pulumi:"application"`
	// Replica is the role by which replicas follow. Nil: there are none.
	Replica *Role `pulumi:"replica,optional"`
	// Monitor is the role that reads the server's statistics. Nil: there is none.
	Monitor *Role `pulumi:"monitor,optional"`
	// Statements are run at the end, as superuser in this database. They must bear being run again.
	Statements []string `pulumi:"statements,optional"`
}

// DatabaseState is the database.
type DatabaseState struct {
	DatabaseArgs
}

// Create makes the database and the roles, or brings those that are there in line.
func (Database) Create(ctx context.Context, request infer.CreateRequest[DatabaseArgs]) (infer.CreateResponse[DatabaseState], error) {
	response := infer.CreateResponse[DatabaseState]{ID: request.Inputs.Name, Output: DatabaseState{request.Inputs}}
	if request.DryRun {
		return response, nil
	}
	return response, request.Inputs.server().Reconcile(ctx)
}

// Update brings roles and grants in line.
func (Database) Update(ctx context.Context, request infer.UpdateRequest[DatabaseArgs, DatabaseState]) (infer.UpdateResponse[DatabaseState], error) {
	response := infer.UpdateResponse[DatabaseState]{Output: DatabaseState{request.Inputs}}
	if request.DryRun {
		return response, nil
	}
	return response, request.Inputs.server().Reconcile(ctx)
}

// server gives the arguments in the words of package postgresql.
func (args DatabaseArgs) server() postgresql.Database {
	role := func(r Role) postgresql.Role {
		return postgresql.Role{Name: r.Name, Password: config.Secret(r.Password)}
	}
	d := postgresql.Database{
		Socket: args.Socket, Superuser: args.Superuser, Name: args.Name,
		Owner: role(args.Owner), Application: role(args.Application), Statements: args.Statements,
	}
	if args.Replica != nil {
		replica := role(*args.Replica)
		d.Replica = &replica
	}
	if args.Monitor != nil {
		monitor := role(*args.Monitor)
		d.Monitor = &monitor
	}
	return d
}

// databaseDrift looks whether the database and the roles with their passwords are there. A server that does not answer
// is not the database's problem, but its service's.
func databaseDrift(ctx context.Context, state property.Map) (string, error) {
	args, err := decode[DatabaseArgs](state)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	server, err := args.server().Connect(ctx, "postgres")
	if err != nil {
		return "", nil
	}
	defer func() { _ = server.Close(context.WithoutCancel(ctx)) }()
	return args.server().Drift(ctx, server)
}
