package aws_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/infra/aws/awstest"
	"github.com/radpanel/radpanel/stacks"
)

// opening is what a rule of the firewall lets through between two groups.
type opening struct {
	from, to string
	port     float64
}

// openings gives those that rules of a kind, "Egress" or "Ingress", make.
func openings(declared []awstest.Declared, kind string) []opening {
	var all []opening
	for _, r := range declared {
		other, named := at(r, "referencedSecurityGroupId").(string)
		if !named || !strings.HasSuffix(r.Type, ":SecurityGroup"+kind+"Rule") {
			continue
		}
		made := opening{at(r, "securityGroupId").(string), other, at(r, "fromPort").(float64)}
		if kind == "Ingress" {
			made.from, made.to = made.to, made.from
		}
		all = append(all, made)
	}
	return all
}

// ids gives what a list names.
func ids(r awstest.Declared, property string) []string {
	var all []string
	if list := plain(r.Inputs[resource.PropertyKey(property)]); list.IsArray() {
		for _, value := range list.ArrayValue() {
			all = append(all, plain(value).StringValue())
		}
	}
	return all
}

// Endpoints with private names take the place of the services they are for in the whole network: a host that they do not let
// in reaches these services by no way at all, even if it reaches the internet.
func TestEveryHostReachesEveryEndpoint(t *testing.T) {
	t.Parallel()
	eachVariant(t, func(t *testing.T, stack stacks.Stack, declared []awstest.Declared) {
		out, in := openings(declared, "Egress"), openings(declared, "Ingress")
		hosts, endpoints := 0, 0
		for _, host := range declared {
			if !strings.HasSuffix(host.Type, ":NetworkInterface") {
				continue
			}
			hosts++
			for _, endpoint := range declared {
				if !strings.HasSuffix(endpoint.Type, ":VpcEndpoint") || at(endpoint, "privateDnsEnabled") != true {
					continue
				}
				endpoints++
				groups := ids(endpoint, "securityGroupIds")
				require.Len(t, groups, 1, endpoint.Name)
				way := func(from string) opening { return opening{from, groups[0], 443} }
				own := ids(host, "securityGroups")
				assert.True(t, slices.ContainsFunc(own, func(group string) bool {
					return slices.Contains(out, way(group)) && slices.Contains(in, way(group))
				}), "host %s does not reach the endpoint %s", host.Name, endpoint.Name)
			}
		}
		want := 0
		for _, host := range stack.Plan.Blueprint.Hosts {
			want += host.Count
		}
		assert.Equal(t, want, hosts)
		if want > 1 {
			assert.Equal(t, want*4, endpoints, "Parameter Store, Session Manager, logs and figures")
		}
	})
}

// What a host is told of alerts goes to SNS, which has no endpoint: it needs an address in the internet.
func TestTheHostThatTellsOfAlertsReachesTheInternet(t *testing.T) {
	t.Parallel()
	eachVariant(t, func(t *testing.T, stack stacks.Stack, declared []awstest.Declared) {
		host, found := stack.Plan.Blueprint.HostOf(stacks.PartWeb)
		require.True(t, found)
		for _, r := range declared {
			assert.False(t, strings.HasSuffix(r.Type, ":VpcEndpoint") && r.Name == "sns")
		}
		assert.Equal(t, "0.0.0.0/0", at(one(t, declared, "SecurityGroupEgressRule", string(host.Role)+"-out-https"), "cidrIpv4"))
		one(t, declared, "EipAssociation", string(host.Role)+"-1")
	})
}
