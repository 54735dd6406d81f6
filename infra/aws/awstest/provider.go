package awstest

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc/peer"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/structpb"
)

// Provider gives a provider of the cloud's resources, for one server. It serves both the packages aws and random. A program
// may have several, each for a region: the engine has a connection of its own for each.
func (c *Cloud) Provider() pulumirpc.ResourceProviderServer {
	return &provider{cloud: c, settings: map[string]settings{}}
}

type provider struct {
	pulumirpc.UnimplementedResourceProviderServer

	cloud *Cloud

	mu sync.Mutex
	// settings are those of each connection, by the address at its other end.
	settings map[string]settings
}

// settings are what a provider was configured with.
type settings struct {
	region string
	tags   map[string]string
}

// of gives the settings of the connection that a request came by.
func (p *provider) of(ctx context.Context) settings {
	p.mu.Lock()
	defer p.mu.Unlock()
	if configured, known := p.settings[connection(ctx)]; known {
		return configured
	}
	return settings{region: Region}
}

// connection tells a request's connection. A call that came by none, as in tests with mocks, has the empty one.
func connection(ctx context.Context) string {
	if other, known := peer.FromContext(ctx); known {
		return other.Addr.String()
	}
	return ""
}

// Attach is for the engine that reaches a provider at an address.
func (*provider) Attach(context.Context, *pulumirpc.PluginAttach) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, nil
}

// GetPluginInfo implements the provider.
func (*provider) GetPluginInfo(context.Context, *emptypb.Empty) (*pulumirpc.PluginInfo, error) {
	return &pulumirpc.PluginInfo{Version: "6.83.2"}, nil
}

// CheckConfig implements the provider.
func (*provider) CheckConfig(_ context.Context, request *pulumirpc.CheckRequest) (*pulumirpc.CheckResponse, error) {
	return &pulumirpc.CheckResponse{Inputs: request.GetNews()}, nil
}

// DiffConfig implements the provider: another region is another place.
func (*provider) DiffConfig(_ context.Context, request *pulumirpc.DiffRequest) (*pulumirpc.DiffResponse, error) {
	before, after := request.GetOldInputs().GetFields(), request.GetNews().GetFields()
	if before["region"].GetStringValue() != after["region"].GetStringValue() {
		return &pulumirpc.DiffResponse{Changes: pulumirpc.DiffResponse_DIFF_SOME, Replaces: []string{"region"}}, nil
	}
	if before["defaultTags"].String() != after["defaultTags"].String() {
		return &pulumirpc.DiffResponse{Changes: pulumirpc.DiffResponse_DIFF_SOME, Diffs: []string{"defaultTags"}}, nil
	}
	return &pulumirpc.DiffResponse{Changes: pulumirpc.DiffResponse_DIFF_NONE}, nil
}

// Configure implements the provider.
func (p *provider) Configure(ctx context.Context, request *pulumirpc.ConfigureRequest) (*pulumirpc.ConfigureResponse, error) {
	fields, configured := request.GetArgs().GetFields(), settings{region: Region, tags: map[string]string{}}
	if region := fields["region"].GetStringValue(); region != "" {
		configured.region = region
	}
	tags := fields["defaultTags"].GetStructValue()
	if raw := fields["defaultTags"].GetStringValue(); raw != "" { // The engine may write what is nested as JSON.
		tags = &structpb.Struct{}
		if err := tags.UnmarshalJSON([]byte(raw)); err != nil {
			return nil, fmt.Errorf("defaultTags: %w", err)
		}
	}
	for name, value := range tags.GetFields()["tags"].GetStructValue().GetFields() {
		configured.tags[name] = value.GetStringValue()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.settings[connection(ctx)] = configured
	return &pulumirpc.ConfigureResponse{AcceptSecrets: true, AcceptResources: true, SupportsPreview: true}, nil
}

// Check implements the provider.
func (p *provider) Check(_ context.Context, request *pulumirpc.CheckRequest) (*pulumirpc.CheckResponse, error) {
	urn := resource.URN(request.GetUrn())
	known, isKnown := p.cloud.types[string(urn.Type())]
	if !isKnown {
		return nil, fmt.Errorf("the stand-in knows no type %s: is it spelt right? If so, add it to types.yaml", urn.Type())
	}
	before, err := unpack(request.GetOlds())
	if err != nil {
		return nil, err
	}
	inputs, err := unpack(request.GetNews())
	if err != nil {
		return nil, err
	}
	if key := resource.PropertyKey(known.Auto); key != "" && inputs[key].IsNull() {
		if inputs[key] = before[key]; inputs[key].IsNull() {
			name, err := resource.NewUniqueHex(urn.Name()+"-", 7, 63)
			if err != nil {
				return nil, err
			}
			inputs[key] = resource.NewProperty(name)
		}
	}
	response := &pulumirpc.CheckResponse{}
	for _, wrong := range known.problems(inputs) {
		response.Failures = append(response.Failures, &pulumirpc.CheckFailure{Property: wrong.property, Reason: wrong.reason})
	}
	response.Inputs, err = pack(inputs)
	return response, err
}

// Diff implements the provider.
func (p *provider) Diff(_ context.Context, request *pulumirpc.DiffRequest) (*pulumirpc.DiffResponse, error) {
	known := p.cloud.types[string(resource.URN(request.GetUrn()).Type())]
	before, err := unpack(request.GetOldInputs())
	if err != nil {
		return nil, err
	}
	after, err := unpack(request.GetNews())
	if err != nil {
		return nil, err
	}
	response := &pulumirpc.DiffResponse{Changes: pulumirpc.DiffResponse_DIFF_NONE, DetailedDiff: map[string]*pulumirpc.PropertyDiff{}, HasDetailedDiff: true}
	for _, path := range known.changes("", before, after) {
		if slices.Contains(request.GetIgnoreChanges(), path) {
			continue
		}
		response.Changes = pulumirpc.DiffResponse_DIFF_SOME
		response.Diffs = append(response.Diffs, path)
		kind := pulumirpc.PropertyDiff_UPDATE
		if known.Inputs[path].Replaces {
			kind = pulumirpc.PropertyDiff_UPDATE_REPLACE
			response.Replaces = append(response.Replaces, path)
		}
		response.DetailedDiff[path] = &pulumirpc.PropertyDiff{Kind: kind, InputDiff: true}
	}
	return response, nil
}

// Create implements the provider.
func (p *provider) Create(ctx context.Context, request *pulumirpc.CreateRequest) (*pulumirpc.CreateResponse, error) {
	kind := resource.URN(request.GetUrn()).Type()
	inputs, err := unpack(request.GetProperties())
	if err != nil {
		return nil, err
	}
	if request.GetPreview() {
		properties, err := pack(outputs(p.cloud.types[string(kind)], &Thing{Inputs: inputs}, nil, p.of(ctx).tags))
		return &pulumirpc.CreateResponse{Properties: properties}, err
	}
	thing, err := p.cloud.create(kind, inputs, p.of(ctx).region, p.of(ctx).tags)
	if err != nil {
		return nil, err
	}
	properties, err := pack(thing.Outputs)
	return &pulumirpc.CreateResponse{Id: thing.ID, Properties: properties}, err
}

// Read implements the provider.
func (p *provider) Read(_ context.Context, request *pulumirpc.ReadRequest) (*pulumirpc.ReadResponse, error) {
	p.cloud.mu.Lock()
	defer p.cloud.mu.Unlock()
	thing := p.cloud.find(string(resource.URN(request.GetUrn()).Type()), request.GetId())
	if thing == nil {
		return &pulumirpc.ReadResponse{}, nil
	}
	inputs, err := pack(thing.Inputs)
	if err != nil {
		return nil, err
	}
	properties, err := pack(thing.Outputs)
	return &pulumirpc.ReadResponse{Id: thing.ID, Inputs: inputs, Properties: properties}, err
}

// Update implements the provider.
func (p *provider) Update(ctx context.Context, request *pulumirpc.UpdateRequest) (*pulumirpc.UpdateResponse, error) {
	kind := resource.URN(request.GetUrn()).Type()
	inputs, err := unpack(request.GetNews())
	if err != nil {
		return nil, err
	}
	if request.GetPreview() {
		before, err := unpack(request.GetOlds())
		if err != nil {
			return nil, err
		}
		for key, value := range inputs {
			before[key] = value
		}
		properties, err := pack(before)
		return &pulumirpc.UpdateResponse{Properties: properties}, err
	}
	thing, err := p.cloud.update(request.GetId(), kind, inputs, p.of(ctx).tags)
	if err != nil {
		return nil, err
	}
	properties, err := pack(thing.Outputs)
	return &pulumirpc.UpdateResponse{Properties: properties}, err
}

// Delete implements the provider.
func (p *provider) Delete(_ context.Context, request *pulumirpc.DeleteRequest) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, p.cloud.remove(request.GetId(), resource.URN(request.GetUrn()).Type())
}

// Cancel implements the provider.
func (*provider) Cancel(context.Context, *emptypb.Empty) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, nil
}

// Invoke implements the provider.
func (p *provider) Invoke(ctx context.Context, request *pulumirpc.InvokeRequest) (*pulumirpc.InvokeResponse, error) {
	arguments, err := unpack(request.GetArgs())
	if err != nil {
		return nil, err
	}
	found, err := p.cloud.look(tokens.ModuleMember(request.GetTok()), arguments, p.of(ctx).region)
	if err != nil {
		return nil, err
	}
	answer, err := pack(found)
	return &pulumirpc.InvokeResponse{Return: answer}, err
}

// marshalling keeps what the engine must know of a value.
func marshalling() plugin.MarshalOptions {
	return plugin.MarshalOptions{KeepUnknowns: true, KeepSecrets: true, KeepResources: true, SkipNulls: true}
}

func pack(properties resource.PropertyMap) (*structpb.Struct, error) {
	return plugin.MarshalProperties(properties, marshalling())
}

func unpack(packed *structpb.Struct) (resource.PropertyMap, error) {
	if packed == nil {
		return resource.PropertyMap{}, nil
	}
	return plugin.UnmarshalProperties(packed, marshalling())
}
