// Package postgresql brings a PostgreSQL server of this machine to what a panel needs: its database and its roles. Every
// target whose servers are hosts of ours uses it.
package postgresql

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

	"github.com/radpanel/radpanel/app/config"
)

// Database is one database of a server, with the roles that the panel knows: the owner, who changes the schema, and the
// application, who reads and writes rows and can do nothing else.
type Database struct {
	// Socket is the path of the server's unix socket, Superuser whom to connect as: by peer authentication.
	Socket    string
	Superuser string
	Name      string
	Owner     Role
	// Application gets SELECT, INSERT, UPDATE and DELETE on all that the owner makes.
	Application Role
	// Replica is the role by which replicas follow. Nil: there are none.
	Replica *Role
	// Promotion is the role by which another stack's server follows while the panel is promoted, by password. It may do
	// nothing until the promotion lets it. Nil: there is none, or it is not this package's.
	Promotion *Role
	// Monitor is the role that reads the server's statistics, and no row. Nil: there is none.
	Monitor *Role
	// Statements are run at the end, as superuser in this database. They must bear being run again.
	Statements []string
}

// Role is one that may log in.
type Role struct {
	Name     string
	Password config.Secret
}

// Timeout is how long the statements of one call may take together. Creating a database copies a template of 7 MB.
const Timeout = 30 * time.Second

// Connect opens a connection to one of the server's databases, as the superuser.
func (d Database) Connect(ctx context.Context, database string) (*pgx.Conn, error) {
	_, port, ok := strings.Cut(filepath.Base(d.Socket), ".s.PGSQL.")
	number, err := strconv.ParseUint(port, 10, 16)
	if !ok || err != nil {
		return nil, fmt.Errorf("socket of PostgreSQL %q: expected a path that ends in .s.PGSQL.<port>", d.Socket)
	}
	parsed, err := pgx.ParseConfig("sslmode=disable") // See [IgnoreEnvironment].
	if err != nil {
		return nil, fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	parsed.Host, parsed.Port = filepath.Dir(d.Socket), uint16(number)
	parsed.User, parsed.Password, parsed.Database = d.Superuser, "", database
	parsed.ConnectTimeout = 5 * time.Second
	parsed.Fallbacks = nil
	connection, err := pgx.ConnectConfig(ctx, parsed)
	if err != nil {
		return nil, fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	return connection, nil
}

// Reconcile makes the server have the database and the roles. It bears being run again.
func (d Database) Reconcile(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	server, err := d.Connect(ctx, "postgres")
	if err != nil {
		return err
	}
	defer func() { _ = server.Close(context.WithoutCancel(ctx)) }()
	for _, role := range []Role{d.Owner, d.Application} {
		if err := reconcileRole(ctx, server, role, "NOREPLICATION"); err != nil {
			return fmt.Errorf("role %s: %w", role.Name, err)
		}
	}
	if d.Replica != nil {
		if err := reconcileRole(ctx, server, *d.Replica, "REPLICATION"); err != nil {
			return fmt.Errorf("role %s: %w", d.Replica.Name, err)
		}
	}
	if d.Promotion != nil {
		if err := reconcileRole(ctx, server, *d.Promotion, "REPLICATION"); err != nil {
			return fmt.Errorf("role %s: %w", d.Promotion.Name, err)
		}
	}
	if d.Monitor != nil {
		if err := reconcileRole(ctx, server, *d.Monitor, "NOREPLICATION"); err != nil {
			return fmt.Errorf("role %s: %w", d.Monitor.Name, err)
		}
	}
	name, owner, application := quoted(d.Name), quoted(d.Owner.Name), quoted(d.Application.Name)
	if _, err := server.Exec(ctx, "CREATE DATABASE "+name+" OWNER "+owner); err != nil && !hasCode(err, "42P04") { // It exists.
		return fmt.Errorf("database %s: %w", d.Name, err)
	}
	database, err := d.Connect(ctx, d.Name)
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
	}, d.monitorStatements()...)
	statements = append(statements, d.Statements...)
	for _, statement := range statements {
		if _, err := database.Exec(ctx, statement); err != nil {
			return fmt.Errorf("database %s: %s: %w", d.Name, statement, err)
		}
	}
	return nil
}

// monitorStatements let the monitoring role see what the server does.
func (d Database) monitorStatements() []string {
	if d.Monitor == nil {
		return nil
	}
	monitor := quoted(d.Monitor.Name)
	return []string{
		"GRANT CONNECT ON DATABASE " + quoted(d.Name) + " TO " + monitor,
		"GRANT pg_monitor TO " + monitor,
		"GRANT USAGE ON SCHEMA public TO " + monitor, // The view of an extension is there.
		// One of those that the blueprint reserves: it must never take the service's.
		"ALTER ROLE " + monitor + " CONNECTION LIMIT 1",
	}
}

// reconcileRole makes a role with a password, or gives the one that is there this password if it has another.
func reconcileRole(ctx context.Context, server *pgx.Conn, role Role, replication string) error {
	if _, err := server.Exec(ctx, "CREATE ROLE "+quoted(role.Name)); err != nil && !hasCode(err, "42710") { // It exists.
		return err
	}
	var present *string
	if err := server.QueryRow(ctx, "SELECT rolpassword FROM pg_authid WHERE rolname = $1", role.Name).Scan(&present); err != nil {
		return err
	}
	options := " LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS " + replication
	if present == nil || !verifies(*present, role.Password.Reveal()) {
		// The server gets a verifier, not the password: it cannot end up in a log.
		made, err := newVerifier(role.Password.Reveal())
		if err != nil {
			return err
		}
		options += " PASSWORD '" + made + "'"
	}
	_, err := server.Exec(ctx, "ALTER ROLE "+quoted(role.Name)+options)
	return err
}

// Drift tells what is not as Reconcile left it; "" if nothing is.
func (d Database) Drift(ctx context.Context, server *pgx.Conn) (string, error) {
	var there bool
	if err := server.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", d.Name).Scan(&there); err != nil {
		return "", fmt.Errorf("database %s: %w", d.Name, err)
	}
	if !there {
		return "the database is gone", nil
	}
	roles := []Role{d.Owner, d.Application}
	if d.Monitor != nil {
		roles = append(roles, *d.Monitor)
	}
	for _, role := range roles {
		var verifier *string
		err := server.QueryRow(ctx, "SELECT rolpassword FROM pg_authid WHERE rolname = $1 AND rolcanlogin", role.Name).Scan(&verifier)
		if errors.Is(err, pgx.ErrNoRows) {
			return "role " + role.Name + " is gone", nil
		}
		if err != nil {
			return "", fmt.Errorf("role %s: %w", role.Name, err)
		}
		if verifier == nil || !verifies(*verifier, role.Password.Reveal()) {
			return "role " + role.Name + " has another password", nil
		}
	}
	return "", nil
}

func quoted(name string) string { return pgx.Identifier{name}.Sanitize() }

func hasCode(err error, code string) bool {
	var refused *pgconn.PgError
	return errors.As(err, &refused) && refused.Code == code
}
