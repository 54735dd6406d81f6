package api

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/radpanel/radpanel/app/account"
	"github.com/radpanel/radpanel/app/telemetry"
)

const (
	sessionCookie = "rad_session"
	sessionScheme = "session"
)

// Identity says who asks. The user's id and bucket belong into the WHERE of every statement about a user's rows.
type Identity struct {
	// User is as read with the session, at the start of this request.
	User account.User
	// Session is the session that was used.
	Session account.Session
}

type identityKey struct{}

// identity returns who asks. Only operations registered with signedIn or forAdmins have one; calling it from another is
// a defect and panics.
func identity(ctx context.Context) Identity {
	return ctx.Value(identityKey{}).(Identity) // See above.
}

const optionalSessionKey = "optional-session"

// orNobody makes an operation of signed-in users answer 204 to a request without a valid session that says optional=true:
// to it, that nobody is signed in is an answer and no error.
func orNobody(op huma.Operation) huma.Operation {
	op.Metadata = map[string]any{optionalSessionKey: true}
	return op
}

func nobodyWillDo(ctx huma.Context) bool {
	optional, err := strconv.ParseBool(ctx.Query("optional"))
	return err == nil && optional && ctx.Operation().Metadata[optionalSessionKey] == true
}

// authenticate lets a request with a valid session pass; 401 for others, see also orNobody.
func (a *API) authenticate(ctx huma.Context, next func(huma.Context)) {
	cookie, err := huma.ReadCookie(ctx, sessionCookie)
	token := ""
	if err == nil {
		token = cookie.Value
	}
	session, user, err := a.Accounts.Authenticate(ctx.Context(), token)
	if errors.Is(err, account.ErrUnauthenticated) && nobodyWillDo(ctx) {
		ctx.SetStatus(http.StatusNoContent)
		return
	}
	if err != nil {
		a.refuse(ctx, err)
		return
	}
	telemetry.RequestOf(ctx.Context()).UserID = user.ID.String()
	next(huma.WithValue(ctx, identityKey{}, Identity{User: user, Session: session}))
}

func (a *API) requireAdmin(ctx huma.Context, next func(huma.Context)) {
	if identity(ctx.Context()).User.Role != account.RoleAdmin {
		a.refuse(ctx, problem(http.StatusForbidden, "Only administrators may do this."))
		return
	}
	next(ctx)
}

// refuse answers from a huma middleware as an operation would.
func (a *API) refuse(ctx huma.Context, err error) {
	err = a.problemOf(ctx.Context(), err)
	r, w := humago.Unwrap(ctx)
	var headers huma.HeadersError
	if errors.As(err, &headers) {
		for name, values := range headers.GetHeaders() {
			w.Header()[name] = values
		}
	}
	var p *huma.ErrorModel
	if !errors.As(err, &p) {
		p = problem(http.StatusInternalServerError, "")
	}
	writeProblem(w, r.WithContext(ctx.Context()), p)
}

// setSessionCookie returns the cookie that carries the token until the session ends.
func setSessionCookie(token string, expires time.Time) http.Cookie {
	return http.Cookie{
		Name: sessionCookie, Value: token, Path: "/", Expires: expires,
		Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
}

// clearSessionCookie returns the cookie that removes the token.
func clearSessionCookie() http.Cookie {
	return http.Cookie{Name: sessionCookie, Path: "/", MaxAge: -1, Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode}
}
