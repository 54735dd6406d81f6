// Package filelock makes processes of one machine take turns at a file.
//
// A lock is an advisory flock on an open file: the kernel frees it when its last holder is gone, however it went,
// so no lock is ever left behind by a crash. The file's content tells people who holds it.
package filelock

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// retryInterval is how often Wait looks whether the lock is free. flock has no time-out of its own, and a blocking
// flock could not be given up when the context ends.
const retryInterval = 50 * time.Millisecond

// Holder says who holds a lock.
type Holder struct {
	// PID is the process that took the lock. A child that inherited the file may hold it longer.
	PID int `json:"pid"`
	// Purpose says what the lock was taken for, such as "rad up local-mvp".
	Purpose string `json:"purpose"`
	// Since is when the lock was taken.
	Since time.Time `json:"since"`
}

// String describes the holder for an error message.
func (h Holder) String() string {
	if h.PID == 0 {
		return "another process"
	}
	return fmt.Sprintf("%s (process %d, since %s)", h.Purpose, h.PID, h.Since.Local().Format(time.TimeOnly))
}

// Alive reports whether the process that took the lock still runs.
func (h Holder) Alive() bool {
	if h.PID <= 0 {
		return false
	}
	err := syscall.Kill(h.PID, 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}

// HeldError is what Acquire returns when another process holds the lock.
type HeldError struct {
	Path   string
	Holder Holder
}

// Error names the holder and the file.
func (e *HeldError) Error() string {
	return fmt.Sprintf("%s is locked by %s", e.Path, e.Holder)
}

// Lock is a lock that is held.
type Lock struct {
	file *os.File
	// shared tells that a child may hold it too.
	shared bool
}

// Acquire takes the lock at path at once, or fails with a *HeldError. Missing folders are made with mode 0700.
// Purpose is shown to whoever finds the lock taken.
func Acquire(path, purpose string) (*Lock, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of lock %s: %w", path, err)
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) //nolint:gosec // The path is the caller's own state folder.
	if err != nil {
		return nil, fmt.Errorf("open lock %s: %w", path, err)
	}
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		holder := readHolder(file)
		return nil, errors.Join(&HeldError{Path: path, Holder: holder}, file.Close())
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), file.Close())
	}
	if err := writeHolder(file, Holder{PID: os.Getpid(), Purpose: purpose, Since: time.Now()}); err != nil {
		return nil, errors.Join(fmt.Errorf("write lock %s: %w", path, err), file.Close())
	}
	return &Lock{file: file}, nil
}

// Wait takes the lock at path as soon as it is free. It calls waiting once if the lock is taken at first, and gives
// up with the context's cause when ctx ends.
func Wait(ctx context.Context, path, purpose string, waiting func(Holder)) (*Lock, error) {
	ticker := time.NewTicker(retryInterval)
	defer ticker.Stop()
	for told := false; ; {
		lock, err := Acquire(path, purpose)
		var held *HeldError
		if !errors.As(err, &held) {
			return lock, err
		}
		if !told && waiting != nil {
			waiting(held.Holder)
			told = true
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %w", err, context.Cause(ctx))
		case <-ticker.C:
		}
	}
}

// File is the open file that carries the lock. A child that is given it (exec.Cmd.ExtraFiles) holds the lock too
// until it ends.
func (l *Lock) File() *os.File {
	l.shared = true
	return l.file
}

// Release gives the lock up. The file stays: removing it would let two processes lock two files of one name.
func (l *Lock) Release() error {
	var err error
	if !l.shared {
		// Closing alone leaves it for a moment to any process that is just being started: that has all files of this one
		// until its program runs.
		err = syscall.Flock(int(l.file.Fd()), syscall.LOCK_UN)
	}
	if err := errors.Join(err, l.file.Close()); err != nil {
		return fmt.Errorf("release lock %s: %w", l.file.Name(), err)
	}
	return nil
}

// readHolder reads who holds the lock, as well as it can: the holder may be writing at this moment.
func readHolder(file *os.File) Holder {
	var holder Holder
	content, err := io.ReadAll(io.LimitReader(file, 4096))
	if err != nil || json.Unmarshal(content, &holder) != nil {
		return Holder{}
	}
	return holder
}

func writeHolder(file *os.File, holder Holder) error {
	content, err := json.Marshal(holder)
	if err != nil {
		return err
	}
	if err := file.Truncate(0); err != nil {
		return err
	}
	_, err = file.WriteAt(append(content, '\n'), 0)
	return err
}
