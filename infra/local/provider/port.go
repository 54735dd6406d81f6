package provider

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"

	"github.com/pulumi/pulumi-go-provider/infer"

	"github.com/radpanel/radpanel/infra/local/supervisor"
)

// Port is a port of the loopback interface, chosen once and kept.
type Port struct {
	// chosen are the ports that were chosen in this run; nil: nobody else chooses.
	chosen *reservations
}

// reservations keep two who choose at the same time, in this process or in another one, from choosing the same port: from
// the choice until the port's service listens, the port looks free. They end with the process.
type reservations struct {
	mu   sync.Mutex
	held []net.Listener
}

// reserve tells whether nobody else has chosen the port. What it holds is a name in the network's own name space, as
// ports are: nothing is left of it in any folder.
func (r *reservations) reserve(port int) bool {
	if r == nil {
		return true
	}
	listener, err := net.Listen("unix", fmt.Sprintf("@radpanel-port-%d", port)) //nolint:noctx // It does not wait.
	if err != nil {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.held = append(r.held, listener)
	return true
}

// PortArgs say which.
type PortArgs struct {
	// Wanted is the port to use. 0: a free one.
	Wanted int `pulumi:"wanted"`
}

// PortState is the port.
type PortState struct {
	PortArgs
	Port int `pulumi:"port"`
}

// Ports are chosen below those that Linux gives to outgoing connections (from 32768), which could else take one while
// its service restarts, and above what common servers use.
const (
	firstPort = 20000
	lastPort  = 32767
)

// Create chooses the port. Whether a wanted one is free shows when its service starts, which also tells who has it.
func (p Port) Create(_ context.Context, request infer.CreateRequest[PortArgs]) (infer.CreateResponse[PortState], error) {
	state := PortState{PortArgs: request.Inputs, Port: request.Inputs.Wanted}
	if request.DryRun {
		return infer.CreateResponse[PortState]{Output: state}, nil
	}
	if state.Port == 0 {
		var err error
		if state.Port, err = p.free(); err != nil {
			return infer.CreateResponse[PortState]{}, err
		}
	}
	return infer.CreateResponse[PortState]{ID: strconv.Itoa(state.Port), Output: state}, nil
}

// Update changes to another wanted port. Wanting none in particular keeps the present one.
func (Port) Update(_ context.Context, request infer.UpdateRequest[PortArgs, PortState]) (infer.UpdateResponse[PortState], error) {
	state := PortState{PortArgs: request.Inputs, Port: request.Inputs.Wanted}
	if state.Port == 0 {
		state.Port = request.State.Port
	}
	return infer.UpdateResponse[PortState]{Output: state}, nil
}

// WireDependencies tells that a wanted port is known before it is created.
func (Port) WireDependencies(f infer.FieldSelector, args *PortArgs, state *PortState) {
	f.OutputField(&state.Wanted).DependsOn(f.InputField(&args.Wanted))
	if args.Wanted != 0 {
		f.OutputField(&state.Port).AlwaysKnown()
	} else {
		f.OutputField(&state.Port).DependsOn(f.InputField(&args.Wanted).Computed())
	}
}

func (p Port) free() (int, error) {
	for range 200 {
		port := firstPort + rand.IntN(lastPort-firstPort+1) //nolint:gosec // Any free one will do.
		if supervisor.LoopbackPortFree(port) && p.chosen.reserve(port) {
			return port, nil
		}
	}
	return 0, fmt.Errorf("no free port between %d and %d: %w", firstPort, lastPort, errors.New("200 tries failed"))
}
