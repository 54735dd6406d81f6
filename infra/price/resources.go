package price

import (
	"strings"

	"github.com/radpanel/radpanel/infra/declared"
)

const (
	// defaultRootGiB is the system disk of a Debian image.
	defaultRootGiB = 8
	// defaultNodeGiB is what EKS gives a node that asks for nothing.
	defaultNodeGiB = 20
	// freeDiskIOPS and freeDiskThroughput (MiB/s) are in the price of every gp3 disk.
	freeDiskIOPS       = 3000
	freeDiskThroughput = 125
	// releaseGiB is what a bucket of releases, front ends or access logs holds, at most.
	releaseGiB = 1
)

// datadog stands for what a tier sends to Datadog: no resource of the stack.
const datadog = "datadog"

// pricers tell what resources of each type that costs something cost.
func pricers() map[string]func(*meter, declared.Resource) {
	return map[string]func(*meter, declared.Resource){
		"aws:ec2/instance:Instance":                         priceInstance,
		"aws:ebs/volume:Volume":                             priceVolume,
		"aws:ec2/eip:Eip":                                   hourly("public IPv4 address", PublicAddress),
		"aws:ec2/natGateway:NatGateway":                     hourly("NAT gateway", NATGateway),
		"aws:ec2/vpcEndpoint:VpcEndpoint":                   priceEndpoint,
		"aws:lb/loadBalancer:LoadBalancer":                  hourly("load balancer, without its capacity units", LoadBalancer),
		"aws:eks/cluster:Cluster":                           hourly("control plane", KubernetesCluster),
		"aws:eks/nodeGroup:NodeGroup":                       priceNodes,
		"aws:rds/instance:Instance":                         priceDatabase,
		"aws:elasticache/replicationGroup:ReplicationGroup": priceCache,
		"aws:s3/bucket:Bucket":                              priceBucket,
		"aws:s3/bucketV2:BucketV2":                          priceBucket,
		"aws:cloudfront/distribution:Distribution":          func(m *meter, _ declared.Resource) { m.edge = true },
		"aws:route53/zone:Zone":                             monthly("hosted zone", HostedZone),
		"aws:route53/record:Record":                         priceRecord,
		"aws:route53/healthCheck:HealthCheck":               monthly("health check", HealthCheck),
		"aws:cloudwatch/metricAlarm:MetricAlarm":            monthly("alarm", Alarm),
		"aws:cloudwatch/compositeAlarm:CompositeAlarm":      priceCompositeAlarm,
		"aws:cloudwatch/dashboard:Dashboard":                monthly("dashboard", Dashboard),
		"aws:cloudwatch/logGroup:LogGroup":                  priceLogs,
		"aws:cloudwatch/logMetricFilter:LogMetricFilter":    monthly("metric", Metric),
		"aws:kms/key:Key":                                   monthly("key", EncryptionKey),
		"aws:secretsmanager/secret:Secret":                  monthly("secret", StoredSecret),
		"aws:ssm/parameter:Parameter":                       priceParameter,
		datadog: func(m *meter, _ declared.Resource) {
			m.unpriced("Datadog sends a bill of its own, for each host, once a key for it is set")
		},
		"kubernetes:core/v1:Service":               priceService,
		"kubernetes:core/v1:PersistentVolumeClaim": priceClaim,
		"kubernetes:apps/v1:StatefulSet":           priceTemplates,
	}
}

// free tells whether AWS charges nothing for a resource of a type, or it costs only what it makes others cost.
func free(resourceType string) bool {
	for _, prefix := range []string{
		"pulumi:", "random:", "tls:", "radlocal:", // radlocal: on the operator's own machine
		"kubernetes:", // what runs on nodes that are paid for; what costs by itself is in pricers
		"aws:iam/", "aws:acm/", "aws:sns/", "aws:budgets/", "aws:servicequotas/",
	} {
		if strings.HasPrefix(resourceType, prefix) {
			return true
		}
	}
	switch resourceType {
	case "aws:ec2/vpc:Vpc", "aws:ec2/subnet:Subnet", "aws:ec2/internetGateway:InternetGateway", "aws:ec2/routeTable:RouteTable",
		"aws:ec2/route:Route", "aws:ec2/routeTableAssociation:RouteTableAssociation", "aws:ec2/securityGroup:SecurityGroup",
		"aws:ec2/securityGroupRule:SecurityGroupRule", "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup",
		"aws:ec2/eipAssociation:EipAssociation", "aws:ec2/volumeAttachment:VolumeAttachment", "aws:ec2/networkAcl:NetworkAcl",
		"aws:ec2/defaultNetworkAcl:DefaultNetworkAcl", "aws:ec2/defaultRouteTable:DefaultRouteTable",
		"aws:ec2/vpcDhcpOptions:VpcDhcpOptions", "aws:ec2/mainRouteTableAssociation:MainRouteTableAssociation",
		"aws:ec2/vpcEndpointRouteTableAssociation:VpcEndpointRouteTableAssociation", "aws:ec2/placementGroup:PlacementGroup",
		"aws:ec2/vpcPeeringConnection:VpcPeeringConnection", // what goes through it costs as between zones
		"aws:ec2/networkInterface:NetworkInterface", "aws:ec2/launchTemplate:LaunchTemplate", "aws:ec2/egressOnlyInternetGateway:EgressOnlyInternetGateway",
		"aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule", "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
		"aws:ebs/encryptionByDefault:EncryptionByDefault", "aws:dlm/lifecyclePolicy:LifecyclePolicy",
		"aws:cloudfront/originAccessControl:OriginAccessControl", "aws:cloudfront/cachePolicy:CachePolicy",
		"aws:cloudfront/originRequestPolicy:OriginRequestPolicy", "aws:cloudfront/responseHeadersPolicy:ResponseHeadersPolicy",
		"aws:cloudfront/publicKey:PublicKey", "aws:cloudfront/keyGroup:KeyGroup", "aws:cloudfront/function:Function",
		"aws:cloudwatch/eventRule:EventRule", "aws:cloudwatch/eventTarget:EventTarget", "aws:kms/alias:Alias",
		"aws:ssm/document:Document", "aws:ssm/association:Association", "aws:ssm/maintenanceWindow:MaintenanceWindow",
		"aws:secretsmanager/secretVersion:SecretVersion", "aws:lb/listener:Listener", "aws:lb/targetGroup:TargetGroup",
		"aws:lb/targetGroupAttachment:TargetGroupAttachment", "aws:rds/subnetGroup:SubnetGroup",
		"aws:rds/parameterGroup:ParameterGroup", "aws:elasticache/subnetGroup:SubnetGroup",
		"aws:elasticache/parameterGroup:ParameterGroup", "aws:eks/addon:Addon", "aws:eks/accessEntry:AccessEntry",
		"aws:eks/accessPolicyAssociation:AccessPolicyAssociation", "aws:eks/podIdentityAssociation:PodIdentityAssociation":
		return true
	}
	// All of a bucket's own settings and objects: what they take is in the bucket's line.
	return strings.HasPrefix(resourceType, "aws:s3/bucket") || strings.HasPrefix(resourceType, "aws:s3/account")
}

func hourly(what string, item Item) func(*meter, declared.Resource) {
	return func(m *meter, _ declared.Resource) { m.always(what, item, 1) }
}

func monthly(what string, item Item) func(*meter, declared.Resource) {
	return func(m *meter, _ declared.Resource) { m.charge(what, item, 1) }
}

func priceInstance(m *meter, r declared.Resource) {
	m.instances(m.prices.Instances, r.Text("instanceType"), 1)
	m.disk("system disk", r.Number(defaultRootGiB, "rootBlockDevice", "volumeSize"), r.Number(0, "rootBlockDevice", "iops"),
		r.Number(0, "rootBlockDevice", "throughput"))
	for i := range r.List("ebsBlockDevices") {
		m.disk("disk", r.Number(0, "ebsBlockDevices", i, "volumeSize"), r.Number(0, "ebsBlockDevices", i, "iops"),
			r.Number(0, "ebsBlockDevices", i, "throughput"))
	}
	if r.Is("associatePublicIpAddress") {
		m.always("public IPv4 address", PublicAddress, 1)
	}
}

func priceVolume(m *meter, r declared.Resource) {
	if kind := r.Text("type"); kind != "gp3" {
		m.unpriced("disks of type " + quoted(kind) + " are not in the price table: use gp3")
		return
	}
	size := r.Number(0, "size")
	if size == 0 {
		m.unpriced("its size is not known")
		return
	}
	m.disk("disk", size, r.Number(0, "iops"), r.Number(0, "throughput"))
}

// disk charges a gp3 disk, in GiB, IOPS and MiB/s.
func (m *meter) disk(what string, size, iops, throughput float64) {
	m.charge(what, DiskStorage, size)
	m.charge(what+", IOPS", DiskIOPS, max(0, iops-freeDiskIOPS))
	m.charge(what+", throughput", DiskThroughput, max(0, throughput-freeDiskThroughput))
}

// priceEndpoint charges an interface endpoint in each of its subnets. Gateway endpoints, for S3, cost nothing.
func priceEndpoint(m *meter, r declared.Resource) {
	if r.Text("vpcEndpointType") != "Interface" {
		return
	}
	m.always("interface endpoint", InterfaceEndpoint, max(1, float64(len(r.List("subnetIds")))))
}

func priceNodes(m *meter, r declared.Resource) {
	count := r.Number(0, "scalingConfig", "desiredSize")
	name, _ := declared.At(r.Inputs, "instanceTypes", 0).(string)
	if count == 0 {
		m.unpriced("the number of its nodes is not known")
		return
	}
	m.instances(m.prices.Instances, name, count)
	m.disk("system disks", count*r.Number(defaultNodeGiB, "diskSize"), 0, 0)
}

func priceDatabase(m *meter, r declared.Resource) {
	copies := 1.0
	if r.Is("multiAz") {
		copies = 2
	}
	m.instances(m.prices.Databases, r.Text("instanceClass"), copies)
	m.charge("disk", DatabaseStorage, copies*r.Number(0, "allocatedStorage"))
	m.charge("disk, IOPS", DatabaseIOPS, copies*max(0, r.Number(0, "iops")-freeDiskIOPS))
}

func priceCache(m *meter, r declared.Resource) {
	nodes := r.Number(1, "numCacheClusters")
	if groups := r.Number(0, "numNodeGroups"); groups > 0 {
		nodes = groups * (1 + r.Number(0, "replicasPerNodeGroup"))
	}
	m.instances(m.prices.Caches, r.Text("nodeType"), nodes)
}

// priceBucket charges what a bucket is assumed to hold, by what its name says that it is for.
func priceBucket(m *meter, r declared.Resource) {
	switch {
	case strings.Contains(r.Name, "backup"):
		m.charge("backups", ObjectStorage, m.usage.Backups.Value)
		m.charge("recovery segments", ObjectWrites, m.usage.Segments.Value/1000)
	case strings.Contains(r.Name, "file"):
		m.charge("files", ObjectStorage, m.usage.Files.Value)
		m.charge("reads of files", ObjectReads, m.usage.Downloads.Value*filesPerGiB/1000)
	case strings.Contains(r.Name, "release"), strings.Contains(r.Name, "web"), strings.Contains(r.Name, "asset"),
		strings.Contains(r.Name, "static"), strings.Contains(r.Name, "log"):
		m.charge("objects", ObjectStorage, releaseGiB)
	default:
		m.unpriced("no usage is assumed of a bucket of this name: name it after backups, files, releases, assets or logs")
	}
}

// priceRecord charges the queries, which are free where the record is an alias of something at AWS.
func priceRecord(m *meter, r declared.Resource) {
	if len(r.List("aliases")) == 0 {
		m.charge("queries", DNSQueries, m.usage.DNS.Value/1e6)
	}
}

// priceCompositeAlarm charges half a dollar: five times a plain alarm, which the free tier does not cover
// (https://aws.amazon.com/cloudwatch/pricing/).
func priceCompositeAlarm(m *meter, _ declared.Resource) {
	m.add("composite alarm", 1, "month", 5*m.prices.Rates[Alarm])
}

// priceLogs charges what hosts send to CloudWatch once, to the first log group: all groups share it, and figures have no
// resource of their own.
func priceLogs(m *meter, _ declared.Resource) {
	m.charge("logs", LogIngestion, m.usage.Logs.Value)
	m.charge("figures", Metric, m.usage.Figures.Value)
	m.usage.Logs.Value, m.usage.Figures.Value = 0, 0
}

func priceParameter(m *meter, r declared.Resource) {
	if r.Text("tier") == "Advanced" {
		m.charge("parameter", AdvancedParameter, 1)
	}
}

func priceService(m *meter, r declared.Resource) {
	if r.Text("spec", "type") == "LoadBalancer" {
		m.always("load balancer, without its capacity units", LoadBalancer, 1)
	}
}

func quoted(text string) string { return `"` + text + `"` }
