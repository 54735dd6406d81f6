package cloudpreview_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/util/rpcutil"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/radpanel/radpanel/cmd/rad/internal/cli"
	"github.com/radpanel/radpanel/infra"
	"github.com/radpanel/radpanel/infra/aws"
	"github.com/radpanel/radpanel/stacks"
)

// roleVariable makes the test binary something else than tests: rad itself, as an operator starts it, or what runs the program
// for the plain CLI in the place of pulumi-language-go, which would have to be had and would compile for minutes.
const roleVariable = "RAD_TEST_ROLE"

const (
	roleRad  = "rad"
	roleHost = "language-host"
)

func TestMain(m *testing.M) {
	switch os.Getenv(roleVariable) {
	case roleRad:
		os.Exit(rad())
	case roleHost:
		if err := languageHost(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func rad() int {
	folder, err := os.Getwd()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	app := &cli.App{
		Version: "v0.0.0", Stdin: strings.NewReader(""), Stdout: os.Stdout, Stderr: os.Stderr, Getenv: os.Getenv, Executable: "/nowhere/rad",
		Folder: folder, Now: time.Now,
	}
	return app.Run(context.Background(), os.Args[1:])
}

// languageHost serves the engine until that ends it.
func languageHost() error {
	handle, err := rpcutil.ServeWithOptions(rpcutil.ServeOptions{Init: func(server *grpc.Server) error {
		pulumirpc.RegisterLanguageRuntimeServer(server, &host{engine: os.Args[len(os.Args)-1]})
		return nil
	}})
	if err != nil {
		return err
	}
	fmt.Println(handle.Port)
	return <-handle.Done
}

type host struct {
	pulumirpc.UnimplementedLanguageRuntimeServer

	engine string
}

// GetPluginInfo implements the language host.
func (*host) GetPluginInfo(context.Context, *emptypb.Empty) (*pulumirpc.PluginInfo, error) {
	return &pulumirpc.PluginInfo{Version: "1.0.0"}, nil
}

// GetRequiredPlugins implements the language host.
func (*host) GetRequiredPlugins(context.Context, *pulumirpc.GetRequiredPluginsRequest) (*pulumirpc.GetRequiredPluginsResponse, error) {
	return &pulumirpc.GetRequiredPluginsResponse{}, nil
}

// Run implements the language host: it runs the program. One that fails says so on stderr, as a program of its own would.
func (h *host) Run(ctx context.Context, request *pulumirpc.RunRequest) (*pulumirpc.RunResponse, error) {
	running, err := pulumi.NewContext(ctx, pulumi.RunInfo{
		EngineAddr: h.engine, MonitorAddr: request.GetMonitorAddress(), Config: request.GetConfig(), ConfigSecretKeys: request.GetConfigSecretKeys(),
		Project: request.GetProject(), Stack: request.GetStack(), Parallel: request.GetParallel(), DryRun: request.GetDryRun(),
		Organization: request.GetOrganization(),
	})
	if err != nil {
		return nil, err
	}
	defer func() { _ = running.Close() }()
	if err := pulumi.RunWithContext(running, program); err != nil {
		return &pulumirpc.RunResponse{Error: err.Error()}, nil
	}
	return &pulumirpc.RunResponse{}, nil
}

// program is what main.go is.
func program(ctx *pulumi.Context) error {
	config := map[string]string{}
	for _, key := range stacks.Keys() {
		if value, set := ctx.GetConfig(stacks.Namespace + ":" + key.Name); set {
			config[key.Name] = value
		}
	}
	stack, err := stacks.Load(ctx.Stack(), config)
	if err != nil {
		return err
	}
	return infra.Deploy(ctx, stack, infra.Options{}, infra.Target{Name: stacks.AWS, Deploy: func(ctx *pulumi.Context, stack stacks.Stack) error {
		return aws.Deploy(ctx, stack, aws.Options{})
	}})
}
