package provider

import (
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
)

// mountWithFewFiles puts a disk onto a folder that has space, but takes few files.
func mountWithFewFiles(t *testing.T, folder string) func() {
	t.Helper()
	if err := syscall.Mount("tmpfs", folder, "tmpfs", 0, "size=400m,nr_inodes=200,mode=711"); err != nil {
		t.Skipf("cannot mount a small disk here (it takes root): %v", err)
	}
	return func() { assert.NoError(t, syscall.Unmount(folder, syscall.MNT_DETACH)) }
}
