package filelock_test

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/cmd/rad/internal/filelock"
)

func TestASecondAcquireFailsAtOnceAndNamesTheHolder(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "deep", "stack.lock")
	first, err := filelock.Acquire(path, "rad up local-mvp")
	require.NoError(t, err)

	_, err = filelock.Acquire(path, "rad down local-mvp")
	var held *filelock.HeldError
	require.ErrorAs(t, err, &held)
	assert.Equal(t, os.Getpid(), held.Holder.PID)
	assert.Equal(t, "rad up local-mvp", held.Holder.Purpose)
	assert.True(t, held.Holder.Alive())
	assert.ErrorContains(t, err, "rad up local-mvp (process")

	require.NoError(t, first.Release())
	again, err := filelock.Acquire(path, "rad down local-mvp")
	require.NoError(t, err)
	require.NoError(t, again.Release())
}

func TestTheLockFileIsForItsOwnerAlone(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "stack.lock")
	lock, err := filelock.Acquire(path, "test")
	require.NoError(t, err)
	defer func() { assert.NoError(t, lock.Release()) }()
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
}

func TestWaitTakesTheLockWhenItIsFreed(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "stack.lock")
	first, err := filelock.Acquire(path, "first")
	require.NoError(t, err)

	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	second, err := filelock.Wait(ctx, path, "second", func(holder filelock.Holder) {
		assert.Equal(t, "first", holder.Purpose)
		assert.NoError(t, first.Release())
	})
	require.NoError(t, err)
	require.NoError(t, second.Release())
}

func TestWaitGivesUpWhenItsContextEnds(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "stack.lock")
	lock, err := filelock.Acquire(path, "first")
	require.NoError(t, err)
	defer func() { assert.NoError(t, lock.Release()) }()

	ctx, cancel := context.WithCancel(t.Context())
	_, err = filelock.Wait(ctx, path, "second", func(filelock.Holder) { cancel() })
	require.ErrorIs(t, err, context.Canceled)
	var held *filelock.HeldError
	require.ErrorAs(t, err, &held)
}

// A child that inherited the lock's file holds it after its parent released it, and the kernel frees it when the
// child is killed: this is what keeps a second rad out while the engine of a killed rad still ends.
func TestAChildHoldsTheLockUntilItIsGone(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "stack.lock")
	lock, err := filelock.Acquire(path, "parent")
	require.NoError(t, err)

	child := exec.CommandContext(t.Context(), "sh", "-c", "echo ready; exec sleep 60")
	child.ExtraFiles = []*os.File{lock.File()}
	out, err := child.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, child.Start())
	_, err = bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)

	require.NoError(t, lock.Release())
	_, err = filelock.Acquire(path, "second")
	var held *filelock.HeldError
	require.ErrorAs(t, err, &held)

	require.NoError(t, child.Process.Kill())
	require.Error(t, child.Wait())
	second, err := filelock.Acquire(path, "second")
	require.NoError(t, err)
	require.NoError(t, second.Release())
}

func TestAHolderThatIsGoneIsNotAlive(t *testing.T) {
	t.Parallel()
	child := exec.CommandContext(t.Context(), "true")
	require.NoError(t, child.Run())
	assert.False(t, filelock.Holder{PID: child.Process.Pid}.Alive())
	assert.False(t, filelock.Holder{}.Alive(), "process 0 is a process group, never a holder")
}
