package aws_test

import (
	"strings"
	"testing"

	cdn "github.com/aws/aws-sdk-go-v2/service/cloudfront/types"
	watch "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	compute "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	storage "github.com/aws/aws-sdk-go-v2/service/s3/types"
	manage "github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/infra/aws/awstest"
	"github.com/radpanel/radpanel/infra/price"
	"github.com/radpanel/radpanel/stacks"
)

// texts gives the values of one of the SDK's enumerations.
func texts[T ~string](values []T) []any {
	all := make([]any, len(values))
	for i, value := range values {
		all[i] = string(value)
	}
	return all
}

// enumerations are AWS's own lists, as its SDK has them, of what a property may be.
func enumerations() map[string]map[string][]any {
	return map[string]map[string][]any{
		"Instance": {
			"instanceType":               texts(compute.InstanceType("").Values()),
			"metadataOptions.httpTokens": texts(compute.HttpTokensState("").Values()),
			"rootBlockDevice.volumeType": texts(compute.VolumeType("").Values()),
		},
		"Volume":      {"type": texts(compute.VolumeType("").Values())},
		"VpcEndpoint": {"vpcEndpointType": texts(compute.VpcEndpointType("").Values())},
		"Eip":         {"domain": texts(compute.DomainType("").Values())},
		"MetricAlarm": {
			"comparisonOperator": texts(watch.ComparisonOperator("").Values()), "statistic": texts(watch.Statistic("").Values()),
		},
		"Parameter":               {"type": texts(manage.ParameterType("").Values())},
		"BucketVersioningV2":      {"versioningConfiguration.status": texts(storage.BucketVersioningStatus("").Values())},
		"BucketOwnershipControls": {"rule.objectOwnership": texts(storage.ObjectOwnership("").Values())},
		"Distribution": {
			"priceClass": texts(cdn.PriceClass("").Values()), "httpVersion": texts(cdn.HttpVersion("").Values()),
			"defaultCacheBehavior.viewerProtocolPolicy":   texts(cdn.ViewerProtocolPolicy("").Values()),
			"viewerCertificate.minimumProtocolVersion":    texts(cdn.MinimumProtocolVersion("").Values()),
			"viewerCertificate.sslSupportMethod":          texts(cdn.SSLSupportMethod("").Values()),
			"restrictions.geoRestriction.restrictionType": texts(cdn.GeoRestrictionType("").Values()),
		},
	}
}

func TestEnumerationsAreThoseOfAWS(t *testing.T) {
	t.Parallel()
	eachVariant(t, func(t *testing.T, _ stacks.Stack, declared []awstest.Declared) {
		for _, r := range declared {
			for path, allowed := range enumerations()[r.Type[strings.LastIndex(r.Type, ":")+1:]] {
				if value := at(r, strings.Split(path, ".")...); value != nil {
					assert.Contains(t, allowed, value, "%s of %s", path, r.Name)
				}
			}
		}
	})
}

// Whatever a person may choose there, the table of prices has types that AWS knows, for Graviton, in regions that AWS has.
func TestPricedTypesAndRegionsAreThoseOfAWS(t *testing.T) {
	t.Parallel()
	table, err := price.Default()
	require.NoError(t, err)
	regions := append(texts(storage.BucketLocationConstraint("").Values()), "us-east-1") // There, none is said.
	require.NotEmpty(t, table.Regions)
	for region, prices := range table.Regions {
		assert.Contains(t, regions, region)
		require.NotEmpty(t, prices.Instances)
		for _, instance := range prices.Instances {
			assert.Contains(t, texts(compute.InstanceType("").Values()), instance.Type)
			family, _, _ := strings.Cut(instance.Type, ".")
			assert.Contains(t, family, "g", "%s is no Graviton: releases are for arm64", instance.Type)
		}
	}
}
