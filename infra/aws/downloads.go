package aws

import (
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudfront"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/radpanel/radpanel/app/config"
	"github.com/radpanel/radpanel/infra/machine"
)

// uploadPattern is what the paths of files look like in the bucket: the two digits of a bucket of users, and a UUID. No page
// has such a path.
const uploadPattern = "/??/????????-????-????-????-????????????"

// takeOff has the bucket asked for what the path of a download leads to. CloudFront has checked the signature, which is that of
// the whole path, by then.
const takeOff = `function handler(event) {
    event.request.uri = event.request.uri.slice("PREFIX".length);
    return event.request;
}
`

// addFiles gives browsers a way to the bucket: downloads and uploads differ in who is trusted.
//
// Downloads are signed for CloudFront, which reads the bucket on its own account (origin access control): without a signature
// of one of the keys, it gives nothing to anybody. Uploads are signed for S3 and passed on as they are: S3 checks signature,
// time and length, which CloudFront cannot. They come by the same origin, so the bucket needs no rules for other origins and
// the page's content security policy names none. Addresses of downloads that a release before this one has handed out are
// signed for S3 too, and stay good.
func (c *cdn) addFiles(ctx *pulumi.Context, args cdnArgs, distribution *cloudfront.DistributionArgs) error {
	headers, err := userContent(ctx, pulumi.Parent(c))
	if err != nil {
		return err
	}
	up, err := c.addUploads(ctx, args, distribution)
	if err != nil {
		return err
	}
	down, err := c.addDownloads(ctx, args, distribution)
	if err != nil {
		return err
	}
	up.ResponseHeadersPolicyId, down.ResponseHeadersPolicyId = headers.ID(), headers.ID()
	distribution.OrderedCacheBehaviors = append(
		distribution.OrderedCacheBehaviors.(cloudfront.DistributionOrderedCacheBehaviorArray), up, down)
	return nil
}

func (c *cdn) addDownloads(ctx *pulumi.Context, args cdnArgs, distribution *cloudfront.DistributionArgs) (
	behaviour cloudfront.DistributionOrderedCacheBehaviorArgs, err error,
) {
	access, err := cloudfront.NewOriginAccessControl(ctx, "files", &cloudfront.OriginAccessControlArgs{
		Description:                   pulumi.String("CloudFront reads the files of RAD Panel " + ctx.Stack()),
		OriginAccessControlOriginType: pulumi.String("s3"),
		// "always": what a browser sends as its own authorization never reaches S3.
		SigningBehavior: pulumi.String("always"), SigningProtocol: pulumi.String("sigv4"),
	}, pulumi.Parent(c))
	if err != nil {
		return behaviour, err
	}
	path, err := cloudfront.NewFunction(ctx, "downloads", &cloudfront.FunctionArgs{
		Runtime: pulumi.String("cloudfront-js-2.0"), Comment: pulumi.String("The bucket's path of a download"),
		Code: pulumi.String(strings.ReplaceAll(takeOff, "PREFIX", strings.TrimSuffix(config.DownloadPath, "/"))),
	}, pulumi.Parent(c))
	if err != nil {
		return behaviour, err
	}
	// What S3 is to say of the object; the signature is over it too, so nobody can change it.
	asked, err := cloudfront.NewOriginRequestPolicy(ctx, "downloads", &cloudfront.OriginRequestPolicyArgs{
		Comment:       pulumi.String("What a file is to be called, and nothing that tells who somebody is"),
		HeadersConfig: cloudfront.OriginRequestPolicyHeadersConfigArgs{HeaderBehavior: pulumi.String("none")},
		CookiesConfig: cloudfront.OriginRequestPolicyCookiesConfigArgs{CookieBehavior: pulumi.String("none")},
		QueryStringsConfig: cloudfront.OriginRequestPolicyQueryStringsConfigArgs{
			QueryStringBehavior: pulumi.String("whitelist"),
			QueryStrings: cloudfront.OriginRequestPolicyQueryStringsConfigQueryStringsArgs{Items: pulumi.ToStringArray([]string{
				"response-cache-control", "response-content-disposition", "response-content-type",
			})},
		},
	}, pulumi.Parent(c))
	if err != nil {
		return behaviour, err
	}
	distribution.Origins = append(distribution.Origins.(cloudfront.DistributionOriginArray), cloudfront.DistributionOriginArgs{
		OriginId: pulumi.String(downloads), DomainName: args.Files.bucket.BucketRegionalDomainName, OriginAccessControlId: access.ID(),
	})
	return cloudfront.DistributionOrderedCacheBehaviorArgs{
		PathPattern: pulumi.String(config.DownloadPath + "*"), TargetOriginId: pulumi.String(downloads),
		ViewerProtocolPolicy: pulumi.String("https-only"), AllowedMethods: readMethods(), CachedMethods: readMethods(),
		TrustedKeyGroups: pulumi.StringArray{args.Keys.group.ID()},
		// A file is one user's: it is not kept, so that it is gone once it is deleted.
		CachePolicyId: pulumi.String(cachingDisabled), OriginRequestPolicyId: asked.ID(),
		FunctionAssociations: cloudfront.DistributionOrderedCacheBehaviorFunctionAssociationArray{
			cloudfront.DistributionOrderedCacheBehaviorFunctionAssociationArgs{EventType: pulumi.String("viewer-request"), FunctionArn: path.Arn},
		},
	}, nil
}

func (c *cdn) addUploads(ctx *pulumi.Context, args cdnArgs, distribution *cloudfront.DistributionArgs) (
	behaviour cloudfront.DistributionOrderedCacheBehaviorArgs, err error,
) {
	signed, err := cloudfront.NewOriginRequestPolicy(ctx, "signed", &cloudfront.OriginRequestPolicyArgs{
		Comment:            pulumi.String("Signatures, and nothing else that tells who somebody is"),
		HeadersConfig:      cloudfront.OriginRequestPolicyHeadersConfigArgs{HeaderBehavior: pulumi.String("none")},
		CookiesConfig:      cloudfront.OriginRequestPolicyCookiesConfigArgs{CookieBehavior: pulumi.String("none")},
		QueryStringsConfig: cloudfront.OriginRequestPolicyQueryStringsConfigArgs{QueryStringBehavior: pulumi.String("all")},
	}, pulumi.Parent(c))
	if err != nil {
		return behaviour, err
	}
	origin := originAt(files, pulumi.Sprintf("%s.s3.dualstack.%s.amazonaws.com", args.Files.bucket.Bucket, args.Region), "https-only")
	distribution.Origins = append(distribution.Origins.(cloudfront.DistributionOriginArray), origin)
	return cloudfront.DistributionOrderedCacheBehaviorArgs{
		PathPattern: pulumi.String(uploadPattern), TargetOriginId: pulumi.String(files),
		ViewerProtocolPolicy: pulumi.String("https-only"), AllowedMethods: allMethods(), CachedMethods: readMethods(),
		CachePolicyId: pulumi.String(cachingDisabled), OriginRequestPolicyId: signed.ID(),
	}, nil
}

// userContent are the headers of what users have uploaded: it must not run as a page of the panel's origin.
func userContent(ctx *pulumi.Context, options ...pulumi.ResourceOption) (*cloudfront.ResponseHeadersPolicy, error) {
	yes := pulumi.Bool(true)
	return cloudfront.NewResponseHeadersPolicy(ctx, "files", &cloudfront.ResponseHeadersPolicyArgs{
		Comment: pulumi.String("What users uploaded runs nothing"),
		SecurityHeadersConfig: cloudfront.ResponseHeadersPolicySecurityHeadersConfigArgs{
			ContentSecurityPolicy: cloudfront.ResponseHeadersPolicySecurityHeadersConfigContentSecurityPolicyArgs{
				ContentSecurityPolicy: pulumi.String(machine.UserContentPolicy), Override: yes,
			},
			ContentTypeOptions: cloudfront.ResponseHeadersPolicySecurityHeadersConfigContentTypeOptionsArgs{Override: yes},
		},
	}, options...)
}

// readByCDN is what the files' bucket allows: this distribution, and no other of anybody's, may read objects.
func readByCDN(files *bucket, distribution *cloudfront.Distribution) statement {
	return statement{
		Sid: "ReadByTheCDN", Principal: service("cloudfront.amazonaws.com"), Actions: []string{"s3:GetObject"},
		Resources: []pulumi.StringInput{files.objects()},
		Condition: map[string]map[string]any{"StringEquals": {"AWS:SourceArn": distribution.Arn}},
	}
}
