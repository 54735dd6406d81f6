package aws_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/infra/aws/awstest"
	"github.com/radpanel/radpanel/stacks"
)

// A host fetches packages, settings and a release as soon as it starts: the ways there come first, and go last.
func TestHostsComeAfterTheirWaysOut(t *testing.T) {
	t.Parallel()
	eachVariant(t, func(t *testing.T, _ stacks.Stack, declared []awstest.Declared) {
		var ways []string
		for _, r := range declared {
			kind := r.Type[strings.LastIndex(r.Type, ":")+1:]
			isWay := slices.Contains([]string{
				"InternetGateway", "EgressOnlyInternetGateway", "Route", "RouteTableAssociation", "VpcEndpoint", "SecurityGroupEgressRule",
				"SecurityGroupIngressRule",
			}, kind)
			if isWay && !ofPromotion(r) {
				ways = append(ways, r.Type+"::"+r.Name)
			}
		}
		require.NotEmpty(t, ways)
		for _, r := range declared {
			if !strings.HasSuffix(r.Type, ":Instance") && !strings.HasSuffix(r.Type, ":EipAssociation") {
				continue
			}
			var before []string
			for _, urn := range r.Options.GetDependencies() {
				parts := strings.Split(urn, "$")
				before = append(before, parts[len(parts)-1])
			}
			assert.Subset(t, before, ways, name(r))
		}
	})
}
