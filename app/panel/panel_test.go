package panel

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/app/database"
	"github.com/radpanel/radpanel/app/database/dbgen"
	"github.com/radpanel/radpanel/app/file"
)

func pointer[T any](value T) *T { return &value }

func TestAPanelIsKeptChangedDeletedAndRestored(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := t.Context()
	made, err := f.tryPanel(t, Draft{Name: "  Plants ", Description: "green\nthings", Columns: []string{"height", "name"}})
	require.NoError(t, err)
	assert.Equal(t, "Plants", made.Name)
	assert.Equal(t, int64(1), made.Version)
	record := f.newRecord(t, made, "Fern", `{"height": 3}`)

	changed, err := f.Update(ctx, f.owner, made.ID, 1, Change{Name: pointer("Ferns")})
	require.NoError(t, err)
	assert.Equal(t, "Ferns", changed.Name)
	assert.Equal(t, "green\nthings", changed.Description, "what is not given stays")
	assert.Equal(t, []string{"height", "name"}, changed.Columns)
	assert.Equal(t, int64(2), changed.Version)
	_, err = f.Update(ctx, f.owner, made.ID, 1, Change{Name: pointer("Trees")})
	require.ErrorIs(t, err, database.ErrStale)
	changed, err = f.Update(ctx, f.owner, made.ID, 0, Change{Columns: []string{}})
	require.NoError(t, err)
	assert.Empty(t, changed.Columns, "an empty list is a change")

	require.ErrorIs(t, f.Delete(ctx, f.owner, made.ID, 1), database.ErrStale)
	require.NoError(t, f.Delete(ctx, f.owner, made.ID, changed.Version))
	require.ErrorIs(t, f.Delete(ctx, f.owner, made.ID, 0), database.ErrNotFound)
	_, err = f.Get(ctx, f.owner, made.ID)
	require.ErrorIs(t, err, database.ErrNotFound)
	_, err = f.GetRecord(ctx, f.owner, made.ID, record.ID)
	require.ErrorIs(t, err, database.ErrNotFound, "the records of a deleted panel are out of reach")
	_, err = f.UpdateRecord(ctx, f.owner, made.ID, record.ID, 1, RecordChange{Title: pointer("x")})
	require.ErrorIs(t, err, database.ErrNotFound)
	require.ErrorIs(t, f.DeleteRecord(ctx, f.owner, made.ID, record.ID, 0), database.ErrNotFound)
	_, err = f.tryRecord(t, made, RecordDraft{Title: "x"})
	require.ErrorIs(t, err, database.ErrNotFound)

	restored, err := f.Restore(ctx, f.owner, made.ID)
	require.NoError(t, err)
	assert.Greater(t, restored.Version, changed.Version)
	again, err := f.Restore(ctx, f.owner, made.ID)
	require.NoError(t, err, "a panel that is not deleted is restored already")
	assert.Equal(t, restored, again)
	_, err = f.GetRecord(ctx, f.owner, made.ID, record.ID)
	require.NoError(t, err)
	f.requireCount(t, made, 1)

	require.NoError(t, f.Delete(ctx, f.owner, made.ID, 0))
	_, err = f.db.Exec(ctx, "UPDATE panels SET deleted_at = now() - interval '31 days'")
	require.NoError(t, err)
	_, err = f.Restore(ctx, f.owner, made.ID)
	require.ErrorIs(t, err, database.ErrNotFound, "after the time for it")
}

func TestARecordIsKeptChangedAndDeleted(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := t.Context()
	p := f.newPanel(t, "Plants")
	made := f.newRecord(t, p, " Fern ", `{"height": 3.50, "big": 12345678901234567890}`)
	assert.Equal(t, "Fern", made.Title)
	assert.JSONEq(t, `{"height": 3.50, "big": 12345678901234567890}`, string(made.Data))
	assert.Contains(t, string(made.Data), "12345678901234567890", "no digit is lost")

	changed, err := f.UpdateRecord(ctx, f.owner, p.ID, made.ID, 1, RecordChange{Title: pointer("Moss")})
	require.NoError(t, err)
	assert.Equal(t, "Moss", changed.Title)
	assert.JSONEq(t, string(made.Data), string(changed.Data), "data that is not given stays")
	changed, err = f.UpdateRecord(ctx, f.owner, p.ID, made.ID, 2, RecordChange{Data: []byte(`{"colour": "green"}`)})
	require.NoError(t, err)
	assert.Equal(t, "Moss", changed.Title)
	assert.JSONEq(t, `{"colour": "green"}`, string(changed.Data), "data replaces the whole document")
	_, err = f.UpdateRecord(ctx, f.owner, p.ID, made.ID, 2, RecordChange{Title: pointer("x")})
	require.ErrorIs(t, err, database.ErrStale)

	other := f.newPanel(t, "Other")
	_, err = f.GetRecord(ctx, f.owner, other.ID, made.ID)
	require.ErrorIs(t, err, database.ErrNotFound, "in another panel of the same user")
	require.ErrorIs(t, f.DeleteRecord(ctx, f.owner, p.ID, made.ID, 2), database.ErrStale)
	require.NoError(t, f.DeleteRecord(ctx, f.owner, p.ID, made.ID, 3))
	require.ErrorIs(t, f.DeleteRecord(ctx, f.owner, p.ID, made.ID, 0), database.ErrNotFound)
	f.requireCount(t, p, 0)
}

func TestWhatIsWrongIsNamed(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	long := strings.Repeat("ü", 201)
	for name, test := range map[string]struct {
		draft Draft
		err   string
	}{
		"no name":          {Draft{Name: " \t"}, "name: expected a text that is not empty"},
		"a long name":      {Draft{Name: long}, "name: 201 characters; expected at most 200"},
		"a name of lines":  {Draft{Name: "a\nb"}, "name: expected one line"},
		"an escape":        {Draft{Name: "a", Description: "\x1b[2J"}, "description: expected a text without control characters"},
		"a long text":      {Draft{Name: "a", Description: strings.Repeat("x", 2001)}, "description: 2001 characters"},
		"a column twice":   {Draft{Name: "a", Columns: []string{"x", "y", "x"}}, `columns[2]: "x" is there twice`},
		"an empty column":  {Draft{Name: "a", Columns: []string{""}}, "columns[0]: expected a key of 1 to 100 characters"},
		"too many columns": {Draft{Name: "a", Columns: make([]string, 51)}, "columns: 51 columns; expected at most 50"},
		"two things":       {Draft{Name: "", Columns: []string{""}}, "name: expected a text that is not empty\ncolumns[0]"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := f.tryPanel(t, test.draft)
			require.ErrorContains(t, err, test.err)
			var invalid *InvalidError
			require.ErrorAs(t, err, &invalid)
		})
	}
	_, err := f.tryPanel(t, Draft{Name: strings.Repeat("ü", 200), Description: strings.Repeat("ü", 2000), Columns: []string{strings.Repeat("ü", 100)}})
	require.NoError(t, err, "the limits are in characters, in the schema too")
}

func TestLimits(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := t.Context()
	p := f.newPanel(t, "one of many")
	_, err := f.db.Exec(ctx, `INSERT INTO panels (bucket, id, user_id, name)
		SELECT $1, gen_random_uuid(), $2, 'p' FROM generate_series(1, $3::int)`, f.owner.Bucket, f.owner.UserID, MaxPanels-2)
	require.NoError(t, err)

	// One place is left, for which many run.
	var made atomic.Int32
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			if _, err := f.tryPanel(t, Draft{Name: "p"}); err == nil {
				made.Add(1)
			} else {
				assert.ErrorIs(t, err, ErrTooManyPanels)
			}
		})
	}
	wait.Wait()
	assert.Equal(t, int32(1), made.Load())
	require.NoError(t, f.Delete(ctx, f.owner, p.ID, 0))
	second := f.newPanel(t, "p")
	_, err = f.Restore(ctx, f.owner, p.ID)
	require.ErrorIs(t, err, ErrTooManyPanels, "a restoration counts")

	_, err = f.db.Exec(ctx, "UPDATE panels SET record_count = $1 WHERE id = $2", MaxRecords-1, second.ID)
	require.NoError(t, err)
	f.newRecord(t, second, "the last", "")
	_, err = f.tryRecord(t, second, RecordDraft{Title: "one too many"})
	require.ErrorIs(t, err, ErrTooManyRecords)
}

func TestOthersFindNothing(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := t.Context()
	p := f.newPanel(t, "mine")
	record := f.newRecord(t, p, "mine", "")
	strangers := []Owner{f.newOwner(t), {UserID: f.owner.UserID, Bucket: f.owner.Bucket ^ 1}, {UserID: uuid.New(), Bucket: f.owner.Bucket}}
	for _, stranger := range strangers {
		_, err := f.Get(ctx, stranger, p.ID)
		require.ErrorIs(t, err, database.ErrNotFound)
		_, err = f.Update(ctx, stranger, p.ID, 0, Change{Name: pointer("x")})
		require.ErrorIs(t, err, database.ErrNotFound)
		require.ErrorIs(t, f.Delete(ctx, stranger, p.ID, 0), database.ErrNotFound)
		_, err = f.Restore(ctx, stranger, p.ID)
		require.ErrorIs(t, err, database.ErrNotFound)
		_, err = f.GetRecord(ctx, stranger, p.ID, record.ID)
		require.ErrorIs(t, err, database.ErrNotFound)
		_, err = f.UpdateRecord(ctx, stranger, p.ID, record.ID, 0, RecordChange{Title: pointer("x")})
		require.ErrorIs(t, err, database.ErrNotFound)
		require.ErrorIs(t, f.DeleteRecord(ctx, stranger, p.ID, record.ID, 0), database.ErrNotFound)
		_, err = f.DeleteRecords(ctx, stranger, p.ID, []uuid.UUID{record.ID})
		require.ErrorIs(t, err, database.ErrNotFound)
		require.ErrorIs(t, f.DeleteFile(ctx, stranger, p.ID, uuid.New()), database.ErrNotFound)
		panels, err := f.List(ctx, stranger, ByName, "", Position{}, 10)
		require.NoError(t, err)
		assert.Empty(t, panels)
		records, err := f.ListRecords(ctx, stranger, p.ID, ByTitle, "", Position{}, 10)
		require.NoError(t, err)
		assert.Empty(t, records)
		err = f.db.InTx(ctx, func(tx *database.Tx) error {
			_, err := f.CreateRecord(ctx, tx, stranger, p.ID, RecordDraft{Title: "x"})
			return err
		})
		require.ErrorIs(t, err, database.ErrNotFound)
	}
	f.requireCount(t, p, 1)
}

func TestOfManyWritersOneWins(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	p := f.newPanel(t, "contended")
	record := f.newRecord(t, p, "contended", "")
	const writers, rounds = 8, 20
	var wins, losses atomic.Int32
	for round := range rounds {
		var wait sync.WaitGroup
		for writer := range writers {
			wait.Go(func() {
				title := fmt.Sprintf("round %d writer %d", round, writer)
				_, err := f.UpdateRecord(t.Context(), f.owner, p.ID, record.ID, int64(round+1), RecordChange{Title: &title})
				if err == nil {
					wins.Add(1)
					return
				}
				assert.ErrorIs(t, err, database.ErrStale)
				losses.Add(1)
			})
		}
		wait.Wait()
	}
	assert.Equal(t, int32(rounds), wins.Load(), "one writer a version")
	assert.Equal(t, int32(rounds*(writers-1)), losses.Load())
	last, err := f.GetRecord(t.Context(), f.owner, p.ID, record.ID)
	require.NoError(t, err)
	assert.Equal(t, int64(rounds+1), last.Version)
}

func TestTheCountIsExactUnderConcurrency(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	p := f.newPanel(t, "busy")
	var wait sync.WaitGroup
	var deleted atomic.Int64
	const writers, each = 8, 20
	for range writers {
		wait.Go(func() {
			var mine []uuid.UUID
			for i := range each {
				record, err := f.tryRecord(t, p, RecordDraft{Title: "r"})
				if !assert.NoError(t, err) {
					return
				}
				mine = append(mine, record.ID)
				if i%5 == 4 {
					assert.NoError(t, f.DeleteRecord(t.Context(), f.owner, p.ID, mine[0], 0))
					n, err := f.DeleteRecords(t.Context(), f.owner, p.ID, append(mine[1:3:3], mine[0], uuid.New()))
					assert.NoError(t, err)
					assert.Equal(t, int64(2), n, "what is gone is left out")
					deleted.Add(3)
					mine = mine[3:]
				}
			}
		})
	}
	wait.Wait()
	f.requireCount(t, p, writers*each-int(deleted.Load()))
}

func TestConcurrentBulkDeletionsDoNotDeadlock(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	p := f.newPanel(t, "bulk")
	f.fill(t, p, 500)
	records, err := f.ListRecords(t.Context(), f.owner, p.ID, ByCreation, "", Position{}, 500)
	require.NoError(t, err)
	var wait sync.WaitGroup
	var deleted atomic.Int64
	for writer := range 6 {
		wait.Go(func() {
			ids := make([]uuid.UUID, len(records))
			for i, record := range records {
				if ids[i] = record.ID; writer%2 == 1 {
					ids[len(ids)-1-i] = record.ID
				}
			}
			n, err := f.DeleteRecords(t.Context(), f.owner, p.ID, ids)
			assert.NoError(t, err)
			deleted.Add(n)
		})
	}
	wait.Wait()
	assert.Equal(t, int64(500), deleted.Load())
	f.requireCount(t, p, 0)
}

func TestSearch(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	p := f.newPanel(t, "100% Wool_Socks")
	f.newPanel(t, "1000 Wool Socks")
	for _, title := range []string{"50% off", "50 percent off", `back\slash`, "under_score", "underscore", "Äpfel und Öl", "aaa", "bab"} {
		f.newRecord(t, p, title, "")
	}
	for search, want := range map[string][]string{
		"50%":     {"50% off"},
		"OFF":     {"50% off", "50 percent off"},
		`\`:       {},
		`k\s`:     {`back\slash`},
		"r_s":     {"under_score"},
		"äPFEL":   {"Äpfel und Öl"},
		"öl":      {"Äpfel und Öl"}, // Two characters: the beginning of a word.
		"a":       {"aaa"},
		"  aa ":   {"aaa"},
		"ab":      {},
		"bab":     {"bab"},
		"":        {"50% off", "50 percent off", `back\slash`, "under_score", "underscore", "Äpfel und Öl", "aaa", "bab"},
		"nothing": {},
		"%%%":     {},
		"___":     {},
	} {
		for _, sort := range []Sort{ByCreation, ByCreationDesc, ByTitle, ByTitleDesc, ByUpdate, ByUpdateDesc} {
			records, err := f.ListRecords(t.Context(), f.owner, p.ID, sort, search, Position{}, 100)
			require.NoError(t, err)
			got := make([]string, len(records))
			for i, record := range records {
				got[i] = record.Title
			}
			assert.ElementsMatch(t, want, got, "%q by %s", search, sort)
		}
	}
	for search, want := range map[string]int{"100%": 1, "wool": 2, "l_s": 1, "x": 0, " ": 2} {
		panels, err := f.List(t.Context(), f.owner, ByName, search, Position{}, 100)
		require.NoError(t, err)
		assert.Len(t, panels, want, "%q", search)
	}
}

func TestFilesOfAPanelAreLimited(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	p := f.newPanel(t, "files")
	_, err := f.db.Exec(t.Context(), `INSERT INTO files (bucket, id, panel_id, user_id, name, content_type, size_bytes, sha256, store_key)
		SELECT $1, gen_random_uuid(), $2, $3, 'f', 'text/plain', 0, sha256(''), 'key' FROM generate_series(1, $4::int)`,
		f.owner.Bucket, p.ID, f.owner.UserID, MaxFiles)
	require.NoError(t, err)
	err = f.db.InTx(t.Context(), func(tx *database.Tx) error {
		_, err := f.AttachFile(t.Context(), tx, f.owner, p.ID, uuid.New(), "a", fileUpload())
		return err
	})
	require.ErrorIs(t, err, ErrTooManyFiles)
}

func TestPositionsComeBackFromCursors(t *testing.T) {
	t.Parallel()
	at := time.Date(2024, 1, 2, 3, 4, 5, 678901000, time.UTC)
	assert.True(t, Position{}.IsStart())
	assert.False(t, PanelPosition(dbgen.Panel{ID: uuid.New(), UpdatedAt: at}).IsStart())
	assert.Equal(t, Position{Text: "T", Time: at}, RecordPosition(dbgen.Record{Title: "T", UpdatedAt: at}))
	_, err := NewService(nil, nil, nil).List(t.Context(), Owner{}, "title", "", Position{}, 1)
	require.ErrorContains(t, err, `sort: "title"; expected created, updated or name`)
}

// The bytes of a deleted file are about to go, also while its deletion is not committed yet.
func TestAFileThatWasDeletedIsNotAttachedAgain(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	p := f.newPanel(t, "Plants")
	id := uuid.Must(uuid.NewV7())
	key := file.NewKey(uint8(f.owner.Bucket), id)
	upload, err := file.Receive(t.Context(), f.store, key, strings.NewReader("leaf"), 100)
	require.NoError(t, err)
	attach := func() error {
		return f.db.InTx(t.Context(), func(tx *database.Tx) error {
			_, err := f.AttachFile(t.Context(), tx, f.owner, p.ID, id, "leaf.txt", upload)
			return err
		})
	}
	require.NoError(t, attach())
	require.ErrorIs(t, attach(), database.ErrConflict)
	require.NoError(t, f.CheckUpload(t.Context(), f.owner, key))

	again := make(chan error, 1)
	require.NoError(t, f.db.InTx(t.Context(), func(tx *database.Tx) error {
		_, err := tx.DeleteFile(t.Context(), dbgen.DeleteFileParams{Bucket: f.owner.Bucket, ID: id, PanelID: p.ID, UserID: f.owner.UserID})
		require.NoError(t, err)
		go func() { again <- attach() }()
		require.Eventually(t, func() bool {
			var waits bool
			require.NoError(t, f.db.QueryRow(t.Context(), `SELECT count(*) > 0 FROM pg_stat_activity
				WHERE datname = current_database() AND wait_event_type = 'Lock'`).Scan(&waits))
			return waits || len(again) > 0
		}, deadline, tick)
		return nil
	}))
	require.ErrorIs(t, <-again, ErrFileDeleted)
	require.ErrorIs(t, f.CheckUpload(t.Context(), f.owner, key), ErrFileDeleted)
	files, err := f.ListFiles(t.Context(), f.owner, p.ID, uuid.Max, 10)
	require.NoError(t, err)
	assert.Empty(t, files)
}
