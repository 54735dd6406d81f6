// Command faultyrad is rad, to which something happens at one point of a promotion: tests see what comes of it.
//
// RAD_FAULT is "<point> die" for a rad that is killed there, or "* call <socket>" for one that tells whoever listens at a
// unix socket which point it has reached, at each, and goes on when that has closed the connection.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/radpanel/radpanel/cmd/rad/internal/cli"
	"github.com/radpanel/radpanel/infra/postgresql"
)

// patience is how long whoever is called may take.
const patience = time.Minute

func main() {
	executable, err := os.Executable()
	if err = errors.Join(err, postgresql.IgnoreEnvironment()); err != nil {
		fmt.Fprintln(os.Stderr, "faultyrad:", err)
		os.Exit(1)
	}
	app := &cli.App{
		Version: "faulty", Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Getenv: os.Getenv,
		Executable: executable, Folder: filepath.Dir(executable), Now: time.Now,
	}
	if words := strings.Fields(os.Getenv("RAD_FAULT")); len(words) >= 2 {
		app.AtPoint = func(point string) {
			if words[0] == point || words[0] == "*" {
				strike(point, words[1:])
			}
		}
	}
	os.Exit(app.Run(context.Background(), os.Args[1:]))
}

func strike(point string, fault []string) {
	var err error
	switch {
	case fault[0] == "die":
		err = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	case fault[0] == "call" && len(fault) == 2:
		err = call(fault[1], point)
	default:
		err = errors.New("no such fault: " + strings.Join(fault, " "))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "faultyrad:", err)
		os.Exit(99)
	}
}

func call(socket, point string) error {
	connection, err := net.DialTimeout("unix", socket, patience) //nolint:noctx,gosec // It has a time-out; the test names the socket.
	if err != nil {
		return err
	}
	defer func() { _ = connection.Close() }() // It was closed by the other end.
	if err := connection.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if _, err := fmt.Fprintln(connection, point); err != nil {
		return err
	}
	if _, err := connection.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		return fmt.Errorf("called %s: expected the end of the connection: %w", socket, err)
	}
	return nil
}
