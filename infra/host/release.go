package host

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/radpanel/radpanel/infra/machine"
)

// releaseLimit bounds what a release unpacks to, in bytes.
const releaseLimit = 1 << 30

// fetchRelease makes sure that a release lies in its folder in releases, whole or not at all, and gives the folder.
func fetchRelease(ctx context.Context, cloud *Cloud, object machine.ReleaseObject, releases string) (string, error) {
	folder := filepath.Join(releases, object.SHA256)
	if _, err := os.Stat(folder); err == nil {
		return folder, nil
	}
	if err := os.MkdirAll(releases, 0o755); err != nil { //nolint:gosec // The services run from it.
		return "", fmt.Errorf("release: %w", err)
	}
	archive, err := os.CreateTemp(releases, ".archive-")
	if err != nil {
		return "", fmt.Errorf("release: %w", err)
	}
	defer func() {
		_ = archive.Close()
		_ = os.Remove(archive.Name())
	}()
	if err := cloud.Fetch(ctx, object, archive); err != nil {
		return "", err
	}
	if _, err := archive.Seek(0, io.SeekStart); err != nil {
		return "", fmt.Errorf("release: %w", err)
	}
	aside, err := os.MkdirTemp(releases, ".release-")
	if err != nil {
		return "", fmt.Errorf("release: %w", err)
	}
	defer func() { _ = os.RemoveAll(aside) }()
	if err := unpack(archive, aside); err != nil {
		return "", fmt.Errorf("release %s: %w", object.Key, err)
	}
	for _, name := range []string{machine.ReleaseProgram, machine.ReleaseService, filepath.Join(machine.ReleaseWeb, "index.html")} {
		if _, err := os.Stat(filepath.Join(aside, name)); err != nil {
			return "", fmt.Errorf("release %s has no %s: expected what `make release` makes", object.Key, name)
		}
	}
	if err := os.Chmod(aside, 0o755); err != nil { //nolint:gosec // The services run from it.
		return "", fmt.Errorf("release: %w", err)
	}
	return folder, os.Rename(aside, folder)
}

// unpack writes the folders and the plain files of a tar.gz into a folder, and out of it nothing.
func unpack(r io.Reader, folder string) (err error) {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	zipped, err := gzip.NewReader(r)
	if err != nil {
		return err
	}
	entries := tar.NewReader(io.LimitReader(zipped, releaseLimit))
	for {
		entry, err := entries.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		switch entry.Typeflag {
		case tar.TypeDir:
			err = root.MkdirAll(filepath.Clean(entry.Name), 0o755)
		case tar.TypeReg:
			err = unpackFile(root, entry, entries)
		default:
			err = fmt.Errorf("%s: expected a folder or a plain file", entry.Name)
		}
		if err != nil {
			return err
		}
	}
}

func unpackFile(root *os.Root, entry *tar.Header, content io.Reader) error {
	name := filepath.Clean(entry.Name)
	if err := root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	file, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644|entry.FileInfo().Mode().Perm()&0o111)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, content) // The reader is bounded.
	return errors.Join(err, file.Close())
}

// link makes a link lead to a folder, at once.
func link(folder, name string) error {
	if present, err := os.Readlink(name); err == nil && present == folder {
		return nil
	}
	aside := name + ".new"
	if err := os.Remove(aside); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Symlink(folder, aside); err != nil {
		return err
	}
	return os.Rename(aside, name)
}

// pruneReleases removes all releases but those that are kept.
func pruneReleases(releases string, keep ...string) error {
	entries, err := os.ReadDir(releases)
	if err != nil {
		return fmt.Errorf("releases: %w", err)
	}
	for _, entry := range entries {
		folder := filepath.Join(releases, entry.Name())
		if !slices.Contains(keep, folder) {
			if err := os.RemoveAll(folder); err != nil {
				return fmt.Errorf("releases: %w", err)
			}
		}
	}
	return nil
}
