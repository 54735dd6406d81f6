package supervisor

import (
	"bytes"
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
)

// runningGeneration gives the generation with which a service was started or last reloaded, as its files are now; the
// zero value if it does not run.
func (s Stack) runningGeneration(name string) generation {
	if p, err := s.process(name); err != nil || p.pid == 0 || p.finishing {
		return generation{}
	}
	raw, err := os.ReadFile(filepath.Join(s.service(name), "started"))
	if err != nil {
		return generation{}
	}
	folder := strings.TrimSpace(string(raw))
	g, err := readGeneration(s.path(name, folder), strings.TrimPrefix(folder, "conf-"))
	if err != nil {
		return generation{}
	}
	return g
}

// process gives what runsv says about a service; nothing if no runsv is there to say it.
func (s Stack) process(name string) (process, error) {
	if !supervised(s.service(name)) {
		return process{}, nil
	}
	return readProcess(s.service(name))
}

// ready tells by its error why a service is not ready.
func (s Stack) ready(ctx context.Context, name string, probe Probe, digest string) error {
	p, err := s.process(name)
	switch {
	case err != nil:
		return err
	case p.pid == 0 || p.finishing:
		return errors.New("it is not running")
	}
	if err := probe.ask(ctx, p.pid, digest); err != nil {
		return err
	}
	if probe.Kind == HTTP {
		return s.ownsPort(ctx, name, probe.Address)
	}
	return nil
}

// crashLimit is after how many ends of a service that was just started it is given up.
const crashLimit = 3

// awaitReady waits until a service that was told to start or to reload is ready, or clearly will not be.
func (s Stack) awaitReady(ctx context.Context, spec Spec, digest string, timeout time.Duration) error {
	waiting, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var last error
	err := wait(waiting, spec.Name+" to get ready", func() (bool, error) {
		err := s.ready(waiting, spec.Name, spec.Ready, digest)
		if err == nil {
			return true, nil
		}
		if waiting.Err() == nil {
			last = err
		}
		restarts, err := s.readRestarts(spec.Name)
		if err == nil && restarts.Count >= crashLimit {
			return false, fmt.Errorf("it ended %d times instead of getting ready, last %s", restarts.Count, restarts.LastExit)
		}
		return false, nil
	})
	if err != nil && ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("it is not ready after %s: %w", timeout, last)
	}
	return err
}

// awaitFree tells by its error who has the port that a service is to have, if it does not get free.
func awaitFree(ctx context.Context, probe Probe) error {
	if probe.Kind != HTTP {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, freeTimeout)
	defer cancel()
	var taken error
	err := wait(ctx, "port "+probe.Address, func() (bool, error) {
		taken = checkFree(probe)
		return taken == nil, nil
	})
	if taken != nil {
		return taken
	}
	return err
}

// freeTimeout is how long a port may take to get free: a server that was told to listen elsewhere closes it a moment
// after it has said so.
const freeTimeout = 2 * time.Second

// checkFree tells by its error who has the port.
func checkFree(probe Probe) error {
	listener, err := net.Listen("tcp", probe.Address) //nolint:noctx // It does not wait.
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("port %s is taken by %s: stop that, or configure another port, and run up again",
			probe.Address, portOwner(probe.Address))
	}
	if err != nil {
		return fmt.Errorf("port %s: %w", probe.Address, err)
	}
	if err := listener.Close(); err != nil {
		return fmt.Errorf("port %s: %w", probe.Address, err)
	}
	return nil
}

// tailLines is how much of a log an error shows, tailBytes how much is read for it.
const (
	tailLines = 12
	tailBytes = 8 << 10
)

// logTail gives the last lines of a service's log for an error, with secrets masked.
func (s Stack) logTail(spec Spec) string {
	file, err := os.Open(filepath.Join(s.Log(spec.Name), "current"))
	if err != nil {
		return ""
	}
	defer func() { _ = file.Close() }()
	if info, err := file.Stat(); err == nil && info.Size() > tailBytes {
		if _, err := file.Seek(-tailBytes, io.SeekEnd); err != nil {
			return ""
		}
	}
	raw, err := io.ReadAll(file)
	raw = bytes.TrimSpace(raw)
	if err != nil || len(raw) == 0 {
		return ""
	}
	lines := strings.Split(string(raw), "\n")
	lines = lines[max(0, len(lines)-tailLines):]
	return "\nlast lines of " + file.Name() + ":\n  " + spec.mask(strings.Join(lines, "\n  "))
}

// mask hides the secrets of a service in a text.
func (spec Spec) mask(text string) string {
	for _, secret := range spec.Secrets {
		if secret != "" {
			text = strings.ReplaceAll(text, secret, "[secret]")
		}
	}
	return text
}
