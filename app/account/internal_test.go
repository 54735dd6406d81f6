package account

import (
	"encoding/base64"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/argon2"

	"github.com/radpanel/radpanel/app/config"
)

func TestALimitersMemoryIsBounded(t *testing.T) {
	t.Parallel()
	l := newLimiter(1, time.Minute, time.Now)
	l.maximum = 3
	for i := range 100 {
		require.NoError(t, l.allow(strconv.Itoa(i)))
	}
	assert.Len(t, l.byKey, 3)
	assert.Equal(t, 3, l.byUse.Len())
	require.Error(t, l.allow("99"))
	require.NoError(t, l.allow("0"), "forgotten first")
}

func TestARefusalDoesNotPushTheNextTryAway(t *testing.T) {
	t.Parallel()
	now := time.Unix(1000, 0)
	l := newLimiter(1, time.Minute, func() time.Time { return now })
	require.NoError(t, l.allow("k"))
	for range 10 {
		var limited *RateLimitError
		require.ErrorAs(t, l.allow("k"), &limited)
		assert.InDelta(t, time.Minute, limited.RetryAfter, float64(time.Millisecond))
	}
	now = now.Add(time.Minute)
	require.NoError(t, l.allow("k"))
}

func TestHashesAreReadStrictly(t *testing.T) {
	t.Parallel()
	h := newHasher(DefaultPasswordCost())
	encoded, err := h.hash(t.Context(), "secret password")
	require.NoError(t, err)
	assert.Regexp(t, `^\$argon2id\$v=19\$m=19456,t=2,p=1\$[^$]{22}\$[^$]{43}$`, encoded)
	for password, want := range map[string]bool{"secret password": true, "another": false, "": false} {
		right, err := h.verify(t.Context(), password, encoded)
		require.NoError(t, err)
		assert.Equal(t, want, right)
	}
	right, err := h.verify(t.Context(), "", "")
	require.NoError(t, err)
	assert.False(t, right, "no hash, no password")
	older := fmt.Sprintf("$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$%s",
		base64.RawStdEncoding.EncodeToString(argon2.IDKey([]byte("secret password"), []byte("somesalt"), 1, 64, 1, 32)))
	right, err = h.verify(t.Context(), "secret password", older)
	require.NoError(t, err)
	assert.True(t, right, "a hash with other parameters is still verified")
	for _, bad := range []string{"x", "$argon2i$v=19$m=1,t=1,p=1$YQ$YQ", "$argon2id$v=18$m=1,t=1,p=1$YQ$YQ", "$argon2id$v=19$m=1,t=0,p=1$YQ$YQ", "$argon2id$v=19$m=1,t=1,p=1$!$YQ"} {
		_, err := decodeHash(bad)
		require.Error(t, err, bad)
	}
}

func FuzzTokensAreReadSafely(f *testing.F) {
	token, _ := newToken(255)
	f.Add(token)
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		bucket, hash, ok := readToken(text)
		if ok && (len(hash) != 32 || bucket < 0 || bucket > 255) {
			t.Fatalf("token %q: bucket %d, hash of %d bytes", text, bucket, len(hash))
		}
	})
}

func TestThePasswordCostIsOWASPsUnlessSaidOtherwise(t *testing.T) {
	t.Parallel()
	s, err := New(Options{Config: config.Config{
		EncryptionKey: "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", SignInsPerEmail: 1, SignInsPerAddress: 1, SignUpsPerAddress: 1,
	}})
	require.NoError(t, err)
	assert.Equal(t, PasswordCost{MemoryKiB: 19456, Passes: 2, Lanes: 1}, s.hasher.cost)
	assert.Equal(t, runtime.NumCPU(), cap(s.hasher.turns))
	assert.True(t, strings.HasPrefix(s.hasher.decoy, "$argon2id$v=19$m=19456,t=2,p=1$"), "the decoy costs the same")
}
