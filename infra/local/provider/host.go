package provider

import (
	"context"
	"fmt"

	p "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi-go-provider/infer"
	"github.com/pulumi/pulumi/sdk/v3/go/property"

	"github.com/radpanel/radpanel/infra/local/supervisor"
)

// Host is the place where a stack runs: its folder, and the supervisor of its services.
type Host struct{}

// HostArgs say where.
type HostArgs struct {
	// Directory is the stack's folder, absolute.
	Directory string `pulumi:"directory" provider:"replaceOnChanges"`
	// Services are the names of those that will run here.
	Services []string `pulumi:"services"`
	// Limits are those of the blueprint's hosts, where this machine allows limits.
	Limits []Limit `pulumi:"limits,optional"`
}

// Limit is what the services of one host may use together. See [supervisor.Limit].
type Limit struct {
	Host   string `pulumi:"host"`
	CPU    int    `pulumi:"cpu"`
	Memory int    `pulumi:"memory"`
}

func (args HostArgs) limits() []supervisor.Limit {
	var limits []supervisor.Limit
	for _, l := range args.Limits {
		limits = append(limits, supervisor.Limit{Host: l.Host, CPU: l.CPU, Memory: int64(l.Memory)})
	}
	return limits
}

// HostState is a host as it is.
type HostState struct {
	HostArgs
	Running bool `pulumi:"running"`
}

// leastSpace is what must be free on the disk before a stack is made: PostgreSQL's first files take about 40 MB, its
// log 16 MB and soon more, and a full disk stops everything.
const leastSpace = 256 << 20

// checkSpace tells by its error if the disk of a stack's folder has less than leastSpace left.
func checkSpace(directory string) error {
	_, free, err := supervisor.DiskSpace(directory)
	if err == nil && free < leastSpace {
		err = fmt.Errorf("the disk of %s has %d MiB left, at least %d MiB are needed: free some space there, or choose "+
			"another state folder", directory, free>>20, leastSpace>>20)
	}
	return err
}

// Create makes the folder and starts the supervisor. What is there already is adopted.
func (Host) Create(ctx context.Context, request infer.CreateRequest[HostArgs]) (infer.CreateResponse[HostState], error) {
	state, err := applyHost(ctx, request.Inputs, request.DryRun)
	return infer.CreateResponse[HostState]{ID: request.Inputs.Directory, Output: state}, err
}

// Update adds places for new services, and starts the supervisor if it does not run.
func (Host) Update(ctx context.Context, request infer.UpdateRequest[HostArgs, HostState]) (infer.UpdateResponse[HostState], error) {
	state, err := applyHost(ctx, request.Inputs, request.DryRun)
	return infer.UpdateResponse[HostState]{Output: state}, err
}

func applyHost(ctx context.Context, args HostArgs, dryRun bool) (HostState, error) {
	state := HostState{HostArgs: args, Running: true}
	stack, err := supervisor.Open(args.Directory)
	if err != nil {
		return state, err
	}
	if !stack.Running() {
		if err := checkSpace(args.Directory); err != nil {
			return state, err
		}
	}
	if dryRun {
		return state, nil
	}
	if err := stack.Prepare(args.Services); err != nil {
		return state, err
	}
	if err := stack.SetLimits(args.limits()); err != nil {
		p.GetLogger(ctx).Infof("the services run without limits of memory and CPU: %v", err)
	}
	return state, stack.Start(ctx)
}

// Read tells whether the supervisor runs.
func (Host) Read(ctx context.Context, request infer.ReadRequest[HostArgs, HostState]) (infer.ReadResponse[HostArgs, HostState], error) {
	state := request.State
	stack, err := supervisor.Open(request.ID)
	if err != nil {
		return infer.ReadResponse[HostArgs, HostState]{}, err
	}
	state.Running = stack.Running()
	return infer.ReadResponse[HostArgs, HostState]{ID: request.ID, Inputs: request.Inputs, State: state}, ctx.Err()
}

// Delete stops everything that runs. The folder stays, with the data in it.
func (Host) Delete(ctx context.Context, request infer.DeleteRequest[HostState]) (infer.DeleteResponse, error) {
	stack, err := supervisor.Open(request.ID)
	if err != nil {
		return infer.DeleteResponse{}, err
	}
	return infer.DeleteResponse{}, stack.Stop(ctx, nil)
}

func hostDrift(_ context.Context, state property.Map) (string, error) {
	args, err := decode[HostArgs](state)
	if err != nil {
		return "", err
	}
	stack, err := supervisor.Open(args.Directory)
	if err != nil {
		return "", err
	}
	prepared, err := stack.Prepared(args.Services)
	switch {
	case err != nil:
		return "", err
	case !prepared:
		return "its folder is not as this version makes it", nil
	case !stack.Limited(args.limits()):
		return "its control groups are gone", nil
	case !stack.Running():
		return "its supervisor does not run", nil
	}
	return "", nil
}
