package local

import (
	"fmt"
	"reflect"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/radpanel/radpanel/infra/local/provider"
)

// The resources of the provider, from the program's side. Each inputs struct has the fields of the provider's args
// struct, which gives the names of the properties.

type hostInputs struct {
	Directory pulumi.StringInput
	Services  pulumi.StringArrayInput
}

func (hostInputs) ElementType() reflect.Type { return reflect.TypeFor[provider.HostArgs]() }

type host struct {
	pulumi.CustomResourceState
}

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
	Statements  pulumi.StringArrayInput
}

func (databaseInputs) ElementType() reflect.Type { return reflect.TypeFor[provider.DatabaseArgs]() }

type database struct {
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
	Command           pulumi.StringArrayInput
	Environment       pulumi.StringMapInput
	SecretEnvironment pulumi.StringMapInput
	Files             pulumi.StringMapInput
	SecretFiles       pulumi.StringMapInput
	Reloadable        pulumi.StringArrayInput
	Check             pulumi.StringArrayInput
	Folders           pulumi.StringMapInput
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

func stringArray(texts ...string) pulumi.StringArray { return pulumi.ToStringArray(texts) }
