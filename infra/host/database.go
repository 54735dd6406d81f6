package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/radpanel/radpanel/infra/machine"
	"github.com/radpanel/radpanel/infra/postgresql"
)

// asPostgres gives a command that runs as the server's account.
func asPostgres(command ...string) []string {
	return append([]string{"--user", "postgres", "--"}, command...)
}

// prepareDatabase makes the data of a server that has none yet: a new cluster, or a copy of the primary.
func (c *converger) prepareDatabase(ctx context.Context, site Site) error {
	programs, err := postgresqlPrograms(postgresqlData(), "/usr/lib/postgresql")
	if err != nil {
		return err
	}
	if err := link(programs, binariesLink); err != nil {
		return fmt.Errorf("programs of PostgreSQL: %w", err)
	}
	if site.isReplica() {
		if err := c.dropLostCopy(ctx, site); err != nil {
			return err
		}
	}
	if _, err := os.Stat(filepath.Join(postgresqlData(), "PG_VERSION")); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	// Made aside: data is whole or not there.
	aside := postgresqlData() + ".new"
	if err := os.RemoveAll(aside); err != nil {
		return fmt.Errorf("data of PostgreSQL: %w", err)
	}
	c.log.InfoContext(ctx, "making the data of PostgreSQL", "folder", postgresqlData(), "replica", site.isReplica())
	if site.isReplica() {
		err = copyPrimary(ctx, site, aside)
	} else {
		err = run(ctx, "runuser", asPostgres(binariesLink+"/initdb", "--pgdata="+aside, "--username="+superuserRole, "--encoding=UTF8",
			"--locale=C.UTF-8", "--data-checksums", "--auth-local=peer", "--auth-host=scram-sha-256", "--no-instructions")...)
	}
	if err != nil {
		return err
	}
	return os.Rename(aside, postgresqlData())
}

// copyPrimary copies the data of the primary, whose host makes the slot. One that was given up is of no use.
func copyPrimary(ctx context.Context, site Site, folder string) error {
	password := File{
		Path: conf(postgresqlUnit, primaryPasswordFile), Mode: 0o600, Owner: "postgres",
		Text: "*:*:*:" + replicaRole + ":" + site.secrets[machine.ReplicaPassword].Reveal() + "\n",
	}
	if err := writeFile(password); err != nil {
		return err
	}
	address, err := site.primaryAddress()
	if err != nil {
		return err
	}
	if err := renewSlot(ctx, address); err != nil {
		return err
	}
	return run(ctx, "runuser", asPostgres("env", "PGPASSFILE="+password.Path, binariesLink+"/pg_basebackup", "--pgdata="+folder,
		"--host="+site.settings.Databases[0].String(), "--port="+strconv.Itoa(postgresqlPort), "--username="+replicaRole, "--no-password",
		"--slot="+replicaSlot, "--wal-method=stream", "--checkpoint=fast", "--write-recovery-conf")...)
}

// postgresqlPrograms gives the folder of the programs for a data folder: of its own version, or the newest for a new one.
func postgresqlPrograms(data, installed string) (string, error) {
	raw, err := os.ReadFile(filepath.Join(data, "PG_VERSION")) //nolint:gosec // A path of the host's own.
	if err == nil {
		folder := filepath.Join(installed, strings.TrimSpace(string(raw)), "bin")
		if _, err := os.Stat(filepath.Join(folder, "postgres")); err != nil { //nolint:gosec // The data is the host's own.
			return "", fmt.Errorf("%s holds data of PostgreSQL %s, which is not installed: install the package postgresql-%[2]s", data, strings.TrimSpace(string(raw)))
		}
		return folder, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("data of PostgreSQL: %w", err)
	}
	entries, err := os.ReadDir(installed)
	if err != nil {
		return "", fmt.Errorf("programs of PostgreSQL: %w", err)
	}
	var versions []int
	for _, entry := range entries {
		if version, err := strconv.Atoi(entry.Name()); err == nil {
			versions = append(versions, version)
		}
	}
	if len(versions) == 0 {
		return "", fmt.Errorf("%s holds no version of PostgreSQL: install the package postgresql", installed)
	}
	return filepath.Join(installed, strconv.Itoa(slices.Max(versions)), "bin"), nil
}

// database gives the database and the roles that the server must have.
func (s Site) database() (postgresql.Database, error) {
	statements, err := s.postgres().RoleStatements()
	if err != nil {
		return postgresql.Database{}, err
	}
	if s.blueprint.Database.Statistics {
		statements = append(statements, "CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
	}
	d := postgresql.Database{
		Socket: postgresqlSocket(), Superuser: superuserRole, Name: databaseName,
		Owner:       postgresql.Role{Name: ownerRole, Password: s.secrets[machine.OwnerPassword]},
		Application: postgresql.Role{Name: applicationRole, Password: s.secrets[machine.ApplicationPassword]},
		Monitor:     &postgresql.Role{Name: monitorRole, Password: s.secrets[machine.MonitorPassword]},
		Statements:  statements,
		Promotion:   s.promotionRole(),
	}
	if d.Promotion != nil {
		d.Statements = append(d.Statements, fmt.Sprintf(`ALTER ROLE "%s" CONNECTION LIMIT %d`, promotionRole, promotionConnections))
	}
	if s.blueprint.Database.Replicas > 0 {
		d.Replica = &postgresql.Role{Name: replicaRole, Password: s.secrets[machine.ReplicaPassword]}
		// The slot keeps what the replica has not got yet.
		d.Statements = append(d.Statements, "SELECT pg_create_physical_replication_slot('"+replicaSlot+"', true) "+
			"WHERE NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = '"+replicaSlot+"')")
	}
	return d, nil
}
