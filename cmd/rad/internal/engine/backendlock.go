package engine

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// backendLock is a lock file of Pulumi's file backend. The backend never breaks a lock by itself: after a crash every
// command would fail until someone ran `pulumi cancel`.
type backendLock struct {
	PID       int       `json:"pid"`
	Hostname  string    `json:"hostname"`
	Timestamp time.Time `json:"timestamp"`
	path      string
}

// BusyError says that another process works on the stack.
type BusyError struct {
	Stack string
	// Holder describes that process.
	Holder string
}

// Error says who and what to do.
func (e *BusyError) Error() string {
	return fmt.Sprintf("stack %s is in use by %s: wait until it ends, or stop it, then try again", e.Stack, e.Holder)
}

// clearStaleLocks removes the locks whose process is gone and gives their number. The caller holds rad's own lock of
// the stack, so the locks are of a crashed engine or of a plain Pulumi CLI; a living one is a *BusyError.
func (h Home) clearStaleLocks(stack string) (removed int, err error) {
	locks, err := h.readLocks(stack)
	if err != nil {
		return 0, err
	}
	hostname, err := os.Hostname()
	if err != nil {
		return 0, fmt.Errorf("look for stale locks: %w", err)
	}
	for _, lock := range locks {
		if lock.Hostname != hostname {
			return removed, &BusyError{Stack: stack, Holder: fmt.Sprintf(
				"pulumi on host %s (process %d; if that host is gone, remove %s)", lock.Hostname, lock.PID, lock.path)}
		}
		if lock.alive() {
			return removed, &BusyError{Stack: stack, Holder: fmt.Sprintf(
				"pulumi (process %d, since %s)", lock.PID, lock.Timestamp.Local().Format(time.TimeOnly))}
		}
		if err := os.Remove(lock.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return removed, fmt.Errorf("remove a stale lock: %w", err)
		}
		_ = os.Remove(lock.path + ".attrs") // Written beside each file of the backend; harmless if it stays.
		removed++
	}
	return removed, nil
}

func (h Home) readLocks(stack string) ([]backendLock, error) {
	paths, err := filepath.Glob(filepath.Join(h.locksFolder(stack), "*.json"))
	if err != nil {
		return nil, fmt.Errorf("look for stale locks: %w", err)
	}
	var locks []backendLock
	for _, path := range paths {
		content, err := os.ReadFile(path) //nolint:gosec // In rad's own folder.
		if errors.Is(err, fs.ErrNotExist) {
			continue // Its holder ended in between.
		}
		if err != nil {
			return nil, fmt.Errorf("look for stale locks: %w", err)
		}
		lock := backendLock{path: path}
		if err := json.Unmarshal(content, &lock); err != nil {
			return nil, fmt.Errorf("lock %s cannot be read: %w: remove it if no pulumi runs", path, err)
		}
		locks = append(locks, lock)
	}
	return locks, nil
}

// alive tells whether the process that wrote the lock still runs. Process ids are used again: another process of
// that id started after the lock was written, or is no pulumi.
func (l backendLock) alive() bool {
	if l.PID <= 0 {
		return false
	}
	folder := filepath.Join("/proc", strconv.Itoa(l.PID))
	stat, err := os.ReadFile(filepath.Join(folder, "stat")) //nolint:gosec // A path of digits.
	if err != nil {
		return false
	}
	state := stat[min(len(stat), bytes.LastIndexByte(stat, ')')+2):]
	if bytes.HasPrefix(state, []byte("Z")) || bytes.HasPrefix(state, []byte("X")) {
		return false
	}
	command, err := os.ReadFile(filepath.Join(folder, "comm")) //nolint:gosec // A path of digits.
	return err == nil && strings.Contains(string(command), "pulumi")
}
