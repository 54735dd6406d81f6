package panel

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/radpanel/radpanel/app/database/dbgen"
)

// Sort is the order of a list: a field, with "-" before it when the greatest comes first.
type Sort string

// The orders of the lists. Panels sort by name where records sort by title.
const (
	ByCreation     Sort = "created"
	ByCreationDesc Sort = "-created"
	ByUpdate       Sort = "updated"
	ByUpdateDesc   Sort = "-updated"
	ByName         Sort = "name"
	ByNameDesc     Sort = "-name"
	ByTitle        Sort = "title"
	ByTitleDesc    Sort = "-title"
)

// Position is the place of a row in a list: what its order compares, and its id to break ties. A list goes on after
// it, whatever was added or removed meanwhile.
type Position struct {
	Text string    `json:"t,omitempty"`
	Time time.Time `json:"u,omitzero"`
	ID   uuid.UUID `json:"i"`
}

// IsStart reports whether the list starts at its beginning.
func (p Position) IsStart() bool { return p == Position{} }

// PanelPosition is the place of a panel in any of the orders.
func PanelPosition(p dbgen.Panel) Position {
	return Position{Text: p.Name, Time: p.UpdatedAt, ID: p.ID}
}

// RecordPosition is the place of a record in any of the orders.
func RecordPosition(r dbgen.Record) Position {
	return Position{Text: r.Title, Time: r.UpdatedAt, ID: r.ID}
}

// statement is an SQL statement with its arguments.
type statement struct {
	sql  string
	args []any
}

// arg adds an argument and returns its placeholder.
func (s *statement) arg(value any) string {
	s.args = append(s.args, value)
	return fmt.Sprintf("$%d", len(s.args))
}

// The statements of the lists are put together here rather than written for sqlc, because each order, the first page,
// and a search need their own text for PostgreSQL to use the order's index: a condition that is switched off by an
// argument ("$1 IS NULL OR …") is still part of a plan, and reads the panel from its beginning for every page. All
// parts are constants of this file; values are arguments.
const (
	panelColumns  = "bucket, id, user_id, name, description, columns, version, created_at, updated_at, deleted_at, record_count"
	recordColumns = "bucket, id, panel_id, user_id, title, data, version, created_at, updated_at"
)

func panelPage(sort Sort, owner Owner, search string, after Position, limit int) (statement, error) {
	var s statement
	where := "bucket = " + s.arg(owner.Bucket) + " AND user_id = " + s.arg(owner.UserID) + " AND deleted_at IS NULL"
	if search = strings.TrimSpace(search); search != "" {
		// No index of words: a user's panels are at most MaxPanels.
		where += " AND lower(name) LIKE lower(" + s.arg("%"+escapeLike(search)+"%") + ")"
	}
	return s, s.page("SELECT "+panelColumns+" FROM panels WHERE "+where, sort, "name", after, limit)
}

func recordPage(sort Sort, owner Owner, panelID uuid.UUID, search string, after Position, limit int) (statement, error) {
	var s statement
	where := "bucket = " + s.arg(owner.Bucket) + " AND panel_id = " + s.arg(panelID) + " AND user_id = " + s.arg(owner.UserID)
	var alternatives []string
	for _, pattern := range searchPatterns(search) {
		alternatives = append(alternatives, "lower(title) LIKE lower("+s.arg(pattern)+")")
	}
	if len(alternatives) > 0 {
		where += " AND (" + strings.Join(alternatives, " OR ") + ")"
	}
	return s, s.page("SELECT "+recordColumns+" FROM records WHERE "+where, sort, "title", after, limit)
}

// page adds the position, the order and the limit. name is the column that the field of the same name sorts by.
func (s *statement) page(query string, sort Sort, name string, after Position, limit int) error {
	field, descending := strings.CutPrefix(string(sort), "-")
	direction, comparison := "", ">"
	if descending {
		direction, comparison = " DESC", "<"
	}
	var keys []string
	var position []any
	var least string // The least value of the first key.
	switch field {
	case "created": // Ids are UUIDv7: in the order of creation.
		keys, position, least = []string{"id"}, []any{after.ID}, "'00000000-0000-0000-0000-000000000000'"
	case "updated":
		keys, position, least = []string{"updated_at", "id"}, []any{after.Time, after.ID}, "'-infinity'"
	case name:
		keys, position, least = []string{"lower(" + name + ")", "id"}, []any{after.Text, after.ID}, "''"
	default:
		return invalid("sort", "%q; expected created, updated or %s, with - before it for the other direction", sort, name)
	}
	if after.IsStart() {
		// True of every row. With a condition on its key, the index of the order is the best one for PostgreSQL even
		// when its statistics do not know yet how large the panel has become, as right after an import; without one it
		// then reads and sorts the whole panel.
		query += " AND " + keys[0] + " >= " + least
	} else {
		query += " AND (" + strings.Join(keys, ", ") + ") " + comparison + " (" + s.bounds(position) + ")"
	}
	s.sql = query + " ORDER BY " + strings.Join(keys, direction+", ") + direction + " LIMIT " + s.arg(limit)
	return nil
}

// bounds are the placeholders of a position. A text is compared in lower case as PostgreSQL makes it.
func (s *statement) bounds(position []any) string {
	placeholders := make([]string, len(position))
	for i, value := range position {
		placeholders[i] = s.arg(value)
		if _, isText := value.(string); isText {
			placeholders[i] = "lower(" + placeholders[i] + ")"
		}
	}
	return strings.Join(placeholders, ", ")
}

// searchPatterns are the LIKE patterns of a search in titles; a title has to match one of them. Texts of three
// characters and more are found anywhere in it, by their trigrams. Shorter ones have none, and are looked for at the
// beginnings of words, where trigrams have the space.
func searchPatterns(search string) []string {
	const trigram = 3
	search = strings.TrimSpace(search)
	switch n := utf8.RuneCountInString(search); {
	case n == 0:
		return nil
	case n < trigram:
		return []string{escapeLike(search) + "%", "% " + escapeLike(search) + "%"}
	default:
		return []string{"%" + escapeLike(search) + "%"}
	}
}

// escapeLike takes from the characters that LIKE knows their meaning.
func escapeLike(text string) string {
	return strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(text)
}

// rowsOf reads rows whose columns are in the order of T's fields.
func rowsOf[T any](rows pgx.Rows) ([]T, error) { return pgx.CollectRows(rows, pgx.RowToStructByPos[T]) }
