package awstest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

// Declared is a resource as a program declares it.
type Declared struct {
	Type, Name string
	Custom     bool
	Inputs     resource.PropertyMap
	// Options are what the program says of the resource beside its inputs.
	Options *pulumirpc.RegisterResourceRequest
}

// Declare runs a program by itself, without an engine, against a cloud: every resource is checked and made at once. It
// gives them in the order in which the program came to them. Others are the outputs of the stacks that it refers to, by
// their names.
func Declare(cloud *Cloud, stack string, program pulumi.RunFunc, others map[string]resource.PropertyMap) ([]Declared, error) {
	m := &mocks{provider: cloud.Provider(), others: others}
	err := pulumi.RunErr(program, pulumi.WithMocks("rad-panel", stack, m))
	return m.declared, err
}

// mocks answer what a program asks of the engine.
type mocks struct {
	provider pulumirpc.ResourceProviderServer
	others   map[string]resource.PropertyMap

	mu       sync.Mutex
	declared []Declared
}

// Call answers a function of a provider.
func (m *mocks) Call(args pulumi.MockCallArgs) (resource.PropertyMap, error) {
	if args.Token == "pulumi:pulumi:readStackOutputs" { // Of a stack that is not there before it is declared, there are none.
		name := args.Args["name"].StringValue()
		return resource.PropertyMap{"outputs": resource.NewProperty(m.others[name[strings.LastIndex(name, "/")+1:]])}, nil
	}
	packed, err := pack(args.Args)
	if err != nil {
		return nil, err
	}
	answer, err := m.provider.Invoke(context.Background(), &pulumirpc.InvokeRequest{Tok: args.Token, Args: packed})
	if err != nil {
		return nil, err
	}
	return unpack(answer.GetReturn())
}

// NewResource makes a resource.
func (m *mocks) NewResource(args pulumi.MockResourceArgs) (string, resource.PropertyMap, error) {
	if args.TypeToken == "pulumi:pulumi:StackReference" {
		name := args.ID[strings.LastIndex(args.ID, "/")+1:]
		outputs, known := m.others[name]
		if !known {
			return "", nil, fmt.Errorf("unknown stack %q", args.ID)
		}
		return args.ID, resource.PropertyMap{"name": resource.NewProperty(args.ID), "outputs": resource.NewProperty(outputs)}, nil
	}
	m.mu.Lock()
	m.declared = append(m.declared, Declared{
		Type: args.TypeToken, Name: args.Name, Custom: args.Custom, Inputs: args.Inputs, Options: args.RegisterRPC,
	})
	m.mu.Unlock()
	if !args.Custom || strings.HasPrefix(args.TypeToken, "pulumi:") {
		return args.Name, args.Inputs, nil
	}
	id, outputs, err := m.make(args)
	if err != nil {
		return "", nil, fmt.Errorf("%s %s: %w", args.TypeToken, args.Name, err)
	}
	return id, outputs, nil
}

func (m *mocks) make(args pulumi.MockResourceArgs) (string, resource.PropertyMap, error) {
	urn := string(resource.NewURN("stack", "rad-panel", "", tokens.Type(args.TypeToken), args.Name))
	inputs, err := pack(args.Inputs)
	if err != nil {
		return "", nil, err
	}
	checked, err := m.provider.Check(context.Background(), &pulumirpc.CheckRequest{Urn: urn, News: inputs})
	if err != nil {
		return "", nil, err
	}
	for _, failure := range checked.GetFailures() {
		err = errors.Join(err, fmt.Errorf("%s: %s", failure.GetProperty(), failure.GetReason()))
	}
	if err != nil {
		return "", nil, err
	}
	created, err := m.provider.Create(context.Background(), &pulumirpc.CreateRequest{Urn: urn, Properties: checked.GetInputs()})
	if err != nil {
		return "", nil, err
	}
	outputs, err := unpack(created.GetProperties())
	return created.GetId(), outputs, err
}
