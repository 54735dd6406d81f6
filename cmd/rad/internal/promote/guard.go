package promote

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/radpanel/radpanel/infra/local"
)

// GuardCommand is the hidden command by which rad runs a guard: `rad promote guard <state folder> <from> <to>`.
const GuardCommand = "guard"

const (
	guardReady    = "ready"
	guardHolding  = "holding"
	guardOpening  = "opening"
	guardSettling = "settling"
	guardDone     = "done"
)

// guard is a process beside rad that puts a cut-over in order if rad is killed in the middle, or hangs: writes must not
// be held because of that.
type guard struct {
	command *exec.Cmd
	stdin   io.WriteCloser
}

// startGuard returns when the guard watches. It holds the promotion's lock too, until it ends: whoever goes on with what it puts
// in order has to wait for it.
func startGuard(executable, stateFolder string, from, to local.Side, lock *os.File) (*guard, error) {
	// Its own session: what is sent to rad's whole group, as by a terminal, does not reach it.
	command := exec.Command(executable, "promote", GuardCommand, stateFolder, from.Name, to.Name) //nolint:gosec,noctx // It outlives this process on purpose.
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if lock != nil {
		command.ExtraFiles = []*os.File{lock}
	}
	stdin, err := command.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("guard of the cut-over: %w", err)
	}
	stdout, err := command.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("guard of the cut-over: %w", err)
	}
	if err := command.Start(); err != nil {
		return nil, fmt.Errorf("guard of the cut-over: %w", err)
	}
	g := &guard{command: command, stdin: stdin}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if strings.TrimSpace(line) != guardReady {
		return nil, errors.Join(fmt.Errorf("guard of the cut-over: it said %q, expected %q", line, guardReady), err, g.end())
	}
	return g, nil
}

// holding tells that writes are about to be held, opening that the other database is about to be opened, settling that rad
// is putting things in order itself, which may take longer than writes are held.
func (g *guard) holding() error  { return g.tell(guardHolding) }
func (g *guard) opening() error  { return g.tell(guardOpening) }
func (g *guard) settling() error { return g.tell(guardSettling) }

func (g *guard) tell(what string) error {
	if _, err := io.WriteString(g.stdin, what+"\n"); err != nil {
		return fmt.Errorf("guard of the cut-over: %w", err)
	}
	return nil
}

// end tells that the cut-over is over, one way or the other, and waits until the guard has gone.
func (g *guard) end() error {
	return errors.Join(g.tell(guardDone), g.stdin.Close(), g.command.Wait())
}

// Guard is the guard's own process: it reads from input what rad does, and puts things in order if rad does not.
func Guard(ctx context.Context, stateFolder, from, to string, input io.Reader, output io.Writer) error {
	parent := os.Getppid()
	fromSide, err := local.OpenSide(stateFolder, from)
	if err != nil {
		return err
	}
	toSide, err := local.OpenSide(stateFolder, to)
	if err != nil {
		return err
	}
	lines := make(chan string)
	go func() {
		defer close(lines)
		for scanner := bufio.NewScanner(input); scanner.Scan(); {
			lines <- scanner.Text()
		}
	}()
	if _, err := fmt.Fprintln(output, guardReady); err != nil {
		return err
	}
	broken, opening, err := watchOver(ctx, lines, maxPause, func() {
		// rad is alive and stuck: it must not go on with what is undone now.
		if os.Getppid() == parent {
			_ = syscall.Kill(parent, syscall.SIGKILL) // It may just have ended.
		}
	})
	if err != nil || !broken {
		return err
	}
	_, err = settle(context.WithoutCancel(ctx), fromSide, toSide, opening)
	return err
}

// watchOver reads what rad does, until the cut-over is over or rad has ended, be it that it is killed because writes have been
// held for longer than a limit. It tells whether the cut-over was broken off, and whether the other database may be open.
func watchOver(ctx context.Context, lines <-chan string, limit time.Duration, kill func()) (broken, opening bool, err error) {
	var late, gone <-chan time.Time
	held := false
	for {
		select {
		case line, more := <-lines:
			switch {
			case !more:
				return held, opening, nil
			case line == guardHolding:
				timer := time.NewTimer(limit)
				defer timer.Stop()
				held, late = true, timer.C
			case line == guardOpening:
				opening = true
			case line == guardSettling:
				late = nil
			case line == guardDone:
				return false, opening, nil
			}
		case <-late:
			kill()
			// What rad has said until then counts: it may just have opened the other database, or be done.
			timer := time.NewTimer(limit)
			defer timer.Stop()
			late, gone = nil, timer.C
		case <-gone: // It does not even die, and what it still says is not waited for.
			return held, true, nil
		case <-ctx.Done():
			return false, opening, context.Cause(ctx)
		}
	}
}
