package cloudpreview_test

import (
	"strings"
	"testing"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ebs"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/s3"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/vpc"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/cmd/rad/internal/engine"
	"github.com/radpanel/radpanel/infra"
	"github.com/radpanel/radpanel/infra/guard"
	"github.com/radpanel/radpanel/stacks"
)

// declare is a part of a program: it declares resources of a provider that tags them.
type declare func(ctx *pulumi.Context, options ...pulumi.ResourceOption) error

func tagged(parts ...declare) func(*pulumi.Context) error {
	return func(ctx *pulumi.Context) error {
		provider, err := aws.NewProvider(ctx, "aws", &aws.ProviderArgs{
			Region: pulumi.String("us-east-1"), DefaultTags: aws.ProviderDefaultTagsArgs{Tags: pulumi.ToStringMap(map[string]string{
				"project": "p", "stack": "s", "tier": "mvp", "cost-centre": "c",
			})},
		})
		for _, part := range parts {
			if err == nil {
				err = part(ctx, pulumi.Provider(provider))
			}
		}
		return err
	}
}

func disk(zone string, more ...pulumi.ResourceOption) declare {
	return func(ctx *pulumi.Context, options ...pulumi.ResourceOption) error {
		_, err := ebs.NewVolume(ctx, "data-1", &ebs.VolumeArgs{
			AvailabilityZone: pulumi.String(zone), Type: pulumi.String("gp3"), Size: pulumi.Int(20), Encrypted: pulumi.Bool(true),
		}, append(options, more...)...)
		return err
	}
}

func bucket(name string, more ...pulumi.ResourceOption) declare {
	return func(ctx *pulumi.Context, options ...pulumi.ResourceOption) error {
		_, err := s3.NewBucketV2(ctx, name, &s3.BucketV2Args{}, append(options, more...)...)
		return err
	}
}

func careless(ctx *pulumi.Context, options ...pulumi.ResourceOption) error {
	_, err := ebs.NewVolume(ctx, "scratch", &ebs.VolumeArgs{AvailabilityZone: pulumi.String("us-east-1a"), Type: pulumi.String("gp3"), Size: pulumi.Int(8)}, options...)
	if err != nil {
		return err
	}
	for name, opening := range map[string]vpc.SecurityGroupIngressRuleArgs{
		"database": {CidrIpv4: pulumi.String("0.0.0.0/0"), FromPort: pulumi.Int(5432), ToPort: pulumi.Int(5432)},
		"shell":    {CidrIpv6: pulumi.String("::/0"), FromPort: pulumi.Int(22), ToPort: pulumi.Int(22)},
		"half":     {CidrIpv4: pulumi.String("0.0.0.0/1"), FromPort: pulumi.Int(6379), ToPort: pulumi.Int(6379)},
	} {
		opening.IpProtocol, opening.SecurityGroupId = pulumi.String("tcp"), pulumi.String("sg-1")
		if _, err := vpc.NewSecurityGroupIngressRule(ctx, name, &opening, options...); err != nil {
			return err
		}
	}
	if _, err := s3.NewBucketPolicy(ctx, "open", &s3.BucketPolicyArgs{Bucket: pulumi.String("b"), Policy: pulumi.String(
		`{"Statement":{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Condition":{"Bool":{"aws:SecureTransport":"true"}}}}`)}, options...); err != nil {
		return err
	}
	_, err = ec2.NewInstance(ctx, "old", &ec2.InstanceArgs{
		InstanceType: pulumi.String("m7g.4xlarge"), MetadataOptions: ec2.InstanceMetadataOptionsArgs{HttpTokens: pulumi.String("optional")},
		RootBlockDevice: ec2.InstanceRootBlockDeviceArgs{Encrypted: pulumi.Bool(true)},
	}, options...)
	return err
}

// Whatever a change tries, the rules name the resource, the harm and what to do.
func TestHostileChangesAreFoundByTheRealEngine(t *testing.T) {
	t.Parallel()
	protect := pulumi.Protect(true)
	for _, test := range []struct {
		name          string
		before, after func(*pulumi.Context) error
		allow         []string
		want          []string
	}{
		{
			name: "another place for the data disk", before: tagged(disk("us-east-1a", protect)), after: tagged(disk("us-east-1b", protect)),
			want: []string{"data-1 (aws:ebs/volume:Volume): it would be replaced, and every row of the panel's database, and what files are on the same disk " +
				"would be lost: take back the change that does it, or give the data up by --allow-data-loss data-1 [data-loss]"},
		},
		{
			name: "a disk that nothing protects any more is left out", before: tagged(disk("us-east-1a")), after: tagged(),
			want: []string{"data-1 (aws:ebs/volume:Volume): it would be deleted"},
		},
		{
			name: "a bucket is left out", before: tagged(bucket("files", protect)), after: tagged(),
			want: []string{"files (aws:s3/bucketV2:BucketV2): it would be deleted, and every object in it"},
		},
		{
			name: "a new name without an alias", before: tagged(bucket("files", protect)), after: tagged(bucket("uploads", protect)),
			want: []string{"files (aws:s3/bucketV2:BucketV2): it would be deleted"},
		},
		{
			name: "a new name with an alias", before: tagged(bucket("files", protect)),
			after: tagged(bucket("uploads", protect, pulumi.Aliases([]pulumi.Alias{{Name: pulumi.String("files")}}))),
		},
		{
			name: "another resource is given up", before: tagged(bucket("files", protect), disk("us-east-1a", protect)), after: tagged(disk("us-east-1a", protect)),
			allow: []string{"data-1"},
			want: []string{
				"--allow-data-loss data-1: no resource of that name would lose data: leave it out",
				"files (aws:s3/bucketV2:BucketV2): it would be deleted",
			},
		},
		{
			name: "careless resources", before: tagged(), after: tagged(careless),
			want: []string{
				"database (aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule): port 5432 is open to everybody",
				"half (aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule): port 6379 is open to everybody",
				"old (aws:ec2/instance:Instance): its metadata are given without a token: set metadataOptions.httpTokens to required",
				"open (aws:s3/bucketPolicy:BucketPolicy): it allows everybody",
				"scratch (aws:ebs/volume:Volume): its data is not encrypted",
				"shell (aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule): port 22 is open to everybody",
			},
		},
		{
			name: "a provider without tags", before: tagged(),
			after: func(ctx *pulumi.Context) error { return bucket("files")(ctx) },
			want:  []string{"its resources get no tag project, stack, tier, cost-centre: add it to defaultTags of the provider"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, map[string]string{"acknowledgeCost": "1000"})
			b.instead = test.before
			b.up(t, stacks.MVP)
			things := len(b.cloud.Things("Volume")) + len(b.cloud.Things("BucketV2"))
			b.instead = test.after
			opened, _ := b.open(t, stacks.MVP)
			outcome, err := opened.Preview(t.Context())
			require.NoError(t, opened.Close())
			findings := guard.Policy{Loss: infra.Loss, AllowDataLoss: test.allow}.Check(outcome.Resources)
			require.Len(t, findings, len(test.want), "%v", findings)
			for i, want := range test.want {
				assert.Contains(t, findings[i].String(), want)
			}
			// The program says the same by itself, but for what it knows nothing of: what was there before, and the provider that
			// the engine adds where the program names none.
			for _, finding := range findings {
				if finding.Rule != guard.DataLoss && finding.Rule != guard.Tags {
					var failed *engine.FailedError
					require.ErrorAs(t, err, &failed)
					assert.Contains(t, strings.Join(failed.Reasons, "\n"), finding.String())
				}
			}
			assert.Len(t, append(b.cloud.Things("Volume"), b.cloud.Things("BucketV2")...), things, "nothing was done")
		})
	}
}
