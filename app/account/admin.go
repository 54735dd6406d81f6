package account

import (
	"context"

	"github.com/google/uuid"

	"github.com/radpanel/radpanel/app/database"
	"github.com/radpanel/radpanel/app/database/dbgen"
)

// Listed is a user in the administrator's list.
type Listed struct {
	User

	HasTOTP bool
}

// Users lists all users, newest first, from before the given id; uuid.Max starts.
func (s *Service) Users(ctx context.Context, before uuid.UUID, limit int) ([]Listed, error) {
	rows, err := s.db.ListUsers(ctx, dbgen.ListUsersParams{Before: before, RowLimit: int32(limit)}) //nolint:gosec // At most 201.
	if err != nil {
		return nil, err
	}
	users := make([]Listed, len(rows))
	for i, row := range rows {
		users[i] = Listed{userOf(row.User), row.HasTotp}
	}
	return users, nil
}

// UsersByEmail lists the users whose e-mail address starts with the prefix, by address, from after the given one; ""
// starts.
func (s *Service) UsersByEmail(ctx context.Context, prefix, after string, limit int) ([]Listed, error) {
	rows, err := s.db.SearchUsers(ctx, dbgen.SearchUsersParams{
		Low: prefix, High: prefix + "\U0010FFFF", After: after, RowLimit: int32(limit), //nolint:gosec // At most 201.
	})
	if err != nil {
		return nil, err
	}
	users := make([]Listed, len(rows))
	for i, row := range rows {
		users[i] = Listed{userOf(row.User), row.HasTotp}
	}
	return users, nil
}

// Change is what an administrator changes about a user; nil leaves as it is.
type Change struct {
	Role   *Role
	Status *Status
}

// ChangeUser changes a user's role or status. Suspending ends all their sessions. The last active administrator can
// neither be demoted nor suspended.
func (s *Service) ChangeUser(ctx context.Context, id uuid.UUID, change Change) (User, error) {
	bucket, err := s.db.FindBucket(ctx, id)
	if err != nil {
		return User{}, err
	}
	var user User
	err = s.db.InTx(ctx, func(tx *database.Tx) error {
		// Before the row's lock, in the order that deletion takes them.
		if err := tx.LockAdministrators(ctx); err != nil {
			return err
		}
		row, err := tx.LockUser(ctx, dbgen.LockUserParams{Bucket: bucket, ID: id})
		if err != nil {
			return err
		}
		user, err = s.applyChange(ctx, tx, userOf(row), change)
		return err
	})
	return user, err
}

func (s *Service) applyChange(ctx context.Context, tx *database.Tx, user User, change Change) (User, error) {
	was := user
	tx.Changes(database.UsersScope(user.Bucket))
	if change.Role != nil {
		user.Role = *change.Role
	}
	if change.Status != nil {
		user.Status = *change.Status
	}
	if was.isActiveAdmin() && !user.isActiveAdmin() {
		if err := keepAnAdministrator(ctx, tx, user); err != nil {
			return User{}, err
		}
	}
	row, err := tx.UpdateUserRoleAndStatus(ctx, dbgen.UpdateUserRoleAndStatusParams{
		Bucket: user.Bucket, ID: user.ID, Role: string(user.Role), Status: string(user.Status), UpdatedAt: s.now(),
	})
	if err != nil {
		return User{}, err
	}
	if user.Status == StatusSuspended {
		_, err = tx.DeleteSessions(ctx, dbgen.DeleteSessionsParams{Bucket: user.Bucket, UserID: user.ID})
	}
	return userOf(row), err
}

func (u User) isActiveAdmin() bool { return u.Role == RoleAdmin && u.Status == StatusActive }

// keepAnAdministrator fails when there is no other active administrator than this user. All changes to who is one wait
// for each other, so that two administrators cannot remove one another at once.
func keepAnAdministrator(ctx context.Context, tx *database.Tx, user User) error {
	if err := tx.LockAdministrators(ctx); err != nil {
		return err
	}
	others, err := tx.CountOtherActiveAdministrators(ctx, user.ID)
	if err != nil {
		return err
	}
	if others == 0 {
		return ErrLastAdmin
	}
	return nil
}

// CreateAdmin makes an administrator on the operator's word. When there is a user with the e-mail address already, that
// user becomes an active administrator with the new password, and all their sessions end: it is also the way back in
// for an operator who has lost theirs.
func (s *Service) CreateAdmin(ctx context.Context, email, password string) (User, error) {
	params, err := s.prepareUser(ctx, SignUp{Email: email, Password: password})
	if err != nil {
		return User{}, err
	}
	params.Role = string(RoleAdmin)
	existing, err := s.findUser(ctx, params.Email)
	if err != nil {
		return User{}, err
	}
	var user User
	err = s.db.InTx(ctx, func(tx *database.Tx) error {
		if err := tx.LockAdministrators(ctx); err != nil {
			return err
		}
		if existing.ID == uuid.Nil {
			user, err = insertUser(ctx, tx, params)
			return err
		}
		user, err = s.takeOver(ctx, tx, userOf(existing), params.PasswordHash)
		return err
	})
	return user, err
}

func (s *Service) takeOver(ctx context.Context, tx *database.Tx, user User, passwordHash string) (User, error) {
	tx.Changes(database.UsersScope(user.Bucket))
	n, err := tx.UpdateUserPassword(ctx, dbgen.UpdateUserPasswordParams{
		Bucket: user.Bucket, ID: user.ID, PasswordHash: passwordHash, UpdatedAt: s.now(),
	})
	if err != nil {
		return User{}, err
	}
	if n == 0 {
		return User{}, database.ErrNotFound // Deleted in between: the operator tries again.
	}
	if _, err := tx.DeleteSessions(ctx, dbgen.DeleteSessionsParams{Bucket: user.Bucket, UserID: user.ID}); err != nil {
		return User{}, err
	}
	role, status := RoleAdmin, StatusActive
	return s.applyChange(ctx, tx, user, Change{Role: &role, Status: &status})
}
