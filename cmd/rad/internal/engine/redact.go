package engine

import "regexp"

// The engine masks what it knows to be secret. What a provider or a program says in its own words, such as an error with an
// address in it, and what somebody wrote into a property that is not secret, nobody masks: what looks like a secret there is
// masked here.
var (
	// userInfo is the password of an address, such as postgres://owner:secret@host.
	userInfo = regexp.MustCompile(`([A-Za-z][A-Za-z0-9+.-]*://[^\s/:@?#"']*):[^\s/@"']+@`)
	// assigned is a value that is given to something whose name says that it is secret, in an assignment, in JSON, in a query.
	assigned = regexp.MustCompile(`(?i)((?:password|passwd|passphrase|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|credentials?)["']?\s*(?:=|:\s*["'])\s*["']?)([^\s"'&,;\[\]{}()<>]{6,})`)
	// keyID is that of a key of AWS.
	keyID = regexp.MustCompile(`\b(?:AKIA|ASIA)[0-9A-Z]{16}\b`)
	// pem is a private key.
	pem = regexp.MustCompile(`(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)`)
	// bearer is what a request proves itself by.
	bearer = regexp.MustCompile(`(?i)\b((?:bearer|basic)\s+)[A-Za-z0-9+/_.=-]{16,}`)
)

// redact masks what looks like a secret in a text.
func redact(text string) string {
	text = pem.ReplaceAllString(text, secretText)
	text = userInfo.ReplaceAllString(text, "${1}:"+secretText+"@")
	text = bearer.ReplaceAllString(text, "${1}"+secretText)
	text = assigned.ReplaceAllString(text, "${1}"+secretText)
	return keyID.ReplaceAllString(text, secretText)
}
