package machine_test

import (
	"encoding/json"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/infra/machine"
	"github.com/radpanel/radpanel/stacks"
	"github.com/radpanel/radpanel/test/golden"
)

func cloudHost() machine.CloudHost {
	return machine.CloudHost{Name: "panel-1", Region: "eu-central-1", Prefix: "/radpanel/mvp"}
}

// hostSettings gives those of each host of a tier.
func hostSettings(t *testing.T, tier stacks.Tier) []machine.HostSettings {
	t.Helper()
	stack, err := stacks.Load(string(tier), nil)
	require.NoError(t, err)
	var all []machine.HostSettings
	for _, host := range stack.Plan.Blueprint.Hosts {
		for n := 1; n <= host.Count; n++ {
			s := machine.NewHostSettings(stack, host.Role, n)
			s.Release = machine.ReleaseObject{Bucket: "radpanel-releases", Key: "release/arm64.tar.gz", SHA256: strings.Repeat("0123456789abcdef", 4)}
			s.PublicURL, s.Names = "https://panel.example.com", []string{"panel.example.com"}
			s.LogGroup = "/radpanel/" + string(tier)
			s.BackupBucket = "radpanel-backups"
			if host.Disk.Size > 0 {
				s.DataVolume = "vol-0123456789abcdef0"
			}
			if stack.Plan.Blueprint.FileStore.Kind == stacks.FileStoreS3 {
				s.FilesBucket, s.DownloadKeyID = "radpanel-files", "K36X4X2EO997HM"
			}
			if len(stack.Plan.Blueprint.Hosts) > 1 {
				s.Network = netip.MustParsePrefix("10.0.0.0/16")
				s.Balancers = []netip.Addr{netip.MustParseAddr("10.0.0.10")}
				s.Backends = []netip.Addr{netip.MustParseAddr("10.0.1.11"), netip.MustParseAddr("10.0.2.12")}
				s.Databases = []netip.Addr{netip.MustParseAddr("10.0.1.21"), netip.MustParseAddr("10.0.2.22")}
				s.Front = []netip.Prefix{s.Network}
			}
			all = append(all, s)
		}
	}
	return all
}

// What a host is told when it boots fits, and is the same for every tier: nothing of it is to change later.
func TestUserData(t *testing.T) {
	t.Parallel()
	text, err := cloudHost().UserData()
	require.NoError(t, err)
	golden.Check(t, filepath.Join("testdata", "host", "user-data.yaml"), text)
	assert.Less(t, len(text), machine.UserDataLimit/2, "room to grow")
}

// The longest names that are allowed fit too.
func TestUserDataFitsWhateverTheNames(t *testing.T) {
	t.Parallel()
	endpoint := "https://" + strings.Repeat("e", 240) + ".example.com:12345"
	text, err := machine.CloudHost{
		Name: "h" + strings.Repeat("o", 62), Region: strings.Repeat("r", 32), Prefix: "/" + strings.Repeat("p", 500),
		Endpoints: machine.CloudEndpoints{Parameters: endpoint, Objects: endpoint, Logs: endpoint},
	}.UserData()
	require.NoError(t, err)
	assert.Less(t, len(text), machine.UserDataLimit)
}

// cloud-init takes the user data for what it is meant to be.
func TestCloudInitAcceptsTheUserData(t *testing.T) {
	t.Parallel()
	text, err := cloudHost().UserData()
	require.NoError(t, err)
	h := newHost(t, "nobody")
	file := h.write(text, "user-data")
	h.output("cloud-init", "schema", "--config-file", file)
	broken := h.write(strings.Replace(text, "  - path: ", "  - folder: ", 1), "broken")
	refused := h.command(t.Context(), "cloud-init", "schema", "--config-file", broken)
	out, err := refused.CombinedOutput()
	require.Error(t, err, "%s", out)
}

// Whichever mirror the image names, packages come from Debian's own, and nothing else is changed.
func TestTheBootstrapTakesDebiansMirror(t *testing.T) {
	t.Parallel()
	h := newHost(t, "nobody")
	sources := h.mkdir("apt")
	h.mkdir("apt", "mirrors")
	h.mkdir("apt", "sources.list.d")
	h.mkdir("bin")
	for name, text := range map[string]string{"dpkg-query": "echo install ok installed", "curl": "exit 7"} { // There is no cloud to ask.
		require.NoError(t, os.Chmod(h.write("#!/bin/sh\n"+text+"\n", "bin", name), 0o700))
	}
	h.write("https://cdn-aws.mirror.example/debian\n", "apt", "mirrors", "debian.list")
	h.write("URIs: https://cdn-aws.mirror.example/debian-security https://mirror.example/other\n", "apt", "sources.list.d", "debian.sources")
	file := h.write(strings.ReplaceAll(bootstrap(t), "/etc/apt", sources), "bootstrap")
	command := h.command(t.Context(), "sh", file)
	command.Env = []string{"PATH=" + h.path("bin") + ":/usr/bin:/bin", "HOME=" + h.mkdir("home")}
	out, err := command.CombinedOutput()
	require.Error(t, err, "%s", out)
	for name, want := range map[string]string{
		"mirrors/debian.list":           "https://mirror.example/debian\n",
		"sources.list.d/debian.sources": "URIs: https://mirror.example/debian-security https://mirror.example/other\n",
	} {
		text, err := os.ReadFile(filepath.Join(sources, name))
		require.NoError(t, err)
		assert.Equal(t, want, string(text))
	}
}

// bootstrap gives the script that fetches the first release, as user data has it.
func bootstrap(t *testing.T) string {
	t.Helper()
	text, err := cloudHost().UserData()
	require.NoError(t, err)
	_, script, ok := strings.Cut(text, "path: /usr/local/sbin/radpanel-bootstrap")
	require.True(t, ok)
	_, script, _ = strings.Cut(script, "content: |\n")
	script, _, ok = strings.Cut(script, "  - path:")
	require.True(t, ok)
	return strings.ReplaceAll("\n"+script, "\n      ", "\n")[1:]
}

// The script that fetches the first release is one that a shell understands, and a linter.
func TestTheBootstrapIsSound(t *testing.T) {
	t.Parallel()
	h := newHost(t, "nobody")
	file := h.write(bootstrap(t), "bootstrap")
	_, err := exec.LookPath("shellcheck")
	require.NoError(t, err, "shellcheck is not installed: make lint installs it")
	h.output("shellcheck", "--shell=sh", file)
}

// The script installs what it lacks before it asks for anything, and does so again where that has failed.
func TestTheBootstrapInstallsWhatItLacks(t *testing.T) {
	t.Parallel()
	h := newHost(t, "nobody")
	file := h.write(bootstrap(t), "bootstrap")
	h.mkdir("bin")
	for name, text := range map[string]string{
		// The mirror is away at first; curl never finds a cloud.
		"apt-get":    `echo "apt-get $*" >>"$HOME/calls"; case "$*" in *install*) [ -e "$HOME/mirror" ] && touch "$HOME/installed";; esac`,
		"dpkg-query": `for last; do :; done; [ "$last" = ca-certificates ] || [ -e "$HOME/installed" ] || exit 1; echo install ok installed`,
		"curl":       `echo curl >>"$HOME/calls"; exit 7`,
	} {
		require.NoError(t, os.Chmod(h.write("#!/bin/sh\n"+text+"\n", "bin", name), 0o700))
	}
	run := func() []string {
		command := h.command(t.Context(), "sh", file)
		command.Env = []string{"PATH=" + h.path("bin") + ":/usr/bin:/bin", "HOME=" + h.mkdir("home")}
		out, err := command.CombinedOutput()
		require.Error(t, err, "%s", out)
		calls, err := os.ReadFile(h.path("home", "calls"))
		require.NoError(t, err)
		require.NoError(t, os.Remove(h.path("home", "calls")))
		return strings.Split(strings.TrimSpace(string(calls)), "\n")
	}
	for range 2 {
		calls := run()
		require.Len(t, calls, 2, "%v", calls)
		assert.Regexp(t, "^apt-get .* update$", calls[0])
		assert.Regexp(t, "^apt-get .*Acquire::Retries=3 .*Acquire::https::Timeout=20 .*install curl jq$", calls[1])
	}
	h.write("", "home", "mirror")
	assert.Equal(t, "curl", run()[2])
	assert.Equal(t, []string{"curl"}, run(), "all is there")
}

func TestHostSettingsAreReadAsTheyWereWritten(t *testing.T) {
	t.Parallel()
	for _, tier := range []stacks.Tier{stacks.MVP, stacks.Tier1, stacks.Tier2} {
		for _, settings := range hostSettings(t, tier) {
			value, err := settings.Value()
			require.NoError(t, err)
			read, err := machine.ReadHostSettings(value)
			require.NoError(t, err)
			assert.Equal(t, settings, read)
			var later map[string]any
			require.NoError(t, json.Unmarshal([]byte(value), &later))
			later["of_a_later_release"] = true
			raw, err := json.Marshal(later)
			require.NoError(t, err)
			_, err = machine.ReadHostSettings(string(raw))
			require.NoError(t, err, "a release that was gone back to reads the settings of a later one")
		}
	}
}

// A host's role may read what the host needs, and nothing else.
func TestHostSecrets(t *testing.T) {
	t.Parallel()
	expected := map[string][]string{
		"mvp panel":      {"owner-password", "application-password", "pooler-password", "monitor-password", "encryption-key", "backup-passphrase"},
		"tier1 panel":    {"owner-password", "application-password", "pooler-password", "monitor-password", "cache-password", "encryption-key", "backup-passphrase"},
		"tier2 balancer": {"cache-password"},
		"tier2 backend":  {"owner-password", "application-password", "cache-password", "encryption-key", "download-key-1"},
		"tier2 database": {"owner-password", "application-password", "pooler-password", "monitor-password", "replica-password", "backup-passphrase"},
	}
	for _, tier := range []stacks.Tier{stacks.MVP, stacks.Tier1, stacks.Tier2} {
		for _, settings := range hostSettings(t, tier) {
			names, err := settings.Secrets()
			require.NoError(t, err)
			assert.Equal(t, expected[string(tier)+" "+string(settings.Role)], names, "%s %s", tier, settings.Role)
		}
	}
}

func TestHostSettingsThatCannotBe(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*machine.HostSettings){
		`Number "3": expected 1 to 2`:                            func(s *machine.HostSettings) { s.Number = 3 },
		`Role "panel": expected the role of a host of tier2`:     func(s *machine.HostSettings) { s.Role = stacks.RolePanel },
		`Release.SHA256 "abc": expected a SHA-256`:               func(s *machine.HostSettings) { s.Release.SHA256 = "abc" },
		`DataVolume "": expected the id of a volume`:             func(s *machine.HostSettings) { s.DataVolume = "" },
		`DataVolume "/dev/xvdf": expected the id of a volume`:    func(s *machine.HostSettings) { s.DataVolume = "/dev/xvdf" },
		`PublicURL "panel.example.com": expected an origin`:      func(s *machine.HostSettings) { s.PublicURL = "panel.example.com" },
		`Names[0] "a b": expected the name of a host`:            func(s *machine.HostSettings) { s.Names = []string{"a b"} },
		`Backends "10.0.0.1": expected 2 addresses`:              func(s *machine.HostSettings) { s.Backends = []netip.Addr{netip.MustParseAddr("10.0.0.1")} },
		`BackupBucket "": expected the name of a bucket`:         func(s *machine.HostSettings) { s.BackupBucket = "" },
		`LogLevel "loud": expected debug, info, warn or error`:   func(s *machine.HostSettings) { s.LogLevel = "loud" },
		`SessionIdleTimeout "1000h0m0s": expected a time from 1`: func(s *machine.HostSettings) { s.SessionIdleTimeout = 1000 * time.Hour },
	} {
		all := hostSettings(t, stacks.Tier2)
		settings := all[len(all)-1]
		change(&settings)
		_, err := settings.Value()
		assert.ErrorContains(t, err, want)
	}
}
