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
