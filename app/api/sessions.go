package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/radpanel/radpanel/app/account"
)

const tagSessions = "Sessions"

func (a *API) registerSessions() {
	register(a, huma.Operation{
		OperationID: "sign-in", Method: http.MethodPost, Path: "/sessions", Tags: []string{tagSessions},
		Summary:       "Sign in",
		Description:   "401 with the type /problems/totp-required: the password is right, send a code as well.",
		DefaultStatus: http.StatusCreated,
	}, a.signIn)
	register(a, orNobody(a.signedIn(huma.Operation{
		OperationID: "get-session", Method: http.MethodGet, Path: "/session", Tags: []string{tagSessions},
		Summary:     "Read who is signed in",
		Description: "204 without a body: nobody is, and optional is true.",
	})), a.getSession)
	register(a, a.signedIn(huma.Operation{
		OperationID: "sign-out", Method: http.MethodDelete, Path: "/session", Tags: []string{tagSessions},
		Summary: "Sign out", DefaultStatus: http.StatusNoContent,
	}), a.signOut)
	register(a, a.signedIn(huma.Operation{
		OperationID: "list-sessions", Method: http.MethodGet, Path: "/sessions", Tags: []string{tagSessions},
		Summary: "List one's own sessions, newest first",
	}), a.listSessions)
	register(a, a.signedIn(huma.Operation{
		OperationID: "delete-session", Method: http.MethodDelete, Path: "/sessions/{session_id}", Tags: []string{tagSessions},
		Summary: "Sign out one session", DefaultStatus: http.StatusNoContent,
	}), a.deleteSession)
	register(a, a.signedIn(huma.Operation{
		OperationID: "delete-sessions", Method: http.MethodDelete, Path: "/sessions", Tags: []string{tagSessions},
		Summary: "Sign out everywhere, here too", DefaultStatus: http.StatusNoContent,
	}), a.deleteSessions)
}

// Session is a sign-in on one device, as the API shows it.
type Session struct {
	ID         uuid.UUID `json:"id" format:"uuid"`
	CreatedAt  time.Time `json:"created_at"`
	LastSeenAt time.Time `json:"last_seen_at" doc:"To the minute."`
	ExpiresAt  time.Time `json:"expires_at"`
	UserAgent  string    `json:"user_agent"`
	Address    string    `json:"address"`
	Current    bool      `json:"current" doc:"The session that asks."`
}

func sessionOf(s account.Session, current bool) Session {
	return Session{
		ID: s.ID, CreatedAt: s.CreatedAt, LastSeenAt: s.LastSeenAt, ExpiresAt: s.ExpiresAt,
		UserAgent: s.UserAgent, Address: s.Address, Current: current,
	}
}

// Client is embedded in an input: it tells where the request comes from.
type Client struct{ Raw }

func (a *API) clientOf(c Client) account.Client {
	return account.Client{Address: a.clientAddress(c.request), UserAgent: c.request.UserAgent()}
}

type signInInput struct {
	Client

	Cookie string `cookie:"rad_session" hidden:"true"`
	Body   struct {
		Email        string `json:"email" maxLength:"254"`
		Password     string `json:"password" maxLength:"128"`
		TOTPCode     string `json:"totp_code,omitempty" maxLength:"10"`
		RecoveryCode string `json:"recovery_code,omitempty" maxLength:"40"`
	}
}

func (a *API) signIn(ctx context.Context, in *signInInput) (*signedInOutput, error) {
	signed, err := a.Accounts.SignIn(ctx, account.SignIn{
		Email: in.Body.Email, Password: in.Body.Password, TOTPCode: in.Body.TOTPCode, RecoveryCode: in.Body.RecoveryCode,
		Token: in.Cookie,
	}, a.clientOf(in.Client))
	if err != nil {
		return nil, err
	}
	totp, err := a.Accounts.HasTOTP(ctx, signed.User)
	if err != nil {
		return nil, err
	}
	return signedInAnswer(signed, totp), nil
}

func signedInAnswer(signed account.SignedIn, totp bool) *signedInOutput {
	return &signedInOutput{
		SetCookie: setSessionCookie(signed.Token, signed.Session.ExpiresAt),
		Body:      SignedIn{User: userOf(signed.User, totp), Session: sessionOf(signed.Session, true)},
	}
}

type getSessionInput struct {
	Optional bool `query:"optional" doc:"Answer 204, not 401, when nobody is signed in."`
}

type getSessionOutput struct{ Body SignedIn }

func (a *API) getSession(ctx context.Context, _ *getSessionInput) (*getSessionOutput, error) {
	who := identity(ctx)
	totp, err := a.Accounts.HasTOTP(ctx, who.User)
	if err != nil {
		return nil, err
	}
	return &getSessionOutput{Body: SignedIn{User: userOf(who.User, totp), Session: sessionOf(who.Session, true)}}, nil
}

func (a *API) signOut(ctx context.Context, _ *struct{}) (*cookieOutput, error) {
	who := identity(ctx)
	if err := a.Accounts.SignOut(ctx, who.User, who.Session.ID); err != nil {
		return nil, err
	}
	return &cookieOutput{SetCookie: clearSessionCookie()}, nil
}

type listSessionsInput struct{ Paging }

// newestFirst is the position in lists by id, newest first.
type newestFirst struct {
	Before uuid.UUID `json:"before"`
}

// before reads the cursor of a list by id; without one the list starts at the newest.
func (a *API) before(list, cursor string) (uuid.UUID, error) {
	position := newestFirst{Before: uuid.Max}
	if cursor == "" {
		return position.Before, nil
	}
	err := a.cursors.decode(list, cursor, &position)
	return position.Before, err
}

func (a *API) listSessions(ctx context.Context, in *listSessionsInput) (*listOutput[Session], error) {
	who := identity(ctx)
	before, err := a.before("sessions", in.Cursor)
	if err != nil {
		return nil, err
	}
	sessions, err := a.Accounts.Sessions(ctx, who.User, before, in.Limit+1)
	if err != nil {
		return nil, err
	}
	return pageOf(a, "sessions", in.Limit, sessions,
		func(s account.Session) Session { return sessionOf(s, s.ID == who.Session.ID) },
		func(s account.Session) newestFirst { return newestFirst{s.ID} })
}

type sessionInput struct {
	SessionID uuid.UUID `path:"session_id" format:"uuid"`
}

func (a *API) deleteSession(ctx context.Context, in *sessionInput) (*struct{}, error) {
	return nil, a.Accounts.SignOut(ctx, identity(ctx).User, in.SessionID)
}

func (a *API) deleteSessions(ctx context.Context, _ *struct{}) (*cookieOutput, error) {
	if err := a.Accounts.SignOutEverywhere(ctx, identity(ctx).User); err != nil {
		return nil, err
	}
	return &cookieOutput{SetCookie: clearSessionCookie()}, nil
}
