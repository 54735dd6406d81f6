package supervisor

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"
)

// MountPoint gives where the disk of a folder, which need not exist yet, is mounted: the highest folder on its way up that
// is on the same disk.
func MountPoint(folder string) (string, error) {
	device := func(path string) (uint64, error) {
		var stat syscall.Stat_t
		err := syscall.Stat(path, &stat)
		return stat.Dev, err
	}
	of, err := device(folder)
	for errors.Is(err, fs.ErrNotExist) && folder != "/" {
		folder = filepath.Dir(folder)
		of, err = device(folder)
	}
	if err != nil {
		return "", fmt.Errorf("disk of %s: %w", folder, err)
	}
	for folder != "/" {
		above, err := device(filepath.Dir(folder))
		if err != nil {
			return "", fmt.Errorf("disk of %s: %w", filepath.Dir(folder), err)
		}
		if above != of {
			break
		}
		folder = filepath.Dir(folder)
	}
	return folder, nil
}
