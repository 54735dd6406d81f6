package engine

import (
	"encoding/json"
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
		{"dial postgres://rad_owner:" + "s3@cr3t@" + "@10.0.0.1:5432/db, x@y", "dial postgres://rad_owner:[secret]@10.0.0.1:5432/db, x@y"},
		{"password: " + "hunter2hunter2", "password: [secret]"},
		{"login failed (password:" + "hunter2hunter2)", "login failed (password:[secret])"},
		{"host: db\n  db_password: " + "hunter2hunter2\n  port: 5432", "host: db\n  db_password: [secret]\n  port: 5432"},
		{"passphrase: " + "correcthorsebatterystaple", "passphrase: [secret]"},
		{"secret_key=" + secret + ", secretKey: " + secret, "secret_key=[secret], secretKey: [secret]"},
		{"aws_secret_access_key = " + secret, "aws_secret_access_key = [secret]"},
		{"access-key: " + secret + "; private_key: " + secret, "access-key: [secret]; private_key: [secret]"},
		{"token: " + "ghp_0123456789abcdef, not taken", "token: [secret], not taken"},
		{`{\"password\": \"` + secret + `"}`, `{\"password\": \"[secret]"}`}, // JSON in JSON
		{`~ password: "hunter2hunter2" => "hunter3hunter3"`, `~ password: "[secret]" => "[secret]"`},
		// What only speaks of secrets stays readable.
		{"password: expected at least 8 characters", "password: expected at least 8 characters"},
		{"token: unknown, secret: \"\"", "token: unknown, secret: \"\""},
		{"parameter cache-password: AccessDeniedException: no", "parameter cache-password: AccessDeniedException: no"},
		{"read secret: open /etc/radpanel/secrets/owner-password: permission denied", "read secret: open /etc/radpanel/secrets/owner-password: permission denied"},
		{"file of the secret: /etc/radpanel/secrets/owner-password", "file of the secret: /etc/radpanel/secrets/owner-password"},
		{"urn:pulumi:a::b::random:index/randomPassword:RandomPassword::owner-2", "urn:pulumi:a::b::random:index/randomPassword:RandomPassword::owner-2"},
		{"arn:aws:secretsmanager:us-east-1:123456789012:secret:panel-AbC123", "arn:aws:secretsmanager:us-east-1:123456789012:secret:panel-AbC123"},
		{"write to owner@example.com: see http://10.0.0.1:8080/a", "write to owner@example.com: see http://10.0.0.1:8080/a"},
		{"secret owner-password: 12 bytes, expected at least 16", "secret owner-password: 12 bytes, expected at least 16"},
		{"metadataOptions.httpTokens: required", "metadataOptions.httpTokens: required"},
		{"password authentication failed for user \"rad_app\"", "password authentication failed for user \"rad_app\""},
		{"http://127.0.0.1:8080/a@b", "http://127.0.0.1:8080/a@b"},
		{"arn:aws:ssm:us-east-1:1:parameter/radpanel/mvp/cache-password", "arn:aws:ssm:us-east-1:1:parameter/radpanel/mvp/cache-password"},
		{"passphrase must be set with PULUMI_CONFIG_PASSPHRASE", "passphrase must be set with PULUMI_CONFIG_PASSPHRASE"},
	} {
		assert.Equal(t, test.want, Redact(test.text))
		assert.Equal(t, test.want, Redact(Redact(test.text)), "masked once is enough")
	}
}

func FuzzRedact(f *testing.F) {
	f.Add("postgres://a:b@c", "x")
	f.Add("password=", "1234567")
	f.Add("a://b:c@d@e, token: f1g2h3", "x")
	f.Fuzz(func(t *testing.T, text, _ string) {
		once := Redact(text)
		assert.Equal(t, once, Redact(once))
	})
}

// A preview is read again by rad, so it has to stay what it is.
func TestAJSONDocumentStaysOneWhenItIsMasked(t *testing.T) {
	t.Parallel()
	masked := RedactDocument([]byte(`{"diagnostics":[{"message":"cannot connect to postgres://owner:hunter2hunter2@db \"x\""}],
		"inner":"{\"password\":\"hunter2hunter2\"}","serial":12345678901234567890}`))
	assert.True(t, json.Valid(masked), "%s", masked)
	assert.NotContains(t, string(masked), "hunter2")
	assert.Contains(t, string(masked), "12345678901234567890")
	assert.Equal(t, "the password is hunter2? password=[secret]", string(RedactDocument([]byte("the password is hunter2? password=hunter2hunter2"))))
	assert.JSONEq(t, `{"a":1}`, string(RedactDocument([]byte(`{"a":1}`))))
}
