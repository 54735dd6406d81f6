package host_test

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/infra/host"
	"github.com/radpanel/radpanel/infra/machine"
	"github.com/radpanel/radpanel/stacks"
	"github.com/radpanel/radpanel/test/golden"
)

// windowCase is a host of a stack that takes part in a promotion.
type windowCase struct {
	name   string
	tier   stacks.Tier
	role   stacks.Role
	leaves bool
	// forward tells that the panel has moved on.
	forward bool
}

func windowCases() []windowCase {
	return []windowCase{
		{"mvp-leaves", stacks.MVP, stacks.RolePanel, true, false},
		{"mvp-left", stacks.MVP, stacks.RolePanel, true, true},
		{"tier1-comes", stacks.Tier1, stacks.RolePanel, false, false},
		{"tier2-comes-database", stacks.Tier2, stacks.RoleDatabase, false, false},
		{"tier2-comes-balancer", stacks.Tier2, stacks.RoleBalancer, false, false},
		{"tier2-comes-backend", stacks.Tier2, stacks.RoleBackend, false, false},
	}
}

// site gives the host in the window, or without.
func (c windowCase) site(t *testing.T, open bool) host.Site {
	t.Helper()
	stack, err := stacks.Load(string(c.tier), nil)
	require.NoError(t, err)
	own, other := netip.MustParseAddr("10.71.0.10"), netip.MustParseAddr("10.220.0.10")
	settings := machine.NewHostSettings(stack, c.role, 1)
	settings.PublicURL, settings.Names = "https://panel.example.com", []string{"panel.example.com"}
	settings.BackupBucket, settings.FilesBucket = "radpanel-backups", "radpanel-files"
	settings.DownloadKeyID = "K36X4X2EO997HM"
	asked, _ := stack.Plan.Blueprint.Host(c.role)
	if asked.Disk.Size > 0 {
		settings.DataVolume = "vol-0123456789abcdef0"
	}
	window := &machine.Window{
		Stack: string(c.tier), Other: "other", Leaves: c.leaves, PublicURL: "https://old.example.com",
		Database: own, Entrance: own, OtherDatabase: other, OtherEntrance: other,
	}
	if len(stack.Plan.Blueprint.Hosts) == 1 {
		settings.Address = own
	} else {
		settings.Network = netip.MustParsePrefix("10.71.0.0/16")
		settings.Balancers, settings.Databases = []netip.Addr{netip.MustParseAddr("10.71.0.20")}, []netip.Addr{netip.MustParseAddr("10.71.128.50"), netip.MustParseAddr("10.71.144.51")}
		settings.Backends = []netip.Addr{netip.MustParseAddr("10.71.128.30"), netip.MustParseAddr("10.71.144.31")}
		window.Database, window.Entrance = settings.Databases[0], settings.Balancers[0]
	}
	if open && c.forward {
		settings.ForwardTo = netip.AddrPortFrom(other, machine.InsidePort)
	}
	kept := secrets()
	if kept[machine.PromotionPassword] = "secret+of/promotionpassword="; !open {
		window = nil
	}
	site, err := host.NewSite(machine.CloudHost{Name: c.name, Region: "eu-central-1", Prefix: "/radpanel/" + string(c.tier)}, settings, kept,
		machine.ResourcesOf(asked), release, host.Certificate{Chain: "a certificate\n", Key: "a key\n"})
	require.NoError(t, err)
	site, err = site.In(window)
	require.NoError(t, err)
	return site
}

func servicesOf(t *testing.T, site host.Site) map[string]host.Service {
	t.Helper()
	services, err := site.Services()
	require.NoError(t, err)
	all := map[string]host.Service{}
	for _, service := range services {
		all[service.Unit.Name] = service
	}
	return all
}

// A window is opened and closed under a panel that runs: nothing is started anew for it.
func TestAWindowNeedsNoRestart(t *testing.T) {
	t.Parallel()
	for _, c := range windowCases() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			without, with := servicesOf(t, c.site(t, false)), servicesOf(t, c.site(t, true))
			require.Len(t, with, len(without))
			for name, service := range without {
				assert.Equal(t, service.Unit, with[name].Unit, name)
				reloadable := append(slices.Clone(service.Reloadable), with[name].Reloadable...)
				for path, text := range changed(service.Files, with[name].Files) {
					assert.Contains(t, reloadable, path, "%s\n%s", name, text)
				}
			}
		})
	}
}

// What counts the web server's connections for the trigger "balancer capacity" asks it at an address of its own, in a window too.
func TestConnectionsAreCountedInAWindow(t *testing.T) {
	t.Parallel()
	asked := 0
	for _, c := range windowCases() {
		for _, open := range []bool{false, true} {
			services := servicesOf(t, c.site(t, open))
			health, there := services["radpanel-balancer-health"]
			if !there {
				continue
			}
			at := slices.Index(health.Unit.Command, "--connections-url")
			address, _, _ := strings.Cut(strings.TrimPrefix(health.Unit.Command[at+1], "http://"), "/")
			for _, file := range services["radpanel-nginx"].Files {
				if filepath.Base(file.Path) == machine.NginxFile {
					asked++
					assert.Contains(t, file.Text, "listen "+address+" default_server;", "%s, open: %t", c.name, open)
				}
			}
		}
	}
	assert.Equal(t, 2, asked, "the balancer, without a window and in one")
}

// changed gives the files that differ, by path: as they are in the window, or "" where they are gone.
func changed(before, after []host.File) map[string]string {
	texts, found := map[string]string{}, map[string]string{}
	for _, file := range before {
		texts[file.Path] = file.Text
		found[file.Path] = ""
	}
	for _, file := range after {
		if text, there := texts[file.Path]; there && text == file.Text {
			delete(found, file.Path)
			continue
		}
		found[file.Path] = file.Text
	}
	return found
}

// What a window changes on a host is in testdata, to be read: of each file, the lines that it has then and had not before.
func TestWindowGolden(t *testing.T) {
	t.Parallel()
	for _, c := range windowCases() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			before := map[string]string{}
			for _, file := range allFiles(t, c.site(t, false)) {
				before[file.Path] = file.Text
			}
			var text strings.Builder
			for _, file := range allFiles(t, c.site(t, true)) {
				was := strings.Split(before[file.Path], "\n")
				if before[file.Path] == file.Text {
					continue
				}
				fmt.Fprintf(&text, "=== %s %04o %s\n", file.Path, file.Mode, file.Owner)
				if strings.Contains(file.Text, "-----BEGIN") {
					text.WriteString(strings.SplitN(file.Text, "\n", 2)[0] + " …\n")
					continue
				}
				for _, line := range strings.Split(file.Text, "\n") {
					if c.forward && strings.HasSuffix(file.Path, machine.NginxFile) || !slices.Contains(was, line) {
						text.WriteString(line + "\n")
					}
				}
			}
			golden.Check(t, filepath.Join("testdata", "window", c.name+".txt"), text.String())
		})
	}
}

// The secret of the window is in no file: what follows from it is in files of one account.
func TestTheSecretOfAWindowIsInNoFile(t *testing.T) {
	t.Parallel()
	for _, c := range windowCases() {
		keys := 0
		for _, file := range allFiles(t, c.site(t, true)) {
			assert.NotContains(t, file.Text, "promotionpassword", file.Path)
			if strings.Contains(file.Text, "BEGIN PRIVATE KEY") {
				keys++
				assert.Equal(t, "0600 postgres", fmt.Sprintf("%04o %s", file.Mode, file.Owner), file.Path)
			}
		}
		hasPrimary := c.role == stacks.RolePanel || c.role == stacks.RoleDatabase
		assert.Equal(t, hasPrimary, keys == 1, c.name)
	}
}

func TestAWindowWithoutItsSecretIsRefused(t *testing.T) {
	t.Parallel()
	c := windowCases()[0]
	site := c.site(t, false)
	_, err := site.In(&machine.Window{})
	require.NoError(t, err, "it has the secret")
	stack, err := stacks.Load("mvp", nil)
	require.NoError(t, err)
	site, err = host.NewSite(machine.CloudHost{Prefix: "/radpanel/mvp"}, machine.NewHostSettings(stack, stacks.RolePanel, 1), secrets(),
		machine.Resources{}, release, host.Certificate{})
	require.NoError(t, err)
	_, err = site.In(&machine.Window{})
	require.ErrorContains(t, err, "parameter /radpanel/mvp/secrets/promotion-password is missing")
}
