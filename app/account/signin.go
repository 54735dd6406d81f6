package account

import (
	"context"
	"errors"

	"github.com/radpanel/radpanel/app/database"
	"github.com/radpanel/radpanel/app/database/dbgen"
)

// SignIn is what a user tells to sign in. Of TOTPCode and RecoveryCode one is needed when a second factor is set up.
type SignIn struct {
	Email        string
	Password     string
	TOTPCode     string
	RecoveryCode string
	// Token is the session's that the browser has now, if any; it ends.
	Token string
}

// SignIn opens a session. An unknown e-mail address takes as long as a wrong password and fails alike.
func (s *Service) SignIn(ctx context.Context, in SignIn, client Client) (SignedIn, error) {
	if err := s.signInsBy.address.allow(client.Address); err != nil {
		return SignedIn{}, err
	}
	email, err := normaliseEmail(in.Email)
	if err != nil {
		return SignedIn{}, ErrWrongCredentials
	}
	if err := s.signInsBy.email.allow(email); err != nil {
		return SignedIn{}, err
	}
	row, err := s.findUser(ctx, email)
	if err != nil {
		return SignedIn{}, err
	}
	right, err := s.hasher.verify(ctx, in.Password, row.PasswordHash)
	if err != nil {
		return SignedIn{}, err
	}
	if !right {
		return SignedIn{}, ErrWrongCredentials
	}
	var out SignedIn
	err = s.db.InTx(ctx, func(tx *database.Tx) error {
		if out.User, err = stillThat(ctx, tx, row); err != nil {
			return err
		}
		if err := s.checkSecondFactor(ctx, tx, out.User, in); err != nil {
			return err
		}
		if err := endSession(ctx, tx, in.Token); err != nil {
			return err
		}
		out.Session, out.Token, err = s.openSession(ctx, tx, out.User, client)
		return err
	})
	return out, err
}

// findUser returns the user with the address, or an empty one, whose password hash no password has.
func (s *Service) findUser(ctx context.Context, email string) (dbgen.User, error) {
	entry, err := s.db.FindDirectoryEntry(ctx, email)
	if errors.Is(err, database.ErrNotFound) {
		return dbgen.User{}, nil
	}
	if err != nil {
		return dbgen.User{}, err
	}
	row, err := s.db.GetUser(ctx, dbgen.GetUserParams{Bucket: entry.Bucket, ID: entry.UserID})
	if errors.Is(err, database.ErrNotFound) { // Deleted in between.
		return dbgen.User{}, nil
	}
	return row, err
}

// stillThat returns the user whose password was verified, unless it was changed since or they are suspended: the
// verification takes long, and holds no lock. Whoever changes either from now on waits, and then ends the session as well.
func stillThat(ctx context.Context, tx *database.Tx, verified dbgen.User) (User, error) {
	row, err := tx.ShareUser(ctx, dbgen.ShareUserParams{Bucket: verified.Bucket, ID: verified.ID})
	if errors.Is(err, database.ErrNotFound) || (err == nil && row.PasswordHash != verified.PasswordHash) {
		return User{}, ErrWrongCredentials
	}
	if err != nil {
		return User{}, err
	}
	// Only who knows the password learns that the account is suspended.
	if Status(row.Status) == StatusSuspended {
		return User{}, ErrSuspended
	}
	return userOf(row), nil
}

// checkSecondFactor verifies the one-time or the recovery code, if the user has set up a second factor.
func (s *Service) checkSecondFactor(ctx context.Context, tx *database.Tx, user User, in SignIn) error {
	row, err := tx.LockTOTP(ctx, dbgen.LockTOTPParams{Bucket: user.Bucket, UserID: user.ID})
	if errors.Is(err, database.ErrNotFound) || (err == nil && row.ConfirmedAt == nil) {
		return nil
	}
	if err != nil {
		return err
	}
	switch {
	case in.TOTPCode != "":
		err = s.useCode(ctx, tx, row, in.TOTPCode)
	case in.RecoveryCode != "":
		err = s.useRecoveryCode(ctx, tx, user, in.RecoveryCode)
	default:
		err = ErrTOTPRequired
	}
	if errors.Is(err, ErrWrongCode) {
		return ErrWrongCredentials
	}
	return err
}

// endSession ends the session that the token opens; nothing happens for a token that opens none.
func endSession(ctx context.Context, tx *database.Tx, token string) error {
	bucket, hash, ok := readToken(token)
	if !ok {
		return nil
	}
	tx.Changes(database.UsersScope(bucket))
	return tx.DeleteSessionByToken(ctx, dbgen.DeleteSessionByTokenParams{Bucket: bucket, TokenHash: hash})
}
