package panel

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/radpanel/radpanel/app/database"
	"github.com/radpanel/radpanel/app/database/dbgen"
	"github.com/radpanel/radpanel/app/file"
	"github.com/radpanel/radpanel/app/job"
)

// maxLineErrors is how many lines an import that is refused tells about.
const maxLineErrors = 10

// importPanel adds the rows of a CSV file to a panel: all of them or none. The file is read twice. First every line is
// checked, so that a mistake is told with its line before anything is written; then the rows are copied into the
// table in the transaction that completes the job.
func (t *Transfers) importPanel(ctx context.Context, run *job.Run) (job.Outcome, error) {
	payload, err := payloadOf[ImportPayload](run)
	if err != nil {
		return job.Outcome{}, err
	}
	key, err := file.ParseKey(payload.StoreKey)
	if err != nil {
		return job.Outcome{}, err
	}
	var rows int64
	if err := t.readUpload(ctx, key, func(in *csvReader) error {
		rows, err = countValid(ctx, in)
		return err
	}); err != nil {
		return job.Outcome{}, err
	}
	run.Report(ctx, 0, rows)
	return job.Outcome{
		Result: job.Result{Records: rows},
		Commit: func(ctx context.Context, tx *database.Tx) error {
			return t.readUpload(ctx, key, func(in *csvReader) error {
				return insertRows(ctx, tx, run, payload.PanelID, in, rows)
			})
		},
	}, nil
}

func (t *Transfers) readUpload(ctx context.Context, key file.Key, read func(in *csvReader) error) (err error) {
	object, err := t.store.Open(ctx, key)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, object.Close()) }()
	in, err := newCSVReader(object)
	if err == nil {
		err = read(in)
	}
	var refused *LineError
	if errors.As(err, &refused) {
		return job.Permanent(err)
	}
	return err
}

// countValid reads all rows and returns their number, or an error that names the first lines that are wrong.
func countValid(ctx context.Context, in *csvReader) (int64, error) {
	var wrong []error
	var rows int64
	for ctx.Err() == nil {
		_, fatal, err := in.read()
		var lineErr *LineError
		switch {
		case err == nil:
			rows++
		case errors.As(err, &lineErr):
			wrong = append(wrong, err)
		case !errors.Is(err, io.EOF):
			return 0, err
		}
		if rows > MaxRecords {
			return 0, job.Permanent(ErrTooManyRecords)
		}
		if fatal || len(wrong) > maxLineErrors {
			return rows, linesError(wrong)
		}
	}
	return 0, context.Cause(ctx)
}

func linesError(wrong []error) error {
	if len(wrong) <= maxLineErrors {
		return errors.Join(wrong...)
	}
	return fmt.Errorf("%w\nand more", errors.Join(wrong[:maxLineErrors]...))
}

// insertRows copies the rows into the table and counts them in their panel, whose lock it takes last: others can use
// the panel while the rows are copied.
func insertRows(ctx context.Context, tx *database.Tx, run *job.Run, panelID uuid.UUID, in *csvReader, rows int64) error {
	owner := ownerOf(run)
	tx.Changes(database.PanelScope(panelID), database.OwnerScope(owner.UserID))
	source := &rowSource{ctx: ctx, in: in, run: run, panelID: panelID, total: rows}
	inserted, err := tx.CopyFrom(ctx, pgx.Identifier{"records"}, strings.Split(recordColumns, ", "), source)
	if errors.Is(err, database.ErrNotFound) { // Purged: the foreign key says so.
		return job.Permanent(errPanelGone)
	}
	if err != nil {
		return err
	}
	if inserted >= pageSize {
		if err := tx.AnalyzeRecords(ctx); err != nil {
			return err
		}
	}
	panel, err := tx.LockPanel(ctx, dbgen.LockPanelParams{Bucket: owner.Bucket, ID: panelID, UserID: owner.UserID})
	if errors.Is(err, database.ErrNotFound) {
		return job.Permanent(errPanelGone)
	}
	if err != nil {
		return err
	}
	if panel.RecordCount+inserted > MaxRecords {
		return job.Permanent(ErrTooManyRecords)
	}
	_, err = tx.ChangeRecordCount(ctx, dbgen.ChangeRecordCountParams{
		Bucket: owner.Bucket, ID: panelID, UserID: owner.UserID, Change: inserted,
	})
	if err != nil {
		return err
	}
	return addColumns(ctx, tx, panel, in.columns())
}

// addColumns shows what an import brought: a panel would otherwise look as if only the titles had come.
func addColumns(ctx context.Context, tx *database.Tx, panel dbgen.Panel, brought []string) error {
	columns := slices.Clone(panel.Columns)
	for _, column := range brought {
		if len(columns) < maxColumns && !slices.Contains(columns, column) {
			columns = append(columns, column)
		}
	}
	if len(columns) == len(panel.Columns) {
		return nil
	}
	_, err := tx.UpdatePanel(ctx, dbgen.UpdatePanelParams{
		Bucket: panel.Bucket, ID: panel.ID, UserID: panel.UserID, Columns: columns,
	})
	return err
}

// rowSource gives pgx the rows of a CSV file as rows of the table, one at a time.
type rowSource struct {
	ctx     context.Context //nolint:containedctx // pgx.CopyFromSource has no other way in.
	in      *csvReader
	run     *job.Run
	panelID uuid.UUID
	total   int64
	row     importRow
	err     error
}

var _ pgx.CopyFromSource = (*rowSource)(nil)

func (s *rowSource) Next() bool {
	s.row, _, s.err = s.in.read()
	if s.err != nil {
		return false
	}
	if s.row.Number%pageSize == 0 {
		s.run.Report(s.ctx, int64(s.row.Number), s.total)
	}
	return true
}

// Values are in the order of recordColumns.
func (s *rowSource) Values() ([]any, error) {
	created := s.run.CreatedAt
	return []any{
		s.run.Bucket, importedID(s.run.ID, s.row.Number), s.panelID, s.run.UserID, s.row.Title, s.row.Data, int64(1), created, created,
	}, nil
}

func (s *rowSource) Err() error {
	if errors.Is(s.err, io.EOF) {
		return nil
	}
	return s.err
}

// importedID is the id of the record that a row of an import becomes: a UUIDv7 of the job's time, in which the row's
// number follows, so that records sort as their rows do. The same row of the same job always gets the same id, so even
// a second insertion could not make a second record of it.
func importedID(jobID uuid.UUID, row int) uuid.UUID {
	const timeBytes = 6
	hash := sha256.Sum256(jobID[:])
	id := uuid.UUID(hash[:len(uuid.UUID{})])
	copy(id[:timeBytes], jobID[:timeBytes])
	var number [4]byte
	binary.BigEndian.PutUint32(number[:], uint32(row)) //nolint:gosec // At most MaxRecords.
	// 12 bits before the variant and 16 after it are enough for 2^28 rows; the rest is a hash of the job's id.
	id[6] = 0x70 | number[0]&0x0f
	id[7] = number[1]
	id[8] = 0x80 | id[8]&0x3f
	id[9] = number[2]
	id[10] = number[3]
	return id
}
