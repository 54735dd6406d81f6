package account_test

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/app/account"
	"github.com/radpanel/radpanel/app/database"
)

func TestASessionEndsWhenItIsNotUsed(t *testing.T) {
	t.Parallel()
	s, c := newService(t)
	signed := signUp(t, s, "ada@example.com")
	c.Advance(idle - time.Second)
	_, _, err := s.Authenticate(t.Context(), signed.Token)
	require.NoError(t, err)
	c.Advance(idle - time.Second)
	_, _, err = s.Authenticate(t.Context(), signed.Token)
	require.NoError(t, err, "the use before has kept it")
	c.Advance(idle)
	_, _, err = s.Authenticate(t.Context(), signed.Token)
	require.ErrorIs(t, err, account.ErrUnauthenticated)
}

func TestASessionEndsInTheEndHoweverMuchItIsUsed(t *testing.T) {
	t.Parallel()
	s, c := newService(t)
	signed := signUp(t, s, "ada@example.com")
	for range int(absolute/(30*time.Minute)) - 1 {
		c.Advance(30 * time.Minute)
		_, _, err := s.Authenticate(t.Context(), signed.Token)
		require.NoError(t, err)
	}
	c.Advance(30 * time.Minute)
	_, _, err := s.Authenticate(t.Context(), signed.Token)
	require.ErrorIs(t, err, account.ErrUnauthenticated)
}

func TestUseIsWrittenAtMostOnceAMinute(t *testing.T) {
	t.Parallel()
	s, c := newService(t)
	signed := signUp(t, s, "ada@example.com")
	start := c.Now()
	lastSeen := func() time.Time {
		sessions, err := s.Sessions(t.Context(), signed.User, uuid.Max, 10)
		require.NoError(t, err)
		require.Len(t, sessions, 1)
		return sessions[0].LastSeenAt
	}
	c.Advance(59 * time.Second)
	_, _, err := s.Authenticate(t.Context(), signed.Token)
	require.NoError(t, err)
	assert.WithinDuration(t, start, lastSeen(), 0)
	c.Advance(time.Second)
	_, _, err = s.Authenticate(t.Context(), signed.Token)
	require.NoError(t, err)
	assert.WithinDuration(t, start.Add(time.Minute), lastSeen(), 0)
}

func TestSignOutHereAndEverywhere(t *testing.T) {
	t.Parallel()
	s, _ := newService(t)
	ada := signUp(t, s, "ada@example.com")
	bob := signUp(t, s, "bob@example.com")
	phone, err := signIn(t.Context(), s, account.SignIn{Email: "ada@example.com"})
	require.NoError(t, err)

	require.ErrorIs(t, s.SignOut(t.Context(), bob.User, phone.Session.ID), database.ErrNotFound, "another user's session")
	require.NoError(t, s.SignOut(t.Context(), ada.User, ada.Session.ID))
	_, _, err = s.Authenticate(t.Context(), ada.Token)
	require.ErrorIs(t, err, account.ErrUnauthenticated)
	_, _, err = s.Authenticate(t.Context(), phone.Token)
	require.NoError(t, err)

	require.NoError(t, s.SignOutEverywhere(t.Context(), ada.User))
	_, _, err = s.Authenticate(t.Context(), phone.Token)
	require.ErrorIs(t, err, account.ErrUnauthenticated)
	_, _, err = s.Authenticate(t.Context(), bob.Token)
	require.NoError(t, err)
}

func TestTokensAreOpaqueAndNotStored(t *testing.T) {
	t.Parallel()
	s, _ := newService(t)
	signed, err := s.SignUp(t.Context(), account.SignUp{Email: "ada@example.com", Password: password},
		account.Client{Address: "192.0.2.1", UserAgent: strings.Repeat("ü", 400) + "\x00\xff"})
	require.NoError(t, err)
	raw, err := base64.RawURLEncoding.DecodeString(signed.Token)
	require.NoError(t, err)
	assert.Len(t, raw, 33)

	var stored []byte
	require.NoError(t, s.DB().QueryRow(t.Context(), "SELECT token_hash FROM sessions").Scan(&stored))
	assert.NotContains(t, string(raw), string(stored))
	assert.LessOrEqual(t, len(signed.Session.UserAgent), 300)

	for _, token := range []string{"", "x", signed.Token + "A", signed.Token[:len(signed.Token)-1], strings.Repeat("A", 44), strings.Repeat("~", 44)} {
		_, _, err := s.Authenticate(t.Context(), token)
		require.ErrorIs(t, err, account.ErrUnauthenticated, token)
	}
}
