package aws

import (
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/acm"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudfront"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/route53"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// CloudFront's own policies, see "Use managed cache policies" and "Use managed origin request policies" of its guide.
const (
	cachingDisabled           = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
	cachingOptimized          = "658327ea-f89d-4fab-a63d-7e88639e58f6"
	allViewerExceptHostHeader = "b689b0a8-53d0-40ab-baf2-68738e2966ac"
)

const (
	// edgeRegion is where CloudFront takes certificates from.
	edgeRegion = "us-east-1"
	// edgePrefixes names AWS's list of the addresses from which CloudFront comes.
	edgePrefixes = "com.amazonaws.global.cloudfront.origin-facing"
	// originTimeout is the longest that CloudFront waits for an answer to begin, in seconds, without an increased quota.
	originTimeout = 60
	// originName is put before the panel's name where CloudFront needs a name for the entrance itself.
	originName = "origin."
)

// cdnArgs are what the CDN is made from.
type cdnArgs struct {
	// Domain is the panel's name, in HostedZone. Empty: CloudFront's own name.
	Domain, HostedZone string
	// Address is where the entrance is.
	Address *address
	// Files is the bucket that browsers read from and write to by signed addresses. Nil: they do not.
	Files *bucket
	// Keys are trusted to sign what is read from it.
	Keys *downloadKeys
	// Region is the bucket's.
	Region string
	// AwaitsName tells that Domain leads to another stack as yet.
	AwaitsName bool
	// Edge is the provider of edgeRegion.
	Edge *aws.Provider
}

// cdn is CloudFront: it stands before the entrance, keeps static files near the users, and passes the rest on. It ends TLS
// for the panel's name, and goes on by TLS to the entrance, which has a name and a certificate of its own for that.
type cdn struct {
	pulumi.ResourceState

	distribution *cloudfront.Distribution
}

func newCDN(ctx *pulumi.Context, args cdnArgs, options ...pulumi.ResourceOption) (*cdn, error) {
	c := &cdn{}
	if err := ctx.RegisterComponentResource("radpanel:aws:CDN", "cdn", c, options...); err != nil {
		return nil, err
	}
	origin, protocol := pulumi.StringInput(args.Address.eip.PublicDns), "http-only"
	certificate := cloudfront.DistributionViewerCertificateArgs{CloudfrontDefaultCertificate: pulumi.Bool(true)}
	distribution := &cloudfront.DistributionArgs{
		Enabled: pulumi.Bool(true), IsIpv6Enabled: pulumi.Bool(true), HttpVersion: pulumi.String("http2and3"),
		Comment: pulumi.String("RAD Panel " + ctx.Stack()),
		// North America and Europe: the plan has one region.
		PriceClass:   pulumi.String("PriceClass_100"),
		Restrictions: cloudfront.DistributionRestrictionsArgs{GeoRestriction: cloudfront.DistributionRestrictionsGeoRestrictionArgs{RestrictionType: pulumi.String("none")}},
	}
	if args.Domain != "" {
		issued, err := c.certify(ctx, args)
		if err != nil {
			return nil, err
		}
		origin, protocol = pulumi.String(originName+args.Domain), "https-only"
		distribution.Aliases = pulumi.ToStringArray([]string{args.Domain})
		certificate = cloudfront.DistributionViewerCertificateArgs{
			AcmCertificateArn: issued.CertificateArn, SslSupportMethod: pulumi.String("sni-only"),
			MinimumProtocolVersion: pulumi.String("TLSv1.2_2021"),
		}
	}
	distribution.ViewerCertificate = certificate
	distribution.Origins = cloudfront.DistributionOriginArray{originAt(entrance, origin, protocol)}
	distribution.DefaultCacheBehavior = passOn()
	distribution.OrderedCacheBehaviors = cloudfront.DistributionOrderedCacheBehaviorArray{keepAssets()}
	if args.Files != nil {
		if err := c.addFiles(ctx, args, distribution); err != nil {
			return nil, err
		}
	}
	var err error
	if c.distribution, err = cloudfront.NewDistribution(ctx, "cdn", distribution, pulumi.Parent(c)); err != nil {
		return nil, err
	}
	if args.Domain != "" && !args.AwaitsName {
		if err := edgeRecords(ctx, args.Domain, args.HostedZone, c.distribution.DomainName, c.distribution.HostedZoneId, pulumi.Parent(c),
			pulumi.RetainOnDelete(true)); err != nil {
			return nil, err
		}
	}
	return c, ctx.RegisterResourceOutputs(c, pulumi.Map{"domainName": c.distribution.DomainName})
}

// CloudFront knows three sets of methods; these are the smallest and the largest.
func readMethods() pulumi.StringArray { return pulumi.ToStringArray([]string{"GET", "HEAD"}) }

func allMethods() pulumi.StringArray {
	return pulumi.ToStringArray([]string{"GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE"})
}

// certify gets a certificate for the panel's name, proven by a record in its zone.
func (c *cdn) certify(ctx *pulumi.Context, args cdnArgs) (*acm.CertificateValidation, error) {
	edge := pulumi.Provider(args.Edge)
	certificate, err := acm.NewCertificate(ctx, "cdn", &acm.CertificateArgs{
		DomainName: pulumi.String(args.Domain), ValidationMethod: pulumi.String("DNS"),
	}, pulumi.Parent(c), edge)
	if err != nil {
		return nil, err
	}
	proof := certificate.DomainValidationOptions.Index(pulumi.Int(0))
	record, err := route53.NewRecord(ctx, "certificate", &route53.RecordArgs{
		ZoneId: pulumi.String(args.HostedZone), Name: proof.ResourceRecordName().Elem(), Type: proof.ResourceRecordType().Elem(),
		Records: pulumi.StringArray{proof.ResourceRecordValue().Elem()}, Ttl: pulumi.Int(recordSeconds), AllowOverwrite: pulumi.Bool(true),
	}, pulumi.Parent(c))
	if err != nil {
		return nil, err
	}
	return acm.NewCertificateValidation(ctx, "cdn", &acm.CertificateValidationArgs{
		CertificateArn: certificate.Arn, ValidationRecordFqdns: pulumi.StringArray{record.Fqdn},
	}, pulumi.Parent(c), edge)
}

// The ids of the origins.
const (
	entrance  = "entrance"
	files     = "files"
	downloads = "downloads"
)

func originAt(id string, domain pulumi.StringInput, protocol string) cloudfront.DistributionOriginArgs {
	return cloudfront.DistributionOriginArgs{
		OriginId: pulumi.String(id), DomainName: domain,
		CustomOriginConfig: cloudfront.DistributionOriginCustomOriginConfigArgs{
			HttpPort: pulumi.Int(httpPort), HttpsPort: pulumi.Int(httpsPort), OriginProtocolPolicy: pulumi.String(protocol),
			OriginSslProtocols: pulumi.ToStringArray([]string{"TLSv1.2"}), OriginReadTimeout: pulumi.Int(originTimeout),
			OriginKeepaliveTimeout: pulumi.Int(originTimeout),
		},
	}
}

// passOn leaves what is one user's own to the entrance: nothing of it is kept.
func passOn() cloudfront.DistributionDefaultCacheBehaviorArgs {
	return cloudfront.DistributionDefaultCacheBehaviorArgs{
		TargetOriginId: pulumi.String(entrance), ViewerProtocolPolicy: pulumi.String("redirect-to-https"),
		AllowedMethods: allMethods(), CachedMethods: readMethods(),
		CachePolicyId: pulumi.String(cachingDisabled), OriginRequestPolicyId: pulumi.String(allViewerExceptHostHeader),
	}
}

// keepAssets keeps static files, whose names change with their content, as long as the entrance says.
func keepAssets() cloudfront.DistributionOrderedCacheBehaviorArgs {
	return cloudfront.DistributionOrderedCacheBehaviorArgs{
		PathPattern: pulumi.String("/assets/*"), TargetOriginId: pulumi.String(entrance),
		ViewerProtocolPolicy: pulumi.String("redirect-to-https"), Compress: pulumi.Bool(true),
		AllowedMethods: readMethods(), CachedMethods: readMethods(),
		CachePolicyId: pulumi.String(cachingOptimized),
	}
}
