package provider

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/pulumi/pulumi-go-provider/infer"
	"github.com/pulumi/pulumi/sdk/v3/go/property"

	"github.com/radpanel/radpanel/infra/local/supervisor"
)

// Cluster is the data folder of a PostgreSQL server: what the server calls a cluster of databases. It is made once and
// never deleted.
type Cluster struct{}

// ClusterArgs say where.
type ClusterArgs struct {
	// Directory is the stack's folder.
	Directory string `pulumi:"directory" provider:"replaceOnChanges"`
	// Service is the one whose data it is; the data folder is in the service's own folder.
	Service string `pulumi:"service" provider:"replaceOnChanges"`
	// Superuser is the role that the cluster begins with.
	Superuser string `pulumi:"superuser" provider:"replaceOnChanges"`
}

// ClusterState is the cluster.
type ClusterState struct {
	ClusterArgs
	DataFolder string `pulumi:"dataFolder"`
	// Major is the version of PostgreSQL whose data it is.
	Major int `pulumi:"major"`
	// Binaries is the folder of that version's programs.
	Binaries string `pulumi:"binaries"`
}

// Create makes the cluster, or takes up the one that is there.
func (Cluster) Create(ctx context.Context, request infer.CreateRequest[ClusterArgs]) (infer.CreateResponse[ClusterState], error) {
	state, err := applyCluster(ctx, request.Inputs, request.DryRun, true)
	return infer.CreateResponse[ClusterState]{ID: state.DataFolder, Output: state}, err
}

// Update is for a cluster that is not where it was: it only says so.
func (Cluster) Update(ctx context.Context, request infer.UpdateRequest[ClusterArgs, ClusterState]) (infer.UpdateResponse[ClusterState], error) {
	state, err := applyCluster(ctx, request.Inputs, request.DryRun, false)
	return infer.UpdateResponse[ClusterState]{Output: state}, err
}

func applyCluster(ctx context.Context, args ClusterArgs, dryRun, create bool) (ClusterState, error) {
	state := ClusterState{ClusterArgs: args}
	stack, err := supervisor.Open(args.Directory)
	if err != nil {
		return state, err
	}
	state.DataFolder = filepath.Join(stack.Folder(args.Service), "data")
	present, err := clusterMajor(state.DataFolder)
	if err != nil {
		return state, err
	}
	if present == 0 && !create {
		return state, fmt.Errorf("the data of PostgreSQL is gone: %s is not there any more. Put it back from a backup; or, if it was "+
			"removed on purpose, remove the stack (rad down --purge) and run up again", state.DataFolder)
	}
	state.Major, state.Binaries, err = chooseBinaries(present, state.DataFolder, binariesByMajor())
	if err != nil || dryRun {
		return state, err
	}
	id, err := stack.Identity(supervisor.Postgres)
	if err != nil {
		return state, err
	}
	if present != 0 {
		return state, checkOwner(state.DataFolder, id)
	}
	return state, initialize(ctx, stack, state, id)
}

// clusterMajor gives the version of PostgreSQL that a data folder belongs to; 0 if there is none.
func clusterMajor(folder string) (int, error) {
	raw, err := os.ReadFile(filepath.Join(folder, "PG_VERSION")) //nolint:gosec // The path is the stack's own.
	if errors.Is(err, fs.ErrNotExist) {
		entries, err := os.ReadDir(folder)
		if errors.Is(err, fs.ErrNotExist) {
			return 0, nil
		}
		if err != nil {
			return 0, fmt.Errorf("data of PostgreSQL: %w", err)
		}
		if len(entries) > 0 {
			return 0, fmt.Errorf("%s holds something, but not the data of PostgreSQL (PG_VERSION is missing): move it away and run up again", folder)
		}
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("data of PostgreSQL: %w", err)
	}
	major, err := strconv.Atoi(strings.TrimSpace(string(raw)))
	if err != nil {
		return 0, fmt.Errorf("%s/PG_VERSION says %q: expected a number", folder, strings.TrimSpace(string(raw)))
	}
	return major, nil
}

// binariesByMajor finds the versions of PostgreSQL that are installed, where Debian's packages put them.
func binariesByMajor() map[int]string {
	found := map[int]string{}
	programs, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres") // The pattern is valid.
	for _, program := range programs {
		folder := filepath.Dir(program)
		if major, err := strconv.Atoi(filepath.Base(filepath.Dir(folder))); err == nil {
			found[major] = folder
		}
	}
	return found
}

// chooseBinaries gives the programs for a data folder: of its own version, or the newest for a new one.
func chooseBinaries(present int, folder string, installed map[int]string) (int, string, error) {
	majors := slices.Sorted(maps.Keys(installed))
	switch {
	case len(majors) == 0:
		return 0, "", errors.New("PostgreSQL is not installed: it comes with the Debian package postgresql (apt-get install postgresql)")
	case present == 0:
		newest := majors[len(majors)-1]
		return newest, installed[newest], nil
	case installed[present] == "":
		return 0, "", fmt.Errorf("%s holds data of PostgreSQL %d, but installed is only version %s: install the Debian package "+
			"postgresql-%d, or move the data to another version with pg_upgrade", folder, present, joinNumbers(majors), present)
	default:
		return present, installed[present], nil
	}
}

func joinNumbers(numbers []int) string {
	texts := make([]string, len(numbers))
	for i, n := range numbers {
		texts[i] = strconv.Itoa(n)
	}
	return strings.Join(texts, " and ")
}

func checkOwner(folder string, id supervisor.Identity) error {
	info, err := os.Stat(folder)
	if err != nil {
		return fmt.Errorf("data of PostgreSQL: %w", err)
	}
	if owner := int(info.Sys().(*syscall.Stat_t).Uid); owner != id.UID {
		return fmt.Errorf("%s belongs to the user with id %d, but PostgreSQL would run as %d: run as the user who made the stack, "+
			"or give the folder to that user with chown -R", folder, owner, id.UID)
	}
	return nil
}

// initializeTimeout is how long initdb may take; on an SSD it is about a second.
const initializeTimeout = 2 * time.Minute

// initialize makes the cluster aside and then puts it in place: a data folder is whole or not there.
func initialize(ctx context.Context, stack supervisor.Stack, state ClusterState, id supervisor.Identity) error {
	if err := checkSpace(state.Directory); err != nil {
		return err
	}
	if err := supervisor.MakeFolder(stack.Folder(state.Service), 0o711, supervisor.Caller()); err != nil {
		return err
	}
	left, _ := filepath.Glob(state.DataFolder + ".new-*") // The pattern is valid.
	for _, folder := range left {
		_ = os.RemoveAll(folder) // What an interrupted one left. If it is still being written to, the next up removes it.
	}
	aside, err := os.MkdirTemp(stack.Folder(state.Service), "data.new-")
	if err != nil {
		return supervisor.DiskError(state.DataFolder, err)
	}
	if err := supervisor.MakeFolder(aside, 0o700, id); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, initializeTimeout)
	defer cancel()
	initdb := exec.CommandContext(ctx, filepath.Join(state.Binaries, "initdb"), //nolint:gosec // Found where Debian puts it.
		"--pgdata="+aside, "--username="+state.Superuser, "--encoding=UTF8", "--locale=C.UTF-8", "--data-checksums",
		"--auth-local=peer", "--auth-host=scram-sha-256", "--no-instructions")
	initdb.SysProcAttr = supervisor.Credential(id)
	if initdb.SysProcAttr == nil {
		initdb.SysProcAttr = &syscall.SysProcAttr{}
	}
	// It ends with this process, and so that this holds, with this thread.
	initdb.SysProcAttr.Pdeathsig = syscall.SIGKILL
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	initdb.Dir = stack.Folder(state.Service)
	initdb.Env = []string{"PATH=" + state.Binaries + ":/usr/bin:/bin", "LANG=C.UTF-8"}
	if out, err := initdb.CombinedOutput(); err != nil {
		err = fmt.Errorf("initdb: %w: %s", errors.Join(err, ctx.Err()), strings.TrimSpace(string(out)))
		if strings.Contains(string(out), "No space left on device") {
			err = supervisor.DiskError(aside, fmt.Errorf("%w: %w", syscall.ENOSPC, err))
		}
		return errors.Join(err, os.RemoveAll(aside))
	}
	if err := os.Remove(state.DataFolder); err != nil && !errors.Is(err, fs.ErrNotExist) { // Empty, as clusterMajor saw.
		return fmt.Errorf("data of PostgreSQL: %w", err)
	}
	return supervisor.DiskError(aside, os.Rename(aside, state.DataFolder))
}

func clusterDrift(_ context.Context, state property.Map) (string, error) {
	known, err := decode[ClusterState](state)
	if err != nil {
		return "", err
	}
	major, err := clusterMajor(known.DataFolder)
	if err != nil {
		return "", err
	}
	if major == 0 {
		return "its data folder is gone", nil
	}
	if _, err := os.Stat(filepath.Join(known.Binaries, "postgres")); err != nil || major != known.Major {
		return "its programs are not where they were", nil //nolint:nilerr // That they are gone is the drift.
	}
	return "", nil
}
