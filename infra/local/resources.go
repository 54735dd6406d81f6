package local

import (
	"fmt"
	"reflect"
	"slices"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/radpanel/radpanel/infra/local/provider"
)

// The resources of the provider, from the program's side. Each inputs struct has the fields of the provider's args
// struct, which gives the names of the properties.

type hostInputs struct {
	Directory pulumi.StringInput
	Services  pulumi.StringArrayInput
	Limits    limitInputsArray
}

func (hostInputs) ElementType() reflect.Type { return reflect.TypeFor[provider.HostArgs]() }

type host struct {
	pulumi.CustomResourceState
}

type limitInputs struct {
	Host   pulumi.StringInput
	CPU    pulumi.IntInput
	Memory pulumi.IntInput
}

func (limitInputs) ElementType() reflect.Type { return reflect.TypeFor[provider.Limit]() }

type limitInputsArray []limitInputs

func (limitInputsArray) ElementType() reflect.Type { return reflect.TypeFor[[]provider.Limit]() }

type portInputs struct {
	Wanted pulumi.IntInput
}

func (portInputs) ElementType() reflect.Type { return reflect.TypeFor[provider.PortArgs]() }

type port struct {
	pulumi.CustomResourceState

	Port pulumi.IntOutput `pulumi:"port"`
}

type secretInputs struct {
	Directory pulumi.StringInput
	Name      pulumi.StringInput
	Bytes     pulumi.IntInput
	From      pulumi.StringInput
}

func (secretInputs) ElementType() reflect.Type { return reflect.TypeFor[provider.SecretArgs]() }

type secret struct {
	pulumi.CustomResourceState

	Value pulumi.StringOutput `pulumi:"value"`
}

type releaseInputs struct {
	Directory pulumi.StringInput
	Kind      pulumi.StringInput
	Source    pulumi.StringInput
	Digest    pulumi.StringInput
}

func (releaseInputs) ElementType() reflect.Type { return reflect.TypeFor[provider.ReleaseArgs]() }

type release struct {
	pulumi.CustomResourceState
}

type clusterInputs struct {
	Directory pulumi.StringInput
	Service   pulumi.StringInput
	Superuser pulumi.StringInput
}

func (clusterInputs) ElementType() reflect.Type { return reflect.TypeFor[provider.ClusterArgs]() }

type cluster struct {
	pulumi.CustomResourceState

	Binaries pulumi.StringOutput `pulumi:"binaries"`
}

type roleInputs struct {
	Name     pulumi.StringInput
	Password pulumi.StringInput
}

func (roleInputs) ElementType() reflect.Type { return reflect.TypeFor[provider.Role]() }

type databaseInputs struct {
	Socket      pulumi.StringInput
	Superuser   pulumi.StringInput
	Name        pulumi.StringInput
	Owner       roleInputs
	Application roleInputs
	Replica     *roleInputs
	Monitor     roleInputs
	Statements  pulumi.StringArrayInput
}

func (databaseInputs) ElementType() reflect.Type { return reflect.TypeFor[provider.DatabaseArgs]() }

type database struct {
	pulumi.CustomResourceState
}

type replicaInputs struct {
	Directory pulumi.StringInput
	Service   pulumi.StringInput
	Binaries  pulumi.StringInput
	Socket    pulumi.StringInput
	Slot      pulumi.StringInput
	Superuser pulumi.StringInput
	User      pulumi.StringInput
	Password  pulumi.StringInput
}

func (replicaInputs) ElementType() reflect.Type { return reflect.TypeFor[provider.ReplicaArgs]() }

type replica struct {
	pulumi.CustomResourceState
}

type bucketInputs struct {
	Endpoint  pulumi.StringInput
	Name      pulumi.StringInput
	AccessKey pulumi.StringInput
	SecretKey pulumi.StringInput
}

func (bucketInputs) ElementType() reflect.Type { return reflect.TypeFor[provider.BucketArgs]() }

type bucket struct {
	pulumi.CustomResourceState
}

type probeInputs struct {
	Kind     pulumi.StringInput
	Address  pulumi.StringInput
	User     pulumi.StringInput
	Database pulumi.StringInput
	Path     pulumi.StringInput
	Body     pulumi.StringInput
	Seconds  pulumi.IntInput
}

func (probeInputs) ElementType() reflect.Type { return reflect.TypeFor[provider.Probe]() }

type serviceInputs struct {
	Directory         pulumi.StringInput
	Name              pulumi.StringInput
	Account           pulumi.StringInput
	Host              pulumi.StringInput
	Command           pulumi.StringArrayInput
	Environment       pulumi.StringMapInput
	SecretEnvironment pulumi.StringMapInput
	Files             pulumi.StringMapInput
	SecretFiles       pulumi.StringMapInput
	Reloadable        pulumi.StringArrayInput
	Check             pulumi.StringArrayInput
	Folders           pulumi.StringMapInput
	Links             pulumi.StringMapInput
	StopSignal        pulumi.StringInput
	StopSeconds       pulumi.IntInput
	PIDFiles          pulumi.StringArrayInput
	Requires          pulumi.StringArrayInput
	Ready             probeInputs
	Secrets           pulumi.StringArrayInput
}

func (serviceInputs) ElementType() reflect.Type { return reflect.TypeFor[provider.ServiceArgs]() }

type service struct {
	pulumi.CustomResourceState
}

// register registers a resource of the provider.
func register[R pulumi.CustomResource](ctx *pulumi.Context, kind, name string, inputs pulumi.Input, resource R, options ...pulumi.ResourceOption) (R, error) {
	options = append(options, pulumi.Version(provider.Version))
	if err := ctx.RegisterResource(provider.Token(kind), name, inputs, resource, options...); err != nil {
		return resource, fmt.Errorf("%s %s: %w", kind, name, err)
	}
	return resource, nil
}

// newHost makes the stack's folder and starts its supervisor.
func newHost(ctx *pulumi.Context, parent *Stack, site site) (*host, error) {
	return register(ctx, "Host", "host", hostInputs{
		Directory: pulumi.String(site.folder.Directory()),
		Services:  stringArray(site.services()...),
		Limits:    site.limits(),
	}, new(host), pulumi.Parent(parent))
}

const (
	// passwordBytes makes passwords that nobody guesses: 192 bits.
	passwordBytes = 24
	// encryptionKeyBytes is what the service wants: an AES-256 key.
	encryptionKeyBytes = 32
)

// The secrets of a stack. They are the names of files: never change one.
const (
	encryptionKeySecret       = "encryption-key"
	ownerPasswordSecret       = "owner-password"
	applicationPasswordSecret = "application-password"
)

// newSecret makes a secret of a part.
func newSecret(ctx *pulumi.Context, parent pulumi.Resource, site site, name string, bytes int) (pulumi.StringOutput, error) {
	inputs := secretInputs{
		Directory: pulumi.String(site.folder.Directory()), Name: pulumi.String(name), Bytes: pulumi.Int(bytes),
	}
	if site.from != nil && slices.Contains(inheritedSecrets(), name) {
		inputs.From = pulumi.String(site.from.folder.Directory())
	}
	made, err := register(ctx, "Secret", name, inputs, new(secret), pulumi.Parent(parent), pulumi.DependsOn([]pulumi.Resource{site.host}), pulumi.Protect(true),
		pulumi.AdditionalSecretOutputs([]string{"value"}))
	if err != nil {
		return pulumi.StringOutput{}, err
	}
	return made.Value, nil
}

// newRelease copies what was built into the stack's folder, and tells the folder of the copy, which follows from the
// digest.
func newRelease(ctx *pulumi.Context, parent pulumi.Resource, site site, kind, source string) (*release, string, error) {
	digest, err := provider.Digest(source)
	if err != nil {
		return nil, "", fmt.Errorf("release of %s: %w", kind, err)
	}
	released, err := register(ctx, "Release", kind+"-release", releaseInputs{
		Directory: pulumi.String(site.folder.Directory()), Kind: pulumi.String(kind), Source: pulumi.String(source), Digest: pulumi.String(digest),
	}, new(release), pulumi.Parent(parent), pulumi.DependsOn([]pulumi.Resource{site.host}))
	return released, provider.ReleasePath(site.folder.Directory(), kind, digest), err
}

func registerOutputs(ctx *pulumi.Context, component pulumi.Resource, outputs pulumi.Map) error {
	if err := ctx.RegisterResourceOutputs(component, outputs); err != nil {
		return fmt.Errorf("outputs: %w", err)
	}
	return nil
}

func stringArray(texts ...string) pulumi.StringArray { return pulumi.ToStringArray(texts) }
