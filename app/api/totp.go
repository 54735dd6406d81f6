package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

const tagTOTP = "Second factor"

func (a *API) registerTOTP() {
	register(a, a.signedIn(huma.Operation{
		OperationID: "set-up-totp", Method: http.MethodPost, Path: "/account/totp", Tags: []string{tagTOTP},
		Summary: "Begin to set up one-time passwords", Description: "They count once they are confirmed.",
	}), a.setUpTOTP)
	register(a, a.signedIn(huma.Operation{
		OperationID: "confirm-totp", Method: http.MethodPost, Path: "/account/totp/confirmation", Tags: []string{tagTOTP},
		Summary: "Prove that the authenticator works", Description: "The recovery codes are shown this once.",
	}), a.confirmTOTP)
	register(a, a.signedIn(huma.Operation{
		OperationID: "remove-totp", Method: http.MethodPost, Path: "/account/totp/removal", Tags: []string{tagTOTP},
		Summary: "Remove one-time passwords and recovery codes", DefaultStatus: http.StatusNoContent,
	}), a.removeTOTP)
	register(a, a.signedIn(huma.Operation{
		OperationID: "renew-recovery-codes", Method: http.MethodPost, Path: "/account/recovery-codes", Tags: []string{tagTOTP},
		Summary: "Replace all recovery codes", Description: "The new ones are shown this once.",
	}), a.renewRecoveryCodes)
}

// TOTPSetup is what an authenticator needs.
type TOTPSetup struct {
	Secret     string `json:"secret" doc:"In base32, to type."`
	OTPAuthURI string `json:"otpauth_uri" doc:"To scan as a QR code."`
}

type totpSetupOutput struct{ Body TOTPSetup }

func (a *API) setUpTOTP(ctx context.Context, in *passwordInput) (*totpSetupOutput, error) {
	setup, err := a.Accounts.SetUpTOTP(ctx, identity(ctx).User, in.Body.CurrentPassword)
	if err != nil {
		return nil, err
	}
	return &totpSetupOutput{Body: TOTPSetup{Secret: setup.Secret, OTPAuthURI: setup.URI}}, nil
}

type confirmTOTPInput struct {
	Body struct {
		Code string `json:"code" minLength:"6" maxLength:"6" pattern:"^[0-9]{6}$"`
	}
}

// RecoveryCodes each replace a one-time code once.
type RecoveryCodes struct {
	RecoveryCodes []string `json:"recovery_codes" nullable:"false"`
}

type recoveryCodesOutput struct{ Body RecoveryCodes }

func (a *API) confirmTOTP(ctx context.Context, in *confirmTOTPInput) (*recoveryCodesOutput, error) {
	codes, err := a.Accounts.ConfirmTOTP(ctx, identity(ctx).User, in.Body.Code)
	if err != nil {
		return nil, err
	}
	return &recoveryCodesOutput{Body: RecoveryCodes{codes}}, nil
}

func (a *API) removeTOTP(ctx context.Context, in *passwordInput) (*struct{}, error) {
	return nil, a.Accounts.RemoveTOTP(ctx, identity(ctx).User, in.Body.CurrentPassword)
}

func (a *API) renewRecoveryCodes(ctx context.Context, in *passwordInput) (*recoveryCodesOutput, error) {
	codes, err := a.Accounts.RenewRecoveryCodes(ctx, identity(ctx).User, in.Body.CurrentPassword)
	if err != nil {
		return nil, err
	}
	return &recoveryCodesOutput{Body: RecoveryCodes{codes}}, nil
}
