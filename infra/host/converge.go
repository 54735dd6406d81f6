package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/radpanel/radpanel/app/config"
	"github.com/radpanel/radpanel/infra/machine"
)

const (
	// identityFile tells the host who it is: user data writes it.
	identityFile = "/etc/radpanel/host.json"
	// failedFile names the release that did not get ready.
	failedFile = stateFolder + "/failed-release"
	lockFile   = confFolder + "/lock"
	// secretsFile keeps the host's secrets, in memory: to have them decrypted every minute would cost more than the logs.
	secretsFile = confFolder + "/secrets.json"
)

// Converge brings this host in line with its settings, once. It runs as root, from within a release.
func Converge(ctx context.Context, log *slog.Logger) error {
	if err := os.MkdirAll(confFolder, 0o755); err != nil { //nolint:gosec // Services read what is theirs.
		return fmt.Errorf("converge: %w", err)
	}
	unlock, err := lock(lockFile)
	if err != nil {
		return err
	}
	defer unlock()
	c, err := newConverger(log)
	if err != nil {
		return err
	}
	if c.settings, err = readSettings(ctx, c.cloud, c.host); err != nil {
		return err
	}
	return c.run(ctx)
}

// lock keeps out a second converge, which would get in the way of this one, until it is undone.
func lock(path string) (unlock func(), err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // A path of the host's own.
	if err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("%s is locked: another rad-host is at work; wait until it has ended: %w", path, err), file.Close())
	}
	return func() { _ = file.Close() }, nil
}

func readIdentity(path string) (machine.CloudHost, error) {
	raw, err := os.ReadFile(path) //nolint:gosec // A path of the host's own.
	if err != nil {
		return machine.CloudHost{}, fmt.Errorf("who this host is: %w: cloud-init writes it from the user data", err)
	}
	var host machine.CloudHost
	if err := json.Unmarshal(raw, &host); err != nil {
		return host, fmt.Errorf("who this host is: %s: %w", path, err)
	}
	return host, nil
}

func readSettings(ctx context.Context, cloud *Cloud, host machine.CloudHost) (machine.HostSettings, error) {
	name := host.SettingsParameter()
	values, err := cloud.Parameters(ctx, name)
	if err != nil {
		return machine.HostSettings{}, err
	}
	value, ok := values[name]
	if !ok {
		return machine.HostSettings{}, fmt.Errorf("parameter %s is not there: the stack makes it", name)
	}
	return machine.ReadHostSettings(value.Reveal())
}

// converger is one run.
type converger struct {
	host     machine.CloudHost
	cloud    *Cloud
	settings machine.HostSettings
	log      *slog.Logger
	// failed is the path of the file that names the release that did not get ready, kept that of the file with the secrets.
	failed, kept string
}

// newConverger is of this host. Its settings are still to be read.
func newConverger(log *slog.Logger) (*converger, error) {
	host, err := readIdentity(identityFile)
	if err != nil {
		return nil, err
	}
	return &converger{host: host, cloud: NewCloud(host), log: log, failed: failedFile, kept: secretsFile}, nil
}

// run applies the release that is wanted, by that release's own program. If it fails, and there was another before, that
// one is applied again, and the failed one is left alone until the settings name another.
func (c *converger) run(ctx context.Context) error {
	wanted := filepath.Join(ReleasesFolder, c.settings.Release.SHA256)
	current, err := os.Readlink(CurrentRelease)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the release in use: %w", err)
	}
	failed, err := os.ReadFile(c.failed)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the release that failed: %w", err)
	}
	if current != "" && strings.TrimSpace(string(failed)) == c.settings.Release.SHA256 && wanted != current {
		c.log.WarnContext(ctx, "the release that the settings name did not get ready: the one before stays in use",
			"wanted", wanted, "used", current, "again", "remove "+c.failed)
		wanted = current
	} else if _, err := fetchRelease(ctx, c.cloud, c.settings.Release, ReleasesFolder); err != nil {
		return err
	}
	if wanted != ownRelease() {
		return c.handOver(ctx, wanted, current)
	}
	return c.apply(ctx, wanted)
}

// ownRelease is the folder of the release that this program is of; "" if it is of none.
func ownRelease() string {
	path, err := os.Executable()
	if err != nil {
		return ""
	}
	if path, err = filepath.EvalSymlinks(path); err != nil {
		return ""
	}
	return strings.TrimSuffix(path, "/"+machine.ReleaseProgram)
}

// NotBegunError tells that a release could not begin to be applied, for a reason that need not be its own, such as a mirror
// that is away. Nothing that runs was changed.
type NotBegunError struct{ err error }

func (e *NotBegunError) Error() string {
	return "nothing was changed, and the next minute tries again: " + e.err.Error()
}
func (e *NotBegunError) Unwrap() error { return e.err }

// notBegun is what `rad-host apply` then ends with: EX_TEMPFAIL of sysexits.h. Releases know it of each other.
const notBegun = 75

// ExitCode gives what a program that met an error ends with.
func ExitCode(err error) int {
	var early *NotBegunError
	if errors.As(err, &early) {
		return notBegun
	}
	return 1
}

// handOver has another release's program apply that release, and its own applied again if that one fails. One that could
// not begin, or was broken off, has not failed.
func (c *converger) handOver(ctx context.Context, wanted, current string) error {
	c.log.InfoContext(ctx, "going over to another release", "release", wanted, "from", current)
	err := applyBy(ctx, wanted)
	if err == nil || current == "" || current == wanted || ctx.Err() != nil {
		return err
	}
	if exitCode(err) == notBegun {
		c.log.WarnContext(ctx, "the release could not begin: the one before stays in use for now", "release", wanted, "used", current, "error", err)
	} else {
		c.log.ErrorContext(ctx, "the release did not get ready: going back", "release", wanted, "to", current, "error", err)
		if failure := writeFile(File{Path: c.failed, Text: c.settings.Release.SHA256 + "\n", Mode: 0o644}); failure != nil {
			return errors.Join(err, failure)
		}
	}
	return errors.Join(fmt.Errorf("release %s: %w", wanted, err), applyBy(ctx, current))
}

// applyBy runs the program of a release: `rad-host apply`. Its output goes where this one's goes.
func applyBy(ctx context.Context, release string) error {
	command := exec.CommandContext(ctx, filepath.Join(release, machine.ReleaseProgram), "apply") //nolint:gosec // A release that was verified.
	command.Stdout, command.Stderr = os.Stdout, os.Stderr
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	command.WaitDelay = time.Minute
	return command.Run()
}

// Apply applies the release that this program is of. It is for Converge, which holds the lock.
func Apply(ctx context.Context, log *slog.Logger) error {
	c, err := newConverger(log)
	if err != nil {
		return err
	}
	if c.settings, err = readSettings(ctx, c.cloud, c.host); err != nil {
		return &NotBegunError{err}
	}
	release := ownRelease()
	if release == "" || filepath.Dir(release) != ReleasesFolder {
		return fmt.Errorf("this program is %q: expected one of a release in %s", release, ReleasesFolder)
	}
	return c.apply(ctx, release)
}

// apply makes the host what the settings say, with the release in a folder.
func (c *converger) apply(ctx context.Context, release string) error {
	told, err := readWindow(ctx, c.cloud, c.host)
	if err != nil {
		return &NotBegunError{err}
	}
	secrets, err := c.readSecrets(ctx, told)
	if err != nil {
		return &NotBegunError{err}
	}
	resources, err := thisMachine()
	if err != nil {
		return err
	}
	if c.settings.DataVolume != "" {
		if err := mountVolume(ctx, c.settings.DataVolume, dataFolder); err != nil {
			return err
		}
		if resources.Disk, err = diskOf(dataFolder); err != nil {
			return err
		}
	}
	var certificate Certificate
	if len(c.settings.Names) > 0 {
		issued := filepath.Join(certbotFolder, "live", certificateName)
		if certificate, err = loadCertificate(issued, filepath.Join(stateFolder, "self-signed"), c.settings.Names, time.Now()); err != nil {
			return err
		}
	}
	site, err := NewSite(c.host, c.settings, secrets, resources, release, certificate)
	if err != nil {
		return err
	}
	if site, err = site.In(told); err != nil {
		return err
	}
	if err := c.prepare(ctx, site); err != nil {
		return err
	}
	if err := c.start(ctx, site); err != nil {
		return err
	}
	previous, _ := os.Readlink(CurrentRelease) // None at first.
	if err := link(release, CurrentRelease); err != nil {
		return fmt.Errorf("the release in use: %w", err)
	}
	// What follows is no reason to go back to another release.
	if err := errors.Join(c.startTasks(ctx, site), c.startAgent(ctx, site), c.prune(previous, release)); err != nil {
		c.log.ErrorContext(ctx, "the panel is up, but not all that goes with it", "error", err)
	}
	return nil
}

// prune keeps the release before, to go back to.
func (c *converger) prune(previous, release string) error {
	if previous == release || previous == "" {
		return nil
	}
	return pruneReleases(ReleasesFolder, previous, release)
}

// keptSecrets are those that the host read last, by parameter, and their versions.
type keptSecrets struct{ Versions, Values map[string]string }

// readSecrets gives the host's secrets. They are decrypted only if there are others than the last time.
func (c *converger) readSecrets(ctx context.Context, told *machine.Window) (map[string]config.Secret, error) {
	needed, err := c.settings.Secrets()
	if err != nil {
		return nil, err
	}
	_, asked, err := c.settings.Blueprint()
	if err != nil {
		return nil, err
	}
	needed = append(needed, windowSecrets(told, asked)...)
	parameters := make([]string, len(needed))
	for i, name := range needed {
		parameters[i] = machine.SecretParameter(c.host.Prefix, name)
	}
	versions, err := c.cloud.Versions(ctx, parameters...) // Before the values: what changes in between is read again.
	if err != nil {
		return nil, err
	}
	var kept keptSecrets
	raw, _ := os.ReadFile(c.kept) // None: the host has just booted.
	if json.Unmarshal(raw, &kept) != nil || !maps.Equal(kept.Versions, versions) {
		values, err := c.cloud.Parameters(ctx, parameters...)
		if err != nil {
			return nil, err
		}
		kept = keptSecrets{Versions: versions, Values: map[string]string{}}
		for name, value := range values {
			kept.Values[name] = value.Reveal()
		}
		if raw, err = json.Marshal(kept); err != nil {
			return nil, fmt.Errorf("secrets of the host: %w", err)
		}
		if err := writeFile(File{Path: c.kept, Text: string(raw), Mode: 0o600}); err != nil {
			return nil, err
		}
	}
	secrets := map[string]config.Secret{}
	for i, name := range needed {
		secrets[name] = config.Secret(kept.Values[parameters[i]])
	}
	return secrets, nil
}
