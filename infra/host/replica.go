package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/radpanel/radpanel/infra/machine"
	"github.com/radpanel/radpanel/infra/postgresql"
)

const (
	// lookTimeout bounds what is asked of a replica, and of its primary.
	lookTimeout = time.Minute
	// segmentSize is that of a file of the write-ahead log, in bytes: initdb's default.
	segmentSize = 16 << 20
)

// replicaCopy is how far a replica's copy of the primary is.
type replicaCopy struct {
	// system is the database's identifier, which a copy and what is restored have too.
	system string
	// timeline is the history that it is on, position how far it has replayed that, in bytes.
	timeline uint64
	position uint64
	// answers tells that the server does, streams that it follows the primary.
	answers, streams bool
}

// primaryState is what a primary says of itself to a replica.
type primaryState struct {
	system   string
	timeline uint64
	// forks tells, for each timeline that led to its own, at which position it was left.
	forks map[uint64]uint64
	// slot is the position from which on the primary keeps the log for the replica; 0 if there is no slot. It has given up a
	// slot that is lost.
	slot   uint64
	isLost bool
}

// dropLostCopy removes the data of a replica that can never follow its primary again, so that it is copied anew. It is seen
// twice before, a minute apart, with no progress in between.
func (c *converger) dropLostCopy(ctx context.Context, site Site) error {
	// One that was made a primary by hand may have what nobody else has.
	if _, err := os.Stat(filepath.Join(postgresqlData(), "standby.signal")); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return fmt.Errorf("replica: %w", err)
	}
	const seen = "replica"
	reason, position, err := lookAtCopy(ctx, site)
	if err != nil {
		c.log.WarnContext(ctx, "whether the replica can follow its primary is not known: it is left as it is", "error", err)
		return nil
	}
	now := stamp{strconv.FormatUint(position, 10), reason}
	if reason == "" || readStamp(seen) != now {
		if reason != "" {
			c.log.WarnContext(ctx, "the replica does not follow: if that is so in a minute, it is copied anew", "reason", reason)
		}
		return writeStamp(seen, now)
	}
	c.log.WarnContext(ctx, "the replica cannot follow any more: it is copied anew", "reason", reason)
	if err := run(ctx, "systemctl", "stop", postgresqlUnit+".service"); err != nil {
		return err
	}
	if err := errors.Join(os.RemoveAll(postgresqlData()), os.Remove(filepath.Join(stamps, seen))); err != nil {
		return fmt.Errorf("replica: %w", err)
	}
	return nil
}

// lookAtCopy tells why this host's copy is of no use, "" if it is of use, and how far it is.
func lookAtCopy(ctx context.Context, site Site) (reason string, position uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	own, err := readCopy(ctx, postgresql.Database{Socket: postgresqlSocket(), Superuser: superuserRole})
	if err != nil { // It may not start any more.
		text, err := output(ctx, "runuser", asPostgres(binariesLink+"/pg_controldata", "--pgdata="+postgresqlData())...)
		if err != nil {
			return "", 0, err
		}
		if own, err = readControl(text); err != nil {
			return "", 0, err
		}
	}
	if own.streams {
		return "", own.position, nil
	}
	primary, err := site.askPrimary(ctx)
	if err != nil {
		return "", 0, err
	}
	reason, err = own.lost(primary)
	return reason, own.position, err
}

// lost tells why the copy is of no use, "" if it may still follow. It is an error if the copy may be worth more than the
// primary.
func (r replicaCopy) lost(primary primaryState) (string, error) {
	if r.system != primary.system {
		return "", fmt.Errorf("the primary is database %s, the replica a copy of database %s: expected the same. If the primary is the right one, "+
			"stop %s and remove %s", primary.system, r.system, postgresqlUnit, postgresqlData())
	}
	if r.timeline > primary.timeline {
		return "", fmt.Errorf("the replica is on timeline %d, the primary on %d: expected one that is as new. If the primary is the right one, "+
			"stop %s and remove %s", r.timeline, primary.timeline, postgresqlUnit, postgresqlData())
	}
	if fork, known := primary.forks[r.timeline]; r.timeline < primary.timeline && (!known || r.position > fork) {
		return "the primary was put back to a moment before the replica's", nil
	}
	if primary.isLost || r.answers && primary.slot/segmentSize > r.position/segmentSize {
		return "the primary has not kept what the replica lacks", nil
	}
	return "", nil
}

// readCopy asks a replica that runs.
func readCopy(ctx context.Context, server postgresql.Database) (r replicaCopy, err error) {
	connection, err := server.Connect(ctx, "postgres")
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, connection.Close(context.WithoutCancel(ctx))) }()
	// One that the primary refuses says that it streams too, for a moment, and is then started again.
	err = connection.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_stat_wal_receiver JOIN pg_stat_activity a USING (pid) "+
		"WHERE status = 'streaming' AND a.backend_start < clock_timestamp() - interval '1 second')").Scan(&r.streams)
	if err != nil || r.streams {
		return r, err
	}
	// The control file alone tells position and timeline together. The first makes a restart point, unless it is the newest
	// already; the second then writes down how far it is.
	for range 2 {
		if _, err := connection.Exec(ctx, "CHECKPOINT"); err != nil {
			return r, err
		}
	}
	var system string
	var checkpoint, recovery struct{ position, timeline int64 }
	err = connection.QueryRow(ctx, "SELECT s.system_identifier::text, (c.checkpoint_lsn - '0/0')::bigint, c.timeline_id, "+
		"(r.min_recovery_end_lsn - '0/0')::bigint, r.min_recovery_end_timeline FROM pg_control_system() s, pg_control_checkpoint() c, pg_control_recovery() r",
	).Scan(&system, &checkpoint.position, &checkpoint.timeline, &recovery.position, &recovery.timeline)
	if recovery.position > checkpoint.position {
		checkpoint = recovery
	}
	return replicaCopy{
		system: system, position: uint64(checkpoint.position), timeline: uint64(checkpoint.timeline), answers: true, //nolint:gosec // Never negative.
	}, err
}

// readControl reads what pg_controldata says of a replica that does not run.
func readControl(text string) (replicaCopy, error) {
	values := map[string]string{}
	for _, line := range strings.Split(text, "\n") {
		name, value, _ := strings.Cut(line, ":")
		values[name] = strings.TrimSpace(value)
	}
	checkpoint, checkpointErr := parsePosition(values["Latest checkpoint location"])
	checkpointLine, checkpointLineErr := strconv.ParseUint(values["Latest checkpoint's TimeLineID"], 10, 32)
	recovery, recoveryErr := parsePosition(values["Minimum recovery ending location"])
	recoveryLine, recoveryLineErr := strconv.ParseUint(values["Min recovery ending loc's timeline"], 10, 32)
	if err := errors.Join(checkpointErr, checkpointLineErr, recoveryErr, recoveryLineErr); err != nil {
		return replicaCopy{}, fmt.Errorf("what pg_controldata says of the replica: %w", err)
	}
	if recovery > checkpoint {
		checkpoint, checkpointLine = recovery, recoveryLine
	}
	return replicaCopy{system: values["Database system identifier"], timeline: checkpointLine, position: checkpoint}, nil
}

// parsePosition reads a position in the write-ahead log, such as 16/B374D848.
func parsePosition(text string) (uint64, error) {
	high, low, _ := strings.Cut(text, "/")
	upper, upperErr := strconv.ParseUint(high, 16, 32)
	lower, lowerErr := strconv.ParseUint(low, 16, 32)
	if upperErr != nil || lowerErr != nil {
		return 0, fmt.Errorf("position %q: expected one such as 16/B374D848", text)
	}
	return upper<<32 | lower, nil
}

// primaryAddress is where a replica follows its primary, as replicaRole.
func (s Site) primaryAddress() (*pgconn.Config, error) {
	parsed, err := pgconn.ParseConfig("sslmode=disable")
	if err != nil {
		return nil, fmt.Errorf("connect to the primary: %w", err)
	}
	parsed.Host, parsed.Port, parsed.Database = s.settings.Databases[0].String(), postgresqlPort, ""
	parsed.User, parsed.Password = replicaRole, s.secrets[machine.ReplicaPassword].Reveal()
	parsed.ConnectTimeout, parsed.Fallbacks = probeTimeout, nil
	parsed.RuntimeParams = map[string]string{"replication": "true"}
	return parsed, nil
}

func (s Site) askPrimary(ctx context.Context) (primaryState, error) {
	address, err := s.primaryAddress()
	if err != nil {
		return primaryState{}, err
	}
	return askPrimary(ctx, address)
}

// askPrimary asks a primary by the commands of its replication protocol, which the role of replicas may give.
func askPrimary(ctx context.Context, address *pgconn.Config) (primaryState, error) {
	p := primaryState{forks: map[uint64]uint64{}}
	err := replicate(ctx, address, func(command func(string) ([]string, error)) error {
		row, err := command("IDENTIFY_SYSTEM")
		if err != nil {
			return err
		}
		p.system = row[0]
		if p.timeline, err = strconv.ParseUint(row[1], 10, 32); err != nil {
			return fmt.Errorf("timeline of the primary: %w", err)
		}
		if p.timeline > 1 {
			row, err := command("TIMELINE_HISTORY " + row[1])
			if err != nil {
				return err
			}
			if p.forks, err = parseForks(row[1]); err != nil {
				return err
			}
		}
		if row, err = command("READ_REPLICATION_SLOT " + replicaSlot); err != nil {
			return err
		}
		if kind, position := row[0], row[1]; position != "" {
			p.slot, err = parsePosition(position)
		} else {
			p.isLost = kind != ""
		}
		return err
	})
	return p, err
}

// parseForks reads the history of a timeline: of each line, the timeline before and the position at which it was left.
func parseForks(history string) (map[uint64]uint64, error) {
	forks := map[uint64]uint64{}
	for _, line := range strings.Split(history, "\n") {
		fields := strings.Fields(line)
		if len(fields) < 2 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		timeline, err := strconv.ParseUint(fields[0], 10, 32)
		if err != nil {
			return nil, fmt.Errorf("history of the primary: %q: expected a timeline", line)
		}
		if forks[timeline], err = parsePosition(fields[1]); err != nil {
			return nil, fmt.Errorf("history of the primary: %w", err)
		}
	}
	return forks, nil
}

// renewSlot makes the replica's slot anew if the primary has given it up. One that is not there is made by the primary's host.
func renewSlot(ctx context.Context, address *pgconn.Config) error {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	p, err := askPrimary(ctx, address)
	if err != nil || !p.isLost {
		return err
	}
	return replicate(ctx, address, func(command func(string) ([]string, error)) error {
		for _, each := range []string{"DROP_REPLICATION_SLOT " + replicaSlot + " WAIT", "CREATE_REPLICATION_SLOT " + replicaSlot + " PHYSICAL RESERVE_WAL"} {
			if _, err := command(each); err != nil {
				return err
			}
		}
		return nil
	})
}

// replicate gives a primary commands of the replication protocol, each of which answers with one row at most.
func replicate(ctx context.Context, address *pgconn.Config, talk func(command func(string) ([]string, error)) error) (err error) {
	connection, err := pgconn.ConnectConfig(ctx, address)
	if err != nil {
		return fmt.Errorf("connect to the primary: %w", err)
	}
	defer func() { err = errors.Join(err, connection.Close(context.WithoutCancel(ctx))) }()
	return talk(func(text string) ([]string, error) {
		results, err := connection.Exec(ctx, text).ReadAll()
		if err != nil {
			return nil, fmt.Errorf("primary: %s: %w", text, err)
		}
		row := make([]string, 3)
		for _, result := range results {
			for _, values := range result.Rows {
				for i, value := range values[:min(len(values), len(row))] {
					row[i] = string(value)
				}
			}
		}
		return row, nil
	})
}
