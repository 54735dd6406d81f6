package guard

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/radpanel/radpanel/infra/declared"
)

// RequiredTags are what every resource on AWS is to be found and billed by.
func RequiredTags() []string { return []string{"project", "stack", "tier", "cost-centre"} }

// checkPublic finds data that everybody could read.
func checkPublic(r declared.Resource) []Finding {
	switch r.Type {
	case "aws:s3/bucket:Bucket", "aws:s3/bucketV2:BucketV2", "aws:s3/bucketAclV2:BucketAclV2", "aws:s3/bucketAcl:BucketAcl":
		if acl := r.Text("acl"); isPublic(acl) {
			return broken(PublicData, r, fmt.Sprintf("its objects are for everybody (acl %s)", acl), "remove acl, and give access by a policy")
		}
		if grantsEverybody(r) {
			return broken(PublicData, r, "its objects are for everybody (by a grant)", "remove the grant, and give access by a policy")
		}
		return checkBucketPolicy(r)
	case "aws:s3/bucketObject:BucketObject", "aws:s3/bucketObjectv2:BucketObjectv2", "aws:s3/objectCopy:ObjectCopy":
		if acl := r.Text("acl"); isPublic(acl) {
			return broken(PublicData, r, fmt.Sprintf("it is for everybody (acl %s)", acl), "remove acl, and give access by a policy")
		}
		if grantsEverybody(r) {
			return broken(PublicData, r, "it is for everybody (by a grant)", "remove the grant, and give access by a policy")
		}
	case "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock", "aws:s3/accountPublicAccessBlock:AccountPublicAccessBlock":
		var findings []Finding
		for _, key := range []string{"blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets"} {
			if !known(r.Inputs[key]) {
				continue
			}
			if !r.Is(key) {
				findings = append(findings, broken(PublicData, r, key+" is off", "set it to true")...)
			}
		}
		return findings
	case "aws:s3/bucketPolicy:BucketPolicy":
		return checkBucketPolicy(r)
	case "aws:rds/instance:Instance", "aws:rds/clusterInstance:ClusterInstance":
		if r.Is("publiclyAccessible") {
			return broken(PublicData, r, "the database can be reached from the internet", "set publiclyAccessible to false")
		}
	case "aws:eks/cluster:Cluster":
		return checkCluster(r)
	}
	return nil
}

// isPublic tells whether an ACL of Amazon S3's own has everybody, without or with an account of AWS of their own.
func isPublic(acl string) bool {
	return strings.HasPrefix(acl, "public-") || acl == "authenticated-read"
}

// checkCluster finds a cluster whose API everybody can reach, which AWS makes of one that does not say who may.
func checkCluster(r declared.Resource) []Finding {
	public, addresses := declared.At(r.Inputs, "vpcConfig", "endpointPublicAccess"), declared.At(r.Inputs, "vpcConfig", "publicAccessCidrs")
	if public == false || !known(public) || !known(addresses) || !known(r.Inputs["vpcConfig"]) {
		return nil
	}
	if list, _ := addresses.([]any); len(list) == 0 || everybody(addresses) {
		return broken(PublicData, r, "the cluster's API can be reached from the whole internet", "name the addresses in vpcConfig.publicAccessCidrs")
	}
	return nil
}

// checkEncryption finds what would be stored or sent in clear.
func checkEncryption(r declared.Resource) []Finding {
	var findings []Finding
	must := func(what string, path ...any) {
		if known(declared.At(r.Inputs, path...)) && !r.Is(path...) {
			findings = append(findings, broken(Encryption, r, what, "set "+written(path)+" to true")...)
		}
	}
	switch r.Type {
	case "aws:ebs/volume:Volume":
		must("its data is not encrypted", "encrypted")
	case "aws:efs/fileSystem:FileSystem":
		must("its files are not encrypted", "encrypted")
	case "aws:ec2/instance:Instance", "aws:ec2/spotInstanceRequest:SpotInstanceRequest", "aws:ec2/launchConfiguration:LaunchConfiguration":
		must("its system disk is not encrypted", "rootBlockDevice", "encrypted")
		for i := range r.List("ebsBlockDevices") {
			must("a disk of it is not encrypted", "ebsBlockDevices", i, "encrypted")
		}
	case "aws:ec2/launchTemplate:LaunchTemplate":
		if mappings := r.Inputs["blockDeviceMappings"]; known(mappings) && len(r.List("blockDeviceMappings")) == 0 {
			must("the system disk of its hosts is not encrypted", "blockDeviceMappings", 0, "ebs", "encrypted")
		}
		for i := range r.List("blockDeviceMappings") {
			if text := r.Text("blockDeviceMappings", i, "ebs", "encrypted"); text != "true" {
				must("a disk of its hosts is not encrypted", "blockDeviceMappings", i, "ebs", "encrypted")
			}
		}
	case "aws:rds/instance:Instance", "aws:rds/cluster:Cluster":
		if r.Text("replicateSourceDb") == "" && known(r.Inputs["replicateSourceDb"]) { // A replica is as its source.
			must("its data is not encrypted", "storageEncrypted")
		}
	case "aws:elasticache/replicationGroup:ReplicationGroup":
		must("its data is not encrypted", "atRestEncryptionEnabled")
		must("what it is told is sent in clear", "transitEncryptionEnabled")
	case "aws:ssm/parameter:Parameter":
		_, secret := r.Inputs["value"].(declared.Secret)
		if secret && r.Text("type") != "SecureString" {
			findings = broken(Encryption, r, "it holds a secret in clear", "set type to SecureString")
		}
		if _, secret := r.Inputs["insecureValue"].(declared.Secret); secret {
			findings = broken(Encryption, r, "it holds a secret in clear", "set type to SecureString, and value in place of insecureValue")
		}
	case "aws:cloudfront/distribution:Distribution":
		findings = checkDistribution(r)
	}
	return findings
}

func checkDistribution(r declared.Resource) []Finding {
	paths := [][]any{{"defaultCacheBehavior"}}
	for i := range r.List("orderedCacheBehaviors") {
		paths = append(paths, []any{"orderedCacheBehaviors", i})
	}
	for _, path := range paths {
		if r.Text(append(path, "viewerProtocolPolicy")...) == "allow-all" {
			return broken(Encryption, r, "it answers in clear", "set viewerProtocolPolicy of "+written(path)+" to redirect-to-https")
		}
	}
	return nil
}

// AWSProvider is the type of the provider of all resources on AWS.
const AWSProvider = "pulumi:providers:aws"

// DefaultTags gives the tags that a provider of that type puts on its resources, by its inputs.
func DefaultTags(inputs map[string]any) map[string]any {
	if text, asEngine := inputs["defaultTags"].(string); asEngine {
		var written struct{ Tags map[string]any }
		_ = json.Unmarshal([]byte(text), &written) // What is no JSON has no tags.
		return written.Tags
	}
	tags, _ := declared.At(inputs["defaultTags"], "tags").(map[string]any)
	return tags
}

// checkTags looks at the provider, whose default tags go to every resource.
func checkTags(r declared.Resource) []Finding {
	if r.Type != AWSProvider || !known(r.Inputs["defaultTags"]) {
		return nil
	}
	tags := DefaultTags(r.Inputs)
	var missing []string
	for _, tag := range RequiredTags() {
		if tags[tag] == nil || tags[tag] == "" {
			missing = append(missing, tag)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return broken(Tags, r, "its resources get no tag "+strings.Join(missing, ", "), "add it to defaultTags of the provider")
}

// checkMetadata finds hosts that give their role's credentials to whoever makes them send one plain request (IMDSv1).
func checkMetadata(r declared.Resource) []Finding {
	switch r.Type {
	case "aws:ec2/instance:Instance", "aws:ec2/launchTemplate:LaunchTemplate", "aws:ec2/spotInstanceRequest:SpotInstanceRequest",
		"aws:ec2/launchConfiguration:LaunchConfiguration":
	default:
		return nil
	}
	if r.Text("metadataOptions", "httpEndpoint") == "disabled" {
		return nil
	}
	value := declared.At(r.Inputs, "metadataOptions", "httpTokens")
	if value == "required" || !known(value) {
		return nil
	}
	return broken(Metadata, r, "its metadata are given without a token", "set metadataOptions.httpTokens to required")
}

// known tells whether a value can be judged: one that is not there can, it is what AWS makes of it.
func known(value any) bool {
	_, unknown := value.(declared.Unknown)
	return !unknown
}

// written gives a path as people write it.
func written(path []any) string {
	var text strings.Builder
	for _, element := range path {
		switch e := element.(type) {
		case int:
			fmt.Fprintf(&text, "[%d]", e)
		default:
			if text.Len() > 0 {
				text.WriteString(".")
			}
			fmt.Fprint(&text, e)
		}
	}
	return text.String()
}
