package engine

import (
	"bytes"
	"encoding/json"
	"io"
	"regexp"
)

// The names that tell of a secret, and what is given as one.
const (
	telling = `(?:password|passwd|passphrase|secret|token|(?:api|access|private|secret)[_-]?key|credentials?)`
	given   = `[^\s"'&,;\[\]{}()<>]{6,}`
)

// The engine masks what it knows to be secret. What a provider or a program says in its own words, such as an error with an
// address in it, and what somebody wrote into a property that is not secret, nobody masks: what looks like a secret there is
// masked here.
var (
	// userInfo is the password of an address, such as postgres://owner:secret@host. It may hold an @: the last one ends it.
	userInfo = regexp.MustCompile(`([A-Za-z][A-Za-z0-9+.-]*://[^\s/:@?#"']*):[^\s/"']+@`)
	// assigned is a value that is given to something whose name says that it is secret, in an assignment, in JSON, in a query.
	assigned = regexp.MustCompile(`(?i)(` + telling + `\\*["']?\s*(?:=|:\s*\\*["'])\s*\\*["']?)(` + given + `)`)
	// told is one without quotes, behind a colon, as in YAML. The name stands by itself: it is no part of an ARN or a type.
	told = regexp.MustCompile(`(?im)((?:^|[\s"'&,;?\[\]{}()<>])[\w.-]*` + telling + `\\*["']?[ \t]*:[ \t]*)(` + given + `)`)
	// changed is what a value was changed to, as pulumi shows differences, once its old one is masked.
	changed = regexp.MustCompile(`(?i)(` + telling + `\\*["']?\s*(?:=|:)\s*\\*["']?\[secret\]\\*["']?\s*=>\s*\\*["']?)(` + given + `)`)
	// words are what follows such a colon in a sentence, such as "password: expected at least 8 characters", and paths: letters
	// alone, and no more than the longest of them have.
	words = regexp.MustCompile(`^(?:[A-Za-z./:_-]{1,24}|/[A-Za-z./_-]+)$`)
	// keyID is that of a key of AWS.
	keyID = regexp.MustCompile(`\b(?:AKIA|ASIA)[0-9A-Z]{16}\b`)
	// pem is a private key.
	pem = regexp.MustCompile(`(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)`)
	// bearer is what a request proves itself by.
	bearer = regexp.MustCompile(`(?i)\b((?:bearer|basic)\s+)[A-Za-z0-9+/_.=-]{16,}`)
)

// Redact masks what looks like a secret in a text.
func Redact(text string) string {
	text = pem.ReplaceAllString(text, secretText)
	text = userInfo.ReplaceAllString(text, "${1}:"+secretText+"@")
	text = bearer.ReplaceAllString(text, "${1}"+secretText)
	text = assigned.ReplaceAllString(text, "${1}"+secretText)
	text = told.ReplaceAllStringFunc(text, func(whole string) string {
		parts := told.FindStringSubmatch(whole)
		if words.MatchString(parts[2]) {
			return whole
		}
		return parts[1] + secretText
	})
	text = changed.ReplaceAllString(text, "${1}"+secretText)
	return keyID.ReplaceAllString(text, secretText)
}

// RedactDocument is Redact of a text that may be a JSON document, which then stays one: its texts are masked, each by itself.
func RedactDocument(text []byte) []byte {
	var document any
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if decoder.Decode(&document) != nil || decoder.Decode(new(any)) != io.EOF {
		return []byte(Redact(string(text)))
	}
	masked, err := json.Marshal(redactValue(document))
	if err != nil { // What was decoded can be encoded.
		return []byte(Redact(string(text)))
	}
	return append(masked, '\n')
}

func redactValue(value any) any {
	switch v := value.(type) {
	case string:
		return Redact(v)
	case []any:
		for i := range v {
			v[i] = redactValue(v[i])
		}
	case map[string]any:
		for key := range v {
			v[key] = redactValue(v[key])
		}
	}
	return value
}
