package file

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path"
	"syscall"
	"time"

	"github.com/google/uuid"

	"github.com/radpanel/radpanel/app/telemetry"
)

const (
	// objectsFolder holds complete objects: objects/<bucket>/<last two digits of the id>/<id>. The middle level
	// keeps folders small; the last digits of a UUIDv7 are random where its first ones are time.
	objectsFolder = "objects"
	// incomingFolder holds objects that are still being written. It lies in the same file system as objectsFolder,
	// so that a rename moves an object into place in one step.
	incomingFolder = "incoming"
	folderMode     = 0o700
	fileMode       = 0o600
)

// Disk is a Store in one folder of this machine. All access goes through an os.Root: no name, however it came about,
// leads out of the folder.
type Disk struct {
	root *os.Root
}

var _ Store = (*Disk)(nil)

// OpenDisk opens the store in folder, which is made if it does not exist. The caller closes it.
func OpenDisk(folder string) (*Disk, error) {
	if err := os.MkdirAll(folder, folderMode); err != nil {
		return nil, fmt.Errorf("file: open the store: %w", err)
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, fmt.Errorf("file: open the store: %w", err)
	}
	for _, name := range []string{objectsFolder, incomingFolder} {
		if err := root.MkdirAll(name, folderMode); err != nil {
			return nil, errors.Join(fmt.Errorf("file: open the store in %s: %w", folder, err), root.Close())
		}
	}
	return &Disk{root: root}, nil
}

// Close releases the folder. Objects that are open stay readable.
func (d *Disk) Close() error { return d.root.Close() }

// Put implements Store: temporary file, fsync, rename, fsync of the folder.
func (d *Disk) Put(ctx context.Context, key Key, r io.Reader) (size int64, err error) {
	ctx, span := telemetry.StartChild(ctx, "store a file on the disk")
	defer func() { endSpan(span, err) }()
	incoming := path.Join(incomingFolder, uuid.NewString())
	size, err = d.write(ctx, incoming, r)
	if err == nil {
		err = d.moveIntoPlace(incoming, key)
	}
	if err == nil {
		return size, nil
	}
	if removeErr := d.root.Remove(incoming); removeErr != nil && !errors.Is(removeErr, fs.ErrNotExist) {
		err = errors.Join(err, removeErr)
	}
	return 0, fmt.Errorf("file: store %s: %w", key, full(err))
}

func (d *Disk) write(ctx context.Context, name string, r io.Reader) (size int64, err error) {
	f, err := d.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if size, err = io.Copy(f, contextReader{ctx, r}); err != nil {
		return 0, err
	}
	return size, f.Sync()
}

func (d *Disk) moveIntoPlace(incoming string, key Key) error {
	folder := d.folder(key)
	if err := d.makeFolder(folder); err != nil {
		return err
	}
	if err := d.root.Rename(incoming, path.Join(folder, key.id.String())); err != nil {
		return err
	}
	return d.syncFolder(folder)
}

// makeFolder makes the two levels above an object durable too: a synced file in a lost folder is lost.
func (d *Disk) makeFolder(folder string) error {
	if _, err := d.root.Stat(folder); err == nil {
		return nil
	}
	if err := d.root.MkdirAll(folder, folderMode); err != nil {
		return err
	}
	bucket := path.Dir(folder)
	return errors.Join(d.syncFolder(bucket), d.syncFolder(path.Dir(bucket)))
}

func (d *Disk) syncFolder(name string) error {
	f, err := d.root.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// Open implements Store.
func (d *Disk) Open(_ context.Context, key Key) (Object, error) {
	f, err := d.root.Open(d.name(key))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("file: open %s: %w", key, ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("file: open %s: %w", key, err)
	}
	stat, err := f.Stat()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("file: open %s: %w", key, err), f.Close())
	}
	return &diskObject{File: f, info: Info{Key: key, Size: stat.Size(), StoredAt: stat.ModTime()}}, nil
}

// Delete implements Store.
func (d *Disk) Delete(_ context.Context, key Key) error {
	err := d.root.Remove(d.name(key))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("file: delete %s: %w", key, err)
	}
	return nil
}

// List implements Store.
func (d *Disk) List(ctx context.Context, bucket uint8) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		top := path.Join(objectsFolder, fmt.Sprintf("%02x", bucket))
		err := fs.WalkDir(d.root.FS(), top, func(_ string, entry fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) { // removed since its folder was read, or a bucket with no objects
				return nil
			}
			if err != nil {
				return err
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
			id, err := uuid.Parse(entry.Name())
			if err != nil || !entry.Type().IsRegular() {
				return nil //nolint:nilerr // a folder, or something that is not ours: leave it alone
			}
			stat, err := entry.Info()
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err != nil {
				return err
			}
			if !yield(Info{Key: NewKey(bucket, id), Size: stat.Size(), StoredAt: stat.ModTime()}, nil) {
				return fs.SkipAll
			}
			return nil
		})
		if err != nil {
			yield(Info{}, fmt.Errorf("file: list bucket %d: %w", bucket, err))
		}
	}
}

// RemoveIncomplete implements Store. A file that is still written to has a recent time of modification.
func (d *Disk) RemoveIncomplete(ctx context.Context, before time.Time) (int, error) {
	entries, err := fs.ReadDir(d.root.FS(), incomingFolder)
	if err != nil {
		return 0, fmt.Errorf("file: list incomplete objects: %w", err)
	}
	removed := 0
	for _, entry := range entries {
		if err := ctx.Err(); err != nil {
			return removed, err
		}
		stat, err := entry.Info()
		if err != nil || stat.ModTime().After(before) {
			continue // gone meanwhile (complete or given up), or in use
		}
		if err := d.root.Remove(path.Join(incomingFolder, entry.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return removed, fmt.Errorf("file: remove incomplete object: %w", err)
		}
		removed++
	}
	return removed, nil
}

func (d *Disk) folder(key Key) string {
	id := key.id.String()
	return path.Join(objectsFolder, fmt.Sprintf("%02x", key.bucket), id[len(id)-2:])
}

func (d *Disk) name(key Key) string { return path.Join(d.folder(key), key.id.String()) }

type diskObject struct {
	*os.File
	info Info
}

func (o *diskObject) Info() Info { return o.info }

// contextReader ends a copy as soon as its context does.
type contextReader struct {
	ctx context.Context //nolint:containedctx // lives for one call of Put
	r   io.Reader
}

func (c contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, context.Cause(c.ctx)
	}
	return c.r.Read(p)
}

// full marks the errors by which a file system says that it has no space.
func full(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	return err
}
