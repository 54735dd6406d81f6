package aws

import (
	"slices"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/s3"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// bucketArgs are what a bucket is made from.
type bucketArgs struct {
	// Holds tells that what it holds cannot be made again: it is protected, and kept when it leaves the program.
	Holds bool
	// KeepDeletedDays is how long what was deleted or overwritten can be had back.
	KeepDeletedDays int
	// PolicyLater leaves the bucket's policy to a call of setPolicy: some of it is known only once other things are there.
	PolicyLater bool
}

// bucket is private, encrypted, versioned and reached by TLS alone.
type bucket struct {
	pulumi.ResourceState

	bucket *s3.BucketV2
	// child are the options of what belongs to the bucket.
	child []pulumi.ResourceOption
	// settled are what must be there before anything is put in.
	settled []pulumi.Resource
}

func newBucket(ctx *pulumi.Context, name string, args bucketArgs, options ...pulumi.ResourceOption) (*bucket, error) {
	b := &bucket{}
	if err := ctx.RegisterComponentResource("radpanel:aws:Bucket", name, b, options...); err != nil {
		return nil, err
	}
	b.child = []pulumi.ResourceOption{pulumi.Parent(b)}
	if args.Holds {
		b.child = append(b.child, pulumi.Protect(true), pulumi.RetainOnDelete(true))
	}
	var err error
	if b.bucket, err = s3.NewBucketV2(ctx, name, &s3.BucketV2Args{}, b.child...); err != nil {
		return nil, err
	}
	if err := b.close(ctx, name); err != nil {
		return nil, err
	}
	if !args.PolicyLater {
		if _, err := b.setPolicy(ctx, name); err != nil {
			return nil, err
		}
	}
	if err := b.keep(ctx, name, args, b.child); err != nil {
		return nil, err
	}
	return b, ctx.RegisterResourceOutputs(b, pulumi.Map{"name": b.bucket.Bucket})
}

// close lets in nobody but roles of this account that may.
func (b *bucket) close(ctx *pulumi.Context, name string) error {
	yes := pulumi.Bool(true)
	access, err := s3.NewBucketPublicAccessBlock(ctx, name, &s3.BucketPublicAccessBlockArgs{
		Bucket: b.bucket.ID(), BlockPublicAcls: yes, BlockPublicPolicy: yes, IgnorePublicAcls: yes, RestrictPublicBuckets: yes,
	}, b.child...)
	if err != nil {
		return err
	}
	owner, err := s3.NewBucketOwnershipControls(ctx, name, &s3.BucketOwnershipControlsArgs{
		Bucket: b.bucket.ID(), Rule: s3.BucketOwnershipControlsRuleArgs{ObjectOwnership: pulumi.String("BucketOwnerEnforced")},
	}, b.child...)
	b.settled = append(b.settled, access, owner)
	return err
}

// setPolicy refuses what comes without TLS, and allows what is given besides. It is to be called once, with the bucket's name.
func (b *bucket) setPolicy(ctx *pulumi.Context, name string, allowed ...statement) (*s3.BucketPolicy, error) {
	options := b.child
	if len(allowed) > 0 {
		// Were it protected, whom it names would be too, and all that they need. Without a policy, the bucket is as closed.
		options = []pulumi.ResourceOption{pulumi.Parent(b)}
	}
	made, err := s3.NewBucketPolicy(ctx, name, &s3.BucketPolicyArgs{
		Bucket: b.bucket.ID(),
		Policy: policy(append([]statement{{
			Sid: "RefuseWithoutTLS", Deny: true, Principal: everybody(), Actions: []string{"s3:*"},
			Resources: []pulumi.StringInput{b.bucket.Arn, b.objects()},
			Condition: map[string]map[string]any{"Bool": {"aws:SecureTransport": "false"}},
		}}, allowed...)...),
		// S3 refuses two changes of a bucket's access at the same time.
	}, append(slices.Clip(options), pulumi.DependsOn(slices.Clone(b.settled)))...)
	b.settled = append(b.settled, made)
	return made, err
}

// keep encrypts what comes, and keeps what goes for a while.
func (b *bucket) keep(ctx *pulumi.Context, name string, args bucketArgs, child []pulumi.ResourceOption) error {
	encryption, err := s3.NewBucketServerSideEncryptionConfigurationV2(ctx, name, &s3.BucketServerSideEncryptionConfigurationV2Args{
		Bucket: b.bucket.ID(),
		Rules: s3.BucketServerSideEncryptionConfigurationV2RuleArray{s3.BucketServerSideEncryptionConfigurationV2RuleArgs{
			ApplyServerSideEncryptionByDefault: s3.BucketServerSideEncryptionConfigurationV2RuleApplyServerSideEncryptionByDefaultArgs{
				SseAlgorithm: pulumi.String("AES256"),
			},
		}},
	}, child...)
	if err != nil {
		return err
	}
	versions, err := s3.NewBucketVersioningV2(ctx, name, &s3.BucketVersioningV2Args{
		Bucket:                  b.bucket.ID(),
		VersioningConfiguration: s3.BucketVersioningV2VersioningConfigurationArgs{Status: pulumi.String("Enabled")},
	}, child...)
	if err != nil {
		return err
	}
	_, err = s3.NewBucketLifecycleConfigurationV2(ctx, name, &s3.BucketLifecycleConfigurationV2Args{
		Bucket: b.bucket.ID(),
		Rules: s3.BucketLifecycleConfigurationV2RuleArray{s3.BucketLifecycleConfigurationV2RuleArgs{
			Id: pulumi.String("tidy"), Status: pulumi.String("Enabled"), Filter: s3.BucketLifecycleConfigurationV2RuleFilterArgs{},
			NoncurrentVersionExpiration: s3.BucketLifecycleConfigurationV2RuleNoncurrentVersionExpirationArgs{
				NoncurrentDays: pulumi.Int(args.KeepDeletedDays),
			},
			Expiration: s3.BucketLifecycleConfigurationV2RuleExpirationArgs{ExpiredObjectDeleteMarker: pulumi.Bool(true)},
			AbortIncompleteMultipartUpload: s3.BucketLifecycleConfigurationV2RuleAbortIncompleteMultipartUploadArgs{
				DaysAfterInitiation: pulumi.Int(7),
			},
		}},
	}, append(slices.Clip(child), pulumi.DependsOn([]pulumi.Resource{versions}))...)
	b.settled = append(b.settled, encryption, versions)
	return err
}

// objects gives the ARN of all objects.
func (b *bucket) objects() pulumi.StringOutput { return pulumi.Sprintf("%s/*", b.bucket.Arn) }
