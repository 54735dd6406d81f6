package local

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/radpanel/radpanel/infra/local/supervisor"
	"github.com/radpanel/radpanel/infra/machine"
	"github.com/radpanel/radpanel/stacks"
)

// The services of a stack. People see these names.
const (
	postgresqlService = "postgresql"
	pgbouncerService  = "pgbouncer"
	redisService      = "redis"
	objectsService    = "s3"
	panelService      = "panel"
	nginxService      = "nginx"
	edgeService       = "edge"

	postgresqlReplicaService = "postgresql-replica"
	pgbouncerReplicaService  = "pgbouncer-replica"
	balancerHealthService    = "balancer-health"
)

// EngineFolder is beside the stacks' folders in the state folder: the state of Pulumi's engine.
const EngineFolder = "pulumi"

// panelProgram and webFolder are what a release folder holds.
const (
	panelProgram   = "radpanel"
	webFolder      = "web"
	objectsProgram = "versitygw"
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
	// Machine is what the machine has. Zero: what is found.
	Machine machine.Resources
}

func (o Options) complete(ctx *pulumi.Context, stack stacks.Stack) (Options, error) {
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
	for _, part := range []struct {
		isAsked       bool
		program, what string
	}{
		{stack.Plan.Blueprint.FileStore.Kind == stacks.FileStoreS3, objectsProgram, "the S3 server"},
		{site{stack: stack}.hasTraces(), tracesProgram, "the store of traces"},
	} {
		if !part.isAsked {
			continue
		}
		path := filepath.Join(o.ReleaseFolder, part.program)
		if _, missing := os.Stat(path); missing != nil { //nolint:gosec // The operator names the folder.
			err = errors.Join(err, fmt.Errorf("release: %s, %s, is missing: build it with `make bin/%s`", path, part.what, part.program))
		}
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
	// Prometheus is the address of the stack's own.
	Prometheus pulumi.StringOutput `pulumi:"prometheus"`

	stack     stacks.Stack
	directory string
}

// NewStack registers all that a stack consists of.
func NewStack(ctx *pulumi.Context, stack stacks.Stack, options Options) (*Stack, error) {
	if err := checkBuildable(stack); err != nil {
		return nil, err
	}
	if err := CheckRequirements(stack.Plan.Blueprint); err != nil {
		return nil, err
	}
	options, err := options.complete(ctx, stack)
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
	if err := s.addServers(ctx, site, postgresql, pooler); err != nil {
		return nil, err
	}
	if err := ctx.RegisterResourceOutputs(s, pulumi.Map{"url": s.URL, "prometheus": s.Prometheus}); err != nil {
		return nil, fmt.Errorf("stack %s: %w", stack.Name, err)
	}
	return s, nil
}

// addServers registers what stands on the database: cache, file store, the panel's instances, and the way to them.
func (s *Stack) addServers(ctx *pulumi.Context, site site, postgresql *postgreSQL, pooler *pgBouncer) error {
	behind := parts{postgresql: postgresql, pooler: pooler}
	var err error
	if behind.replica, err = newReadReplica(ctx, s, site, postgresql, pooler); err != nil {
		return err
	}
	if behind.cache, err = newRedis(ctx, s, site); err != nil {
		return err
	}
	if behind.objects, err = newObjects(ctx, s, site); err != nil {
		return err
	}
	if behind.web, err = newNginxPort(ctx, s, site); err != nil {
		return err
	}
	watch, err := newMonitoring(ctx, s, site)
	if err != nil {
		return err
	}
	behind.prometheusPort, behind.tracesPort = watch.port, watch.tracesPort
	panels, err := newPanel(ctx, s, site, behind)
	if err != nil {
		return err
	}
	s.URL = behind.web.URL
	if err := behind.web.start(ctx, site, panels, behind.objects); err != nil {
		return err
	}
	s.Prometheus = watch.URL
	return watch.start(ctx, behind, panels)
}

// parts are what the panel's instances need.
type parts struct {
	postgresql *postgreSQL
	pooler     *pgBouncer
	web        *nginx
	// prometheusPort is where the panel finds the history of its figures.
	prometheusPort pulumi.IntOutput
	// tracesPort is where it sends its traces; 0 where the stack keeps none.
	tracesPort pulumi.IntOutput
	// replica, cache and objects are nil where the tier has none.
	replica *readReplica
	cache   *redis
	objects *objects
}

// Export gives the program's outputs.
func (s *Stack) Export(ctx *pulumi.Context) {
	ctx.Export("url", s.URL)
	ctx.Export("prometheus", s.Prometheus)
	ctx.Export("tier", pulumi.String(string(s.stack.Tier())))
	ctx.Export("target", pulumi.String(string(s.stack.Target)))
	ctx.Export("folder", pulumi.String(s.directory))
	ctx.Export("logs", pulumi.String(filepath.Join(s.directory, "log")))
}

// checkBuildable refuses a tier that this target cannot build whole, and names all that it lacks: half a tier would be
// taken for a whole one.
func checkBuildable(stack stacks.Stack) error {
	lacks := lacking(stack.Plan.Blueprint)
	if len(lacks) == 0 {
		return nil
	}
	var largest stacks.Tier
	for _, tier := range stacks.Tiers() {
		if plan, err := stacks.Plan().Tier(tier); err == nil && len(lacking(plan.Blueprint)) == 0 {
			largest = tier
		}
	}
	return fmt.Errorf("stack %s: %s on the local target needs %s, which it cannot build yet: nothing was started. "+
		"The largest tier that it builds is %s, such as stack local-%s", stack.Name, stack.Plan.Title, strings.Join(lacks, ", "), largest, largest)
}

// lacking names all that a blueprint has and this target cannot build.
func lacking(b stacks.Blueprint) []string {
	var lacks []string
	for _, part := range []struct {
		isAsked bool
		name    string
	}{
		{b.Database.Replicas > 1, "more than one read replica"},
		{b.Database.Shards > 1, "shards"},
		{b.Workers.Instances > 0, "workers of their own"},
		{b.Balancer != stacks.BalancerNone && b.Balancer != stacks.BalancerNginx, "the load balancer " + string(b.Balancer)},
		{b.CDN != stacks.CDNNone && b.CDN != stacks.CDNAssets, "a CDN for more than assets"},
		{b.FileStore.CrossRegion, "files in several regions"},
		{b.Queue != stacks.QueueDatabase, "a message broker"},
		{b.Orchestrator != stacks.Supervisor, "Kubernetes"},
		{b.Regions > 1, "more than one region"},
		{b.Monitoring.Level.Has(stacks.LogAggregation), "log aggregation"},
		{b.Monitoring.Datadog, "Datadog"},
	} {
		if part.isAsked {
			lacks = append(lacks, part.name)
		}
	}
	return lacks
}
