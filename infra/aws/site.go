package aws

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ssm"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/radpanel/radpanel/infra/machine"
	"github.com/radpanel/radpanel/stacks"
)

// site is a stack's plan on AWS: its hosts, where each is, and what each is told. Nothing of it is known only after
// something was made.
type site struct {
	stack  stacks.Stack
	places []place
}

// place is one host.
type place struct {
	host   stacks.Host
	number int
	// zone counts from 0.
	zone    int
	private bool
	// subnet is the number of its subnet, and address that of its address there.
	subnet, address int
	// disk is the number of its disk for data. 0: it has none.
	disk int
}

func (p place) name() string { return string(p.host.Role) + "-" + strconv.Itoa(p.number) }

// firstAddress gives, for each role, the first of the addresses within a subnet. A host of one role never gets the address
// that another had, so that one can come before the other is gone.
func firstAddress(role stacks.Role) int {
	switch role {
	case stacks.RolePanel:
		return 10
	case stacks.RoleBalancer:
		return 20
	case stacks.RoleBackend:
		return 30
	default:
		return 50
	}
}

// newSite places the hosts of a tier: the entrance in public subnets, all others in private ones, those of one role spread
// over the zones that the blueprint asks for.
func newSite(stack stacks.Stack) (site, error) {
	if err := checkBuildable(stack); err != nil {
		return site{}, err
	}
	s := site{stack: stack}
	disks := 0
	for _, host := range stack.Plan.Blueprint.Hosts {
		for number := 1; number <= host.Count; number++ {
			p := place{host: host, number: number, zone: (number - 1) % stack.Plan.Blueprint.Zones, private: !isEntrance(host)}
			if p.subnet = p.zone; p.private {
				p.subnet += privateSubnets
			}
			p.address = firstAddress(host.Role) + number - 1
			if host.Disk.Size > 0 {
				disks++
				p.disk = disks
			}
			s.places = append(s.places, p)
		}
	}
	return s, nil
}

func (s site) blueprint() stacks.Blueprint { return s.stack.Plan.Blueprint }
func (s site) settings() stacks.Settings   { return s.stack.Settings }
func (s site) hasCDN() bool                { return s.blueprint().CDN == stacks.CDNAssets }
func (s site) hasFiles() bool              { return s.blueprint().FileStore.Kind == stacks.FileStoreS3 }
func (s site) prefix() string              { return parameters(s.stack.Name) }

// parameters gives the folder of a stack's parameters.
func parameters(stack string) string { return "/radpanel/" + stack }

// entranceName is the name that leads to the entrance itself, and for which it gets a certificate. Empty: none does.
func (s site) entranceName() string {
	if domain := s.settings().Domain; s.hasCDN() && domain != "" {
		return originName + domain
	}
	return s.settings().Domain
}

// hasPrivate tells whether any host has no address of its own in the internet.
func (s site) hasPrivate() bool {
	for _, p := range s.places {
		if p.private {
			return true
		}
	}
	return false
}

// addresses gives those of the hosts of a role within the stack's network.
func (s site) addresses(network string, role stacks.Role) ([]netip.Addr, error) {
	var all []netip.Addr
	for _, p := range s.places {
		if p.host.Role != role {
			continue
		}
		address, err := addressIn(network, p.subnet, p.address)
		if err != nil {
			return nil, err
		}
		all = append(all, address)
	}
	return all, nil
}

// tags are on everything that the stack has.
func (s site) tags() map[string]string {
	return map[string]string{
		"project": stacks.Namespace, "stack": s.stack.Name, "tier": string(s.stack.Tier()), "cost-centre": s.settings().CostCentre,
	}
}

func (s site) cloudHost(p place) machine.CloudHost {
	return machine.CloudHost{Name: p.name(), Region: s.settings().Region, Prefix: s.prefix()}
}

// madeParts are what the settings of a host name.
type madeParts struct {
	network  *network
	volume   pulumi.StringInput
	url      pulumi.StringInput
	releases *bucket
	backups  *bucket
	files    *bucket
	// downloadKey is what the CDN calls the key that signs downloads; nil if there is none.
	downloadKey pulumi.StringInput
	release     *release
	alarms      *alarms
	// forwardTo is where the entrance passes requests on to, if the panel was promoted to another stack.
	forwardTo netip.AddrPort
}

// publish puts a host's settings where it looks.
func (s site) publish(ctx *pulumi.Context, p place, made madeParts, options ...pulumi.ResourceOption) (*ssm.Parameter, error) {
	if made.volume == nil {
		made.volume = pulumi.String("")
	}
	files := pulumi.String("").ToStringOutput()
	if made.files != nil {
		files = made.files.bucket.Bucket
	}
	if made.downloadKey == nil {
		made.downloadKey = pulumi.String("")
	}
	value := pulumi.All(made.volume, made.url, made.releases.bucket.Bucket, made.release.object.Key, made.backups.bucket.Bucket, files,
		made.alarms.logs.Name, made.downloadKey, made.network.prefix, made.alarms.topic.Arn).ApplyT(func(values []any) (string, error) {
		text := func(i int) string { return values[i].(string) }
		settings, err := s.hostSettings(p, text(8), machine.HostSettings{
			DataVolume: text(0), PublicURL: text(1), BackupBucket: text(4), FilesBucket: text(5), LogGroup: text(6), DownloadKeyID: text(7), AlertTopic: text(9),
			Release:   machine.ReleaseObject{Bucket: text(2), Key: text(3), SHA256: made.release.digest},
			ForwardTo: made.forwardTo,
		})
		if err != nil {
			return "", err
		}
		return settings.Value()
	}).(pulumi.StringOutput)
	return ssm.NewParameter(ctx, p.name(), &ssm.ParameterArgs{
		Name: pulumi.String(s.cloudHost(p).SettingsParameter()), Type: pulumi.String("String"), InsecureValue: value,
		Description: pulumi.String("What host " + p.name() + " is told. It looks every minute"),
	}, options...)
}

// hostSettings completes what is known of a host in a network.
func (s site) hostSettings(p place, network string, known machine.HostSettings) (machine.HostSettings, error) {
	settings := machine.NewHostSettings(s.stack, p.host.Role, p.number)
	settings.Release, settings.DataVolume, settings.PublicURL = known.Release, known.DataVolume, known.PublicURL
	settings.BackupBucket, settings.FilesBucket, settings.LogGroup = known.BackupBucket, known.FilesBucket, known.LogGroup
	settings.DownloadKeyID = known.DownloadKeyID
	var err error
	if len(s.places) > 1 {
		var networkErr, databaseErr, backendErr, balancerErr error
		settings.Network, networkErr = netip.ParsePrefix(network)
		settings.Databases, databaseErr = s.addresses(network, stacks.RoleDatabase)
		settings.Backends, backendErr = s.addresses(network, stacks.RoleBackend)
		settings.Balancers, balancerErr = s.addresses(network, stacks.RoleBalancer)
		err = errors.Join(networkErr, databaseErr, backendErr, balancerErr)
	} else {
		settings.Address, err = addressIn(network, p.subnet, p.address)
	}
	if err != nil {
		return settings, err
	}
	if isEntrance(p.host) {
		settings.ForwardTo, settings.AlertTopic = known.ForwardTo, known.AlertTopic
		if name := s.entranceName(); name != "" {
			settings.Names = []string{name}
		}
		if s.hasCDN() {
			// The firewall lets nobody else in to where that counts.
			settings.Front = []netip.Prefix{netip.MustParsePrefix(anywhere)}
		}
	}
	return settings, nil
}

// checkBuildable refuses what this target cannot build whole, and names all that it lacks.
func checkBuildable(stack stacks.Stack) error {
	b, settings := stack.Plan.Blueprint, stack.Settings
	var lacking []string
	for _, part := range []struct {
		isAsked bool
		name    string
	}{
		{b.Database.Shards > 1, "shards"},
		{b.Database.Managed || b.Cache.Managed, "managed databases and caches"},
		{b.Workers.Instances > 0, "workers of their own"},
		{b.Balancer != stacks.BalancerNone && b.Balancer != stacks.BalancerNginx, "the load balancer " + string(b.Balancer)},
		{b.CDN != stacks.CDNNone && b.CDN != stacks.CDNAssets, "a CDN for more than assets"},
		{b.Queue != stacks.QueueDatabase, "a message broker"},
		{b.Orchestrator != stacks.Supervisor, "Kubernetes"},
		{b.Regions > 1, "more than one region"},
		{b.Monitoring.Level.Has(stacks.LogAggregation), "log aggregation"},
		{b.Monitoring.Datadog, "Datadog"},
		{b.Zones > zones, fmt.Sprintf("more than %d availability zones", zones)},
	} {
		if part.isAsked {
			lacking = append(lacking, part.name)
		}
	}
	if len(lacking) > 0 {
		return fmt.Errorf("stack %s: %s on AWS needs %s, which this target cannot build yet: nothing was changed. The largest tier "+
			"that it builds is tier2", stack.Name, stack.Plan.Title, strings.Join(lacking, ", "))
	}
	var err error
	if settings.AMI == "" {
		err = errors.Join(err, fmt.Errorf("stack %s: %s:ami is not set: hosts need an image that is pinned. Set the one that the "+
			"other stacks have, as in %s: `pulumi config set ami <name> --stack %s`; docs/aws.md says how to find a newer one",
			stack.Name, stacks.Namespace, stacks.FileName("mvp"), stack.Name))
	}
	if b.CDN != stacks.CDNNone && settings.Domain != "" && settings.HostedZone == "" {
		err = errors.Join(err, fmt.Errorf("stack %s: %s:domain is set, %s:hostedZone is not: with a CDN, records in the name's zone prove "+
			"whose it is. Set it: `pulumi config set hostedZone <id of the Route 53 zone> --stack %s`", stack.Name, stacks.Namespace,
			stacks.Namespace, stack.Name))
	}
	return err
}
