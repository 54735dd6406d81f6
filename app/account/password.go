package account

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"time"

	"golang.org/x/crypto/argon2"

	"github.com/radpanel/radpanel/app/database"
)

const (
	saltBytes = 16
	keyBytes  = 32

	// hashWait is how long a sign-in waits for its turn to hash before it gets 503.
	hashWait = 2 * time.Second
)

// PasswordMinimum and PasswordMaximum bound a password's length, in characters.
const (
	PasswordMinimum = 8
	PasswordMaximum = 128
)

// PasswordCost is what argon2id spends on a hash. The more, the dearer each guess for whoever steals the hashes.
type PasswordCost struct {
	MemoryKiB uint32
	Passes    uint32
	Lanes     uint8
}

// DefaultPasswordCost is 19 MiB, two passes, one lane: OWASP's Password Storage Cheat Sheet.
func DefaultPasswordCost() PasswordCost {
	return PasswordCost{MemoryKiB: 19 * 1024, Passes: 2, Lanes: 1}
}

// hasher hashes passwords, at most one per processor at a time: each hash takes a core for tens of milliseconds and
// 19 MiB, and an unbounded sign-in path would starve all else.
type hasher struct {
	cost  PasswordCost
	turns chan struct{}
	wait  time.Duration
	// decoy is verified when there is no user, so that an unknown e-mail address takes as long as a wrong password.
	decoy string
}

func newHasher(cost PasswordCost) *hasher {
	h := &hasher{cost: cost, turns: make(chan struct{}, runtime.NumCPU()), wait: hashWait}
	h.decoy = cost.encode(randomBytes(saltBytes), make([]byte, keyBytes))
	return h
}

// turn waits for a free processor; done gives it back.
func (h *hasher) turn(ctx context.Context) (done func(), err error) {
	timer := time.NewTimer(h.wait)
	defer timer.Stop()
	select {
	case h.turns <- struct{}{}:
		return func() { <-h.turns }, nil
	case <-timer.C:
		return nil, fmt.Errorf("%w: all %d turns to hash a password stayed taken for %s", database.ErrBusy, cap(h.turns), h.wait)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// hash returns the password's hash in PHC format, with a salt of its own.
func (h *hasher) hash(ctx context.Context, password string) (string, error) {
	done, err := h.turn(ctx)
	if err != nil {
		return "", err
	}
	defer done()
	salt := randomBytes(saltBytes)
	return h.cost.encode(salt, argon2.IDKey([]byte(password), salt, h.cost.Passes, h.cost.MemoryKiB, h.cost.Lanes, keyBytes)), nil
}

// verify reports whether the password has the hash. An empty hash is verified like any other, and never right.
func (h *hasher) verify(ctx context.Context, password, encoded string) (bool, error) {
	known := encoded != ""
	if !known {
		encoded = h.decoy
	}
	p, err := decodeHash(encoded)
	if err != nil {
		return false, err
	}
	done, err := h.turn(ctx)
	if err != nil {
		return false, err
	}
	defer done()
	key := argon2.IDKey([]byte(password), p.salt, p.cost.Passes, p.cost.MemoryKiB, p.cost.Lanes, uint32(len(p.key))) //nolint:gosec // Short.
	return subtle.ConstantTimeCompare(key, p.key) == 1 && known, nil
}

// hashParameters are what a PHC string says, so that hashes of older parameters can still be verified.
type hashParameters struct {
	cost      PasswordCost
	salt, key []byte
}

func (c PasswordCost) encode(salt, key []byte) string {
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, c.MemoryKiB, c.Passes, c.Lanes,
		base64.RawStdEncoding.EncodeToString(salt), base64.RawStdEncoding.EncodeToString(key))
}

func decodeHash(encoded string) (hashParameters, error) {
	var p hashParameters
	var version int
	parts := strings.Split(encoded, "$")
	if len(parts) != 6 || parts[1] != "argon2id" {
		return p, errors.New("password hash: expected $argon2id$v=…$m=…,t=…,p=…$salt$key")
	}
	_, versionErr := fmt.Sscanf(parts[2], "v=%d", &version)
	_, costErr := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &p.cost.MemoryKiB, &p.cost.Passes, &p.cost.Lanes)
	var saltErr, keyErr error
	p.salt, saltErr = base64.RawStdEncoding.DecodeString(parts[4])
	p.key, keyErr = base64.RawStdEncoding.DecodeString(parts[5])
	if err := errors.Join(versionErr, costErr, saltErr, keyErr); err != nil {
		return p, fmt.Errorf("password hash: %w", err)
	}
	if version != argon2.Version || p.cost.Passes == 0 || p.cost.Lanes == 0 || len(p.key) == 0 {
		return p, fmt.Errorf("password hash: version %d or its parameters are not supported", version)
	}
	return p, nil
}
