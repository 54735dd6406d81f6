package supervisor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Apply makes a service be what a spec says, and returns the digest of its configuration once the service is ready. It
// does no more than it must: nothing if all is so already, a reload if only reloadable files changed, else a restart.
//
// A configuration that does not work is taken back: the one before comes into force again, or, if there was none, the
// service is as if it had never been applied. What the service keeps, and its log, are never touched.
func (s Stack) Apply(ctx context.Context, spec Spec) (string, error) {
	if err := spec.check(); err != nil {
		return "", err
	}
	id, err := s.Identity(spec.Account)
	if err != nil {
		return "", err
	}
	before, err := s.inForce(spec.Name)
	if err != nil {
		return "", err
	}
	// Read before anything is written, to see what somebody else changed.
	running := s.runningGeneration(spec.Name)
	g := s.generate(spec, id)
	if err := s.install(ctx, spec, g, id); err != nil {
		return "", errors.Join(err, s.prune(spec.Name, before))
	}
	if err := s.comeIntoForce(ctx, spec, running, g); err != nil {
		err = fmt.Errorf("%w%s", err, s.logTail(spec))
		return "", s.takeBack(ctx, spec, before, g, err)
	}
	return g.digest, s.prune(spec.Name, g.digest, before)
}

// install puts everything in place that a spec asks for, with nothing of it in force yet.
func (s Stack) install(ctx context.Context, spec Spec, g generation, id Identity) error {
	if err := s.prepareService(spec.Name); err != nil {
		return err
	}
	if err := MakeFolder(s.Folder(spec.Name), 0o711, Caller()); err != nil {
		return err
	}
	for _, folder := range slices.Sorted(maps.Keys(spec.Folders)) { // Parents first.
		if err := MakeFolder(s.path(spec.Name, folder), spec.Folders[folder], id); err != nil {
			return err
		}
	}
	for name, target := range spec.Links {
		if err := os.Symlink(target, s.path(spec.Name, name)); err != nil && !errors.Is(err, fs.ErrExist) {
			return DiskError(s.path(spec.Name, name), err)
		}
	}
	if err := s.write(spec.Name, g, id); err != nil {
		return err
	}
	if err := s.judge(ctx, spec, g, id); err != nil {
		return err
	}
	return s.writeRecords(spec, id)
}

// judge lets the service's own program check a configuration before it comes into force.
func (s Stack) judge(ctx context.Context, spec Spec, g generation, id Identity) error {
	if len(spec.Check) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	arguments := make([]string, len(spec.Check))
	for i, argument := range spec.Check {
		arguments[i] = strings.ReplaceAll(argument, s.Conf(spec.Name)+"/", s.path(spec.Name, g.folder())+"/")
	}
	command := exec.CommandContext(ctx, arguments[0], arguments[1:]...) //nolint:gosec // The command is the program's own.
	command.Dir = s.Folder(spec.Name)
	command.SysProcAttr = Credential(id)
	command.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"}
	if out, err := outputOf(command, id); err != nil {
		return fmt.Errorf("its own check refuses the new configuration (%w), so the present one stays: %s",
			err, spec.mask(strings.TrimSpace(string(out))))
	}
	return nil
}

// outputOf runs a command and gives what it wrote. Its output is a pipe that its account may open by name, as nginx
// does with /dev/stdout.
func outputOf(command *exec.Cmd, id Identity) ([]byte, error) {
	reader, writer, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("pipe: %w", err)
	}
	defer func() { _ = reader.Close() }()
	if Privileged() {
		if err := writer.Chown(id.UID, id.GID); err != nil {
			return nil, errors.Join(fmt.Errorf("pipe: %w", err), writer.Close())
		}
	}
	command.Stdout, command.Stderr = writer, writer
	err = command.Start()
	if closeErr := writer.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", command.Path, err)
	}
	out, err := io.ReadAll(io.LimitReader(reader, tailBytes))
	return out, errors.Join(err, command.Wait())
}

// writeRecords writes what the scripts and later commands need to know about a service.
func (s Stack) writeRecords(spec Spec, id Identity) error {
	service := s.service(spec.Name)
	record, err := encodeRecord(spec)
	if err != nil {
		return err
	}
	records := map[string]string{
		"record.json": record,
		"patience":    strconv.Itoa(int(spec.StopTimeout.Seconds())) + "\n",
		"account":     strings.Join(privileges(id), " ") + "\n",
	}
	for name, text := range records {
		if err := writeChanged(filepath.Join(service, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	script := filepath.Join(service, "control", "t")
	if spec.StopSignal == "TERM" { // That is what runsv sends.
		if err := os.Remove(script); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("service %s: %w", spec.Name, err)
		}
		return nil
	}
	return writeChanged(script, signalScript(spec.StopSignal), 0o700)
}

// comeIntoForce moves the service to a generation with as little disturbance as that allows.
func (s Stack) comeIntoForce(ctx context.Context, spec Spec, running, g generation) error {
	if err := s.enforce(spec.Name, g.digest); err != nil {
		return err
	}
	if running.digest == g.digest && s.ready(ctx, spec.Name, spec.Ready, g.digest) == nil {
		return nil
	}
	if running.restart == g.restart {
		if err := control(s.service(spec.Name), commandReload); err != nil {
			return err
		}
		if s.awaitReady(ctx, spec, g.digest, reloadTimeout) == nil {
			return WriteFile(filepath.Join(s.service(spec.Name), "started"), []byte(g.folder()+"\n"), 0o600, Caller())
		}
		// It runs as it should, yet it does not answer: perhaps it hangs. A new one may not.
	}
	return s.restart(ctx, spec, g.digest)
}

// reloadTimeout is how long a running service may take to be ready with reloaded files before it is restarted.
const reloadTimeout = 5 * time.Second

// restart starts a service anew and waits until it is ready.
func (s Stack) restart(ctx context.Context, spec Spec, digest string) error {
	if err := s.StopService(ctx, spec.Name); err != nil {
		return err
	}
	if err := awaitFree(ctx, spec.Ready); err != nil {
		return err
	}
	if err := s.startService(ctx, spec.Name); err != nil {
		return err
	}
	return s.awaitReady(ctx, spec, digest, spec.Ready.Timeout)
}

// takeBack undoes a configuration that did not work, and says so in the error that tells why.
func (s Stack) takeBack(ctx context.Context, spec Spec, before string, g generation, cause error) error {
	// The caller may have given up; what is half done is undone all the same.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), spec.StopTimeout+spec.Ready.Timeout)
	defer cancel()
	if before == "" {
		return errors.Join(cause, s.reset(ctx, spec.Name))
	}
	if before == g.digest {
		return cause
	}
	if err := s.enforce(spec.Name, before); err != nil {
		return errors.Join(cause, err)
	}
	if err := s.restart(ctx, spec, before); err != nil {
		return fmt.Errorf("%w; the configuration before is in force again, but does not work either: %w", cause, err)
	}
	return fmt.Errorf("%w; the configuration before is in force again and works", errors.Join(cause, s.prune(spec.Name, before)))
}
