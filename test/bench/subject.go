package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/radpanel/radpanel/test/radstack"
)

// subject is the stack that is measured, in a state folder of its own.
type subject struct {
	*radstack.Stack

	url string
	// socket is the database's.
	socket string
}

// bringUp starts a stack from bin/, where `make build` leaves it.
func bringUp(ctx context.Context, name string) (*subject, error) {
	stack, err := radstack.New(filepath.Join("bin", "rad"), name)
	if err != nil {
		return nil, err
	}
	s := &subject{Stack: stack}
	if _, err := s.Rad(ctx, "up", name); err != nil {
		return nil, fmt.Errorf("%w (its state folder is kept: %s)", err, s.State)
	}
	status, err := s.Status(ctx)
	if err != nil {
		return nil, err
	}
	s.url = status.URL
	for _, service := range status.Services {
		if service.Name == "postgresql" {
			s.socket = service.Address
		}
	}
	return s, nil
}

// staticFile is the front end's page, which is small, and served by Nginx alone.
const staticFile = "/index.html"

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
	script := filepath.Join(s.State, "point-read.sql")
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

// staticFiles measures how many times a second the front door serves the front end's page to as many clients as keep it busy.
func (s *subject) staticFiles(ctx context.Context, duration time.Duration) (perSecond float64, err error) {
	ctx, cancel := context.WithTimeout(ctx, duration)
	defer cancel()
	clients := 8 * runtime.NumCPU()
	transport := &http.Transport{MaxIdleConnsPerHost: clients}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	var served atomic.Int64
	started := time.Now()
	group, ctx := errgroup.WithContext(ctx)
	for range clients {
		group.Go(func() error {
			for ctx.Err() == nil {
				if err := s.serveOnce(ctx, client); err != nil && ctx.Err() == nil {
					return err
				}
				served.Add(1)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return 0, err
	}
	return float64(served.Load()) / time.Since(started).Seconds(), nil
}

func (s *subject) serveOnce(ctx context.Context, client *http.Client) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+staticFile, nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: status %d, expected 200", staticFile, response.StatusCode)
	}
	_, err = io.Copy(io.Discard, response.Body)
	return err
}

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
