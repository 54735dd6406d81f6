package ship

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestReadEntry(t *testing.T) {
	t.Parallel()
	const head = `{"__CURSOR":"s=0a;i=1","__REALTIME_TIMESTAMP":"1700000000000000",`
	for line, message := range map[string]string{
		`"MESSAGE":"plain"}`:              `{"message":"plain"}`,
		`"MESSAGE":[104,105,255]}`:        `{"message":"hi\ufffd"}`, // what is no UTF-8
		`"MESSAGE":["first","second"]}`:   `{"message":"first"}`,
		`"MESSAGE":[[104,105],"second"]}`: `{"message":"hi"}`,
		`"MESSAGE":null}`:                 `{"message":""}`,
		`"PRIORITY":"3","UNIT":"a","_SYSTEMD_UNIT":"init.scope","MESSAGE":"x"}`: `{"unit":"a","priority":"err","message":"x"}`,
		`"PRIORITY":"9","MESSAGE":"{\"a\":1}"}`:                                 `{"message":{"a":1}}`,
		`"MESSAGE":"{not an object"}`:                                           `{"message":"{not an object"}`,
	} {
		e, err := readEntry([]byte(head + line))
		require.NoError(t, err, line)
		assert.JSONEq(t, message, e.text, line)
		assert.Equal(t, "s=0a;i=1", e.cursor)
		assert.Equal(t, int64(1700000000), e.at.Unix())
	}
	for _, line := range []string{``, `[]`, `{}`, head + `"MESSAGE":"x"`, `{"__CURSOR":"--output=x","__REALTIME_TIMESTAMP":"1"}`, `{"__CURSOR":"s=0a;i=1","__REALTIME_TIMESTAMP":"-1"}`} {
		_, err := readEntry([]byte(line))
		require.Error(t, err, line)
	}
}

func TestALineThatIsTooLongIsSkipped(t *testing.T) {
	t.Parallel()
	r := bufio.NewReaderSize(strings.NewReader("one\n"+strings.Repeat("x", 100)+"\ntwo\nunfinished"), 16)
	line, err := readLine(r, 50)
	require.NoError(t, err)
	assert.Equal(t, "one", string(line))
	_, err = readLine(r, 50)
	require.ErrorIs(t, err, errLineTooLong)
	line, err = readLine(r, 50)
	require.NoError(t, err)
	assert.Equal(t, "two", string(line))
	_, err = readLine(r, 50)
	require.ErrorIs(t, err, io.EOF, "half a line is none")
}

func FuzzEntry(f *testing.F) {
	f.Add([]byte(`{"__CURSOR":"s=0a;i=1","__REALTIME_TIMESTAMP":"1","MESSAGE":[1,2,[3]],"PRIORITY":7}`))
	f.Add([]byte(`{"__CURSOR":"s=0a;i=1","__REALTIME_TIMESTAMP":"1","MESSAGE":"{\"a\":\"\u2028\"}"}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		e, err := readEntry(line)
		if err != nil {
			return
		}
		if !json.Valid([]byte(e.text)) || !cursorPattern.MatchString(e.cursor) {
			t.Errorf("%q becomes %+v", line, e)
		}
		if len(e.text) > 1<<20 {
			t.Error(errors.New("longer than CloudWatch takes"), len(e.text))
		}
	})
}
