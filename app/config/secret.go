package config

import (
	"fmt"
	"io"
	"log/slog"
)

// mask stands for a secret wherever one is printed.
const mask = "[secret]"

// Secret is a text that is masked wherever it is printed, logged or marshalled. Reveal gives it in clear.
// An empty Secret prints as nothing, so that a missing one can be told from a hidden one.
type Secret string

// Reveal returns the text in clear. Every call of it is a place to look at in a review.
func (s Secret) Reveal() string { return string(s) }

// String masks the secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return mask
}

// Format masks the secret for every verb, %x, %q and %#v included.
func (s Secret) Format(state fmt.State, _ rune) {
	_, _ = io.WriteString(state, s.String())
}

// LogValue masks the secret in structured logs.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText masks the secret in JSON, YAML and every other encoding that honours encoding.TextMarshaler.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
