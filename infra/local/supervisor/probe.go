package supervisor

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
)

// Probe is how to ask a service whether it is ready.
type Probe struct {
	Kind ProbeKind
	// Address is host:port on loopback for HTTP, the path of a unix socket for the others.
	Address string
	// User and Database are named to a server of PostgreSQL's protocol. It needs no password: a request for one is an
	// answer.
	User, Database string
	// Path is requested by HTTP; the answer must be 200 and contain Body, in which "@GENERATION@" stands for the digest
	// of the configuration.
	Path, Body string
	// Timeout is how long the service may take from its start until it is ready.
	Timeout time.Duration
}

// ProbeKind is a protocol.
type ProbeKind string

// The protocols.
const (
	HTTP       ProbeKind = "http"
	PostgreSQL ProbeKind = "postgresql" // PgBouncer speaks it too
	Redis      ProbeKind = "redis"
)

func (p Probe) check() error {
	if p.Timeout < time.Second {
		return fmt.Errorf("time to get ready %s: expected at least a second", p.Timeout)
	}
	switch p.Kind {
	case PostgreSQL, Redis:
		if !strings.HasPrefix(p.Address, "/") {
			return fmt.Errorf("address %q: expected the path of a unix socket", p.Address)
		}
		return nil
	case HTTP:
		host, _, err := net.SplitHostPort(p.Address)
		if err != nil {
			return fmt.Errorf("address %q: expected host:port: %w", p.Address, err)
		}
		if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
			return fmt.Errorf("address %q: expected a loopback address", p.Address)
		}
		return nil
	default:
		return fmt.Errorf("probe %q: expected %s, %s or %s", p.Kind, HTTP, PostgreSQL, Redis)
	}
}

// attemptTimeout is how long one question may take.
const attemptTimeout = time.Second

// ask asks once a service that is the given process. The error says what the service lacks.
func (p Probe) ask(ctx context.Context, pid int, generation string) error {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	switch p.Kind {
	case PostgreSQL:
		return p.askPostgreSQL(ctx, pid)
	case Redis:
		return p.askRedis(ctx, pid)
	case HTTP:
	}
	return askHTTP(ctx, "http://"+p.Address+p.Path, strings.ReplaceAll(p.Body, generationMark, generation))
}

func askHTTP(ctx context.Context, url, expected string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return fmt.Errorf("probe: %w", err)
	}
	// A connection of its own each time: one that is kept would go on talking to a server that has given way.
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("probe: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, 4096))
	if err != nil {
		return fmt.Errorf("probe: %s: %w", url, err)
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %d: %s", url, response.StatusCode, strings.TrimSpace(string(body)))
	}
	if !strings.Contains(string(body), expected) {
		return fmt.Errorf("%s answers with another configuration", url)
	}
	return nil
}

// dial connects to the unix socket of a service that is the given process.
func (p Probe) dial(ctx context.Context, pid int) (net.Conn, error) {
	connection, err := (&net.Dialer{}).DialContext(ctx, "unix", p.Address)
	if err != nil {
		return nil, fmt.Errorf("probe: %w", err)
	}
	err = checkListener(connection, pid)
	if deadline, ok := ctx.Deadline(); ok && err == nil {
		err = connection.SetDeadline(deadline)
	}
	if err != nil {
		return nil, errors.Join(err, connection.Close())
	}
	return connection, nil
}

// askRedis takes a refusal for want of a password for an answer.
func (p Probe) askRedis(ctx context.Context, pid int) error {
	connection, err := p.dial(ctx, pid)
	if err != nil {
		return err
	}
	defer func() { _ = connection.Close() }()
	if _, err := io.WriteString(connection, "PING\r\n"); err != nil {
		return fmt.Errorf("probe: %w", err)
	}
	answer, err := bufio.NewReader(connection).ReadString('\n')
	if err != nil {
		return fmt.Errorf("probe: %w", err)
	}
	if answer = strings.TrimSpace(answer); answer != "+PONG" && !strings.HasPrefix(answer, "-NOAUTH") {
		return fmt.Errorf("PING was answered by %q", answer)
	}
	return nil
}

// askPostgreSQL does what pg_isready does: it begins to connect, and takes any answer but "not yet" for a yes.
func (p Probe) askPostgreSQL(ctx context.Context, pid int) error {
	connection, err := p.dial(ctx, pid)
	if err != nil {
		return err
	}
	defer func() { _ = connection.Close() }()
	frontend := pgproto3.NewFrontend(connection, connection)
	frontend.Send(&pgproto3.StartupMessage{
		ProtocolVersion: pgproto3.ProtocolVersion30,
		Parameters:      map[string]string{"user": p.User, "database": p.Database},
	})
	if err := frontend.Flush(); err != nil {
		return fmt.Errorf("probe: %w", err)
	}
	message, err := frontend.Receive()
	if err != nil {
		return fmt.Errorf("probe: %w", err)
	}
	// 57P03, cannot_connect_now: it starts, stops or recovers.
	if refusal, ok := message.(*pgproto3.ErrorResponse); ok && refusal.Code == "57P03" {
		return errors.New(refusal.Message)
	}
	return nil
}

// checkListener tells by its error if another process than the expected one listens on a unix socket.
func checkListener(connection net.Conn, pid int) error {
	unix, ok := connection.(*net.UnixConn)
	if !ok {
		return fmt.Errorf("probe: a %T is not a unix socket", connection)
	}
	raw, err := unix.SyscallConn()
	if err != nil {
		return fmt.Errorf("probe: %w", err)
	}
	var listener *syscall.Ucred
	err = raw.Control(func(descriptor uintptr) {
		listener, ok = nil, false
		if found, err := syscall.GetsockoptUcred(int(descriptor), syscall.SOL_SOCKET, syscall.SO_PEERCRED); err == nil {
			listener, ok = found, true
		}
	})
	switch {
	case err != nil:
		return fmt.Errorf("probe: %w", err)
	case !ok:
		return errors.New("probe: the socket does not tell who listens on it")
	case int(listener.Pid) != pid:
		return fmt.Errorf("%s belongs to process %d, which answers in its place: stop that and run up again", connection.RemoteAddr(), listener.Pid)
	}
	return nil
}
