package account_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/app/account"
	"github.com/radpanel/radpanel/app/config"
	"github.com/radpanel/radpanel/app/database"
)

func TestOnlyOneOfManyFirstUsersBecomesAdmin(t *testing.T) {
	t.Parallel()
	s, _ := newService(t)
	const users = 8
	roles := make([]account.Role, users)
	var group sync.WaitGroup
	for i := range users {
		group.Go(func() {
			signed, err := s.SignUp(t.Context(), account.SignUp{Email: strings.Repeat("x", i+1) + "@example.com", Password: password}, laptop)
			assert.NoError(t, err)
			roles[i] = signed.User.Role
		})
	}
	group.Wait()
	admins := 0
	for _, role := range roles {
		if role == account.RoleAdmin {
			admins++
		}
	}
	assert.Equal(t, 1, admins)
}

func TestSignUpRefusesWhatCannotBeAnAccount(t *testing.T) {
	t.Parallel()
	s, _ := newService(t)
	for _, email := range []string{
		"", "ada", "ada@", "@example.com", "ada@example.com, bob@example.com", "Ada <ada@example.com>", "a\x00da@example.com",
		"ädа@example.com", "a b@example.com", strings.Repeat("a", 250) + "@example.com",
	} {
		_, err := s.SignUp(t.Context(), account.SignUp{Email: email, Password: password}, laptop)
		require.ErrorIs(t, err, account.ErrInvalidEmail, email)
	}
	for _, weak := range []string{"password", "PassWord", "12345678", "ada@example.com"} {
		_, err := s.SignUp(t.Context(), account.SignUp{Email: "ada@example.com", Password: weak}, laptop)
		require.ErrorIs(t, err, account.ErrWeakPassword, weak)
	}
	_, err := s.SignUp(t.Context(), account.SignUp{Email: "adalovelace@example.com", Password: "AdaLovelace"}, laptop)
	require.ErrorIs(t, err, account.ErrWeakPassword, "the address without its domain")

	signUp(t, s, "  Ada@Example.com ")
	_, err = s.SignUp(t.Context(), account.SignUp{Email: "ada@example.COM", Password: password}, laptop)
	require.ErrorIs(t, err, account.ErrEmailTaken)
}

func TestSignInDoesNotTellWhatWasWrong(t *testing.T) {
	t.Parallel()
	s, _ := newService(t)
	signUp(t, s, "ada@example.com")
	_, err := signIn(t.Context(), s, account.SignIn{Email: "ADA@example.com"})
	require.NoError(t, err)
	_, wrong := signIn(t.Context(), s, account.SignIn{Email: "ada@example.com", Password: "wrong password"})
	_, unknown := signIn(t.Context(), s, account.SignIn{Email: "bob@example.com"})
	_, none := signIn(t.Context(), s, account.SignIn{Email: "not an address"})
	require.ErrorIs(t, wrong, account.ErrWrongCredentials)
	require.ErrorIs(t, unknown, account.ErrWrongCredentials)
	require.ErrorIs(t, none, account.ErrWrongCredentials)
}

func TestAnUnknownAddressCostsAHashToo(t *testing.T) {
	t.Parallel()
	s, _ := newService(t)
	free := s.OccupyHashing(time.Millisecond)
	_, err := signIn(t.Context(), s, account.SignIn{Email: "nobody@example.com"})
	require.ErrorIs(t, err, database.ErrBusy, "it must wait for its turn to hash, as a known address does")
	free()
	_, err = signIn(t.Context(), s, account.SignIn{Email: "nobody@example.com"})
	require.ErrorIs(t, err, account.ErrWrongCredentials)
}

func TestSignInEndsTheSessionThatTheBrowserHad(t *testing.T) {
	t.Parallel()
	s, _ := newService(t)
	first := signUp(t, s, "ada@example.com")
	second, err := signIn(t.Context(), s, account.SignIn{Email: "ada@example.com", Token: first.Token})
	require.NoError(t, err)
	assert.NotEqual(t, first.Token, second.Token)
	_, _, err = s.Authenticate(t.Context(), first.Token)
	require.ErrorIs(t, err, account.ErrUnauthenticated)
	_, _, err = s.Authenticate(t.Context(), second.Token)
	require.NoError(t, err)
}

// The password is verified before the transaction, and for long. What changes meanwhile must count.
func TestASignInThatWasOvertakenByAChangeFails(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change string
		want   error
	}{
		"a new password": {"UPDATE users SET password_hash = 'x' WHERE id = $1", account.ErrWrongCredentials},
		"a suspension":   {"UPDATE users SET status = 'suspended' WHERE id = $1", account.ErrSuspended},
		"both":           {"UPDATE users SET status = 'suspended', password_hash = 'x' WHERE id = $1", account.ErrWrongCredentials},
		"a deletion":     {"DELETE FROM users WHERE id = $1", account.ErrWrongCredentials},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, _ := newService(t)
			ada := signUp(t, s, "ada@example.com")
			signedIn := make(chan error, 1)
			require.NoError(t, s.DB().InTx(t.Context(), func(tx *database.Tx) error {
				_, err := tx.Exec(t.Context(), test.change, ada.User.ID)
				require.NoError(t, err)
				go func() {
					_, err := signIn(t.Context(), s, account.SignIn{Email: "ada@example.com"})
					signedIn <- err
				}()
				awaitLock(t, s, signedIn)
				return nil
			}))
			require.ErrorIs(t, <-signedIn, test.want)
			var sessions int
			require.NoError(t, s.DB().QueryRow(t.Context(), "SELECT count(*) FROM sessions WHERE id <> $1", ada.Session.ID).Scan(&sessions))
			assert.Zero(t, sessions)
		})
	}
}

// awaitLock waits until a statement waits for a lock, and fails if what should wait has ended.
func awaitLock(t *testing.T, s *account.Service, ended <-chan error) {
	t.Helper()
	require.Eventually(t, func() bool {
		var waits bool
		require.NoError(t, s.DB().QueryRow(t.Context(), `SELECT count(*) > 0 FROM pg_stat_activity
			WHERE datname = current_database() AND wait_event_type = 'Lock'`).Scan(&waits))
		return waits || len(ended) > 0
	}, 20*time.Second, 5*time.Millisecond)
	require.Empty(t, ended, "it must wait")
}

func TestTriesAreLimited(t *testing.T) {
	t.Parallel()
	s, c := newService(t, func(cfg *config.Config) {
		cfg.SignInsPerEmail, cfg.SignInsPerAddress, cfg.SignUpsPerAddress = 3, 5, 2
	})
	ctx := t.Context()
	var limited *account.RateLimitError
	signUp(t, s, "ada@example.com")
	signUp(t, s, "bob@example.com")
	_, err := s.SignUp(ctx, account.SignUp{Email: "eve@example.com", Password: password}, laptop)
	require.ErrorAs(t, err, &limited)
	assert.InDelta(t, 30*time.Minute, limited.RetryAfter, float64(time.Second))

	for range 3 {
		_, err = signIn(ctx, s, account.SignIn{Email: "ada@example.com", Password: "wrong password"})
		require.ErrorIs(t, err, account.ErrWrongCredentials)
	}
	_, err = s.SignIn(ctx, account.SignIn{Email: "Ada@example.com", Password: password}, account.Client{Address: "198.51.100.7"})
	require.ErrorAs(t, err, &limited, "the right password from elsewhere is limited too")

	_, err = signIn(ctx, s, account.SignIn{Email: "bob@example.com"})
	require.NoError(t, err, "another address may")
	_, err = signIn(ctx, s, account.SignIn{Email: "bob@example.com"})
	require.NoError(t, err)
	_, err = signIn(ctx, s, account.SignIn{Email: "bob@example.com"})
	require.ErrorAs(t, err, &limited, "the network address had its five")

	c.Advance(time.Minute)
	_, err = signIn(ctx, s, account.SignIn{Email: "ada@example.com"})
	require.NoError(t, err)
}

func TestThePasswordIsAskedAgainAsRarelyAsAtSignIn(t *testing.T) {
	t.Parallel()
	s, _ := newService(t, func(cfg *config.Config) { cfg.SignInsPerEmail = 3 })
	signed := signUp(t, s, "ada@example.com")
	for range 3 {
		_, err := s.SetUpTOTP(t.Context(), signed.User, "a guess")
		require.ErrorIs(t, err, account.ErrWrongPassword)
	}
	var limited *account.RateLimitError
	require.ErrorAs(t, s.Delete(t.Context(), signed.User, password), &limited)
}
