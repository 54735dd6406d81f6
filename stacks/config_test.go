package stacks_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/stacks"
)

func TestLoadDefaults(t *testing.T) {
	t.Parallel()
	onAWS, err := stacks.Load("tier1", nil)
	require.NoError(t, err)
	assert.Equal(t, stacks.Stack{
		Name:   "tier1",
		Target: stacks.AWS,
		Plan:   tier(t, stacks.Tier1),
		Settings: stacks.Settings{
			LogLevel:               "info",
			FileSizeLimit:          25 * stacks.MiB,
			SessionIdleTimeout:     7 * 24 * time.Hour,
			SessionAbsoluteTimeout: 30 * 24 * time.Hour,
			Region:                 "us-east-1",
			Sizing:                 stacks.SizingHardware,
			CostCentre:             "rad-panel",
			DownloadKey:            1,
		},
	}, onAWS)
	assert.Equal(t, stacks.Tier1, onAWS.Tier())

	onLocal, err := stacks.Load("local-tier1", nil)
	require.NoError(t, err)
	assert.Equal(t, stacks.Local, onLocal.Target)
	assert.Empty(t, onLocal.Settings.Region, "a setting without effect on the target stays empty")
	assert.Empty(t, onLocal.Settings.Sizing)
	assert.Zero(t, onLocal.Settings.HTTPPort, "chosen when the stack is built")
}

func TestLoadNameTellsTierAndTarget(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		config map[string]string
		tier   stacks.Tier
		target stacks.Target
	}{
		{"mvp", nil, stacks.MVP, stacks.AWS},
		{"tier4", nil, stacks.Tier4, stacks.AWS},
		{"aws-tier2", nil, stacks.Tier2, stacks.AWS},
		{"local-mvp", nil, stacks.MVP, stacks.Local},
		{"local-tier2-e2e.1", nil, stacks.Tier2, stacks.Local},
		{"tier2-staging", nil, stacks.Tier2, stacks.AWS},
		{"staging", map[string]string{"tier": "tier2"}, stacks.Tier2, stacks.AWS},
		{"staging", map[string]string{"tier": "mvp", "target": "local"}, stacks.MVP, stacks.Local},
		{"tier10", map[string]string{"tier": "tier1"}, stacks.Tier1, stacks.AWS},
		{"local-demo", map[string]string{"tier": "mvp"}, stacks.MVP, stacks.Local},
		{"local-tier1", map[string]string{"tier": "tier1", "target": "local"}, stacks.Tier1, stacks.Local},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			stack, err := stacks.Load(test.name, test.config)
			require.NoError(t, err)
			assert.Equal(t, test.name, stack.Name)
			assert.Equal(t, test.tier, stack.Tier())
			assert.Equal(t, test.target, stack.Target)
		})
	}
	for _, tier := range stacks.Tiers() {
		for _, target := range stacks.Targets() {
			stack, err := stacks.Load(stacks.Name(tier, target), nil)
			require.NoError(t, err)
			assert.Equal(t, tier, stack.Tier())
			assert.Equal(t, target, stack.Target)
		}
	}
}

func TestLoadValues(t *testing.T) {
	t.Parallel()
	settings := func(t *testing.T, name, key, value string) stacks.Settings {
		t.Helper()
		stack, err := stacks.Load(name, map[string]string{key: value})
		require.NoError(t, err)
		return stack.Settings
	}
	assert.Equal(t, "debug", settings(t, "mvp", "logLevel", "debug").LogLevel)
	assert.Equal(t, stacks.MiB, settings(t, "mvp", "fileSizeLimit", "1024KiB").FileSizeLimit)
	assert.Equal(t, 100*stacks.MiB, settings(t, "mvp", "fileSizeLimit", "100 MiB").FileSizeLimit)
	assert.Equal(t, stacks.GiB, settings(t, "mvp", "fileSizeLimit", "1GiB").FileSizeLimit)
	assert.Equal(t, 5*time.Minute, settings(t, "mvp", "sessionIdleTimeout", "5m").SessionIdleTimeout)
	assert.Equal(t, 365*24*time.Hour, settings(t, "mvp", "sessionAbsoluteTimeout", "8760h").SessionAbsoluteTimeout)
	assert.Equal(t, 8080, settings(t, "local-mvp", "httpPort", "8080").HTTPPort)
	assert.Equal(t, 1024, settings(t, "local-mvp", "httpPort", "1024").HTTPPort)
	assert.Equal(t, 65535, settings(t, "local-mvp", "httpPort", "65535").HTTPPort)
	assert.Zero(t, settings(t, "local-mvp", "httpPort", "0").HTTPPort)
	assert.Equal(t, "panel.example.com", settings(t, "mvp", "domain", "Panel.Example.com").Domain)
	assert.Equal(t, "us-gov-west-1", settings(t, "mvp", "region", "us-gov-west-1").Region)
	assert.Equal(t, "172.31.0.0/16", settings(t, "mvp", "network", "172.31.0.0/16").Network.String())
	assert.Equal(t, "mvp", settings(t, "tier1", "promoteFrom", "mvp").PromoteFrom)
	assert.Equal(t, "tier1", settings(t, "mvp", "promoteTo", "tier1").PromoteTo)
	assert.Equal(t, stacks.SizingBudget, settings(t, "mvp", "sizing", "budget").Sizing)
	assert.Equal(t, "Z0123456789ABCDEFGHIJ", settings(t, "mvp", "hostedZone", "Z0123456789ABCDEFGHIJ").HostedZone)
	assert.Equal(t, "debian-12-arm64-20260210-2384", settings(t, "mvp", "ami", "debian-12-arm64-20260210-2384").AMI)
	assert.Equal(t, "ami-0123456789abcdef0", settings(t, "mvp", "ami", "ami-0123456789abcdef0").AMI)
	assert.Equal(t, "Büro 7/west", settings(t, "mvp", "costCentre", "Büro 7/west").CostCentre)
	assert.Equal(t, stacks.USD(120), settings(t, "tier1", "acknowledgeCost", "120").AcknowledgedCost)
	assert.Equal(t, stacks.USD(1_000_000), settings(t, "tier1", "acknowledgeCost", "1000000").AcknowledgedCost)
	assert.Equal(t, 1, settings(t, "tier2", "downloadKey", "1").DownloadKey)
	assert.True(t, settings(t, "tier2", "leaveFiles", "true").LeaveFiles)
	assert.False(t, settings(t, "tier2", "downloadKey", "1").LeaveFiles)
	assert.Equal(t, 1_000_000, settings(t, "tier2", "downloadKey", "1000000").DownloadKey)
}

func TestLoadRefuses(t *testing.T) {
	t.Parallel()
	const (
		badImage   = "allowed is the name of one of Debian's own images, such as debian-12-arm64-20260210-2384, or the id of an image"
		badPort    = "allowed is 1024 to 65535 (the panel runs unprivileged), or 0"
		badSize    = "allowed is 1MiB to 1GiB, in KiB, MiB or GiB, such as 25MiB"
		badDomain  = "allowed is a full host name without scheme, port or path, such as panel.example.com"
		badNetwork = "allowed is a private network of 65,536 addresses, such as 10.40.0.0/16"
		badRegion  = "allowed is the code of an AWS region, such as us-east-1"
		badIdle    = "allowed is 5m to 2160h (90 days), less than sessionAbsoluteTimeout, such as 168h"
	)
	const badCost = "allowed is 1 to 1000000, whole, such as 120"
	for _, test := range []struct {
		name       string
		stack      string
		key, value string
		want       string
	}{
		{"unknown tier", "staging", "tier", "tier5", `rad-panel:tier: "tier5": allowed is mvp, tier1, tier2, tier3, tier4`},
		{"empty tier", "mvp", "tier", "", `rad-panel:tier: "": allowed is mvp, tier1, tier2, tier3, tier4`},
		{"tier against the name", "local-tier1", "tier", "tier2", `rad-panel:tier: "tier2": it contradicts the stack's name "local-tier1", which means tier1: remove the key or use another stack`},
		{"unknown target", "mvp", "target", "azure", `rad-panel:target: "azure": allowed is aws, local`},
		{"target against the name", "tier1", "target", "local", `rad-panel:target: "local": it contradicts the stack's name "tier1", which means aws: remove the key or use another stack`},
		{"unknown level", "mvp", "logLevel", "INFO", `rad-panel:logLevel: "INFO": no such value: allowed is debug, info, warn, error`},
		{"size without unit", "mvp", "fileSizeLimit", "26214400", `rad-panel:fileSizeLimit: "26214400": not a size: ` + badSize},
		{"decimal unit", "mvp", "fileSizeLimit", "25MB", `rad-panel:fileSizeLimit: "25MB": not a size: ` + badSize},
		{"fraction", "mvp", "fileSizeLimit", "1.5MiB", `rad-panel:fileSizeLimit: "1.5MiB": not a size: ` + badSize},
		{"negative size", "mvp", "fileSizeLimit", "-1MiB", `rad-panel:fileSizeLimit: "-1MiB": too small: ` + badSize},
		{"size too small", "mvp", "fileSizeLimit", "1023KiB", `rad-panel:fileSizeLimit: "1023KiB": too small: ` + badSize},
		{"size too large", "mvp", "fileSizeLimit", "1025MiB", `rad-panel:fileSizeLimit: "1025MiB": too large: ` + badSize},
		{"size that overflows", "mvp", "fileSizeLimit", "99999999999999GiB", `rad-panel:fileSizeLimit: "99999999999999GiB": not a size: ` + badSize},
		{"duration without unit", "mvp", "sessionIdleTimeout", "168", `rad-panel:sessionIdleTimeout: "168": not a duration: ` + badIdle},
		{"duration too short", "mvp", "sessionIdleTimeout", "4m59s", `rad-panel:sessionIdleTimeout: "4m59s": too small: ` + badIdle},
		{"negative duration", "mvp", "sessionIdleTimeout", "-168h", `rad-panel:sessionIdleTimeout: "-168h": too small: ` + badIdle},
		{"duration too long", "mvp", "sessionAbsoluteTimeout", "8761h", `rad-panel:sessionAbsoluteTimeout: "8761h": too large: allowed is 10m to 8760h (365 days), more than sessionIdleTimeout, such as 720h`},
		{"idle over the default absolute", "mvp", "sessionIdleTimeout", "720h", `rad-panel:sessionIdleTimeout: "720h": it must be less than rad-panel:sessionAbsoluteTimeout (720h)`},
		{"absolute under the default idle", "mvp", "sessionAbsoluteTimeout", "10m", `rad-panel:sessionAbsoluteTimeout: "10m": it must be more than rad-panel:sessionIdleTimeout (168h)`},
		{"port of a word", "local-mvp", "httpPort", "http", `rad-panel:httpPort: "http": not a port: ` + badPort},
		{"privileged port", "local-mvp", "httpPort", "1023", `rad-panel:httpPort: "1023": too small: ` + badPort},
		{"port too large", "local-mvp", "httpPort", "65536", `rad-panel:httpPort: "65536": too large: ` + badPort},
		{"port on AWS", "mvp", "httpPort", "8080", `rad-panel:httpPort: "8080": it has no effect on target aws, only on local: remove it`},
		{"URL for domain", "mvp", "domain", "https://panel.example.com", `rad-panel:domain: "https://panel.example.com": not a full host name: ` + badDomain},
		{"domain of one label", "mvp", "domain", "localhost", `rad-panel:domain: "localhost": not a full host name: ` + badDomain},
		{"domain with an underscore", "mvp", "domain", "my_panel.example.com", `rad-panel:domain: "my_panel.example.com": not a full host name: ` + badDomain},
		{"address for domain", "mvp", "domain", "192.0.2.1", `rad-panel:domain: "192.0.2.1": an IP address gets no certificate: ` + badDomain},
		{"empty domain", "mvp", "domain", "", `rad-panel:domain: "": not a full host name: ` + badDomain},
		{"domain on this machine", "local-mvp", "domain", "panel.example.com", `rad-panel:domain: "panel.example.com": it has no effect on target local, only on aws: remove it`},
		{"zone for region", "mvp", "region", "us-east-1a", `rad-panel:region: "us-east-1a": not a region: ` + badRegion},
		{"region on this machine", "local-mvp", "region", "us-east-1", `rad-panel:region: "us-east-1": it has no effect on target local, only on aws: remove it`},
		{"address for a network", "mvp", "network", "10.40.0.1/16", `rad-panel:network: "10.40.0.1/16": not a network: ` + badNetwork},
		{"network of others", "mvp", "network", "11.40.0.0/16", `rad-panel:network: "11.40.0.0/16": not private: ` + badNetwork},
		{"network too small", "mvp", "network", "10.40.0.0/20", `rad-panel:network: "10.40.0.0/20": another size: ` + badNetwork},
		{"network too large", "mvp", "network", "10.0.0.0/8", `rad-panel:network: "10.0.0.0/8": another size: ` + badNetwork},
		{"network of IPv6", "mvp", "network", "fd00::/16", `rad-panel:network: "fd00::/16": not a network: ` + badNetwork},
		{"network on this machine", "local-mvp", "network", "10.40.0.0/16", `rad-panel:network: "10.40.0.0/16": it has no effect on target local, only on aws: remove it`},
		{"stack's name with a slash", "tier1", "promoteFrom", "organization/mvp", `rad-panel:promoteFrom: "organization/mvp": not the name of a stack: allowed is the name of another stack of the same target, such as local-mvp`},
		{"unknown sizing", "mvp", "sizing", "cheap", `rad-panel:sizing: "cheap": no such value: allowed is hardware, budget`},
		{"name for a zone", "mvp", "hostedZone", "example.com", `rad-panel:hostedZone: "example.com": not the id of a hosted zone: allowed is the id of a Route 53 hosted zone, such as Z0123456789ABCDEFGHIJ`},
		{"zone on this machine", "local-mvp", "hostedZone", "Z0123456789", `rad-panel:hostedZone: "Z0123456789": it has no effect on target local, only on aws: remove it`},
		{"image for another processor", "mvp", "ami", "debian-12-amd64-20260210-2384", `rad-panel:ami: "debian-12-amd64-20260210-2384": not an image: ` + badImage},
		{"image that moves", "mvp", "ami", "latest", `rad-panel:ami: "latest": not an image: ` + badImage},
		{"image's id cut short", "mvp", "ami", "ami-0123456", `rad-panel:ami: "ami-0123456": not an image: ` + badImage},
		{"tag that AWS refuses", "mvp", "costCentre", "a|b", `rad-panel:costCentre: "a|b": not the value of a tag: allowed is 1 to 256 letters, digits, spaces and _ . : / = + @ -`},
		{"cost with a sign", "tier1", "acknowledgeCost", "$120", `rad-panel:acknowledgeCost: "$120": not a whole amount: ` + badCost},
		{"no cost", "tier1", "acknowledgeCost", "0", `rad-panel:acknowledgeCost: "0": too small: ` + badCost},
		{"cost of a typing mistake", "tier1", "acknowledgeCost", "1000001", `rad-panel:acknowledgeCost: "1000001": too large: ` + badCost},
		{"files left by half", "tier2", "leaveFiles", "yes", `rad-panel:leaveFiles: "yes": no such value: allowed is true`},
		{"cost on this machine", "local-mvp", "acknowledgeCost", "120", `rad-panel:acknowledgeCost: "120": it has no effect on target local, only on aws: remove it`},
		{"key of words", "tier2", "downloadKey", "next", `rad-panel:downloadKey: "next": not a whole number: allowed is 1 to 1000000, whole`},
		{"key before the first", "tier2", "downloadKey", "0", `rad-panel:downloadKey: "0": too small: allowed is 1 to 1000000, whole`},
		{"key of a typing mistake", "tier2", "downloadKey", "1000001", `rad-panel:downloadKey: "1000001": too large: allowed is 1 to 1000000, whole`},
		{"download key on this machine", "local-tier2", "downloadKey", "2", `rad-panel:downloadKey: "2": it has no effect on target local, only on aws: remove it`},
		{"misspelt key", "mvp", "fileSizeLmit", "25MiB", `rad-panel:fileSizeLmit: "25MiB": unknown key: did you mean rad-panel:fileSizeLimit?`},
		{"key in another case", "mvp", "loglevel", "info", `rad-panel:loglevel: "info": unknown key: did you mean rad-panel:logLevel?`},
		{"unknown key", "mvp", "colour", "red", `rad-panel:colour: "red": unknown key: known are tier, target, logLevel, fileSizeLimit, sessionIdleTimeout, sessionAbsoluteTimeout, httpPort, domain, region, network, sizing, hostedZone, ami, costCentre, acknowledgeCost, downloadKey, leaveFiles, promoteFrom, promoteTo, alertWebhook, alertEmail, alertEmailFrom, alertEmailServer, alertEmailUser, alertEmailPasswordFile, alertRehearsal, traceEndpoint`},
		{"value on several lines", "mvp", "logLevel", "a\nb", `rad-panel:logLevel: "a\nb": no such value: allowed is debug, info, warn, error`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			stack, err := stacks.Load(test.stack, map[string]string{test.key: test.value})
			require.EqualError(t, err, test.want)
			assert.Zero(t, stack)
			var keyError *stacks.KeyError
			require.ErrorAs(t, err, &keyError)
			assert.Equal(t, test.key, keyError.Key)
			assert.Equal(t, test.value, keyError.Value)
			assert.True(t, keyError.Set)
		})
	}
}

func TestLoadShortensLongValues(t *testing.T) {
	t.Parallel()
	_, err := stacks.Load("mvp", map[string]string{"logLevel": strings.Repeat("x", 1000)})
	require.EqualError(t, err, `rad-panel:logLevel: "`+strings.Repeat("x", 80)+`…": no such value: allowed is debug, info, warn, error`)
	_, err = stacks.Load("mvp", map[string]string{strings.Repeat("x", 1000): ""})
	require.Error(t, err)
	assert.Less(t, len(err.Error()), 500)
}

func TestLoadNeedsATier(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"staging", "local-demo", "tier5", "mvp_2"} {
		_, err := stacks.Load(name, nil)
		require.EqualError(t, err, `rad-panel:tier: not set: the stack's name "`+name+`" does not tell its tier: allowed is mvp, tier1, tier2, tier3, tier4`)
	}
}

func TestLoadRefusesNames(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", "tier1-a b", "tier1-é", "local-mvp-\n", "tier1-" + strings.Repeat("x", 100)} {
		_, err := stacks.Load(name, map[string]string{"tier": "tier1"})
		var nameError *stacks.NameError
		require.ErrorAs(t, err, &nameError, "%q", name)
		assert.Contains(t, err.Error(), "1 to 100 letters, digits, dots, hyphens and underscores")
	}
}

func TestLoadTellsEveryMistakeInOrder(t *testing.T) {
	t.Parallel()
	config := map[string]string{
		"zebra":              "1",
		"tier":               "tier2",
		"domain":             "panel.example.com",
		"fileSizeLimit":      "lots",
		"apple":              "2",
		"sessionIdleTimeout": "900h",
		"httpPort":           "80",
	}
	want := []string{"tier", "fileSizeLimit", "httpPort", "domain", "sessionIdleTimeout", "apple", "zebra"}
	for range 20 { // maps are walked in another order each time
		_, err := stacks.Load("local-tier1", config)
		var keys []string
		for _, e := range joined(t, err) {
			var keyError *stacks.KeyError
			require.ErrorAs(t, e, &keyError)
			keys = append(keys, keyError.Key)
		}
		require.Equal(t, want, keys)
	}
}

// An unknown target must not make keys of either target look wrong as well.
func TestLoadUnknownTargetIsOneMistake(t *testing.T) {
	t.Parallel()
	_, err := stacks.Load("staging", map[string]string{"tier": "mvp", "target": "moon", "httpPort": "8080", "region": "us-east-1"})
	require.EqualError(t, err, `rad-panel:target: "moon": allowed is aws, local`)
}

func joined(t *testing.T, err error) []error {
	t.Helper()
	var many interface{ Unwrap() []error }
	require.ErrorAs(t, err, &many)
	return many.Unwrap()
}

func TestKeysAreDocumented(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, key := range stacks.Keys() {
		assert.Regexp(t, `^[a-z]+([A-Z]+[a-z]*)*$`, key.Name)
		assert.False(t, seen[key.Name], "%s is there twice", key.Name)
		seen[key.Name] = true
		assert.NotEmpty(t, key.Type, key.Name)
		assert.NotEmpty(t, key.Allowed, key.Name)
		assert.NotEmpty(t, key.Targets, key.Name)
		assert.True(t, strings.HasSuffix(key.Description, "."), key.Name)
		if key.Default == "" {
			continue
		}
		for _, target := range key.Targets {
			implicit, err := stacks.Load(stacks.Name(stacks.MVP, target), nil)
			require.NoError(t, err)
			explicit, err := stacks.Load(stacks.Name(stacks.MVP, target), map[string]string{key.Name: key.Default})
			require.NoError(t, err, "the default of %s is allowed", key.Name)
			assert.Equal(t, implicit, explicit, "the default of %s is what an absent key means", key.Name)
		}
	}
}

// The stacks at the top of the repository: those of the plan, and whatever others there are.
func TestStackFiles(t *testing.T) {
	t.Parallel()
	root := ".."
	var want []string
	for _, tier := range stacks.Tiers() {
		want = append(want, stacks.FileName(stacks.Name(tier, stacks.AWS)))
	}
	for _, tier := range []stacks.Tier{stacks.MVP, stacks.Tier1, stacks.Tier2} {
		want = append(want, stacks.FileName(stacks.Name(tier, stacks.Local)))
	}
	found, err := filepath.Glob(filepath.Join(root, stacks.FileName("*")))
	require.NoError(t, err)
	var names []string
	for _, path := range found {
		name := filepath.Base(path)
		names = append(names, name)
		config, err := stacks.ReadFile(path)
		require.NoError(t, err)
		_, err = stacks.Load(strings.TrimSuffix(strings.TrimPrefix(name, "Pulumi."), ".yaml"), config)
		require.NoError(t, err, name)
	}
	assert.Subset(t, names, want)
}
