package panel

import (
	"bytes"
	"encoding/json"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestParseDocument(t *testing.T) {
	t.Parallel()
	nested := func(levels int) string {
		return strings.Repeat(`{"a":`, levels) + "1" + strings.Repeat("}", levels)
	}
	for name, test := range map[string]struct{ raw, want, err string }{
		"nothing":                 {raw: "", want: `{}`},
		"empty":                   {raw: ` { } `, want: `{}`},
		"every type":              {raw: `{"t": true, "n": null, "s": "x", "l": [1, {}]}`, want: `{"l":[1,{}],"n":null,"s":"x","t":true}`},
		"digits are kept":         {raw: `{"n":12345678901234567890.10}`, want: `{"n":12345678901234567890.10}`},
		"the last of equal keys":  {raw: `{"a":1,"a":2}`, want: `{"a":2}`},
		"text is not escaped":     {raw: `{"a":"<b>\u0026"}`, want: `{"a":"<b>&"}`},
		"half a pair is replaced": {raw: `{"a":"\ud800"}`, want: "{\"a\":\"\uFFFD\"}"},
		"as deep as may be":       {raw: nested(16), want: nested(16)},

		"too deep":                 {raw: nested(17), err: "data.a: nested too deep; expected at most 16 levels"},
		"too deep in lists":        {raw: `{"a":` + strings.Repeat("[", 16) + strings.Repeat("]", 16) + `}`, err: "nested too deep"},
		"null":                     {raw: "null", err: "data: expected a JSON object"},
		"a list":                   {raw: "[]", err: "data: expected a JSON object"},
		"two":                      {raw: "{}{}", err: "nothing behind it"},
		"no JSON":                  {raw: "{", err: "data: expected a JSON object"},
		"no key":                   {raw: `{"":1}`, err: "expected a key of 1 to 100 characters"},
		"a long key":               {raw: `{"` + strings.Repeat("k", 101) + `":1}`, err: "expected a key of 1 to 100 characters"},
		"a control character":      {raw: `{"a\tb":1}`, err: "expected a key without control characters"},
		"NUL":                      {raw: `{"a":["\u0000"]}`, err: "data.a: expected UTF-8 text without NUL characters"},
		"NUL in a key":             {raw: `{"a":{"\u0000":1}}`, err: "data.a: expected UTF-8 text without NUL characters"},
		"beyond a double":          {raw: `{"a":1e309}`, err: "data.a: the number 1e309 is beyond what a double holds"},
		"an exponent":              {raw: `{"a":1e-999999}`, err: "beyond what a double holds"},
		"an exponent beyond int":   {raw: `{"a":0e99999999999999999999}`, err: "beyond what a double holds"},
		"a long number":            {raw: `{"a":0.` + strings.Repeat("1", 600) + `}`, err: "data.a: a number of 602 characters with all its digits; expected at most 500"},
		"long when written out":    {raw: `{"a":[0.` + strings.Repeat("1", 200) + `e-300]}`, err: "a number of 502 characters with all its digits"},
		"the largest double":       {raw: `{"a":1.7976931348623157e308}`, want: `{"a":1.7976931348623157e308}`},
		"the smallest double":      {raw: `{"a":-4.9406564584124654e-324}`, want: `{"a":-4.9406564584124654e-324}`},
		"digits count":             {raw: `{"a":[` + strings.Repeat("1e308,", 300) + `0]}`, err: "data: 93009 bytes with all digits of its numbers; expected at most 65536"},
		"as large as may be":       {raw: `{"a":"` + strings.Repeat("x", 64<<10-8) + `"}`, want: `{"a":"` + strings.Repeat("x", 64<<10-8) + `"}`},
		"one byte too large":       {raw: `{"a":"` + strings.Repeat("x", 64<<10-7) + `"}`, err: "data: 65537 bytes; expected at most 65536"},
		"white space is not meant": {raw: `{"a":` + strings.Repeat(" ", 64<<10) + `1}`, want: `{"a":1}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := ParseDocument([]byte(test.raw))
			if test.err != "" {
				require.ErrorContains(t, err, test.err)
				var invalid *InvalidError
				require.ErrorAs(t, err, &invalid)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, test.want, string(got))
		})
	}
}

// What is read must be fit to be written back, and no larger than what may be written.
func TestWhatIsReadCanBeWrittenBack(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	p := f.newPanel(t, "numbers")
	many := strings.Repeat("1e308,", 211)
	for name, document := range map[string]string{
		"doubles":     `{"x":1e150,"y":[1.7976931348623157e308,5e-324,-2.2250738585072014e-308],"z":{"a":-4.9406564584124654e-324}}`,
		"zeros":       `{"x":[0e-308,0e324,-0,-0.0,0.000e2,100e-2,1.50e1,0.001E+5,1e0]}`,
		"as many":     `{"x":[` + many + `1]}`,
		"from before": `{"x":-0.` + strings.Repeat("1", 92) + `e-308}`, // As long as one could be.
		"texts":       `{"x":"1e308","y\u2028":["\ud800\u007f\t<"]}`,
	} {
		made := f.newRecord(t, p, "R", document)
		var compact bytes.Buffer
		require.NoError(t, json.Compact(&compact, made.Data))
		assert.LessOrEqual(t, compact.Len(), maxDocumentSize, name)
		again, err := f.UpdateRecord(t.Context(), f.owner, p.ID, made.ID, made.Version, RecordChange{Data: compact.Bytes()})
		require.NoError(t, err, name)
		assert.Equal(t, string(made.Data), string(again.Data), name)
	}
	_, err := f.tryRecord(t, p, RecordDraft{Title: "R", Data: []byte(`{"x":[` + many + `1e308]}`)})
	require.ErrorContains(t, err, "with all digits of its numbers")
}

// The length is PostgreSQL's, to the character.
func TestNumbersCountAsPostgreSQLWritesThem(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	random := rand.New(rand.NewPCG(1, 2)) // The same numbers each time.
	numbers := []string{"0", "-0", "0.0", "-0.00", "0e5", "0e-5", "-0e-324", "10", "-10.50", "1e2", "1E+2", "1e-02", "100e-2", "0.001e5", "0.0012e2", "9.99e1"}
	for range 1_000 {
		number := strconv.FormatFloat(math.Float64frombits(random.Uint64()), "efg"[random.IntN(3)], random.IntN(20)-1, 64)
		if !strings.ContainsAny(number, "IN") { // Inf and NaN are no JSON.
			numbers = append(numbers, number)
		}
	}
	for _, number := range numbers {
		exponent, ok := exponentOf(number)
		require.True(t, ok, number)
		var written string
		require.NoError(t, f.db.QueryRow(t.Context(), "SELECT ($1::text::jsonb)::text", number).Scan(&written))
		require.Len(t, written, writtenLength(number, exponent), "%s is written %s", number, written)
	}
}

func TestCleanFileName(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"report.pdf":                      "report.pdf",
		"../../etc/passwd":                "passwd",
		`C:\Users\me\photo.jpg`:           "photo.jpg",
		"/":                               "file",
		"..":                              "file",
		".":                               "file",
		"":                                "file",
		" . ":                             "file",
		".htaccess":                       ".htaccess",
		"a\x00b\r\nc\x1b[31m.txt":         "abc[31m.txt",
		"photo\u202Egpj.exe":              "photogpj.exe",
		"\u2028x":                         "x",
		`"><script>alert(1)<\/script>`:    "script>",
		"名前.txt":                          "名前.txt",
		strings.Repeat("ä", 300) + ".txt": strings.Repeat("ä", 251) + ".txt",
		"x." + strings.Repeat("y", 400):   "x." + strings.Repeat("y", 253),
	} {
		assert.Equal(t, want, CleanFileName(given), "%q", given)
	}
}

func FuzzCleanFileName(f *testing.F) {
	f.Add("../a\\b\u202E")
	f.Fuzz(func(t *testing.T, given string) {
		name := CleanFileName(given)
		assert.NotEmpty(t, strings.Trim(name, ". "))
		assert.NotContains(t, name, "/")
		assert.NotContains(t, name, `\`)
		assert.True(t, printable(name, ""), "%q", name)
		assert.LessOrEqual(t, len([]rune(name)), maxFileNameLength)
		assert.Equal(t, name, CleanFileName(name), "once is enough")
	})
}
