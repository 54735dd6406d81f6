package panel

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/app/database"
	"github.com/radpanel/radpanel/app/file"
	"github.com/radpanel/radpanel/app/job"
)

func TestAnExportHoldsEveryRecordInOrder(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	p := f.newPanel(t, "../Plants: 2024", "number")
	f.fill(t, p, 2_500)
	f.work(t)
	result, content := f.succeed(t, f.startExport(t, p))
	assert.Equal(t, job.Result{
		StoreKey: result.StoreKey, FileName: "Plants: 2024.csv", ContentType: "text/csv; charset=utf-8",
		SizeBytes: int64(len(content)), Records: 2_500,
	}, result)
	lines := readAll(t, string(content))
	assert.Equal(t, []string{"id", "title", "number", "created_at", "updated_at"}, lines[0])
	require.Len(t, lines, 2_501)
	assert.True(t, slices.IsSortedFunc(lines[1:], func(a, b []string) int { return strings.Compare(a[0], b[0]) }))
	assert.Equal(t, 1, f.stored(t))
}

func TestAPanelWithoutColumnsExportsAllKeys(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	p := f.newPanel(t, "loose")
	f.newRecord(t, p, "A", `{"zebra": 1, "ant": "x"}`)
	f.newRecord(t, p, "B", `{"Bee": true, "id": 3}`)
	f.work(t)
	_, content := f.succeed(t, f.startExport(t, p))
	lines := readAll(t, string(content))
	assert.Equal(t, []string{"id", "title", "Bee", "ant", "data.id", "zebra", "created_at", "updated_at"}, lines[0])
	assert.Equal(t, []string{"", "x", "", "1"}, lines[1][2:6])
	assert.Equal(t, []string{"true", "", "3", ""}, lines[2][2:6])

	empty := f.newPanel(t, "empty")
	_, content = f.succeed(t, f.startExport(t, empty))
	assert.Equal(t, "id,title,created_at,updated_at\r\n", string(content))
}

func TestAnExportOfTooManyKeysSaysSo(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	p := f.newPanel(t, "wild")
	for i := range 3 {
		document := map[string]int{}
		for key := range 400 {
			document[fmt.Sprintf("key %d", 400*i+key)] = key
		}
		f.newRecord(t, p, "R", string(marshal(t, document)))
	}
	f.work(t)
	assert.Contains(t, f.refuse(t, f.startExport(t, p)), "more than 1000 different keys")
	assert.Zero(t, f.stored(t), "nothing is left of a refused export")
}

func TestTransfersOfADeletedPanelAreRefused(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	p := f.newPanel(t, "gone")
	export, load := f.startExport(t, p), f.startImport(t, p, strings.NewReader("title\nA\n"))
	require.NoError(t, f.Delete(t.Context(), f.owner, p.ID, 0))
	f.work(t)
	assert.Equal(t, errPanelGone.Error(), f.refuse(t, export))
	assert.Equal(t, errPanelGone.Error(), f.refuse(t, load))
}

func TestAnImportAddsEveryRow(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	p := f.newPanel(t, "filled", "number")
	f.newRecord(t, p, "was there", "")
	var csv strings.Builder
	csv.WriteString("title,number,colour\n")
	for i := range 3_000 {
		fmt.Fprintf(&csv, "Row %d,%d,\"gr,een\"\n", i, i)
	}
	f.work(t)
	result, _ := f.succeed(t, f.startImport(t, p, strings.NewReader(csv.String())))
	assert.Equal(t, int64(3_000), result.Records)
	f.requireCount(t, p, 3_001)

	records, err := f.ListRecords(t.Context(), f.owner, p.ID, ByCreation, "row", Position{}, 5_000)
	require.NoError(t, err)
	for i, record := range records {
		require.Equal(t, fmt.Sprintf("Row %d", i), record.Title, "records are in the order of the rows")
		require.JSONEq(t, fmt.Sprintf(`{"number":"%d","colour":"gr,een"}`, i), string(record.Data))
		require.Equal(t, uuid.Version(7), record.ID.Version())
		require.Equal(t, uuid.RFC4122, record.ID.Variant())
	}
	changed, err := f.Get(t.Context(), f.owner, p.ID)
	require.NoError(t, err)
	assert.Equal(t, []string{"number", "colour"}, changed.Columns, "what came is shown")
	assert.Equal(t, p.Version+1, changed.Version)

	_, content := f.succeed(t, f.startExport(t, changed))
	copied := f.newPanel(t, "copy")
	f.succeed(t, f.startImport(t, copied, bytes.NewReader(content)))
	f.requireCount(t, copied, 3_001)
}

func TestAnImportIsAllOrNothing(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	p := f.newPanel(t, "strict")
	f.work(t)

	var csv strings.Builder
	csv.WriteString("title,a\n")
	for range 30 {
		csv.WriteString("fine,1\n,2\n")
	}
	message := f.refuse(t, f.startImport(t, p, strings.NewReader(csv.String())))
	assert.True(t, strings.HasPrefix(message, "line 3: title: expected a text that is not empty\nline 5: "), message)
	assert.True(t, strings.HasSuffix(message, "\nand more"), message)
	assert.Equal(t, 10, strings.Count(message, "line "))
	assert.Contains(t, f.refuse(t, f.startImport(t, p, strings.NewReader("name\nx\n"))), `line 1: no column "title"`)
	f.requireCount(t, p, 0)

	_, err := f.db.Exec(t.Context(), "UPDATE panels SET record_count = $1 WHERE id = $2", MaxRecords-1, p.ID)
	require.NoError(t, err)
	assert.Equal(t, ErrTooManyRecords.Error(), f.refuse(t, f.startImport(t, p, strings.NewReader("title\nA\nB\n"))))
	_, err = f.db.Exec(t.Context(), "UPDATE panels SET record_count = 0")
	require.NoError(t, err)
	f.requireCount(t, p, 0)
}

func TestImportedIDs(t *testing.T) {
	t.Parallel()
	first, second := uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7())
	seen := map[uuid.UUID]bool{}
	last := uuid.Nil
	for _, row := range []int{1, 2, 3, 255, 256, 257, 65_535, 65_536, 70_000, 999_999, 1_000_000, 1<<28 - 1} {
		id := importedID(first, row)
		assert.Equal(t, id, importedID(first, row))
		assert.Negative(t, bytes.Compare(last[:], id[:]), "row %d follows the rows before it", row)
		assert.Equal(t, first[:6], id[:6], "the time is the job's")
		assert.Equal(t, uuid.Version(7), id.Version())
		assert.Equal(t, uuid.RFC4122, id.Variant())
		seen[id], seen[importedID(second, row)] = true, true
		last = id
	}
	assert.Len(t, seen, 24)
}

func TestAnAccountExportHoldsEverything(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	p := f.newPanel(t, "Plants/green", "height")
	f.newRecord(t, p, "Fern", `{"height": 3, "hidden": "kept in the JSON"}`)
	f.newRecord(t, p, "Moss", "")
	f.newPanel(t, "Plants/green")
	deleted := f.newPanel(t, "deleted")
	require.NoError(t, f.Delete(t.Context(), f.owner, deleted.ID, 0))
	for _, content := range []string{"first", "second", "gone"} {
		id := uuid.Must(uuid.NewV7())
		key := file.NewKey(uint8(f.owner.Bucket), id)
		upload, err := file.Receive(t.Context(), f.store, key, strings.NewReader(content), 100)
		require.NoError(t, err)
		require.NoError(t, f.db.InTx(t.Context(), func(tx *database.Tx) error {
			_, err := f.AttachFile(t.Context(), tx, f.owner, p.ID, id, "Notes.txt", upload)
			return err
		}))
		if content == "gone" {
			require.NoError(t, f.store.Delete(t.Context(), key))
		}
	}
	stranger := f.newOwner(t)
	require.NoError(t, f.db.InTx(t.Context(), func(tx *database.Tx) error {
		_, err := f.Create(t.Context(), tx, stranger, Draft{Name: "not mine"})
		return err
	}))

	f.work(t)
	result, content := f.succeed(t, f.startAccountExport(t))
	assert.Equal(t, "application/zip", result.ContentType)
	assert.Equal(t, int64(2), result.Records)
	archive, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
	require.NoError(t, err)
	entries := map[string]string{}
	for _, entry := range archive.File {
		r, err := entry.Open()
		require.NoError(t, err)
		data, err := io.ReadAll(r)
		require.NoError(t, err)
		entries[entry.Name] = string(data)
	}
	files := map[string]string{}
	for name, content := range entries {
		if strings.Contains(name, "/files/") {
			files[name] = content
			delete(entries, name)
		}
	}
	assert.Len(t, files, 2)
	assert.Equal(t, "first", files["panels/001 Plants-green/files/Notes.txt"])

	assert.Len(t, entries, 7)
	assert.Contains(t, entries["account.json"], f.owner.UserID.String())
	assert.NotContains(t, entries["account.json"], "password")
	assert.Contains(t, entries["panels/001 Plants-green/records.csv"], ",Fern,3,")
	var records []exportedRecord
	require.NoError(t, json.Unmarshal([]byte(entries["panels/001 Plants-green/records.json"]), &records))
	require.Len(t, records, 2)
	assert.JSONEq(t, `{"height": 3, "hidden": "kept in the JSON"}`, string(records[0].Data))
	assert.Equal(t, "[\n]\n", entries["panels/002 Plants-green/records.json"])
}

// patientStore gives no object as long as a transaction is open in which nothing is asked for: as a large file that takes
// longer to copy than the database bears.
type patientStore struct {
	file.Store

	db *database.DB
}

func (s patientStore) Open(ctx context.Context, key file.Key) (file.Object, error) {
	for idle := true; idle; {
		err := s.db.QueryRow(ctx, `SELECT count(*) > 0 FROM pg_stat_activity
			WHERE datname = current_database() AND state LIKE 'idle in transaction%'`).Scan(&idle)
		if err != nil {
			return nil, err
		}
	}
	return s.Store.Open(ctx, key)
}

func TestAnAccountExportMayTakeLongOverFiles(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	p := f.newPanel(t, "Plants")
	for i := range 3 {
		id := uuid.Must(uuid.NewV7())
		upload, err := file.Receive(t.Context(), f.store, file.NewKey(uint8(f.owner.Bucket), id), strings.NewReader("leaf"), 100)
		require.NoError(t, err)
		require.NoError(t, f.db.InTx(t.Context(), func(tx *database.Tx) error {
			_, err := f.AttachFile(t.Context(), tx, f.owner, p.ID, id, fmt.Sprintf("%d.txt", i), upload)
			return err
		}))
	}
	// As the service's role has it (see infra/machine), but sooner.
	impatient := f.database.OpenWith(t, database.Options{
		URL: f.database.URL + "&idle_in_transaction_session_timeout=1s", Connections: 5, Wait: deadline,
	})
	worker, err := job.NewWorker(options(impatient, patientStore{f.store, f.db}))
	require.NoError(t, err)
	worker.Start(t.Context())
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), deadline)
		defer cancel()
		assert.NoError(t, worker.Stop(ctx))
	})
	_, content := f.succeed(t, f.startAccountExport(t))
	archive, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
	require.NoError(t, err)
	assert.Len(t, archive.File, 4+3)
}
