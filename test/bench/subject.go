package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// subject is the stack that is measured, in a state folder of its own.
type subject struct {
	name  string
	state string
	url   string
	// socket is the database's.
	socket string
}

// bringUp starts a stack from bin/, where `make build` leaves it.
func bringUp(ctx context.Context, name string) (*subject, error) {
	state, err := os.MkdirTemp("/tmp", "rad-bench-")
	if err != nil {
		return nil, err
	}
	// The services run as users of their own and must reach their folders in it.
	if err := os.Chmod(state, 0o711); err != nil {
		return nil, err
	}
	s := &subject{name: name, state: state}
	if _, err := s.rad(ctx, "up", name); err != nil {
		return nil, fmt.Errorf("%w (its state folder is kept: %s)", err, state)
	}
	out, err := s.rad(ctx, "status", name, "--json")
	if err != nil {
		return nil, err
	}
	var status struct {
		URL      string `json:"url"`
		Services []struct {
			Name    string `json:"name"`
			Address string `json:"address"`
		} `json:"services"`
	}
	if err := json.Unmarshal(out, &status); err != nil {
		return nil, fmt.Errorf("rad status --json printed %q: %w", out, err)
	}
	s.url = status.URL
	for _, service := range status.Services {
		if service.Name == "postgresql" {
			s.socket = service.Address
		}
	}
	return s, nil
}

func (s *subject) purge(ctx context.Context) error {
	if _, err := s.rad(ctx, "down", s.name, "--purge", "--yes"); err != nil {
		return err
	}
	return os.RemoveAll(s.state)
}

func (s *subject) rad(ctx context.Context, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, filepath.Join("bin", "rad"), append(args, "--state", s.state)...)
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	command.WaitDelay = 20 * time.Second
	if err := command.Run(); err != nil {
		return nil, fmt.Errorf("rad %s: %w\n%s%s", strings.Join(args, " "), err, stdout.Bytes(), stderr.Bytes())
	}
	return stdout.Bytes(), nil
}

// prepareReads copies the records under consecutive numbers, so that pgbench can draw one by chance.
const prepareReads = `CREATE SCHEMA bench;
CREATE TABLE bench.records AS SELECT row_number() OVER () AS n, id, title, data, version FROM records;
ALTER TABLE bench.records ADD PRIMARY KEY (n); ANALYZE bench.records; SELECT count(*) FROM bench.records;`

// pointRead reads one record by its primary key, as the service does.
const pointRead = `\set n random(1, :records)
SELECT id, title, data, version FROM bench.records WHERE n = :n;
`

// pointReads measures how many records a second pgbench reads from the panel's own database, through its socket, with
// prepared statements and as many connections as there are processors.
func (s *subject) pointReads(ctx context.Context, duration time.Duration) (perSecond float64, err error) {
	count, err := s.postgres(ctx, "psql", "-qtA", "-c", prepareReads)
	if err != nil {
		return 0, err
	}
	script := filepath.Join(s.state, "point-read.sql")
	if err := os.WriteFile(script, []byte(pointRead), 0o644); err != nil {
		return 0, err
	}
	cpus := strconv.Itoa(runtime.NumCPU())
	out, err := s.postgres(ctx, "pgbench", "-n", "-M", "prepared", "-c", cpus, "-j", cpus,
		"-T", strconv.Itoa(int(duration.Seconds())), "-D", "records="+strings.TrimSpace(count), "-f", script)
	if err != nil {
		return 0, err
	}
	found := transactions.FindStringSubmatch(out)
	if found == nil {
		return 0, fmt.Errorf("pgbench printed no rate: %s", out)
	}
	return strconv.ParseFloat(found[1], 64)
}

var transactions = regexp.MustCompile(`tps = ([0-9.]+) \(without initial`)

// postgres runs one of PostgreSQL's own programs against the panel's database, as the user who measures: the state
// folder's owner is a superuser of the database on its socket.
func (s *subject) postgres(ctx context.Context, program string, args ...string) (string, error) {
	binaries, err := filepath.Glob("/usr/lib/postgresql/*/bin/" + program)
	if err != nil || len(binaries) == 0 {
		return "", fmt.Errorf("%s is not in /usr/lib/postgresql/*/bin: install Debian's package postgresql", program)
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, binaries[len(binaries)-1], args...)
	command.Env = append(os.Environ(), "PGHOST="+filepath.Dir(s.socket), "PGPORT=5432", "PGUSER=postgres", "PGDATABASE=radpanel")
	var stderr bytes.Buffer
	command.Stderr = &stderr
	out, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s%s", program, err, out, stderr.Bytes())
	}
	return string(out), nil
}
