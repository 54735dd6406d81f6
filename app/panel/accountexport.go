package panel

import (
	"archive/zip"
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/radpanel/radpanel/app/database"
	"github.com/radpanel/radpanel/app/database/dbgen"
	"github.com/radpanel/radpanel/app/file"
	"github.com/radpanel/radpanel/app/job"
)

// exportAccount writes all that a user has in the service as a zip file: account.json, and a folder for each panel
// with its records as CSV and as JSON, and its files. All but the files come from one snapshot. Those are what there is when
// they are copied, after it: the database ends a transaction in which nothing is asked for long.
func (t *Transfers) exportAccount(ctx context.Context, run *job.Run) (job.Outcome, error) {
	var records int64
	size, err := file.Write(ctx, t.store, run.ResultKey(), func(out io.Writer) error {
		archive := &archive{ctx: ctx, transfers: t, run: run, zip: zip.NewWriter(out)}
		err := inSnapshot(ctx, t.db, func(tx *database.Tx) error {
			archive.tx = tx
			return archive.writeRows()
		})
		if err != nil {
			return err
		}
		if err := archive.writeFiles(); err != nil {
			return err
		}
		records = archive.done
		return archive.zip.Close()
	})
	if err != nil {
		return job.Outcome{}, err
	}
	return t.stored(run, job.Result{
		FileName: "radpanel-account.zip", ContentType: "application/zip", SizeBytes: size, Records: records,
	}), nil
}

// archive is the zip file of one run.
type archive struct {
	ctx         context.Context //nolint:containedctx // Lives for one run.
	tx          *database.Tx    // For writeRows.
	transfers   *Transfers
	run         *job.Run
	zip         *zip.Writer
	folders     []panelFolder
	done, total int64
}

// panelFolder is where a panel is in the archive.
type panelFolder struct {
	name  string
	panel dbgen.Panel
}

func (a *archive) writeRows() error {
	panels, err := a.tx.ListPanelsToExport(a.ctx, dbgen.ListPanelsToExportParams{Bucket: a.run.Bucket, UserID: a.run.UserID})
	if err != nil {
		return err
	}
	for _, panel := range panels {
		a.total += panel.RecordCount
	}
	if err := a.writeAccount(); err != nil {
		return err
	}
	for i, panel := range panels {
		// The number tells panels of one name apart, and keeps their order.
		folder := fmt.Sprintf("panels/%03d %s", i+1, CleanFileName(strings.ReplaceAll(panel.Name, "/", "-")))
		if err := a.writePanel(folder, panel); err != nil {
			return fmt.Errorf("panel %s: %w", panel.ID, err)
		}
		a.folders = append(a.folders, panelFolder{folder, panel})
	}
	return nil
}

func (a *archive) writeFiles() error {
	for _, folder := range a.folders {
		if err := a.writeFilesOf(folder.panel, folder.name+"/files"); err != nil {
			return fmt.Errorf("panel %s: %w", folder.panel.ID, err)
		}
	}
	return nil
}

// create begins an entry of the archive.
func (a *archive) create(name string, method uint16) (io.Writer, error) {
	return a.zip.CreateHeader(&zip.FileHeader{Name: name, Method: method, Modified: time.Now().UTC()})
}

func (a *archive) writeJSON(name string, value any) error {
	out, err := a.create(name, zip.Deflate)
	if err != nil {
		return err
	}
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(value)
}

func (a *archive) writeAccount() error {
	user, err := a.tx.GetUser(a.ctx, dbgen.GetUserParams{Bucket: a.run.Bucket, ID: a.run.UserID})
	if err != nil {
		return err
	}
	sessions, err := a.tx.ListSessionsToExport(a.ctx, dbgen.ListSessionsToExportParams{Bucket: a.run.Bucket, UserID: a.run.UserID})
	if err != nil {
		return err
	}
	exported := make([]exportedSession, len(sessions))
	for i, session := range sessions {
		exported[i] = exportedSession(session)
	}
	return a.writeJSON("account.json", exportedAccount{
		ID: user.ID, Email: user.Email, Name: user.Name, Role: user.Role, CreatedAt: user.CreatedAt, Sessions: exported,
	})
}

// exportedAccount leaves out what is secret even from the user: the hashes of passwords and tokens.
type exportedAccount struct {
	ID        uuid.UUID         `json:"id"`
	Email     string            `json:"email"`
	Name      string            `json:"name"`
	Role      string            `json:"role"`
	CreatedAt time.Time         `json:"created_at"`
	Sessions  []exportedSession `json:"sessions"`
}

type exportedSession struct {
	ID         uuid.UUID `json:"id"`
	UserAgent  string    `json:"user_agent"`
	Address    string    `json:"address"`
	CreatedAt  time.Time `json:"created_at"`
	LastSeenAt time.Time `json:"last_seen_at"`
	ExpiresAt  time.Time `json:"expires_at"`
}

type exportedPanel struct {
	ID          uuid.UUID `json:"id"`
	Name        string    `json:"name"`
	Description string    `json:"description"`
	Columns     []string  `json:"columns"`
	CreatedAt   time.Time `json:"created_at"`
	UpdatedAt   time.Time `json:"updated_at"`
}

type exportedRecord struct {
	ID        uuid.UUID       `json:"id"`
	Title     string          `json:"title"`
	Data      json.RawMessage `json:"data"`
	CreatedAt time.Time       `json:"created_at"`
	UpdatedAt time.Time       `json:"updated_at"`
}

func (a *archive) writePanel(folder string, panel dbgen.Panel) error {
	err := a.writeJSON(folder+"/panel.json", exportedPanel{
		ID: panel.ID, Name: panel.Name, Description: panel.Description, Columns: panel.Columns,
		CreatedAt: panel.CreatedAt, UpdatedAt: panel.UpdatedAt,
	})
	if err != nil {
		return err
	}
	if err := a.writeRecordsCSV(folder+"/records.csv", panel); err != nil {
		return err
	}
	return a.writeRecordsJSON(folder+"/records.json", panel)
}

// writeRecordsCSV leaves the table out where there are too many keys for one: the JSON has everything.
func (a *archive) writeRecordsCSV(name string, panel dbgen.Panel) error {
	columns, err := exportColumns(a.ctx, a.tx, panel)
	if errors.Is(err, errTooManyKeys) {
		return nil
	}
	if err != nil {
		return err
	}
	out, err := a.create(name, zip.Deflate)
	if err != nil {
		return err
	}
	return writeCSV(a.ctx, a.tx, out, panel, columns, func(int64) {})
}

// writeRecordsJSON writes one array, one record a line.
func (a *archive) writeRecordsJSON(name string, panel dbgen.Panel) error {
	entry, err := a.create(name, zip.Deflate)
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(entry, 64<<10)
	separator := "["
	err = eachRecord(a.ctx, a.tx, panel, func(record dbgen.Record) error {
		line, err := json.Marshal(exportedRecord{
			ID: record.ID, Title: record.Title, Data: record.Data, CreatedAt: record.CreatedAt, UpdatedAt: record.UpdatedAt,
		})
		if err != nil {
			return err
		}
		if a.done++; a.done%pageSize == 0 {
			a.run.Report(a.ctx, a.done, a.total)
		}
		_, err = fmt.Fprintf(out, "%s\n%s", separator, line)
		separator = ","
		return err
	})
	if err != nil {
		return err
	}
	if separator == "[" {
		_, err = out.WriteString(separator)
	}
	_, endErr := out.WriteString("\n]\n")
	return errors.Join(err, endErr, out.Flush())
}

func (a *archive) writeFilesOf(panel dbgen.Panel, folder string) error {
	var after uuid.UUID
	names := map[string]bool{}
	for {
		page, err := a.transfers.db.ListFilesToExport(a.ctx, dbgen.ListFilesToExportParams{
			Bucket: panel.Bucket, PanelID: panel.ID, After: after, RowLimit: pageSize,
		})
		if err != nil {
			return err
		}
		for _, row := range page {
			if err := a.writeFile(path.Join(folder, unique(names, row)), row); err != nil {
				return fmt.Errorf("file %s: %w", row.ID, err)
			}
		}
		if len(page) < pageSize {
			return nil
		}
		after = page[len(page)-1].ID
	}
}

// unique is the file's name, with its id before it if another file of the panel has the name: also where upper and
// lower case are one.
func unique(names map[string]bool, row dbgen.File) string {
	name := row.Name
	if names[strings.ToLower(name)] {
		name = row.ID.String() + " " + name
	}
	names[strings.ToLower(name)] = true
	return name
}

// writeFile copies a file as it is: most large ones are compressed already.
func (a *archive) writeFile(name string, row dbgen.File) (err error) {
	key, err := file.ParseKey(row.StoreKey)
	if err != nil {
		return err
	}
	object, err := a.transfers.store.Open(a.ctx, key)
	if errors.Is(err, file.ErrNotFound) {
		// Deleted since it was listed.
		a.transfers.log.InfoContext(a.ctx, "file left out of an account's export", "file_id", row.ID, "job_id", a.run.ID)
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, object.Close()) }()
	out, err := a.create(name, zip.Store)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, object)
	return err
}
