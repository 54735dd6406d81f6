package aws_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/infra/aws/awstest"
	"github.com/radpanel/radpanel/stacks"
)

// rule is what every resource of every stack keeps to, and how many of a stack it is about at least: a rule that is about
// none would hold for any program.
type rule struct {
	name  string
	least int
	about func(awstest.Declared) bool
	check func(t *testing.T, stack stacks.Stack, r awstest.Declared)
}

func ofType(kinds ...string) func(awstest.Declared) bool {
	return func(r awstest.Declared) bool {
		return slices.ContainsFunc(kinds, func(kind string) bool { return strings.HasSuffix(r.Type, ":"+kind) })
	}
}

func rules() []rule {
	return []rule{
		{"hosts want a token for their metadata", 1, ofType("Instance"), func(t *testing.T, _ stacks.Stack, r awstest.Declared) {
			assert.Equal(t, "required", at(r, "metadataOptions", "httpTokens"))
			assert.InDelta(t, 1, at(r, "metadataOptions", "httpPutResponseHopLimit"), 0)
		}},
		{"hosts have no key for SSH", 1, ofType("Instance"), func(t *testing.T, _ stacks.Stack, r awstest.Declared) {
			assert.Nil(t, at(r, "keyName"))
		}},
		{"system disks are encrypted", 1, ofType("Instance"), func(t *testing.T, _ stacks.Stack, r awstest.Declared) {
			assert.Equal(t, true, at(r, "rootBlockDevice", "encrypted"))
		}},
		{"a host is not replaced for its first script", 1, ofType("Instance"), func(t *testing.T, _ stacks.Stack, r awstest.Declared) {
			assert.Equal(t, false, at(r, "userDataReplaceOnChange"))
			assert.Equal(t, []string{"userData"}, r.Options.GetIgnoreChanges())
		}},
		{"data disks are encrypted SSDs as large as the plan says", 1, ofType("Volume"), func(t *testing.T, stack stacks.Stack, r awstest.Declared) {
			host, _ := stack.Plan.Blueprint.HostOf(stacks.PartDatabase)
			assert.Equal(t, true, at(r, "encrypted"))
			assert.Equal(t, "gp3", at(r, "type"))
			assert.InDelta(t, float64(host.Disk.Size/stacks.GiB), at(r, "size"), 0)
		}},
		{"what cannot be made again is protected and kept", 8, holdsData, func(t *testing.T, _ stacks.Stack, r awstest.Declared) {
			assert.True(t, r.Options.GetProtect())
			if !strings.HasPrefix(r.Type, "random:") { // Its value is in the state alone.
				assert.True(t, r.Options.GetRetainOnDelete())
			}
		}},
		{"nothing but 80 and 443 is open to all", 1, ofType("SecurityGroupIngressRule"), func(t *testing.T, _ stacks.Stack, r awstest.Declared) {
			assert.Equal(t, "tcp", at(r, "ipProtocol"))
			assert.Equal(t, at(r, "fromPort"), at(r, "toPort"))
			if at(r, "referencedSecurityGroupId") == nil {
				assert.Contains(t, []any{80.0, 443.0}, at(r, "fromPort"))
			}
			assert.NotEqual(t, "::/0", at(r, "cidrIpv6"))
		}},
		{"hosts reach no other ports of strangers than 80 and 443", 2, ofType("SecurityGroupEgressRule"), func(t *testing.T, _ stacks.Stack, r awstest.Declared) {
			assert.Equal(t, "tcp", at(r, "ipProtocol"))
			if at(r, "referencedSecurityGroupId") == nil {
				assert.Contains(t, []any{80.0, 443.0}, at(r, "fromPort"))
			}
		}},
		{"groups have no rules of their own, which would fight those beside them", 2, ofType("SecurityGroup", "DefaultSecurityGroup"), func(t *testing.T, _ stacks.Stack, r awstest.Declared) {
			assert.Nil(t, at(r, "ingress"))
			assert.Nil(t, at(r, "egress"))
		}},
		{"no subnet hands out public addresses", 4, ofType("Subnet"), func(t *testing.T, _ stacks.Stack, r awstest.Declared) {
			assert.Equal(t, false, at(r, "mapPublicIpOnLaunch"))
		}},
		{"secrets are encrypted and only secrets are in clear nowhere", 5, ofType("Parameter"), func(t *testing.T, _ stacks.Stack, r awstest.Declared) {
			isSecret := strings.Contains(at(r, "name").(string), "/secrets/")
			assert.Equal(t, isSecret, at(r, "type") == "SecureString")
			assert.Equal(t, isSecret, r.Inputs["value"].ContainsSecrets())
			assert.Equal(t, !isSecret, at(r, "insecureValue") != nil)
		}},
		{"what is there for a promotion alone can go", 0, ofPromotion, func(t *testing.T, stack stacks.Stack, r awstest.Declared) {
			assert.NotEmpty(t, stack.Settings.PromoteFrom)
			assert.False(t, r.Options.GetProtect())
			assert.False(t, r.Options.GetRetainOnDelete())
		}},
		{"alarms tell somebody", 2, ofType("MetricAlarm"), func(t *testing.T, _ stacks.Stack, r awstest.Declared) {
			assert.Contains(t, textOf(r.Inputs["alarmActions"]), "arn:aws:sns:")
			assert.NotEmpty(t, at(r, "alarmDescription"))
		}},
		{"logs end", 1, ofType("LogGroup"), func(t *testing.T, _ stacks.Stack, r awstest.Declared) {
			assert.Positive(t, at(r, "retentionInDays"))
		}},
		{"who meets the CDN does so by TLS", 0, ofType("Distribution"), func(t *testing.T, stack stacks.Stack, r awstest.Declared) {
			assert.Equal(t, "redirect-to-https", at(r, "defaultCacheBehavior", "viewerProtocolPolicy"))
			for _, behaviour := range r.Inputs["orderedCacheBehaviors"].ArrayValue() {
				assert.Contains(t, []string{"redirect-to-https", "https-only"}, behaviour.ObjectValue()["viewerProtocolPolicy"].StringValue())
			}
			if stack.Settings.Domain != "" {
				assert.Equal(t, "TLSv1.2_2021", at(r, "viewerCertificate", "minimumProtocolVersion"))
				origin := r.Inputs["origins"].ArrayValue()[0].ObjectValue()
				assert.Equal(t, "https-only", origin["customOriginConfig"].ObjectValue()["originProtocolPolicy"].StringValue())
			}
		}},
		{"what the CDN reads on its own account is for those alone whom a key has signed for", 0, ofType("Distribution"), func(t *testing.T, _ stacks.Stack, r awstest.Declared) {
			own := map[string]bool{}
			for _, origin := range r.Inputs["origins"].ArrayValue() {
				properties := plain(origin).ObjectValue()
				own[properties["originId"].StringValue()] = !properties["originAccessControlId"].IsNull()
			}
			assert.False(t, own[at(r, "defaultCacheBehavior", "targetOriginId").(string)])
			for _, behaviour := range r.Inputs["orderedCacheBehaviors"].ArrayValue() {
				properties := plain(behaviour).ObjectValue()
				if own[properties["targetOriginId"].StringValue()] {
					assert.Len(t, plain(properties["trustedKeyGroups"]).ArrayValue(), 1)
				}
			}
		}},
		{"the provider says where and whose everything is", 1, ofType("aws"), func(t *testing.T, stack stacks.Stack, r awstest.Declared) {
			tags := map[string]string{}
			var parsed struct{ Tags map[string]string }
			require.NoError(t, json.Unmarshal([]byte(textOf(r.Inputs["defaultTags"])), &parsed))
			for name, value := range parsed.Tags {
				tags[name] = value
			}
			assert.Equal(t, map[string]string{
				"project": "rad-panel", "stack": stack.Name, "tier": string(stack.Tier()), "cost-centre": stack.Settings.CostCentre,
			}, tags)
			assert.Contains(t, []string{stack.Settings.Region, "us-east-1"}, at(r, "region"))
		}},
	}
}

// holdsData tells whether something is lost with a resource.
func holdsData(r awstest.Declared) bool {
	switch {
	case ofPromotion(r):
		return false
	case strings.HasSuffix(r.Type, ":Volume"), strings.HasPrefix(r.Type, "random:"):
		return true
	case strings.HasSuffix(r.Type, ":Parameter"):
		return at(r, "type") == "SecureString" && !strings.HasPrefix(r.Name, "download-key-") // That one is good for minutes.
	case strings.HasSuffix(r.Type, ":BucketV2"):
		return r.Name == "backups" || r.Name == "files"
	default:
		return false
	}
}

// ofPromotion tells whether a resource is there for as long as a promotion.
func ofPromotion(r awstest.Declared) bool {
	return strings.Contains(r.Options.GetParent(), "radpanel:aws:Window")
}

func TestEveryResourceOfEveryStackKeepsToTheRules(t *testing.T) {
	t.Parallel()
	eachVariant(t, func(t *testing.T, stack stacks.Stack, declared []awstest.Declared) {
		for _, rule := range rules() {
			found := 0
			for _, r := range declared {
				if rule.about(r) {
					found++
					t.Run(rule.name+" "+r.Name, func(t *testing.T) { rule.check(t, stack, r) })
				}
			}
			assert.GreaterOrEqual(t, found, rule.least, rule.name)
		}
	})
}

// Every resource of AWS is made by the stack's own provider, below the stack's own component.
func TestEverythingBelongsToTheStack(t *testing.T) {
	t.Parallel()
	eachVariant(t, func(t *testing.T, _ stacks.Stack, declared []awstest.Declared) {
		for _, r := range declared {
			switch {
			case r.Type == "radpanel:aws:Stack":
			case strings.HasPrefix(r.Type, "aws:"):
				assert.Contains(t, r.Options.GetProvider(), "pulumi:providers:aws::aws", r.Name)
				assert.Contains(t, r.Options.GetParent(), "radpanel:aws:", r.Name)
			default:
				assert.NotEmpty(t, r.Options.GetParent(), "%s %s", r.Type, r.Name)
			}
		}
	})
}

func TestBucketsAreClosedEncryptedAndVersioned(t *testing.T) {
	t.Parallel()
	eachVariant(t, func(t *testing.T, stack stacks.Stack, declared []awstest.Declared) {
		want := []string{"backups", "releases"}
		if stack.Plan.Blueprint.FileStore.Kind == stacks.FileStoreS3 {
			want = append(want, "files")
		}
		var buckets []string
		for _, r := range declared {
			if strings.HasSuffix(r.Type, ":BucketV2") {
				buckets = append(buckets, r.Name)
			}
		}
		assert.ElementsMatch(t, want, buckets)
		for _, name := range buckets {
			access := one(t, declared, "BucketPublicAccessBlock", name)
			for _, property := range []string{"blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets"} {
				assert.Equal(t, true, at(access, property), property)
			}
			assert.Equal(t, "Enabled", at(one(t, declared, "BucketVersioningV2", name), "versioningConfiguration", "status"))
			assert.Equal(t, "BucketOwnerEnforced", at(one(t, declared, "BucketOwnershipControls", name), "rule", "objectOwnership"))
			encryption := one(t, declared, "BucketServerSideEncryptionConfigurationV2", name)
			assert.Contains(t, textOf(encryption.Inputs["rules"]), "AES256")
			lifecycle := one(t, declared, "BucketLifecycleConfigurationV2", name)
			assert.Contains(t, textOf(lifecycle.Inputs["rules"]), "noncurrentDays")
		}
	})
}

// Each trigger that says that a tier is outgrown has its alarm, and the processor's one for each host.
func TestTriggersHaveAlarms(t *testing.T) {
	t.Parallel()
	eachVariant(t, func(t *testing.T, stack stacks.Stack, declared []awstest.Declared) {
		next, more := stacks.Plan().Next(stack.Tier())
		require.True(t, more)
		for _, trigger := range next.Triggers {
			if trigger.Metric == stacks.HostCPU {
				for _, host := range stack.Plan.Blueprint.Hosts {
					alarm := one(t, declared, "MetricAlarm", fmt.Sprintf("%s-%s-%d", trigger.ID, host.Role, host.Count))
					assert.Regexp(t, "^i-", at(alarm, "dimensions", "InstanceId"))
				}
				continue
			}
			alarm := one(t, declared, "MetricAlarm", trigger.ID)
			assert.Equal(t, stack.Name, at(alarm, "dimensions", "Stack"))
			assert.InDelta(t, trigger.Threshold, at(alarm, "threshold"), 0)
			assert.InDelta(t, trigger.For.Seconds(), at(alarm, "period").(float64)*at(alarm, "evaluationPeriods").(float64), 0)
		}
	})
}

func TestAnAddressThatWantsToKnowIsTold(t *testing.T) {
	t.Parallel()
	declared, err := declare(t, load(t, "mvp", map[string]string{"alertEmail": "ops@example.com"}))
	require.NoError(t, err)
	subscription := one(t, declared, "TopicSubscription", "alarms")
	assert.Equal(t, "email", at(subscription, "protocol"))
	assert.Equal(t, "ops@example.com", at(subscription, "endpoint"))
}

// one gives the only resource of a type and name.
func one(t *testing.T, declared []awstest.Declared, kind, name string) awstest.Declared {
	t.Helper()
	var found []awstest.Declared
	for _, r := range declared {
		if strings.HasSuffix(r.Type, ":"+kind) && r.Name == name {
			found = append(found, r)
		}
	}
	require.Len(t, found, 1, "%s %s", kind, name)
	return found[0]
}

// at gives a property of a resource's inputs as a plain value; nil if it is not set.
func at(r awstest.Declared, path ...string) any {
	value := resource.NewProperty(r.Inputs)
	for _, name := range path {
		value = plain(value)
		if !value.IsObject() {
			return nil
		}
		value = value.ObjectValue()[resource.PropertyKey(name)]
	}
	value = plain(value)
	switch {
	case value.IsString():
		return value.StringValue()
	case value.IsBool():
		return value.BoolValue()
	case value.IsNumber():
		return value.NumberValue()
	default:
		return nil
	}
}

func plain(value resource.PropertyValue) resource.PropertyValue {
	for value.IsSecret() || value.IsOutput() {
		if value.IsSecret() {
			value = value.SecretValue().Element
		} else {
			value = value.OutputValue().Element
		}
	}
	return value
}

// textOf writes a value, however deep, as text to look into.
func textOf(value resource.PropertyValue) string {
	if value = plain(value); value.IsString() {
		return value.StringValue()
	}
	text, err := json.Marshal(value.MapRepl(nil, func(v resource.PropertyValue) (any, bool) {
		if inner := plain(v); !inner.DeepEquals(v) {
			return textOf(inner), true
		}
		return nil, false
	}))
	if err != nil {
		return err.Error()
	}
	return string(text)
}
