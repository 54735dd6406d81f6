package awsstacks

import (
	"compress/gzip"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/infra/aws/awstest"
	"github.com/radpanel/radpanel/infra/machine"
	"github.com/radpanel/radpanel/stacks"
)

// downloadKeys gives the private keys that hosts can have, by their parameters' names.
func (b *bench) downloadKeys() map[string]string {
	found := map[string]string{}
	for name, value := range b.secrets() {
		if strings.Contains(name, "/download-key-") {
			found[filepath.Base(name)] = value
		}
	}
	return found
}

// signer gives what the backends are told of the key that they sign with: its secret and what CloudFront calls it.
func (b *bench) signer() (secret, id string) {
	b.Helper()
	backends := 0
	for _, told := range b.settings() {
		if told.Role != stacks.RoleBackend {
			assert.Zero(b, told.DownloadKey, "only backends sign")
			assert.Empty(b, told.DownloadKeyID)
			continue
		}
		backends++
		secret, id = machine.DownloadKey(told.DownloadKey), told.DownloadKeyID
	}
	require.Equal(b, 2, backends)
	return secret, id
}

// trusted gives the ids of the keys that CloudFront trusts.
func (b *bench) trusted() []string {
	b.Helper()
	var ids []string
	for _, item := range b.only("KeyGroup").Inputs["items"].ArrayValue() {
		ids = append(ids, item.StringValue())
	}
	return ids
}

// The key that signs next is trusted long before, and the one that has signed until now for a while: no address breaks.
func TestAnotherKeySignsAndWhatTheLastOneSignedStaysGood(t *testing.T) {
	b := newBench(t, stacks.Tier2)
	b.apply()
	hosts, distribution := b.ids("Instance"), b.only("Distribution")
	secret, first := b.signer()
	assert.Equal(t, "download-key-1", secret)
	before := b.trusted()
	require.Len(t, before, 2)
	assert.Equal(t, before[0], first)

	b.config["downloadKey"] = "2"
	done := b.up()
	secret, second := b.signer()
	assert.Equal(t, "download-key-2", secret)
	assert.Equal(t, before[1], second, "it was trusted before it signs")
	require.Len(t, b.trusted(), 3)
	assert.Equal(t, before, b.trusted()[:2], "so is the one before it")
	assert.Equal(t, []string{"download-key-2"}, names(b.downloadKeys()), "hosts can have the key that signs, and no other")
	assert.Equal(t, []string{"Parameter download-key-1"}, done.only("delete"))
	assert.Empty(t, done.only("replace"))
	assert.Equal(t, hosts, b.ids("Instance"))
	assert.Equal(t, distribution, b.only("Distribution"), "it knows the group alone")

	b.config["downloadKey"] = "3"
	done = b.up()
	assert.NotContains(t, b.trusted(), first, "a key that has leaked is out after two changes")
	assert.ElementsMatch(t, []string{"Parameter download-key-2", "PublicKey download-key-1"}, done.only("delete"))
}

func names(values map[string]string) []string {
	var all []string
	for name := range values {
		all = append(all, name)
	}
	return all
}

// beforeKeys is the state of a stack of tier 2 as the program left it that signed downloads for S3.
const beforeKeys = "testdata/tier2-before-download-keys.json.gz"

// restore puts the stack and the cloud into the state of a file, which an export with its secrets has written.
func (b *bench) restore(file string) {
	b.Helper()
	packed, err := os.Open(file)
	require.NoError(b, err)
	defer func() { _ = packed.Close() }() // Only read.
	raw, err := gzip.NewReader(packed)
	require.NoError(b, err)
	var deployment apitype.UntypedDeployment
	require.NoError(b, json.NewDecoder(raw).Decode(&deployment))
	require.NoError(b, b.stack.Import(b.Context(), deployment))
	var latest struct{ Resources []apitype.ResourceV3 }
	require.NoError(b, json.Unmarshal(deployment.Deployment, &latest))
	for _, r := range latest.Resources {
		if r.Custom && !strings.HasPrefix(string(r.Type), "pulumi:") {
			b.cloud.Place(awstest.Thing{Type: string(r.Type), ID: string(r.ID), Inputs: properties(r.Inputs), Outputs: properties(r.Outputs)})
		}
	}
}

// properties reads what a state has of a resource.
func properties(written map[string]any) resource.PropertyMap {
	return resource.NewPropertyMapFromMapRepl(written, nil, func(value any) (resource.PropertyValue, bool) {
		object, is := value.(map[string]any)
		if !is || object[resource.SigKey] != resource.SecretSig {
			return resource.PropertyValue{}, false
		}
		var plain any
		if text, is := object["plaintext"].(string); !is || json.Unmarshal([]byte(text), &plain) != nil {
			return resource.PropertyValue{}, false
		}
		return resource.MakeSecret(resource.NewPropertyValue(plain)), true
	})
}

// A stack that signed downloads for S3 goes over in one update, and every address that was handed out before stays good:
// what leads to S3 by S3's own signatures is as it was.
func TestAStackFromBeforeTheKeysGoesOverInPlace(t *testing.T) {
	b := newBench(t, stacks.Tier2)
	b.config["domain"], b.config["hostedZone"] = "panel.example.com", "Z0123456789"
	b.restore(beforeKeys)
	before, kept := b.only("Distribution"), map[string][]string{}
	for _, kind := range []string{"Distribution", "BucketV2", "Instance", "Volume", "Eip", "RandomBytes", "Record"} {
		kept[kind] = b.ids(kind)
		require.NotEmpty(t, kept[kind], kind)
	}
	secrets := b.secrets()

	done := b.up()
	assert.Equal(t, "update", done.of("Distribution cdn"))
	assert.Equal(t, "update", done.of("BucketPolicy files"))
	assert.Empty(t, done.only("replace"))
	for kind, ids := range kept {
		assert.Subset(t, b.ids(kind), ids, kind)
	}
	for name, value := range secrets {
		assert.Equal(t, value, b.secrets()[name], name)
	}
	after := b.only("Distribution")
	for _, list := range []resource.PropertyKey{"origins", "orderedCacheBehaviors"} {
		now := after.Inputs[list].ArrayValue()
		for i, old := range before.Inputs[list].ArrayValue() {
			for name, value := range old.ObjectValue() {
				assert.True(t, value.DeepEquals(now[i].ObjectValue()[name]), "%s %d: %s was %v", list, i, name, value)
			}
		}
	}
	_, id := b.signer()
	assert.Contains(t, b.trusted(), id)
	assert.Empty(t, b.up(), "nothing is left to do")

	needs := b.dependencies("Parameter", "backend-1")
	assert.Contains(t, needs, "Distribution cdn", "the service signs for what is there already")
	assert.Contains(t, needs, "BucketPolicy files")
	assert.Contains(t, needs, "RolePolicy backend", "a host that may not read what its settings name would take its release for broken")

	b.command("destroy", "--yes", "--skip-preview", "--exclude-protected")
	for _, gone := range []string{"Distribution", "KeyGroup", "PublicKey", "OriginAccessControl", "Function", "Instance"} {
		assert.Empty(t, b.cloud.Things(gone), gone)
	}
	assert.Contains(t, b.ids("BucketV2"), bucketOf(before), "the files stay")
}

// bucketOf gives the name of the bucket of files that a distribution leads to.
func bucketOf(distribution awstest.Thing) string {
	for _, origin := range distribution.Inputs["origins"].ArrayValue() {
		if name := origin.ObjectValue()["domainName"].StringValue(); strings.HasPrefix(name, "files-") {
			return strings.SplitN(name, ".", 2)[0]
		}
	}
	return ""
}

// dependencies gives what a resource of the state is made from, by kind and name.
func (b *bench) dependencies(kind, name string) []string {
	b.Helper()
	exported, err := b.stack.Export(b.Context())
	require.NoError(b, err)
	var latest struct{ Resources []apitype.ResourceV3 }
	require.NoError(b, json.Unmarshal(exported.Deployment, &latest))
	for _, r := range latest.Resources {
		if r.URN.Name() != name || !strings.HasSuffix(string(r.Type), ":"+kind) {
			continue
		}
		var found []string
		for _, urn := range r.Dependencies {
			whole := string(urn.Type())
			found = append(found, whole[strings.LastIndex(whole, ":")+1:]+" "+urn.Name())
		}
		return found
	}
	require.Fail(b, "the state has no "+kind+" "+name)
	return nil
}
