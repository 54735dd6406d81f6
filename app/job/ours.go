package job

import (
	"context"

	"github.com/radpanel/radpanel/app/database"
)

// isOurs tells whether the instances of a tier do the background work: while the panel is promoted, one tier's do, and
// nobody does where the database is not to be written to.
func isOurs(ctx context.Context, db *database.DB, tier string) (bool, error) {
	fence, err := db.GetFence(ctx)
	if err != nil {
		return false, err
	}
	return fence.Writable && (fence.Tier == "" || fence.Tier == tier), nil
}
