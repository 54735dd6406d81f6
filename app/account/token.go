package account

import (
	"crypto/sha256"
	"encoding/base64"
)

const (
	// secretBytes makes session tokens of 256 bits.
	secretBytes = 32
	tokenBytes  = 1 + secretBytes
)

// newToken makes a session token: the user's bucket, which is needed to reach the session's row, and 256 random bits.
// Only the hash is stored.
func newToken(bucket int16) (token string, hash []byte) {
	raw := make([]byte, tokenBytes)
	raw[0] = byte(bucket) //nolint:gosec // A bucket is 0 to 255.
	copy(raw[1:], randomBytes(secretBytes))
	return base64.RawURLEncoding.EncodeToString(raw), hashToken(raw)
}

// readToken takes a token apart; ok is false for what cannot be one.
func readToken(token string) (bucket int16, hash []byte, ok bool) {
	if len(token) != base64.RawURLEncoding.EncodedLen(tokenBytes) {
		return 0, nil, false
	}
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		return 0, nil, false
	}
	return int16(raw[0]), hashToken(raw), true
}

// hashToken needs no salt and no slow hash: the token has 256 random bits.
func hashToken(raw []byte) []byte {
	sum := sha256.Sum256(raw)
	return sum[:]
}
