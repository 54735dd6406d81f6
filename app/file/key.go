package file

import (
	"encoding/hex"
	"fmt"

	"github.com/google/uuid"
)

// Key names one object: the bucket of the user who owns it, then an id of its own, "7f/0190a5b2-…". The bucket comes
// first so that a range of buckets can be moved or replicated by prefix. A Key is only ever made of these two
// values, so no text from a request can reach a path or a URL of the store.
type Key struct {
	bucket uint8
	id     uuid.UUID
}

// NewKey names the object id of a user in bucket.
func NewKey(bucket uint8, id uuid.UUID) Key { return Key{bucket: bucket, id: id} }

// ParseKey reads the form that String writes, as it is kept in the database.
func ParseKey(text string) (Key, error) {
	invalid := func() (Key, error) {
		return Key{}, fmt.Errorf(`file: key %q: expected two lower-case hex digits, "/" and a UUID`, text)
	}
	if len(text) != 2+1+36 || text[2] != '/' {
		return invalid()
	}
	bucket, err := hex.DecodeString(text[:2])
	if err != nil {
		return invalid()
	}
	id, err := uuid.Parse(text[3:])
	if err != nil {
		return invalid()
	}
	key := NewKey(bucket[0], id)
	if key.String() != text { // upper-case digits would make two texts of one key
		return invalid()
	}
	return key, nil
}

// String is the key as the database keeps it and as object stores see it.
func (k Key) String() string { return fmt.Sprintf("%02x/%s", k.bucket, k.id) }

// Bucket is the bucket of the user who owns the object.
func (k Key) Bucket() uint8 { return k.bucket }

// ID is the object's id within its bucket.
func (k Key) ID() uuid.UUID { return k.id }
