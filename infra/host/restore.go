package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/radpanel/radpanel/infra/postgresql"
)

// Restore puts the host's data back as it was at a moment, or, if that is the zero time, as it was last backed up: the
// database from pgBackRest's repository, and the files that were there then from restic's. The panel is away meanwhile. What
// the database had before is overwritten; no file is deleted. It runs as root.
func Restore(ctx context.Context, moment time.Time, log *slog.Logger) error {
	unlock, err := lock(lockFile)
	if err != nil {
		return err
	}
	defer unlock()
	if _, err := os.Stat(conf(backupUnit)); err != nil {
		return fmt.Errorf("this host backs up no database: expected one with the primary, which was brought in line before (rad-host converge): %w", err)
	}
	for _, unit := range []string{panelUnit, pgbouncerUnit, backupUnit, backupUnit + "-full", postgresqlUnit} {
		log.InfoContext(ctx, "stop", "unit", unit)
		if err := run(ctx, "systemctl", "stop", unit+".service"); err != nil {
			return err
		}
	}
	if err := makeFolder(postgresqlData(), 0o700, "postgres"); err != nil {
		return err
	}
	arguments := []string{"--delta", "--target-timeline=latest"}
	if !moment.IsZero() {
		arguments = append(arguments, "--type=time", "--target="+moment.UTC().Format("2006-01-02 15:04:05.999999-07"), "--target-action=promote")
	}
	log.InfoContext(ctx, "restore the database", "moment", moment)
	if err := run(ctx, "runuser", asPostgres(BackupCommand(append(arguments, "restore")...)...)...); err != nil {
		return fmt.Errorf("restore the database: %w; the panel is stopped: run restore again, or systemctl start %s to start it anew", err, convergeUnit)
	}
	if err := run(ctx, "systemctl", "start", postgresqlUnit+".service"); err != nil {
		return errors.Join(err, said(ctx, postgresqlUnit+".service"))
	}
	if err := awaitPromotion(ctx); err != nil {
		return errors.Join(err, said(ctx, postgresqlUnit+".service"))
	}
	if _, err := os.Stat(conf(filesBackupUnit, environmentFile)); err == nil {
		log.InfoContext(ctx, "restore the files")
		if err := restoreFiles(ctx, moment); err != nil {
			return err
		}
	}
	// What is applied now is not known any more: the next converge finds out.
	return os.RemoveAll(stamps)
}

// recoveryTimeout bounds the replay of the write-ahead log.
const recoveryTimeout = 6 * time.Hour

// awaitPromotion waits until the server has replayed the log up to the moment, and takes writes.
func awaitPromotion(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, recoveryTimeout)
	defer cancel()
	server := postgresql.Database{Socket: postgresqlSocket(), Superuser: superuserRole}
	for {
		recovering, err := isRecovering(ctx, server)
		if err == nil && !recovering {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the database does not end its recovery: %w", errors.Join(ctx.Err(), err))
		case <-time.After(probeEvery):
		}
	}
}

func isRecovering(ctx context.Context, server postgresql.Database) (recovering bool, err error) {
	connection, err := server.Connect(ctx, "postgres")
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, connection.Close(context.WithoutCancel(ctx))) }()
	err = connection.QueryRow(ctx, "SELECT pg_is_in_recovery()").Scan(&recovering)
	return recovering, err
}

// snapshot is one of restic's copies.
type snapshot struct {
	ID   string    `json:"id"`
	Time time.Time `json:"time"`
}

// snapshotsFor gives those that together hold every file that was there at a moment: the last before it, and the first after
// it, which has what came in between. A file never changes once it is there.
func snapshotsFor(moment time.Time, all []snapshot) []snapshot {
	var before, after []snapshot
	for _, s := range all { // In the order of time.
		if moment.IsZero() || s.Time.Before(moment) {
			before = []snapshot{s}
		} else if len(after) == 0 {
			after = []snapshot{s}
		}
	}
	return append(before, after...)
}

// restoreFiles has restic write the files back, by the environment of its unit.
func restoreFiles(ctx context.Context, moment time.Time) error {
	inEnvironment := func(arguments ...string) (string, error) {
		return output(ctx, "systemd-run", append([]string{
			"--quiet", "--pipe", "--wait", "--collect", "--property=EnvironmentFile=" + conf(filesBackupUnit, environmentFile), restic,
		}, arguments...)...)
	}
	text, err := inEnvironment("snapshots", "--json", "--quiet")
	if err != nil {
		return fmt.Errorf("restore the files: %w", err)
	}
	var all []snapshot
	if err := json.Unmarshal([]byte(text[max(0, strings.IndexByte(text, '[')):]), &all); err != nil {
		return fmt.Errorf("restore the files: the list of copies: %w", err)
	}
	for _, s := range snapshotsFor(moment, all) {
		if _, err := inEnvironment("restore", s.ID, "--quiet", "--target=/", "--include="+filesFolder()); err != nil {
			return fmt.Errorf("restore the files of %s: %w", s.Time, err)
		}
	}
	return nil
}
