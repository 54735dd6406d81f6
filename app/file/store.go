// Package file keeps the bytes of uploaded files and of the results of jobs. Rows in the database say which bytes
// belong to whom; this package knows keys and bytes only.
//
// The order of writes makes a crash harmless at any point: bytes are stored first and the row that names them is
// committed afterwards; a row is deleted first and the bytes go afterwards. What a crash leaves is therefore bytes
// without a row, which the orphan sweep of app/job removes, and never a row without bytes.
package file

import (
	"context"
	"errors"
	"io"
	"iter"
	"time"
)

// Errors that callers tell apart with errors.Is.
var (
	// ErrNotFound: the store holds no object with this key.
	ErrNotFound = errors.New("no such object in the file store")
	// ErrTooLarge: the stream is longer than the limit that the caller gave.
	ErrTooLarge = errors.New("larger than the limit")
	// ErrFull: the store has no space left. Nothing of the refused object is kept.
	ErrFull = errors.New("the file store is full")
)

// Store holds objects, each written once and whole. All methods may be used at the same time by many callers.
type Store interface {
	// Put stores everything that r gives under key and returns its size in bytes. When it returns nil, the object
	// survives a crash of the machine; when it returns an error, nothing can be read under key that could not be
	// read before. An object that exists is replaced in one step.
	Put(ctx context.Context, key Key, r io.Reader) (int64, error)
	// Open gives the object's bytes; the caller closes it. ErrNotFound if there is none.
	Open(ctx context.Context, key Key) (Object, error)
	// Delete removes the object. That there is none is not an error: removals are repeated after a crash.
	Delete(ctx context.Context, key Key) error
	// List walks over the objects of one bucket in no particular order. The sequence ends after an error.
	List(ctx context.Context, bucket uint8) iter.Seq2[Info, error]
	// RemoveIncomplete removes what Puts that began before the given time and never ended have left behind, and
	// returns how many there were.
	RemoveIncomplete(ctx context.Context, before time.Time) (int, error)
}

// Object is an open object: seekable, so that any range of it can be served.
type Object interface {
	io.ReadSeekCloser
	// Info tells what the store knows about the object.
	Info() Info
}

// Info is what the store itself knows about an object.
type Info struct {
	Key Key
	// Size is in bytes.
	Size int64
	// StoredAt is when the object became readable.
	StoredAt time.Time
}
