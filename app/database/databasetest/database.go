package databasetest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/app/config"
	"github.com/radpanel/radpanel/app/database"
)

// dropTimeout bounds the removal of a test's database.
const dropTimeout = 10 * time.Second

// Database is one test's own database, with the schema and without rows.
type Database struct {
	// URL connects as the application, which can only read and write rows.
	URL config.Secret
	// OwnerURL connects as the owner of the schema.
	OwnerURL config.Secret
	// SuperuserURL connects as the superuser, who sees all of pg_stat_activity.
	SuperuserURL config.Secret
	// ServerURL connects as the superuser to another database of the server.
	ServerURL config.Secret
	// SocketDirectory is where the server listens, and Name the database's name: what a pooler needs.
	SocketDirectory string
	Name            string
}

// NewDatabase makes a database from the migrated template and drops it after the test.
func (s *Server) NewDatabase(t testing.TB) *Database {
	t.Helper()
	return s.newDatabase(t, template)
}

// NewEmptyDatabase makes a database without the schema, for tests of the migrations.
func (s *Server) NewEmptyDatabase(t testing.TB) *Database {
	t.Helper()
	d := s.newDatabase(t, "template0")
	require.NoError(t, s.grant(t.Context(), d.Name))
	return d
}

func (s *Server) newDatabase(t testing.TB, from string) *Database {
	t.Helper()
	name := fmt.Sprintf("test_%d", s.databases.Add(1))
	s.exec(t, fmt.Sprintf("CREATE DATABASE %s TEMPLATE %s OWNER %s", name, from, owner))
	t.Cleanup(func() { s.exec(t, "DROP DATABASE "+name+" WITH (FORCE)") })
	return &Database{
		URL: s.url(application, name), OwnerURL: s.url(owner, name), SuperuserURL: s.url(superuser, name),
		ServerURL:       s.url(superuser, superuser),
		SocketDirectory: s.directory, Name: name,
	}
}

func (s *Server) exec(t testing.TB, statement string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), dropTimeout)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.url(superuser, "postgres").Reveal())
	require.NoError(t, err)
	defer func() { _ = conn.Close(ctx) }()
	_, err = conn.Exec(ctx, statement)
	require.NoError(t, err, statement)
}

// Connect opens one connection as the superuser, outside of any pool, and closes it after the test.
func (d *Database) Connect(t testing.TB) *pgx.Conn {
	t.Helper()
	return connect(t, d.SuperuserURL)
}

// ConnectServer is Connect to another database of the same server, for statements that must not be run from within.
func (d *Database) ConnectServer(t testing.TB) *pgx.Conn {
	t.Helper()
	return connect(t, d.ServerURL)
}

func connect(t testing.TB, url config.Secret) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url.Reveal())
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), dropTimeout)
		defer cancel()
		_ = conn.Close(ctx)
	})
	return conn
}

// Open opens a pool of up to ten connections as the application and closes it after the test.
func (d *Database) Open(t testing.TB) *database.DB {
	t.Helper()
	return d.OpenWith(t, database.Options{Connections: 10, Wait: 5 * time.Second})
}

// OpenWith opens a pool with other options; URL defaults to the database's.
func (d *Database) OpenWith(t testing.TB, options database.Options) *database.DB {
	t.Helper()
	if options.URL == "" {
		options.URL = d.URL
	}
	db, err := database.Open(options)
	require.NoError(t, err)
	t.Cleanup(db.Close)
	return db
}
