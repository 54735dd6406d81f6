// Package provider is the Pulumi provider of the embedded target: real services on this machine as resources.
//
// It has few types, each the least that can be created, changed and lost by itself:
//
//   - Host: the stack's folder and the supervisor of what runs from it
//   - Port: a free port of the loopback interface, chosen once
//   - Secret: random bytes, made once and kept
//   - Release: a program or a folder of files, copied by its digest so that a rebuild disturbs nothing that runs
//   - Cluster: the data folder of PostgreSQL
//   - Database: a database in it, with its roles
//   - Replica: the data folder of a PostgreSQL server that follows another, made again when it is lost
//   - Bucket: a bucket of an S3 server
//   - Service: a supervised process with its configuration
//
// Creation adopts what is there: an interrupted one is finished by the next. Nothing that holds data is ever deleted.
// Differences between the state and the machine, such as a process that is gone, are found by Diff itself, so an
// update repairs them without a refresh.
package provider

import (
	"context"
	"fmt"

	p "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi-go-provider/infer"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"
	"github.com/pulumi/pulumi/sdk/v3/go/common/util/mapper"
	"github.com/pulumi/pulumi/sdk/v3/go/property"
)

// Name is the provider's and that of its package of resources. Version follows the resources, not the program.
const (
	Name    = "radlocal"
	Version = "0.1.0"
)

// Token gives the type of a resource, such as "radlocal:index:Service".
func Token(resource string) string { return Name + ":index:" + resource }

// New makes the provider.
func New() (p.Provider, error) {
	provider, err := infer.NewProviderBuilder().
		WithNamespace("radpanel").
		WithDisplayName("RAD Panel on this machine").
		WithDescription("Runs the services of RAD Panel as supervised processes of one Linux machine.").
		WithLicense("Apache-2.0").
		WithRepository("github.com/radpanel/radpanel").
		WithLanguageMap(map[string]any{}).
		// The package that the resources are defined in would else be part of their type.
		WithModuleMap(map[tokens.ModuleName]tokens.ModuleName{"provider": "index"}).
		WithResources(
			infer.Resource(Host{}), infer.Resource(Port{chosen: &reservations{}}), infer.Resource(Secret{}), infer.Resource(Release{}),
			infer.Resource(Cluster{}), infer.Resource(Database{}), infer.Resource(Replica{}), infer.Resource(Bucket{}),
			infer.Resource(Service{}),
		).
		Build()
	if err != nil {
		return p.Provider{}, fmt.Errorf("provider %s: %w", Name, err)
	}
	return seeDrift(provider), nil
}

// drift is how to see in what the machine differs from a resource's state, "" if in nothing, and at which property to
// show it.
type drift struct {
	property string
	look     func(ctx context.Context, state property.Map) (string, error)
}

// drifts gives the drift of each type that has one.
func drifts() map[string]drift {
	return map[string]drift{
		Token("Host"):     {"running", hostDrift},
		Token("Release"):  {"path", releaseDrift},
		Token("Cluster"):  {"dataFolder", clusterDrift},
		Token("Database"): {"name", databaseDrift},
		Token("Replica"):  {"dataFolder", replicaDrift},
		Token("Bucket"):   {"name", bucketDrift},
		Token("Service"):  {"running", serviceDrift},
	}
}

// seeDrift lets Diff look at the machine where the inputs alone show no change.
func seeDrift(provider p.Provider) p.Provider {
	compare := provider.Diff
	provider.Diff = func(ctx context.Context, request p.DiffRequest) (p.DiffResponse, error) {
		response, err := compare(ctx, request)
		drift, can := drifts()[string(request.Urn.Type())]
		if err != nil || response.HasChanges || !can {
			return response, err
		}
		reason, err := drift.look(ctx, request.State)
		if err != nil {
			return p.DiffResponse{}, err
		}
		if reason != "" {
			p.GetLogger(ctx).Infof("%s: %s", request.Urn.Name(), reason)
			response.HasChanges = true
			response.DetailedDiff = map[string]p.PropertyDiff{drift.property: {Kind: p.Update}}
		}
		return response, nil
	}
	return provider
}

// decode reads a resource's state, secret or not.
func decode[T any](state property.Map) (T, error) {
	var decoded T
	plain, _ := propertyToAny(property.New(state)).(map[string]any)
	if err := mapper.New(&mapper.Opts{IgnoreUnrecognized: true}).Decode(plain, &decoded); err != nil {
		return decoded, fmt.Errorf("state of a %T: %w", decoded, err)
	}
	return decoded, nil
}

func propertyToAny(value property.Value) any {
	switch {
	case value.IsMap():
		all := map[string]any{}
		for name, element := range value.AsMap().All {
			all[name] = propertyToAny(element)
		}
		return all
	case value.IsArray():
		var all []any
		for _, element := range value.AsArray().All {
			all = append(all, propertyToAny(element))
		}
		return all
	case value.IsString():
		return value.AsString()
	case value.IsNumber():
		return value.AsNumber()
	case value.IsBool():
		return value.AsBool()
	default:
		return nil
	}
}
