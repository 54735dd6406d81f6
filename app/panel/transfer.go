package panel

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"

	"github.com/google/uuid"

	"github.com/radpanel/radpanel/app/database"
	"github.com/radpanel/radpanel/app/database/dbgen"
	"github.com/radpanel/radpanel/app/file"
	"github.com/radpanel/radpanel/app/job"
)

// The kinds of jobs that this package does.
const (
	KindExport        = "panel-export"
	KindImport        = "panel-import"
	KindAccountExport = "account-export"
)

// pageSize is how many rows the transfers read at a time: few round trips, and never a whole panel in memory.
const pageSize = 1_000

// Transfers are the jobs that carry records out of the service and into it.
type Transfers struct {
	db    *database.DB
	store file.Store
	log   *slog.Logger
}

// NewTransfers returns the jobs on a database and a file store.
func NewTransfers(db *database.DB, store file.Store, log *slog.Logger) *Transfers {
	return &Transfers{db: db, store: store, log: log}
}

// Handlers are what a job.Worker needs to do this package's jobs.
func (t *Transfers) Handlers() map[string]job.Handler {
	return map[string]job.Handler{
		KindExport:        t.exportPanel,
		KindImport:        t.importPanel,
		KindAccountExport: t.exportAccount,
	}
}

// ExportPayload is the payload of a job that exports a panel.
type ExportPayload struct {
	PanelID uuid.UUID `json:"panel_id"`
}

// ImportPayload is the payload of a job that imports records. StoreKey names the uploaded CSV file, which belongs to
// the job.
type ImportPayload struct {
	PanelID  uuid.UUID `json:"panel_id"`
	StoreKey string    `json:"store_key"`
}

// errPanelGone is what the user reads when the panel of a job was deleted meanwhile.
var errPanelGone = errors.New("the panel was deleted before this could be done")

func ownerOf(run *job.Run) Owner { return Owner{UserID: run.UserID, Bucket: run.Bucket} }

func payloadOf[T any](run *job.Run) (payload T, err error) {
	if err := json.Unmarshal(run.Payload, &payload); err != nil {
		return payload, fmt.Errorf("payload of a %s job: %w", run.Kind, err)
	}
	return payload, nil
}

// inSnapshot runs fn on one state of the database, whatever others write meanwhile, and without holding them up.
func inSnapshot(ctx context.Context, db *database.DB, fn func(tx *database.Tx) error) error {
	return db.InTx(ctx, func(tx *database.Tx) error {
		if _, err := tx.Exec(ctx, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"); err != nil {
			return err
		}
		return fn(tx)
	})
}

// eachRecord calls fn with every record of a panel, in the order of creation.
func eachRecord(ctx context.Context, tx *database.Tx, panel dbgen.Panel, fn func(dbgen.Record) error) error {
	var after uuid.UUID
	for {
		page, err := tx.ListRecordsToExport(ctx, dbgen.ListRecordsToExportParams{
			Bucket: panel.Bucket, PanelID: panel.ID, After: after, RowLimit: pageSize,
		})
		if err != nil {
			return err
		}
		for _, record := range page {
			if err := fn(record); err != nil {
				return err
			}
		}
		if len(page) < pageSize {
			return nil
		}
		after = page[len(page)-1].ID
	}
}
