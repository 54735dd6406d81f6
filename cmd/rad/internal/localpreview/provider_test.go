package localpreview_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"

	p "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/radpanel/radpanel/infra/local/provider"
	"github.com/radpanel/radpanel/infra/local/supervisor"
)

// paper is the real provider on paper: it checks and compares as that does, and what it is to make, it only writes down, with
// ports and secrets that are the same each time. So a stack can have been up without a server that runs.
type paper struct {
	pulumirpc.ResourceProviderServer

	// secrets are those that were made up.
	secrets *secrets
}

// secrets are made up by several providers at once.
type secrets struct {
	mutex sync.Mutex
	all   []string
}

func (s *secrets) add(secret string) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.all = append(s.all, secret)
}

func (s *secrets) list() []string {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return slices.Clone(s.all)
}

func newPaper(secrets *secrets) (pulumirpc.ResourceProviderServer, error) {
	made, err := provider.New()
	if err != nil {
		return nil, err
	}
	server, err := p.RawServer(provider.Name, provider.Version, made)(nil)
	return &paper{ResourceProviderServer: server, secrets: secrets}, err
}

// Diff compares what the program says; it does not look at the machine, where there is nothing.
func (q *paper) Diff(ctx context.Context, request *pulumirpc.DiffRequest) (*pulumirpc.DiffResponse, error) {
	before, err := unpack(request.GetOldInputs())
	if err != nil {
		return nil, err
	}
	after, err := unpack(request.GetNews())
	if err != nil {
		return nil, err
	}
	if before.DeepEquals(after) {
		return &pulumirpc.DiffResponse{Changes: pulumirpc.DiffResponse_DIFF_NONE}, nil
	}
	return q.ResourceProviderServer.Diff(ctx, request)
}

// Create writes a resource down.
func (q *paper) Create(ctx context.Context, request *pulumirpc.CreateRequest) (*pulumirpc.CreateResponse, error) {
	if request.GetPreview() {
		return q.ResourceProviderServer.Create(ctx, request)
	}
	request.Preview = true
	response, err := q.ResourceProviderServer.Create(ctx, request)
	if err != nil {
		return nil, err
	}
	response.Id = resource.URN(request.GetUrn()).Name()
	response.Properties, err = q.filled(request.GetUrn(), response.GetProperties())
	return response, err
}

// Update writes down how a resource changes.
func (q *paper) Update(ctx context.Context, request *pulumirpc.UpdateRequest) (*pulumirpc.UpdateResponse, error) {
	if request.GetPreview() {
		return q.ResourceProviderServer.Update(ctx, request)
	}
	request.Preview = true
	response, err := q.ResourceProviderServer.Update(ctx, request)
	if err != nil {
		return nil, err
	}
	response.Properties, err = q.filled(request.GetUrn(), response.GetProperties())
	return response, err
}

// Read finds everything as it was written down.
func (*paper) Read(_ context.Context, request *pulumirpc.ReadRequest) (*pulumirpc.ReadResponse, error) {
	return &pulumirpc.ReadResponse{Id: request.GetId(), Inputs: request.GetInputs(), Properties: request.GetProperties()}, nil
}

// Delete strikes a resource out.
func (*paper) Delete(context.Context, *pulumirpc.DeleteRequest) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, nil
}

// filled makes up what would be known once the resource is there, and leaves behind what other stacks look for.
func (q *paper) filled(urn string, packed *structpb.Struct) (*structpb.Struct, error) {
	properties, err := unpack(packed)
	if err != nil {
		return nil, err
	}
	for name, value := range properties {
		if value = bare(value); value.IsComputed() || value.IsOutput() {
			properties[name] = made(name)
		}
	}
	sum := sha256.Sum256([]byte(urn))
	switch kind := string(resource.URN(urn).Type()); {
	case kind == provider.Token("Port") && !bare(properties["port"]).IsNumber():
		properties["port"] = resource.NewProperty(float64(20_000 + (int(sum[0])<<8|int(sum[1]))%10_000))
	case kind == provider.Token("Secret") && !bare(properties["value"]).IsString():
		value := base64.StdEncoding.EncodeToString(sum[:])
		q.secrets.add(value)
		properties["value"] = resource.MakeSecret(resource.NewProperty(value))
	case kind == provider.Token("Service"):
		if err := leave(properties); err != nil {
			return nil, err
		}
	}
	return plugin.MarshalProperties(properties, marshalling())
}

// made gives what a property is of something that was made.
func made(name resource.PropertyKey) resource.PropertyValue {
	switch name {
	case "running":
		return resource.NewProperty(true)
	case "major":
		return resource.NewProperty(15.0)
	case "binaries":
		return resource.NewProperty("/usr/lib/postgresql/15/bin")
	case "port", "value":
		return resource.NewNullProperty() // See filled.
	default:
		return resource.NewProperty("(made)")
	}
}

// leave writes those files of a service that say where it is.
func leave(properties resource.PropertyMap) error {
	stack, err := supervisor.Open(bare(properties["directory"]).StringValue())
	if err != nil || !bare(properties["files"]).IsObject() {
		return err
	}
	folder := stack.Conf(bare(properties["name"]).StringValue())
	var errs []error
	for _, name := range []string{"stack.json", "inside"} {
		if content := bare(bare(properties["files"]).ObjectValue()[resource.PropertyKey(name)]); content.IsString() {
			errs = append(errs, os.MkdirAll(folder, 0o700), os.WriteFile(filepath.Join(folder, name), []byte(content.StringValue()), 0o600))
		}
	}
	return errors.Join(errs...)
}

// bare gives a value without the mark of a secret.
func bare(value resource.PropertyValue) resource.PropertyValue {
	for value.IsSecret() {
		value = value.SecretValue().Element
	}
	if value.IsOutput() && value.OutputValue().Known {
		return value.OutputValue().Element
	}
	return value
}

func marshalling() plugin.MarshalOptions {
	return plugin.MarshalOptions{KeepUnknowns: true, KeepSecrets: true, SkipNulls: true}
}

func unpack(packed *structpb.Struct) (resource.PropertyMap, error) {
	if packed == nil {
		return resource.PropertyMap{}, nil
	}
	properties, err := plugin.UnmarshalProperties(packed, marshalling())
	if err != nil {
		return nil, fmt.Errorf("unpack: %w", err)
	}
	return properties, nil
}
