package aws

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/netip"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ssm"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/vpc"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/radpanel/radpanel/infra/machine"
	"github.com/radpanel/radpanel/stacks"
)

// windowArgs are what the window of a promotion is made from.
type windowArgs struct {
	Stack   string
	Network *network
	// From is the stack that the panel comes from.
	From neighbour
	// The groups of the hosts of this stack, and their addresses.
	DatabaseGroup, EntranceGroup, BackendGroup *ec2.SecurityGroup
	Database, Entrance                         pulumi.StringInput
	// EncryptionKey is that of both stacks, once Inherited is true: it is certain then that this one has the other's keys.
	EncryptionKey pulumi.StringOutput
	Inherited     pulumi.BoolOutput
}

// window is what a promotion needs between this stack and the one that the panel comes from, on both sides, and for no longer
// than the configuration names that stack: a way from network to network, open for four kinds of connections, and what the
// hosts of both sides are told. Nothing of it holds data.
type window struct {
	pulumi.ResourceState

	ctx     *pulumi.Context
	peering *ec2.VpcPeeringConnection
}

func newWindow(ctx *pulumi.Context, args windowArgs, options ...pulumi.ResourceOption) (*window, error) {
	w := &window{ctx: ctx}
	if err := ctx.RegisterComponentResource("radpanel:aws:Window", "promotion", w, options...); err != nil {
		return nil, err
	}
	if err := w.connect(args); err != nil {
		return nil, err
	}
	for _, way := range promotionWays(args) {
		if err := w.open(way); err != nil {
			return nil, fmt.Errorf("%s: %w", way.name, err)
		}
	}
	if err := w.tell(args); err != nil {
		return nil, err
	}
	return w, ctx.RegisterResourceOutputs(w, pulumi.Map{"peeringId": w.peering.ID()})
}

// connect joins the two networks, which are of one account and region: the connection is accepted at once.
func (w *window) connect(args windowArgs) error {
	own := pulumi.All(args.Network.vpc.ID(), args.Network.prefix, args.Inherited).ApplyT(func(values []any) (string, error) {
		if err := checkApart(args.Stack, values[1].(string), args.From); err != nil {
			return "", err
		}
		return string(values[0].(pulumi.ID)), nil
	}).(pulumi.StringOutput)
	var err error
	w.peering, err = ec2.NewVpcPeeringConnection(w.ctx, "promotion", &ec2.VpcPeeringConnectionArgs{
		VpcId: own, PeerVpcId: pulumi.String(args.From.VPC), AutoAccept: pulumi.Bool(true),
		Tags: pulumi.StringMap{"Name": pulumi.String("promotion of " + args.From.Stack + " to " + args.Stack)},
	}, pulumi.Parent(w))
	if err != nil {
		return err
	}
	for i, table := range args.Network.tables {
		if err := w.route(fmt.Sprintf("promotion-here-%d", i+1), table.ID(), pulumi.String(args.From.Network)); err != nil {
			return err
		}
	}
	for i, table := range args.From.RouteTables {
		if err := w.route(fmt.Sprintf("promotion-there-%d", i+1), pulumi.String(table), args.Network.prefix); err != nil {
			return err
		}
	}
	return nil
}

func (w *window) route(name string, table, destination pulumi.StringInput) error {
	_, err := ec2.NewRoute(w.ctx, name, &ec2.RouteArgs{
		RouteTableId: table, DestinationCidrBlock: destination, VpcPeeringConnectionId: w.peering.ID(),
	}, pulumi.Parent(w))
	return err
}

// checkApart refuses networks that cannot be joined.
func checkApart(stack, network string, from neighbour) error {
	own, err := netip.ParsePrefix(network)
	if err != nil {
		return fmt.Errorf("network of stack %s: %w", stack, err)
	}
	theirs, err := netip.ParsePrefix(from.Network)
	if err != nil {
		return fmt.Errorf("network of stack %s: %w", from.Stack, err)
	}
	if own.Overlaps(theirs) {
		return fmt.Errorf("stacks %s and %s cannot be connected: the network of both is %s, and neither can change it. Promote to a stack "+
			"of another name, or take %s down if it holds nothing, and bring it up with another %s:network", from.Stack, stack, own, stack,
			stacks.Namespace)
	}
	return nil
}

// promotionWay is a kind of connection that a promotion makes.
type promotionWay struct {
	name     string
	from, to pulumi.StringInput
	port     int
}

// promotionWays are all of them. Whom a server lets in there is narrower still: see machine.Window.
func promotionWays(args windowArgs) []promotionWay {
	theirDatabase, theirEntrance := pulumi.String(args.From.DatabaseGroup), pulumi.String(args.From.EntranceGroup)
	return []promotionWay{
		// What is written on the old side comes here, and after the cut-over the other way round. The pooler of each side goes to
		// the database that is written to.
		{"promotion-follow", args.DatabaseGroup.ID(), theirDatabase, databasePort},
		{"promotion-follow-back", theirDatabase, args.DatabaseGroup.ID(), databasePort},
		{"promotion-front-door", theirEntrance, args.EntranceGroup.ID(), machine.InsidePort},
		{"promotion-files", args.BackendGroup.ID(), theirEntrance, machine.PeerFilesPort},
	}
}

// open lets hosts of one group reach a port of those of another. Rules that name a group of another network need the
// connection, so they come after it and go before it.
func (w *window) open(way promotionWay) error {
	connected := pulumi.DependsOn([]pulumi.Resource{w.peering})
	if _, err := vpc.NewSecurityGroupEgressRule(w.ctx, way.name, &vpc.SecurityGroupEgressRuleArgs{
		SecurityGroupId: way.from, ReferencedSecurityGroupId: way.to, IpProtocol: pulumi.String("tcp"),
		FromPort: pulumi.Int(way.port), ToPort: pulumi.Int(way.port),
	}, pulumi.Parent(w), connected); err != nil {
		return err
	}
	_, err := vpc.NewSecurityGroupIngressRule(w.ctx, way.name, &vpc.SecurityGroupIngressRuleArgs{
		SecurityGroupId: way.to, ReferencedSecurityGroupId: way.from, IpProtocol: pulumi.String("tcp"),
		FromPort: pulumi.Int(way.port), ToPort: pulumi.Int(way.port),
	}, pulumi.Parent(w), connected)
	return err
}

// tell puts what the hosts of both sides are told where they look, and the password by which their servers follow each
// other where the hosts with databases may read it. The password comes first: who is told of the window needs it.
func (w *window) tell(args windowArgs) error {
	// It is another one in each window, follows from what both stacks have anyway, and is lost to nobody when it goes.
	password := pulumi.All(args.EncryptionKey, w.peering.ID()).ApplyT(func(values []any) string {
		mac := hmac.New(sha256.New, []byte(values[0].(string)))
		_, _ = fmt.Fprintf(mac, "radpanel: the replication of promotion %s", values[1]) // A hash never fails to write.
		return base64.StdEncoding.EncodeToString(mac.Sum(nil))
	}).(pulumi.StringOutput)
	for _, side := range []struct {
		stack, other                              string
		leaves                                    bool
		database, entrance, otherBase, otherEntry pulumi.StringInput
	}{
		{
			args.Stack, args.From.Stack, false, args.Database, args.Entrance, pulumi.String(args.From.Database), pulumi.String(args.From.Entrance),
		},
		{
			args.From.Stack, args.Stack, true, pulumi.String(args.From.Database), pulumi.String(args.From.Entrance), args.Database, args.Entrance,
		},
	} {
		name := "promotion-of-" + side.stack
		secret, err := ssm.NewParameter(w.ctx, name+"-password", &ssm.ParameterArgs{
			Name: pulumi.String(machine.SecretParameter(parameters(side.stack), machine.PromotionPassword)),
			Type: pulumi.String("SecureString"), Value: pulumi.ToSecret(password).(pulumi.StringOutput),
			Description: pulumi.String("By which databases follow each other while the panel is promoted to " + args.Stack),
		}, pulumi.Parent(w))
		if err != nil {
			return err
		}
		value := pulumi.All(side.database, side.entrance, side.otherBase, side.otherEntry).ApplyT(func(values []any) (string, error) {
			told := machine.Window{Stack: side.stack, Other: side.other, Leaves: side.leaves, PublicURL: args.From.URL}
			for i, into := range []*netip.Addr{&told.Database, &told.Entrance, &told.OtherDatabase, &told.OtherEntrance} {
				address, err := netip.ParseAddr(values[i].(string))
				if err != nil {
					return "", fmt.Errorf("window of stack %s: %w", side.stack, err)
				}
				*into = address
			}
			return told.Value()
		}).(pulumi.StringOutput)
		if _, err := ssm.NewParameter(w.ctx, name, &ssm.ParameterArgs{
			Name: pulumi.String(machine.WindowParameter(parameters(side.stack))), Type: pulumi.String("String"), InsecureValue: value,
			Description: pulumi.String("What the hosts of " + side.stack + " are told while the panel is promoted to " + args.Stack),
		}, pulumi.Parent(w), pulumi.DependsOn([]pulumi.Resource{secret, w.peering})); err != nil {
			return err
		}
	}
	return nil
}

// openWindow makes the window if a panel is promoted to this stack.
func (b *builder) openWindow() error {
	if b.from == nil {
		return nil
	}
	group := func(part stacks.Part) *ec2.SecurityGroup {
		host, _ := b.site.blueprint().HostOf(part)
		return b.firewall.groups[host.Role]
	}
	_, err := newWindow(b.ctx, windowArgs{
		Stack: b.site.stack.Name, Network: b.network, From: *b.from,
		EncryptionKey: b.secrets.parameters[machine.EncryptionKey].Value, Inherited: b.secrets.inherited,
		DatabaseGroup: group(stacks.PartDatabase), EntranceGroup: group(stacks.PartWeb), BackendGroup: group(stacks.PartBackend),
		Database: b.addressOf(stacks.PartDatabase), Entrance: b.addressOf(stacks.PartWeb),
	}, b.child()...)
	return err
}

// windowParameters are the ARNs of what a host is told, and may read, while the panel is promoted from or to its stack. At
// other times there are no such parameters. The stack that the panel goes to makes those of both.
func (b *builder) windowParameters(host stacks.Host) []pulumi.StringInput {
	readable := []pulumi.StringInput{b.parameterARN(machine.WindowParameter(b.site.prefix()))}
	if runs(host, stacks.PartDatabase) {
		readable = append(readable, b.parameterARN(machine.SecretParameter(b.site.prefix(), machine.PromotionPassword)))
	}
	return readable
}
