package supervisor

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// The commands that runsv takes, each a byte in the pipe supervise/control; see runsv(8).
const (
	commandUp     = 'u'
	commandDown   = 'd'
	commandExit   = 'x'
	commandKill   = 'k'
	commandReload = 'h'
)

// process is what runsv knows about the process that it watches.
type process struct {
	pid    int // 0: none
	since  time.Time
	wantUp bool
	// finishing says that the service ended and its finish script runs, or is about to.
	finishing bool
}

// errNotSupervised says that no runsv watches a service.
var errNotSupervised = errors.New("nothing supervises it")

// control sends a command to the runsv of a service.
func control(service string, command byte) error {
	pipe, err := os.OpenFile(filepath.Join(service, "supervise", "control"), os.O_WRONLY|syscall.O_NONBLOCK, 0) //nolint:gosec // In the folder of the stack.
	if errors.Is(err, syscall.ENXIO) || errors.Is(err, fs.ErrNotExist) {
		return errNotSupervised
	}
	if err != nil {
		return fmt.Errorf("supervisor of %s: %w", filepath.Base(service), err)
	}
	defer func() { _ = pipe.Close() }()
	if _, err := pipe.Write([]byte{command}); err != nil {
		return fmt.Errorf("supervisor of %s: %w", filepath.Base(service), err)
	}
	return nil
}

// supervised tells whether a runsv watches a service: it keeps the reading end of a pipe open.
func supervised(service string) bool {
	pipe, err := os.OpenFile(filepath.Join(service, "supervise", "ok"), os.O_WRONLY|syscall.O_NONBLOCK, 0) //nolint:gosec // In the folder of the stack.
	if err != nil {
		return false
	}
	_ = pipe.Close()
	return true
}

// statusLength is the size of supervise/status: a TAI64N time stamp of 12 bytes, the pid in 4 bytes, little end first,
// then one byte each for paused, wanted, got TERM and state.
const statusLength = 20

// taiOffset is what TAI64 puts before the seconds of 1970: 2^62 and the ten seconds between TAI and UTC at the epoch.
const taiOffset = 1<<62 + 10

// readProcess reads what runsv last wrote down. It is only true while the service is supervised.
func readProcess(service string) (process, error) {
	raw, err := os.ReadFile(filepath.Join(service, "supervise", "status")) //nolint:gosec // The path is the stack's own.
	if err != nil {
		return process{}, fmt.Errorf("status of %s: %w", filepath.Base(service), err)
	}
	if len(raw) != statusLength {
		return process{}, fmt.Errorf("status of %s: %d bytes, expected %d", filepath.Base(service), len(raw), statusLength)
	}
	seconds := int64(binary.BigEndian.Uint64(raw[:8]) - taiOffset) //nolint:gosec // The format's own arithmetic.
	return process{
		pid:       int(binary.LittleEndian.Uint32(raw[12:16])),
		since:     time.Unix(seconds, int64(binary.BigEndian.Uint32(raw[8:12]))),
		wantUp:    raw[17] == 'u',
		finishing: raw[19] == 2,
	}, nil
}

// A condition that nothing announces is looked at again soon at first, then less and less often.
const (
	firstPoll = 10 * time.Millisecond
	lastPoll  = 200 * time.Millisecond
)

// wait looks until a condition holds, its error ends it, or the context does. The error of a wait that took too long
// names what it was for.
func wait(ctx context.Context, what string, condition func() (bool, error)) error {
	delay := firstPoll
	timer := time.NewTimer(delay)
	defer timer.Stop()
	for {
		done, err := condition()
		if err != nil {
			return err
		}
		if done {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w", what, ctx.Err())
		case <-timer.C:
		}
		delay = min(delay*5/4, lastPoll)
		timer.Reset(delay)
	}
}
