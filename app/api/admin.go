package api

import (
	"context"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/radpanel/radpanel/app/account"
)

const tagAdmin = "Administration"

func (a *API) registerAdmin() {
	register(a, a.forAdmins(huma.Operation{
		OperationID: "list-users", Method: http.MethodGet, Path: "/admin/users", Tags: []string{tagAdmin},
		Summary: "List users", Description: "Newest first; with q those whose e-mail address starts with it, by address.",
	}), a.listUsers)
	register(a, a.forAdmins(huma.Operation{
		OperationID: "update-user", Method: http.MethodPatch, Path: "/admin/users/{user_id}", Tags: []string{tagAdmin},
		Summary: "Change a user's role or status", Description: "Suspending ends the user's sessions.",
	}), a.updateUser)
}

type listUsersInput struct {
	Paging

	Q string `query:"q" maxLength:"254" doc:"The start of an e-mail address."`
}

func (a *API) listUsers(ctx context.Context, in *listUsersInput) (*listOutput[User], error) {
	if q := strings.ToLower(strings.TrimSpace(in.Q)); q != "" {
		return a.searchUsers(ctx, q, in.Paging)
	}
	before, err := a.before("users", in.Cursor)
	if err != nil {
		return nil, err
	}
	users, err := a.Accounts.Users(ctx, before, in.Limit+1)
	if err != nil {
		return nil, err
	}
	return pageOf(a, "users", in.Limit, users, listedUser,
		func(u account.Listed) newestFirst { return newestFirst{u.ID} })
}

type afterEmail struct {
	After string `json:"after"`
}

func (a *API) searchUsers(ctx context.Context, q string, paging Paging) (*listOutput[User], error) {
	list := "users by e-mail " + q
	var position afterEmail
	if paging.Cursor != "" {
		if err := a.cursors.decode(list, paging.Cursor, &position); err != nil {
			return nil, err
		}
	}
	users, err := a.Accounts.UsersByEmail(ctx, q, position.After, paging.Limit+1)
	if err != nil {
		return nil, err
	}
	return pageOf(a, list, paging.Limit, users, listedUser,
		func(u account.Listed) afterEmail { return afterEmail{u.Email} })
}

func listedUser(u account.Listed) User { return userOf(u.User, u.HasTOTP) }

type updateUserInput struct {
	UserID uuid.UUID `path:"user_id" format:"uuid"`
	Body   struct {
		Role   *string `json:"role,omitempty" enum:"user,admin"`
		Status *string `json:"status,omitempty" enum:"active,suspended"`
	}
}

func (a *API) updateUser(ctx context.Context, in *updateUserInput) (*accountOutput, error) {
	user, err := a.Accounts.ChangeUser(ctx, in.UserID, account.Change{
		Role: (*account.Role)(in.Body.Role), Status: (*account.Status)(in.Body.Status),
	})
	if err != nil {
		return nil, err
	}
	a.Log.InfoContext(ctx, "user changed", "account", user.ID, "role", user.Role, "status", user.Status)
	return a.accountAnswer(ctx, user)
}
