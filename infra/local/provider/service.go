package provider

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"strconv"
	"time"

	"github.com/pulumi/pulumi-go-provider/infer"
	"github.com/pulumi/pulumi/sdk/v3/go/property"

	"github.com/radpanel/radpanel/infra/local/supervisor"
)

// Service is a supervised process with its configuration. See [supervisor.Spec] for what each part means.
type Service struct{}

// ServiceArgs say what it is.
type ServiceArgs struct {
	// Directory is the stack's folder.
	Directory   string            `pulumi:"directory" provider:"replaceOnChanges"`
	Name        string            `pulumi:"name" provider:"replaceOnChanges"`
	Account     string            `pulumi:"account"`
	Host        string            `pulumi:"host,optional"`
	Command     []string          `pulumi:"command"`
	Environment map[string]string `pulumi:"environment,optional"`
	// SecretEnvironment are variables whose values are not shown.
	SecretEnvironment map[string]string `pulumi:"secretEnvironment,optional" provider:"secret"`
	Files             map[string]string `pulumi:"files,optional"`
	// SecretFiles are files whose text is not shown.
	SecretFiles map[string]string `pulumi:"secretFiles,optional" provider:"secret"`
	Reloadable  []string          `pulumi:"reloadable,optional"`
	Check       []string          `pulumi:"check,optional"`
	// Folders gives the permissions by the path in the service's folder, in octal.
	Folders map[string]string `pulumi:"folders,optional"`
	// Links gives the absolute paths that links in the service's folder lead to at first.
	Links       map[string]string `pulumi:"links,optional"`
	StopSignal  string            `pulumi:"stopSignal"`
	StopSeconds int               `pulumi:"stopSeconds"`
	PIDFiles    []string          `pulumi:"pidFiles,optional"`
	Requires    []string          `pulumi:"requires,optional"`
	Ready       Probe             `pulumi:"ready"`
	Secrets     []string          `pulumi:"secrets,optional" provider:"secret"`
}

// Probe is how to ask whether it is ready. See [supervisor.Probe].
type Probe struct {
	Kind     string `pulumi:"kind"`
	Address  string `pulumi:"address"`
	User     string `pulumi:"user,optional"`
	Database string `pulumi:"database,optional"`
	Path     string `pulumi:"path,optional"`
	Body     string `pulumi:"body,optional"`
	Seconds  int    `pulumi:"seconds"`
}

// ServiceState is the service as it is.
type ServiceState struct {
	ServiceArgs
	// Generation is the digest of the configuration in force.
	Generation string `pulumi:"generation"`
	Running    bool   `pulumi:"running"`
}

// Create starts the service and waits until it is ready. If it does not get ready, nothing of it stays.
func (Service) Create(ctx context.Context, request infer.CreateRequest[ServiceArgs]) (infer.CreateResponse[ServiceState], error) {
	state, err := applyService(ctx, request.Inputs, request.DryRun)
	return infer.CreateResponse[ServiceState]{ID: request.Inputs.Name, Output: state}, err
}

// Update changes the service with as little disturbance as that takes. If the changed one does not get ready, it goes
// on as it was.
func (Service) Update(ctx context.Context, request infer.UpdateRequest[ServiceArgs, ServiceState]) (infer.UpdateResponse[ServiceState], error) {
	state, err := applyService(ctx, request.Inputs, request.DryRun)
	return infer.UpdateResponse[ServiceState]{Output: state}, err
}

func applyService(ctx context.Context, args ServiceArgs, dryRun bool) (ServiceState, error) {
	state := ServiceState{ServiceArgs: args, Running: true}
	if dryRun {
		return state, nil
	}
	stack, err := supervisor.Open(args.Directory)
	if err != nil {
		return state, err
	}
	spec, err := args.spec()
	if err != nil {
		return state, err
	}
	state.Generation, err = stack.Apply(ctx, spec)
	return state, err
}

func (args ServiceArgs) spec() (supervisor.Spec, error) {
	files, environment := map[string]string{}, map[string]string{}
	maps.Copy(files, args.Files)
	maps.Copy(files, args.SecretFiles)
	maps.Copy(environment, args.Environment)
	maps.Copy(environment, args.SecretEnvironment)
	folders := map[string]fs.FileMode{}
	var errs []error
	for name, permissions := range args.Folders {
		mode, err := strconv.ParseUint(permissions, 8, 9)
		if err != nil {
			errs = append(errs, fmt.Errorf("folder %s: permissions %q: expected octal such as 0700", name, permissions))
		}
		folders[name] = fs.FileMode(mode)
	}
	return supervisor.Spec{
		Name:        args.Name,
		Account:     supervisor.Account(args.Account),
		Host:        args.Host,
		Command:     args.Command,
		Environment: environment,
		Files:       files,
		Reloadable:  args.Reloadable,
		Check:       args.Check,
		Folders:     folders,
		Links:       args.Links,
		StopSignal:  args.StopSignal,
		StopTimeout: time.Duration(args.StopSeconds) * time.Second,
		PIDFiles:    args.PIDFiles,
		Requires:    args.Requires,
		Ready: supervisor.Probe{
			Kind: supervisor.ProbeKind(args.Ready.Kind), Address: args.Ready.Address,
			User: args.Ready.User, Database: args.Ready.Database,
			Path: args.Ready.Path, Body: args.Ready.Body, Timeout: time.Duration(args.Ready.Seconds) * time.Second,
		},
		Secrets: args.Secrets,
	}, errors.Join(errs...)
}

// Read tells whether the service runs as it was applied.
func (Service) Read(ctx context.Context, request infer.ReadRequest[ServiceArgs, ServiceState]) (infer.ReadResponse[ServiceArgs, ServiceState], error) {
	state := request.State
	drift, err := state.drift(ctx)
	state.Running = drift == ""
	return infer.ReadResponse[ServiceArgs, ServiceState]{ID: request.ID, Inputs: request.Inputs, State: state}, err
}

// Delete stops the service and removes its configuration. What it keeps in its folder, and its log, stay.
func (Service) Delete(ctx context.Context, request infer.DeleteRequest[ServiceState]) (infer.DeleteResponse, error) {
	stack, err := supervisor.Open(request.State.Directory)
	if err != nil {
		return infer.DeleteResponse{}, err
	}
	return infer.DeleteResponse{}, stack.RemoveService(ctx, request.State.Name)
}

func serviceDrift(ctx context.Context, state property.Map) (string, error) {
	known, err := decode[ServiceState](state)
	if err != nil {
		return "", err
	}
	if !known.Running {
		return "it did not run when it was last looked at", nil
	}
	return known.drift(ctx)
}

// drift tells in what the machine differs from the state.
func (known ServiceState) drift(ctx context.Context) (string, error) {
	stack, err := supervisor.Open(known.Directory)
	if err != nil {
		return "", err
	}
	spec, err := known.spec()
	if err != nil {
		return "", err
	}
	digest, err := stack.Digest(spec)
	if errors.Is(err, fs.ErrNotExist) {
		return "its stack is gone", nil
	}
	if err != nil {
		return "", err
	}
	if digest != known.Generation {
		return "this version starts it in another way", nil
	}
	return stack.Drift(ctx, known.Name, known.Generation)
}
