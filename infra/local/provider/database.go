package provider

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/pulumi/pulumi-go-provider/infer"
	"github.com/pulumi/pulumi/sdk/v3/go/property"
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
	return response, request.Inputs.reconcile(ctx)
}

// Update brings roles and grants in line.
func (Database) Update(ctx context.Context, request infer.UpdateRequest[DatabaseArgs, DatabaseState]) (infer.UpdateResponse[DatabaseState], error) {
	response := infer.UpdateResponse[DatabaseState]{Output: DatabaseState{request.Inputs}}
	if request.DryRun {
		return response, nil
	}
	return response, request.Inputs.reconcile(ctx)
}

// databaseTimeout is how long the statements may take together. Creating a database copies a template of 7 MB.
const databaseTimeout = 30 * time.Second

func (args DatabaseArgs) connect(ctx context.Context, database string) (*pgx.Conn, error) {
	_, port, ok := strings.Cut(filepath.Base(args.Socket), ".s.PGSQL.")
	number, err := strconv.ParseUint(port, 10, 16)
	if !ok || err != nil {
		return nil, fmt.Errorf("socket of PostgreSQL %q: expected a path that ends in .s.PGSQL.<port>", args.Socket)
	}
	config, err := pgx.ParseConfig("sslmode=disable") // Nothing from this program's own environment.
	if err != nil {
		return nil, fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	config.Host, config.Port = filepath.Dir(args.Socket), uint16(number)
	config.User, config.Password, config.Database = args.Superuser, "", database
	config.ConnectTimeout = 5 * time.Second
	config.Fallbacks = nil
	connection, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	return connection, nil
}

// reconcile makes the server have the database and the roles. All statements bear being run again.
func (args DatabaseArgs) reconcile(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, databaseTimeout)
	defer cancel()
	server, err := args.connect(ctx, "postgres")
	if err != nil {
		return err
	}
	defer func() { _ = server.Close(context.WithoutCancel(ctx)) }()
	for _, role := range []Role{args.Owner, args.Application} {
		if err := reconcileRole(ctx, server, role); err != nil {
			return fmt.Errorf("role %s: %w", role.Name, err)
		}
	}
	name, owner, application := quoted(args.Name), quoted(args.Owner.Name), quoted(args.Application.Name)
	if _, err := server.Exec(ctx, "CREATE DATABASE "+name+" OWNER "+owner); err != nil && !hasCode(err, "42P04") { // It exists.
		return fmt.Errorf("database %s: %w", args.Name, err)
	}
	database, err := args.connect(ctx, args.Name)
	if err != nil {
		return err
	}
	defer func() { _ = database.Close(context.WithoutCancel(ctx)) }()
	statements := append([]string{
		"ALTER DATABASE " + name + " OWNER TO " + owner,
		"REVOKE ALL ON DATABASE " + name + " FROM PUBLIC",
		"GRANT CONNECT ON DATABASE " + name + " TO " + application,
		"ALTER SCHEMA public OWNER TO " + owner,
		"REVOKE ALL ON SCHEMA public FROM PUBLIC",
		"GRANT USAGE ON SCHEMA public TO " + application,
		// For what is there already, should a grant have been lost, and for what the owner will make.
		"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO " + application,
		"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO " + application,
		"ALTER DEFAULT PRIVILEGES FOR ROLE " + owner + " IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO " + application,
		"ALTER DEFAULT PRIVILEGES FOR ROLE " + owner + " IN SCHEMA public GRANT USAGE ON SEQUENCES TO " + application,
	}, args.Statements...)
	for _, statement := range statements {
		if _, err := database.Exec(ctx, statement); err != nil {
			return fmt.Errorf("database %s: %s: %w", args.Name, statement, err)
		}
	}
	return nil
}

// reconcileRole makes a role with a password, or gives the one that is there this password if it has another.
func reconcileRole(ctx context.Context, server *pgx.Conn, role Role) error {
	if _, err := server.Exec(ctx, "CREATE ROLE "+quoted(role.Name)); err != nil && !hasCode(err, "42710") { // It exists.
		return err
	}
	var present *string
	if err := server.QueryRow(ctx, "SELECT rolpassword FROM pg_authid WHERE rolname = $1", role.Name).Scan(&present); err != nil {
		return err
	}
	options := " LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS"
	if present == nil || !verifies(*present, role.Password) {
		// The server gets a verifier, not the password: it cannot end up in a log.
		made, err := newVerifier(role.Password)
		if err != nil {
			return err
		}
		options += " PASSWORD '" + made + "'"
	}
	_, err := server.Exec(ctx, "ALTER ROLE "+quoted(role.Name)+options)
	return err
}

func quoted(name string) string { return pgx.Identifier{name}.Sanitize() }

func hasCode(err error, code string) bool {
	var refused *pgconn.PgError
	return errors.As(err, &refused) && refused.Code == code
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
	server, err := args.connect(ctx, "postgres")
	if err != nil {
		return "", nil
	}
	defer func() { _ = server.Close(context.WithoutCancel(ctx)) }()
	var there bool
	if err := server.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", args.Name).Scan(&there); err != nil {
		return "", fmt.Errorf("database %s: %w", args.Name, err)
	}
	if !there {
		return "the database is gone", nil
	}
	for _, role := range []Role{args.Owner, args.Application} {
		var verifier *string
		err := server.QueryRow(ctx, "SELECT rolpassword FROM pg_authid WHERE rolname = $1 AND rolcanlogin", role.Name).Scan(&verifier)
		if errors.Is(err, pgx.ErrNoRows) {
			return "role " + role.Name + " is gone", nil
		}
		if err != nil {
			return "", fmt.Errorf("role %s: %w", role.Name, err)
		}
		if verifier == nil || !verifies(*verifier, role.Password) {
			return "role " + role.Name + " has another password", nil
		}
	}
	return "", nil
}
