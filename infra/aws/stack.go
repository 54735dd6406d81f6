package aws

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/radpanel/radpanel/infra/guard"
	"github.com/radpanel/radpanel/infra/machine"
	"github.com/radpanel/radpanel/infra/price"
	"github.com/radpanel/radpanel/stacks"
)

// The ports that hosts reach each other at.
const (
	servicePort  = 8080
	poolerPort   = 6432
	databasePort = 5432
	cachePort    = 6379
)

const (
	// backupDays is how long a backup that was deleted can be had back, fileDays how long a file; releaseDays a release.
	backupDays  = 30
	fileDays    = 30
	releaseDays = 90
	// filesBucket is the name of the bucket of files within the program.
	filesBucket = "files"
)

// Options say where things are on the machine that runs the program.
type Options struct {
	// ReleaseFolder holds ReleaseFile. Empty: what the environment says (see [ReleaseFolderVariable]), else dist in the
	// project's folder.
	ReleaseFolder string
}

// Deploy registers all resources of a stack and exports its outputs.
func Deploy(ctx *pulumi.Context, stack stacks.Stack, options Options) error {
	if err := checkBuildable(stack); err != nil { // Before what it would cost.
		return err
	}
	if !ctx.DryRun() {
		if err := checkCost(stack); err != nil {
			return err
		}
	}
	deployed, err := NewStack(ctx, stack, options)
	if err != nil {
		return err
	}
	deployed.Export(ctx)
	return nil
}

// nearness is how far the cost of a blueprint is from that of the stack's resources at most.
const nearness = 0.01

// checkCost refuses, before anything is made, an update that would clearly cost more than the plan and the configuration allow.
// What the stack's resources cost is known when they are declared, which in an update is when they are made: an update that
// skips the preview would be told after it has built everything. The preview says the sum.
func checkCost(stack stacks.Stack) error {
	table, err := price.Default()
	if err != nil {
		return err
	}
	choice, err := table.Choose(stack)
	if err != nil {
		return err
	}
	least := choice.Estimate.Monthly() * (1 - nearness)
	if len(guard.CheckCost(least, choice.Budget, stack.Settings)) == 0 {
		return nil
	}
	return fmt.Errorf("stack %s would cost about $%.0f a month, more than the plan's %s-%s, and nobody has agreed to that: nothing was changed. "+
		"`pulumi preview --stack %s` says what to agree to", stack.Name, choice.Estimate.Monthly(), choice.Budget.Low, choice.Budget.High, stack.Name)
}

// Stack is a tier on AWS, whole.
type Stack struct {
	pulumi.ResourceState

	// URL is where the panel is.
	URL pulumi.StringOutput `pulumi:"url"`
	// Promotion is what another stack needs to know for the panel to be promoted between the two.
	Promotion pulumi.MapOutput `pulumi:"promotion"`

	site      site
	address   *address
	alarms    *alarms
	backups   *bucket
	instances pulumi.StringMap
}

// builder has what the parts of a stack are made with.
type builder struct {
	*Stack
	ctx      *pulumi.Context
	ami      string
	choice   price.Choice
	provider *aws.Provider
	made     madeParts
	network  *network
	firewall *firewall
	secrets  *secrets
	disks    map[int]*disk
	cdn      *cdn
	// from is the stack whose panel is promoted to this one, to the one to which this one's was; nil: none.
	from, to *neighbour
}

// NewStack registers all that a stack consists of.
func NewStack(ctx *pulumi.Context, stack stacks.Stack, options Options) (*Stack, error) {
	site, err := newSite(stack)
	if err != nil {
		return nil, err
	}
	b := &builder{Stack: &Stack{site: site, instances: pulumi.StringMap{}}, ctx: ctx, disks: map[int]*disk{}}
	if b.choice, err = choose(ctx, stack); err != nil {
		return nil, err
	}
	if options.ReleaseFolder == "" {
		options.ReleaseFolder = os.Getenv(ReleaseFolderVariable)
	}
	file := releaseFile(options.ReleaseFolder, ctx.RootDirectory())
	if err := b.build(file); err != nil {
		return nil, fmt.Errorf("stack %s: %w", stack.Name, err)
	}
	return b.Stack, nil
}

// Export gives the program's outputs. None is secret.
func (s *Stack) Export(ctx *pulumi.Context) {
	ctx.Export("url", s.URL)
	ctx.Export("tier", pulumi.String(string(s.site.stack.Tier())))
	ctx.Export("target", pulumi.String(string(stacks.AWS)))
	ctx.Export("region", pulumi.String(s.site.settings().Region))
	ctx.Export("address", s.address.eip.PublicIp)
	ctx.Export("hosts", s.instances)
	ctx.Export("backups", s.backups.bucket.Bucket)
	ctx.Export("logs", s.alarms.logs.Name)
	ctx.Export("alarms", s.alarms.topic.Arn)
	ctx.Export(neighbourOutput, s.Promotion)
}

// choose picks the instance types, and says at every preview what had to give for them.
func choose(ctx *pulumi.Context, stack stacks.Stack) (price.Choice, error) {
	table, err := price.Default()
	if err != nil {
		return price.Choice{}, err
	}
	choice, err := table.Choose(stack)
	if err != nil {
		return price.Choice{}, err
	}
	say := ctx.Log.Info
	if choice.Conflict {
		say = ctx.Log.Warn
	}
	return choice, say(choice.Statement, nil)
}

func (b *builder) build(releaseFile string) error {
	if err := b.ctx.RegisterComponentResource("radpanel:aws:Stack", b.site.stack.Name, b.Stack); err != nil {
		return err
	}
	var err error
	if b.provider, err = b.newProvider("aws", b.site.settings().Region); err != nil {
		return err
	}
	if b.ami, err = b.findImage(); err != nil {
		return err
	}
	if err := errors.Join(b.findNeighbours(), b.checkFiles()); err != nil {
		return err
	}
	for _, part := range []func() error{
		b.addNetwork, b.addStores, func() error { return b.addRelease(releaseFile) }, b.addEntrance, b.addDisks, b.addHosts, b.addAlarms,
		b.openWindow,
	} {
		if err := part(); err != nil {
			return err
		}
	}
	b.Promotion = b.tell().ToMapOutput()
	return b.ctx.RegisterResourceOutputs(b.Stack, pulumi.Map{"url": b.URL, neighbourOutput: b.Promotion})
}

// child are the options of a component of the stack: its own children get their provider from it.
func (b *builder) child() []pulumi.ResourceOption {
	return []pulumi.ResourceOption{pulumi.Parent(b.Stack), pulumi.Provider(b.provider)}
}

// newProvider is explicit about region and tags: what the environment says has no say in where a stack is.
func (b *builder) newProvider(name, region string) (*aws.Provider, error) {
	return aws.NewProvider(b.ctx, name, &aws.ProviderArgs{
		Region:      pulumi.String(region),
		DefaultTags: aws.ProviderDefaultTagsArgs{Tags: pulumi.ToStringMap(b.site.tags())},
	}, pulumi.Parent(b.Stack))
}

// debianOwner is the account that publishes Debian's images, see https://wiki.debian.org/Cloud/AmazonEC2Image.
const debianOwner = "136693071363"

// findImage gives the id, in the stack's region, of the image that the configuration pins.
func (b *builder) findImage() (string, error) {
	pinned := b.site.settings().AMI
	if stacks.IsAMI(pinned) {
		return pinned, nil
	}
	image, err := ec2.LookupAmi(b.ctx, &ec2.LookupAmiArgs{
		Owners: []string{debianOwner},
		// It stays the stack's image until somebody chooses another, however old it is.
		IncludeDeprecated: pulumi.BoolRef(true),
		Filters:           []ec2.GetAmiFilter{{Name: "name", Values: []string{pinned}}, {Name: "architecture", Values: []string{"arm64"}}},
	}, pulumi.Provider(b.provider))
	if err != nil {
		return "", fmt.Errorf("%s:ami: no image of Debian is called %q in %s: docs/aws.md says how to find one: %w",
			stacks.Namespace, pinned, b.site.settings().Region, err)
	}
	return image.Id, nil
}

// findZones gives the zones that the network is in. Not every zone has every type of instance.
func (b *builder) findZones() ([]string, error) {
	region := b.site.settings().Region
	available, err := aws.GetAvailabilityZones(b.ctx, &aws.GetAvailabilityZonesArgs{
		State:   pulumi.StringRef("available"),
		Filters: []aws.GetAvailabilityZonesFilter{{Name: "opt-in-status", Values: []string{"opt-in-not-required"}}},
	}, pulumi.Provider(b.provider))
	if err != nil {
		return nil, fmt.Errorf("which zones %s has: %w", region, err)
	}
	fit := available.Names
	types := map[string]bool{}
	for _, chosen := range b.choice.Hosts {
		types[chosen.Type] = true
	}
	for _, name := range slices.Sorted(maps.Keys(types)) {
		offered, err := ec2.GetInstanceTypeOfferings(b.ctx, &ec2.GetInstanceTypeOfferingsArgs{
			LocationType: pulumi.StringRef("availability-zone"),
			Filters:      []ec2.GetInstanceTypeOfferingsFilter{{Name: "instance-type", Values: []string{name}}},
		}, pulumi.Provider(b.provider))
		if err != nil {
			return nil, fmt.Errorf("which zones of %s have instances of type %s: %w", region, name, err)
		}
		fit = slices.DeleteFunc(slices.Clone(fit), func(zone string) bool { return !slices.Contains(offered.Locations, zone) })
	}
	if len(fit) < zones {
		return nil, fmt.Errorf("region %s has %d availability zones with instances of all the types that the stack needs, %s: expected at least %d. "+
			"Choose another region (`pulumi config set region <region> --stack %s`) or other types (the key sizing)",
			region, len(fit), strings.Join(slices.Sorted(maps.Keys(types)), ", "), zones, b.site.stack.Name)
	}
	return fit[:zones], nil
}

func (b *builder) addNetwork() error {
	found, err := b.findZones()
	if err != nil {
		return err
	}
	network := networkArgs{Region: b.site.settings().Region, Zones: found, Private: b.site.hasPrivate()}
	if network.Prefix, network.Chosen = b.site.settings().Network, b.site.settings().Network.IsValid(); !network.Chosen {
		network.Prefix = networkOf(b.site.stack.Name)
	}
	if b.network, err = newNetwork(b.ctx, network, b.child()...); err != nil {
		return err
	}
	b.made.network = b.network
	args := firewallArgs{Network: b.network, Hosts: b.site.blueprint().Hosts, CDN: b.site.hasCDN(), Certificate: b.site.entranceName() != ""}
	if args.CDN {
		list, err := ec2.LookupManagedPrefixList(b.ctx, &ec2.LookupManagedPrefixListArgs{Name: pulumi.StringRef(edgePrefixes)}, pulumi.Provider(b.provider))
		if err != nil {
			return fmt.Errorf("where CloudFront comes from: %w", err)
		}
		args.CDNPrefixes = list.Id
	}
	b.firewall, err = newFirewall(b.ctx, args, b.child()...)
	return err
}

func (b *builder) addStores() error {
	var err error
	if b.alarms, err = newAlarms(b.ctx, alarmsArgs{Email: b.site.settings().Alerting.Email}, b.child()...); err != nil {
		return err
	}
	kept := secretsArgs{Prefix: b.site.prefix(), Secrets: machine.StackSecrets(b.site.blueprint()), Lookup: pulumi.Provider(b.provider)}
	if b.from != nil {
		kept.From, kept.FromPrefix = b.from.Stack, parameters(b.from.Stack)
	}
	if b.secrets, err = newSecrets(b.ctx, kept, b.child()...); err != nil {
		return err
	}
	if b.backups, err = newBucket(b.ctx, "backups", bucketArgs{Holds: true, KeepDeletedDays: backupDays}, b.child()...); err != nil {
		return err
	}
	if b.made.releases, err = newBucket(b.ctx, "releases", bucketArgs{KeepDeletedDays: releaseDays}, b.child()...); err != nil {
		return err
	}
	if b.site.hasFiles() {
		b.made.files, err = newBucket(b.ctx, filesBucket, bucketArgs{Holds: true, KeepDeletedDays: fileDays, PolicyLater: b.site.hasCDN()}, b.child()...)
	}
	b.made.alarms, b.made.backups = b.alarms, b.backups
	return err
}

func (b *builder) addRelease(file string) error {
	var err error
	b.made.release, err = newRelease(b.ctx, releaseArgs{File: file, Bucket: b.made.releases}, b.child()...)
	return err
}

// addEntrance makes the address, and the CDN if there is one, and says what browsers use.
func (b *builder) addEntrance() error {
	settings := b.site.settings()
	var err error
	// While the panel is promoted to this stack, its name leads to the other one, which has the record.
	awaits := b.from != nil
	entrance := addressArgs{Name: b.site.entranceName(), HostedZone: settings.HostedZone, MovedTo: b.to}
	if awaits && !b.site.hasCDN() {
		entrance.HostedZone = ""
	}
	if b.address, err = newAddress(b.ctx, entrance, b.child()...); err != nil {
		return err
	}
	if b.to != nil {
		if b.made.forwardTo, err = b.to.inside(); err != nil {
			return err
		}
	}
	b.URL = pulumi.Sprintf("http://%s", b.address.eip.PublicIp)
	if b.site.hasCDN() {
		edge := b.provider
		if settings.Region != edgeRegion {
			if edge, err = b.newProvider("aws-edge", edgeRegion); err != nil {
				return err
			}
		}
		made, err := b.newCDN(edge)
		if err != nil {
			return err
		}
		b.cdn = made
		b.URL = pulumi.Sprintf("https://%s", made.distribution.DomainName)
	}
	if settings.Domain != "" {
		b.URL = pulumi.Sprintf("https://%s", settings.Domain)
	}
	if b.from != nil {
		b.URL = pulumi.String(b.from.URL).ToStringOutput()
	}
	b.made.url = b.URL
	return nil
}

// newCDN makes the CDN. Who is told of its keys is so once it knows them, and may read the files.
func (b *builder) newCDN(edge *aws.Provider) (*cdn, error) {
	settings := b.site.settings()
	args := cdnArgs{
		Domain: settings.Domain, HostedZone: settings.HostedZone, Address: b.address, Edge: edge,
		Files: b.made.files, Region: settings.Region, AwaitsName: b.from != nil,
	}
	if !b.site.hasFiles() {
		return newCDN(b.ctx, args, b.child()...)
	}
	keys, err := newDownloadKeys(b.ctx, downloadKeysArgs{Prefix: b.site.prefix(), Number: settings.DownloadKey}, b.child()...)
	if err != nil {
		return nil, err
	}
	args.Keys = keys
	made, err := newCDN(b.ctx, args, b.child()...)
	if err != nil {
		return nil, err
	}
	readable, err := b.made.files.setPolicy(b.ctx, filesBucket, readByCDN(b.made.files, made.distribution))
	if err != nil {
		return nil, err
	}
	b.secrets.parameters[machine.DownloadKey(settings.DownloadKey)] = keys.parameter
	b.made.downloadKey = pulumi.All(keys.id, made.distribution.ID(), readable.ID()).ApplyT(func(known []any) string {
		return known[0].(string)
	}).(pulumi.StringOutput)
	return made, nil
}

func (b *builder) addDisks() error {
	for _, p := range b.site.places {
		if p.disk == 0 {
			continue
		}
		subnet := b.network.public[p.zone]
		if p.private {
			subnet = b.network.private[p.zone]
		}
		made, err := newDisk(b.ctx, diskArgs{Number: p.disk, Disk: p.host.Disk, Subnet: subnet}, b.child()...)
		if err != nil {
			return err
		}
		b.disks[p.disk] = made
	}
	return nil
}

func (b *builder) addHosts() error {
	for _, host := range b.site.blueprint().Hosts {
		var places []place
		for _, p := range b.site.places {
			if p.host.Role == host.Role {
				places = append(places, p)
			}
		}
		identity, err := b.addRole(host, places)
		if err != nil {
			return err
		}
		for _, p := range places {
			if err := b.addHost(p, identity); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *builder) addAlarms() error {
	return b.alarms.watch(b.ctx, b.site.stack.Tier(), b.instances)
}

// addRole makes what the hosts of a role may do.
func (b *builder) addRole(host stacks.Host, places []place) (*identity, error) {
	readable, err := b.readable(places)
	if err != nil {
		return nil, err
	}
	readable = append(readable, b.windowParameters(host)...)
	args := identityArgs{
		Role: host.Role, Parameters: readable, Releases: b.made.releases, LogGroup: b.alarms.logs.Arn,
	}
	if isEntrance(host) {
		args.AlertTopic = b.alarms.topic.Arn
	}
	if host.Disk.Size > 0 {
		args.Backups = b.backups
	}
	if runs(host, stacks.PartBackend) {
		args.Files = b.made.files
	}
	return newIdentity(b.ctx, args, b.child()...)
}

// readable gives the ARNs of the parameters that the hosts of a role need: their settings, and no secret but their own.
func (b *builder) readable(places []place) ([]pulumi.StringInput, error) {
	names, err := machine.NewHostSettings(b.site.stack, places[0].host.Role, places[0].number).Secrets()
	if err != nil {
		return nil, err
	}
	var arns []pulumi.StringInput
	for _, p := range places {
		arns = append(arns, b.settingsARN(p))
	}
	for _, name := range names {
		arns = append(arns, b.secrets.parameters[name].Arn)
	}
	return arns, nil
}

// settingsARN is that of a secret but for the name: who may read a host's settings is settled before they are there, because
// they name secrets, and a host that is not let in to one would take its release for broken.
func (b *builder) settingsARN(p place) pulumi.StringOutput {
	return b.parameterARN(b.site.cloudHost(p).SettingsParameter())
}

// parameterARN is that of a parameter of the stack, which may not be there.
func (b *builder) parameterARN(name string) pulumi.StringOutput {
	known := machine.SecretParameter(b.site.prefix(), machine.OwnerPassword)
	return b.secrets.parameters[machine.OwnerPassword].Arn.ApplyT(func(arn string) string {
		return strings.TrimSuffix(arn, known) + name
	}).(pulumi.StringOutput)
}

func (b *builder) addHost(p place, identity *identity) error {
	told := b.made
	if p.disk > 0 {
		told.volume = b.disks[p.disk].volume.ID().ToStringOutput()
	}
	if !runs(p.host, stacks.PartBackend) { // It signs nothing, and need not wait for the CDN.
		told.downloadKey = nil
	}
	settings, err := b.site.publish(b.ctx, p, told, append(b.child(), pulumi.DependsOn([]pulumi.Resource{identity.allowed}))...)
	if err != nil {
		return err
	}
	userData, err := b.site.cloudHost(p).UserData()
	if err != nil {
		return err
	}
	args := hostArgs{
		Name: p.name(), InstanceType: b.choice.Hosts[p.host.Role].Type, Sizing: b.site.settings().Sizing, AMI: b.ami,
		Subnet: b.network.public[p.zone], Address: b.network.address(p), Private: p.private, Firewall: b.firewall.groups[p.host.Role],
		Identity: identity, Ways: slices.Concat(b.network.ways, b.firewall.rules), Settings: settings, UserData: userData, Data: b.disks[p.disk], Tags: b.site.tags(),
		Region: b.site.settings().Region, Alarms: b.alarms,
	}
	if p.private {
		args.Subnet = b.network.private[p.zone]
	} else {
		args.PublicAddress = b.address.eip
	}
	made, err := newHost(b.ctx, args, b.child()...)
	if err != nil {
		return err
	}
	b.instances[p.name()] = made.instance.ID().ToStringOutput()
	return nil
}
