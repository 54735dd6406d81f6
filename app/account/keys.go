package account

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/radpanel/radpanel/app/config"
)

// keys encrypts what must be readable again and hashes what is too short to be hashed without a key. Both keys are
// derived from the configured one, so that one use cannot weaken the other.
type keys struct {
	sealer cipher.AEAD
	hasher []byte
}

func newKeys(secret config.Secret) (*keys, error) {
	root, err := base64.StdEncoding.DecodeString(secret.Reveal())
	if err != nil {
		return nil, errors.New("encryption key: expected 32 bytes in base64")
	}
	sealing, err := hkdf.Key(sha256.New, root, nil, "radpanel one-time-password secrets", keyBytes)
	if err != nil {
		return nil, fmt.Errorf("encryption key: %w", err)
	}
	hashing, err := hkdf.Key(sha256.New, root, nil, "radpanel recovery codes", keyBytes)
	if err != nil {
		return nil, fmt.Errorf("encryption key: %w", err)
	}
	block, err := aes.NewCipher(sealing)
	if err != nil {
		return nil, fmt.Errorf("encryption key: %w", err)
	}
	sealer, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("encryption key: %w", err)
	}
	return &keys{sealer: sealer, hasher: hashing}, nil
}

// seal encrypts a user's secret. It opens for the same user only: a row copied to another user is useless there.
func (k *keys) seal(userID uuid.UUID, secret []byte) []byte {
	return k.sealer.Seal(nil, nil, secret, userID[:]) //nolint:gosec // This sealer draws the nonce itself.
}

func (k *keys) open(userID uuid.UUID, sealed []byte) ([]byte, error) {
	secret, err := k.sealer.Open(nil, nil, sealed, userID[:])
	if err != nil {
		return nil, fmt.Errorf("one-time-password secret of user %s: was it sealed with another encryption key? %w", userID, err)
	}
	return secret, nil
}

// hashCode hashes a recovery code for its user.
func (k *keys) hashCode(userID uuid.UUID, code string) []byte {
	mac := hmac.New(sha256.New, k.hasher)
	mac.Write(userID[:])
	mac.Write([]byte(code))
	return mac.Sum(nil)
}

// randomBytes never fails: crypto/rand ends the process instead.
func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}
