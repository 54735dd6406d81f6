package job

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/google/uuid"

	"github.com/radpanel/radpanel/app/database"
	"github.com/radpanel/radpanel/app/database/dbgen"
	"github.com/radpanel/radpanel/app/file"
)

// removalBatch bounds how many objects one transaction removes from the store; unlike rows, each costs a call.
const removalBatch = 100

// removalDelay is how long the removal of an object that failed is put off.
const removalDelay = 10 * time.Minute

// removeFiles removes the bytes of rows that are gone (see file_removals in the schema). Bytes go before the entry
// that asks for it: after a crash between the two they are removed once more, which is no error.
func (h *Housekeeper) removeFiles(ctx context.Context, tx *database.Tx) (more bool, err error) {
	due, err := tx.ListDueFileRemovals(ctx, removalBatch)
	if err != nil {
		return false, err
	}
	for _, removal := range due {
		if err := h.removeFile(ctx, removal.StoreKey); err != nil {
			if ctx.Err() != nil {
				return false, err
			}
			h.Log.WarnContext(ctx, "stored file not removed; trying again later", "store_key", removal.StoreKey, "error", err)
			err := tx.PostponeFileRemoval(ctx, dbgen.PostponeFileRemovalParams{
				Bucket: removal.Bucket, StoreKey: removal.StoreKey, Delay: removalDelay,
			})
			if err != nil {
				return false, err
			}
			continue
		}
		if err := tx.DeleteFileRemoval(ctx, dbgen.DeleteFileRemovalParams{Bucket: removal.Bucket, StoreKey: removal.StoreKey}); err != nil {
			return false, err
		}
	}
	return len(due) == removalBatch, nil
}

func (h *Housekeeper) removeFile(ctx context.Context, storeKey string) error {
	key, err := file.ParseKey(storeKey)
	if err != nil {
		return err
	}
	return h.Store.Delete(ctx, key)
}

// Orphans are what a crash leaves, or who gives an upload up, and are few. Many of them mean that this database is not the one
// that the store belongs to: a promotion that is still copying, or a backup that was restored; then removing them would destroy
// what somebody owns.
const (
	// maxOrphanShare is the largest share of the objects that a sweep removes.
	maxOrphanShare = 0.1
	// fewOrphans are removed whatever their share is, as long as other objects do belong to rows: of a small panel's files a
	// few uploads that were given up are a large part.
	fewOrphans = 20
)

// tooMany tells whether so many orphans are none.
func tooMany(orphans, objects int) bool {
	if orphans == objects {
		return orphans > 0
	}
	return orphans > fewOrphans && float64(orphans) > maxOrphanShare*float64(objects)
}

// Sweep removes from the file store what a crash has left there: half uploads, and objects whose row was never
// committed.
func (h *Housekeeper) Sweep(ctx context.Context) error {
	alone, err := h.alone(ctx)
	if err != nil || !alone {
		return err
	}
	incomplete, err := h.Store.RemoveIncomplete(ctx, h.Now().Add(-incompleteAge))
	if err != nil {
		return err
	}
	orphans, objects, err := h.findOrphans(ctx)
	if err != nil {
		return err
	}
	if tooMany(len(orphans), objects) {
		return fmt.Errorf("%d of %d stored objects belong to no row; expected at most %d, or %.0f %%, and not all, so none is removed: "+
			"check that the database and the file store belong together", len(orphans), objects, fewOrphans, 100*maxOrphanShare)
	}
	for _, key := range orphans {
		if err := h.Store.Delete(ctx, key); err != nil {
			return err
		}
		h.Log.InfoContext(ctx, "orphan removed from the file store", "store_key", key.String())
	}
	if incomplete > 0 {
		h.Log.InfoContext(ctx, "half uploads removed from the file store", "uploads", incomplete)
	}
	return nil
}

// alone reports whether no other instance keeps house right now. Two sweeps at a time would do no harm, only work.
func (h *Housekeeper) alone(ctx context.Context) (alone bool, err error) {
	err = h.DB.InTx(ctx, func(tx *database.Tx) error {
		alone, err = tx.TryLockHousekeeping(ctx)
		return err
	})
	return alone, err
}

// findOrphans returns the objects that neither a file nor a job owns, and how many objects it has looked at.
func (h *Housekeeper) findOrphans(ctx context.Context) (orphans []file.Key, objects int, err error) {
	before := h.Now().Add(-orphanAge)
	for bucket := range math.MaxUint8 + 1 {
		bucket := uint8(bucket)
		var batch []file.Key
		for info, err := range h.Store.List(ctx, bucket) {
			if err != nil {
				return nil, 0, err
			}
			if info.StoredAt.After(before) {
				continue
			}
			objects++
			if batch = append(batch, info.Key); len(batch) == batchSize {
				if orphans, err = h.appendOrphans(ctx, orphans, bucket, batch); err != nil {
					return nil, 0, err
				}
				batch = batch[:0]
			}
		}
		if orphans, err = h.appendOrphans(ctx, orphans, bucket, batch); err != nil {
			return nil, 0, err
		}
	}
	return orphans, objects, nil
}

// appendOrphans appends those keys of a bucket that have no owner.
func (h *Housekeeper) appendOrphans(ctx context.Context, orphans []file.Key, bucket uint8, keys []file.Key) ([]file.Key, error) {
	if len(keys) == 0 {
		return orphans, nil
	}
	owned, err := h.ownedKeys(ctx, bucket, keys)
	if err != nil {
		return nil, err
	}
	for _, key := range keys {
		if !owned[key.String()] {
			orphans = append(orphans, key)
		}
	}
	return orphans, nil
}

func (h *Housekeeper) ownedKeys(ctx context.Context, bucket uint8, keys []file.Key) (map[string]bool, error) {
	ids := make([]uuid.UUID, len(keys))
	for i, key := range keys {
		ids[i] = key.ID()
	}
	files, filesErr := h.DB.ListOwnedFileIDs(ctx, dbgen.ListOwnedFileIDsParams{Bucket: int16(bucket), Ids: ids})
	jobs, jobsErr := h.DB.ListJobStoreKeys(ctx, int16(bucket))
	if err := errors.Join(filesErr, jobsErr); err != nil {
		return nil, err
	}
	owned := make(map[string]bool, len(files)+2*len(jobs))
	for _, id := range files {
		owned[file.NewKey(bucket, id).String()] = true
	}
	for _, job := range jobs {
		owned[job.Input], owned[job.Output] = true, true
	}
	return owned, nil
}
