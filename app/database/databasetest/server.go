// Package databasetest gives tests a real PostgreSQL: one server per test binary, one database per test.
//
//	var server databasetest.Server
//
//	func TestMain(m *testing.M) { os.Exit(server.Run(m)) }
//
//	func TestX(t *testing.T) {
//		db := server.NewDatabase(t).Open(t)
//	}
//
// The server listens on a Unix socket in its own temporary folder and nowhere else. It ends with the tests, and also
// when the test binary is killed: the kernel then signals it, and the next run removes its folder.
package databasetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/app/config"
	"github.com/radpanel/radpanel/app/database"
)

const (
	// prefix and the process id name a server's folder.
	prefix       = "radpg-"
	startTimeout = 60 * time.Second
	stopTimeout  = 20 * time.Second

	superuser = "postgres"
	// owner owns the schema; application can only read and write rows, as in a real stack.
	owner       = "radpanel_owner"
	application = "radpanel_app"
	template    = "radpanel_template"
)

// Server is a PostgreSQL server for the tests of one binary.
type Server struct {
	directory string
	binaries  string
	account   *syscall.Credential
	databases atomic.Int64
	exited    chan struct{}
	process   *os.Process
	log       bytes.Buffer
}

// Run starts the server, runs the tests, stops the server, and returns the exit code.
func (s *Server) Run(m *testing.M) int {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	if err := s.start(ctx); err != nil {
		fmt.Fprintf(os.Stderr, "databasetest: %v\n", err)
		s.stop()
		return 1
	}
	defer s.stop()
	return m.Run()
}

// StartServer starts a server of a test's own, which others do not write to. It ends with the test.
func StartServer(t testing.TB) *Server {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), startTimeout)
	defer cancel()
	s := &Server{}
	t.Cleanup(s.stop)
	require.NoError(t, s.start(ctx))
	return s
}

func (s *Server) start(ctx context.Context) error {
	removeStale()
	var err error
	if s.binaries, err = findBinaries(); err != nil {
		return err
	}
	if s.account, err = unprivileged(); err != nil {
		return err
	}
	if s.directory, err = os.MkdirTemp("", prefix+strconv.Itoa(os.Getpid())+"-"); err != nil {
		return err
	}
	if s.account != nil {
		if err := os.Chown(s.directory, int(s.account.Uid), int(s.account.Gid)); err != nil {
			return err
		}
	}
	if err := s.initialise(ctx); err != nil {
		return err
	}
	if err := s.launch(); err != nil {
		return err
	}
	return s.prepareTemplate(ctx)
}

func (s *Server) initialise(ctx context.Context) error {
	cmd := s.command(ctx, "initdb", "--pgdata", s.data(), "--username", superuser, "--auth", "trust",
		"--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync")
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	runtime.LockOSThread() // See launch.
	defer runtime.UnlockOSThread()
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	settings := strings.Join([]string{
		"listen_addresses = ''",
		"unix_socket_directories = '" + s.directory + "'",
		"max_connections = 300",
		"shared_buffers = 64MB",
		// A test database need not survive a crash.
		"fsync = off", "synchronous_commit = off", "full_page_writes = off",
		"autovacuum = off",
		"",
	}, "\n")
	path := filepath.Join(s.data(), "postgresql.auto.conf")
	return os.WriteFile(path, []byte(settings), 0o600) // Exists already, so it keeps its owner.
}

// launch starts the server from a thread that lives as long as the server: the kernel sends the death signal when
// the thread that started a child ends, not when the process does.
func (s *Server) launch() error {
	cmd := s.command(context.WithoutCancel(context.Background()), "postgres", "-D", s.data())
	cmd.Stdout, cmd.Stderr = &s.log, &s.log
	cmd.SysProcAttr.Pdeathsig = syscall.SIGQUIT // Immediate shutdown; SIGKILL would leave shared memory behind.
	s.exited = make(chan struct{})
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // Never unlocked: the thread ends with this goroutine.
		defer close(s.exited)
		err := cmd.Start()
		if err == nil {
			s.process = cmd.Process
		}
		started <- err
		if err == nil {
			_ = cmd.Wait()
		}
	}()
	return <-started
}

func (s *Server) prepareTemplate(ctx context.Context) error {
	conn, err := s.connect(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	for _, statement := range []string{
		"CREATE ROLE " + owner + " LOGIN",
		"CREATE ROLE " + application + " LOGIN",
		"CREATE DATABASE " + template + " OWNER " + owner,
	} {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	if err := s.grant(ctx, template); err != nil {
		return err
	}
	return database.Migrate(ctx, s.url(owner, template))
}

// grant gives the application's role rows to read and write in all tables that the owner makes, and nothing else.
func (s *Server) grant(ctx context.Context, name string) error {
	conn, err := pgx.Connect(ctx, s.url(owner, name).Reveal())
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	_, err = conn.Exec(ctx, "ALTER DEFAULT PRIVILEGES GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO "+application)
	return err
}

// connect waits until the server accepts connections.
func (s *Server) connect(ctx context.Context) (*pgx.Conn, error) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		conn, err := pgx.Connect(ctx, s.url(superuser, "postgres").Reveal())
		if err == nil {
			return conn, nil
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("PostgreSQL did not start in %s: %w\n%s", startTimeout, err, s.log.String())
		case <-s.exited:
			return nil, fmt.Errorf("PostgreSQL ended at start:\n%s", s.log.String())
		case <-tick.C:
		}
	}
}

func (s *Server) stop() {
	if s.process != nil {
		_ = s.process.Signal(syscall.SIGINT) // Fast shutdown.
		select {
		case <-s.exited:
		case <-time.After(stopTimeout):
			_ = s.process.Signal(syscall.SIGQUIT)
			<-s.exited
		}
	}
	if s.directory != "" {
		_ = os.RemoveAll(s.directory)
	}
}

func (s *Server) data() string { return filepath.Join(s.directory, "data") }

func (s *Server) url(role, name string) config.Secret {
	return config.Secret(fmt.Sprintf("postgres://%s@/%s?host=%s", role, name, s.directory))
}

func (s *Server) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(s.binaries, name), args...) //nolint:gosec // Our own server.
	cmd.Dir = s.directory
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C.UTF-8", "TZ=UTC"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.account}
	return cmd
}

// findBinaries returns the folder that holds initdb and postgres: the one of Debian's newest version, else PATH's.
func findBinaries() (string, error) {
	folders, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	for i := len(folders) - 1; i >= 0; i-- {
		if _, err := os.Stat(filepath.Join(folders[i], "initdb")); err == nil {
			return folders[i], nil
		}
	}
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path), nil
	}
	return "", errors.New("PostgreSQL is needed: apt-get install postgresql")
}

// unprivileged returns the account to run as: PostgreSQL refuses root.
func unprivileged() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil // Nil means: as whoever runs the tests.
	}
	account, err := user.Lookup("postgres")
	if err != nil {
		return nil, fmt.Errorf("PostgreSQL refuses to run as root and there is no account for it: %w", err)
	}
	uid, uidErr := strconv.ParseUint(account.Uid, 10, 32)
	gid, gidErr := strconv.ParseUint(account.Gid, 10, 32)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, errors.Join(uidErr, gidErr)
}

// removeStale removes the folders of test binaries that were killed.
func removeStale() {
	folders, _ := filepath.Glob(filepath.Join(os.TempDir(), prefix+"*"))
	for _, folder := range folders {
		pid, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(folder), prefix), "-")
		n, err := strconv.Atoi(pid)
		if err == nil && errors.Is(syscall.Kill(n, 0), syscall.ESRCH) {
			_ = os.RemoveAll(folder)
		}
	}
}
