package postgresql

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestVerifier(t *testing.T) {
	t.Parallel()
	made, err := newVerifier("swordfish")
	require.NoError(t, err)
	assert.True(t, verifies(made, "swordfish"))
	assert.False(t, verifies(made, "Swordfish"))
	again, err := newVerifier("swordfish")
	require.NoError(t, err)
	assert.NotEqual(t, made, again, "salted")
	for _, other := range []string{"", "md5d41d8cd98f00b204e9800998ecf8427e", "SCRAM-SHA-256$x:y$z", "SCRAM-SHA-256$0:AAAA$z:z", "SCRAM-SHA-256$4096:?$a:b"} {
		assert.False(t, verifies(other, "swordfish"), other)
	}
}

func FuzzVerifies(f *testing.F) {
	f.Add("SCRAM-SHA-256$1:AAAA$BBBB:CCCC", "x")
	f.Add("SCRAM-SHA-256$$:", "")
	f.Fuzz(func(t *testing.T, kept, password string) {
		if len(kept) < 40 && verifies(kept, password) {
			t.Errorf("%q passes for a verifier", kept)
		}
	})
}
