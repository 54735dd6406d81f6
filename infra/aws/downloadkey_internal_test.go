package aws

import (
	"encoding/base64"
	"encoding/hex"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A seed that is kept gives the keys that CloudFront has, whatever release of the program asks. The figures were computed by
// another program, from RFC 5869 and FIPS 186-5.
func TestASeedGivesItsKeysForEver(t *testing.T) {
	t.Parallel()
	for number, want := range map[int]string{
		1: "bb031614272daac81ebd08ad6e29c4706a7c9ee891de71d6c5f64253fc096e73",
		2: "90b74d02ea1a6160d0cfcb252bced20d4dc7499cdb42513234cadaf00d178c38",
	} {
		key, err := downloadKey("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", number)
		require.NoError(t, err)
		raw, err := key.Bytes()
		require.NoError(t, err)
		assert.Equal(t, want, hex.EncodeToString(raw))
	}
}

func TestASeedThatIsNoneIsRefusedWithoutBeingShown(t *testing.T) {
	t.Parallel()
	for _, seed := range []string{"", "top secret", base64.StdEncoding.EncodeToString(make([]byte, 31))} {
		_, err := downloadKey(seed, 1)
		require.EqualError(t, err, "download-keys: expected 32 random bytes in base64")
	}
}
