package host

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/radpanel/radpanel/infra/machine"
	"github.com/radpanel/radpanel/stacks"
)

// stamps is the folder that tells with which files each service runs. It is in memory, as the services are.
const stamps = confFolder + "/applied"

// stamp tells with what a service was started, and what it has read again since.
type stamp struct{ started, reloaded string }

func (s stamp) String() string { return s.started + " " + s.reloaded }

// stampOf gives the one that a service has once it runs with its files as they are to be.
func stampOf(service Service) (stamp, error) {
	_, unit, err := service.Unit.File()
	if err != nil {
		return stamp{}, err
	}
	started, reloaded := sha256.New(), sha256.New()
	_, _ = fmt.Fprintf(started, "%s\x00", unit) // A hash never fails to write.
	for _, file := range service.Files {
		into := started
		if slices.Contains(service.Reloadable, file.Path) {
			into = reloaded
		}
		_, _ = fmt.Fprintf(into, "%s\x00%o\x00%s\x00%s\x00", file.Path, file.Mode, file.Owner, file.Text)
	}
	return stamp{hex.EncodeToString(started.Sum(nil)), hex.EncodeToString(reloaded.Sum(nil))}, nil
}

func readStamp(name string) stamp {
	raw, _ := os.ReadFile(filepath.Join(stamps, name)) //nolint:gosec // A path of the host's own. None: it did not run yet.
	started, reloaded, _ := strings.Cut(string(raw), " ")
	return stamp{started, reloaded}
}

// start writes all files and units, and brings up every service that does not run with them.
func (c *converger) start(ctx context.Context, site Site) error {
	units, err := site.Units()
	if err != nil {
		return err
	}
	tasks, err := site.Tasks()
	if err != nil {
		return err
	}
	services, err := site.Services()
	if err != nil {
		return err
	}
	for _, file := range units {
		if err := writeFile(file); err != nil {
			return err
		}
	}
	if err := run(ctx, "systemctl", "daemon-reload"); err != nil {
		return err
	}
	for _, task := range tasks {
		for _, file := range task.Files {
			if err := writeFile(file); err != nil {
				return err
			}
		}
	}
	for _, service := range services {
		changed, err := c.startService(ctx, site, service)
		if err != nil && service.Aside && ctx.Err() == nil {
			c.log.ErrorContext(ctx, "the panel is up, but not all that goes with it", "unit", service.Unit.Name, "error", err)
			continue
		}
		if err != nil {
			return fmt.Errorf("%s: %w", service.Unit.Name, err)
		}
		if service.Unit.Name == postgresqlUnit && site.backsUpDatabase() {
			if err := c.reconcileDatabase(ctx, site, changed); err != nil {
				return err
			}
		}
	}
	return errors.Join(c.stopOthers(ctx, services), site.forgetWindow())
}

// reconcileDatabase makes the database and the roles, if the server was started or anything about them has changed.
func (c *converger) reconcileDatabase(ctx context.Context, site Site, started bool) error {
	database, err := site.database()
	if err != nil {
		return err
	}
	digest := sha256.New()
	for _, role := range []string{machine.OwnerPassword, machine.ApplicationPassword, machine.ReplicaPassword, machine.MonitorPassword} {
		_, _ = fmt.Fprintf(digest, "%s\x00", site.secrets[role].Reveal())
	}
	_, _ = fmt.Fprintf(digest, "%q", database.Statements)
	_, _ = fmt.Fprintf(digest, "%s", site.window.describe(site.secrets[machine.PromotionPassword]))
	now := stamp{hex.EncodeToString(digest.Sum(nil)), ""}
	if !started && readStamp("database") == now {
		return nil
	}
	if err := errors.Join(database.Reconcile(ctx), site.endPromotion(ctx, database)); err != nil {
		return err
	}
	return writeStamp("database", now)
}

func writeStamp(name string, s stamp) error {
	return writeFile(File{Path: filepath.Join(stamps, name), Text: s.String(), Mode: 0o600})
}

// startService starts a service, starts it anew, has it read its files again, or leaves it alone. Changed says that it was
// started.
func (c *converger) startService(ctx context.Context, site Site, service Service) (changed bool, err error) {
	unit := service.Unit.Name + ".service"
	wanted, err := stampOf(service)
	if err != nil {
		return false, err
	}
	known := readStamp(service.Unit.Name)
	active := run(ctx, "systemctl", "is-active", "--quiet", unit) == nil
	if active && known == wanted {
		return false, nil
	}
	for _, file := range service.Files {
		if err := writeFile(file); err != nil {
			return false, err
		}
	}
	verb := "restart"
	if active && known.started == wanted.started {
		verb = "reload"
	}
	if verb == "restart" && active && service.Unit.Name == panelUnit {
		if err := takeTurn(ctx, site); err != nil {
			return false, err
		}
	}
	c.log.InfoContext(ctx, verb, "unit", unit)
	if err := run(ctx, "systemctl", verb, unit); err != nil {
		return false, errors.Join(err, said(ctx, unit))
	}
	lives := func(ctx context.Context) error { return checkRestarts(ctx, unit) }
	if err := service.Ready.await(ctx, lives); err != nil {
		return false, errors.Join(err, said(ctx, unit))
	}
	return verb == "restart", writeStamp(service.Unit.Name, wanted)
}

// said gives the last that a unit wrote, as an error.
func said(ctx context.Context, unit string) error {
	text, err := output(ctx, "journalctl", "--no-pager", "--output=cat", "--lines=15", "--unit="+unit)
	if err != nil {
		return err
	}
	return fmt.Errorf("%s said last: %s", unit, text)
}

const (
	// turn is how long after its predecessor an instance starts anew: the balancer has taken that one up again by then.
	turn = 20 * time.Second
	// probeTimeout bounds one question, probeEvery is how often it is asked.
	probeTimeout = 5 * time.Second
	probeEvery   = 200 * time.Millisecond
)

// Before gives the instances of the service that start anew before this host's: it asks them whether they serve.
func (s Site) Before() []netip.AddrPort {
	if !s.runs(stacks.PartBackend) {
		return nil
	}
	return s.backends()[:s.settings.Number-1]
}

// takeTurn waits until it is this instance's turn to start anew: those with smaller numbers come first, and must serve.
func takeTurn(ctx context.Context, site Site) error {
	before := site.Before()
	if len(before) == 0 {
		return nil
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(turn * time.Duration(len(before))):
	}
	for _, backend := range before {
		probe := Probe{URL: "http://" + backend.String() + "/readyz", Timeout: 3 * time.Minute}
		if err := probe.await(ctx, func(context.Context) error { return nil }); err != nil {
			return fmt.Errorf("the instance before this one does not serve, so this one goes on as it is: %w", err)
		}
	}
	return nil
}

// restartsLimit is how often a service may end in the first moments: one that it needs may have to come first.
const restartsLimit = 10

// checkRestarts tells by its error that a service ends again and again: it will not serve.
func checkRestarts(ctx context.Context, unit string) error {
	text, err := output(ctx, "systemctl", "show", "--property=NRestarts", "--value", unit)
	if err != nil {
		return err
	}
	restarts, err := strconv.Atoi(text)
	if err != nil {
		return fmt.Errorf("%s: NRestarts %q: expected a number", unit, text)
	}
	if restarts >= restartsLimit {
		return fmt.Errorf("it has ended and been started again %d times", restarts)
	}
	return nil
}

// await waits until a service serves, as long as it lives.
func (p Probe) await(ctx context.Context, lives func(context.Context) error) error {
	if p.URL == "" && p.Socket == "" {
		return lives(ctx)
	}
	ctx, cancel := context.WithTimeout(ctx, p.Timeout)
	defer cancel()
	for {
		err := p.ask(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("it does not serve after %s: %w", p.Timeout, err)
		case <-time.After(probeEvery):
		}
		if dead := lives(ctx); dead != nil && ctx.Err() == nil {
			return errors.Join(dead, err)
		}
	}
}

func (p Probe) ask(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	if p.Socket != "" {
		connection, err := (&net.Dialer{}).DialContext(ctx, "unix", p.Socket)
		if err != nil {
			return err
		}
		return connection.Close()
	}
	// The certificate is for the names that browsers use, and self-signed at first: this asks the host's own server.
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true} //nolint:gosec // Said above.
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.URL, nil)
	if err != nil {
		return err
	}
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, 4096))
	switch {
	case err != nil:
	case response.StatusCode != http.StatusOK:
		err = fmt.Errorf("%s answered %s", p.URL, response.Status)
	case !strings.Contains(string(body), p.Body):
		err = fmt.Errorf("%s answered %q: expected %q in it", p.URL, body, p.Body)
	}
	return errors.Join(err, response.Body.Close())
}

// stopOthers stops what the host ran before and runs no more, such as a cache after a step back.
func (c *converger) stopOthers(ctx context.Context, services []Service) error {
	for _, unit := range []string{
		postgresqlUnit, pgbouncerUnit, redisUnit, panelUnit, healthUnit, nginxUnit,
		postgresExporterUnit, redisExporterUnit, blackboxUnit, prometheusUnit, shipUnit,
	} {
		if slices.ContainsFunc(services, func(s Service) bool { return s.Unit.Name == unit }) {
			continue
		}
		if err := run(ctx, "systemctl", "is-active", "--quiet", unit+".service"); err != nil {
			continue // It does not run.
		}
		c.log.InfoContext(ctx, "stop", "unit", unit)
		if err := run(ctx, "systemctl", "stop", unit+".service"); err != nil {
			return err
		}
	}
	return nil
}

// startTasks enables the timers, and makes the repository of backups.
func (c *converger) startTasks(ctx context.Context, site Site) error {
	tasks, err := site.Tasks()
	if err != nil {
		return err
	}
	var errs []error
	for _, task := range tasks {
		timer := task.Timer.Name + ".timer"
		if run(ctx, "systemctl", "is-enabled", "--quiet", timer) != nil || run(ctx, "systemctl", "is-active", "--quiet", timer) != nil {
			errs = append(errs, run(ctx, "systemctl", "enable", "--now", timer))
		}
	}
	if site.runs(stacks.PartDatabase) && site.backsUpDatabase() {
		errs = append(errs, c.startBackups(ctx, site))
	}
	return errors.Join(errs...)
}

// stanzaStamp tells that the repository knows the database, which a replaced host finds out anew.
func (c *converger) startBackups(ctx context.Context, site Site) error {
	known := stamp{site.settings.BackupBucket, ""}
	if readStamp("stanza") == known {
		return nil
	}
	if err := run(ctx, "runuser", asPostgres(BackupCommand("stanza-create")...)...); err != nil {
		return err
	}
	info, err := output(ctx, "runuser", asPostgres(BackupCommand("info", "--output=json")...)...)
	if err != nil {
		return err
	}
	if strings.Contains(info, `"backup":[]`) { // The first one is not waited for until the night.
		if err := run(ctx, "systemctl", "start", "--no-block", backupUnit+".service"); err != nil {
			return err
		}
	}
	return writeStamp("stanza", known)
}
