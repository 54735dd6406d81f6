package awsstacks

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/infra/machine"
	"github.com/radpanel/radpanel/infra/price"
	"github.com/radpanel/radpanel/stacks"
)

// A stack that goes from tier to tier in place keeps its disk, its buckets, its keys and its address.
func TestGrowingFromTierToTierKeepsTheData(t *testing.T) {
	b := newBench(t, stacks.MVP)
	b.apply()
	disk, address, backups := b.only("Volume").ID, b.only("Eip").Outputs["publicIp"], b.ids("BucketV2")
	secrets := b.secrets()

	b.config["tier"] = "tier1"
	done := b.up()
	assert.Equal(t, disk, b.only("Volume").ID)
	assert.Equal(t, "update", done.of("Volume data-1"), "it grows")
	assert.InDelta(t, 100, b.only("Volume").Inputs["size"].NumberValue(), 0)
	assert.Equal(t, "update", done.of("Instance panel-1"), "it stops, and starts with more")
	assert.Empty(t, done.only("replace"))
	for _, gone := range done.only("delete") {
		assert.Contains(t, gone, "MetricAlarm", "the next tier has triggers of its own")
	}

	// Files are on the disk, which goes to a host without a service: whoever goes on must know that.
	b.config["tier"] = "tier2"
	things := len(b.cloud.Things("Instance"))
	_, err := b.preview()
	require.ErrorContains(t, err, "stack production has its files on the disk of its host, and Tier 2 has them in S3")
	require.ErrorContains(t, err, "`pulumi config set leaveFiles true --stack production`")
	assert.Len(t, b.cloud.Things("Instance"), things)
	b.config["leaveFiles"] = "true"
	done = b.up()
	assert.Contains(t, b.ids("Volume"), disk)
	delete(b.config, "leaveFiles")
	_, err = b.preview()
	require.NoError(t, err, "it has its files in S3 now")
	assert.Empty(t, done.of("Volume data-1"))
	assert.Equal(t, "create", done.of("Volume data-2"), "the replica's")
	assert.Equal(t, address, b.only("Eip").Outputs["publicIp"])
	assert.Subset(t, b.ids("BucketV2"), backups)
	for name, secret := range secrets {
		assert.Equal(t, secret, b.secrets()[name], name)
	}
	primary := ""
	for _, attached := range b.cloud.Things("VolumeAttachment") {
		if attached.Inputs["volumeId"].StringValue() == disk {
			primary = attached.Inputs["instanceId"].StringValue()
		}
	}
	for _, host := range b.cloud.Things("Instance") {
		if host.ID == primary {
			assert.Equal(t, "production-database-1", host.Inputs["tags"].ObjectValue()["Name"].StringValue())
		}
	}
	assert.NotEmpty(t, primary)

	b.config["tier"] = "tier1"
	_, err = b.preview()
	require.ErrorContains(t, err, "protected", "the way back is a promotion, or the replica's disk would be lost")
}

// secrets gives the value of each secret parameter.
func (b *bench) secrets() map[string]string {
	values := map[string]string{}
	for _, thing := range b.cloud.Things("Parameter") {
		if value, set := thing.Inputs["value"]; set {
			values[thing.ID] = value.SecretValue().Element.StringValue()
		}
	}
	return values
}

// settings gives what the hosts are told.
func (b *bench) settings() []machine.HostSettings {
	b.Helper()
	var all []machine.HostSettings
	for _, thing := range b.cloud.Things("Parameter") {
		if value, set := thing.Inputs["insecureValue"]; set {
			read, err := machine.ReadHostSettings(value.StringValue())
			require.NoError(b, err)
			all = append(all, read)
		}
	}
	return all
}

func TestANewReleaseTouchesNoHost(t *testing.T) {
	b := newBench(t, stacks.Tier2)
	b.apply()
	before := b.ids("Instance")
	b.release = "second"
	done := b.up()
	assert.Equal(t, before, b.ids("Instance"))
	assert.Equal(t, []string{
		"Parameter backend-1", "Parameter backend-2", "Parameter balancer-1", "Parameter database-1", "Parameter database-2",
	}, done.only("update"))
	assert.Len(t, done, 6, "%v", done)
	require.Len(t, b.cloud.Things("BucketObjectv2"), 2, "the one before stays: a host may go back")
	for _, told := range b.settings() {
		assert.Equal(t, b.cloud.Things("BucketObjectv2")[1].Inputs["key"].StringValue(), told.Release.Key)
		assert.Contains(t, told.Release.Key, told.Release.SHA256)
	}
	b.release = "first"
	b.up()
	assert.Equal(t, before, b.ids("Instance"))
}

func TestAKeyOfTheConfigurationReachesTheHostsAsTheyRun(t *testing.T) {
	b := newBench(t, stacks.MVP)
	b.apply()
	b.config["logLevel"] = "debug"
	assert.Equal(t, steps{"Parameter panel-1": {"update"}}, b.up())
	assert.Equal(t, "debug", b.settings()[0].LogLevel)
}

func TestANewImageReplacesHostsAndKeepsTheirDisksAndAddresses(t *testing.T) {
	b := newBench(t, stacks.Tier2)
	b.apply()
	hosts, disks, ports, address := b.ids("Instance"), b.ids("Volume"), b.ids("NetworkInterface"), b.ids("Eip")
	b.config["ami"] = newer
	done := b.up()
	for _, id := range hosts {
		assert.NotContains(t, b.ids("Instance"), id)
	}
	assert.Equal(t, disks, b.ids("Volume"))
	assert.Equal(t, ports, b.ids("NetworkInterface"))
	assert.Equal(t, address, b.ids("Eip"))
	assert.Len(t, b.cloud.Things("VolumeAttachment"), 2)
	assert.Empty(t, done.of("Volume data-1"))
}

func TestZonesThatAreListedInAnotherOrderMoveNothing(t *testing.T) {
	b := newBench(t, stacks.Tier2)
	b.apply()
	b.cloud.ListZones("c", "d", "a")
	assert.Empty(t, b.up())
}

// instanceTypes gives those of a tier's hosts.
func instanceTypes(t *testing.T, tier stacks.Tier) map[string]bool {
	t.Helper()
	table, err := price.Default()
	require.NoError(t, err)
	stack, err := stacks.Load(string(tier), nil)
	require.NoError(t, err)
	choice, err := table.Choose(stack)
	require.NoError(t, err)
	types := map[string]bool{}
	for _, host := range choice.Hosts {
		types[host.Type] = true
	}
	return types
}

// Not every zone has every type of instance.
func TestAStackIsInZonesThatHaveItsInstances(t *testing.T) {
	b := newBench(t, stacks.Tier2)
	b.cloud.ListZones("e", "a", "b", "c")
	for name := range instanceTypes(t, stacks.Tier2) {
		b.cloud.Offer(name, "a", "c", "d")
	}
	b.apply()
	placed := map[string]bool{}
	for _, subnet := range b.cloud.Things("Subnet") {
		placed[subnet.Inputs["availabilityZone"].StringValue()] = true
	}
	assert.Equal(t, map[string]bool{"us-east-1a": true, "us-east-1c": true}, placed)

	for name := range instanceTypes(t, stacks.Tier2) {
		b.cloud.Offer(name, "e", "a", "c", "b")
	}
	assert.Empty(t, b.up(), "it stays where it is")
}

func TestARegionWithoutTheInstancesOfAStackIsRefused(t *testing.T) {
	b := newBench(t, stacks.MVP)
	for name := range instanceTypes(t, stacks.MVP) {
		b.cloud.Offer(name, "b", "d")
		_, err := b.tryUp()
		require.ErrorContains(t, err, "region us-east-1 has 1 availability zones with instances of all the types that the stack needs, "+name+
			": expected at least 2. Choose another region")
	}
	assert.Empty(t, b.cloud.Things("Vpc"))
}

func TestAnotherRegionIsAnotherStack(t *testing.T) {
	b := newBench(t, stacks.MVP)
	b.apply()
	b.config["region"] = "eu-central-1"
	_, err := b.preview()
	require.ErrorContains(t, err, "marked for protection")
}

func TestAnImageThatIsNotThereIsNamed(t *testing.T) {
	b := newBench(t, stacks.MVP)
	b.config["ami"] = "debian-12-arm64-20200101-1"
	_, err := b.tryUp()
	require.ErrorContains(t, err, `no image of Debian is called "debian-12-arm64-20200101-1" in us-east-1`)
	delete(b.config, "ami")
	_, err = b.tryUp()
	require.ErrorContains(t, err, "rad-panel:ami is not set")
	assert.Empty(t, b.cloud.Things("Vpc"))
}

// Hosts of a tier with several know each other.
func TestHostsAreToldWhereTheOthersAre(t *testing.T) {
	b := newBench(t, stacks.Tier2)
	b.apply()
	addresses := map[string]bool{}
	for _, port := range b.cloud.Things("NetworkInterface") {
		addresses[port.Inputs["privateIps"].ArrayValue()[0].StringValue()] = true
	}
	require.Len(t, addresses, 5)
	told := b.settings()
	require.Len(t, told, 5)
	for _, settings := range told {
		raw, err := json.Marshal(settings)
		require.NoError(t, err)
		for _, list := range [][]string{{string(raw)}} {
			for address := range addresses {
				assert.Contains(t, list[0], address)
			}
		}
		assert.Equal(t, b.only("Vpc").Inputs["cidrBlock"].StringValue(), settings.Network.String())
		_, host, err := settings.Blueprint()
		require.NoError(t, err)
		assert.Equal(t, host.Disk.Size > 0, settings.DataVolume != "")
		assert.Equal(t, settings.Role == stacks.RoleBalancer, len(settings.Front) > 0, "%s", settings.Role)
	}
}
