package host

import (
	"context"
	"fmt"
	"strings"
)

// BackUpFiles copies the files on disk to the repository that the environment names (see restic's own variables), makes it
// if it is not there yet, and forgets copies that are older than the database's. It runs as the service's account.
func BackUpFiles(ctx context.Context) error {
	// Ends well if there is a repository.
	if err := run(ctx, restic, "cat", "config", "--quiet"); err != nil {
		if !strings.Contains(err.Error(), "Is there a repository") {
			return fmt.Errorf("back up files: %w", err)
		}
		if err := run(ctx, restic, "init", "--quiet"); err != nil {
			return fmt.Errorf("back up files: %w", err)
		}
	}
	// What a run that was broken off has locked.
	if err := run(ctx, restic, "unlock", "--quiet"); err != nil {
		return fmt.Errorf("back up files: %w", err)
	}
	if err := run(ctx, restic, "backup", "--quiet", "--host=radpanel", filesFolder()); err != nil {
		return fmt.Errorf("back up files: %w", err)
	}
	arguments := append([]string{"forget", "--quiet", "--prune", "--max-unused=20%"}, strings.Fields(filesKept)...)
	if err := run(ctx, restic, arguments...); err != nil {
		return fmt.Errorf("back up files: %w", err)
	}
	return nil
}

const restic = "/usr/bin/restic"
