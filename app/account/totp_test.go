package account_test

import (
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/totp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/app/account"
)

// withTOTP signs a user up and sets up their second factor.
func withTOTP(t *testing.T, s *account.Service, c *clock) (signed account.SignedIn, secret string, recovery []string) {
	t.Helper()
	signed = signUp(t, s, "ada@example.com")
	setup, err := s.SetUpTOTP(t.Context(), signed.User, password)
	require.NoError(t, err)
	recovery, err = s.ConfirmTOTP(t.Context(), signed.User, codeAt(t, setup.Secret, c.Now()))
	require.NoError(t, err)
	require.Len(t, recovery, 10)
	return signed, setup.Secret, recovery
}

func codeAt(t *testing.T, secret string, at time.Time) string {
	t.Helper()
	code, err := totp.GenerateCode(secret, at)
	require.NoError(t, err)
	return code
}

func TestTheSecondFactorIsAskedForOnceItIsConfirmed(t *testing.T) {
	t.Parallel()
	s, c := newService(t)
	signed := signUp(t, s, "ada@example.com")
	_, err := s.SetUpTOTP(t.Context(), signed.User, "wrong password")
	require.ErrorIs(t, err, account.ErrWrongPassword)
	setup, err := s.SetUpTOTP(t.Context(), signed.User, password)
	require.NoError(t, err)
	_, err = signIn(t.Context(), s, account.SignIn{Email: "ada@example.com"})
	require.NoError(t, err, "not confirmed yet")

	key, err := otp.NewKeyFromURL(setup.URI)
	require.NoError(t, err)
	assert.Equal(t, setup.Secret, key.Secret())
	assert.Equal(t, "RAD Panel", key.Issuer())
	assert.Equal(t, "ada@example.com", key.AccountName())
	parsed, err := url.Parse(setup.URI)
	require.NoError(t, err)
	assert.NotContains(t, parsed.RawQuery, "+")

	_, err = s.ConfirmTOTP(t.Context(), signed.User, "000000")
	require.ErrorIs(t, err, account.ErrWrongCode)
	_, err = s.ConfirmTOTP(t.Context(), signed.User, codeAt(t, setup.Secret, c.Now()))
	require.NoError(t, err)
	_, err = s.ConfirmTOTP(t.Context(), signed.User, codeAt(t, setup.Secret, c.Now().Add(30*time.Second)))
	require.ErrorIs(t, err, account.ErrTOTPState)
	_, err = s.SetUpTOTP(t.Context(), signed.User, password)
	require.ErrorIs(t, err, account.ErrTOTPState, "a working factor must not be replaced by one that is not confirmed")

	_, err = signIn(t.Context(), s, account.SignIn{Email: "ada@example.com"})
	require.ErrorIs(t, err, account.ErrTOTPRequired)
	_, err = signIn(t.Context(), s, account.SignIn{Email: "ada@example.com", Password: "wrong password"})
	require.ErrorIs(t, err, account.ErrWrongCredentials, "only who knows the password learns of the factor")
}

func TestACodeWorksOnce(t *testing.T) {
	t.Parallel()
	s, c := newService(t)
	_, secret, _ := withTOTP(t, s, c)
	in := func(at time.Duration) error {
		_, err := signIn(t.Context(), s, account.SignIn{Email: "ada@example.com", TOTPCode: codeAt(t, secret, c.Now().Add(at))})
		return err
	}
	require.ErrorIs(t, in(0), account.ErrWrongCredentials, "used to confirm")
	require.ErrorIs(t, in(60*time.Second), account.ErrWrongCredentials, "two steps ahead")
	require.NoError(t, in(30*time.Second), "one step ahead: clocks differ")
	require.ErrorIs(t, in(0), account.ErrWrongCredentials, "older than the one used last")

	c.Advance(90 * time.Second)
	var right atomic.Int32
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			if in(0) == nil {
				right.Add(1)
			}
		})
	}
	group.Wait()
	assert.Equal(t, int32(1), right.Load(), "at once, too")
}

func TestRecoveryCodes(t *testing.T) {
	t.Parallel()
	s, c := newService(t)
	signed, _, codes := withTOTP(t, s, c)
	in := func(code string) error {
		_, err := signIn(t.Context(), s, account.SignIn{Email: "ada@example.com", RecoveryCode: code})
		return err
	}
	require.NoError(t, in(codes[0]))
	require.ErrorIs(t, in(codes[0]), account.ErrWrongCredentials, "each works once")
	require.NoError(t, in(" "+codes[1][:4]+codes[1][5:]+" "), "as people type it")
	require.ErrorIs(t, in("AAAA-AAAA-AAAA-AAAA"), account.ErrWrongCredentials)

	renewed, err := s.RenewRecoveryCodes(t.Context(), signed.User, password)
	require.NoError(t, err)
	require.ErrorIs(t, in(codes[2]), account.ErrWrongCredentials, "replaced")
	require.NoError(t, in(renewed[2]))

	require.ErrorIs(t, s.RemoveTOTP(t.Context(), signed.User, "wrong password"), account.ErrWrongPassword)
	require.NoError(t, s.RemoveTOTP(t.Context(), signed.User, password))
	require.ErrorIs(t, s.RemoveTOTP(t.Context(), signed.User, password), account.ErrTOTPState)
	_, err = signIn(t.Context(), s, account.SignIn{Email: "ada@example.com"})
	require.NoError(t, err)
	_, err = s.RenewRecoveryCodes(t.Context(), signed.User, password)
	require.ErrorIs(t, err, account.ErrTOTPState)
}

func TestTheSecretIsNotReadableInTheDatabase(t *testing.T) {
	t.Parallel()
	s, c := newService(t)
	_, secret, codes := withTOTP(t, s, c)
	var stored []byte
	require.NoError(t, s.DB().QueryRow(t.Context(), "SELECT secret_encrypted FROM totp").Scan(&stored))
	assert.NotContains(t, string(stored), secret)
	var hash []byte
	require.NoError(t, s.DB().QueryRow(t.Context(), "SELECT code_hash FROM recovery_codes LIMIT 1").Scan(&hash))
	assert.Len(t, hash, 32)
	assert.NotContains(t, string(hash), codes[0])
}
