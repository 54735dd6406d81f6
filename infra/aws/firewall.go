package aws

import (
	"fmt"
	"slices"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/vpc"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/radpanel/radpanel/infra/machine"
	"github.com/radpanel/radpanel/stacks"
)

const (
	anywhere  = "0.0.0.0/0"
	anywhere6 = "::/0"

	httpPort  = 80
	httpsPort = 443
)

// firewallArgs are what the groups are made from.
type firewallArgs struct {
	Network *network
	Hosts   []stacks.Host
	// CDN tells that a CDN stands before the entrance: then it alone comes in, but for what proves to a certificate
	// authority whose name it is.
	CDN bool
	// Certificate tells that the entrance gets a certificate by ACME's HTTP-01, hence has to answer everybody on port 80.
	Certificate bool
	// CDNPrefixes is the list of the CDN's addresses.
	CDNPrefixes string
}

// firewall has a group for each role: who may reach its hosts, and whom they may reach. Nothing else passes.
type firewall struct {
	pulumi.ResourceState

	groups map[stacks.Role]*ec2.SecurityGroup
	// rules are those of all groups.
	rules []pulumi.Resource
}

func newFirewall(ctx *pulumi.Context, args firewallArgs, options ...pulumi.ResourceOption) (*firewall, error) {
	f := &firewall{groups: map[stacks.Role]*ec2.SecurityGroup{}}
	if err := ctx.RegisterComponentResource("radpanel:aws:Firewall", "firewall", f, options...); err != nil {
		return nil, err
	}
	for _, host := range args.Hosts {
		group, err := ec2.NewSecurityGroup(ctx, string(host.Role), &ec2.SecurityGroupArgs{
			VpcId: args.Network.vpc.ID(), Description: pulumi.String("Hosts of role " + string(host.Role)),
		}, pulumi.Parent(f))
		if err != nil {
			return nil, err
		}
		f.groups[host.Role] = group
	}
	for _, host := range args.Hosts {
		if err := f.addWaysOut(ctx, args, host); err != nil {
			return nil, err
		}
		if isEntrance(host) {
			if err := f.addEntrance(ctx, args, host.Role); err != nil {
				return nil, err
			}
		}
	}
	return f, f.finish(ctx, args)
}

// finish lets hosts talk to each other, as far as the blueprint has them apart.
func (f *firewall) finish(ctx *pulumi.Context, args firewallArgs) error {
	for _, way := range ways() {
		from, to := roleOf(args.Hosts, way.from), roleOf(args.Hosts, way.to)
		if f.groups[from] == nil || f.groups[to] == nil || from == to && !way.among {
			continue
		}
		if err := f.connect(ctx, fmt.Sprintf("%s-to-%s", from, way.name), f.groups[from], f.groups[to], way.port); err != nil {
			return err
		}
	}
	return ctx.RegisterResourceOutputs(f, pulumi.Map{})
}

// way is a connection that parts make.
type way struct {
	name     string
	from, to stacks.Part
	port     int
	// among tells that hosts of one role need it among themselves.
	among bool
}

func ways() []way {
	return []way{
		{name: "service", from: stacks.PartBalancer, to: stacks.PartBackend, port: servicePort},
		// An instance starts anew once the one before it serves.
		{name: "service", from: stacks.PartBackend, to: stacks.PartBackend, port: servicePort, among: true},
		{name: "pooler", from: stacks.PartBackend, to: stacks.PartPooler, port: poolerPort},
		// Migrations go past the pooler.
		{name: "postgresql", from: stacks.PartBackend, to: stacks.PartDatabase, port: databasePort},
		{name: "cache", from: stacks.PartBackend, to: stacks.PartCache, port: cachePort},
		{name: "primary", from: stacks.PartDatabase, to: stacks.PartDatabase, port: databasePort, among: true},
		// What watches the stack is beside the web server. The service's own figures are at its port.
		{name: "backend-figures", from: stacks.PartWeb, to: stacks.PartBackend, port: machine.NodeFiguresPort},
		{name: "database-figures", from: stacks.PartWeb, to: stacks.PartDatabase, port: machine.NodeFiguresPort},
		{name: "postgresql-figures", from: stacks.PartWeb, to: stacks.PartDatabase, port: machine.PostgresFiguresPort},
	}
}

// roleOf gives the role that runs a part; empty if none does. A single host needs no way to itself.
func roleOf(hosts []stacks.Host, part stacks.Part) stacks.Role {
	host, ok := stacks.Blueprint{Hosts: hosts}.HostOf(part)
	if !ok || host.Role == stacks.RolePanel {
		return ""
	}
	return host.Role
}

// runs tells whether a host runs a part.
func runs(host stacks.Host, part stacks.Part) bool { return slices.Contains(host.Runs, part) }

// isEntrance tells whether browsers come in at the hosts of a role.
func isEntrance(host stacks.Host) bool {
	return host.Role == stacks.RolePanel || host.Role == stacks.RoleBalancer
}

// addWaysOut lets a host reach package mirrors, AWS and, where it has to prove its name, a certificate authority.
func (f *firewall) addWaysOut(ctx *pulumi.Context, args firewallArgs, host stacks.Host) error {
	group := f.groups[host.Role]
	// Where there are endpoints, the names of their services lead every host of the network to them, an entrance too.
	if args.Network.endpoints != nil {
		if err := f.connect(ctx, string(host.Role)+"-to-endpoints", group, args.Network.endpoints, httpsPort); err != nil {
			return err
		}
	}
	if isEntrance(host) {
		for name, port := range map[string]int{"http": httpPort, "https": httpsPort} {
			if err := f.allowOut(ctx, fmt.Sprintf("%s-out-%s", host.Role, name), group, vpc.SecurityGroupEgressRuleArgs{
				CidrIpv4: pulumi.String(anywhere), FromPort: pulumi.Int(port), ToPort: pulumi.Int(port),
			}); err != nil {
				return err
			}
		}
		return nil
	}
	for name, port := range map[string]int{"http": httpPort, "https": httpsPort} {
		if err := f.allowOut(ctx, fmt.Sprintf("%s-out-%s", host.Role, name), group, vpc.SecurityGroupEgressRuleArgs{
			CidrIpv6: pulumi.String(anywhere6), FromPort: pulumi.Int(port), ToPort: pulumi.Int(port),
		}); err != nil {
			return err
		}
	}
	return f.allowOut(ctx, string(host.Role)+"-out-s3", group, vpc.SecurityGroupEgressRuleArgs{
		PrefixListId: args.Network.storagePrefixes, FromPort: pulumi.Int(httpsPort), ToPort: pulumi.Int(httpsPort),
	})
}

// addEntrance lets browsers in, or the CDN that they meet instead.
func (f *firewall) addEntrance(ctx *pulumi.Context, args firewallArgs, role stacks.Role) error {
	for name, port := range map[string]int{"http": httpPort, "https": httpsPort} {
		from := vpc.SecurityGroupIngressRuleArgs{CidrIpv4: pulumi.String(anywhere)}
		if args.CDN {
			if args.Certificate == (port == httpsPort) {
				from = vpc.SecurityGroupIngressRuleArgs{PrefixListId: pulumi.String(args.CDNPrefixes)}
			} else if port == httpsPort {
				continue // There is no certificate: the CDN comes by http.
			}
		}
		from.SecurityGroupId, from.IpProtocol = f.groups[role].ID(), pulumi.String("tcp")
		from.FromPort, from.ToPort = pulumi.Int(port), pulumi.Int(port)
		rule, err := vpc.NewSecurityGroupIngressRule(ctx, fmt.Sprintf("%s-in-%s", role, name), &from, pulumi.Parent(f))
		if err != nil {
			return err
		}
		f.rules = append(f.rules, rule)
	}
	return nil
}

// connect lets the hosts of one group reach a port of those of another.
func (f *firewall) connect(ctx *pulumi.Context, name string, from, to *ec2.SecurityGroup, port int) error {
	if err := f.allowOut(ctx, name, from, vpc.SecurityGroupEgressRuleArgs{
		ReferencedSecurityGroupId: to.ID(), FromPort: pulumi.Int(port), ToPort: pulumi.Int(port),
	}); err != nil {
		return err
	}
	rule, err := vpc.NewSecurityGroupIngressRule(ctx, name, &vpc.SecurityGroupIngressRuleArgs{
		SecurityGroupId: to.ID(), ReferencedSecurityGroupId: from.ID(), IpProtocol: pulumi.String("tcp"),
		FromPort: pulumi.Int(port), ToPort: pulumi.Int(port),
	}, pulumi.Parent(f))
	f.rules = append(f.rules, rule)
	return err
}

func (f *firewall) allowOut(ctx *pulumi.Context, name string, group *ec2.SecurityGroup, rule vpc.SecurityGroupEgressRuleArgs) error {
	rule.SecurityGroupId, rule.IpProtocol = group.ID(), pulumi.String("tcp")
	made, err := vpc.NewSecurityGroupEgressRule(ctx, name, &rule, pulumi.Parent(f))
	f.rules = append(f.rules, made)
	return err
}
