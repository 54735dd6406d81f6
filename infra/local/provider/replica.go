package provider

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/pulumi/pulumi-go-provider/infer"
	"github.com/pulumi/pulumi/sdk/v3/go/property"

	"github.com/radpanel/radpanel/infra/local/supervisor"
	"github.com/radpanel/radpanel/infra/postgresql"
)

// Replica is the data folder of a PostgreSQL server that follows another. It is a copy: when it is lost, or cannot follow
// any more, it is made again.
type Replica struct{}

// ReplicaArgs say of what.
type ReplicaArgs struct {
	// Directory is the stack's folder.
	Directory string `pulumi:"directory" provider:"replaceOnChanges"`
	// Service is the one whose data it is; the data folder is in the service's own folder.
	Service string `pulumi:"service" provider:"replaceOnChanges"`
	// Binaries is the folder of the primary's programs.
	Binaries string `pulumi:"binaries"`
	// Socket is the primary's, Slot keeps what the replica has not got yet.
	Socket string `pulumi:"socket"`
	Slot   string `pulumi:"slot" provider:"replaceOnChanges"`
	// Superuser may look at the slot and make it, without a password.
	Superuser string `pulumi:"superuser"`
	// User may replicate, with the password.
	User     string `pulumi:"user"`
	Password string `pulumi:"password" provider:"secret"`
}

// ReplicaState is the data folder.
type ReplicaState struct {
	ReplicaArgs
	DataFolder string `pulumi:"dataFolder"`
}

// Create copies the primary, or takes up the copy that is there.
func (Replica) Create(ctx context.Context, request infer.CreateRequest[ReplicaArgs]) (infer.CreateResponse[ReplicaState], error) {
	state, err := applyReplica(ctx, request.Inputs, request.DryRun)
	return infer.CreateResponse[ReplicaState]{ID: state.DataFolder, Output: state}, err
}

// Update copies the primary again if the copy is lost or cannot follow any more.
func (Replica) Update(ctx context.Context, request infer.UpdateRequest[ReplicaArgs, ReplicaState]) (infer.UpdateResponse[ReplicaState], error) {
	state, err := applyReplica(ctx, request.Inputs, request.DryRun)
	return infer.UpdateResponse[ReplicaState]{Output: state}, err
}

func applyReplica(ctx context.Context, args ReplicaArgs, dryRun bool) (ReplicaState, error) {
	state := ReplicaState{ReplicaArgs: args}
	stack, err := supervisor.Open(args.Directory)
	if err != nil {
		return state, err
	}
	state.DataFolder = filepath.Join(stack.Folder(args.Service), "data")
	if dryRun {
		return state, nil
	}
	reason, err := state.lost(ctx)
	if err != nil {
		return state, err
	}
	if reason == "" {
		return state, args.keepSlot(ctx, false)
	}
	if err := stack.StopService(ctx, args.Service); err != nil {
		return state, err
	}
	if err := args.keepSlot(ctx, true); err != nil {
		return state, err
	}
	return state, state.copy(ctx, stack)
}

// lost tells why the copy is of no use, "" if it is of use.
func (state ReplicaState) lost(ctx context.Context) (string, error) {
	_, err := os.Stat(filepath.Join(state.DataFolder, "standby.signal"))
	if errors.Is(err, fs.ErrNotExist) {
		return "it is not there", nil
	}
	if err != nil {
		return "", fmt.Errorf("replica: %w", err)
	}
	status, err := state.slotStatus(ctx)
	switch {
	case err != nil:
		return "", nil //nolint:nilerr // A primary that does not answer is not the replica's problem.
	case status == "":
		return "the primary does not know it any more", nil
	case status == "lost":
		return "the primary has not kept what it lacks", nil
	default:
		return "", nil
	}
}

func (args ReplicaArgs) database() postgresql.Database {
	return postgresql.Database{Socket: args.Socket, Superuser: args.Superuser}
}

func (args ReplicaArgs) slotStatus(ctx context.Context) (status string, err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	server, err := args.database().Connect(ctx, "postgres")
	if err != nil {
		return "", err
	}
	defer func() { _ = server.Close(context.WithoutCancel(ctx)) }()
	err = server.QueryRow(ctx, "SELECT coalesce((SELECT coalesce(wal_status, 'reserved') FROM pg_replication_slots WHERE slot_name = $1), '')", args.Slot).Scan(&status)
	return status, err
}

// keepSlot makes the slot, anew if the copy is.
func (args ReplicaArgs) keepSlot(ctx context.Context, anew bool) error {
	ctx, cancel := context.WithTimeout(ctx, postgresql.Timeout)
	defer cancel()
	server, err := args.database().Connect(ctx, "postgres")
	if err != nil {
		return err
	}
	defer func() { _ = server.Close(context.WithoutCancel(ctx)) }()
	if anew {
		_, err := server.Exec(ctx, "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = $1 AND NOT active", args.Slot)
		if err != nil {
			return fmt.Errorf("slot %s: %w", args.Slot, err)
		}
	}
	_, err = server.Exec(ctx, "SELECT pg_create_physical_replication_slot($1, true) WHERE NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = $1)", args.Slot)
	if err != nil {
		return fmt.Errorf("slot %s: %w", args.Slot, err)
	}
	return nil
}

// copyTimeout is how long the copy may take: 100 GB at 100 MB/s.
const copyTimeout = 20 * time.Minute

// copy makes the copy aside and then puts it in place. The server on the old one is stopped.
func (state ReplicaState) copy(ctx context.Context, stack supervisor.Stack) error {
	if err := checkSpace(state.Directory); err != nil {
		return err
	}
	id, err := stack.Identity(supervisor.Postgres)
	if err != nil {
		return err
	}
	folder := stack.Folder(state.Service)
	if err := supervisor.MakeFolder(folder, 0o711, supervisor.Caller()); err != nil {
		return err
	}
	left, _ := filepath.Glob(state.DataFolder + ".new-*") // The pattern is valid.
	for _, old := range left {
		_ = os.RemoveAll(old) // What an interrupted one left.
	}
	aside, err := os.MkdirTemp(folder, "data.new-")
	if err != nil {
		return supervisor.DiskError(state.DataFolder, err)
	}
	if err := supervisor.MakeFolder(aside, 0o700, id); err != nil {
		return err
	}
	if err := state.baseBackup(ctx, aside, id); err != nil {
		return errors.Join(err, os.RemoveAll(aside))
	}
	if err := os.RemoveAll(state.DataFolder); err != nil {
		return fmt.Errorf("replica: %w", err)
	}
	return supervisor.DiskError(aside, os.Rename(aside, state.DataFolder))
}

func (state ReplicaState) baseBackup(ctx context.Context, folder string, id supervisor.Identity) error {
	ctx, cancel := context.WithTimeout(ctx, copyTimeout)
	defer cancel()
	_, port, _ := strings.Cut(filepath.Base(state.Socket), ".s.PGSQL.")
	backup := exec.CommandContext(ctx, filepath.Join(state.Binaries, "pg_basebackup"), //nolint:gosec // Found where Debian puts it.
		"--pgdata="+folder, "--host="+filepath.Dir(state.Socket), "--port="+port, "--username="+state.User, "--no-password",
		"--slot="+state.Slot, "--wal-method=stream", "--checkpoint=fast")
	backup.SysProcAttr = supervisor.Credential(id)
	if backup.SysProcAttr == nil {
		backup.SysProcAttr = &syscall.SysProcAttr{}
	}
	// It ends with this process, and so that this holds, with this thread.
	backup.SysProcAttr.Pdeathsig = syscall.SIGTERM
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	backup.Dir = filepath.Dir(folder)
	backup.Env = []string{"PATH=" + state.Binaries + ":/usr/bin:/bin", "LANG=C.UTF-8", "PGPASSWORD=" + state.Password}
	if out, err := backup.CombinedOutput(); err != nil {
		err = fmt.Errorf("copy the primary (pg_basebackup): %w: %s", errors.Join(err, ctx.Err()), strings.TrimSpace(string(out)))
		if strings.Contains(string(out), "No space left on device") {
			err = supervisor.DiskError(folder, fmt.Errorf("%w: %w", syscall.ENOSPC, err))
		}
		return err
	}
	signal := filepath.Join(folder, "standby.signal")
	return supervisor.WriteFile(signal, nil, 0o600, id)
}

// Delete removes the copy, and has the primary keep nothing for it any more.
func (Replica) Delete(ctx context.Context, request infer.DeleteRequest[ReplicaState]) (infer.DeleteResponse, error) {
	state := request.State
	stack, err := supervisor.Open(state.Directory)
	if err != nil {
		return infer.DeleteResponse{}, err
	}
	if err := stack.StopService(ctx, state.Service); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return infer.DeleteResponse{}, err
	}
	if err := os.RemoveAll(state.DataFolder); err != nil {
		return infer.DeleteResponse{}, fmt.Errorf("replica: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, postgresql.Timeout)
	defer cancel()
	server, err := state.database().Connect(ctx, "postgres")
	if err != nil {
		return infer.DeleteResponse{}, nil
	}
	defer func() { _ = server.Close(context.WithoutCancel(ctx)) }()
	_, err = server.Exec(ctx, "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = $1 AND NOT active", state.Slot)
	return infer.DeleteResponse{}, err
}

func replicaDrift(ctx context.Context, state property.Map) (string, error) {
	known, err := decode[ReplicaState](state)
	if err != nil {
		return "", err
	}
	return known.lost(ctx)
}
