package local_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	p "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/radpanel/radpanel/infra"
	"github.com/radpanel/radpanel/infra/local/provider"
	"github.com/radpanel/radpanel/stacks"
)

// engine does with the program's resources what Pulumi's engine does, with the real provider in its own process:
// check, then create; or check, compare, and update if there is a difference. It keeps the state in memory.
type engine struct {
	server  pulumirpc.ResourceProviderServer
	preview bool

	mu       sync.Mutex
	state    map[string]entry
	changes  map[string]string
	requests map[string]pulumi.MockResourceArgs
}

type entry struct {
	id            string
	inputs, state resource.PropertyMap
}

func newEngine() (*engine, error) {
	made, err := provider.New()
	if err != nil {
		return nil, err
	}
	server, err := p.RawServer(provider.Name, provider.Version, made)(nil)
	if err != nil {
		return nil, err
	}
	return &engine{server: server, state: map[string]entry{}}, nil
}

// up runs the program and returns what was done to which resource. A resource with nothing to do is not in it.
func (e *engine) up(stack stacks.Stack, options infra.Options) (map[string]string, error) {
	e.changes, e.requests = map[string]string{}, map[string]pulumi.MockResourceArgs{}
	err := pulumi.RunErr(func(ctx *pulumi.Context) error {
		return infra.Deploy(ctx, stack, options)
	}, pulumi.WithMocks("rad-panel", stack.Name, e), func(info *pulumi.RunInfo) { info.DryRun = e.preview })
	return e.changes, err
}

// Call is for functions of providers. There are none.
func (e *engine) Call(args pulumi.MockCallArgs) (resource.PropertyMap, error) {
	return nil, fmt.Errorf("unexpected call of %s", args.Token)
}

// NewResource is what the program's side calls for each resource, with its inputs known and its dependencies done.
func (e *engine) NewResource(args pulumi.MockResourceArgs) (string, resource.PropertyMap, error) {
	e.mu.Lock()
	e.requests[args.Name] = args
	before, exists := e.state[args.Name]
	e.mu.Unlock()
	if !args.Custom {
		return "", nil, nil
	}
	after, err := e.apply(context.Background(), args, before, exists)
	if err != nil {
		return "", nil, fmt.Errorf("%s: %w", args.Name, err)
	}
	if !e.preview {
		e.mu.Lock()
		e.state[args.Name] = after
		e.mu.Unlock()
	}
	return after.id, after.state, nil
}

func urnOf(args pulumi.MockResourceArgs) string {
	return string(resource.NewURN("stack", "rad-panel", "", tokens.Type(args.TypeToken), args.Name))
}

func (e *engine) apply(ctx context.Context, args pulumi.MockResourceArgs, before entry, exists bool) (entry, error) {
	urn := urnOf(args)
	checked, err := e.server.Check(ctx, &pulumirpc.CheckRequest{Urn: urn, Olds: pack(before.inputs), News: pack(args.Inputs)})
	if err != nil {
		return entry{}, err
	}
	for _, failure := range checked.GetFailures() {
		err = errors.Join(err, fmt.Errorf("%s: %s", failure.GetProperty(), failure.GetReason()))
	}
	if err != nil {
		return entry{}, err
	}
	after := entry{id: before.id, inputs: unpack(checked.GetInputs()), state: before.state}
	if !exists {
		e.note(args.Name, "create")
		created, err := e.server.Create(ctx, &pulumirpc.CreateRequest{Urn: urn, Properties: checked.GetInputs(), Preview: e.preview})
		if err != nil {
			return entry{}, err
		}
		after.id, after.state = created.GetId(), unpack(created.GetProperties())
		return after, nil
	}
	diff, err := e.server.Diff(ctx, &pulumirpc.DiffRequest{
		Id: before.id, Urn: urn, Olds: pack(before.state), OldInputs: pack(before.inputs), News: checked.GetInputs(),
	})
	if err != nil || diff.GetChanges() == pulumirpc.DiffResponse_DIFF_NONE {
		return after, err
	}
	e.note(args.Name, "update")
	for name, property := range diff.GetDetailedDiff() {
		if strings.HasSuffix(property.GetKind().String(), "REPLACE") {
			return entry{}, fmt.Errorf("it would be replaced because of %s", name)
		}
	}
	updated, err := e.server.Update(ctx, &pulumirpc.UpdateRequest{
		Id: before.id, Urn: urn, Olds: pack(before.state), OldInputs: pack(before.inputs), News: checked.GetInputs(), Preview: e.preview,
	})
	if err != nil {
		return entry{}, err
	}
	after.state = unpack(updated.GetProperties())
	return after, nil
}

func (e *engine) note(name, what string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.changes[name] = what
}

// refresh reads every resource anew.
func (e *engine) refresh(t *testing.T) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(e.state)) {
		before := e.state[name]
		read, err := e.server.Read(t.Context(), &pulumirpc.ReadRequest{
			Id: before.id, Urn: urnOf(e.requests[name]), Properties: pack(before.state), Inputs: pack(before.inputs),
		})
		require.NoError(t, err, name)
		require.NotEmpty(t, read.GetId(), name)
		e.state[name] = entry{id: read.GetId(), inputs: unpack(read.GetInputs()), state: unpack(read.GetProperties())}
	}
}

// property gives a property of a resource, through maps, as it is in the state.
func (e *engine) property(t *testing.T, name string, path ...any) resource.PropertyValue {
	t.Helper()
	value, ok := resource.PropertyPath(path).Get(resource.NewProperty(e.state[name].state))
	require.True(t, ok, "%v of %s", path, name)
	return value
}

var marshalling = plugin.MarshalOptions{KeepUnknowns: true, KeepSecrets: true, SkipNulls: true}

func pack(properties resource.PropertyMap) *structpb.Struct {
	packed, err := plugin.MarshalProperties(properties, marshalling)
	if err != nil {
		panic(err)
	}
	return packed
}

func unpack(packed *structpb.Struct) resource.PropertyMap {
	properties, err := plugin.UnmarshalProperties(packed, marshalling)
	if err != nil {
		panic(err)
	}
	return properties
}
