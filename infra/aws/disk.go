package aws

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ebs"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/radpanel/radpanel/stacks"
)

const (
	// volumeType is the only kind of SSD used. It has gp3IOPS operations a second without extra cost.
	volumeType = "gp3"
	gp3IOPS    = 3000
	// dataDevice is where EC2 is told to attach the disk. On hosts of its Nitro system the name is of no other use.
	dataDevice = "/dev/sdf"
)

// diskArgs are what a disk is made from.
type diskArgs struct {
	// Number counts the stack's disks from 1. The first is the only host's, and later the primary's.
	Number int
	Disk   stacks.Disk
	// Subnet is in the zone that the disk is in, for ever.
	Subnet *ec2.Subnet
}

// disk is for data: encrypted, protected, and kept when it leaves the program. It belongs to no host, so a host can be
// replaced, and the disk can move to the host of another tier.
type disk struct {
	pulumi.ResourceState

	name   string
	volume *ebs.Volume
}

func newDisk(ctx *pulumi.Context, args diskArgs, options ...pulumi.ResourceOption) (*disk, error) {
	d := &disk{name: fmt.Sprintf("data-%d", args.Number)}
	if err := ctx.RegisterComponentResource("radpanel:aws:Disk", d.name, d, options...); err != nil {
		return nil, err
	}
	volume := &ebs.VolumeArgs{
		AvailabilityZone: args.Subnet.AvailabilityZone, Type: pulumi.String(volumeType), Encrypted: pulumi.Bool(true),
		Size: pulumi.Int(int((args.Disk.Size + stacks.GiB - 1) / stacks.GiB)),
		Tags: pulumi.StringMap{"Name": pulumi.String(ctx.Stack() + "-" + d.name)},
	}
	if args.Disk.IOPS > gp3IOPS {
		volume.Iops = pulumi.Int(args.Disk.IOPS)
	}
	var err error
	d.volume, err = ebs.NewVolume(ctx, d.name, volume, pulumi.Parent(d), pulumi.Protect(true), pulumi.RetainOnDelete(true))
	return d, err
}

// attach gives the disk to a host. From a host that had it before, it is taken first, once that has stopped.
func (d *disk) attach(ctx *pulumi.Context, instance *ec2.Instance) error {
	if _, err := ec2.NewVolumeAttachment(ctx, d.name, &ec2.VolumeAttachmentArgs{
		DeviceName: pulumi.String(dataDevice), InstanceId: instance.ID(), VolumeId: d.volume.ID(),
		StopInstanceBeforeDetaching: pulumi.Bool(true),
	}, pulumi.Parent(d), pulumi.DeleteBeforeReplace(true)); err != nil {
		return err
	}
	return ctx.RegisterResourceOutputs(d, pulumi.Map{"volumeId": d.volume.ID()})
}
