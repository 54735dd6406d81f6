package panel

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/radpanel/radpanel/app/database/dbgen"
)

// The columns of a CSV file that are not keys of the records' documents. An import takes the title and leaves the
// others out: a record gets its id and its times from the service.
const (
	columnID      = "id"
	columnTitle   = "title"
	columnCreated = "created_at"
	columnUpdated = "updated_at"
	// keyPrefix stands before the column of a key that would read as one of the above, or as one with this prefix.
	keyPrefix = "data."
	// csvContentType says the character set, which RFC 4180 leaves open.
	csvContentType = "text/csv; charset=utf-8"
)

// columnOfKey names the column of a document's key; keyOfColumn is its inverse, ok only for columns of keys.
func columnOfKey(key string) string {
	if isFixedColumn(key) || strings.HasPrefix(key, keyPrefix) {
		return keyPrefix + key
	}
	return key
}

func keyOfColumn(column string) (key string, ok bool) {
	if isFixedColumn(column) {
		return "", false
	}
	return strings.TrimPrefix(column, keyPrefix), true
}

func isFixedColumn(column string) bool {
	return column == columnID || column == columnTitle || column == columnCreated || column == columnUpdated
}

// formula matches the cells that a spreadsheet would run as a formula, or would once the apostrophes that protect
// from that are read away. Some spreadsheets also take a line feed and the full-width signs of East Asian keyboards.
var formula = regexp.MustCompile(`^'*[=+\-@\t\r\n＝＋－＠]`)

// plainNumber matches cells that start like a formula but are numbers, which are safe and should stay numbers.
var plainNumber = regexp.MustCompile(`^-[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)

// protect makes a cell safe to open in a spreadsheet, by the apostrophe that tells it "this is text"; unprotect undoes
// exactly that.
func protect(cell string) string {
	if formula.MatchString(cell) && !plainNumber.MatchString(cell) {
		return "'" + cell
	}
	return cell
}

func unprotect(cell string) string {
	if rest, found := strings.CutPrefix(cell, "'"); found && formula.MatchString(rest) {
		return rest
	}
	return cell
}

// csvWriter writes records as CSV by RFC 4180: UTF-8, lines that end in CR LF, a header.
type csvWriter struct {
	out     io.Writer
	line    bytes.Buffer
	csv     *csv.Writer
	columns []string
	cells   []string
}

func newCSVWriter(out io.Writer, columns []string) *csvWriter {
	w := &csvWriter{out: out, columns: columns}
	w.csv = csv.NewWriter(&w.line)
	return w
}

func (w *csvWriter) writeHeader() error {
	w.cells = append(w.cells[:0], columnID, columnTitle)
	for _, column := range w.columns {
		w.cells = append(w.cells, protect(columnOfKey(column)))
	}
	return w.writeLine(append(w.cells, columnCreated, columnUpdated))
}

func (w *csvWriter) write(record dbgen.Record) error {
	var document map[string]json.RawMessage
	if err := json.Unmarshal(record.Data, &document); err != nil {
		return fmt.Errorf("document of record %s: %w", record.ID, err)
	}
	w.cells = append(w.cells[:0], record.ID.String(), protect(record.Title))
	for _, column := range w.columns {
		cell, err := cellOf(document[column])
		if err != nil {
			return fmt.Errorf("document of record %s: %w", record.ID, err)
		}
		w.cells = append(w.cells, cell)
	}
	return w.writeLine(append(w.cells, timeCell(record.CreatedAt), timeCell(record.UpdatedAt)))
}

// writeLine ends the line in CR LF itself: csv.Writer can too, but then also changes the line ends within cells.
func (w *csvWriter) writeLine(cells []string) error {
	w.cells = cells
	w.line.Reset()
	err := w.csv.Write(cells)
	w.csv.Flush()
	if err = errors.Join(err, w.csv.Error()); err != nil {
		return err
	}
	w.line.Truncate(w.line.Len() - len("\n"))
	w.line.WriteString("\r\n")
	_, err = w.line.WriteTo(w.out)
	return err
}

func timeCell(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// cellOf is the cell of a value: a text as it is (but safe), nothing for null and for a missing key, all else as JSON.
func cellOf(value json.RawMessage) (string, error) {
	switch {
	case len(value) == 0, string(value) == "null":
		return "", nil
	case value[0] != '"':
		return string(value), nil
	}
	var text string
	if err := json.Unmarshal(value, &text); err != nil {
		return "", err
	}
	return protect(text), nil
}

// maxImportColumns bounds the columns of an import.
const maxImportColumns = 500

// LineError says what is wrong with one line of an import.
type LineError struct {
	// Line counts from 1, the header.
	Line    int
	Message string
}

func (e *LineError) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Message) }

// importRow is a record to be, as read from one row.
type importRow struct {
	// Number counts the rows from 1, without the header.
	Number int
	Title  string
	Data   json.RawMessage
}

// csvReader reads the rows of an import.
type csvReader struct {
	csv   *csv.Reader
	title int
	// keys by column; empty for columns that are left out.
	keys []string
	rows int
}

// withoutByteOrderMark leaves out what stands at the beginning of the CSV files of some spreadsheets.
func withoutByteOrderMark(in io.Reader) io.Reader {
	const mark = "\uFEFF"
	buffered := bufio.NewReader(in)
	if head, _ := buffered.Peek(len(mark)); string(head) == mark { // An error is met again when the header is read.
		_, _ = buffered.Discard(len(mark))
	}
	return buffered
}

// newCSVReader reads the header.
func newCSVReader(in io.Reader) (*csvReader, error) {
	r := &csvReader{csv: csv.NewReader(withoutByteOrderMark(in)), title: -1}
	r.csv.ReuseRecord = true
	header, err := r.csv.Read()
	if errors.Is(err, io.EOF) {
		return nil, &LineError{1, `the file is empty; expected a header with a column "title"`}
	}
	if err != nil {
		return nil, lineError(err)
	}
	if len(header) > maxImportColumns {
		return nil, &LineError{1, fmt.Sprintf("%d columns; expected at most %d", len(header), maxImportColumns)}
	}
	if r.title = findTitle(header); r.title < 0 {
		return nil, &LineError{1, `no column "title"; expected a header like title,price,colour, separated by commas`}
	}
	return r, r.readKeys(header)
}

// findTitle is the column of the title. "Title" will do if there is no other.
func findTitle(header []string) int {
	found := -1
	for i, column := range header {
		if column == columnTitle {
			return i
		}
		if found < 0 && strings.EqualFold(strings.TrimSpace(column), columnTitle) {
			found = i
		}
	}
	return found
}

func (r *csvReader) readKeys(header []string) error {
	seen := make(map[string]bool, len(header))
	r.keys = make([]string, len(header))
	for i, column := range header {
		column = unprotect(column)
		key, ok := keyOfColumn(column)
		canonical := column // "price" and "data.price" are one.
		if ok {
			canonical = columnOfKey(key)
		}
		if seen[canonical] {
			return &LineError{1, fmt.Sprintf("the column %q is there twice", column)}
		}
		seen[canonical] = true
		if i == r.title || !ok {
			continue
		}
		if err := validateKey("", key); err != nil {
			return &LineError{1, fmt.Sprintf("column %d: expected a name of 1 to %d characters without control characters", i+1, maxKeyLength)}
		}
		r.keys[i] = key
	}
	return nil
}

// read gives the next row, io.EOF at the end. After a *LineError about a row's values reading can go on with the next
// row; fatal tells that it cannot, because the text is no CSV.
func (r *csvReader) read() (row importRow, fatal bool, err error) {
	cells, err := r.csv.Read()
	if errors.Is(err, io.EOF) {
		return importRow{}, true, io.EOF
	}
	if err != nil {
		return importRow{}, !errors.Is(err, csv.ErrFieldCount), r.explain(err, len(cells))
	}
	r.rows++
	line, _ := r.csv.FieldPos(0)
	row, err = r.parse(cells)
	if err != nil {
		return importRow{}, false, &LineError{line, err.Error()}
	}
	return row, false, nil
}

func (r *csvReader) explain(err error, cells int) error {
	var parseErr *csv.ParseError
	if errors.As(err, &parseErr) && errors.Is(err, csv.ErrFieldCount) {
		return &LineError{parseErr.Line, fmt.Sprintf("%d cells; expected %d, as in the header", cells, len(r.keys))}
	}
	return lineError(err)
}

// lineError gives an error of the CSV reader its line; errors of reading the file stay as they are.
func lineError(err error) error {
	var parseErr *csv.ParseError
	if errors.As(err, &parseErr) {
		return &LineError{parseErr.Line, fmt.Sprintf("character %d: %v", parseErr.Column, parseErr.Err)}
	}
	return err
}

func (r *csvReader) parse(cells []string) (importRow, error) {
	document := make(map[string]string, len(cells))
	var title string
	for i, cell := range cells {
		if !utf8.ValidString(cell) || strings.ContainsRune(cell, 0) {
			return importRow{}, fmt.Errorf("cell %d: expected UTF-8 text without NUL characters", i+1)
		}
		switch {
		case i == r.title:
			title = unprotect(cell)
		case r.keys[i] != "" && cell != "":
			document[r.keys[i]] = unprotect(cell)
		}
	}
	title, err := line(columnTitle, title, maxTitleLength)
	if err != nil {
		return importRow{}, err
	}
	data, err := encodeDocument(document, 0) // Its values are texts.
	if err != nil {
		return importRow{}, err
	}
	return importRow{Number: r.rows, Title: title, Data: data}, nil
}

// columns are the keys that the rows bring, in order.
func (r *csvReader) columns() []string {
	var columns []string
	for _, key := range r.keys {
		if key != "" {
			columns = append(columns, key)
		}
	}
	return columns
}
