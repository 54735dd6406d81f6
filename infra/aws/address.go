package aws

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/route53"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// recordSeconds is how long others may keep a name's address: as long as a move to another one takes to be seen by all.
const recordSeconds = 300

// addressArgs are what the address is made from.
type addressArgs struct {
	// Name is what leads to the address. Empty: nothing but its digits.
	Name string
	// HostedZone is the id of the zone that holds the name's record. Empty: the record is the operator's to make.
	HostedZone string
	// MovedTo is the stack to which the panel was promoted, and the name leads then; nil: it was not.
	MovedTo *neighbour
}

// address is where the entrance is reached. It stays when hosts come and go.
type address struct {
	pulumi.ResourceState

	eip *ec2.Eip
}

func newAddress(ctx *pulumi.Context, args addressArgs, options ...pulumi.ResourceOption) (*address, error) {
	a := &address{}
	if err := ctx.RegisterComponentResource("radpanel:aws:Address", "address", a, options...); err != nil {
		return nil, err
	}
	var err error
	a.eip, err = ec2.NewEip(ctx, "address", &ec2.EipArgs{
		Domain: pulumi.String("vpc"), Tags: pulumi.StringMap{"Name": pulumi.String(ctx.Stack())},
		// Names of others lead to it.
	}, pulumi.Parent(a), pulumi.Protect(true))
	if err != nil {
		return nil, err
	}
	if args.Name != "" && args.HostedZone != "" {
		if err := a.addRecord(ctx, args); err != nil {
			return nil, err
		}
	}
	return a, ctx.RegisterResourceOutputs(a, pulumi.Map{"publicIp": a.eip.PublicIp})
}

// addRecord has the name lead to the address, or to the stack that the panel has moved to. It is left as it is when it leaves
// the program: by then another stack has it, or the address is there still.
func (a *address) addRecord(ctx *pulumi.Context, args addressArgs) error {
	record := &route53.RecordArgs{
		ZoneId: pulumi.String(args.HostedZone), Name: pulumi.String(args.Name), Type: pulumi.String("A"),
		// The name may lead to the stack that was promoted to this one until now.
		AllowOverwrite: pulumi.Bool(true),
	}
	switch to := args.MovedTo; {
	case to == nil:
		record.Ttl, record.Records = pulumi.Int(recordSeconds), pulumi.StringArray{a.eip.PublicIp}
	case to.EdgeName != "":
		record.Aliases = route53.RecordAliasArray{route53.RecordAliasArgs{
			Name: pulumi.String(to.EdgeName), ZoneId: pulumi.String(to.EdgeZone), EvaluateTargetHealth: pulumi.Bool(false),
		}}
	default:
		record.Ttl, record.Records = pulumi.Int(recordSeconds), pulumi.StringArray{pulumi.String(to.PublicAddress)}
	}
	_, err := route53.NewRecord(ctx, "address", record, pulumi.Parent(a), pulumi.DeleteBeforeReplace(true), pulumi.RetainOnDelete(true))
	return err
}

// edgeRecords lead browsers to the CDN, by IPv4 and IPv6.
func edgeRecords(ctx *pulumi.Context, name, zone string, domain, domainZone pulumi.StringInput, options ...pulumi.ResourceOption) error {
	for _, kind := range []string{"A", "AAAA"} {
		if _, err := route53.NewRecord(ctx, "edge-"+kind, &route53.RecordArgs{
			ZoneId: pulumi.String(zone), Name: pulumi.String(name), Type: pulumi.String(kind),
			Aliases: route53.RecordAliasArray{route53.RecordAliasArgs{
				Name: domain, ZoneId: domainZone, EvaluateTargetHealth: pulumi.Bool(false),
			}},
			// The name led to the panel's own address until now.
			AllowOverwrite: pulumi.Bool(true),
		}, options...); err != nil {
			return fmt.Errorf("record %s: %w", kind, err)
		}
	}
	return nil
}
