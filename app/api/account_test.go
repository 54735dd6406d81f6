package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/app/api"
	"github.com/radpanel/radpanel/app/config"
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

func TestWhoIsSignedInMayBeNobody(t *testing.T) {
	t.Parallel()
	s := newService(t)
	c := s.signUp(t)
	c.do(t, "GET", "/session?optional=true", nil).is(t, http.StatusOK)
	left := "rad_session=" + strings.Repeat("A", 44)
	for _, headers := range [][]string{nil, {"Cookie", left}} {
		r := s.anonymous().do(t, "GET", "/session?optional=true", nil, headers...).is(t, http.StatusNoContent)
		assert.Empty(t, r.Body)
		assert.Equal(t, "no-store", r.Header.Get("Cache-Control"))
		for _, path := range []string{"/session", "/session?optional=false", "/account?optional=true"} {
			s.anonymous().do(t, "GET", path, nil, headers...).is(t, http.StatusUnauthorized)
		}
	}
}

func TestTheCookieIsOutOfReach(t *testing.T) {
	t.Parallel()
	s := newService(t)
	r := s.anonymous().do(t, "POST", "/users", map[string]any{"email": "ada@example.com", "password": password}).is(t, http.StatusCreated)
	cookies := (&http.Response{Header: r.Header}).Cookies()
	require.Len(t, cookies, 1)
	cookie := cookies[0]
	assert.Equal(t, "rad_session", cookie.Name)
	assert.True(t, cookie.Secure)
	assert.True(t, cookie.HttpOnly)
	assert.Equal(t, http.SameSiteLaxMode, cookie.SameSite)
	assert.Equal(t, "/", cookie.Path)
	assert.WithinDuration(t, time.Now().Add(s.Config.SessionAbsoluteTimeout), cookie.Expires, time.Minute)
	assert.Equal(t, "no-store", r.Header.Get("Cache-Control"))
	assert.NotContains(t, string(r.Body), cookie.Value, "the token is in the cookie alone")

	c := s.signUp(t)
	gone := c.do(t, "DELETE", "/session", nil).is(t, http.StatusNoContent)
	assert.Contains(t, gone.Header.Get("Set-Cookie"), "rad_session=; Path=/; Max-Age=0; HttpOnly; Secure")
}

func TestSignUpAnswersWhatIsWrong(t *testing.T) {
	t.Parallel()
	s := newService(t)
	ada := s.signUp(t)
	for body, want := range map[string]struct {
		status   int
		location string
	}{
		`{"email":"x@example.com","password":"short"}`:                                {422, "body.password"},
		`{"email":"x@example.com","password":"` + strings.Repeat("x", 129) + `"}`:     {422, "body.password"},
		`{"email":"x@example.com","password":"password1"}`:                            {422, "body.password"},
		`{"email":"nonsense","password":"correct horse battery"}`:                     {422, "body.email"},
		`{"email":"x@example.com","password":"correct horse battery","role":"admin"}`: {422, "body.role"},
		`{"email":"x@example.com","password":"correct\u0000horse battery"}`:           {422, "body"},
		`{"email":"x@example.com"}`:                                                   {422, "body"},
		`{"email":"` + ada.Email + `","password":"correct horse battery"}`:            {409, ""},
		`{`: {400, "body"},
	} {
		r := s.anonymous().do(t, "POST", "/users", body).is(t, want.status)
		p := r.problem(t)
		if want.location != "" {
			require.NotEmpty(t, p.Errors, body)
			assert.Equal(t, want.location, p.Errors[0].Location, body)
		}
		assert.NotContains(t, string(r.Body), "correct", "no password comes back")
	}
}

func TestSignInIsLimited(t *testing.T) {
	t.Parallel()
	s := newService(t, func(cfg *config.Config) { cfg.SignInsPerEmail, cfg.SignInsPerAddress, cfg.SignUpsPerAddress = 2, 4, 3 })
	ada := s.signUp(t)
	wrong := map[string]any{"email": ada.Email, "password": "wrong password"}
	c := s.anonymous()
	for range 2 {
		assert.Equal(t, "about:blank", c.do(t, "POST", "/sessions", wrong).is(t, http.StatusUnauthorized).problem(t).Type)
	}
	r := c.do(t, "POST", "/sessions", wrong, "X-Forwarded-For", "203.0.113.9").is(t, http.StatusTooManyRequests)
	assert.Equal(t, "/problems/rate-limited", r.problem(t).Type)
	assert.Regexp(t, `^[1-9][0-9]?$`, r.Header.Get("Retry-After"))

	// Other e-mail addresses, from one network address: five tries, of which one was above from elsewhere.
	for i := range 2 {
		c.do(t, "POST", "/sessions", map[string]any{"email": fmt.Sprintf("x%d@example.com", i), "password": "x"}).is(t, http.StatusUnauthorized)
	}
	c.do(t, "POST", "/sessions", map[string]any{"email": "y@example.com", "password": "x"}).is(t, http.StatusTooManyRequests)
	c.do(t, "POST", "/sessions", map[string]any{"email": "y@example.com", "password": "x"}, "X-Forwarded-For", "203.0.113.10").
		is(t, http.StatusUnauthorized)
	// The leftmost entries are the client's own words.
	c.do(t, "POST", "/sessions", map[string]any{"email": "y@example.com", "password": "x"}, "X-Forwarded-For", "198.51.100.1, 127.0.0.1").
		is(t, http.StatusUnauthorized)

	s.signUp(t)
	s.signUp(t)
	c.do(t, "POST", "/users", map[string]any{"email": "z@example.com", "password": password}).is(t, http.StatusTooManyRequests)
}

func TestTheSecondFactorOverHTTP(t *testing.T) {
	t.Parallel()
	s := newService(t)
	c := s.signUp(t)
	current := map[string]any{"current_password": password}
	var setup api.TOTPSetup
	c.do(t, "POST", "/account/totp", current).is(t, http.StatusOK).decode(t, &setup)
	code, err := totp.GenerateCode(setup.Secret, s.Clock.Now())
	require.NoError(t, err)
	p := c.do(t, "POST", "/account/totp/confirmation", map[string]any{"code": "000000"}).is(t, http.StatusUnprocessableEntity).problem(t)
	assert.Equal(t, "body.code", p.Errors[0].Location)
	var codes api.RecoveryCodes
	c.do(t, "POST", "/account/totp/confirmation", map[string]any{"code": code}).is(t, http.StatusOK).decode(t, &codes)
	require.Len(t, codes.RecoveryCodes, 10)

	in := map[string]any{"email": c.Email, "password": password}
	required := s.anonymous().do(t, "POST", "/sessions", in).is(t, http.StatusUnauthorized)
	assert.Equal(t, "/problems/totp-required", required.problem(t).Type)
	in["totp_code"] = code
	s.anonymous().do(t, "POST", "/sessions", in).is(t, http.StatusUnauthorized)
	delete(in, "totp_code")
	in["recovery_code"] = codes.RecoveryCodes[3]
	var signed api.SignedIn
	s.anonymous().do(t, "POST", "/sessions", in).is(t, http.StatusCreated).decode(t, &signed)
	assert.True(t, signed.User.TOTPEnabled)

	c.do(t, "POST", "/account/recovery-codes", current).is(t, http.StatusOK).decode(t, &codes)
	c.do(t, "POST", "/account/totp", current).is(t, http.StatusConflict)
	c.do(t, "POST", "/account/totp/removal", map[string]any{"current_password": "wrong"}).is(t, http.StatusUnprocessableEntity)
	c.do(t, "POST", "/account/totp/removal", current).is(t, http.StatusNoContent)
	c.do(t, "POST", "/account/totp/removal", current).is(t, http.StatusConflict)
}

func TestTheSecondFactorIsPartOfTheAccountsVersion(t *testing.T) {
	t.Parallel()
	s := newService(t)
	c := s.signUp(t)
	read := func(known string) (tag string, enabled bool) {
		var user api.User
		r := c.do(t, "GET", "/account", nil, "If-None-Match", known).is(t, http.StatusOK)
		r.decode(t, &user)
		return r.Header.Get("ETag"), user.TOTPEnabled
	}
	without, enabled := read(`"0"`)
	require.False(t, enabled)
	current := map[string]any{"current_password": password}
	var setup api.TOTPSetup
	c.do(t, "POST", "/account/totp", current).is(t, http.StatusOK).decode(t, &setup)
	c.do(t, "GET", "/account", nil, "If-None-Match", without).is(t, http.StatusNotModified) // Not confirmed yet.
	code, err := totp.GenerateCode(setup.Secret, s.Clock.Now())
	require.NoError(t, err)
	c.do(t, "POST", "/account/totp/confirmation", map[string]any{"code": code}).is(t, http.StatusOK)
	with, enabled := read(without)
	require.True(t, enabled)
	c.do(t, "POST", "/account/totp/removal", current).is(t, http.StatusNoContent)
	_, enabled = read(with)
	assert.False(t, enabled)
}

func TestOnesOwnAccount(t *testing.T) {
	t.Parallel()
	s := newService(t)
	c := s.signUp(t)
	read := c.do(t, "GET", "/account", nil).is(t, http.StatusOK)
	tag := read.Header.Get("ETag")
	require.Equal(t, `"1"`, tag)
	same := c.do(t, "GET", "/account", nil, "If-None-Match", `W/"9", `+tag).is(t, http.StatusNotModified)
	assert.Empty(t, same.Body)
	assert.Equal(t, tag, same.Header.Get("ETag"))

	name := map[string]any{"name": "Ada"}
	c.do(t, "PATCH", "/account", name).is(t, http.StatusPreconditionRequired).problem(t)
	changed := c.do(t, "PATCH", "/account", name, "If-Match", tag).is(t, http.StatusOK)
	assert.Equal(t, `"2"`, changed.Header.Get("ETag"))
	for _, stale := range []string{tag, `"x"`, `"-1"`, "nonsense"} {
		lost := c.do(t, "PATCH", "/account", name, "If-Match", stale).is(t, http.StatusPreconditionFailed)
		assert.Equal(t, "/problems/stale-version", lost.problem(t).Type)
	}
	c.do(t, "PATCH", "/account", name, "If-Match", "*").is(t, http.StatusOK)

	other := c.signIn(t)
	old := c.Token()
	change := map[string]any{"current_password": password, "new_password": "password1"}
	p := c.do(t, "PUT", "/account/password", change).is(t, http.StatusUnprocessableEntity).problem(t)
	assert.Equal(t, "body.new_password", p.Errors[0].Location)
	change["new_password"] = "an even better password"
	c.do(t, "PUT", "/account/password", change).is(t, http.StatusNoContent)
	assert.NotEqual(t, old, c.Token())
	c.do(t, "GET", "/session", nil).is(t, http.StatusOK)
	other.do(t, "GET", "/session", nil).is(t, http.StatusUnauthorized)

	c.do(t, "POST", "/account/deletion", map[string]any{"current_password": "an even better password"}).
		is(t, http.StatusConflict) // The last administrator.
	bob := s.signUp(t)
	bob.do(t, "POST", "/account/deletion", map[string]any{"current_password": password}).is(t, http.StatusNoContent)
	bob.do(t, "GET", "/session", nil).is(t, http.StatusUnauthorized)
}

func TestSessionsAreListedAndEnded(t *testing.T) {
	t.Parallel()
	s := newService(t)
	bob := s.signUp(t)
	c := s.signUp(t)
	phone, tablet := c.signIn(t), c.signIn(t)
	type page struct {
		Items      []api.Session `json:"items"`
		NextCursor string        `json:"next_cursor"`
	}
	var first, second page
	c.do(t, "GET", "/sessions?limit=2", nil).is(t, http.StatusOK).decode(t, &first)
	require.Len(t, first.Items, 2)
	require.NotEmpty(t, first.NextCursor)
	c.do(t, "GET", "/sessions?limit=2&cursor="+first.NextCursor, nil).is(t, http.StatusOK).decode(t, &second)
	require.Len(t, second.Items, 1)
	assert.Empty(t, second.NextCursor)
	assert.True(t, second.Items[0].Current, "the oldest is the one that asks")
	assert.Equal(t, "127.0.0.1", second.Items[0].Address)

	path := "/sessions/" + first.Items[0].ID.String()
	bob.do(t, "DELETE", path, nil).is(t, http.StatusNotFound)
	c.do(t, "DELETE", path, nil).is(t, http.StatusNoContent)
	c.do(t, "DELETE", path, nil).is(t, http.StatusNotFound)
	tablet.do(t, "GET", "/session", nil).is(t, http.StatusUnauthorized)
	phone.do(t, "DELETE", "/sessions", nil).is(t, http.StatusNoContent)
	for _, gone := range []*client{c, phone} {
		gone.do(t, "GET", "/session", nil).is(t, http.StatusUnauthorized)
	}
	bob.do(t, "GET", "/session", nil).is(t, http.StatusOK)
}

func TestSessionsTimeOut(t *testing.T) {
	t.Parallel()
	s := newService(t)
	c := s.signUp(t)
	s.Clock.Advance(s.Config.SessionIdleTimeout - time.Minute)
	c.do(t, "GET", "/session", nil).is(t, http.StatusOK)
	s.Clock.Advance(s.Config.SessionIdleTimeout)
	p := c.do(t, "GET", "/session", nil).is(t, http.StatusUnauthorized).problem(t)
	assert.Equal(t, "Sign in first.", p.Detail)
}

func TestAdministration(t *testing.T) {
	t.Parallel()
	s := newService(t)
	admin, bob := s.signUp(t), s.signUp(t)
	s.signUp(t)
	for _, path := range []string{"/admin/users", "/admin/jobs", "/admin/scaling"} {
		bob.do(t, "GET", path, nil).is(t, http.StatusForbidden).problem(t)
		s.anonymous().do(t, "GET", path, nil).is(t, http.StatusUnauthorized).problem(t)
	}
	var page struct {
		Items      []api.User `json:"items"`
		NextCursor string     `json:"next_cursor"`
	}
	admin.do(t, "GET", "/admin/users?limit=2", nil).is(t, http.StatusOK).decode(t, &page)
	require.Len(t, page.Items, 2)
	assert.Equal(t, "user3@example.com", page.Items[0].Email)
	admin.do(t, "GET", "/admin/users?limit=2&q=x&cursor="+page.NextCursor, nil).is(t, http.StatusUnprocessableEntity).problem(t)
	admin.do(t, "GET", "/admin/users?q=USER2", nil).is(t, http.StatusOK).decode(t, &page)
	require.Len(t, page.Items, 1)

	path := "/admin/users/" + bob.UserID
	admin.do(t, "PATCH", path, map[string]any{"status": "asleep"}).is(t, http.StatusUnprocessableEntity)
	admin.do(t, "PATCH", path, map[string]any{"status": "suspended"}).is(t, http.StatusOK)
	bob.do(t, "GET", "/session", nil).is(t, http.StatusUnauthorized)
	s.anonymous().do(t, "POST", "/sessions", map[string]any{"email": bob.Email, "password": password}).is(t, http.StatusForbidden)
	admin.do(t, "PATCH", "/admin/users/"+admin.UserID, map[string]any{"role": "user"}).is(t, http.StatusConflict)
}
