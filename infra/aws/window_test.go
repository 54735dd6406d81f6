package aws_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/infra/aws/awstest"
	"github.com/radpanel/radpanel/infra/machine"
	"github.com/radpanel/radpanel/stacks"
)

// promoted declares a stack that the tier before is promoted to, and the same stack without that.
func promoted(t *testing.T, tier, from string, config map[string]string) (with, without []awstest.Declared) {
	t.Helper()
	keys := maps.Clone(config)
	if keys == nil {
		keys = map[string]string{}
	}
	without, err := declare(t, load(t, tier, keys))
	require.NoError(t, err)
	keys["promoteFrom"] = from
	with, err = declare(t, load(t, tier, keys), before{from, config})
	require.NoError(t, err)
	return with, without
}

// name is a resource's among all.
func name(r awstest.Declared) string { return r.Type[strings.LastIndex(r.Type, ":")+1:] + " " + r.Name }

func names(declared []awstest.Declared) []string {
	var all []string
	for _, r := range declared {
		all = append(all, name(r))
	}
	slices.Sort(all)
	return all
}

// What a promotion needs is made beside what the stack is made of, and that stays as it is, but for what the hosts are told.
func TestAPromotionAddsItsWindowAndChangesNothingElse(t *testing.T) {
	t.Parallel()
	with, without := promoted(t, "tier1", "mvp", nil)
	var added []string
	for _, r := range with {
		if ofPromotion(r) {
			added = append(added, name(r))
		}
	}
	assert.ElementsMatch(t, []string{
		"VpcPeeringConnection promotion", "Route promotion-here-1", "Route promotion-there-1",
		"SecurityGroupEgressRule promotion-follow", "SecurityGroupIngressRule promotion-follow",
		"SecurityGroupEgressRule promotion-follow-back", "SecurityGroupIngressRule promotion-follow-back",
		"SecurityGroupEgressRule promotion-front-door", "SecurityGroupIngressRule promotion-front-door",
		"SecurityGroupEgressRule promotion-files", "SecurityGroupIngressRule promotion-files",
		"Parameter promotion-of-mvp", "Parameter promotion-of-mvp-password",
		"Parameter promotion-of-tier1", "Parameter promotion-of-tier1-password",
	}, added)
	rest := slices.DeleteFunc(names(with), func(name string) bool { return slices.Contains(added, name) || name == "Window promotion" })
	assert.Equal(t, names(without), rest)
	for _, r := range without {
		if !r.Custom || strings.HasSuffix(r.Type, ":Parameter") {
			continue
		}
		same := one(t, with, r.Type[strings.LastIndex(r.Type, ":")+1:], r.Name)
		for _, property := range []string{"cidrBlock", "privateIps", "userData", "ami", "instanceType", "size"} {
			assert.Equal(t, at(r, property), at(same, property), "%s %s", name(r), property)
		}
	}
}

// The two networks are joined for four kinds of connections, each from one group of hosts to one port of another, and both
// ends of each let it through.
func TestTheWindowIsOpenForFourKindsOfConnections(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ tier, from, database, entrance, backend string }{
		{"tier1", "mvp", "panel", "panel", "panel"}, {"tier2", "tier1", "database", "balancer", "backend"},
	} {
		with, _ := promoted(t, test.tier, test.from, nil)
		vpc := one(t, with, "Vpc", "vpc")
		found := map[string]string{}
		for _, r := range with {
			if !ofPromotion(r) || !strings.Contains(r.Type, "SecurityGroup") {
				continue
			}
			port := fmt.Sprint(at(r, "fromPort"))
			assert.Equal(t, "tcp", at(r, "ipProtocol"))
			assert.Equal(t, at(r, "fromPort"), at(r, "toPort"))
			assert.Nil(t, at(r, "cidrIpv4"))
			assert.Nil(t, at(r, "cidrIpv6"))
			from, to := at(r, "securityGroupId").(string), at(r, "referencedSecurityGroupId").(string)
			if strings.Contains(r.Type, "Ingress") {
				from, to = to, from
			}
			assert.NotEqual(t, from, to)
			way := from + " " + to + " " + port
			if other, set := found[r.Name]; set {
				assert.Equal(t, other, way, "both ends of %s", r.Name)
			}
			found[r.Name] = way
		}
		ports := map[string]string{
			"promotion-follow": "5432", "promotion-follow-back": "5432", "promotion-front-door": fmt.Sprint(machine.InsidePort),
			"promotion-files": fmt.Sprint(machine.PeerFilesPort),
		}
		require.Len(t, found, len(ports))
		for way, port := range ports {
			assert.True(t, strings.HasSuffix(found[way], " "+port), "%s: %s", way, found[way])
		}
		fields := func(way string) []string { return strings.Fields(found[way]) }
		assert.Equal(t, fields("promotion-follow")[0], fields("promotion-follow-back")[1], "the new side's databases")
		assert.Equal(t, fields("promotion-follow")[1], fields("promotion-follow-back")[0], "the old side's host")
		assert.Equal(t, fields("promotion-front-door")[0], fields("promotion-files")[1], "the old side's entrance")
		peering := one(t, with, "VpcPeeringConnection", "promotion")
		assert.Equal(t, true, at(peering, "autoAccept"))
		assert.NotEqual(t, at(peering, "vpcId"), at(peering, "peerVpcId"))
		there := one(t, with, "Route", "promotion-there-1")
		assert.Equal(t, at(vpc, "cidrBlock"), at(there, "destinationCidrBlock"))
		assert.NotEqual(t, at(vpc, "cidrBlock"), at(one(t, with, "Route", "promotion-here-1"), "destinationCidrBlock"))
	}
}

// Hosts of both sides are told of each other in clear, and of the password encrypted.
func TestHostsOfBothSidesAreToldOfTheWindow(t *testing.T) {
	t.Parallel()
	const domain, zone = "panel.example.com", "Z0123456789ABCDEFGHIJ"
	with, _ := promoted(t, "tier2", "tier1", map[string]string{"domain": domain, "hostedZone": zone})
	var windows []machine.Window
	for _, stack := range []string{"tier1", "tier2"} {
		parameter := one(t, with, "Parameter", "promotion-of-"+stack)
		assert.Equal(t, "/radpanel/"+stack+"/promotion", at(parameter, "name"))
		told, err := machine.ReadWindow(at(parameter, "insecureValue").(string))
		require.NoError(t, err)
		windows = append(windows, told)
		secret := one(t, with, "Parameter", "promotion-of-"+stack+"-password")
		assert.Equal(t, "/radpanel/"+stack+"/secrets/promotion-password", at(secret, "name"))
		assert.Equal(t, "SecureString", at(secret, "type"))
	}
	old, next := windows[0], windows[1]
	assert.True(t, old.Leaves)
	assert.False(t, next.Leaves)
	assert.Equal(t, "https://"+domain, next.PublicURL)
	assert.Equal(t, old.Database, next.OtherDatabase)
	assert.Equal(t, next.Database, old.OtherDatabase)
	assert.Equal(t, next.Entrance, old.OtherEntrance)
	assert.Equal(t, old.Database, old.Entrance, "one host is all of tier 1")
	assert.NotEqual(t, next.Database, next.Entrance)
	assert.Equal(t, plain(one(t, with, "Parameter", "promotion-of-tier1-password").Inputs["value"]),
		plain(one(t, with, "Parameter", "promotion-of-tier2-password").Inputs["value"]))
	for role, may := range map[string]bool{"balancer": false, "backend": false, "database": true} {
		assert.Equal(t, may, strings.Contains(textOf(one(t, with, "RolePolicy", role).Inputs["policy"]), "/secrets/promotion-password"), role)
	}
}

// The panel's name leads to the stack that has the panel: to the old one in the window, and then by its own record to the new.
func TestThePanelsNameMovesWithThePanel(t *testing.T) {
	t.Parallel()
	own := map[string]string{"domain": "panel.example.com", "hostedZone": "Z0123456789ABCDEFGHIJ"}
	with, without := promoted(t, "tier1", "mvp", own)
	assert.NotContains(t, names(with), "Record address")
	assert.Contains(t, names(without), "Record address")
	with, without = promoted(t, "tier2", "tier1", own)
	assert.NotContains(t, names(with), "Record edge-A")
	assert.Contains(t, names(with), "Record address", "that of the balancer itself")
	assert.Contains(t, names(without), "Record edge-A")

	for _, v := range variants() {
		if v.config["promoteTo"] == "" {
			continue
		}
		moved, err := declare(t, load(t, string(v.tier), v.config), v.before...)
		require.NoError(t, err)
		record := one(t, moved, "Record", "address")
		assert.True(t, record.Options.GetRetainOnDelete(), "the new stack takes it over")
		if v.tier == stacks.MVP {
			assert.Contains(t, textOf(record.Inputs["records"]), "203.0.113.")
		} else {
			assert.Contains(t, textOf(record.Inputs["aliases"]), ".cloudfront.net")
		}
		told, err := machine.ReadHostSettings(at(one(t, moved, "Parameter", "panel-1"), "insecureValue").(string))
		require.NoError(t, err)
		assert.Equal(t, machine.InsidePort, int(told.ForwardTo.Port()))
		assert.NotEqual(t, told.Address, told.ForwardTo.Addr())
	}
}

// The names of the plan's own stacks give them networks that can be joined.
func TestStacksOfThePlanHaveNetworksOfTheirOwn(t *testing.T) {
	t.Parallel()
	networks := map[any]bool{"10.20.0.0/16": true} // That of stacks that were made before.
	for _, tier := range []string{"mvp", "tier1", "tier2"} {
		declared, err := declare(t, load(t, tier, nil))
		require.NoError(t, err)
		network := at(one(t, declared, "Vpc", "vpc"), "cidrBlock")
		assert.False(t, networks[network], "%s: %s", tier, network)
		networks[network] = true
	}
}

func TestPromotionsThatCannotBe(t *testing.T) {
	t.Parallel()
	for want, test := range map[string]struct {
		stack  string
		config map[string]string
		before []before
	}{
		"tier1 is this very stack: expected another one":             {"tier1", map[string]string{"promoteFrom": "tier1"}, nil},
		`unknown stack "organization/rad-panel/mvp"`:                 {"tier1", map[string]string{"promoteFrom": "mvp"}, nil},
		"stack mvp is in region eu-central-1, this one in us-east-1": {"tier1", map[string]string{"promoteFrom": "mvp"}, []before{{"mvp", map[string]string{"region": "eu-central-1"}}}},
		"the network of both is 10.40.0.0/16": {
			"tier1", map[string]string{"promoteFrom": "mvp", "network": "10.40.0.0/16"}, []before{{"mvp", map[string]string{"network": "10.40.0.0/16"}}},
		},
		"stack mvp runs mvp, and this one tier2: expected the tier that follows": {"tier2", map[string]string{"promoteFrom": "mvp"}, []before{{"mvp", nil}}},
		"stack tier1 has no way in for the front door of mvp: bring it up with promoteFrom mvp first": {
			"mvp", map[string]string{"promoteTo": "tier1"}, []before{{"tier1", nil}},
		},
		"promoteTo: Tier 2 has a CDN":            {"tier2", map[string]string{"promoteTo": "tier3"}, nil},
		"promoteFrom and promoteTo are both set": {"tier1", map[string]string{"promoteFrom": "mvp", "promoteTo": "tier2"}, nil},
	} {
		_, err := declare(t, load(t, test.stack, test.config), test.before...)
		assert.ErrorContains(t, err, want)
	}
}
