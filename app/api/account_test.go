package api_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/radpanel/radpanel/app/api"
)

func TestSignUpInAndOut(t *testing.T) {
	t.Parallel()
	s := newService(t)
	c := s.signUp(t)

	var who api.SignedIn
	c.do(t, "GET", "/session", nil).is(t, http.StatusOK).decode(t, &who)
	assert.Equal(t, c.Email, who.User.Email)
	assert.Equal(t, "admin", who.User.Role, "the first user is the administrator")
	assert.True(t, who.Session.Current)

	other := c.signIn(t)
	other.do(t, "GET", "/session", nil).is(t, http.StatusOK)
	c.do(t, "DELETE", "/session", nil).is(t, http.StatusNoContent)
	c.do(t, "GET", "/session", nil).is(t, http.StatusUnauthorized)
	other.do(t, "GET", "/session", nil).is(t, http.StatusOK)
}
