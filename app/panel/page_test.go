package panel

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/app/database/dbgen"
	"github.com/radpanel/radpanel/app/file"
)

func fileUpload() file.Upload {
	return file.Upload{Key: file.NewKey(1, uuid.New()), SHA256: sha256.Sum256(nil), ContentType: "text/plain"}
}

var recordSorts = []Sort{ByCreation, ByCreationDesc, ByTitle, ByTitleDesc, ByUpdate, ByUpdateDesc}

// TestEveryOrderSeesEveryRowOnce walks through a panel while others add to it and remove from it: rows that were there
// before the walk and stay come up exactly once, in order.
func TestEveryOrderSeesEveryRowOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for _, sort := range recordSorts {
		t.Run(string(sort), func(t *testing.T) {
			t.Parallel()
			p := f.newPanel(t, "walked "+string(sort))
			f.fill(t, p, 700)
			// Equal keys, which only the id tells apart.
			_, err := f.db.Exec(t.Context(), `UPDATE records SET title = 'SAME', updated_at = '2024-01-01' WHERE panel_id = $1 AND get_byte(uuid_send(id), 0) < 60`, p.ID)
			require.NoError(t, err)
			var before []dbgen.Record
			before, err = f.ListRecords(t.Context(), f.owner, p.ID, sort, "", Position{}, 10_000)
			require.NoError(t, err)
			require.Len(t, before, 700)

			seen := map[uuid.UUID]int{}
			var order []uuid.UUID
			var after Position
			for page := 0; ; page++ {
				rows, err := f.ListRecords(t.Context(), f.owner, p.ID, sort, "", after, 37)
				require.NoError(t, err)
				for _, row := range rows {
					seen[row.ID]++
					order = append(order, row.ID)
				}
				if len(rows) < 37 {
					break
				}
				after = throughCursor(t, RecordPosition(rows[len(rows)-1]))
				for i := range 3 { // Others write all over the order.
					f.newRecord(t, p, fmt.Sprintf("%c new %d", 'a'+(page+i)%26, page), "")
				}
				f.fill(t, p, 2)
			}
			for _, row := range before {
				assert.Equal(t, 1, seen[row.ID], row.Title)
			}
			assert.Equal(t, ids(before), keep(order, before), "the order is that of one long page")
		})
	}
}

// throughCursor is the position as a client sends it back.
func throughCursor(t *testing.T, position Position) (back Position) {
	t.Helper()
	text, err := json.Marshal(position)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &back))
	return back
}

func ids(records []dbgen.Record) []uuid.UUID {
	all := make([]uuid.UUID, len(records))
	for i, record := range records {
		all[i] = record.ID
	}
	return all
}

// keep is those of all that are among the records.
func keep(all []uuid.UUID, records []dbgen.Record) []uuid.UUID {
	known := map[uuid.UUID]bool{}
	for _, record := range records {
		known[record.ID] = true
	}
	var kept []uuid.UUID
	for _, id := range all {
		if known[id] {
			kept = append(kept, id)
		}
	}
	return kept
}

func TestPanelsArePagedInEveryOrder(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for i := range 30 {
		f.newPanel(t, fmt.Sprintf("%c panel %d", 'A'+(i*7)%26, i%3))
	}
	for _, sort := range []Sort{ByCreation, ByCreationDesc, ByName, ByNameDesc, ByUpdate, ByUpdateDesc} {
		want, err := f.List(t.Context(), f.owner, sort, "", Position{}, 100)
		require.NoError(t, err)
		var got []dbgen.Panel
		var after Position
		for {
			page, err := f.List(t.Context(), f.owner, sort, "", after, 7)
			require.NoError(t, err)
			got = append(got, page...)
			if len(page) < 7 {
				break
			}
			after = throughCursor(t, PanelPosition(page[len(page)-1]))
		}
		assert.Equal(t, want, got, sort)
		assert.Len(t, got, 30)
	}
}

// plan is a node of PostgreSQL's answer to EXPLAIN.
type plan struct {
	Type      string  `json:"Node Type"`
	Index     string  `json:"Index Name"`
	Relation  string  `json:"Relation Name"`
	Rows      float64 `json:"Actual Rows"`
	Removed   float64 `json:"Rows Removed by Filter"`
	Condition string  `json:"Index Cond"`
	Plans     []plan
}

func (p plan) all() []plan {
	all := []plan{p}
	for _, child := range p.Plans {
		all = append(all, child.all()...)
	}
	return all
}

// explain runs a statement and returns the nodes of its plan.
func explain(t *testing.T, conn *pgx.Conn, s statement) []plan {
	t.Helper()
	var text []byte
	require.NoError(t, conn.QueryRow(t.Context(), "EXPLAIN (ANALYZE, FORMAT JSON) "+s.sql, s.args...).Scan(&text), s.sql)
	var answer []struct{ Plan plan }
	require.NoError(t, json.Unmarshal(text, &answer))
	return answer[0].Plan.all()
}

// TestPagesAreReadByIndexes holds every statement of the lists against a panel of 100,000 records among a million: no
// sequential scan, no sort of a whole panel, and a page deep in the panel as cheap as the first.
func TestPagesAreReadByIndexes(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	p, other := f.newPanel(t, "large"), f.newPanel(t, "other")
	conn, err := pgx.Connect(t.Context(), f.database.SuperuserURL.Reveal())
	require.NoError(t, err)
	defer func() { assert.NoError(t, conn.Close(context.WithoutCancel(t.Context()))) }()
	f.fillLarge(t, conn, p, other)

	for _, sort := range recordSorts {
		deep := throughCursor(t, RecordPosition(f.middle(t, p, sort, 50_000)))
		for _, position := range []Position{{}, deep} {
			for _, search := range []string{"", "record 9", "777", "zzz", "re", "zz"} {
				statement, err := recordPage(sort, f.owner, p.ID, search, position, 51)
				require.NoError(t, err)
				for _, node := range explain(t, conn, statement) {
					assert.NotContains(t, node.Type, "Seq Scan", "%s %q: %s", sort, search, statement.sql)
					if search == "" {
						assert.NotContains(t, node.Type, "Sort", "%s: the index has the order", sort)
						assert.LessOrEqual(t, node.Rows+node.Removed, 200.0, "%s: no more is read than is shown", sort)
					}
				}
			}
			// Signs have no trigrams. All of the panel is read, but nothing else of the table.
			statement, err := recordPage(sort, f.owner, other.ID, "%%%", position, 51)
			require.NoError(t, err)
			for _, node := range explain(t, conn, statement) {
				assert.NotContains(t, node.Type, "Seq Scan", "%s: %s", sort, statement.sql)
			}
		}
	}
	for _, sort := range []Sort{ByCreation, ByName, ByUpdateDesc} {
		for _, search := range []string{"", "abc"} {
			statement, err := panelPage(sort, f.owner, search, Position{}, 51)
			require.NoError(t, err)
			for _, node := range explain(t, conn, statement) {
				assert.NotContains(t, node.Type, "Seq Scan", "%s %q: %s", sort, search, statement.sql)
			}
		}
	}
}

// TestPagesAreReadByIndexesRightAfterAnImport: the import itself brings the statistics up to date.
func TestPagesAreReadByIndexesRightAfterAnImport(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	conn, err := pgx.Connect(t.Context(), f.database.SuperuserURL.Reveal())
	require.NoError(t, err)
	defer func() { assert.NoError(t, conn.Close(context.WithoutCancel(t.Context()))) }()
	f.fill(t, f.newPanel(t, "small"), 100)
	_, err = conn.Exec(t.Context(), "ANALYZE records")
	require.NoError(t, err)

	var csv strings.Builder
	csv.WriteString("title\n")
	for i := range 5_000 {
		fmt.Fprintf(&csv, "Row %d\n", i)
	}
	p := f.newPanel(t, "fresh")
	f.work(t)
	f.succeed(t, f.startImport(t, p, strings.NewReader(csv.String())))
	for _, sort := range recordSorts {
		for _, position := range []Position{{}, throughCursor(t, RecordPosition(f.middle(t, p, sort, 2_500)))} {
			statement, err := recordPage(sort, f.owner, p.ID, "", position, 51)
			require.NoError(t, err)
			for _, node := range explain(t, conn, statement) {
				assert.LessOrEqual(t, node.Rows+node.Removed, 200.0, "%s: no more is read than is shown", sort)
			}
		}
	}
}

// fillLarge fills the tables as conn, the superuser, can: the index of words is built afterwards, which is faster.
func (f *fixture) fillLarge(t *testing.T, conn *pgx.Conn, large, small dbgen.Panel) {
	t.Helper()
	var definition string
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT pg_get_indexdef('records_by_words'::regclass)").Scan(&definition))
	_, err := conn.Exec(t.Context(), "DROP INDEX records_by_words")
	require.NoError(t, err)
	f.fill(t, large, 100_000)
	f.fill(t, small, 15_000)
	for _, owner := range []Owner{f.owner, f.newOwner(t), f.newOwner(t), f.newOwner(t), f.newOwner(t), f.newOwner(t), f.newOwner(t)} {
		_, err = conn.Exec(t.Context(), `INSERT INTO panels (bucket, id, user_id, name, updated_at)
			SELECT $1, gen_random_uuid(), $2, md5(n::text), now() - random() * interval '1 year' FROM generate_series(1, 900) n`, owner.Bucket, owner.UserID)
		require.NoError(t, err)
	}
	if !testing.Short() { // A million records in all: what a plan gets wrong shows at that size.
		_, err = conn.Exec(t.Context(), `INSERT INTO records (bucket, id, panel_id, user_id, title)
			SELECT bucket, gen_random_uuid(), id, user_id, 'record ' || md5(id::text || n) FROM panels, generate_series(1, 141) n`)
		require.NoError(t, err)
	}
	_, err = conn.Exec(t.Context(), definition)
	require.NoError(t, err)
	_, err = conn.Exec(t.Context(), "VACUUM ANALYZE records, panels")
	require.NoError(t, err)
}

// middle is the record with so many before it.
func (f *fixture) middle(t *testing.T, p dbgen.Panel, sort Sort, offset int) dbgen.Record {
	t.Helper()
	s, err := recordPage(sort, f.owner, p.ID, "", Position{}, 1)
	require.NoError(t, err)
	s.sql = strings.Replace(s.sql, " LIMIT ", fmt.Sprintf(" OFFSET %d LIMIT ", offset), 1)
	rows, err := collect[dbgen.Record](t.Context(), f.db, s)
	require.NoError(t, err)
	return rows[0]
}
