package account_test

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/app/account"
	"github.com/radpanel/radpanel/app/database"
)

func pointer[T any](v T) *T { return &v }

func TestSuspensionEndsSessionsAndKeepsThemOut(t *testing.T) {
	t.Parallel()
	s, _ := newService(t)
	signUp(t, s, "ada@example.com")
	bob := signUp(t, s, "bob@example.com")
	suspended, err := s.ChangeUser(t.Context(), bob.User.ID, account.Change{Status: pointer(account.StatusSuspended)})
	require.NoError(t, err)
	assert.Equal(t, account.StatusSuspended, suspended.Status)
	assert.Equal(t, account.RoleUser, suspended.Role)
	_, _, err = s.Authenticate(t.Context(), bob.Token)
	require.ErrorIs(t, err, account.ErrUnauthenticated)
	_, err = signIn(t.Context(), s, account.SignIn{Email: "bob@example.com"})
	require.ErrorIs(t, err, account.ErrSuspended)
	_, err = signIn(t.Context(), s, account.SignIn{Email: "bob@example.com", Password: "wrong password"})
	require.ErrorIs(t, err, account.ErrWrongCredentials, "only who knows the password learns of it")

	_, err = s.ChangeUser(t.Context(), bob.User.ID, account.Change{Status: pointer(account.StatusActive)})
	require.NoError(t, err)
	_, err = signIn(t.Context(), s, account.SignIn{Email: "bob@example.com"})
	require.NoError(t, err)
	_, err = s.ChangeUser(t.Context(), uuid.New(), account.Change{})
	require.ErrorIs(t, err, database.ErrNotFound)
}

func TestThereIsAlwaysAnActiveAdministrator(t *testing.T) {
	t.Parallel()
	s, _ := newService(t)
	ada := signUp(t, s, "ada@example.com")
	bob := signUp(t, s, "bob@example.com")
	demote := account.Change{Role: pointer(account.RoleUser)}
	_, err := s.ChangeUser(t.Context(), ada.User.ID, demote)
	require.ErrorIs(t, err, account.ErrLastAdmin)
	_, err = s.ChangeUser(t.Context(), ada.User.ID, account.Change{Status: pointer(account.StatusSuspended)})
	require.ErrorIs(t, err, account.ErrLastAdmin)
	require.ErrorIs(t, s.Delete(t.Context(), ada.User, password), account.ErrLastAdmin)

	_, err = s.ChangeUser(t.Context(), bob.User.ID, account.Change{Role: pointer(account.RoleAdmin)})
	require.NoError(t, err)
	var refused atomic.Int32
	var group sync.WaitGroup
	for _, id := range []uuid.UUID{ada.User.ID, bob.User.ID} {
		group.Go(func() {
			if _, err := s.ChangeUser(t.Context(), id, demote); err != nil {
				assert.ErrorIs(t, err, account.ErrLastAdmin)
				refused.Add(1)
			}
		})
	}
	group.Wait()
	assert.Equal(t, int32(1), refused.Load(), "two administrators cannot demote each other at once")
}

func TestUsersAreListedInPages(t *testing.T) {
	t.Parallel()
	s, c := newService(t)
	withTOTP(t, s, c)
	for _, email := range []string{"bob@example.com", "bea@example.com", "a%da@example.com"} {
		signUp(t, s, email)
	}
	page, err := s.Users(t.Context(), uuid.Max, 3)
	require.NoError(t, err)
	require.Len(t, page, 3)
	assert.Equal(t, "a%da@example.com", page[0].Email)
	page, err = s.Users(t.Context(), page[2].ID, 3)
	require.NoError(t, err)
	require.Len(t, page, 1)
	assert.Equal(t, "ada@example.com", page[0].Email)
	assert.True(t, page[0].HasTOTP)

	found, err := s.UsersByEmail(t.Context(), "b", "", 1)
	require.NoError(t, err)
	require.Len(t, found, 1)
	assert.Equal(t, "bea@example.com", found[0].Email)
	found, err = s.UsersByEmail(t.Context(), "b", found[0].Email, 5)
	require.NoError(t, err)
	require.Len(t, found, 1)
	assert.Equal(t, "bob@example.com", found[0].Email)
	found, err = s.UsersByEmail(t.Context(), "a%", "", 5)
	require.NoError(t, err)
	assert.Len(t, found, 1, "the text is no pattern")
}

func TestTheOperatorMakesAnAdministrator(t *testing.T) {
	t.Parallel()
	s, _ := newService(t)
	made, err := s.CreateAdmin(t.Context(), "Ops@example.com", "a first password")
	require.NoError(t, err)
	assert.Equal(t, account.RoleAdmin, made.Role)
	ada := signUp(t, s, "ada@example.com")
	assert.Equal(t, account.RoleUser, ada.User.Role, "no longer the first user")

	_, err = s.ChangeUser(t.Context(), ada.User.ID, account.Change{Status: pointer(account.StatusSuspended)})
	require.NoError(t, err)
	again, err := s.CreateAdmin(t.Context(), "ada@example.com", "another password")
	require.NoError(t, err)
	assert.Equal(t, account.RoleAdmin, again.Role)
	assert.Equal(t, account.StatusActive, again.Status)
	assert.Equal(t, ada.User.ID, again.ID)
	_, err = signIn(t.Context(), s, account.SignIn{Email: "ada@example.com", Password: "another password"})
	require.NoError(t, err)
	_, err = s.CreateAdmin(t.Context(), "ops@example.com", "password1")
	require.ErrorIs(t, err, account.ErrWeakPassword)
}
