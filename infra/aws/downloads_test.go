package aws_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/pem"
	"regexp"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/app/config"
	"github.com/radpanel/radpanel/infra/aws/awstest"
	"github.com/radpanel/radpanel/infra/machine"
)

// behaviourFor gives the behaviour of a distribution that a path comes to, and its origin.
func behaviourFor(t *testing.T, distribution awstest.Declared, path string) (behaviour, origin resource.PropertyMap) {
	t.Helper()
	behaviour = plain(distribution.Inputs["defaultCacheBehavior"]).ObjectValue()
	for _, ordered := range distribution.Inputs["orderedCacheBehaviors"].ArrayValue() {
		properties := plain(ordered).ObjectValue()
		pattern := strings.NewReplacer("?", ".", "*", ".*").Replace(properties["pathPattern"].StringValue())
		if regexp.MustCompile("^" + pattern + "$").MatchString(path) {
			behaviour = properties
			break
		}
	}
	for _, other := range distribution.Inputs["origins"].ArrayValue() {
		if properties := plain(other).ObjectValue(); properties["originId"].DeepEquals(behaviour["targetOriginId"]) {
			origin = properties
		}
	}
	require.NotNil(t, origin, "%s comes to an origin that is not there", path)
	return behaviour, origin
}

const cachingDisabled = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"

// Downloads are read by CloudFront itself, for who has an address that a key has signed, and never kept.
func TestDownloadsAreReadByTheCDNForWhomAKeyHasSigned(t *testing.T) {
	t.Parallel()
	declared, err := declare(t, load(t, "tier2", map[string]string{"region": "eu-central-1"}))
	require.NoError(t, err)
	distribution, key := one(t, declared, "Distribution", "cdn"), uuid.Must(uuid.NewV7()).String()

	behaviour, origin := behaviourFor(t, distribution, config.DownloadPath+"7f/"+key)
	assert.Regexp(t, `^files-[0-9a-f]{7}\.s3\.[a-z0-9-]+\.amazonaws\.com$`, plain(origin["domainName"]).StringValue())
	access := one(t, declared, "OriginAccessControl", "files")
	assert.Equal(t, "s3", at(access, "originAccessControlOriginType"))
	assert.Equal(t, "always", at(access, "signingBehavior"))
	assert.Equal(t, "sigv4", at(access, "signingProtocol"))
	assert.False(t, origin["originAccessControlId"].IsNull())
	assert.Len(t, plain(behaviour["trustedKeyGroups"]).ArrayValue(), 1)
	assert.Equal(t, cachingDisabled, behaviour["cachePolicyId"].StringValue())
	assert.Len(t, behaviour["allowedMethods"].ArrayValue(), 2, "it can only be read")
	code := at(one(t, declared, "Function", "downloads"), "code").(string)
	assert.Contains(t, code, `event.request.uri.slice("/downloads".length)`, "the bucket is asked for the key")
	asked := one(t, declared, "OriginRequestPolicy", "downloads")
	assert.Equal(t, "whitelist", at(asked, "queryStringsConfig", "queryStringBehavior"))
	assert.Equal(t, "none", at(asked, "headersConfig", "headerBehavior"))
	assert.Equal(t, "none", at(asked, "cookiesConfig", "cookieBehavior"))

	policy := policies(t, declared)["BucketPolicy files"]
	require.Len(t, policy.Statement, 2)
	allowed := policy.Statement[1]
	assert.Equal(t, "Allow", allowed.Effect)
	assert.Equal(t, map[string]string{"Service": "cloudfront.amazonaws.com"}, allowed.Principal)
	assert.Equal(t, []string{"s3:GetObject"}, allowed.Action)
	assert.Regexp(t, `^arn:aws:s3:::files-[0-9a-f]{7}/\*$`, allowed.Resource[0])
	assert.Regexp(t, `^arn:aws:cloudfront::123456789012:distribution/E[0-9A-F]+$`, allowed.Condition["StringEquals"]["AWS:SourceArn"])
}

// Uploads come by the panel's own origin, at the server's name that their addresses are signed for, and so do downloads that a
// release from before the keys has signed.
func TestUploadsAreReachedThroughTheCDN(t *testing.T) {
	t.Parallel()
	declared, err := declare(t, load(t, "tier2", map[string]string{"region": "eu-central-1"}))
	require.NoError(t, err)
	distribution, key := one(t, declared, "Distribution", "cdn"), uuid.Must(uuid.NewV7()).String()

	behaviour, origin := behaviourFor(t, distribution, "/7f/"+key)
	assert.Regexp(t, `^files-[0-9a-f]{7}\.s3\.dualstack\.eu-central-1\.amazonaws\.com$`, plain(origin["domainName"]).StringValue())
	assert.Equal(t, cachingDisabled, behaviour["cachePolicyId"].StringValue())
	assert.True(t, origin["originAccessControlId"].IsNull(), "CloudFront has no say there: S3 checks who has signed")
	assert.Equal(t, "all", at(one(t, declared, "OriginRequestPolicy", "signed"), "queryStringsConfig", "queryStringBehavior"))

	for _, page := range []string{"/", "/api/v1/panels", "/downloads", "/panels/" + key + "/files", "/api/v1/files/" + key} {
		_, origin := behaviourFor(t, distribution, page)
		assert.Equal(t, "entrance", origin["originId"].StringValue(), page)
	}
}

func TestWhatUsersUploadedRunsNothing(t *testing.T) {
	t.Parallel()
	declared, err := declare(t, load(t, "tier2", nil))
	require.NoError(t, err)
	headers := one(t, declared, "ResponseHeadersPolicy", "files")
	assert.Equal(t, machine.UserContentPolicy, at(headers, "securityHeadersConfig", "contentSecurityPolicy", "contentSecurityPolicy"))
	assert.Equal(t, true, at(headers, "securityHeadersConfig", "contentSecurityPolicy", "override"))
	assert.Equal(t, true, at(headers, "securityHeadersConfig", "contentTypeOptions", "override"))
	for _, path := range []string{"/7f/" + uuid.NewString(), config.DownloadPath + "7f/" + uuid.NewString()} {
		behaviour, _ := behaviourFor(t, one(t, declared, "Distribution", "cdn"), path)
		assert.False(t, behaviour["responseHeadersPolicyId"].IsNull(), path)
	}
}

// keys gives the public keys that CloudFront is told, by their names.
func keys(t *testing.T, declared []awstest.Declared) map[string]*ecdsa.PublicKey {
	t.Helper()
	found := map[string]*ecdsa.PublicKey{}
	for _, r := range declared {
		if !strings.HasSuffix(r.Type, ":PublicKey") {
			continue
		}
		assert.False(t, r.Inputs["encodedKey"].ContainsSecrets(), "%s is for everybody to see", r.Name)
		text := at(r, "encodedKey").(string)
		assert.True(t, strings.HasSuffix(text, "\n"), "without, each update makes the key anew")
		block, rest := pem.Decode([]byte(text))
		require.NotNil(t, block)
		assert.Empty(t, rest)
		parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
		require.NoError(t, err)
		found[r.Name] = parsed.(*ecdsa.PublicKey)
		assert.Equal(t, elliptic.P256(), found[r.Name].Curve, "CloudFront knows no other curve")
	}
	return found
}

func TestTheKeyThatSignsIsOneThatTheCDNTrusts(t *testing.T) {
	t.Parallel()
	for number, trusted := range map[string][]string{
		"1": {"download-key-1", "download-key-2"}, "2": {"download-key-1", "download-key-2", "download-key-3"},
		"7": {"download-key-6", "download-key-7", "download-key-8"},
	} {
		declared, err := declare(t, load(t, "tier2", map[string]string{"downloadKey": number}))
		require.NoError(t, err)
		published := keys(t, declared)
		assert.Len(t, published, len(trusted), number)
		assert.Len(t, plain(one(t, declared, "KeyGroup", "downloads").Inputs["items"]).ArrayValue(), len(trusted))
		different := map[string]bool{}
		for _, name := range trusted {
			require.Contains(t, published, name)
			different[published[name].X.String()] = true //nolint:staticcheck // It is compared with others, no more.
		}
		assert.Len(t, different, len(trusted), "keys differ")

		parameter := one(t, declared, "Parameter", "download-key-"+number)
		assert.Equal(t, "SecureString", at(parameter, "type"))
		assert.True(t, parameter.Inputs["value"].ContainsSecrets())
		signer, err := config.Config{S3FrontKey: config.Secret(at(parameter, "value").(string))}.S3FrontSigner()
		require.NoError(t, err)
		assert.True(t, published["download-key-"+number].Equal(signer.Public()), "the service signs with what CloudFront knows")
		for _, name := range trusted {
			if name != "download-key-"+number {
				assert.Empty(t, named(declared, "Parameter", name), "no host gets a key that does not sign")
			}
		}
	}
}

func named(declared []awstest.Declared, kind, name string) []awstest.Declared {
	var found []awstest.Declared
	for _, r := range declared {
		if strings.HasSuffix(r.Type, ":"+kind) && r.Name == name {
			found = append(found, r)
		}
	}
	return found
}

func TestNoTierWithoutACDNHasKeys(t *testing.T) {
	t.Parallel()
	for _, tier := range []string{"mvp", "tier1"} {
		declared, err := declare(t, load(t, tier, nil))
		require.NoError(t, err)
		assert.Empty(t, keys(t, declared))
	}
}
