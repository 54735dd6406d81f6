package panel

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/radpanel/radpanel/app/database"
	"github.com/radpanel/radpanel/app/database/dbgen"
	"github.com/radpanel/radpanel/app/file"
	"github.com/radpanel/radpanel/app/job"
)

// maxExportColumns bounds the columns of an export of a panel that names none: more would be no table.
const maxExportColumns = 1_000

// errTooManyKeys is what the user reads when a panel's records have more keys than that.
var errTooManyKeys = fmt.Errorf("the records have more than %d different keys; choose the columns of the panel, then export again", maxExportColumns)

// exportPanel writes a panel as CSV. Everything comes from one snapshot.
func (t *Transfers) exportPanel(ctx context.Context, run *job.Run) (job.Outcome, error) {
	payload, err := payloadOf[ExportPayload](run)
	if err != nil {
		return job.Outcome{}, err
	}
	var panel dbgen.Panel
	size, err := file.Write(ctx, t.store, run.ResultKey(), func(out io.Writer) error {
		return inSnapshot(ctx, t.db, func(tx *database.Tx) (err error) {
			owner := ownerOf(run)
			panel, err = tx.GetPanel(ctx, dbgen.GetPanelParams{Bucket: owner.Bucket, ID: payload.PanelID, UserID: owner.UserID})
			if errors.Is(err, database.ErrNotFound) {
				return job.Permanent(errPanelGone)
			}
			if err != nil {
				return err
			}
			columns, err := exportColumns(ctx, tx, panel)
			if err != nil {
				return err
			}
			return writeCSV(ctx, tx, out, panel, columns, func(done int64) { run.Report(ctx, done, panel.RecordCount) })
		})
	})
	if err != nil {
		return job.Outcome{}, err
	}
	return t.stored(run, job.Result{
		FileName: CleanFileName(panel.Name) + ".csv", ContentType: csvContentType, SizeBytes: size, Records: panel.RecordCount,
	}), nil
}

// stored is the outcome of a job whose result is in the file store.
func (t *Transfers) stored(run *job.Run, result job.Result) job.Outcome {
	key := run.ResultKey()
	result.StoreKey = key.String()
	return job.Outcome{
		Result:  result,
		Abandon: func(ctx context.Context) error { return t.store.Delete(ctx, key) },
	}
}

// writeCSV writes all records of a panel and calls progress with the number of those written.
func writeCSV(ctx context.Context, tx *database.Tx, out io.Writer, panel dbgen.Panel, columns []string, progress func(done int64)) error {
	buffered := bufio.NewWriterSize(out, 64<<10)
	csv := newCSVWriter(buffered, columns)
	if err := csv.writeHeader(); err != nil {
		return err
	}
	var done int64
	err := eachRecord(ctx, tx, panel, func(record dbgen.Record) error {
		done++
		if done%pageSize == 0 {
			progress(done)
		}
		return csv.write(record)
	})
	return errors.Join(err, buffered.Flush())
}

// exportColumns are the panel's columns, or all keys of its records where it has none.
func exportColumns(ctx context.Context, tx *database.Tx, panel dbgen.Panel) ([]string, error) {
	if len(panel.Columns) > 0 {
		return panel.Columns, nil
	}
	keys, err := tx.ListKeysOfRecords(ctx, dbgen.ListKeysOfRecordsParams{
		Bucket: panel.Bucket, PanelID: panel.ID, MaxKeys: maxExportColumns,
	})
	if err != nil {
		return nil, err
	}
	if len(keys) > maxExportColumns {
		return nil, job.Permanent(errTooManyKeys)
	}
	return keys, nil
}
