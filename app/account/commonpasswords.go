package account

import (
	_ "embed"
	"strings"
)

// commonPasswords are those of the 20,000 most common ones that have eight characters or more: lower case, sorted, one a
// line. Source: django/contrib/auth/common-passwords.txt.gz of Django 4.2 (compiled by Royce Williams), under the
// BSD-3-Clause licence in commonpasswords.LICENSE.
//
//go:embed commonpasswords.txt
var commonPasswords string

// isCommon reports whether the password is one that an attacker tries first: on the list in any case, or made of the
// user's own e-mail address.
func isCommon(password, email string) bool {
	lower := strings.ToLower(password)
	local, _, _ := strings.Cut(email, "@")
	if lower == email || lower == local {
		return true
	}
	return strings.HasPrefix(commonPasswords, lower+"\n") || strings.Contains(commonPasswords, "\n"+lower+"\n")
}
