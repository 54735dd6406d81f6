package awstest_test

import (
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/radpanel/radpanel/infra/aws/awstest"
)

// client asks the stand-in as the engine does.
type client struct {
	*testing.T
	cloud    *awstest.Cloud
	provider pulumirpc.ResourceProviderServer
}

func newClient(t *testing.T) *client {
	t.Helper()
	cloud, err := awstest.New("debian-12-arm64-20260210-2384")
	require.NoError(t, err)
	return &client{t, cloud, cloud.Provider()}
}

func urn(kind string) string {
	return string(resource.NewURN("stack", "project", "", tokens.Type(kind), "it"))
}

func (c *client) pack(inputs map[string]any) *structpb.Struct {
	c.Helper()
	packed, err := plugin.MarshalProperties(resource.NewPropertyMapFromMap(inputs), plugin.MarshalOptions{})
	require.NoError(c, err)
	return packed
}

// wrong gives what Check finds, by property.
func (c *client) wrong(kind string, inputs map[string]any) map[string]string {
	c.Helper()
	checked, err := c.provider.Check(c.Context(), &pulumirpc.CheckRequest{Urn: urn(kind), News: c.pack(inputs)})
	require.NoError(c, err)
	found := map[string]string{}
	for _, failure := range checked.GetFailures() {
		found[failure.GetProperty()] = failure.GetReason()
	}
	return found
}

func (c *client) create(kind string, inputs map[string]any) (string, error) {
	created, err := c.provider.Create(c.Context(), &pulumirpc.CreateRequest{Urn: urn(kind), Properties: c.pack(inputs)})
	return created.GetId(), err
}

// replaces gives the properties for which a change replaces the resource.
func (c *client) replaces(kind string, before, after map[string]any) []string {
	c.Helper()
	diff, err := c.provider.Diff(c.Context(), &pulumirpc.DiffRequest{Urn: urn(kind), OldInputs: c.pack(before), News: c.pack(after)})
	require.NoError(c, err)
	assert.Equal(c, pulumirpc.DiffResponse_DIFF_SOME, diff.GetChanges())
	return diff.GetReplaces()
}

const (
	volume     = "aws:ebs/volume:Volume"
	instance   = "aws:ec2/instance:Instance"
	attachment = "aws:ec2/volumeAttachment:VolumeAttachment"
)

func TestWhatNobodyKnowsIsRefused(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	_, err := c.provider.Check(t.Context(), &pulumirpc.CheckRequest{Urn: urn("aws:ec2/moon:Moon")})
	require.ErrorContains(t, err, "knows no type aws:ec2/moon:Moon")
	assert.Empty(t, c.wrong(volume, map[string]any{"availabilityZone": "us-east-1a", "encrypted": true}))
	assert.Contains(t, c.wrong(volume, map[string]any{"availabilityZone": "us-east-1a", "encypted": true}), "encypted")
	assert.Contains(t, c.wrong(volume, map[string]any{"encrypted": true})["availabilityZone"], "required")
	assert.Contains(t, c.wrong(instance, map[string]any{"metadataOptions": map[string]any{"httpToken": "required"}}), "metadataOptions.httpToken")
	nested := map[string]any{"networkInterfaces": []any{map[string]any{"networkInterfaceId": "eni-1"}}}
	assert.Contains(t, c.wrong(instance, nested)["networkInterfaces.deviceIndex"], "required")
	assert.Empty(t, c.wrong(instance, map[string]any{"tags": map[string]any{"whatever": "I like"}}))
	_, err = c.provider.Invoke(t.Context(), &pulumirpc.InvokeRequest{Tok: "aws:ec2/getMoon:getMoon"})
	require.ErrorContains(t, err, "knows no function")
}

func TestWhatIsInUseStaysSo(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	disk, err := c.create(volume, map[string]any{"availabilityZone": "us-east-1a"})
	require.NoError(t, err)
	host, err := c.create(instance, map[string]any{"networkInterfaces": []any{map[string]any{"deviceIndex": 0, "networkInterfaceId": "eni-1"}}})
	require.NoError(t, err)
	first, err := c.create(attachment, map[string]any{"volumeId": disk, "instanceId": host})
	require.NoError(t, err)
	_, err = c.create(attachment, map[string]any{"volumeId": disk, "instanceId": "i-other"})
	require.ErrorContains(t, err, "in use by "+first)
	_, err = c.create(instance, map[string]any{"networkInterfaces": []any{map[string]any{"deviceIndex": 0, "networkInterfaceId": "eni-1"}}})
	require.ErrorContains(t, err, "in use by "+host)
	_, err = c.provider.Delete(t.Context(), &pulumirpc.DeleteRequest{Urn: urn(volume), Id: disk})
	require.ErrorContains(t, err, "still depends on it")
	assert.Len(t, c.cloud.Things("Volume"), 1)
	_, err = c.provider.Delete(t.Context(), &pulumirpc.DeleteRequest{Urn: urn(attachment), Id: first})
	require.NoError(t, err)
	_, err = c.provider.Delete(t.Context(), &pulumirpc.DeleteRequest{Urn: urn(volume), Id: disk})
	require.NoError(t, err)
	assert.Empty(t, c.cloud.Things("Volume"))
}

func TestSomeChangesReplace(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	disk := map[string]any{"availabilityZone": "us-east-1a", "size": 20, "encrypted": true}
	assert.Empty(t, c.replaces(volume, disk, map[string]any{"availabilityZone": "us-east-1a", "size": 100, "encrypted": true}))
	assert.Equal(t, []string{"availabilityZone"}, c.replaces(volume, disk, map[string]any{"availabilityZone": "us-east-1b", "size": 20, "encrypted": true}))
	host := map[string]any{"ami": "a", "rootBlockDevice": map[string]any{"encrypted": false, "volumeSize": 8}}
	assert.Equal(t, []string{"ami"}, c.replaces(instance, host, map[string]any{"ami": "b", "rootBlockDevice": host["rootBlockDevice"]}))
	assert.Equal(t, []string{"rootBlockDevice.encrypted"}, c.replaces(instance, host, map[string]any{
		"ami": "a", "rootBlockDevice": map[string]any{"encrypted": true, "volumeSize": 16},
	}))
}
