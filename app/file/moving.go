package file

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"time"
)

// Moving is a store whose objects are on their way from an old store to a new one. What is new goes to the new one; an
// object is read where it is. Nothing is away meanwhile.
type Moving struct {
	New, Old Store
}

// Put implements [Store].
func (m *Moving) Put(ctx context.Context, key Key, r io.Reader) (int64, error) {
	return m.New.Put(ctx, key, r)
}

// Open implements [Store].
func (m *Moving) Open(ctx context.Context, key Key) (Object, error) {
	object, err := m.New.Open(ctx, key)
	if !errors.Is(err, ErrNotFound) {
		return object, err
	}
	if object, err = m.Old.Open(ctx, key); !errors.Is(err, ErrNotFound) {
		return object, err
	}
	return m.New.Open(ctx, key) // It was moved in between.
}

// Delete implements [Store].
func (m *Moving) Delete(ctx context.Context, key Key) error {
	// The old one first: what is there could be moved again.
	return errors.Join(m.Old.Delete(ctx, key), m.New.Delete(ctx, key))
}

// List implements [Store]. An object that is just being moved may come twice.
func (m *Moving) List(ctx context.Context, bucket uint8) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		for _, store := range []Store{m.Old, m.New} {
			for info, err := range store.List(ctx, bucket) {
				if !yield(info, err) {
					return
				}
			}
		}
	}
}

// RemoveIncomplete implements [Store].
func (m *Moving) RemoveIncomplete(ctx context.Context, before time.Time) (int, error) {
	here, newErr := m.New.RemoveIncomplete(ctx, before)
	there, oldErr := m.Old.RemoveIncomplete(ctx, before)
	return here + there, errors.Join(newErr, oldErr)
}

// Move moves every object of the old store to the new one, and tells after each how many were. An object leaves the old
// store when the new one has been seen to hold the same bytes. It can be broken off at any point and run again.
func (m *Moving) Move(ctx context.Context, moved func(Info)) error {
	for bucket := range math.MaxUint8 + 1 {
		for info, err := range m.Old.List(ctx, uint8(bucket)) {
			if err != nil {
				return err
			}
			if err := m.moveOne(ctx, info.Key); err != nil {
				return fmt.Errorf("move %s: %w", info.Key, err)
			}
			moved(info)
		}
	}
	return nil
}

func (m *Moving) moveOne(ctx context.Context, key Key) error {
	source, err := m.Old.Open(ctx, key)
	if errors.Is(err, ErrNotFound) {
		return nil // Deleted just now.
	}
	if err != nil {
		return err
	}
	defer func() { _ = source.Close() }() // Only read.
	hash := sha256.New()
	if _, err := m.New.Put(ctx, key, io.TeeReader(source, hash)); err != nil {
		return err
	}
	arrived, err := digestOf(ctx, m.New, key)
	if err != nil {
		return err
	}
	if string(arrived) != string(hash.Sum(nil)) {
		return errors.New("the new store holds other bytes than it was given: the object stays in the old one")
	}
	return m.Old.Delete(ctx, key)
}

func digestOf(ctx context.Context, store Store, key Key) ([]byte, error) {
	object, err := store.Open(ctx, key)
	if err != nil {
		return nil, err
	}
	defer func() { _ = object.Close() }() // Only read.
	hash := sha256.New()
	if _, err := io.Copy(hash, object); err != nil {
		return nil, err
	}
	return hash.Sum(nil), nil
}
