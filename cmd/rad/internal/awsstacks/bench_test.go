// Package awsstacks tests the AWS target under the real engine, with a stand-in for the cloud. It is beside the engine of rad
// for the Pulumi command line that rad finds, and apart from it because AWS's SDK takes minutes to compile.
package awsstacks

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/auto"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/events"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optpreview"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optup"
	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/common/util/rpcutil"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"

	"github.com/radpanel/radpanel/cmd/rad/internal/pulumicli/pulumiclitest"
	"github.com/radpanel/radpanel/infra"
	"github.com/radpanel/radpanel/infra/aws"
	"github.com/radpanel/radpanel/infra/aws/awstest"
	"github.com/radpanel/radpanel/stacks"
)

// The images that the cloud of these tests has.
const (
	image = "debian-12-arm64-20260210-2384"
	newer = "debian-12-arm64-20260301-2400"
)

// bench is one Pulumi stack, and a cloud of its own.
type bench struct {
	*testing.T
	cloud *awstest.Cloud
	stack auto.Stack
	// config is the stack's, and release the content of what is deployed.
	config  map[string]string
	release string
	// home is the folder that the engine has for itself, state the file that it keeps what it knows in.
	home, state string
}

// newBench makes a stack of any name, whose tier is a key of its configuration.
func newBench(t *testing.T, tier stacks.Tier) *bench {
	t.Helper()
	t.Parallel()
	cloud, err := awstest.New(image, newer)
	require.NoError(t, err)
	b := &bench{T: t, cloud: cloud, home: t.TempDir()}
	require.NoError(t, os.MkdirAll(filepath.Join(b.home, "bin"), 0o700))
	require.NoError(t, os.MkdirAll(filepath.Join(b.home, "state"), 0o700))
	require.NoError(t, os.Symlink(pulumiclitest.Find(t).Path, filepath.Join(b.home, "bin", "pulumi")))
	b.open("production", tier)
	return b
}

// beside makes another stack of the same project in the same cloud.
func (b *bench) beside(name string, tier stacks.Tier) *bench {
	b.Helper()
	other := &bench{T: b.T, cloud: b.cloud, home: b.home}
	other.open(name, tier)
	return other
}

func (b *bench) open(name string, tier stacks.Tier) {
	b.Helper()
	b.config = map[string]string{"tier": string(tier), "ami": image, "acknowledgeCost": "1000"}
	b.release = "first"
	b.state = filepath.Join(b.home, "state", ".pulumi", "stacks", "rad-panel", name+".json")
	command, err := auto.NewPulumiCommand(&auto.PulumiCommandOptions{Root: b.home})
	require.NoError(b, err)
	b.stack, err = auto.NewStackInlineSource(b.Context(), name, "rad-panel", b.program(b.home),
		auto.WorkDir(b.TempDir()), auto.Pulumi(command), auto.PulumiHome(filepath.Join(b.home, "pulumi")), auto.EnvVars(map[string]string{
			"PULUMI_BACKEND_URL":                          "file://" + filepath.Join(b.home, "state"),
			"PULUMI_CONFIG_PASSPHRASE":                    "of the test",
			"PULUMI_DEBUG_PROVIDERS":                      b.serve(),
			"PULUMI_SKIP_UPDATE_CHECK":                    "true",
			"PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
		}))
	require.NoError(b, err)
}

// serve serves the cloud's providers until the test ends, and gives their addresses.
func (b *bench) serve() string {
	b.Helper()
	var addresses []string
	for _, name := range []string{"aws", "random"} {
		stop := make(chan bool)
		handle, err := rpcutil.ServeWithOptions(rpcutil.ServeOptions{Cancel: stop, Init: func(server *grpc.Server) error {
			pulumirpc.RegisterResourceProviderServer(server, b.cloud.Provider())
			return nil
		}})
		require.NoError(b, err)
		b.Cleanup(func() {
			close(stop)
			assert.NoError(b, <-handle.Done)
		})
		addresses = append(addresses, fmt.Sprintf("%s:%d", name, handle.Port))
	}
	return strings.Join(addresses, ",")
}

func (b *bench) program(folder string) pulumi.RunFunc {
	return func(ctx *pulumi.Context) error {
		stack, err := stacks.Load(ctx.Stack(), b.config)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(folder, aws.ReleaseFile), []byte(b.release), 0o600); err != nil {
			return err
		}
		return infra.Deploy(ctx, stack, infra.Options{}, infra.Target{
			Name: stacks.AWS, Deploy: func(ctx *pulumi.Context, stack stacks.Stack) error {
				return aws.Deploy(ctx, stack, aws.Options{ReleaseFolder: folder})
			},
		})
	}
}

// steps are what an operation does, or would do: of each resource that changes, by its kind and name such as "Volume data-1",
// the operations.
type steps map[string][]string

// of gives what is done to a resource; empty if nothing.
func (s steps) of(resource string) string { return strings.Join(s[resource], ", ") }

// only gives the resources to which a kind of operation is done, in alphabetical order.
func (s steps) only(operation string) []string {
	var found []string
	for _, resource := range slices.Sorted(maps.Keys(s)) {
		if slices.Contains(s[resource], operation) {
			found = append(found, resource)
		}
	}
	return found
}

func (b *bench) preview() (steps, error) {
	b.Helper()
	return b.gather(func(stream chan<- events.EngineEvent) error {
		_, err := b.stack.Preview(b.Context(), optpreview.EventStreams(stream), optpreview.SuppressOutputs(), optpreview.SuppressProgress())
		return err
	})
}

func (b *bench) tryUp(options ...optup.Option) (steps, error) {
	b.Helper()
	return b.gather(func(stream chan<- events.EngineEvent) error {
		_, err := b.stack.Up(b.Context(), append(options, optup.EventStreams(stream), optup.SuppressOutputs(), optup.SuppressProgress())...)
		return err
	})
}

// up asserts that what is done is what the preview said.
func (b *bench) up() steps {
	b.Helper()
	foreseen, err := b.preview()
	require.NoError(b, err)
	done, err := b.tryUp()
	require.NoError(b, err)
	assert.Equal(b, foreseen, done, "the preview said what was done")
	return done
}

// apply brings the stack up, for tests of what comes after.
func (b *bench) apply() {
	b.Helper()
	_, err := b.tryUp()
	require.NoError(b, err)
}

func (b *bench) gather(operation func(chan<- events.EngineEvent) error) (steps, error) {
	stream := make(chan events.EngineEvent)
	gathered := make(chan steps)
	go func() {
		found := steps{}
		for event := range stream {
			if event.ResourcePreEvent != nil {
				found.add(event.ResourcePreEvent.Metadata)
			}
		}
		gathered <- found
	}()
	err := operation(stream)
	return <-gathered, err
}

func (s steps) add(step apitype.StepEventMetadata) {
	if step.Op == apitype.OpSame || step.Op == apitype.OpRead || step.Op == apitype.OpRefresh {
		return
	}
	if step.Type == "pulumi:providers:pulumi" { // The engine's own, by which it reads other stacks' outputs.
		return
	}
	kind := step.Type[strings.LastIndex(step.Type, ":")+1:]
	name := kind + " " + step.URN[strings.LastIndex(step.URN, "::")+2:]
	if operation := string(step.Op); !slices.Contains(s[name], operation) {
		s[name] = append(s[name], operation)
		slices.Sort(s[name])
	}
}

// only gives the one thing of a kind that the cloud has.
func (b *bench) only(kind string) awstest.Thing {
	b.Helper()
	things := b.cloud.Things(kind)
	require.Len(b, things, 1, kind)
	return things[0]
}

// ids gives the ids of all things of a kind.
func (b *bench) ids(kind string) []string {
	var ids []string
	for _, thing := range b.cloud.Things(kind) {
		ids = append(ids, thing.ID)
	}
	return ids
}

// command runs the command line itself, for what the Automation API cannot say.
func (b *bench) command(arguments ...string) {
	b.Helper()
	workspace := b.stack.Workspace()
	var environment []string
	for name, value := range workspace.GetEnvVars() {
		environment = append(environment, name+"="+value)
	}
	environment = append(environment, "PULUMI_HOME="+workspace.PulumiHome())
	_, problem, _, err := workspace.PulumiCommand().Run(b.Context(), workspace.WorkDir(), nil, nil, nil, environment,
		append(arguments, "--stack", b.stack.Name())...)
	require.NoError(b, err, problem)
}
