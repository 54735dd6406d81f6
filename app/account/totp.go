package account

import (
	"context"
	"crypto/subtle"
	"encoding/base32"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"

	"github.com/radpanel/radpanel/app/database"
	"github.com/radpanel/radpanel/app/database/dbgen"
)

const (
	// The parameters that every authenticator knows (RFC 6238): SHA-1, six digits, thirty seconds.
	totpPeriod      = 30
	totpSecretBytes = 20
	// totpSkew accepts the codes of the step before and the step after, for clocks that differ.
	totpSkew = 1
	issuer   = "RAD Panel"

	recoveryCodeCount = 10
	// recoveryCodeBytes makes codes of 80 bits: sixteen letters and digits.
	recoveryCodeBytes = 10
	recoveryCodeGroup = 4
)

// base32Text writes bytes as people type them and authenticators read them.
func base32Text(b []byte) string {
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b)
}

// TOTPSetup is what an authenticator needs: the secret to type, and the URI to scan.
type TOTPSetup struct {
	Secret string
	URI    string
}

// SetUpTOTP begins to set up one-time passwords; ConfirmTOTP makes them count. Called again, it begins anew.
func (s *Service) SetUpTOTP(ctx context.Context, user User, currentPassword string) (TOTPSetup, error) {
	if err := s.confirmPassword(ctx, user, currentPassword); err != nil {
		return TOTPSetup{}, err
	}
	secret := randomBytes(totpSecretBytes)
	n, err := s.db.PutPendingTOTP(ctx, dbgen.PutPendingTOTPParams{
		Bucket: user.Bucket, UserID: user.ID, SecretEncrypted: s.keys.seal(user.ID, secret),
	})
	if err != nil {
		return TOTPSetup{}, err
	}
	if n == 0 {
		return TOTPSetup{}, ErrTOTPState
	}
	text := base32Text(secret)
	return TOTPSetup{Secret: text, URI: otpauthURI(user.Email, text)}, nil
}

func otpauthURI(email, secret string) string {
	query := url.Values{
		"secret": {secret}, "issuer": {issuer}, "algorithm": {"SHA1"}, "digits": {"6"}, "period": {fmt.Sprint(totpPeriod)},
	}
	// Authenticators read "%20" and not all of them "+".
	return "otpauth://totp/" + url.PathEscape(issuer+":"+email) + "?" + strings.ReplaceAll(query.Encode(), "+", "%20")
}

// ConfirmTOTP proves that the authenticator works and returns the recovery codes, which are told once.
func (s *Service) ConfirmTOTP(ctx context.Context, user User, code string) ([]string, error) {
	if err := s.signInsBy.email.allow(user.Email); err != nil { // Guessing a code here is as good as there.
		return nil, err
	}
	var codes []string
	err := s.db.InTx(ctx, func(tx *database.Tx) error {
		if err := s.raiseVersion(ctx, tx, user); err != nil {
			return err
		}
		row, err := tx.LockTOTP(ctx, dbgen.LockTOTPParams{Bucket: user.Bucket, UserID: user.ID})
		if errors.Is(err, database.ErrNotFound) || (err == nil && row.ConfirmedAt != nil) {
			return ErrTOTPState
		}
		if err != nil {
			return err
		}
		if err := s.useCode(ctx, tx, row, code); err != nil {
			return err
		}
		if err := tx.ConfirmTOTP(ctx, dbgen.ConfirmTOTPParams{Bucket: user.Bucket, UserID: user.ID, ConfirmedAt: s.now()}); err != nil {
			return err
		}
		codes, err = s.replaceRecoveryCodes(ctx, tx, user)
		return err
	})
	return codes, err
}

// raiseVersion makes another version of the user, with whom it is shown whether a second factor is set up.
func (s *Service) raiseVersion(ctx context.Context, tx *database.Tx, user User) error {
	tx.Changes(database.UsersScope(user.Bucket))
	return tx.RaiseUserVersion(ctx, dbgen.RaiseUserVersionParams{Bucket: user.Bucket, ID: user.ID, UpdatedAt: s.now()})
}

// HasTOTP reports whether the user needs a one-time code to sign in.
func (s *Service) HasTOTP(ctx context.Context, user User) (bool, error) {
	return s.db.HasConfirmedTOTP(ctx, dbgen.HasConfirmedTOTPParams{Bucket: user.Bucket, UserID: user.ID})
}

// RemoveTOTP removes the second factor, confirmed or not, and its recovery codes.
func (s *Service) RemoveTOTP(ctx context.Context, user User, currentPassword string) error {
	if err := s.confirmPassword(ctx, user, currentPassword); err != nil {
		return err
	}
	return s.db.InTx(ctx, func(tx *database.Tx) error {
		if err := s.raiseVersion(ctx, tx, user); err != nil {
			return err
		}
		n, err := tx.DeleteTOTP(ctx, dbgen.DeleteTOTPParams{Bucket: user.Bucket, UserID: user.ID})
		if err != nil {
			return err
		}
		if n == 0 {
			return ErrTOTPState
		}
		return tx.DeleteRecoveryCodes(ctx, dbgen.DeleteRecoveryCodesParams{Bucket: user.Bucket, UserID: user.ID})
	})
}

// RenewRecoveryCodes replaces all recovery codes, used or not, by new ones.
func (s *Service) RenewRecoveryCodes(ctx context.Context, user User, currentPassword string) ([]string, error) {
	if err := s.confirmPassword(ctx, user, currentPassword); err != nil {
		return nil, err
	}
	var codes []string
	err := s.db.InTx(ctx, func(tx *database.Tx) error {
		row, err := tx.LockTOTP(ctx, dbgen.LockTOTPParams{Bucket: user.Bucket, UserID: user.ID})
		if errors.Is(err, database.ErrNotFound) || (err == nil && row.ConfirmedAt == nil) {
			return ErrTOTPState
		}
		if err != nil {
			return err
		}
		codes, err = s.replaceRecoveryCodes(ctx, tx, user)
		return err
	})
	return codes, err
}

// useCode verifies a one-time code and marks its time step as used: neither it nor an older code works again.
func (s *Service) useCode(ctx context.Context, tx *database.Tx, row dbgen.Totp, code string) error {
	secret, err := s.keys.open(row.UserID, row.SecretEncrypted)
	if err != nil {
		return err
	}
	step, ok, err := matchingStep(base32Text(secret), code, s.now())
	if err != nil {
		return err
	}
	if !ok || step <= row.LastStep {
		return ErrWrongCode
	}
	return tx.UseTOTPStep(ctx, dbgen.UseTOTPStepParams{Bucket: row.Bucket, UserID: row.UserID, LastStep: step})
}

// matchingStep returns the time step around now whose code this is.
func matchingStep(secret, code string, now time.Time) (step int64, ok bool, err error) {
	current := now.Unix() / totpPeriod
	for candidate := current - totpSkew; candidate <= current+totpSkew; candidate++ {
		expected, err := hotp.GenerateCodeCustom(secret, uint64(candidate), //nolint:gosec // After 1970.
			hotp.ValidateOpts{Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1})
		if err != nil {
			return 0, false, fmt.Errorf("one-time code: %w", err)
		}
		if subtle.ConstantTimeCompare([]byte(expected), []byte(code)) == 1 {
			step, ok = candidate, true
		}
	}
	return step, ok, nil
}

func (s *Service) replaceRecoveryCodes(ctx context.Context, tx *database.Tx, user User) ([]string, error) {
	if err := tx.DeleteRecoveryCodes(ctx, dbgen.DeleteRecoveryCodesParams{Bucket: user.Bucket, UserID: user.ID}); err != nil {
		return nil, err
	}
	codes := make([]string, recoveryCodeCount)
	rows := make([]dbgen.CreateRecoveryCodesParams, recoveryCodeCount)
	for i := range codes {
		code := base32Text(randomBytes(recoveryCodeBytes))
		id, err := uuid.NewV7()
		if err != nil {
			return nil, err
		}
		codes[i] = groupCode(code)
		rows[i] = dbgen.CreateRecoveryCodesParams{Bucket: user.Bucket, ID: id, UserID: user.ID, CodeHash: s.keys.hashCode(user.ID, code)}
	}
	_, err := tx.CreateRecoveryCodes(ctx, rows)
	return codes, err
}

// groupCode writes a code as people copy it: ABCD-EFGH-…
func groupCode(code string) string {
	var groups []string
	for ; len(code) > recoveryCodeGroup; code = code[recoveryCodeGroup:] {
		groups = append(groups, code[:recoveryCodeGroup])
	}
	return strings.Join(append(groups, code), "-")
}

func (s *Service) useRecoveryCode(ctx context.Context, tx *database.Tx, user User, typed string) error {
	code := strings.ToUpper(strings.NewReplacer("-", "", " ", "").Replace(typed))
	n, err := tx.UseRecoveryCode(ctx, dbgen.UseRecoveryCodeParams{
		Bucket: user.Bucket, UserID: user.ID, CodeHash: s.keys.hashCode(user.ID, code), UsedAt: s.now(),
	})
	if err != nil {
		return err
	}
	if n == 0 {
		return ErrWrongCode
	}
	s.log.WarnContext(ctx, "a recovery code was used to sign in", "account", user.ID)
	return nil
}
