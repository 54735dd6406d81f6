// Command rad brings RAD Panel up, shows how it is and takes it down. See docs/rad.md.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/radpanel/radpanel/cmd/rad/internal/cli"
	"github.com/radpanel/radpanel/infra/postgresql"
)

// version is set by the linker.
//

var version = "unknown"

func main() { os.Exit(run()) }

func run() int {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	force := make(chan struct{})
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	// A reader that leaves, as in `rad up | head`, must not kill rad in the middle: caught, the write fails instead.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	go heed(signals, cancel, force)

	folder, err := os.Getwd()
	if err != nil {
		fmt.Fprintln(os.Stderr, "rad: find the working folder:", err)
		return 1
	}
	environment := os.Environ()
	if err := postgresql.IgnoreEnvironment(); err != nil {
		fmt.Fprintln(os.Stderr, "rad:", err)
		return 1
	}
	app := &cli.App{
		Version: version, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Getenv: os.Getenv, Environment: environment,
		Executable: executable(), Folder: folder, Now: time.Now, Force: force,
	}
	return app.Run(ctx, os.Args[1:])
}

// heed has the first signal end what runs cleanly, the second at once, and the third end rad itself.
func heed(signals <-chan os.Signal, cancel context.CancelCauseFunc, force chan<- struct{}) {
	cause := cli.ErrTerminated
	if <-signals == os.Interrupt {
		cause = cli.ErrInterrupted
	}
	cancel(cause)
	<-signals
	close(force)
	<-signals
	os.Exit(130)
}

// executable gives the path of this program, without links: the release lies beside it.
func executable() string {
	path, err := os.Executable()
	if err != nil {
		return ""
	}
	if resolved, err := filepath.EvalSymlinks(path); err == nil {
		return resolved
	}
	return path
}
