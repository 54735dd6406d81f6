package account

import (
	"context"
	"errors"
	"strings"

	"github.com/google/uuid"

	"github.com/radpanel/radpanel/app/database"
	"github.com/radpanel/radpanel/app/database/dbgen"
)

// SignUp is what a new user tells.
type SignUp struct {
	Email    string
	Password string
	Name     string
}

// SignedIn is a user with a new session; Token opens it and is told once.
type SignedIn struct {
	User    User
	Session Session
	Token   string
}

// SignUp makes a user and signs them in. The panel's first user becomes its administrator.
func (s *Service) SignUp(ctx context.Context, in SignUp, client Client) (SignedIn, error) {
	if err := s.signUpsBy.address.allow(client.Address); err != nil {
		return SignedIn{}, err
	}
	user, err := s.prepareUser(ctx, in)
	if err != nil {
		return SignedIn{}, err
	}
	var out SignedIn
	err = s.db.InTx(ctx, func(tx *database.Tx) error {
		first, err := isFirstUser(ctx, tx)
		if err != nil {
			return err
		}
		if first {
			user.Role = string(RoleAdmin)
		}
		if out.User, err = insertUser(ctx, tx, user); err != nil {
			return err
		}
		out.Session, out.Token, err = s.openSession(ctx, tx, out.User, client)
		return err
	})
	return out, err
}

// prepareUser checks what the new user tells and hashes the password, before any connection is taken.
func (s *Service) prepareUser(ctx context.Context, in SignUp) (dbgen.CreateUserParams, error) {
	email, err := normaliseEmail(in.Email)
	if err != nil {
		return dbgen.CreateUserParams{}, err
	}
	if isCommon(in.Password, email) {
		return dbgen.CreateUserParams{}, ErrWeakPassword
	}
	hash, err := s.hasher.hash(ctx, in.Password)
	if err != nil {
		return dbgen.CreateUserParams{}, err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return dbgen.CreateUserParams{}, err
	}
	return dbgen.CreateUserParams{
		Bucket: database.BucketOf(id), ID: id, Email: email, Name: strings.TrimSpace(in.Name),
		PasswordHash: hash, Role: string(RoleUser),
	}, nil
}

// isFirstUser reports whether nobody has signed up yet. Two first sign-ups at once wait for each other, so that only one
// of them is the first; later ones take no lock.
func isFirstUser(ctx context.Context, tx *database.Tx) (bool, error) {
	exists, err := tx.AnyUserExists(ctx)
	if err != nil || exists {
		return false, err
	}
	if err := tx.LockAdministrators(ctx); err != nil {
		return false, err
	}
	exists, err = tx.AnyUserExists(ctx)
	return !exists, err
}

func insertUser(ctx context.Context, tx *database.Tx, user dbgen.CreateUserParams) (User, error) {
	err := tx.CreateDirectoryEntry(ctx, dbgen.CreateDirectoryEntryParams{Email: user.Email, UserID: user.ID, Bucket: user.Bucket})
	if errors.Is(err, database.ErrConflict) {
		return User{}, ErrEmailTaken
	}
	if err != nil {
		return User{}, err
	}
	row, err := tx.CreateUser(ctx, user)
	return userOf(row), err
}
