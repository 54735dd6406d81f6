package guard_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/radpanel/radpanel/infra/declared"
	"github.com/radpanel/radpanel/infra/guard"
	"github.com/radpanel/radpanel/stacks"
)

type inputs = map[string]any

// Each rule holds for a resource as it should be, and finds the one thing that is wrong with another.
func TestRules(t *testing.T) {
	t.Parallel()
	policy := func(statement string) inputs {
		return inputs{"policy": `{"Version":"2012-10-17","Statement":[` + statement + `]}`}
	}
	for _, test := range []struct {
		name, resourceType string
		good, bad          inputs
		want               string
	}{
		{
			"a public bucket", "aws:s3/bucket:Bucket",
			inputs{"acl": "private"},
			inputs{"acl": "public-read"},
			"it (aws:s3/bucket:Bucket): its objects are for everybody (acl public-read): remove acl, and give access by a policy [public-data]",
		},
		{
			"a public object", "aws:s3/bucketObject:BucketObject",
			inputs{"acl": "private"},
			inputs{"acl": "public-read-write"},
			"it (aws:s3/bucketObject:BucketObject): it is for everybody (acl public-read-write): remove acl, and give access by a policy [public-data]",
		},
		{
			"a public object of today", "aws:s3/bucketObjectv2:BucketObjectv2",
			inputs{"acl": "bucket-owner-full-control"},
			inputs{"acl": "public-read"},
			"it (aws:s3/bucketObjectv2:BucketObjectv2): it is for everybody (acl public-read): remove acl, and give access by a policy [public-data]",
		},
		{
			"a copy with a grant to everybody", "aws:s3/objectCopy:ObjectCopy",
			inputs{"grants": []any{inputs{"id": "x"}}},
			inputs{"grants": []any{inputs{"uri": "http://acs.amazonaws.com/groups/global/AuthenticatedUsers"}}},
			"it (aws:s3/objectCopy:ObjectCopy): it is for everybody (by a grant): remove the grant, and give access by a policy [public-data]",
		},
		{
			"a block that is off", "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
			inputs{"blockPublicAcls": true, "blockPublicPolicy": true, "ignorePublicAcls": true, "restrictPublicBuckets": true},
			inputs{"blockPublicAcls": true, "blockPublicPolicy": true, "ignorePublicAcls": true},
			"it (aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock): restrictPublicBuckets is off: set it to true [public-data]",
		},
		{
			"a policy for everybody", "aws:s3/bucketPolicy:BucketPolicy",
			policy(`{"Effect":"Deny","Principal":"*"},{"Effect":"Allow","Principal":"*","Condition":{"StringEquals":{"AWS:SourceArn":"x"}}},
				{"Effect":"Allow","Principal":{"Service":"logging.s3.amazonaws.com"}},
				{"Effect":"Allow","Principal":{"Service":"cloudfront.amazonaws.com"},"Condition":{"StringEquals":{"AWS:SourceArn":"x"}}}`),
			policy(`{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"s3:GetObject"}`),
			"it (aws:s3/bucketPolicy:BucketPolicy): it allows everybody: name the principal, or add a condition on who asks [public-data]",
		},
		{
			"a policy for everybody's distributions", "aws:s3/bucketPolicy:BucketPolicy",
			policy(`{"Effect":"Allow","Principal":{"Service":"cloudfront.amazonaws.com"},"Condition":{"StringEquals":{"AWS:SourceArn":"x"}}}`),
			policy(`{"Effect":"Allow","Principal":{"Service":"cloudfront.amazonaws.com"},"Action":"s3:GetObject"}`),
			"it (aws:s3/bucketPolicy:BucketPolicy): it allows CloudFront whatever anybody's distribution asks for: add the condition AWS:SourceArn, " +
				"with the distribution's ARN [public-data]",
		},
		{
			"a policy for a list with everybody in it", "aws:s3/bucketPolicy:BucketPolicy",
			policy(`{"Effect":"Allow","Principal":{"AWS":["arn:aws:iam::123456789012:root"]}}`),
			policy(`{"Effect":"Allow","Principal":{"AWS":["arn:aws:iam::123456789012:root","*"]},"Action":"s3:GetObject"}`),
			"it (aws:s3/bucketPolicy:BucketPolicy): it allows everybody: name the principal, or add a condition on who asks [public-data]",
		},
		{
			"a policy of one statement", "aws:s3/bucketPolicy:BucketPolicy",
			inputs{"policy": `{"Statement":{"Effect":"Deny","Principal":"*"}}`},
			inputs{"policy": `{"Statement":{"Effect":"Allow","Principal":"*"}}`},
			"it (aws:s3/bucketPolicy:BucketPolicy): it allows everybody: name the principal, or add a condition on who asks [public-data]",
		},
		{
			"a policy for all but some", "aws:s3/bucketPolicy:BucketPolicy",
			policy(`{"Effect":"Deny","NotPrincipal":{"AWS":"x"}}`),
			policy(`{"Effect":"Allow","NotPrincipal":{"AWS":"arn:aws:iam::123456789012:root"}}`),
			"it (aws:s3/bucketPolicy:BucketPolicy): it allows everybody: name the principal, or add a condition on who asks [public-data]",
		},
		{
			"a condition that narrows nothing", "aws:s3/bucketPolicy:BucketPolicy",
			policy(`{"Effect":"Allow","Principal":"*","Condition":{"Bool":{"aws:SecureTransport":"true"},"StringEquals":{"aws:PrincipalOrgID":"o-1"}}}`),
			policy(`{"Effect":"Allow","Principal":"*","Condition":{"Bool":{"aws:SecureTransport":"true"}}}`),
			"it (aws:s3/bucketPolicy:BucketPolicy): it allows everybody: name the principal, or add a condition on who asks [public-data]",
		},
		{
			"a condition on anybody", "aws:s3/bucketPolicy:BucketPolicy",
			policy(`{"Effect":"Allow","Principal":"*","Condition":{"IpAddress":{"aws:SourceIp":"192.0.2.0/24"}}}`),
			policy(`{"Effect":"Allow","Principal":"*","Condition":{"IpAddress":{"aws:SourceIp":["192.0.2.0/24","0.0.0.0/0"]},"StringNotEquals":{"aws:SourceVpc":"v"},
				"StringLike":{"aws:PrincipalArn":"*"}}}`),
			"it (aws:s3/bucketPolicy:BucketPolicy): it allows everybody: name the principal, or add a condition on who asks [public-data]",
		},
		{
			"a condition that holds where nothing is said of who asks", "aws:s3/bucketPolicy:BucketPolicy",
			policy(`{"Effect":"Allow","Principal":"*","Condition":{"ForAnyValue:StringEquals":{"aws:PrincipalOrgID":"o-1"}}}`),
			policy(`{"Effect":"Allow","Principal":"*","Condition":{"ForAllValues:StringEquals":{"aws:PrincipalOrgID":"o-1"}}}`),
			"it (aws:s3/bucketPolicy:BucketPolicy): it allows everybody: name the principal, or add a condition on who asks [public-data]",
		},
		{
			"a condition on roles of any account", "aws:s3/bucketPolicy:BucketPolicy",
			policy(`{"Effect":"Allow","Principal":"*","Condition":{"StringLike":{"aws:PrincipalArn":"arn:aws:iam::123456789012:role/*"}}}`),
			policy(`{"Effect":"Allow","Principal":"*","Condition":{"StringLike":{"aws:PrincipalArn":"arn:aws:iam::*:*"}}}`),
			"it (aws:s3/bucketPolicy:BucketPolicy): it allows everybody: name the principal, or add a condition on who asks [public-data]",
		},
		{
			"a condition on an account that a pattern may skip", "aws:s3/bucketPolicy:BucketPolicy",
			policy(`{"Effect":"Allow","Principal":"*","Condition":{"ArnLike":{"aws:SourceArn":"arn:aws:sns:*:123456789012:*"}}}`),
			policy(`{"Effect":"Allow","Principal":"*","Condition":{"StringLike":{"aws:SourceArn":"arn:aws:sns:*:123456789012:*"}}}`),
			"it (aws:s3/bucketPolicy:BucketPolicy): it allows everybody: name the principal, or add a condition on who asks [public-data]",
		},
		{
			"a condition on buckets of anybody", "aws:s3/bucketPolicy:BucketPolicy",
			policy(`{"Effect":"Allow","Principal":"*","Condition":{"ArnLike":{"aws:SourceArn":"arn:aws:s3:::radpanel"}}}`),
			policy(`{"Effect":"Allow","Principal":"*","Condition":{"ArnLike":{"aws:SourceArn":["arn:aws:s3:::radpanel","arn:aws:s3:::radpanel*"]}}}`),
			"it (aws:s3/bucketPolicy:BucketPolicy): it allows everybody: name the principal, or add a condition on who asks [public-data]",
		},
		{
			"a condition on any role's sessions", "aws:s3/bucketPolicy:BucketPolicy",
			policy(`{"Effect":"Allow","Principal":"*","Condition":{"StringLike":{"aws:userid":"AROAEXAMPLE:*"}}}`),
			policy(`{"Effect":"Allow","Principal":"*","Condition":{"StringLike":{"aws:userid":"*:*"}}}`),
			"it (aws:s3/bucketPolicy:BucketPolicy): it allows everybody: name the principal, or add a condition on who asks [public-data]",
		},
		{
			"a condition on any organisation", "aws:s3/bucketPolicy:BucketPolicy",
			policy(`{"Effect":"Allow","Principal":"*","Condition":{"ForAnyValue:StringLike":{"aws:PrincipalOrgPaths":"o-1/r-1/*"}}}`),
			policy(`{"Effect":"Allow","Principal":"*","Condition":{"ForAnyValue:StringLike":{"aws:PrincipalOrgPaths":"o-*/r-1/*"}}}`),
			"it (aws:s3/bucketPolicy:BucketPolicy): it allows everybody: name the principal, or add a condition on who asks [public-data]",
		},
		{
			"a condition that whoever asks fills in", "aws:s3/bucketPolicy:BucketPolicy",
			policy(`{"Effect":"Allow","Principal":"*","Condition":{"StringEquals":{"aws:PrincipalAccount":"123456789012"}}}`),
			policy(`{"Effect":"Allow","Principal":"*","Condition":{"StringEquals":{"aws:PrincipalAccount":"${aws:PrincipalAccount}"}}}`),
			"it (aws:s3/bucketPolicy:BucketPolicy): it allows everybody: name the principal, or add a condition on who asks [public-data]",
		},
		{
			"a policy for distributions of any account", "aws:s3/bucketPolicy:BucketPolicy",
			policy(`{"Effect":"Allow","Principal":{"Service":"cloudfront.amazonaws.com"},"Condition":{"ArnLike":{"AWS:SourceArn":"arn:aws:cloudfront::123456789012:distribution/*"}}}`),
			policy(`{"Effect":"Allow","Principal":{"Service":"cloudfront.amazonaws.com"},"Condition":{"ArnLike":{"AWS:SourceArn":"arn:aws:cloudfront::*:distribution/*"}}}`),
			"it (aws:s3/bucketPolicy:BucketPolicy): it allows CloudFront whatever anybody's distribution asks for: add the condition AWS:SourceArn, " +
				"with the distribution's ARN [public-data]",
		},
		{
			"a policy for a list of services", "aws:s3/bucketPolicy:BucketPolicy",
			policy(`{"Effect":"Allow","Principal":{"Service":["logging.s3.amazonaws.com"]}}`),
			policy(`{"Effect":"Allow","Principal":{"Service":["logging.s3.amazonaws.com","cloudfront.amazonaws.com"]}}`),
			"it (aws:s3/bucketPolicy:BucketPolicy): it allows CloudFront whatever anybody's distribution asks for: add the condition AWS:SourceArn, " +
				"with the distribution's ARN [public-data]",
		},
		{
			"a policy as a program writes it", "aws:s3/bucketPolicy:BucketPolicy",
			inputs{"policy": inputs{"Statement": []any{inputs{"Effect": "Allow", "Principal": "*", "Condition": inputs{
				"StringEquals": inputs{"aws:SourceArn": declared.Unknown{}},
			}}}}},
			inputs{"policy": inputs{"Statement": inputs{"Effect": "Allow", "Principal": inputs{"AWS": []any{"*"}}}}},
			"it (aws:s3/bucketPolicy:BucketPolicy): it allows everybody: name the principal, or add a condition on who asks [public-data]",
		},
		{
			"a bucket's own policy", "aws:s3/bucket:Bucket",
			policy(`{"Effect":"Deny","Principal":"*"}`),
			policy(`{"Effect":"Allow","Principal":"*"}`),
			"it (aws:s3/bucket:Bucket): it allows everybody: name the principal, or add a condition on who asks [public-data]",
		},
		{
			"a grant to everybody", "aws:s3/bucketAclV2:BucketAclV2",
			inputs{"accessControlPolicy": inputs{"grants": []any{inputs{"grantee": inputs{"id": "x"}}}}},
			inputs{"accessControlPolicy": inputs{"grants": []any{inputs{"grantee": inputs{"uri": "http://acs.amazonaws.com/groups/global/AllUsers"}}}}},
			"it (aws:s3/bucketAclV2:BucketAclV2): its objects are for everybody (by a grant): remove the grant, and give access by a policy [public-data]",
		},
		{
			"files in clear", "aws:efs/fileSystem:FileSystem",
			inputs{"encrypted": true},
			inputs{},
			"it (aws:efs/fileSystem:FileSystem): its files are not encrypted: set encrypted to true [encryption]",
		},
		{
			"half of the internet", "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
			inputs{"ipProtocol": "tcp", "fromPort": 5432.0, "toPort": 5432.0, "cidrIpv4": "10.0.0.0/8"},
			inputs{"ipProtocol": "tcp", "fromPort": 5432.0, "toPort": 5432.0, "cidrIpv4": "128.0.0.0/1"},
			"it (aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule): port 5432 is open to everybody: open 80 and 443 alone; hosts are administered by Session Manager, which needs no port [ingress]",
		},
		{
			"half of IPv6", "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
			inputs{"ipProtocol": "tcp", "fromPort": 22.0, "toPort": 22.0, "cidrIpv6": "2001:db8::/32"},
			inputs{"ipProtocol": "tcp", "fromPort": 22.0, "toPort": 22.0, "cidrIpv6": "8000::/1"},
			"it (aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule): port 22 is open to everybody: open 80 and 443 alone; hosts are administered by Session Manager, which needs no port [ingress]",
		},
		{
			"all protocols by name", "aws:ec2/securityGroupRule:SecurityGroupRule",
			inputs{"type": "ingress", "protocol": "tcp", "fromPort": 443.0, "toPort": 443.0, "cidrBlocks": []any{"0.0.0.0/0"}},
			inputs{"type": "ingress", "protocol": "all", "fromPort": 443.0, "toPort": 443.0, "cidrBlocks": []any{"0.0.0.0/0"}},
			"it (aws:ec2/securityGroupRule:SecurityGroupRule): all ports are open to everybody: open 80 and 443 alone; hosts are administered by Session Manager, which needs no port [ingress]",
		},
		{
			"IMDSv1 of hosts that are asked for", "aws:ec2/launchConfiguration:LaunchConfiguration",
			inputs{"rootBlockDevice": inputs{"encrypted": true}, "metadataOptions": inputs{"httpEndpoint": "disabled"}},
			inputs{"rootBlockDevice": inputs{"encrypted": true}},
			"it (aws:ec2/launchConfiguration:LaunchConfiguration): its metadata are given without a token: set metadataOptions.httpTokens to required [metadata]",
		},
		{
			"a public database", "aws:rds/instance:Instance",
			inputs{"storageEncrypted": true},
			inputs{"storageEncrypted": true, "publiclyAccessible": true},
			"it (aws:rds/instance:Instance): the database can be reached from the internet: set publiclyAccessible to false [public-data]",
		},
		{
			"a public cluster", "aws:eks/cluster:Cluster",
			inputs{"vpcConfig": inputs{"publicAccessCidrs": []any{"192.0.2.0/24"}}},
			inputs{"vpcConfig": inputs{"publicAccessCidrs": []any{"0.0.0.0/0"}}},
			"it (aws:eks/cluster:Cluster): the cluster's API can be reached from the whole internet: name the addresses in vpcConfig.publicAccessCidrs [public-data]",
		},
		{
			"a cluster that does not say for whom it is", "aws:eks/cluster:Cluster",
			inputs{"vpcConfig": inputs{"endpointPublicAccess": false}},
			inputs{"vpcConfig": inputs{"subnetIds": []any{declared.Unknown{}}}},
			"it (aws:eks/cluster:Cluster): the cluster's API can be reached from the whole internet: name the addresses in vpcConfig.publicAccessCidrs [public-data]",
		},
		{
			"a cluster that is for nobody it names", "aws:eks/cluster:Cluster",
			inputs{"vpcConfig": inputs{"endpointPublicAccess": true, "publicAccessCidrs": declared.Unknown{}}},
			inputs{"vpcConfig": inputs{"endpointPublicAccess": true, "publicAccessCidrs": []any{}}},
			"it (aws:eks/cluster:Cluster): the cluster's API can be reached from the whole internet: name the addresses in vpcConfig.publicAccessCidrs [public-data]",
		},
		{
			"a disk in clear", "aws:ebs/volume:Volume",
			inputs{"encrypted": true},
			inputs{"size": 20.0},
			"it (aws:ebs/volume:Volume): its data is not encrypted: set encrypted to true [encryption]",
		},
		{
			"a system disk in clear", "aws:ec2/instance:Instance",
			inputs{"rootBlockDevice": inputs{"encrypted": true}, "metadataOptions": inputs{"httpTokens": "required"}},
			inputs{"metadataOptions": inputs{"httpTokens": "required"}},
			"it (aws:ec2/instance:Instance): its system disk is not encrypted: set rootBlockDevice.encrypted to true [encryption]",
		},
		{
			"IMDSv1", "aws:ec2/instance:Instance",
			inputs{"rootBlockDevice": inputs{"encrypted": true}, "metadataOptions": inputs{"httpTokens": declared.Unknown{}}},
			inputs{"rootBlockDevice": inputs{"encrypted": true}, "metadataOptions": inputs{"httpTokens": "optional"}},
			"it (aws:ec2/instance:Instance): its metadata are given without a token: set metadataOptions.httpTokens to required [metadata]",
		},
		{
			"a template's disk in clear", "aws:ec2/launchTemplate:LaunchTemplate",
			inputs{"metadataOptions": inputs{"httpTokens": "required"}, "blockDeviceMappings": []any{inputs{"ebs": inputs{"encrypted": "true"}}}},
			inputs{"metadataOptions": inputs{"httpTokens": "required"}, "blockDeviceMappings": []any{inputs{"ebs": inputs{}}}},
			"it (aws:ec2/launchTemplate:LaunchTemplate): a disk of its hosts is not encrypted: set blockDeviceMappings[0].ebs.encrypted to true [encryption]",
		},
		{
			"a template that leaves the disk to the image", "aws:ec2/launchTemplate:LaunchTemplate",
			inputs{"metadataOptions": inputs{"httpTokens": "required"}, "blockDeviceMappings": declared.Unknown{}},
			inputs{"metadataOptions": inputs{"httpTokens": "required"}},
			"it (aws:ec2/launchTemplate:LaunchTemplate): the system disk of its hosts is not encrypted: set blockDeviceMappings[0].ebs.encrypted to true [encryption]",
		},
		{
			"a database in clear", "aws:rds/instance:Instance",
			inputs{"replicateSourceDb": declared.Unknown{}},
			inputs{},
			"it (aws:rds/instance:Instance): its data is not encrypted: set storageEncrypted to true [encryption]",
		},
		{
			"a cache that is told in clear", "aws:elasticache/replicationGroup:ReplicationGroup",
			inputs{"atRestEncryptionEnabled": true, "transitEncryptionEnabled": true},
			inputs{"atRestEncryptionEnabled": true},
			"it (aws:elasticache/replicationGroup:ReplicationGroup): what it is told is sent in clear: set transitEncryptionEnabled to true [encryption]",
		},
		{
			"a parameter in clear", "aws:ssm/parameter:Parameter",
			inputs{"value": declared.Secret{}, "type": "SecureString"},
			inputs{"value": declared.Secret{}, "type": "String"},
			"it (aws:ssm/parameter:Parameter): it holds a secret in clear: set type to SecureString [encryption]",
		},
		{
			"a parameter whose value is said to be none to hide", "aws:ssm/parameter:Parameter",
			inputs{"insecureValue": "debug", "type": "String"},
			inputs{"insecureValue": declared.Secret{}, "type": "String"},
			"it (aws:ssm/parameter:Parameter): it holds a secret in clear: set type to SecureString, and value in place of insecureValue [encryption]",
		},
		{
			"an edge in clear", "aws:cloudfront/distribution:Distribution",
			inputs{"defaultCacheBehavior": inputs{"viewerProtocolPolicy": "redirect-to-https"}},
			inputs{"orderedCacheBehaviors": []any{inputs{"viewerProtocolPolicy": "allow-all"}}},
			"it (aws:cloudfront/distribution:Distribution): it answers in clear: set viewerProtocolPolicy of orderedCacheBehaviors[0] to redirect-to-https [encryption]",
		},
		{
			"a provider without tags", "pulumi:providers:aws",
			inputs{"defaultTags": `{"tags":{"project":"a","stack":"b","tier":"c","cost-centre":"d"}}`},
			inputs{"defaultTags": inputs{"tags": inputs{"project": "a", "stack": "b", "tier": ""}}},
			"it (pulumi:providers:aws): its resources get no tag tier, cost-centre: add it to defaultTags of the provider [tags]",
		},
		{
			"SSH for everybody", "aws:ec2/securityGroup:SecurityGroup",
			inputs{"ingress": []any{
				inputs{"protocol": "tcp", "fromPort": 443.0, "toPort": 443.0, "cidrBlocks": []any{"0.0.0.0/0"}, "ipv6CidrBlocks": []any{"::/0"}},
				inputs{"protocol": "udp", "fromPort": 443.0, "toPort": 443.0, "cidrBlocks": []any{"0.0.0.0/0"}},
				inputs{"protocol": "tcp", "fromPort": 5432.0, "toPort": 5432.0, "cidrBlocks": []any{"10.0.0.0/16"}},
			}},
			inputs{"ingress": []any{inputs{"protocol": "tcp", "fromPort": 22.0, "toPort": 22.0, "ipv6CidrBlocks": []any{"::/0"}}}},
			"it (aws:ec2/securityGroup:SecurityGroup): port 22 is open to everybody: open 80 and 443 alone; hosts are administered by Session Manager, which needs no port [ingress]",
		},
		{
			"a range for everybody", "aws:ec2/securityGroupRule:SecurityGroupRule",
			inputs{"type": "egress", "protocol": "-1", "fromPort": 0.0, "toPort": 0.0, "cidrBlocks": []any{"0.0.0.0/0"}},
			inputs{"type": "ingress", "protocol": "tcp", "fromPort": 80.0, "toPort": 443.0, "cidrBlocks": []any{"0.0.0.0/0"}},
			"it (aws:ec2/securityGroupRule:SecurityGroupRule): ports 80 to 443 are open to everybody: open 80 and 443 alone; hosts are administered by Session Manager, which needs no port [ingress]",
		},
		{
			"everything for everybody", "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
			inputs{"ipProtocol": "tcp", "fromPort": 80.0, "toPort": 80.0, "cidrIpv4": "0.0.0.0/0"},
			inputs{"ipProtocol": "-1", "cidrIpv4": "0.0.0.0/0"},
			"it (aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule): all ports are open to everybody: open 80 and 443 alone; hosts are administered by Session Manager, which needs no port [ingress]",
		},
		{
			"a list with everybody", "aws:ec2/managedPrefixList:ManagedPrefixList",
			inputs{"entries": []any{inputs{"cidr": "192.0.2.0/24"}}},
			inputs{"entries": []any{inputs{"cidr": "192.0.2.0/24"}, inputs{"cidr": "0.0.0.0/0"}}},
			"it (aws:ec2/managedPrefixList:ManagedPrefixList): its list has everybody (0.0.0.0/0): a port that is opened to it is open to all: list the addresses that are meant; for 80 and 443, name 0.0.0.0/0 in the rule itself [ingress]",
		},
		{
			"half of IPv6 for a list", "aws:ec2/managedPrefixListEntry:ManagedPrefixListEntry",
			inputs{"cidr": "2001:db8::/32"},
			inputs{"cidr": "8000::/1"},
			"it (aws:ec2/managedPrefixListEntry:ManagedPrefixListEntry): its list has everybody (8000::/1): a port that is opened to it is open to all: list the addresses that are meant; for 80 and 443, name 8000::/1 in the rule itself [ingress]",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			check := func(given inputs) []string {
				return texts(guard.Policy{}.Check([]declared.Resource{{Type: test.resourceType, Name: "it", Inputs: given}}))
			}
			assert.Empty(t, check(test.good))
			assert.Equal(t, []string{test.want}, check(test.bad))
			gone := declared.Resource{Type: test.resourceType, Name: "it", Operation: declared.Delete, Old: test.bad}
			assert.Empty(t, guard.Policy{}.Check([]declared.Resource{gone}), "what goes may be as it likes")
		})
	}
}

func texts(findings []guard.Finding) []string {
	var lines []string
	for _, f := range findings {
		lines = append(lines, f.String())
	}
	return lines
}

func TestWhatHoldsDataStaysUnlessItIsNamed(t *testing.T) {
	t.Parallel()
	loss := func(resourceType string) string {
		if resourceType == "x:index:Database" {
			return "every row"
		}
		return ""
	}
	resources := []declared.Resource{
		{Type: "x:index:Service", Name: "aardvark", Operation: declared.Replace},
		{Type: "x:index:Service", Name: "key", Operation: declared.Replace, Protected: true},
		{Type: "x:index:Database", Name: "database", Operation: declared.Delete},
		{Type: "x:index:Database", Name: "kept", Operation: declared.Update, Protected: true},
		{Type: "aws:ebs/volume:Volume", Name: "a-disk", Operation: declared.Create},
	}
	assert.Equal(t, []string{
		"database (x:index:Database): it would be deleted, and every row would be lost: take back the change that does it, or give the " +
			"data up by --allow-data-loss database [data-loss]",
		"key (x:index:Service): it would be replaced, and what it holds would be lost: take back the change that does it, or give the " +
			"data up by --allow-data-loss key [data-loss]",
		"a-disk (aws:ebs/volume:Volume): its data is not encrypted: set encrypted to true [encryption]",
	}, texts(guard.Policy{Loss: loss}.Check(resources)))

	resources = resources[:4]
	assert.Len(t, guard.Policy{Loss: loss, AllowDataLoss: []string{"key"}}.Check(resources), 1)
	assert.Empty(t, guard.Policy{Loss: loss, AllowDataLoss: []string{"key", "database"}}.Check(resources))
	assert.Equal(t, []string{"--allow-data-loss kept: no resource of that name would lose data: leave it out, or name a resource that this " +
		"preview shows as losing data [data-loss]"}, texts(guard.Policy{Loss: loss, AllowDataLoss: []string{"key", "database", "kept"}}.Check(resources)))
}

func TestACostOverThePlanNeedsAnAcknowledgement(t *testing.T) {
	t.Parallel()
	budget := stacks.Cost{Low: 40, High: 60}
	agreed := func(amount stacks.USD) stacks.Settings { return stacks.Settings{AcknowledgedCost: amount} }
	assert.Empty(t, guard.CheckCost(60, budget, agreed(0)))
	assert.Empty(t, guard.CheckCost(112.95, budget, agreed(113)))
	assert.Equal(t, []string{"the stack would cost about $113 a month, more than the plan's $40-$60: agree by `pulumi config set " +
		"rad-panel:acknowledgeCost 113`, or spend less by `pulumi config set rad-panel:sizing budget` [cost]"},
		texts(guard.CheckCost(112.95, budget, agreed(0))))
	assert.Equal(t, []string{"the stack would cost about $113 a month, more than the plan's $40-$60 and than the $100 that its configuration " +
		"acknowledges: agree by `pulumi config set rad-panel:acknowledgeCost 113`, or spend less by `pulumi config set rad-panel:sizing " +
		"budget` [cost]"}, texts(guard.CheckCost(112.95, budget, agreed(100))))
	assert.Equal(t, []string{"the stack would cost about $113 a month, more than the plan's $40-$60: agree by `pulumi config set " +
		"rad-panel:acknowledgeCost 113` [cost]"}, texts(guard.CheckCost(112.95, budget, stacks.Settings{Sizing: stacks.SizingBudget})),
		"it spends as little as it can")
}
