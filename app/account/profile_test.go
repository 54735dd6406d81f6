package account_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/app/account"
	"github.com/radpanel/radpanel/app/database"
)

func TestALostUpdateIsRefused(t *testing.T) {
	t.Parallel()
	s, _ := newService(t)
	user := signUp(t, s, "ada@example.com").User
	renamed, err := s.Rename(t.Context(), user, " Ada ", user.Version)
	require.NoError(t, err)
	assert.Equal(t, "Ada", renamed.Name)
	assert.Greater(t, renamed.Version, user.Version)
	_, err = s.Rename(t.Context(), user, "Eve", user.Version)
	require.ErrorIs(t, err, database.ErrStale)
	_, err = s.Rename(t.Context(), user, "Lovelace", 0)
	require.NoError(t, err, "any version")
}

func TestANewPasswordEndsAllOtherSessions(t *testing.T) {
	t.Parallel()
	s, _ := newService(t)
	ada := signUp(t, s, "ada@example.com")
	other, err := signIn(t.Context(), s, account.SignIn{Email: "ada@example.com"})
	require.NoError(t, err)

	_, err = s.ChangePassword(t.Context(), ada.User, ada.Session, "wrong password", "a new password")
	require.ErrorIs(t, err, account.ErrWrongPassword)
	_, err = s.ChangePassword(t.Context(), ada.User, ada.Session, password, "password")
	require.ErrorIs(t, err, account.ErrWeakPassword)
	token, err := s.ChangePassword(t.Context(), ada.User, ada.Session, password, "a new password")
	require.NoError(t, err)

	for _, old := range []string{ada.Token, other.Token} {
		_, _, err = s.Authenticate(t.Context(), old)
		require.ErrorIs(t, err, account.ErrUnauthenticated)
	}
	session, _, err := s.Authenticate(t.Context(), token)
	require.NoError(t, err)
	assert.Equal(t, ada.Session.ID, session.ID, "the same session, with another token")
	_, err = signIn(t.Context(), s, account.SignIn{Email: "ada@example.com"})
	require.ErrorIs(t, err, account.ErrWrongCredentials)
	_, err = signIn(t.Context(), s, account.SignIn{Email: "ada@example.com", Password: "a new password"})
	require.NoError(t, err)
}

func TestDeletionLeavesNothing(t *testing.T) {
	t.Parallel()
	s, c := newService(t)
	signUp(t, s, "root@example.com")
	signed, _, _ := withTOTP(t, s, c)
	require.ErrorIs(t, s.Delete(t.Context(), signed.User, "wrong password"), account.ErrWrongPassword)
	require.NoError(t, s.Delete(t.Context(), signed.User, password))
	for _, table := range []string{"users WHERE id", "directory WHERE user_id", "sessions WHERE user_id", "totp WHERE user_id", "recovery_codes WHERE user_id"} {
		var n int
		require.NoError(t, s.DB().QueryRow(t.Context(), "SELECT count(*) FROM "+table+" = $1", signed.User.ID).Scan(&n))
		assert.Zero(t, n, table)
	}
	signUp(t, s, "ada@example.com")
}
