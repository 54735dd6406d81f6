package host

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/infra/postgresql"
)

// server is a PostgreSQL whose data a test moves about.
type server struct {
	*testing.T
	folder  string
	process *exec.Cmd
}

func newServer(t *testing.T) *server {
	t.Helper()
	folder, err := os.MkdirTemp("/tmp", "rad-") // The paths of unix sockets are short.
	require.NoError(t, err)
	s := &server{T: t, folder: folder}
	t.Cleanup(func() {
		s.stop()
		assert.NoError(t, os.RemoveAll(folder))
	})
	if account := s.account(); account != nil {
		require.NoError(t, os.Chown(folder, int(account.Uid), int(account.Gid)))
	}
	return s
}

// account is that of the server: it refuses to run as root.
func (s *server) account() *syscall.Credential {
	s.Helper()
	if os.Geteuid() != 0 {
		return nil
	}
	entry, err := user.Lookup("nobody")
	require.NoError(s, err)
	uid, err := strconv.ParseUint(entry.Uid, 10, 32)
	require.NoError(s, err)
	gid, err := strconv.ParseUint(entry.Gid, 10, 32)
	require.NoError(s, err)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

func (s *server) data() string { return filepath.Join(s.folder, "data") }

func (s *server) command(name string, arguments ...string) *exec.Cmd {
	s.Helper()
	if filepath.Base(name) == name {
		programs, err := postgresqlPrograms("/nowhere", "/usr/lib/postgresql")
		require.NoError(s, err)
		name = filepath.Join(programs, name)
	}
	command := exec.CommandContext(s.Context(), name, arguments...)
	command.Dir, command.Env = s.folder, []string{"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8"}
	command.SysProcAttr = &syscall.SysProcAttr{Credential: s.account()}
	return command
}

func (s *server) run(name string, arguments ...string) string {
	s.Helper()
	out, err := s.command(name, arguments...).CombinedOutput()
	require.NoError(s, err, "%s: %s", name, out)
	return string(out)
}

func (s *server) start() {
	s.Helper()
	s.process = s.command("postgres", "-D", s.data(), "-c", "listen_addresses=", "-c", "unix_socket_directories="+s.folder, "-c", "fsync=off",
		"-c", "max_slot_wal_keep_size=16MB", "-c", "max_wal_size=32MB", "-c", "min_wal_size=32MB", "-c", "wal_retrieve_retry_interval=100ms")
	require.NoError(s, s.process.Start())
	require.Eventually(s, func() bool {
		_, err := s.try("SELECT 1")
		return err == nil
	}, time.Minute, 20*time.Millisecond, "the server does not start")
}

func (s *server) stop() {
	if s.process != nil {
		_ = s.process.Process.Signal(syscall.SIGINT)
		_ = s.process.Wait()
		s.process = nil
	}
}

func (s *server) server() postgresql.Database {
	return postgresql.Database{Socket: filepath.Join(s.folder, ".s.PGSQL.5432"), Superuser: superuserRole}
}

func (s *server) try(query string) (answer string, err error) {
	connection, err := s.server().Connect(s.Context(), "postgres")
	if err != nil {
		return "", err
	}
	defer func() { _ = connection.Close(s.Context()) }()
	result := connection.PgConn().ExecParams(s.Context(), query, nil, nil, nil, nil).Read()
	if len(result.Rows) > 0 && len(result.Rows[0]) > 0 {
		answer = string(result.Rows[0][0])
	}
	return answer, result.Err
}

func (s *server) ask(query string) string {
	s.Helper()
	answer, err := s.try(query)
	require.NoError(s, err, query)
	return answer
}

// address is where the replication protocol is spoken, as the role of replicas.
func (s *server) address() *pgconn.Config {
	s.Helper()
	parsed, err := pgconn.ParseConfig("sslmode=disable")
	require.NoError(s, err)
	parsed.Host, parsed.Port, parsed.User, parsed.Database, parsed.Fallbacks = s.folder, postgresqlPort, replicaRole, "", nil
	parsed.RuntimeParams = map[string]string{"replication": "true"}
	return parsed
}

// copy makes the server's data a copy of a primary's, by the role of replicas, and starts it.
func (s *server) copy(primary *server) {
	s.Helper()
	require.NoError(s, renewSlot(s.Context(), primary.address()))
	s.run("pg_basebackup", "--pgdata="+s.data(), "--host="+primary.folder, "--username="+replicaRole, "--slot="+replicaSlot, "--wal-method=stream",
		"--checkpoint=fast", "--write-recovery-conf")
	s.start()
	s.follows()
}

func (s *server) follows() {
	s.Helper()
	require.Eventually(s, func() bool {
		own, err := readCopy(s.Context(), s.server())
		return err == nil && own.streams
	}, time.Minute, 20*time.Millisecond, "the replica does not follow")
}

// lost tells why a copy is of no use: as its server says, or, if that does not run, its files.
func (s *server) lost(primary *server) string {
	s.Helper()
	own, err := readCopy(s.Context(), s.server())
	if s.process == nil {
		require.Error(s, err)
		own, err = readControl(s.run("pg_controldata", "--pgdata="+s.data()))
	}
	require.NoError(s, err)
	state, err := askPrimary(s.Context(), primary.address())
	require.NoError(s, err)
	reason, err := own.lost(state)
	require.NoError(s, err)
	return reason
}

const (
	isForked = "the primary was put back to a moment before the replica's"
	isGone   = "the primary has not kept what the replica lacks"
)

// A primary that was put back leaves its replica on the history that is lost, and one that was away for too long finds no log:
// a host sees either, and copies the primary anew.
func TestAReplicaThatCannotFollowIsCopiedAnew(t *testing.T) {
	t.Parallel()
	primary, replica := newServer(t), newServer(t)
	primary.run("initdb", "--pgdata="+primary.data(), "--username="+superuserRole, "--auth=trust", "--no-sync")
	primary.start()
	primary.ask(fmt.Sprintf("CREATE ROLE %s LOGIN REPLICATION", replicaRole))
	slot := fmt.Sprintf("SELECT pg_create_physical_replication_slot('%s', true)", replicaSlot)
	primary.ask(slot)
	primary.ask("CREATE TABLE t (n int)")
	replica.copy(primary)
	kept := "/bin/cp"
	primary.stop()
	primary.run(kept, "-a", primary.data(), primary.data()+".kept")
	primary.start()
	replica.follows()

	// The primary is away, then comes back.
	primary.stop()
	require.Eventually(t, func() bool {
		own, err := readCopy(t.Context(), replica.server())
		return err == nil && !own.streams && own.position > 0
	}, time.Minute, 20*time.Millisecond)
	primary.start()
	replica.follows()

	// It goes on, and is then put back to what it was.
	primary.ask("INSERT INTO t SELECT generate_series(1, 1000)")
	require.Eventually(t, func() bool { return replica.ask("SELECT count(*) FROM t") == "1000" }, time.Minute, 20*time.Millisecond)
	primary.stop()
	require.NoError(t, os.RemoveAll(primary.data()))
	require.NoError(t, os.Rename(primary.data()+".kept", primary.data()))
	primary.run("/bin/sh", "-c", "touch data/recovery.signal && echo \"restore_command = 'false'\" >>data/postgresql.auto.conf")
	primary.start()
	require.Eventually(t, func() bool { return primary.ask("SELECT pg_is_in_recovery()") == "f" }, time.Minute, 20*time.Millisecond)
	assert.Equal(t, isForked, replica.lost(primary))
	assert.Equal(t, "1000", replica.ask("SELECT count(*) FROM t"), "it has what is lost")
	replica.stop()
	assert.Equal(t, isForked, replica.lost(primary), "while it does not run")
	require.NoError(t, os.RemoveAll(replica.data()))
	replica.copy(primary)
	assert.Equal(t, "0", replica.ask("SELECT count(*) FROM t"))

	// One that follows onto another timeline is none that has forked.
	replica.stop()
	primary.ask("INSERT INTO t SELECT generate_series(1, 10)")
	primary.stop()
	primary.run("/bin/sh", "-c", "touch data/recovery.signal")
	primary.start()
	require.Eventually(t, func() bool { return primary.ask("SELECT pg_is_in_recovery()") == "f" }, time.Minute, 20*time.Millisecond)
	assert.Empty(t, replica.lost(primary))
	replica.start()
	replica.follows()
	require.Eventually(t, func() bool { return replica.ask("SELECT count(*) FROM t") == "10" }, time.Minute, 20*time.Millisecond)
	primary.stop()
	require.Eventually(t, func() bool {
		own, err := readCopy(t.Context(), replica.server())
		return err == nil && own.timeline == 3
	}, time.Minute, 20*time.Millisecond)
	primary.start()
	replica.follows()

	// It is away until the primary gives up its slot.
	replica.stop()
	assert.Empty(t, replica.lost(primary))
	for range 4 {
		primary.ask("INSERT INTO t SELECT generate_series(1, 1000)")
		primary.ask("SELECT pg_switch_wal()")
		primary.ask("CHECKPOINT")
	}
	require.Equal(t, "lost", primary.ask("SELECT wal_status FROM pg_replication_slots"))
	assert.Equal(t, isGone, replica.lost(primary))
	replica.start()
	assert.Equal(t, isGone, replica.lost(primary), "while it runs")
	// A slot that was made since does not have what it lacks.
	primary.ask(fmt.Sprintf("SELECT pg_drop_replication_slot('%s')", replicaSlot))
	primary.ask(slot)
	assert.Equal(t, isGone, replica.lost(primary), "with a new slot")
	replica.stop()
	require.NoError(t, os.RemoveAll(replica.data()))
	replica.copy(primary)
	assert.Equal(t, "4010", replica.ask("SELECT count(*) FROM t"))
}

// A copy that may be worth more than the primary is left to people.
func TestACopyThatMayBeWorthMoreIsLeft(t *testing.T) {
	t.Parallel()
	own := replicaCopy{system: "7", timeline: 2, position: 100, answers: true}
	for want, primary := range map[string]primaryState{
		"the primary is database 8, the replica a copy of database 7": {system: "8", timeline: 1},
		"the replica is on timeline 2, the primary on 1":              {system: "7", timeline: 1},
	} {
		reason, err := own.lost(primary)
		require.ErrorContains(t, err, want)
		assert.Empty(t, reason)
	}
	for _, primary := range []primaryState{
		{system: "7", timeline: 2}, // Its host has not made the slot yet.
		{system: "7", timeline: 2, slot: 100},
		{system: "7", timeline: 3, forks: map[uint64]uint64{1: 50, 2: 100}, slot: 100},
	} {
		reason, err := own.lost(primary)
		require.NoError(t, err)
		assert.Empty(t, reason, "%v", primary)
	}
	reason, err := own.lost(primaryState{system: "7", timeline: 3, forks: map[uint64]uint64{1: 50}})
	require.NoError(t, err)
	assert.Equal(t, isForked, reason, "its timeline did not lead to the primary's")
}

func TestPositionsThatAreNone(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "0", "0/", "/0", "x/1", "0/100000000"} {
		_, err := parsePosition(text)
		assert.Error(t, err, text)
	}
	position, err := parsePosition("16/B374D848")
	require.NoError(t, err)
	assert.Equal(t, uint64(0x16B374D848), position)
}
