package provider

import (
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
)

// mount puts a small disk onto a folder, and gives what takes it away again.
func mount(t *testing.T, folder, options string) func() {
	t.Helper()
	if err := syscall.Mount("tmpfs", folder, "tmpfs", 0, options); err != nil {
		t.Skipf("cannot mount a small disk here (it takes root): %v", err)
	}
	return func() { assert.NoError(t, syscall.Unmount(folder, syscall.MNT_DETACH)) }
}
