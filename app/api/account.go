package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/radpanel/radpanel/app/account"
)

const tagAccount = "Account"

func (a *API) registerAccount() {
	register(a, huma.Operation{
		OperationID: "sign-up", Method: http.MethodPost, Path: "/users", Tags: []string{tagAccount},
		Summary:       "Sign up",
		Description:   "Makes a user and signs them in. The panel's first user becomes its administrator.",
		DefaultStatus: http.StatusCreated,
	}, a.signUp)
	register(a, a.signedIn(huma.Operation{
		OperationID: "get-account", Method: http.MethodGet, Path: "/account", Tags: []string{tagAccount},
		Summary: "Read one's own account",
	}), a.getAccount)
	register(a, a.signedIn(huma.Operation{
		OperationID: "update-account", Method: http.MethodPatch, Path: "/account", Tags: []string{tagAccount},
		Summary: "Change one's own name",
	}), a.updateAccount)
	register(a, a.signedIn(huma.Operation{
		OperationID: "change-password", Method: http.MethodPut, Path: "/account/password", Tags: []string{tagAccount},
		Summary:       "Change one's own password",
		Description:   "All other sessions end, and this one gets a new cookie.",
		DefaultStatus: http.StatusNoContent,
	}), a.changePassword)
	register(a, a.signedIn(huma.Operation{
		OperationID: "delete-account", Method: http.MethodPost, Path: "/account/deletion", Tags: []string{tagAccount},
		Summary:       "Delete one's own account and all that belongs to it",
		DefaultStatus: http.StatusNoContent,
	}), a.deleteAccount)
}

// User is a user as the API shows one.
type User struct {
	ID          uuid.UUID `json:"id" format:"uuid"`
	Email       string    `json:"email" format:"email"`
	Name        string    `json:"name"`
	Role        string    `json:"role" enum:"user,admin"`
	Status      string    `json:"status" enum:"active,suspended"`
	TOTPEnabled bool      `json:"totp_enabled"`
	Version     int64     `json:"version"`
	CreatedAt   time.Time `json:"created_at"`
}

func userOf(u account.User, totp bool) User {
	return User{
		ID: u.ID, Email: u.Email, Name: u.Name, Role: string(u.Role), Status: string(u.Status),
		TOTPEnabled: totp, Version: u.Version, CreatedAt: u.CreatedAt,
	}
}

type signUpInput struct {
	Client

	Body struct {
		Email    string `json:"email" minLength:"3" maxLength:"254"`
		Password string `json:"password" minLength:"8" maxLength:"128"`
		Name     string `json:"name,omitempty" maxLength:"100"`
	}
}

type signedInOutput struct {
	SetCookie http.Cookie `header:"Set-Cookie"`
	Body      SignedIn
}

// SignedIn is a user and the session that they use.
type SignedIn struct {
	User    User    `json:"user"`
	Session Session `json:"session"`
}

func (a *API) signUp(ctx context.Context, in *signUpInput) (*signedInOutput, error) {
	signed, err := a.Accounts.SignUp(ctx, account.SignUp{
		Email: in.Body.Email, Password: in.Body.Password, Name: in.Body.Name,
	}, a.clientOf(in.Client))
	if err != nil {
		return nil, err
	}
	return signedInAnswer(signed, false), nil
}

type accountOutput struct {
	ETag string `header:"ETag"`
	Body User
}

type getAccountInput struct{ IfNoneMatch }

func (a *API) getAccount(ctx context.Context, in *getAccountInput) (*accountOutput, error) {
	user := identity(ctx).User
	if in.matches(user.Version) {
		return nil, notModified(user.Version)
	}
	return a.accountAnswer(ctx, user)
}

func (a *API) accountAnswer(ctx context.Context, user account.User) (*accountOutput, error) {
	totp, err := a.Accounts.HasTOTP(ctx, user)
	if err != nil {
		return nil, err
	}
	return &accountOutput{ETag: etag(user.Version), Body: userOf(user, totp)}, nil
}

type updateAccountInput struct {
	IfMatch

	Body struct {
		Name string `json:"name" maxLength:"100"`
	}
}

func (a *API) updateAccount(ctx context.Context, in *updateAccountInput) (*accountOutput, error) {
	version, err := in.required()
	if err != nil {
		return nil, err
	}
	user, err := a.Accounts.Rename(ctx, identity(ctx).User, in.Body.Name, version)
	if err != nil {
		return nil, err
	}
	return a.accountAnswer(ctx, user)
}

type changePasswordInput struct {
	Body struct {
		CurrentPassword string `json:"current_password" minLength:"1" maxLength:"128"`
		NewPassword     string `json:"new_password" minLength:"8" maxLength:"128"`
	}
}

type cookieOutput struct {
	SetCookie http.Cookie `header:"Set-Cookie"`
}

func (a *API) changePassword(ctx context.Context, in *changePasswordInput) (*cookieOutput, error) {
	who := identity(ctx)
	token, err := a.Accounts.ChangePassword(ctx, who.User, who.Session, in.Body.CurrentPassword, in.Body.NewPassword)
	if err != nil {
		return nil, relocate(err, account.ErrWeakPassword, "body.new_password")
	}
	return &cookieOutput{SetCookie: setSessionCookie(token, who.Session.ExpiresAt)}, nil
}

// passwordInput is the body of changes that ask for the password again.
type passwordInput struct {
	Body struct {
		CurrentPassword string `json:"current_password" minLength:"1" maxLength:"128"`
	}
}

func (a *API) deleteAccount(ctx context.Context, in *passwordInput) (*cookieOutput, error) {
	if err := a.Accounts.Delete(ctx, identity(ctx).User, in.Body.CurrentPassword); err != nil {
		return nil, err
	}
	return &cookieOutput{SetCookie: clearSessionCookie()}, nil
}
