package aws_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/acm"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudfront"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ebs"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/route53"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/s3"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/sns"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ssm"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/vpc"
	"github.com/pulumi/pulumi-random/sdk/v4/go/random"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/infra/aws/awstest"
)

// arguments are those of the SDK for each type of the stand-in.
func arguments() map[string]interface{ ElementType() reflect.Type } {
	all := map[string]interface{ ElementType() reflect.Type }{}
	all["aws:acm/certificate:Certificate"] = acm.CertificateArgs{}
	all["aws:acm/certificateValidation:CertificateValidation"] = acm.CertificateValidationArgs{}
	all["aws:cloudfront/distribution:Distribution"] = cloudfront.DistributionArgs{}
	all["aws:cloudfront/function:Function"] = cloudfront.FunctionArgs{}
	all["aws:cloudfront/keyGroup:KeyGroup"] = cloudfront.KeyGroupArgs{}
	all["aws:cloudfront/originAccessControl:OriginAccessControl"] = cloudfront.OriginAccessControlArgs{}
	all["aws:cloudfront/publicKey:PublicKey"] = cloudfront.PublicKeyArgs{}
	all["aws:cloudfront/responseHeadersPolicy:ResponseHeadersPolicy"] = cloudfront.ResponseHeadersPolicyArgs{}
	all["aws:cloudfront/originRequestPolicy:OriginRequestPolicy"] = cloudfront.OriginRequestPolicyArgs{}
	all["aws:cloudwatch/logGroup:LogGroup"] = cloudwatch.LogGroupArgs{}
	all["aws:cloudwatch/metricAlarm:MetricAlarm"] = cloudwatch.MetricAlarmArgs{}
	all["aws:ebs/volume:Volume"] = ebs.VolumeArgs{}
	all["aws:ec2/defaultSecurityGroup:DefaultSecurityGroup"] = ec2.DefaultSecurityGroupArgs{}
	all["aws:ec2/egressOnlyInternetGateway:EgressOnlyInternetGateway"] = ec2.EgressOnlyInternetGatewayArgs{}
	all["aws:ec2/eip:Eip"] = ec2.EipArgs{}
	all["aws:ec2/eipAssociation:EipAssociation"] = ec2.EipAssociationArgs{}
	all["aws:ec2/instance:Instance"] = ec2.InstanceArgs{}
	all["aws:ec2/internetGateway:InternetGateway"] = ec2.InternetGatewayArgs{}
	all["aws:ec2/networkInterface:NetworkInterface"] = ec2.NetworkInterfaceArgs{}
	all["aws:ec2/route:Route"] = ec2.RouteArgs{}
	all["aws:ec2/routeTable:RouteTable"] = ec2.RouteTableArgs{}
	all["aws:ec2/routeTableAssociation:RouteTableAssociation"] = ec2.RouteTableAssociationArgs{}
	all["aws:ec2/securityGroup:SecurityGroup"] = ec2.SecurityGroupArgs{}
	all["aws:ec2/subnet:Subnet"] = ec2.SubnetArgs{}
	all["aws:ec2/volumeAttachment:VolumeAttachment"] = ec2.VolumeAttachmentArgs{}
	all["aws:ec2/vpc:Vpc"] = ec2.VpcArgs{}
	all["aws:ec2/vpcEndpoint:VpcEndpoint"] = ec2.VpcEndpointArgs{}
	all["aws:ec2/vpcPeeringConnection:VpcPeeringConnection"] = ec2.VpcPeeringConnectionArgs{}
	all["aws:iam/instanceProfile:InstanceProfile"] = iam.InstanceProfileArgs{}
	all["aws:iam/role:Role"] = iam.RoleArgs{}
	all["aws:iam/rolePolicy:RolePolicy"] = iam.RolePolicyArgs{}
	all["aws:route53/record:Record"] = route53.RecordArgs{}
	all["aws:s3/bucketLifecycleConfigurationV2:BucketLifecycleConfigurationV2"] = s3.BucketLifecycleConfigurationV2Args{}
	all["aws:s3/bucketObjectv2:BucketObjectv2"] = s3.BucketObjectv2Args{}
	all["aws:s3/bucketOwnershipControls:BucketOwnershipControls"] = s3.BucketOwnershipControlsArgs{}
	all["aws:s3/bucketPolicy:BucketPolicy"] = s3.BucketPolicyArgs{}
	all["aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"] = s3.BucketPublicAccessBlockArgs{}
	all["aws:s3/bucketServerSideEncryptionConfigurationV2:BucketServerSideEncryptionConfigurationV2"] = s3.BucketServerSideEncryptionConfigurationV2Args{}
	all["aws:s3/bucketV2:BucketV2"] = s3.BucketV2Args{}
	all["aws:s3/bucketVersioningV2:BucketVersioningV2"] = s3.BucketVersioningV2Args{}
	all["aws:sns/topic:Topic"] = sns.TopicArgs{}
	all["aws:sns/topicSubscription:TopicSubscription"] = sns.TopicSubscriptionArgs{}
	all["aws:ssm/parameter:Parameter"] = ssm.ParameterArgs{}
	all["aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"] = vpc.SecurityGroupEgressRuleArgs{}
	all["aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"] = vpc.SecurityGroupIngressRuleArgs{}
	all["random:index/randomBytes:RandomBytes"] = random.RandomBytesArgs{}
	return all
}

// What the stand-in says of a type is what the SDK, which is made from the provider's own schema, says of it: the properties
// there are, and which of them are required. Of lists and policies, the SDK's Go types do not tell the latter.
func TestTheStandInKnowsWhatTheSDKSays(t *testing.T) {
	t.Parallel()
	types, err := awstest.Types()
	require.NoError(t, err)
	for token, known := range types {
		t.Run(token, func(t *testing.T) {
			t.Parallel()
			args, listed := arguments()[token]
			require.True(t, listed, "add its arguments to this test")
			for path, input := range known.Inputs {
				field, found := fieldAt(args.ElementType(), strings.Split(path, "."))
				if !assert.True(t, found, "the SDK has no property %s", path) {
					continue
				}
				switch kind := field.Kind(); kind {
				case reflect.Pointer:
					assert.False(t, input.Required, "the SDK says that %s is optional", path)
				case reflect.Slice, reflect.Map, reflect.Interface:
				default:
					assert.True(t, input.Required, "the SDK says that %s is required", path)
				}
			}
			for _, path := range requiredIn(args.ElementType()) {
				assert.True(t, known.Inputs[path].Required, "the SDK says that %s is required", path)
			}
		})
	}
	for token := range arguments() {
		assert.Contains(t, types, token)
	}
}

// fieldAt gives the type of a property, through objects and lists of them.
func fieldAt(within reflect.Type, path []string) (reflect.Type, bool) {
	for within.Kind() == reflect.Pointer || within.Kind() == reflect.Slice {
		within = within.Elem()
	}
	if within.Kind() != reflect.Struct {
		return nil, false
	}
	for i := range within.NumField() {
		if within.Field(i).Tag.Get("pulumi") == path[0] {
			if len(path) == 1 {
				return within.Field(i).Type, true
			}
			return fieldAt(within.Field(i).Type, path[1:])
		}
	}
	return nil, false
}

// requiredIn gives the properties that cannot be left out, as far as Go's types tell.
func requiredIn(args reflect.Type) []string {
	var required []string
	for i := range args.NumField() {
		kind := args.Field(i).Type.Kind()
		if !slices.Contains([]reflect.Kind{reflect.Pointer, reflect.Slice, reflect.Map, reflect.Interface}, kind) {
			required = append(required, args.Field(i).Tag.Get("pulumi"))
		}
	}
	return required
}

func TestTheStandInKnowsNoMoreThanStacksUse(t *testing.T) {
	t.Parallel()
	types, err := awstest.Types()
	require.NoError(t, err)
	used := map[string]bool{}
	for _, v := range variants() {
		declared, err := declare(t, load(t, string(v.tier), v.config), v.before...)
		require.NoError(t, err)
		for _, r := range declared {
			used[r.Type] = true
		}
	}
	used["aws:sns/topicSubscription:TopicSubscription"] = true // With an address: see TestAnAddressThatWantsToKnowIsTold.
	for token := range types {
		assert.True(t, used[token], "no stack has a %s: take it out of the stand-in", token)
	}
}
