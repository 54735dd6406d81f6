package api

import (
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/radpanel/radpanel/app/account"
)

// accountProblem maps the errors of package account; nil for others.
func accountProblem(err error) error {
	var limited *account.RateLimitError
	switch {
	case errors.As(err, &limited):
		return retryAfter(typedProblem(http.StatusTooManyRequests, typeRateLimited,
			"Tried too often. Try again when the time in Retry-After is over."), limited.RetryAfter)
	case errors.Is(err, account.ErrUnauthenticated):
		return problem(http.StatusUnauthorized, "Sign in first.")
	case errors.Is(err, account.ErrWrongCredentials):
		return problem(http.StatusUnauthorized, "The e-mail address, the password or the code is wrong.")
	case errors.Is(err, account.ErrTOTPRequired):
		return typedProblem(http.StatusUnauthorized, typeTOTPRequired, "Send the one-time code of the authenticator as totp_code, or a recovery code as recovery_code.")
	case errors.Is(err, account.ErrSuspended):
		return problem(http.StatusForbidden, "This account is suspended. Ask an administrator.")
	case errors.Is(err, account.ErrWrongPassword):
		return invalid("body.current_password", "wrong password")
	case errors.Is(err, account.ErrWrongCode):
		return invalid("body.code", "wrong code, or one that was used before: wait for the next one")
	case errors.Is(err, account.ErrTOTPState):
		return problem(http.StatusConflict, "The second factor is already set up, or not set up yet.")
	case errors.Is(err, account.ErrEmailTaken):
		return problem(http.StatusConflict, "There is an account with this e-mail address already. Sign in instead.")
	case errors.Is(err, account.ErrWeakPassword):
		return invalid("body.password", "too common: choose one that nobody would guess")
	case errors.Is(err, account.ErrInvalidEmail):
		return invalid("body.email", "expected an e-mail address, such as ada@example.com")
	case errors.Is(err, account.ErrLastAdmin):
		return problem(http.StatusConflict, "The panel needs at least one active administrator. Make another one first.")
	default:
		return nil
	}
}

// relocate names the place of an error that another operation has elsewhere, such as a password that is too common.
func relocate(err, sentinel error, location string) error {
	var p *huma.ErrorModel
	if mapped := accountProblem(err); errors.Is(err, sentinel) && errors.As(mapped, &p) {
		return invalid(location, p.Errors[0].Message)
	}
	return err
}
