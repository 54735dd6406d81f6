package account

import (
	"net/mail"
	"strings"
)

// emailLength is the longest address that can be delivered to (RFC 5321, section 4.5.3.1.3, less the angle brackets).
const emailLength = 254

// normaliseEmail returns the form in which addresses are stored and looked up: lower case. Only ASCII is accepted, so
// that no two addresses look alike and this lower case is PostgreSQL's too.
func normaliseEmail(text string) (string, error) {
	email := strings.ToLower(strings.TrimSpace(text))
	for _, r := range email {
		if r <= ' ' || r > '~' {
			return "", ErrInvalidEmail
		}
	}
	parsed, err := mail.ParseAddress(email)
	if err != nil || parsed.Address != email || len(email) > emailLength {
		return "", ErrInvalidEmail
	}
	return email, nil
}
