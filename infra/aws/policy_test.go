package aws_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/infra/aws/awstest"
	"github.com/radpanel/radpanel/stacks"
)

// document is a policy of IAM, as AWS reads it.
type document struct {
	Version   string
	Statement []struct {
		Sid       string
		Effect    string
		Principal map[string]string
		Action    []string
		Resource  []string
		Condition map[string]map[string]string
	}
}

// withoutResources are the actions that AWS allows for all resources or not at all, as its service authorization reference
// says, and the condition that then narrows them, if any.
func withoutResources() map[string]string {
	return map[string]string{
		"cloudwatch:PutMetricData": "cloudwatch:namespace", "ssm:UpdateInstanceInformation": "",
		"ssmmessages:CreateControlChannel": "", "ssmmessages:CreateDataChannel": "",
		"ssmmessages:OpenControlChannel": "", "ssmmessages:OpenDataChannel": "",
	}
}

// policies gives every policy that a stack declares, by type and name.
func policies(t *testing.T, declared []awstest.Declared) map[string]document {
	t.Helper()
	found := map[string]document{}
	for _, r := range declared {
		for _, property := range []string{"policy", "assumeRolePolicy"} {
			raw, set := at(r, property).(string)
			if !set {
				continue
			}
			var parsed document
			decoder := json.NewDecoder(strings.NewReader(raw))
			decoder.DisallowUnknownFields()
			require.NoError(t, decoder.Decode(&parsed), "%s: %s", r.Name, raw)
			found[r.Type[strings.LastIndex(r.Type, ":")+1:]+" "+r.Name] = parsed
		}
	}
	return found
}

func TestPoliciesAllowNoMoreThanTheyName(t *testing.T) {
	t.Parallel()
	eachVariant(t, func(t *testing.T, _ stacks.Stack, declared []awstest.Declared) {
		found := policies(t, declared)
		require.GreaterOrEqual(t, len(found), 4)
		for name, policy := range found {
			assert.Equal(t, "2012-10-17", policy.Version, name)
			assert.NotEmpty(t, policy.Statement, name)
			for _, statement := range policy.Statement {
				if statement.Effect == "Deny" {
					continue
				}
				assert.Equal(t, "Allow", statement.Effect, name)
				assert.NotEmpty(t, statement.Action, name)
				assert.NotEqual(t, "*", statement.Principal["AWS"], "%s: %s lets in everybody", name, statement.Sid)
				for _, action := range statement.Action {
					assert.NotContains(t, action, "*", "%s: %s", name, statement.Sid)
				}
				for _, on := range statement.Resource {
					checkResource(t, name, on, statement.Action, statement.Condition)
				}
			}
		}
	})
}

// checkResource holds what an action is allowed on: a resource of the stack's own, unless AWS knows none for the action.
func checkResource(t *testing.T, name, on string, actions []string, condition map[string]map[string]string) {
	t.Helper()
	if on != "*" {
		parts := strings.SplitN(on, ":", 6)
		require.Len(t, parts, 6, "%s: %q is no ARN", name, on)
		assert.NotEmpty(t, strings.Trim(parts[5], "*/"), "%s: %s is everything", name, on)
		assert.NotContains(t, strings.Join(parts[:5], ":"), "*", name)
		return
	}
	for _, action := range actions {
		narrowedBy, allowed := withoutResources()[action]
		assert.True(t, allowed, "%s: %s on everything", name, action)
		if narrowedBy != "" {
			assert.NotEmpty(t, condition["StringEquals"][narrowedBy], "%s: %s", name, action)
		}
	}
}

func TestBucketsRefuseWhatComesWithoutTLS(t *testing.T) {
	t.Parallel()
	eachVariant(t, func(t *testing.T, _ stacks.Stack, declared []awstest.Declared) {
		found := policies(t, declared)
		for _, r := range declared {
			if !strings.HasSuffix(r.Type, ":BucketV2") {
				continue
			}
			policy, set := found["BucketPolicy "+r.Name]
			require.True(t, set, r.Name)
			refusal := policy.Statement[0]
			assert.Equal(t, "Deny", refusal.Effect)
			assert.Equal(t, "*", refusal.Principal["AWS"])
			assert.Equal(t, []string{"s3:*"}, refusal.Action)
			assert.Equal(t, "false", refusal.Condition["Bool"]["aws:SecureTransport"])
			assert.Len(t, refusal.Resource, 2)
			assert.Equal(t, refusal.Resource[0]+"/*", refusal.Resource[1])
		}
	})
}

// A host that is taken over gives away no more than what it works with.
func TestHostsOfARoleReachTheirOwnSecretsAndBucketsAlone(t *testing.T) {
	t.Parallel()
	declared, err := declare(t, load(t, "tier2", nil))
	require.NoError(t, err)
	found := policies(t, declared)
	reach := func(role string) string {
		text, err := json.Marshal(found["RolePolicy "+role])
		require.NoError(t, err)
		return string(text)
	}
	for _, test := range []struct {
		role     string
		may      []string
		mayNever []string
	}{
		{"balancer", []string{"secrets/cache-password", "hosts/balancer-1"}, []string{"secrets/encryption-key", "-password\",\"owner", "secrets/owner", "secrets/backup", "secrets/download", "backups-", "files-", "hosts/backend"}},
		{"backend", []string{"secrets/encryption-key", "secrets/application-password", "secrets/download-key-1", "files-", "hosts/backend-2"}, []string{"secrets/download-keys", "secrets/download-key-2", "secrets/backup", "secrets/replica", "backups-", "hosts/database"}},
		{"database", []string{"secrets/owner-password", "secrets/replica-password", "secrets/backup-passphrase", "backups-"}, []string{"secrets/encryption-key", "secrets/download", "secrets/cache", "files-", "hosts/balancer"}},
	} {
		for _, text := range test.may {
			assert.Contains(t, reach(test.role), text, test.role)
		}
		for _, text := range test.mayNever {
			assert.NotContains(t, reach(test.role), text, test.role)
		}
	}
	assert.True(t, slices.ContainsFunc(declared, func(r awstest.Declared) bool { return r.Name == "replica-password" }))
}
