package aws

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/radpanel/radpanel/stacks"
)

// systemDiskGiB holds Debian, packages, releases and logs.
const systemDiskGiB = 16

// hostArgs are what a host is made from.
type hostArgs struct {
	// Name is the role, with a number if there are several of it.
	Name         string
	InstanceType string
	// Sizing is the stack's: what a burstable host may cost.
	Sizing stacks.Sizing
	AMI    string
	Subnet *ec2.Subnet
	// Address is the host's own within the network, known before the host is there.
	Address pulumi.StringInput
	// Private hosts have no address of their own in the internet. They go out by IPv6.
	Private  bool
	Firewall *ec2.SecurityGroup
	Identity *identity
	// Ways are the routes, the endpoints and the rules of the firewall by which the host goes out.
	Ways []pulumi.Resource
	// Settings are what the host looks for first.
	Settings pulumi.Resource
	// UserData starts the host. Data is the disk for what the host keeps, nil where it keeps nothing.
	UserData string
	Data     *disk
	// PublicAddress, when set, leads to the host.
	PublicAddress *ec2.Eip
	Tags          map[string]string
	// Region and Alarms are for what watches the host itself.
	Region string
	Alarms *alarms
}

// host is one machine. What it keeps is on a disk of its own, hence it can be made again at any time: from another image,
// or after it was lost.
type host struct {
	pulumi.ResourceState

	instance *ec2.Instance
}

func newHost(ctx *pulumi.Context, args hostArgs, options ...pulumi.ResourceOption) (*host, error) {
	h := &host{}
	if err := ctx.RegisterComponentResource("radpanel:aws:Host", args.Name, h, options...); err != nil {
		return nil, err
	}
	port, reachable, err := h.connect(ctx, args)
	if err != nil {
		return nil, err
	}
	// Two hosts cannot have one address, nor one disk: the old one goes first.
	oneAtATime := pulumi.DeleteBeforeReplace(true)
	h.instance, err = ec2.NewInstance(ctx, args.Name, &ec2.InstanceArgs{
		Ami: pulumi.String(args.AMI), InstanceType: pulumi.String(args.InstanceType),
		IamInstanceProfile: args.Identity.profile.Name,
		NetworkInterfaces: ec2.InstanceNetworkInterfaceArray{ec2.InstanceNetworkInterfaceArgs{
			DeviceIndex: pulumi.Int(0), NetworkInterfaceId: port.ID(),
		}},
		MetadataOptions: ec2.InstanceMetadataOptionsArgs{
			HttpEndpoint: pulumi.String("enabled"), HttpTokens: pulumi.String("required"), HttpPutResponseHopLimit: pulumi.Int(1),
		},
		RootBlockDevice: ec2.InstanceRootBlockDeviceArgs{
			VolumeType: pulumi.String(volumeType), VolumeSize: pulumi.Int(systemDiskGiB), Encrypted: pulumi.Bool(true),
			DeleteOnTermination: pulumi.Bool(true), Tags: pulumi.ToStringMap(args.Tags),
		},
		CreditSpecification: credits(args.InstanceType, args.Sizing),
		UserData:            pulumi.String(args.UserData),
		// What a host runs comes from parameters that it watches. Its first script counts on its first boot only: EC2 would
		// stop the host to change it, to no effect.
		UserDataReplaceOnChange: pulumi.Bool(false),
		Tags:                    pulumi.StringMap{"Name": pulumi.String(args.Tags["stack"] + "-" + args.Name)},
	}, pulumi.Parent(h), oneAtATime, pulumi.IgnoreChanges([]string{"userData"}), pulumi.DependsOn(append(reachable, args.Identity.allowed, args.Settings)))
	if err != nil {
		return nil, err
	}
	if args.Data != nil {
		if err := args.Data.attach(ctx, h.instance); err != nil {
			return nil, err
		}
	}
	if err := h.watch(ctx, args); err != nil {
		return nil, err
	}
	return h, ctx.RegisterResourceOutputs(h, pulumi.Map{"instanceId": h.instance.ID()})
}

// connect gives the host its addresses, and the ways out, before it starts: it fetches packages as soon as it does. They stay
// when the host is replaced.
func (h *host) connect(ctx *pulumi.Context, args hostArgs) (*ec2.NetworkInterface, []pulumi.Resource, error) {
	port := &ec2.NetworkInterfaceArgs{
		SubnetId: args.Subnet.ID(), PrivateIps: pulumi.StringArray{args.Address},
		SecurityGroups: pulumi.StringArray{args.Firewall.ID()}, Description: pulumi.String("Host " + args.Name),
	}
	if args.Private {
		port.Ipv6AddressCount = pulumi.Int(1)
	}
	made, err := ec2.NewNetworkInterface(ctx, args.Name, port, pulumi.Parent(h))
	if err != nil || args.PublicAddress == nil {
		return made, args.Ways, err
	}
	reachable, err := ec2.NewEipAssociation(ctx, args.Name, &ec2.EipAssociationArgs{
		AllocationId: args.PublicAddress.ID(), NetworkInterfaceId: made.ID(), AllowReassociation: pulumi.Bool(true),
	}, pulumi.Parent(h), pulumi.DependsOn(args.Ways)) // AWS refuses it before the network has its gateway.
	return made, append(slices.Clone(args.Ways), reachable), err
}

// watch has EC2 move the host to other hardware when its own fails, and start it again when it hangs.
func (h *host) watch(ctx *pulumi.Context, args hostArgs) error {
	for _, check := range []struct {
		name, metric, action, does string
		minutes                    int
	}{
		{"hardware", "StatusCheckFailed_System", "recover", "EC2 moves it to other hardware.", 2},
		{"hangs", "StatusCheckFailed_Instance", "reboot", "EC2 starts it again.", 5},
	} {
		if _, err := cloudwatch.NewMetricAlarm(ctx, args.Name+"-"+check.name, &cloudwatch.MetricAlarmArgs{
			AlarmDescription: pulumi.String(fmt.Sprintf("Host %s: %s. %s", args.Name, check.metric, check.does)),
			Namespace:        pulumi.String("AWS/EC2"), MetricName: pulumi.String(check.metric), Statistic: pulumi.String("Maximum"),
			Dimensions: pulumi.StringMap{"InstanceId": h.instance.ID()},
			Period:     pulumi.Int(60), EvaluationPeriods: pulumi.Int(check.minutes), Threshold: pulumi.Float64(1),
			ComparisonOperator: pulumi.String("GreaterThanOrEqualToThreshold"), TreatMissingData: pulumi.String("missing"),
			AlarmActions: append(args.Alarms.actions(), pulumi.String("arn:"+partition(args.Region)+":automate:"+args.Region+":ec2:"+check.action)),
		}, pulumi.Parent(h)); err != nil {
			return err
		}
	}
	return nil
}

// credits says what happens when a burstable host has used up its share of the processor: it goes on at full speed, for
// money; or slows down, where money is what counts. Other hosts know no credits.
func credits(instanceType string, sizing stacks.Sizing) ec2.InstanceCreditSpecificationPtrInput {
	if !strings.HasPrefix(instanceType, "t") {
		return nil
	}
	kind := "unlimited"
	if sizing == stacks.SizingBudget {
		kind = "standard"
	}
	return ec2.InstanceCreditSpecificationArgs{CpuCredits: pulumi.String(kind)}
}

// partition gives the part of AWS that a region belongs to.
func partition(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov"
	default:
		return "aws"
	}
}
