package supervisor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// WriteFile writes a file so that it is there whole or not at all, whatever happens meanwhile. Where the caller may, it gives
// the file to its owner.
func WriteFile(path string, content []byte, mode fs.FileMode, owner Identity) error {
	temporary, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return DiskError(path, err)
	}
	defer func() { _ = os.Remove(temporary.Name()) }() // Gone already if all went well.
	_, err = temporary.Write(content)
	err = errors.Join(err, temporary.Chmod(mode))
	if Privileged() {
		err = errors.Join(err, temporary.Chown(owner.UID, owner.GID))
	}
	err = errors.Join(err, temporary.Sync(), temporary.Close())
	if err == nil {
		err = os.Rename(temporary.Name(), path)
	}
	return DiskError(path, err)
}

// writeChanged writes a file if it is not yet as it should be.
func writeChanged(path string, content []byte, mode fs.FileMode) error {
	info, err := os.Lstat(path)
	if err == nil && info.Mode() == mode {
		if present, err := os.ReadFile(path); err == nil && string(present) == string(content) { //nolint:gosec // The path is the stack's own.
			return nil
		}
	}
	return WriteFile(path, content, mode, Caller())
}

// MakeFolder makes a folder, or gives the one that is there the mode and the owner that it should have.
func MakeFolder(path string, mode fs.FileMode, owner Identity) error {
	if err := os.Mkdir(path, mode); err != nil && !errors.Is(err, fs.ErrExist) {
		return DiskError(path, err)
	}
	info, err := os.Lstat(path)
	if err != nil {
		return DiskError(path, err)
	}
	if !info.IsDir() {
		return fmt.Errorf("%s: expected a folder, found a %s; move it away and run up again", path, kind(info))
	}
	if info.Mode().Perm() != mode.Perm() {
		if err := os.Chmod(path, mode); err != nil {
			return DiskError(path, err)
		}
	}
	if present := info.Sys().(*syscall.Stat_t); Privileged() && (int(present.Uid) != owner.UID || int(present.Gid) != owner.GID) {
		return DiskError(path, os.Chown(path, owner.UID, owner.GID))
	}
	return nil
}

func kind(info fs.FileInfo) string {
	switch {
	case info.Mode().IsRegular():
		return "file"
	case info.Mode()&fs.ModeSymlink != 0:
		return "link"
	default:
		return "special file"
	}
}

// DiskError says of an error on a full disk which disk it is and what to do. It gives other errors, and nil, as they
// are.
func DiskError(path string, err error) error {
	if !errors.Is(err, syscall.ENOSPC) && !errors.Is(err, syscall.EDQUOT) {
		return err
	}
	left := "no space"
	var stat syscall.Statfs_t
	if statErr := syscall.Statfs(filepath.Dir(path), &stat); statErr == nil {
		left = fmt.Sprintf("%d MiB", int64(stat.Bavail)*stat.Bsize>>20) //nolint:gosec // No disk has 2^63 blocks.
		if stat.Files > 0 && stat.Ffree == 0 {
			left = "no room for more files"
		}
	}
	return fmt.Errorf("the disk of %s is full (%s left): free some space there and run up again: %w", filepath.Dir(path), left, err)
}

// DiskSpace gives the size of the disk of a folder, and what is left of it for the caller, in bytes. If the folder does
// not exist, it is the disk of the nearest folder above it that does.
func DiskSpace(folder string) (size, free int64, err error) {
	for {
		var stat syscall.Statfs_t
		err := syscall.Statfs(folder, &stat)
		if err == nil {
			return int64(stat.Blocks) * stat.Bsize, int64(stat.Bavail) * stat.Bsize, nil //nolint:gosec // No disk has 2^63 bytes.
		}
		if !errors.Is(err, fs.ErrNotExist) || folder == "/" {
			return 0, 0, fmt.Errorf("disk of %s: %w", folder, err)
		}
		folder = filepath.Dir(folder)
	}
}

// ownerOf gives the user id that a file belongs to.
func ownerOf(info fs.FileInfo) int { return int(info.Sys().(*syscall.Stat_t).Uid) }
