package file_test

import (
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/app/file"
)

func TestKeyHasOneText(t *testing.T) {
	t.Parallel()
	id := uuid.MustParse("0190a5b2-1111-7222-8333-444455556666")
	key := file.NewKey(0x0a, id)
	assert.Equal(t, "0a/0190a5b2-1111-7222-8333-444455556666", key.String())
	assert.Equal(t, uint8(0x0a), key.Bucket())
	parsed, err := file.ParseKey(key.String())
	require.NoError(t, err)
	assert.Equal(t, key, parsed)
}

func FuzzParseKey(f *testing.F) {
	valid := "0a/0190a5b2-1111-7222-8333-444455556666"
	for _, text := range []string{
		valid, "", "../../etc/passwd", "0a/../../../../../../../../../../etc/passwd",
		strings.ToUpper(valid), "0a\\0190a5b2-1111-7222-8333-444455556666", "zz/0190a5b2-1111-7222-8333-444455556666",
		"0a/{190a5b2-1111-7222-8333-444455556666}", valid + "/", "0a/0190a5b2111172228333444455556666----",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		key, err := file.ParseKey(text)
		if err != nil {
			return
		}
		assert.Equal(t, text, key.String(), "a key is read back as it was written, or not at all")
		assert.NotContains(t, text, "..")
	})
}
