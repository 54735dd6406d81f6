package aws

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/radpanel/radpanel/infra/machine"
	"github.com/radpanel/radpanel/stacks"
)

// neighbourOutput names the output by which a stack tells another what a promotion between the two connects.
const neighbourOutput = "promotion"

// neighbour is what a stack tells. None of it is secret.
type neighbour struct {
	Stack  string      `json:"stack"`
	Tier   stacks.Tier `json:"tier"`
	Region string      `json:"region"`
	URL    string      `json:"url"`
	// From is the stack that is promoted to it; empty: none is.
	From        string   `json:"from"`
	Network     string   `json:"network"`
	VPC         string   `json:"vpc"`
	RouteTables []string `json:"routeTables"`
	// The groups of the firewall that the hosts are in.
	DatabaseGroup string `json:"databaseGroup"`
	EntranceGroup string `json:"entranceGroup"`
	BackendGroup  string `json:"backendGroup"`
	// Database and Entrance are the private addresses of the primary and of the web server that browsers meet.
	Database string `json:"database"`
	Entrance string `json:"entrance"`
	// PublicAddress is the entrance's in the internet. Where a CDN stands before it, EdgeName is the CDN's, in EdgeZone.
	PublicAddress string `json:"publicAddress"`
	EdgeName      string `json:"edgeName"`
	EdgeZone      string `json:"edgeZone"`
}

// inside is where the front door of the stack that is promoted to this one passes requests on to.
func (n neighbour) inside() (netip.AddrPort, error) {
	address, err := netip.ParseAddr(n.Entrance)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("entrance of stack %s: %w", n.Stack, err)
	}
	return netip.AddrPortFrom(address, machine.InsidePort), nil
}

// tell gives what this stack tells others.
func (b *builder) tell() pulumi.Map {
	var tables pulumi.StringArray
	for _, table := range b.network.tables {
		tables = append(tables, table.ID())
	}
	group := func(part stacks.Part) pulumi.StringInput {
		host, _ := b.site.blueprint().HostOf(part)
		return b.firewall.groups[host.Role].ID()
	}
	told := pulumi.Map{
		"stack": pulumi.String(b.site.stack.Name), "tier": pulumi.String(string(b.site.stack.Tier())),
		"region": pulumi.String(b.site.settings().Region), "url": b.URL, "from": pulumi.String(b.site.settings().PromoteFrom),
		"network": b.network.prefix, "vpc": b.network.vpc.ID(), "routeTables": tables,
		"databaseGroup": group(stacks.PartDatabase), "entranceGroup": group(stacks.PartWeb), "backendGroup": group(stacks.PartBackend),
		"database": b.addressOf(stacks.PartDatabase), "entrance": b.addressOf(stacks.PartWeb), "publicAddress": b.address.eip.PublicIp,
	}
	if b.cdn != nil {
		told["edgeName"], told["edgeZone"] = b.cdn.distribution.DomainName, b.cdn.distribution.HostedZoneId
	}
	return told
}

// addressOf gives the private address of the first host that runs a part: of the database's, that is the primary's.
func (b *builder) addressOf(part stacks.Part) pulumi.StringOutput {
	host, _ := b.site.blueprint().HostOf(part)
	return b.network.prefix.ApplyT(func(network string) (string, error) {
		addresses, err := b.site.addresses(network, host.Role)
		if err != nil || len(addresses) == 0 {
			return "", errors.Join(fmt.Errorf("no host runs the part %s", part), err)
		}
		return addresses[0].String(), nil
	}).(pulumi.StringOutput)
}

// qualified names a stack of this project in full.
func (b *builder) qualified(name string) string {
	return b.ctx.Organization() + "/" + b.ctx.Project() + "/" + name
}

// findNeighbour reads what another stack of this project tells. The key names it.
func (b *builder) findNeighbour(key, name string) (*neighbour, error) {
	if name == "" {
		return nil, nil //nolint:nilnil // There is none.
	}
	if name == b.site.stack.Name {
		return nil, fmt.Errorf("%s:%s: %s is this very stack: expected another one", stacks.Namespace, key, name)
	}
	reference, err := pulumi.NewStackReference(b.ctx, b.qualified(name), nil, pulumi.Parent(b.Stack))
	if err != nil {
		return nil, fmt.Errorf("%s:%s: stack %s: %w", stacks.Namespace, key, name, err)
	}
	output, err := reference.GetOutputDetails(neighbourOutput)
	if err != nil {
		return nil, fmt.Errorf("%s:%s: stack %s: %w", stacks.Namespace, key, name, err)
	}
	if output.Value == nil {
		return nil, fmt.Errorf("%s:%s: stack %s does not say how it is reached: run `pulumi up --stack %s` with this version first",
			stacks.Namespace, key, name, name)
	}
	raw, err := json.Marshal(output.Value)
	if err != nil {
		return nil, fmt.Errorf("%s:%s: output %s of stack %s: %w", stacks.Namespace, key, neighbourOutput, name, err)
	}
	var found neighbour
	if err := json.Unmarshal(raw, &found); err != nil {
		return nil, fmt.Errorf("%s:%s: output %s of stack %s: %w", stacks.Namespace, key, neighbourOutput, name, err)
	}
	if found.Region != b.site.settings().Region {
		return nil, fmt.Errorf("%s:%s: stack %s is in region %s, this one in %s: a panel is promoted within a region", stacks.Namespace, key,
			name, found.Region, b.site.settings().Region)
	}
	return &found, nil
}

// findNeighbours finds the other stacks of a promotion, if there is one.
func (b *builder) findNeighbours() (err error) {
	settings := b.site.settings()
	if settings.PromoteFrom != "" && settings.PromoteTo != "" {
		return fmt.Errorf("%s:promoteFrom and promoteTo are both set: finish one promotion before the next", stacks.Namespace)
	}
	if settings.PromoteTo != "" && b.site.hasCDN() {
		return fmt.Errorf("%s:promoteTo: %s has a CDN, whose front door cannot be passed on yet", stacks.Namespace, b.site.stack.Plan.Title)
	}
	if b.from, err = b.findNeighbour("promoteFrom", settings.PromoteFrom); err != nil {
		return err
	}
	if b.to, err = b.findNeighbour("promoteTo", settings.PromoteTo); err != nil {
		return err
	}
	if b.from != nil {
		if next, more := stacks.Plan().Next(b.from.Tier); !more || next.Tier != b.site.stack.Tier() {
			return fmt.Errorf("%s:promoteFrom: stack %s runs %s, and this one %s: expected the tier that follows in the plan", stacks.Namespace,
				b.from.Stack, b.from.Tier, b.site.stack.Tier())
		}
	}
	if b.to != nil && b.to.From != b.site.stack.Name {
		return fmt.Errorf("%s:promoteTo: stack %s has no way in for the front door of %s: bring it up with promoteFrom %s first",
			stacks.Namespace, b.to.Stack, b.site.stack.Name, b.site.stack.Name)
	}
	return nil
}

// ownOutputs names the stack whose outputs are read.
type ownOutputs struct {
	Name string `pulumi:"name"`
}

// checkFiles refuses to take a stack in place from a tier whose files are on the disk of its only host to one that has them in
// a bucket: the disk goes to the host of the database, where no service runs that would move them, and the panel would know
// every file and find none. What the stack was last is in its own outputs.
func (b *builder) checkFiles() error {
	if !b.site.hasFiles() || b.site.settings().LeaveFiles {
		return nil
	}
	// A reference to the stack would be in its state, and differ from what is there as soon as an output changed.
	var read struct {
		Outputs map[string]any `pulumi:"outputs"`
	}
	if err := b.ctx.Invoke("pulumi:pulumi:readStackOutputs", &ownOutputs{Name: b.qualified(b.site.stack.Name)}, &read); err != nil {
		return fmt.Errorf("what this stack was before: %w", err)
	}
	last, was := read.Outputs["tier"].(string)
	if !was {
		return nil // It is new.
	}
	before, err := stacks.Plan().Tier(stacks.Tier(last))
	if err != nil {
		return fmt.Errorf("what this stack was before: %w", err)
	}
	if before.Blueprint.FileStore.Kind != stacks.FileStoreDisk {
		return nil
	}
	return fmt.Errorf("stack %[1]s has its files on the disk of its host, and %[2]s has them in S3: in place, nothing moves them, and no "+
		"download would be found. Leave it at %[3]s, `pulumi config set tier %[3]s --stack %[1]s`; or, if it holds no files or they are put "+
		"into the bucket by hand as docs/aws.md says (From tier to tier), agree by `pulumi config set leaveFiles true --stack %[1]s`",
		b.site.stack.Name, b.site.stack.Plan.Title, last)
}
