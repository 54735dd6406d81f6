package awsstacks

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/infra/machine"
	"github.com/radpanel/radpanel/stacks"
)

// lasting are the things that hold data, or that everything else hangs on.
func (b *bench) lasting() []string {
	var all []string
	for _, kind := range []string{"Vpc", "Subnet", "NetworkInterface", "Instance", "Volume", "Eip", "BucketV2", "SecurityGroup", "Role"} {
		all = append(all, b.ids(kind)...)
	}
	return all
}

// connections counts what there is of a promotion's window.
func (b *bench) connections() int {
	count := len(b.cloud.Things("VpcPeeringConnection"))
	for _, thing := range b.cloud.Things("Route") {
		if _, peered := thing.Inputs["vpcPeeringConnectionId"]; peered {
			count++
		}
	}
	for _, thing := range b.cloud.Things("Parameter") {
		if strings.Contains(thing.ID, "promotion") {
			count++
		}
	}
	groups := map[string]string{}
	for _, thing := range b.cloud.Things("SecurityGroup") {
		groups[thing.ID] = thing.Inputs["vpcId"].StringValue()
	}
	for _, rule := range append(b.cloud.Things("SecurityGroupIngressRule"), b.cloud.Things("SecurityGroupEgressRule")...) {
		other, named := rule.Inputs["referencedSecurityGroupId"]
		if named && groups[other.StringValue()] != groups[rule.Inputs["securityGroupId"].StringValue()] {
			count++
		}
	}
	return count
}

// A panel that is promoted has a window for as long as the key names where it comes from, and both stacks are afterwards what
// they were before.
func TestAPromotionOpensAWindowAndClosesIt(t *testing.T) {
	for _, test := range []struct {
		from, to stacks.Tier
		window   int
	}{{stacks.MVP, stacks.Tier1, 16}, {stacks.Tier1, stacks.Tier2, 17}} {
		t.Run(string(test.from)+" to "+string(test.to), func(t *testing.T) {
			domain := map[string]string{"domain": "panel.example.com", "hostedZone": "Z0123456789"}
			old := newBench(t, test.from)
			next := old.beside("next", test.to)
			for key, value := range domain {
				old.config[key], next.config[key] = value, value
			}
			old.apply()
			before := old.lasting()
			keys := old.secrets()

			// The window.
			next.config["promoteFrom"] = "production"
			done := next.up()
			assert.Len(t, done.only("create"), len(done))
			assert.Subset(t, next.lasting(), before, "nothing of the old stack was touched")
			next.done()
			old.done()
			assert.Equal(t, test.window-1, next.connections())
			next.checkWindow(old, keys)

			// The panel moves on, and so does its name.
			all := next.lasting()
			old.config["promoteTo"] = "next"
			done = old.up()
			assert.Equal(t, steps{"Parameter panel-1": {"update"}, "Record address": {"update"}}, done)

			// The window closes.
			delete(next.config, "promoteFrom")
			done = next.up()
			assert.Empty(t, done.only("replace"))
			for _, gone := range done.only("delete") {
				assert.Contains(t, strings.ToLower(gone), "promotion", "only the window goes")
			}
			assert.Len(t, done.only("delete"), test.window, "the connection, its routes, both ends of four ways, two parameters for each side, and their component")
			assert.Equal(t, all, next.lasting())
			_, err := next.stack.Refresh(t.Context())
			require.NoError(t, err)
			next.done()
			assert.Zero(t, next.connections())
			next.checkKeys(keys)

			// The old stack goes, and the name stays with the new one.
			old.command("destroy", "--yes", "--skip-preview", "--exclude-protected")
			next.done()
			var leads []string
			for _, record := range next.cloud.Things("Record") {
				if record.Inputs["name"].StringValue() == domain["domain"] && record.Inputs["type"].StringValue() == "A" {
					leads = append(leads, record.ID)
				}
			}
			assert.NotEmpty(t, leads)
		})
	}
}

// done asserts that nothing is left to do.
func (b *bench) done() {
	b.Helper()
	left, err := b.preview()
	require.NoError(b, err)
	assert.Empty(b, left)
}

// checkWindow asserts what there is while the panel is promoted.
func (b *bench) checkWindow(old *bench, keys map[string]string) {
	b.Helper()
	peering := b.only("VpcPeeringConnection")
	vpcs := b.ids("Vpc")
	assert.ElementsMatch(b, vpcs, []string{peering.Inputs["vpcId"].StringValue(), peering.Inputs["peerVpcId"].StringValue()})
	outputs, err := old.stack.Outputs(b.Context())
	require.NoError(b, err)
	own, err := b.stack.Outputs(b.Context())
	require.NoError(b, err)
	assert.Equal(b, outputs["url"].Value, own["url"].Value, "the panel's address")
	password := ""
	for _, thing := range b.cloud.Things("Parameter") {
		switch thing.ID {
		case "/radpanel/production/promotion", "/radpanel/next/promotion":
			told, err := machine.ReadWindow(thing.Inputs["insecureValue"].StringValue())
			require.NoError(b, err)
			assert.Equal(b, outputs["url"].Value, told.PublicURL)
			assert.Equal(b, told.Stack == "production", told.Leaves)
		case "/radpanel/production/secrets/promotion-password", "/radpanel/next/secrets/promotion-password":
			value := thing.Inputs["value"].SecretValue().Element.StringValue()
			if password != "" {
				assert.Equal(b, password, value)
			}
			password = value
		}
	}
	assert.NotEmpty(b, password)
	b.checkKeys(keys)
	state, err := os.ReadFile(b.state)
	require.NoError(b, err)
	for _, secret := range append(b.secretValues(keys), password) {
		assert.NotContains(b, string(state), secret, "encrypted in the state")
	}
	for name, output := range own {
		assert.False(b, output.Secret, name)
	}
}

func (*bench) secretValues(keys map[string]string) []string {
	var values []string
	for _, value := range keys {
		values = append(values, value)
	}
	return values
}

// checkKeys asserts that the stack has the other's keys, and passwords of its own for what is its own.
func (b *bench) checkKeys(keys map[string]string) {
	b.Helper()
	now := b.secrets()
	for _, name := range machine.InheritedSecrets() {
		assert.Equal(b, keys["/radpanel/production/secrets/"+name], now["/radpanel/next/secrets/"+name], name)
	}
	for _, name := range []string{machine.BackupPassphrase, machine.PoolerPassword} {
		assert.NotEqual(b, keys["/radpanel/production/secrets/"+name], now["/radpanel/next/secrets/"+name], name)
	}
}

// A stack that has keys of its own could not read the panel's data.
func TestAStackWithKeysOfItsOwnIsNotPromotedTo(t *testing.T) {
	old := newBench(t, stacks.MVP)
	old.apply()
	next := old.beside("next", stacks.Tier1)
	next.apply()
	before := next.lasting()
	next.config["promoteFrom"] = "production"
	_, err := next.preview()
	require.Error(t, err)
	assert.Regexp(t, "stack next was made with another (encryption-key|owner-password|application-password) than production", err.Error())
	_, err = next.tryUp()
	require.Error(t, err)
	assert.Empty(t, next.cloud.Things("VpcPeeringConnection"))
	assert.Equal(t, before, next.lasting())
}

// Stacks that were made when all had one network keep it: not a host is replaced. Two of them cannot be connected, and one of
// them and a new one can.
func TestAStackKeepsTheNetworkThatItWasMadeWith(t *testing.T) {
	old := newBench(t, stacks.MVP)
	old.config["network"] = "10.20.0.0/16"
	old.apply()
	delete(old.config, "network")
	old.done()
	assert.Equal(t, "10.20.0.0/16", old.only("Vpc").Inputs["cidrBlock"].StringValue())
	old.config["logLevel"] = "debug"
	assert.Equal(t, steps{"Parameter panel-1": {"update"}}, old.up())
	assert.Equal(t, "10.20.0.10", old.settings()[0].Address.String())
	old.config["network"] = "10.40.0.0/16"
	_, err := old.preview()
	require.ErrorContains(t, err, "rad-panel:network is 10.40.0.0/16, but the stack's network is 10.20.0.0/16, which cannot change")
}
