package awsstacks

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/auto/optup"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/stacks"
)

func TestEachTierComesAndGoesAndItsDataStays(t *testing.T) {
	for _, tier := range []stacks.Tier{stacks.MVP, stacks.Tier1, stacks.Tier2} {
		t.Run(string(tier), func(t *testing.T) {
			b := newBench(t, tier)
			made := b.up()
			plan, err := stacks.Plan().Tier(tier)
			require.NoError(t, err)
			hosts := 0
			for _, host := range plan.Blueprint.Hosts {
				hosts += host.Count
			}
			assert.Len(t, b.cloud.Things("Instance"), hosts)
			assert.Len(t, made.only("create"), len(made), "all was made from nothing")
			assert.Empty(t, b.up(), "nothing is left to do")
			_, err = b.stack.Refresh(t.Context())
			require.NoError(t, err)
			assert.Empty(t, b.up(), "nothing is left to do, seen by a refresh")

			b.checkSecrets()

			disks, buckets := b.ids("Volume"), b.ids("BucketV2")
			_, err = b.stack.PreviewDestroy(t.Context())
			require.ErrorContains(t, err, "protected", "whoever takes it down has to say that data may go")
			b.command("destroy", "--yes", "--skip-preview", "--exclude-protected")
			assert.Empty(t, b.cloud.Things("Instance"))
			assert.Equal(t, disks, b.ids("Volume"))
			assert.Subset(t, buckets, b.ids("BucketV2"))
			assert.NotEmpty(t, b.ids("BucketV2"))
		})
	}
}

// checkSecrets asserts that no secret is in the state or the outputs in clear, and every one is in a parameter.
func (b *bench) checkSecrets() {
	b.Helper()
	var secrets []string
	for _, thing := range b.cloud.Things("RandomBytes") {
		secrets = append(secrets, thing.Outputs["base64"].SecretValue().Element.StringValue())
	}
	kept := 0
	for _, key := range b.downloadKeys() { // The seed that it is made from stays in the state.
		secrets = append(secrets, key)
		kept++
	}
	require.GreaterOrEqual(b, len(secrets), 5)
	state, err := os.ReadFile(b.state) // An export would show what is encrypted there.
	require.NoError(b, err)
	outputs, err := b.stack.Outputs(b.Context())
	require.NoError(b, err)
	shown, err := json.Marshal(outputs)
	require.NoError(b, err)
	for _, thing := range b.cloud.Things("Parameter") {
		if value, set := thing.Inputs["value"]; set {
			kept++
			assert.Contains(b, secrets, value.SecretValue().Element.StringValue(), thing.ID)
		} else {
			for _, secret := range secrets {
				assert.NotContains(b, thing.Inputs["insecureValue"].StringValue(), secret)
			}
		}
	}
	assert.Equal(b, len(secrets), kept)
	for _, secret := range secrets {
		assert.NotContains(b, string(state), secret)
		assert.NotContains(b, string(shown), secret)
	}
	for name, output := range outputs {
		assert.False(b, output.Secret, name)
	}
}

func TestATierThatIsNotBuiltYetChangesNothing(t *testing.T) {
	for _, tier := range []stacks.Tier{stacks.Tier3, stacks.Tier4} {
		t.Run(string(tier), func(t *testing.T) {
			b := newBench(t, tier)
			_, err := b.tryUp()
			require.ErrorContains(t, err, "cannot build yet")
			assert.Empty(t, b.cloud.Things("Vpc"))
		})
	}
}

func TestALostHostIsMadeAgainWithItsAddressAndItsData(t *testing.T) {
	b := newBench(t, stacks.MVP)
	b.apply()
	lost, disk, port := b.only("Instance"), b.only("Volume"), b.only("NetworkInterface")
	b.cloud.Lose(lost.ID)
	b.cloud.Lose(b.only("VolumeAttachment").ID) // It went with the host.
	done, err := b.tryUp(optup.Refresh())
	require.NoError(t, err)
	assert.Contains(t, done.only("create"), "Instance panel-1")
	assert.NotEqual(t, lost.ID, b.only("Instance").ID)
	assert.Equal(t, disk.ID, b.only("Volume").ID)
	assert.Equal(t, port.ID, b.only("NetworkInterface").ID)
	assert.Equal(t, b.only("Instance").ID, b.only("VolumeAttachment").Inputs["instanceId"].StringValue())
	assert.Equal(t, disk.ID, b.only("VolumeAttachment").Inputs["volumeId"].StringValue())
}

func TestWhatSomebodyOpenedByHandIsClosedAgain(t *testing.T) {
	b := newBench(t, stacks.MVP)
	b.apply()
	for _, access := range b.cloud.Things("BucketPublicAccessBlock") {
		b.cloud.Change("BucketPublicAccessBlock", access.ID, "blockPublicPolicy", resource.NewProperty(false))
	}
	done, err := b.tryUp(optup.Refresh())
	require.NoError(t, err)
	assert.Len(t, done.only("update"), 2, "%v", done)
	for _, access := range b.cloud.Things("BucketPublicAccessBlock") {
		assert.True(t, access.Inputs["blockPublicPolicy"].BoolValue())
	}
}

func TestTagsAreOnEverythingThatTakesThem(t *testing.T) {
	b := newBench(t, stacks.Tier2)
	b.config["costCentre"] = "Team 7"
	b.apply()
	tagged := 0
	for _, thing := range b.cloud.Things("Instance") {
		tagged++
		assert.Equal(t, "Team 7", thing.Outputs["tagsAll"].ObjectValue()["cost-centre"].StringValue())
		assert.Equal(t, "tier2", thing.Outputs["tagsAll"].ObjectValue()["tier"].StringValue())
		assert.Equal(t, "production", thing.Inputs["rootBlockDevice"].ObjectValue()["tags"].ObjectValue()["stack"].StringValue())
	}
	assert.Equal(t, 5, tagged)
}

// Each region has its own provider, and a certificate of CloudFront is always in us-east-1.
func TestACDNElsewhereHasItsCertificateWhereCloudFrontWantsIt(t *testing.T) {
	b := newBench(t, stacks.Tier2)
	b.config["region"], b.config["domain"], b.config["hostedZone"] = "eu-central-1", "panel.example.com", "Z0123456789"
	b.apply()
	assert.True(t, strings.HasPrefix(b.only("Certificate").ID, "arn:aws:acm:us-east-1:"))
	var placed []string
	for _, disk := range b.cloud.Things("Volume") {
		placed = append(placed, disk.Inputs["availabilityZone"].StringValue())
	}
	assert.ElementsMatch(t, []string{"eu-central-1a", "eu-central-1b"}, placed)
	outputs, err := b.stack.Outputs(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "https://panel.example.com", outputs["url"].Value)
	var names []string
	for _, record := range b.cloud.Things("Record") {
		names = append(names, record.Inputs["type"].StringValue()+" "+record.Inputs["name"].StringValue())
	}
	assert.ElementsMatch(t, []string{
		"A origin.panel.example.com", "A panel.example.com", "AAAA panel.example.com", "CNAME _proof.panel.example.com",
	}, names)
}
