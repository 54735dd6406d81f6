package local

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/radpanel/radpanel/infra/local/supervisor"
	"github.com/radpanel/radpanel/stacks"
)

// The services of a stack. People see these names.
const (
	postgresqlService = "postgresql"
	pgbouncerService  = "pgbouncer"
	panelService      = "panel"
	nginxService      = "nginx"
)

// EngineFolder is beside the stacks' folders in the state folder: the state of Pulumi's engine.
const EngineFolder = "pulumi"

// panelProgram and webFolder are what a release folder holds.
const (
	panelProgram = "radpanel"
	webFolder    = "web"
)

// ReleaseFolderVariable names the environment variable that says what Options.ReleaseFolder is.
const ReleaseFolderVariable = "RAD_RELEASE_FOLDER"

// Options say where things are on this machine.
type Options struct {
	// StateFolder is absolute; the stack lives in a folder with its name there. Empty: see [DefaultStateFolder].
	StateFolder string
	// ReleaseFolder is absolute and holds what is built: radpanel, the panel's program, and web, the folder of its front
	// end. Empty: what the environment says (see [ReleaseFolderVariable]), else bin in the project's folder.
	ReleaseFolder string
}

func (o Options) complete(ctx *pulumi.Context) (Options, error) {
	var err error
	if o.StateFolder == "" {
		if o.StateFolder, err = DefaultStateFolder(os.Getenv); err != nil {
			return o, err
		}
	}
	if o.ReleaseFolder == "" {
		o.ReleaseFolder = os.Getenv(ReleaseFolderVariable)
	}
	if o.ReleaseFolder == "" {
		o.ReleaseFolder = filepath.Join(ctx.RootDirectory(), "bin")
	}
	for _, name := range MissingFromRelease(o.ReleaseFolder) {
		err = errors.Join(err, fmt.Errorf("release: %s is missing: build it with `make build`, or set %s to the folder that holds %s and %s",
			filepath.Join(o.ReleaseFolder, name), ReleaseFolderVariable, panelProgram, webFolder))
	}
	return o, err
}

// MissingFromRelease says what a folder lacks to be a release.
func MissingFromRelease(folder string) []string {
	var missing []string
	for _, name := range []string{panelProgram, filepath.Join(webFolder, "index.html")} {
		if info, err := os.Stat(filepath.Join(folder, name)); err != nil || info.IsDir() { //nolint:gosec // The operator names the folder.
			missing = append(missing, name)
		}
	}
	return missing
}

// Stack is a tier on this machine, whole.
type Stack struct {
	pulumi.ResourceState

	// URL is where the panel is.
	URL pulumi.StringOutput `pulumi:"url"`

	stack     stacks.Stack
	directory string
}

// NewStack registers all that a stack consists of.
func NewStack(ctx *pulumi.Context, stack stacks.Stack, options Options) (*Stack, error) {
	if err := checkBuildable(stack); err != nil {
		return nil, err
	}
	if err := CheckRequirements(); err != nil {
		return nil, err
	}
	options, err := options.complete(ctx)
	if err != nil {
		return nil, err
	}
	if stack.Name == EngineFolder {
		return nil, fmt.Errorf("stack %s: in the state folder, this name belongs to the state of Pulumi's engine: choose another", stack.Name)
	}
	folder, err := supervisor.Open(StackFolder(options.StateFolder, stack.Name))
	if err != nil {
		return nil, err
	}
	site, err := newSite(stack, folder, options)
	if err != nil {
		return nil, fmt.Errorf("stack %s: %w", stack.Name, err)
	}
	s := &Stack{stack: stack, directory: folder.Directory()}
	if err := ctx.RegisterComponentResource("radpanel:local:Stack", stack.Name, s); err != nil {
		return nil, fmt.Errorf("stack %s: %w", stack.Name, err)
	}
	if site.host, err = newHost(ctx, s, site); err != nil {
		return nil, err
	}
	postgresql, err := newPostgreSQL(ctx, s, site)
	if err != nil {
		return nil, err
	}
	pooler, err := newPgBouncer(ctx, s, site, postgresql)
	if err != nil {
		return nil, err
	}
	web, err := newNginxPort(ctx, s, site)
	if err != nil {
		return nil, err
	}
	panel, err := newPanel(ctx, s, site, postgresql, web, pooler)
	if err != nil {
		return nil, err
	}
	if err := web.start(ctx, site, panel); err != nil {
		return nil, err
	}
	s.URL = web.URL
	if err := ctx.RegisterResourceOutputs(s, pulumi.Map{"url": s.URL}); err != nil {
		return nil, fmt.Errorf("stack %s: %w", stack.Name, err)
	}
	return s, nil
}

// Export gives the program's outputs.
func (s *Stack) Export(ctx *pulumi.Context) {
	ctx.Export("url", s.URL)
	ctx.Export("tier", pulumi.String(string(s.stack.Tier())))
	ctx.Export("target", pulumi.String(string(s.stack.Target)))
	ctx.Export("folder", pulumi.String(s.directory))
	ctx.Export("logs", pulumi.String(filepath.Join(s.directory, "log")))
}

// checkBuildable refuses a tier that this target cannot build whole, and names all that it lacks: half a tier would be
// taken for a whole one.
func checkBuildable(stack stacks.Stack) error {
	b := stack.Plan.Blueprint
	var lacking []string
	for _, part := range []struct {
		isAsked bool
		name    string
	}{
		{b.Cache.Memory > 0, "the cache (Redis)"},
		{b.Web.Compression, "compression at nginx"},
		{b.Database.Statistics, "statistics of queries"},
		{b.Database.Replicas > 0, "read replicas"},
		{b.Database.Shards > 1, "shards"},
		{b.Backends.Instances > 1, "more than one backend"},
		{b.Workers.Instances > 0, "workers of their own"},
		{b.Balancer != stacks.BalancerNone, "a load balancer"},
		{b.CDN != stacks.CDNNone, "a CDN"},
		{b.FileStore.Kind != stacks.FileStoreDisk, "a file store apart from the disk"},
		{b.Queue != stacks.QueueDatabase, "a message broker"},
		{b.Orchestrator != stacks.Supervisor, "Kubernetes"},
		{b.Regions > 1, "more than one region"},
	} {
		if part.isAsked {
			lacking = append(lacking, part.name)
		}
	}
	if len(lacking) > 0 {
		return fmt.Errorf("stack %s: %s on the local target needs %s, which it cannot build yet: nothing was started. "+
			"Run the mvp tier, such as stack local-mvp", stack.Name, stack.Plan.Title, strings.Join(lacking, ", "))
	}
	return nil
}
