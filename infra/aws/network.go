package aws

import (
	"crypto/sha256"
	"fmt"
	"net/netip"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/radpanel/radpanel/stacks"
)

const (
	// zones is how many availability zones the network is in, whatever the tier: a tier that needs a second one finds it.
	zones = 2
	// privateSubnets is the number of the first private subnet: the upper half of the network.
	privateSubnets = 8
)

// networkArgs are what a network is made from.
type networkArgs struct {
	Region string
	// Prefix is what the network is made with. One that is there keeps its own: every address in it follows from that, and
	// another would be another network, with other hosts. Chosen tells that the configuration asks for it.
	Prefix netip.Prefix
	Chosen bool
	// Zones are the names of the availability zones.
	Zones []string
	// Private tells whether there will be hosts without an address of their own.
	Private bool
}

// network is a VPC with a public and a private subnet in each zone. There is no NAT gateway, which costs more than the MVP
// in all: hosts in private subnets reach AWS through endpoints, and package mirrors by IPv6, which an egress-only gateway
// lets out, at no cost, and nobody in.
type network struct {
	pulumi.ResourceState

	vpc *ec2.Vpc
	// prefix is the network's own, such as 10.40.0.0/16.
	prefix          pulumi.StringOutput
	public, private []*ec2.Subnet
	// storagePrefixes is the list of S3's addresses, as rules of the firewall name it.
	storagePrefixes pulumi.StringOutput
	// endpoints is the firewall of the endpoints; nil where there are none.
	endpoints *ec2.SecurityGroup
	// tables are the route tables of the subnets that have hosts.
	tables []*ec2.RouteTable
	// ways are what leads out of the network.
	ways []pulumi.Resource
}

func newNetwork(ctx *pulumi.Context, args networkArgs, options ...pulumi.ResourceOption) (*network, error) {
	n := &network{}
	if err := ctx.RegisterComponentResource("radpanel:aws:Network", "network", n, options...); err != nil {
		return nil, err
	}
	var err error
	n.vpc, err = ec2.NewVpc(ctx, "vpc", &ec2.VpcArgs{
		CidrBlock: pulumi.String(args.Prefix.String()), AssignGeneratedIpv6CidrBlock: pulumi.Bool(true),
		EnableDnsSupport: pulumi.Bool(true), EnableDnsHostnames: pulumi.Bool(true),
	}, pulumi.Parent(n), pulumi.IgnoreChanges([]string{"cidrBlock"}))
	if err != nil {
		return nil, err
	}
	n.prefix = n.vpc.CidrBlock.ApplyT(func(block string) (string, error) {
		if args.Chosen && block != args.Prefix.String() {
			return "", fmt.Errorf("%s:network is %s, but the stack's network is %s, which cannot change: set the key to that, or remove it",
				stacks.Namespace, args.Prefix, block)
		}
		return block, nil
	}).(pulumi.StringOutput)
	// The VPC's own group, which whoever forgets to name one gets: it lets nothing through.
	if _, err := ec2.NewDefaultSecurityGroup(ctx, "vpc-default", &ec2.DefaultSecurityGroupArgs{VpcId: n.vpc.ID()}, pulumi.Parent(n)); err != nil {
		return nil, err
	}
	if err := n.addSubnets(ctx, args); err != nil {
		return nil, err
	}
	publicRoutes, privateRoutes, err := n.addRoutes(ctx)
	if err != nil {
		return nil, err
	}
	if n.tables = []*ec2.RouteTable{publicRoutes}; args.Private {
		n.tables = append(n.tables, privateRoutes)
	}
	if err := n.addEndpoints(ctx, args, publicRoutes, privateRoutes); err != nil {
		return nil, err
	}
	return n, ctx.RegisterResourceOutputs(n, pulumi.Map{"vpcId": n.vpc.ID()})
}

func (n *network) addSubnets(ctx *pulumi.Context, args networkArgs) error {
	for zone := range zones {
		// Subnets, and the disks in them, stay where they are when AWS lists its zones in another order.
		stay := pulumi.IgnoreChanges([]string{"availabilityZone"})
		public, err := ec2.NewSubnet(ctx, fmt.Sprintf("public-%d", zone+1), &ec2.SubnetArgs{
			VpcId: n.vpc.ID(), AvailabilityZone: pulumi.String(args.Zones[zone]), CidrBlock: n.subnetPrefix(zone),
			MapPublicIpOnLaunch: pulumi.Bool(false),
		}, pulumi.Parent(n), stay)
		if err != nil {
			return err
		}
		private, err := ec2.NewSubnet(ctx, fmt.Sprintf("private-%d", zone+1), &ec2.SubnetArgs{
			VpcId: n.vpc.ID(), AvailabilityZone: pulumi.String(args.Zones[zone]), CidrBlock: n.subnetPrefix(privateSubnets + zone),
			MapPublicIpOnLaunch: pulumi.Bool(false), AssignIpv6AddressOnCreation: pulumi.Bool(true),
			Ipv6CidrBlock: n.vpc.Ipv6CidrBlock.ApplyT(func(block string) (string, error) {
				return subnetPrefix6(block, privateSubnets+zone)
			}).(pulumi.StringOutput),
		}, pulumi.Parent(n), stay)
		if err != nil {
			return err
		}
		n.public, n.private = append(n.public, public), append(n.private, private)
	}
	return nil
}

// addRoutes gives the public subnets a way in and out, and the private ones a way out by IPv6.
func (n *network) addRoutes(ctx *pulumi.Context) (public, private *ec2.RouteTable, err error) {
	gateway, err := ec2.NewInternetGateway(ctx, "internet", &ec2.InternetGatewayArgs{VpcId: n.vpc.ID()}, pulumi.Parent(n))
	if err != nil {
		return nil, nil, err
	}
	out, err := ec2.NewEgressOnlyInternetGateway(ctx, "outwards", &ec2.EgressOnlyInternetGatewayArgs{VpcId: n.vpc.ID()}, pulumi.Parent(n))
	if err != nil {
		return nil, nil, err
	}
	if public, err = n.addRouteTable(ctx, "public", n.public); err != nil {
		return nil, nil, err
	}
	if private, err = n.addRouteTable(ctx, "private", n.private); err != nil {
		return nil, nil, err
	}
	in, err := ec2.NewRoute(ctx, "public-internet", &ec2.RouteArgs{
		RouteTableId: public.ID(), DestinationCidrBlock: pulumi.String(anywhere), GatewayId: gateway.ID(),
	}, pulumi.Parent(n))
	if err != nil {
		return nil, nil, err
	}
	outwards, err := ec2.NewRoute(ctx, "private-outwards", &ec2.RouteArgs{
		RouteTableId: private.ID(), DestinationIpv6CidrBlock: pulumi.String(anywhere6), EgressOnlyGatewayId: out.ID(),
	}, pulumi.Parent(n))
	n.ways = append(n.ways, gateway, out, in, outwards)
	return public, private, err
}

func (n *network) addRouteTable(ctx *pulumi.Context, name string, subnets []*ec2.Subnet) (*ec2.RouteTable, error) {
	table, err := ec2.NewRouteTable(ctx, name, &ec2.RouteTableArgs{VpcId: n.vpc.ID()}, pulumi.Parent(n))
	if err != nil {
		return nil, err
	}
	for i, subnet := range subnets {
		association, err := ec2.NewRouteTableAssociation(ctx, fmt.Sprintf("%s-%d", name, i+1), &ec2.RouteTableAssociationArgs{
			RouteTableId: table.ID(), SubnetId: subnet.ID(),
		}, pulumi.Parent(n))
		if err != nil {
			return nil, err
		}
		n.ways = append(n.ways, association)
	}
	return table, nil
}

// addEndpoints keeps what goes to AWS's services within its network: to S3 from everywhere, at no cost; to the others,
// which cost by the hour, from private subnets alone, and in one zone. Without that zone, hosts of the other one keep
// working, but can neither be looked after nor get a release.
func (n *network) addEndpoints(ctx *pulumi.Context, args networkArgs, tables ...*ec2.RouteTable) error {
	var ids pulumi.StringArray
	for _, table := range tables {
		ids = append(ids, table.ID())
	}
	storage, err := ec2.NewVpcEndpoint(ctx, "s3", &ec2.VpcEndpointArgs{
		VpcId: n.vpc.ID(), ServiceName: pulumi.String(endpointName(args.Region, "s3")), VpcEndpointType: pulumi.String("Gateway"),
		RouteTableIds: ids,
	}, pulumi.Parent(n))
	if err != nil {
		return err
	}
	n.storagePrefixes, n.ways = storage.PrefixListId, append(n.ways, storage)
	if !args.Private {
		return nil
	}
	n.endpoints, err = ec2.NewSecurityGroup(ctx, "endpoints", &ec2.SecurityGroupArgs{
		VpcId: n.vpc.ID(), Description: pulumi.String("Endpoints of AWS services"),
	}, pulumi.Parent(n))
	if err != nil {
		return err
	}
	for _, service := range []string{"ssm", "ssmmessages", "logs", "monitoring"} {
		endpoint, err := ec2.NewVpcEndpoint(ctx, service, &ec2.VpcEndpointArgs{
			VpcId: n.vpc.ID(), ServiceName: pulumi.String(endpointName(args.Region, service)), VpcEndpointType: pulumi.String("Interface"),
			PrivateDnsEnabled: pulumi.Bool(true), SubnetIds: pulumi.StringArray{n.private[0].ID()},
			SecurityGroupIds: pulumi.StringArray{n.endpoints.ID()},
		}, pulumi.Parent(n))
		if err != nil {
			return err
		}
		n.ways = append(n.ways, endpoint)
	}
	return nil
}

func endpointName(region, service string) string { return "com.amazonaws." + region + "." + service }

// networkOf gives the network that a stack gets by its name, where its configuration does not choose one. Names spread over
// 10.32.0.0/16 to 10.223.0.0/16, so that two stacks seldom have the same; those that the plan's tiers are named by never do.
// Stacks that were made by versions before this one all have 10.20.0.0/16.
func networkOf(stack string) netip.Prefix {
	const first, count = 32, 192
	digest := sha256.Sum256([]byte(stack))
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, first + digest[0]%count, 0, 0}), 16)
}

// subnetPrefix gives the i-th of the network's sixteen subnets, each of 4,096 addresses.
func (n *network) subnetPrefix(i int) pulumi.StringOutput {
	return n.prefix.ApplyT(func(prefix string) (string, error) {
		address, err := addressIn(prefix, i, 0)
		return netip.PrefixFrom(address, 20).String(), err
	}).(pulumi.StringOutput)
}

// address gives a host's own.
func (n *network) address(p place) pulumi.StringOutput {
	return n.prefix.ApplyT(func(prefix string) (string, error) {
		address, err := addressIn(prefix, p.subnet, p.address)
		return address.String(), err
	}).(pulumi.StringOutput)
}

// addressIn gives an address within the i-th subnet of a network. The first four of a subnet, and its last, are AWS's own.
func addressIn(network string, subnet, host int) (netip.Addr, error) {
	prefix, err := netip.ParsePrefix(network)
	if err != nil || !prefix.Addr().Is4() || prefix.Bits() != 16 {
		return netip.Addr{}, fmt.Errorf("the network is %q: expected one of 65,536 addresses, such as 10.40.0.0/16", network)
	}
	address := prefix.Addr().As4()
	address[2], address[3] = byte(subnet*16), byte(host) //nolint:gosec // Both are small.
	return netip.AddrFrom4(address), nil
}

// subnetPrefix6 gives the n-th /64 of the /56 that AWS assigns to a VPC.
func subnetPrefix6(block string, n int) (string, error) {
	prefix, err := netip.ParsePrefix(block)
	if err != nil || !prefix.Addr().Is6() || prefix.Bits() != 56 {
		return "", fmt.Errorf("the VPC's IPv6 block is %q: expected a /56 such as 2600:1f18::/56", block)
	}
	address := prefix.Masked().Addr().As16()
	address[7] |= byte(n) //nolint:gosec // At most 255.
	return netip.PrefixFrom(netip.AddrFrom16(address), 64).String(), nil
}
