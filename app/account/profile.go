package account

import (
	"context"
	"errors"
	"strings"

	"github.com/radpanel/radpanel/app/database"
	"github.com/radpanel/radpanel/app/database/dbgen"
)

// Rename changes the user's name. version is the one that the caller has read, 0 for any; ErrStale when it has changed.
func (s *Service) Rename(ctx context.Context, user User, name string, version int64) (User, error) {
	var row dbgen.User
	err := s.db.Change(ctx, []database.Scope{database.UsersScope(user.Bucket)}, func() (err error) {
		row, err = s.db.UpdateUserName(ctx, dbgen.UpdateUserNameParams{
			Bucket: user.Bucket, ID: user.ID, Name: strings.TrimSpace(name), UpdatedAt: s.now(), ExpectedVersion: version,
		})
		return err
	})
	if errors.Is(err, database.ErrNotFound) {
		return User{}, database.ErrStale // The user exists: this is their own request.
	}
	return userOf(row), err
}

// ChangePassword sets a new password. All other sessions end, and this one gets a new token, which is returned: whoever
// had the old password or the old token is out.
func (s *Service) ChangePassword(ctx context.Context, user User, session Session, currentPassword, newPassword string) (string, error) {
	if err := s.confirmPassword(ctx, user, currentPassword); err != nil {
		return "", err
	}
	if isCommon(newPassword, user.Email) {
		return "", ErrWeakPassword
	}
	hash, err := s.hasher.hash(ctx, newPassword)
	if err != nil {
		return "", err
	}
	token, tokenHash := newToken(user.Bucket)
	err = s.db.InTx(ctx, func(tx *database.Tx) error {
		tx.Changes(database.UsersScope(user.Bucket))
		_, err := tx.UpdateUserPassword(ctx, dbgen.UpdateUserPasswordParams{
			Bucket: user.Bucket, ID: user.ID, PasswordHash: hash, UpdatedAt: s.now(),
		})
		if err != nil {
			return err
		}
		_, err = tx.DeleteOtherSessions(ctx, dbgen.DeleteOtherSessionsParams{Bucket: user.Bucket, UserID: user.ID, Kept: session.ID})
		if err != nil {
			return err
		}
		n, err := tx.RotateSession(ctx, dbgen.RotateSessionParams{Bucket: user.Bucket, ID: session.ID, TokenHash: tokenHash})
		if err == nil && n == 0 {
			return ErrUnauthenticated // Signed out in between.
		}
		return err
	})
	return token, err
}

// Delete removes the user and everything of theirs. A trigger of the schema leaves the keys of
// their files' bytes to the worker that removes those.
func (s *Service) Delete(ctx context.Context, user User, currentPassword string) error {
	if err := s.confirmPassword(ctx, user, currentPassword); err != nil {
		return err
	}
	return s.db.InTx(ctx, func(tx *database.Tx) error {
		tx.Changes(database.UsersScope(user.Bucket))
		if user.Role == RoleAdmin {
			if err := keepAnAdministrator(ctx, tx, user); err != nil {
				return err
			}
		}
		if err := tx.DeleteDirectoryEntry(ctx, user.Email); err != nil {
			return err
		}
		n, err := tx.DeleteUser(ctx, dbgen.DeleteUserParams{Bucket: user.Bucket, ID: user.ID})
		if err == nil && n == 0 {
			return database.ErrNotFound
		}
		return err
	})
}

// confirmPassword asks for the password again before a change that a borrowed session must not make. Tries are limited
// like sign-ins: this is as good a place to guess.
func (s *Service) confirmPassword(ctx context.Context, user User, password string) error {
	if err := s.signInsBy.email.allow(user.Email); err != nil {
		return err
	}
	row, err := s.db.GetUser(ctx, dbgen.GetUserParams{Bucket: user.Bucket, ID: user.ID})
	if err != nil {
		return err
	}
	right, err := s.hasher.verify(ctx, password, row.PasswordHash)
	if err != nil {
		return err
	}
	if !right {
		return ErrWrongPassword
	}
	return nil
}
