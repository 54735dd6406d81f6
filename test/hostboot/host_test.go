// Package hostboot boots a Debian 12 with systemd, gives it the user data of a host in a cloud, and looks whether it
// becomes a panel. It needs root, and Debian's packages debootstrap and systemd-container.
package hostboot

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/app/config"
	"github.com/radpanel/radpanel/infra/host"
	"github.com/radpanel/radpanel/infra/machine"
	"github.com/radpanel/radpanel/stacks"
	"github.com/radpanel/radpanel/test/panelclient"
)

const (
	releaseBucket = "radpanel-releases"
	backupBucket  = "radpanel-backups"
	filesBucket   = "radpanel-files"
	logGroup      = "/radpanel/boot"
	alertTopic    = "arn:aws:sns:eu-central-1:123456789012:alarms-0123456"
	panelName     = "panel.test"
	volume        = "vol-0123456789abcdef0"
	// bootPatience is how long a host may take from power on to a panel that serves, installing all packages.
	bootPatience = 6 * time.Minute
	email        = "founder@example.com"
	password     = "a long enough password"
)

// requireBoot skips where this machine cannot boot a container.
func requireBoot(t *testing.T) {
	t.Helper()
	if os.Getenv("RAD_TEST_HOST") == "" {
		t.Skip("SKIPPED: no host is booted; `make test-host` does it, and takes some minutes")
	}
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: to boot a host takes root: systemd-nspawn, a network namespace and a loop device")
	}
	for program, pkg := range map[string]string{"systemd-nspawn": "systemd-container", "debootstrap": "debootstrap", "ip": "iproute2"} {
		_, err := exec.LookPath(program)
		require.NoError(t, err, "%s is not installed: apt-get install %s, or make test-host", program, pkg)
	}
}

// image gives the root folder of a Debian 12, which is made once a week.
func image(t *testing.T, packages []string) string {
	t.Helper()
	script, err := os.ReadFile("image")
	require.NoError(t, err)
	year, week := time.Now().ISOWeek()
	digest := sha256.Sum256([]byte(fmt.Sprint(string(script), packages, year, week)))
	folder := filepath.Join("/var/cache/radpanel-test", "host-"+hex.EncodeToString(digest[:8]))
	if _, err := os.Stat(folder); err == nil {
		return folder
	}
	require.NoError(t, os.MkdirAll(filepath.Dir(folder), 0o755))
	old, err := filepath.Glob("/var/cache/radpanel-test/host-*")
	require.NoError(t, err)
	for _, folder := range old {
		require.NoError(t, os.RemoveAll(folder))
	}
	t.Log("making the image of Debian 12: some minutes, once a week")
	command(t, "./image", append([]string{folder}, packages...)...)
	return folder
}

// booted is a host that was given its user data, and the cloud around it.
type booted struct {
	*testing.T
	cloud     *cloud
	signing   *signing
	container *container
	host      machine.CloudHost
	settings  machine.HostSettings
	transport *http.Transport
	network   *network
	device    string
}

// bootHost boots a host of a tier that has one.
func bootHost(t *testing.T, tier stacks.Tier) *booted {
	t.Helper()
	requireBoot(t)
	network, around := newNetworks(t)
	b := &booted{T: t, cloud: newCloud(t, around), signing: newSigning(t)}
	b.cloud.publishAgent(b.signing)
	b.host = machine.CloudHost{Name: "panel-1", Region: region, Prefix: "/radpanel/" + string(tier), Endpoints: endpoints()}
	stack, err := stacks.Load(string(tier), nil)
	require.NoError(t, err)
	b.settings = machine.NewHostSettings(stack, stacks.RolePanel, 1)
	b.settings.PublicURL, b.settings.Names = "https://"+panelName, []string{panelName}
	b.settings.DataVolume, b.settings.BackupBucket, b.settings.LogGroup, b.settings.AlertTopic = volume, backupBucket, logGroup, alertTopic
	b.settings.ACMEDirectory = b.cloud.startACME()
	b.settings.Release = b.release("first", nil)
	b.cloud.makeSecrets(b.host.Prefix, mostParts(t))
	b.configure()

	b.powerOn(network, panelName+" "+b.host.Name)
	b.transport = network.transport(map[string]string{panelName + ":443": "127.0.0.1:443", panelName + ":80": "127.0.0.1:80"})
	b.transport.TLSClientConfig = &tls.Config{InsecureSkipVerify: true} // Nobody has issued a certificate.
	t.Cleanup(b.transport.CloseIdleConnections)
	return b
}

// powerOn boots the host, which is given its user data and a network.
func (b *booted) powerOn(n *network, names string) {
	b.Helper()
	// A host with all parts has all packages.
	b.container = newContainer(b.T, image(b.T, append(allPackages(b.T), "curl", "jq")))
	userData, err := b.host.UserData()
	require.NoError(b, err)
	b.container.write("/var/lib/cloud/seed/nocloud/user-data", userData)
	b.container.write("/var/lib/cloud/seed/nocloud/meta-data", "instance-id: i-"+b.host.Name+"\nlocal-hostname: "+b.host.Name+"\n")
	b.container.write("/etc/hosts", "127.0.0.1 localhost "+names+"\n"+cloudAddress+" "+objectsName+" "+acmeName+"\n")
	b.container.write("/usr/local/share/ca-certificates/test.crt", string(b.cloud.authority))
	command(b.T, "chroot", b.container.root, "update-ca-certificates")
	b.container.write("/var/log/journal/.keep", "")
	b.network = n
	if b.settings.DataVolume != "" {
		b.device = blockDevice(b.T, 3<<30)
	}
	b.container.boot(b.network, b.device, b.settings.DataVolume)
}

// endpoints are where the cloud of a test is.
func endpoints() machine.CloudEndpoints {
	return machine.CloudEndpoints{
		Parameters: "http://" + parametersAddress, Objects: "https://" + objectsName + ":4443",
		Logs: "http://" + watchAddress, Figures: "http://" + watchAddress, Topics: "http://" + topicsAddress,
	}
}

// makeSecrets makes those of a stack.
func (c *cloud) makeSecrets(prefix string, blueprint stacks.Blueprint) {
	for _, secret := range machine.StackSecrets(blueprint) {
		random := make([]byte, secret.Bytes)
		_, _ = rand.Read(random)
		c.setParameter(machine.SecretParameter(prefix, secret.Name), base64.StdEncoding.EncodeToString(random))
	}
}

// mostParts is the blueprint of a tier with every part that one host may have.
func mostParts(t *testing.T) stacks.Blueprint {
	t.Helper()
	plan, err := stacks.Plan().Tier(stacks.Tier1)
	require.NoError(t, err)
	return plan.Blueprint
}

func allPackages(t *testing.T) []string {
	t.Helper()
	stack, err := stacks.Load("tier1", nil)
	require.NoError(t, err)
	settings := machine.NewHostSettings(stack, stacks.RolePanel, 1)
	settings.Names, settings.DataVolume, settings.AlertTopic = []string{panelName}, volume, alertTopic
	secrets := map[string]config.Secret{}
	for _, s := range machine.StackSecrets(stack.Plan.Blueprint) {
		secrets[s.Name] = "x"
	}
	site, err := host.NewSite(machine.CloudHost{}, settings, secrets, machine.Resources{}, "/", host.Certificate{})
	require.NoError(t, err)
	return site.Packages()
}

// configure puts the settings where the host looks for them.
func (b *booted) configure() {
	b.Helper()
	value, err := b.settings.Value()
	require.NoError(b, err)
	b.cloud.setParameter(b.host.SettingsParameter(), value)
}

// converge has the host look at once, not within a minute.
func (b *booted) converge() (string, error) {
	ctx, cancel := context.WithTimeout(b.Context(), 5*time.Minute)
	defer cancel()
	// A run that is under way has read the settings already.
	b.container.run("systemctl", "stop", "radpanel-converge.timer")
	b.container.eventually(5*time.Minute, "the end of the run before", func() error {
		if state, _ := b.container.try(ctx, "systemctl", "is-active", "radpanel-converge.service"); state == "activating" {
			return fmt.Errorf("it is %s", state)
		}
		return nil
	})
	return b.container.try(ctx, "systemctl", "start", "radpanel-converge.service")
}

// release uploads what `make release` made, with some files replaced.
func (b *booted) release(name string, replace map[string]string) machine.ReleaseObject {
	b.Helper()
	source := "../../dist/release"
	_, err := os.Stat(filepath.Join(source, machine.ReleaseProgram))
	require.NoError(b, err, "the release is not built: make test-host builds it")
	file, err := os.Create(filepath.Join(b.TempDir(), name+".tar.gz"))
	require.NoError(b, err)
	hash := sha256.New()
	zipped := gzip.NewWriter(io.MultiWriter(file, hash))
	archive := tar.NewWriter(zipped)
	require.NoError(b, filepath.WalkDir(source, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		inside, err := filepath.Rel(source, path)
		if err != nil {
			return err
		}
		if other, ok := replace[inside]; ok {
			content = []byte(other)
		}
		if inside == machine.ReleaseAgentKey {
			content = []byte(b.signing.key())
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		if err := archive.WriteHeader(&tar.Header{Name: inside, Mode: int64(info.Mode().Perm()), Size: int64(len(content))}); err != nil {
			return err
		}
		_, err = archive.Write(content)
		return err
	}))
	require.NoError(b, archive.Close())
	require.NoError(b, zipped.Close())
	require.NoError(b, file.Close())
	key := "releases/" + name + ".tar.gz"
	b.cloud.put(releaseBucket, key, file.Name())
	return machine.ReleaseObject{Bucket: releaseBucket, Key: key, SHA256: hex.EncodeToString(hash.Sum(nil))}
}

// get asks the web server by https.
func (b *booted) get(path string) (status int, body string, err error) {
	ctx, cancel := context.WithTimeout(b.Context(), 10*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+panelName+path, nil)
	if err != nil {
		return 0, "", err
	}
	// Files that are compressed ahead are not replaced in a test's release.
	request.Header.Set("Accept-Encoding", "identity")
	response, err := (&http.Client{Transport: b.transport}).Do(request)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	return response.StatusCode, string(text), err
}

// at gives the same host for a test within the test.
func (b *booted) at(t *testing.T) *booted {
	inner := *b
	inner.T = t
	return &inner
}

// awaits waits until what is asked is so. If it never is, the test within the test fails, and not those after it.
func (b *booted) awaits(patience time.Duration, what string, so func() error) {
	b.Helper()
	if err := b.container.await(patience, so); err != nil {
		require.NoError(b, err, what)
	}
}

// serves waits until the panel answers through the web server.
func (b *booted) serves(patience time.Duration) {
	b.Helper()
	b.container.eventually(patience, "a panel that serves", func() error {
		status, body, err := b.get(machine.NginxServiceHealthPath)
		if err == nil && status != http.StatusOK {
			err = fmt.Errorf("%d %s", status, body)
		}
		return err
	})
}

// isUp tells whether a unit runs.
func (b *booted) isUp(unit string) bool {
	out, err := b.container.try(b.Context(), "systemctl", "is-active", unit+".service")
	return err == nil && out == "active"
}

func (b *booted) browser() *panelclient.Client {
	b.Helper()
	client, err := panelclient.Over("https://"+panelName, b.transport)
	require.NoError(b, err)
	return client
}

// A host that is given its user data and nothing else becomes an MVP, survives a restart, grows into tier 1 where it is,
// takes new releases, and gives back one that does not work.
func TestAHostBecomesAPanel(t *testing.T) {
	b := bootHost(t, stacks.MVP)
	begun := time.Now()
	b.serves(bootPatience)
	t.Logf("from power on to a panel that serves: %s", time.Since(begun).Round(time.Second))

	user := b.browser()
	_, err := user.SignUp(t.Context(), email, password)
	require.NoError(t, err)
	panel, err := user.CreatePanel(t.Context(), "Orders")
	require.NoError(t, err)
	record, err := user.CreateRecord(t.Context(), panel.ID, "First order", map[string]any{"customer": "Ada"})
	require.NoError(t, err)
	b.sees(user, panel.ID, record.ID)
	assert.False(t, b.isUp("radpanel-redis"), "the MVP has no cache")
	b.holdsNoSecret()

	t.Run("logs and figures arrive", func(t *testing.T) { b.at(t).isWatched() })

	t.Run("an alert is told, and its end", func(t *testing.T) { b.at(t).tellsAlerts() })

	t.Run("a certificate", func(t *testing.T) { b.at(t).getsCertificates() })

	t.Run("the agent of Session Manager runs", func(t *testing.T) { b.at(t).hasAgent() })

	t.Run("plain HTTP leads to https", func(t *testing.T) {
		client := &http.Client{Transport: b.transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+panelName+"/panels?a=b", nil)
		require.NoError(t, err)
		response, err := client.Do(request)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		assert.Equal(t, "https://"+panelName+"/panels?a=b", response.Header.Get("Location"))
	})

	t.Run("a restart", func(t *testing.T) {
		_, _ = b.container.try(t.Context(), "systemctl", "poweroff") // The command ends with the container.
		select {
		case <-b.container.ended:
		case <-time.After(2 * time.Minute):
			require.FailNow(t, "the host does not shut down")
		}
		b.container.boot(b.network, b.device, volume)
		b.serves(2 * time.Minute)
		b.sees(user, panel.ID, record.ID)
	})

	t.Run("tier 1 on the same host", func(t *testing.T) {
		b.settings.Tier = stacks.Tier1
		b.configure()
		out, err := b.converge()
		require.NoError(t, err, "%s", out)
		b.serves(time.Minute)
		assert.True(t, b.isUp("radpanel-redis"))
		b.sees(user, panel.ID, record.ID)
		assert.Contains(t, b.container.run("cat", "/run/radpanel/radpanel-nginx/nginx.conf"), "gzip on;")
	})

	t.Run("back to a moment", func(t *testing.T) { b.at(t).restores(user, panel.ID, record.ID) })

	t.Run("nothing to do", func(t *testing.T) {
		before := b.container.run("systemctl", "show", "--property=MainPID", "radpanel-postgresql", "radpanel-panel", "radpanel-nginx", "radpanel-redis")
		out, err := b.converge()
		require.NoError(t, err, "%s", out)
		assert.Equal(t, before, b.container.run("systemctl", "show", "--property=MainPID", "radpanel-postgresql", "radpanel-panel", "radpanel-nginx", "radpanel-redis"))
		decrypted := b.cloud.readSecrets()
		out, err = b.converge()
		require.NoError(t, err, "%s", out)
		assert.Equal(t, decrypted, b.cloud.readSecrets(), "secrets that have not changed are not decrypted again")
	})

	t.Run("a new release", func(t *testing.T) {
		postgres := b.container.run("systemctl", "show", "--property=MainPID", "radpanel-postgresql")
		b.settings.Release = b.release("second", map[string]string{"web/robots.txt": "", "web/index.html": "<!doctype html><title>The second</title>"})
		b.configure()
		out, err := b.converge()
		require.NoError(t, err, "%s", out)
		// nginx lets its old workers go a moment after the new ones serve.
		b.container.eventually(10*time.Second, "the new front end", func() error {
			_, body, err := b.get("/")
			if err == nil && !strings.Contains(body, "The second") {
				err = fmt.Errorf("the old one: %.60s", body)
			}
			return err
		})
		assert.Equal(t, postgres, b.container.run("systemctl", "show", "--property=MainPID", "radpanel-postgresql"), "the database is not restarted")
		b.sees(user, panel.ID, record.ID)
	})

	t.Run("a release that does not work", func(t *testing.T) {
		working := b.settings.Release
		b.settings.Release = b.release("broken", map[string]string{"bin/radpanel": "#!/bin/sh\nexit 1\n"})
		b.configure()
		_, err := b.converge()
		require.Error(t, err, "it is told")
		b.serves(time.Minute)
		b.sees(user, panel.ID, record.ID)
		assert.Contains(t, b.container.run("readlink", host.CurrentRelease), working.SHA256)
		out, err := b.converge()
		require.NoError(t, err, "it is not tried again and again: %s", out)
		b.settings.Release = working
		b.configure()
	})

	t.Run("an object that is not what was released", func(t *testing.T) {
		working := b.settings.Release
		b.settings.Release = b.release("forged", nil)
		b.settings.Release.SHA256 = strings.Repeat("0", 64)
		b.configure()
		_, err := b.converge()
		require.Error(t, err)
		assert.Contains(t, b.container.run("journalctl", "--unit=radpanel-converge", "--lines=20", "--output=cat"), "its SHA-256 is")
		b.sees(user, panel.ID, record.ID)
		b.settings.Release = working
		b.configure()
	})
}

// What was lost whole is put back as it was at a moment: with what was written before it, without what came after.
func (b *booted) restores(user *panelclient.Client, panel, record string) {
	b.Helper()
	const files = "find /srv/radpanel/files -type f -exec sha256sum {} + | sort"
	_, err := user.Upload(b.Context(), panel, "invoice.txt", strings.NewReader("an invoice"))
	require.NoError(b, err)
	b.container.run("systemctl", "start", "radpanel-backup.service")
	kept, err := user.CreateRecord(b.Context(), panel, "After the backup", nil)
	require.NoError(b, err)
	b.container.run("systemctl", "start", "radpanel-backup-files.service")
	before := b.container.run("sh", "-c", files)
	require.NotEmpty(b, before)
	moment := time.Now().UTC().Format(time.RFC3339Nano)
	late, err := user.CreateRecord(b.Context(), panel, "After the moment", nil)
	require.NoError(b, err)

	psql := []string{"runuser", "-u", "postgres", "--", "psql", "-h", "/run/radpanel-postgresql", "-AXtc"}
	last := b.container.run(append(psql, "SELECT pg_walfile_name(pg_switch_wal())")...)
	b.container.eventually(2*time.Minute, "the write-ahead log in the bucket", func() error {
		archived := b.container.run(append(psql, "SELECT last_archived_wal FROM pg_stat_archiver")...)
		if archived < last {
			return fmt.Errorf("%s of %s", archived, last)
		}
		return nil
	})
	b.container.run("systemctl", "stop", "radpanel-converge.timer", "radpanel-panel", "radpanel-pgbouncer", "radpanel-postgresql")
	b.container.run("sh", "-c", "rm -rf /srv/radpanel/postgresql/data /srv/radpanel/files/*")
	b.container.run("/opt/radpanel/current/bin/rad-host", "restore", "--time", moment)

	b.serves(time.Minute)
	b.sees(user, panel, record)
	require.NoError(b, user.Do(b.Context(), http.MethodGet, "/panels/"+panel+"/records/"+kept.ID, nil, nil))
	err = user.Do(b.Context(), http.MethodGet, "/panels/"+panel+"/records/"+late.ID, nil, nil)
	assert.Equal(b, http.StatusNotFound, panelclient.StatusOf(err))
	assert.Equal(b, before, b.container.run("sh", "-c", files))
}

// sees reads a record as its owner.
func (b *booted) sees(user *panelclient.Client, panel, record string) {
	b.Helper()
	var found panelclient.Record
	require.NoError(b, user.Do(b.Context(), http.MethodGet, "/panels/"+panel+"/records/"+record, nil, &found))
	assert.Equal(b, "First order", found.Title)
}

// holdsNoSecret looks for the secrets wherever they must not be: on the disk, in the journal, in command lines.
func (b *booted) holdsNoSecret() {
	b.Helper()
	for _, s := range machine.StackSecrets(mostParts(b.T)) {
		value := b.cloud.parameters[machine.SecretParameter(b.host.Prefix, s.Name)]
		for _, place := range []string{"/etc", "/var/lib/radpanel", "/var/lib/cloud", "/var/log", "/opt/radpanel", "/usr/local"} {
			out, err := b.container.try(b.Context(), "grep", "--recursive", "--fixed-strings", "--text", "--files-with-matches", "--", value, place)
			assert.Error(b, err, "%s is in %s", s.Name, out)
		}
		assert.NotContains(b, b.container.run("ps", "-eo", "args"), value, s.Name)
		assert.NotContains(b, b.container.run("journalctl", "--no-pager"), value, s.Name)
	}
}
