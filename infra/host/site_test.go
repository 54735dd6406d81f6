package host_test

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/app/config"
	"github.com/radpanel/radpanel/infra/host"
	"github.com/radpanel/radpanel/infra/machine"
	"github.com/radpanel/radpanel/stacks"
	"github.com/radpanel/radpanel/test/golden"
)

const release = host.ReleasesFolder + "/0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

// secrets are such that each is told from the others, and from everything else.
func secrets() map[string]config.Secret {
	all := map[string]config.Secret{}
	for _, secret := range []string{
		machine.OwnerPassword, machine.ApplicationPassword, machine.PoolerPassword, machine.ReplicaPassword, machine.CachePassword, machine.MonitorPassword, machine.BackupPassphrase,
	} {
		all[secret] = config.Secret("secret+of/" + strings.ReplaceAll(secret, "-", "") + "=")
	}
	// Made by openssl for this test.
	all[machine.DownloadKey(1)] = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgzJcWsp81GhdlwRQ4ctSX2FSLgmIWPqeSRu2P3RRaknqhRANCAASThFgyyt2xdUfrXnyMQcPOWgC1" +
		"3ofCrGlkokPrQoMDbU9l62KTG329WJ+T9HTwsVspcp5w1MLj3+4c5DuhxaHo"
	all[machine.EncryptionKey] = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
	return all
}

// sites gives the site of each host of a tier, by its name.
func sites(t *testing.T, tier stacks.Tier) map[string]host.Site {
	t.Helper()
	stack, err := stacks.Load(string(tier), nil)
	require.NoError(t, err)
	all := map[string]host.Site{}
	for _, asked := range stack.Plan.Blueprint.Hosts {
		for n := 1; n <= asked.Count; n++ {
			settings := machine.NewHostSettings(stack, asked.Role, n)
			settings.PublicURL, settings.Names = "https://panel.example.com", []string{"panel.example.com"}
			settings.BackupBucket, settings.FilesBucket = "radpanel-backups", "radpanel-files"
			settings.DownloadKeyID = "K36X4X2EO997HM"
			settings.LogGroup, settings.AlertTopic = "/radpanel/"+string(tier), "arn:aws:sns:eu-central-1:123456789012:alarms-0123456"
			if asked.Disk.Size > 0 {
				settings.DataVolume = "vol-0123456789abcdef0"
			}
			if len(stack.Plan.Blueprint.Hosts) > 1 {
				settings.Network = netip.MustParsePrefix("10.0.0.0/16")
				settings.Balancers = []netip.Addr{netip.MustParseAddr("10.0.0.10")}
				settings.Backends = []netip.Addr{netip.MustParseAddr("10.0.1.11"), netip.MustParseAddr("10.0.2.12")}
				settings.Databases = []netip.Addr{netip.MustParseAddr("10.0.1.21"), netip.MustParseAddr("10.0.2.22")}
			}
			name := fmt.Sprintf("%s-%d", asked.Role, n)
			cloudHost := machine.CloudHost{Name: name, Region: "eu-central-1", Prefix: "/radpanel/" + string(tier)}
			site, err := host.NewSite(cloudHost, settings, secrets(), machine.ResourcesOf(asked), release,
				host.Certificate{Chain: "a certificate\n", Key: "a key\n"})
			require.NoError(t, err)
			all[name] = site
		}
	}
	return all
}

// What a host is given is in testdata, to be read, and a change of it to be seen in review.
func TestGolden(t *testing.T) {
	t.Parallel()
	for _, tier := range []stacks.Tier{stacks.MVP, stacks.Tier1, stacks.Tier2} {
		for name, site := range sites(t, tier) {
			var text strings.Builder
			fmt.Fprintf(&text, "Packages: %s\n", strings.Join(site.Packages(), " "))
			for _, file := range allFiles(t, site) {
				fmt.Fprintf(&text, "\n=== %s %04o %s\n%s", file.Path, file.Mode, file.Owner, file.Text)
			}
			golden.Check(t, filepath.Join("testdata", string(tier), name+".txt"), text.String())
		}
	}
}

func allFiles(t *testing.T, site host.Site) []host.File {
	t.Helper()
	files := site.System()
	units, err := site.Units()
	require.NoError(t, err)
	services, err := site.Services()
	require.NoError(t, err)
	tasks, err := site.Tasks()
	require.NoError(t, err)
	files = append(files, units...)
	for _, service := range services {
		files = append(files, service.Files...)
	}
	for _, task := range tasks {
		files = append(files, task.Files...)
	}
	return files
}

// A secret is in files that one account may read, and nothing that anybody may read has one.
func TestSecretsAreInFilesOfOneAccount(t *testing.T) {
	t.Parallel()
	for _, tier := range []stacks.Tier{stacks.MVP, stacks.Tier1, stacks.Tier2} {
		for name, site := range sites(t, tier) {
			found := 0
			for _, file := range allFiles(t, site) {
				for secret, value := range secrets() {
					if !strings.Contains(file.Text, value.Reveal()) {
						continue
					}
					found++
					assert.Equal(t, os.FileMode(0o600), file.Mode, "%s %s: %s holds %s", tier, name, file.Path, secret)
					assert.True(t, strings.HasPrefix(file.Path, "/run/"), "%s %s: %s is not in memory", tier, name, file.Path)
				}
			}
			if name != "balancer-1" { // It has a digest of the cache's password.
				assert.Positive(t, found, "%s %s: the test sees no secret at all", tier, name)
			}
		}
	}
}

func TestASecretThatIsMissingIsNamed(t *testing.T) {
	t.Parallel()
	stack, err := stacks.Load("mvp", nil)
	require.NoError(t, err)
	some := secrets()
	delete(some, machine.EncryptionKey)
	_, err = host.NewSite(machine.CloudHost{Prefix: "/radpanel/mvp"}, machine.NewHostSettings(stack, stacks.RolePanel, 1), some,
		machine.Resources{}, release, host.Certificate{})
	require.ErrorContains(t, err, "parameter /radpanel/mvp/secrets/encryption-key is missing")
}

// systemd itself understands the units, and finds that they are confined.
func TestUnitsAreWhatSystemdUnderstands(t *testing.T) {
	t.Parallel()
	_, err := exec.LookPath("systemd-analyze")
	require.NoError(t, err, "systemd-analyze is not installed: make test installs it")
	for _, tier := range []stacks.Tier{stacks.MVP, stacks.Tier1, stacks.Tier2} {
		for name, site := range sites(t, tier) {
			folder := t.TempDir()
			units, err := site.Units()
			require.NoError(t, err)
			var paths []string
			for _, unit := range units {
				// The programs are not installed here.
				text := strings.NewReplacer("ExecStart=/", "ExecStart=/bin/true /", "ExecReload=/usr/sbin/nginx", "ExecReload=/bin/true").Replace(unit.Text)
				path := filepath.Join(folder, filepath.Base(unit.Path))
				require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
				paths = append(paths, path)
			}
			verify := exec.CommandContext(t.Context(), "systemd-analyze", append([]string{"verify", "--man=no", "--recursive-errors=no"}, paths...)...)
			verify.Env = append(os.Environ(), "SYSTEMD_UNIT_PATH="+folder+":/lib/systemd/system")
			out, err := verify.CombinedOutput()
			require.NoError(t, err, "%s %s: %s", tier, name, out)
			assert.NotContains(t, string(out), folder, "%s %s", tier, name)
			for _, path := range paths {
				if strings.HasSuffix(path, ".timer") || strings.Contains(path, "converge") {
					continue
				}
				// 10 is a unit that may do anything.
				threshold := "--threshold=20"
				if strings.Contains(path, "certificate") { // Certbot runs as root, and gives files to their owner.
					threshold = "--threshold=26"
				}
				security := exec.CommandContext(t.Context(), "systemd-analyze", "security", "--offline=yes", "--no-pager", threshold, path)
				out, err := security.CombinedOutput()
				require.NoError(t, err, "%s", out)
			}
		}
	}
}
