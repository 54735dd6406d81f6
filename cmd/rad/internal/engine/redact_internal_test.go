package engine

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestWhatLooksLikeASecretIsMasked(t *testing.T) {
	t.Parallel()
	const secret = "c0rrect-h0rse/+=="
	for _, test := range []struct{ text, want string }{
		{"dial postgres://rad_owner:" + "s3cr3t" + "@10.0.0.1:5432/db: refused", "dial postgres://rad_owner:[secret]@10.0.0.1:5432/db: refused"},
		{"redis+unix://:pa%2Fss@/run/redis.sock", "redis+unix://:[secret]@/run/redis.sock"},
		{`PGPASSWORD=` + secret + ` psql`, "PGPASSWORD=[secret] psql"},
		{`{"user":"a","password":"` + secret + `","x":1}`, `{"user":"a","password":"[secret]","x":1}`},
		{`{\"secretKey\": \"x\"}, password = '` + secret + `'`, `{\"secretKey\": \"x\"}, password = '[secret]'`},
		{"https://x.example/?token=" + secret + "&a=b", "https://x.example/?token=[secret]&a=b"},
		{"api_key: \"" + secret + "\"", "api_key: \"[secret]\""},
		{"Authorization: Bearer " + strings.Repeat("ab1", 10), "Authorization: Bearer [secret]"},
		{"key AKIAIOSFODNN7EXAMPLE is unknown", "key [secret] is unknown"},
		{"-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----\nrest", "[secret]\nrest"},
		{"-----BEGIN PRIVATE KEY-----\ncut off", "[secret]"},
		// What only speaks of secrets stays readable.
		{"secret owner-password: 12 bytes, expected at least 16", "secret owner-password: 12 bytes, expected at least 16"},
		{"metadataOptions.httpTokens: required", "metadataOptions.httpTokens: required"},
		{"password authentication failed for user \"rad_app\"", "password authentication failed for user \"rad_app\""},
		{"http://127.0.0.1:8080/a@b", "http://127.0.0.1:8080/a@b"},
		{"arn:aws:ssm:us-east-1:1:parameter/radpanel/mvp/cache-password", "arn:aws:ssm:us-east-1:1:parameter/radpanel/mvp/cache-password"},
		{"passphrase must be set with PULUMI_CONFIG_PASSPHRASE", "passphrase must be set with PULUMI_CONFIG_PASSPHRASE"},
	} {
		assert.Equal(t, test.want, redact(test.text))
		assert.Equal(t, test.want, redact(redact(test.text)), "masked once is enough")
	}
}

func FuzzRedact(f *testing.F) {
	f.Add("postgres://a:b@c", "x")
	f.Add("password=", "1234567")
	f.Fuzz(func(t *testing.T, text, _ string) {
		once := redact(text)
		assert.Equal(t, once, redact(once))
	})
}
