package price

import (
	"fmt"

	"github.com/radpanel/radpanel/infra/declared"
	"github.com/radpanel/radpanel/stacks"
)

// privateEndpoints are the interface endpoints that hosts without a public address need to be looked after.
func privateEndpoints() []string { return []string{"logs", "monitoring", "ssm", "ssmmessages"} }

// systemDiskGiB is the system disk of a host.
const systemDiskGiB = 16

// ownAlarms are those of each host, beside the plan's triggers: a failed check of the system and of the instance.
const ownAlarms = 2

// Blueprint gives what AWS charges for in a stack that is built from a tier's blueprint on the given instance types, one for
// each role. It stands in for the resources of a stack that was not built yet; those of one that was are nearer the truth.
func Blueprint(tier stacks.TierPlan, hosts map[stacks.Role]Instance, managed Managed) []declared.Resource {
	var all []declared.Resource
	for region := range tier.Blueprint.Regions {
		prefix := ""
		if region > 0 {
			prefix = fmt.Sprintf("region-%d-", region+1)
		}
		d := &drawing{prefix: prefix, blueprint: tier.Blueprint, hosts: hosts, managed: managed}
		d.drawHosts()
		d.drawDatabase()
		d.drawStores()
		d.drawMonitoring(tier)
		all = append(all, d.resources...)
	}
	d := &drawing{blueprint: tier.Blueprint}
	d.add("aws:route53/record:Record", "domain", nil)
	if tier.Blueprint.CDN != stacks.CDNNone {
		d.add("aws:cloudfront/distribution:Distribution", "edge", nil)
	}
	if tier.Blueprint.Balancer == stacks.BalancerGlobal {
		for region := range tier.Blueprint.Regions {
			d.add("aws:route53/healthCheck:HealthCheck", fmt.Sprintf("health-%d", region+1), nil)
		}
	}
	if tier.Blueprint.Monitoring.Datadog {
		d.add(datadog, "datadog", nil)
	}
	return append(all, d.resources...)
}

// Managed are the types of what AWS runs for a tier.
type Managed struct{ Database, Cache Instance }

// drawing gathers the resources of one region.
type drawing struct {
	prefix    string
	blueprint stacks.Blueprint
	hosts     map[stacks.Role]Instance
	managed   Managed
	resources []declared.Resource
}

func (d *drawing) add(resourceType, name string, inputs map[string]any) {
	d.resources = append(d.resources, declared.Resource{Type: resourceType, Name: d.prefix + name, Inputs: inputs})
}

func (d *drawing) drawHosts() {
	b := d.blueprint
	for _, host := range b.Hosts {
		if host.Role == stacks.RoleDatabase && b.Database.Managed {
			continue
		}
		if host.Role == stacks.RoleNode {
			d.add("aws:eks/cluster:Cluster", "cluster", nil)
			d.add("aws:eks/nodeGroup:NodeGroup", "nodes", map[string]any{
				"instanceTypes": []any{d.hosts[host.Role].Type}, "scalingConfig": map[string]any{"desiredSize": float64(host.Count)},
			})
			d.add("aws:lb/loadBalancer:LoadBalancer", "ingress", nil)
			for zone := range b.Zones {
				d.add("aws:ec2/eip:Eip", fmt.Sprintf("ingress-address-%d", zone+1), nil) // one for each zone of the balancer
			}
			continue
		}
		for i := range host.Count {
			d.add("aws:ec2/instance:Instance", fmt.Sprintf("%s-%d", host.Role, i+1), map[string]any{
				"instanceType": d.hosts[host.Role].Type, "rootBlockDevice": map[string]any{"volumeSize": float64(systemDiskGiB)},
			})
			if host.Disk.Size > 0 {
				d.add("aws:ebs/volume:Volume", fmt.Sprintf("data-%d", i+1), map[string]any{
					"type": "gp3", "size": float64(host.Disk.Size / stacks.GiB), "iops": float64(max(freeDiskIOPS, host.Disk.IOPS)),
				})
			}
		}
		if host.Role == stacks.RolePanel || host.Role == stacks.RoleBalancer {
			d.add("aws:ec2/eip:Eip", "address", nil)
		}
	}
	if len(b.Hosts) > 1 {
		for _, name := range privateEndpoints() {
			d.add("aws:ec2/vpcEndpoint:VpcEndpoint", name, map[string]any{"vpcEndpointType": "Interface"})
		}
	}
}

func (d *drawing) drawDatabase() {
	b := d.blueprint
	if b.Database.Managed {
		host, _ := b.Host(stacks.RoleDatabase)
		for i := range b.Database.Servers() {
			d.add("aws:rds/instance:Instance", fmt.Sprintf("database-%d", i+1), map[string]any{
				"instanceClass": d.managed.Database.Type, "allocatedStorage": float64(host.Disk.Size / stacks.GiB), "iops": float64(host.Disk.IOPS),
			})
		}
	}
	if b.Cache.Managed {
		d.add("aws:elasticache/replicationGroup:ReplicationGroup", "cache", map[string]any{
			"nodeType": d.managed.Cache.Type, "numCacheClusters": 2.0, // a second one takes over
		})
	}
}

func (d *drawing) drawStores() {
	d.add("aws:s3/bucket:Bucket", "backups", nil)
	d.add("aws:s3/bucket:Bucket", "releases", nil)
	if d.blueprint.FileStore.Kind == stacks.FileStoreS3 {
		d.add("aws:s3/bucket:Bucket", "files", nil)
	}
}

func (d *drawing) drawMonitoring(tier stacks.TierPlan) {
	d.add("aws:cloudwatch/logGroup:LogGroup", "logs", nil)
	alarms := 1 // On silence.
	for _, host := range d.blueprint.Hosts {
		if _, ours := d.hosts[host.Role]; ours && host.Role != stacks.RoleNode {
			alarms += ownAlarms * host.Count
		}
	}
	if next, more := stacks.Plan().Next(tier.Tier); more {
		alarms += len(next.Triggers)
	}
	for i := range alarms {
		d.add("aws:cloudwatch/metricAlarm:MetricAlarm", fmt.Sprintf("alarm-%d", i+1), nil)
	}
	if tier.Blueprint.Monitoring.Level.Has(stacks.CustomDashboards) {
		d.add("aws:cloudwatch/dashboard:Dashboard", "dashboard", nil)
	}
}
