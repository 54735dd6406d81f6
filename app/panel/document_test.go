package panel

import (
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
		"a long number":            {raw: `{"a":0.` + strings.Repeat("1", 200) + `}`, err: "a number of 202 characters"},
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
